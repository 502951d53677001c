"""What can happen to the objects of a direct action, as far as the bucket alone can tell."""

from __future__ import annotations

from tests.faults.damages.scene import Family

OBJECTS = Family()

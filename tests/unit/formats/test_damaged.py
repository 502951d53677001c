"""What is left of an object: read as far as it is one, and refused in one way where it is not."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.formats import read_rows, row_texts
from tests.parts.actions import aggregated

WAYS: list[tuple[str, str]] = [("parquet", "none")] + [
    (container, compression) for container in ("json_lines", "csv") for compression in ("none", "gzip", "zstd")
]
PIECES = {"nothing": b"", "zstd": b"\x28\xb5\x2f\xfd", "gzip": b"\x1f\x8b", "parquet": b"PAR1", "noise": b"\xff" * 40}


@pytest.mark.parametrize("content", PIECES.values(), ids=PIECES)
@pytest.mark.parametrize(("container", "compression"), WAYS)
def test_a_piece_of_an_object_is_a_value_error(container: str, compression: str, content: bytes) -> None:
    """A part of an object is refused with ValueError, or is an object without rows."""
    parameters: dict[str, Any] = aggregated(
        container={"type": container}, compression=compression
    ).parameters.model_dump()

    for read in (read_rows, row_texts):
        try:
            found = read(content, parameters)
        except ValueError:
            continue
        assert found[:1] in ((0,), [])

"""Templates of keys, buckets and contents. Entry point: `Template`; `object_key` has the keys of aggregated uploads."""

from pipeline.template.template import Missing, Template

__all__ = ["Missing", "Template"]

"""The functions that a compiled rule calls: values, paths, comparison, JSON, schemas."""

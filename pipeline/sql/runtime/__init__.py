"""What a compiled rule calls while it runs: values, paths, comparison, JSON, schemas."""

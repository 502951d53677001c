"""A syntax tree to Python."""

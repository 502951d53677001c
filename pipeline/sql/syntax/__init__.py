"""Converts the text of a statement into a syntax tree, and back."""

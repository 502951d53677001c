"""Compiles a syntax tree into Python."""

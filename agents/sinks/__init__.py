"""Writes the rows of lanes as objects: direct and aggregated upload, and the parts that both are made of."""

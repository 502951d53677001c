"""Writes rows as objects: a lane for each partition, and the parts that lanes share."""

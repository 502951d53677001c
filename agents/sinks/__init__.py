"""Rows to objects: lanes, one for each partition, and what they share."""

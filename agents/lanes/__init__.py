"""Lanes of an action: all of them together, and what they ask Kafka."""

"""Kafka: produce, read a range, make topics, choose a leader."""

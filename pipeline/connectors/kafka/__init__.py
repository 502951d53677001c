"""Kafka: produce records, read a range, create topics, choose a leader."""

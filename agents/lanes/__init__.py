"""The lanes of an action together, and their questions to Kafka."""

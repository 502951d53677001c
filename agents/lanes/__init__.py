"""The lanes of an action together, their questions to Kafka, and what lanes of both uploads are made of."""

"""Connections to outside systems. Each has the same few verbs: connect, check, its own verb, close."""

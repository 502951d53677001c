"""A connection to one S3-compatible store: connect, check, a few verbs, close."""

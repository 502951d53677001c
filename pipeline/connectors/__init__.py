"""Links to outside systems. Each one offers the same few verbs: connect, check, its own verb, close."""

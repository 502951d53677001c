"""The routes of the REST API, one family of paths a file. Each file has a `router`."""

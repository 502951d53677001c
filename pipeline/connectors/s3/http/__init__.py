"""Our own HTTP/1.1 client: answers without I/O, one connection, and the connections of one store. It does not know S3."""

"""How devices reach a listener: its sockets, its TLS, and WebSocket."""

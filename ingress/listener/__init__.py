"""The ingress's own MQTT listener: devices connect directly to it, and may only publish. `server.Listener` is the entry."""

"""The ingress's own MQTT listener: devices connect straight to it, and may publish only. `server.Listener` is the entry."""

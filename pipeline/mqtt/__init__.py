"""MQTT packets, read and written without I/O."""

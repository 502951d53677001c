"""One MQTT broker: connect, subscribe, receive batches, acknowledge."""

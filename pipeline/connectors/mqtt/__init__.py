"""A connection to one MQTT broker: connect, subscribe, receive batches, acknowledge."""

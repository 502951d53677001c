"""Process 1: MQTT messages and client events into Kafka, acknowledged to the broker only after Kafka has them."""

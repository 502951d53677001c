"""What the consumers of one worker share: Kafka's answers to fetches, and the records that are unpacked from them."""

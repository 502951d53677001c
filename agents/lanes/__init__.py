"""What every lane is, whatever it writes: a queue of rows with a bound, its place in Kafka's log, and all lanes of an action."""

"""Hot reload: a process follows the configuration in Kafka, and starts, stops, replaces or turns only the parts that changed."""

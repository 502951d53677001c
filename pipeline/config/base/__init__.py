"""The parts of settings: declarations, durations and sizes, secrets, references to the environment, settings of objects."""

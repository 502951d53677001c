"""The parts of settings: declarations, durations and sizes, secrets, references, settings of objects."""

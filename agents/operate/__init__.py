"""The tools that a person starts beside the worker: verify and replay."""

"""YAML with the place of each setting, and the messages for what is wrong in it."""

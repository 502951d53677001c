"""What a person wrote and what a person reads: YAML with the place of each setting, and the words of what is wrong."""

"""What settings are made of: how one is declared, durations and sizes, secrets, references to the environment."""

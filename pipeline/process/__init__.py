"""How each of our processes lives: how it stops, and how often Python collects its garbage."""

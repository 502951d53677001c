"""What all tests share: the outside systems (tests/parts) and nothing else."""

pytest_plugins = ["tests.parts.fixtures"]

"""What all tests share: the outside systems (tests/parts), how to wait, and the name of a test whose process died."""

pytest_plugins = ["tests.parts.fixtures", "tests.parts.waiting", "tests.parts.deaths"]

"""A newcomer with README in hand; `python -m tests.newcomer` plays her."""

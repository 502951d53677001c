"""The fixture `make` of load.py, for all tests here."""

from tests.faults.real.load import make

__all__ = ["make"]

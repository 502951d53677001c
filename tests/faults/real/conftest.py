"""The fixture `make` of load.py for all tests here, and the command that repeats a failing test."""

from collections.abc import Generator

import pytest

from tests.faults.real.load import AGAIN, make

__all__ = ["make"]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A failure says with which seed it was."""
    report = yield
    if report.failed:
        report.sections.append(("the same again", AGAIN.format(item.nodeid)))
    return report

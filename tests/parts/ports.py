"""Which ports a test process gives to its servers: none that another one could give to its own.

A server takes seconds to open the port that it was given, and a test may stop one and start it again. Meanwhile nobody listens
there, so it would be a free port for everybody else.
"""

from __future__ import annotations

import pytest

from pipeline.demo import process


def pytest_configure(config: pytest.Config) -> None:
    """Ports of the other test processes (xdist) count as given."""
    given = getattr(config, "workerinput", None)
    if given is None:
        return
    number, count = int(given["workerid"].removeprefix("gw")), int(given["workercount"])
    every = range(process._FIRST_PORT, process._LAST_PORT + 1)
    process._given_ports.update(port for port in every if port % count != number)

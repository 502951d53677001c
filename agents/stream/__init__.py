"""Everything that knows Faust: the wiring, the transport, the fetch."""

from agents.stream import aside as aside

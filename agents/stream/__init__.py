"""Everything that knows Faust: the wiring, the transport, the fetch."""

from agents.stream import authorities as authorities

"""Everything that knows Faust: the wiring, the transport, the fetch."""

"""MQTT packets, read and written without I/O: one codec for both sides.

    packets      what a PUBLISH becomes; first bytes and flags
    reasons      MQTT 5's reason codes
    fields       numbers, texts and binaries, with every check; the error ProtocolError
    properties   the table of MQTT 5's properties, read and written
    framing      the hot loop that cuts a stream into packets
    parser       the stream of a server, as a client reads it

The stream of a client is `ingress/listener/protocol.py`, since a server has to judge what it may send when.
"""

"""Reads and writes MQTT packets without I/O: one codec for both sides.

    packets         the form of a PUBLISH; first bytes and flags
    reasons         MQTT 5's reason codes
    fields          numbers, texts and binaries, with every check; the error ProtocolError
    properties      the table of MQTT 5's properties, read and written
    framing         the hot loop that cuts a stream into packets
    parser          the stream of a server, as a client reads it
    subscriptions   which topic filters a client subscribes to, so that no message comes twice

`ingress/listener/protocol.py` reads the stream of a client, because a server has to decide what a client may send.
"""

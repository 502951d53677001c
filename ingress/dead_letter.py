"""Makes the dead letter of a record that Kafka refuses: the record, the reason and the source.

Pure. This file neither decides which records become dead letters nor writes them.
"""

from __future__ import annotations

import hashlib
from typing import Final

from ingress.window import size_of
from pipeline.dead_letter import PREFIX, SIZE
from pipeline.errors import RefusedError
from pipeline.mqtt.packets import CutPayload
from pipeline.record import Outgoing

CAUSE: Final = PREFIX + "cause"
ERROR: Final = PREFIX + "error"
SOURCE: Final = PREFIX + "source"
SHA256: Final = PREFIX + "sha256"  # hexadecimal digest of the original value, if it was cut

FIELD_BYTES_SHORT: Final = 200  # bytes of the key and of each header in a dead letter that must be small
ROOM_BYTES: Final = 1024  # for our own headers and Kafka's bytes around each part


def dead_letter(
    record: Outgoing, problem: RefusedError, source: str, limit_bytes: int, whole: CutPayload | None = None
) -> Outgoing:
    """The dead letter of `record`, at most `limit_bytes` long. If the value is cut to fit, headers give its size and
    digest.

    With 0 the letter is as small as possible: it has no value, and key and headers are cut too. `whole` tells what the value
    was, if the record has only its beginning.
    """
    headers = [
        (CAUSE, problem.reason.encode()),
        (ERROR, str(problem).encode()[:512]),
        (SOURCE, source.encode()),
        *record.headers,
    ]
    key, value = record.key, record.value
    if not limit_bytes:
        headers = [(name, text[:FIELD_BYTES_SHORT]) for name, text in headers]
        key = key[:FIELD_BYTES_SHORT]
    room = max(0, limit_bytes - ROOM_BYTES - size_of(record) + len(value))
    if whole is None and len(value) > room:
        whole = CutPayload(len(value), hashlib.sha256(value).hexdigest())
    if whole is not None:
        headers += [(SIZE, b"%d" % whole.size_bytes), (SHA256, whole.sha256.encode())]
        value = value[:room]
    return Outgoing(key, value, headers, record.timestamp_ms)

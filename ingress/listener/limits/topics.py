"""How many topics all clients of a listener have remembered, so that topics which devices choose do not fill the memory.

A remembered topic takes a kilobyte and saves some microseconds a message. While all together have many, each keeps a few.

Pure. This file keeps no topic.
"""

from __future__ import annotations

from typing import Final

TOPICS_MAX: Final = 50_000  # of all clients
TOPICS_OF_ONE_MAX: Final = 512
TOPICS_OF_ONE_MIN: Final = 4
TOPIC_BYTES_MAX: Final = 256  # a longer one is not remembered


class TopicCount:
    """Of one listener."""

    def __init__(self) -> None:
        self.count = 0

    def is_enough(self, own: int) -> bool:
        """Whether a client with `own` topics has to forget them before it remembers another."""
        return own >= TOPICS_OF_ONE_MAX or (self.count >= TOPICS_MAX and own >= TOPICS_OF_ONE_MIN)

"""Counts the cached topics of all clients of a listener, so that topics which devices choose do not fill the memory.

A cached topic takes a kilobyte and saves a few microseconds a message. While all clients together have many, each keeps a few.

Pure. This file keeps no topic.
"""

from __future__ import annotations

from typing import Final

TOPICS_MAX: Final = 50_000  # cached topics of all clients
TOPICS_OF_ONE_MAX: Final = 512
TOPICS_OF_ONE_MIN: Final = 4
TOPIC_BYTES_MAX: Final = 256  # a longer topic is not cached


class TopicCount:
    """The number of cached topics of one listener."""

    def __init__(self) -> None:
        self.count = 0

    def is_enough(self, own: int) -> bool:
        """Whether a client with `own` topics must forget them before it caches another one."""
        return own >= TOPICS_OF_ONE_MAX or (self.count >= TOPICS_MAX and own >= TOPICS_OF_ONE_MIN)

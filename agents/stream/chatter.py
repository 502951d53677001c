"""Filters the log lines of Faust and aiokafka: drops lines about known states, and passes the rest.

pipeline/log.py writes their lines in our form. This file drops lines about Kafka being away (the producer logs
`kafka.disconnected` once), about rebalances (`action.assigned`), and about Faust's services. Warnings that matter remain, such
as a topic that may not be read.
"""

from __future__ import annotations

import logging
import re
from typing import Final

from aiokafka.errors import KafkaError

# Loggers of the libraries, and those of Faust's services, which are named after the modules of their subclasses.
LIBRARIES: Final = ("aiokafka", "faust", "mode", "agents.stream")

NOTHING: Final = re.compile(
    "|".join(
        (
            # Kafka is away, or not ready yet.
            r"^Unable (to )?(connect|request metadata|update metadata)",
            r"^No broker metadata found",
            r"is not available during auto-create initialization",
            r"^Failed fetch (messages|offsets) from ",
            r"^Attempt to fetch offsets for partition .* failed due to",
            r"^Group Coordinator Request failed: (?!.*Authorization)",
            r"^Error sending \w+ to node .* marking coordinator dead",
            r"^LeaveGroup request failed",
            # A rebalance of the group.
            r"^Marking the coordinator dead",
            r"^Heartbeat (failed for group|send request failed|session expired|failed: local member_id)",
            r"^OffsetCommit failed (before join|for group .* due to group error)",
            r"exception performing seek when flow not active",
            r"Fetcher is ignoring cancel or slow",
            r"^Timer ",  # Faust's periodic work takes longer while Kafka is away
        )
    )
)


class Chatter(logging.Filter):
    """Passes lines of other loggers, and of these libraries only warnings that matter."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether a line is written. If a line only repeats an error of Kafka, its traceback is removed."""
        if not record.name.startswith(LIBRARIES):
            return True
        if record.levelno < logging.WARNING or NOTHING.search(record.getMessage()):
            return False
        if record.exc_info and isinstance(record.exc_info[1], KafkaError):
            record.exc_info = None
        return True


def mute() -> None:
    """Keep lines about known states out of this process's log."""
    for handler in logging.getLogger().handlers:
        if not any(isinstance(each, Chatter) for each in handler.filters):
            handler.addFilter(Chatter())

"""What Faust and its client of Kafka say by themselves: known states are nothing, the rest is a line like ours.

Their lines are told in our form by pipeline/log.py. Here are those that are not told at all: Kafka away (the producer tells it,
once, as `kafka.disconnected`), a consumer group that moves its partitions (`action.assigned`), and the news of Faust's services.
Left are warnings that matter, such as a topic that may not be read.
"""

from __future__ import annotations

import logging
import re
from typing import Final

from aiokafka.errors import KafkaError

# Loggers of the libraries, and those that Faust's services have by the module in which they are derived from.
LIBRARIES: Final = ("aiokafka", "faust", "mode", "agents.stream")

NOTHING: Final = re.compile(
    "|".join(
        (
            # Kafka is away, or is there and not ready yet.
            r"^Unable (to )?(connect|request metadata|update metadata)",
            r"^No broker metadata found",
            r"is not available during auto-create initialization",
            r"^Failed fetch (messages|offsets) from ",
            r"^Attempt to fetch offsets for partition .* failed due to",
            r"^Group Coordinator Request failed: (?!.*Authorization)",
            r"^Error sending \w+ to node .* marking coordinator dead",
            r"^LeaveGroup request failed",
            # The group moves its partitions.
            r"^Marking the coordinator dead",
            r"^Heartbeat (failed for group|send request failed|session expired|failed: local member_id)",
            r"^OffsetCommit failed (before join|for group .* due to group error)",
            r"exception performing seek when flow not active",
            r"Fetcher is ignoring cancel or slow",
            r"^Timer ",  # what Faust does now and then takes longer while Kafka is away
        )
    )
)


class Chatter(logging.Filter):
    """Lets through what is not the libraries', and of theirs the warnings that matter."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether a line is told. One that only repeats an error of Kafka's keeps its text and loses its traceback."""
        if not record.name.startswith(LIBRARIES):
            return True
        if record.levelno < logging.WARNING or NOTHING.search(record.getMessage()):
            return False
        if record.exc_info and isinstance(record.exc_info[1], KafkaError):
            record.exc_info = None
        return True


def mute() -> None:
    """From now on, keep what is known out of this process's log."""
    for handler in logging.getLogger().handlers:
        if not any(isinstance(each, Chatter) for each in handler.filters):
            handler.addFilter(Chatter())

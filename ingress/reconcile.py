"""Finds subscriptions that a persistent session still has but the configuration no longer has.

A broker does not list the subscriptions of a session. But only a finite number of filters match a topic name. If a message comes
that no filter of ours matches, the ingress unsubscribes from all filters that match its topic, because one of them brought it.
The message is acknowledged and counted, and not forwarded.

Pure. This file sends nothing.
"""

from __future__ import annotations

from itertools import product
from typing import Final

from pipeline.topics import TOPIC_BYTES_MAX

LEVELS_MAX: Final = 9  # 3 filters times 2 to this power
TOPIC_CHARACTERS_MAX: Final = 1000
WILDCARDS: Final = frozenset("+#")


def filters_matching(topic: str) -> list[str]:
    """Every topic filter that matches `topic` (MQTT 5.0 section 4.7), or only simple filters if it has many levels.

    Shared subscriptions are not included, because the names of their groups are unknown. A text that is not a topic name, which
    a broker must not send, gives nothing that a broker would not take.
    """
    if set(topic) & WILDCARDS:
        return []
    levels = topic.split("/")
    if len(levels) > LEVELS_MAX or len(topic) > TOPIC_CHARACTERS_MAX:
        prefixes = ["/".join(levels[:count]) for count in range(1, LEVELS_MAX + 1)]
        simple = [topic, *(f"{prefix}/#" for prefix in prefixes), *([] if topic.startswith("$") else ["#"])]
        return [each for each in simple if len(each.encode()) <= TOPIC_BYTES_MAX]
    choices = [(level, "+") for level in levels]
    if topic.startswith("$"):
        choices[0] = (levels[0], levels[0])  # a wildcard in the first level does not match $ topics (4.7.2)
    found = dict.fromkeys("/".join(each) for each in product(*choices))
    for count in range(len(levels) + 1):
        found.update(dict.fromkeys("/".join((*each, "#")) for each in product(*choices[:count])))
    if topic.startswith("$"):
        found.pop("#")
    return [each for each in found if each]

"""How long to wait before the next try: every policy of the project, and the one way to reckon it.

A wait is drawn by chance from zero (or `least_seconds`) up to a ceiling that doubles with each failure, up to `cap_seconds`.
Source: "Exponential Backoff And Jitter", AWS Architecture Blog; of its variants "full jitter" spreads competing clients best.

Pure: chance comes in as a function. Waiting itself, and giving up, are the caller's. This project does not give up where waiting
can help.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

from pipeline.errors import TidegateError


class Policy(NamedTuple):
    """How to wait between tries. All in seconds."""

    base_seconds: float  # ceiling of the first wait
    cap_seconds: float  # ceiling of every wait
    least_seconds: float = 0.0  # below every wait
    person_seconds: float = 0.0  # below a wait for a person, who has to mend something first

    def waits(self, chance: Callable[[], float]) -> Waits:
        """A series of waits, for one series of failures. `chance` gives numbers in [0, 1)."""
        return Waits(self, chance)


class Waits:
    """The waits of one series of failures. A success ends the series: the next one begins with a short wait again."""

    def __init__(self, policy: Policy, chance: Callable[[], float]) -> None:
        self._policy = policy
        self._chance = chance
        self._ceiling = policy.base_seconds

    def after(self, error: Exception | None) -> float:
        """Seconds to wait after this failure. An error that no waiting mends (`retry` is false) waits for a person."""
        policy, ceiling = self._policy, self._ceiling
        self._ceiling = min(policy.cap_seconds, ceiling * 2)
        wait = policy.least_seconds + self._chance() * (ceiling - policy.least_seconds)
        for_a_person = isinstance(error, TidegateError) and not error.retry
        return max(policy.person_seconds, wait) if for_a_person else wait


# A sink's calls of its store and of the dead letter topic, without end. An action's resume_interval takes the place of the cap.
SINK: Final = Policy(base_seconds=0.1, cap_seconds=20.0, person_seconds=1.0)

# One S3 request, `transport_options.max_retries` times more. What outlasts them is SINK's.
REQUEST: Final = Policy(base_seconds=0.1, cap_seconds=2.0)

# A request of `tidegate verify`. A proof that ends half-way proves nothing, and one that never ends does not either.
PROOF: Final = Policy(base_seconds=0.1, cap_seconds=5.0)
PROOF_TRIES_MAX: Final = 8

# The ingress's connection to a broker, without end. Brokers ban clients that come with a wrong password again and again.
BROKER: Final = Policy(base_seconds=0.5, cap_seconds=30.0, person_seconds=4.0)
BROKER_STABLE_SECONDS: Final = 10.0  # a connection that lived so long was a success

# Kafka is away when a process starts, without end. librdkafka connects again by itself, with the same cap.
KAFKA: Final = Policy(base_seconds=0.5, cap_seconds=5.0)

# An action that is started afresh after a failure, without end. Each start takes part in a rebalance of its consumer group.
RESTART: Final = Policy(base_seconds=2.0, cap_seconds=30.0, least_seconds=1.0)
RESTART_STABLE_SECONDS: Final = 60.0  # an action that ran so long had started

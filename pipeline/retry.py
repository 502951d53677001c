"""How long to wait before the next try: all policies of the project, and the one way to calculate a wait.

A wait is a random number between zero (or `least_seconds`) and a ceiling. The ceiling doubles with each failure, up to
`cap_seconds`. Source: "Exponential Backoff And Jitter", AWS Architecture Blog. Its variant "full jitter" spreads competing
clients best.

Pure: random numbers come from an argument. The caller waits, and decides when to give up. This project does not give up if
waiting can help.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

from pipeline.errors import TidegateError


class Policy(NamedTuple):
    """The waits between tries, in seconds."""

    base_seconds: float  # the longest first wait
    cap_seconds: float  # the longest wait
    least_seconds: float = 0.0  # the shortest wait
    person_seconds: float = 0.0  # the shortest wait if a person has to correct something first

    def waits(self, chance: Callable[[], float]) -> Waits:
        """The waits for one series of failures. `chance` gives random numbers in [0, 1)."""
        return Waits(self, chance)


class Waits:
    """The waits of one series of failures. A success ends the series, and the next series begins with a short wait again."""

    def __init__(self, policy: Policy, chance: Callable[[], float]) -> None:
        self._policy = policy
        self._chance = chance
        self._ceiling = policy.base_seconds

    def after(self, error: Exception | None) -> float:
        """Seconds to wait after this failure. If waiting alone cannot help (`retry` is false), the wait is one for a person."""
        policy, ceiling = self._policy, self._ceiling
        self._ceiling = min(policy.cap_seconds, ceiling * 2)
        wait = policy.least_seconds + self._chance() * (ceiling - policy.least_seconds)
        for_a_person = isinstance(error, TidegateError) and not error.retry
        return max(policy.person_seconds, wait) if for_a_person else wait


# A sink's calls of its store and of the dead letter topic, without end. The action's resume_interval replaces the cap.
SINK: Final = Policy(base_seconds=0.1, cap_seconds=20.0, person_seconds=1.0)

# One S3 request, repeated up to `transport_options.max_retries` times. Then SINK applies.
REQUEST: Final = Policy(base_seconds=0.1, cap_seconds=2.0)

# A request of `tidegate verify`. A proof that ends half-way proves nothing, and a proof must end.
PROOF: Final = Policy(base_seconds=0.1, cap_seconds=5.0)
PROOF_TRIES_MAX: Final = 8

# The ingress's connection to a broker, without end. Brokers ban clients that repeat a wrong password.
BROKER: Final = Policy(base_seconds=0.5, cap_seconds=30.0, person_seconds=4.0)
BROKER_STABLE_SECONDS: Final = 10.0  # a connection that lasted this long was a success

# The wait for Kafka when a process starts, without end. librdkafka reconnects by itself, with the same cap.
KAFKA: Final = Policy(base_seconds=0.5, cap_seconds=5.0)

# A change of the configuration that another writer came before.
FENCED: Final = Policy(base_seconds=0.02, cap_seconds=0.5)

# The restart of an action after a failure, without end. Each start causes a rebalance of its consumer group.
RESTART: Final = Policy(base_seconds=2.0, cap_seconds=30.0, least_seconds=1.0)
RESTART_STABLE_SECONDS: Final = 60.0  # an action that ran this long has started successfully

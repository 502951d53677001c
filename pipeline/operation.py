"""The work of an operator in values: what verify, replay and redrive are asked for, what they plan and what they find.

agents/operate does the work. The library does not know the processes, so the API gets an `Operator` from its caller.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple, Protocol

from pipeline.config import Config
from pipeline.connectors.kafka.reader import Bound, Span
from pipeline.connectors.s3.store import S3Store
from pipeline.dead_letter import Letter
from pipeline.upload.ledger import ChainPlace, Entry
from pipeline.upload.ledger_check import Finding, Totals
from pipeline.upload.object_check import ObjectMarks


class Verdict(Protocol):
    """Hears what a verification finds, as soon as it is found."""

    def entry(self, place: ChainPlace, entry: Entry, wrong: frozenset[str]) -> None:
        """An entry of the ledger, and the keys of its objects of which something is wrong."""

    def finding(self, finding: Finding) -> None:
        """A breach."""

    def partition(self, place: ChainPlace, totals: Totals) -> None:
        """The ledger of a partition was read to its end."""

    def direct(self, objects: int, size_bytes: int, unmarked: int) -> None:
        """All objects of a direct action were checked."""

    def note(self, text: str) -> None:
        """A fact that is not a finding."""


class Proof(NamedTuple):
    """What a verification reads. Without partitions: all. `into`: the objects of a replay below this prefix."""

    partitions: frozenset[int] = frozenset()
    deep: bool = False
    into: str | None = None


class Range(NamedTuple):
    """The records of a replay. Without `until`: up to now. Without partitions: all."""

    since: Bound
    until: Bound | None
    partitions: tuple[int, ...]


class LeftOutRecords(NamedTuple):
    """Records that a rule cannot handle: how many, and the first of them."""

    rule: str
    cause: str
    records: int
    first: str  # topic/partition/offset
    arrived_ms: int
    error: str


class Planned(NamedTuple):
    """What a replay would read and write, and where."""

    spans: Sequence[Span]
    records: int
    bytes: int  # of these records
    rows: int
    objects: int
    puts: int
    where: str
    left_out: Sequence[LeftOutRecords]


class Talk(Protocol):
    """What a replay says while it goes on, and what it asks."""

    def begin(self, what: str, total: int) -> None:
        """It begins to read or to write about so many records."""

    def progress(self, records: int) -> None:
        """It has handled more records."""

    def note(self, text: str) -> None:
        """A fact that whoever started it should know."""

    async def agreed(self, plan: Planned) -> bool:
        """Whether to go on with this plan."""

    def end(self, text: str, left_out: Sequence[LeftOutRecords]) -> None:
        """It is done."""


class Sent(NamedTuple):
    """Counts of a redrive: letters that were sent, that are over because nothing is missing, and that are kept."""

    sent: int
    over: int
    kept: int


class Operator(Protocol):
    """The work itself. agents/operate/operations.py has it."""

    async def entry_over(self, config: Config, name: str, store: S3Store, written: ObjectMarks) -> Entry | None:
        """The ledger's entry over the first row of an object. Raises LaneError or a ConnectorError."""

    async def verify(self, config: Config, name: str, wanted: Proof, verdict: Verdict) -> None:
        """Verify an action. Raises a ConnectorError, or CommandError for a prefix that cannot be."""

    async def replay(self, config: Config, name: str, wanted: Range, into: str | None, talk: Talk) -> bool:
        """Plan, ask, and run. Returns whether Kafka still has all records of it. Raises a TidegateError."""

    async def redrive(
        self,
        config: Config,
        letters: Iterator[Letter],
        tell: Callable[[str], None],
        *,
        unproven: bool,
        dry_run: bool,
    ) -> Sent:
        """Send letters again. They are read in threads. Raises a ConnectorError."""

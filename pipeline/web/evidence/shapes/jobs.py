"""What jobs are asked for, and what they answer: verify, replay and redrive."""

from __future__ import annotations

from typing import Literal, NotRequired

# Python 3.11's own TypedDict does not tell pydantic which fields may be absent.
from typing_extensions import TypedDict


class StripRun(TypedDict):
    """Offsets from `first` up to `next`, which is not included. A count that is 0 is absent."""

    first: int
    next: int
    written: NotRequired[int]
    filtered: NotRequired[int]
    dead_lettered: NotRequired[int]
    absent: NotRequired[int]
    gone: NotRequired[int]
    missing: NotRequired[int]
    objects: NotRequired[int]
    rows: NotRequired[int]
    entries: NotRequired[int]
    wrong: NotRequired[int]


class PartitionStrip(TypedDict):
    """The offsets of one partition."""

    topic: str
    topic_id: str
    partition: int
    first: int
    next: int
    total: StripRun
    runs: list[StripRun]


class VerifyFinding(TypedDict):
    """A breach. `key` is the object that it is about."""

    kind: str
    key: str
    text: str
    meaning: str


class VerifyTotals(TypedDict):
    """Counts of all partitions."""

    partitions: int
    entries: int
    objects: int
    rows: int
    records: int
    filtered: int
    dead_lettered: int
    absent: int
    gone: int


class DirectTotals(TypedDict):
    """Counts of direct upload."""

    objects: int
    bytes: int
    unmarked: int


class VerifyResult(TypedDict):
    """What a verification has found. `found` counts all findings by kind; only so many are in `findings`."""

    totals: VerifyTotals
    direct: DirectTotals | None
    found: dict[str, int]
    findings: list[VerifyFinding]
    strips: list[PartitionStrip]


class ReplaySpan(TypedDict):
    """Records of one partition, from `first` up to `end`, which is not included."""

    topic: str
    partition: int
    first: int
    end: int


class ReplayPlan(TypedDict):
    """What a replay would read and write."""

    records: int
    bytes: int
    rows: int
    objects: int
    puts: int
    where: str
    spans: list[ReplaySpan]


class LeftOutAnswer(TypedDict):
    """Records that a rule cannot handle: how many, and the first of them as topic/partition/offset."""

    rule: str
    cause: str
    records: int
    first: str
    arrived_ms: int
    error: str


class ReplayResult(TypedDict):
    """A replay. Without a plan, it is still being made."""

    plan: ReplayPlan | None
    end: str
    left_out: list[LeftOutAnswer]


class RedriveCounts(TypedDict):
    """Letters that were sent, that are over because nothing is missing, and that are kept."""

    sent: int
    over: int
    kept: int


class RedriveResult(TypedDict):
    """A redrive: what it would do, and what it has done."""

    plan: RedriveCounts | None
    sent: RedriveCounts | None


class OffsetBound(TypedDict):
    """An end of a range: this offset in each partition."""

    offset: int


class TimeBound(TypedDict):
    """An end of a range: milliseconds since 1970."""

    time: int


RangeEnd = OffsetBound | TimeBound


class VerifyWish(TypedDict):
    """What to verify. Without partitions: all. `deep` reads each object. `into`: the objects of a replay below this prefix."""

    action: str
    partitions: NotRequired[list[int]]
    deep: NotRequired[bool]
    into: NotRequired[str | None]


# `from` is a word of the language.
_Ends = TypedDict("_Ends", {"from": RangeEnd, "to": NotRequired[RangeEnd | None]})


class ReplayWish(_Ends):
    """What to replay. Without `to`: up to now. Without `into`: under the same keys."""

    action: str
    partitions: NotRequired[list[int]]
    into: NotRequired[str | None]


class RedriveWish(TypedDict):
    """Which letters to send again."""

    places: NotRequired[list[str]]
    action: NotRequired[str]
    rule: NotRequired[str]
    cause: NotRequired[str]
    clientid: NotRequired[str]
    since: NotRequired[int]
    again: NotRequired[bool]
    unproven: NotRequired[bool]


class NewVerifyJob(VerifyWish):
    """A verification to start."""

    kind: Literal["verify"]


class NewReplayJob(ReplayWish):
    """A replay to plan."""

    kind: Literal["replay"]


class NewRedriveJob(RedriveWish):
    """A redrive to plan."""

    kind: Literal["redrive"]


class _Job(TypedDict):
    id: str
    node: str
    by: str
    state: Literal["running", "planned", "done", "failed", "cancelled"]
    problem: str
    doing: str
    done: int
    total: int
    began: int
    ended: int | None
    notes: list[str]


class VerifyJob(_Job):
    """A verification. Lists show it without its result."""

    kind: Literal["verify"]
    wish: VerifyWish
    result: NotRequired[VerifyResult]


class ReplayJob(_Job):
    """A replay. Lists show it without its result."""

    kind: Literal["replay"]
    wish: ReplayWish
    result: NotRequired[ReplayResult]


class RedriveJob(_Job):
    """A redrive. Lists show it without its result."""

    kind: Literal["redrive"]
    wish: RedriveWish
    result: NotRequired[RedriveResult]

"""What the three kinds of jobs have found so far: a verification, a replay, a redrive."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, Final, cast

from pipeline.hidden import without_secrets
from pipeline.operation import LeftOutRecords, Planned, Sent
from pipeline.upload.ledger import ChainPlace, Entry
from pipeline.upload.ledger_check import MEANINGS, Finding, Totals
from pipeline.web.evidence.jobs import Job
from pipeline.web.evidence.shapes.jobs import (
    DirectTotals,
    LeftOutAnswer,
    RedriveCounts,
    RedriveResult,
    ReplayPlan,
    ReplayResult,
    ReplaySpan,
    VerifyFinding,
    VerifyResult,
    VerifyTotals,
)
from pipeline.web.evidence.strips import Strip

FINDINGS_MAX: Final = 1_000


class Verification:
    """A verification: strips, findings, totals. It is a `Verdict` of the operator."""

    def __init__(self) -> None:
        self.job: Job | None = None
        self._strips: dict[ChainPlace, Strip] = {}
        self._findings: list[Finding] = []
        self._counts: Counter[str] = Counter()
        self._totals = Totals()
        self._direct: DirectTotals | None = None

    def entry(self, place: ChainPlace, entry: Entry, wrong: frozenset[str]) -> None:
        """Put an entry on the strip of its partition."""
        self._strips.setdefault(place, Strip(place)).add(entry, wrong)
        if self.job:
            self.job.progress(1)

    def finding(self, finding: Finding) -> None:
        """Keep a finding. Of very many, only their number by kind."""
        self._counts[finding.kind] += 1
        if len(self._findings) < FINDINGS_MAX:
            self._findings.append(finding)

    def partition(self, place: ChainPlace, totals: Totals) -> None:
        """Add up. A partition without a cut has a strip too."""
        self._strips.setdefault(place, Strip(place))
        self._totals.add(totals)

    def direct(self, objects: int, size_bytes: int, unmarked: int) -> None:
        """Keep the totals of direct upload."""
        self._direct = {"objects": objects, "bytes": size_bytes, "unmarked": unmarked}

    def note(self, text: str) -> None:
        """Keep a fact."""
        if self.job:
            self.job.note(text)

    def shown(self, columns: int) -> VerifyResult:
        """Everything."""
        return {
            "totals": cast(VerifyTotals, asdict(self._totals)),
            "direct": self._direct,
            "found": dict(self._counts),
            "findings": self.found_after(0),
            "strips": [
                each.shown(columns)
                for _, each in sorted(
                    self._strips.items(), key=lambda item: (item[0].topic, item[0].partition, item[0])
                )
            ],
        }

    def found_after(self, count: int) -> list[VerifyFinding]:
        """The findings after the first `count`."""
        return [_finding(each) for each in self._findings[count:]]


def _finding(finding: Finding) -> VerifyFinding:
    return {
        "kind": finding.kind,
        "key": finding.key,
        "text": without_secrets(finding.text),
        "meaning": MEANINGS[finding.kind],
    }


class Replaying:
    """A replay: its plan, and what it left out. It is a `Talk` of the operator."""

    def __init__(self) -> None:
        self.job: Job
        self._plan: Planned | None = None
        self._end = ""
        self._left_out: Sequence[LeftOutRecords] = ()

    def begin(self, what: str, total: int) -> None:
        """As the job has it."""
        self.job.begin(what, total)

    def progress(self, records: int) -> None:
        """As the job has it."""
        self.job.progress(records)

    def note(self, text: str) -> None:
        """As the job has it."""
        self.job.note(text)

    async def agreed(self, plan: Planned) -> bool:
        """Show the plan, and wait for the answer."""
        self._plan, self._left_out = plan, plan.left_out
        if not plan.records:
            self.job.note("nothing to do")
            return False
        return await self.job.agreement()

    def end(self, text: str, left_out: Sequence[LeftOutRecords]) -> None:
        """Keep how it ended."""
        self._end, self._left_out = text, left_out

    def shown(self, columns: int) -> ReplayResult:
        """Everything."""
        return {
            "plan": _plan(self._plan) if self._plan else None,
            "end": self._end,
            "left_out": [_left_out(each) for each in self._left_out],
        }

    def found_after(self, count: int) -> Sequence[Mapping[str, Any]]:
        """Nothing: what it leaves out comes with the plan."""
        return ()


def _plan(plan: Planned) -> ReplayPlan:
    spans: list[ReplaySpan] = [
        {"topic": each.topic, "partition": each.partition, "first": each.first, "end": each.end} for each in plan.spans
    ]
    return {
        "records": plan.records,
        "bytes": plan.bytes,
        "rows": plan.rows,
        "objects": plan.objects,
        "puts": plan.puts,
        "where": plan.where,
        "spans": spans,
    }


def _left_out(records: LeftOutRecords) -> LeftOutAnswer:
    return {
        "rule": records.rule,
        "cause": records.cause,
        "records": records.records,
        "first": records.first,
        "arrived_ms": records.arrived_ms,
        "error": without_secrets(records.error),
    }


class Redriving:
    """A redrive: what it would do, and what it has done."""

    def __init__(self) -> None:
        self.plan: Sent | None = None
        self.sent: Sent | None = None

    def shown(self, columns: int) -> RedriveResult:
        """Everything."""
        return {"plan": _sent(self.plan), "sent": _sent(self.sent)}

    def found_after(self, count: int) -> Sequence[Mapping[str, Any]]:
        """Nothing: it only counts."""
        return ()


def _sent(counts: Sent | None) -> RedriveCounts | None:
    return {"sent": counts.sent, "over": counts.over, "kept": counts.kept} if counts else None

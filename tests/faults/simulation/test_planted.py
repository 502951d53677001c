"""The checkers find each planted bug within a few seeds, and find nothing in the same seeds without it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from agents.sinks.aggregated import AggregatedLane
from agents.sinks.direct import DirectLane
from tests.faults.faults import Faults
from tests.faults.simulation import planted, planted_columns
from tests.faults.simulation.aggregated import AggregatedWorld
from tests.faults.simulation.clock import tell
from tests.faults.simulation.direct import DirectWorld

# In how many seeds each bug must have shown. The rare ones need several things to meet.
WITHIN_SEEDS = {
    planted.CommitsBeforeTheLedger: 20,
    planted.TakesTakenForWritten: 20,
    planted.WritesBesideWhatIsThere: 20,
    planted.WritesOverTheEntry: 20,
    planted.LeavesTheEpochOut: 200,
    planted.ForgetsTheTail: 20,
    planted.ForgetsWhatALoopCannot: 20,
    planted.StoresTheSuccessorFirst: 150,
    planted.DoesNotReadOn: 20,
    planted.EndsBeforeTheCut: 20,
    planted.EndsEarlyBeforeAnObject: 20,
    planted.CountsFilteredAsWritten: 40,
    planted.RaisesTheEpochAtEveryStop: 40,
    planted.WritesALetterAsOftenAsItIsSent: 40,
    planted.CountsLettersOfEveryRun: 300,
    planted.TakesItsOwnClaimForAnothers: 60,
    planted.BelievesTheGroup: 40,
    planted.CallsTheMissingAbsent: 40,
    planted.KnowsTopicsByName: 40,
    planted.EntersWhateverTheTopic: 400,
    planted.TurnsBackTheRule: 40,
    planted.BelievesTheEntryThatIsThere: 60,
    planted.TurnsWithinACut: 20,
    planted.EntersItsOwnRevision: 60,
    planted_columns.ForgetsColumnsAtATakeOver: 20,
    planted_columns.TakesItsColumnsForAnothers: 60,
    planted_columns.KeepsColumnsOfTheSameCut: 60,
    planted.Unfenced: 20,
    planted.ReplacesWhateverIsThere: 20,
    planted.FencesByName: 100,
    planted.BelievesItsTopicIsThePresentOne: 400,
    planted.TrustsARememberedETag: 40,
    planted.SendsAnyKey: 20,
    planted.GivesARowUpAtOnce: 20,
    planted.ManyAtOncePerClient: 20,
    planted.CommitsWhatIsUnderWay: 20,
    planted.ForgetsRowsOfARefusedOne: 60,
    planted.WritesWhatCameLast: 60,
}

# A seed that showed a rare bug, which is tried first. If stories have changed since, the others are.
SHOWN: dict[type[Any], int] = {
    planted.LeavesTheEpochOut: 164,
    planted.CountsLettersOfEveryRun: 265,
    planted.FencesByName: 25,
}

# Those that show only when something happens to the bucket, the group or the topic.
WITH_LOSSES = {
    planted.BelievesTheGroup,
    planted.CallsTheMissingAbsent,
    planted.KnowsTopicsByName,
    planted.EntersWhateverTheTopic,
    planted.TurnsBackTheRule,
    planted.BelievesTheEntryThatIsThere,
    planted.FencesByName,
    planted.BelievesItsTopicIsThePresentOne,
}

# Those that show only when configurations change while workers run.
WITH_RELOADS = {planted.TurnsWithinACut, planted.EntersItsOwnRevision}

# Those that show only where objects have columns.
WITH_KINDS = {
    planted_columns.ForgetsColumnsAtATakeOver,
    planted_columns.TakesItsColumnsForAnothers,
    planted_columns.KeepsColumnsOfTheSameCut,
}

# Those that show only with `conflate`.
WITH_CONFLATE = {planted.ForgetsRowsOfARefusedOne, planted.WritesWhatCameLast}

# Those that show only where contents recur.
WITH_RECURRING = {planted.TrustsARememberedETag}


def faults_for(seed: int, bug: type[Any], direct: bool) -> Faults:
    """What happens in the story of a seed that is told for the bug."""
    faults = Faults.drawn(seed)
    if bug is planted.EndsEarlyBeforeAnObject:
        return replace(faults, end_early=True)
    if bug in WITH_RELOADS:
        return faults.with_reloads()
    if bug in WITH_KINDS:
        return faults.with_kinds()
    if bug in WITH_RECURRING:
        return faults.with_recurring()
    if bug in WITH_LOSSES:
        return replace(faults, replace_topic=0.1) if direct else faults.with_losses(seed)
    return faults


def wrongs(seed: int, bug: type[Any] | None, direct: bool, faults: Faults, *, conflate: bool = False) -> list[str]:
    """The findings in the story of a seed, with the bug or without."""
    if not direct:
        aggregated = AggregatedWorld(seed, faults, bug or AggregatedLane)
        tell(seed, aggregated.tell())
        return aggregated.wrongs()
    types = {} if bug is None else {"lane_type" if issubclass(bug, DirectLane) else "writer_type": bug}
    world = DirectWorld(seed, faults, **types, conflate=conflate)
    tell(seed, world.tell_and_read_again())
    return world.wrongs()


@pytest.mark.parametrize("bug", WITHIN_SEEDS, ids=lambda bug: bug.__name__)
def test_a_planted_bug_is_found(bug: type[Any]) -> None:
    """The bug is found within its number of seeds, and the same seed without it has no finding."""
    direct = not issubclass(bug, AggregatedLane)
    seeds, conflate = range(WITHIN_SEEDS[bug]), bug in WITH_CONFLATE
    first = SHOWN.get(bug, 0)
    assert first in seeds

    def told(seed: int, planted: type[Any] | None) -> list[str]:
        return wrongs(seed, planted, direct, faults_for(seed, bug, direct), conflate=conflate)

    found = next((seed for seed in (first, *seeds) if told(seed, bug)), None)

    assert found is not None, f"{bug.__name__} passes {len(seeds)} seeds"
    assert told(found, None) == []

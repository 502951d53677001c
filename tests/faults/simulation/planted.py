"""Bugs, one class each: the real lane with one rule of its docstring broken, to see that the checkers notice.

Each says which rule it breaks. A bug that no seed finds means that the simulation does not play what the rule is there for.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Any

from agents.lanes.lane import Fetched, Partition
from agents.sinks.aggregated import AggregatedLane
from agents.sinks.aggregated_writer import AggregatedWriter, ObjectFacts
from agents.sinks.attempts import Attempts, Result
from agents.sinks.chain import Chain
from agents.sinks.claims import Claims
from agents.sinks.direct import DirectLane, DirectWriter
from agents.sinks.patient_store import PatientStore
from agents.sinks.put import DirectVersion, Put, RowOfRule, Seen
from agents.sinks.suspect import Suspect
from pipeline.action import AggregatedAction
from pipeline.errors import ConnectorError, RefusedError
from pipeline.record import Record
from pipeline.redriven import of_letter
from pipeline.rule.batch import RowBatch
from pipeline.rule.lines import LineRules
from pipeline.sql import Row
from pipeline.template.object_key import GroupName
from pipeline.upload import claims, ledger
from pipeline.upload.buffer import Buffer, Group
from pipeline.upload.claims import Standing
from pipeline.upload.cut import TRANSITIONS, Cut, CutEvent, CutState, Transitions
from pipeline.upload.ledger import ChainEnd, Entry
from pipeline.upload.outcomes import FILTERED, WRITTEN, Outcomes


class CommitsBeforeTheLedger(AggregatedLane):
    """The offset is given to Kafka's commit when the entry is about to be written."""

    async def _write_entry(self) -> None:
        self.durable = self._cut.end
        await super()._write_entry()


class TakesTakenForWritten(AggregatedLane):
    """No adoption: a key that is taken counts as our object, with all our rows."""

    async def _adopt(self, bucket: str, key: str, group: Group) -> tuple[ObjectFacts, int]:
        chunk = group.chunks[0]
        return ObjectFacts(chunk.rows, chunk.last, chunk.digest(), chunk.digest(), len(chunk.data), "e"), chunk.rows


class WritesBesideWhatIsThere(AggregatedLane):
    """No adoption: where a key is taken, our rows go under another one."""

    async def _adopt(self, bucket: str, key: str, group: Group) -> tuple[ObjectFacts, int]:
        chunk = group.chunks[0]
        created = None
        while created is None:
            key = key.replace("x", "x-again", 1)
            created = await self._create(bucket, key, chunk, 0)
        return created, created.rows


class _UnfencedChain(Chain):
    async def append(self, entry: Entry) -> None:
        key, content = ledger.entry_key(self.place, entry.first, entry.epoch), entry.encode()
        await self._store.put(self._bucket, key, content, {})


class WritesOverTheEntry(AggregatedLane):
    """Unfenced: whoever has cut writes the entry, be it there or not."""

    chain_type = _UnfencedChain


class _KeyWithoutEpoch:
    def __init__(self, key: Any) -> None:
        self._key = key
        self.group, self.of_rows = key.group, key.of_rows

    def location(self, group: GroupName, *, partition: str, offset: int, epoch: int) -> tuple[str, str]:
        found: tuple[str, str] = self._key.location(group, partition=partition, offset=offset, epoch=0)
        return found


class LeavesTheEpochOut(AggregatedLane):
    """Keys are the same under every rule, and so a new rule's object meets an old one's."""

    def _take_up(self, version: AggregatedAction) -> None:
        super()._take_up(replace(version, key=_KeyWithoutEpoch(version.key)))  # type: ignore[arg-type]


class ForgetsTheTail(AggregatedLane):
    """At a stop the open chunks are dropped, and the entry covers them."""

    async def _store_all(self) -> None:
        if self.draining:
            self._cut.buffer = Buffer(self.version.limits)
        await super()._store_all()


class ForgetsWhatALoopCannot(AggregatedLane):
    """A row without a group is no dead letter, and its record counts as written."""

    @property
    def rules(self) -> LineRules:
        found = LineRules(self.version.rules, self.version.container, self.version.key, "forgetful")
        found.write = lambda *of_batch: LineRules.write(found, *of_batch) and []  # type: ignore[method-assign]
        return found


class StoresTheSuccessorFirst(AggregatedLane):
    """Rolled chunks of a group are stored before their predecessor is compared with what is there."""

    async def _store_rolled(self, group: Group) -> None:
        assert self._chain_end is not None
        for chunk in list(group.chunks)[1:-1]:
            partition = self.version.partition_name(*self.partition)
            epoch = self._chain_end.key_epoch
            _, key = self.version.key.location(group.name, partition=partition, offset=chunk.first, epoch=epoch)
            await self._create(self._writer.bucket, key, chunk, epoch)
        await super()._store_rolled(group)


def _but(state: CutState, **then: CutState) -> Transitions:
    """The table of a cut's states with one row broken: what follows on these events."""
    return {**TRANSITIONS, state: {**TRANSITIONS[state], **{CutEvent[name]: after for name, after in then.items()}}}


class DoesNotReadOn(AggregatedLane):
    """A longer object of another writer is compared with the rows that are here."""

    transitions = _but(CutState.CUTTING, LONGER=CutState.CUTTING, REACHED=CutState.CUTTING)


class EndsBeforeTheCut(AggregatedLane):
    """At a stop, rows that are here are left to whoever comes next, who stops in turn."""

    transitions = _but(CutState.DRAINING, DUE=CutState.ENDED)


class _EndsBeforeAnObject(Cut):
    @property
    def to_store(self) -> list[Group]:
        return self.buffer.open_groups(before=self.furthest if self.ends_at_furthest else self.early_end)


class EndsEarlyBeforeAnObject(AggregatedLane):
    """A cut that ends early does so wherever its objects end."""

    def __init__(self, partition: Partition, on_room: Callable[[], None], writer: AggregatedWriter) -> None:
        super().__init__(partition, on_room, writer)
        self._cut = _EndsBeforeAnObject(writer.action.limits, self.transitions, self.early_end)


class _MadeUpOutcomes(Outcomes):
    def add(self, first: int, following: int, offsets: Sequence[int], outcomes: bytes) -> None:
        super().add(first, following, offsets, outcomes.replace(bytes([FILTERED]), bytes([WRITTEN])))


class CountsFilteredAsWritten(AggregatedLane):
    """The ledger's numbers are made up."""

    def __init__(self, partition: Partition, on_room: Callable[[], None], writer: AggregatedWriter) -> None:
        super().__init__(partition, on_room, writer)
        self._cut.outcomes = _MadeUpOutcomes()


class _ChainOfEpochs(Chain):
    async def turn(self, end: ChainEnd, version: AggregatedAction, *, clean: bool) -> ChainEnd:
        entry = ledger.without_offsets(end, next_version=version.digest, clean=clean)
        entry = replace(entry, next_key_epoch=end.key_epoch + 1)
        await self.append(entry)
        return ledger.end_after(entry)


class RaisesTheEpochAtEveryStop(AggregatedLane):
    """What another has written beyond an orderly stop is not met by who goes on, and written again."""

    chain_type = _ChainOfEpochs


class BelievesTheGroup(AggregatedLane):
    """Reading begins at the committed offset, and an entry covers what lies between the chain's end and there."""

    async def _resume(self) -> None:
        await super()._resume()
        bounds = await self._writer.kafka.bounds(self.partition)
        if bounds.committed is not None:
            self.reads_at(bounds.committed)

    async def _append(self, fetched: Fetched, batch: RowBatch | None) -> None:
        position = self._cut.position if self._chain_end else fetched.first
        await super()._append(fetched._replace(first=min(fetched.first, position)), batch)


class CallsTheMissingAbsent(AggregatedLane):
    """What Kafka has deleted is taken for what was never there."""

    async def _append(self, fetched: Fetched, batch: RowBatch | None) -> None:
        await super()._append(fetched, batch or RowBatch([], self.version.rules.digest))


class _ChainOfNames(Chain):
    def __init__(self, writer: AggregatedWriter, partition: Partition, topic_id: str = "") -> None:
        super().__init__(writer, partition, "of the name")


class KnowsTopicsByName(AggregatedLane):
    """A topic that was made again goes on in the ledger of the one before."""

    chain_type = _ChainOfNames


class EntersWhateverTheTopic(AggregatedLane):
    """What was read of a topic that was made again meanwhile is entered in the ledger of the one before."""

    async def _check_topic(self) -> None:
        pass


class _ChainWithoutRevisions(Chain):
    async def end(self) -> ChainEnd | None:
        found = await super().end()
        return replace(found, revision=0) if found else None


class TurnsBackTheRule(AggregatedLane):
    """Whoever has an outdated configuration does not wait, and the chain goes back to its rule."""

    chain_type = _ChainWithoutRevisions


class TurnsWithinACut(AggregatedLane):
    """A turn takes effect at once, for a cut that has rows already."""

    def turn(self) -> None:
        if self._cut.state is CutState.READING:
            self._take_up(self._writer.action)
        super().turn()


class EntersItsOwnRevision(AggregatedLane):
    """Whoever is behind adopts an object of a later revision, and its entry has the lower one."""

    async def _adopt(self, bucket: str, key: str, group: Group) -> tuple[ObjectFacts, int]:
        found, rows = await super()._adopt(bucket, key, group)
        self._adopted = 0
        return found, rows


class _BelievingChain(Chain):
    async def _check_objects(self, key: str, entry: Entry) -> None:
        pass


class BelievesTheEntryThatIsThere(AggregatedLane):
    """Whoever finds its entry taken looks at no object of it, and the next worker goes on behind it."""

    chain_type = _BelievingChain


class _TakesEachLetter(Claims):
    async def kept(self, batch: RowBatch, begin: int, topic_id: str = "") -> RowBatch:
        return replace(batch, redriven=[])


class WritesALetterAsOftenAsItIsSent(AggregatedLane):
    """No claims: each record that repeats a failure makes its rows."""

    def __init__(self, partition: Partition, on_room: Callable[[], None], writer: AggregatedWriter) -> None:
        super().__init__(partition, on_room, writer)
        self._claims = _TakesEachLetter(writer)


class CountsLettersOfEveryRun(AggregatedLane):
    """All runs have one name, and so letters count whose records were read anew, under a rule that takes them."""

    def __init__(self, partition: Partition, on_room: Callable[[], None], writer: AggregatedWriter) -> None:
        super().__init__(partition, on_room, writer)
        self._run = "one"


class _ForgetsItsClaim(Claims):
    async def _carries(self, record: Record, standing: Standing, topic_id: str) -> bool:
        key = claims.key(self._writer.name, of_letter(record).failure)
        there = await self._writer.store.get(self._writer.bucket, key) is not None
        return not there and await super()._carries(record, standing, topic_id)


class TakesItsOwnClaimForAnothers(AggregatedLane):
    """A record that is read again makes no rows if its letter is claimed, by whichever record."""

    def __init__(self, partition: Partition, on_room: Callable[[], None], writer: AggregatedWriter) -> None:
        super().__init__(partition, on_room, writer)
        self._claims = _ForgetsItsClaim(writer)


class Unfenced(DirectWriter):
    """Objects are put over whatever is there."""

    async def put(self, put: Put) -> None:
        store = self.store.of_row(put.version.decided, put.bucket, len(put.content), {})
        await store.put(put.bucket, put.key, put.content, {})


class ReplacesWhateverIsThere(DirectWriter):
    """An object without our mark counts as ours."""

    async def _look(self, store: PatientStore, put: Put) -> Seen | None:
        head = await store.head(put.bucket, put.key)
        return Seen(head.etag, None) if head else None


class FencesByName(DirectWriter):
    """A row is compared with one of a topic that had the name before, as if their offsets were of one log."""

    def _settles(self, put: Put, there: Seen | None) -> bool:
        place = there.place._replace(topic_id=put.place.topic_id) if there and there.place else None
        return super()._settles(put, there._replace(place=place) if there else None)


class BelievesItsTopicIsThePresentOne(DirectWriter):
    """A worker that was frozen while the topic was made again writes its rows over those of the new topic."""

    async def _is_outdated(self, put: Put, there: Seen | None) -> bool:
        return False


class TrustsARememberedETag(DirectWriter):
    """An ETag that was once this worker's is the same object for ever."""

    async def _write(self, store: PatientStore, put: Put, there: Seen | None, *, conditional: bool) -> str | None:
        if there is None or not conditional:
            return await super()._write(store, put, there, conditional=conditional)
        return await store.replace(put.bucket, put.key, put.content, put.headers, there.etag)


class _AnyKey(DirectVersion):
    def render(self, row: Row, origin: Record, number: int, made: RowOfRule, topic_id: str) -> Put:
        good = super().render({**row, "name": "it"}, origin, number, made, topic_id)
        return good._replace(key=self.action.key.render_text(row))


class SendsAnyKey(DirectWriter):
    """What a device has put into a key is not looked at."""

    version_type = _AnyKey


class _Hasty(Attempts):
    async def until_done(self, call: Callable[[], Awaitable[Result]], *, suspect: Suspect | None = None) -> Result:
        try:
            return await call()
        except ConnectorError as error:
            raise RefusedError(str(error), reason=error.reason) from error


class GivesARowUpAtOnce(DirectWriter):
    """Whatever goes wrong is the row's fault."""

    async def put(self, put: Put) -> None:
        self.store = PatientStore(self.store._store, _Hasty("a"))
        await super().put(put)


class ManyAtOncePerClient(DirectLane):
    """The window is filled with rows of whatever client."""

    async def _take(self, batch: RowBatch, version: DirectVersion) -> None:
        each_its_own = {id(origin): origin._replace(key=b"%d" % origin.offset) for origin in batch.origins}
        await super()._take(replace(batch, origins=[each_its_own[id(origin)] for origin in batch.origins]), version)


class CommitsWhatIsUnderWay(DirectLane):
    """Everything that was read is committed."""

    def _advance(self) -> None:
        super()._advance()
        self.durable = self._open._read


class ForgetsRowsOfARefusedOne(DirectLane):
    """With `conflate`, the rows that wait with a newer one are done, also where the store refuses that one."""

    async def _is_in_s3(self, put: Put) -> bool:
        await super()._is_in_s3(put)
        return True


class WritesWhatCameLast(DirectLane):
    """With `conflate`, the row that came last is taken for the newest, also where it is an old one that was sent again."""

    def _line_up(self, put: Put) -> None:
        came = put.place._replace(offset=put.origin.offset)
        super()._line_up(put._replace(place=came))

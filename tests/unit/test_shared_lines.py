"""Actions that read the same records decode payloads once, and make the same lines as each alone."""

from __future__ import annotations

import gc
import json
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.action import AggregatedAction
from pipeline.columns import Columns
from pipeline.record import Record
from pipeline.rule import shared
from pipeline.rule.shared import BLOCK_RECORDS, Decoded, SharedColumns, share
from pipeline.sql.runtime.jsontext import from_json
from pipeline.sql.runtime.shape import scalars, shape_of
from tests.parts.actions import aggregated
from tests.parts.evaluations import HEADERS, KEYS, PAYLOADS, batches, found, record

FROM = 'FROM "t/#"'
# Each reads other keys of the payload. Some read the payload as a whole, the event, or nothing of the payload.
STATEMENTS = {
    "n": f"SELECT payload.n AS n, clientid {FROM} WHERE payload.n > 1",
    "text": f"SELECT payload.text AS text, payload.n AS n, topic {FROM}",
    "deep": f"SELECT payload.of.a AS a, payload.list[1] AS first {FROM} WHERE is_not_null(payload.n)",
    "whole": f"SELECT payload, payload.n + 1 AS more {FROM}",
    "star": f"SELECT *, payload.text AS text {FROM}",
    "place": f"SELECT clientid, random() AS r {FROM}",
}
MORE_PAYLOADS = st.fixed_dictionaries(
    {},
    optional={
        "n": st.one_of(st.integers(-(2**70), 2**70), st.floats(allow_nan=False, allow_infinity=False), st.none()),
        "text": st.one_of(st.text(), st.booleans()),
        "of": st.one_of(st.just({"a": 1}), st.integers(), st.lists(st.integers(), max_size=3)),
        "list": st.lists(st.text(max_size=3), max_size=3),
    },
).map(lambda fields: json.dumps(fields, ensure_ascii=False).encode())
RECORDS = st.lists(
    st.builds(
        lambda key, value, headers: Record("mqtt.messages", 3, 0, 0, key, value, headers),
        KEYS,
        st.one_of(PAYLOADS, MORE_PAYLOADS),
        st.one_of(HEADERS, st.just([("topic", b"t/1"), ("clientid_from", b"topic")])),
    ),
    max_size=20,
)


def actions(names: Sequence[str], decoded: Decoded | None = None) -> list[AggregatedAction]:
    """An action for each of the statements, which share what they read."""
    made = [aggregated(name, {"r": STATEMENTS[name]}) for name in names]
    share([each.lines for each in made], decoded or Decoded())
    return made


def log(payloads: Sequence[bytes | None]) -> Columns:
    """Messages with these payloads."""
    return Columns.of([record(offset, payload) for offset, payload in enumerate(payloads)])


def plain(count: int) -> list[bytes]:
    """Payloads that can be shared."""
    return [b'{"n": %d, "text": "x%d"}' % (n, n) for n in range(count)]


def assert_same(action: AggregatedAction, columns: Columns, together: SharedColumns, bytes_max: int = 1 << 20) -> None:
    """Check that an action makes the same of shared columns."""
    made = list(batches(action.lines, together, bytes_max))

    expected = found(action, list(batches(action.lines, columns, bytes_max)))
    assert found(action, made) == expected


@settings(max_examples=150, deadline=None)
@given(
    RECORDS, st.lists(st.sampled_from(sorted(STATEMENTS)), min_size=2, max_size=4), st.sampled_from([1, 300, 1 << 20])
)
def test_any_records_give_the_same_shared_or_not(records: list[Record], names: list[str], bytes_max: int) -> None:
    """Whatever stands in Kafka, whoever reads it with whom, wherever a piece ends: same lines, letters, outcomes, counts."""
    columns = Columns.of(
        [each._replace(offset=offset, timestamp=10**12 + offset) for offset, each in enumerate(records)]
    )
    together = SharedColumns(columns)

    for action in actions(names):
        assert_same(action, columns, together, bytes_max)


@pytest.mark.parametrize("bytes_max", [20_000, 1 << 20])
def test_blocks_of_all_kinds_give_the_same(bytes_max: int) -> None:
    """Thousands of records, of which some blocks cannot be shared."""
    payloads: list[Any] = plain(3_000)
    payloads[600], payloads[1_500], payloads[1_501] = None, b"{", b'{"n": [1, 2]}'
    columns = log(payloads)
    together = SharedColumns(columns)

    for action in actions(["n", "text", "whole"]):
        assert_same(action, columns, together, bytes_max)


def test_each_block_is_decoded_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The second and the third action take what the first one has decoded, and nothing of it stays."""
    decoded, counted = Decoded(), 0

    def counting(keys: Any) -> Any:
        decode = scalars(keys)

        def one(payload: bytes) -> Any:
            nonlocal counted
            counted += 1
            return decode(payload)

        return one

    monkeypatch.setattr(shared, "scalars", counting)
    together = SharedColumns(log(plain(1_000)))

    for action in actions(["n", "text", "whole"], decoded):
        batch = action.lines.evaluate(together)
        assert len(batch.records) == 1_000

    assert counted == 1_000
    assert decoded.size_bytes == 0
    assert not together.blocks


def test_nobody_shares_with_an_action_of_another_from() -> None:
    """Records that only one of two actions matches are not decoded with the keys of both."""
    one, two = aggregated("one", {"r": STATEMENTS["n"]}), aggregated("two", {"r": 'SELECT payload.n AS n FROM "u/#"'})

    share([one.lines, two.lines], Decoded())

    assert [one.lines.reading, two.lines.reading] == [None, None]


def test_an_action_that_is_left_alone_shares_no_more() -> None:
    """It costs an action nothing that it had company."""
    one, two = actions(["n", "text"])
    assert one.lines.reading is two.lines.reading is not None

    share([one.lines], Decoded())

    assert one.lines.reading is None


def test_an_action_with_keys_that_were_not_decoded_decodes_for_itself() -> None:
    """A lane that finishes a cut of an older version of its action has rules that nobody knew."""
    one, _ = actions(["n", "whole"])
    assert one.lines.reading is not None
    older = aggregated("n", {"r": STATEMENTS["text"]})
    older.lines.reading = one.lines.reading
    columns = log(plain(300))

    assert_same(older, columns, SharedColumns(columns))


def test_decoded_payloads_have_a_limit() -> None:
    """An action that reads nothing of what others read, because its bucket is away, does not fill the memory."""
    decoded = Decoded(bytes_max=200_000)
    action, _ = actions(["n", "text"], decoded)
    read = [SharedColumns(log(plain(1_000))) for _ in range(5)]

    for columns in read:
        action.lines.evaluate(columns)
        assert 0 < decoded.size_bytes <= 200_000

    assert sum(len(columns.blocks) for columns in read) < 5 * len(range(0, 1_000, BLOCK_RECORDS))


def test_decoded_payloads_end_with_their_fetch() -> None:
    """What nobody can read any more is not kept."""
    decoded = Decoded()
    action, _ = actions(["n", "text"], decoded)
    columns = SharedColumns(log(plain(300)))
    action.lines.evaluate(columns)
    blocks = columns.blocks
    (first, *_) = blocks.values()
    assert first is not None

    decoded.drop(first)

    assert len(blocks) == 1
    del columns, blocks
    gc.collect()
    assert decoded.size_bytes > 0  # until its place is needed


@settings(deadline=None)
@given(
    st.one_of(
        st.integers(),
        st.floats(allow_nan=False),
        st.text(),
        st.none(),
        st.booleans(),
        st.decimals(allow_nan=False, allow_infinity=False),
    )
)
def test_scalars_are_decoded_as_all_values_are(value: Any) -> None:
    """The decoder that refuses lists and maps gives equal values of the same type."""
    text = str(value) if hasattr(value, "as_tuple") else json.dumps(value)
    payload = b'{"n": %s}' % text.encode()
    try:
        expected = shape_of(frozenset({"n"})).decode(payload).k_n
    except ValueError:
        return

    found = scalars({"n"})(payload).k_n

    assert (type(found), repr(found)) == (type(expected), repr(expected))
    assert found == from_json(payload)["n"]


def test_lists_and_maps_are_not_shared() -> None:
    """A short list may take thirty times its bytes."""
    decode = scalars({"n"})

    for value in (b"[]", b"{}", b'[{"a": 1}]'):
        with pytest.raises(ValueError, match="Expected"):
            decode(b'{"n": %s}' % value)

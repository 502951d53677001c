"""The shapes of the ledger."""

from __future__ import annotations

import pytest

from pipeline.upload import ledger


def entry(**changes: object) -> ledger.Entry:
    fields: dict[str, object] = {
        "first": 10,
        "next": 20,
        "epoch": 0,
        "version": "v",
        "next_epoch": 1,
        "next_version": "w",
        "records": 10,
        "filtered": 7,
        "dead_lettered": 1,
        "rows": 2,
        "objects": (ledger.StoredObject("k", 2, 11, 15, "d"),),
        "previous": "p",
    }
    return ledger.Entry(**{**fields, **changes})  # type: ignore[arg-type]


def test_an_entry_survives_its_encoding() -> None:
    """And the same entry always has the same digest."""
    assert ledger.decode_entry(entry().encode()) == entry()
    assert entry().digest == entry().digest != entry(rows=3).digest


def test_the_chain_goes_on_where_an_entry_ends() -> None:
    """Under the epoch and version that the entry names for the next cut."""
    assert ledger.end_after(entry()) == ledger.ChainEnd(20, 1, "w", entry().digest)


def test_keys_sort_as_offsets_do() -> None:
    """The newest entry is the last key, and the chain's start comes after all of them."""
    keys = [ledger.entry_key("a", "t", 0, first, epoch) for first, epoch in ((9, 0), (10, 0), (10, 1), (1 << 40, 0))]

    assert sorted(keys) == keys
    assert max([*keys, ledger.start_key("a", "t", 0)]) == ledger.start_key("a", "t", 0)


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b'{"first": 1}'])
def test_what_is_no_entry_is_refused(content: bytes) -> None:
    """A ledger that somebody wrote over is an error, and not an empty one."""
    with pytest.raises(ValueError, match=r"."):
        ledger.decode_entry(content)

"""Compares an object that an entry names with the bucket: its metadata, size and ETag, bytes and rows.

Pure: no I/O. ledger_check.py checks the entries themselves.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import NamedTuple

from pipeline.upload import ledger, seal
from pipeline.upload.ledger import ChainPlace, StoredObject
from pipeline.upload.ledger_check import Finding


class Named(NamedTuple):
    """An object that an entry names, with the facts that all objects of its cut share. `epoch` is the epoch in its key.

    `revision` is the revision of the configuration of the entry's writer. The object's writer may have had an earlier
    one.
    """

    stored: StoredObject
    place: ChainPlace
    epoch: int
    version: str
    revision: int

    def metadata(self) -> dict[str, str]:
        """The metadata that the object must have."""
        stored, place = self.stored, self.place
        return {
            "tidegate-action": place.action,
            "tidegate-place": f"{place.topic}/{place.partition}/{stored.first}",
            "tidegate-topic-id": ledger.topic_id_text(place.topic_id),
            "tidegate-epoch": str(self.epoch),
            "tidegate-rows": str(stored.rows),
            "tidegate-last": str(stored.last),
            "tidegate-digest": stored.digest,
            "tidegate-sha256": stored.sha256,
            "tidegate-version": self.version,
            **({"tidegate-columns": str(stored.columns)} if stored.columns else {}),
        }


class ObjectMarks(NamedTuple):
    """What an object's own metadata says: the chain and offsets of its rows, and the epoch in its key."""

    chain: ChainPlace
    first: int
    last: int
    epoch: int


def marks_of(metadata: Mapping[str, str]) -> ObjectMarks | None:
    """The facts in the metadata of an aggregated object, or None if it does not name the place of its rows."""
    try:
        topic, partition, first = metadata["tidegate-place"].rsplit("/", 2)
        topic_id = ledger.topic_id_of(metadata["tidegate-topic-id"])
        chain = ChainPlace(metadata["tidegate-action"], topic, topic_id, int(partition))
        return ObjectMarks(chain, int(first), int(metadata["tidegate-last"]), int(metadata["tidegate-epoch"]))
    except (KeyError, ValueError):
        return None


def missing(named: Named) -> Finding:
    """The finding for an object that does not exist."""
    stored = named.stored
    return Finding("missing", stored.key, f"offsets {stored.first} to {stored.last}, {stored.rows} rows")


def metadata_findings(named: Named, metadata: Mapping[str, str]) -> list[Finding]:
    """Findings about its metadata."""
    key = named.stored.key
    found = [
        Finding("different", key, f"its {name} is {metadata.get(name)!r}, the ledger says {value!r}")
        for name, value in named.metadata().items()
        if metadata.get(name) != value
    ] + _revision_findings(named, metadata.get("tidegate-revision", ""))
    if not found and not seal.is_whole(key, metadata):
        return [Finding("different", key, "its metadata is not as it was written under this key")]
    return found


def _revision_findings(named: Named, found: str) -> list[Finding]:
    if found.isdecimal() and int(found) <= named.revision:
        return []
    text = f"its tidegate-revision is {found!r}, the ledger says {named.revision} or an earlier one"
    return [Finding("different", named.stored.key, text)]


def size_finding(named: Named, size_bytes: int) -> Finding | None:
    """A finding about its size, or None."""
    stored = named.stored
    if size_bytes == stored.size:
        return None
    return Finding("different", stored.key, f"it has {size_bytes} bytes, the ledger says {stored.size}")


def bytes_finding(named: Named, content: bytes) -> Finding | None:
    """A finding about its bytes, or None."""
    stored = named.stored
    sha256 = hashlib.sha256(content).hexdigest()
    if sha256 == stored.sha256:
        return None
    return Finding(
        "different", stored.key, f"the digest of its bytes is {sha256[:16]}…, the ledger says {stored.sha256[:16]}…"
    )


def rows_finding(named: Named, rows: int, digest: str | None) -> Finding | None:
    """A finding about its rows, or None. `digest` is None if the container does not keep the bytes of rows."""
    stored = named.stored
    if rows != stored.rows:
        return Finding("different", stored.key, f"it holds {rows} rows, the ledger says {stored.rows}")
    if digest is not None and digest != stored.digest:
        return Finding(
            "different", stored.key, f"the digest of its rows is {digest[:16]}…, the ledger says {stored.digest[:16]}…"
        )
    return None

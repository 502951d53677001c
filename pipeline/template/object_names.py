"""Checks the names of keys and buckets before any request is made with them.

Both may contain fields of a row, so a device can write them with its clientid, topic or payload. Such a name must stay where the
template points: it must not leave its folder or look like a part of the ledger, and every store must keep it unchanged. The
caller decides what follows from a bad name: a row becomes a dead letter, a setting is refused, and the client of the store
sends no such request.

A store, or a proxy in front of it, may change a path before it looks it up: remove slashes, decode percent signs once more,
read a backslash as a slash. So a name is checked unchanged, and also with these changes. Pure.

Source: AWS, "Naming Amazon S3 objects" and "General purpose bucket naming rules"; XML 1.0, section 2.2.
"""

from __future__ import annotations

import re
from typing import Final
from unicodedata import normalize
from urllib.parse import unquote

ROOT: Final = "_tidegate"  # the first segment of all of Tidegate's own keys in a bucket
KEY_BYTES_MAX: Final = 1024  # S3's limit
BUCKET_MIN: Final = 3
BUCKET_MAX: Final = 63
_SHOWN_MAX: Final = 80
_DECODED_MAX: Final = 4  # how often percent signs are decoded: more often than by any chain of proxies

# C0, DEL and C1; the separators of lines and paragraphs, which end a line of a listing; halves of surrogate pairs; and
# Unicode's noncharacters, because XML, and so a listing, cannot carry U+FFFE and U+FFFF.
_PLANE_ENDS: Final = "".join(chr(plane << 16 | end) for plane in range(17) for end in (0xFFFE, 0xFFFF))
_UNFIT: Final = re.compile(f"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufdd0-\ufdef{_PLANE_ENDS}]")
_DOTS: Final = re.compile(r"(?:\A|[/\\])\.{1,2}(?:[/\\]|\Z)")
_OWN: Final = re.compile(rf"[/\\]*{ROOT}[. ]*(?:[/\\]|\Z)", re.IGNORECASE)
# Characters that some file systems ignore in names.
_IGNORED: Final = re.compile("[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff]")
_LABELS: Final = re.compile(r"[a-z0-9](?:[-a-z0-9]*[a-z0-9])?(?:\.[a-z0-9](?:[-a-z0-9]*[a-z0-9])?)*")
_ADDRESS: Final = re.compile(r"[0-9]+(?:\.[0-9]+){3}")


def key_problem(key: str) -> str:
    """The problem with the key of a row's object, or an empty text."""
    if _is_plain(key):
        return ""
    if problem := shape_problem(key):
        return problem
    if is_own(key):
        return f"expected a key outside of {ROOT}/, which is the ledger's, found {_shown(key)}"
    return ""


def _is_plain(key: str) -> bool:
    """Whether a key needs no closer check. This takes a tenth of the full check, and nearly all keys pass it."""
    return (
        0 < len(key) <= KEY_BYTES_MAX
        and key.isascii()
        and key.isprintable()
        and key[0] not in "./\\_"
        and key[-1] != "/"
        and "/." not in key
        and "%" not in key
        and "\\" not in key
    )


def shape_problem(key: str) -> str:
    """The problem with any key, or an empty text."""
    if _is_plain(key):
        return ""
    if not key:
        return "the object key is empty"
    if unfit := _UNFIT.search(key):
        return f"expected a key without control characters and the like, found U+{ord(unfit[0]):04X} in {_shown(key)}"
    if (size := len(key.encode())) > KEY_BYTES_MAX:
        return f"expected a key of at most {KEY_BYTES_MAX} bytes, found one of {size}: {_shown(key)}"
    if key[-1] == "/":
        return f"expected a key with something behind its last slash, found {_shown(key)}"
    if any(_DOTS.search(reading) for reading in readings(key)):
        return f"expected a key without the segments . and .., found {_shown(key)}"
    return ""


def is_own(key: str) -> bool:
    """Whether a key is below the ledger's prefix, or would be after a store has changed it.

    A store that keeps files may also ignore case, dots and spaces at the end of a name, characters without width, and forms of
    one letter.
    """
    return any(_OWN.match(_IGNORED.sub("", normalize("NFKC", reading))) for reading in readings(key))


def bucket_problem(name: str) -> str:
    """The problem with the name of a bucket, or an empty text. A valid name is safe in a host name and in a path."""
    if (
        BUCKET_MIN <= len(name) <= BUCKET_MAX
        and _LABELS.fullmatch(name) is not None
        and _ADDRESS.fullmatch(name) is None
    ):
        return ""
    return (
        f"expected the name of a bucket, {BUCKET_MIN} to {BUCKET_MAX} small letters, digits, dots and hyphens that "
        f"begin and end with a letter or digit, found {_shown(name)}"
    )


def readings(key: str) -> list[str]:
    """A key unchanged, and with percent signs decoded once or more."""
    readings = [key]
    while "%" in readings[-1] and len(readings) <= _DECODED_MAX:
        decoded = unquote(readings[-1], errors="replace")
        if decoded == readings[-1]:
            break
        readings.append(decoded)
    return readings


def _shown(name: str) -> str:
    return ascii(name) if len(name) <= _SHOWN_MAX else f"{name[:_SHOWN_MAX]!a}…"

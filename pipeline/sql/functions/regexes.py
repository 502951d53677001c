"""Regular expressions over bytes in Perl's syntax, with bounded time for every pattern.

RE2 runs most patterns, in linear time. Some patterns need a backtracking engine: RE2 does not support look-around and back
references, and it treats `$` before a final line end differently. This engine has a time limit: a pattern that takes too long
fails its record and delays no other.

Sources: github.com/google/re2/wiki/Syntax; the `regex` package's `timeout`.
"""

from __future__ import annotations

import re as python_re
from contextlib import suppress
from functools import cached_property
from itertools import islice
from typing import Any, Final

from pipeline.memo import Memo
from pipeline.sql.functions.registry import function
from pipeline.sql.runtime.values import BadValueError, Text, octets, text_of

# What a search may take, and for each byte of its subject. The engine counts CPU time.
TIME_LIMIT_SECONDS: Final = 0.005
TIME_LIMIT_SECONDS_A_BYTE: Final = 1e-7
TIME_LIMIT_SECONDS_MAX: Final = 0.1
MANY_MATCHES_SECONDS: Final = 0.25
# The bytes that RE2 may read for all matches together: about a tenth of a second.
SCANNED_BYTES_MAX: Final = 100_000_000
PATTERN_BYTES_MAX: Final = 10_000
PATTERNS_CACHED_MAX: Final = 1_000
PATTERNS_CACHED_BYTES_MAX: Final = 64 << 20
# All searches for the elements of one record.
LOOPED_SECONDS_MAX: Final = 2.0
# What RE2 may take for the program and the search of one pattern. A pattern that needs more is left to the other engine.
LINEAR_BYTES_MAX: Final = 512 << 10
# What a search usually takes.
SEARCH_BYTES: Final = 64 << 10
RESULT_BYTES_MAX: Final = 16_777_216
# \s of RE2 does not match the vertical tab. RE2 refuses \Z, \K, \h and similar escapes itself.
_DIFFERS: Final = python_re.compile(rb"\\[sS]")


class Pattern:
    """A pattern. `search` and `matches` choose the engine for each subject.

    The backtracking engine compiles it only for a subject that needs it. A long pattern that a device chose would take 30 ms.
    """

    def __init__(self, source: bytes) -> None:
        import re2  # imported here, so that a process without patterns in its rules does not load it

        options = re2.Options()
        options.encoding = re2.Options.Encoding.LATIN1
        options.log_errors = False
        options.max_mem = LINEAR_BYTES_MAX
        self._ends_line = b"$" in source
        self._vertical_tab = bool(_DIFFERS.search(source))
        self._source = source
        self._linear: Any = None
        with suppress(re2.error):
            self._linear = re2.compile(source, options)
        re2.purge()  # its own cache has a bound on the number of patterns only
        if self._linear is None:
            _ = self._backtracking  # so that a bad pattern is refused here
        steps = self._linear.programsize if self._linear is not None else 0
        self.size_bytes = SEARCH_BYTES + 32 * steps + 64 * len(source)

    @cached_property
    def _backtracking(self) -> Any:
        import regex

        try:
            return regex.compile(self._source, regex.VERSION0 | regex.ASCII, cache_pattern=False)
        except (regex.error, RecursionError, OverflowError) as error:
            raise BadValueError(f"not a regular expression: {error}") from None

    def linear(self, subject: bytes) -> bool:
        """Whether RE2 gives the same answer as Perl."""
        same_end = not (self._ends_line and subject.endswith(b"\n"))
        return self._linear is not None and same_end and not (self._vertical_tab and b"\v" in subject)

    def search(self, subject: bytes) -> Any:
        if self.linear(subject):
            return self._linear.search(subject)
        seconds = _limit(subject)
        return _within_time(lambda: self._backtracking.search(subject, timeout=seconds), seconds)

    def matches(self, subject: bytes) -> list[Any]:
        """All matches, from left to right."""
        seconds = _limit(subject)
        if self.linear(subject):
            # Each search is linear, but all searches together may not be: `a*b|` reads the whole rest for every empty
            # match.
            most = SCANNED_BYTES_MAX // (len(subject) + 1)
            found = list(islice(self._linear.finditer(subject), most + 1))
            if len(found) <= most:
                return found
            seconds = MANY_MATCHES_SECONDS
        return list(_within_time(lambda: [*self._backtracking.finditer(subject, timeout=seconds)], seconds))


def _limit(subject: bytes) -> float:
    return min(TIME_LIMIT_SECONDS + TIME_LIMIT_SECONDS_A_BYTE * len(subject), TIME_LIMIT_SECONDS_MAX)


def _within_time(search: Any, seconds: float) -> Any:
    try:
        return search()
    except TimeoutError:
        raise BadValueError(f"the regular expression took longer than {round(seconds, 3):g} seconds") from None


_PATTERNS: Final[Memo[bytes, Pattern]] = Memo(PATTERNS_CACHED_MAX, PATTERNS_CACHED_BYTES_MAX)


def _compiled(source: bytes) -> Pattern:
    pattern = _PATTERNS.get(source)
    if pattern is not None:
        return pattern
    if len(source) > PATTERN_BYTES_MAX:
        raise BadValueError(f"a regular expression has at most {PATTERN_BYTES_MAX} bytes, found {len(source)}")
    pattern = Pattern(source)
    return _PATTERNS.remember(source, pattern, pattern.size_bytes)


JUDGES: Final = {"pattern": lambda pattern: _compiled(octets(pattern))}


@function(
    "regex_match(text: binary, pattern: binary) -> boolean",
    examples=((r"regex_match('abc123', '\d+')", "true"), (r"regex_match('a23', '^\d+$')", "false")),
    seconds_max=LOOPED_SECONDS_MAX,
    judges=JUDGES,
)
def regex_match(text: Text, pattern: Text) -> bool:
    """Whether the pattern matches anywhere in the text."""
    return _compiled(octets(pattern)).search(octets(text)) is not None


@function(
    "regex_replace(text: binary, pattern: binary, replacement: binary) -> string",
    examples=(
        (r"regex_replace('a;b; c', ';\s*', ',')", "'a,b,c'"),
        (r"regex_replace('john smith', '(\w+) (\w+)', '\2 \1')", "'smith john'"),
    ),
    grows=True,
    seconds_max=LOOPED_SECONDS_MAX,
    judges=JUDGES,
)
def regex_replace(text: Text, pattern: Text, replacement: Text) -> Text:
    r"""The text with all matches replaced. In the replacement, & stands for the match, \1 and so on for its groups, and
    \& for a plain &. Raises for a bad pattern, and if the search takes too long."""
    subject, parts = octets(text), _replacement(octets(replacement))
    pieces: list[bytes] = []
    end = size = 0
    for match in _compiled(octets(pattern)).matches(subject):
        piece = subject[end : match.start()] + b"".join(p if type(p) is bytes else _group(match, p) for p in parts)
        pieces.append(piece)
        end, size = match.end(), size + len(piece)
        if size > RESULT_BYTES_MAX:
            raise BadValueError(f"the result would have more than {RESULT_BYTES_MAX} bytes")
    return text_of(b"".join(pieces) + subject[end:])


def _group(match: Any, number: Any) -> bytes:
    return match.group(number) or b"" if number <= match.re.groups else b""


_REPLACEMENT: Final = python_re.compile(
    rb"\\([1-9][0-9]*)|\\g(?:([0-9]+)|\{([0-9]+)\})|(&)|\\(.)|([^&\\]+|\\$)", python_re.DOTALL
)


Replacement = tuple[bytes | int, ...]
_REPLACEMENTS: Final[Memo[bytes, Replacement]] = Memo(PATTERNS_CACHED_MAX, 1 << 20)


def _replacement(source: bytes) -> Replacement:
    """The literal bytes and group numbers of a replacement. Group 0 is the whole match."""
    known = _REPLACEMENTS.get(source)
    if known is not None:
        return known
    parts: list[bytes | int] = []
    for digits, after_g, in_braces, whole, escaped, plain in _REPLACEMENT.findall(source):
        number = digits or after_g or in_braces
        if number:
            parts.append(int(number[:6]))
        else:
            parts.append(0 if whole else escaped or plain)
    return _REPLACEMENTS.remember(source, tuple(parts), 64 * len(source))


@function(
    "regex_extract(text: binary, pattern: binary) -> list",
    examples=(
        (r"regex_extract('Number: 12345', '(\d+)')", "['12345']"),
        (r"regex_extract('k: v', '(\w+): (\w+)')", "['k', 'v']"),
    ),
    seconds_max=LOOPED_SECONDS_MAX,
    judges=JUDGES,
)
def regex_extract(text: Text, pattern: Text) -> list[Text]:
    """The groups of the first match. A group that did not match gives ''. The list is empty without a match or
    without groups.
    """
    match = _compiled(octets(pattern)).search(octets(text))
    if match is None:
        return []
    groups = list(match.groups())
    while groups and groups[-1] is None:
        groups.pop()
    return [text_of(bytes(group or b"")) for group in groups]

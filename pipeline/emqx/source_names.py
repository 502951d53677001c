"""Says in a statement's FROM by topics what EMQX says by the name of a source. Pure.

EMQX keeps the messages of a source apart: only `FROM "$sources/mqtt:NAME"`, or `"$bridges/mqtt:NAME"`, selects them. Here they
are records like all others, under the topics that they have at the broker. So the topics of the source replace its name.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

from pipeline.errors import SqlError
from pipeline.sql.syntax.parser import parse
from pipeline.topics import unshared

_NAMED: Final = re.compile(r"""(["'])(\$(?:bridges|sources)/([^"']+))\1""")


def by_topics(statement: str, sources: Mapping[str, Sequence[str]], notes: list[str]) -> str:
    """The statement with topics, and a note for each name. `sources` has the topic filters by name, such as `mqtt:up`.

    A name that is not among them stays, and so does a text that cannot be parsed.
    """
    try:
        named = {
            each for each in parse(statement, any_source=True).sources if each.startswith(("$bridges/", "$sources/"))
        }
    except (SqlError, RecursionError):
        return statement

    def topics(found: re.Match[str]) -> str:
        filters = [unshared(each) for each in sources.get(found[3], ())]
        if found[2] not in named or not filters or any('"' in each for each in filters):
            return found[0]
        written = ", ".join(f'"{each}"' for each in filters)
        notes.append(f"FROM has the topics of {found[3]} in the place of its name: {written}")
        return written

    made = _NAMED.sub(topics, statement)
    notes += [
        f"FROM names {each}, which is not taken over: no record comes from it"
        for each in sorted(named)
        if f'"{each}"' in made or f"'{each}'" in made
    ]
    return made

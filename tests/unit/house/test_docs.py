"""What README and docs show can be done: each yaml block is a configuration, each command exists with its options.

A block of yaml is either a whole configuration or a part of one, which is put into SMALLEST: top-level sections as they stand,
anything else where an HTML comment before the block says, as in `<!-- at: actions.s3.hot.parameters -->`. A line of a block of
sh is parsed by the command that it calls, as the shell would call it.
"""

from __future__ import annotations

import json
import re
import shlex
from collections import Counter
from collections.abc import Iterable, Iterator
from copy import deepcopy
from pathlib import Path
from textwrap import indent
from typing import Any, NamedTuple

import pytest
import typer
import yaml

from pipeline.action import problems
from pipeline.cli.main import app
from pipeline.config.load import parse
from pipeline.sql import compile_statement

ROOT = Path(__file__).parents[3]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md", *sorted((ROOT / "docs").glob("*.md"))]
TARGETS = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M))
SMALLEST: dict[str, Any] = {
    "pipeline": "docs",
    "kafka": {"bootstrap_servers": "127.0.0.1:9092"},
    "sources": {},
    "connectors": {"s3": {"lake": {"host": "127.0.0.1", "access_key_id": "k", "secret_access_key": "s"}}},
    "actions": {
        "s3": {
            "hot": {
                "connector": "lake",
                "parameters": {
                    "mode": "aggregated",
                    "bucket": "sink",
                    "key": "hot/${partition}-${offset}",
                    "container": {"type": "json_lines"},
                    "aggregation": {"time_interval": "1m", "max_records": 10},
                },
            }
        }
    },
    "rules": {
        "hot": {"sql": 'SELECT payload.temp AS temp, clientid, timestamp AS at FROM "t/#"', "actions": ["s3:hot"]}
    },
}
# What others' commands in the docs may be called with.
OTHERS = {
    "export": set(),
    "kill": {"-9"},
    "pip": {"--no-binary"},
    "mosquitto_pub": {"-V", "-q", "-t", "-m", "-h", "-p", "--cafile", "-u", "-P", "-i"},
    "pipx": {"install", "run"},
    "uv": {"tool", "install"},
    "helm": {"--set", "--set-file", "--set-json", "--reuse-values"},
    "kubectl": {"--from-literal", "--selector", "--", "-c"},
    "docker": {"compose", "up", "build", "run", "--build", "--detach", "--rm", "--tag", "--build-arg", "--volume"},
}
COMMAND: Any = typer.main.get_command(app)


class Block(NamedTuple):
    """A fenced block. `at` is where its yaml belongs, "" for the top."""

    place: str
    language: str
    text: str
    at: str


def _blocks() -> Iterator[Block]:
    fence = re.compile(r"(?:<!-- at: ([\w.]+) -->\n)?^( *)```(\w*)\n(.*?)^ *```$", re.M | re.S)
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for found in fence.finditer(text):
            line = text[: found.start(2)].count("\n") + 1
            yield Block(f"{page.relative_to(ROOT)}:{line}", found[3], found[4], found[1] or "")


BLOCKS = list(_blocks())


def _of(*languages: str) -> pytest.MarkDecorator:
    found = [block for block in BLOCKS if block.language in languages]
    return pytest.mark.parametrize("block", found, ids=[block.place for block in found])


def test_blocks_say_what_they_are() -> None:
    """Every block of the docs has a language that a test checks, or none."""
    assert {block.language for block in BLOCKS} == {"yaml", "sh", "sql", "json", ""}


@_of("yaml")
def test_a_configuration_of_the_manual_is_accepted(block: Block) -> None:
    """Every yaml block is a configuration in which each setting, rule, template and container is valid."""
    whole = {"pipeline", "rules"} <= yaml.safe_load(block.text).keys()

    config = parse(block.text if whole else _with(block), name=block.place)

    assert problems(config) == []


def _with(block: Block) -> str:
    """SMALLEST with this part in it, as it is written there. A section of connectors brings that of the action along."""
    document: dict[str, Any] = deepcopy(SMALLEST)
    place = document
    for name in filter(None, block.at.split(".")):
        place = place[name]
    parts = {
        part.partition(":")[0]: part for part in re.split(r"^(?=\w)", block.text, flags=re.M) if part[:1] not in "# \n"
    }
    place.update(dict.fromkeys(parts, "HERE"))
    if "connectors" in parts:
        document["actions"]["s3"]["hot"]["connector"] = next(iter(yaml.safe_load(block.text)["connectors"]["s3"]))
    text = yaml.safe_dump(document, allow_unicode=True, sort_keys=False)
    for name, part in parts.items():
        text = re.sub(rf"^( *){name}: HERE\n", lambda found, part=part: indent(part, found[1]), text, flags=re.M)  # type: ignore[misc]
    return text


@_of("sql")
def test_a_statement_of_the_manual_compiles(block: Block) -> None:
    """Each statement of an sql block compiles; empty lines separate statements."""
    for statement in re.split(r"\n\s*\n", block.text.strip()):
        compile_statement(statement)


@_of("json")
def test_json_of_the_manual_is_json(block: Block) -> None:
    """Each json block is valid JSON."""
    json.loads(block.text)


def _commands() -> Iterator[tuple[str, str]]:
    """Each command of a block of sh, with its place."""
    for block in BLOCKS:
        page, _, first = block.place.rpartition(":")
        for number, line in enumerate(block.text.splitlines() if block.language == "sh" else [], int(first) + 1):
            if line.strip() and not line.lstrip().startswith("#"):
                yield f"{page}:{number}", line


LINES = list(_commands())


@pytest.mark.parametrize(("place", "line"), LINES, ids=[place for place, _ in LINES])
def test_a_command_of_the_manual_can_be_given(
    place: str, line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each command of an sh block has arguments and options that the command accepts."""
    monkeypatch.chdir(tmp_path)
    Path("my.yaml").touch()
    words = shlex.split(line, comments=True)
    words = words[: words.index("&&")] if "&&" in words else words
    words = words[: words.index(">>")] if ">>" in words else [word for word in words if word != "&"]

    if words[0] == "tidegate":
        _parse(words[1:])
    elif words[0] == "make":
        assert {word for word in words[1:] if "=" not in word} <= TARGETS
    else:
        options = {word.partition("=")[0] for word in words[1:] if word.startswith("-")}
        assert options <= OTHERS[words[0]], f"{place}: {line}"


def _parse(words: list[str]) -> None:
    """As the command line would, up to the point where the command would run."""
    context, command = COMMAND.make_context("tidegate", words), COMMAND
    while rest := _left_over(context):
        name, command, rest = command.resolve_command(context, rest)
        context = command.make_context(name, rest, parent=context)


def _left_over(context: Any) -> list[str]:
    """Words for a command below this one."""
    return [*context._protected_args, *context.args] if hasattr(context.command, "resolve_command") else []


def _mentions() -> Iterator[tuple[str, str]]:
    """Each `tidegate …` in the middle of a text, with its page."""
    for page in PAGES:
        for found in re.findall(
            r"`(tidegate [^`]+)`", re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.S)
        ):
            yield page.name, " ".join(found.split())


@pytest.mark.parametrize(("page", "text"), sorted(set(_mentions())))
def test_a_command_that_is_mentioned_exists(page: str, text: str) -> None:
    """Each `tidegate …` in the text names an existing command and existing options."""
    words, command = shlex.split(text)[1:], COMMAND
    while hasattr(command, "resolve_command") and words and not words[0].startswith("-"):
        _, command, words = command.resolve_command(command.make_context("", words, resilient_parsing=True), words)

    known = {option for each in command.params for option in (*each.opts, *each.secondary_opts)} | {"--help", "-h"}
    assert {word.partition("=")[0] for word in words if word.startswith("-")} <= known, f"{page}: {text}"


def test_options_that_are_mentioned_alone_exist() -> None:
    """Each `--option` in a text, with or without its command, is one of ours, of a benchmark, or of another program."""
    manual = (ROOT / "docs/cli.md").read_text(encoding="utf-8")  # made from the commands
    ours = re.findall(r"`(--[a-z-]+)", manual)
    benchmarks = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "benchmarks").glob("*.py"))
    known = {"--help", "--version"}.union(ours, re.findall(r'"(--[a-z-]+)"', benchmarks), *OTHERS.values())
    for page in PAGES:
        text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.S)
        named = {each for quoted in re.findall(r"`([^`]+)`", text) for each in re.findall(r"(?<!\S)--[a-z-]+", quoted)}
        assert named <= known, page.name


def test_readme_and_the_page_of_stores_say_the_same_about_exactly_once() -> None:
    """README names the stores with conditional writes of docs/stores.md, and Google Cloud Storage as one without them."""
    readme, stores = ((ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "docs/stores.md"))
    (promised,) = re.findall(r"needs a store with conditional writes \(`If-None-Match`\): ([^.]+)\.", readme)
    rows = {row[1].strip(): row[2].strip() for row in re.findall(r"^(\| )([^|]+)\|([^|]+)\|", stores, re.M)}
    able = " ".join(store for store, able in rows.items() if able == "yes")

    assert [name for name in promised.split(", ") if name not in able] == []
    assert re.search(r"interface of Google Cloud\s+Storage has none", readme)
    assert [able for store, able in rows.items() if "Google Cloud Storage" in store] == ["no"]


def test_files_that_are_named_exist() -> None:
    """Each link and each quoted path of the checkout leads to a file."""
    missing = [
        f"{page.name}: {path}"
        for page in PAGES
        for path in re.findall(r"\]\(([\w./-]+?)(?:#[\w-]*)?\)", page.read_text(encoding="utf-8"))
        if not (page.parent / path).exists()
    ]
    assert missing == []


def test_the_changelog_says_each_thing_once() -> None:
    """A version has each heading once, and no entry comes twice, as merges of two branches leave it."""
    versions = re.split(r"(?m)^## ", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"))[1:]
    entries = [" ".join(entry.split()) for version in versions for entry in re.split(r"(?m)^(?:- |###? )", version)[1:]]

    assert [heading for version in versions for heading in _repeated(re.findall(r"(?m)^### .*", version))] == []
    assert _repeated(entry for entry in entries if entry.count(" ") > 2) == []


def _repeated(texts: Iterable[str]) -> list[str]:
    return [text for text, count in Counter(texts).items() if count > 1]

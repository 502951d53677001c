"""What the pages name exists: settings, events of the log, values of the chart, reasons, and the messages of troubleshooting.md.

Commands, blocks, metrics and alerts have tests of their own (test_docs.py, test_words.py, test_operations_kit.py).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from pipeline.config import KafkaConfig
from pipeline.record import EVENT_TOPICS, MESSAGE_EVENT

ROOT = Path(__file__).parents[3]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
SOURCES = "".join(
    path.read_text(encoding="utf-8")
    for folder in ("pipeline", "ingress", "agents")
    for path in sorted((ROOT / folder).rglob("*.py"))
) + (ROOT / "Makefile").read_text(encoding="utf-8")

# What the system, OpenSSL and librdkafka say, in their own words.
WORDS_OF_OTHERS: Final = {
    *("Name or service not known", "Connection refused", "Address already in use", "Permission denied"),
    *("No space left on device", "wrong version number", "unexpected eof while reading"),
    *("does not answer: Connect to", "msg_size_too_large"),
}


def _quoted(page: Path) -> set[str]:
    """What the text of a page has in quotes, without its blocks."""
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.S)
    return {" ".join(found.split()) for found in re.findall(r"`([^`]+)`", text)}


def _settings() -> set[str]:
    """The path of each setting, as docs/configuration.md lists them; a test compares that page with the model."""
    found, section = set(), ""
    for line in (ROOT / "docs/configuration.md").read_text(encoding="utf-8").splitlines():
        if line.startswith("## "):
            section = line.removeprefix("## ").strip("`").replace("Top level", "")
        elif name := re.match(r"\| `([\w-]+)` \|", line):
            found.add(re.sub(r"\.<name>|\[\]|\([^)]*\)", "", f"{section}.{name[1]}").strip("."))
    return found


SETTINGS = _settings()
SECTIONS = {part for path in SETTINGS for part in path.split(".")[:-1]}
# Names with a dot that a rule or a record has, topics, and names of other programs.
OF_RULES: Final = {*EVENT_TOPICS, MESSAGE_EVENT}
TOPICS: Final = {str(field.default) for name, field in KafkaConfig.model_fields.items() if name.endswith("_topic")}
OF_OTHERS: Final = {
    *("actions.failed", "actions.total", "mqtt.max_mqueue_len"),  # EMQX
    *("mqtt.prefetch", "mqtt.max_session_expiry_interval_seconds"),  # RabbitMQ
}
OTHERWISE: Final = OF_RULES | TOPICS | OF_OTHERS


def _events() -> set[str]:
    """The events of the log, as docs/operations.md lists them; a test compares that list with the code."""
    text = (ROOT / "docs/operations.md").read_text(encoding="utf-8").partition("## The log\n")[2].partition("\n## ")[0]
    rows = [line.split("|")[1] for line in text.splitlines() if line.startswith("| `")]
    return {name for row in rows for name in re.findall(r"`([^`]+)`", row)}


def _values(node: Any, path: str = "") -> Iterator[str]:
    if path:
        yield path
    if isinstance(node, dict):
        for name, each in node.items():
            yield from _values(each, f"{path}.{name}".strip("."))


EVENTS = _events()
VALUES = set(_values(yaml.safe_load((ROOT / "deploy/helm/tidegate/values.yaml").read_text(encoding="utf-8"))))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_each_setting_that_is_named_exists(page: Path) -> None:
    """A name such as `kafka.session_timeout`, of which the beginning is a section, is the end of a setting's path."""
    named = {text for text in _quoted(page) if re.fullmatch(r"[a-z_]+(?:\.[a-z_]+)+", text)}
    of_sections = {text for text in named if set(text.split(".")[:-1]) <= SECTIONS} - EVENTS - OTHERWISE

    ends = {path[at:] for path in SETTINGS for at in (0, *(dot.end() for dot in re.finditer(r"\.", path)))}
    assert of_sections - ends - _whole_sections() == set()


def _whole_sections() -> set[str]:
    return {
        path.rpartition(".")[0][at:] for path in SETTINGS for at in (0, *(m.end() for m in re.finditer(r"\.", path)))
    }


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_each_event_of_the_log_that_is_named_exists(page: Path) -> None:
    """A name such as `mqtt.connected`, whose noun is one of the log's, is an event of the log."""
    nouns = {event.partition(".")[0] for event in EVENTS}
    named = {text for text in _quoted(page) if re.fullmatch(r"[a-z]+\.[a-z_]+", text)}
    settings = {text for text in named if text.partition(".")[0] in SECTIONS}

    told = {text for text in named - settings if text.partition(".")[0] in nouns}
    assert told - EVENTS - OTHERWISE - VALUES - {f"{noun}.md" for noun in nouns} == set()


def test_each_value_of_the_chart_that_is_named_exists() -> None:
    """Values in the text of docs/kubernetes.md, and those that its commands set, are in values.yaml."""
    page = ROOT / "docs/kubernetes.md"
    commands = page.read_text(encoding="utf-8")
    set_there = {
        name
        for found in re.findall(r"--set(?:-json|-file)? '?([^\s']+)", commands)
        for name in re.findall(r"([\w.]+)=", found)
    }
    tops = {value.partition(".")[0] for value in VALUES} - SECTIONS
    named = {text.partition("=")[0] for text in _quoted(page) if re.fullmatch(r"[\w.]+(?:=\w+)?", text)}

    assert set_there
    assert set_there - VALUES == set()
    assert {text for text in named if text.partition(".")[0] in tops and "." in text} - VALUES == set()


def test_each_message_of_troubleshooting_is_one_of_ours() -> None:
    """A part of a message that a person may see is in our code, or is in the words of the system."""
    page = (ROOT / "docs/troubleshooting.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (`[^|]+) \|", page, re.M)
    messages = [part.strip() for row in rows for text in re.findall(r"`([^`]+)`", row) for part in text.split("…")]
    known = SOURCES.replace('" "', "").replace("\\n", " ")

    assert len(messages) > 20
    assert [
        each for each in messages if each and each not in known and not any(words in each for words in WORDS_OF_OTHERS)
    ] == []


def _reasons(page: str) -> set[str]:
    """The words that a page names for a reason: in a label, in the row of a metric "by `reason`", in a table of reasons."""
    labels = re.findall(r'reason="([^"]+)"', page)
    rows = " ".join(re.findall(r"\bby `(?:reason|cause|outcome)`: ([^|]*)", page))
    table = page.partition("| reason | |\n|---|---|\n")[2].partition("\n\n")[0]
    first = " ".join(line.split("|")[1] for line in table.splitlines())
    return {*labels, *re.findall(r"`([a-z_]+)`", rows + first)}


def test_each_reason_that_is_named_exists() -> None:
    """A word that a page gives for a label `reason`, or for the field of an event, is a text of the code, as a whole."""
    named = {page.name: _reasons(page.read_text(encoding="utf-8")) for page in PAGES}

    assert len(set().union(*named.values())) > 25
    assert [(page, word) for page, words in named.items() for word in sorted(words) if f'"{word}"' not in SOURCES] == []

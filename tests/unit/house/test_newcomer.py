"""What the newcomer reads on a page, and what she takes for a stumble."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.newcomer.__main__ import Terminal, do
from tests.newcomer.page import Command, File, Part, Query, steps

PAGE = """# Title

## First

```sh
export A="$PWD/x:$PATH"    # a comment

tidegate servers &         # runs on
```

```yaml
# my.yaml
a: 1
```

```yaml
not: a file
```

```
SELECT 1;
```

```sh
tidegate check -c my.yaml
```

## Second

```sh
make demo
```
"""


def test_files_and_commands_come_in_the_order_of_the_page() -> None:
    """Lines stand as they are on the page; a block without the name of a file, and one that is not for a shell, is no step."""
    found = steps(PAGE, "First")

    assert found == [
        Command('export A="$PWD/x:$PATH"    # a comment'),
        Command("tidegate servers &         # runs on"),
        File("my.yaml", "# my.yaml\na: 1\n"),
        Command("tidegate check -c my.yaml"),
    ]


def test_a_block_may_replace_a_section_of_a_file() -> None:
    """Its first line says so. The rest of the file stays; a file without this section is an error."""
    (part,) = steps("\n## X\n```yaml\n# my.yaml, with these rules\nrules:\n  b: 2\n```\n", "X")
    assert isinstance(part, Part)

    assert part.put_into("a: 1\nrules:\n  b: 1\n\n  c: 3\nd: 4\n") == "a: 1\nrules:\n  b: 2\nd: 4\n"
    assert part.put_into("a: 1\nrules: {b: 1}\n") == "a: 1\nrules:\n  b: 2\n"
    with pytest.raises(ValueError, match="rules"):
        part.put_into("a: 1\n")


def test_a_question_to_duckdb_is_a_step() -> None:
    """Of a block in another program's language, each SELECT on objects counts."""
    text = "\n## X\n```\nINSTALL httpfs;\nSELECT a\nFROM read_json('s3://b/*');\nSELECT 1;\n```\n"

    assert steps(text, "X") == [Query("SELECT a\nFROM read_json('s3://b/*');")]


def test_the_tutorial_has_steps_in_each_section() -> None:
    """Each numbered section that has a command is played; the sections are found by their numbers."""
    page = (Path(__file__).parents[3] / "docs/tutorial.md").read_text(encoding="utf-8")
    kinds = {
        heading: [type(step) for step in steps(page, heading)] for heading in re.findall(r"^## (\d\. .+)$", page, re.M)
    }

    assert [set(each) for each in kinds.values()] == [{Command, Query}, {Command, Part}, {Command}, set()]


def test_a_section_ends_at_the_next_heading() -> None:
    """Commands of other sections do not count."""
    assert steps(PAGE, "Second") == [Command("make demo")]


def test_a_heading_that_is_not_there_is_an_error() -> None:
    """A page that was rearranged is noticed, and is not a page without commands."""
    with pytest.raises(ValueError, match="Third"):
        steps(PAGE, "Third")


@pytest.mark.parametrize(
    ("line", "words", "in_background"),
    [
        ("tidegate servers &   # Kafka & S3", ["tidegate", "servers"], True),
        ("make demo    # everything", ["make", "demo"], False),
        ("mosquitto_pub -m '{\"temp\": 1} &'", ["mosquitto_pub", "-m", '{"temp": 1} &'], False),
    ],
)
def test_a_command_runs_on_if_its_last_word_says_so(line: str, words: list[str], in_background: bool) -> None:
    """An ampersand in a comment or in a text does not count."""
    command = Command(line)

    assert (command.words, command.in_background) == (words, in_background)


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    """A bash of her own."""
    opened = Terminal(tmp_path)
    yield opened
    opened.close()


def test_a_command_that_fails_is_a_stumble(terminal: Terminal) -> None:
    """It is shown with its status and what it said."""
    stumble = do(terminal, Command("ls /nowhere   # shows nothing"))

    assert "ls /nowhere" in stumble
    assert "status 2" in stumble
    assert "No such file" in stumble


def test_a_proof_that_does_not_say_its_words_is_a_stumble(terminal: Terminal) -> None:
    """A good status is not enough."""
    terminal.give("make() { echo something else; }")

    assert "expected 0 and 'proved'" in do(terminal, Command("make demo"))


def test_one_terminal_for_all_commands(terminal: Terminal) -> None:
    """What a line exports, the next one sees; a question is answered with y."""
    terminal.give("export A=31.5   # README's way")

    status, said = terminal.give('read -r answer; echo "$A $answer"')

    assert (status, said.splitlines()[0]) == (0, "31.5 y")

"""The list of commands: what help and completion show, and that showing it costs no more than Python and typer."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from importlib.metadata import version

import pytest
from typer.testing import CliRunner

from pipeline.cli.main import COMMANDS, app
from pipeline.cli.options import tell
from pipeline.cli.replay import _confirmed
from pipeline.errors import CommandError
from tests.parts.commands import LARGE, REPORT, packages_of


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], *([name, "--help"] for name in COMMANDS)])
def test_help_imports_nothing_that_does_the_work(arguments: list[str]) -> None:
    """The list of commands and the options of a command need only typer."""
    assert packages_of(*arguments) & LARGE == set()


def test_help_imports_no_command() -> None:
    """The list of commands is known without importing their files."""
    done = subprocess.run([sys.executable, "-c", REPORT, "--help"], capture_output=True, text=True, timeout=60)

    assert [name for name in done.stderr.split() if name.startswith("pipeline.cli.")] == ["pipeline.cli.main"]


def test_help_lists_the_commands_in_the_order_of_the_journey() -> None:
    """Commands are listed in the order in which a person needs them, and no line is cut."""
    shown = CliRunner().invoke(app, ["-h"]).stdout

    listed = [line.split(maxsplit=1) for line in shown.partition("Commands:\n")[2].splitlines()]
    assert [(name, line) for name, line in listed] == list(COMMANDS.items())


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_says_of_itself_what_the_list_says_of_it(name: str) -> None:
    """The first line of a command's help is its line in the list, and `-h` equals `--help`."""
    short, long = (CliRunner().invoke(app, [name, option], env={"COLUMNS": "100"}) for option in ("-h", "--help"))

    assert (short.exit_code, short.stdout) == (0, long.stdout)
    assert f"\n  {COMMANDS[name]}\n" in short.stdout


@pytest.mark.parametrize("name", COMMANDS)
def test_no_line_of_help_is_cut(name: str) -> None:
    """The commands within a command each have a line that fits into a terminal."""
    shown = CliRunner().invoke(app, [name, "--help"], env={"COLUMNS": "80"}).stdout

    assert [line for line in shown.partition("\nCommands:\n")[2].splitlines() if line.endswith("...")] == []


def test_every_file_of_a_command_is_listed() -> None:
    """Every file of the folder that declares a command is in the list. `import` is a word of Python, so its file has a _ too."""
    from pathlib import Path

    import pipeline.cli

    folder = Path(pipeline.cli.__path__[0])
    declared = {
        path.stem.removesuffix("_").replace("_", "-")
        for path in folder.glob("*.py")
        if path.stem != "main" and "\napp = " in path.read_text(encoding="utf-8")
    }
    assert declared == set(COMMANDS)


def test_the_version_is_that_of_the_installed_package() -> None:
    """`--version` shows the version that pip knows."""
    done = CliRunner().invoke(app, ["--version"])

    assert (done.exit_code, done.stdout) == (0, f"tidegate {version('tidegate')}\n")


@pytest.mark.parametrize("arguments", [["--help"], ["check", "--help"], ["config", "schema"]])
def test_a_disk_without_room_is_told_in_one_line(arguments: list[str]) -> None:
    """If the output cannot be written, the command says so without a traceback."""
    command = [sys.executable, "-m", "pipeline.cli", *arguments]
    with open("/dev/full", "w") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, timeout=60)

    assert (done.returncode, done.stderr) == (2, "error: cannot write: No space left on device\n")


def test_a_mistyped_command_is_answered_with_the_right_one() -> None:
    """A mistyped command gives exit status 2 and a suggestion."""
    done = CliRunner().invoke(app, ["chek"])

    assert (done.exit_code, "Did you mean 'check'?" in done.stderr) == (2, True)


@pytest.mark.parametrize(
    ("words", "expected"),
    [("tidegate ", set(COMMANDS)), ("tidegate dea", {"dead-letter"}), ("tidegate rule t", {"test"}),
     ("tidegate check --con", {"--config", "--connect"})],
)  # fmt: skip
def test_the_shell_completes_commands_and_options(words: str, expected: set[str]) -> None:
    """By the protocol of the script that `tidegate --install-completion` installs for bash."""
    given = {
        "_TIDEGATE_COMPLETE": "complete_bash",
        "COMP_WORDS": words,
        "COMP_CWORD": str(words.count(" ")),
    }
    done = CliRunner().invoke(app, [], env=given, prog_name="tidegate")

    assert set(done.stdout.split()) == expected


def test_a_replay_that_nobody_confirms_names_the_option(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a terminal, the error of the question says `--yes`."""
    monkeypatch.setattr(sys, "stdin", io.StringIO())

    with pytest.raises(CommandError, match="--yes"):
        _confirmed()


WRONG = {
    "servers --kafka-port 99999": "expected at most 65535, found '99999'",
    "demo --devices x": "expected a whole number, found 'x'",
    "demo --rate 0": "expected at least 0.1, found '0'",
    "demo --rate x": "expected a number, found 'x'",
    "worker -c FILE --processes 0": "expected at least 1, found '0'",
    "check -c FILE --output xml": "'xml' is not one of 'text', 'json'",
    "history -c FILE --roll-back x": "expected a whole number, found 'x'",
}


@pytest.mark.parametrize("line", WRONG)
def test_a_wrong_value_of_an_option_is_told_in_our_words(line: str) -> None:
    """What was expected and what was found, and not how the library that reads it calls that."""
    told = CliRunner().invoke(app, line.split())

    assert told.exit_code == 2
    assert WRONG[line] in told.stderr
    assert not any(words in told.stderr for words in ("Input should", "Value error", "parse string"))


@pytest.mark.parametrize(
    "line",
    [
        "rule test --vectors FILE --sql x",
        "rule test --vectors FILE --context {}",
        "rule test -c FILE --rule r --from-kafka 2 --context {}",
        "template test x --vectors FILE",
        "template test --vectors FILE --context {}",
    ],
)
def test_an_option_that_would_do_nothing_is_refused(line: str) -> None:
    """A command that has its event from one option does not take another one in silence."""
    told = CliRunner().invoke(app, line.split())

    assert isinstance(told.exception, CommandError)
    assert "expected only one of" in str(told.exception)


def test_what_devices_choose_does_not_move_the_cursor(capsys: pytest.CaptureFixture[str]) -> None:
    """Terminals obey escapes, also those of one character and of direction. The text of JSON stays JSON, with its lines."""
    evil = "a\x1b[31m\x9b\u202e\ud800é"
    tell(json.dumps({"key": evil}, ensure_ascii=False, indent=1))

    shown = capsys.readouterr().out
    assert all(each.isprintable() or each == "\n" for each in shown)
    assert json.loads(shown) == {"key": evil}
    assert shown.count("\n") == 3

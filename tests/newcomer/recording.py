"""Records the demo in a terminal, as an animated picture for README and manual. `make recording` calls it.

The picture needs no player and no script: its frames lie below each other, and CSS moves them past a window of one frame. Equal
lines are there once. Who asks for less motion sees the last frame, which has the proof.
"""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Final, NamedTuple
from xml.sax.saxutils import escape

import pyte

PICTURE: Final = Path(__file__).parents[2] / "docs/pictures/demo.svg"
COMMAND: Final = ["tidegate", "demo", "--duration", "10", "--devices", "12"]
COLUMNS, ROWS = 100, 30
FRAMES_MAX: Final = 48  # so that every recording is about as large
SECONDS_MIN, SECONDS_MAX = 0.15, 1.2  # of one frame
LAST_SECONDS: Final = 8.0
WIDE, HIGH = 8.4, 18.0  # a character, in pixels
ONE_TIME: Final = re.compile(r"(?<=token=)[\w-]+")  # void when anybody sees the picture; it need not be there

INK: Final = "#d6deeb"
PAPER: Final = "#0b1a24"
COLOURS: Final = {
    **{"red": "#ff6b6b", "green": "#7bd88f", "brown": "#ffd866", "blue": "#6cb6ff", "magenta": "#d2a8ff"},
    **{"cyan": "#5ccfe6", "white": "#f0f6fc", "black": "#6e7f8d", "brightblack": "#8b9bab"},
}


class Piece(NamedTuple):
    """What a terminal has written, and when."""

    seconds: float
    text: str


class Frame(NamedTuple):
    """A screen: its lines as SVG, and how long it is seen."""

    lines: tuple[str, ...]
    seconds: float


def main() -> int:
    """Record, and write the picture. The status is that of the command."""
    status, pieces = recorded([f"$ {' '.join(COMMAND)}\r\n"], COMMAND)
    if status == 0:
        PICTURE.write_text(picture(frames(pieces)), encoding="utf-8")
        print(f"{PICTURE}: {PICTURE.stat().st_size >> 10} KB")
    return status


def recorded(before: Sequence[str], command: Sequence[str]) -> tuple[int, list[Piece]]:
    """Run a command in a terminal of this size. Its status, and what it wrote after `before`."""
    terminal, inside = pty.openpty()
    fcntl.ioctl(inside, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    place = {**os.environ, "TERM": "xterm-256color", "COLUMNS": str(COLUMNS), "LINES": str(ROWS)}
    began, pieces = time.monotonic(), [Piece(0.0, text) for text in before]
    with subprocess.Popen(
        command, stdin=inside, stdout=inside, stderr=inside, env=place, start_new_session=True
    ) as run:
        os.close(inside)
        while read := _read(terminal):
            pieces.append(Piece(time.monotonic() - began, read.decode(errors="replace")))
    os.close(terminal)
    return run.returncode, pieces


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 1 << 16)
    except OSError:  # how Linux says that the command has ended
        return b""


def frames(pieces: Sequence[Piece]) -> list[Frame]:
    """The screens after the pieces, at most FRAMES_MAX, the last of them always."""
    screen = pyte.Screen(COLUMNS, ROWS)
    stream = pyte.Stream(screen)
    found: list[Frame] = []
    for piece, following in zip(pieces, [*pieces[1:], None], strict=True):
        stream.feed(piece.text)
        _hide(screen)
        seconds = following.seconds - piece.seconds if following else LAST_SECONDS
        found.append(Frame(tuple(_line(screen, row) for row in range(ROWS)), seconds))
    step = max(1.0, len(found) / FRAMES_MAX)
    kept = [found[round(len(found) - 1 - number * step)] for number in range(min(len(found), FRAMES_MAX))][::-1]
    return [each._replace(seconds=min(max(each.seconds, SECONDS_MIN), SECONDS_MAX)) for each in kept[:-1]] + kept[-1:]


def _hide(screen: pyte.Screen) -> None:
    """Replace what is valid once, which may go on in the next line."""
    for found in ONE_TIME.finditer("".join(screen.display)):
        for row, column in (divmod(place, COLUMNS) for place in range(*found.span())):
            screen.buffer[row][column] = screen.buffer[row][column]._replace(data="·")


def _line(screen: pyte.Screen, row: int) -> str:
    """A line as SVG: a text for each run of one colour; its characters are where they are in the terminal."""
    cells = [screen.buffer[row][column] for column in range(COLUMNS)]
    parts, column = [], 0
    for (colour, bold), run in groupby(cells, key=lambda cell: (cell.fg, cell.bold)):
        text = "".join(cell.data for cell in run)
        if text.strip():
            indent = len(text) - len(text.lstrip())
            shown = text.strip()
            style = f' fill="{_ink(colour)}"' if colour != "default" else ""
            style += ' font-weight="bold"' if bold else ""
            left, width = (column + indent) * WIDE, len(shown) * WIDE
            parts.append(f'<text x="{left:.1f}" textLength="{width:.1f}"{style}>{escape(shown)}</text>')
        column += len(text)
    return "".join(parts)


def _ink(colour: str) -> str:
    return COLOURS.get(colour, f"#{colour}" if re.fullmatch(r"[0-9a-f]{6}", colour) else INK)


def picture(shown: Sequence[Frame]) -> str:
    """The animated SVG."""
    width, height = COLUMNS * WIDE + 32, ROWS * HIGH + 32
    names: dict[str, str] = {}
    for frame in shown:
        for line in filter(None, frame.lines):
            names.setdefault(line, f"l{len(names)}")
    defined = "\n".join(f'<g id="{name}">{line}</g>' for line, name in names.items())
    stacked = "\n".join(_stacked(number, frame, names) for number, frame in enumerate(shown))
    end = (len(shown) - 1) * ROWS * HIGH
    whole = sum(frame.seconds for frame in shown)
    return f"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" role="img">
<title>tidegate demo: devices publish, rows become objects, and the bucket is compared with what was sent</title>
<style>
text {{font: 14px ui-monospace, Menlo, Consolas, "DejaVu Sans Mono", monospace; white-space: pre}}
.film {{transform: translateY(-{end:.0f}px); animation: film {whole:.1f}s step-end infinite}}
@keyframes film {{{"".join(_keyframes(shown, whole))}}}
@media (prefers-reduced-motion: reduce) {{.film {{animation: none}}}}
</style>
<defs>
{defined}
</defs>
<rect width="100%" height="100%" rx="10" fill="{PAPER}"/>
<svg x="16" y="16" width="{COLUMNS * WIDE:.0f}" height="{ROWS * HIGH:.0f}">
<g class="film" fill="{INK}">
{stacked}
</g>
</svg>
</svg>
"""


def _stacked(number: int, frame: Frame, names: dict[str, str]) -> str:
    top = number * ROWS * HIGH + 14
    lines = [(row, line) for row, line in enumerate(frame.lines) if line]
    return "".join(f'<use href="#{names[line]}" y="{top + row * HIGH:.0f}"/>' for row, line in lines)


def _keyframes(shown: Sequence[Frame], whole: float) -> Iterator[str]:
    seconds = 0.0
    for number, frame in enumerate(shown):
        yield f"{seconds / whole:.2%} {{transform: translateY(-{number * ROWS * HIGH:.0f}px)}}"
        seconds += frame.seconds


if __name__ == "__main__":
    sys.exit(main())

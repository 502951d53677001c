"""The recording of the demo: what a terminal shows becomes frames of a picture."""

from __future__ import annotations

import sys
from xml.etree import ElementTree

import pytest

from tests.newcomer.recording import (
    FRAMES_MAX,
    LAST_SECONDS,
    PICTURE,
    SECONDS_MAX,
    SECONDS_MIN,
    Piece,
    frames,
    picture,
    recorded,
)

SVG = "{http://www.w3.org/2000/svg}"
BYTES_MAX = 300_000


def texts(svg: str) -> list[str]:
    return ["".join(each.itertext()) for each in ElementTree.fromstring(svg).iter(f"{SVG}text")]


def test_a_terminal_becomes_a_picture() -> None:
    """Colours, places and what is overwritten are as in the terminal; equal lines are there once."""
    pieces = [Piece(0.0, "\x1b[32mgood\x1b[0m & <new>\r\n"), Piece(0.01, "1"), Piece(9.0, "\r2")]

    found = frames(pieces)
    svg = picture(found)

    assert [round(each.seconds, 2) for each in found] == [SECONDS_MIN, SECONDS_MAX, LAST_SECONDS]
    assert texts(svg) == ["good", "& <new>", "1", "2"]
    assert svg.count('<use href="#l0"') == 3
    assert 'fill="#7bd88f">good<' in svg


def test_a_long_recording_has_as_many_frames_as_any() -> None:
    """Frames are left out evenly, and the last one is kept."""
    found = frames([Piece(number, f"\r{number}") for number in range(500)])

    assert len(found) == FRAMES_MAX
    assert "499" in found[-1].lines[0]


def test_a_link_that_is_valid_once_is_not_shown() -> None:
    """The token of the first user is not in the picture."""
    for text in ("first_user?token=aB3-_x", "first_user?\x1b[1mtoken\x1b[0m=\x1b[32maB\x1b[0m3-_x"):
        svg = picture(frames([Piece(0.0, text)]))

        assert "".join(texts(svg)) == "first_user?token=······"


@pytest.mark.skipif(sys.platform == "win32", reason="terminals of POSIX")
def test_a_command_is_recorded_with_its_status() -> None:
    """What it writes comes after what was there before; the size of the terminal is that of the picture."""
    status, pieces = recorded(["$ it\r\n"], ["sh", "-c", "stty size; exit 3"])

    assert status == 3
    assert "".join(each.text for each in pieces).split() == ["$", "it", "30", "100"]


def test_the_picture_of_the_manual_ends_with_the_proof() -> None:
    """The committed recording is of a good demo, loads nothing from elsewhere, and is not large; else: make recording."""
    svg = PICTURE.read_text(encoding="utf-8")
    last = svg.split("\n</g>\n</svg>")[0].rpartition("\n")[2]
    lines = {each.get("id"): "".join(each.itertext()) for each in ElementTree.fromstring(svg).iter(f"{SVG}g")}

    assert len(svg) < BYTES_MAX
    assert any(line.startswith("proved:") for name, line in lines.items() if f'"#{name}"' in last)
    assert not {"script", 'href="http', "url("} & set(svg.split())

"""Faust is imported without the libraries of its parts that we do not use, and all of it works as if they were there."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.parts.waiting import patient

ROOT = Path(__file__).parents[4]


def said_by(code: str) -> str:
    """What some code prints, in a Python of its own."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=patient(60), cwd=ROOT)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_a_library_that_stood_aside_is_the_library_afterwards() -> None:
    """What is imported after Faust is the library itself, and the class that stood for its class makes the library's object."""
    said = said_by("""
import agents.stream
from mode.utils.cron import croniter as of_faust, secs_for_next
import sys
assert "croniter" not in sys.modules and "aiohttp" not in sys.modules
assert 0 <= secs_for_next("* * * * *") <= 60
import croniter, aiohttp.web
assert aiohttp.ClientSession.__module__ == "aiohttp.client"
print(type(of_faust("* * * * *")) is croniter.croniter)
""")

    assert said == "True"


def test_a_library_that_is_loaded_already_does_not_stand_aside() -> None:
    """Faust gets the library itself if something else has imported it before."""
    said = said_by("""
import aiohttp
import agents.stream
from faust.types.web import HttpClientT
print(HttpClientT is aiohttp.ClientSession)
""")

    assert said == "True"


@pytest.mark.parametrize(
    "wanted", ["from aiohttp.client import ClientTimeout", "import aiohttp; aiohttp.ClientTimeout"]
)
def test_a_faust_that_wants_more_gets_the_library(wanted: str) -> None:
    """If Faust asks for something that the small module does not have, everything is imported as usual."""
    said = said_by(f"""
import sys, importlib.abc, importlib.util
class Wants(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name == "faust.types.web" and self in sys.meta_path:
            sys.meta_path.remove(self)
            spec = importlib.util.find_spec(name)
            sys.meta_path.insert(0, self)
            run = spec.loader.exec_module
            def exec_module(module):
                exec({wanted!r}, {{}})
                run(module)
            spec.loader.exec_module = exec_module
            return spec
sys.meta_path.insert(0, Wants())
import agents.worker
import aiohttp
print(aiohttp.ClientTimeout.__name__, "faust.types.web" in sys.modules)
""")

    assert said == "ClientTimeout True"

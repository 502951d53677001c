"""`tidegate api` as a process of its own, on a port that stays: it can be killed and started again."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import yaml

from pipeline.demo.embedded import answers
from pipeline.demo.process import HOST, Server, free_port
from pipeline.web.people.gate import PREFIX
from tests.parts.waiting import patient

_LINK: Final = re.compile(r"https?://\S+/first_user\?token=\S+")


class ApiServer:
    """One such process, which has not started yet. `server` has the verbs."""

    def __init__(self, settings: Mapping[str, Any], folder: Path) -> None:
        file, port = folder / "api.yaml", free_port()
        file.write_text(yaml.safe_dump(dict(settings)), encoding="utf-8")
        self.address = f"http://{HOST}:{port}/"
        self.server = Server(
            "tidegate api",
            [sys.executable, "-m", "pipeline.cli", "api", "-c", str(file), "--port", str(port), "--log", "json"],
            folder / "api.log",
            answers(f"{self.address.rstrip('/')}{PREFIX}/session"),
            environment={"PYTHONUNBUFFERED": "1"},
            ready_seconds=patient(30),
            stop_seconds=patient(30),
        )

    @property
    def first_user_link(self) -> str:
        """The link that the process has printed for the first user."""
        found = _LINK.search(self.server.log.read_text(encoding="utf-8"))
        assert found, self.server.tail()
        return found[0]

    def complaints(self) -> list[str]:
        """The lines of its log that are an error. Fails if a line is neither JSON nor the link."""
        lines = self.server.log.read_text(encoding="utf-8").splitlines()
        told = [json.loads(each) for each in lines if not _LINK.search(each)]
        return [str(each) for each in told if each["level"] == "error"]

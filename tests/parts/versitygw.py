"""A real S3 server: versitygw, built once with Go. It checks signatures, keeps conditions, and survives a kill."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

from pipeline.demo.embedded import answers
from pipeline.demo.process import HOST, Server, free_port
from tests.parts import cache
from tests.parts.part import S3Part, UnavailableError

VERSION = "1.8.0"
_OLDEST_GO = (1, 25)


def program() -> Path:
    """The path of the server. Raises UnavailableError."""
    return cache.obtain(f"versitygw-{VERSION}", _build) / "versitygw"


def start(folder: Path) -> S3Part:
    """A fresh, empty store whose files are in `folder`."""
    port = free_port()
    (folder / "root").mkdir(exist_ok=True)
    (folder / "versions").mkdir(exist_ok=True)
    command = [str(program()), "--quiet", "--keep-alive", "--health", "/healthz", "--port", f"{HOST}:{port}"]
    command += ["--virtual-domain", "s3.localhost"]
    command += ["posix", "--versioning-dir", str(folder / "versions"), str(folder / "root")]
    server = Server(
        f"versitygw {VERSION}",
        command,
        folder / "versitygw.log",
        answers(f"http://{HOST}:{port}/healthz"),
        environment={"ROOT_ACCESS_KEY": S3Part.access_key_id, "ROOT_SECRET_KEY": S3Part.secret_access_key},
        folder=folder,
    )
    server.start()
    return S3Part(server, real=True, port=port)


def _build(folder: Path) -> None:
    go = shutil.which("go") or shutil.which("go", path="/usr/local/go/bin")
    if go is None:
        raise UnavailableError("go is not installed, which builds versitygw")
    told = subprocess.run([go, "version"], capture_output=True, text=True, timeout=60).stdout
    found = re.search(r"go(\d+)\.(\d+)", told)
    if found is None or (int(found[1]), int(found[2])) < _OLDEST_GO:
        raise UnavailableError(f"versitygw needs Go {'.'.join(map(str, _OLDEST_GO))} or later; found: {told.strip()}")
    environment = {"CGO_ENABLED": "0", "GOBIN": str(folder), "GOFLAGS": "-mod=mod"}
    module = f"github.com/versity/versitygw/cmd/versitygw@v{VERSION}"
    cache.fetch([go, "install", module], folder=folder, environment=environment)

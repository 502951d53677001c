"""Reads the configuration of an EMQX: cluster.hocon, emqx.conf, an export archive, the JSON of its REST API, or a live one.

A file is not trusted: it includes no other file, sees nothing of our environment, substitutes nothing, and has a limit.
"""

from __future__ import annotations

import io
import json
import re
import tarfile
import textwrap
from base64 import b64encode
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from pipeline.errors import CommandError, ConfigError, OperatorError, RetryableError

BYTES_MAX: Final = 16 << 20
ANSWER_SECONDS: Final = 20.0
# What an archive, a file and a live EMQX are asked for.
ROOTS: Final = ("connectors", "actions", "sources", "bridges", "rule_engine", "exhook", "schema_registry")
# EMQX's own form of a long text: three quotes and a tilde, with an indent that is not of the text.
_TILDE: Final = re.compile(r'"""~(.*?)~?"""', re.DOTALL)

# Texts and comments of HOCON, in which `${` has no meaning.
_QUOTED: Final = re.compile(r'"""(?s:.)*?"""+|"(?:\\.|[^"\\\n])*"|(?://|#)[^\n]*')


def read(path: Path) -> dict[str, Any]:
    """The configuration in a file. Raises CommandError or ConfigError with what was expected."""
    try:
        with path.open("rb") as file:
            content = file.read(BYTES_MAX + 1)
    except OSError as error:
        raise CommandError(f"cannot read {path}: {error.strerror}") from None
    return read_bytes(content, str(path))


def read_bytes(content: bytes, name: str) -> dict[str, Any]:
    """The configuration in a file's bytes. Raises CommandError or ConfigError."""
    if len(content) > BYTES_MAX:
        raise CommandError(f"{name}: expected at most {BYTES_MAX} bytes")
    if content.startswith(b"\x1f\x8b"):
        content, name = _from_archive(content, name)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise CommandError(f"{name}: expected UTF-8 text, or an archive that EMQX exported") from None
    return from_text(text, name)


def _from_archive(content: bytes, name: str) -> tuple[bytes, str]:
    """cluster.hocon of an export, which is in a folder named like the archive."""
    try:
        with tarfile.open(fileobj=io.BytesIO(content), mode="r:gz") as archive:
            for member in archive:
                parts = member.name.removeprefix("./").split("/")
                if member.isfile() and parts[-1] == "cluster.hocon" and len(parts) <= 2:
                    file = archive.extractfile(member)
                    assert file is not None
                    return file.read(BYTES_MAX + 1)[: BYTES_MAX + 1], f"{name}:{member.name}"
    except (tarfile.TarError, OSError, EOFError) as error:
        raise CommandError(f"{name}: this archive cannot be read: {type(error).__name__}") from None
    raise CommandError(f"{name}: expected an archive that EMQX exported; it has no cluster.hocon")


def from_text(text: str, name: str) -> dict[str, Any]:
    """HOCON or JSON as plain data. Raises ConfigError."""
    if len(text) > BYTES_MAX:
        raise CommandError(f"{name}: expected at most {BYTES_MAX} bytes")
    try:
        return _of_rest(json.loads(text))
    except ValueError:
        pass
    from hocon import ConfigError as HoconError
    from hocon import ParseError, ResolveError, parse_string

    plain = _TILDE.sub(_plain_text, text)
    if "${" in _QUOTED.sub("", plain):  # a few lines that double each other would fill the memory
        raise ConfigError("expected no substitution: a text with ${…} stands in quotation marks", where=name)
    try:
        found = parse_string(plain, env={}, read_file=_no_file).to_object()
    except (HoconError, ParseError, ResolveError, RecursionError, ValueError) as error:
        raise ConfigError(f"expected HOCON or JSON: {_short(error)}", where=name) from None
    if not isinstance(found, dict):
        raise ConfigError("expected settings by name", where=name)
    return found


def _plain_text(found: re.Match[str]) -> str:
    return json.dumps(textwrap.dedent(found[1]).strip("\n"))


def _no_file(*_: Any, **__: Any) -> Any:
    raise ValueError("include: other files are not read; join them first")


def _short(error: BaseException) -> str:
    """The kind of an error and its place. Its words may quote the file, which has secrets."""
    line = re.search(r"line \d+(?:,? col(?:umn)? \d+)?", str(error))
    return f"{type(error).__name__}{' at ' + line[0] if line else ''}" if "include" not in str(error) else str(error)


def _of_rest(found: Any) -> dict[str, Any]:
    """The JSON of the REST API in the form of a file: lists of objects become objects by type and name."""
    if isinstance(found, dict) and not isinstance(found.get("data"), list):
        return {key: _by_name(key, each) if isinstance(each, list) else each for key, each in found.items()}
    items = found["data"] if isinstance(found, dict) else found
    if not isinstance(items, list) or not all(isinstance(each, dict) for each in items):
        raise ConfigError("expected the JSON of EMQX's REST API: connectors, actions, sources or rules")
    kinds: dict[str, Any] = {}
    for each in items:
        kind = "rules" if "sql" in each else "actions" if "connector" in each else "connectors"
        kinds.setdefault(kind, []).append(each)
    return _of_rest(kinds)


def _by_name(kind: str, items: list[Any]) -> Any:
    objects = [each for each in items if isinstance(each, dict)]
    if kind == "rules":
        return {str(each.get("id", number)): each for number, each in enumerate(objects)}
    if not all({"type", "name"} <= each.keys() for each in objects):
        return items
    found: dict[str, Any] = {}
    for each in objects:
        rest = {name: value for name, value in each.items() if name not in ("type", "name")}
        found.setdefault(str(each["type"]), {})[str(each["name"])] = rest
    return found


# --- A live EMQX


def pull(url: str, key: str, ask: Callable[[Request], bytes] | None = None) -> dict[str, Any]:
    """The configuration of a live EMQX. `key` is `API_KEY:SECRET` of an administrator. Raises ConnectorError or ConfigError."""
    answered = ask or _answered
    headers = {"Authorization": f"Basic {b64encode(key.encode()).decode()}", "Accept": "text/plain"}
    found: dict[str, Any] = {}
    for root in ROOTS:
        address = f"{url.rstrip('/').removesuffix('/api/v5')}/api/v5/configs?key={root}"
        try:
            text = answered(Request(address, headers=headers)).decode("utf-8", "replace")
        except HTTPError as error:
            if error.code in (401, 403):
                why = f"{url}: HTTP {error.code}: expected the API key of an administrator"
                raise OperatorError(why, reason="login") from None
            if error.code in (400, 404):
                continue  # this release has no such part
            raise RetryableError(f"{url}: HTTP {error.code}", reason=str(error.code)) from None
        except (URLError, OSError) as error:
            raise RetryableError(f"{url}: no answer: {getattr(error, 'reason', error)}", reason="timeout") from None
        part = from_text(text, f"{url}: {root}") if text.strip() else {}
        found[root] = part.get(root, part)
    return found


def _answered(request: Request) -> bytes:
    with urlopen(request, timeout=ANSWER_SECONDS) as answer:
        return bytes(answer.read(BYTES_MAX + 1))


def known(found: Mapping[str, Any]) -> bool:
    """Whether there is anything in it that can be taken over."""
    return any(root in found for root in (*ROOTS, "rules"))

"""From a YAML file to a Config, with errors that name the line.

YAML is composed to nodes first, because only nodes know where they stand: a validation error of pydantic gives a path of keys,
and the node at that path gives line and column.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from pipeline.config.model import Config
from pipeline.config.references import check_references
from pipeline.errors import ConfigError


def load_file(path: Path | str) -> Config:
    """Read and check a configuration file. Raises ConfigError with file, line and column."""
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"cannot read the configuration: {error.strerror}", where=str(path)) from None
    except UnicodeDecodeError as error:
        raise ConfigError(
            f"expected UTF-8 text, found byte {error.object[error.start]:#04x}", where=str(path)
        ) from None
    return parse(text, name=str(path))


def parse(text: str, *, name: str = "<config>") -> Config:
    """Check configuration text. Raises ConfigError; every problem found is in the one message, a line each."""
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        document = yaml.safe_load(text)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f"{name}:{mark.line + 1}:{mark.column + 1}" if mark else name
        raise ConfigError(f"not YAML: {error.problem}", where=where) from None
    except yaml.YAMLError as error:
        raise ConfigError(f"not YAML: {error}", where=name) from None
    if root is None or not isinstance(document, dict):
        raise ConfigError(f"expected a mapping with pipeline, kafka, …; found {type(document).__name__}", where=name)
    try:
        config = Config.model_validate(document)
        if missing := check_references(config):
            raise ConfigError("\n".join(f"{name}: {each}" for each in missing))
        return config
    except ValidationError as error:
        problems = [_problem(each, root, name) for each in error.errors(include_url=False, include_context=True)]
        raise ConfigError("\n".join(problems)) from None


def _problem(error: Any, root: yaml.Node, name: str) -> str:
    path = _in_file(root, error["loc"])
    mark = _find(root, path)
    where = f"{name}:{mark.line + 1}:{mark.column + 1}"
    return f"{where}: {'.'.join(map(str, path)) or 'configuration'}: {_message(error)}"


def _in_file(root: yaml.Node, location: Sequence[Any]) -> list[Any]:
    """The path of keys, without the parts by which pydantic says which of several shapes it took."""
    path: list[Any] = []
    node: yaml.Node | None = root
    for part in location:
        if part in {"direct", "aggregated"}:
            continue
        if isinstance(node, yaml.MappingNode):
            here = {key.value: value for key, value in node.value}
            if part not in here and part == getattr(here.get("type"), "value", None):
                continue
            node = here.get(str(part))
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            node = node.value[part]
        path.append(part)
    return path


def _message(error: Any) -> str:
    kind = error["type"]
    if kind == "extra_forbidden":
        return "unknown setting"
    if kind == "missing":
        return "required, and not there"
    message = str(error["msg"]).removeprefix("Value error, ")
    found = error.get("input")
    if kind.startswith("union_tag"):
        return f"expected {error['ctx'].get('expected_tags', 'a mapping')}, found {error['ctx'].get('tag')!r}"
    if error["loc"][0] not in {"sources", "connectors"} and isinstance(found, str | int | float):
        message += f", found {found!r}"
    return message


def _find(node: yaml.Node, path: list[Any]) -> yaml.Mark:
    """The place of the deepest node of `path` that exists."""
    mark = node.start_mark
    for part in path:
        if isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                if key.value == str(part):
                    mark, node = key.start_mark, value
                    break
            else:
                return mark
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            node = node.value[part]
            mark = node.start_mark
        else:
            return mark
    return mark

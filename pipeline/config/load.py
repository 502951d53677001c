"""Reads a Config, or one object of it, from a file, a text or plain data. An error names all problems, each with its line."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, TypeVar

from pydantic import ValidationError

from pipeline.config.base.section import Section
from pipeline.config.model import Config
from pipeline.config.references import check_references, unresolved_secrets
from pipeline.config.text.places import Places, path_of
from pipeline.config.text.problems import Problem, dotted, problems_of
from pipeline.config.text.yaml_text import read
from pipeline.errors import ConfigError, SchemaSyntaxError, SqlError, TemplateSyntaxError

S = TypeVar("S", bound=Section)
FILE_BYTES_MAX: Final = 16 << 20
# The settings that hold objects, which can be in Kafka; the others are each process's own.
OBJECT_SETTINGS: Final = ("sources", "connectors", "actions", "rules", "schemas")


def load_file(path: Path | str) -> Config:
    """Read and check a configuration file. Raises ConfigError with file, line and column.

    With `control`, objects are in Kafka, and a file that has some too is refused.
    """
    config = parse(file_text(path), name=str(path))
    found = [name for name in OBJECT_SETTINGS if _objects_in(getattr(config, name))]
    if config.control is not None and found:
        raise ConfigError(
            f"with `control`, {', '.join(found)} are in the topic {config.control.topic}, and not in this file: move them with"
            f" `tidegate apply -c {path} -f {path}`, then remove them here",
            where=config.places.of((found[0],)),
        )
    return config


def file_text(path: Path | str) -> str:
    """The text of a file of the configuration. Raises ConfigError."""
    try:
        with Path(path).open("rb") as file:
            content = file.read(FILE_BYTES_MAX + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ConfigError(f"cannot read the configuration: {reason}", where=str(path)) from None
    if len(content) > FILE_BYTES_MAX:
        raise ConfigError(f"expected a file of at most {FILE_BYTES_MAX} bytes", where=str(path))
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        before = content[: error.start]
        place = f"{path}:{before.count(0x0A) + 1}:{error.start - before.rfind(0x0A)}"
        raise ConfigError(f"expected UTF-8 text, found byte {content[error.start]:#04x}", where=place) from None


def parse_objects(text: str, own: Mapping[str, Any], *, name: str) -> Config:
    """Check the objects in the text of a file, with `own` for all other settings. References between objects are not checked.

    The file may be a whole configuration: what is not an object is left out, after its name is known to be one of a setting.
    Raises ConfigError as `parse` does.
    """
    places = _places(text, name)
    said = places.root.value if places.root is not None else {}
    if said.get("pipeline", own["pipeline"]) != own["pipeline"]:
        raise ConfigError(f"expected objects of pipeline {own['pipeline']!r}", where=places.of(("pipeline",)))
    left_out = Config.model_fields.keys() - OBJECT_SETTINGS
    objects = {key: value for key, value in said.items() if key not in left_out}
    config = _validate(Config, {**own, **objects}, (), places, None)
    config.stands_in(places)
    return config


def parse(text: str, *, name: str = "<config>", environment: Mapping[str, str] | None = None) -> Config:
    """Check the text of a configuration, YAML or JSON. Raises ConfigError, with a line in its message for each problem."""
    places = _places(text, name)
    assert places.root is not None
    return load(places.root.value, places=places, environment=environment)


def _places(text: str, name: str) -> Places:
    root = read(text, name)
    places = Places(name, root, tuple(text.removeprefix("\ufeff").splitlines()))
    if not isinstance(root.value, dict):
        raise ConfigError("expected a mapping with pipeline, kafka, …", where=places.of(()))
    return places


def _objects_in(section: Section | dict[str, Any]) -> bool:
    """Whether a setting of the configuration has objects: by name, or by type and name."""
    return (
        bool(section)
        if isinstance(section, dict)
        else any(getattr(section, each) for each in type(section).model_fields)
    )


def load(
    data: Mapping[str, Any], *, places: Places | None = None, environment: Mapping[str, str] | None = None
) -> Config:
    """A whole configuration from plain data, such as `dump` gives. Raises ConfigError as `parse` does."""
    places = places or Places()
    config = _validate(Config, data, (), places, environment)
    if problems := check_references(config):
        raise _refusal(problems, places)
    config.stands_in(places)
    return config


def load_object(
    section: type[S], data: Mapping[str, Any], *, at: str = "", environment: Mapping[str, str] | None = None
) -> S:
    """One object, such as an S3Connector, from plain data; `at` is its path in messages: "connectors.s3.lake".

    This does not check what the object refers to: `check_references` does this for a whole configuration. Raises
    ConfigError.
    """
    return _validate(section, data, path_of(at), Places(), environment)


def require_secrets(config: Config, *within: tuple[str, ...]) -> None:
    """Check that the secrets below these paths can be read. A process calls this before it connects. Raises ConfigError."""
    found = [each for each in unresolved_secrets(config) if any(each.path[: len(path)] == path for path in within)]
    if found:
        raise _refusal(found, config.places)


@contextmanager
def placed(config: Config) -> Iterator[None]:
    """Add file and line to the ConfigErrors of compiling, which name a setting only by its path."""
    try:
        yield
    except ConfigError as error:
        line, column = _line_and_column(error)
        file = config.places.of(path_of(error.where), line, column)
        if not file or error.where.startswith(config.places.name + ":"):
            raise
        raise ConfigError(error.message, where=f"{file}: {error.where}" if error.where else file) from error.__cause__


def _line_and_column(error: BaseException | None) -> tuple[int, int]:
    """The place within a setting's text that is refused, 1-based; 0, 0 if all of the text is."""
    while error is not None:
        if isinstance(error, SqlError | SchemaSyntaxError | TemplateSyntaxError):
            return error.line, error.column
        error = error.__cause__
    return 0, 0


def _validate(
    section: type[S], data: Any, at: Sequence[str | int], places: Places, environment: Mapping[str, str] | None
) -> S:
    context = {"environment": os.environ if environment is None else environment}
    try:
        return section.model_validate(data, context=context)
    except ValidationError as error:
        problems = problems_of(error, section, at)
    raise _refusal(problems, places)


def _refusal(problems: Sequence[Problem], places: Places) -> ConfigError:
    parts = [
        ConfigError(each.message, where=": ".join(filter(None, (places.of(each.path), dotted(each.path)))))
        for each in problems
    ]
    return ConfigError("\n".join(map(str, parts)), parts=parts)

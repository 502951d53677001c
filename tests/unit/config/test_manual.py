"""The manual's page of settings is what the model says."""

from __future__ import annotations

from pathlib import Path

from pipeline.config import manual
from pipeline.config.base.section import Section

PAGE = Path(__file__).parents[3] / "docs" / "configuration.md"


def test_the_page_is_current() -> None:
    """docs/configuration.md is the output of python -m pipeline.config.manual."""
    assert PAGE.read_text(encoding="utf-8") == manual.page()


def test_every_setting_has_help() -> None:
    """Every setting has a description."""
    silent = [
        f"{section.__name__}.{name}"
        for section in Section.__subclasses__()
        if section.__module__.startswith("pipeline.")  # not those that other tests define
        for name, field in section.model_fields.items()
        if not field.description and name not in {"mode", "type"} and not _is_section(field.annotation)
    ]

    assert silent == []


def _is_section(annotation: object) -> bool:
    return bool(list(manual._models(annotation, "")))

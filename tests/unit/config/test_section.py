"""Declarations of settings, and what the program reads from them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from pydantic import Field

from pipeline.config import AggregatedParameters, Config, DirectParameters
from pipeline.config.base.section import ContentSection, Section, sections_in, setting, statement_of
from pipeline.config.dump import content_of, from_content


def all_sections(section: type[Section] = Config) -> Iterator[type[Section]]:
    """A section and all that can stand in it."""
    yield section
    for field in section.model_fields.values():
        for inner in sections_in(field.annotation):
            yield from all_sections(inner)


def test_every_setting_says_whether_it_may_be_folded_and_whether_it_decides_bytes() -> None:
    """Every setting of a file has a complete declaration."""
    for section in all_sections():
        for field in section.model_fields.values():
            said = statement_of(field)
            assert said is not None
            assert (said.content is not None) == issubclass(section, ContentSection)


def test_a_new_setting_that_says_nothing_is_refused() -> None:
    """The import of a module fails if a setting has no declaration."""
    with pytest.raises(TypeError, match=r"Plain\.new: declare it with setting"):

        class Plain(Section):
            new: int = 1

    with pytest.raises(TypeError, match=r"WithField\.new: declare it with setting"):

        class WithField(Section):
            new: int = Field(1, description="help")

    with pytest.raises(TypeError, match=r"Silent\.new: a ContentSection must declare"):

        class Silent(ContentSection):
            new: int = setting(1, advanced=False)

    with pytest.raises(TypeError, match=r"Loud\.new: a ContentSection must declare"):

        class Loud(Section):
            new: int = setting(1, advanced=False, content=True)

    with pytest.raises(TypeError, match=r"Endless\.new: a number needs `le`"):

        class Endless(Section):
            new: int | None = setting(1, advanced=False, ge=0)


def test_where_and_when_to_write_is_no_content() -> None:
    """Buckets, part sizes, headers and settings without effect do not decide bytes."""
    given = AggregatedParameters.model_validate(
        {"mode": "aggregated", "bucket": "sink", "key": "k", "container": {"type": "parquet"}}
    )

    content = content_of(given)

    assert set(content) == {
        "mode",
        "aggregation",
        "container",
        "compression",
        "compression_level",
        "content_encoding",
        "key",
        "missing",
    }
    assert "write_old_list_structure" not in content["container"]
    assert set(content_of(DirectParameters(bucket="sink", key="k"))) == {"mode", "key", "content", "missing"}


def test_content_does_not_depend_on_spelling() -> None:
    """Different spellings, and values from the environment, give the same content."""

    def content(interval: object, size: object, line_end: str) -> object:
        data = {
            "mode": "aggregated",
            "bucket": "sink",
            "key": "k",
            "aggregation": {"time_interval": interval, "max_bytes": size},
            "container": {"type": "csv", "line_end": line_end},
        }
        return content_of(AggregatedParameters.model_validate(data, context={"environment": {"END": "crlf"}}))

    assert (
        content("1m", "1mb", "crlf") == content("60s", 1 << 20, "${END}") == content(60_000, "1024KB", "${NONE:-crlf}")
    )
    assert content("1m", "1mb", "crlf") != content("2m", "1mb", "crlf")


def test_content_makes_the_settings_again() -> None:
    """Settings that are read from a version's text beside the ledger are equal: numbers are seconds there."""
    given = AggregatedParameters.model_validate(
        {
            "mode": "aggregated",
            "bucket": "sink",
            "key": "k",
            "aggregation": {"time_interval": "90s"},
            "container": {"type": "csv", "null": "-"},
        }
    )

    again = from_content(AggregatedParameters, {**content_of(given), "bucket": "sink"})

    assert again == given
    assert content_of(again) == content_of(given)

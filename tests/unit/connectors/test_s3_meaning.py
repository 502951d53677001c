"""The meaning of S3's errors in words."""

from __future__ import annotations

import pytest

from pipeline.connectors.s3 import errors, meaning
from pipeline.connectors.s3.errors import classify


def test_every_code_that_is_told_apart_has_words() -> None:
    """Every known code says what happens now, or what to do."""
    told_apart = (
        errors.RENEW | errors._RETRY | errors._REFUSED.keys() | errors._REDIRECT | errors._PERSONS | errors._OF_BUCKETS
    )

    assert told_apart - meaning.CODES.keys() == set()


@pytest.mark.parametrize("words", sorted({*meaning.CODES.values(), *meaning.STATUSES.values()}))
def test_words_are_part_of_a_sentence(words: str) -> None:
    """The words are one line without a capital and without a full stop, as a part of a sentence."""
    assert words[0].islower()
    assert words[-1].isalnum() or words[-1] in "`)"
    assert "\n" not in words
    assert len(words) < 130


def test_a_bucket_that_is_not_there_is_said_in_words() -> None:
    """A HEAD without a body gives words for its status."""
    assert str(classify(404, "404", "Not Found", "http://s3: HEAD iot-data")) == (
        "http://s3: HEAD iot-data: there is no such bucket, or nothing under this key; check `bucket` of the action "
        "and `host` of the connector (404: Not Found)"
    )


def test_what_nothing_is_known_of_is_the_stores_own_words() -> None:
    """An unknown code of a store is shown unchanged."""
    assert str(classify(400, "XOdd", "odd", "PUT b/k")) == "PUT b/k: 400 XOdd: odd"
    assert str(classify(418, "", "", "PUT b/k")) == "PUT b/k: 418"

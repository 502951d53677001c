"""The meaning of S3's errors in words."""

from __future__ import annotations

import socket
import ssl

import pytest

from pipeline.connectors.s3 import errors, meaning
from pipeline.connectors.s3.errors import advice, classify, words_of
from pipeline.errors import RetryableError


def test_every_code_that_is_told_apart_has_words() -> None:
    """Every known code says what happens now, or what to do."""
    told_apart = (
        errors.RENEW | errors._RETRY | errors._REFUSED.keys() | errors._REDIRECT | errors._PERSONS | errors._OF_BUCKETS
    )

    assert told_apart - meaning.CODES.keys() == set()


@pytest.mark.parametrize(
    "words", sorted({*meaning.CODES.values(), *meaning.STATUSES.values(), *meaning.UNANSWERED.values()})
)
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


def test_the_bucket_that_a_request_was_about_is_named() -> None:
    """It says how to make the bucket. A missing key is something else."""
    for code, status in (("NoSuchBucket", 404), ("404", 404), ("", 404)):
        told = str(classify(status, code, "", "PUT b/k", "iot-data"))
        assert told.startswith("PUT b/k: there is no bucket iot-data; make it (`aws s3 mb s3://iot-data`), or check")
    assert "nothing under this key" in str(classify(404, "NoSuchKey", "", "GET b/k", "iot-data"))


@pytest.mark.parametrize(
    ("error", "tls", "words"),
    [
        (socket.gaierror(-2, "Name or service not known"), False, "check `host`"),
        (ConnectionRefusedError(111, "refused"), False, "whether the store is up"),
        (TimeoutError(), True, "firewalls"),
        (ssl.SSLError(1, "[SSL: WRONG_VERSION_NUMBER]"), True, "may speak no TLS"),
        (ssl.SSLCertVerificationError(1, "self-signed"), True, "cacertfile"),
        (RetryableError("the connection ended", reason="connection"), False, "may expect TLS"),
        (RetryableError("the connection ended", reason="connection"), True, ""),
        (OSError(101, "Network is unreachable"), True, ""),
    ],
    ids=lambda given: type(given).__name__ if isinstance(given, Exception) else None,
)
def test_a_request_without_an_answer_says_what_to_look_at(error: Exception, tls: bool, words: str) -> None:
    """Each names the setting; if nothing is known, the system's words stand alone."""
    told = advice(error, tls=tls)

    assert words in told
    assert bool(told) == bool(words)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (socket.gaierror(-2, "Name or service not known"), "Name or service not known"),
        (ConnectionRefusedError(111, "Connect call failed ('127.0.0.1', 7071)"), "Connection refused"),
        (ssl.SSLError(1, "[SSL: WRONG_VERSION_NUMBER] wrong version number (_ssl.c:1006)"), "wrong version number"),
        (TimeoutError(), "TimeoutError"),
        (RetryableError("the connection ended", reason="connection"), "the connection ended"),
    ],
)
def test_the_systems_words_come_without_its_numbers(error: Exception, words: str) -> None:
    """What Python adds to them helps nobody."""
    assert words_of(error) == words


@pytest.mark.parametrize(
    "body",
    [
        b"Client sent an HTTP request to an HTTPS server.\n",
        b"<title>400 The plain HTTP request was sent to HTTPS port</title>",
        b"You're speaking plain HTTP to an SSL-enabled server port.",
    ],
)
def test_a_port_that_expects_tls_is_known_by_its_words(body: bytes) -> None:
    """Go's, nginx's and Apache's answers to a request without TLS; an error of S3 is none of them."""
    assert meaning.wants_tls(body)
    assert not meaning.wants_tls(b"<Error><Code>InvalidRequest</Code></Error>")


def test_what_nothing_is_known_of_is_the_stores_own_words() -> None:
    """An unknown code of a store is shown unchanged."""
    assert str(classify(400, "XOdd", "odd", "PUT b/k")) == "PUT b/k: 400 XOdd: odd"
    assert str(classify(418, "", "", "PUT b/k")) == "PUT b/k: 418"

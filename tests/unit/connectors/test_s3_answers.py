"""Answers of HTTP/1.1 from their bytes: how long they are, what may follow, and what is refused."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from pipeline.connectors.s3.http.answers import ERROR_BYTES_MAX, HEAD_BYTES_MAX, Answer, AnswerReader
from pipeline.errors import RetryableError

OK = b"HTTP/1.1 200 OK\r\n"
EMPTY = OK + b"Content-Length: 0\r\n\r\n"


class Case(NamedTuple):
    """Bytes that are one whole answer."""

    received: bytes
    body: bytes
    status: int = 200
    method: str = "GET"
    is_reusable: bool = True


WHOLE = {
    "length": Case(OK + b"Content-Length: 3\r\n\r\nabc", b"abc"),
    "no content": Case(EMPTY, b""),
    "chunks": Case(OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1;x=y\r\nc\r\n0\r\n\r\n", b"abc"),
    "chunks and trailers": Case(
        OK + b"Transfer-Encoding: Chunked\r\n\r\n3\r\nabc\r\n0\r\nx-a: 1\r\nx-b: 2\r\n\r\n", b"abc"
    ),
    "204 that names a length": Case(b"HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n", b"", 204),
    "304": Case(b'HTTP/1.1 304 Not Modified\r\nETag: "e"\r\n\r\n', b"", 304),
    "HEAD": Case(OK + b"Content-Length: 5\r\n\r\n", b"", method="HEAD"),
    "HEAD of chunks": Case(OK + b"Transfer-Encoding: chunked\r\n\r\n", b"", method="HEAD"),
    "HEAD without a length": Case(OK + b"\r\n", b"", method="HEAD"),
    "HEAD that closes": Case(OK + b"Connection: close\r\n\r\n", b"", method="HEAD", is_reusable=False),
    "HEAD of HTTP/1.0": Case(b"HTTP/1.0 200 OK\r\n\r\n", b"", method="HEAD", is_reusable=False),
    "interim answers": Case(
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + OK + b"Content-Length: 1\r\n\r\na",
        b"a",
    ),
    "interim answers to HEAD": Case(b"HTTP/1.1 103 Early Hints\r\n\r\n" + EMPTY, b"", method="HEAD"),
    "an error": Case(b"HTTP/1.1 503 Slow Down\r\nContent-Length: 1\r\n\r\nx", b"x", 503),
    "no words after the status": Case(b"HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", b""),
    "a last answer": Case(OK + b"Content-Length: 1\r\nConnection: close\r\n\r\nx", b"x", is_reusable=False),
    "HTTP/1.0": Case(b"HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\nx", b"x", is_reusable=False),
    "HTTP/1.0 that stays": Case(
        b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 1\r\n\r\nx", b"x"
    ),
}  # fmt: skip


def read(answers: AnswerReader, pieces: list[bytes]) -> Answer | None:
    """Feed pieces. None of them but the last may give the answer."""
    *first, last = pieces
    assert [answers.feed(piece) for piece in first] == [None] * len(first)
    return answers.feed(last)


@pytest.mark.parametrize("name", WHOLE)
def test_an_answer_is_whole_exactly_at_its_end(name: str) -> None:
    """An answer in one piece, byte by byte, and in any two pieces is the same, and is not whole before its last byte."""
    case = WHOLE[name]
    cuts = [[case.received[:at], case.received[at:]] for at in range(1, len(case.received))]
    for pieces in ([case.received], [bytes([each]) for each in case.received], *cuts):
        answers = AnswerReader()
        for _ in range(2 if case.is_reusable else 1):  # a connection carries one after another
            answers.begin(case.method)
            answer = read(answers, pieces)

            assert answer is not None
            assert (answer.status, answer.body) == (case.status, case.body)
            assert answers.is_reusable == case.is_reusable


def test_names_of_headers_are_in_lower_case_and_equal_names_are_joined() -> None:
    """Values keep their characters; a trailer is not a header."""
    head = OK + 'ETag: "e"\r\nX-A: 1\r\nx-a:  2 \r\nX-Amz-Meta-N: größe\r\nTransfer-Encoding: chunked\r\n\r\n'.encode()
    answer = AnswerReader().feed(head + b"0\r\nX-A: 3\r\n\r\n")

    assert answer is not None
    expected = {"etag": '"e"', "x-a": "1, 2", "x-amz-meta-n": "größe", "transfer-encoding": "chunked"}
    assert answer.headers == expected


def test_an_answer_without_a_length_lasts_until_the_connection_ends() -> None:
    """Only its end makes it whole, and then the connection is not used again."""
    answers = AnswerReader()

    assert answers.feed(OK + b"\r\nab") is None
    assert answers.feed(b"c") is None
    assert answers.end().body == b"abc"
    assert not answers.is_reusable


@pytest.mark.parametrize(
    ("received", "words"),
    [
        (b"", "before an answer"),
        (b"HTTP/1.1 20", "in the middle"),
        (OK + b"ETag: e\r\n", "in the middle"),
        (OK + b"Content-Length: 3\r\n\r\nab", "in the middle"),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", "in the middle"),
        (b"HTTP/1.1 100 Continue\r\n\r\n", "in the middle"),
    ],
)
def test_an_end_too_early_is_an_error(received: bytes, words: str) -> None:
    """The error says whether anything of the answer has come, which decides whether the request may be sent again."""
    answers = AnswerReader()
    if received:
        assert answers.feed(received) is None

    with pytest.raises(RetryableError, match=words):
        answers.end()
    assert answers.has_begun == bool(received)


MALFORMED = {
    "another protocol": (b"SSH-2.0-OpenSSH_9.6\r\n", "SSH-2.0-OpenSSH_9.6"),
    "TLS": (b"\x15\x03\x01\x00\x02\x02\x46", "x15"),
    "another version": (b"HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n", "HTTP/2.0"),
    "a status that is no number": (b"HTTP/1.1 abc\r\n\r\n", "status"),
    "a status that does not exist": (b"HTTP/1.1 600 x\r\nContent-Length: 0\r\n\r\n", "status"),
    "a protocol that nobody asked for": (b"HTTP/1.1 101 x\r\nUpgrade: a\r\nConnection: upgrade\r\n\r\n", "101"),
    "a space in a name": (OK + b"A b: c\r\n\r\n", "header"),
    "a zero in a value": (OK + b"A: \x00\r\n\r\n", "header"),
    "lines without CR": (b"HTTP/1.1 200 OK\nContent-Length: 0\n\n", "CR"),
    "two lengths": (OK + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabc", "Content-Length"),
    "length and chunks": (OK + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "Content-Length"),
    "a negative length": (OK + b"Content-Length: -1\r\n\r\n", "Content-Length"),
    "an endless length": (OK + b"Content-Length: 99999999999999999999999\r\n\r\n", "Content-Length"),
    "another coding": (OK + b"Transfer-Encoding: gzip\r\n\r\nabc", "gzip"),
    "two codings": (OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", "gzip"),
    "a size of a chunk that is no number": (OK + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n", "chunk size"),
    "a longer chunk than it says": (OK + b"Transfer-Encoding: chunked\r\n\r\n1\r\nabc", "chunk"),
    "an endless header": (OK + b"A: " + b"x" * HEAD_BYTES_MAX, "bytes without content"),
    "endless headers": (OK + b"A: x\r\n" * HEAD_BYTES_MAX, "bytes without content"),
    "endless interim answers": (b"HTTP/1.1 102 Wait\r\n\r\n" * HEAD_BYTES_MAX, "bytes without content"),
    "an endless trailer": (
        OK + b"Transfer-Encoding: chunked\r\n\r\n0\r\nA: " + b"x" * HEAD_BYTES_MAX,
        "bytes without content",
    ),
    "an endless error": (
        b"HTTP/1.1 500 x\r\nContent-Length: 9999999\r\n\r\n" + b"x" * (ERROR_BYTES_MAX + 1),
        "bytes of an error",
    ),
}


@pytest.mark.parametrize("name", MALFORMED)
def test_what_is_no_answer_is_refused_in_words(name: str) -> None:
    """The error shows the first line and the reason, in any pieces, and nothing is given as an answer."""
    received, words = MALFORMED[name]
    sizes = (len(received), 1000) if len(received) > HEAD_BYTES_MAX else (len(received), 7, 1)
    for size in sizes:
        answers = AnswerReader()
        with pytest.raises(RetryableError, match=r"expected an answer in HTTP/1\.1, found") as caught:
            assert not any(answers.feed(received[start : start + size]) for start in range(0, len(received), size))
        assert len(str(caught.value)) < 250
        assert words in str(caught.value) or size < len(received)  # the first line may not have come


def test_a_refusal_shows_no_header() -> None:
    """A server that sends a request back does not make us print what it held."""
    with pytest.raises(RetryableError) as caught:
        AnswerReader().feed(b"PUT /b/k HTTP/1.1\r\nx-auth-token: sesame\r\n\r\n")

    assert "PUT /b/k" in str(caught.value)
    assert "sesame" not in str(caught.value)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("rest", [b"x", EMPTY, b"HTTP/1.1 2", b"\r\n\r\nabc"])
def test_a_connection_with_more_than_the_answer_is_not_used_again(method: str, rest: bytes) -> None:
    """The answer counts; what follows might be taken for the answer to the next request."""
    answers = AnswerReader()
    answers.begin(method)
    answer = answers.feed(EMPTY + rest)

    assert answer is not None
    assert answer.status == 200
    assert not answers.is_reusable


def test_large_content_comes_in_any_number_of_pieces() -> None:
    """Content has no limit of its own, and the limit of headers does not count it."""
    body = bytes(range(256)) * 4096
    received = OK + b"Content-Length: %d\r\n\r\n" % len(body) + body
    answer = read(AnswerReader(), [received[at : at + 1500] for at in range(0, len(received), 1500)])

    assert answer is not None
    assert answer.body == body

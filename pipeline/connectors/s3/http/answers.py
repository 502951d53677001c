"""Reads the answers on one connection from its bytes, without I/O.

llhttp, through httptools, is the parser. It is strict, and costs 2 µs an answer; h11 costs 41. What it leaves to its callers is
here: a connection that ends, HEAD, limits, and what is refused.

Source: RFC 9112 (HTTP/1.1), section 6.3 for the length of an answer, and RFC 9110, section 15.2 for interim answers.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Final, NamedTuple

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

from pipeline.errors import RetryableError

# Bytes that are not content: status line, headers, interim answers, trailers. S3 allows 8 KB of headers.
HEAD_BYTES_MAX: Final = 1 << 16
# The content of an answer that is an error. Only its document is of use, and S3's has less than a kilobyte.
ERROR_BYTES_MAX: Final = 1 << 20
_END_OF_HEAD: Final = b"\r\n\r\n"
_WITHOUT_CONTENT: Final = {204, 304}
_SHOWN_BYTES: Final = 80


class Answer(NamedTuple):
    """The answer to one request. Names of headers are in lower case; values of equal names are joined by a comma."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@lru_cache(maxsize=64)
def _lower(name: bytes) -> str:
    """The name of a header. A store sends the same few with each answer."""
    return name.decode("ascii").lower()


class AnswerReader:
    """The answers on one connection, in the order of the requests.

    Call `begin` for each request, and then `feed` until it returns the answer. All methods raise RetryableError, whose text
    says what was expected and found. Then, or if `is_reusable` is false, the connection has to be closed.
    """

    def __init__(self) -> None:
        self._parser = HttpResponseParser(self)
        self.begin("GET")

    def begin(self, method: str) -> None:
        """Expect the answer to a request with this method."""
        self.is_reusable = False
        self.may_continue = False  # whether the server has asked for the content of the request
        self.has_begun = False  # whether any byte of the answer has come
        self._is_head = method == "HEAD"
        self._first = b""
        self._head_bytes = 0
        self._status = 0
        self._answer: Answer | None = None
        self._is_until_end = False
        self._interim = 0  # interim answers in the bytes that are being read
        self._tail = b""  # the last bytes before them

    def feed(self, data: bytes) -> Answer | None:
        """Read what came. Returns the answer if it is whole."""
        if not self.has_begun:
            self.has_begun = True
            self._first = data[:_SHOWN_BYTES]
        self._head_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except (HttpParserError, HttpParserUpgrade) as error:
            if self._answer is None:
                raise self._refusal(error) from None
            if self._is_head:
                self._parser = HttpResponseParser(self)
                self.is_reusable &= self._is_all(data)
            else:  # what follows the answer is not one
                self.is_reusable = False
        self._interim = 0
        if self._is_head:
            self._tail = (self._tail + data)[-3:]
        if self._answer is None and self._head_bytes > HEAD_BYTES_MAX:
            raise self._refusal(f"more than {HEAD_BYTES_MAX} bytes without content")
        return self._answer

    def end(self) -> Answer:
        """The answer that the end of the connection completes."""
        if self._is_until_end:
            return Answer(self._status, self._headers, b"".join(self._pieces))
        place = "in the middle of the answer" if self.has_begun else "before an answer"
        raise RetryableError(f"the connection ended {place}", reason="connection")

    def _is_all(self, data: bytes) -> bool:
        """Whether headers end these bytes, and nothing follows them. The parser does not say where it stopped."""
        seen = self._tail + data
        return seen.endswith(_END_OF_HEAD) and seen.count(_END_OF_HEAD) == self._interim + 1

    def _refusal(self, reason: Exception | str) -> RetryableError:
        """The error for bytes that are not an answer. It shows the first line alone, because headers may repeat a secret."""
        if isinstance(reason, HttpParserUpgrade):
            reason = "101 was not asked for"
        elif isinstance(reason, Exception) and isinstance(reason.__context__, ValueError):
            reason = reason.__context__
        line = self._first.split(b"\n")[0].rstrip().decode("ascii", "replace")
        return RetryableError(f"expected an answer in HTTP/1.1, found {line!a}: {reason}", reason="connection")

    # The parser calls these. What they raise stops it.

    def on_message_begin(self) -> None:
        """An answer begins, or something else where nothing was expected."""
        self._headers: dict[str, str] = {}
        self._pieces: list[bytes] = []
        self._content_bytes = 0
        self._status = 0
        if self._answer is not None:
            self.is_reusable = False

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header, or a trailer, which nobody needs."""
        if self._status:
            return
        known, text = _lower(name), value.decode("utf-8", "surrogateescape").strip()
        self._headers[known] = f"{self._headers[known]}, {text}" if known in self._headers else text

    def on_headers_complete(self) -> None:
        """The headers are whole: they decide how long the answer is."""
        self._status = status = self._parser.get_status_code()
        if self._parser.get_http_version() not in {"1.1", "1.0"} or not 100 <= status < 600:
            raise ValueError("this version or status does not exist")
        headers = self._headers
        coding = headers.get("transfer-encoding", "chunked")
        if coding.lower() != "chunked":
            raise ValueError(f"expected the transfer coding chunked, found {coding[:_SHOWN_BYTES]!a}")
        if status < 200:
            self.may_continue |= status == 100
        elif self._is_head:
            options = headers.get("connection", "").lower()
            kept = "keep-alive" if self._parser.get_http_version() == "1.0" else ""
            self.is_reusable = kept in options and "close" not in options
            self._answer = Answer(status, headers, b"")
            raise ValueError("ends here, whatever length its headers name")  # it stops the parser
        elif status not in _WITHOUT_CONTENT:
            self._is_until_end = "content-length" not in headers and "transfer-encoding" not in headers

    def on_body(self, piece: bytes) -> None:
        """A piece of the content."""
        self._head_bytes = 0
        self._content_bytes += len(piece)
        if self._status >= 300 and self._content_bytes > ERROR_BYTES_MAX:
            raise ValueError(f"more than {ERROR_BYTES_MAX} bytes of an error")
        self._pieces.append(piece)

    def on_message_complete(self) -> None:
        """The answer is whole, or it was an interim one."""
        if self._status < 200:
            self._interim += 1
        elif self._answer is None:
            self.is_reusable = self._parser.should_keep_alive()
            self._answer = Answer(self._status, self._headers, b"".join(self._pieces))

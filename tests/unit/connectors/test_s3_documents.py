"""XML from a store, or from another program that answers instead, is understood, and no bytes raise."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.connectors.s3.documents import DOCUMENT_BYTES_MAX, completion, read
from pipeline.connectors.s3.errors import describe

ERROR = b"<Error><Code>AccessDenied</Code><Message>a &amp; b &lt;c&gt; &#x2713;</Message><Region>eu</Region></Error>"
BOMB = b"""<?xml version="1.0"?><!DOCTYPE b [<!ENTITY a "aaaaaaaaaa">%s]><Error><Code>&z;</Code></Error>""" % b"".join(
    b'<!ENTITY %c "%s">' % (name, b"&%c;" % (name - 1) * 10) for name in range(ord("b"), ord("z") + 1)
)


@pytest.mark.parametrize(
    "document",
    [
        ERROR,
        b'<?xml version="1.0" encoding="UTF-8"?>\n' + ERROR,
        b"<Error>\n  <Code>\n AccessDenied </Code><Message><![CDATA[a & b <c> \xe2\x9c\x93]]></Message>"
        b"<Region>eu</Region></Error>",
        ERROR.replace(b"<Error>", b'<Error xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'),
        ERROR.replace(b"</", b"</s3:").replace(b"<", b"<s3:").replace(b"<s3:/s3:", b"</s3:"),
        ERROR.replace(b"</Error>", b"<Detail><Code>inner</Code></Detail><Code>second</Code></Error>"),
        ERROR.decode().replace("&#x2713;", "✓").encode("utf-16"),
        b"\xef\xbb\xbf" + ERROR,
    ],
    ids=["plain", "declared", "cdata", "namespace", "prefix", "more", "utf-16", "byte order mark"],
)
def test_an_error_is_understood_however_it_is_written(document: bytes) -> None:
    """An error document may use references, CDATA, prefixes, encodings and white space."""
    assert describe(document) == ("AccessDenied", "a & b <c> ✓", "eu")


@pytest.mark.parametrize(
    "document",
    [
        b"",
        b"no XML at all",
        b"<html><body>Bad gateway</body></html>",
        b"\x00\xff\xfe" * 100,
        BOMB,
        b'<!DOCTYPE Error SYSTEM "file:///etc/passwd">' + ERROR,
        b'<!DOCTYPE e [<!ENTITY x SYSTEM "file:///etc/passwd">]><Error><Code>&x;</Code></Error>',
        b'<?xml version="1.0" encoding="no-such"?>' + ERROR,
        b"<a>" * 100_000,
        b"<CompleteMultipartUploadResult><ETag>e</ETag></CompleteMultipartUploadResult>",
    ],
    ids=["empty", "text", "html", "binary", "bomb", "dtd", "external", "encoding", "deep", "another document"],
)
def test_what_is_not_an_error_document_says_nothing(document: bytes) -> None:
    """Another document gives no code, does not raise, takes little time and opens no file."""
    began = time.process_time()

    assert describe(document) == ("", "", "")
    assert time.process_time() - began < 1


def test_a_document_that_breaks_off_says_what_came_before() -> None:
    """A truncated error document gives the code that came before its end."""
    assert describe(ERROR[:60]) == ("AccessDenied", "", "")


def test_a_huge_document_is_read_to_a_limit() -> None:
    """A document has a bounded number of elements."""
    document = b"<r>" + b"<k>v</k>" * (DOCUMENT_BYTES_MAX // 4) + b"</r>"

    found = read(document)
    assert len(found.texts) <= DOCUMENT_BYTES_MAX // 8
    assert not found.is_whole


@given(st.one_of(st.binary(max_size=200), st.text("<>&;/!?[]CDATA x\"'=", max_size=200).map(str.encode)))
def test_no_bytes_raise(noise: bytes) -> None:
    """No bytes raise, also not inside an element."""
    describe(noise)
    describe(b"<Error><Code>" + noise + b"</Code></Error>")


@given(st.lists(st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1), max_size=5))
def test_the_document_that_completes_an_upload_is_xml(tags: list[str]) -> None:
    """Any ETag of a store goes back to the store unchanged."""
    found = read(completion(tags))

    assert found.is_whole
    assert [each["ETag"] for each in found.elements("Part")] == tags
    assert [each["PartNumber"] for each in found.elements("Part")] == [str(n + 1) for n in range(len(tags))]


def test_the_first_element_of_a_name_counts() -> None:
    """The first element of a name counts, and a missing one is empty."""
    document = b"<Result><UploadId>a&amp;b</UploadId><UploadId>c</UploadId></Result>"

    assert read(document).text("UploadId") == "a&b"
    assert read(document).text("Key") == ""

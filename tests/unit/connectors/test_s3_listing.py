"""A page of a listing holds what the store sent, and an incomplete page is never taken for a whole one."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from pipeline.connectors.s3.listing import UploadPage, keys_of, keys_query, uploads_of
from pipeline.errors import RetryableError

NAMESPACE = 'xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'
KEYS = f"""<?xml version="1.0" encoding="UTF-8"?>
<ListBucketResult {NAMESPACE}><Name>b</Name>%s<IsTruncated>%s</IsTruncated>
<Contents><Key>a+b%%2Bc/%%E2%%98%%83</Key><Size>1</Size></Contents><Contents><Key> x </Key></Contents></ListBucketResult>"""
UPLOADS = f"""<ListMultipartUploadsResult {NAMESPACE}><EncodingType>url</EncodingType>
<KeyMarker/><NextKeyMarker>b%%2Bc</NextKeyMarker><NextUploadIdMarker>2</NextUploadIdMarker><IsTruncated>%s</IsTruncated>
<Upload><Key>a%%20b</Key><UploadId>1</UploadId><Initiator><ID>x</ID></Initiator><Initiated>2026-01-31T08:00:00.000Z</Initiated></Upload>
</ListMultipartUploadsResult>"""


def test_keys_are_as_they_were_put() -> None:
    """Keys are decoded only if the store says that it encoded them, and spaces around a key stay."""
    encoded = (KEYS % ("<EncodingType>url</EncodingType>", "true")).encode()
    plain = (KEYS % ("", "false")).encode()

    assert keys_of(encoded) == (["a b+c/☃", " x "], True)
    assert keys_of(plain) == (["a+b%2Bc/%E2%98%83", " x "], False)


def test_the_query_asks_for_what_sorts_after_a_key() -> None:
    """Without a key, the query names no beginning."""
    assert keys_query("p/", "", 1000) == {
        "list-type": "2", "encoding-type": "url", "max-keys": "1000", "prefix": "p/",
    }  # fmt: skip
    assert keys_query("p/", "p/k", 1)["start-after"] == "p/k"


def test_uploads_are_listed_page_by_page() -> None:
    """Each upload has key, id and begin, and a page gives the query of the next page."""
    page = uploads_of((UPLOADS % "true").encode())
    last = uploads_of((UPLOADS % "false").encode())

    assert [tuple(each) for each in page.uploads] == [("a b", "1", datetime(2026, 1, 31, 8, tzinfo=UTC))]
    assert page.following == {"key-marker": "b+c", "upload-id-marker": "2"}
    assert last == UploadPage(page.uploads, None)


@pytest.mark.parametrize(
    "document",
    [
        b'<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]><ListBucketResult><Prefix>&b;</Prefix></ListBucketResult>',
        b"",
        b"<html><body>proxy</body></html>",
        (KEYS % ("", "false")).encode()[:-30],
        b"<Error><Code>SlowDown</Code></Error>",
        b'<?xml version="1.0" encoding="none-such"?><ListBucketResult/>',
        (KEYS % ("", "")).encode(),
        (KEYS % ("", "false")).replace("<IsTruncated>false</IsTruncated>", "").encode(),
        (KEYS % ("", "false")).encode() + b"<",
        b'<!DOCTYPE a [<!ENTITY e "x">]><ListBucketResult><Contents><Key>&e;</Key></Contents></ListBucketResult><',
    ],
    ids=[
        "document type",
        "empty",
        "html",
        "cut",
        "error",
        "encoding",
        "no end",
        "no word of an end",
        "broken",
        "more behind",
    ],
)
def test_what_is_not_a_whole_page_is_an_error(document: bytes) -> None:
    """An incomplete page is an error and is requested again, because a short page would end the listing."""
    with pytest.raises(RetryableError, match="expected a"):
        keys_of(document)


def test_a_time_that_is_none_is_an_error() -> None:
    """A broken time is an error, because the time decides which uploads are swept."""
    with pytest.raises(RetryableError, match="Initiated"):
        uploads_of((UPLOADS % "false").replace("2026-01-31T08:00:00.000Z", "yesterday").encode())

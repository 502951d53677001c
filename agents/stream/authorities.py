"""Imports Faust's HTTP client without the certificate authorities of this machine.

During its import, aiohttp reads the machine's file of authorities twice, for its default contexts. This takes a twentieth of a
worker's start. Nobody makes requests with these contexts, so they stay empty: such a request would trust no server.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

_PLACES: Final = ("SSL_CERT_FILE", "SSL_CERT_DIR")  # where OpenSSL looks for authorities


@contextmanager
def _without_authorities() -> Iterator[None]:
    before = {name: os.environ.get(name) for name in _PLACES}
    os.environ.update(dict.fromkeys(_PLACES, os.devnull))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


with _without_authorities():
    import aiohttp  # noqa: F401 - before Faust does

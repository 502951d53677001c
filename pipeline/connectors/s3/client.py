"""The HTTP client, imported without the authorities of this machine.

aiohttp reads the machine's file of authorities twice when it is imported, for contexts that a caller may leave to it. That is a
twentieth of a worker's start. Each connector has a context of its own (tls.py), so aiohttp's contexts stay empty here: a request
without a context of ours would trust nobody.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

__all__ = ["aiohttp"]

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
    import aiohttp

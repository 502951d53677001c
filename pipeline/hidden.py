"""The secrets that this process knows, so that its output never shows one.

A secret is remembered when it is read, and a setting that can hold one when it is loaded. Errors of libraries and
servers quote their input in unknown forms. So the value itself is searched for, in all forms that it may take. A value
that is too short to differ from other words is found only by its name (pipeline/log.py).
"""

from __future__ import annotations

import json
import re
from base64 import b64encode, urlsafe_b64encode
from typing import Final
from urllib.parse import quote, quote_plus

REDACTED: Final = "[redacted]"
LENGTH_MIN: Final = 8
SECRETS_MAX: Final = 1_000

# Secrets that this process does not know, found by the text before them: temporary credentials, signatures, tokens,
# private keys.
_FORMS: Final = (
    (re.compile(r"(?<=://)[^/\s:@]*:[^/\s@]*(?=@)"), REDACTED),
    (re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL), REDACTED),
    (re.compile(r"(?i)(authorization['\"]?\s*[:=]\s*['\"]?)(?:b['\"])?[^\r\n'\"]+"), rf"\1{REDACTED}"),
    (
        re.compile(
            r"(?i)((?:x-amz-security-token|x-amz-signature|session_?token|signature)(?:['\"]?\s*[:=>]\s*(?:b?['\"])?))"
            r"[^\s'\"&<>,;}]+"
        ),
        rf"\1{REDACTED}",
    ),
    (
        # A setting, a colon and a space begin our own messages about that setting.
        re.compile(
            r"(?i)((?:secret_?(?:access_?)?key|sasl\.password|client_?secret|passw(?:or)?d)"
            r"(?:['\"]?\s*(?:[=>]\s*|:(?!\s)|:\s*(?=b?['\"]))(?:b?['\"])?))[^\s'\"&<>,;}]+"
        ),
        rf"\1{REDACTED}",
    ),
)
_secrets: dict[str, None] = {}


def hide(secret: str) -> None:
    """Remember a secret, in all the forms in which it may be printed."""
    for part in {secret, *secret.splitlines()}:
        if len(part.strip()) >= LENGTH_MIN and len(_secrets) < SECRETS_MAX * 8:
            _secrets.update(dict.fromkeys(forms_of(part.strip())))


def forms_of(secret: str) -> list[str]:
    """A secret unchanged, in JSON, in Python's repr, in a URL and in base64, the longest first."""
    data = secret.encode("utf-8", "surrogatepass")
    encoded = (b64encode(data), urlsafe_b64encode(data))
    forms = {
        secret,
        json.dumps(secret)[1:-1],
        repr(secret)[1:-1],
        quote(secret, safe="", errors="replace"),
        quote_plus(secret, errors="replace"),
        *(each.decode().rstrip("=") for each in encoded),
    }
    return sorted(forms, key=len, reverse=True)


def without_secrets(text: str) -> str:
    """A text with `[redacted]` in the place of each secret."""
    for secret in sorted(_secrets, key=len, reverse=True):
        if secret in text:
            text = text.replace(secret, REDACTED)
    for form, instead in _FORMS:
        text = form.sub(instead, text)
    return text

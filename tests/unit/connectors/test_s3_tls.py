"""TLS settings of an S3 connector."""

from __future__ import annotations

import ssl
from typing import Any

import pytest

from pipeline.config import S3Connector
from pipeline.config.tls import S3Tls
from pipeline.connectors.s3.tls import context_of
from pipeline.errors import ConfigError


def test_all_tls_settings_of_emqx_are_accepted() -> None:
    """All TLS settings that EMQX exports are accepted, and the help of a setting without effect says so."""
    exported = {
        "enable": True, "verify": "verify_peer", "cacertfile": "", "certfile": "", "keyfile": "", "password": "",
        "depth": 10, "versions": ["tlsv1.3", "tlsv1.2"], "ciphers": [], "secure_renegotiate": True,
        "reuse_sessions": False, "user_lookup_fun": "emqx_tls_psk:lookup", "log_level": "notice",
        "hibernate_after": "5s", "server_name_indication": "", "partial_chain": False,
        "verify_peer_ext_key_usage": False, "middlebox_comp_mode": True,
    }  # fmt: skip
    tls = S3Connector.model_validate({"host": "h", "transport_options": {"ssl": exported}}).transport_options.ssl

    assert tls.cacertfile is tls.certfile is tls.server_name_indication is None
    with_effect = {
        name
        for name, field in type(tls).model_fields.items()
        if not (field.description or "").startswith("Without effect")
    }
    assert with_effect == {
        "enable", "verify", "cacertfile", "certfile", "keyfile", "password", "versions", "ciphers",
        "server_name_indication", "partial_chain",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"cacertfile": "/nowhere.pem"}, "ssl.cacertfile: bad_ssl_config: cannot use /nowhere.pem: No such file"),
        ({"cacertfile": "-----BEGIN CERTIFICATE-----"}, "ssl.cacertfile: bad_ssl_config: cannot use the PEM text"),
        ({"certfile": "/no.pem", "keyfile": "/no.key"}, "ssl.certfile: bad_ssl_config: cannot use /no.pem"),
        ({"ciphers": "NOT-A-CIPHER"}, "ssl.ciphers: bad_ssl_config: cannot use NOT-A-CIPHER"),
    ],
)
def test_a_tls_setting_that_cannot_be_used_is_named(settings: dict[str, Any], said: str) -> None:
    """Opening a connector names a bad TLS setting, even if the store is away."""
    with pytest.raises(ConfigError, match=said):
        context_of(S3Tls.model_validate(settings))


def test_ciphers_and_versions_are_those_of_the_settings() -> None:
    """A text with commas or colons is read as a list."""
    context = context_of(S3Tls.model_validate({"ciphers": "ECDHE-RSA-AES128-GCM-SHA256", "versions": ["tlsv1.2"]}))

    assert isinstance(context, ssl.SSLContext)
    assert context.maximum_version == ssl.TLSVersion.TLSv1_2
    assert [each["name"] for each in context.get_ciphers() if each["protocol"] != "TLSv1.3"] == [
        "ECDHE-RSA-AES128-GCM-SHA256"
    ]

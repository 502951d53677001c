"""The section `kafka`: what each login needs, and who a client says that it is."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pipeline.config import KafkaConfig, parse
from pipeline.errors import ConfigError


def parsed(**kafka: Any) -> KafkaConfig:
    settings = {"pipeline": "plant", "kafka": {"bootstrap_servers": "k:9092", **kafka}}
    return parse(json.dumps(settings), environment={}).kafka


@pytest.mark.parametrize(
    ("login", "said"),
    [
        ({"mechanism": "plain", "username": "u"}, "expected password with plain"),
        ({"mechanism": "scram_sha_512"}, "expected username and password with scram_sha_512"),
        ({"mechanism": "oauth"}, r"expected endpoint_uri and client_id and client_secret \(or token\) with oauth"),
        ({"mechanism": "kerberos", "kerberos_principal": "p"}, "expected kerberos_keytab_file with kerberos"),
        ({"mechanism": "msk_iam", "username": "u"}, "expected no username with msk_iam"),
        ({"mechanism": "oauth", "token": "t", "client_id": "c"}, "expected no client_id with oauth with a token"),
        ({"mechanism": "SCRAM-SHA-512"}, "expected 'plain', 'scram_sha_256', .* or 'kerberos', found 'SCRAM-SHA-512'"),
        ({"mechanism": "oauth", "endpoint_uri": "ftp://x", "client_id": "c", "client_secret": "s"}, "endpoint_uri"),
    ],
)
def test_what_a_login_needs(login: dict[str, Any], said: str) -> None:
    """A login that lacks something, or has what has no effect, is refused with the names."""
    with pytest.raises(ConfigError, match=said):
        parsed(authentication=login)


def test_amazons_login_needs_tls_and_a_region() -> None:
    """The region is that of the host names unless it is set."""
    login, host = {"mechanism": "msk_iam"}, "b-1.plant.kafka.eu-west-1.amazonaws.com:9098"

    assert parsed(authentication=login, ssl={"enable": True}, bootstrap_servers=host).region == "eu-west-1"
    assert parsed(authentication={**login, "region": "us-east-1"}, ssl={"enable": True}).region == "us-east-1"
    with pytest.raises(ConfigError, match=r"kafka.*ssl\.enable: expected true"):
        parsed(authentication=login, bootstrap_servers=host)
    with pytest.raises(ConfigError, match=r"kafka.*authentication\.region: expected a region"):
        parsed(authentication=login, ssl={"enable": True})


def test_certificate_and_key_come_together() -> None:
    """One of them alone is refused; a blank one is none."""
    with pytest.raises(ConfigError, match="expected certfile and keyfile together"):
        parsed(ssl={"enable": True, "certfile": "/c.pem"})

    assert parsed(ssl={"enable": True, "certfile": "", "keyfile": ""}).ssl.certfile is None


def test_a_client_names_pipeline_process_and_action() -> None:
    """Kafka's logs and quotas show who asks."""
    assert parsed().client_id("worker", "raw") == "tidegate-plant-worker-raw"
    assert parsed().client_id("ingress") == "tidegate-plant-ingress"

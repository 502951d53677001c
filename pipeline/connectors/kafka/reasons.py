"""librdkafka's reasons in our words: each names the setting that a person has to look at. Pure."""

from __future__ import annotations

import re
from typing import Final

from confluent_kafka import KafkaError

# Parts of librdkafka's reasons that nobody needs: the broker, the time of the attempt, the number of equal errors.
_NOISE: Final = re.compile(
    r"^(?:[a-z_]+://)?\S+?/\S+: |^\S+?: (?=Connect to|Failed to resolve)|(?<=Connect to )ipv[46]#"
    r"| \(after \d+ms in state .*\)$|^[A-Z]+ worker coordinator request failed: "
)
# The first that is found in a reason tells it.
_WORDS: Final = (
    (r"SASL authentication error: (?P<told>.*)", "it refuses the login: {told} ({login})"),
    (
        r"mechanism handshake failed: .*?supported mechanisms: *(?P<told>.*)",
        "it does not take the mechanism there, and offers: {told} (kafka.authentication.mechanism)",
    ),
    (
        r"Failed to acquire (?:idempotence|transactional) PID.*Cluster authorization failed",
        "the user of `kafka` needs WRITE on the topics that it writes to, and before Kafka 2.8 IDEMPOTENT_WRITE on the cluster"
        " (kafka.authentication)",
    ),
    (r"Failed to acquire SASL OAUTHBEARER token: (?P<told>.*)", "{told}"),
    (
        r"certificate verify failed",
        "its certificate is not accepted (kafka.ssl.cacertfile, or the host in kafka.bootstrap_servers)",
    ),
    (r"connecting to a PLAINTEXT broker listener", "it does not speak TLS there (kafka.ssl.enable)"),
    (r"connecting to a SSL listener", "it closes the connection, as where it expects TLS (kafka.ssl.enable)"),
    (
        r"alert (?P<told>(?:bad |unknown |unsupported |expired |revoked )?certificate[a-z ]*|unknown ca|handshake failure)",
        "it does not accept our certificate: {told} (kafka.ssl.certfile)",
    ),
    (
        r"No provider for SASL mechanism GSSAPI",
        "kerberos needs librdkafka with libsasl2: pip install --no-binary confluent-kafka confluent-kafka"
        " (kafka.authentication.mechanism)",
    ),
)
_SEARCHED: Final = tuple((re.compile(pattern, re.DOTALL), words) for pattern, words in _WORDS)

# What the user lacks. Kafka knows the user, and forbids the operation.
_MISSING: Final = {
    KafkaError.TOPIC_AUTHORIZATION_FAILED: "the user of `kafka` needs DESCRIBE, and READ or WRITE, on the topic",
    KafkaError.GROUP_AUTHORIZATION_FAILED: "the user of `kafka` needs READ on the consumer group",
    KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED: "the user of `kafka` needs DESCRIBE and WRITE on the transactional id",
    KafkaError.CLUSTER_AUTHORIZATION_FAILED: "the user of `kafka` needs CREATE on the topic or on the cluster",
}


def reason_of(error: KafkaError, login: str = "kafka.authentication") -> str:
    """Why something failed, without the name of the broker and of the attempt. `login`: the settings of the login."""
    text = _NOISE.sub("", _NOISE.sub("", error.str()))
    for pattern, words in _SEARCHED:
        if found := pattern.search(text):
            return words.format(told=found.groupdict().get("told") or "nothing", login=login)
    missing = _MISSING.get(error.code())
    return f"{text}: {missing} (kafka.authentication)" if missing else text

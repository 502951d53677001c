"""Checks an MQTT source: whether the broker accepts the login, and whether it queues messages while the ingress is
away.

The second check uses its own session. A broker drops messages beyond its limit, although their publishers have their
acknowledgements. The ingress could never notice that later.
"""

from __future__ import annotations

import secrets
from contextlib import suppress
from typing import Final

from pipeline.config.sources import MqttSource
from pipeline.doctor import Check
from pipeline.doctor.visit import Visit
from pipeline.errors import ConnectorError

PROBE_MESSAGES: Final = (
    1200  # more than the 1,000 that mosquitto and EMQX keep by default, and mosquitto's 20 in flight
)
PROBE_EXPIRY_SECONDS: Final = 300.0  # then a session of a killed doctor ends by itself
SILENCE_SECONDS: Final = 3.0
TOPIC: Final = "tidegate/doctor/"
QUEUE_ADVICE: Final = (
    "mosquitto: max_queued_messages 0 (default 1000) and no max_queued_bytes; EMQX: mqtt.max_mqueue_len = infinity"
    " (default"
    " 1000); else what is published while the ingress is away is lost"
)


def check(name: str, source: MqttSource) -> tuple[list[Check], int | None]:
    """The checks, and the largest packet that the broker accepts from clients, if it names one."""
    first, packet_bytes_max = _connection(f"mqtt:{name} connection", source)
    second = f"mqtt:{name} queue"
    if first.state == "bad":
        return [first, Check(second, "skipped", "no connection")], None
    if source.qos == 0:
        return [first, Check(second, "skipped", "qos: 0, for which brokers queue nothing")], packet_bytes_max
    return [first, _queue(second, source)], packet_bytes_max


def _connection(name: str, source: MqttSource) -> tuple[Check, int | None]:
    expiry_wanted = source.session_expiry if source.protocol == "5" else 0.0  # MQTT 3.1.1 has no session expiry
    try:
        with Visit(source, _clientid(), session_expiry_seconds=expiry_wanted) as visit:
            visit.forget()
    except ConnectorError as error:
        advice = "check server, ssl, transport, username and password, and whether the broker is up"
        return Check(name, "bad", str(error), "a CONNACK that lets us in", advice), None
    told = visit.told
    packet_bytes_max = told.get("MaximumPacketSize")
    expiry = told.get("SessionExpiryInterval", source.session_expiry)
    shared = [each for each in source.topics if each.startswith("$share/")]
    if shared and told.get("SharedSubscriptionAvailable") == 0:
        found = f"{source.server} has no shared subscriptions"
        return Check(name, "bad", found, f"them, for {shared[0]}", "use standby, or disjoint topics"), packet_bytes_max
    if expiry < source.session_expiry:
        found = f"{source.server} keeps a session for {expiry:g} s"
        advice = "raise the broker's limit: what is published after a longer absence is lost"
        return Check(name, "warn", found, f"{source.session_expiry:g} s (session_expiry)", advice), packet_bytes_max
    if source.qos and not source.session_expiry:
        advice = "set session_expiry: what is published while we are away is lost"
        return Check(name, "warn", "session_expiry is 0", "a session that outlives us", advice), packet_bytes_max
    return Check(name, "ok", f"{source.server} lets us in ({_way(source)})"), packet_bytes_max


def _queue(name: str, source: MqttSource) -> Check:
    """Subscribe, leave, have messages published, come back and count."""
    clientid = _clientid()
    topic = TOPIC + clientid.rpartition("-")[2]
    try:
        return _probe(name, source, clientid, topic)
    except ConnectorError as error:
        return Check(
            name, "warn", f"the probe was cut short: {error}", advice="run it again; nothing is known about the queue"
        )
    finally:
        with suppress(ConnectorError), Visit(source, clientid, session_expiry_seconds=0):
            pass


def _probe(name: str, source: MqttSource, clientid: str, topic: str) -> Check:
    payloads = [b"%d" % number for number in range(PROBE_MESSAGES)]
    with Visit(source, clientid, session_expiry_seconds=PROBE_EXPIRY_SECONDS) as visit:
        granted = visit.subscribe(topic)
        if granted.is_failure:
            return _forbidden(name, f"the broker refuses to let us subscribe to {topic}: {granted}")
        if granted.value == 0:
            advice = "let the broker allow QoS 1: at QoS 0 it neither waits for Kafka nor queues for us"
            return Check(name, "bad", "the broker grants QoS 0", "QoS 1", advice)
        try:
            refused = visit.publish(topic, [b"first"])
            arrived = not refused and visit.collect(topic, 1, silence_seconds=SILENCE_SECONDS)
            why = refused[0] if refused else "it does not arrive"
        except ConnectorError as error:  # a broker refuses a publisher of MQTT 3.1.1 in this way
            arrived, why = False, str(error)
        if not arrived:
            return _forbidden(name, f"the broker does not let us publish to {topic}: {why}")
    with Visit(source, _clientid(), session_expiry_seconds=0) as publisher:
        refused = publisher.publish(topic, payloads)
    with Visit(source, clientid, session_expiry_seconds=PROBE_EXPIRY_SECONDS) as visit:
        kept = visit.session_present
        found = visit.collect(topic, PROBE_MESSAGES, silence_seconds=SILENCE_SECONDS) if kept else set()
    if not kept:
        advice = "let the broker keep sessions (persistent, not clean): everything published while we are away is lost"
        return Check(name, "bad", "the broker forgot our session when we left", "a session that outlives us", advice)
    missing = PROBE_MESSAGES - len(found) - len(refused)
    if missing > 0:
        told = f"of {PROBE_MESSAGES:,} messages published while we were away the broker kept {len(found):,}"
        return Check(name, "bad", told, "all of them", QUEUE_ADVICE)
    if refused:
        told = f"the broker refused {len(refused):,} of {PROBE_MESSAGES:,} messages published while we were away: {refused[0]}"
        return Check(
            name, "warn", told, "all taken", "raise its limit; their publishers know, so nothing is lost silently"
        )
    return Check(name, "ok", f"all {PROBE_MESSAGES:,} messages published while we were away were kept")


def _forbidden(name: str, why: str) -> Check:
    advice = f"allow {TOPIC}# for reading and writing, and run it again; or look at the broker's limits: {QUEUE_ADVICE}"
    return Check(name, "skipped", why, advice=advice)


def _clientid() -> str:
    """A clientid that is never the source's own, which would disconnect a running ingress."""
    return f"tidegate-doctor-{secrets.token_hex(6)}"


def _way(source: MqttSource) -> str:
    parts = [f"MQTT {source.protocol}", "WebSocket" if source.transport == "websockets" else "TCP"]
    parts += ["TLS"] if source.ssl.enable else []
    parts += [f"as {source.username!r}"] if source.username is not None else []
    return ", ".join(parts)

"""Problems are reported in our own words, never in pydantic's, and never with a value that may be a secret."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from pipeline.config import Config, parse
from pipeline.config.base.section import Section, keys_of, sections_in
from pipeline.config.load import load, load_object
from pipeline.config.references import check_references
from pipeline.config.s3 import Connectors, S3Action
from pipeline.config.sources import MqttSource, Sources
from pipeline.config.text.problems import _EXPECTED, problems_of
from pipeline.errors import ConfigError
from pipeline.hidden import without_secrets
from tests.parts.configurations import configs

WRONG: list[Any] = [
    *(None, True, -1, 0, 1 << 80, 10**400, 1.5, float("nan"), float("inf"), 1e300),
    *("", "x", "\ud800", "9" * 5000, "${NO}", "${a b}", b"x", object()),
    *([], ["x"], [None], [{}], {}, {"x": 1}, {1: 2}, {"": ""}, {"mode": "x"}, {"type": "x"}, {"type": []}),
]
THEIRS = (
    *("Input", "Value error", "valid ", "Field required", "Extra inputs", "permitted", "Assertion"),
    *("unable to", "type=", "pydantic", "should"),
)


def all_settings(section: type[Section] = Config) -> Iterator[tuple[type[Section], str]]:
    """Each section with each key under which a setting of it may be given."""
    for name, field in section.model_fields.items():
        for key in keys_of(name, field):
            yield section, key
        for inner in sections_in(field.annotation):
            yield from all_settings(inner)


def test_every_kind_of_error_that_can_come_has_our_sentence() -> None:
    """For each wrong value of each setting, the message comes from our table."""
    kinds, messages = set(), set()
    for section, key in dict.fromkeys(all_settings()):
        for wrong in WRONG:
            try:
                section.model_validate({key: wrong}, context={"environment": {}})
            except ValidationError as error:
                kinds |= {each["type"] for each in error.errors()}
                messages |= {each.message for each in problems_of(error, section)}

    assert kinds <= {"missing", "extra_forbidden", *_EXPECTED}
    assert len(messages) > 100
    assert [message for message in messages if any(theirs in message for theirs in THEIRS)] == []
    assert "expected another value" not in " ".join(messages)


MARKER = "sesame-4711"
HIDDEN: dict[str, type[Section]] = {"sources": Sources, "connectors": Connectors}
VALUES: st.SearchStrategy[Any] = st.sampled_from(
    [
        *(MARKER, [MARKER], {"x": MARKER}, [{"x": MARKER}]),
        *(f"{MARKER}:99999", f"{MARKER}/#/x", f"{MARKER}ms", f"${{{MARKER}}}"),
    ]
)


def _poisoned(value: Any) -> st.SearchStrategy[Any]:
    """A value in which something was replaced by what may be a secret."""
    if isinstance(value, dict) and value:
        return (
            st.sampled_from(sorted(value)).flatmap(
                lambda key: _poisoned(value[key]).map(lambda inner: {**value, key: inner})
            )
            | VALUES
        )
    return VALUES


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    configs().flatmap(
        lambda data: st.sampled_from(sorted(HIDDEN)).flatmap(
            lambda part: _poisoned(data.get(part, {})).map(lambda poisoned: {**data, part: poisoned})
        )
    )
)
def test_no_value_below_sources_and_connectors_is_shown(data: dict[str, Any]) -> None:
    """A problem below sources or connectors names only the kind of the value."""
    assert MARKER not in refusal_of(data)


def refusal_of(data: dict[str, Any]) -> str:
    """All that a refusal says, and what it was made of; empty if there is none."""
    try:
        load(data, environment={})
    except ConfigError as error:
        return f"{error} {error!r} {error.__cause__!r} {error.__context__}"
    return ""


@pytest.mark.parametrize(
    "part",
    [
        f"sources: {{mqtt: {{a: {{server: {MARKER}, topics: [{MARKER}/#/x]}}}}}}",
        f"sources: {{mqtt: {{a: {{server: 'h:1', topics: [t], password: [{MARKER}]}}}}}}",
        f"connectors: {{s3: {{a: {{host: {MARKER}/x, port: {MARKER}}}}}}}",
        f"connectors: {{s3: {{a: {{host: h, access_key_id: [{MARKER}]}}}}}}",
        f"connectors: {{s3: {{a: {{host: h, transport_options: {{headers: {{x: [{MARKER}]}}}}}}}}}}",
        f"actions: {{s3: {{a: {{connector: c, parameters: {{bucket: sink, key: k, headers: {{x:"
        f" [{MARKER}, 1]}}}}}}}}}}",
        f"kafka: {{bootstrap_servers: k, partitions: '${{X:-{MARKER}}}'}}",
        "kafka: {bootstrap_servers: k, session_timeout: '${LEAK}'}",
    ],
)
def test_what_may_be_a_secret_is_not_shown(part: str) -> None:
    """A message never shows a value that may be a secret, also not one from the environment."""
    kafka = "" if part.startswith("kafka") else "\nkafka: {bootstrap_servers: k}"

    with pytest.raises(ConfigError) as caught:
        parse(f"pipeline: p{kafka}\n{part}", environment={"LEAK": MARKER})

    assert MARKER not in str(caught.value)
    assert part.split(":")[0] in str(caught.value)


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("partitions: '${COUNT}'", "c.yaml:2:31: kafka.partitions: the environment variable COUNT is not set"),
        (
            "partitions: ${COUNT}",
            "c.yaml:2:44: not YAML: expected a comma or }; a ${…} within braces or brackets needs quotes",
        ),
        ("partitions: '${a b}'", "kafka.partitions: expected ${NAME} or ${NAME:-default}, found a ${ that is neither"),
        (
            "partitions: '${A:-${COUNT}}'",
            "kafka.partitions: expected ${NAME:-default} with a plain default, found a ${ within it",
        ),
        ("partitions: yes", "kafka.partitions: expected a number, found true or false"),
        ("partitions: 1.0e+999", "kafka.partitions: expected a finite number, found inf"),
        ("max_message_bytes: 99999999gb", "kafka.max_message_bytes: expected a size of at most 8388608GB"),
        ("session_timeout: 10001w", "kafka.session_timeout: expected a duration of at most 10000w"),
        ("partition: 8", "kafka.partition: unknown setting; did you mean 'partitions'?"),
        ("partitions: many", "kafka.partitions: expected a whole number, found 'many'"),
        ("partitions: 0", "kafka.partitions: expected at least 1, found 0"),
        ("partitions: [8]", "kafka.partitions: expected a whole number, found a list"),
        ("messages_topic: 12", "kafka.messages_topic: expected a text, found 12"),
        ("session_timeout: 10ms", "kafka.session_timeout: expected at least 1s, found '10ms'"),
        (
            "session_timeout: -1",
            "kafka.session_timeout: expected a duration that is neither negative nor infinite, found -1",
        ),
        ("max_message_bytes: 5 stones", "kafka.max_message_bytes: expected a size such as"),
    ],
)
def test_the_words(setting: str, said: str) -> None:
    """A message names the setting, what was expected and what was found."""
    with pytest.raises(ConfigError) as caught:
        parse(f"pipeline: p\nkafka: {{bootstrap_servers: k, {setting}}}", name="c.yaml", environment={})

    assert said in str(caught.value)


@pytest.mark.parametrize(("tag", "section"), [("mode", "parameters"), ("type", "parameters.container")])
def test_an_unset_variable_that_chooses_a_shape_is_named(tag: str, section: str) -> None:
    """A `mode` or `type` that comes from a variable which is not set names the variable, as each other setting does."""
    container = {"type": "csv"} if tag == "mode" else {"type": "${SHAPE}"}
    mode = "${SHAPE}" if tag == "mode" else "aggregated"
    parameters = {"mode": mode, "bucket": "sink", "key": "k", "container": container}

    with pytest.raises(ConfigError, match=rf"^a\.{section}\.{tag}: the environment variable SHAPE is not set$"):
        load_object(S3Action, {"connector": "c", "parameters": parameters}, at="a", environment={})


@pytest.mark.parametrize("server", ["tcp://h:1", "a b:1", "u:p@h:1", "h", "h:0", "h:65536", "h:1/x", ":1", "[h]:1"])
def test_an_address_is_a_host_and_a_port(server: str) -> None:
    """An address with a scheme, a user, a path or a blank is refused, since nobody could connect to it."""
    with pytest.raises(ConfigError, match="expected host:port, without scheme, user or password, found a text"):
        load_object(MqttSource, {"server": server, "topics": ["t"]}, at="sources.mqtt.a")


@pytest.mark.parametrize("servers", ["http://k:1", "a:1,,b:2", "a:b", "a:99999", "a b:1", "u@k:1", ""])
def test_kafkas_addresses_are_hosts_and_ports(servers: str) -> None:
    """Each of Kafka's addresses is a host, or a host and a port."""
    with pytest.raises(ConfigError, match=r"kafka\.bootstrap_servers: expected"):
        load({"pipeline": "p", "kafka": {"bootstrap_servers": servers}})


@pytest.mark.parametrize("servers", ["k", "k:9092", "a:1, b:2", "[::1]:9092", "10.0.0.1:1,h"])
def test_usual_addresses_of_kafka_are_taken(servers: str) -> None:
    """Several brokers are separated by commas, and a port may be left out."""
    assert load({"pipeline": "p", "kafka": {"bootstrap_servers": servers}}).kafka.bootstrap_servers == servers


def test_an_object_alone_names_the_path_that_it_is_given() -> None:
    """An error in a single object begins with the path that the caller gave."""
    with pytest.raises(ConfigError, match=r"^actions\.s3\.hot\.parameters\.mode: expected 'direct' or 'aggregated'"):
        load_object(S3Action, {"connector": "c", "parameters": {"mode": "x"}}, at="actions.s3.hot")


def test_all_that_names_nothing_is_told_at_once() -> None:
    """One message lists every reference to a missing rule, action or connector, each with its path."""
    source = {"server": "h:1", "topics": ["t"]}
    data = {
        "pipeline": "p",
        "kafka": {"bootstrap_servers": "k"},
        "sources": {"mqtt": {"a": source}, "exhook": {"a": {}}},
        "actions": {"s3": {"hot": {"connector": "sea", "parameters": {"bucket": "sink", "key": "k"}}}},
        "rules": {"r": {"sql": "x", "actions": ["s3:hot", "s3:cold", "kafka:x"]}},
    }

    found = [str(each) for each in check_references(Config.model_validate(data))]

    assert found == [
        "actions.s3.hot.connector: no S3 connector 'sea'; there are: none",
        "rules.r.actions[1]: no action 's3:cold'; there are: s3:hot",
        "rules.r.actions[2]: no action 'kafka:x'; there are: s3:hot",
        "sources.exhook.a: expected a different name for each source; sources.mqtt has this name too",
    ]
    with pytest.raises(ConfigError) as caught:
        load(data)
    assert str(caught.value).splitlines() == found


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("kafka", "bootstrap.servers=k:1,sasl.password=open-sesame"),
        ("kafka.authentication", 'PlainLoginModule required password="open-sesame";'),
        ("kafka.ssl", "-----BEGIN PRIVATE KEY----- open-sesame"),
        ("control", "secrets_key=open-sesame"),
        ("actions.s3.a.parameters.headers", "authorization: open-sesame"),
    ],
)
def test_a_text_in_the_place_of_settings_is_not_shown(path: str, value: str) -> None:
    """It may be the settings of another program, with the password in them."""
    *parents, name = path.split(".")
    parameters: dict[str, Any] = {"bucket": "sink", "key": "k", "content": "x"}
    raw: dict[str, Any] = {"pipeline": "p", "kafka": {"bootstrap_servers": "k:1"}}
    raw["actions"] = {"s3": {"a": {"connector": "c", "parameters": parameters}}}
    place = raw
    for parent in parents:
        place = place[parent]
    place[name] = value

    with pytest.raises(ConfigError) as found:
        load(raw)

    assert "open-sesame" not in str(found.value)
    assert f"{path}: expected a mapping" in str(found.value)


@pytest.mark.parametrize("wrong", [False, True], ids=["right", "wrong"])
def test_what_a_setting_that_may_hold_a_secret_was_given_is_printed_nowhere(wrong: bool) -> None:
    """Also in a text of a library or a server that quotes it, whether the configuration is right or refused."""
    fallback = [{"token": "open sesame please"}]
    action = {"connector": "lake", "parameters": {"bucket": "sink", "key": "k"}, "fallback_actions": fallback}
    raw: dict[str, Any] = {"pipeline": "p", "kafka": {"bootstrap_servers": "k:1"}, "actions": {"s3": {"a": action}}}
    raw["connectors"] = {"s3": {"lake": {"host": "h", **({"nothing": 1} if wrong else {})}}}

    with pytest.raises(ConfigError) if wrong else nullcontext():
        load(raw)

    assert without_secrets("no door for 'open sesame please'") == "no door for '[redacted]'"

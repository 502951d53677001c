"""Rules of EMQX that name a source get its topics instead."""

from __future__ import annotations

import pytest

from pipeline.emqx.reading import from_text
from pipeline.emqx.source_names import by_topics
from pipeline.emqx.translate import translated


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ('"$sources/mqtt:up"', '"plant/#", "s/+"'),
        ("'$bridges/mqtt:up'", '"plant/#", "s/+"'),
        ('"$bridges/mqtt:up", "t/#"', '"plant/#", "s/+", "t/#"'),
        ("\"t/#\" WHERE topic = '$bridges/mqtt:up'", "\"t/#\" WHERE topic = '$bridges/mqtt:up'"),
        ('"$sources/mqtt:other"', '"$sources/mqtt:other"'),
    ],
)
def test_a_rule_of_a_source_names_its_topics(written: str, expected: str) -> None:
    """Records do not say by which source they came: FROM has the topics of the source instead of its name."""
    notes: list[str] = []

    made = by_topics(f"SELECT * FROM {written}", {"mqtt:up": ["plant/#", "$share/g/s/+"]}, notes)

    assert made == f"SELECT * FROM {expected}"
    assert bool(notes) == ("WHERE" not in written)


def test_a_rule_of_a_source_that_is_taken_is_changed() -> None:
    """The whole way: a source and its rule, with a note of what FROM has now."""
    text = """
    connectors.s3.c { host = minio, port = 9000 }
    connectors.mqtt.m { server = "broker:1883" }
    sources.mqtt.up { connector = m, parameters { topic = "plant/#" } }
    actions.s3.b { connector = c, parameters { bucket = hot, key = k } }
    rule_engine.rules.r { sql = "SELECT * FROM \\"$bridges/mqtt:up\\"", actions = ["s3:b"] }
    rule_engine.rules.broken { sql = "SELEC", actions = ["s3:b"] }
    """

    to = translated(from_text(text, "cluster.hocon"), keep_secrets=False)
    report = {each.what: each for each in to.report}

    assert to.objects["rule/r"]["sql"] == 'SELECT * FROM "plant/#"'
    assert '"plant/#"' in " ".join(report["rule_engine.rules.r"].notes)
    assert to.objects["rule/broken"]["sql"] == "SELEC"


@pytest.mark.parametrize(("topic", "told"), [("in/${topic}", True), ("${topic}", False)])
def test_topics_of_this_broker_are_told(topic: str, told: bool) -> None:
    """A bridge may give messages other topics. Records keep those of the broker, and the report says so."""
    text = """bridges.mqtt.up {
      server = "broker:1883", ingress { remote { topic = "plant/#" }, local { topic = "TOPIC" } }
    }"""

    to = translated(from_text(text.replace("TOPIC", topic), "emqx.conf"), keep_secrets=False)

    assert told == ("local.topic" in " ".join(to.report[0].notes))

"""Configurations of EMQX, as releases from 5.0 to 6 write them, become ours; the report says what did not, and never a secret."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Mapping
from email.message import Message
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request

import pytest
import yaml
from typer.testing import CliRunner, Result

from pipeline.cli.main import app
from pipeline.config.load import load
from pipeline.control.objects import objects_of, sections_of
from pipeline.emqx.fitting import fit
from pipeline.emqx.reading import from_text, pull, read_bytes
from pipeline.emqx.translate import Takeover, translated
from pipeline.errors import CommandError, ConfigError, OperatorError
from tests.parts.config_log import BASE

SECRET = "sesame-open-sesame"
# A release before 5.4: bridges, and a rule that republishes.
FIVE_ZERO = """
node { name = "emqx@127.0.0.1", cookie = "a-cookie-of-erlang", data_dir = "data" }
bridges {
  mqtt.upstream {
    enable = true
    server = "broker.plant:1883"
    username = u
    password = "sesame-open-sesame"
    proto_ver = v4
    ingress { remote { topic = "plant/#", qos = 2 }, local { topic = "in/${topic}" } }
    resource_opts { health_check_interval = 15s }
  }
  webhook.hook { url = "http://a.example/" }
}
rule_engine {
  ignore_sys_message = true
  rules {
    r_1 {
      name = "forward"
      sql = "SELECT * FROM \\"t/#\\""
      actions = ["webhook:hook", {function = republish, args { topic = "b", payload = "${payload}" }}]
      metadata { created_at = 1690000000000 }
    }
  }
}
"""
# 5.4 and later: connectors and actions, text of several lines in EMQX's own form, comments, keys that override.
FIVE_EIGHT = '''
## written by EMQX
connectors {
  s3 {
    lake {
      access_key_id = AKIA
      access_method = path
      created_at = 1735000000000
      host = "minio.plant"
      port = 9000
      resource_opts { health_check_interval = 15s, start_timeout = 5s }
      secret_access_key = "sesame-open-sesame"
      transport_options {
        connect_timeout = 15s
        enable_pipelining = 100
        headers { x-auth-token = "sesame-open-sesame", content-type = "application/json" }
        pool_size = 8
        pool_type = random
        ssl { enable = false, verify = verify_peer }
      }
    }
  }
  mqtt.up {
    server = "broker.plant:8883", username = u, password = "sesame-open-sesame"
    ssl { enable = true, verify = verify_none }
  }
  kafka_producer.bus { bootstrap_hosts = "k:9092" }
}
actions {
  s3 {
    raw {
      connector = lake
      parameters { mode = direct, bucket = iot-data, key = "msgs/${clientid}_${timestamp}.json"
        content = "${payload}", acl = private }
      resource_opts { worker_pool_size = 16, query_mode = async, inflight_window = 100, max_buffer_bytes = 256MB }
    }
    hourly {
      connector = lake
      parameters {
        mode = aggregated
        bucket = iot-data
        key = "agg/${action}/${datetime.YYYY}_${sequence}.csv"
        container { type = csv, column_order = [ts, device] }
        aggregation { time_interval = 1h, max_records = 100000 }
        min_part_size = 5mb
        unheard_of = 1
      }
    }
  }
  kafka_producer.out { connector = bus, parameters { topic = x } }
}
actions.s3.hourly.enable = false
sources.mqtt.plant { connector = up, parameters { topic = "plant/+/up", qos = 1 }, description = "the plant" }
schema_registry.schemas.point {
  type = avro
  source = """{"type": "record", "name": "p", "fields": [{"name": "x", "type": "int"}]}"""
}
exhook { servers = [
  { name = tidegate, url = "http://10.0.0.5:9000", enable = true }
  { name = tls, url = "https://10.0.0.5:9001" }
] }
rule_engine {
  rules {
    hot {
      actions = ["s3:raw", "kafka_producer:out", {function = console}]
      sql = """~
        SELECT
          payload.temp as temp,
          clientid
        FROM "t/#"
        WHERE payload.temp > 20
      ~"""
      description = ""
      enable = true
    }
    broken { sql = "SELEC", actions = ["s3:raw"] }
  }
}
'''


def taken(text: str, *, keep: bool = False) -> Takeover:
    """What a text becomes, on a topic that has nothing yet."""
    to = translated(from_text(text, "cluster.hocon"), keep_secrets=keep)
    fit(load(BASE), {}, to)
    return to


def outcomes(to: Takeover) -> dict[str, str]:
    """By path in EMQX, what became of it."""
    return {each.what: each.outcome for each in to.report}


def notes(to: Takeover, what: str) -> str:
    """Why."""
    return "\n".join(note for each in to.report if each.what == what for note in each.notes)


def test_a_configuration_of_today_is_taken_over() -> None:
    """Connectors, actions, sources, schemas, hooks and rules: what we have none of is left out with its reason."""
    to = taken(FIVE_EIGHT)

    assert outcomes(to) == {
        "connectors.s3.lake": "changed",
        "connectors.kafka_producer.bus": "left out",
        "actions.s3.raw": "taken",
        "actions.s3.hourly": "changed",
        "actions.kafka_producer.out": "left out",
        "sources.mqtt.plant": "changed",
        "exhook.servers.tidegate": "changed",
        "exhook.servers.tls": "left out",
        "schema_registry.schemas.point": "taken",
        "rule_engine.rules.hot": "changed",
        "rule_engine.rules.broken": "left out",
    }
    config = load({**BASE, **sections(to)})
    assert config.rules["hot"].actions == ["s3:raw"]
    assert config.rules["hot"].sql.splitlines()[0] == "SELECT"
    assert config.actions.s3["hourly"].enable is False
    assert config.sources.mqtt["plant"].topics == ["plant/+/up"]
    assert config.sources.exhook["tidegate"].bind == "127.0.0.1:9000"
    assert "unheard_of" in notes(to, "actions.s3.hourly")
    assert "kafka_producer:out" in notes(to, "rule_engine.rules.hot")
    assert "function console" in notes(to, "rule_engine.rules.hot")


@pytest.mark.parametrize(
    ("container", "expected"),
    [
        ("", {"type": "csv"}),
        ("container { column_order = [a] }", {"type": "csv", "column_order": ["a"]}),
        ("container { type = json_lines }", {"type": "json_lines"}),
    ],
)
def test_an_action_that_names_no_container_stays_csv(container: str, expected: dict[str, Any]) -> None:
    """EMQX's default is CSV and ours is JSON Lines: the objects of a taken action have the format that they had."""
    text = """
    connectors.s3.c { host = minio, port = 9000 }
    actions.s3.a { connector = c, parameters { mode = aggregated, bucket = hot, key = k, CONTAINER } }
    actions.s3.b { connector = c, parameters { bucket = hot, key = k } }
    """

    to = taken(text.replace("CONTAINER", container))

    assert to.objects["action/s3/a"]["parameters"]["container"] == expected
    assert "container" not in to.objects["action/s3/b"]["parameters"]


def sections(to: Takeover) -> dict[str, Any]:
    """The objects in the form of a file."""
    return sections_of(to.objects)


def test_a_configuration_with_bridges_is_taken_over() -> None:
    """A bridge that subscribes becomes a source; a rule without an action that we have is kept and switched off."""
    to = taken(FIVE_ZERO)

    assert outcomes(to) == {
        "bridges.mqtt.upstream": "changed",
        "bridges.webhook.hook": "left out",
        "rule_engine.rules.r_1": "changed",
    }
    assert to.objects["source/mqtt/upstream"]["protocol"] == "3.1.1"
    assert to.objects["rule/r_1"] == {
        "sql": 'SELECT * FROM "t/#"',
        "description": "forward",
        "actions": [],
        "enable": False,
    }


@pytest.mark.parametrize("text", [FIVE_ZERO, FIVE_EIGHT])
def test_no_secret_is_in_what_comes_out(text: str) -> None:
    """Neither the report nor the objects have one: variables stand for them, and the report names these."""
    to = taken(text)

    assert SECRET not in json.dumps(to.objects)
    assert SECRET not in "\n".join(f"{each.what} {each.key} {each.notes}" for each in to.report)
    assert "_PASSWORD" in json.dumps(to.objects)


def test_a_topic_that_seals_gets_the_secrets_themselves() -> None:
    """Where there is a key, secrets are kept, so that they are sealed when they are written."""
    refused = translated(from_text(FIVE_EIGHT, "x"), keep_secrets=True)

    assert refused.objects["connector/s3/lake"]["secret_access_key"] == SECRET
    assert SECRET not in "\n".join(f"{each.notes}" for each in refused.report)


def archive(members: Mapping[str, str]) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as made:
        for name, text in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(text.encode())
            made.addfile(member, io.BytesIO(text.encode()))
    return file.getvalue()


def test_an_export_is_taken_over() -> None:
    """The archive of `emqx ctl data export`: its folder has META.hocon, cluster.hocon and tables that mean nothing to us."""
    top = "emqx-export-2025-02-01-10-00-00.123"
    content = archive(
        {f"{top}/META.hocon": 'version = "5.8.4"', f"{top}/cluster.hocon": FIVE_EIGHT, f"{top}/mnesia/x": "\0"}
    )

    assert read_bytes(content, "export.tar.gz") == from_text(FIVE_EIGHT, "x")


@pytest.mark.parametrize(
    "content",
    [archive({"x/META.hocon": ""}), b"\x1f\x8bnonsense", b"\xff\xfe", archive({})],
    ids=["no configuration", "no archive", "no text", "empty"],
)
def test_what_is_no_export_is_refused(content: bytes) -> None:
    """The error says what was expected."""
    with pytest.raises(CommandError, match=r"expected|cannot be read"):
        read_bytes(content, "export.tar.gz")


REST_CONNECTORS = [
    {
        **{
            "type": "s3",
            "name": "lake",
            "host": "minio",
            "port": 9000,
            "access_key_id": "k",
            "secret_access_key": "******",
        },
        **{"status": "connected", "node_status": [], "actions": ["raw"], "created_at": 1, "enable": True},
    }
]
REST_ACTIONS = [
    {
        **{"type": "s3", "name": "raw", "connector": "lake", "rules": ["hot"], "status": "connected", "error": None},
        "parameters": {"mode": "direct", "bucket": "iot", "key": "${id}", "content": "${payload}"},
    }
]
REST_RULES = {"data": [{"id": "hot", "sql": 'SELECT * FROM "t/#"', "actions": ["s3:raw"], "from": ["t/#"]}], "meta": {}}


@pytest.mark.parametrize(
    "body",
    [
        {"connectors": REST_CONNECTORS, "actions": REST_ACTIONS, "rules": REST_RULES["data"]},
        [*REST_CONNECTORS, *REST_ACTIONS, *REST_RULES["data"]],
    ],
)
def test_the_json_of_the_rest_api_is_taken_over(body: Any) -> None:
    """Lists of objects, whose secrets are masked: the report names the variable that must be set."""
    to = taken(json.dumps(body))

    assert set(to.objects) == {"connector/s3/lake", "action/s3/raw", "rule/hot"}
    assert to.objects["connector/s3/lake"]["secret_access_key"] == "${LAKE_SECRET_ACCESS_KEY}"
    assert "EMQX masked it" in notes(to, "connectors.s3.lake")


def test_a_live_emqx_is_asked_part_by_part() -> None:
    """Each part is asked for as HOCON with the key; what this release does not have is skipped, and a wrong key is told."""
    asked: list[Request] = []

    def answer(request: Request) -> bytes:
        asked.append(request)
        if "bridges" in request.full_url:
            raise HTTPError(request.full_url, 404, "no", Message(), None)
        return FIVE_EIGHT.encode()

    found = pull("http://emqx:18083", "key:secret", answer)

    assert {each.headers["Authorization"] for each in asked} == {"Basic a2V5OnNlY3JldA=="}
    assert asked[0].full_url == "http://emqx:18083/api/v5/configs?key=connectors"
    assert "lake" in found["connectors"]["s3"]

    def refuse(request: Request) -> bytes:
        raise HTTPError(request.full_url, 401, "no", Message(), None)

    with pytest.raises(OperatorError, match="API key of an administrator"):
        pull("http://emqx:18083", "key:secret", refuse)


def test_a_file_that_grows_is_refused() -> None:
    """Each line doubles the one before."""
    text = "a0 = [1]\n" + "".join(f"a{n + 1} = [${{a{n}}}, ${{a{n}}}]\n" for n in range(60))

    with pytest.raises(ConfigError, match=r"^cluster\.hocon: expected no substitution"):
        from_text(text, "cluster.hocon")


@pytest.mark.parametrize(
    "text", ['include "/etc/hostname"\na = 1', 'include file("/etc/hostname")', "a = ${HOME}", "a = [", "- x: {", "[1]"]
)
def test_a_file_reads_nothing_of_this_machine(text: str) -> None:
    """Other files and variables of ours are never read, and what is no HOCON is refused without its content."""
    with pytest.raises(ConfigError) as found:
        from_text(text, "cluster.hocon")
    assert "root" not in str(found.value).replace("root.", "")


def say(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["import", *arguments])


def test_a_file_is_written_that_apply_takes(tmp_path: Path) -> None:
    """`-o` writes the objects as a file; the report is text or JSON, and a dry run writes nothing."""
    source, file = tmp_path / "cluster.hocon", tmp_path / "objects.yaml"
    source.write_text(FIVE_EIGHT)

    dry = say(str(source), "-o", str(file), "--dry-run")
    assert not file.exists()
    told = say(str(source), "-o", str(file), "--output", "json")

    items = {each["what"]: each for each in json.loads(told.stdout)["objects"]}
    assert items["actions.s3.raw"]["outcome"] == "taken"
    assert "left out actions.kafka_producer.out" in dry.stdout
    objects = yaml.safe_load(file.read_text())
    assert set(objects_of(load({**BASE, **objects}))) >= {"connector/s3/lake", "rule/hot", "source/mqtt/plant"}
    assert SECRET not in told.stdout + dry.stdout + file.read_text()
    assert say(str(source)).exception is not None

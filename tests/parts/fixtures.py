"""The fixtures `kafka`, `mqtt_broker` and `s3`, and what the run says about them.

What the collected tests need is fetched before the first of them runs, so that no test's time limit pays for a
download. A test marked `real` is skipped when one of its parts is embedded. The summary names each part, and why it is
not the real one.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pipeline.demo import embedded
from pipeline.demo.process import free_port
from tests.parts import apache_kafka, mosquitto, versitygw
from tests.parts.part import KafkaPart, MqttPart, Part, S3Part, UnavailableError


@dataclass
class Supply:
    """How one part is obtained. `missing` says why the real one is not available. `used` names what the tests got."""

    title: str
    get_real: Callable[[], object]
    start_real: Callable[[Path], Any]
    start_embedded: Callable[[Path], Any]
    missing: str = ""
    used: str = "not used"

    def prepare(self) -> None:
        """Fetch the real part, or find out why it is not available."""
        if os.environ.get("TIDEGATE_PARTS") == "embedded":
            self.missing = "TIDEGATE_PARTS=embedded"
            return
        try:
            self.get_real()
        except UnavailableError as error:
            self.missing = str(error)

    def start(self, folder: Path) -> Any:
        if not self.missing:
            part: Part = self.start_real(folder)
        elif os.environ.get("TIDEGATE_REQUIRE_REAL") == "1":
            self.used = "required and not there"
            pytest.fail(f"TIDEGATE_REQUIRE_REAL=1, and no real {self.title} here: {self.missing}", pytrace=False)
        else:
            part = self.start_embedded(folder)
        self.used = part.name
        return part


def _brief_kafka(folder: Path) -> KafkaPart:
    return apache_kafka.start(folder, java=apache_kafka.BRIEF)


def _embedded_kafka(folder: Path) -> KafkaPart:
    port = free_port()
    server = embedded.kafka(port, folder)
    server.start()
    return KafkaPart(server, real=False, port=port)


def _embedded_mqtt(folder: Path) -> MqttPart:
    port_5, port_311 = free_port(), free_port()
    server = embedded.mqtt(port_5, port_311, folder)
    server.start()
    return MqttPart(server, real=False, port=port_5, port_311=port_311)


def _embedded_s3(folder: Path) -> S3Part:
    port = free_port()
    server = embedded.s3(port, folder)
    server.start()
    return S3Part(server, real=False, port=port)


SUPPLIES = {
    "kafka": Supply("Kafka", apache_kafka.libraries, _brief_kafka, _embedded_kafka),
    "mqtt_broker": Supply("MQTT broker", mosquitto.program, mosquitto.start, _embedded_mqtt),
    "s3": Supply("S3", versitygw.program, versitygw.start, _embedded_s3),
}


@pytest.fixture(scope="session")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaPart]:
    """A Kafka for the whole run. Tests share it, so they use topics and groups of their own."""
    yield from _run(SUPPLIES["kafka"], tmp_path_factory.mktemp("kafka"))


@pytest.fixture(scope="session")
def mqtt_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MqttPart]:
    """An MQTT broker for the whole run. Tests share it, so they use clientids and topic names of their own."""
    yield from _run(SUPPLIES["mqtt_broker"], tmp_path_factory.mktemp("mqtt"))


@pytest.fixture(scope="session")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Part]:
    """An S3 store for the whole run. Tests share it, so they use buckets of their own."""
    yield from _run(SUPPLIES["s3"], tmp_path_factory.mktemp("s3"))


@pytest.fixture(scope="session")
def mosquitto_pub() -> str:
    """The path of mosquitto's own client, which is installed where that can be done."""
    try:
        return mosquitto.publisher()
    except UnavailableError as error:
        if os.environ.get("TIDEGATE_REQUIRE_REAL") == "1":
            pytest.fail(f"TIDEGATE_REQUIRE_REAL=1, and no mosquitto_pub here: {error}", pytrace=False)
        pytest.skip(f"needs mosquitto_pub: {error}")


@pytest.fixture(autouse=True)
def _only_on_real_parts(request: pytest.FixtureRequest) -> None:
    if request.node.get_closest_marker("real") is None:
        return
    for name in SUPPLIES.keys() & set(request.fixturenames):
        if not request.getfixturevalue(name).real:
            pytest.skip(f"needs a real {SUPPLIES[name].title}: {SUPPLIES[name].missing}")


def pytest_sessionstart(session: pytest.Session) -> None:
    """Fetch everything once, and report it, before several processes run."""
    if getattr(session.config.option, "numprocesses", None) and not session.config.option.collectonly:
        _prepare(session, set(SUPPLIES))


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Tell the process that prints the summary which parts this one used."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["parts"] = {name: (each.used, each.missing) for name, each in SUPPLIES.items()}


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Learn which parts one of the processes used."""
    for name, (used, missing) in getattr(node, "workeroutput", {}).get("parts", {}).items():
        if used != "not used":
            SUPPLIES[name].used, SUPPLIES[name].missing = used, missing


@pytest.hookimpl(trylast=True)
def pytest_collection_finish(session: pytest.Session) -> None:
    if session.config.option.collectonly:
        return
    _prepare(session, {name for item in session.items for name in getattr(item, "fixturenames", ())})


def _prepare(session: pytest.Session, needed: set[str]) -> None:
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    for name, supply in SUPPLIES.items():
        if name in needed:
            if reporter is not None:
                reporter.write_line(f"preparing {supply.title} (fetched once, may take some minutes)", flush=True)
            supply.prepare()


def pytest_terminal_summary(terminalreporter: Any) -> None:
    terminalreporter.section("outside systems")
    for supply in SUPPLIES.values():
        reason = f" (not the real one: {supply.missing})" if supply.missing else ""
        terminalreporter.write_line(f"{supply.title}: {supply.used}{reason}")
    skipped = terminalreporter.stats.get("skipped", [])
    for report in skipped:
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        terminalreporter.write_line(f"skipped {report.nodeid}: {reason.removeprefix('Skipped: ')}")


def _run(supply: Supply, folder: Path) -> Iterator[Any]:
    part = supply.start(folder)
    try:
        yield part
    finally:
        part.kill()  # nobody needs its data any more, and an orderly stop of Kafka takes most of a minute
        for data in ("data", "root", "versions"):  # the logs stay, for whoever looks into a failure
            shutil.rmtree(folder / data, ignore_errors=True)

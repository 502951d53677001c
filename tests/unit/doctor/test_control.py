"""What the doctor says of the configuration in Kafka, case by case."""

from __future__ import annotations

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any

import pytest

from pipeline.connectors.kafka.topics import FoundTopic
from pipeline.control.status import ProcessReport
from pipeline.demo.process import free_port
from pipeline.doctor.control import check_api, check_revisions, check_status_topic, check_topic, check_transactions

COMPACT = {"cleanup.policy": "compact"}


@pytest.mark.parametrize(
    ("partitions", "settings", "state", "words"),
    [
        (1, COMPACT, "ok", "compacted, one partition"),
        (2, COMPACT, "bad", "2 partitions"),
        (1, {"cleanup.policy": "delete"}, "bad", "cleanup.policy=delete"),
        (1, {"cleanup.policy": "compact,delete"}, "bad", "Kafka deletes objects"),
        (1, {}, "skipped", "does not tell"),
    ],
)
def test_the_topic_of_the_configuration(partitions: int, settings: dict[str, str], state: str, words: str) -> None:
    """It must have one partition, and compaction alone: whatever else deletes objects."""
    found = check_topic("c", FoundTopic(partitions, settings))

    assert found.state == state
    assert words in found.line()


@pytest.mark.parametrize(
    ("partitions", "settings", "state"),
    [
        (1, {"cleanup.policy": "compact,delete", "retention.ms": "3600000"}, "ok"),
        (1, {"cleanup.policy": "delete", "retention.ms": "-1"}, "warn"),
        (1, {}, "ok"),
        (3, COMPACT, "warn"),
    ],
)
def test_the_topic_of_the_reports(partitions: int, settings: dict[str, str], state: str) -> None:
    """Nothing rests on it, so what is wrong with it is only worth a look."""
    assert check_status_topic("s", FoundTopic(partitions, settings)).state == state


def test_revisions_that_lag_and_those_that_cannot_run() -> None:
    """Each worker and ingress is held against the newest revision; the API runs no configuration."""
    reports = [
        ProcessReport("worker@a", "worker", 0, revision=7),
        ProcessReport("worker@b", "worker", 0, revision=5),
        ProcessReport("ingress@c", "ingress", 0, revision=5, problem="revision 7 cannot run here: no variable X"),
        ProcessReport("api@d", "api", 0, revision=1),
    ]

    found = [(each.name, each.state, each.found) for each in check_revisions(7, reports)]

    assert found == [
        ("revision of worker@a", "ok", "revision 7"),
        ("revision of worker@b", "warn", "revision 5"),
        ("revision of ingress@c", "bad", "revision 7 cannot run here: no variable X"),
    ]
    assert [each.state for each in check_revisions(7, [])] == ["skipped"]


def test_a_user_without_transactions_is_told_the_acl() -> None:
    """The line names the transactional id."""
    assert check_transactions("c", "").state == "ok"
    assert "WRITE and DESCRIBE on the transactional id c" in check_transactions("c", "denied").line()


@pytest.fixture
def answering(request: pytest.FixtureRequest) -> Iterator[str]:
    """The address of a server that gives the parameter, a status and a body, to each request."""
    status, body = request.param

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Answer)
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize(
    ("answering", "state"),
    [
        ((200, b'{"session":null,"first":false}'), "ok"),
        ((200, b'{"session":null,"first":true}'), "warn"),
        ((200, b"<html>"), "bad"),
        ((502, b""), "bad"),
    ],
    indirect=["answering"],
)
def test_an_api_that_answers(answering: str, state: str) -> None:
    """An API process says that it is there, and whether it has a user; anything else is not one."""
    assert check_api(answering).state == state


def test_an_api_that_does_not_answer() -> None:
    """The reason is in the line, and what to do."""
    found = check_api(f"http://127.0.0.1:{free_port()}/")

    assert found.state == "bad"
    assert "refused" in found.found

"""Send schemathesis against the REST API as its OpenAPI document describes it: `api.py build/tools/bin/st [OPTION …]`.

It starts the Kafka and the S3 server of `tidegate servers`, and `tidegate api` on them, with an object of each kind. Then
schemathesis makes requests that fit the document and requests that do not. No answer may be a 5xx, each must have a status, a
type and fields that the document has, and nothing may be answered without a login. Ends with schemathesis's status.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

import httpx

from pipeline.demo import embedded
from pipeline.demo.process import HOST, Server, free_port
from pipeline.web.people.gate import PREFIX

SECONDS = 90
PERSON = {"username": "admin", "password": "a long password"}
# Whoever logs out ends the run; streams end with the connection. The probes of objects connect to what was drawn.
LEFT_OUT = ("/logout$", "/rule_live$", "/live$", "_probe$")
CHECKS = (
    *("not_a_server_error", "status_code_conformance", "content_type_conformance", "response_headers_conformance"),
    *("response_schema_conformance", "ignored_auth", "unsupported_method"),
)


def main(schemathesis: str, *options: str) -> int:
    """Start everything, run it, and stop everything."""
    with tempfile.TemporaryDirectory() as place, ExitStack() as stack:
        folder = Path(place)
        kafka, s3 = free_port(), free_port()
        file = folder / "tidegate.yaml"
        file.write_text(json.dumps(_settings(kafka)))
        port = free_port()
        command = [sys.executable, "-m", "pipeline.cli", "api", "-c", str(file), "--port", str(port), "--log", "json"]
        log = folder / "api.log"
        servers = [
            embedded.kafka(kafka, folder),
            embedded.s3(s3, folder, "lake"),
            Server("api", command, log, ready=lambda: "first_user?token=" in log.read_text()),
        ]
        for server in servers:
            stack.callback(server.stop)
            server.start()
        url = f"http://{HOST}:{port}{PREFIX}"
        token = _logged_in(url, log.read_text(), s3)
        status = subprocess.run(
            [
                *(
                    str(Path(schemathesis).resolve()),
                    "run",
                    f"{url}/openapi.json",
                    "--header",
                    f"Authorization: Bearer {token}",
                ),
                *("--checks", ",".join(CHECKS), "--phases", "fuzzing", "--max-time", str(SECONDS)),
                *("--max-examples", "10", "--no-shrink", "--request-timeout", "20", "--no-color", "--warnings", "off"),
                *(part for each in LEFT_OUT for part in ("--exclude-path-regex", each)),
                *options,
            ],
            check=False,
            cwd=folder,
        ).returncode
        servers[-1].check()
        return status


def _settings(kafka: int) -> dict[str, object]:
    return {
        "pipeline": "drawn",
        "kafka": {"bootstrap_servers": f"{HOST}:{kafka}", "replication_factor": 1, "partitions": 2},
        "control": {"topic": "drawn.config"},
    }


def _logged_in(url: str, log: str, s3: int) -> str:
    """Make the first user and an object of each kind; a token of the user."""
    link = re.search(r"first_user\?token=([-\w]+)", log)
    assert link is not None, log
    with httpx.Client(base_url=url, timeout=20) as client:
        client.post("/first_user", data={"token": link[1], **PERSON})
        token: str = client.post("/login", json=PERSON).raise_for_status().json()["token"]
        client.headers["authorization"] = f"Bearer {token}"
        store = {"host": HOST, "port": s3, "access_key_id": "k", "secret_access_key": "file:///dev/null"}
        connector = {"type": "s3", "name": "lake", **store, "transport_options": {"ssl": {"enable": False}}}
        parameters = {"mode": "direct", "bucket": "lake", "key": "${id}", "content": "${payload}"}
        action = {"type": "s3", "name": "raw", "connector": "lake", "parameters": parameters}
        rule = {"id": "hot", "sql": 'SELECT * FROM "t/#"', "actions": ["s3:raw"]}
        for path, body in (("/connectors", connector), ("/actions", action), ("/rules", rule)):
            answer = client.post(path, json=body)
            assert answer.is_success, answer.text
    return token


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

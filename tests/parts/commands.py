"""The command line in its own process, and a configuration for it."""

from __future__ import annotations

import subprocess
import sys

from tests.parts.waiting import patient

CONFIG = """\
pipeline: p
kafka: {bootstrap_servers: "127.0.0.1:1"}
connectors: {s3: {lake: {host: h, access_key_id: k, secret_access_key: open-sesame}}}
actions:
  s3:
    raw: {connector: lake, parameters: {bucket: sink, key: "a/${clientid}.json", content: "${payload}"}}
    rows: {connector: lake, parameters: {mode: aggregated, bucket: sink, key: "rows/${datetime.YYYY}.jsonl"}}
rules:
  hot: {sql: 'SELECT clientid, payload FROM "t/#" WHERE payload.t > 20', actions: ["s3:raw", "s3:rows"]}
"""


def tidegate(*arguments: str, given: str = "") -> subprocess.CompletedProcess[str]:
    """The command in a process of its own, as a person runs it."""
    command = [sys.executable, "-m", "pipeline.cli", *arguments]
    return subprocess.run(command, input=given, capture_output=True, text=True, timeout=patient(60))


# The command with everything told that can be: our own log and those of the libraries, at debug, and nothing muted.
AT_DEBUG = """
import logging
from agents.stream import chatter
from pipeline import log
configure = log.configure
def at_debug(**given):
    configure(**{**given, "level": "debug"})
    for name in log.QUIET:
        logging.getLogger(name).setLevel(logging.DEBUG)
log.configure, chatter.mute = at_debug, lambda: None
from pipeline.cli.main import main
main()
"""

# What does the work, and is large. `rich` would style the help at twice its price.
LARGE = {
    *(
        "aiohttp",
        "aiokafka",
        "botocore",
        "confluent_kafka",
        "cryptography",
        "fastapi",
        "faust",
        "grpc",
        "nacl",
        "numpy",
    ),
    *("pyarrow", "pyhocon", "rich", "starlette", "uvicorn"),
}
REPORT = "import sys; from pipeline.cli.main import main\ntry: main()\nfinally: print(*sys.modules, file=sys.stderr)"


def packages_of(*arguments: str) -> set[str]:
    """The packages that a command has imported at its end."""
    done = subprocess.run([sys.executable, "-c", REPORT, *arguments], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return {name.partition(".")[0] for name in done.stderr.split()}

"""What a process loads before it runs, and what it leaves out until something needs it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.parts.waiting import patient

ROOT = Path(__file__).parents[3]
# Each of these belongs to a feature: Parquet, Avro, schemas, roles of AWS, ExHook, patterns in rules, expressions in templates.
OF_A_FEATURE = {
    *("aioboto3", "boto3", "botocore", "cryptography", "fastavro", "google", "grpc", "jinja2", "jq", "jsonschema_rs"),
    *("numpy", "pyarrow", "pygments", "re2", "regex", "rich"),
}


# Parts of Faust: a web server, sets, the command line, tests in production.
NOT_OF_A_WORKER = ("faust.cli", "faust.livecheck", "faust.tables.sets", "faust.web.drivers.", "faust.worker")
APP = """
import asyncio
from pipeline.action import compile_action
from pipeline.config import Config
from agents.stream import app
config = Config.model_validate({
    "pipeline": "p",
    "kafka": {"bootstrap_servers": "127.0.0.1:9"},
    "connectors": {"s3": {"lake": {"host": "h", "access_key_id": "k", "secret_access_key": "s"}}},
    "actions": {"s3": {"a": {"connector": "lake", "parameters": {"bucket": "bucket", "key": "k", "content": "c"}}}},
    "rules": {"r": {"sql": 'SELECT * FROM "t/#"', "actions": ["s3:a"]}},
})

async def build() -> None:
    app.build("group", compile_action(config, "a"), config.kafka, lambda *lane: None).finalize()

asyncio.run(build())
"""


def said_by(code: str) -> str:
    """What some code prints, in a Python of its own."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=patient(60), cwd=ROOT)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def modules_of(code: str) -> list[str]:
    """The modules that are loaded after some code."""
    return said_by(f"{code}\nimport sys; print(*[name for name, module in sys.modules.items() if module])").split()


def loaded_by(code: str) -> set[str]:
    """The packages that are loaded after some code."""
    return {name.partition(".")[0] for name in modules_of(code)}


@pytest.mark.parametrize("module", ["agents.worker", "ingress.service"])
def test_a_process_starts_without_what_only_a_feature_needs(module: str) -> None:
    """A process loads the libraries of a feature only if it uses the feature."""
    assert loaded_by(f"import {module}") & OF_A_FEATURE == set()


def test_a_worker_starts_without_what_faust_needs_only_for_parts_that_we_do_not_use() -> None:
    """The worker, with an app of an action in it, loads neither Faust's web client nor its cron, command line or sets."""
    loaded = modules_of(f"import agents.worker\n{APP}")

    assert {name.partition(".")[0] for name in loaded} & {"aiohttp", "click", "croniter", "intervaltree"} == set()
    assert {name for name in loaded if name.startswith(NOT_OF_A_WORKER)} == set()


@pytest.mark.parametrize("code", ["import agents.worker", "import ingress.service"])
def test_nothing_is_searched_while_a_process_loads(code: str) -> None:
    """The garbage collector does not run once, neither while a process loads nor when Python ends."""
    said = said_by(f"""
import atexit, gc
searches = []
@atexit.register  # what is registered first comes last
def _() -> None:
    print(len(searches), gc.get_freeze_count() > 10_000)
from pipeline.process import collector
collector.loading()
gc.callbacks.append(lambda *told: searches.append(told))
{code}
""")

    assert said == "0 True"


def test_pydantic_searches_no_plugins_and_compiles_no_annotations() -> None:
    """The models of the configuration are made without what would cost a third of their time."""
    code = """
from pipeline.config import Config
from pipeline.config.base.section import Section
from pydantic.plugin import _loader
def below(section):
    for each in section.__subclasses__():
        yield each
        yield from below(each)
print(_loader._plugins or [], [each for each in below(Section) if any(isinstance(a, str) for a in each.__annotations__.values())])
"""

    assert said_by(code) == "[] []"


def test_the_ingress_knows_nothing_of_the_workers_stack() -> None:
    """The ingress does not load Faust, its Kafka client, or the S3 client."""
    assert loaded_by("import ingress.service") & {"faust", "mode", "aiokafka", "aiohttp"} == set()


def test_the_log_of_text_works_without_rich_and_rich_without_the_log() -> None:
    """The log prints plain tracebacks without rich, and code that wants rich can still import it."""
    code = """
import io
from pipeline import log
told = io.StringIO()
log.configure(json=False, stream=told)
try:
    1 / 0
except ZeroDivisionError:
    log.get_logger("tidegate.test").exception("x.failed")
assert "ZeroDivisionError: division by zero" in told.getvalue(), told.getvalue()
"""

    assert "rich" not in loaded_by(code)
    assert "rich" in loaded_by(f"{code}\nimport rich.console")

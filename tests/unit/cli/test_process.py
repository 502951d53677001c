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


def loaded_by(code: str) -> set[str]:
    """The packages that are loaded after some code, in a Python of its own."""
    report = f"{code}\nimport sys; print(*[name for name, module in sys.modules.items() if module])"
    done = subprocess.run([sys.executable, "-c", report], capture_output=True, text=True, timeout=patient(60), cwd=ROOT)
    assert done.returncode == 0, done.stderr
    return {name.partition(".")[0] for name in done.stdout.split()}


@pytest.mark.parametrize("module", ["agents.worker", "ingress.service"])
def test_a_process_starts_without_what_only_a_feature_needs(module: str) -> None:
    """A process loads the libraries of a feature only if it uses the feature."""
    assert loaded_by(f"import {module}") & OF_A_FEATURE == set()


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

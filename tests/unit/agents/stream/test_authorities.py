"""Faust's HTTP client is imported without the machine's authorities; the connectors' contexts have them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests.parts.certificates import certificate

ASKED = """
import json, os
before = dict(os.environ)
import agents.worker
import aiohttp
from pipeline.connectors.s3.tls import context_of
from pipeline.config.tls import S3Tls
left_to_aiohttp = aiohttp.connector._SSL_CONTEXT_VERIFIED
print(json.dumps({
    "changed": dict(os.environ) != before,
    "aiohttp": left_to_aiohttp.cert_store_stats()["x509"],
    "verifies": left_to_aiohttp.verify_mode.name,
    "ours": context_of(S3Tls(enable=True)).cert_store_stats()["x509"],
}))
"""


def test_only_our_contexts_trust_the_authorities_of_the_machine(tmp_path: Path) -> None:
    """aiohttp's own default context trusts no authority, and the environment is unchanged after the import."""
    certificate(tmp_path)
    done = subprocess.run(
        [sys.executable, "-c", ASKED],
        check=True,
        capture_output=True,
        text=True,
        env={"SSL_CERT_FILE": str(tmp_path / "cert.pem"), "PYTHONPATH": ":".join(sys.path)},
    )

    assert json.loads(done.stdout) == {"changed": False, "aiohttp": 0, "verifies": "CERT_REQUIRED", "ours": 1}

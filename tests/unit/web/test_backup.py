"""Archives of the configuration: what is exported comes back, without a secret in it."""

from __future__ import annotations

import gzip

import pytest

from pipeline.control.objects import place_of
from tests.parts.rest import CONNECTOR, Api

SECRET = "sesame-open-sesame"


async def test_what_is_exported_comes_back() -> None:
    """An archive that goes to another pipeline makes the same objects; no secret, no user and no key is in it."""
    async with Api() as one, Api() as two:
        await one.key()
        await one.objects()
        await one.client.put("/connectors/s3:lake", json={**CONNECTOR, "secret_access_key": SECRET})
        name = (await one.client.post("/data/export")).json()["filename"]
        file = (await one.client.get(f"/data/files/{name}")).content

        sent = await two.client.post("/data/files", files={"file": (name, file)})
        taken = await two.client.post("/data/import", json={"filename": name})

        assert (sent.status_code, taken.status_code) == (204, 200)
        values = [
            {key: each.value for key, each in api.log.snapshot.objects.items() if place_of(key)} for api in (one, two)
        ]
        assert values[0] == values[1]
        content = gzip.decompress(file)
        assert SECRET.encode() not in content
        assert b"password_hash" not in content
        assert b"sealed:" in content
        assert (await two.client.get("/data/files")).json()["data"][0]["filename"] == name
        assert (await two.client.delete(f"/data/files/{name}")).status_code == 204
        assert (await two.client.get(f"/data/files/{name}")).status_code == 404


@pytest.mark.parametrize("name", ["x.zip", "../x.tar.gz", ".tar.gz"])
async def test_a_file_of_another_name_is_refused(name: str) -> None:
    """A name ends in .tar.gz and leads nowhere."""
    async with Api() as api:
        answer = await api.client.post("/data/files", files={"file": (name, b"x")})

    assert answer.status_code == 400


async def test_what_is_no_archive_is_refused_and_changes_nothing() -> None:
    """The error says what was expected."""
    async with Api() as api:
        await api.client.post("/data/files", files={"file": ("x.tar.gz", b"\x1f\x8bnonsense")})
        before = api.log.snapshot.revision
        answer = await api.client.post("/data/import", json={"filename": "x.tar.gz"})

        assert (answer.status_code, answer.json()["code"]) == (400, "BAD_REQUEST")
        assert api.log.snapshot.revision == before

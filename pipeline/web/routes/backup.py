"""Archives of the configuration: export, keep, download, upload, import. The API process keeps them in memory while it runs.

An archive has every object as it is in the topic: secrets are references or sealed, and nothing else. Users, keys and sessions
are left out. An archive that EMQX exported can be imported too.
"""

from __future__ import annotations

import io
import re
import tarfile
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any, Final

import orjson
from fastapi import APIRouter, Request
from starlette.responses import Response

from pipeline.config.load import parse_objects
from pipeline.control.objects import SECRETS_KEY, Snapshot, Stored, objects_of, own_settings, place_of, sections_of
from pipeline.emqx.fitting import fit
from pipeline.emqx.reading import known, read_bytes
from pipeline.emqx.translate import translated
from pipeline.errors import CommandError, NotFoundError
from pipeline.web.answers import Json, RequestError, nothing, page_of
from pipeline.web.desk import Answer, Backup, Desk, Services
from pipeline.web.document import errors, json_body, raw, told
from pipeline.web.objects.bodies import Body, CallerIs, read_body
from pipeline.web.objects.writing import Edit, write

router = APIRouter(tags=["backup"])
NAME: Final = re.compile(r"[A-Za-z0-9][-A-Za-z0-9_.]{0,200}\.tar\.gz")
FILES_MAX: Final = 20
OBJECTS: Final = "tidegate.json"
OBJECTS_BYTES_MAX: Final = 16 << 20


def _answer(services: Services, name: str, backup: Backup) -> Answer:
    at = datetime.fromtimestamp(backup.at / 1000, UTC).isoformat(timespec="milliseconds")
    size = len(backup.content)
    return {
        "filename": name,
        "node": services.node,
        "created_at": at,
        "created_at_sec": backup.at // 1000,
        "size": size,
    }


def _keep(services: Services, name: str, content: bytes) -> Answer:
    if len(services.backups) >= FILES_MAX and name not in services.backups:
        raise RequestError("BAD_REQUEST", f"expected at most {FILES_MAX} files; delete one first")
    services.backups[name] = Backup(content, services.now_ms())
    return _answer(services, name, services.backups[name])


def _file(services: Services, name: object) -> Backup:
    if not isinstance(name, str) or name not in services.backups:
        raise NotFoundError(f"no file {str(name)[:255]!r}")
    return services.backups[name]


@router.post("/data/export", responses=told(200, "Backup") | errors(400))
async def export(desk: Desk) -> Response:
    """Make an archive of every object, and keep it."""
    at = datetime.fromtimestamp(desk.now_ms() / 1000, UTC)
    top = f"tidegate-export-{at:%Y-%m-%d-%H-%M-%S}.{at.microsecond // 1000:03d}"
    snapshot = desk.log.snapshot
    objects = sections_of({key: each.value for key, each in snapshot.objects.items() if place_of(key)})
    meta = {"tidegate": version("tidegate"), "pipeline": snapshot.config.pipeline, "revision": snapshot.revision}
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as archive:
        for name, each in (("META.json", meta), (OBJECTS, objects)):
            member, content = tarfile.TarInfo(f"{top}/{name}"), orjson.dumps(each, option=orjson.OPT_INDENT_2)
            member.size, member.mtime = len(content), desk.now_ms() // 1000
            archive.addfile(member, io.BytesIO(content))
    return Json(_keep(desk, f"{top}.tar.gz", file.getvalue()))


@router.get("/data/files", responses=told(200, "Backups") | errors(400))
async def list_files(desk: Desk, page: str | None = None, limit: str | None = None) -> Response:
    """The archives of this process, the newest first."""
    files = [_answer(desk, name, each) for name, each in desk.backups.items()]
    found, meta = page_of(files[::-1], page, limit)
    return Json({"data": found, "meta": meta})


@router.post("/data/files", status_code=204, responses=errors(400, 413))
async def upload(request: Request, desk: Desk) -> Response:
    """Keep an archive: a form with one file, its name ending in .tar.gz."""
    boundary = re.search(r'boundary="?([^";]{1,70})', request.headers.get("content-type", ""))
    parts = (await read_body(request)).split(b"--" + boundary[1].encode()) if boundary else []
    for part in parts:
        head, _, content = part.partition(b"\r\n\r\n")
        name = re.search(rb'filename="([^"]{1,255})"', head)
        if name and NAME.fullmatch(name[1].decode("utf-8", "replace")):
            _keep(desk, name[1].decode(), content.removesuffix(b"\r\n"))
            return nothing()
    raise RequestError("BAD_REQUEST", "expected a form (multipart/form-data) with a file whose name ends in .tar.gz")


@router.get(
    "/data/files/{name}",
    responses=raw("application/gzip", "The archive.") | errors(404),
)
async def download(name: str, desk: Desk) -> Response:
    """One archive."""
    found = _file(desk, name)
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(found.content, media_type="application/gzip", headers=headers)


@router.delete("/data/files/{name}", status_code=204, responses=errors(404))
async def delete(name: str, desk: Desk) -> Response:
    """Delete an archive."""
    _file(desk, name)
    del desk.backups[name]
    return nothing()


@router.post(
    "/data/import",
    responses=told(200, "Imported") | errors(400, 404, 409, 412, 413, 415, 503),
    openapi_extra=json_body({"filename": "string"}),
)
async def take_over(desk: Desk, caller: CallerIs, body: Body) -> Response:
    """Write the objects of an archive, all at once: those of the same names are replaced, and none is deleted.

    The answer has a report: what was taken, changed or left out. It is empty for an archive of Tidegate, which is taken whole.
    """
    content = _file(desk, body.get("filename")).content
    puts, report = _read(desk.log.snapshot, content)
    if puts:

        def made(snapshot: Snapshot, found: Stored | None) -> Edit:
            return Edit(puts)

        await write(desk.log, caller, next(iter(puts)), made)
    return Json({"objects": report})


def _read(snapshot: Snapshot, content: bytes) -> tuple[dict[str, Any], list[Answer]]:
    """The objects of an archive, and what is left of EMQX's."""
    ours = _ours(content)
    if ours is not None:
        return objects_of(parse_objects(ours, own_settings(snapshot.config), name=OBJECTS)), []
    found = read_bytes(content, "archive")
    if not known(found):
        raise CommandError(
            "expected an archive of Tidegate or of EMQX, with connectors, actions, sources, rules or schemas"
        )
    to = translated(found, keep_secrets=SECRETS_KEY in snapshot.objects)
    fit(snapshot.config, snapshot.objects, to)
    report = [{"what": each.what, "key": each.key, "outcome": each.outcome, "notes": each.notes} for each in to.report]
    return to.objects, report


def _ours(content: bytes) -> str | None:
    try:
        with tarfile.open(fileobj=io.BytesIO(content), mode="r:gz") as archive:
            for member in archive:
                if member.isfile() and member.name.rpartition("/")[2] == OBJECTS and member.size <= OBJECTS_BYTES_MAX:
                    file = archive.extractfile(member)
                    assert file is not None
                    return file.read().decode()
    except (tarfile.TarError, OSError, EOFError, UnicodeDecodeError):
        pass
    return None

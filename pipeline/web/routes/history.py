"""The author, time and content of changes, as far as the topic of the configuration still has them."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from starlette.responses import Response

from pipeline.control.records import Past
from pipeline.web.answers import Json, page_of
from pipeline.web.desk import Desk
from pipeline.web.document import errors, told
from pipeline.web.objects.forms import shown
from pipeline.web.people.accounts import OWN_RECORDS

router = APIRouter(tags=["history"])


@router.get("/history", responses=told(200, "Changes") | errors(400, 503))
async def history(desk: Desk, key: str | None = None, page: str | None = None, limit: str | None = None) -> Response:
    """The changes, the newest first, page by page; with `key` (such as `rule/hot`) those of one object. Secrets are masked."""
    past = [each for each in await desk.log.history(key) if not each.key.startswith(OWN_RECORDS)]
    found, meta = page_of(past[::-1], page, limit)
    return Json({"data": [_answer(each) for each in found], "meta": meta})


def _answer(past: Past) -> dict[str, Any]:
    return {
        "key": past.key,
        "revision": past.revision,
        "by": past.by,
        "at": past.at,
        "source": past.source,
        "change": past.change,
        "value": shown(past.key, past.stored.value) if past.stored else None,
    }

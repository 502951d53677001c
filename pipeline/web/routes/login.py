"""Log in, log out, and the one-time link for the first user."""

from __future__ import annotations

from importlib.metadata import version
from typing import Final
from urllib.parse import parse_qs

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from pipeline.errors import ConfigError
from pipeline.web.answers import STATUS, Json, RequestError, nothing
from pipeline.web.desk import Desk
from pipeline.web.document import errors, json_body, told
from pipeline.web.objects.bodies import Body, CallerIs, read_body
from pipeline.web.people import first_user_page
from pipeline.web.people.gate import PREFIX
from pipeline.web.people.sessions import COOKIE

FORM_BYTES_MAX: Final = 4096

router = APIRouter(tags=["login"])


@router.post(
    "/login",
    responses=told(200, "Login") | errors(400, 401, 415, 429),
    openapi_extra=json_body({"username": "string", "password": "string"}) | {"security": []},
)
async def log_in(request: Request, desk: Desk, body: Body) -> Response:
    """Get a token for a name and a password. The same token is set as a cookie for our own page."""
    name, password = (_text(body, field) for field in ("username", "password"))
    address = request.client.host if request.client else ""
    found = await desk.sessions.log_in(name, password, address)
    answer = Json(
        {
            "token": found.token,
            "role": found.role,
            "version": version("tidegate"),
            "license": {"edition": "opensource"},
        }
    )
    answer.set_cookie(COOKIE, found.token, httponly=True, samesite="strict", secure=desk.secure_cookies, path=PREFIX)
    return answer


@router.post("/logout", status_code=204, responses=errors(401))
async def log_out(desk: Desk, caller: CallerIs) -> Response:
    """End the session of this request."""
    await desk.sessions.log_out(caller)
    answer = nothing()
    answer.delete_cookie(COOKIE, path=PREFIX)
    return answer


def _text(body: dict[str, object], field: str) -> str:
    value = body.get(field)
    if not isinstance(value, str) or not value:
        raise ConfigError("expected a text that is not empty", where=f"root.{field}")
    return value


# --- The first user


@router.get("/first_user", include_in_schema=False)
async def show_form(desk: Desk, token: str = "") -> Response:
    """The form behind the link of the terminal."""
    if not desk.first_user.is_open(token):
        return _page(first_user_page.refusal(str(desk.first_user.refused())), 403)
    return _page(first_user_page.form(token))


@router.post("/first_user", include_in_schema=False)
async def create_first_user(request: Request, desk: Desk) -> Response:
    """Take the form. The token is the proof, so no cookie is needed."""
    form = parse_qs((await read_body(request, FORM_BYTES_MAX)).decode("utf-8", "replace"))
    token, name, password = (form.get(field, [""])[0] for field in ("token", "username", "password"))
    address = request.client.host if request.client else ""
    try:
        await desk.first_user.create(token, name, password, address)
    except RequestError as error:
        return _page(first_user_page.refusal(str(error)), STATUS[error.word])
    except ValueError as error:
        return _page(first_user_page.form(token, name, str(error)), 400)
    return RedirectResponse("/", status_code=303)  # to the page, which asks for the password


def _page(text: str, status: int = 200) -> Response:
    return HTMLResponse(text, status, headers={"Content-Security-Policy": first_user_page.POLICY})

"""Who may use the API: tokens, cookies, keys, roles, lock-outs, ends of sessions, and the first user."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from pipeline.errors import TidegateError
from pipeline.web.people.accounts import SESSION_MS
from pipeline.web.people.first_user import VALID_MS
from pipeline.web.people.lockout import FAILURES_MAX, WINDOW_SECONDS, Lockout
from tests.parts.config_log import MemoryLog
from tests.parts.rest import PASSWORD, RULE, Api, basic


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    async with Api(raise_errors=True) as found:
        yield found


EVERY = [
    ("GET", "/connectors"),
    ("POST", "/rules"),
    ("DELETE", "/users/eve"),
    ("PUT", "/actions/s3:x/enable/true"),
    ("GET", "/nope"),
    ("POST", "/logout"),
]


@pytest.mark.parametrize(("method", "path"), EVERY)
async def test_nobody_is_let_in_without_a_login(api: Api, method: str, path: str) -> None:
    """Every path but the login needs one, also a path that does not exist."""
    del api.client.headers["authorization"]

    answer = await api.client.request(method, path)

    assert (answer.status_code, answer.json()["code"]) == (401, "AUTHORIZATION_HEADER_ERROR")


async def test_the_document_needs_no_login(api: Api) -> None:
    """The OpenAPI document is of version 3.1, and everybody may read it."""
    del api.client.headers["authorization"]

    answer = await api.client.get("/openapi.json")

    assert answer.json()["openapi"].startswith("3.1")


@pytest.mark.parametrize(
    ("header", "code"),
    [
        ("Bearer nonsense", "BAD_TOKEN"),
        ("Bearer ", "BAD_TOKEN"),
        ("Basic !!!", "BAD_API_KEY_OR_SECRET"),
        (basic("ci", "wrong")["authorization"], "BAD_API_KEY_OR_SECRET"),
        (basic("nobody")["authorization"], "BAD_API_KEY_OR_SECRET"),
        ("Digest x", "AUTHORIZATION_HEADER_ERROR"),
    ],
)
async def test_a_wrong_header_is_refused_with_its_code(api: Api, header: str, code: str) -> None:
    """Each kind of wrong credentials has the code that EMQX's clients know."""
    answer = await api.client.get("/rules", headers={"authorization": header})

    assert (answer.status_code, answer.json()["code"]) == (401, code)


async def test_a_login_gives_a_token_and_a_logout_ends_it(api: Api) -> None:
    """The token of a login works until the logout."""
    found = await api.client.post("/login", json={"username": "admin", "password": PASSWORD})
    header = {"authorization": f"Bearer {found.json()['token']}"}

    assert (found.status_code, found.json()["role"], found.json()["license"]) == (
        200,
        "administrator",
        {"edition": "opensource"},
    )
    assert (await api.client.get("/rules", headers=header)).status_code == 200
    assert (await api.client.post("/logout", headers=header, json={"username": "admin"})).status_code == 204
    assert (await api.client.get("/rules", headers=header)).json()["code"] == "BAD_TOKEN"


@pytest.mark.parametrize("name", ["admin", "nobody"])
async def test_a_wrong_login_does_not_say_what_was_wrong(api: Api, name: str) -> None:
    """A wrong password and an unknown user have the same answer."""
    answer = await api.client.post("/login", json={"username": name, "password": "wrong password"})

    assert (answer.status_code, answer.json()["code"]) == (401, "BAD_USERNAME_OR_PWD")
    assert answer.json()["message"] == "the user name or the password is wrong"


async def test_a_session_ends_after_an_hour_without_a_request(api: Api) -> None:
    """Requests keep a session alive; an hour without one ends it, with EMQX's code."""
    for _ in range(3):
        api.clock.now_ms += SESSION_MS * 3 // 4
        assert (await api.client.get("/rules")).status_code == 200
    api.clock.now_ms += SESSION_MS

    answer = await api.client.get("/rules")

    assert (answer.status_code, answer.json()["code"]) == (401, "TOKEN_TIME_OUT")


async def test_requests_seldom_write(api: Api) -> None:
    """A request in the first half of a session writes nothing to the topic."""
    before = api.log.snapshot.revision
    await api.client.get("/rules")

    assert api.log.snapshot.revision == before


async def test_guesses_lock_the_user_out_for_a_minute(api: Api) -> None:
    """After five failures even the right password is refused, with the time to wait; then it works again."""
    for _ in range(FAILURES_MAX):
        await api.client.post("/login", json={"username": "eve", "password": "wrong password"})

    locked = await api.client.post("/login", json={"username": "eve", "password": PASSWORD})
    api.clock.now_ms += int(WINDOW_SECONDS * 1000) + 1
    later = await api.client.post("/login", json={"username": "eve", "password": PASSWORD})

    assert (locked.status_code, locked.json()["code"]) == (429, "TOO_MANY_REQUESTS")
    assert 1 <= int(locked.headers["retry-after"]) <= WINDOW_SECONDS + 1
    assert later.status_code == 200


async def test_guesses_lock_the_address_out_too(api: Api) -> None:
    """Failures with many names count together for their address."""
    for number in range(FAILURES_MAX):
        await api.client.post("/login", json={"username": f"user{number}", "password": "wrong password"})

    answer = await api.client.post("/login", json={"username": "admin", "password": PASSWORD})

    assert answer.status_code == 429


def test_a_success_does_not_pay_for_the_failures_of_an_address() -> None:
    """Whoever has one password cannot use it to guess others for ever."""
    lockout = Lockout()
    for second in range(FAILURES_MAX - 1):
        lockout.failed("address", second)
    lockout.failed("address", 10)
    lockout.take_back("address", 10)
    lockout.failed("address", 11)

    assert lockout.wait_seconds("address", 12) > 0


@pytest.mark.parametrize("who", ["eve", "grafana"])
async def test_a_viewer_only_reads(api: Api, who: str) -> None:
    """A viewer, and a key of that role, read everything and change nothing."""
    header = {"authorization": f"Bearer {await api.token('eve')}"} if who == "eve" else basic(who)

    assert (await api.client.get("/rules", headers=header)).status_code == 200
    for method, path in (("POST", "/rules"), ("DELETE", "/rules/x"), ("PUT", "/connectors/s3:x/enable/true")):
        answer = await api.client.request(method, path, headers=header)
        assert (answer.status_code, answer.json()["code"]) == (403, "UNAUTHORIZED_ROLE")


@pytest.mark.parametrize("path", ["/users", "/api_key", "/users/eve", "/api_key/ci"])
async def test_a_key_manages_no_people(api: Api, path: str) -> None:
    """An API key, also one of an administrator, sees neither users nor keys."""
    answer = await api.client.get(path, headers=basic("ci"))

    assert (answer.status_code, answer.json()["code"]) == (403, "API_KEY_NOT_ALLOW")


async def test_a_key_is_told_once_and_can_be_switched_off(api: Api) -> None:
    """Only the creation answers with the secret; the key works, until it is disabled or over."""
    made = (await api.client.post("/api_key", json={"name": "new", "desc": "for CI"})).json()
    header = {"authorization": f"Basic {_base64(made['api_key'], made['api_secret'])}"}

    assert (await api.client.get("/rules", headers=header)).status_code == 200
    assert "api_secret" not in (await api.client.get("/api_key/new")).json()
    assert made["api_secret"] not in str(api.log.snapshot.objects)
    await api.client.put("/api_key/new", json={"enable": False})
    assert (await api.client.get("/rules", headers=header)).status_code == 401
    await api.client.put("/api_key/new", json={"enable": True, "expired_at": "2020-01-01T00:00:00Z"})
    assert (await api.client.get("/rules", headers=header)).status_code == 401


def _base64(name: str, secret: str) -> str:
    import base64

    return base64.b64encode(f"{name}:{secret}".encode()).decode()


async def test_a_cookie_changes_nothing_for_another_page(api: Api) -> None:
    """A change with the cookie needs the Origin of our own page; reading does not."""
    found = await api.client.post("/login", json={"username": "admin", "password": PASSWORD})
    del api.client.headers["authorization"]
    cookie = found.headers["set-cookie"]

    assert {"HttpOnly", "SameSite=strict"} <= {part.strip() for part in cookie.split(";")}
    assert (await api.client.get("/rules")).status_code == 200
    body = {**RULE, "actions": []}
    for origin in ("http://evil.example", "null", "http://api.example.evil.example"):
        answer = await api.client.post("/rules", json=body, headers={"origin": origin})
        assert (answer.status_code, answer.json()["code"]) == (403, "FORBIDDEN")
    assert (await api.client.post("/rules", json=body)).status_code == 403
    own = await api.client.post("/rules", json=body, headers={"origin": "http://api.example"})
    assert own.status_code == 201
    assert api.log.snapshot.objects["rule/hot"].source == "page"


# --- Users


async def test_users_are_managed(api: Api) -> None:
    """A user is created, changed and deleted, and a deleted one's session ends."""
    made = await api.client.post(
        "/users", json={"username": "joe", "password": PASSWORD, "role": "viewer", "description": "night shift"}
    )
    header = {"authorization": f"Bearer {await api.token('joe')}"}
    changed = await api.client.put("/users/joe", json={"description": "day shift"})

    assert (made.status_code, made.json()["role"]) == (200, "viewer")
    assert changed.json()["description"] == "day shift"
    assert "hash" not in (await api.client.get("/users")).text
    assert (await api.client.delete("/users/joe")).status_code == 204
    assert (await api.client.get("/rules", headers=header)).json()["code"] == "BAD_TOKEN"


async def test_a_changed_password_ends_the_other_sessions(api: Api) -> None:
    """A viewer changes the own password with the old one; the other sessions end, this one does not."""
    own, other = [{"authorization": f"Bearer {await api.token('eve')}"} for _ in range(2)]

    wrong = await api.client.post("/users/eve/change_pwd", headers=own, json={"old_pwd": "x", "new_pwd": "another one"})
    right = await api.client.post(
        "/users/eve/change_pwd", headers=own, json={"old_pwd": PASSWORD, "new_pwd": "another one"}
    )

    assert (wrong.status_code, right.status_code) == (400, 204)
    assert (await api.client.get("/rules", headers=own)).status_code == 200
    assert (await api.client.get("/rules", headers=other)).status_code == 401


async def test_a_viewer_does_not_change_others_passwords(api: Api) -> None:
    """change_pwd of another user is not for viewers."""
    header = {"authorization": f"Bearer {await api.token('eve')}"}

    answer = await api.client.post(
        "/users/admin/change_pwd", headers=header, json={"old_pwd": PASSWORD, "new_pwd": "another one"}
    )

    assert answer.status_code == 403


async def test_the_last_administrator_stays(api: Api) -> None:
    """Nobody can delete the last administrator or make a viewer of one."""
    assert (await api.client.delete("/users/admin")).status_code == 400
    assert (await api.client.put("/users/admin", json={"role": "viewer"})).status_code == 400


@pytest.mark.parametrize(
    "body",
    [
        {"username": "", "password": PASSWORD},
        {"username": "a/b", "password": PASSWORD},
        {"username": "joe", "password": "short"},
        {"username": "joe", "password": PASSWORD, "role": "root"},
        {"username": "joe"},
    ],
)
async def test_a_user_that_cannot_be_is_refused(api: Api, body: dict[str, str]) -> None:
    """Names, passwords and roles are checked, and no answer shows the password."""
    answer = await api.client.post("/users", json=body)

    assert answer.status_code == 400
    assert body.get("password", "-") not in answer.text


# --- The first user


async def test_the_first_user_comes_by_the_link_of_the_terminal() -> None:
    """While there is no user, the link makes an administrator, once."""
    api = Api(raise_errors=True)
    form = {"token": api.services.first_user.token, "username": "root", "password": PASSWORD}

    wrong = await api.client.post("/first_user", data={**form, "token": "guess"})
    page = await api.client.get("/first_user", params={"token": form["token"]})
    made = await api.client.post("/first_user", data=form)
    again = await api.client.post("/first_user", data={**form, "username": "root2"})

    assert [each.status_code for each in (wrong, page, made, again)] == [403, 200, 303, 403]
    assert (await api.client.post("/login", json={"username": "root", "password": PASSWORD})).status_code == 200
    await api.client.aclose()


async def test_the_form_says_what_is_wrong_and_keeps_the_name() -> None:
    """A password that is too short gives the form again, with the reason; texts of the user are texts."""
    api = Api(raise_errors=True)
    form = {"token": api.services.first_user.token, "username": "<b>root", "password": "short"}

    answer = await api.client.post("/first_user", data=form)
    named = await api.client.post("/first_user", data={**form, "username": "root"})

    assert (answer.status_code, named.status_code) == (400, 400)
    assert "<b>root" not in answer.text
    assert 'role="alert"' in named.text
    assert 'value="root"' in named.text
    assert "script" not in named.headers["content-security-policy"]
    await api.client.aclose()


async def test_the_link_is_over_after_an_hour() -> None:
    """An old link makes nobody."""
    api = Api(raise_errors=True)
    api.clock.now_ms += VALID_MS

    answer = await api.client.get("/first_user", params={"token": api.services.first_user.token})

    assert answer.status_code == 403
    await api.client.aclose()


async def test_two_processes_have_one_first_user() -> None:
    """Of two links that are used at the same time, one wins."""
    one, two = Api(raise_errors=True), Api(raise_errors=True)
    shared: MemoryLog = one.log
    two.services.first_user._log = shared

    await one.services.first_user.create(one.services.first_user.token, "one", PASSWORD, "")
    with pytest.raises(TidegateError):
        await two.services.first_user.create(two.services.first_user.token, "two", PASSWORD, "")

    assert [key for key in shared.snapshot.objects if key.startswith("user/")] == ["user/one"]
    for each in (one, two):
        await each.client.aclose()

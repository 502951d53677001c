"""The two pages behind the one-time link: the form that names the first user, and the words for a link that is over.

They stand alone: nobody is signed in yet, so they need nothing of the dashboard, and no script.
"""

from __future__ import annotations

from html import escape
from string import Template
from typing import Final

POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'; img-src 'self'; form-action 'self'; base-uri 'none'"

_STYLE: Final = """
:root { color-scheme: light dark; font: 15px/1.5 system-ui, "Noto Sans", sans-serif }
body { margin: 0; min-height: 100vh; display: grid; place-items: center;
  background: light-dark(#f4f6f8, #10151b); color: light-dark(#17202a, #e5eaf0) }
main { width: min(400px, calc(100vw - 88px)); padding: 28px; border-radius: 8px;
  background: light-dark(#fff, #171e26); border: 1px solid light-dark(#d8dee5, #2b3541) }
img { width: 28px; vertical-align: middle; margin-right: 10px }
h1 { font-size: 22px; margin: 0 0 16px }
label { display: block; font-weight: 600; margin-bottom: 12px }
input, button { font: inherit; color: inherit; display: block; width: 100%; box-sizing: border-box; min-height: 36px;
  padding: 6px 12px; border-radius: 6px; border: 1px solid light-dark(#7f8b98, #6d7a88); background: light-dark(#fff, #171e26) }
button { cursor: pointer; width: auto; background: light-dark(#0b6e63, #4cc2b0); color: light-dark(#fff, #06211d); border: 0 }
[role=alert] { border-left: 4px solid light-dark(#b3261e, #ff8f85); padding-left: 12px }
a { color: light-dark(#0b6e63, #4cc2b0) }
"""

_PAGE: Final = Template(
    '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
    '<title>Tidegate: the first user</title><link rel="icon" href="/icon.svg"><style>$style</style><main>'
    '<p><img src="/icon.svg" alt=""><b>Tidegate</b></p><h1>The first user of this pipeline</h1>$inside</main></html>'
)
_FORM: Final = Template(
    '<form method="post" action="first_user"><input type="hidden" name="token" value="$token">$problem'
    '<label>Name <input name="username" value="$name" required autocomplete="username"></label>'
    '<label>Password <input name="password" type="password" required minlength="8" autocomplete="new-password"></label>'
    "<p>At least 8 characters. This user is an administrator, and creates the others.</p>"
    "<button>Create an administrator</button></form>"
)


def form(token: str, name: str = "admin", problem: str = "") -> str:
    """The form. `problem` says why the last try was refused."""
    inside = _FORM.substitute(token=escape(token), name=escape(name), problem=_alert(problem))
    return _PAGE.substitute(style=_STYLE, inside=inside)


def refusal(problem: str) -> str:
    """The page for a link that makes nobody."""
    return _PAGE.substitute(style=_STYLE, inside=f'{_alert(problem)}<p><a href="/">Go to the page to sign in</a></p>')


def _alert(problem: str) -> str:
    return f'<p role="alert">{escape(problem)}</p>' if problem else ""

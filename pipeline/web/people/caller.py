"""The sender of a request, and what that role may do."""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

Role = Literal["administrator", "viewer"]
Through = Literal["session", "page", "api_key", "first_user"]

ROLES: Final = ("administrator", "viewer")
READING: Final = frozenset({"GET", "HEAD", "OPTIONS"})
# What a viewer may send although it is not a GET: it changes nothing that is not the viewer's. The last part of the path.
OF_EVERYBODY: Final = frozenset(
    {"logout", "change_pwd", "rule_test", "rule_trial", "rule_live", "rules_check", "actions_check"}
)


class Caller(NamedTuple):
    """The sender of a request. `session` is the key of the session in the topic, if it came with one."""

    name: str
    role: Role
    through: Through
    address: str = ""
    session: str = ""

    @property
    def source(self) -> str:
        """Through what a change came, as the history of the configuration has it."""
        return "page" if self.through == "page" else "rest"

    def may(self, method: str, path: str) -> bool:
        """Whether the role allows a request."""
        return self.role == "administrator" or method in READING or path.rpartition("/")[2] in OF_EVERYBODY

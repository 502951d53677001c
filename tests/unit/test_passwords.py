"""Password files of other brokers: the hashes of mosquitto_passwd and bcrypt, and EMQX's bootstrap files."""

from __future__ import annotations

import hashlib
import json

import bcrypt
import pytest

from pipeline.passwords import parse_passwords, verified

BCRYPT = "$2b$04$gOBmwqDWbzAwyBWs2giD7uw9fB5nbTgwiYmadawp0Y7sdLHixiI5e"
PBKDF2 = (
    "$7$101$OjO51sPvnZMW6pgt$YnJM8kDIGYFUrZgL86neP80qKJ9Y+NtdTwU0CP/sh64yo4xxKc4/3ArQjcfn1ckOoJFYCQobZ8HTcBSZXeM1Qw=="
)
SHA512 = "$6$k86MDqBlwc2NogKw$xzE3bZvnQ6AkOAssgIdGIggDOoricorj7UjivtoUrbInbC+HElp9MfV4/KKEfucJV2aDJLMEytKN4pqdG49UYg=="


def digest(name: str, text: str) -> str:
    return hashlib.new(name, text.encode()).hexdigest()


@pytest.mark.parametrize(
    "text",
    [
        f"anna:{BCRYPT}",
        f"anna:{BCRYPT.replace('$2b$', '$2y$')}",
        f"anna:{BCRYPT.replace('$2b$', '$2a$')}\n# a comment\n",
        f"anna:{PBKDF2}\n",
        f"anna:{SHA512}\r\n",
        f"user_id,password_hash,salt,is_superuser\nanna,{BCRYPT},$2b$04$gOBmwqDWbzAwyBWs2giD7u,false\n",
        f"user_id,password_hash,salt,is_superuser\nanna,{digest('sha256', 'secretsalt')},salt,true",
        f"user_id,password_hash,salt,is_superuser\nanna,{digest('sha512', 'saltsecret').upper()},salt,true",
        f"user_id,password_hash,salt\nanna,{digest('sha1', 'secret')},\n",
        f"\ufeffuser_id,password_hash,salt\r\nanna,{digest('md5', 'secretsalt')},salt\r\n",
        "user_id,password,is_superuser\nanna,secret,false\n",
        json.dumps(
            [{"user_id": "anna", "password_hash": digest("sha256", "secrets"), "salt": "s", "is_superuser": True}]
        ),
        json.dumps([{"user_id": "anna", "password_hash": BCRYPT, "salt": ""}]),
        json.dumps([{"user_id": "anna", "password": "secret"}]),
    ],
)
def test_a_password_of_another_broker_stays_good(text: str) -> None:
    """The right password is accepted, and no other one."""
    found = parse_passwords(text)

    assert list(found) == ["anna"]
    assert verified(found["anna"], b"secret")
    for wrong in (b"", b"Secret", b"secret\0", b"\xff", b"secret" * 20):
        assert not verified(found["anna"], wrong)


def test_bcrypt_looks_at_72_bytes_as_brokers_do() -> None:
    """A longer password is not an error."""
    known = bcrypt.hashpw(b"x" * 72, bcrypt.gensalt(4)).decode()

    assert verified(known, b"x" * 72)
    assert verified(known, b"x" * 200)
    assert not verified(known, b"x" * 71)


@pytest.mark.parametrize(
    "text",
    [
        "anna:secret",
        "anna:$5$salt$hash",
        "anna:$7$x$c2FsdA==$aGFzaA==",
        "anna:$7$99999999999$c2FsdA==$aGFzaA==",
        "anna:$7$101$not base64$aGFzaA==",
        "anna:$6$c2FsdA==$",
        "anna:$2b$31$gOBmwqDWbzAwyBWs2giD7uw9fB5nbTgwiYmadawp0Y7sdLHixiI5e",
        "anna:$2b$04$short",
        "anna:emqx:plain::736563726574",
        f"anna:{BCRYPT}\nanna:{BCRYPT}",
        "user_id,password_hash,salt\nanna,secret,salt",
        "user_id,password_hash,salt\n,secret,salt",
        "user_id,password_hash,salt\nanna,,",
        '[{"user_id": "anna"}]',
        '[{"user_id": 5, "password": "secret"}]',
        '["secret"]',
        '[{"user_id": "anna", "password": "secret"',
    ],
)
def test_what_is_not_a_user_and_hash_is_an_error_with_its_place(text: str) -> None:
    """The error names the place and not the secret."""
    with pytest.raises(ValueError, match=r"(line|row|user) \d") as refused:
        parse_passwords(text)

    assert "secret" not in str(refused.value)

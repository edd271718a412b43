"""User tokens: requests for them, and their contents."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
from typing import Any

import pytest
from conftest import KEY_SECRET, Sandbox, Starter, basic
from test_users import UNKNOWN, UUID

ACCESS_CLAIMS = ["client_id", "exp", "iat", "iss", "jti", "sub", "user_id"]
REFRESH_CLAIMS = {"exp", "jti", "iat", "iss", "sub"}


def decode(part: str) -> bytes:
    assert re.fullmatch(r"[A-Za-z0-9_-]+", part)
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def claims(token: str, secret: str = KEY_SECRET) -> dict[str, Any]:
    header, payload, signature = token.split(".")
    assert decode(header) == b'{"alg":"HS256","typ":"JWT"}'
    expected = hmac.new(secret.encode(), f"{header}.{payload}".encode(), hashlib.sha256).digest()
    assert decode(signature) == expected
    found: dict[str, Any] = json.loads(decode(payload))
    return found


def assert_access(token: str, user: str, secret: str = KEY_SECRET) -> dict[str, Any]:
    payload = token.split(".")[1]
    # A real client decodes the payload with strict, padded base64.
    text = base64.b64decode(payload, altchars=b"-_", validate=True)
    assert len(text) % 3 == 0
    found = claims(token, secret)
    assert list(found) == ACCESS_CLAIMS
    assert text == json.dumps(found, separators=(",", ":")).encode()
    assert found["sub"] == found["user_id"] == user
    assert found["iss"] == "argyle-core-auth-prod"
    assert UUID.fullmatch(found["jti"]) and UUID.fullmatch(found["client_id"])
    assert found["exp"] - found["iat"] == 2_592_000
    return found


def test_create_returns_an_access_token(sandbox: Sandbox) -> None:
    answer = sandbox.send("POST", "/v1/users")
    found = assert_access(answer.json["token"], answer.json["id"])
    created = int(answer.json["id"].replace("-", "")[:12], 16)
    assert 0 <= found["iat"] - created // 1000 <= 60


def test_token_pair(sandbox: Sandbox) -> None:
    user = sandbox.create()
    answer = sandbox.send("POST", "/v1/user-tokens", json.dumps({"user": user}).encode())
    assert answer.status == 201
    assert list(answer.json) == ["access", "refresh"]
    access = assert_access(answer.json["access"], user)
    refresh = claims(answer.json["refresh"])
    assert set(refresh) == REFRESH_CLAIMS
    assert refresh["sub"] == user
    assert refresh["iss"] == "argyle-core-auth-prod"
    assert refresh["exp"] - refresh["iat"] == 2_592_000
    assert refresh["jti"] != access["jti"]
    again = sandbox.send("POST", "/v1/user-tokens/", json.dumps({"user": user}).encode())
    assert again.json["access"] != answer.json["access"]
    assert claims(again.json["access"])["client_id"] == access["client_id"]


def test_key_signs_the_tokens(start: Starter) -> None:
    sandbox = start("--key-secret", "s")
    answer = sandbox.send("POST", "/v1/users", authorization=basic(secret="s"))
    assert_access(answer.json["token"], answer.json["id"], "s")


def test_id_may_be_escaped_or_upper_case(sandbox: Sandbox) -> None:
    user = sandbox.create()
    escaped = "".join(f"\\u{ord(character):04x}" for character in user)
    for spelling in (escaped, user.upper()):
        answer = sandbox.send("POST", "/v1/user-tokens", b'{"user":"%s"}' % spelling.encode())
        assert answer.status == 201
        assert_access(answer.json["access"], user)


@pytest.mark.parametrize("body", [None, b"", b"{}", b'{"User":1}', b'{"users":"x"}'])
def test_user_is_required(sandbox: Sandbox, body: bytes | None) -> None:
    answer = sandbox.send("POST", "/v1/user-tokens", body)
    assert (answer.status, answer.json) == (400, {"user": ["This field is required."]})


@pytest.mark.parametrize(
    "value", [UNKNOWN, "x", " ", "a\"b\\c", "é😀", "\u0000", "\n", "x" * 5000, "/", "null"])
def test_unknown_user(sandbox: Sandbox, value: str) -> None:
    for text in (json.dumps(value), json.dumps(value, ensure_ascii=False)):
        answer = sandbox.send("POST", "/v1/user-tokens", b'{"user":%s}' % text.encode())
        assert answer.status == 400
        assert answer.json == {"user": [f'Invalid pk "{value}" - object does not exist.']}


def test_lone_surrogate_as_user(sandbox: Sandbox) -> None:
    answer = sandbox.send("POST", "/v1/user-tokens", b'{"user":"\\ud800"}')
    assert answer.status == 400
    assert answer.body == b'{"user":["Invalid pk \\"\\ud800\\" - object does not exist."]}'


@pytest.mark.parametrize(
    "value, message",
    [
        (b"null", "This field may not be null."),
        (b'""', "This field may not be null."),
        (b"1", "Incorrect type. Expected pk value, received int."),
        (b"1.5", "Incorrect type. Expected pk value, received float."),
        (b"true", "Incorrect type. Expected pk value, received bool."),
        (b"[]", "Incorrect type. Expected pk value, received list."),
        (b"{}", "Incorrect type. Expected pk value, received dict."),
    ],
)
def test_user_of_another_type(sandbox: Sandbox, value: bytes, message: str) -> None:
    answer = sandbox.send("POST", "/v1/user-tokens", b'{"user":' + value + b"}")
    assert (answer.status, answer.json) == (400, {"user": [message]})


def test_deleted_user(sandbox: Sandbox) -> None:
    user = sandbox.create()
    sandbox.send("DELETE", f"/v1/users/{user}")
    answer = sandbox.send("POST", "/v1/user-tokens", b'{"user":"%s"}' % user.encode())
    assert answer.status == 400
    assert answer.json == {"user": [f'Invalid pk "{user}" - object does not exist.']}


def test_lengths_are_as_documented(sandbox: Sandbox) -> None:
    created = sandbox.send("POST", "/v1/users").json
    pair = sandbox.send("POST", "/v1/user-tokens", json.dumps({"user": created["id"]}).encode()).json
    assert [len(part) for part in created["token"].split(".")] == [36, 340, 43]
    assert [len(part) for part in pair["access"].split(".")] == [36, 340, 43]
    assert [len(part) for part in pair["refresh"].split(".")] == [36, 207, 43]


def test_client_id_does_not_depend_on_the_key(start: Starter) -> None:
    clients = set()
    for key in ("one", "other"):
        sandbox = start("--key-id", key)
        answer = sandbox.send("POST", "/v1/users", authorization=basic(key))
        clients.add(claims(answer.json["token"])["client_id"])
    assert len(clients) == 1
    assert clients.isdisjoint({"one", "other"})

"""API v2: user tokens."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from conftest import Sandbox, Starter, basic
from test_control import control
from test_user_tokens import assert_access, claims
from test_users import UNKNOWN
from test_v2_users import create

CLAIMS = ["client_id", "exp", "fid", "iat", "iss", "jti", "sub", "user_id"]
VERSION_4 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
FORM: dict[str, str | bytes | None] = {"Content-Type": "application/x-www-form-urlencoded"}


def assert_token(token: str, user: str, secret: str = "sandbox-key-secret") -> dict[str, Any]:
    found = claims(token, secret)
    assert list(found) == CLAIMS
    assert len(token) == 481
    assert found["sub"] == found["user_id"] == user
    assert found["iss"] == "argyle-core-auth-prod"
    assert VERSION_4.fullmatch(found["fid"]) and VERSION_4.fullmatch(found["jti"])
    assert found["exp"] - found["iat"] == 3600
    return found


def test_create_returns_a_token(sandbox: Sandbox) -> None:
    answer = sandbox.send("POST", "/v2/users", b"{}")
    found = assert_token(answer.json["user_token"], answer.json["id"])
    created = int(answer.json["id"].replace("-", "")[:12], 16)
    assert 0 <= found["iat"] - created // 1000 <= 60
    assert answer.headers["X-Client-Id"] == found["client_id"]


def test_token(sandbox: Sandbox) -> None:
    user = create(sandbox)
    seen = []
    for _ in range(2):
        answer = sandbox.send("POST", "/v2/user-tokens", json.dumps({"user": user}).encode())
        assert answer.status == 201
        assert list(answer.json) == ["user_token"]
        seen.append(assert_token(answer.json["user_token"], user))
    for claim in ("fid", "jti"):
        assert seen[0][claim] != seen[1][claim]
    assert seen[0]["fid"] != seen[0]["jti"]
    assert seen[0]["client_id"] == seen[1]["client_id"]


def test_tokens_of_both_versions_for_one_user(sandbox: Sandbox) -> None:
    for user in (create(sandbox), sandbox.create()):
        body = json.dumps({"user": user}).encode()
        assert_token(sandbox.send("POST", "/v2/user-tokens", body).json["user_token"], user)
        # It lives for thirty days in v1, wherever the user was created.
        assert_access(sandbox.send("POST", "/v1/user-tokens", body).json["access"], user)


def test_key_signs_the_tokens(start: Starter) -> None:
    sandbox = start("--key-secret", "s")
    answer = sandbox.send("POST", "/v2/users", authorization=basic(secret="s"))
    assert_token(answer.json["user_token"], answer.json["id"], "s")


def test_tokens_follow_the_clock(fresh: Sandbox) -> None:
    user = create(fresh)
    before = claims(fresh.send("POST", "/v2/users").json["user_token"])
    control(fresh, "PUT", "/clock", {"offset_seconds": -10_000})
    token = fresh.send("POST", "/v2/user-tokens", json.dumps({"user": user}).encode()).json["user_token"]
    assert assert_token(token, user)["exp"] < before["iat"]


@pytest.mark.parametrize("form", [
    "user={id}", "user={upper}", "user=x&user={id}", "more=1&user={id}&", "us%65r={escaped}"])
def test_form(sandbox: Sandbox, form: str) -> None:
    user = create(sandbox)
    body = form.format(id=user, upper=user.upper(), escaped=user.replace("-", "%2D"))
    for headers in (FORM, {"Content-Type": "Application/X-WWW-Form-URLEncoded; charset=utf-8"}):
        answer = sandbox.send("POST", "/v2/user-tokens", body.encode(), headers)
        assert answer.status == 201
        assert_token(answer.json["user_token"], user)


@pytest.mark.parametrize(
    "body, headers, message",
    [
        (None, {}, "This field is required."),
        (b"", {}, "This field is required."),
        (b"", FORM, "This field is required."),
        (b"{}", {}, "This field is required."),
        (b"{}", FORM, "This field is required."),
        (b"User=x", FORM, "This field is required."),
        (b'{"user":null}', {}, "This field may not be null."),
        (b'{"user":""}', {}, "This field may not be null."),
        (b"user=", FORM, "This field may not be null."),
        (b"user", FORM, "This field may not be null."),
        (b'{"user":1}', {}, "Incorrect type. Expected pk value, received int."),
        (b'{"user":"x"}', {}, 'Invalid pk "x" - object does not exist.'),
        (b"user=1", FORM, 'Invalid pk "1" - object does not exist.'),
        (b"user=%22%5C%0a+%C3%A9%FF", FORM, 'Invalid pk ""\\\n é\ufffd" - object does not exist.'),
        (b"user=" + UNKNOWN.encode(), FORM, f'Invalid pk "{UNKNOWN}" - object does not exist.'),
    ],
)
def test_invalid_users(
    sandbox: Sandbox, body: bytes | None, headers: dict[str, str | bytes | None], message: str
) -> None:
    answer = sandbox.send("POST", "/v2/user-tokens", body, headers)
    assert (answer.status, answer.json) == (400, {"user": [message]})


def test_deleted_user(sandbox: Sandbox) -> None:
    user = create(sandbox)
    sandbox.send("DELETE", f"/v2/users/{user}")
    answer = sandbox.send("POST", "/v2/user-tokens", json.dumps({"user": user}).encode())
    assert (answer.status, answer.json) == (400, {"user": [f'Invalid pk "{user}" - object does not exist.']})

"""HTTP Basic authentication."""

from __future__ import annotations

import base64

import pytest
from conftest import KEY_ID, KEY_SECRET, Answer, Sandbox, Starter, basic

PATHS = [
    "/v1/users", "/v1/users/", "/v1/users/none", "/v1/user-tokens", "/v1/nothing", "/v1",
    "/v2/users", "/v2/users/none", "/v2/user-tokens", "/v2/nothing", "/v2"]


def assert_unauthorized(answer: Answer, detail: str) -> None:
    assert answer.status == 401
    assert answer.json == {"detail": detail}
    assert answer.headers["WWW-Authenticate"] == 'Basic realm="api"'


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("method", ["GET", "POST", "PATCH", "DELETE", "PUT", "OPTIONS"])
def test_missing(sandbox: Sandbox, method: str, path: str) -> None:
    assert_unauthorized(
        sandbox.send(method, path, authorization=None),
        "Authentication credentials were not provided.")


@pytest.mark.parametrize("value", ["", " ", "Bearer abc", "Token abc", "Basicabc", "\xff"])
def test_other_schemes_count_as_missing(sandbox: Sandbox, value: str) -> None:
    assert_unauthorized(
        sandbox.send("GET", "/v1/users", authorization=value),
        "Authentication credentials were not provided.")


@pytest.mark.parametrize(
    "value",
    [
        "Basic",
        "Basic ",
        "Basic !!!",
        "Basic \xff\xfe",
        "Basic " + "A" * 10000,
        basic(KEY_ID, "wrong"),
        basic("wrong", KEY_SECRET),
        basic(KEY_ID, ""),
        basic("", ""),
        basic(KEY_ID, KEY_SECRET + "x"),
        basic(KEY_ID, KEY_SECRET[:-1]),
        basic(KEY_ID.upper(), KEY_SECRET),
        basic() + "=",
        basic()[:-1],
        basic() + " x",
        "Basic " + base64.b64encode(KEY_ID.encode()).decode(),
    ],
)
def test_wrong_or_malformed(sandbox: Sandbox, value: str) -> None:
    assert_unauthorized(
        sandbox.send("GET", "/v1/users", authorization=value), "Invalid username/password.")


@pytest.mark.parametrize("scheme", ["Basic", "basic", "BASIC", "Basic  "])
def test_scheme_is_case_insensitive(sandbox: Sandbox, scheme: str) -> None:
    answer = sandbox.send(
        "GET", "/v1/users", authorization=basic().replace("Basic", scheme, 1))
    assert answer.status == 200


@pytest.mark.parametrize("length", range(1, 7))
def test_every_length_of_credentials(start: Starter, length: int) -> None:
    sandbox = start("--key-id", "k", "--key-secret", "s" * length)
    assert sandbox.send("GET", "/v1/users", authorization=basic("k", "s" * length)).status == 200
    assert sandbox.send("GET", "/v1/users", authorization=basic("k", "s" * length + "s")).status == 401


def test_nothing_changes_without_credentials(fresh: Sandbox) -> None:
    user = fresh.create(b"1")
    assert fresh.send("DELETE", f"/v1/users/{user}", authorization=None).status == 401
    assert fresh.send("POST", "/v1/users", authorization=basic("x", "y")).status == 401
    assert fresh.send("PATCH", f"/v1/users/{user}", b'{"external_metadata":2}',
                      authorization=basic("x", "y")).status == 401
    users = fresh.send("GET", "/v1/users").json
    assert users["count"] == 1
    assert users["results"][0]["external_metadata"] == 1

"""An API key of the other environment, which is recognised but rejected."""

from __future__ import annotations

import pytest
from conftest import KEY_ID, KEY_SECRET, Starter, basic, run
from test_users import UNKNOWN

OTHER = ("--other-key-id", "other-id", "--other-key-secret", "other:secret")


@pytest.mark.parametrize("path", ["/v1/users", f"/v1/users/{UNKNOWN}", "/v1/user-tokens", "/v1/x"])
def test_other_key(start: Starter, path: str) -> None:
    sandbox = start(*OTHER)
    for method in ("GET", "POST", "PATCH", "DELETE", "OPTIONS"):
        answer = sandbox.send(method, path, authorization=basic("other-id", "other:secret"))
        assert (answer.status, answer.json) == (401, {"detail": "Invalid environment."})
        assert answer.headers["WWW-Authenticate"] == 'Basic realm="api"'
    assert sandbox.send("GET", "/v1/users").json["count"] == 0


@pytest.mark.parametrize(
    "key", [("other-id", "wrong"), ("other-id", ""), (KEY_ID, "other:secret"), ("other-id", KEY_SECRET)])
def test_wrong_keys(start: Starter, key: tuple[str, str]) -> None:
    answer = start(*OTHER).send("GET", "/v1/users", authorization=basic(*key))
    assert (answer.status, answer.json) == (401, {"detail": "Invalid username/password."})


def test_without_the_option(start: Starter) -> None:
    answer = start().send("GET", "/v1/users", authorization=basic("other-id", "other:secret"))
    assert answer.json == {"detail": "Invalid username/password."}


def test_other_key_is_not_printed(start: Starter) -> None:
    assert not [line for line in start(*OTHER).lines if "other" in line]


@pytest.mark.parametrize(
    "arguments, problem",
    [
        (["--other-key-id", "x"], "the other key needs both an id and a secret"),
        (["--other-key-secret", "x"], "the other key needs both an id and a secret"),
        (["--other-key-id", "", "--other-key-secret", "x"], "the other key id must not be empty"),
        (["--other-key-id", "x", "--other-key-secret", ""], "the other key secret must not be empty"),
        (["--other-key-id", KEY_ID, "--other-key-secret", "x"],
         "the two keys must have different ids"),
        (["--other-key-id", "a:b", "--other-key-secret", "x"],
         "the other key id must not contain a colon, which would end it in HTTP Basic authentication"),
    ],
)
def test_wrong_arguments(arguments: list[str], problem: str) -> None:
    result = run("--port", "0", *arguments)
    assert (result.returncode, result.stdout) == (2, b"")
    assert result.stderr.decode() == f"argyle-sandbox: {problem}; try 'argyle-sandbox --help'\n"

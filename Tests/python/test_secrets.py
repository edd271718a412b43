"""Secrets appear only where they were requested."""

from __future__ import annotations

import copy
import io
import logging
import pickle
import subprocess
import sys
import traceback
from typing import Any, Callable

import pytest

import argyle
from conftest import KEY_ID, KEY_SECRET, Sandbox

PASSWORD = "canary-password-81c3"
METADATA = "canary-metadata-77aa"


def text_of(call: Callable[[], Any]) -> str:
    """Return all printed forms of a call's value or error."""
    try:
        value = call()
    except argyle.Error as error:
        return "\n".join([repr(error), str(error), traceback.format_exc(), repr(error.args)])
    return f"{value!r} {value} {value:}"


def test_nothing_shows_secrets(sandbox: Sandbox, client: argyle.Client, log: io.StringIO) -> None:
    """Neither printed values and errors nor logs contain a secret."""
    created = client.users.create(external_metadata={"name": METADATA})
    token = client.user_tokens.create(created.id)
    secrets = [KEY_SECRET, PASSWORD, METADATA, created.token, token.access, str(token.refresh)]
    calls: "list[Callable[[], Any]]" = [
        lambda: client,
        lambda: client.users,
        lambda: client.user_tokens,
        client.users.pages,
        lambda: client.users.create(external_metadata={"name": METADATA}),
        lambda: client.users.get(created.id),
        client.users.list,
        lambda: next(client.users.pages()),
        lambda: client.users.update(created.id, external_metadata=METADATA),
        lambda: client.users.update("absent", external_metadata=METADATA),
        lambda: client.user_tokens.create(created.id),
        lambda: client.users.list(limit=0),
        lambda: client.with_options(client_key_password=PASSWORD, client_certificate_file="/absent").users.list(),
        lambda: argyle.Client(KEY_ID, KEY_SECRET, base_url="http://example.com"),
        lambda: argyle.Client(KEY_ID, KEY_SECRET, timeout_ms="x"),  # type: ignore[arg-type]
        lambda: argyle.Client(KEY_ID, KEY_SECRET, proxy=f"http://u:{PASSWORD}@127.0.0.1:x"),
        lambda: argyle.Client(KEY_ID, KEY_SECRET + "\n"),
        lambda: argyle.Client(KEY_ID, KEY_SECRET + "\ud800"),
        lambda: argyle.UserToken({"access": f"{created.token}.x"}).claims,
    ]
    for fault in (
        None,
        {"kind": "error", "status": 500},
        {"kind": "body", "body": "cut"},
        {"kind": "close", "when": "after"},
    ):
        if fault is not None:
            sandbox.fault(**fault)
        for number, call in enumerate(calls):
            text = text_of(call)
            assert not [secret for secret in secrets if secret in text], (fault, number, text)
    assert "GET" in log.getvalue()
    assert not [secret for secret in secrets if secret in log.getvalue()]


def test_clients_are_not_copied(client: argyle.Client) -> None:
    """A client holds a key, and can be neither pickled nor copied."""
    for copies in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError):
            copies(client)
    assert KEY_SECRET not in str(vars(client))


def test_log(sandbox: Sandbox, client: argyle.Client, caplog: pytest.LogCaptureFixture) -> None:
    """Attempts are debug records, retries info, and failures warnings, each with its fields."""
    caplog.set_level(logging.DEBUG, "argyle")
    sandbox.fault(kind="rate_limit", retry_after=0)
    with pytest.raises(argyle.RateLimitedError):
        client.with_options(max_retries=1).users.list()
    records = [record for record in caplog.records if record.name == "argyle"]
    assert [record.levelname for record in records] == ["DEBUG", "INFO", "DEBUG", "WARNING"]
    fields: "list[dict[str, Any]]" = [record.__dict__["argyle"] for record in records]
    assert all(one["method"] == "GET" and one["path"] == "/v1/users" and one["host"] for one in fields)
    assert fields[0]["status"] == 429 and fields[0]["attempt"] == 1 and fields[0]["trace_id"]
    assert "wait_ms" in fields[1] and fields[3]["error"] == "rate_limited"
    assert all(fields[number]["milliseconds"] >= 0 for number in (0, 2, 3))


def test_log_of_failures(client: argyle.Client, caplog: pytest.LogCaptureFixture) -> None:
    """Attempts without a response and failed calls have a duration."""
    caplog.set_level(logging.DEBUG, "argyle")
    with pytest.raises(argyle.ConnectionError):
        # Without a listener.
        client.with_options(base_url="http://127.0.0.1:1").users.list()
    fields: "list[dict[str, Any]]" = [record.__dict__["argyle"] for record in caplog.records]
    assert [one["error"] for one in fields] == ["connection", "connection"]
    assert all(one["attempt"] == 1 and one["milliseconds"] >= 0 for one in fields)


def test_levels(sandbox: Sandbox, client: argyle.Client, caplog: pytest.LogCaptureFixture) -> None:
    """A program that enables warnings gets only those."""
    caplog.set_level(logging.WARNING, "argyle")
    client.users.list()
    assert [record for record in caplog.records if record.name == "argyle"] == []
    with pytest.raises(argyle.NotFoundError):
        client.users.get("absent")
    assert [record.levelname for record in caplog.records if record.name == "argyle"] == ["WARNING"]


@pytest.mark.parametrize("prelude", ["", "import logging"])
def test_silence(sandbox: Sandbox, prelude: str) -> None:
    """Nothing is printed if the program has not configured logging."""
    program = f"""
import sys
{prelude}
import argyle
client = argyle.Client({KEY_ID!r}, {KEY_SECRET!r}, base_url=sys.argv[1])
try:
    client.users.get("absent")
except argyle.NotFoundError:
    pass
"""
    result = subprocess.run(
        [sys.executable, "-c", program, sandbox.url], capture_output=True, text=True, timeout=120, check=False
    )
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


def test_a_log_that_fails(client: argyle.Client) -> None:
    """A log filter that raises does not end a call."""

    def fail(_: logging.LogRecord) -> bool:
        raise RuntimeError("filter")

    logger = logging.getLogger("argyle")
    logger.addFilter(fail)
    level = logger.level
    logger.setLevel(logging.DEBUG)
    try:
        assert client.users.list().count == 0
    finally:
        logger.removeFilter(fail)
        logger.setLevel(level)

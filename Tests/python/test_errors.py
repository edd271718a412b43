"""Failures, as exceptions."""

from __future__ import annotations

import asyncio
import builtins
import contextlib
import copy
import pickle
import re
import socket
import threading
from typing import Any, Callable

import pytest

import argyle
from argyle import errors
from conftest import FOREVER_MS, KEY_ID, KEY_SECRET, PATIENCE, Sandbox

STATUSES = {
    400: argyle.InvalidRequestError,
    401: argyle.AuthenticationError,
    403: argyle.PermissionDeniedError,
    404: argyle.NotFoundError,
    408: argyle.StatusError,
    409: argyle.ConflictError,
    410: argyle.StatusError,
    422: argyle.InvalidRequestError,
    429: argyle.RateLimitedError,
    500: argyle.ServerError,
    503: argyle.ServerError,
    599: argyle.ServerError,
}


def failure(call: Any) -> argyle.Error:
    """Return the error of a call, without chained exceptions that a traceback would show."""
    with pytest.raises(argyle.Error) as caught:
        call()
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None or caught.value.__suppress_context__
    return caught.value


@pytest.mark.parametrize(("status", "kind"), STATUSES.items())
def test_statuses(sandbox: Sandbox, client: argyle.Client, status: int, kind: "type[argyle.Error]") -> None:
    """Each status has its class."""
    sandbox.fault(kind="error", status=status)
    error = failure(client.users.list)
    assert type(error) is kind and isinstance(error, argyle.StatusError)
    assert error.status == status and str(status) in str(error)
    assert error.trace_id and error.attempts == 1 and error.retry_after is None
    assert isinstance(error.body, dict) and error.body_bytes
    assert error.is_retryable == (status in (408, 429, 500, 503))
    assert not error.outcome_unknown
    assert errors.by_code[next(code for code, one in errors.by_code.items() if one is kind)] is kind


def test_authentication(sandbox: Sandbox) -> None:
    """A wrong key has its own error."""
    with argyle.Client(KEY_ID, "wrong", base_url=sandbox.url) as client:
        error = failure(client.users.list)
    assert type(error) is argyle.AuthenticationError and error.code == "authentication"


def test_rate_limit(sandbox: Sandbox, client: argyle.Client) -> None:
    """The error has the delay requested by the service."""
    sandbox.fault(kind="rate_limit", retry_after=7)
    error = failure(client.users.create)
    assert type(error) is argyle.RateLimitedError
    assert error.retry_after == 7.0 and error.is_retryable and not error.outcome_unknown


@pytest.mark.parametrize("body", ["not_json", "html", "empty"])
def test_bodies(sandbox: Sandbox, client: argyle.Client, body: str) -> None:
    """The error has the response body as received, whether it is JSON or not."""
    sandbox.fault(kind="error", status=500, body=body)
    error = failure(client.users.list)
    assert type(error) is argyle.ServerError and error.body is None
    assert error.body_bytes is not None and (error.body_bytes == b"") == (body == "empty")
    sandbox.clear_faults()
    sandbox.fault(kind="body", body=body)
    created = failure(client.users.create)
    assert type(created) is argyle.ProtocolError


def test_cut_body(sandbox: Sandbox, client: argyle.Client) -> None:
    """A truncated body is a lost connection."""
    sandbox.fault(kind="body", body="cut")
    error = failure(client.users.create)
    assert type(error) is argyle.ConnectionError and error.outcome_unknown and error.body_bytes is None


def test_bare_array(sandbox: Sandbox, client: argyle.Client) -> None:
    """A list may be a bare array."""
    sandbox.seed(3)
    sandbox.fault(kind="body", body="array")
    page = client.users.list()
    assert len(page) == 3 and page.count is None
    assert len(list(client.users)) == 3


def check_unreadable(error: Exception, what: str, may_have_acted: bool) -> None:
    """Check that an error about an unreadable response has all details."""
    assert type(error) is argyle.ProtocolError
    assert re.match(rf"{what} at 127\.0\.0\.1:\d+: the response cannot be parsed as JSON: ", str(error))
    assert (error.code, error.attempts, error.is_retryable) == ("protocol", 1, False)
    assert error.status == (201 if "POST" in what else 200)
    assert error.trace_id is not None and re.match(r"[0-9a-f-]{32,36}$", error.trace_id)
    assert error.body_bytes and error.body is None
    assert error.outcome_unknown == may_have_acted


def test_unreadable_responses(sandbox: Sandbox, client: argyle.Client) -> None:
    """Single calls, bulk calls and iterators raise the same errors."""
    user = client.users.create().id
    sandbox.fault(kind="body", body="not_json")
    expected: list[tuple[Callable[[], object], argyle.Call[Any], str, bool]] = [
        (client.users.create, argyle.calls.create_user(), "POST /v1/users", True),
        (lambda: client.users.get(user), argyle.calls.get_user(user), f"GET /v1/users/{user}", False),
        (
            lambda: client.users.update(user, external_metadata=1),
            argyle.calls.update_user(user, external_metadata=1),
            f"PATCH /v1/users/{user}",
            True,
        ),
        (client.users.list, argyle.calls.list_users(), "GET /v1/users", False),
        (
            lambda: client.user_tokens.create(user),
            argyle.calls.create_user_token(user),
            "POST /v1/user-tokens",
            True,
        ),
    ]
    for method, call, what, may_have_acted in expected:
        check_unreadable(failure(method), what, may_have_acted)
        (result,) = client.bulk([call])
        assert result.error is not None
        check_unreadable(result.error, what, may_have_acted)


def test_unreadable_pages(sandbox: Sandbox, client: argyle.Client) -> None:
    """An iterator raises the same error as a single call, even if the page has a link to the next one."""
    client.users.create()
    sandbox.fault(kind="body", body="not_json")
    check_unreadable(failure(lambda: next(client.users.pages())), "GET /v1/users", False)


def test_unreadable_asynchronous_responses(sandbox: Sandbox) -> None:
    """The same in an event loop."""
    sandbox.fault(kind="body", body="not_json")

    async def main() -> None:
        async with argyle.AsyncClient(KEY_ID, KEY_SECRET, base_url=sandbox.url, max_retries=0) as client:
            with pytest.raises(argyle.ProtocolError) as created:
                await client.users.create()
            check_unreadable(created.value, "POST /v1/users", True)
            with pytest.raises(argyle.ProtocolError) as page:
                await client.users.pages().__anext__()
            check_unreadable(page.value, "GET /v1/users", False)

    asyncio.run(main())


def test_unknown_outcome(sandbox: Sandbox, client: argyle.Client) -> None:
    """The error says whether a user may have been created."""
    sandbox.fault(kind="close", when="after")
    error = failure(client.users.create)
    assert type(error) is argyle.ConnectionError and error.outcome_unknown and not error.is_retryable
    assert (error.status, error.body, error.body_bytes, error.trace_id) == (None, None, None, None)
    assert isinstance(error, builtins.ConnectionError) and isinstance(error, OSError)


def test_timeout(sandbox: Sandbox, client: argyle.Client) -> None:
    """A timeout is also the builtin TimeoutError, and names the limit."""
    sandbox.fault(kind="delay", milliseconds=FOREVER_MS)
    error = failure(client.with_options(timeout_ms=100).users.list)
    assert type(error) is argyle.TimeoutError and isinstance(error, builtins.TimeoutError)
    assert "timeout_ms" in str(error) and error.code == "timeout" and error.is_retryable


def test_attempts(sandbox: Sandbox, client: argyle.Client) -> None:
    """Every attempt is counted."""
    sandbox.fault(kind="rate_limit", retry_after=0)
    error = failure(client.with_options(max_retries=2).users.list)
    assert error.attempts == 3
    sandbox.clear_faults()
    sandbox.fault(kind="rate_limit", retry_after=0, count=2)
    assert client.with_options(max_retries=2).users.list().count == 0


def test_no_connection() -> None:
    """A port without a listener is a connection error."""
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{reserved.getsockname()[1]}"
        with argyle.Client(KEY_ID, KEY_SECRET, base_url=url, max_retries=0) as client:
            error = failure(client.users.create)
    assert type(error) is argyle.ConnectionError and error.attempts == 1 and not error.outcome_unknown


def answer_in_clear(listener: socket.socket) -> None:
    """Respond to a TLS handshake with plain text."""
    connection, _ = listener.accept()
    with connection, contextlib.suppress(ConnectionError):
        connection.recv(1)
        connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        # Closing a connection with unread bytes would reset it.
        while connection.recv(65536):
            pass


def test_tls() -> None:
    """A server without TLS is a TLS error."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=answer_in_clear, args=(listener,))
        thread.start()
        url = f"https://127.0.0.1:{listener.getsockname()[1]}"
        with argyle.Client(KEY_ID, KEY_SECRET, base_url=url, max_retries=0) as client:
            error = failure(client.users.list)
        thread.join(PATIENCE)
    assert type(error) is argyle.TLSError and isinstance(error, argyle.ConnectionError)


def test_too_large(sandbox: Sandbox, client: argyle.Client) -> None:
    """A response that is too large is rejected."""
    sandbox.seed(100)
    error = failure(lambda: client.with_options(max_response_bytes=1000).users.list(limit=100))
    assert type(error) is argyle.ResponseTooLargeError and error.status == 200


def test_hierarchy() -> None:
    """Each code has its class, with the right base classes."""
    kinds = set(errors.by_code.values())
    assert len(errors.by_code) == len(kinds) == 18
    assert all(issubclass(getattr(argyle, name), argyle.Error) for name in errors.__all__)
    assert kinds | {argyle.Error, argyle.LibraryError, argyle.SandboxError} == {
        getattr(argyle, name) for name in errors.__all__
    }
    assert issubclass(argyle.ArgumentError, ValueError) and issubclass(argyle.LibraryError, ImportError)


def test_copies(sandbox: Sandbox, client: argyle.Client) -> None:
    """Errors can be copied and pickled with all attributes, as between processes."""
    sandbox.fault(kind="rate_limit", retry_after=3)
    error = failure(client.users.list)
    for other in (copy.copy(error), pickle.loads(pickle.dumps(error))):
        assert type(other) is type(error) and str(other) == str(error) and vars(other) == vars(error)


@pytest.mark.parametrize("method", ["POST", "PATCH", "GET"])
def test_unreadable_success(sandbox: Sandbox, client: argyle.Client, method: str) -> None:
    """After an unreadable success, the outcome is unknown."""
    user = client.users.create()
    sandbox.fault(kind="body", body="not_json", method=method)
    with pytest.raises(argyle.ProtocolError) as caught:
        if method == "POST":
            client.users.create()
        elif method == "PATCH":
            client.users.update(user.id, external_metadata=1)
        else:
            client.users.get(user.id)
    assert caught.value.outcome_unknown is (method != "GET")
    assert caught.value.code == "protocol"

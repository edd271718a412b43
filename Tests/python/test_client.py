"""Every operation of the blocking client, against a sandbox."""

from __future__ import annotations

import gc
import json
import os
import threading
from datetime import datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

import argyle
from conftest import KEY_ID, KEY_SECRET, Sandbox

ABSENT = "00000000-0000-0000-0000-000000000000"


def test_create_without_metadata(client: argyle.Client) -> None:
    """A new user has an id, a token, and no metadata."""
    created = client.users.create()
    assert isinstance(created, argyle.NewUser)
    assert created.claims["user_id"] == created.id
    assert created.expires_at is not None and created.expires_at.tzinfo is timezone.utc
    assert client.users.get(created.id).external_metadata == {}


def test_create_get_update_delete(client: argyle.Client) -> None:
    """The life of a user."""
    created = client.users.create(external_metadata={"group": "A"})
    user = client.users.get(created.id)
    assert isinstance(user, argyle.User)
    assert user.id == created.id
    assert user.external_metadata == {"group": "A"}
    assert user.employers_connected == [] and user.data_providers_connected == []
    assert user.created_at is not None
    assert abs(datetime.now(timezone.utc) - user.created_at) < timedelta(minutes=10)
    updated = client.users.update(created.id, external_metadata=["B", None])
    assert updated.external_metadata == ["B", None]
    assert updated != user and client.users.get(created.id) == updated
    assert client.users.delete(created.id) is None  # type: ignore[func-returns-value]
    with pytest.raises(argyle.NotFoundError):
        client.users.get(created.id)
    with pytest.raises(argyle.NotFoundError):
        client.users.delete(created.id)


def test_user_token(client: argyle.Client) -> None:
    """A token names its user and has an expiry time."""
    created = client.users.create()
    token = client.user_tokens.create(created.id)
    assert isinstance(token, argyle.UserToken)
    assert token.claims["user_id"] == created.id
    assert isinstance(token.refresh, str) and token.refresh != token.access
    assert token.expires_at == datetime.fromtimestamp(token.claims["exp"], timezone.utc)
    with pytest.raises(argyle.InvalidRequestError) as caught:
        client.user_tokens.create(ABSENT)
    assert caught.value.status == 400


def test_list(sandbox: Sandbox, client: argyle.Client) -> None:
    """A page has the requested number of users in the requested order."""
    sandbox.seed(25)
    page = client.users.list()
    assert isinstance(page, argyle.UserPage)
    assert len(page) == 10 and page.count == 25 and page.next is not None and page.previous is None
    oldest = client.users.list(limit=25, ordering="created_at")
    newest = client.users.list(limit=25, ordering="-created_at")
    assert [user.id for user in oldest] == [user.id for user in reversed(newest.results)]
    assert client.users.list(limit=5, offset=20, ordering="created_at").results == oldest.results[20:]
    assert oldest.next is None


@pytest.mark.parametrize(
    "query",
    [{"limit": 0}, {"limit": "10"}, {"limit": 1.5}, {"limit": True}, {"offset": -1}, {"offset": 2**53}]
    + [{"ordering": "id"}, {"ordering": 1}, {"limit": object()}, {"limit": float("nan")}],
)
def test_list_arguments(client: argyle.Client, query: Any) -> None:
    """An invalid query is an argument error, for a page and for an iterator before its first step."""
    (name,) = query
    asks: "list[Any]" = [client.users.list, client.users.pages]
    if name != "limit":
        asks.append(client.users.iterate)
    for ask in asks:
        with pytest.raises(argyle.ArgumentError, match=f"{name}|query") as caught:
            ask(**query)
        assert isinstance(caught.value, ValueError)
        assert caught.value.__cause__ is None and caught.value.attempts == 0


def test_iterate(sandbox: Sandbox, client: argyle.Client) -> None:
    """Iteration yields every user once, page by page."""
    sandbox.seed(450)
    ids = [user.id for user in client.users]
    assert len(ids) == len(set(ids)) == 450
    assert [user.id for user in client.users.iterate(ordering="created_at")] == ids[::-1]
    assert [user.id for user in client.users.iterate(offset=440)] == ids[440:]
    assert [len(page) for page in client.users.pages()] == [200, 200, 50]
    assert [len(page) for page in client.users.pages(limit=100, offset=300)] == [100, 50]


def test_iterate_over_no_users(client: argyle.Client) -> None:
    """Iterating over no users ends immediately and stays exhausted."""
    pages = client.users.pages()
    assert [len(page) for page in pages] in ([], [0])
    assert next(pages, None) is None
    assert list(client.users) == []


def test_iterator_continues_after_an_error(sandbox: Sandbox, client: argyle.Client) -> None:
    """The page that failed is requested again."""
    sandbox.seed(300)
    pages = client.users.pages()
    sandbox.fault(kind="error", status=500)
    with pytest.raises(argyle.ServerError):
        next(pages)
    sandbox.clear_faults()
    assert sum(len(page) for page in pages) == 300


def test_iterator_outlives_its_client(sandbox: Sandbox) -> None:
    """An iterator keeps what it needs."""
    sandbox.seed(250)
    client = argyle.Client(KEY_ID, KEY_SECRET, base_url=sandbox.url)
    pages = client.users.pages()
    next(pages)
    client.close()
    del client
    assert len(next(pages)) == 50


def test_iterator_moves_to_another_thread(sandbox: Sandbox, client: argyle.Client) -> None:
    """One thread may create an iterator and another one continue it."""
    sandbox.seed(450)
    pages = client.users.pages()
    lengths = [len(next(pages))]
    thread = threading.Thread(target=lambda: lengths.append(len(next(pages))))
    thread.start()
    thread.join(60)
    assert [*lengths, *(len(page) for page in pages)] == [200, 200, 50]


@pytest.mark.parametrize("user_id", ["", ".", "..", "a" * 256, "a\0b", "\ud800", b"id", None, 7])
def test_user_ids(client: argyle.Client, user_id: Any) -> None:
    """An invalid user id is rejected before anything is sent."""
    for ask in (
        client.users.get,
        client.users.delete,
        client.user_tokens.create,
        lambda user: client.users.update(user, external_metadata={}),
    ):
        with pytest.raises(argyle.ArgumentError) as caught:
            ask(user_id)
        assert caught.value.attempts == 0


@pytest.mark.parametrize("user_id", ["a/b", "a?b=c", "a#b", "a b", "%2e", "é", "\U0001f600", "a\r\nb", "../x"])
def test_user_ids_are_encoded(client: argyle.Client, user_id: str) -> None:
    """Any id is encoded as a single path segment."""
    with pytest.raises(argyle.NotFoundError):
        client.users.get(user_id)


def test_options(sandbox: Sandbox, tmp_path: Path) -> None:
    """Every option is known to the C library."""
    options: Any = {
        "timeout_ms": 100_000,
        "connect_timeout_ms": 100_000,
        "stall_timeout_ms": 100_000,
        "deadline_ms": 100_000,
        "max_retries": 1,
        "max_retry_after_ms": 1,
        "max_response_bytes": 100000,
        "max_requests_per_second": 1000.5,
        "proxy": "",
        "application": "test/1",
        "allow_insecure_http": True,
        "base_url": sandbox.url,
        "api_version": 1,
        "environment": None,
    }
    files = {"ca_file", "client_certificate_file", "client_key_file", "client_key_password"}
    assert {*options, *files} == set(argyle.Options.__annotations__)
    with argyle.Client(KEY_ID, KEY_SECRET, **options) as client:
        assert client.users.list().count == 0
        assert client.with_options(timeout_ms=200_000).users.list().count == 0
    for name in files - {"client_key_password"}:
        for kind in (str, Path):
            with pytest.raises(argyle.Error, match=name):
                missing = kind(tmp_path / "missing.pem")
                argyle.Client(KEY_ID, KEY_SECRET, base_url=sandbox.url, **{name: missing}).users.list()  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "options",
    [{"timeout_ms": 0}, {"timeout_ms": "1"}, {"colour": 1}, {"base_url": "ftp://x"}, {"environment": "moon"}]
    + [{"ca_file": b"x"}, {"proxy": object()}, {"max_requests_per_second": float("inf")}, {"application": "\ud800"}],
)
def test_wrong_options(client: argyle.Client, options: Any) -> None:
    """An invalid option raises an ArgumentError that names it."""
    name = next(iter(options))
    expected = "option|JSON|jansson" if name in ("ca_file", "proxy", "max_requests_per_second", "application") else name
    makes: "list[Any]" = [lambda: argyle.Client(KEY_ID, KEY_SECRET, **options), lambda: client.with_options(**options)]
    for make in makes:
        with pytest.raises(argyle.ArgumentError, match=expected) as caught:
            make()
        assert isinstance(caught.value, ValueError) and caught.value.__cause__ is None


@pytest.mark.parametrize(("key", "secret"), [("", "s"), ("k", ""), ("a:b", "s"), ("k", "\n"), (None, "s"), ("k", b"s")])
def test_wrong_keys(key: Any, secret: Any) -> None:
    """An invalid key is rejected immediately."""
    with pytest.raises(argyle.ArgumentError, match=r"key_id|key_secret|option"):
        argyle.Client(key, secret)


def test_integers_beyond_64_bits(client: argyle.Client) -> None:
    """The message states the valid range for any integer."""
    too_large: "list[tuple[str, Any]]" = [
        ("offset", lambda: client.users.iterate(offset=10**30)),
        ("offset", lambda: client.users.list(offset=-(10**30))),
        ("limit", lambda: client.users.pages(limit=10**30)),
        ("timeout_ms", lambda: client.with_options(timeout_ms=10**30)),
        ("max_in_flight", lambda: client.bulk([], in_flight=10**30)),
    ]
    for name, use in too_large:
        with pytest.raises(argyle.ArgumentError, match=f"{name} must be between"):
            use()
    with pytest.raises(argyle.ArgumentError, match="ordering must not contain lone surrogates"):
        client.users.iterate(ordering="\ud800")  # type: ignore[arg-type]


def test_with_options_shares_connections(sandbox: Sandbox, client: argyle.Client) -> None:
    """A client created from another one uses its connections."""

    def sockets() -> int:
        return sum(
            os.path.realpath(f"/proc/self/fd/{name}").rpartition("/")[2].startswith("socket:")
            for name in os.listdir("/proc/self/fd")
        )

    client.users.list()
    before = sockets()
    changed = client.with_options(timeout_ms=12345)
    changed.users.list()
    assert sockets() == before
    argyle.Client(KEY_ID, KEY_SECRET, base_url=sandbox.url).users.list()
    assert type(changed) is argyle.Client


def test_dropping_a_client_releases_connections(sandbox: Sandbox) -> None:
    """A client that nothing refers to is released immediately, whatever was used of it."""

    def use() -> None:
        client = argyle.Client(KEY_ID, KEY_SECRET, base_url=sandbox.url)
        changed = client.with_options(max_retries=0)
        for one in (client, changed):
            one.user_tokens.create(one.users.create().id)
            assert len(list(one.users)) == 1
            next(one.users.pages(limit=1))
            next(one.bulk([argyle.calls.list_users()] * 3, in_flight=2))
            one.users.delete(one.users.list().results[0].id)

    use()
    gc.collect()
    gc.disable()
    try:
        before = len(os.listdir("/proc/self/fd"))
        for _ in range(5):
            use()
            assert len(os.listdir("/proc/self/fd")) == before
    finally:
        gc.enable()


def test_with_options_shares_the_request_rate(sandbox: Sandbox) -> None:
    """A client created from another one shares its request rate, unless given one, even an equal one."""
    with argyle.Client(KEY_ID, KEY_SECRET, base_url=sandbox.url, max_requests_per_second=0.001) as client:
        client.users.list()
        # Clients that share the rate may not send for a quarter of an hour.
        for shared in (client.with_options(deadline_ms=50), client.with_options(deadline_ms=50, timeout_ms=None)):  # type: ignore[arg-type]
            with pytest.raises(argyle.TimeoutError):
                shared.users.list()
        for pace in (0.001, 0.002):
            own = client.with_options(deadline_ms=60000, max_requests_per_second=pace)
            assert own.users.list().count == 0


def test_use_after_close(client: argyle.Client) -> None:
    """Using a closed client raises an error that says so."""
    with client.with_options(timeout_ms=1000) as other:
        users = other.users
    other.close()
    assert repr(other) == "<argyle.Client closed>"
    for use in (users.create, users.list, users.pages, lambda: list(users), other.with_options, other.__enter__):
        with pytest.raises(argyle.ArgumentError, match="closed"):
            use()
    assert client.users.list().count == 0


def test_fully_typed_names() -> None:
    """The package has all names that it declares."""
    for name in argyle.__all__:
        assert getattr(argyle, name) is not None
    assert set(argyle.__all__) <= set(dir(argyle))
    with pytest.raises(AttributeError):
        argyle.absent  # type: ignore[attr-defined]  # noqa: B018


class _Pages(BaseHTTPRequestHandler):
    """Three pages, of which the second has a user without an id."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        offset = int(parse_qs(urlsplit(self.path).query).get("offset", ["0"])[0])
        user = {} if offset == 1 else {"id": f"user-{offset}"}
        body = json.dumps({"results": [user], "next": f"?offset={offset + 1}" if offset < 2 else None}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        pass


def test_unreadable_page_is_not_skipped() -> None:
    """An iterator does not continue past a page that could not be parsed."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Pages) as server:
        threading.Thread(target=server.serve_forever).start()
        try:
            url = f"http://127.0.0.1:{server.server_port}"
            with argyle.Client(KEY_ID, KEY_SECRET, base_url=url, max_retries=0) as client:
                pages = client.users.pages(limit=1)
                assert next(pages).results[0].id == "user-0"
                for _ in range(3):
                    with pytest.raises(argyle.ProtocolError, match=r'GET /v1/users at .*"id"') as caught:
                        next(pages)
                    assert (caught.value.status, caught.value.attempts) == (200, 1)
                    assert caught.value.body == {"results": [{}], "next": "?offset=2"}
                del pages
        finally:
            server.shutdown()


class _SomebodyElse(BaseHTTPRequestHandler):
    """Responds about the user "B", whichever was requested."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        # {"user_id": "B"}
        body = b'{"id": "B", "token": "t", "access": "e30.eyJ1c2VyX2lkIjogIkIifQ.c2ln"}'
        self.rfile.read(int(self.headers.get("Content-Length", "0")))
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        self.do_GET()

    def do_PATCH(self) -> None:
        self.do_GET()

    def log_message(self, format: str, *args: Any) -> None:
        pass


def test_response_about_another_user() -> None:
    """No call returns another user than requested, or a token for one."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _SomebodyElse) as server:
        threading.Thread(target=server.serve_forever).start()
        try:
            url = f"http://127.0.0.1:{server.server_port}"
            with argyle.Client(KEY_ID, KEY_SECRET, base_url=url, max_retries=0) as client:
                with pytest.raises(argyle.ProtocolError, match="another user") as get:
                    client.users.get("a")
                assert not get.value.outcome_unknown
                assert (get.value.status, get.value.attempts, get.value.body["id"]) == (200, 1, "B")
                assert str(get.value).startswith("GET /v1/users/a at 127.0.0.1:")
                with pytest.raises(argyle.ProtocolError, match="another user") as update:
                    client.users.update("a", external_metadata=1)
                assert update.value.outcome_unknown
                with pytest.raises(argyle.ProtocolError, match="another user") as token:
                    client.user_tokens.create("a")
                assert token.value.outcome_unknown
                assert client.users.get("b").id == client.users.update("b", external_metadata=1).id == "B"
                assert client.user_tokens.create("b").access.startswith("e30.")
                assert client.users.create().id == "B"
        finally:
            server.shutdown()

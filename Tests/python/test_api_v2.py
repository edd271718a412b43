"""Version 2 of the API, with both clients."""

from __future__ import annotations

import asyncio
import io
import pickle
import traceback
from collections.abc import Iterator
from datetime import date, datetime, timezone
from functools import partial
from typing import Any, Callable, Optional
from urllib.parse import parse_qs, quote, urlsplit

import pytest

import argyle
from argyle import calls
from conftest import KEY_ID, KEY_SECRET, PATIENCE, RunAsync, Sandbox, Service, copies, jwt

CANARY = "canary-personal-3e8b"
ADDRESS = argyle.Address(line1="1 Main St", city="Springfield", postal_code="01234")


def client_for(url: str, **options: Any) -> argyle.Client:
    options = {"max_retries": 0, "api_version": 2, **options}
    return argyle.Client(KEY_ID, KEY_SECRET, base_url=url, **options)


@pytest.fixture
def v1(service: Service) -> Iterator[argyle.Client]:
    """A client of version 1."""
    with client_for(service.url, api_version=1) as client:
        yield client


@pytest.fixture
def v2(service: Service) -> Iterator[argyle.Client]:
    """A client of version 2."""
    with client_for(service.url) as client:
        yield client


class Maker:
    """Makes calls in one of several ways, and returns their values."""

    def __init__(self, way: str, url: str, api_version: int) -> None:
        self._way = way
        self._options: Any = {"base_url": url, "max_retries": 0, "api_version": api_version}

    def __call__(self, name: str, *arguments: Any, **keywords: Any) -> Any:
        """Make a call by the name of its function in ``argyle.calls``."""
        if self._way == "bulk":
            with argyle.Client(KEY_ID, KEY_SECRET, **self._options) as client:
                (result,) = client.bulk([getattr(calls, name)(*arguments, **keywords)])
                return result.result()
        if self._way == "blocking":
            with argyle.Client(KEY_ID, KEY_SECRET, **self._options) as client:
                return self._method(client, name)(*arguments, **keywords)

        async def main() -> Any:
            async with argyle.AsyncClient(KEY_ID, KEY_SECRET, **self._options) as client:
                if self._way == "asynchronous":
                    return await self._method(client, name)(*arguments, **keywords)
                call = getattr(calls, name)(*arguments, **keywords)
                (result,) = [result async for result in client.bulk([call])]
                return result.result()

        return asyncio.run(asyncio.wait_for(main(), PATIENCE))

    def _method(self, client: Any, name: str) -> Any:
        return {
            "create_user": client.users.create,
            "get_user": client.users.get,
            "update_user": client.users.update,
            "list_users": client.users.list,
            "delete_user": client.users.delete,
            "create_user_token": client.user_tokens.create,
        }[name]


WAYS = pytest.mark.parametrize("way", ["blocking", "asynchronous", "bulk", "asynchronous bulk"])


# ---------------------------------------------------------------- Operations


@WAYS
def test_operations(service: Service, sandbox: Sandbox, way: str) -> None:
    """The life of a user, in each way to make calls."""
    make = Maker(way, service.url, 2)
    created = make("create_user", external_id="7", first_name="Ada", birth_date=date(1985, 12, 10), address=ADDRESS)
    assert isinstance(created, argyle.NewUser)
    assert created.token == created.raw["user_token"]
    assert created.claims["user_id"] == created.id
    assert created.expires_at == datetime.fromtimestamp(created.claims["exp"], timezone.utc)

    sandbox.control("PATCH", f"/users/{created.id}", {"items_connected": ["item_000000001"]})
    user = make("get_user", created.id)
    assert isinstance(user, argyle.User)
    assert (user.id, user.external_id, user.first_name, user.last_name) == (created.id, "7", "Ada", None)
    assert (user.birth_date, user.address) == (date(1985, 12, 10), ADDRESS)
    assert user.items_connected == ["item_000000001"] and user.data_providers_connected is None
    assert f"{user.created_at:%Y-%m-%dT%H:%M:%S.%fZ}" == user.raw["created_at"]

    updated = make("update_user", created.id, first_name=None, external_metadata=[1])
    assert (updated.first_name, updated.external_metadata, updated.external_id) == (None, [1], "7")
    assert updated.raw == {**user.raw, "first_name": None, "external_metadata": [1]}
    assert make("get_user", created.id) == updated

    page = make("list_users", limit=1, external_id="7")
    assert isinstance(page, argyle.UserPage)
    assert (page.results, page.count, page.next) == ([updated], None, None)
    assert make("list_users", external_id="8").results == []

    token = make("create_user_token", created.id)
    assert isinstance(token, argyle.UserToken)
    assert (token.access, token.refresh) == (token.raw["user_token"], None)
    assert token.claims["user_id"] == created.id
    assert token.expires_at == datetime.fromtimestamp(token.claims["exp"], timezone.utc)

    assert make("delete_user", created.id) is None
    for name, fields in (("get_user", {}), ("update_user", {"first_name": "A"}), ("delete_user", {})):
        with pytest.raises(argyle.NotFoundError):
            make(name, created.id, **fields)
    with pytest.raises(argyle.InvalidRequestError, match="does not exist"):
        make("create_user_token", created.id)
    assert {target.split("/")[1] for _, target, _ in service.requests} == {"v2"}


#: Fields as they are given, and as they are sent.
FIELDS: "dict[str, tuple[Any, Any]]" = {
    "nothing": ({}, None),
    "no fields": ({"fields": None}, None),
    "empty fields": ({"fields": {}}, None),
    "null metadata": ({"external_metadata": None}, {"external_metadata": None}),
    "metadata": ({"external_metadata": {"a": [1]}}, {"external_metadata": {"a": [1]}}),
    "texts": (
        {"external_id": "7", "first_name": "Ada", "last_name": "L", "email": "a@example.com", "ssn": "1"},
        {"external_id": "7", "first_name": "Ada", "last_name": "L", "email": "a@example.com", "ssn": "1"},
    ),
    "nulls": (
        {"phone_number": None, "address": None, "birth_date": None},
        {"phone_number": None, "address": None, "birth_date": None},
    ),
    "address": (
        {"address": ADDRESS},
        {"address": {"line1": "1 Main St", "city": "Springfield", "postal_code": "01234"}},
    ),
    "empty address": ({"address": argyle.Address()}, {"address": {}}),
    "address as JSON": ({"address": {"city": None}}, {"address": {"city": None}}),
    "date": ({"birth_date": date(1985, 2, 3)}, {"birth_date": {"year": 1985, "month": 2, "day": 3}}),
    "date as JSON": ({"birth_date": {"year": 1985}}, {"birth_date": {"year": 1985}}),
    "open banking": ({"open_banking": {"end_user": {"name": "A"}}}, {"open_banking": {"end_user": {"name": "A"}}}),
    "other fields": ({"fields": {"later": [1], 'ä\n"': "\u2028"}}, {"later": [1], 'ä\n"': "\u2028"}),
    "keywords before fields": ({"fields": {"later": 1, "ssn": "1"}, "ssn": None}, {"later": 1, "ssn": None}),
    "metadata as a field": ({"fields": {"external_metadata": 1}}, {"external_metadata": 1}),
    "typed fields": (
        {"fields": {"address": argyle.Address(city="Springfield"), "birth_date": date(1985, 2, 3)}},
        {"address": {"city": "Springfield"}, "birth_date": {"year": 1985, "month": 2, "day": 3}},
    ),
}


#: The fields of a user for whom nothing is set.
UNSET: "dict[str, Any]" = {
    "external_metadata": {},
    **dict.fromkeys(("external_id", "first_name", "last_name", "email", "phone_number", "ssn")),
    "address": dict.fromkeys(("city", "line1", "line2", "state", "country", "postal_code")),
    "birth_date": dict.fromkeys(("year", "month", "day")),
}


def stored(body: "Optional[dict[str, Any]]") -> "dict[str, Any]":
    """Return the fields of a user for whom those in a body are set: null is unset, and other names are ignored."""
    fields = {**UNSET}
    for name, value in (body or {}).items():
        if name in fields and value is not None:
            fields[name] = {**fields[name], **value} if name in ("address", "birth_date") else value
    return fields


@WAYS
@pytest.mark.parametrize("name", FIELDS)
def test_fields(service: Service, way: str, name: str) -> None:
    """Only what is given is sent, and None as null; what was sent is returned."""
    keywords, body = FIELDS[name]
    make = Maker(way, service.url, 2)
    created = make("create_user", **keywords).id
    other = make("create_user", first_name="other").id
    # An update needs fields, even empty ones.
    updated = make("update_user", other, **{**keywords, "fields": keywords.get("fields") or {}})
    assert service.requests == [
        ("POST", "/v2/users", body),
        ("POST", "/v2/users", {"first_name": "other"}),
        # An update has a body.
        ("PATCH", f"/v2/users/{other}", {} if body is None else body),
    ]
    listed = make("list_users").results
    assert listed == [updated, make("get_user", created)]
    expected = [{**stored(body), "first_name": (body or {}).get("first_name", "other")}, stored(body)]
    assert [{name: user.raw[name] for name in UNSET} for user in listed] == expected


def asks(client: argyle.Client) -> "list[Callable[..., Any]]":
    """Return the functions that take fields."""

    def bulk(**keywords: Any) -> Any:
        (result,) = client.bulk([calls.create_user(**keywords)])
        return result.result()

    return [client.users.create, lambda **keywords: client.users.update("id", **keywords), bulk]


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"first_name": b"x"}, "first_name is not JSON: "),
        ({"external_id": "7", "ssn": float("nan")}, "ssn is not JSON: "),
        ({"birth_date": {"year": date(1985, 2, 3)}}, "birth_date is not JSON: "),
        ({"first_name": date(1985, 2, 3)}, "first_name is not JSON: "),
        ({"external_metadata": ADDRESS}, "external_metadata is not JSON: "),
        ({"fields": {"later": {1: CANARY}}}, "later is not JSON: keys must be str, not int"),
        ({"fields": {1: CANARY}}, "the names of fields must be str, not int"),
        ({"fields": [("ssn", CANARY)]}, "fields must be a mapping"),
        ({"fields": CANARY}, "fields must be a mapping"),
    ],
)
def test_fields_that_are_not_json(service: Service, v2: argyle.Client, keywords: Any, message: str) -> None:
    """They are rejected before anything is sent, and named."""
    for ask in asks(v2):
        with pytest.raises(argyle.ArgumentError, match=message) as caught:
            ask(**keywords)
        assert CANARY not in str(caught.value) and caught.value.__cause__ is None
    assert service.requests == []


def test_a_misspelt_keyword(service: Service, v2: argyle.Client) -> None:
    """It is an error as for any function: the service would ignore it."""
    for ask in asks(v2):
        with pytest.raises(TypeError, match=r"'fist_name': .*fields="):
            ask(fist_name="Ada")
    assert service.requests == []


def test_fields_in_version_1(service: Service, v1: argyle.Client) -> None:
    """There is only the metadata."""
    for keywords in ({"first_name": CANARY}, {"external_metadata": 1, "fields": {"first_name": CANARY}}):
        for ask in asks(v1):
            with pytest.raises(argyle.ArgumentError, match='"first_name" needs api_version 2') as caught:
                ask(**keywords)
            assert CANARY not in str(caught.value) and caught.value.attempts == 0
    assert service.requests == []
    for created in (v1.users.create(external_metadata=1), v1.users.create(fields={"external_metadata": 2})):
        assert created.token == created.raw["token"]
    assert [body for _, _, body in service.requests] == [{"external_metadata": 1}, {"external_metadata": 2}]


# ---------------------------------------------------------------- Lists


def seed(service: Service, count: int) -> "list[str]":
    """Create users and return their ids, newest first; those with an odd number have the external id "odd"."""
    with client_for(service.url) as client:
        ids = [client.users.create(external_id="odd" if n % 2 else None).id for n in range(count)]
    service.requests.clear()
    return ids[::-1]


def cursor_of(page: argyle.UserPage) -> str:
    """Return the cursor for the next page."""
    assert page.next is not None
    return parse_qs(urlsplit(page.next).query)["cursor"][0]


def test_pages(service: Service, sandbox: Sandbox, v2: argyle.Client) -> None:
    """Iteration follows the cursors, with the page size and the filter, and never leaves the host."""
    ids = seed(service, 11)
    assert [user.id for user in v2.users] == ids
    assert [len(page) for page in v2.users.pages(limit=4)] == [4, 4, 3]
    assert [user.id for user in v2.users.iterate(external_id="odd")] == ids[1::2]
    service.requests.clear()
    pages = list(v2.users.pages(limit=2, external_id="odd"))
    assert [[user.id for user in page] for page in pages] == [ids[1:4:2], ids[5:8:2], ids[9::2]]
    assert [target for _, target, _ in service.requests] == [
        "/v2/users?limit=2&external_id=odd",
        *(f"/v2/users?limit=2&external_id=odd&cursor={quote(cursor_of(page), safe='')}" for page in pages[:-1]),
    ]
    assert all("%" in target for _, target, _ in service.requests[1:])
    assert [page.next and page.next.partition("?")[0] for page in pages] == [f"{sandbox.url}/v2/users"] * 2 + [None]
    assert [len(page) for page in v2.users.pages(limit=1, external_id="odd")] == [1] * 5


def test_asynchronous_pages(service: Service, run_async: RunAsync) -> None:
    """The same in an event loop."""
    ids = seed(service, 11)

    async def main() -> None:
        async with argyle.AsyncClient(KEY_ID, KEY_SECRET, base_url=service.url, api_version=2) as client:
            assert [user.id async for user in client.users] == ids
            assert [len(page) async for page in client.users.pages(limit=4)] == [4, 4, 3]
            assert [user.id async for user in client.users.iterate(external_id="odd")] == ids[1::2]
            pages = [page async for page in client.users.pages(limit=2, external_id="odd")]
            assert [[user.id for user in page] for page in pages] == [ids[1:4:2], ids[5:8:2], ids[9::2]]
            assert [len(page) async for page in client.users.pages(limit=1, external_id="odd")] == [1] * 5

    run_async(main)
    # The client follows no link to another host.
    assert len(service.requests) == 1 + 3 + 1 + 3 + 5


@WAYS
def test_a_list_continues_at_a_cursor(service: Service, sandbox: Sandbox, way: str) -> None:
    """It is encoded in the URL."""
    ids = seed(service, 5)
    make = Maker(way, service.url, 2)
    first = make("list_users", limit=2)
    cursor = cursor_of(first)
    page = make("list_users", limit=2, cursor=cursor)
    assert [[user.id for user in each] for each in (first, page)] == [ids[:2], ids[2:4]]
    assert service.requests[-1][1] == f"/v2/users?limit=2&cursor={quote(cursor, safe='')}" != "/v2/users?limit=2"
    assert page.next.startswith(f"{sandbox.url}/v2/users?cursor={quote(cursor_of(page), safe='')}")
    last = make("list_users", cursor=cursor_of(page))
    assert ([user.id for user in last], last.next) == (ids[4:], None)
    with pytest.raises(argyle.NotFoundError, match="Invalid cursor"):
        make("list_users", cursor=quote(cursor, safe=""))


@WAYS
def test_users_deleted_under_a_cursor(service: Service, way: str) -> None:
    """No other user is missing or repeated."""
    ids = seed(service, 7)
    make = Maker(way, service.url, 2)
    page = make("list_users", limit=2)
    # The last of this page, the first of the next, and a new one before both.
    for user_id in ids[1:3]:
        make("delete_user", user_id)
    make("create_user")
    page = make("list_users", limit=2, cursor=cursor_of(page))
    assert [user.id for user in page] == ids[3:5]
    for user_id in ids[3:5]:
        make("delete_user", user_id)
    assert [user.id for user in make("list_users", cursor=cursor_of(page))] == ids[5:]


def test_users_deleted_during_an_iteration(service: Service, v2: argyle.Client) -> None:
    """Each is listed once although those before are gone."""
    ids = seed(service, 11)
    found = []
    for page in v2.users.pages(limit=1, external_id="odd"):
        for user in page:
            found.append(user.id)
            v2.users.delete(user.id)
    assert found == ids[1::2]
    assert [user.id for user in v2.users] == ids[::2]


@pytest.mark.parametrize(
    ("api_version", "query", "message"),
    [
        (1, {"cursor": "c"}, "cursor needs api_version 2"),
        (1, {"external_id": "7"}, "external_id needs api_version 2"),
        (2, {"offset": 1}, "offset needs api_version 1"),
        (2, {"ordering": "created_at"}, "ordering needs api_version 1"),
        (2, {"cursor": ""}, "cursor must be"),
        (2, {"external_id": ""}, "external_id must be"),
        (2, {"external_id": 7}, "external_id"),
        (2, {"external_id": "a\0b"}, "external_id must not contain a NUL"),
        (2, {"external_id": "\ud800"}, "external_id must not contain lone surrogates"),
        (2, {"cursor": "\ud800"}, "cursor must not contain lone surrogates"),
    ],
)
def test_list_arguments(service: Service, api_version: int, query: Any, message: str) -> None:
    """Each version has parameters of its own; a wrong one is an error before the first step."""
    client = client_for(service.url, api_version=api_version)
    asynchronous = argyle.AsyncClient(KEY_ID, KEY_SECRET, base_url=service.url, api_version=api_version)  # type: ignore[arg-type]
    asks: "list[Callable[..., Any]]" = [client.users.list]
    if "cursor" not in query:
        for users in (client.users, asynchronous.users):
            asks += [users.pages, users.iterate]
    for ask in asks:
        with pytest.raises(argyle.ArgumentError, match=message) as caught:
            ask(**query)
        assert caught.value.__cause__ is None
    (result,) = client.bulk([calls.list_users(**query)])
    assert isinstance(result.error, argyle.ArgumentError)
    assert service.requests == []


# ---------------------------------------------------------------- The client's version


def test_a_client_of_each_version(service: Service, v1: argyle.Client) -> None:
    """with_options changes the version, and keeps it otherwise."""
    v2 = v1.with_options(api_version=2)
    for client, path, member in (
        (v1, "/v1/users", "token"),
        (v2, "/v2/users", "user_token"),
        (v2.with_options(timeout_ms=12345), "/v2/users", "user_token"),
        (v2.with_options(api_version=1), "/v1/users", "token"),
        (v2.with_options(api_version=None), "/v2/users", "user_token"),  # type: ignore[arg-type]
    ):
        (result,) = client.bulk([calls.create_user()])
        for created in (client.users.create(), result.result()):
            assert created.token == created.raw[member]
        assert [target for _, target, _ in service.requests] == [path] * 2
        service.requests.clear()


@pytest.mark.parametrize("api_version", [0, 3, -1, "2", True, 2.0, [2], 2**64])
def test_wrong_versions(v1: argyle.Client, api_version: Any) -> None:
    """The C library rejects them."""
    for make in (
        lambda: client_for("http://127.0.0.1:1", api_version=api_version),
        lambda: v1.with_options(api_version=api_version),
        lambda: argyle.AsyncClient(KEY_ID, KEY_SECRET, api_version=api_version),
    ):
        with pytest.raises(argyle.ArgumentError, match="api_version"):
            make()


CREATED = {1: {"id": "u1", "token": "t"}, 2: {"id": "u1", "user_token": "t"}}
TOKENS = {1: {"access": "a", "refresh": "r"}, 2: {"user_token": "t"}}


@WAYS
@pytest.mark.parametrize("api_version", [1, 2])
def test_a_response_of_the_other_version(service: Service, way: str, api_version: int) -> None:
    """It is a protocol error that says so, after which the outcome is unknown."""
    make = Maker(way, service.url, api_version)
    other = 3 - api_version
    for name, arguments, answer in (("create_user", [], CREATED), ("create_user_token", ["u1"], TOKENS)):
        service.answers = [(201, answer[other])]
        with pytest.raises(argyle.ProtocolError, match=f": it is a response of API version {other}") as caught:
            make(name, *arguments)
        assert caught.value.outcome_unknown and caught.value.status == 201
        assert f"POST /v{api_version}/user" in str(caught.value)


@WAYS
@pytest.mark.parametrize(
    "answer",
    [{}, {"id": "u1"}, {"user_token": "t"}, {"id": "u1", "user_token": ""}, {"id": "u1", "user_token": 1}, [], 1],
)
def test_a_response_of_neither_version(service: Service, way: str, answer: Any) -> None:
    """It is a protocol error that names the missing member."""
    service.answers = [(201, answer)]
    with pytest.raises(argyle.ProtocolError, match="the response has no string") as caught:
        Maker(way, service.url, 2)("create_user")
    assert "of the API" not in str(caught.value) and caught.value.outcome_unknown


@WAYS
def test_a_token_of_another_user(service: Service, way: str) -> None:
    """No call returns another user's token."""
    service.answers = [(201, {"user_token": jwt({"user_id": "u2"})})] * 2
    make = Maker(way, service.url, 2)
    with pytest.raises(argyle.ProtocolError, match="another user"):
        make("create_user_token", "u1")
    assert make("create_user_token", "U2").access


@WAYS
def test_a_bare_array(service: Service, way: str) -> None:
    """Only version 1 has such pages."""
    service.answers = [(200, [{"id": "u1"}])] * 2
    assert len(Maker(way, service.url, 1)("list_users")) == 1
    with pytest.raises(argyle.ProtocolError, match="the response is not a JSON object"):
        Maker(way, service.url, 2)("list_users")


def test_a_bare_array_in_an_iteration(service: Service, v2: argyle.Client, run_async: RunAsync) -> None:
    """The same page by page."""
    service.answers = [(200, [{"id": "u1"}])] * 2
    with pytest.raises(argyle.ProtocolError, match="the response is not a JSON object"):
        next(v2.users.pages())

    async def main() -> None:
        async with argyle.AsyncClient(KEY_ID, KEY_SECRET, base_url=service.url, api_version=2) as client:
            with pytest.raises(argyle.ProtocolError, match="the response is not a JSON object"):
                await client.users.pages().__anext__()

    run_async(main)


def test_a_page_of_version_1_has_no_cursor(service: Service, v2: argyle.Client) -> None:
    """It is not taken for the last one."""
    service.answers = [(200, {"count": 9, "next": f"{service.url}/v1/users?offset=1", "results": [{"id": "u1"}]})]
    pages = v2.users.pages(limit=1)
    assert len(next(pages)) == 1
    with pytest.raises(argyle.ProtocolError, match="cursor"):
        next(pages)


# ---------------------------------------------------------------- Personal data

PHONE_NUMBER = "+12125550142"
PERSONAL: Any = {
    **dict.fromkeys(("external_id", "first_name", "last_name", "ssn"), CANARY),
    "email": f"{CANARY}@example.com",
    "phone_number": PHONE_NUMBER,
    "address": argyle.Address(*[CANARY] * 6),
    "birth_date": date(1985, 12, 10),
    "external_metadata": {CANARY: CANARY},
    "open_banking": {"end_user": {"name": CANARY}},
}


@pytest.mark.parametrize(
    "answer",
    [None, (400, {"email": ["Enter a valid email address."]}), (500, None), (200, 1)],
    ids=["success", "rejected", "failed", "unreadable"],
)
def test_personal_data_is_not_shown(
    service: Service, v2: argyle.Client, log: io.StringIO, answer: "Optional[tuple[int, Any]]"
) -> None:
    """Neither printed values, errors nor logs contain it."""
    created = v2.users.create(**PERSONAL)
    texts = [repr(PERSONAL["address"])]
    for name, value in PERSONAL.items():
        only: Any = {name: value}
        call = calls.create_user(**only)
        texts += [repr(call), str(call), repr(calls.update_user("id", **only))]
        makes: "list[Callable[[], Any]]" = [
            partial(v2.users.create, **only),
            partial(v2.users.update, created.id, **only),
            partial(v2.users.update, "absent", **only),
            partial(next, v2.bulk([call])),
            partial(v2.users.get, created.id),
            partial(v2.users.list, external_id=CANARY),
            partial(next, v2.users.pages(external_id=CANARY)),
            partial(v2.user_tokens.create, created.id),
        ]
        for make in makes:
            service.answers = [] if answer is None else [answer]
            try:
                made = make()
                texts.append(f"{made!r} {made}")
            except argyle.Error as error:
                texts += [repr(error), str(error), traceback.format_exc(), repr(error.args)]
    assert "/v2/users" in log.getvalue()
    secrets = [CANARY, PHONE_NUMBER, "1985-12-10", "date(1985", "year", created.token]
    shown = [text for text in [*texts, log.getvalue()] if any(secret in text for secret in secrets)]
    assert not shown


#: A value that the service rejects, and its message.
WRONG_FIELDS: "dict[str, tuple[Any, str]]" = {
    "email": (CANARY, "Enter a valid email address."),
    "phone_number": (CANARY, "Enter a valid phone number."),
    "external_id": (f"{CANARY:x<101}", "Ensure this field has no more than 100 characters."),
    "first_name": ([CANARY], "Not a valid string."),
}


@WAYS
@pytest.mark.parametrize("name", WRONG_FIELDS)
def test_a_field_that_the_service_rejects(service: Service, log: io.StringIO, way: str, name: str) -> None:
    """The error names the field, and does not contain the value."""
    value, message = WRONG_FIELDS[name]
    keywords = {"last_name": CANARY, name: value}
    make = Maker(way, service.url, 2)
    created = make("create_user", first_name="Ada")
    before = make("get_user", created.id)
    for call, arguments in (("create_user", []), ("update_user", [created.id])):
        with pytest.raises(argyle.InvalidRequestError, match=f"status 400: {name}: {message}") as caught:
            make(call, *arguments, **keywords)
        error = caught.value
        assert (error.code, error.status, error.attempts) == ("invalid_request", 400, 1)
        assert not error.outcome_unknown and not error.is_retryable
        assert error.body == {name: [message]}
        texts = [str(error), repr(error), repr(error.args), *traceback.format_exception_only(type(error), error)]
        assert CANARY not in "".join(texts)
    assert CANARY not in log.getvalue()
    assert make("list_users").results == [before]


# ---------------------------------------------------------------- Both versions of the sandbox


def test_users_of_both_versions(argyle_sandbox: argyle.Sandbox) -> None:
    """They are the same, and each version shows and changes what it has."""
    v1 = argyle_sandbox.client()
    v2 = v1.with_options(api_version=2)
    old = v1.users.create(external_metadata={"group": "A"}).id
    new = v2.users.create(external_id="7", first_name="Ada", address=ADDRESS, external_metadata={"group": "B"}).id
    for client in (v1, v2):
        assert [(user.id, user.external_metadata) for user in client.users] == [
            (new, {"group": "B"}),
            (old, {"group": "A"}),
        ]
        assert [client.user_tokens.create(user_id).claims["user_id"] for user_id in (old, new)] == [old, new]
        assert [client.users.get(user_id).created_at for user_id in (old, new)] == [
            v1.users.get(user_id).created_at for user_id in (old, new)
        ]

    # What the other version does not have is kept.
    assert v2.users.update(old, external_id="8", birth_date=date(1985, 12, 10)).external_metadata == {"group": "A"}
    assert v1.users.update(new, external_metadata=[1]).first_name is None
    assert "first_name" not in v1.users.get(new).raw
    changed = v2.users.get(new)
    assert (changed.external_metadata, changed.external_id, changed.first_name, changed.address) == (
        [1],
        "7",
        "Ada",
        ADDRESS,
    )
    assert [user.id for user in v2.users.iterate(external_id="8")] == [old]

    argyle_sandbox.set_connected(old, employers=["acme"], data_providers=["adp"], items=["item_1", "item_2"])
    for client, data_providers, items in ((v1, ["adp"], None), (v2, None, ["item_1", "item_2"])):
        user = client.users.get(old)
        assert user.employers_connected == ["acme"]
        assert (user.data_providers_connected, user.items_connected) == (data_providers, items)

    v1.users.delete(new)
    v2.users.delete(old)
    for client, user_id in ((v1, old), (v2, new)):
        with pytest.raises(argyle.NotFoundError):
            client.users.get(user_id)
    assert argyle_sandbox.state()["users"] == 0


def test_version_1_is_the_default(sandbox: Sandbox, client: argyle.Client) -> None:
    """Without the option, nothing has changed."""
    created = client.users.create(external_metadata={"group": "A"})
    assert set(created.raw) == {"id", "token"}
    explicit = client.with_options(api_version=1)
    assert explicit.users.get(created.id) == client.users.get(created.id)
    assert explicit.user_tokens.create(created.id).refresh is not None


# ---------------------------------------------------------------- Responses with the members of both versions

BOTH_CREATED = {"user_token": "of version 2", "token": "of version 1", "id": "u1"}
BOTH_TOKENS = {"user_token": "of version 2", "access": "of version 1"}


@WAYS
@pytest.mark.parametrize("api_version", [1, 2])
def test_the_version_of_the_client_chooses_the_member(service: Service, way: str, api_version: int) -> None:
    """The other version's member is not used, not even by a copy."""
    service.answers = [(201, BOTH_CREATED), (201, BOTH_TOKENS)]
    make = Maker(way, service.url, api_version)
    created, token = make("create_user"), make("create_user_token", "u1")
    for each in (created, *copies(created)):
        assert (each, each.token, each.raw) == (created, f"of version {api_version}", BOTH_CREATED)
        assert hash(each) == hash(created)
    for each in (token, *copies(token)):
        assert (each, each.access, each.raw) == (token, f"of version {api_version}", BOTH_TOKENS)
        assert hash(each) == hash(token)


def test_values_with_other_tokens_are_not_equal(service: Service, v1: argyle.Client, v2: argyle.Client) -> None:
    """Although the responses are."""
    service.answers = [(201, BOTH_CREATED)] * 2 + [(201, BOTH_TOKENS)] * 2
    assert v1.users.create() != v2.users.create()
    assert v1.user_tokens.create("u1") != v2.user_tokens.create("u1")


def test_values_made_by_hand() -> None:
    """They take a response of either version; version 1 comes first."""
    assert argyle.NewUser(BOTH_CREATED).token == argyle.UserToken(BOTH_TOKENS).access == "of version 1"
    for each in copies(argyle.NewUser(CREATED[2])):
        assert each == argyle.NewUser(CREATED[2]) and each.token == "t"
    # A token that is not a text is none.
    assert argyle.UserToken({"access": None, "user_token": "t"}).access == "t"
    other: Any = argyle.UserToken(CREATED[2])
    assert other != argyle.NewUser(CREATED[2])


def test_a_pickled_call_belongs_to_no_version(service: Service, v1: argyle.Client, v2: argyle.Client) -> None:
    """The client that makes it chooses."""
    call = pickle.loads(pickle.dumps(calls.create_user()))
    service.answers = [(201, BOTH_CREATED)] * 2
    assert [next(client.bulk([call])).result().token for client in (v1, v2)] == ["of version 1", "of version 2"]


@WAYS
@pytest.mark.parametrize("answer", [{}, {"results": None}, {"results": {}}, {"users": [1]}, 1, "text", []])
def test_lists_that_are_none(service: Service, way: str, answer: Any) -> None:
    """Version 2 has no arrays of users to be confused with."""
    service.answers = [(200, answer)]
    with pytest.raises(argyle.ProtocolError) as caught:
        Maker(way, service.url, 2)("list_users")
    expected = 'no array "results"' if isinstance(answer, dict) else "not a JSON object"
    assert expected in str(caught.value) and "array of users" not in str(caught.value)
    assert ("it is a response of API version 1" in str(caught.value)) == isinstance(answer, list)


@WAYS
def test_a_page_has_no_count(service: Service, way: str) -> None:
    """Whatever the service sends under this name."""
    answer = {"results": [{"id": "u1"}], "count": "1"}
    service.answers = [(200, answer)]
    page = Maker(way, service.url, 2)("list_users")
    assert (page.count, page.raw, [user.id for user in page]) == (None, answer, ["u1"])


# ---------------------------------------------------------------- Arguments


@pytest.mark.parametrize("keywords", [{}, {"fields": None}])
def test_an_update_of_nothing(service: Service, v1: argyle.Client, v2: argyle.Client, keywords: Any) -> None:
    """It is an error as for a missing argument."""

    async def main(api_version: Any) -> None:
        options: Any = {"base_url": service.url, "api_version": api_version}
        async with argyle.AsyncClient(KEY_ID, KEY_SECRET, **options) as client:
            await client.users.update("u1", **keywords)

    asks: "list[Callable[..., Any]]" = [
        partial(v1.users.update, "u1"),
        partial(v2.users.update, "u1"),
        partial(calls.update_user, "u1"),
        lambda **_: asyncio.run(main(1)),
        lambda **_: asyncio.run(main(2)),
    ]
    for ask in asks:
        with pytest.raises(TypeError, match=r"missing .*external_metadata"):
            ask(**keywords)
    assert service.requests == []


def test_an_update_with_empty_fields(service: Service, v2: argyle.Client) -> None:
    """They were given."""
    service.answers = [(200, {"id": "u1"})]
    v2.users.update("u1", fields={})
    assert service.requests == [("PATCH", "/v2/users/u1", {})]


@pytest.mark.parametrize("fields", [{"\ud83d\ude00": 1, "😀": 2}, {"a": {"\ud83d\ude00": 1, "😀": 2}}])
def test_names_that_are_the_same_in_json(service: Service, v2: argyle.Client, fields: Any) -> None:
    """No member is sent twice."""
    for ask in asks(v2):
        with pytest.raises(argyle.ArgumentError, match="two keys are the same in JSON"):
            ask(fields=fields)
    assert service.requests == []
    with pytest.raises(argyle.ArgumentError, match="two keys are the same in JSON"):
        v2.users.create(external_metadata={"\ud83d\ude00": 1, "😀": 2})


def test_an_unknown_keyword_in_version_1(v1: argyle.Client) -> None:
    """The message does not only suggest what version 1 lacks."""
    with pytest.raises(TypeError, match=r"'metadata': version 1 .* external_metadata; .*version 2, .*fields="):
        v1.users.create(metadata=1)  # type: ignore[call-arg]


# ---------------------------------------------------------------- Cursors


def test_iteration_starts_at_a_cursor(service: Service, v2: argyle.Client, run_async: RunAsync) -> None:
    """With the next cursor of a page, and a list too."""
    ids = seed(service, 5)
    page = v2.users.list(limit=2)
    cursor = page.next_cursor
    assert cursor is not None
    assert [user.id for user in v2.users.list(limit=2, cursor=cursor)] == ids[2:4]
    assert [len(each) for each in v2.users.pages(limit=2, cursor=cursor)] == [2, 1]
    assert [user.id for user in v2.users.iterate(cursor=cursor)] == ids[2:]

    async def main() -> None:
        async with argyle.AsyncClient(KEY_ID, KEY_SECRET, base_url=service.url, api_version=2) as client:
            assert [len(each) async for each in client.users.pages(limit=2, cursor=cursor)] == [2, 1]
            assert [user.id async for user in client.users.iterate(cursor=cursor)] == ids[2:]

    run_async(main)
    assert v2.users.list(limit=5).next_cursor is None


def test_wrong_cursors_of_an_iteration(service: Service, v1: argyle.Client, v2: argyle.Client) -> None:
    """They are errors before the first step, as those of a list."""
    asynchronous = argyle.AsyncClient(KEY_ID, KEY_SECRET, base_url=service.url, api_version=2)
    for client, cursor, message in (
        (v1, "c", "cursor needs api_version 2"),
        (v2, "", "cursor must be"),
        (v2, "\ud800", "cursor must not contain lone surrogates"),
        (asynchronous, "", "cursor must be"),
    ):
        for ask in (client.users.pages, client.users.iterate):
            with pytest.raises(argyle.ArgumentError, match=message):
                ask(cursor=cursor)
    assert service.requests == []


@pytest.mark.parametrize(
    ("link", "cursor"),
    [
        (None, None),
        ("", None),
        ("https://api.argyle.com/v2/users?cursor=cD0yMDI2%2B%2F%3D%3D&limit=2", "cD0yMDI2+/=="),
        ("https://api.argyle.com/v2/users?limit=2&cursor=a%20b+c#cursor=d", "a b c"),
        ("/v2/users?cursor=a&cursor=b", "b"),
        ("?cursor=a", "a"),
        ("https://api.argyle.com/v1/users?limit=2&offset=2", None),
        ("https://api.argyle.com/v2/users?cursor=", None),
        ("https://api.argyle.com/v2/users?cursor", None),
        ("https://api.argyle.com/v2/users?precursor=a", None),
        ("https://api.argyle.com/v2/users", None),
        ("/v2/users", None),
        ("cD0yMDI2+/==", "cD0yMDI2+/=="),
        ("a%2Bb", "a+b"),
    ],
)
def test_next_cursors(link: "Optional[str]", cursor: "Optional[str]") -> None:
    """A cursor is decoded, as a list takes it; a link may be a bare cursor."""
    assert argyle.UserPage.from_document({"results": [], "next": link}).next_cursor == cursor
    assert argyle.UserPage([], next=link).next_cursor == cursor

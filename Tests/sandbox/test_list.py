"""The list: order, limit, offset and links."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import pytest
from conftest import Answer, Sandbox, Starter, basic

# A sandbox and the ids of its users, oldest first.
Listed = tuple[Sandbox, list[str]]


@pytest.fixture(scope="module")
def listed() -> Iterator[Listed]:
    sandbox = Sandbox("--port", "0")
    yield sandbox, [sandbox.create(str(number).encode()) for number in range(205)]
    sandbox.stop()


def numbers(answer: Answer) -> list[int]:
    assert answer.status == 200
    return [user["external_metadata"] for user in answer.json["results"]]


def test_empty(fresh: Sandbox) -> None:
    answer = fresh.send("GET", "/v1/users")
    assert answer.status == 200
    assert answer.body == b'{"count":0,"next":null,"previous":null,"results":[]}'


def test_newest_first_ten_by_default(listed: Listed) -> None:
    sandbox, users = listed
    answer = sandbox.send("GET", "/v1/users")
    assert list(answer.json) == ["count", "next", "previous", "results"]
    assert answer.json["count"] == 205
    assert answer.json["next"] == f"{sandbox.url}/v1/users?limit=10&offset=10"
    assert answer.json["previous"] is None
    assert [user["id"] for user in answer.json["results"]] == users[:-11:-1]
    assert answer.json["results"][0] == sandbox.send("GET", f"/v1/users/{users[-1]}").json


@pytest.mark.parametrize(
    "limit, count",
    [("1", 1), ("10", 10), ("200", 200), ("201", 200), ("99999999999999999999999", 200),
     ("007", 7), ("0", 10), ("-1", 10), ("", 10), ("x", 10), ("1.5", 10), ("1e1", 10), ("%00", 10),
     ("1%00", 10), ("%31", 1), ("0x10", 10), ("%D9%A1", 10), ("%FF", 10), ("+5", 10), ("5%20", 10)])
def test_limit(listed: Listed, limit: str, count: int) -> None:
    sandbox, _ = listed
    answer = sandbox.send("GET", f"/v1/users?limit={limit}")
    assert numbers(answer) == list(range(204, 204 - count, -1))
    assert answer.json["next"].startswith(f"{sandbox.url}/v1/users?limit={count}&offset={count}")


@pytest.mark.parametrize(
    "offset, first",
    [("0", 204), ("1", 203), ("204", 0), ("-1", 204), ("", 204), ("x", 204), ("1.5", 204),
     ("%31", 203)])
def test_offset(listed: Listed, offset: str, first: int) -> None:
    sandbox, _ = listed
    assert numbers(sandbox.send("GET", f"/v1/users?offset={offset}"))[0] == first


@pytest.mark.parametrize(
    "offset", ["205", "206", "1000000", "9223372036854775807", "9223372036854775808", "9" * 1000])
def test_offset_past_the_end(listed: Listed, offset: str) -> None:
    sandbox, _ = listed
    answer = sandbox.send("GET", f"/v1/users?offset={offset}")
    assert answer.status == 200
    assert answer.json["count"] == 205
    assert answer.json["results"] == []
    assert answer.json["next"] is None
    assert answer.json["previous"].startswith(f"{sandbox.url}/v1/users?limit=10&offset=")


@pytest.mark.parametrize(
    "ordering, first",
    [("created_at", 0), ("-created_at", 204), ("", 204), ("id", 204), ("CREATED_AT", 204),
     ("created_at%00", 204), ("created%5Fat", 0), ("created_at;DROP", 204)])
def test_ordering(listed: Listed, ordering: str, first: int) -> None:
    sandbox, _ = listed
    found = numbers(sandbox.send("GET", f"/v1/users?limit=200&ordering={ordering}"))
    assert found == (list(range(200)) if first == 0 else list(range(204, 4, -1)))


def test_order_of_creation(listed: Listed) -> None:
    sandbox, users = listed
    found = []
    for offset in (0, 200):
        page = sandbox.send("GET", f"/v1/users?limit=200&offset={offset}&ordering=created_at").json
        found += [user["id"] for user in page["results"]]
    assert found == users


def test_order_is_stable_for_equal_times(start: Starter, tmp_path: Path) -> None:
    """Users created in the same millisecond keep their order of creation."""
    path = tmp_path / "state.sqlite"
    sandbox = start("--database", str(path))
    users = [sandbox.create() for _ in range(30)]
    with sqlite3.connect(path) as database:
        database.execute("UPDATE users SET created_at = 1650637600682")
    database.close()
    page = sandbox.send("GET", "/v1/users?limit=200").json["results"]
    assert {user["created_at"] for user in page} == {"2022-04-22T14:26:40.682Z"}
    for ordering, expected in (("created_at", users), ("-created_at", users[::-1])):
        for limit in (1, 7, 30):
            found = [
                user["id"]
                for offset in range(0, 30, limit)
                for user in sandbox.send(
                    "GET", f"/v1/users?limit={limit}&offset={offset}&ordering={ordering}"
                ).json["results"]
            ]
            assert found == expected


def test_every_page_of_a_list(fresh: Sandbox) -> None:
    """Pages nearer to the list's other end are read from there."""
    for number in range(7):
        fresh.create(str(number).encode())
    for ordering, expected in (("created_at", range(7)), ("-created_at", range(6, -1, -1))):
        for limit in range(1, 9):
            for offset in range(10):
                answer = fresh.send(
                    "GET", f"/v1/users?limit={limit}&offset={offset}&ordering={ordering}")
                assert numbers(answer) == list(expected)[offset:offset + limit]
                links = (
                    offset + limit if offset + limit < 7 else None,
                    max(0, offset - limit) if offset > 0 else None)
                assert (link(answer.json["next"]), link(answer.json["previous"])) == links


def link(url: str | None) -> int | None:
    """Returns the offset in a link."""
    if url is None:
        return None
    return int(dict(parse_qsl(urlsplit(url).query)).get("offset", "0"))


@pytest.mark.parametrize("query", ["", "?limit=7", "?limit=200", "?ordering=created_at&limit=13",
                                   "?limit=7&ordering=-created_at&offset=3", "?limit=1000"])
def test_links_lead_through_the_list_and_back(listed: Listed, query: str) -> None:
    sandbox, _ = listed
    target = f"/v1/users{query}"
    pages = []
    while target:
        answer = sandbox.send("GET", target)
        pages.append(answer)
        target = answer.json["next"]
        if target:
            assert target.startswith(sandbox.url + "/")
            target = target[len(sandbox.url):]
    found = [number for page in pages for number in numbers(page)]
    start = 3 if "offset=3" in query else 0
    expected = list(range(205)) if "=created_at" in query else list(range(204, -1, -1))
    assert found == expected[start:]

    for page, following in zip(pages[::-1][1:], pages[::-1]):
        back = sandbox.send("GET", following.json["previous"][len(sandbox.url):])
        assert (back.json["results"], back.json["next"]) == (page.json["results"], page.json["next"])
    first = pages[0].json["previous"]
    assert first is None if start == 0 else first == f"{sandbox.url}/v1/users?limit=7&ordering=-created_at"


@pytest.mark.parametrize(
    "query, kept",
    [
        ("limit=2&offset=3&a=b", "&a=b"),
        ("a=b&limit=2&c&=d&offset=3&a=e", "&a=b&c&=d&a=e"),
        ("limit=9&limit=2&offset=9&offset=3&a=%26%3D%20+%2B", "&a=%26%3D%20+%2B"),
        ("%6Cimit=2&offset=3&a=%", "&a=%"),
        ("limit=2&offset=3&&a&", "&a"),
        ('limit=2&offset=3&a="<>\\^`{|}', "&a=%22%3C%3E%5C%5E%60%7B%7C%7D"),
        ("limit=2&offset=3&a=\xc3\xa9\xff", "&a=%C3%A9%FF"),
        ("limit=2&offset=3&a=?/:@!$'()*,;#x", "&a=?/:@!$'()*,;%23x"),
    ],
)
def test_links_keep_other_parameters(listed: Listed, query: str, kept: str) -> None:
    sandbox, _ = listed
    answer = sandbox.raw(
        f"GET /v1/users?{query} HTTP/1.0\r\nHost: api.example:8443\r\n"
        f"Authorization: {basic()}\r\n\r\n".encode("latin-1"))
    assert answer.startswith(b"HTTP/1.1 200 "), answer
    base = "http://api.example:8443/v1/users?limit=2"
    assert f'"next":"{base}&offset=5{kept}"'.encode() in answer
    assert f'"previous":"{base}&offset=1{kept}"'.encode() in answer


@pytest.mark.parametrize(
    "host, origin",
    [("localhost:1", "http://localhost:1"), ("[::1]:80", "http://[::1]:80"),
     ("EXAMPLE.com", "http://EXAMPLE.com"), ('a"b', None), ("a b", None), ("a/b", None),
     ("a@b", None), ("", None), ("\xe9", None), (None, None)])
def test_links_use_the_host(
    listed: Listed, host: str | None, origin: str | None
) -> None:
    sandbox, _ = listed
    field = "" if host is None else f"Host: {host}\r\n"
    answer = sandbox.raw(
        f"GET /v1/users HTTP/1.0\r\n{field}Authorization: {basic()}\r\n\r\n".encode("latin-1"))
    assert f'"next":"{origin or sandbox.url}/v1/users?limit=10&offset=10"'.encode() in answer


@pytest.mark.parametrize("target", ["/v1/users/", "/v1/users?", "/v1/users/?", "/v1/users/?limit=10",
                                    "/v1/users?&&&", "/v1/users?=", "/v1/users?limit",
                                    "/v1/%75sers", "/v1/users?%", "/v1/users?" + "a=b&" * 500])
def test_other_spellings_of_the_list(listed: Listed, target: str) -> None:
    sandbox, _ = listed
    assert numbers(sandbox.send("GET", target)) == list(range(204, 194, -1))


def test_count_follows_create_and_delete(fresh: Sandbox) -> None:
    users = [fresh.create() for _ in range(5)]
    assert fresh.send("GET", "/v1/users").json["count"] == 5
    for left, user in enumerate(users[::-1]):
        assert fresh.send("DELETE", f"/v1/users/{user}").status == 204
        assert fresh.send("GET", "/v1/users").json["count"] == 4 - left

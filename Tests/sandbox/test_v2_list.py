"""API v2: the list, its cursors and its filter."""

from __future__ import annotations

import json
import random
import sqlite3
from collections.abc import Iterator
from itertools import cycle
from pathlib import Path
from typing import Any, Optional
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

import pytest
from conftest import Answer, Sandbox, Starter, basic
from test_control import control
from test_v2_users import create, get

# A sandbox and the ids of its users, oldest first.
Listed = tuple[Sandbox, list[str]]
INVALID = (404, {"detail": "Invalid cursor"})


@pytest.fixture(scope="module")
def listed() -> Iterator[Listed]:
    """Users with the external ids "even" and "odd", by their numbers."""
    sandbox = Sandbox("--port", "0")
    yield sandbox, [create(sandbox, {"external_metadata": number, "external_id": ["even", "odd"][number % 2]})
                    for number in range(205)]
    sandbox.stop()


def page(sandbox: Sandbox, target: str = "/v2/users") -> Any:
    # Another process with the same file may have returned the link.
    answer = sandbox.send("GET", target[target.index("/v2/"):])
    assert answer.status == 200, answer.body
    assert list(answer.json) == ["next", "previous", "results"]
    return answer.json


def numbers(page: Any) -> list[int]:
    return [user["external_metadata"] for user in page["results"]]


def ids(page: Any) -> list[str]:
    return [user["id"] for user in page["results"]]


def cursor(link: str) -> str:
    return dict(parse_qsl(urlsplit(link).query))["cursor"]


def walk(sandbox: Sandbox, target: str = "/v2/users") -> list[Any]:
    """Returns all pages from a target on."""
    pages = [page(sandbox, target)]
    while pages[-1]["next"]:
        pages.append(page(sandbox, pages[-1]["next"]))
    return pages


def test_empty(fresh: Sandbox) -> None:
    for target in ("/v2/users", "/v2/users?external_id=x&limit=1", "/v2/users?cursor="):
        answer = fresh.send("GET", target)
        assert (answer.status, answer.body) == (200, b'{"next":null,"previous":null,"results":[]}')


def test_newest_first_ten_by_default(listed: Listed) -> None:
    sandbox, users = listed
    found = page(sandbox)
    assert ids(found) == users[:-11:-1]
    assert found["results"][0] == get(sandbox, users[-1])
    assert found["next"].startswith(f"{sandbox.url}/v2/users?cursor=")
    assert found["previous"] is None


def test_order_is_that_of_v1(listed: Listed) -> None:
    sandbox, _ = listed
    in_v1 = [user["id"] for user in sandbox.send("GET", "/v1/users?limit=200").json["results"]]
    assert ids(page(sandbox, "/v2/users?limit=200")) == in_v1


@pytest.mark.parametrize(
    "limit, count",
    [("1", 1), ("10", 10), ("200", 200), ("201", 200), ("9" * 30, 200), ("007", 7), ("0", 10), ("-1", 10), ("", 10),
     ("x", 10), ("1.5", 10), ("%31", 1), ("%00", 10), ("+5", 10)])
def test_limit(listed: Listed, limit: str, count: int) -> None:
    sandbox, _ = listed
    assert numbers(page(sandbox, f"/v2/users?limit={limit}")) == list(range(204, 204 - count, -1))


@pytest.mark.parametrize("query", ["offset=5", "ordering=created_at", "count=1&page=2", "external_ID=even", "=&&%"])
def test_other_parameters_are_ignored(listed: Listed, query: str) -> None:
    sandbox, _ = listed
    assert numbers(page(sandbox, f"/v2/users?{query}")) == list(range(204, 194, -1))


@pytest.mark.parametrize("limit", [1, 7, 41, 200])
@pytest.mark.parametrize("external_id", [None, "even"])
def test_links_lead_through_the_list_and_back(listed: Listed, limit: int, external_id: Optional[str]) -> None:
    sandbox, _ = listed
    query = f"limit={limit}" + (f"&external_id={external_id}" if external_id else "")
    pages = walk(sandbox, f"/v2/users?{query}")
    expected = [number for number in range(204, -1, -1) if number % 2 == 0 or external_id is None]
    assert [number for page in pages for number in numbers(page)] == expected
    # All but the last are full, and the last is not empty.
    assert {len(page["results"]) for page in pages[:-1]} in ({limit}, set())
    assert pages[-1]["results"]
    back = [pages[-1]]
    while back[-1]["previous"]:
        back.append(page(sandbox, back[-1]["previous"]))
    assert [page["results"] for page in back[::-1]] == [page["results"] for page in pages]
    assert [page["next"] for page in back[::-1]] == [page["next"] for page in pages]


def test_a_cursor_carries_limit_and_filter(listed: Listed) -> None:
    sandbox, _ = listed
    first = page(sandbox, "/v2/users?limit=3&external_id=odd&x=y")
    alone = f"/v2/users?cursor={quote(cursor(first['next']), safe='')}"
    assert numbers(first) == [203, 201, 199]
    # The link keeps the other parameters, and real clients keep only the cursor.
    assert first["next"] == f"{sandbox.url}{alone}&limit=3&external_id=odd&x=y"
    for target in (alone, first["next"], f"{alone}&limit=3", f"{alone}&external_id=odd", f"{alone}&limit=x"):
        assert numbers(page(sandbox, target)) == [197, 195, 193]
    following = page(sandbox, alone)
    assert numbers(page(sandbox, following["next"])) == [191, 189, 187]
    assert numbers(page(sandbox, following["previous"])) == [203, 201, 199]
    # Those beside it take precedence.
    assert numbers(page(sandbox, f"{alone}&limit=1")) == [197]
    assert numbers(page(sandbox, f"{alone}&limit=2&external_id=even")) == [198, 196]


def test_a_cursor_has_to_be_decoded(listed: Listed) -> None:
    """As those of the service, so that tests show whether a client does."""
    sandbox, _ = listed
    raw = urlsplit(page(sandbox)["next"]).query.partition("=")[2]
    assert "%" in raw
    assert sandbox.send("GET", f"/v2/users?cursor={raw}").status == 200
    assert sandbox.send("GET", f"/v2/users?cursor={quote(raw)}").status == 404


def test_the_last_parameter_counts(listed: Listed) -> None:
    sandbox, _ = listed
    link = page(sandbox)["next"]
    assert numbers(page(sandbox, f"/v2/users?cursor=x&limit=1&external_id=x&{urlsplit(link).query}&external_id=odd"
                                 "&limit=2")) == [193, 191]


@pytest.mark.parametrize("host, origin", [("api.example:8443", "http://api.example:8443"), ("a b", None)])
def test_links_use_the_host(listed: Listed, host: str, origin: Optional[str]) -> None:
    sandbox, _ = listed
    answer = sandbox.raw(
        f"GET /v2/users HTTP/1.0\r\nHost: {host}\r\nAuthorization: {basic()}\r\n\r\n".encode())
    assert f'"next":"{origin or sandbox.url}/v2/users?cursor='.encode() in answer


# The filter


@pytest.mark.parametrize("external_id", [
    "a", "A", "a ", " a", "ab", "é", "e\u0301", "😀", "'", '"', "\\", "%", "&=?#/", "\n", "\x7f", "null", "x" * 100])
def test_filter_is_exact(start: Starter, external_id: str) -> None:
    sandbox = start()
    others = ["a", "A", "a ", " a", "", "ab", "é", "e\u0301", "😀", "%", "x" * 99, "\\\\", None]
    for other in others:
        create(sandbox, {"external_id": other} if other != external_id else {})
    sandbox.create()
    users = [create(sandbox, {"external_id": external_id}) for _ in range(3)]
    pages = walk(sandbox, f"/v2/users?limit=2&{urlencode({'external_id': external_id})}")
    assert [user for page in pages for user in ids(page)] == users[::-1]
    assert pages[0]["previous"] is None and len(pages) == 2


@pytest.mark.parametrize("value", ["%00", "%FF", "%F0%9F", "x" * 10_000, "%22", "'--", "even%00", "eve", "EVEN", "*"])
def test_filter_without_matches(listed: Listed, value: str) -> None:
    sandbox, _ = listed
    assert page(sandbox, f"/v2/users?external_id={value}") == {"next": None, "previous": None, "results": []}


def test_an_empty_filter_is_none(listed: Listed) -> None:
    """Clients send it again beside the cursor, and then it must not end the list."""
    sandbox, _ = listed
    first = page(sandbox, "/v2/users?limit=2&external_id=")
    assert numbers(first) == [204, 203]
    assert numbers(page(sandbox, first["next"])) == [202, 201]
    first = page(sandbox, "/v2/users?limit=2&external_id=odd")
    assert numbers(page(sandbox, f"/v2/users?cursor={quote(cursor(first['next']))}&external_id=")) == [199, 197]


def test_filter_follows_updates(fresh: Sandbox) -> None:
    user = create(fresh, {"external_id": "a"})
    fresh.send("PATCH", f"/v2/users/{user}", b'{"external_id":"b"}')
    assert [ids(page(fresh, f"/v2/users?external_id={name}")) for name in "ab"] == [[], [user]]
    fresh.send("PATCH", f"/v2/users/{user}", b'{"external_id":null}')
    assert ids(page(fresh, "/v2/users?external_id=b")) == ids(page(fresh, "/v2/users?external_id=null")) == []


# Users who come and go


@pytest.mark.parametrize("processes", [1, 2])
@pytest.mark.parametrize("external_id", [None, "x"])
@pytest.mark.parametrize("link", ["next", "previous"])
def test_nobody_is_lost_or_doubled(
    start: Starter, tmp_path: Path, link: str, external_id: Optional[str], processes: int
) -> None:
    """Before each page, users come and go everywhere: those who stay are each listed once.

    Of two processes with one file, the one that returned a page writes, and the other returns the next page.
    """
    generator = random.Random(2024)
    sandboxes = cycle([start("--database", str(tmp_path / "state.sqlite")) for _ in range(processes)])
    sandbox = next(sandboxes)
    # Oldest first, with those who do not match the filter.
    users: list[str] = []
    matching = set()

    def add() -> None:
        other = generator.choice(["x", "y"])
        users.append(create(sandbox, {"external_id": other}))
        if external_id in (None, other):
            matching.add(users[-1])

    for _ in range(100):
        add()
    before = set(users)
    target = "/v2/users?limit=7" + (f"&external_id={external_id}" if external_id else "")
    shown = page(sandbox, target) if link == "next" else walk(sandbox, target)[-1]
    found = ids(shown)
    while shown[link]:
        for _ in range(generator.randrange(6)):
            add()
        # Sometimes also those at the ends of the page, which cursors stand on.
        ends = generator.choice([[], [ids(shown)[0], ids(shown)[-1]]])
        for gone in {*generator.sample(users, 3), *ends}:
            assert sandbox.send("DELETE", f"/v2/users/{gone}").status == 204
            users.remove(gone)
        sandbox = next(sandboxes)
        shown = page(sandbox, shown[link])
        found = found + ids(shown) if link == "next" else ids(shown) + found
    assert len(found) == len(set(found)) and set(found) <= matching
    # Who was created meanwhile is newer than the others, so that only a walk back gets there.
    expected = [user for user in users[::-1] if user in matching and (user in before or link == "previous")]
    assert len(expected) > 20
    assert [user for user in found if user in users] == expected


def test_a_cursor_outlives_its_user(fresh: Sandbox) -> None:
    users = [create(fresh) for _ in range(6)]
    first = page(fresh, "/v2/users?limit=2")
    second = page(fresh, first["next"])
    # The users at both ends of both pages.
    for user in users[2:]:
        fresh.send("DELETE", f"/v2/users/{user}")
    assert ids(page(fresh, first["next"])) == users[1::-1]
    assert ids(page(fresh, second["next"])) == users[1::-1]
    assert page(fresh, second["previous"]) == {"next": page(fresh, second["previous"])["next"], "previous": None,
                                               "results": []}


def test_an_empty_page_leads_back(fresh: Sandbox) -> None:
    """Towards both ends, also to the user that its cursor stands on."""
    users = [create(fresh) for _ in range(3)]
    newest, middle, oldest = users[::-1]
    first = page(fresh, "/v2/users?limit=1")
    second = page(fresh, first["next"])
    fresh.send("DELETE", f"/v2/users/{oldest}")
    end = page(fresh, second["next"])
    assert (ids(end), end["next"]) == ([], None)
    back = page(fresh, end["previous"])
    assert ids(back) == [middle]
    assert ids(page(fresh, back["previous"])) == [newest]

    fresh.send("DELETE", f"/v2/users/{newest}")
    start = page(fresh, second["previous"])
    assert (ids(start), start["previous"]) == ([], None)
    assert ids(page(fresh, start["next"])) == [middle]

    fresh.send("DELETE", f"/v2/users/{middle}")
    for link in (end["previous"], start["next"], first["next"], second["previous"]):
        assert page(fresh, link) == {"next": None, "previous": None, "results": []}


def test_order_is_stable_for_equal_times(start: Starter, tmp_path: Path) -> None:
    path = tmp_path / "state.sqlite"
    sandbox = start("--database", str(path))
    users = [create(sandbox, {"external_id": "x"}) for _ in range(30)]
    with sqlite3.connect(path) as database:
        database.execute("UPDATE users SET created_at = 1650637600682")
    database.close()
    for limit in (1, 7, 30):
        for query in ("", "&external_id=x"):
            pages = walk(sandbox, f"/v2/users?limit={limit}{query}")
            assert [user for page in pages for user in ids(page)] == users[::-1]


def test_seeded_users_and_another_clock(fresh: Sandbox) -> None:
    """Users created at an earlier time stand further back, where a walk still finds them."""
    control(fresh, "POST", "/users", {"count": 500, "seed": 1})
    pages = [page(fresh, "/v2/users?limit=100")]
    control(fresh, "PUT", "/clock", {"offset_seconds": -700_000_000})
    old = create(fresh)
    pages += walk(fresh, pages[0]["next"])
    found = [user for page in pages for user in ids(page)]
    assert len(found) == len(set(found)) == 501
    assert found[-1] == old


# Cursors


@pytest.mark.parametrize("link, place", [("next", slice(4, 6)), ("previous", slice(0, 2))])
def test_a_cursor_survives_a_restart(start: Starter, tmp_path: Path, link: str, place: slice) -> None:
    path = tmp_path / "state.sqlite"
    sandbox = start("--database", str(path))
    users = [create(sandbox, {"external_id": "x"}) for _ in range(7)][::-1]
    sandbox.create()
    second = page(sandbox, page(sandbox, "/v2/users?limit=2&external_id=x")["next"])
    sandbox.kill()
    # Also with another API key.
    restarted = start("--database", str(path), "--key-id", "k", "--key-secret", "s")
    target = second[link].replace(sandbox.url, "").split("&")[0]
    answer = restarted.send("GET", target, authorization=basic("k", "s"))
    assert ids(answer.json) == users[place]
    assert answer.json["next"].startswith(restarted.url)


def test_a_cursor_survives_a_reset(fresh: Sandbox) -> None:
    for _ in range(3):
        create(fresh)
    link = page(fresh, "/v2/users?limit=1")["next"]
    control(fresh, "DELETE", "")
    assert page(fresh, link) == {"next": None, "previous": None, "results": []}


def test_another_database_does_not_know_the_cursor(listed: Listed, fresh: Sandbox) -> None:
    sandbox, _ = listed
    target = page(sandbox)["next"].replace(sandbox.url, "")
    answer = fresh.send("GET", target)
    assert (answer.status, answer.json) == INVALID


def refused(sandbox: Sandbox, text: str) -> Answer:
    answer = sandbox.send("GET", "/v2/users?cursor=" + quote(text, safe=""))
    assert (answer.status, answer.json) == INVALID, text
    return answer


def test_every_change_of_a_cursor_is_noticed(listed: Listed) -> None:
    sandbox, _ = listed
    text = cursor(page(sandbox, "/v2/users?limit=1&external_id=odd")["next"])
    assert sandbox.send("GET", "/v2/users?cursor=" + quote(text, safe="")).status == 200
    for index, character in enumerate(text):
        refused(sandbox, text[:index] + ("A" if character != "A" else "B") + text[index + 1:])
        refused(sandbox, text[:index] + text[index + 1:])
        refused(sandbox, text[:index] + "=" + text[index:])
        if character.isalpha():
            refused(sandbox, text[:index] + character.swapcase() + text[index + 1:])
    for end in ("=", "==", "\0", " ", "\n", ":", ".", "A", ":A", "é", "\0A", text):
        refused(sandbox, text + end)
        refused(sandbox, end + text)


def test_parts_of_two_cursors_do_not_fit(listed: Listed) -> None:
    sandbox, _ = listed
    first, second = (cursor(page(sandbox, f"/v2/users?limit={limit}")["next"]).split(":") for limit in (1, 2))
    refused(sandbox, ":".join([first[0], second[1]]))
    refused(sandbox, ":".join([second[0], first[1]]))


def test_unsigned_cursors(listed: Listed) -> None:
    sandbox, users = listed
    text, signature = cursor(page(sandbox)["next"]).split(":")
    token = sandbox.send("POST", "/v2/user-tokens", json.dumps({"user": users[0]}).encode()).json["user_token"]
    plain = [
        b" ", b"    ", b"0 1 1 1", b"0 1 1 1 ", b"2 1 1 1 ", b"0 -1 1 1 ", b"0 x 1 1 ", b"0 1 1 1 \xff", b"0 1 1 1 \0",
        b"0 " + b"9" * 30 + b" 1 1 ", b'1 1 1 1 "odd"', b" " * 10_000, b"9" * 20_000]
    wrong = [text, text[:-1], "x", "0", ":", "::", "null", "\0", "'", "%", "é", ":" * 20_000]
    wrong += [value.hex() for value in plain]
    for value in wrong:
        refused(sandbox, value)
        refused(sandbox, value + ":")
        refused(sandbox, value + ":" + (signature if value != text else "x"))
    for value in (token, token.replace(".", ":"), page(sandbox)["next"], "cD0yMDIyLTA0LTIyKzE0JTNBMjY%3D", users[0]):
        refused(sandbox, value)


def test_random_cursors(listed: Listed) -> None:
    sandbox, _ = listed
    generator = random.Random(15)
    text = cursor(page(sandbox)["next"]).encode()
    for _ in range(300):
        changed = bytearray(text)
        for _ in range(generator.randrange(1, 4)):
            place = generator.randrange(len(changed))
            changed[place:place + generator.randrange(3)] = generator.randbytes(generator.randrange(3))
        if changed and bytes(changed) != text:
            answer = sandbox.send("GET", "/v2/users?cursor=" + quote(bytes(changed), safe=""))
            assert (answer.status, answer.json) == INVALID, changed

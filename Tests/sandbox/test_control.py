"""The control interface: seeded users, connections, the clock and the reset."""

from __future__ import annotations

import base64
import json
import sqlite3
import subprocess
import time
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from conftest import Answer, Sandbox, Starter, basic
from test_users import UNKNOWN

# Version 1 of the schema.
VERSION_1 = """
  CREATE TABLE users (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE,
    created_at INTEGER NOT NULL, external_metadata TEXT NOT NULL) STRICT;
  CREATE INDEX users_by_creation ON users (created_at);
  CREATE TABLE user_count (users INTEGER NOT NULL) STRICT;
  INSERT INTO user_count VALUES (0);
  CREATE TRIGGER user_inserted AFTER INSERT ON users BEGIN
    UPDATE user_count SET users = users + 1;
  END;
  CREATE TRIGGER user_deleted AFTER DELETE ON users BEGIN
    UPDATE user_count SET users = users - 1;
  END;
  PRAGMA application_id = 1098016633;
  PRAGMA user_version = 1;
"""


@pytest.fixture
def own(start: Starter) -> Sandbox:
    """A sandbox for requests to the control interface, which the API's description does not cover."""
    sandbox = start()
    sandbox.faithful = False
    return sandbox


def control(sandbox: Sandbox, method: str, path: str, value: Any = None) -> Answer:
    body = None if value is None else json.dumps(value).encode()
    sandbox.faithful = False
    return sandbox.send(method, "/_sandbox" + path, body, authorization=None)


def state(sandbox: Sandbox) -> Any:
    return control(sandbox, "GET", "").json


def listed(sandbox: Sandbox, query: str = "?limit=200") -> Any:
    return sandbox.send("GET", "/v1/users" + query).json


def claims(token: str) -> Any:
    return json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "==="))


def assert_about_now(text: str, seconds: int = 0) -> None:
    there = datetime.fromisoformat(text.replace("Z", "+00:00"))
    here = datetime.now(timezone.utc) + timedelta(seconds=seconds)
    assert abs((there - here).total_seconds()) < 600


def test_state(own: Sandbox) -> None:
    own.create()
    shown = state(own)
    assert list(shown) == ["version", "users", "clock", "faults"]
    assert (shown["version"], shown["users"], shown["faults"]) == ("0.1.0", 1, [])
    assert shown["clock"]["offset_seconds"] == 0
    assert_about_now(shown["clock"]["now"])


# Seeded users


def test_seed_is_repeatable(start: Starter) -> None:
    pages = []
    for count in (150, 150, 100):
        sandbox = start()
        answer = control(sandbox, "POST", "/users", {"count": count, "seed": 42})
        assert (answer.status, answer.json) == (201, {"created": count})
        pages.append(listed(sandbox, "?limit=200&ordering=created_at")["results"])
    assert len(pages[0]) == 150
    assert pages[0] == pages[1]
    assert pages[2] == pages[0][:100]


def test_seeded_users_are_like_others(own: Sandbox) -> None:
    control(own, "POST", "/users", {"count": 200, "seed": 1})
    page = listed(own)
    assert page["count"] == 200
    users = page["results"]
    assert len({user["id"] for user in users}) == 200
    assert [user["created_at"] for user in users] == sorted(
        (user["created_at"] for user in users), reverse=True)
    assert len({user["external_metadata"]["group"] for user in users}) > 1
    for user in users:
        milliseconds = int(user["id"].replace("-", "")[:12], 16)
        created = datetime.fromisoformat(user["created_at"].replace("Z", "+00:00"))
        assert created == datetime.fromtimestamp(0, timezone.utc) + timedelta(milliseconds=milliseconds)
        assert own.send("GET", f"/v1/users/{user['id']}").json == user
    own.faithful = True
    assert own.send("DELETE", f"/v1/users/{users[0]['id']}").status == 204
    assert own.send("POST", "/v1/user-tokens", json.dumps(
        {"user": users[1]["id"]}).encode()).status == 201
    newest = own.create()
    assert listed(own, "?limit=1")["results"][0]["id"] == newest
    assert state(own)["users"] == 200


def test_seeds_differ(own: Sandbox) -> None:
    ids = set()
    for seed in (None, 1, 2, -1, 9223372036854775807, -9223372036854775808):
        value = {"count": 20} if seed is None else {"count": 20, "seed": seed}
        assert control(own, "POST", "/users", value).json == {"created": 20}
        ids |= {user["id"] for user in listed(own)["results"]}
    assert len(ids) == state(own)["users"] == 120
    # The default seed is 0.
    assert control(own, "POST", "/users", {"count": 20, "seed": 0}).json == {"created": 0}


def test_same_seed_adds_missing_users(own: Sandbox) -> None:
    assert control(own, "POST", "/users", {"count": 10, "seed": 5}).json == {"created": 10}
    before = listed(own)
    assert own.send("DELETE", f"/v1/users/{before['results'][4]['id']}").status == 204
    assert control(own, "POST", "/users", {"count": 10, "seed": 5}).json == {"created": 1}
    assert listed(own) == before
    assert control(own, "POST", "/users", {"count": 12, "seed": 5}).json == {"created": 2}


def test_many_seeded_users(start: Starter, tmp_path: Path) -> None:
    path = tmp_path / "state.sqlite"
    sandbox = start("--database", str(path))
    assert control(sandbox, "POST", "/users", {"count": 100_000, "seed": 9}).json == {"created": 100_000}
    before = listed(sandbox)
    assert before["count"] == 100_000
    sandbox.kill()
    # Acknowledged writes are kept.
    restarted = start("--database", str(path))
    assert listed(restarted) | {"next": None} == before | {"next": None}
    with sqlite3.connect(path) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        counted = "SELECT count(*), (SELECT users FROM user_count) FROM users"
        assert database.execute(counted).fetchone() == (100_000, 100_000)
    database.close()
    user = before["results"][0]["id"]
    assert restarted.send("DELETE", f"/v1/users/{user}").status == 204
    assert state(restarted)["users"] == 99_999


def test_delete_all_users(own: Sandbox) -> None:
    control(own, "POST", "/users", {"count": 1000, "seed": 3})
    user = own.create()
    control(own, "POST", "/faults", {"kind": "error", "path": "/v1/user-tokens"})
    assert control(own, "DELETE", "/users").status == 204
    assert listed(own) == {"count": 0, "next": None, "previous": None, "results": []}
    assert own.send("GET", f"/v1/users/{user}").status == 404
    assert len(state(own)["faults"]) == 1
    # The count still follows.
    own.create()
    assert listed(own)["count"] == 1
    assert control(own, "DELETE", "/users").status == 204
    assert control(own, "DELETE", "/users").status == 204
    assert control(own, "POST", "/users", {"count": 1000, "seed": 3}).json == {"created": 1000}


def test_reset(own: Sandbox) -> None:
    own.create()
    control(own, "PUT", "/clock", {"offset_seconds": 500_000})
    control(own, "POST", "/faults", {"kind": "error"})
    assert control(own, "DELETE", "").status == 204
    shown = state(own)
    assert (shown["users"], shown["faults"], shown["clock"]["offset_seconds"]) == (0, [], 0)
    assert own.send("GET", "/v1/users").status == 200


# Connections


def test_connect(own: Sandbox) -> None:
    user = own.create(b'{"a":1e400}')
    before = own.send("GET", f"/v1/users/{user}").body
    names = ["walmart", "ü \" \\ \u0001 \U0001f600", ""]
    answer = control(own, "PATCH", f"/users/{user}", {"employers_connected": names})
    assert answer.status == 200
    assert answer.body == before.replace(
        b'"employers_connected":[]',
        b'"employers_connected":["walmart","\xc3\xbc \\" \\\\ \\u0001 \xf0\x9f\x98\x80",""]')
    assert own.send("GET", f"/v1/users/{user}").body == answer.body
    # The other list is unchanged; each list is replaced as a whole.
    control(own, "PATCH", f"/users/{user}", {"data_providers_connected": ["adp"]})
    own.faithful = True
    for shown in (own.send("GET", f"/v1/users/{user}").json, listed(own)["results"][0],
                  own.send("PATCH", f"/v1/users/{user}", b'{"external_metadata":{}}').json):
        assert shown["employers_connected"] == names
        assert shown["data_providers_connected"] == ["adp"]
    control(own, "PATCH", f"/users/{user}", {"employers_connected": [], "data_providers_connected": []})
    shown = own.send("GET", f"/v1/users/{user}").json
    assert (shown["employers_connected"], shown["data_providers_connected"]) == ([], [])


def test_connect_items(own: Sandbox) -> None:
    user = own.create()
    in_v1 = own.send("GET", f"/v1/users/{user}").body
    names = ["item_123456789", "item_987654321"]
    answer = control(own, "PATCH", f"/users/{user}", {"items_connected": names})
    # v1 has no items, and the other lists do not change.
    assert (answer.status, answer.body) == (200, in_v1)
    control(own, "PATCH", f"/users/{user}", {"employers_connected": ["walmart"]})
    own.faithful = True
    for shown in (own.send("GET", f"/v2/users/{user}").json, own.send("GET", "/v2/users").json["results"][0],
                  own.send("PATCH", f"/v2/users/{user}", b'{"items_connected":[],"first_name":"a"}').json):
        assert (shown["items_connected"], shown["employers_connected"]) == (names, ["walmart"])
        assert "data_providers_connected" not in shown
    control(own, "PATCH", f"/users/{user}", {"items_connected": []})
    assert own.send("GET", f"/v2/users/{user}").json["items_connected"] == []


def test_connections_cannot_be_set_through_the_api(own: Sandbox) -> None:
    user = own.create()
    own.send("PATCH", f"/v1/users/{user}", b'{"employers_connected":["walmart"]}')
    assert own.send("GET", f"/v1/users/{user}").json["employers_connected"] == []


def test_connections_are_stored(start: Starter, tmp_path: Path) -> None:
    path = tmp_path / "state.sqlite"
    sandbox = start("--database", str(path))
    user = sandbox.create()
    control(sandbox, "PATCH", f"/users/{user}", {"employers_connected": ["walmart"]})
    sandbox.kill()
    assert start("--database", str(path)).send(
        "GET", f"/v1/users/{user}").json["employers_connected"] == ["walmart"]


def test_database_of_version_1_is_migrated(start: Starter, tmp_path: Path) -> None:
    path = tmp_path / "state.sqlite"
    with sqlite3.connect(path) as database:
        database.executescript(VERSION_1)
        database.execute(
            "INSERT INTO users (id, created_at, external_metadata) VALUES (?, ?, ?)",
            ("0171bf24-9c9a-b4b6-9c3a-4d5e6f708192", 1_650_637_600_682, "[1]"))
    database.close()
    sandbox = start("--database", str(path))
    assert listed(sandbox)["results"] == [{
        "id": "0171bf24-9c9a-b4b6-9c3a-4d5e6f708192", "created_at": "2022-04-22T14:26:40.682Z",
        "employers_connected": [], "data_providers_connected": [], "external_metadata": [1]}]
    control(sandbox, "PATCH", "/users/0171bf24-9c9a-b4b6-9c3a-4d5e6f708192",
            {"data_providers_connected": ["adp"]})
    assert listed(sandbox)["results"][0]["data_providers_connected"] == ["adp"]
    sandbox.stop()
    with sqlite3.connect(path) as database:
        assert database.execute("PRAGMA user_version").fetchone()[0] >= 2
    database.close()


# The clock


@pytest.mark.parametrize("seconds", [-700_000_000, -86_400, 0, 86_400, 1_000_000_000])
def test_clock(own: Sandbox, seconds: int) -> None:
    answer = control(own, "PUT", "/clock", {"offset_seconds": seconds})
    assert (answer.status, answer.json["offset_seconds"]) == (200, seconds)
    assert_about_now(answer.json["now"], seconds)
    assert control(own, "GET", "/clock").json["offset_seconds"] == seconds
    own.faithful = True
    created = own.send("POST", "/v1/users").json
    shown = own.send("GET", f"/v1/users/{created['id']}").json
    assert_about_now(shown["created_at"], seconds)
    issued = own.send("POST", "/v1/user-tokens", json.dumps({"user": created["id"]}).encode()).json
    for token in (created["token"], issued["access"], issued["refresh"]):
        assert abs(claims(token)["iat"] - (time.time() + seconds)) < 600
        assert claims(token)["exp"] - claims(token)["iat"] == 2_592_000
    for token in (created["token"], issued["access"]):
        # Strict decoders need a length without padding, which it has as long as times have ten digits.
        assert len(token.split(".")[1]) % 4 == 0


def test_expired_token(own: Sandbox) -> None:
    control(own, "PUT", "/clock", {"offset_seconds": -2_592_000 - 3600})
    assert claims(own.send("POST", "/v1/users").json["token"])["exp"] < time.time()


def test_order_follows_the_clock(own: Sandbox) -> None:
    users = {}
    for days in (0, 2, -1, 1):
        control(own, "PUT", "/clock", {"offset_seconds": days * 86_400})
        users[days] = own.create()
    assert [user["id"] for user in listed(own)["results"]] == [users[days] for days in (2, 1, 0, -1)]


# Invalid requests


@pytest.mark.parametrize(
    "method, path, value, problem",
    [
        ("POST", "/users", {}, "'count' is required"),
        ("POST", "/users", {"count": 0}, "'count' must be an integer from 1 to 10000000"),
        ("POST", "/users", {"count": 10_000_001}, "'count' must be an integer from 1 to 10000000"),
        ("POST", "/users", {"count": "5"}, "'count' must be an integer from 1 to 10000000"),
        ("POST", "/users", {"count": 5, "seed": 0.5}, "'seed' must be an integer from "),
        ("POST", "/users", {"count": 5, "Seed": 1}, "unknown key 'Seed'"),
        ("POST", "/users", [], "expected a JSON object"),
        ("PATCH", "/users/USER", {"employers_connected": "x"},
         "'employers_connected' must be an array of strings"),
        ("PATCH", "/users/USER", {"data_providers_connected": ["x", 1]},
         "'data_providers_connected' must be an array of strings"),
        ("PATCH", "/users/USER", {"employers_connected": ["x" * 70_000]},
         "'employers_connected' must not be longer than 65536 bytes"),
        ("PATCH", "/users/USER", {"items_connected": [1]}, "'items_connected' must be an array of strings"),
        ("PATCH", "/users/USER", {"external_metadata": {}}, "unknown key 'external_metadata'"),
        ("PATCH", "/users/USER", {"first_name": "x"}, "unknown key 'first_name'"),
        ("PUT", "/clock", {}, "'offset_seconds' is required"),
        ("PUT", "/clock", {"offset_seconds": None},
         "'offset_seconds' must be an integer from -700000000 to 1000000000"),
        ("PUT", "/clock", {"offset_seconds": -700_000_001},
         "'offset_seconds' must be an integer from -700000000 to 1000000000"),
        ("PUT", "/clock", {"offset_seconds": 1_000_000_001},
         "'offset_seconds' must be an integer from -700000000 to 1000000000"),
        ("PUT", "/clock", {"offset": 1}, "'offset_seconds' is required"),
    ],
)
def test_wrong_values(own: Sandbox, method: str, path: str, value: Any, problem: str) -> None:
    user = own.create()
    before = own.send("GET", f"/v1/users/{user}").json
    answer = control(own, method, path.replace("USER", user), value)
    assert answer.status == 400
    assert list(answer.json) == ["detail"]
    assert answer.json["detail"].startswith(problem)
    assert own.send("GET", f"/v1/users/{user}").json == before
    assert (state(own)["users"], state(own)["clock"]["offset_seconds"]) == (1, 0)


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"nonsense", b"[" * 100_000, b'{"count":1,"count":2}'],
    ids=["empty", "cut", "no UTF-8", "text", "deep", "twice"])
def test_bodies_that_are_not_json(own: Sandbox, body: bytes) -> None:
    answer = own.send("POST", "/_sandbox/users", body)
    assert answer.status == 400
    assert answer.json["detail"].startswith("invalid JSON: ")
    assert state(own)["users"] == 0


def test_other_media_types(own: Sandbox) -> None:
    # A browser sends these for any page: they must have no effect.
    for media_type in ("text/plain", "application/x-www-form-urlencoded", None):
        answer = own.send("POST", "/_sandbox/users", b'{"count":1}', {"Content-Type": media_type})
        assert answer.status == 415
    assert own.send("POST", "/_sandbox/users", b'{"count":1}',
                    {"Content-Type": "application/json; charset=utf-8"}).status == 201


@pytest.mark.parametrize("host", [
    "127.0.0.1", "127.0.0.1:8080", "localhost", "LocalHost:1", "[::1]", "[::1]:65535"])
def test_hosts_of_this_machine(own: Sandbox, host: str) -> None:
    headers = {"Host": host}
    assert own.send("GET", "/_sandbox", headers=headers).status == 200
    for scheme in ("http", "https"):
        assert own.send("DELETE", "/_sandbox/faults",
                        headers={**headers, "Origin": f"{scheme}://{host}"}).status == 204


FOREIGN = [
    "example.com", "example.com:8080", "localhost.example.com", "127.0.0.1.example.com", "127.0.0.2",
    "xlocalhost", "localhost:x", "localhost:1:1", "localhost@example.com", "::1", "0.0.0.0",
    "127.0.0.1:80.example.com", "", " "]


@pytest.mark.parametrize("path", ["", "/faults", "/users", f"/users/{UNKNOWN}", "/clock", "/x"])
def test_hosts_and_pages_from_elsewhere(own: Sandbox, path: str) -> None:
    """A host name that an attacker has resolved to this machine, or the attacker's page."""
    own.create()
    wanted = [{"Host": host} for host in FOREIGN]
    wanted += [{"Origin": f"http://{host}"} for host in FOREIGN]
    wanted += [{"Origin": origin} for origin in ("null", "", "localhost", "file://", "ftp://localhost",
                                                 "http://localhost/", "http://localhost http://x")]
    for headers in wanted:
        for method in ("GET", "DELETE", "PUT", "POST", "PATCH"):
            answer = own.send(method, "/_sandbox" + path, b"{}", headers)
            assert answer.status == 403, headers
            assert list(answer.json) == ["detail"]
    assert state(own)["users"] == 1


def test_no_host(own: Sandbox) -> None:
    assert own.raw(b"GET /_sandbox HTTP/1.0\r\n\r\n").startswith(b"HTTP/1.1 403 ")
    assert own.raw(b"GET /_sandbox HTTP/1.1\r\n\r\n").startswith(b"HTTP/1.1 4")


def test_api_accepts_any_host(own: Sandbox) -> None:
    headers = {"Host": "api.example", "Origin": "http://example.com"}
    assert own.send("GET", "/v1/users", headers=headers).status == 200


def test_unknown_users(own: Sandbox) -> None:
    for user in (UNKNOWN, "x", "", "%00", "a/b"):
        assert control(own, "PATCH", f"/users/{user}", {}).status in (404, 405)
    assert control(own, "PATCH", f"/users/{UNKNOWN}", {}).json == {"detail": "Not found."}


@pytest.mark.parametrize("path", ["/x", "/faults/1", "/users/a/b", "/clock/x", "//", "/Faults"])
def test_unknown_paths(own: Sandbox, path: str) -> None:
    for method in ("GET", "POST", "DELETE"):
        assert control(own, method, path).status == 404


@pytest.mark.parametrize(
    "path, methods, allowed",
    [
        ("", ["POST", "PUT", "PATCH", "OPTIONS", "FOO"], "GET, DELETE, HEAD"),
        ("/faults", ["PATCH", "OPTIONS"], "GET, PUT, POST, DELETE, HEAD"),
        ("/users", ["GET", "PUT", "PATCH"], "POST, DELETE"),
        (f"/users/{UNKNOWN}", ["GET", "PUT", "POST", "DELETE"], "PATCH"),
        ("/clock", ["POST", "DELETE", "PATCH"], "GET, PUT, HEAD"),
    ],
)
def test_unsupported_methods(own: Sandbox, path: str, methods: list[str], allowed: str) -> None:
    for method in methods:
        answer = control(own, method, path)
        assert (answer.status, answer.headers["Allow"]) == (405, allowed)
        assert answer.json == {"detail": f'Method "{method}" not allowed.'}


def test_trailing_slashes_and_head(own: Sandbox) -> None:
    for path in ("", "/faults", "/clock"):
        assert control(own, "GET", path + "/").status == 200
        head = control(own, "HEAD", path)
        assert (head.status, head.body) == (200, b"")


def test_control_is_not_part_of_the_api(own: Sandbox) -> None:
    for path in ("/v1/_sandbox", "/v1/users/_sandbox", "/_sandbox/v1/users", "/sandbox", "/v1/faults"):
        for method in ("GET", "DELETE", "POST"):
            answer = own.send(method, path)
            assert answer.status in (404, 405)
    # Its responses have no trace id, and it ignores keys.
    for authorization in (None, basic(), basic("x", "y"), "rubbish"):
        answer = own.send("GET", "/_sandbox", authorization=authorization)
        assert (answer.status, answer.headers["X-Trace-Id"]) == (200, None)


def test_body_too_large(own: Sandbox) -> None:
    answer = own.send("POST", "/_sandbox/faults", b" " * ((1 << 20) + 1))
    assert (answer.status, answer.json) == (413, {"detail": "Request body is too large."})


def test_example_in_the_help(own: Sandbox) -> None:
    result = subprocess.run(
        ["curl", "--silent", "--show-error", "--json", '{"kind": "error", "status": 503, "count": 2}',
         f"{own.url}/_sandbox/faults"], capture_output=True, check=True)
    assert json.loads(result.stdout) == [{"kind": "error", "status": 503, "count": 2}]
    assert [own.send("GET", "/v1/users").status for _ in range(3)] == [503, 503, 200]

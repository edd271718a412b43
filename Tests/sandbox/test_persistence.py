"""State across restarts, and stopping a sandbox while it is working."""

from __future__ import annotations

import json
import re
import shutil
import signal
import socket
import sqlite3
import threading
from pathlib import Path
from typing import Any

import pytest
from conftest import PATIENCE, Clock, Sandbox, Starter, basic, reserved_port, run, wait_until

SCHEMA_VERSION = 3
# A file of schema version 1.
FIRST_SCHEMA = """
PRAGMA journal_mode = WAL;
PRAGMA application_id = 1098016633;
CREATE TABLE users (
  sequence INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL UNIQUE,
  created_at INTEGER NOT NULL,
  external_metadata TEXT NOT NULL
) STRICT;
CREATE INDEX users_by_creation ON users (created_at);
CREATE TABLE user_count (users INTEGER NOT NULL) STRICT;
INSERT INTO user_count VALUES (0);
CREATE TRIGGER user_inserted AFTER INSERT ON users BEGIN
  UPDATE user_count SET users = users + 1;
END;
CREATE TRIGGER user_deleted AFTER DELETE ON users BEGIN
  UPDATE user_count SET users = users - 1;
END;
PRAGMA user_version = 1;
"""
# Files that releases wrote, each with what the release answered to GET /v1/users?limit=200. They are never changed.
RELEASES = Path(__file__).with_name("releases")


def get_all(sandbox: Sandbox) -> list[dict[str, Any]]:
    users: list[dict[str, Any]] = sandbox.send("GET", "/v1/users?limit=200").json["results"]
    return users


def assert_sound(path: Path) -> None:
    with sqlite3.connect(path) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        kept, = database.execute("SELECT users FROM user_count").fetchone()
        counted, = database.execute("SELECT count(*) FROM users").fetchone()
    database.close()
    assert kept == counted


def test_memory_is_not_kept(start: Starter) -> None:
    sandbox = start()
    sandbox.create()
    sandbox.stop()
    assert get_all(start()) == []


def test_file_is_kept(start: Starter, tmp_path: Path) -> None:
    path = tmp_path / "state with 'quotes' ü.sqlite"
    sandbox = start("--database", str(path))
    users = [sandbox.create(str(number).encode()) for number in range(20)]
    sandbox.send("DELETE", f"/v1/users/{users[3]}")
    sandbox.send("PATCH", f"/v1/users/{users[4]}", b'{"external_metadata":1e400}')
    before = sandbox.send("GET", "/v1/users?limit=200").json
    sandbox.stop()
    # Everything is in one file, and no other is left behind.
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]
    assert_sound(path)

    sandbox = start("--database", str(path))
    after = sandbox.send("GET", "/v1/users?limit=200")
    assert after.json == before
    assert after.json["count"] == 19
    assert b'"external_metadata":1e400}' in after.body
    newest = sandbox.create()
    assert get_all(sandbox)[0]["id"] == newest


def test_journal_is_a_write_ahead_log(start: Starter, tmp_path: Path) -> None:
    path = tmp_path / "state.sqlite"
    start("--database", str(path)).create()
    with sqlite3.connect(path) as database:
        assert database.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert database.execute("PRAGMA user_version").fetchone() == (SCHEMA_VERSION,)
    database.close()


def test_two_sandboxes_on_one_file(start: Starter, tmp_path: Path) -> None:
    path = tmp_path / "state.sqlite"
    one, other = start("--database", str(path)), start("--database", str(path))
    users = [(one if number % 2 else other).create() for number in range(20)]
    assert [user["id"] for user in get_all(one)] == users[::-1]
    assert get_all(other) == get_all(one)
    assert one.send("DELETE", f"/v1/users/{users[0]}").status == 204
    assert other.send("GET", "/v1/users").json["count"] == 19


def test_broken_database_is_a_server_error(start: Starter, tmp_path: Path) -> None:
    file = tmp_path / "state.sqlite"
    sandbox = start("--database", str(file))
    sandbox.create()
    with sqlite3.connect(file) as database:
        database.execute("ALTER TABLE users RENAME TO lost")
    database.close()
    # A server error is not part of the described API.
    sandbox.faithful = False
    for method, path in (("POST", "/v1/users"), ("POST", "/v2/users"), ("GET", "/v2/users"), ("DELETE", "/_sandbox")):
        answer = sandbox.send(method, path)
        assert answer.status == 500
        assert (answer.headers["X-Client-Id"] is not None) == path.startswith("/v2")
        # It says what is wrong, but not in which file.
        assert answer.json["detail"].startswith("A server error occurred: no such table: ")
        assert b"sqlite" not in answer.body


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_request_in_flight_is_finished(start: Starter, tmp_path: Path, number: int) -> None:
    path = tmp_path / "state.sqlite"
    sandbox = start("--database", str(path))
    body = b'{"external_metadata":"in flight"}'
    with socket.create_connection(("127.0.0.1", sandbox.port), timeout=PATIENCE) as connection:
        connection.sendall(
            (f"POST /v1/users HTTP/1.1\r\nHost: x\r\nAuthorization: {basic()}\r\n"
             "Content-Type: application/json\r\nExpect: 100-continue\r\n"
             f"Content-Length: {len(body)}\r\n\r\n").encode())
        assert connection.recv(1000) == b"HTTP/1.1 100 Continue\r\n\r\n"
        sandbox.signal(number)
        wait_for_stopping(sandbox)
        # The request is still in flight.
        assert sandbox.process.poll() is None
        connection.sendall(body)
        received = b""
        while part := connection.recv(65536):
            received += part
    assert received.startswith(b"HTTP/1.1 201 ")
    assert b"\r\nConnection: close\r\n" in received
    assert sandbox.wait() == 0

    user = json.loads(received.split(b"\r\n\r\n")[1])["id"]
    restarted = start("--database", str(path))
    assert restarted.send("GET", f"/v1/users/{user}").json["external_metadata"] == "in flight"


def wait_for_stopping(sandbox: Sandbox) -> None:
    """Waits until new connections are refused."""
    while True:
        try:
            socket.create_connection(("127.0.0.1", sandbox.port), timeout=PATIENCE).close()
        except ConnectionRefusedError:
            return
        except ConnectionResetError:
            # The connection was waiting to be accepted.
            pass


# Five seconds after the sandbox was told to stop, the remaining requests are aborted.


def test_endless_request_does_not_delay_stopping(start: Starter, clock: Clock) -> None:
    """Not even on a loaded machine, where each sleep takes far longer than requested."""
    clock.set_sleep_duration(1)
    sandbox = start(clock=clock)
    with socket.create_connection(("127.0.0.1", sandbox.port), timeout=PATIENCE) as connection:
        connection.sendall(
            (f"POST /v1/users HTTP/1.1\r\nHost: x\r\nAuthorization: {basic()}\r\n"
             "Expect: 100-continue\r\nContent-Length: 10\r\n\r\n").encode())
        assert connection.recv(1000) == b"HTTP/1.1 100 Continue\r\n\r\n"
        began = clock.now
        sandbox.signal(signal.SIGTERM)
        wait_for_stopping(sandbox)
        clock.advance(5)
        assert sandbox.wait() == 0
    assert clock.now - began == 5


def test_long_seeding_does_not_delay_stopping(start: Starter, tmp_path: Path, clock: Clock) -> None:
    path = tmp_path / "state.sqlite"
    sandbox = start("--database", str(path), clock=clock)
    sandbox.create()
    body = b'{"count":10000000}'
    with socket.create_connection(("127.0.0.1", sandbox.port), timeout=PATIENCE) as connection:
        connection.sendall(
            (f"POST /_sandbox/users HTTP/1.1\r\nHost: {sandbox.url[7:]}\r\n"
             f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n").encode() + body)
        # A large transaction fills the journal.
        wait_until(lambda: path.with_name(path.name + "-wal").stat().st_size > 10 << 20)
        sandbox.signal(signal.SIGTERM)
        wait_for_stopping(sandbox)
        clock.advance(5)
        assert sandbox.wait() == 0
        try:
            assert b" 201 " not in connection.recv(65536)
        except ConnectionResetError:
            pass
    # The aborted seeding was rolled back.
    restarted = start("--database", str(path))
    assert restarted.send("GET", "/v1/users").json["count"] == 1
    restarted.stop()
    assert_sound(path)


def test_locked_database_does_not_delay_stopping(start: Starter, tmp_path: Path, clock: Clock) -> None:
    """A request waits for the database, and starts shortly before the sandbox's deadline."""
    path = tmp_path / "state.sqlite"
    sandbox = start("--database", str(path), clock=clock)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with socket.create_connection(("127.0.0.1", sandbox.port), timeout=PATIENCE) as connection:
        connection.sendall(
            (f"POST /v1/users HTTP/1.1\r\nHost: x\r\nAuthorization: {basic()}\r\n"
             "Content-Type: application/json\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n").encode())
        assert connection.recv(1000) == b"HTTP/1.1 100 Continue\r\n\r\n"
        sandbox.signal(signal.SIGTERM)
        wait_for_stopping(sandbox)
        clock.advance(3)
        connection.sendall(b"{}")
        wait_until(lambda: clock.sleeps > 0)
        clock.advance(2)
        assert sandbox.wait() == 0
    other.close()
    assert start("--database", str(path)).send("GET", "/v1/users").json["count"] == 0


def test_locked_database_is_waited_for(tmp_path: Path, clock: Clock) -> None:
    """For five seconds, however long each sleep takes."""
    path = tmp_path / "state.sqlite"
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    clock.set_sleep_duration(0.75)
    began = clock.now
    result = run("--port", "0", "--database", str(path), clock=clock)
    other.close()
    assert (result.returncode, result.stdout) == (1, b"")
    assert result.stderr.decode() == f"argyle-sandbox: database '{path}': database is locked\n"
    assert 5 <= clock.now - began < 5.75


def test_idle_connections_do_not_delay_stopping(start: Starter) -> None:
    sandbox = start()
    connections = [sandbox.connect() for _ in range(20)]
    for connection in connections:
        assert sandbox.send("GET", "/v1/users", connection=connection).status == 200
    silent = [socket.create_connection(("127.0.0.1", sandbox.port)) for _ in range(20)]
    sandbox.stop()
    for idle in silent:
        idle.close()


def test_port_can_be_reused_immediately(start: Starter) -> None:
    with reserved_port() as port:
        sandbox = start("--port", str(port))
        sandbox.create()
        sandbox.stop()
        assert start("--port", str(port)).port == port


def test_database_of_the_first_version(start: Starter, tmp_path: Path) -> None:
    """Its users are kept, and it is migrated to the current version."""
    path = tmp_path / "state.sqlite"
    with sqlite3.connect(path) as database:
        database.executescript(FIRST_SCHEMA)
        database.executemany(
            "INSERT INTO users (id, created_at, external_metadata) VALUES (?, ?, ?)",
            [(f"018051aa-f7a9-a0db-2f38-{number:012x}", 1650637600682, str(number))
             for number in range(3)])
    database.close()
    sandbox = start("--database", str(path))
    assert [user["external_metadata"] for user in get_all(sandbox)] == [2, 1, 0]
    users = sandbox.send("GET", "/v1/users").json
    assert users["count"] == 3
    assert users["results"][0] == {
        "id": "018051aa-f7a9-a0db-2f38-000000000002", "created_at": "2022-04-22T14:26:40.682Z",
        "employers_connected": [], "data_providers_connected": [], "external_metadata": 2,
    }
    newest = sandbox.create(b"3")
    sandbox.stop()
    assert_sound(path)
    with sqlite3.connect(path) as database:
        assert database.execute("PRAGMA user_version").fetchone() == (SCHEMA_VERSION,)
    database.close()
    assert get_all(start("--database", str(path)))[0]["id"] == newest


def test_database_of_release_0_1_0(start: Starter, tmp_path: Path) -> None:
    """Its users are kept as they are in v1, and can be read and changed in v2.

    They have metadata, null as metadata, or none; some have connections, and some the same time. The order of their
    times is not that of their creation, and one was deleted.
    """
    path = tmp_path / "state.sqlite"
    shutil.copyfile(RELEASES / "0.1.0.sqlite", path)
    recorded = (RELEASES / "0.1.0.json").read_bytes()
    sandbox = start("--database", str(path))
    assert sandbox.send("GET", "/v1/users?limit=200").body == recorded
    users = [user["id"] for user in json.loads(recorded)["results"]]
    in_v1 = [sandbox.send("GET", f"/v1/users/{user}").body for user in users]
    assert recorded == b'{"count":12,"next":null,"previous":null,"results":[' + b",".join(in_v1) + b"]}"
    in_v2 = [sandbox.send("GET", f"/v2/users/{user}").body for user in users]
    assert in_v2 == [as_in_v2(text) for text in in_v1]
    assert sandbox.send("GET", "/v2/users?limit=200").body == (
        b'{"next":null,"previous":null,"results":[' + b",".join(in_v2) + b"]}")

    updated = sandbox.send("PATCH", f"/v2/users/{users[0]}", b'{"external_id":"x","birth_date":{"year":1990}}')
    assert updated.status == 200
    first = sandbox.send("GET", "/v2/users?limit=1").json
    assert first["results"] == [updated.json]
    newest = sandbox.send("POST", "/v2/users", b'{"external_id":"x"}').json["id"]
    sandbox.stop()
    assert_sound(path)
    with sqlite3.connect(path) as database:
        assert database.execute("PRAGMA user_version").fetchone() == (SCHEMA_VERSION,)
    database.close()

    restarted = start("--database", str(path))
    found = restarted.send("GET", "/v2/users?external_id=x").json["results"]
    assert [user["id"] for user in found] == [newest, users[0]] and found[1] == updated.json
    assert [restarted.send("GET", f"/v1/users/{user}").body for user in users] == in_v1
    link = first["next"].replace(sandbox.url, "")
    assert restarted.send("GET", f"{link}&limit=200").body.endswith(b'"results":[' + b",".join(in_v2[1:]) + b"]}")


def as_in_v2(user: bytes) -> bytes:
    """Returns a user of v1 in the form of v2, without a value for any field of v2."""
    shape = rb'(.*)Z","employers_connected":(.*),"data_providers_connected":.*,"external_metadata":(.*)\}'
    parts = re.fullmatch(shape, user)
    assert parts is not None
    return (
        parts[1] + b'000Z","items_connected":[],"employers_connected":' + parts[2] + b',"external_metadata":' + parts[3]
        + b',"external_id":null,"first_name":null,"last_name":null,"email":null,"phone_number":null,"ssn":null,'
          b'"address":{"city":null,"line1":null,"line2":null,"state":null,"country":null,"postal_code":null},'
          b'"birth_date":{"year":null,"month":null,"day":null}}')


def test_a_list_is_of_one_moment(start: Starter, tmp_path: Path) -> None:
    """An empty page has no next one, even if a user comes from another process while it is written."""
    path = tmp_path / "state.sqlite"
    one, other = start("--database", str(path)), start("--database", str(path))
    stop = threading.Event()

    def come_and_go() -> None:
        while not stop.is_set():
            user = other.send("POST", "/v2/users", b'{"external_id":"z"}').json["id"]
            other.send("DELETE", f"/v2/users/{user}")

    writer = threading.Thread(target=come_and_go)
    writer.start()
    try:
        links = {one.send("GET", "/v2/users?external_id=z").json["next"] for _ in range(3000)}
    finally:
        stop.set()
        writer.join()
    assert links == {None}


def test_two_sandboxes_on_one_file_share_cursors(start: Starter, tmp_path: Path) -> None:
    path = tmp_path / "state.sqlite"
    one, other = start("--database", str(path)), start("--database", str(path))
    users = [one.create() for _ in range(3)]
    link = one.send("GET", "/v2/users?limit=1").json["next"].replace(one.url, "")
    assert [user["id"] for user in other.send("GET", link).json["results"]] == [users[1]]
    # Neither overwrites what the other has changed.
    one.send("PATCH", f"/v2/users/{users[0]}", b'{"first_name":"a"}')
    other.send("PATCH", f"/v2/users/{users[0]}", b'{"last_name":"b"}')
    other.send("PATCH", f"/v1/users/{users[0]}", b'{"external_metadata":1}')
    shown = one.send("GET", f"/v2/users/{users[0]}").json
    assert (shown["first_name"], shown["last_name"], shown["external_metadata"]) == ("a", "b", 1)

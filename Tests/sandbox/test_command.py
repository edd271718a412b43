"""The command line: options, error messages and output."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import signal
import sqlite3
import subprocess
from pathlib import Path

import pytest
from conftest import (
    KEY_ID, KEY_SECRET, PATIENCE, Sandbox, Starter, basic, executable, reserved_port, run, wait_until)


def test_help_names_every_option() -> None:
    result = run("--help")
    assert (result.returncode, result.stderr) == (0, b"")
    for option in ("--key-id", "--key-secret", "--port", "--database", "--help", "--version"):
        assert option.encode() in result.stdout


def test_version() -> None:
    result = run("--version")
    assert (result.returncode, result.stdout, result.stderr) == (0, b"argyle-sandbox 0.1.0\n", b"")


@pytest.mark.parametrize(
    "arguments, problem",
    [
        (["--colour"], "unknown option '--colour'"),
        (["--key"], "option '--key' is ambiguous: it may be '--key-id' or '--key-secret'"),
        (["--other-key=hunter2"],
         "option '--other-key' is ambiguous: it may be '--other-key-id' or '--other-key-secret'"),
        (["--help=yes"], "option '--help' takes no value"),
        (["--vers=1"], "option '--version' takes no value"),
        (["--secret=hunter2"], "unknown option '--secret'"),
        (["-x"], "unknown option '-x'"),
        (["-xyz"], "unknown option '-xyz'"),
        (["--port"], "option '--port' needs a value"),
        (["--key-id"], "option '--key-id' needs a value"),
        (["--port", ""], "option '--port' must be an integer from 0 to 65535, got ''"),
        (["--port", "-1"], "option '--port' must be an integer from 0 to 65535, got '-1'"),
        (["--port", "+1"], "option '--port' must be an integer from 0 to 65535, got '+1'"),
        (["--port", "65536"], "option '--port' must be an integer from 0 to 65535, got '65536'"),
        (["--port", "99999999999999999999"],
         "option '--port' must be an integer from 0 to 65535, got '99999999999999999999'"),
        (["--port", "http"], "option '--port' must be an integer from 0 to 65535, got 'http'"),
        (["--key-id", ""], "the key id must not be empty"),
        (["--key-id", "a:b"],
         "the key id must not contain a colon, which would end it in HTTP Basic authentication"),
        (["--key-secret", ""], "the key secret must not be empty"),
        (["--database", ""], "the database file name must not be empty"),
        (["--key-id", b"\xff"], "the value of option '--key-id' is not valid UTF-8"),
        (["--key-secret=hunter2\udcff".encode("utf-8", "surrogateescape")],
         "the value of option '--key-secret' is not valid UTF-8"),
        (["serve"], "unexpected argument 'serve'"),
        (["--port", "0", "serve"], "unexpected argument 'serve'"),
    ],
)
def test_wrong_arguments(arguments: list[str | bytes], problem: str) -> None:
    result = run(*arguments)
    assert result.returncode == 2
    assert result.stdout == b""
    assert result.stderr.decode() == f"argyle-sandbox: {problem}; try 'argyle-sandbox --help'\n"


def test_defaults_are_printed_before_the_listening_line(fresh: Sandbox) -> None:
    assert fresh.lines == [
        f"argyle-sandbox key id: {KEY_ID}",
        f"argyle-sandbox key secret: {KEY_SECRET}",
        f"argyle-sandbox listening on {fresh.url}",
    ]


def test_custom_secret_is_not_printed(start: Starter) -> None:
    sandbox = start("--key-id", "my id", "--key-secret", "pass:wörd")
    assert sandbox.lines == [
        "argyle-sandbox key id: my id",
        f"argyle-sandbox listening on {sandbox.url}",
    ]
    assert sandbox.send("GET", "/v1/users", authorization=basic()).status == 401
    assert sandbox.send("GET", "/v1/users", authorization=basic("my id", "pass:wörd")).status == 200


def test_listens_on_the_requested_port(start: Starter) -> None:
    with reserved_port() as port:
        assert start("--port", str(port)).port == port


def test_listens_on_loopback_only(fresh: Sandbox) -> None:
    number = f":{fresh.port:04X} "
    with open("/proc/net/tcp") as table:
        listening = [line.split()[1] for line in table if number in line and " 0A " in line]
    assert listening == [f"0100007F:{fresh.port:04X}"]
    with open("/proc/net/tcp6") as table:
        assert not [line for line in table if number in line and " 0A " in line]


def test_port_in_use(fresh: Sandbox, tmp_path: Path) -> None:
    database = tmp_path / "state.sqlite"
    result = run("--port", str(fresh.port), "--database", str(database))
    assert result.returncode == 1
    assert result.stdout == b""
    assert result.stderr.decode() == (
        f"argyle-sandbox: cannot listen on 127.0.0.1:{fresh.port}: the port is in use\n")
    assert not database.exists()


def test_database_in_a_missing_folder(tmp_path: Path) -> None:
    path = tmp_path / "none" / "state.sqlite"
    result = run("--port", "0", "--database", str(path))
    assert result.returncode == 1
    assert result.stdout == b""
    assert result.stderr.decode() == (
        f"argyle-sandbox: database '{path}': unable to open database file\n")


def test_database_that_is_another_kind_of_file(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("Remember the milk. " * 100)
    result = run("--port", "0", "--database", str(path))
    assert (result.returncode, result.stdout) == (1, b"")
    assert result.stderr.decode() == f"argyle-sandbox: database '{path}': file is not a database\n"
    assert path.read_text() == "Remember the milk. " * 100


def test_database_of_a_newer_version(start: Starter, tmp_path: Path) -> None:
    path = tmp_path / "state.sqlite"
    start("--database", str(path)).stop()
    with sqlite3.connect(path) as database:
        database.execute("PRAGMA user_version = 99")
    result = run("--port", "0", "--database", str(path))
    assert (result.returncode, result.stdout) == (1, b"")
    assert result.stderr.decode() == (
        f"argyle-sandbox: database '{path}': it was written by a newer version "
        "(schema 99; this version supports schemas up to 3)\n")


@pytest.mark.parametrize("version", [0, 1])
def test_database_of_another_program(tmp_path: Path, version: int) -> None:
    path = tmp_path / "other.sqlite"
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE users (name TEXT)")
        database.execute(f"PRAGMA user_version = {version}")
    database.close()
    before = path.read_bytes()
    result = run("--port", "0", "--database", str(path))
    assert (result.returncode, result.stdout) == (1, b"")
    assert result.stderr.decode() == (
        f"argyle-sandbox: database '{path}': it was written by another program\n")
    assert path.read_bytes() == before


def test_database_name_is_not_a_uri(
    start: Starter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    start("--database", "file:state?mode=memory").stop()
    assert (tmp_path / "file:state?mode=memory").exists()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signals_stop_it_cleanly(start: Starter, number: int) -> None:
    sandbox = start()
    sandbox.create()
    sandbox.signal(number)
    assert sandbox.wait() == 0


def listening_ports(process: int) -> list[int]:
    """Returns the ports on which a process listens."""
    inodes = set()
    for number in os.listdir(f"/proc/{process}/fd"):
        # The descriptor may have been closed since.
        with contextlib.suppress(FileNotFoundError):
            inodes.update(re.findall(r"socket:\[(\d+)\]", os.readlink(f"/proc/{process}/fd/{number}")))
    with open("/proc/net/tcp") as table:
        lines = [line.split() for line in table]
    return [int(line[1].split(":")[1], 16) for line in lines if line[3] == "0A" and line[9] in inodes]


@pytest.mark.parametrize("closed", [[0], [1], [2], [0, 1, 2]], ids=str)
def test_closed_descriptors(tmp_path: Path, closed: list[int]) -> None:
    """Files and sockets do not get these descriptors, so nothing is printed into them."""
    log, database = tmp_path / "log", tmp_path / "state.sqlite"
    closing = " ".join(f"{number}>&-" for number in closed)
    process = subprocess.Popen(
        ["bash", "-c", f'exec "$@" {closing}', "bash", executable(), "--port", "0", "--log", str(log),
         "--database", str(database)],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_until(lambda: process.poll() is not None or listening_ports(process.pid))
        (port,) = listening_ports(process.pid)
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
        connection.request("GET", "/v1/users", headers={"Authorization": basic()})
        assert connection.getresponse().status == 200
        connection.close()
        assert [os.readlink(f"/proc/{process.pid}/fd/{number}") for number in range(3)] == ["/dev/null"] * 3
    finally:
        process.terminate()
        assert process.wait(PATIENCE) == 0
    assert [json.loads(line)["path"] for line in log.read_text().splitlines()] == ["/v1/users"]
    with sqlite3.connect(database) as opened:
        assert opened.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    opened.close()
    assert KEY_SECRET.encode() not in database.read_bytes()


@pytest.mark.parametrize("closed", [[1], [0, 1, 2]], ids=str)
def test_closed_descriptors_without_a_server(tmp_path: Path, closed: list[int]) -> None:
    closing = " ".join(f"{number}>&-" for number in closed)
    for option, status in (("--help", 0), ("--nothing", 2)):
        result = subprocess.run(
            ["bash", "-c", f'exec "$@" {closing}', "bash", executable(), option],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=PATIENCE)
        assert result.returncode == status

"""The C examples, above all those with many concurrent calls: they compile without warnings and work with a sandbox."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import pty
import re
import resource
import signal
import stat
import struct
import subprocess
import time
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from conftest import (
    FOREVER_MS,
    PATIENCE,
    ROOT,
    STRICT,
    Prefix,
    Sandbox,
    compilers,
    run,
    succeed,
    wait_until,
)

EXAMPLES = ROOT / "bindings" / "c" / "examples"
# bulk_create's default number of calls in flight.
IN_FLIGHT = 50
VALGRIND = (
    *("valgrind", "--quiet", "--error-exitcode=99", "--leak-check=full"),
    *("--show-leak-kinds=definite,indirect,possible", "--errors-for-leak-kinds=definite,indirect,possible"),
)


def compile_example(prefix: Prefix, name: str, program: Path, compiler: str = "gcc") -> Path:
    """Builds an example as its comment says, with strict warnings."""
    source = EXAMPLES / f"{name}.c"
    flags = prefix.flags("--cflags", "--libs")
    if name == "uv":
        flags += succeed(["pkg-config", "--cflags", "--libs", "libuv"]).split()
    succeed([compiler, "-std=c99", *STRICT, "-g", source, *flags, "-o", program])
    return program


@pytest.fixture(scope="session")
def programs(prefix: Prefix, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    directory = tmp_path_factory.mktemp("examples")
    return {
        name: compile_example(prefix, name, directory / name)
        for name in ("users", "poll", "uv", "bulk_create")
    }


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
@pytest.mark.parametrize("name", [path.stem for path in sorted(EXAMPLES.glob("*.c"))])
def test_compiles_strictly(prefix: Prefix, name: str, compiler: str, tmp_path: Path) -> None:
    c_compilers = {Path(c).name: c for c, _ in compilers()}
    compile_example(prefix, name, tmp_path / name, c_compilers[compiler])


# ---------------------------------------------------------------- The server


def send(sandbox: Sandbox, method: str, path: str, body: object = None) -> Any:
    """Sends a request to the sandbox, and returns the JSON of the response."""
    key = base64.b64encode(f"{sandbox.key_id}:{sandbox.key_secret}".encode()).decode()
    request = urllib.request.Request(
        sandbox.base_url + path,
        method=method,
        data=None if body is None else json.dumps(body).encode(),
        headers={"authorization": f"Basic {key}", "content-type": "application/json"},
    )
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=PATIENCE) as response:
        text = response.read()
    return json.loads(text) if text else None


def set_faults(sandbox: Sandbox, *faults: dict[str, object]) -> None:
    send(sandbox, "PUT", "/_sandbox/faults", list(faults))


def clear_faults(sandbox: Sandbox) -> None:
    """Removes all faults; pending delays end."""
    send(sandbox, "DELETE", "/_sandbox/faults")


def count_users(sandbox: Sandbox) -> int:
    return int(send(sandbox, "GET", "/_sandbox")["users"])


def all_users(sandbox: Sandbox) -> dict[str, Any]:
    """Returns the metadata of all users by their ids."""
    users: dict[str, Any] = {}
    while True:
        page = send(sandbox, "GET", f"/v1/users?limit=200&ordering=created_at&offset={len(users)}")
        users |= {user["id"]: user["external_metadata"] for user in page["results"]}
        if page["next"] is None:
            return users


# ---------------------------------------------------------------- Event loops: poll and libuv


@pytest.mark.parametrize("name", ["poll", "uv"])
def test_loop(name: str, programs: dict[str, Path], prefix: Prefix, sandbox: Sandbox) -> None:
    output = succeed([programs[name]], sandbox.environment() | prefix.environment())
    assert "20 users created, 20 retrieved, 20 deleted, 0 failures" in output
    assert len(re.findall(r"^user +\d+ created", output, re.M)) == 20
    assert "eyJ" not in output
    assert count_users(sandbox) == 0


@pytest.mark.parametrize("name", ["poll", "uv"])
def test_loop_deletes_its_users_despite_failures(
    name: str, programs: dict[str, Path], prefix: Prefix, sandbox: Sandbox
) -> None:
    set_faults(
        sandbox,
        {"kind": "error", "status": 503, "method": "POST", "count": 3},
        # 501 is not transient: it is not retried.
        {"kind": "error", "status": 501, "method": "GET", "count": 4},
    )
    result = run([programs[name]], sandbox.environment() | prefix.environment())
    assert result.returncode == 1
    assert "17 users created, 13 retrieved, 17 deleted, 7 failures" in result.stdout
    assert len(result.stderr.splitlines()) == 7
    assert count_users(sandbox) == 0


@pytest.mark.parametrize("name", ["poll", "uv"])
def test_loop_without_a_server(
    name: str, programs: dict[str, Path], prefix: Prefix, sandbox: Sandbox
) -> None:
    environment = sandbox.environment() | prefix.environment() | {"ARGYLE_BASE_URL": "http://127.0.0.1:1"}
    result = run([programs[name]], environment)
    assert result.returncode == 1
    assert "0 users created, 0 retrieved, 0 deleted, 20 failures" in result.stdout


def test_poll_reads_input_during_calls(programs: dict[str, Path], prefix: Prefix, sandbox: Sandbox) -> None:
    set_faults(sandbox, {"kind": "delay", "milliseconds": FOREVER_MS})
    with subprocess.Popen(
        # Line-buffered output.
        ["stdbuf", "-oL", programs["poll"]],
        env={**os.environ, **sandbox.environment(), **prefix.environment()},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None and process.stdout is not None
        wait_until(lambda: count_users(sandbox) == 8)
        # The program answers while all calls wait for the server. The loop continues after the end of the input.
        process.stdin.write("\n")
        process.stdin.flush()
        answer = process.stdout.readline()
        process.stdin.close()
        clear_faults(sandbox)
        output = process.stdout.read()
    assert process.returncode == 0
    assert answer == "0 created, 0 retrieved, 0 deleted, 20 calls to go\n"
    assert "20 users created, 20 retrieved, 20 deleted, 0 failures" in output


def test_uv_timer_fires_during_calls(
    programs: dict[str, Path], prefix: Prefix, sandbox: Sandbox
) -> None:
    set_faults(sandbox, {"kind": "delay", "milliseconds": FOREVER_MS, "count": 8})
    with subprocess.Popen(
        ["stdbuf", "-oL", programs["uv"]],
        env={**os.environ, **sandbox.environment(), **prefix.environment()},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        # Before the first response.
        lines = [process.stdout.readline() for _ in range(2)]
        clear_faults(sandbox)
        output = process.stdout.read()
    assert process.returncode == 0
    assert lines == ["0 created, 0 retrieved, 0 deleted, 20 calls to go\n"] * 2
    assert "20 users created, 20 retrieved, 20 deleted, 0 failures" in output


@pytest.mark.parametrize("name", ["poll", "uv", "bulk_create"])
def test_missing_key_is_reported(
    name: str, programs: dict[str, Path], prefix: Prefix, tmp_path: Path
) -> None:
    arguments = ["input", "output"] if name == "bulk_create" else []
    inherited = {key: value for key, value in os.environ.items() if not key.startswith("ARGYLE_KEY")}
    result = subprocess.run(
        [programs[name], *arguments],
        env={**inherited, **prefix.environment()},
        cwd=tmp_path,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == (2 if name == "bulk_create" else 1)
    assert result.stderr == f"{name}: set ARGYLE_KEY_ID and ARGYLE_KEY_SECRET to an API key\n"


# ---------------------------------------------------------------- bulk_create


@dataclass(frozen=True)
class Bulk:
    """The program with its input and output files and its environment."""

    program: Path
    variables: dict[str, str]
    input: Path
    output: Path

    def command(self, *options: str) -> list[str]:
        return [str(self.program), *options, str(self.input), str(self.output)]

    def run(self, *options: str) -> subprocess.CompletedProcess[str]:
        """Runs it and waits. Checks that it prints no token, and no progress because stderr is not a terminal."""
        result = run(self.command(*options), self.variables)
        assert "eyJ" not in result.stdout + result.stderr
        assert "\r" not in result.stdout + result.stderr
        return result

    @contextlib.contextmanager
    def started(self, *options: str, **popen_arguments: Any) -> Iterator[subprocess.Popen[str]]:
        """Starts it. It is killed at the end of the block if it is still running."""
        process = subprocess.Popen(
            self.command(*options),
            text=True,
            stdin=subprocess.DEVNULL,
            **{
                **{"env": {**os.environ, **self.variables}},
                **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **popen_arguments},
            },
        )
        try:
            yield process
        finally:
            process.kill()
            process.communicate()

    def write(self, count: int) -> None:
        """Writes an input of `count` lines, each with its line number."""
        self.input.write_text("".join(f'{{"line": {number}}}\n' for number in range(1, count + 1)))

    def lines(self) -> int:
        return self.output.read_bytes().count(b"\n") if self.output.exists() else 0

    def entries(self) -> list[dict[str, Any]]:
        """Parses the output. Checks that all its lines are complete."""
        text = self.output.read_text()
        assert text == "" or text.endswith("\n")
        return [json.loads(line) for line in text.splitlines()]

    def created(self) -> dict[int, str]:
        """Returns the ids by line number. Checks that each line has at most one user, and each user a token."""
        entries = [entry for entry in self.entries() if "id" in entry]
        assert all(list(entry) == ["line", "id", "token"] for entry in entries)
        assert all(entry["token"].startswith("eyJ") for entry in entries)
        ids = {entry["line"]: entry["id"] for entry in entries}
        assert len(ids) == len(set(ids.values())) == len(entries)
        return ids

    def failed(self) -> dict[int, tuple[str, bool]]:
        """Returns the errors by line number, and whether the outcome is unknown."""
        entries = [entry for entry in self.entries() if "id" not in entry]
        assert all(list(entry) == ["line", "error", "outcome_unknown"] for entry in entries)
        return {entry["line"]: (entry["error"], entry["outcome_unknown"]) for entry in entries}


@pytest.fixture
def bulk(programs: dict[str, Path], prefix: Prefix, sandbox: Sandbox, tmp_path: Path) -> Bulk:
    variables = sandbox.environment() | prefix.environment()
    return Bulk(programs["bulk_create"], variables, tmp_path / "input", tmp_path / "output")


def block_creates(sandbox: Sandbox, in_flight: int = IN_FLIGHT, probability: float = 0.1) -> None:
    """Delays creates at random, until all `in_flight` calls are delayed."""
    set_faults(sandbox, {
        **{"kind": "delay", "milliseconds": FOREVER_MS, "method": "POST", "count": in_flight},
        **{"probability": probability, "seed": 1},
    })


def wait_until_blocked(sandbox: Sandbox) -> None:
    """Waits until all calls are delayed: the fault is then used up."""
    wait_until(lambda: send(sandbox, "GET", "/_sandbox/faults") == [])


def check_users(bulk: Bulk, sandbox: Sandbox, lines: int, extra: int) -> None:
    """Checks that every line has one user with its metadata, and that there are at most `extra` other users."""
    created = bulk.created()
    users = all_users(sandbox)
    assert sorted(created) == list(range(1, lines + 1))
    assert all(users[identifier] == {"line": line} for line, identifier in created.items())
    assert lines <= len(users) <= lines + extra


def test_bulk(bulk: Bulk, sandbox: Sandbox) -> None:
    bulk.write(10_000)
    result = bulk.run()
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout == (
        "10000 lines: 10000 users created, 10000 of them now; "
        "0 failed, 0 of unknown outcome, 0 not tried\n"
    )
    check_users(bulk, sandbox, 10_000, 0)
    assert stat.S_IMODE(bulk.output.stat().st_mode) == 0o600
    # A second run has nothing to do.
    before = bulk.output.read_bytes()
    result = bulk.run()
    assert (result.returncode, result.stderr) == (0, "")
    assert "10000 users created, 0 of them now" in result.stdout
    assert bulk.output.read_bytes() == before
    assert count_users(sandbox) == 10_000


@pytest.mark.parametrize("calls", [1, 7, 500])
def test_bulk_with_calls_in_flight(bulk: Bulk, sandbox: Sandbox, calls: int) -> None:
    bulk.write(2000)
    result = bulk.run("-j", str(calls))
    assert (result.returncode, result.stderr) == (0, "")
    check_users(bulk, sandbox, 2000, 0)


def test_bulk_with_a_rate(bulk: Bulk, sandbox: Sandbox, tmp_path: Path) -> None:
    """With a clock that only the test advances."""
    library = tmp_path / "clock.so"
    succeed(["cc", "-shared", "-fPIC", ROOT / "Tests" / "sandbox" / "clock.c", "-o", library])
    clock, preloaded = os.memfd_create("clock"), os.open(library, os.O_RDONLY)
    bulk.write(100)

    def set_clock(tenths: int) -> None:
        os.pwrite(clock, struct.pack("qqq", 1_000_000_000 + tenths * 100_000, 0, 0), 0)

    set_clock(0)
    environment = {
        **os.environ,
        **bulk.variables,
        # By descriptor, because LD_PRELOAD does not support spaces in a path.
        "LD_PRELOAD": f"/proc/self/fd/{preloaded}",
        "ARGYLE_TEST_CLOCK": str(clock),
    }
    with bulk.started("-r", "100", env=environment, pass_fds=(clock, preloaded)) as process:
        for tenths in range(10):
            set_clock(tenths)
            wait_until(lambda tenths=tenths: count_users(sandbox) >= 10 * tenths)  # type: ignore[misc]
            # A burst of a tenth of a second's requests is allowed.
            assert count_users(sandbox) <= 10 * tenths + 10
        set_clock(10)
        _, errors = process.communicate(timeout=PATIENCE)
    os.close(clock)
    os.close(preloaded)
    assert (process.returncode, errors) == (0, "")
    check_users(bulk, sandbox, 100, 0)


def test_bulk_resumes_after_being_killed(bulk: Bulk, sandbox: Sandbox) -> None:
    bulk.write(10_000)
    kills = 3
    for _ in range(kills):
        block_creates(sandbox, probability=0.04)
        with bulk.started() as process:
            wait_until_blocked(sandbox)
            process.send_signal(signal.SIGKILL)
            process.communicate()
            assert process.returncode == -signal.SIGKILL
    assert 3000 < bulk.lines() < 10_000
    clear_faults(sandbox)
    result = bulk.run()
    assert result.returncode == 0
    assert "10000 lines: 10000 users created" in result.stdout
    check_users(bulk, sandbox, 10_000, kills * IN_FLIGHT)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_bulk_stops_gracefully_after_a_signal(
    bulk: Bulk, sandbox: Sandbox, number: signal.Signals
) -> None:
    bulk.write(10_000)
    block_creates(sandbox)
    with bulk.started() as process:
        wait_until_blocked(sandbox)
        process.send_signal(number)
        assert process.stderr is not None
        assert "stopping after a signal" in process.stderr.readline()
        clear_faults(sandbox)
        output, errors = process.communicate(timeout=PATIENCE)
    assert (process.returncode, errors) == (1, "")
    created = bulk.created()
    assert f"10000 lines: {len(created)} users created, {len(created)} of them now" in output
    assert f"0 failed, 0 of unknown outcome, {10_000 - len(created)} not tried" in output
    # Every user on the server is in the output.
    assert set(created.values()) == set(all_users(sandbox))
    clear_faults(sandbox)
    assert bulk.run().returncode == 0
    check_users(bulk, sandbox, 10_000, 0)


def test_bulk_aborts_after_a_second_signal(bulk: Bulk, sandbox: Sandbox) -> None:
    bulk.write(100)
    block_creates(sandbox, in_flight=5)
    with bulk.started("-j", "5") as process:
        wait_until_blocked(sandbox)
        process.send_signal(signal.SIGINT)
        assert process.stderr is not None
        assert "a second one cancels" in process.stderr.readline()
        assert process.poll() is None
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 1
    assert set(bulk.failed().values()) == {("cancelled", True)}
    unknown = len(bulk.failed())
    assert unknown == 5
    assert f"{unknown} of unknown outcome" in output
    assert count_users(sandbox) == len(bulk.created()) + unknown


@pytest.mark.parametrize("cut", [1, 2, 9, 40, 200, -1])
def test_bulk_removes_an_incomplete_line(bulk: Bulk, sandbox: Sandbox, cut: int) -> None:
    bulk.write(20)
    assert bulk.run().returncode == 0
    whole = bulk.output.read_bytes().splitlines(keepends=True)
    torn = whole[-1][:cut] if cut > 0 else whole[-1][:-2]
    bulk.output.write_bytes(b"".join(whole[:-1]) + torn)
    result = bulk.run()
    assert result.returncode == 0
    assert "incomplete and is removed" in result.stderr
    assert "20 users created, 1 of them now" in result.stdout
    check_users(bulk, sandbox, 20, 1)


def test_bulk_keeps_a_complete_line_without_a_newline(bulk: Bulk, sandbox: Sandbox) -> None:
    bulk.write(20)
    assert bulk.run().returncode == 0
    before = bulk.output.read_bytes()
    bulk.output.write_bytes(before.rstrip(b"\n"))
    assert "20 users created, 0 of them now" in bulk.run().stdout
    assert bulk.output.read_bytes() == before


@pytest.mark.parametrize(
    ("fault", "error", "unknown"),
    [
        # Retry-After is too long, so the call is not retried.
        ({"kind": "rate_limit", "retry_after": 100, "count": 3}, "rate_limited", False),
        ({"kind": "error", "status": 400, "count": 3}, "invalid_request", False),
        ({"kind": "error", "status": 500, "count": 3}, "server", True),
        ({"kind": "close", "when": "after", "count": 3}, "connection", True),
        ({"kind": "body", "body": "cut", "count": 3}, "connection", True),
        ({"kind": "body", "body": "not_json", "count": 3}, "protocol", True),
    ],
)
def test_bulk_reports_and_records_failures(
    bulk: Bulk, sandbox: Sandbox, fault: dict[str, object], error: str, unknown: bool
) -> None:
    bulk.write(200)
    set_faults(sandbox, fault)
    result = bulk.run()
    failed = bulk.failed()
    assert result.returncode == 1
    assert list(failed.values()) == [(error, unknown)] * 3
    report = r"^bulk_create: line (\d+): .* \[(\w+)(, outcome unknown)?\]$"
    reports = re.findall(report, result.stderr, re.M)
    assert {(int(line), name, ending != "") for line, name, ending in reports} == {
        (line, error, unknown) for line in failed
    }
    # The next run retries them, unless the service may have created the user.
    result = bulk.run()
    if unknown:
        assert result.returncode == 1
        assert "197 users created, 0 of them now; 0 failed, 3 of unknown outcome" in result.stdout
        assert result.stderr.count("it is unknown whether an earlier run created its user") == 3
        assert result.stderr.endswith("look for these users at the service; -u creates them again\n")
        users = count_users(sandbox)
        result = bulk.run("-u")
        assert count_users(sandbox) == users + 3
    assert result.returncode == 0
    assert (result.stderr, len(bulk.created())) == ("", 200)


def test_bulk_does_not_forget_that_an_outcome_is_unknown(bulk: Bulk, sandbox: Sandbox) -> None:
    bulk.write(5)
    set_faults(sandbox, {"kind": "error", "status": 502, "count": 1})
    assert bulk.run().returncode == 1
    # The second attempt certainly did nothing, but the outcome of the first one is still unknown.
    set_faults(sandbox, {"kind": "rate_limit", "retry_after": 100, "count": 1})
    assert bulk.run("-u").returncode == 1
    assert bulk.failed() == {1: ("rate_limited", True)}
    assert "1 of unknown outcome" in bulk.run().stdout


def test_bulk_accepts_a_manually_added_line(bulk: Bulk, sandbox: Sandbox) -> None:
    bulk.write(5)
    set_faults(sandbox, {"kind": "close", "when": "after", "count": 1})
    assert bulk.run().returncode == 1
    [identifier] = set(all_users(sandbox)) - set(bulk.created().values())
    with bulk.output.open("a") as file:
        file.write(f'{{"line": 1, "id": "{identifier}"}}\n')
    result = bulk.run()
    assert (result.returncode, result.stderr) == (0, "")
    assert count_users(sandbox) == 5


def test_bulk_counts_add_up_despite_faults(bulk: Bulk, sandbox: Sandbox) -> None:
    bulk.write(10_000)
    set_faults(
        sandbox,
        {"kind": "close", "when": "after", "probability": 0.01, "seed": 1},
        {"kind": "close", "when": "before", "probability": 0.01, "seed": 2},
        {"kind": "error", "status": 503, "probability": 0.01, "seed": 3},
        {"kind": "rate_limit", "probability": 0.01, "seed": 4},
        {"kind": "delay", "milliseconds": 30, "probability": 0.01, "seed": 5},
    )
    assert bulk.run().returncode == 1
    clear_faults(sandbox)
    created, failed = bulk.created(), bulk.failed()
    assert len(bulk.entries()) == 10_000
    assert set(created) | set(failed) == set(range(1, 10_001))
    users = all_users(sandbox)
    assert all(users[identifier] == {"line": line} for line, identifier in created.items())
    # Users that are not in the output belong to lines whose outcome is unknown.
    others = [users[identifier]["line"] for identifier in users.keys() - created.values()]
    assert len(set(others)) == len(others) > 0
    assert all(failed[line][1] for line in others)


def test_bulk_continues_after_lines_that_are_not_json(bulk: Bulk, sandbox: Sandbox) -> None:
    lines = {
        1: b'{"a": 1}',
        2: b'{"confidential": ',
        3: b'"confidential"},"x":{"y":1',
        4: b"",
        5: b"  \t\r",
        6: b'"\xff confidential"',
        7: b'1 "confidential"',
        8: b"[1, 2]\r",
        9: b'"confidential\0"',
        10: b"nulll",
        11: b"\xef\xbb\xbf1",
        12: b'"' + b"a" * 900_000 + b'"',
        13: b'"' + b"a" * 2_000_000 + b'"',
        14: b"12345678901234567890123.50",
        15: b"null",
    }
    # The last line has no newline.
    bulk.input.write_bytes(b"\n".join(lines.values()))
    result = bulk.run()
    assert result.returncode == 1
    assert "confidential" not in result.stdout + result.stderr
    created = bulk.created()
    assert sorted(created) == [1, 8, 12, 14, 15]
    failed = bulk.failed()
    assert {line: name for line, (name, _) in failed.items()} == {
        **dict.fromkeys([2, 3, 6, 7, 9, 10, 11], "argument"),
        13: "http",
    }
    assert not any(unknown for _, unknown in failed.values())
    assert len(result.stderr.splitlines()) == 8
    users = all_users(sandbox)
    assert [users[created[line]] for line in (1, 8, 15)] == [{"a": 1}, [1, 2], None]
    assert len(users[created[12]]) == 900_000


@pytest.mark.parametrize("text", ["", "\n", "\n \n\r\n"])
def test_bulk_with_nothing_to_do(bulk: Bulk, sandbox: Sandbox, text: str) -> None:
    bulk.input.write_text(text)
    result = bulk.run()
    assert (result.returncode, result.stderr) == (0, "")
    assert "0 lines: 0 users created" in result.stdout
    assert count_users(sandbox) == 0


def test_bulk_stops_if_the_key_is_wrong(bulk: Bulk, sandbox: Sandbox) -> None:
    bulk.write(1000)
    bulk.variables["ARGYLE_KEY_SECRET"] = "wrong-key-secret"
    result = bulk.run()
    assert result.returncode == 1
    assert "the API key is not accepted" in result.stderr
    assert "wrong-key-secret" not in result.stderr
    # It stopped after one call.
    assert bulk.failed() == {1: ("authentication", False)}
    bulk.variables["ARGYLE_KEY_SECRET"] = sandbox.key_secret
    assert bulk.run().returncode == 0
    check_users(bulk, sandbox, 1000, 0)


def test_bulk_stops_if_the_key_is_refused_midway(bulk: Bulk, sandbox: Sandbox) -> None:
    bulk.write(10_000)
    block_creates(sandbox)
    with bulk.started() as process:
        wait_until_blocked(sandbox)
        # The process is stopped until the fault is set.
        process.send_signal(signal.SIGSTOP)
        os.waitpid(process.pid, os.WUNTRACED)
        clear_faults(sandbox)
        set_faults(sandbox, {"kind": "error", "status": 403})
        process.send_signal(signal.SIGCONT)
        output, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 1
    assert errors.count("stopping: the API key is not accepted") == 1
    failed = bulk.failed()
    assert set(failed.values()) == {("permission", False)}
    assert 1 <= len(failed) <= IN_FLIGHT
    assert f"{len(failed)} failed, 0 of unknown outcome" in output


def test_bulk_stops_if_nothing_succeeds(bulk: Bulk, sandbox: Sandbox) -> None:
    bulk.write(5000)
    set_faults(sandbox, {"kind": "error", "status": 400})
    result = bulk.run()
    assert result.returncode == 1
    assert "stopping: too many consecutive failures" in result.stderr
    assert 1000 <= len(bulk.failed()) < 1000 + IN_FLIGHT


def progress_of(bulk: Bulk, *options: str) -> tuple[str, int]:
    """Returns what it prints on a terminal, and its exit status."""
    master, slave = pty.openpty()
    output = b""
    with bulk.started(*options, stdout=subprocess.DEVNULL, stderr=slave) as process:
        os.close(slave)
        # On Linux, reading fails with EIO once the terminal is closed.
        with contextlib.suppress(OSError):
            while chunk := os.read(master, 65536):
                output += chunk
        status = process.wait(timeout=PATIENCE)
    os.close(master)
    return output.decode(), status


def test_bulk_shows_progress_on_a_terminal(bulk: Bulk, sandbox: Sandbox) -> None:
    bulk.write(1000)
    bulk.input.write_text(bulk.input.read_text() + "nothing\n")
    set_faults(sandbox, {"kind": "delay", "milliseconds": 20})
    output, status = progress_of(bulk)
    assert status == 1
    states = re.findall(r"\r(\d+) of 1001, (\d+) a second, (\d+) failed *(?=\r)", output)
    assert len(states) >= 2
    counts = [int(count) for count, _, _ in states]
    assert counts == sorted(counts)
    # One line that is overwritten, and cleared before other lines and at the end.
    assert re.search(r"\r *\rbulk_create: line 1001: .*\[argument\]\r\n", output)
    assert output.count("\n") == 1
    assert re.search(r"\r *\r$", output)
    assert "eyJ" not in output


def test_bulk_locks_the_output(bulk: Bulk, sandbox: Sandbox) -> None:
    bulk.write(1000)
    block_creates(sandbox)
    with bulk.started() as process:
        wait_until_blocked(sandbox)
        result = bulk.run()
        assert result.returncode == 2
        assert result.stderr == f"bulk_create: {bulk.output}: another run is writing to it\n"
        assert result.stdout == ""
        clear_faults(sandbox)
        process.communicate(timeout=PATIENCE)
        assert process.returncode == 0
    check_users(bulk, sandbox, 1000, 0)


def test_bulk_warns_if_others_may_open_the_output(bulk: Bulk) -> None:
    bulk.write(1)
    bulk.output.touch()
    bulk.output.chmod(0o644)
    result = bulk.run()
    assert (result.returncode, "other users can open it" in result.stderr) == (0, True)


def test_bulk_with_a_full_output(bulk: Bulk, sandbox: Sandbox) -> None:
    bulk.write(1000)
    set_faults(sandbox, {"kind": "delay", "milliseconds": 5})

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))

    with bulk.started(preexec_fn=limit) as process:
        _, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 2
    assert f"bulk_create: {bulk.output}: File too large\n" in errors
    # Users that are missing from the output are named on standard error.
    named = re.findall(r"line (\d+): user (\S+) was created, but is not in", errors)
    created = bulk.created()
    users = all_users(sandbox)
    assert 1 <= len(named) <= IN_FLIGHT
    assert {identifier for _, identifier in named} | set(created.values()) == set(users)
    assert len(users) == len(named) + len(created) < 1000
    assert "eyJ" not in errors
    clear_faults(sandbox)
    assert bulk.run().returncode == 0
    check_users(bulk, sandbox, 1000, len(named))


@pytest.mark.parametrize(
    "options",
    [
        (),
        ("only-one",),
        ("one", "two", "three"),
        *(("-j", value, "input", "output") for value in ("", "0", "-1", "1001", "5x", "9" * 20)),
        *(("-r", value, "input", "output") for value in ("", "0", "-1", "nan", "inf", "1e7", "5x")),
        ("-x", "input", "output"),
    ],
)
def test_bulk_prints_its_usage(bulk: Bulk, options: Sequence[str], tmp_path: Path) -> None:
    bulk.write(1)
    result = run([bulk.program, *options], bulk.variables, tmp_path)
    assert result.returncode == 2
    assert "usage: bulk_create [-j CALLS] [-r RATE] [-u] INPUT OUTPUT\n" in result.stderr
    assert result.stdout == ""
    assert not bulk.output.exists()


def test_bulk_with_unusable_files(bulk: Bulk, sandbox: Sandbox, tmp_path: Path) -> None:
    here = Bulk(bulk.program, bulk.variables, tmp_path / "none", bulk.output)
    result = here.run()
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr == f"bulk_create: {here.input}: No such file or directory\n"
    assert not here.output.exists()

    bulk.write(3)
    for input_file, output_file, message in [
        (tmp_path, bulk.output, "must be a regular file, because it is read twice"),
        (Path("/dev/null"), bulk.output, "must be a regular file, because it is read twice"),
        (bulk.input, tmp_path, "Is a directory"),
        (bulk.input, tmp_path / "none" / "output", "No such file or directory"),
        (bulk.input, Path("/dev/full"), "must be a regular file other than the input"),
        (bulk.input, bulk.input, "must be a regular file other than the input"),
    ]:
        before = bulk.input.read_bytes()
        result = Bulk(bulk.program, bulk.variables, input_file, output_file).run()
        assert (result.returncode, result.stdout) == (2, "")
        assert result.stderr.endswith(f": {message}\n"), result.stderr
        assert bulk.input.read_bytes() == before
    assert not bulk.output.exists()
    assert count_users(sandbox) == 0


def test_bulk_with_a_changed_input(bulk: Bulk, sandbox: Sandbox) -> None:
    bulk.write(100)
    assert bulk.run().returncode == 0
    before = bulk.output.read_bytes()
    text = bulk.input.read_text()
    for changed, message in [
        ("".join(text.splitlines(keepends=True)[:60]), "which has fewer"),
        ("", "which has fewer"),
        (text.replace('{"line": 7}', ""), "which is blank"),
    ]:
        bulk.input.write_text(changed)
        result = bulk.run()
        assert (result.returncode, result.stdout) == (2, "")
        assert f"{message}; is it another file, or has it changed?" in result.stderr
        assert bulk.output.read_bytes() == before
    # Lines may be added.
    bulk.write(150)
    assert bulk.run().returncode == 0
    check_users(bulk, sandbox, 150, 0)


@pytest.mark.parametrize(
    "text",
    [
        "precious",
        "precious\n",
        '{"line": 1}\n',
        '{"line": 0, "id": "a", "token": "b"}\n',
        '{"line": -1, "id": "a", "token": "b"}\n',
        '{"line": 1.0, "id": "a", "token": "b"}\n',
        '{"line": 1, "error": "server"}\n',
        '{"line": 1, "id": "a", "tok\n{"line": 2, "id": "a", "token": "b"}\n',
        '{"line": 18446744073709551617, "id": "a", "token": "b"}\n',
        '{"line": 9223372036854775807, "id": "a", "token": "b"}\n',
        "[1]\n",
        "\n",
    ],
)
def test_bulk_with_an_unrelated_output_file(bulk: Bulk, sandbox: Sandbox, text: str) -> None:
    bulk.write(3)
    bulk.output.write_text(text)
    bulk.output.chmod(0o600)
    result = bulk.run()
    assert (result.returncode, result.stdout) == (2, "")
    assert re.fullmatch(rf"bulk_create: {re.escape(str(bulk.output))}: line 1 is .*\?\n", result.stderr)
    assert bulk.output.read_text() == text
    assert count_users(sandbox) == 0


def status_of(process: subprocess.Popen[str]) -> str:
    """Reads the kernel's status of a process that has not been reaped."""
    return Path(f"/proc/{process.pid}/status").read_text()


def test_bulk_uses_little_memory(bulk: Bulk, sandbox: Sandbox) -> None:
    # A hundred megabytes.
    with bulk.input.open("w") as file:
        file.writelines('"' + "a" * 2000 + '"\n' for _ in range(50_000))
    peak = ""
    with bulk.started(stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        while process.poll() is None:
            # The line is missing once the process has released its memory.
            for number in re.findall(r"^VmHWM:\s+(\d+) kB$", status_of(process), re.M):
                peak = number
            time.sleep(0.05)
    assert process.returncode == 0
    assert len(bulk.created()) == count_users(sandbox) == 50_000
    assert 0 < int(peak) < 40 * 1024


# ---------------------------------------------------------------- Memory errors


def check_memory(command: Sequence[str | Path], variables: dict[str, str], status: int) -> None:
    """Runs a program under valgrind, and checks that it reports nothing."""
    result = run([*VALGRIND, *command], variables)
    assert "==" not in result.stderr, result.stderr
    assert result.returncode == status, result.stderr


@pytest.mark.parametrize("name", ["poll", "uv"])
def test_memory_of_a_loop(
    name: str, programs: dict[str, Path], prefix: Prefix, sandbox: Sandbox
) -> None:
    variables = sandbox.environment() | prefix.environment()
    check_memory([programs[name]], variables, 0)
    set_faults(sandbox, {"kind": "close", "when": "after", "probability": 0.2, "seed": 1})
    check_memory([programs[name]], variables, 1)
    check_memory([programs[name]], variables | {"ARGYLE_KEY_ID": ""}, 1)


def test_memory_of_bulk(bulk: Bulk, sandbox: Sandbox) -> None:
    bulk.write(300)
    bulk.input.write_text(bulk.input.read_text() + "nothing\n\n")
    set_faults(sandbox, {"kind": "error", "status": 500, "probability": 0.1, "seed": 1})
    check_memory(bulk.command(), bulk.variables, 1)
    bulk.output.write_bytes(bulk.output.read_bytes()[:-5])
    check_memory(bulk.command("-u"), bulk.variables, 1)
    bulk.write(10)
    check_memory(bulk.command(), bulk.variables, 2)


# ---------------------------------------------------------------- Closed standard descriptors


def without(closed: Sequence[int], *command: str | Path) -> list[str]:
    """Returns a command that runs another one with these descriptors closed."""
    closing = " ".join(f"{number}>&-" for number in closed)
    return ["bash", "-c", f'exec "$@" {closing}', "bash", *map(str, command)]


@pytest.mark.parametrize("closed", [[0], [1], [2], [0, 1, 2]], ids=str)
@pytest.mark.parametrize("name", ["users", "poll", "uv", "bulk_create"])
def test_closed_descriptors(
    name: str, closed: list[int], programs: dict[str, Path], bulk: Bulk, sandbox: Sandbox
) -> None:
    """/dev/null takes their place, not a file or socket, and the program works."""
    bulk.write(50)
    files = (bulk.input, bulk.output) if name == "bulk_create" else ()
    set_faults(sandbox, {"kind": "delay", "milliseconds": FOREVER_MS, "method": "POST"})
    with subprocess.Popen(
        without(closed, programs[name], *files),
        env={**os.environ, **bulk.variables},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        wait_until(lambda: process.poll() is not None or count_users(sandbox) > 0)
        found = [os.readlink(f"/proc/{process.pid}/fd/{number}") for number in range(3)]
        clear_faults(sandbox)
    assert (process.returncode, found) == (0, ["/dev/null"] * 3)
    if files:
        check_users(bulk, sandbox, 50, 0)
    else:
        assert count_users(sandbox) == 0


@pytest.mark.parametrize("closed", [[2], [0, 1, 2]], ids=str)
@pytest.mark.parametrize("name", ["users", "poll", "uv", "bulk_create"])
def test_closed_descriptors_and_failures(
    name: str, closed: list[int], programs: dict[str, Path], bulk: Bulk, sandbox: Sandbox
) -> None:
    """Error messages go nowhere, and above all not to the server."""
    bulk.write(50)
    files = (bulk.input, bulk.output) if name == "bulk_create" else ()
    path = "/v1/user-tokens" if name == "users" else "/v1/users"
    set_faults(sandbox, {"kind": "error", "status": 501, "method": "POST", "path": path, "count": 1})
    assert run(without(closed, programs[name], *files), bulk.variables).returncode == 1
    if files:
        assert (len(bulk.created()), len(bulk.failed())) == (49, 1)
    else:
        assert count_users(sandbox) == 0

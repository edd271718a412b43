#!/usr/bin/env python3
"""Measures argyle-sandbox with many users, in memory and in a file, and prints a table.

    Tests/benchmarks/sandbox.py [--users 1000000] [--seconds 5] [EXECUTABLE]

EXECUTABLE is .build-prefix/bin/argyle-sandbox by default. Requests per second are measured with wrk (Debian's package
wrk), and omitted if it is not installed.
"""

from __future__ import annotations

import argparse
import base64
import http.client
import json
import re
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
AUTHORIZATION = "Basic " + base64.b64encode(b"sandbox-key-id:sandbox-key-secret").decode()
# Creating the users is a single long request.
PATIENCE = 600
REPEATS = 50


class Sandbox:
    """A sandbox on a free port, running during the `with` block."""

    def __init__(self, executable: Path, database: Path | None) -> None:
        self.command = [str(executable), "--port", "0"]
        if database is not None:
            self.command += ["--database", str(database)]

    def __enter__(self) -> Sandbox:
        self.process = subprocess.Popen(self.command, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        for line in self.process.stdout:
            ready = re.search(r"listening on http://127\.0\.0\.1:(\d+)", line)
            if ready:
                self.port = int(ready[1])
                break
        else:
            raise SystemExit("the sandbox did not start")
        self.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        return self

    def __exit__(self, *error: object) -> None:
        self.connection.close()
        self.process.terminate()
        self.process.wait(PATIENCE)

    def send(self, method: str, path: str, body: object = None) -> Any:
        """Sends a request that must succeed, and returns the JSON of the response."""
        fields = {"Authorization": AUTHORIZATION}
        if body is not None:
            fields["Content-Type"] = "application/json"
        text = None if body is None else json.dumps(body)
        self.connection.request(method, path, body=text, headers=fields)
        response = self.connection.getresponse()
        content = response.read()
        if response.status >= 300:
            raise SystemExit(f"{method} {path}: {response.status} {content[:200]!r}")
        return json.loads(content) if content else None

    def memory(self, key: str) -> str:
        """Returns a memory size from the process's status in /proc."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        found = re.search(rf"^{key}:\s+(\d+) kB$", status, re.M)
        assert found is not None
        return f"{int(found[1]) / 1024:.0f} MiB"


def milliseconds(action: Callable[[], object]) -> float:
    """Measures the latency of an action."""
    start = time.perf_counter()
    action()
    return (time.perf_counter() - start) * 1000


def summary(times: list[float]) -> str:
    return f"{statistics.median(times):.2f} ms (maximum {max(times):.2f})"


def latency(action: Callable[[], object]) -> str:
    """Measures the median and the maximum latency of an action on one connection."""
    return summary([milliseconds(action) for _ in range(REPEATS)])


def latency_by_cursor(sandbox: Sandbox) -> str:
    """Measures the same for the pages of v2's list, each once."""
    page: dict[str, Any] = {"next": "/v2/users?limit=200"}

    def follow() -> None:
        page.update(sandbox.send("GET", page["next"]))

    times = []
    while page["next"] is not None:
        times.append(milliseconds(follow))
    return summary(times)


def requests_per_second(sandbox: Sandbox, path: str, seconds: int) -> str:
    if shutil.which("wrk") is None:
        return "wrk is not installed"
    output = subprocess.run(
        ["wrk", "-t", "2", "-c", "16", "-d", str(seconds), "-H", f"Authorization: {AUTHORIZATION}",
         f"http://127.0.0.1:{sandbox.port}{path}"],
        check=True, capture_output=True, text=True).stdout
    found = re.search(r"^Requests/sec:\s+([\d.]+)$", output, re.M)
    if found is None or "Non-2xx" in output or "Socket errors" in output:
        raise SystemExit(output)
    return f"{float(found[1]):.0f} requests per second"


def measure(
    executable: Path, database: Path | None, users: int, seconds: int
) -> list[tuple[str, str]]:
    rows = []
    with Sandbox(executable, database) as sandbox:
        rows.append(("initial memory", sandbox.memory("VmRSS")))
        start = time.perf_counter()
        sandbox.send("POST", "/_sandbox/users", {"count": users, "seed": 1})
        rows.append((f"creation of {users} users", f"{time.perf_counter() - start:.1f} s"))
        rows.append(("memory with the users", sandbox.memory("VmRSS")))
        if database is not None:
            size = sum(file.stat().st_size for file in database.parent.glob(database.name + "*"))
            rows.append(("files", f"{size / 1024 / 1024:.0f} MiB"))

        for limit in (10, 200):
            offsets = [0, 1000, 10_000, users // 10, users // 2, users - limit, users * 2]
            for offset in sorted(set(offsets)):
                if offset < 0:
                    continue
                path = f"/v1/users?limit={limit}&offset={offset}"
                rows.append((
                    f"list {limit} at offset {offset}",
                    latency(lambda path=path: sandbox.send("GET", path))))  # type: ignore[misc]
        rows.append(("list 200 by cursor, all pages", latency_by_cursor(sandbox)))
        user = sandbox.send("GET", f"/v1/users?limit=1&offset={users // 2}")["results"][0]["id"]
        path = f"/v1/users/{user}"
        rows.append(("retrieve", latency(lambda: sandbox.send("GET", path))))
        rows.append(("create", latency(
            lambda: sandbox.send("POST", "/v1/users", {"external_metadata": {"group": "A"}}))))
        rows.append(("update", latency(
            lambda: sandbox.send("PATCH", path, {"external_metadata": {"group": "B"}}))))
        rows.append(("create a token", latency(
            lambda: sandbox.send("POST", "/v1/user-tokens", {"user": user}))))
        rows.append(("retrieve, 16 connections", requests_per_second(sandbox, path, seconds)))
        rows.append(("list 10, 16 connections", requests_per_second(sandbox, "/v1/users", seconds)))
        rows.append(("peak memory", sandbox.memory("VmHWM")))
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description="Measures argyle-sandbox with many users.")
    parser.add_argument("--users", type=int, default=1_000_000)
    parser.add_argument("--seconds", type=int, default=5, help="duration of each wrk run")
    parser.add_argument(
        "executable", type=Path, nargs="?", default=ROOT / ".build-prefix" / "bin" / "argyle-sandbox")
    arguments = parser.parse_args()
    if arguments.users < 1:
        parser.error(f"--users must be at least 1, got {arguments.users}")
    with tempfile.TemporaryDirectory() as directory:
        columns = [
            dict(measure(arguments.executable, database, arguments.users, arguments.seconds))
            for database in (None, Path(directory) / "state.sqlite")
        ]
    print("| | in memory | in a file |\n|---|---|---|")
    for name in {**columns[0], **columns[1]}:
        print(f"| {name} | {columns[0].get(name, '')} | {columns[1].get(name, '')} |")


if __name__ == "__main__":
    main()

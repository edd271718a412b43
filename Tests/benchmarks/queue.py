#!/usr/bin/env python3
"""Compares libargyle's queue with a hand-written program on libcurl's multi interface.

    Tests/benchmarks/queue.py [--calls 20000] [--rounds 9] [PREFIX]

PREFIX is where bindings/install has installed the library; the default is .build-prefix. Both programs call an nginx
(Debian's package nginx) that always sends the same response. They take turns, so that other load on the machine affects
both. The table shows the minimum of the rounds, and the ratio of the minima.
"""

from __future__ import annotations

import argparse
import subprocess
import tempfile
import time
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
IN_FLIGHT = (1, 10, 50, 200)
USER = (
    '{"id":"01a20c35-d98f-a6d3-2c9d-55b690ac9144","created_at":"2026-11-24T06:00:00.123456Z",'
    '"employers_connected":["Acme"],"data_providers_connected":[],'
    '"external_metadata":{"group":"A","number":17}}'
)
PORT = 18089
URL = f"http://127.0.0.1:{PORT}"


class Nginx:
    """An nginx with a single response, running during the `with` block."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __enter__(self) -> Nginx:
        paths = "".join(
            f"{name}_temp_path {self.folder}/{name};"
            for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        configuration = self.folder / "nginx.conf"
        configuration.write_text(
            f"daemon off; worker_processes 1; pid {self.folder}/pid; error_log {self.folder}/error.log;"
            "events { worker_connections 1024; }"
            f"http {{ access_log off; keepalive_requests 1000000000; {paths}"
            f"server {{ listen 127.0.0.1:{PORT}; default_type application/json;"
            f"location / {{ return 200 '{USER}'; }} }} }}"
        )
        self.process = subprocess.Popen(["nginx", "-e", f"{self.folder}/error.log", "-c", configuration])
        for _ in range(100):
            try:
                urllib.request.urlopen(URL).close()
                return self
            except OSError:
                time.sleep(0.05)
        raise SystemExit("nginx did not start")

    def __exit__(self, *error: object) -> None:
        self.process.terminate()
        self.process.wait()


def run(program: Path, prefix: Path, *arguments: str) -> tuple[float, float]:
    """Runs the C program and returns its two numbers."""
    result = subprocess.run(
        [program, *arguments],
        env={"LD_LIBRARY_PATH": str(prefix / "lib")},
        check=True,
        capture_output=True,
        text=True,
    )
    first, second = result.stdout.split()
    return float(first), float(second)


def main() -> None:
    """Runs the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--calls", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("prefix", type=Path, nargs="?", default=ROOT / ".build-prefix")
    options = parser.parse_args()
    prefix = options.prefix.resolve()
    with tempfile.TemporaryDirectory() as name:
        program = Path(name) / "queue"
        subprocess.run(
            ["cc", "-O2", ROOT / "Tests/benchmarks/queue.c", f"-I{prefix}/include", f"-L{prefix}/lib"]
            + ["-largyle", "-lcurl", "-ljansson", "-o", program],
            check=True,
        )
        with Nginx(Path(name)):
            print("in flight   libcurl multi      libargyle          CPU ratio   wall ratio")
            print("            CPU us   wall us   CPU us   wall us")
            for in_flight in IN_FLIGHT:
                rounds = [
                    [
                        run(program, prefix, mode, URL, str(options.calls), str(in_flight))
                        for mode in ("multi", "argyle")
                    ]
                    for _ in range(options.rounds)
                ]
                (cpu, wall), (our_cpu, our_wall) = (
                    [min(measured[mode][kind] for measured in rounds) for kind in (0, 1)] for mode in (0, 1)
                )
                print(
                    f"{in_flight:9} {cpu:9.2f} {wall:9.2f} {our_cpu:8.2f} {our_wall:9.2f}"
                    f" {our_cpu / cpu:13.3f} {our_wall / wall:11.3f}"
                )
            pending, additional = run(program, prefix, "memory", URL, "100000", "200")
            print(f"memory: {pending:.0f} bytes per pending call, {additional:.0f} more in flight")


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Compares the Python package with other Python HTTP clients.

    python3 -m venv .build-benchmarks && .build-benchmarks/bin/pip install -r Tests/benchmarks/requirements.txt
    .build-benchmarks/bin/python Tests/benchmarks/python.py [--rounds 15] [--calls 1000] [PREFIX]

PREFIX is where bindings/install has installed the library; the default is .build-prefix. Each client calls an nginx
(Debian's package nginx) that always sends the same responses, reuses its connections, and parses the JSON. The clients
take turns, so that other load on the machine affects all of them. The tables show the minimum and the median of the
rounds, in microseconds per call, and the ratio of the minimum to that of the first client.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Awaitable, Callable

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "bindings/python/src"
# Replaces this folder, whose queue.py would hide the standard library's.
sys.path[0] = str(SOURCE)

USER_ID = "01a20c35-d98f-a6d3-2c9d-55b690ac9144"
USER = {
    "id": USER_ID,
    "created_at": "2026-11-24T06:00:00.123456Z",
    "employers_connected": ["Acme"],
    "data_providers_connected": [],
    "external_metadata": {"group": "A", "number": 17},
}
PORT = 18090
URL = f"http://127.0.0.1:{PORT}"
KEY = ("key-id", "key-secret")
IN_FLIGHT = 50


class Nginx:
    """An nginx with the responses, running during the `with` block."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __enter__(self) -> Nginx:
        (self.folder / "user").write_text(json.dumps(USER, separators=(",", ":")))
        page = {"count": 200, "next": None, "previous": None, "results": [USER] * 200}
        (self.folder / "users").write_text(json.dumps(page, separators=(",", ":")))
        paths = "".join(
            f"{name}_temp_path {self.folder}/{name};" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        configuration = self.folder / "nginx.conf"
        configuration.write_text(
            f"daemon off; worker_processes 1; pid {self.folder}/pid; error_log {self.folder}/error.log;"
            "events { worker_connections 1024; }"
            f"http {{ access_log off; keepalive_requests 1000000000; {paths} open_file_cache max=10; tcp_nodelay on;"
            f"server {{ listen 127.0.0.1:{PORT}; default_type application/json;"
            f"location /v1/users/ {{ return 200 '{json.dumps(USER, separators=(',', ':'))}'; }}"
            f"location = /v1/users {{ alias {self.folder}/users; }} }} }}"
        )
        os.chmod(self.folder, 0o755)
        self.process = subprocess.Popen(["nginx", "-e", f"{self.folder}/error.log", "-c", configuration])
        import urllib.request

        for _ in range(100):
            try:
                urllib.request.urlopen(f"{URL}/v1/users/{USER_ID}").close()
                return self
            except OSError:
                time.sleep(0.05)
        raise SystemExit("nginx did not start")

    def __exit__(self, *error: object) -> None:
        self.process.terminate()
        self.process.wait()


Call = Callable[[], Any]
Calls = "dict[str, tuple[Call, Call]]"


def blocking() -> Calls:
    """Return for each client a function that gets a user, and one that gets a list of 200."""
    import argyle
    import httpx
    import pycurl
    import requests
    import urllib3
    from argyle import _json

    user_url, list_url = f"{URL}/v1/users/{USER_ID}", f"{URL}/v1/users?limit=200"
    calls: Calls = {}

    curl = pycurl.Curl()
    curl.setopt(pycurl.USERPWD, ":".join(KEY))

    def curl_get(url: str) -> Any:
        curl.setopt(pycurl.URL, url)
        body = curl.perform_rb()
        if curl.getinfo(pycurl.RESPONSE_CODE) != 200:
            raise SystemExit("pycurl: not 200")
        return json.loads(body)

    calls["pycurl + json"] = lambda: curl_get(user_url), lambda: curl_get(list_url)

    client = argyle.Client(*KEY, base_url=URL)
    orjson = _json.orjson

    def with_json(module: Any, call: Call) -> Call:
        def run() -> Any:
            _json.orjson = module
            return call()

        return run

    def get() -> Any:
        return client.users.get(USER_ID)

    def users() -> Any:
        return client.users.list(limit=200)

    calls["argyle + json"] = with_json(None, get), with_json(None, users)
    calls["argyle + orjson"] = with_json(orjson, get), with_json(orjson, users)

    pool = urllib3.PoolManager(headers=urllib3.make_headers(basic_auth=":".join(KEY)))
    calls["urllib3"] = (
        lambda: json.loads(pool.request("GET", user_url).data),
        lambda: json.loads(pool.request("GET", list_url).data),
    )
    session = requests.Session()
    session.auth = KEY
    calls["requests"] = lambda: session.get(user_url).json(), lambda: session.get(list_url).json()
    http = httpx.Client(auth=KEY)
    calls["httpx"] = lambda: http.get(user_url).json(), lambda: http.get(list_url).json()
    return calls


def measure(call: Call, count: int) -> float:
    """Return the microseconds per call."""
    call()
    start = time.perf_counter()
    for _ in range(count):
        call()
    return (time.perf_counter() - start) / count * 1e6


async def measure_concurrent(call: Callable[[], Awaitable[Any]], count: int) -> float:
    """Return the microseconds per call with 50 in flight."""

    async def worker(calls: int) -> None:
        for _ in range(calls):
            await call()

    await asyncio.gather(*(worker(1) for _ in range(IN_FLIGHT)))
    start = time.perf_counter()
    await asyncio.gather(*(worker(count // IN_FLIGHT) for _ in range(IN_FLIGHT)))
    return (time.perf_counter() - start) / (count // IN_FLIGHT * IN_FLIGHT) * 1e6


async def asynchronous(rounds: int, count: int) -> "dict[str, list[float]]":
    """Measure the asynchronous clients."""
    import aiohttp
    import argyle
    import httpx
    from argyle import _json

    url = f"{URL}/v1/users/{USER_ID}"
    headers = {"Authorization": "Basic " + base64.b64encode(":".join(KEY).encode()).decode()}
    measured: "dict[str, list[float]]" = {}
    connector = aiohttp.TCPConnector(limit=IN_FLIGHT)
    limits = httpx.Limits(max_connections=IN_FLIGHT, max_keepalive_connections=IN_FLIGHT)
    async with (
        aiohttp.ClientSession(connector=connector, headers=headers) as session,
        httpx.AsyncClient(auth=KEY, limits=limits) as http,
        argyle.AsyncClient(*KEY, base_url=URL) as client,
    ):

        async def aiohttp_get() -> Any:
            async with session.get(url) as response:
                return await response.json()

        async def httpx_get() -> Any:
            return (await http.get(url)).json()

        async def argyle_get() -> Any:
            return await client.users.get(USER_ID)

        orjson = _json.orjson
        for _ in range(rounds):
            measured.setdefault("aiohttp", []).append(await measure_concurrent(aiohttp_get, count))
            _json.orjson = None
            measured.setdefault("argyle + json", []).append(await measure_concurrent(argyle_get, count))
            _json.orjson = orjson
            measured.setdefault("argyle + orjson", []).append(await measure_concurrent(argyle_get, count))
            measured.setdefault("httpx", []).append(await measure_concurrent(httpx_get, count // 5))
    return measured


def imports(rounds: int) -> "dict[str, list[float]]":
    """Measure the start-up time of Python, bare and with imports."""
    programs = {
        "bare Python": "pass",
        "import argyle": "import argyle",
        "argyle.Client": "import argyle; argyle.Client",
        "import requests": "import requests",
        "import httpx": "import httpx",
        "import aiohttp": "import aiohttp",
    }
    measured: "dict[str, list[float]]" = {}
    for _ in range(rounds):
        for name, program in programs.items():
            start = time.perf_counter()
            subprocess.run([sys.executable, "-c", program], env={**os.environ, "PYTHONPATH": str(SOURCE)}, check=True)
            measured.setdefault(name, []).append((time.perf_counter() - start) * 1e6)
    return measured


def print_table(title: str, measured: "dict[str, list[float]]") -> None:
    """Print a table."""
    first = min(next(iter(measured.values())))
    print(f"\n{title:28} {'minimum':>9} {'median':>9} {'ratio':>7}")
    for name, values in measured.items():
        print(f"{name:28} {min(values):9.1f} {statistics.median(values):9.1f} {min(values) / first:7.2f}")


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--calls", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("prefix", type=Path, nargs="?", default=ROOT / ".build-prefix")
    options = parser.parse_args()
    os.environ["ARGYLE_LIBRARY"] = str(options.prefix.resolve() / "lib/libargyle.so.0")
    with tempfile.TemporaryDirectory() as name, Nginx(Path(name)):
        calls = blocking()
        for which, title, count in ((0, "get", options.calls), (1, "list of 200", options.calls // 10)):
            measured: "dict[str, list[float]]" = {}
            for _ in range(options.rounds):
                for client, pair in calls.items():
                    measured.setdefault(client, []).append(measure(pair[which], count))
            print_table(title, measured)
        import argyle

        if hasattr(argyle, "AsyncClient"):
            print_table(f"{IN_FLIGHT} in flight", asyncio.run(asynchronous(options.rounds, options.calls * 2)))
    print_table("process start-up", imports(options.rounds))


if __name__ == "__main__":
    main()

"""argyle.Sandbox: a server in the test's process."""

from __future__ import annotations

import asyncio
import gc
import ssl
import subprocess
import sys
import urllib.request
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import argyle


def answers(url: str) -> bool:
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(f"{url}/_sandbox", timeout=30):
            return True
    except OSError:
        return False


def test_serves_until_the_end_of_the_block() -> None:
    with argyle.Sandbox() as sandbox:
        assert answers(sandbox.url)
        with sandbox.client() as client:
            created = client.users.create(external_metadata={"group": "A"})
            assert client.users.get(created.id).external_metadata == {"group": "A"}
        url = sandbox.url
    assert sandbox.url == url
    assert not answers(url)
    sandbox.stop()


def test_sandboxes_are_independent() -> None:
    with argyle.Sandbox() as one, argyle.Sandbox() as other:
        one.client().users.create()
        assert (one.state()["users"], other.state()["users"]) == (1, 0)


def test_stops_once_nothing_refers_to_it() -> None:
    sandbox = argyle.Sandbox()
    url = sandbox.url
    gone = weakref.ref(sandbox)
    assert answers(url)
    del sandbox
    gc.collect()
    assert gone() is None
    assert not answers(url)


def test_is_used_by_objects_released_after_it() -> None:
    seen: list[str] = []

    def use(sandbox: argyle.Sandbox) -> Iterator[None]:
        try:
            yield
        finally:
            sandbox.stop()
            seen.append(sandbox.url)

    sandbox = argyle.Sandbox()
    user = use(sandbox)
    next(user)
    # In a cycle, Python closes the generator after the sandbox's server was released.
    sandbox.__dict__["user"] = user
    del sandbox, user
    gc.collect()
    assert seen == [""]


def test_key() -> None:
    secret = "canary-secret-91c4"
    with argyle.Sandbox(key_id="id", key_secret=secret) as sandbox:
        assert (sandbox.key_id, sandbox.key_secret) == ("id", secret)
        sandbox.client().users.create()
        assert secret not in repr(sandbox)
        with pytest.raises(argyle.AuthenticationError):
            argyle.Client("id", "other", base_url=sandbox.url).users.create()


def test_client_options() -> None:
    with argyle.Sandbox() as sandbox:
        sandbox.set_faults([{"kind": "error", "status": 503}])
        with pytest.raises(argyle.ServerError) as raised:
            sandbox.client(max_retries=0).users.create()
        assert raised.value.attempts == 1
        with pytest.raises(argyle.ArgumentError, match="timeout_ms"):
            sandbox.client(timeout_ms=-1)


def test_async_client(argyle_sandbox: argyle.Sandbox) -> None:
    async def create() -> str:
        async with argyle_sandbox.async_client(max_retries=0, max_in_flight=3) as client:
            return (await client.users.create()).id

    created = asyncio.run(create())
    assert [created] == [user.id for user in argyle_sandbox.client().users]


def test_database(tmp_path: Path) -> None:
    with argyle.Sandbox(database=tmp_path / "users.sqlite") as sandbox:
        user = sandbox.client().users.create()
    with argyle.Sandbox(database=tmp_path / "users.sqlite") as sandbox:
        assert sandbox.client().users.get(user.id).id == user.id


def test_https(tmp_path: Path) -> None:
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=sandbox"),
            *("-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate),
        ],
        check=True,
        capture_output=True,
    )
    with argyle.Sandbox(certificate=certificate, certificate_key=key) as sandbox:
        assert sandbox.url.startswith("https://")
        assert sandbox.seed(3) == 3
        assert len(list(sandbox.client(ca_file=certificate).users)) == 3
        with pytest.raises(argyle.TLSError):
            sandbox.client(max_retries=0).users.list()
        # Control requests use HTTPS, but do not verify the certificate of this same process.
        assert ssl.get_server_certificate(("127.0.0.1", int(sandbox.url.rpartition(":")[2])))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"port": 70000}, "port must be between 0 and 65535, got 70000"),
        ({"prot": 1}, "prot"),
        ({"timeout": "soon"}, "timeout"),
        ({"database": "/proc/absent/users.sqlite"}, "/proc/absent/users.sqlite"),
    ],
)
def test_wrong_options(options: dict[str, object], message: str) -> None:
    with pytest.raises(argyle.SandboxError, match=message) as raised:
        argyle.Sandbox(**options)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    assert raised.value.code == "sandbox"
    assert isinstance(raised.value, argyle.Error)


def test_options_that_are_not_json() -> None:
    with pytest.raises((argyle.Error, TypeError)):
        argyle.Sandbox(port=object())  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def test_port_in_use() -> None:
    with argyle.Sandbox() as sandbox, pytest.raises(argyle.SandboxError, match="port"):
        argyle.Sandbox(port=int(sandbox.url.rpartition(":")[2]))


def test_faults(argyle_sandbox: argyle.Sandbox) -> None:
    client = argyle_sandbox.client(max_retries=0)
    argyle_sandbox.set_faults([{"kind": "rate_limit", "retry_after": 7, "count": 1}])
    argyle_sandbox.add_fault({"kind": "error", "status": 502, "count": 1})
    with pytest.raises(argyle.RateLimitedError) as raised:
        client.users.list()
    assert raised.value.retry_after == 7
    with pytest.raises(argyle.ServerError):
        client.users.list()
    argyle_sandbox.add_fault({"kind": "close", "when": "before"})
    assert len(argyle_sandbox.state()["faults"]) == 1
    argyle_sandbox.clear_faults()
    assert client.users.list().count == 0


def test_faults_from_the_start() -> None:
    faults: list[argyle.Fault] = [{"kind": "error", "status": 500, "method": "GET"}]
    with argyle.Sandbox(faults=faults) as sandbox:
        client = sandbox.client(max_retries=0)
        client.users.create()
        with pytest.raises(argyle.ServerError):
            client.users.list()


def test_seed_and_reset(argyle_sandbox: argyle.Sandbox) -> None:
    assert argyle_sandbox.seed(20, seed=3) == 20
    before = [user.id for user in argyle_sandbox.client().users]
    assert argyle_sandbox.seed(20, seed=3) == 0
    argyle_sandbox.set_clock(3600)
    argyle_sandbox.add_fault({"kind": "error"})
    argyle_sandbox.reset()
    state = argyle_sandbox.state()
    assert (state["users"], state["clock"]["offset_seconds"], state["faults"]) == (0, 0, [])
    argyle_sandbox.seed(20, seed=3)
    assert [user.id for user in argyle_sandbox.client().users] == before
    argyle_sandbox.seed(20, seed=4)
    assert argyle_sandbox.state()["users"] == 40


def test_clock(argyle_sandbox: argyle.Sandbox) -> None:
    client = argyle_sandbox.client()
    user = client.users.create().id
    expires = client.user_tokens.create(user).expires_at
    argyle_sandbox.set_clock(1_000_000)
    later = client.user_tokens.create(user).expires_at
    assert expires is not None
    assert later is not None
    assert 0 <= (later - expires).total_seconds() - 1_000_000 < 600


def test_connected(argyle_sandbox: argyle.Sandbox) -> None:
    client = argyle_sandbox.client()
    user = client.users.create().id
    argyle_sandbox.set_connected(user, employers=["employer"])
    argyle_sandbox.set_connected(user, data_providers=("one", "two"))
    shown = client.users.get(user)
    assert (shown.employers_connected, shown.data_providers_connected) == (["employer"], ["one", "two"])


def test_version_2(argyle_sandbox: argyle.Sandbox) -> None:
    """It has the same users, and the control sets what only version 2 has."""
    user = argyle_sandbox.client().users.create().id
    client = argyle_sandbox.client(api_version=2, max_retries=0)
    argyle_sandbox.set_connected(user, items=["item_123456789"])
    assert client.users.get(user).items_connected == ["item_123456789"]
    argyle_sandbox.set_connected(user, employers=["employer"])
    assert client.users.get(user).items_connected == ["item_123456789"]
    argyle_sandbox.set_connected(user, items=[])
    assert client.users.get(user).items_connected == []
    argyle_sandbox.add_fault({"kind": "error", "path": "/v2/users/{id}", "count": 1})
    assert client.users.list().results[0].id == argyle_sandbox.client().users.get(user).id == user
    with pytest.raises(argyle.ServerError, match="500"):
        client.users.get(user)
    assert client.users.get(user).employers_connected == ["employer"]


@pytest.mark.parametrize("name", ["employers", "data_providers", "items"])
def test_a_string_is_not_a_list_of_strings(argyle_sandbox: argyle.Sandbox, name: str) -> None:
    client = argyle_sandbox.client(api_version=2 if name == "items" else 1)
    user = client.users.create().id
    before = client.users.get(user)
    values: list[Any] = ["acme", b"acme", 1, [1], [None]]
    for value in values:
        with pytest.raises(argyle.ArgumentError, match=f"^{name} must be an iterable of str, "):
            argyle_sandbox.set_connected(user, **{name: value})
    assert client.users.get(user) == before
    assert getattr(before, f"{name}_connected") == []
    argyle_sandbox.set_connected(user, **{name: (text for text in ("Жду", "b"))})
    assert getattr(client.users.get(user), f"{name}_connected") == ["Жду", "b"]


def test_control_errors(argyle_sandbox: argyle.Sandbox) -> None:
    with pytest.raises(argyle.SandboxError, match=r"400.*'kind' must be one of"):
        argyle_sandbox.add_fault({"kind": "wrong"})  # type: ignore[typeddict-item]  # pyright: ignore[reportArgumentType]
    with pytest.raises(argyle.SandboxError, match="404"):
        argyle_sandbox.set_connected("../faults", employers=[])
    argyle_sandbox.stop()
    with pytest.raises(argyle.SandboxError, match="does not respond"):
        argyle_sandbox.state()


def test_uses_no_proxy(argyle_sandbox: argyle.Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    assert argyle_sandbox.seed(1) == 1


@pytest.mark.parametrize("end", ["", "sys.exit(0)", "del sandbox", "sandbox.stop()", "os.fork() or sys.exit(0)"])
def test_process_exit(end: str, tmp_path: Path) -> None:
    program = f"""
import os, sys, argyle
sandbox = argyle.Sandbox(database="users.sqlite")
client = sandbox.client()
client.users.create()
if {end!r}.startswith("os.fork"):
    if os.fork() == 0:
        sys.exit(0)
    assert os.wait()[1] == 0
    # The child has ended its copy, and not this one.
    client.users.create()
else:
    {end or "pass"}
"""
    result = subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", program],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
    # The database was closed: SQLite left no journal.
    assert [path.name for path in tmp_path.iterdir()] == ["users.sqlite"]


@pytest.mark.parametrize("user_id", [5, None, "\ud800"])
def test_user_id_that_is_not_a_string(argyle_sandbox: argyle.Sandbox, user_id: Any) -> None:
    """It is rejected as by a client."""
    with pytest.raises(argyle.ArgumentError, match="user_id must"):
        argyle_sandbox.set_connected(user_id, employers=["acme"])

"""HTTPS with a certificate and its key."""

from __future__ import annotations

import http.client
import json
import signal
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Optional

import pytest
from conftest import PATIENCE, Clock, Sandbox, basic, is_readable, run


def openssl(*arguments: object) -> None:
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)


def make_certificate(folder: Path, *key: str) -> tuple[Path, Path]:
    certificate, private = folder / "certificate.pem", folder / "key.pem"
    openssl("req", "-x509", "-nodes", "-days", 2, "-newkey", *key, "-keyout", private,
            "-out", certificate, "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1")
    return certificate, private


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return make_certificate(
        tmp_path_factory.mktemp("tls"), "ec", "-pkeyopt", "ec_paramgen_curve:P-256")


class SecureSandbox(Sandbox):
    def __init__(self, files: tuple[Path, Path], *arguments: str, clock: Optional[Clock] = None) -> None:
        self.context = ssl.create_default_context(cafile=str(files[0]))
        super().__init__("--port", "0", "--certificate", str(files[0]),
                         "--certificate-key", str(files[1]), *arguments, clock=clock)

    def connect(self) -> http.client.HTTPSConnection:
        return http.client.HTTPSConnection(
            "127.0.0.1", self.port, timeout=PATIENCE, context=self.context)

    def socket(self) -> ssl.SSLSocket:
        plain = socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE)
        return self.context.wrap_socket(plain, server_hostname="127.0.0.1")


@pytest.fixture
def secure(files: tuple[Path, Path]) -> Iterator[SecureSandbox]:
    sandbox = SecureSandbox(files)
    yield sandbox
    sandbox.stop_unless_ended()


def test_url(secure: SecureSandbox) -> None:
    assert secure.lines[-1] == f"argyle-sandbox listening on https://127.0.0.1:{secure.port}"


def test_all_operations(secure: SecureSandbox) -> None:
    user = secure.create(b'{"a":1}')
    secure.create()
    assert secure.send("GET", f"/v1/users/{user}").json["external_metadata"] == {"a": 1}
    assert secure.send("PATCH", f"/v1/users/{user}", b'{"external_metadata":2}').status == 200
    token = secure.send("POST", "/v1/user-tokens", json.dumps({"user": user}).encode())
    assert token.status == 201
    page = secure.send("GET", "/v1/users?limit=1").json
    assert page["next"] == f"https://127.0.0.1:{secure.port}/v1/users?limit=1&offset=1"
    assert secure.send("DELETE", f"/v1/users/{user}").status == 204
    assert secure.send("GET", "/v1/users", authorization=None).status == 401


def test_connection_is_kept(secure: SecureSandbox) -> None:
    connection = secure.connect()
    for _ in range(20):
        assert secure.send("POST", "/v1/users", connection=connection).status == 201
    assert secure.send("GET", "/v1/users", connection=connection).json["count"] == 20


def test_large_bodies(secure: SecureSandbox) -> None:
    metadata = b'"' + b"x" * 1_000_000 + b'"'
    user = secure.create(metadata)
    assert metadata in secure.send("GET", f"/v1/users/{user}").body
    assert secure.send("POST", "/v1/users", b" " * (17 << 20)).status == 413


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_versions(secure: SecureSandbox, version: ssl.TLSVersion) -> None:
    secure.context.minimum_version = secure.context.maximum_version = version
    with secure.socket() as connection:
        assert connection.version() == version.name.replace("_", ".")
    assert secure.send("GET", "/v1/users").status == 200


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
def test_unsupported_versions(secure: SecureSandbox, version: ssl.TLSVersion) -> None:
    context = ssl.create_default_context(cafile=None)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = context.maximum_version = version
    with socket.create_connection(("127.0.0.1", secure.port), timeout=PATIENCE) as plain:
        with pytest.raises((ssl.SSLError, ConnectionError)):
            context.wrap_socket(plain)
    assert secure.send("GET", "/v1/users").status == 200


def test_client_that_does_not_trust_it(secure: SecureSandbox) -> None:
    with socket.create_connection(("127.0.0.1", secure.port), timeout=PATIENCE) as plain:
        with pytest.raises(ssl.SSLCertVerificationError):
            ssl.create_default_context().wrap_socket(plain, server_hostname="127.0.0.1")
    assert secure.send("GET", "/v1/users").status == 200


@pytest.mark.parametrize(
    "data",
    [b"", b"GET /v1/users HTTP/1.1\r\nHost: x\r\n\r\n", b"\x00" * 1000,
     b"\x16\x03\x01\xff\xff" + b"x" * 70000, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"],
    ids=["nothing", "http", "zeros", "large", "part"])
def test_data_that_is_not_tls(secure: SecureSandbox, data: bytes) -> None:
    assert not secure.raw(data).startswith(b"HTTP/")
    assert secure.send("GET", "/v1/users").status == 200


def test_https_request_to_an_http_sandbox(sandbox: Sandbox) -> None:
    context = ssl.create_default_context()
    with socket.create_connection(("127.0.0.1", sandbox.port), timeout=PATIENCE) as plain:
        with pytest.raises((ssl.SSLError, ConnectionError)):
            context.wrap_socket(plain, server_hostname="127.0.0.1")
    assert sandbox.send("GET", "/v1/users").status == 200


@pytest.mark.parametrize("rule, error", [
    ({"kind": "body", "body": "cut"}, (http.client.IncompleteRead, ssl.SSLError)),
    ({"kind": "close", "when": "after"},
     (http.client.RemoteDisconnected, ConnectionResetError, ssl.SSLError)),
])
def test_faults(secure: SecureSandbox, rule: Any, error: Any) -> None:
    secure.faithful = False
    assert secure.send("POST", "/_sandbox/faults", json.dumps(rule).encode()).status == 200
    with pytest.raises(error):
        secure.send("POST", "/v1/users", connection=secure.connect())
    assert secure.send("GET", "/_sandbox", connection=secure.connect()).json["users"] == 1


def test_delay(secure: SecureSandbox) -> None:
    secure.faithful = False
    rule = {"kind": "delay", "milliseconds": 600_000, "method": "POST"}
    assert secure.send("POST", "/_sandbox/faults", json.dumps(rule).encode()).status == 200
    waiting = [secure.socket() for _ in range(5)]
    for connection in waiting:
        connection.sendall(
            f"POST /v1/users HTTP/1.1\r\nHost: x\r\nAuthorization: {basic()}\r\n\r\n".encode())
    while secure.send("GET", "/_sandbox").json["users"] < 5:
        pass
    secure.signal(signal.SIGTERM)
    for connection in waiting:
        assert connection.recv(65536).startswith(b"HTTP/1.1 201 ")
        connection.close()
    assert secure.wait() == 0


def test_slow_handshake(files: tuple[Path, Path], clock: Clock) -> None:
    sandbox = SecureSandbox(files, "--timeout", "1", clock=clock)
    with socket.create_connection(("127.0.0.1", sandbox.port), timeout=PATIENCE) as silent, \
            socket.create_connection(("127.0.0.1", sandbox.port), timeout=PATIENCE) as begun:
        begun.sendall(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")
        for connection in (silent, begun):
            while not is_readable(connection, 0.005):
                clock.advance(0.05)
            try:
                assert not connection.recv(1000).startswith(b"HTTP/")
            except ConnectionResetError:
                pass
    assert sandbox.send("GET", "/v1/users").status == 200
    sandbox.stop()


def test_many_clients(secure: SecureSandbox) -> None:
    failures: list[BaseException] = []

    def work() -> None:
        try:
            connection = secure.connect()
            for _ in range(10):
                assert secure.send("POST", "/v1/users", connection=connection).status == 201
            connection.close()
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert not failures
    assert secure.send("GET", "/v1/users").json["count"] == 200


def test_rsa_key_and_curl(tmp_path: Path) -> None:
    certificate, key = make_certificate(tmp_path, "rsa:2048")
    sandbox = SecureSandbox((certificate, key))
    result = subprocess.run(
        ["curl", "--silent", "--show-error", "--cacert", str(certificate), "--noproxy", "*",
         f"https://127.0.0.1:{sandbox.port}/_sandbox/clock"], capture_output=True, check=True)
    assert json.loads(result.stdout)["offset_seconds"] == 0
    sandbox.stop()


UNUSABLE = "certificate and key cannot be used: both must be PEM, and the key must match the certificate"


def test_certificate_and_key_that_do_not_match(tmp_path: Path, files: tuple[Path, Path]) -> None:
    other = make_certificate(tmp_path, "ec", "-pkeyopt", "ec_paramgen_curve:P-256")
    for certificate, key in ((files[0], other[1]), (files[1], files[0])):
        result = run("--port", "0", "--certificate", str(certificate), "--certificate-key", str(key))
        assert (result.returncode, result.stdout) == (1, b"")
        assert result.stderr.decode() == f"argyle-sandbox: {UNUSABLE}\n"


@pytest.mark.parametrize(
    "content", [b"", b"nonsense", b"\x00" * 2000, b"\xff" * (3 << 20)],
    ids=["empty", "text", "zeros", "large"])
def test_files_that_are_not_pem(tmp_path: Path, files: tuple[Path, Path], content: bytes) -> None:
    bad = tmp_path / "bad.pem"
    bad.write_bytes(content)
    for certificate, key in ((bad, files[1]), (files[0], bad), (bad, bad)):
        database = tmp_path / "state.sqlite"
        result = run("--port", "0", "--certificate", str(certificate), "--certificate-key", str(key),
                     "--database", str(database))
        assert (result.returncode, result.stdout) == (1, b"")
        assert result.stderr.decode() == f"argyle-sandbox: {UNUSABLE}\n"
        assert not database.exists()


def test_missing_files(tmp_path: Path, files: tuple[Path, Path]) -> None:
    missing = tmp_path / "none.pem"
    for certificate, key, role in (
            (missing, files[1], "certificate"), (files[0], missing, "certificate key")):
        result = run("--port", "0", "--certificate", str(certificate), "--certificate-key", str(key))
        assert (result.returncode, result.stdout) == (1, b"")
        assert result.stderr.decode() == (
            f"argyle-sandbox: {role} '{missing}': No such file or directory\n")
    result = run("--port", "0", "--certificate", str(tmp_path), "--certificate-key", str(files[1]))
    assert (result.returncode, result.stdout) == (1, b"")
    assert result.stderr.decode().startswith(f"argyle-sandbox: certificate '{tmp_path}' ")


@pytest.mark.parametrize("option", ["--certificate", "--certificate-key"])
def test_certificate_or_key_alone(files: tuple[Path, Path], option: str) -> None:
    result = run("--port", "0", option, str(files[0]))
    assert (result.returncode, result.stdout) == (2, b"")
    assert result.stderr.decode() == (
        "argyle-sandbox: HTTPS needs both a certificate and its key; try 'argyle-sandbox --help'\n")

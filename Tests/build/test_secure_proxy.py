"""Unsolicited input from a server behind an HTTPS proxy: its TLS is nested in the proxy's."""

from __future__ import annotations

import json
import socket
import ssl
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from conftest import CLIENT, ROOT, Prefix, make_certificate, succeed

CALLS = 5
# A response to no request.
STRAY = b'HTTP/1.1 201 Created\r\nContent-Length: 26\r\n\r\n{"id":"stray","token":"t"}'

# libcurl verifies a proxy with the system's certificate authorities; this sets the test's instead.
TRUST = r"""
#include <curl/curl.h>
#include <dlfcn.h>
#include <stdarg.h>
#include <stdlib.h>
#undef curl_easy_setopt

CURLcode curl_easy_setopt(CURL *easy, CURLoption option, ...) {
  CURLcode (*set)(CURL *, CURLoption, ...);
  *(void **)&set = dlsym(dlopen("libcurl.so.4", RTLD_LAZY), "curl_easy_setopt");
  va_list arguments;
  va_start(arguments, option);
  void *value = va_arg(arguments, void *);
  va_end(arguments);
  if (option == CURLOPT_PROXY) set(easy, CURLOPT_PROXY_CAINFO, getenv("PROXY_AUTHORITY"));
  return set(easy, option, value);
}
"""

PROGRAM = f"""
import os, argyle
options = dict(ca_file=os.environ["PROXY_AUTHORITY"], proxy=os.environ["PROXY"], max_retries=0)
with argyle.Client("id", "secret", base_url="https://127.0.0.1:9", **options) as client:
    print(*[client.users.create().id for _ in range({CALLS})])
"""


def read_head(read: Callable[[int], bytes]) -> None:
    """Reads a request without a body."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        piece = read(1)
        if not piece:
            raise EOFError
        head += piece


class Inner:
    """A server's TLS, nested in the TLS of a proxy."""

    def __init__(self, outer: ssl.SSLSocket, context: ssl.SSLContext) -> None:
        self.outer = outer
        self.input, self.output = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.input, self.output, server_side=True)

    def flush(self) -> None:
        """Sends everything that was written, in one record of the outer TLS."""
        if self.output.pending:
            self.outer.sendall(self.output.read())

    def fill(self) -> None:
        """Reads more from the client."""
        self.flush()
        data = self.outer.recv(65536)
        if not data:
            raise EOFError
        self.input.write(data)

    def handshake(self) -> None:
        """Performs the TLS handshake."""
        while True:
            try:
                self.tls.do_handshake()
                return self.flush()
            except ssl.SSLWantReadError:
                self.fill()

    def read(self, size: int) -> bytes:
        """Reads at most `size` bytes; returns none at the end."""
        while True:
            try:
                return self.tls.read(size)
            except ssl.SSLWantReadError:
                self.fill()


class Proxy:
    """A proxy that is also the server behind it. It numbers the users, and sends a stray response after each."""

    def __init__(self, folder: Path) -> None:
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(folder / "certificate.pem", folder / "key.pem")
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"https://127.0.0.1:{self.listener.getsockname()[1]}"
        self.connections = 0
        self.created = 0
        self.thread = threading.Thread(target=self.accept)

    def accept(self) -> None:
        """Serves connections one at a time until the listener is shut down."""
        with suppress(OSError):
            while True:
                client, _ = self.listener.accept()
                self.connections += 1
                with suppress(OSError, EOFError):
                    self.serve(self.context.wrap_socket(client, server_side=True))

    def serve(self, client: ssl.SSLSocket) -> None:
        """Serves a connection."""
        read_head(client.recv)
        client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        inner = Inner(client, self.context)
        inner.handshake()
        with client:
            while True:
                read_head(inner.read)
                body = json.dumps({"id": f"u{self.created}", "token": "t"}).encode()
                self.created += 1
                inner.tls.write(b"HTTP/1.1 201 Created\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
                # Its own record of the inner TLS, in the same outer record as the response.
                inner.tls.write(STRAY)
                inner.flush()


@pytest.fixture
def proxy(tmp_path: Path) -> Proxy:
    """A proxy whose certificate is in the test's folder."""
    make_certificate(tmp_path)
    return Proxy(tmp_path)


def test_stray_response_does_not_reach_another_call(proxy: Proxy, prefix: Prefix, tmp_path: Path) -> None:
    source, trust = tmp_path / "trust.c", tmp_path / "trust.so"
    source.write_text(TRUST)
    flags = succeed(["pkg-config", "--cflags", "libcurl"]).split()
    succeed(["cc", "-shared", "-fPIC", source, *flags, "-ldl", "-o", trust])
    variables = {
        "LD_PRELOAD": str(trust),
        "PROXY": proxy.url,
        "PROXY_AUTHORITY": str(tmp_path / "certificate.pem"),
        "ARGYLE_LIBRARY": str(prefix.file(CLIENT)),
        "PYTHONPATH": str(ROOT / "bindings" / "python" / "src"),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    proxy.thread.start()
    try:
        output = succeed([sys.executable, "-c", PROGRAM], variables)
    finally:
        proxy.listener.shutdown(socket.SHUT_RDWR)
        proxy.thread.join()
        proxy.listener.close()
    assert output.split() == [f"u{number}" for number in range(CALLS)]
    # No connection is reused, because the nested TLS cannot be checked for unsolicited input.
    assert (proxy.created, proxy.connections) == (CALLS, CALLS)

"""The in-process sandbox: a server for tests that behaves as Argyle does."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING, Any, Iterable, Literal, Optional, TypedDict, TypeVar
from urllib.parse import quote

from . import _abi, errors
from ._json import dumps, loads
from ._options import Options, Path, Unpack, native_options
from .async_client import AsyncClient
from .client import Client

if TYPE_CHECKING:
    from http.client import HTTPConnection

#: Sandbox or a subclass.
Kind = TypeVar("Kind", bound="Sandbox")

__all__ = ["Fault", "Sandbox", "SandboxOptions"]


class _Kind(TypedDict):
    kind: Literal["rate_limit", "error", "body", "delay", "close"]


class Fault(_Kind, total=False):
    """A failure for the sandbox to simulate; the README lists the fields of each kind."""

    #: Match only requests with this method.
    method: Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
    #: Match only requests with this path.
    path: Literal["/v1/users", "/v1/users/{id}", "/v1/user-tokens", "/v2/users", "/v2/users/{id}", "/v2/user-tokens"]
    #: The number of requests to affect; default: all.
    count: int
    #: The probability of affecting a request.
    probability: float
    #: Makes the sequence of affected requests reproducible.
    seed: int
    #: For ``error``: the status, 400 to 599; default 500.
    status: int
    #: The response body to send instead of the usual one.
    body: Literal["json", "not_json", "html", "empty", "cut", "array"]
    #: For ``rate_limit``: the ``Retry-After``, in seconds.
    retry_after: int
    #: For ``rate_limit``: whether to send ``Retry-After`` as a date.
    retry_after_date: bool
    #: For ``delay``: the delay.
    milliseconds: int
    #: For ``close``: whether to close the connection before or after carrying out the request.
    when: Literal["before", "after"]


class SandboxOptions(TypedDict, total=False):
    """The options of a sandbox; argyle-sandbox.h documents each in full."""

    #: The port on 127.0.0.1; default: any free port.
    port: int
    #: An SQLite file to store users in; default: in memory.
    database: Path
    #: An API key to treat as one of the other environment.
    other_key_id: str
    other_key_secret: str
    #: Initial faults.
    faults: list[Fault]
    #: Timeout for a client to start a request, to send it, and to receive the response, each, in seconds; default 30.
    timeout: int
    #: A file to append a line of JSON to for each request.
    log: Path
    #: PEM files of a certificate and its key, to serve HTTPS instead of HTTP.
    certificate: Path
    certificate_key: Path


class Sandbox:
    """A server on 127.0.0.1 that behaves as Argyle does, with threads in this process and its own users.

    ::

        with argyle.Sandbox() as sandbox, sandbox.client() as client:
            client.users.create()
    """

    def __init__(
        self,
        *,
        key_id: str = "sandbox-key-id",
        key_secret: str = "sandbox-key-secret",
        **options: Unpack[SandboxOptions],
    ) -> None:
        """Start a sandbox that accepts an API key; it serves requests once this returns.

        Raises SandboxError if an option is invalid or the server cannot be started.
        """
        #: The API key that the sandbox accepts.
        self.key_id = key_id
        self.key_secret = key_secret
        self._owner = _abi.SandboxOwner({"key_id": key_id, "key_secret": key_secret, **native_options(options)})

    @property
    def url(self) -> str:
        """The server's URL, such as ``http://127.0.0.1:40123``."""
        return self._owner.url

    def client(self, **options: Unpack[Options]) -> Client:
        """Create a client for the sandbox."""
        options.setdefault("base_url", self.url)
        return Client(self.key_id, self.key_secret, **options)

    def async_client(self, *, max_in_flight: int = 50, **options: Unpack[Options]) -> AsyncClient:
        """Create an asynchronous client for the sandbox."""
        options.setdefault("base_url", self.url)
        return AsyncClient(self.key_id, self.key_secret, max_in_flight=max_in_flight, **options)

    def stop(self) -> None:
        """Stop the server; requests in flight have about five seconds to finish. Stopping it again does nothing."""
        self._owner.stop()

    def __enter__(self: Kind) -> Kind:
        """Return the sandbox; the end of the block stops it."""
        return self

    def __exit__(
        self,
        kind: Optional[type[BaseException]],
        exception: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        """Stop the sandbox."""
        self.stop()

    def __repr__(self) -> str:
        """Return the URL."""
        return f"Sandbox({self.url!r})"

    # ---------------------------------------------------------------- Control

    def state(self) -> dict[str, Any]:
        """Return the version, the number of users, the clock and the faults."""
        return self._control("GET", "")  # type: ignore[no-any-return]

    def reset(self) -> None:
        """Remove all users and faults, and reset the clock."""
        self._control("DELETE", "")

    def seed(self, count: int, seed: int = 0) -> int:
        """Add the first ``count`` users of a seed, always the same; returns how many did not exist yet."""
        return self._control("POST", "/users", {"count": count, "seed": seed})["created"]  # type: ignore[no-any-return]

    def set_faults(self, faults: Iterable[Fault]) -> None:
        """Replace the faults."""
        self._control("PUT", "/faults", list(faults))

    def add_fault(self, fault: Fault) -> None:
        """Add a fault."""
        self._control("POST", "/faults", fault)

    def clear_faults(self) -> None:
        """Remove all faults, and end delays in progress."""
        self._control("DELETE", "/faults")

    def set_clock(self, offset_seconds: int) -> None:
        """Set the sandbox's clock to the current time plus an offset, so that tokens expire."""
        self._control("PUT", "/clock", {"offset_seconds": offset_seconds})

    def set_connected(
        self,
        user_id: str,
        *,
        employers: Optional[Iterable[str]] = None,
        data_providers: Optional[Iterable[str]] = None,
        items: Optional[Iterable[str]] = None,
    ) -> None:
        """Set a user's connected employers, data providers and, in v2, items; None leaves them unchanged."""
        given = {"employers": employers, "data_providers": data_providers, "items": items}
        values = {f"{name}_connected": _string_list(name, value) for name, value in given.items() if value is not None}
        self._control("PATCH", f"/users/{quote(_abi.text_argument('user_id', user_id), safe='')}", values)

    def _control(self, method: str, path: str, value: Any = None) -> Any:
        """Make a control request, which needs no API key."""
        from http.client import HTTPException

        body = None if value is None else dumps(value)
        connection = _connection(self.url)
        try:
            connection.request(method, f"/_sandbox{path}", body, {"Content-Type": "application/json"})
            response = connection.getresponse()
            text = response.read().decode()
        except (OSError, HTTPException) as failure:
            raise errors.SandboxError(f"the sandbox does not respond: {failure}") from failure
        finally:
            connection.close()
        if response.status >= 400:
            raise errors.SandboxError(f"{method} /_sandbox{path} failed with status {response.status}: {text}")
        return loads(text) if text else None


def _string_list(name: str, value: object) -> list[str]:
    """Convert an iterable of str to a list; rejects a str, which is an iterable of its characters."""
    texts = list(value) if isinstance(value, Iterable) and not isinstance(value, str) else None
    if texts is None or not all(isinstance(text, str) for text in texts):
        raise errors.ArgumentError(f"{name} must be an iterable of str, but not a str itself")
    return texts


def _connection(url: str) -> HTTPConnection:
    from http.client import HTTPConnection, HTTPSConnection

    scheme, _, host = url.partition("://")
    if scheme == "http":
        return HTTPConnection(host, timeout=60)
    import ssl

    # Any certificate is fine: the server is in this process.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return HTTPSConnection(host, timeout=60, context=context)

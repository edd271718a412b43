"""The sandbox in this process: a server that answers as Argyle does, for tests."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING, Any, Iterable, Literal, Optional, TypedDict, TypeVar
from urllib.parse import quote

from . import _abi, errors
from ._json import dumps, loads
from ._options import Options, Path, Unpack, options as plain_options
from .async_client import AsyncClient
from .client import Client

if TYPE_CHECKING:
    from http.client import HTTPConnection

#: A sandbox's own class, which may be a subclass.
Kind = TypeVar("Kind", bound="Sandbox")

__all__ = ["Fault", "Sandbox", "SandboxOptions"]


class _Kind(TypedDict):
    kind: Literal["rate_limit", "error", "body", "delay", "close"]


class Fault(_Kind, total=False):
    """What the sandbox is to do wrong; the README says what each kind takes."""

    #: What it strikes.
    method: Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
    path: Literal["/v1/users", "/v1/users/{id}", "/v1/user-tokens"]
    #: How many requests it strikes; default: all.
    count: int
    #: The chance that it strikes, which the seed makes the same every time.
    probability: float
    seed: int
    #: Of the kind ``error``: 400 to 599, default 500.
    status: int
    #: What is answered in place of the usual body.
    body: Literal["json", "not_json", "html", "empty", "cut", "array"]
    #: Of the kind ``rate_limit``: the seconds to wait, and whether they are told as a date.
    retry_after: int
    retry_after_date: bool
    #: Of the kind ``delay``.
    milliseconds: int
    #: Of the kind ``close``: before or after the request is carried out.
    when: Literal["before", "after"]


class SandboxOptions(TypedDict, total=False):
    """The options of a sandbox; the C library has the defaults, and documents each in argyle-sandbox.h."""

    #: The port on 127.0.0.1; default: any free one.
    port: int
    #: The SQLite file that keeps the users; default: in memory.
    database: Path
    #: A key of the other environment, which is answered as such.
    other_key_id: str
    other_key_secret: str
    #: Faults from the start.
    faults: list[Fault]
    #: The seconds that a client has to begin a request, to send it, and to take its answer, each; default 30.
    timeout: int
    #: A file to which a line of JSON is added for each request.
    log: Path
    #: PEM files with which HTTPS is served in place of HTTP.
    certificate: Path
    certificate_key: Path


class Sandbox:
    """A server on 127.0.0.1 that answers as Argyle does, in threads of this process and with state of its own.

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
        """Start a sandbox that accepts an API key; it answers from now on.

        SandboxError says which option is wrong, or why else it cannot be started.
        """
        #: The API key that it accepts.
        self.key_id = key_id
        self.key_secret = key_secret
        self._owner = _abi.SandboxOwner({"key_id": key_id, "key_secret": key_secret, **plain_options(options)})

    @property
    def url(self) -> str:
        """Where it is reached, such as ``http://127.0.0.1:40123``."""
        return self._owner.url

    def client(self, **options: Unpack[Options]) -> Client:
        """Make a client for it."""
        options.setdefault("base_url", self.url)
        return Client(self.key_id, self.key_secret, **options)

    def async_client(self, *, max_in_flight: int = 50, **options: Unpack[Options]) -> AsyncClient:
        """Make an asynchronous client for it."""
        options.setdefault("base_url", self.url)
        return AsyncClient(self.key_id, self.key_secret, max_in_flight=max_in_flight, **options)

    def stop(self) -> None:
        """Stop it: requests in flight have some five seconds to end. Stopping again does nothing."""
        self._owner.stop()

    def __enter__(self: Kind) -> Kind:
        """Give the sandbox, which the end of the block stops."""
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
        """Show where it is reached."""
        return f"Sandbox({self.url!r})"

    # ---------------------------------------------------------------- Control

    def state(self) -> dict[str, Any]:
        """Tell the version, the number of users, the clock and the faults."""
        return self._control("GET", "")  # type: ignore[no-any-return]

    def reset(self) -> None:
        """Start anew: no users, no faults, the clock right."""
        self._control("DELETE", "")

    def seed(self, count: int, seed: int = 0) -> int:
        """Add the first users of a seed, the same every time, and tell how many were not there yet."""
        return self._control("POST", "/users", {"count": count, "seed": seed})["created"]  # type: ignore[no-any-return]

    def set_faults(self, faults: Iterable[Fault]) -> None:
        """Replace the faults."""
        self._control("PUT", "/faults", list(faults))

    def add_fault(self, fault: Fault) -> None:
        """Add a fault to those that there are."""
        self._control("POST", "/faults", fault)

    def clear_faults(self) -> None:
        """Remove the faults, and end the delays that have begun."""
        self._control("DELETE", "/faults")

    def set_clock(self, offset_seconds: int) -> None:
        """Move its clock, counted from the right time, so that tokens expire."""
        self._control("PUT", "/clock", {"offset_seconds": offset_seconds})

    def set_connected(
        self,
        user_id: str,
        *,
        employers: Optional[Iterable[str]] = None,
        data_providers: Optional[Iterable[str]] = None,
    ) -> None:
        """Set what a user has connected; None leaves it as it is."""
        given = {"employers": employers, "data_providers": data_providers}
        values = {f"{name}_connected": _texts(name, value) for name, value in given.items() if value is not None}
        self._control("PATCH", f"/users/{quote(_abi.text_argument('user_id', user_id), safe='')}", values)

    def _control(self, method: str, path: str, value: Any = None) -> Any:
        """Make a request of the control interface, which wants no key."""
        from http.client import HTTPException

        body = None if value is None else dumps(value)
        connection = _connection(self.url)
        try:
            connection.request(method, f"/_sandbox{path}", body, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            text = answer.read().decode()
        except (OSError, HTTPException) as failure:
            raise errors.SandboxError(f"the sandbox does not answer: {failure}") from failure
        finally:
            connection.close()
        if answer.status >= 400:
            raise errors.SandboxError(f"{method} /_sandbox{path} was answered {answer.status}: {text}")
        return loads(text) if text else None


def _texts(name: str, value: object) -> list[str]:
    """Give several texts as a list: one text would pass for those of its characters."""
    texts = list(value) if isinstance(value, Iterable) and not isinstance(value, str) else None
    if texts is None or not all(isinstance(text, str) for text in texts):
        raise errors.ArgumentError(f"{name} must be an iterable of str, and not a str itself")
    return texts


def _connection(url: str) -> HTTPConnection:
    from http.client import HTTPConnection, HTTPSConnection

    scheme, _, host = url.partition("://")
    if scheme == "http":
        return HTTPConnection(host, timeout=60)
    import ssl

    # Its certificate may be anybody's: it is this process that answers.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return HTTPSConnection(host, timeout=60, context=context)

"""The exceptions, all subclasses of :class:`Error`."""

from __future__ import annotations

import builtins
from typing import Any, Optional

__all__ = [
    "ArgumentError",
    "AuthenticationError",
    "CancelledError",
    "ConflictError",
    "ConnectionError",
    "Error",
    "ForkedError",
    "InternalError",
    "InvalidRequestError",
    "LibraryError",
    "NotFoundError",
    "PermissionDeniedError",
    "ProtocolError",
    "RateLimitedError",
    "RedirectError",
    "ResponseTooLargeError",
    "SandboxError",
    "ServerError",
    "StatusError",
    "TLSError",
    "TimeoutError",
]


class Error(Exception):
    """Base class of all exceptions of this package.

    Status, trace id, body and ``retry_after`` come from the response to the last attempt. The message contains neither
    the API key's secret nor user tokens.
    """

    #: The error code's name, the same in every language, such as ``"not_found"``.
    code: str = "internal"
    #: The HTTP status; None without a complete response.
    status: Optional[int] = None
    #: The response's X-Trace-Id, with which Argyle's support can find the request.
    trace_id: Optional[str] = None
    #: The raw response body, which may contain personal data.
    body_bytes: Optional[bytes] = None
    #: The number of attempts.
    attempts: int = 0
    #: The delay that the service requested, in seconds; None if it requested none.
    retry_after: Optional[float] = None
    #: Whether the call may succeed later and is safe to retry.
    is_retryable: bool = False
    #: Whether the service may have carried out the request although the call failed.
    outcome_unknown: bool = False

    def __init__(self, *args: object) -> None:
        """Create an error with a message."""
        super().__init__(*args)

    @property
    def body(self) -> Any:
        """The response body as JSON; None if there is none or it is not JSON."""
        from ._json import loads

        if self.body_bytes is None:
            return None
        try:
            return loads(self.body_bytes)
        except ValueError:
            return None


class ArgumentError(Error, ValueError):
    """An argument is invalid, or the object cannot be used; nothing was sent."""

    code = "argument"


class ConnectionError(Error, builtins.ConnectionError):
    """The host could not be reached, or the connection was lost."""

    code = "connection"


class TLSError(ConnectionError):
    """No secure connection could be established: certificate, host name or protocol version."""

    code = "tls"


class TimeoutError(Error, builtins.TimeoutError):
    """A timeout or deadline expired; the message says which."""

    code = "timeout"


class ProtocolError(Error):
    """The response is not valid HTTP, not JSON, or not the expected JSON."""

    code = "protocol"


class ResponseTooLargeError(Error):
    """The response is larger than allowed, such as a decompressed body of more than ``max_response_bytes``."""

    code = "too_large"


class CancelledError(Error):
    """The caller cancelled the call."""

    code = "cancelled"


class ForkedError(Error):
    """The client or bulk run was created before ``fork()`` and belongs to the parent process."""

    code = "forked"


class InternalError(Error):
    """Out of memory or file descriptors, or a bug in the library."""


class LibraryError(Error, ImportError):
    """The C library cannot be loaded, or its version differs from the package's."""


class SandboxError(Error):
    """The sandbox could not be started, or rejected a control request."""

    code = "sandbox"


class StatusError(Error):
    """The response status is not a success."""


class AuthenticationError(StatusError):
    """401: the API key is wrong, or belongs to the other environment."""


class PermissionDeniedError(StatusError):
    """403: the API key may not do this."""


class NotFoundError(StatusError):
    """404: no such user."""


class InvalidRequestError(StatusError):
    """400 or 422: the service rejected the request as invalid."""


class ConflictError(StatusError):
    """409: a conflict."""


class RateLimitedError(StatusError):
    """429: too many requests; see :attr:`Error.retry_after`."""


class ServerError(StatusError):
    """5xx: a failure of the service."""


class RedirectError(StatusError):
    """3xx: redirects are not followed, because they would pass the API key on."""


#: The exception class for each code of the C library; :class:`Error` for unknown codes.
by_code: dict[int, type[Error]] = {
    1: ArgumentError,
    2: ConnectionError,
    3: TLSError,
    4: TimeoutError,
    5: ProtocolError,
    6: ResponseTooLargeError,
    7: AuthenticationError,
    8: PermissionDeniedError,
    9: NotFoundError,
    10: InvalidRequestError,
    11: ConflictError,
    12: RateLimitedError,
    13: ServerError,
    14: StatusError,
    15: RedirectError,
    16: ForkedError,
    17: InternalError,
    18: CancelledError,
}

"""What can go wrong, as a hierarchy of exceptions under :class:`Error`."""

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
    """A failure of this library, of the network or of the service.

    Status, trace id, body and ``retry_after`` are those of the answer to the last attempt. The message holds
    neither the API key's secret nor user tokens.
    """

    #: The code's name in the C library, such as ``"not_found"``.
    code: str = "internal"
    #: The HTTP status of the answer, or None where no whole answer came.
    status: Optional[int] = None
    #: The X-Trace-Id of the answer, by which Argyle's support can find the request.
    trace_id: Optional[str] = None
    #: The body of the answer as it was received: it may hold personal data.
    body_bytes: Optional[bytes] = None
    #: How many attempts were made.
    attempts: int = 0
    #: The seconds that the service asked to wait, or None where it said nothing.
    retry_after: Optional[float] = None
    #: Whether the same call may succeed later, and can be repeated without doing anything twice.
    is_retryable: bool = False
    #: Whether the service may have carried out what was asked, though no success was told.
    outcome_unknown: bool = False

    def __init__(self, *args: object) -> None:
        """Make an error of its message."""
        super().__init__(*args)

    @property
    def body(self) -> Any:
        """The body of the answer as JSON, or None where none came or it is no JSON."""
        from ._json import loads

        if self.body_bytes is None:
            return None
        try:
            return loads(self.body_bytes)
        except ValueError:
            return None


class ArgumentError(Error, ValueError):
    """The caller passed something that breaks a rule; nothing was sent."""

    code = "argument"


class ConnectionError(Error, builtins.ConnectionError):
    """The host could not be reached, or the connection was lost."""

    code = "connection"


class TLSError(ConnectionError):
    """No secure connection: certificate, host name or protocol version."""

    code = "tls"


class TimeoutError(Error, builtins.TimeoutError):
    """A time limit passed; the message names which."""

    code = "timeout"


class ProtocolError(Error):
    """The answer cannot be read: not HTTP, not JSON, or the wrong JSON."""

    code = "protocol"


class ResponseTooLargeError(Error):
    """The answer, decoded, is larger than ``max_response_bytes``."""

    code = "too_large"


class CancelledError(Error):
    """The caller ended the call."""

    code = "cancelled"


class ForkedError(Error):
    """The client or bulk run belongs to the parent process of this one."""

    code = "forked"


class InternalError(Error):
    """Memory or descriptors ran out, or a defect of the library."""


class LibraryError(Error, ImportError):
    """The C library cannot be loaded, or is of another version."""


class SandboxError(Error):
    """The sandbox cannot be started, or refused what it was told to do."""

    code = "sandbox"


class StatusError(Error):
    """The service answered with a status that is not a success."""


class AuthenticationError(StatusError):
    """401: the API key is wrong, or of the other environment."""


class PermissionDeniedError(StatusError):
    """403: the API key may not do this."""


class NotFoundError(StatusError):
    """404: there is no such user."""


class InvalidRequestError(StatusError):
    """400 or 422: the service refused what was sent."""


class ConflictError(StatusError):
    """409."""


class RateLimitedError(StatusError):
    """429: too many requests; see :attr:`Error.retry_after`."""


class ServerError(StatusError):
    """5xx: the service failed."""


class RedirectError(StatusError):
    """3xx: redirects are refused, for they would carry the key along."""


#: The exception of each of the C library's codes; an unknown one is an :class:`Error` itself.
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

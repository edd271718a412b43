"""Argyle's users and user tokens.

::

    with argyle.Client(key_id, key_secret) as client:
        created = client.users.create(external_metadata={"group": "A"})
        for user in client.users:
            print(user.id, user.created_at)

Each name is imported on first use.
"""

from __future__ import annotations

from ._version import __version__

# Not typing's, which takes longer to import than all the rest. jedi ignores what is under a literal False.
TYPE_CHECKING = bool()  # noqa: UP018
if TYPE_CHECKING:
    from . import calls
    from ._fields import Address, UserFields
    from ._options import Options
    from .async_client import AsyncClient, AsyncUserPages, AsyncUsers, AsyncUserTokens
    from .calls import BulkResult, Call
    from .client import Client, Users, UserTokens
    from .errors import (
        ArgumentError,
        AuthenticationError,
        CancelledError,
        ConflictError,
        ConnectionError,
        Error,
        ForkedError,
        InternalError,
        InvalidRequestError,
        LibraryError,
        NotFoundError,
        PermissionDeniedError,
        ProtocolError,
        RateLimitedError,
        RedirectError,
        ResponseTooLargeError,
        SandboxError,
        ServerError,
        StatusError,
        TimeoutError,
        TLSError,
    )
    from .models import NewUser, User, UserPage, UserToken
    from .sandbox import Fault, Sandbox, SandboxOptions

_modules = {
    "_fields": ["Address", "UserFields"],
    "_options": ["Options"],
    "async_client": ["AsyncClient", "AsyncUserPages", "AsyncUserTokens", "AsyncUsers"],
    "calls": ["BulkResult", "Call", "calls"],
    "client": ["Client", "UserTokens", "Users"],
    "errors": [
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
    ],
    "models": ["NewUser", "User", "UserPage", "UserToken"],
    "sandbox": ["Fault", "Sandbox", "SandboxOptions"],
}
_module_of = {name: module for module, names in _modules.items() for name in names}

# Spelled out for type checkers.
__all__ = [
    "Address",
    "ArgumentError",
    "AsyncClient",
    "AsyncUserPages",
    "AsyncUserTokens",
    "AsyncUsers",
    "AuthenticationError",
    "BulkResult",
    "Call",
    "CancelledError",
    "Client",
    "ConflictError",
    "ConnectionError",
    "Error",
    "Fault",
    "ForkedError",
    "InternalError",
    "InvalidRequestError",
    "LibraryError",
    "NewUser",
    "NotFoundError",
    "Options",
    "PermissionDeniedError",
    "ProtocolError",
    "RateLimitedError",
    "RedirectError",
    "ResponseTooLargeError",
    "Sandbox",
    "SandboxError",
    "SandboxOptions",
    "ServerError",
    "StatusError",
    "TLSError",
    "TimeoutError",
    "User",
    "UserFields",
    "UserPage",
    "UserToken",
    "UserTokens",
    "Users",
    "__version__",
    "calls",
]


if not TYPE_CHECKING:
    # Hidden from type checkers, which would accept any name as an attribute.
    def __getattr__(name):
        """Import a name on first use."""
        from importlib import import_module

        module = _module_of.get(name)
        if module is None:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        loaded = import_module(f".{module}", __name__)
        value = loaded if module == name else getattr(loaded, name)
        globals()[name] = value
        return value


def __dir__() -> "list[str]":
    """List the public names."""
    return __all__

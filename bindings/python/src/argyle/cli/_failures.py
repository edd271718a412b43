"""What commands tell of errors."""

from __future__ import annotations

from .. import errors

_codes = (
    (errors.NotFoundError, 4),
    (errors.AuthenticationError, 5),
    (errors.PermissionDeniedError, 5),
    (errors.ArgumentError, 2),
)


def exit_code(error: errors.Error) -> int:
    """Give the exit code that tells of an error."""
    return next((code for kind, code in _codes if isinstance(error, kind)), 1)


def described(error: errors.Error) -> str:
    """Give an error's message, with the id by which Argyle's support finds the request."""
    message = str(error)
    return message if not error.trace_id or error.trace_id in message else f"{message} (trace id {error.trace_id})"

"""Exit codes and messages for errors."""

from __future__ import annotations

import re

from .. import errors

_codes = (
    (errors.NotFoundError, 4),
    (errors.AuthenticationError, 5),
    (errors.PermissionDeniedError, 5),
    (errors.ArgumentError, 2),
)


def exit_code(error: errors.Error) -> int:
    """Return the exit code for an error."""
    return next((code for kind, code in _codes if isinstance(error, kind)), 1)


def describe(error: errors.Error) -> str:
    """Return an error's message with the trace id, with which Argyle's support can find the request."""
    message = str(error)
    if isinstance(error, errors.ArgumentError):
        # The message uses the name of Python's option.
        message = re.sub(r"\bneeds api_version\b", "needs --api-version", message)
    return message if not error.trace_id or error.trace_id in message else f"{message} (trace id {error.trace_id})"

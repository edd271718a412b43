"""C errors as exceptions."""

from __future__ import annotations

from ctypes import c_void_p
from typing import Optional

from .. import errors
from ._functions import Library
from ._values import bytes_at


def exception_from(library: Library, error: "Optional[int]") -> errors.Error:
    """Create an exception from a borrowed C error."""
    kind = errors.by_code.get(library.error_code(error), errors.Error)
    exception = kind(library.error_message(error).decode())
    exception.code = library.error_name(error).decode()
    exception.status = library.error_http_status(error) or None
    trace_id = library.error_trace_id(error)
    exception.trace_id = None if trace_id is None else trace_id.decode()
    exception.is_retryable = library.error_is_retryable(error) == 1
    exception.outcome_unknown = library.error_outcome_is_unknown(error) == 1
    milliseconds = library.error_retry_after_ms(error)
    exception.retry_after = None if milliseconds < 0 else milliseconds / 1000
    exception.attempts = library.error_attempts(error)
    body = library.error_body_text(error)
    exception.body_bytes = None if body is None else bytes_at(body, library.error_body_size(error))
    return exception


def consume_error(library: Library, error: c_void_p) -> errors.Error:
    """Create an exception from an owned C error, and release the error."""
    try:
        return exception_from(library, error.value)
    finally:
        library.error_free(error)

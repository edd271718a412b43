"""Blocking calls."""

from __future__ import annotations

from ctypes import byref, c_void_p
from typing import TYPE_CHECKING, Any, Callable

from .. import errors
from ._clients import ClientOwner
from ._failures import consume_error
from ._functions import Library
from ._interrupts import current_interrupt, is_logging
from ._owners import Owner
from ._values import bytes_at

if TYPE_CHECKING:
    from .._operations import Operation


def new_call(client: Owner, operation: "Operation") -> int:
    if operation.pages is not None:
        call = operation.pages.new_call(client)
        if call is None:
            raise errors.ArgumentError("there are no more pages")
        return call
    error = c_void_p()
    document = operation.document
    size = 0 if document is None else len(document)
    call = client.library.call_new_text(
        client.pointer, operation.number, operation.user_id, document, size, byref(error)
    )
    if not call:
        raise consume_error(client.library, error)
    return call  # type: ignore[no-any-return]


def parse_body(library: Library, call: int, parse: "Callable[[bytes], Any]") -> Any:
    """Parse the response to a successful call."""
    try:
        return parse(bytes_at(library.call_body_text(call), library.call_body_size(call)))
    except errors.ProtocolError as failure:
        reason = reason_text(failure)
    # The C library adds the call's details to the error.
    raise consume_error(library, c_void_p(library.call_unreadable(call, reason)))


def reason_text(failure: errors.ProtocolError) -> bytes:
    return str(failure).encode("utf-8", "replace")


def run(client: ClientOwner, operation: "Operation") -> Any:
    """Make a call, wait for its response and parse it."""
    library = client.library
    interrupt = current_interrupt()
    call = new_call(client.variant(interrupt, is_logging()), operation)
    try:
        error = c_void_p()
        failed = library.call_run(call, byref(error))
        if interrupt is not None and interrupt.is_set:
            library.error_free(error)
            interrupt.check()
        if failed:
            raise consume_error(library, error)
        return parse_body(library, call, operation.parser(client.api_version))
    finally:
        library.call_free(call)
        if interrupt is not None:
            interrupt.release()

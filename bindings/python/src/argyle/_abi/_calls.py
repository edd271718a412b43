"""Calls that their thread waits for."""

from __future__ import annotations

from ctypes import byref, c_void_p
from typing import TYPE_CHECKING, Any, Callable

from .. import errors
from ._clients import ClientOwner
from ._failures import taken
from ._functions import Library
from ._interrupts import is_logging, own_interrupt
from ._owners import Owner
from ._values import bytes_at

if TYPE_CHECKING:
    from .._operations import Operation


def new_call(client: Owner, operation: "Operation") -> int:
    number, user_id, document, _ = operation
    error = c_void_p()
    size = 0 if document is None else len(document)
    call = client.library.call_new_text(client.pointer, number, user_id, document, size, byref(error))
    if not call:
        raise taken(client.library, error)
    return call  # type: ignore[no-any-return]


def check(client: ClientOwner, operation: "Operation") -> None:
    """Refuse what no call can be made of."""
    client.library.call_free(new_call(client, operation))


def value_of(library: Library, call: int, read: "Callable[[bytes], Any]") -> Any:
    """Read the answer to a call that has succeeded."""
    try:
        return read(bytes_at(library.call_body_text(call), library.call_body_size(call)))
    except errors.ProtocolError as failure:
        reason = reason_of(failure)
    # The C library knows all that is known about the call.
    raise taken(library, c_void_p(library.call_unreadable(call, reason)))


def reason_of(failure: errors.ProtocolError) -> bytes:
    return str(failure).encode("utf-8", "replace")


def run(client: ClientOwner, operation: "Operation") -> Any:
    """Make a call, wait for its answer and read it."""
    library = client.library
    interrupt = own_interrupt()
    call = new_call(client.variant(interrupt, is_logging()), operation)
    try:
        error = c_void_p()
        failed = library.call_run(call, byref(error))
        if interrupt is not None and interrupt.is_set:
            library.error_free(error)
            interrupt.check()
        if failed:
            raise taken(library, error)
        return value_of(library, call, operation.read)
    finally:
        library.call_free(call)
        if interrupt is not None:
            interrupt.give_back()

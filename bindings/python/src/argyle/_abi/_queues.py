"""Concurrent calls."""

from __future__ import annotations

from ctypes import c_void_p
from time import monotonic
from typing import TYPE_CHECKING, Any, Optional

from .. import errors
from .._options import native_value
from ._calls import new_call, parse_body
from ._clients import ClientOwner
from ._failures import consume_error, exception_from
from ._functions import Library, library
from ._interrupts import Interrupt, is_logging
from ._owners import Owner
from ._values import json_text

if TYPE_CHECKING:
    from .._operations import Operation


class QueuedCall:
    """A call in a queue, and its result."""

    __slots__ = ("_is_kept", "_parse", "_pointer", "context", "error", "failed_at", "finished", "is_awaited", "value")

    def __init__(self, pointer: int, operation: "Operation", api_version: int, context: Any) -> None:
        self._pointer: Optional[int] = pointer
        self._parse = operation.parser(api_version)
        self._is_kept = operation.pages is not None
        #: The finished C call of a page, to be added to its cursor; None for other calls.
        self.finished: Optional[Owner] = None
        self.context = context
        #: Whether a task is waiting for the call.
        self.is_awaited = False
        #: The parsed response.
        self.value: Any = None
        self.error: Optional[errors.Error] = None
        #: When the call failed, by :func:`time.monotonic`.
        self.failed_at = 0.0

    def take_result(self) -> Any:
        """Return the value, or raise the error without keeping it."""
        error, self.error = self.error, None
        if error is not None:
            try:
                raise error
            finally:
                # Its traceback refers to this frame: a reference cycle.
                del error
        return self.value


class QueueOwner(Owner):
    """Runs calls concurrently, on the thread that uses it."""

    __slots__ = ("_calls", "_interrupt")

    def __init__(self, library: Library, interrupt: Interrupt) -> None:
        super().__init__(library, library.queue_free, interrupt)
        self._interrupt = interrupt
        # By address, which is unique among existing calls.
        self._calls: "dict[int, QueuedCall]" = {}

    @classmethod
    def new(cls, max_in_flight: int) -> "QueueOwner":
        """Create a queue with at most ``max_in_flight`` calls in flight."""
        functions = library()
        text = json_text("max_in_flight", {"max_in_flight": native_value(max_in_flight)})
        # Not shared, as with a cursor: another thread than the one that submits calls may drive the queue.
        return cls(functions, Interrupt.acquire()).acquire(functions.queue_new_text, text, len(text))

    def submit(self, client: ClientOwner, operation: "Operation", context: Any = None) -> QueuedCall:
        """Submit a call, which starts when the queue is driven."""
        functions = self.library
        # An exception that a signal handler raises inside the log function must not be lost.
        variant = client.variant(self._interrupt, True) if is_logging() else client
        pointer = new_call(variant, operation)
        error = c_void_p()
        if functions.queue_submit(self.pointer, pointer, None, error) != 0:
            functions.call_free(pointer)
            raise consume_error(functions, error)
        call = QueuedCall(pointer, operation, client.api_version, context)
        self._calls[pointer] = call
        return call

    def descriptor(self) -> int:
        """Return the descriptor that is readable when the queue must be driven."""
        error = c_void_p()
        descriptor = self.library.queue_fd(self.pointer, error)
        if descriptor < 0:
            raise consume_error(self.library, error)
        return descriptor  # type: ignore[no-any-return]

    def drive(self) -> int:
        """Do all work that does not block; returns the number of finished calls to take."""
        error = c_void_p()
        finished = self.library.queue_drive(self.pointer, error)
        self.check()
        if finished < 0:
            raise consume_error(self.library, error)
        return finished  # type: ignore[no-any-return]

    def check(self) -> None:
        """Raise the pending exception of a signal handler that ran inside the log function, if any."""
        if self._interrupt.is_set:
            self._interrupt.check()

    def next(self) -> Optional[QueuedCall]:
        """Take a finished call; None if there is none."""
        functions = self.library
        error = c_void_p()
        pointer = functions.queue_next(self.pointer, None, error)
        if not pointer:
            if error:
                raise consume_error(functions, error)
            return None
        call = self._calls.pop(pointer)
        call._pointer = None
        try:
            failure = functions.call_error(pointer)
            if failure:
                call.error = exception_from(functions, failure)
            else:
                call.value = parse_body(functions, pointer, call._parse)
        except errors.Error as unreadable:
            # Its traceback refers to this frame: a reference cycle.
            call.error = unreadable.with_traceback(None)
        finally:
            if call._is_kept:
                call.finished = Owner(functions, functions.call_free).adopt(pointer)
            else:
                functions.call_free(pointer)
        if call.error is not None:
            call.failed_at = monotonic()
        return call

    def calls(self) -> "list[QueuedCall]":
        """Return the calls in the queue."""
        return list(self._calls.values())

    def fail_all(self, failure: errors.Error) -> "list[QueuedCall]":
        """Remove and return all calls, failed with an error of the queue itself."""
        calls = self.calls()
        self._calls.clear()
        for call in calls:
            call._pointer = None
            call.error = failure
        return calls

    @property
    def count(self) -> int:
        """The number of calls in the queue."""
        return len(self._calls)

    def cancel(self, call: QueuedCall) -> None:
        """Cancel a call; does nothing if it has finished."""
        if call._pointer is not None:
            error = c_void_p()
            if self.library.queue_cancel(self.pointer, call._pointer, error) != 0:
                raise consume_error(self.library, error)

    def cancel_all(self) -> None:
        """Cancel all calls."""
        error = c_void_p()
        if self.library.queue_cancel_all(self.pointer, error) != 0:
            raise consume_error(self.library, error)

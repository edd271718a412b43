"""Many calls at once."""

from __future__ import annotations

from ctypes import c_void_p
from time import monotonic
from typing import TYPE_CHECKING, Any, Callable, Optional

from .. import errors
from .._options import plain
from ._calls import new_call, value_of
from ._clients import ClientOwner
from ._failures import exception_of, taken
from ._functions import Library, library
from ._interrupts import Interrupt, is_logging
from ._owners import Owner
from ._values import json_text

if TYPE_CHECKING:
    from .._operations import Operation


class QueuedCall:
    """A call in a queue, and what became of it."""

    __slots__ = ("_pointer", "_read", "context", "error", "failed_at", "is_awaited", "value")

    def __init__(self, pointer: int, read: "Callable[[bytes], Any]", context: Any) -> None:
        self._pointer: Optional[int] = pointer
        self._read = read
        self.context = context
        #: Whether a task waits for it.
        self.is_awaited = False
        #: What the answer is read as.
        self.value: Any = None
        self.error: Optional[errors.Error] = None
        #: When the error came, by :func:`time.monotonic`.
        self.failed_at = 0.0

    def take_result(self) -> Any:
        """Give the value, or raise the error, of which nothing is kept."""
        error, self.error = self.error, None
        if error is not None:
            try:
                raise error
            finally:
                # It has this frame in its traceback, and would keep itself alive.
                del error
        return self.value


class QueueOwner(Owner):
    """Many calls at once, on the thread that uses it."""

    __slots__ = ("_calls", "_interrupt")

    def __init__(self, library: Library, interrupt: Interrupt) -> None:
        super().__init__(library, library.queue_free, interrupt)
        self._interrupt = interrupt
        # By their addresses, which no two calls have at a time.
        self._calls: "dict[int, QueuedCall]" = {}

    @classmethod
    def new(cls, max_in_flight: int) -> "QueueOwner":
        """Make a queue that has so many calls under way at the most."""
        functions = library()
        text = json_text("max_in_flight", {"max_in_flight": plain(max_in_flight)})
        # Of its own, as a cursor's: it may be driven by another thread than the one that hands over calls.
        return cls(functions, Interrupt.take()).filled(functions.queue_new_text, text, len(text))

    def submit(self, client: ClientOwner, operation: "Operation", context: Any = None) -> QueuedCall:
        """Hand over a call, which begins when the queue is driven."""
        functions = self.library
        # So that what a signal handler raises amid a record of the log is not lost.
        variant = client.variant(self._interrupt, True) if is_logging() else client
        pointer = new_call(variant, operation)
        error = c_void_p()
        if functions.queue_submit(self.pointer, pointer, None, error) != 0:
            functions.call_free(pointer)
            raise taken(functions, error)
        call = QueuedCall(pointer, operation.read, context)
        self._calls[pointer] = call
        return call

    def descriptor(self) -> int:
        """Give the descriptor that is readable when the queue is to be driven."""
        error = c_void_p()
        descriptor = self.library.queue_fd(self.pointer, error)
        if descriptor < 0:
            raise taken(self.library, error)
        return descriptor  # type: ignore[no-any-return]

    def drive(self) -> int:
        """Do all that can be done without waiting, and tell how many calls are over."""
        error = c_void_p()
        over = self.library.queue_drive(self.pointer, error)
        self.check()
        if over < 0:
            raise taken(self.library, error)
        return over  # type: ignore[no-any-return]

    def check(self) -> None:
        """Raise what a signal handler has raised amid a record of the log, once."""
        if self._interrupt.is_set:
            self._interrupt.check()

    def next(self) -> Optional[QueuedCall]:
        """Take a call that is over; None where none is."""
        functions = self.library
        error = c_void_p()
        pointer = functions.queue_next(self.pointer, None, error)
        if not pointer:
            if error:
                raise taken(functions, error)
            return None
        call = self._calls.pop(pointer)
        call._pointer = None
        try:
            failure = functions.call_error(pointer)
            if failure:
                call.error = exception_of(functions, failure)
            else:
                call.value = value_of(functions, pointer, call._read)
        except errors.Error as unreadable:
            # Without the frames that it has gone through, which would keep it alive.
            call.error = unreadable.with_traceback(None)
        finally:
            functions.call_free(pointer)
        if call.error is not None:
            call.failed_at = monotonic()
        return call

    def calls(self) -> "list[QueuedCall]":
        """List the calls that the queue holds."""
        return list(self._calls.values())

    def abandon(self, failure: errors.Error) -> "list[QueuedCall]":
        """Give all calls up, with a failure of the queue itself."""
        calls = self.calls()
        self._calls.clear()
        for call in calls:
            call._pointer = None
            call.error = failure
        return calls

    @property
    def count(self) -> int:
        """How many calls the queue holds."""
        return len(self._calls)

    def cancel(self, call: QueuedCall) -> None:
        """End a call; nothing happens to one that is over."""
        if call._pointer is not None:
            error = c_void_p()
            if self.library.queue_cancel(self.pointer, call._pointer, error) != 0:
                raise taken(self.library, error)

    def cancel_all(self) -> None:
        """End all calls."""
        error = c_void_p()
        if self.library.queue_cancel_all(self.pointer, error) != 0:
            raise taken(self.library, error)

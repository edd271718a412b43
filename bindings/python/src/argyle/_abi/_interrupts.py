"""Callbacks from blocking C functions: Python's signal handlers, and the log."""

from __future__ import annotations

import sys
import threading
from functools import partial
from threading import get_ident
from typing import Any, Callable, Generator, Optional, Union

from ._functions import library
from ._types import InterruptFunction, LogFunction
from ._values import python_value


class Interrupt:
    """Runs Python's signal handlers while the main thread blocks in C, and receives log records meanwhile.

    An exception from a ctypes callback would be lost. It is kept here instead, and ends the call.

    C resumes a generator rather than calling a function: a signal handler may raise, such as KeyboardInterrupt, at the
    first instruction that runs, which in a function is before its ``try`` and in a resumed generator inside it.
    """

    def __init__(self) -> None:
        self._exception: Optional[BaseException] = None
        self._level = 0
        self._message: Optional[bytes] = None
        self._generator: Any = self._callbacks()
        next(self._generator)
        self.function = InterruptFunction(self._generator.__next__)
        # ``max`` is a function implemented in C that passes each of its arguments to a one-argument function.
        self.log_function = LogFunction(partial(max, key=self._generator.send))
        _interrupts.append(self)

    @classmethod
    def acquire(cls) -> Interrupt:
        """Return an interrupt for exclusive use until it is released."""
        try:
            interrupt, _ = idle_interrupts.popitem()
        except KeyError:
            return cls()
        interrupt._exception = interrupt._message = None
        return interrupt

    def release(self) -> None:
        """Return it to the idle ones, unless it is the main thread's shared one."""
        if self is not _main_interrupt:
            idle_interrupts[self] = None

    def _callbacks(self) -> "Generator[bool, Any, None]":
        # Signal handlers also run at a loop's backward jump: each jump is inside a ``try``, except the outermost, which
        # only the second of two simultaneous exceptions reaches.
        while True:
            try:
                while True:
                    try:
                        while True:
                            argument = yield self._exception is not None
                            if argument is not None:
                                self._log(argument)
                    except GeneratorExit:
                        return
                    except BaseException as exception:
                        self._exception = exception
                        self._message = None
            except BaseException as exception:
                self._exception = exception

    def _log(self, argument: "Union[int, bytes]") -> None:
        """Receive the next argument of the log function: level, message, then fields."""
        if isinstance(argument, bytes):
            self._message = argument
        elif self._message is None:
            self._level = argument
        else:
            message, self._message = self._message, None
            _log_record(self._level, message, argument, None)

    @property
    def is_busy(self) -> bool:
        """Whether a signal or log handler is running, which may itself block in C."""
        return self._generator.gi_running  # type: ignore[no-any-return]

    @property
    def is_set(self) -> bool:
        """Whether a signal handler has raised an exception."""
        return self._exception is not None

    def check(self) -> None:
        """Raise the pending exception of a signal handler, if any."""
        if self._exception is not None:
            exception, self._exception = self._exception, None
            try:
                raise exception
            finally:
                # The exception refers to this frame.
                del exception


#: All interrupts, kept forever: closing a generator would run Python code.
_interrupts: "list[Interrupt]" = []

#: Interrupts that are not in use; a dict, because its methods are atomic C functions.
idle_interrupts: "dict[Interrupt, None]" = {}

#: For blocking calls on the main thread, the only one on which Python runs signal handlers.
_main_interrupt = Interrupt()


def current_interrupt() -> Optional[Interrupt]:
    """Return the interrupt for a blocking call on this thread; None if it is not the main thread."""
    if get_ident() != threading.main_thread().ident:
        return None
    # A handler that itself makes a blocking call can be interrupted by another signal.
    return Interrupt.acquire() if _main_interrupt.is_busy else _main_interrupt


def _log_record(level: int, message: bytes, fields: int, _: object) -> None:
    """Pass a record to ``logging``."""
    from .._log import is_level_enabled, log

    try:
        # Parsing the fields is slow, and most programs do not enable the level of most records.
        if is_level_enabled(level):
            log(level, message.decode(), python_value(library(), fields))
    except Exception:
        # Nothing could catch it, and a failing log handler must not end a call.
        pass


log_function = LogFunction(_log_record)


_is_enabled: Optional[Callable[[], bool]] = None


def is_logging() -> bool:
    """Whether the program has enabled the log; if not, calls skip it entirely."""
    global _is_enabled
    if _is_enabled is None:
        # A program that has not imported logging has no handlers.
        if "logging" not in sys.modules:
            return False
        from .._log import is_enabled

        _is_enabled = is_enabled
    return _is_enabled()

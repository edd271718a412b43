"""What C calls back while it waits: Python's signal handlers, and the log."""

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
    """Lets Python's signal handlers run while the main thread waits in C, and takes the log's records meanwhile.

    C calls a generator that goes on, not a function: a signal handler, and so KeyboardInterrupt, may come with the
    first instruction that runs, which for a function is before its ``try``, and for a generator within it. What ctypes
    calls cannot raise: the exception would be lost. So it is kept here, and ends the call.
    """

    def __init__(self) -> None:
        self._exception: Optional[BaseException] = None
        self._level = 0
        self._message: Optional[bytes] = None
        self._generator: Any = self._answers()
        next(self._generator)
        self.function = InterruptFunction(self._generator.__next__)
        # Of what is written in C, ``max`` gives each of several arguments to a function of one argument.
        self.log_function = LogFunction(partial(max, key=self._generator.send))
        _interrupts.append(self)

    @classmethod
    def take(cls) -> Interrupt:
        """Give one that nothing else uses until it is given back."""
        try:
            interrupt, _ = idle_interrupts.popitem()
        except KeyError:
            return cls()
        interrupt._exception = interrupt._message = None
        return interrupt

    def give_back(self) -> None:
        """Let it be used for something else, unless it is the one that is shared."""
        if self is not _interrupt:
            idle_interrupts[self] = None

    def _answers(self) -> "Generator[bool, Any, None]":
        # A loop's jump back is where signal handlers run, too: each is within a ``try`` but for the outermost, which
        # is reached by the second of two exceptions at once.
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
        """Take the next argument of a log function's: the level, the message, the fields."""
        if isinstance(argument, bytes):
            self._message = argument
        elif self._message is None:
            self._level = argument
        else:
            message, self._message = self._message, None
            _note(self._level, message, argument, None)

    @property
    def is_busy(self) -> bool:
        """Whether a signal handler is running, or a log's, which itself may wait in C."""
        return self._generator.gi_running  # type: ignore[no-any-return]

    @property
    def is_set(self) -> bool:
        """Whether a signal handler has raised an exception."""
        return self._exception is not None

    def check(self) -> None:
        """Raise what a signal handler has raised, once."""
        if self._exception is not None:
            exception, self._exception = self._exception, None
            try:
                raise exception
            finally:
                # The exception refers to this frame.
                del exception


#: All that were made. None ever ends: the end of its generator would run Python code.
_interrupts: "list[Interrupt]" = []

#: Those that nothing uses; a dict for what C can do with it alone.
idle_interrupts: "dict[Interrupt, None]" = {}

#: That of the main thread, where alone Python runs its signal handlers, for calls that the thread waits for.
_interrupt = Interrupt()


def own_interrupt() -> Optional[Interrupt]:
    """Give what lets signal handlers run while this thread waits; None where it is not the main thread."""
    if get_ident() != threading.main_thread().ident:
        return None
    # A signal handler that itself waits can be interrupted by another one.
    return Interrupt.take() if _interrupt.is_busy else _interrupt


def _note(level: int, message: bytes, fields: int, _: object) -> None:
    """Hand a record to the standard library's log."""
    from .._log import is_wanted, note

    try:
        # Most records are of a level that most programs do not take, and to read the fields takes a while.
        if is_wanted(level):
            note(level, message.decode(), python_value(library(), fields))
    except Exception:
        # There is nobody to raise it to, and a log that fails is not to end a call.
        pass


note_function = LogFunction(_note)


_is_heard: Optional[Callable[[], bool]] = None


def is_logging() -> bool:
    """Whether the program listens to the log: where nobody does, nothing is made for it."""
    global _is_heard
    if _is_heard is None:
        # It is imported by whoever listens.
        if "logging" not in sys.modules:
            return False
        from .._log import is_heard

        _is_heard = is_heard
    return _is_heard()

"""libargyle as it is in C: the one module that knows ctypes.

The functions are found in ``library``, loaded with its first use. What it hands out is wrapped into owners, which
release it once nothing refers to them.
"""

from __future__ import annotations

import atexit
import ctypes
import os
import sys
import threading
import weakref
from ctypes import POINTER, byref, c_char_p, c_int, c_int64, c_size_t, c_void_p
from functools import partial
from itertools import compress, repeat, starmap
from pathlib import Path
from threading import get_ident
from time import monotonic
from typing import TYPE_CHECKING, Any, Callable, Generator, Iterator, NoReturn, Optional, TypeVar, Union

from . import errors
from ._json import dumps, loads
from ._options import plain
from ._version import __version__

if TYPE_CHECKING:
    from ._operations import Operation

if not hasattr(ctypes, "pythonapi"):
    raise errors.LibraryError(f"argyle works with CPython alone, and this is {sys.implementation.name}")

# The operations, as argyle.h numbers them.
USER_CREATE = 1
USER_GET = 2
USER_UPDATE = 3
USER_LIST = 4
USER_DELETE = 5
USER_TOKEN_CREATE = 6

_CANCELLED = 18

# The argyle_interrupt_function takes a context, which is not looked at: a function of C may be given more arguments
# than it takes.
_InterruptFunction = ctypes.CFUNCTYPE(c_int)
_LogFunction = ctypes.CFUNCTYPE(None, c_int, c_char_p, c_void_p, c_void_p)

_Error = POINTER(c_void_p)


# ---------------------------------------------------------------- Loading


#: The Debian packages of what each library needs beside the C library.
_packages = {
    "argyle": {"libcurl.so.4": "libcurl4", "libjansson.so.4": "libjansson4"},
    "argyle-sandbox": {
        "libjansson.so.4": "libjansson4",
        "libjwt.so.0": "libjwt0",
        "libmicrohttpd.so.12": "libmicrohttpd12",
        "libsqlite3.so.0": "libsqlite3-0",
    },
}


def _load(name: str, variable: str) -> "tuple[ctypes.CDLL, ctypes.PyDLL]":
    """Load a library: the one that the environment names, or else the packaged one, or else the system's."""
    soname = f"lib{name}.so.0"
    override = os.environ.get(variable)
    places = [override] if override else [str(Path(__file__).parent / "lib" / soname), soname]
    failures = []
    for place in places:
        try:
            # Functions that do not wait are called with Python's lock held: to let it go takes longer than they do.
            waiting, quick = ctypes.CDLL(place), ctypes.PyDLL(place)
        except OSError as failure:
            # What is missing of what it needs is told without the place.
            failures.append(str(failure) if place in str(failure) else f"{place}: {failure}")
            continue
        _check_version(name, place, quick)
        return waiting, quick
    message = f"lib{name} cannot be loaded: {'; '.join(failures)}"
    missing = [package for library, package in _packages[name].items() if not _is_there(library)]
    if missing:
        message += f" (on Debian: apt install {' '.join(missing)})"
    raise errors.LibraryError(message)


def _is_there(library: str) -> bool:
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True


def _function(library: ctypes.CDLL, name: str, result: Any, *arguments: Any) -> Any:
    """Find a function, and give it its types."""
    try:
        function = getattr(library, name)
    except AttributeError:
        raise errors.LibraryError(f"{library._name} has no function {name}: it is of another version") from None
    function.restype = result
    function.argtypes = arguments
    return function


def _check_version(name: str, place: str, library: ctypes.CDLL) -> None:
    version = _function(library, f"{name.replace('-', '_')}_version", c_char_p)().decode()
    if version != __version__:
        raise errors.LibraryError(
            f"{place} is lib{name} {version}, but this package is argyle {__version__}: install both anew"
        )


def _check_interpreter() -> None:
    """Refuse sub-interpreters: ctypes' callbacks would run in another one."""
    current, main = ctypes.pythonapi.PyInterpreterState_Get, ctypes.pythonapi.PyInterpreterState_Main
    current.restype = main.restype = c_void_p
    if current() != main():
        raise errors.LibraryError("argyle works in the main interpreter only")


class Library:
    """The functions of libargyle.so, each with its types."""

    def __init__(self) -> None:
        _check_interpreter()
        # Nothing is released from then on.
        atexit.register(_references.clear)
        waiting, quick = _load("argyle", "ARGYLE_LIBRARY")
        function = _function

        self.error_code = function(quick, "argyle_error_code", c_int, c_void_p)
        self.error_name = function(quick, "argyle_error_name", c_char_p, c_void_p)
        self.error_message = function(quick, "argyle_error_message", c_char_p, c_void_p)
        self.error_http_status = function(quick, "argyle_error_http_status", c_int, c_void_p)
        self.error_trace_id = function(quick, "argyle_error_trace_id", c_char_p, c_void_p)
        self.error_is_retryable = function(quick, "argyle_error_is_retryable", c_int, c_void_p)
        self.error_outcome_is_unknown = function(quick, "argyle_error_outcome_is_unknown", c_int, c_void_p)
        self.error_retry_after_ms = function(quick, "argyle_error_retry_after_ms", c_int64, c_void_p)
        self.error_attempts = function(quick, "argyle_error_attempts", c_int, c_void_p)
        self.error_body_text = function(quick, "argyle_error_body_text", c_void_p, c_void_p)
        self.error_body_size = function(quick, "argyle_error_body_size", c_size_t, c_void_p)
        self.error_free = function(quick, "argyle_error_free", None, c_void_p)

        self.client_new_text = function(waiting, "argyle_client_new_text", c_void_p, c_char_p, c_size_t, _Error)
        self.client_with_text = function(
            quick, "argyle_client_with_text", c_void_p, c_void_p, c_char_p, c_size_t, _Error
        )
        self.client_with_interrupt = function(
            quick, "argyle_client_with_interrupt", c_void_p, c_void_p, c_void_p, c_void_p, _Error
        )
        self.client_with_log = function(
            quick, "argyle_client_with_log", c_void_p, c_void_p, _LogFunction, c_void_p, _Error
        )
        self.client_free = function(waiting, "argyle_client_free", None, c_void_p)

        self.call_new_text = function(
            quick, "argyle_call_new_text", c_void_p, c_void_p, c_int, c_char_p, c_char_p, c_size_t, _Error
        )
        self.call_run = function(waiting, "argyle_call_run", c_int, c_void_p, _Error)
        self.call_error = function(quick, "argyle_call_error", c_void_p, c_void_p)
        self.call_body_text = function(quick, "argyle_call_body_text", c_void_p, c_void_p)
        self.call_body_size = function(quick, "argyle_call_body_size", c_size_t, c_void_p)
        self.call_unreadable = function(quick, "argyle_call_unreadable", c_void_p, c_void_p, c_char_p)
        self.call_free = function(waiting, "argyle_call_free", None, c_void_p)

        self.cursor_new_text = function(
            quick, "argyle_user_cursor_new_text", c_void_p, c_void_p, c_char_p, c_size_t, _Error
        )
        self.cursor_next_page_text = function(
            waiting, "argyle_user_cursor_next_page_text", c_void_p, c_void_p, POINTER(c_size_t), _Error
        )
        self.cursor_unreadable = function(quick, "argyle_user_cursor_unreadable", c_void_p, c_void_p, c_char_p)
        self.cursor_free = function(waiting, "argyle_user_cursor_free", None, c_void_p)

        self.queue_new_text = function(quick, "argyle_queue_new_text", c_void_p, c_char_p, c_size_t, _Error)
        self.queue_submit = function(quick, "argyle_queue_submit", c_int, c_void_p, c_void_p, c_void_p, _Error)
        self.queue_fd = function(quick, "argyle_queue_fd", c_int, c_void_p, _Error)
        # Driving may call the log function, which takes the lock by itself.
        self.queue_drive = function(waiting, "argyle_queue_drive", c_int, c_void_p, _Error)
        self.queue_next = function(quick, "argyle_queue_next", c_void_p, c_void_p, POINTER(c_void_p), _Error)
        self.queue_cancel = function(waiting, "argyle_queue_cancel", c_int, c_void_p, c_void_p, _Error)
        self.queue_cancel_all = function(waiting, "argyle_queue_cancel_all", c_int, c_void_p, _Error)
        self.queue_free = function(waiting, "argyle_queue_free", None, c_void_p)

        self.token_claims = function(quick, "argyle_token_claims", c_void_p, c_char_p, _Error)
        self.json_decref = function(quick, "argyle_json_decref", None, c_void_p)
        # Of jansson, which libargyle brings along.
        self.json_loadb = function(quick, "json_loadb", c_void_p, c_char_p, c_size_t, c_size_t, c_void_p)
        self.json_dumpb = function(quick, "json_dumpb", c_size_t, c_void_p, c_char_p, c_size_t, c_size_t)


class SandboxLibrary:
    """The functions of libargyle-sandbox.so, each with its types."""

    def __init__(self) -> None:
        waiting, quick = _load("argyle-sandbox", "ARGYLE_SANDBOX_LIBRARY")
        function = _function
        self.error_message = function(quick, "argyle_sandbox_error_message", c_char_p, c_void_p)
        self.error_free = function(quick, "argyle_sandbox_error_free", None, c_void_p)
        self.start = function(waiting, "argyle_sandbox_start", c_void_p, c_void_p, _Error)
        self.url = function(quick, "argyle_sandbox_url", c_char_p, c_void_p)
        self.stop = function(waiting, "argyle_sandbox_stop", None, c_void_p)
        self.free = function(waiting, "argyle_sandbox_free", None, c_void_p)
        # Before what the other library registers.
        atexit.register(_release_sandboxes)


_library: Optional[Library] = None
_sandbox_library: Optional[SandboxLibrary] = None
_lock = threading.Lock()


def library() -> Library:
    """Give the library, which the first use loads."""
    global _library
    if _library is None:
        with _lock:
            if _library is None:
                _library = Library()
    return _library


def sandbox_library() -> SandboxLibrary:
    """Give the sandbox's library, which the first use loads: clients do without it and what it needs."""
    global _sandbox_library
    if _sandbox_library is None:
        with _lock:
            if _sandbox_library is None:
                _sandbox_library = SandboxLibrary()
    return _sandbox_library


# ---------------------------------------------------------------- Errors and JSON

# What ctypes.string_at does, at half the time.
_bytes_at: Any = ctypes.pythonapi.PyBytes_FromStringAndSize
_bytes_at.restype = ctypes.py_object
_bytes_at.argtypes = (c_void_p, c_size_t)


def _exception(library: Library, error: "Optional[int]") -> errors.Error:
    """Make an exception of a borrowed error."""
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
    exception.body_bytes = None if body is None else _bytes_at(body, library.error_body_size(error))
    return exception


def _taken(library: Library, error: c_void_p) -> errors.Error:
    """Make an exception of an error that is ours, and release it."""
    try:
        return _exception(library, error.value)
    finally:
        library.error_free(error)


def _text(name: str, value: Any) -> bytes:
    """Encode an argument as JSON."""
    try:
        return dumps(value)
    except (TypeError, ValueError) as failure:
        raise errors.ArgumentError(f"{name} is not JSON: {failure}") from None


class _Value:
    """A value of jansson's for the time of a call."""

    def __init__(self, library: Library, name: str, value: Any) -> None:
        self._library = library
        text = _text(name, value)
        # JSON_DECODE_ANY and JSON_ALLOW_NUL.
        self.pointer = library.json_loadb(text, len(text), 0x4 | 0x10, None)
        if not self.pointer:
            raise errors.ArgumentError(f"{name} cannot be held by jansson")

    def __enter__(self) -> "Optional[int]":
        return self.pointer  # type: ignore[no-any-return]

    def __exit__(self, *_: object) -> None:
        self._library.json_decref(self.pointer)


def _python(library: Library, value: int) -> Any:
    """Make a Python value of a borrowed one of jansson's."""
    # JSON_COMPACT and JSON_ENCODE_ANY.
    flags = 0x20 | 0x200
    size = library.json_dumpb(value, None, 0, flags)
    text = ctypes.create_string_buffer(size)
    library.json_dumpb(value, text, size, flags)
    return loads(text.raw[:size])


def token_claims(token: str) -> "dict[str, Any]":
    """Read the claims of a user token, without verifying them."""
    functions = library()
    error = c_void_p()
    claims = functions.token_claims(text_argument("token", token), error)
    if not claims:
        raise _taken(functions, error)
    try:
        return _python(functions, claims)  # type: ignore[no-any-return]
    finally:
        functions.json_decref(claims)


def text_argument(name: str, text: object) -> bytes:
    """Encode a text for C, which ends it at a NUL."""
    if not isinstance(text, str):
        raise errors.ArgumentError(f"{name} must be a str")
    if "\0" in text:
        raise errors.ArgumentError(f"{name} must not contain a NUL character")
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise errors.ArgumentError(f"{name} must not contain lone surrogates") from None


# ---------------------------------------------------------------- Interrupts and logs


class _Interrupt:
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
        self.function = _InterruptFunction(self._generator.__next__)
        # Of what is written in C, ``max`` gives each of several arguments to a function of one argument.
        self.log_function = _LogFunction(partial(max, key=self._generator.send))
        _interrupts.append(self)

    @classmethod
    def take(cls) -> _Interrupt:
        """Give one that nothing else uses until it is given back."""
        try:
            interrupt, _ = _idle_interrupts.popitem()
        except KeyError:
            return cls()
        interrupt._exception = interrupt._message = None
        return interrupt

    def give_back(self) -> None:
        """Let it be used for something else, unless it is the one that is shared."""
        if self is not _interrupt:
            _idle_interrupts[self] = None

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
_interrupts: "list[_Interrupt]" = []

#: Those that nothing uses; a dict for what C can do with it alone.
_idle_interrupts: "dict[_Interrupt, None]" = {}

#: That of the main thread, where alone Python runs its signal handlers, for calls that the thread waits for.
_interrupt = _Interrupt()


def _own_interrupt() -> Optional[_Interrupt]:
    """Give what lets signal handlers run while this thread waits; None where it is not the main thread."""
    if get_ident() != threading.main_thread().ident:
        return None
    # A signal handler that itself waits can be interrupted by another one.
    return _Interrupt.take() if _interrupt.is_busy else _interrupt


def _note(level: int, message: bytes, fields: int, _: object) -> None:
    """Hand a record to the standard library's log."""
    from ._log import is_wanted, note

    try:
        # Most records are of a level that most programs do not take, and to read the fields takes a while.
        if is_wanted(level):
            note(level, message.decode(), _python(library(), fields))
    except Exception:
        # There is nobody to raise it to, and a log that fails is not to end a call.
        pass


_note_function = _LogFunction(_note)


# ---------------------------------------------------------------- Owners


#: What notices the end of each owner, for as long as that is to be released.
_references: "dict[object, weakref.ref[_Owner]]" = {}


Owner = TypeVar("Owner", bound="_Owner")


class _Owner:
    """Something of the library's that is released once nothing refers to it.

    Not at the end of the interpreter, when another thread may still be using it.

    Where it is part of a cycle, Python releases it before it ends generators and coroutines of the same cycle, which
    may still use it: the pointer is NULL for them, which the library refuses.

    A signal handler may run between any two steps of Python code, and what it raises amid a release is lost. So there
    is none: all that a release does are iterators and functions that are written in C. The same goes for the moment
    at which C hands something out: the owner is there before it, and is filled in one step.
    """

    __slots__ = ("__weakref__", "_address", "_release", "library")

    def __init__(
        self,
        library: Library,
        free: "Callable[[Optional[int]], None]",
        interrupt: "Optional[_Interrupt]" = None,
    ) -> None:
        self.library = library
        self._address: "dict[int, Optional[int]]" = {}
        key = object()
        # The first gives what is to be released, or None, and the second allows it once.
        taken = iter(partial(self._address.pop, 0, None), key)
        known = iter(partial(_references.pop, key, None), None)
        released: "Iterator[Any]" = map(free, compress(taken, known))
        if interrupt is not None:
            released = map(_idle_interrupts.setdefault, repeat(interrupt), released)
        self._release = partial(next, released, None)
        _references[key] = weakref.ref(self, partial(next, released))

    def _fill(self, make: "Callable[..., Optional[int]]", *arguments: Any) -> c_void_p:
        """Own what a function makes; where it makes nothing, give the error."""
        error = c_void_p()
        next(map(self._address.setdefault, (0,), starmap(make, ((*arguments, error),))))
        return error

    def filled(self: Owner, make: "Callable[..., Optional[int]]", *arguments: Any) -> Owner:
        """Own what a function of the library's makes, or raise its error."""
        error = self._fill(make, *arguments)
        if not self.pointer:
            raise _taken(self.library, error)
        return self

    def __reduce__(self) -> NoReturn:
        raise TypeError("what holds connections or a server cannot be copied or pickled")

    @property
    def pointer(self) -> Optional[int]:
        """Its address, or None once it is released."""
        return self._address.get(0)

    def release(self) -> None:
        """Release it before that; nothing happens where it was released."""
        self._release()


class ClientOwner(_Owner):
    """A client, and those made from it to be interrupted and to log."""

    __slots__ = ("_variants",)

    def __init__(self, library: Library) -> None:
        super().__init__(library, library.client_free)
        self._variants: "dict[tuple[Optional[_Interrupt], bool], _Owner]" = {}

    @classmethod
    def new(cls, options: "dict[str, Any]") -> "ClientOwner":
        """Make a client of options as the C library has them."""
        functions = library()
        text = _text("an option", options)
        return cls(functions).filled(functions.client_new_text, text, len(text))

    def changed(self, overrides: "dict[str, Any]") -> "ClientOwner":
        """Make a client like this one with some options changed."""
        library = self.library
        text = _text("an option", overrides)
        return ClientOwner(library).filled(library.client_with_text, self.pointer, text, len(text))

    def variant(self, interrupt: Optional[_Interrupt], logging: bool) -> _Owner:
        """Give the client in a form that can be interrupted, or that logs."""
        if interrupt is None and not logging:
            return self
        kind = interrupt, logging
        variant = self._variants.get(kind)
        if variant is None:
            variant = self._variants.setdefault(kind, self._make_variant(interrupt, logging))
        return variant

    def _make_variant(self, interrupt: Optional[_Interrupt], logging: bool) -> _Owner:
        library = self.library
        variant: _Owner = self
        if interrupt is not None:
            variant = _Owner(library, library.client_free).filled(
                library.client_with_interrupt, variant.pointer, interrupt.function, None
            )
        if logging:
            function = _note_function if interrupt is None else interrupt.log_function
            variant = _Owner(library, library.client_free).filled(
                library.client_with_log, variant.pointer, function, None
            )
        return variant


_log: Any = None


_is_heard: Optional[Callable[[], bool]] = None


def _is_logging() -> bool:
    """Whether the program listens to the log: where nobody does, nothing is made for it."""
    global _is_heard
    if _is_heard is None:
        # It is imported by whoever listens.
        if "logging" not in sys.modules:
            return False
        from ._log import is_heard

        _is_heard = is_heard
    return _is_heard()


def _new_call(client: _Owner, operation: "Operation") -> int:
    number, user_id, document, _ = operation
    error = c_void_p()
    size = 0 if document is None else len(document)
    call = client.library.call_new_text(client.pointer, number, user_id, document, size, byref(error))
    if not call:
        raise _taken(client.library, error)
    return call  # type: ignore[no-any-return]


def check(client: ClientOwner, operation: "Operation") -> None:
    """Refuse what no call can be made of."""
    client.library.call_free(_new_call(client, operation))


def _value(library: Library, call: int, read: "Callable[[bytes], Any]") -> Any:
    """Read the answer to a call that has succeeded."""
    try:
        return read(_bytes_at(library.call_body_text(call), library.call_body_size(call)))
    except errors.ProtocolError as failure:
        reason = _reason(failure)
    # The C library knows all that is known about the call.
    raise _taken(library, c_void_p(library.call_unreadable(call, reason)))


def _reason(failure: errors.ProtocolError) -> bytes:
    return str(failure).encode("utf-8", "replace")


def run(client: ClientOwner, operation: "Operation") -> Any:
    """Make a call, wait for its answer and read it."""
    library = client.library
    interrupt = _own_interrupt()
    call = _new_call(client.variant(interrupt, _is_logging()), operation)
    try:
        error = c_void_p()
        failed = library.call_run(call, byref(error))
        if interrupt is not None and interrupt.is_set:
            library.error_free(error)
            interrupt.check()
        if failed:
            raise _taken(library, error)
        return _value(library, call, operation.read)
    finally:
        library.call_free(call)
        if interrupt is not None:
            interrupt.give_back()


class CursorOwner(_Owner):
    """A walk over the pages of a list."""

    __slots__ = ("_interrupt",)

    def __init__(self, library: Library, interrupt: _Interrupt) -> None:
        super().__init__(library, library.cursor_free, interrupt)
        self._interrupt = interrupt

    @classmethod
    def new(cls, client: ClientOwner, query: "dict[str, Any]") -> "CursorOwner":
        """Start a walk."""
        functions = client.library
        # Of its own, for the thread that goes on with it may be another than the one that starts it.
        interrupt = _Interrupt.take()
        cursor = cls(functions, interrupt)
        variant = client.variant(interrupt, _is_logging())
        text = _text("the query", query)
        return cursor.filled(functions.cursor_new_text, variant.pointer, text, len(text))

    def next_page(self) -> Optional[bytes]:
        """Wait for the next page's text; None at the end."""
        size = c_size_t()
        error = c_void_p()
        text = self.library.cursor_next_page_text(self.pointer, byref(size), byref(error))
        if self._interrupt.is_set:
            self.library.error_free(error)
            self._interrupt.check()
        if text:
            return _bytes_at(text, size.value)  # type: ignore[no-any-return]
        if error:
            raise _taken(self.library, error)
        return None

    def unreadable(self, failure: errors.ProtocolError) -> errors.Error:
        """Give the error of the page that came last, which cannot be read."""
        return _taken(self.library, c_void_p(self.library.cursor_unreadable(self.pointer, _reason(failure))))


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


class QueueOwner(_Owner):
    """Many calls at once, on the thread that uses it."""

    __slots__ = ("_calls", "_interrupt")

    def __init__(self, library: Library, interrupt: _Interrupt) -> None:
        super().__init__(library, library.queue_free, interrupt)
        self._interrupt = interrupt
        # By their addresses, which no two calls have at a time.
        self._calls: "dict[int, QueuedCall]" = {}

    @classmethod
    def new(cls, max_in_flight: int) -> "QueueOwner":
        """Make a queue that has so many calls under way at the most."""
        functions = library()
        text = _text("max_in_flight", {"max_in_flight": plain(max_in_flight)})
        # Of its own, as a cursor's: it may be driven by another thread than the one that hands over calls.
        return cls(functions, _Interrupt.take()).filled(functions.queue_new_text, text, len(text))

    def submit(self, client: ClientOwner, operation: "Operation", context: Any = None) -> QueuedCall:
        """Hand over a call, which begins when the queue is driven."""
        functions = self.library
        # So that what a signal handler raises amid a record of the log is not lost.
        variant = client.variant(self._interrupt, True) if _is_logging() else client
        pointer = _new_call(variant, operation)
        error = c_void_p()
        if functions.queue_submit(self.pointer, pointer, None, error) != 0:
            functions.call_free(pointer)
            raise _taken(functions, error)
        call = QueuedCall(pointer, operation.read, context)
        self._calls[pointer] = call
        return call

    def descriptor(self) -> int:
        """Give the descriptor that is readable when the queue is to be driven."""
        error = c_void_p()
        descriptor = self.library.queue_fd(self.pointer, error)
        if descriptor < 0:
            raise _taken(self.library, error)
        return descriptor  # type: ignore[no-any-return]

    def drive(self) -> int:
        """Do all that can be done without waiting, and tell how many calls are over."""
        error = c_void_p()
        over = self.library.queue_drive(self.pointer, error)
        self.check()
        if over < 0:
            raise _taken(self.library, error)
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
                raise _taken(functions, error)
            return None
        call = self._calls.pop(pointer)
        call._pointer = None
        try:
            failure = functions.call_error(pointer)
            if failure:
                call.error = _exception(functions, failure)
            else:
                call.value = _value(functions, pointer, call._read)
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
                raise _taken(self.library, error)

    def cancel_all(self) -> None:
        """End all calls."""
        error = c_void_p()
        if self.library.queue_cancel_all(self.pointer, error) != 0:
            raise _taken(self.library, error)


class SandboxOwner(_Owner):
    """A server in this process, which ends with the interpreter too, so that its database is closed."""

    __slots__ = ("_sandbox",)

    def __init__(self, options: "dict[str, Any]") -> None:
        """Start it, with options as the C library has them."""
        # libargyle reads the options, with the jansson that both share.
        functions = library()
        self._sandbox = sandbox_library()
        super().__init__(functions, self._sandbox.free)
        with _Value(functions, "an option", options) as value:
            error = self._fill(self._sandbox.start, value)
        if not self.pointer:
            try:
                raise errors.SandboxError(self._sandbox.error_message(error).decode())
            finally:
                self._sandbox.error_free(error)

    @property
    def url(self) -> str:
        """Where it is reached, also after it was stopped."""
        return self._sandbox.url(self.pointer).decode()  # type: ignore[no-any-return]

    def stop(self) -> None:
        """Stop it; nothing happens where it was stopped before."""
        self._sandbox.stop(self.pointer)


def _release_sandboxes() -> None:
    for reference in list(_references.values()):
        owner = reference()
        if isinstance(owner, SandboxOwner):
            owner.release()

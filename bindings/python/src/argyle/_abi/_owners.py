"""What the library hands out, which is released once nothing refers to it."""

from __future__ import annotations

import weakref
from ctypes import c_void_p
from functools import partial
from itertools import compress, repeat, starmap
from typing import Any, Callable, Iterator, NoReturn, Optional, TypeVar

from ._failures import taken
from ._functions import Library
from ._interrupts import Interrupt, idle_interrupts
from ._references import references

AnyOwner = TypeVar("AnyOwner", bound="Owner")


class Owner:
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
        interrupt: "Optional[Interrupt]" = None,
    ) -> None:
        self.library = library
        self._address: "dict[int, Optional[int]]" = {}
        key = object()
        # The first gives what is to be released, or None, and the second allows it once.
        pointers = iter(partial(self._address.pop, 0, None), key)
        known = iter(partial(references.pop, key, None), None)
        released: "Iterator[Any]" = map(free, compress(pointers, known))
        if interrupt is not None:
            released = map(idle_interrupts.setdefault, repeat(interrupt), released)
        self._release = partial(next, released, None)
        references[key] = weakref.ref(self, partial(next, released))

    def _fill(self, make: "Callable[..., Optional[int]]", *arguments: Any) -> c_void_p:
        """Own what a function makes; where it makes nothing, give the error."""
        error = c_void_p()
        next(map(self._address.setdefault, (0,), starmap(make, ((*arguments, error),))))
        return error

    def filled(self: AnyOwner, make: "Callable[..., Optional[int]]", *arguments: Any) -> AnyOwner:
        """Own what a function of the library's makes, or raise its error."""
        error = self._fill(make, *arguments)
        if not self.pointer:
            raise taken(self.library, error)
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

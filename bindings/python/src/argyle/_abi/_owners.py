"""Owners of C objects."""

from __future__ import annotations

import weakref
from ctypes import c_void_p
from functools import partial
from itertools import compress, repeat, starmap
from typing import Any, Callable, Iterator, NoReturn, Optional, TypeVar

from ._failures import consume_error
from ._functions import Library
from ._interrupts import Interrupt, idle_interrupts
from ._references import references

AnyOwner = TypeVar("AnyOwner", bound="Owner")


class Owner:
    """Owns a C object and releases it once nothing refers to the owner.

    At interpreter exit nothing is released, because another thread may still be using the object.

    If the owner is part of a reference cycle, Python releases it before it closes generators and coroutines in the
    same cycle, which may still use it: they see a NULL pointer, which the library rejects.

    A signal handler may run between any two bytecode instructions, and an exception that it raises during a release
    would be lost. A release therefore runs no Python code, only iterators and functions implemented in C. The same
    applies to creation: the owner exists first and receives the pointer in a single step.
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
        # The first yields the pointer to release, or None; the second permits one release.
        pointers = iter(partial(self._address.pop, 0, None), key)
        known = iter(partial(references.pop, key, None), None)
        released: "Iterator[Any]" = map(free, compress(pointers, known))
        if interrupt is not None:
            released = map(idle_interrupts.setdefault, repeat(interrupt), released)
        self._release = partial(next, released, None)
        references[key] = weakref.ref(self, partial(next, released))

    def _acquire(self, make: "Callable[..., Optional[int]]", *arguments: Any) -> c_void_p:
        """Own the object that a function creates; returns the error, which is set if it creates none."""
        error = c_void_p()
        next(map(self._address.setdefault, (0,), starmap(make, ((*arguments, error),))))
        return error

    def acquire(self: AnyOwner, make: "Callable[..., Optional[int]]", *arguments: Any) -> AnyOwner:
        """Own the object that a libargyle function creates, or raise its error; returns self."""
        error = self._acquire(make, *arguments)
        if not self.pointer:
            raise consume_error(self.library, error)
        return self

    def adopt(self: AnyOwner, address: int) -> AnyOwner:
        """Own an existing object; returns self."""
        self._address[0] = address
        return self

    def __reduce__(self) -> NoReturn:
        raise TypeError("an object that holds connections or a server cannot be copied or pickled")

    @property
    def pointer(self) -> Optional[int]:
        """The object's address; None once released."""
        return self._address.get(0)

    def release(self) -> None:
        """Release the object now; does nothing if it was already released."""
        self._release()

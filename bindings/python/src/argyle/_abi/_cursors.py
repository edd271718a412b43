"""Walks over the pages of a list."""

from __future__ import annotations

from ctypes import byref, c_size_t, c_void_p
from typing import Any, Optional

from .. import errors
from ._calls import reason_of
from ._clients import ClientOwner
from ._failures import taken
from ._functions import Library
from ._interrupts import Interrupt, is_logging
from ._owners import Owner
from ._values import bytes_at, json_text


class CursorOwner(Owner):
    """A walk over the pages of a list."""

    __slots__ = ("_interrupt",)

    def __init__(self, library: Library, interrupt: Interrupt) -> None:
        super().__init__(library, library.cursor_free, interrupt)
        self._interrupt = interrupt

    @classmethod
    def new(cls, client: ClientOwner, query: "dict[str, Any]") -> "CursorOwner":
        """Start a walk."""
        functions = client.library
        # Of its own, for the thread that goes on with it may be another than the one that starts it.
        interrupt = Interrupt.take()
        cursor = cls(functions, interrupt)
        variant = client.variant(interrupt, is_logging())
        text = json_text("the query", query)
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
            return bytes_at(text, size.value)  # type: ignore[no-any-return]
        if error:
            raise taken(self.library, error)
        return None

    def unreadable(self, failure: errors.ProtocolError) -> errors.Error:
        """Give the error of the page that came last, which cannot be read."""
        return taken(self.library, c_void_p(self.library.cursor_unreadable(self.pointer, reason_of(failure))))

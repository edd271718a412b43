"""Cursors over the pages of a list."""

from __future__ import annotations

from ctypes import byref, c_size_t, c_void_p
from typing import Any, Optional

from .. import errors
from ._calls import reason_text
from ._clients import ClientOwner
from ._failures import consume_error
from ._functions import Library
from ._interrupts import Interrupt, is_logging
from ._owners import Owner
from ._values import bytes_at, json_text


class CursorOwner(Owner):
    """A cursor over the pages of a list."""

    __slots__ = ("_interrupt",)

    def __init__(self, library: Library, interrupt: Interrupt) -> None:
        super().__init__(library, library.cursor_free, interrupt)
        self._interrupt = interrupt

    @classmethod
    def new(cls, client: ClientOwner, query: "dict[str, Any]") -> "CursorOwner":
        """Create a cursor."""
        functions = client.library
        # Not shared, because another thread than the one that creates the cursor may use it.
        interrupt = Interrupt.acquire()
        cursor = cls(functions, interrupt)
        variant = client.variant(interrupt, is_logging())
        text = json_text("the query", query)
        return cursor.acquire(functions.cursor_new_text, variant.pointer, text, len(text))

    def next_page(self) -> Optional[bytes]:
        """Wait for the next page and return its JSON; None at the end."""
        size = c_size_t()
        error = c_void_p()
        text = self.library.cursor_next_page_text(self.pointer, byref(size), byref(error))
        if self._interrupt.is_set:
            self.library.error_free(error)
            self._interrupt.check()
        if text:
            return bytes_at(text, size.value)  # type: ignore[no-any-return]
        if error:
            raise consume_error(self.library, error)
        return None

    def unreadable(self, failure: errors.ProtocolError) -> errors.Error:
        """Return the error for the last page, which cannot be parsed."""
        return consume_error(self.library, c_void_p(self.library.cursor_unreadable(self.pointer, reason_text(failure))))

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


class PageCursor(Owner):
    """A cursor over the pages of a list, which a queue fetches."""

    __slots__ = ()

    @classmethod
    def new(cls, client: ClientOwner, query: "dict[str, Any]") -> "PageCursor":
        """Create a cursor."""
        functions = client.library
        text = json_text("the query", query)
        return cls(functions, functions.cursor_free).acquire(functions.cursor_new_text, client.pointer, text, len(text))

    def new_call(self, client: Owner) -> Optional[int]:
        """Create a call for the next page; None at the end."""
        error = c_void_p()
        call = self.library.cursor_next_call(self.pointer, client.pointer, byref(error))
        if error:
            raise consume_error(self.library, error)
        return call  # type: ignore[no-any-return]

    def has_next(self, client: Owner) -> bool:
        """Whether there is a next page; raises ProtocolError if the last page's link cannot be followed."""
        call = self.new_call(client)
        self.library.call_free(call)
        return call is not None

    def add(self, call: Owner) -> bool:
        """Add the page of a finished call; returns False if it was too large and a smaller one is next."""
        error = c_void_p()
        added = self.library.cursor_add_page(self.pointer, call.pointer, byref(error))
        if added < 0:
            raise consume_error(self.library, error)
        return added == 1  # type: ignore[no-any-return]


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

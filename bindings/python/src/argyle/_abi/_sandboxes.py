"""In-process sandboxes."""

from __future__ import annotations

import atexit
from functools import cache
from typing import Any

from .. import errors
from ._functions import library, sandbox_library
from ._owners import Owner
from ._references import references
from ._values import Value


class SandboxOwner(Owner):
    """An in-process server. Unlike other owners it is released at exit, so that its database is closed."""

    __slots__ = ("_sandbox",)

    def __init__(self, options: "dict[str, Any]") -> None:
        """Start a sandbox with options in the C library's form."""
        # Both libraries share one jansson, which libargyle's functions call.
        functions = library()
        self._sandbox = sandbox_library()
        _release_at_exit()
        super().__init__(functions, self._sandbox.free)
        with Value(functions, "an option", options) as value:
            error = self._acquire(self._sandbox.start, value)
        if not self.pointer:
            try:
                raise errors.SandboxError(self._sandbox.error_message(error).decode())
            finally:
                self._sandbox.error_free(error)

    @property
    def url(self) -> str:
        """The server's URL, which stays readable after it was stopped."""
        return self._sandbox.url(self.pointer).decode()  # type: ignore[no-any-return]

    def stop(self) -> None:
        """Stop the server; does nothing if it was stopped before."""
        self._sandbox.stop(self.pointer)


@cache
def _release_at_exit() -> None:
    # Handlers run in reverse order: this one before the library's own, after which nothing is released.
    atexit.register(_release_all)


def _release_all() -> None:
    for reference in list(references.values()):
        owner = reference()
        if isinstance(owner, SandboxOwner):
            owner.release()

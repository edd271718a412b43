"""Sandboxes in this process."""

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
    """A server in this process, which ends with the interpreter too, so that its database is closed."""

    __slots__ = ("_sandbox",)

    def __init__(self, options: "dict[str, Any]") -> None:
        """Start it, with options as the C library has them."""
        # libargyle reads the options, with the jansson that both share.
        functions = library()
        self._sandbox = sandbox_library()
        _release_at_exit()
        super().__init__(functions, self._sandbox.free)
        with Value(functions, "an option", options) as value:
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


@cache
def _release_at_exit() -> None:
    # What is registered last is called first: nothing is released any more after what the library has registered.
    atexit.register(_release_all)


def _release_all() -> None:
    for reference in list(references.values()):
        owner = reference()
        if isinstance(owner, SandboxOwner):
            owner.release()

"""C clients."""

from __future__ import annotations

from typing import Any, Optional

from ._functions import Library, library
from ._interrupts import Interrupt, log_function
from ._owners import Owner
from ._values import json_text


class ClientOwner(Owner):
    """A client and its variants that can be interrupted or that log."""

    __slots__ = ("_variants", "api_version")

    def __init__(self, library: Library, api_version: int) -> None:
        super().__init__(library, library.client_free)
        #: The version of the API, once the C library has accepted it.
        self.api_version = api_version
        self._variants: "dict[tuple[Optional[Interrupt], bool], Owner]" = {}

    @classmethod
    def new(cls, options: "dict[str, Any]") -> "ClientOwner":
        """Create a client from options in the C library's form."""
        functions = library()
        text = json_text("an option", options)
        client = cls(functions, options.get("api_version", 1))
        return client.acquire(functions.client_new_text, text, len(text))

    def with_options(self, overrides: "dict[str, Any]") -> "ClientOwner":
        """Create a client that shares this one's connections, with some options changed."""
        library = self.library
        text = json_text("an option", overrides)
        client = ClientOwner(library, overrides.get("api_version", self.api_version))
        return client.acquire(library.client_with_text, self.pointer, text, len(text))

    def variant(self, interrupt: Optional[Interrupt], logging: bool) -> Owner:
        """Return the variant of the client that can be interrupted or that logs, created if needed."""
        if interrupt is None and not logging:
            return self
        kind = interrupt, logging
        variant = self._variants.get(kind)
        if variant is None:
            variant = self._variants.setdefault(kind, self._make_variant(interrupt, logging))
        return variant

    def _make_variant(self, interrupt: Optional[Interrupt], logging: bool) -> Owner:
        library = self.library
        variant: Owner = self
        if interrupt is not None:
            variant = Owner(library, library.client_free).acquire(
                library.client_with_interrupt, variant.pointer, interrupt.function, None
            )
        if logging:
            function = log_function if interrupt is None else interrupt.log_function
            variant = Owner(library, library.client_free).acquire(
                library.client_with_log, variant.pointer, function, None
            )
        return variant

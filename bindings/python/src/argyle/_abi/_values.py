"""Conversion of strings and JSON to and from C."""

from __future__ import annotations

import ctypes
from ctypes import c_size_t, c_void_p
from typing import Any, Optional

from .. import errors
from .._json import dumps, loads
from ._functions import Library

# Like ctypes.string_at, which takes twice as long.
bytes_at: Any = ctypes.pythonapi.PyBytes_FromStringAndSize
bytes_at.restype = ctypes.py_object
bytes_at.argtypes = (c_void_p, c_size_t)


def json_text(name: str, value: Any) -> bytes:
    """Encode an argument as JSON."""
    try:
        return dumps(value)
    except (TypeError, ValueError) as failure:
        raise errors.ArgumentError(f"{name} is not JSON: {failure}") from None


class Value:
    """A jansson value that lives for one call; a context manager."""

    def __init__(self, library: Library, name: str, value: Any) -> None:
        self._library = library
        text = json_text(name, value)
        # JSON_DECODE_ANY and JSON_ALLOW_NUL.
        self.pointer = library.json_loadb(text, len(text), 0x4 | 0x10, None)
        if not self.pointer:
            raise errors.ArgumentError(f"jansson cannot represent {name}")

    def __enter__(self) -> "Optional[int]":
        return self.pointer  # type: ignore[no-any-return]

    def __exit__(self, *_: object) -> None:
        self._library.json_decref(self.pointer)


def python_value(library: Library, value: int) -> Any:
    """Convert a borrowed jansson value."""
    # JSON_COMPACT and JSON_ENCODE_ANY.
    flags = 0x20 | 0x200
    size = library.json_dumpb(value, None, 0, flags)
    text = ctypes.create_string_buffer(size)
    library.json_dumpb(value, text, size, flags)
    return loads(text.raw[:size])


def text_argument(name: str, text: object) -> bytes:
    """Encode a str as a C string."""
    if not isinstance(text, str):
        raise errors.ArgumentError(f"{name} must be a str")
    if "\0" in text:
        raise errors.ArgumentError(f"{name} must not contain a NUL character")
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise errors.ArgumentError(f"{name} must not contain lone surrogates") from None

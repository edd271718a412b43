"""Where the libraries are found, and what is said where one is not."""

from __future__ import annotations

import ctypes
import os
from ctypes import c_char_p, c_void_p
from pathlib import Path
from typing import Any

from .. import errors
from .._version import __version__

#: The Debian packages of what each library needs beside the C library.
packages = {
    "argyle": {"libcurl.so.4": "libcurl4", "libjansson.so.4": "libjansson4"},
    "argyle-sandbox": {
        "libjansson.so.4": "libjansson4",
        "libjwt.so.0": "libjwt0",
        "libmicrohttpd.so.12": "libmicrohttpd12",
        "libsqlite3.so.0": "libsqlite3-0",
    },
}


def load(name: str, variable: str) -> "tuple[ctypes.CDLL, ctypes.PyDLL]":
    """Load a library: the one that the environment names, or else the packaged one, or else the system's."""
    soname = f"lib{name}.so.0"
    override = os.environ.get(variable)
    places = [override] if override else [str(Path(__file__).parents[1] / "lib" / soname), soname]
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
    missing = [package for library, package in packages[name].items() if not _is_there(library)]
    if missing:
        message += f" (on Debian: apt install {' '.join(missing)})"
    raise errors.LibraryError(message)


def _is_there(library: str) -> bool:
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True


def find(library: ctypes.CDLL, name: str, result: Any, *arguments: Any) -> Any:
    """Find a function, and give it its types."""
    try:
        function = getattr(library, name)
    except AttributeError:
        raise errors.LibraryError(f"{library._name} has no function {name}: it is of another version") from None
    function.restype = result
    function.argtypes = arguments
    return function


def _check_version(name: str, place: str, library: ctypes.CDLL) -> None:
    version = find(library, f"{name.replace('-', '_')}_version", c_char_p)().decode()
    if version != __version__:
        raise errors.LibraryError(
            f"{place} is lib{name} {version}, but this package is argyle {__version__}: install both anew"
        )


def check_interpreter() -> None:
    """Refuse sub-interpreters: ctypes' callbacks would run in another one."""
    current, main = ctypes.pythonapi.PyInterpreterState_Get, ctypes.pythonapi.PyInterpreterState_Main
    current.restype = main.restype = c_void_p
    if current() != main():
        raise errors.LibraryError("argyle works in the main interpreter only")

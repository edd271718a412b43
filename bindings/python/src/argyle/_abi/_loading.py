"""Finding and loading the C libraries."""

from __future__ import annotations

import ctypes
import os
from ctypes import c_char_p, c_void_p
from pathlib import Path
from typing import Any

from .. import errors
from .._version import __version__

#: The Debian packages of each library's dependencies other than the C library.
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
    """Load the library named by the environment, or else the packaged one, or else the system's.

    Returns it twice: for functions that block, and for quick ones, which are called without releasing the GIL.
    """
    soname = f"lib{name}.so.0"
    override = os.environ.get(variable)
    paths = [override] if override else [str(Path(__file__).parents[1] / "lib" / soname), soname]
    failures = []
    for path in paths:
        try:
            # Releasing the GIL would take longer than the quick functions do.
            blocking, quick = ctypes.CDLL(path), ctypes.PyDLL(path)
        except OSError as failure:
            # If a dependency is missing, the message does not include the path.
            failures.append(str(failure) if path in str(failure) else f"{path}: {failure}")
            continue
        _check_version(name, path, quick)
        return blocking, quick
    message = f"lib{name} cannot be loaded: {'; '.join(failures)}"
    missing = [package for library, package in packages[name].items() if not _is_loadable(library)]
    if missing:
        message += f" (on Debian: apt install {' '.join(missing)})"
    raise errors.LibraryError(message)


def _is_loadable(library: str) -> bool:
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True


def find(library: ctypes.CDLL, name: str, result: Any, *arguments: Any) -> Any:
    """Find a function and declare its types."""
    try:
        function = getattr(library, name)
    except AttributeError:
        raise errors.LibraryError(f"{library._name} has no function {name}: its version differs") from None
    function.restype = result
    function.argtypes = arguments
    return function


def _check_version(name: str, path: str, library: ctypes.CDLL) -> None:
    version = find(library, f"{name.replace('-', '_')}_version", c_char_p)().decode()
    if version != __version__:
        raise errors.LibraryError(
            f"{path} is lib{name} {version}, but this package is argyle {__version__}: reinstall both"
        )


def check_interpreter() -> None:
    """Raise LibraryError in a subinterpreter: ctypes callbacks would run in another one."""
    current, main = ctypes.pythonapi.PyInterpreterState_Get, ctypes.pythonapi.PyInterpreterState_Main
    current.restype = main.restype = c_void_p
    if current() != main():
        raise errors.LibraryError("argyle requires the main interpreter")

"""The ctypes bindings to libargyle; no other module uses ctypes.

``library`` returns the C functions and loads the library on first use. Owners wrap the C objects and release them
once nothing refers to the owner.
"""

from __future__ import annotations

import ctypes
import sys

from .. import errors

if not hasattr(ctypes, "pythonapi"):
    raise errors.LibraryError(f"argyle requires CPython, got {sys.implementation.name}")

from ._calls import run
from ._clients import ClientOwner
from ._cursors import CursorOwner, PageCursor
from ._functions import Library, SandboxLibrary, library, sandbox_library
from ._owners import Owner
from ._queues import QueuedCall, QueueOwner
from ._sandboxes import SandboxOwner
from ._tokens import token_claims
from ._types import (
    USER_CREATE,
    USER_CREATE_WITH_FIELDS,
    USER_DELETE,
    USER_GET,
    USER_LIST,
    USER_TOKEN_CREATE,
    USER_UPDATE,
    USER_UPDATE_WITH_FIELDS,
)
from ._values import text_argument

__all__ = [
    "USER_CREATE",
    "USER_CREATE_WITH_FIELDS",
    "USER_DELETE",
    "USER_GET",
    "USER_LIST",
    "USER_TOKEN_CREATE",
    "USER_UPDATE",
    "USER_UPDATE_WITH_FIELDS",
    "ClientOwner",
    "CursorOwner",
    "Library",
    "Owner",
    "PageCursor",
    "QueueOwner",
    "QueuedCall",
    "SandboxLibrary",
    "SandboxOwner",
    "library",
    "run",
    "sandbox_library",
    "text_argument",
    "token_claims",
]

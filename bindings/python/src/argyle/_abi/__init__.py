"""libargyle as it is in C: the one place that knows ctypes.

The functions are found in ``library``, loaded with its first use. What it hands out is wrapped into owners, which
release it once nothing refers to them.
"""

from __future__ import annotations

import ctypes
import sys

from .. import errors

if not hasattr(ctypes, "pythonapi"):
    raise errors.LibraryError(f"argyle works with CPython alone, and this is {sys.implementation.name}")

from ._calls import check, run
from ._clients import ClientOwner
from ._cursors import CursorOwner
from ._functions import Library, SandboxLibrary, library, sandbox_library
from ._owners import Owner
from ._queues import QueuedCall, QueueOwner
from ._sandboxes import SandboxOwner
from ._tokens import token_claims
from ._types import USER_CREATE, USER_DELETE, USER_GET, USER_LIST, USER_TOKEN_CREATE, USER_UPDATE
from ._values import text_argument

__all__ = [
    "USER_CREATE",
    "USER_DELETE",
    "USER_GET",
    "USER_LIST",
    "USER_TOKEN_CREATE",
    "USER_UPDATE",
    "ClientOwner",
    "CursorOwner",
    "Library",
    "Owner",
    "QueueOwner",
    "QueuedCall",
    "SandboxLibrary",
    "SandboxOwner",
    "check",
    "library",
    "run",
    "sandbox_library",
    "text_argument",
    "token_claims",
]

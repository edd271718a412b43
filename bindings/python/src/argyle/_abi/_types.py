"""Types and constants from argyle.h."""

from __future__ import annotations

import ctypes
from ctypes import POINTER, c_char_p, c_int, c_void_p

# ARGYLE_OPERATION_…
USER_CREATE = 1
USER_GET = 2
USER_UPDATE = 3
USER_LIST = 4
USER_DELETE = 5
USER_TOKEN_CREATE = 6
USER_CREATE_WITH_FIELDS = 7
USER_UPDATE_WITH_FIELDS = 8


# Without the context that C passes: a C function may ignore trailing arguments.
InterruptFunction = ctypes.CFUNCTYPE(c_int)
LogFunction = ctypes.CFUNCTYPE(None, c_int, c_char_p, c_void_p, c_void_p)

#: ``argyle_error **error``.
ErrorSlot = POINTER(c_void_p)

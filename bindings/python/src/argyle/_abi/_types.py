"""Types and numbers of the headers."""

from __future__ import annotations

import ctypes
from ctypes import POINTER, c_char_p, c_int, c_void_p

# The operations, as argyle.h numbers them.
USER_CREATE = 1
USER_GET = 2
USER_UPDATE = 3
USER_LIST = 4
USER_DELETE = 5
USER_TOKEN_CREATE = 6

#: ARGYLE_ERROR_CANCELLED
CANCELLED = 18

# The argyle_interrupt_function takes a context, which is not looked at: a function of C may be given more arguments
# than it takes.
InterruptFunction = ctypes.CFUNCTYPE(c_int)
LogFunction = ctypes.CFUNCTYPE(None, c_int, c_char_p, c_void_p, c_void_p)

#: Where a function puts an error.
ErrorSlot = POINTER(c_void_p)

"""User tokens."""

from __future__ import annotations

from ctypes import c_void_p
from typing import Any

from ._failures import consume_error
from ._functions import library
from ._values import python_value, text_argument


def token_claims(token: str) -> "dict[str, Any]":
    """Return the claims of a user token, without verifying them."""
    functions = library()
    error = c_void_p()
    claims = functions.token_claims(text_argument("token", token), error)
    if not claims:
        raise consume_error(functions, error)
    try:
        return python_value(functions, claims)  # type: ignore[no-any-return]
    finally:
        functions.json_decref(claims)

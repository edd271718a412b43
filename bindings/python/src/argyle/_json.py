"""JSON text and Python values."""

from __future__ import annotations

import json
from typing import Any, NoReturn, Union

try:
    import orjson
except ImportError:
    orjson = None  # type: ignore[assignment]


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


def loads(text: Union[bytes, str]) -> Any:
    """Read a JSON text; a ValueError says what is wrong with it."""
    if orjson is not None:
        try:
            return orjson.loads(text)
        except ValueError:
            # It refuses a little that the standard library takes, such as lone surrogates.
            pass
    try:
        return json.loads(text, parse_constant=_refuse)
    except RecursionError:
        raise ValueError("the JSON is nested too deeply for Python") from None


def dumps(value: Any) -> bytes:
    """Write a value as JSON; a TypeError or ValueError says what of it is none.

    The standard library does it alone: orjson would take more types, and write NaN as null.
    """
    try:
        return json.dumps(value, allow_nan=False, separators=(",", ":")).encode("ascii")
    except RecursionError:
        raise ValueError("the value is nested too deeply for Python") from None

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


def _real(text: str) -> float:
    value = float(text)
    if value in (float("inf"), float("-inf")):
        raise ValueError(f"{text[:40]} is too large for a float")
    return value


# Made once: the functions of json make new ones each time.
_decoder = json.JSONDecoder(parse_constant=_refuse, parse_float=_real)
_encoder = json.JSONEncoder(allow_nan=False, separators=(",", ":"))

# All digits as zeros; a run of 19 may be an integer beyond 64 bits.
_DIGITS = bytes(ord("0") if chr(byte).isdecimal() else byte for byte in range(256))
_MANY = b"0" * 19


def loads(text: Union[bytes, str]) -> Any:
    """Read a JSON text; a ValueError says what is wrong with it."""
    if isinstance(text, str):
        text = text.encode("utf-8", "surrogatepass")
    # orjson would round such an integer to a float.
    if orjson is not None and _MANY not in text.translate(_DIGITS):
        try:
            return orjson.loads(text)
        except ValueError:
            # It refuses a little that the standard library takes, such as lone surrogates.
            pass
    try:
        return _decoder.decode(str(text, "utf-8", "surrogatepass"))
    except RecursionError:
        raise ValueError("the JSON is nested too deeply for Python") from None


def dumps(value: Any) -> bytes:
    """Write a value as JSON; a TypeError or ValueError says what of it is none.

    The standard library does it alone: orjson would take more types, and write NaN as null.
    """
    try:
        return _encoder.encode(value).encode("ascii")
    except RecursionError:
        raise ValueError("the value is nested too deeply for Python") from None

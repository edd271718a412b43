"""JSON text and Python values."""

from __future__ import annotations

import json
from typing import Any, Iterable, NoReturn, Union

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
_encoder = json.JSONEncoder(allow_nan=False, ensure_ascii=False, separators=(",", ":"))

# All digits as zeros; a run of 19 may be an integer beyond 64 bits.
_DIGITS = bytes(ord("0") if chr(byte).isdecimal() else byte for byte in range(256))
_MANY = b"0" * 19

_SCALARS = {str, int, float, bool, type(None)}


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
    _check_keys(value)
    try:
        # Lone surrogates, which UTF-8 does not have, become the escapes that JSON has for them.
        return _encoder.encode(value).encode("utf-8", "backslashreplace")
    except RecursionError:
        raise ValueError("the value is nested too deeply for Python") from None


def _joined(key: str) -> str:
    """Give a key as it is read again: with two surrogates as the character that they make together."""
    return key.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")


def _check_keys(value: Any) -> None:
    """Refuse what the standard library would write as a text, which may be the text of another key."""
    pending = [value]
    seen = set()
    while pending:
        container = pending.pop()
        if type(container) in _SCALARS:
            continue
        if isinstance(container, dict):
            for key in container:
                if not isinstance(key, str):
                    raise TypeError(f"keys must be str, not {type(key).__name__}")
            if not "".join(container).isascii() and len({*map(_joined, container)}) < len(container):
                raise ValueError("two keys are the same in JSON")
            items: Iterable[Any] = container.values()
        elif isinstance(container, (list, tuple)):
            items = container
        else:
            continue
        # One that contains itself is the encoder's to refuse.
        if id(container) not in seen:
            seen.add(id(container))
            pending.extend(items)

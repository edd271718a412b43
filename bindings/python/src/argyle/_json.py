"""JSON encoding and decoding."""

from __future__ import annotations

import json
from typing import Any, Collection, Iterable, NoReturn, Union

try:
    import orjson
except ImportError:
    orjson = None  # type: ignore[assignment]


def _reject_constant(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


def _parse_float(text: str) -> float:
    value = float(text)
    if value in (float("inf"), float("-inf")):
        raise ValueError(f"{text[:40]} is too large for a float")
    return value


# Created once: json's functions would create one per call with these options.
_decoder = json.JSONDecoder(parse_constant=_reject_constant, parse_float=_parse_float)
_encoder = json.JSONEncoder(allow_nan=False, ensure_ascii=False, separators=(",", ":"))

# With all digits replaced by zeros, an integer beyond 64 bits contains 19 zeros in a row.
_DIGITS = bytes(ord("0") if chr(byte).isdecimal() else byte for byte in range(256))
_LONG_RUN = b"0" * 19

_SCALARS = {str, int, float, bool, type(None)}


def loads(text: Union[bytes, str]) -> Any:
    """Parse JSON; raises ValueError if it is invalid."""
    if isinstance(text, str):
        text = text.encode("utf-8", "surrogatepass")
    # orjson would round an integer beyond 64 bits to a float.
    if orjson is not None and _LONG_RUN not in text.translate(_DIGITS):
        try:
            return orjson.loads(text)
        except ValueError:
            # orjson rejects some input that the standard library accepts, such as lone surrogates.
            pass
    try:
        return _decoder.decode(str(text, "utf-8", "surrogatepass"))
    except RecursionError:
        raise ValueError("the JSON is nested too deeply for Python") from None


def dumps(value: Any) -> bytes:
    """Encode a value as JSON; raises TypeError or ValueError if that is not possible.

    Always uses the standard library: orjson accepts more types, and encodes NaN as null.
    """
    _check_keys(value)
    try:
        # UTF-8 cannot encode lone surrogates: they become JSON escapes.
        return _encoder.encode(value).encode("utf-8", "backslashreplace")
    except RecursionError:
        raise ValueError("the value is nested too deeply for Python") from None


def _decoded_key(key: str) -> str:
    """Return a key as it will be decoded: with each surrogate pair joined into one character."""
    return key.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")


def check_distinct(keys: "Collection[str]") -> None:
    """Raise ValueError if two keys are equal once encoded."""
    if not "".join(keys).isascii() and len({*map(_decoded_key, keys)}) < len(keys):
        raise ValueError("two keys are the same in JSON")


def _check_keys(value: Any) -> None:
    """Reject non-str keys, which the standard library would convert, and keys that are equal once encoded."""
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
            check_distinct(container)
            items: Iterable[Any] = container.values()
        elif isinstance(container, (list, tuple)):
            items = container
        else:
            continue
        # The encoder rejects circular references.
        if id(container) not in seen:
            seen.add(id(container))
            pending.extend(items)

"""JSON with and without orjson."""

from __future__ import annotations

from typing import Any, Optional

import pytest

from argyle import _json


@pytest.fixture(params=["orjson", None])
def parser(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    name: Optional[str] = request.param
    monkeypatch.setattr(_json, "orjson", pytest.importorskip(name) if name else None)


@pytest.mark.usefixtures("parser")
@pytest.mark.parametrize(
    "value",
    [0, -1, 2**63, 2**64 - 1, 2**64, -(2**63), -(2**63) - 1, 10**19, -(10**19) + 1, 10**30, {"a": [2**80]}],
)
def test_integers_are_never_rounded(value: Any) -> None:
    for text in (_json.dumps(value), _json.dumps(value).decode()):
        read = _json.loads(text)
        assert read == value
        assert type(read) is type(value)


@pytest.mark.usefixtures("parser")
@pytest.mark.parametrize("text", ["0.1234567890123456789012", "-123123.123123123123123123", "1e-400", "1e23"])
def test_decimals_are_the_nearest_floats(text: str) -> None:
    read = _json.loads(text)
    assert type(read) is float
    assert read == float(text)


@pytest.mark.usefixtures("parser")
@pytest.mark.parametrize("text", [b"NaN", b"[Infinity]", b"", b"{", b"1 2", b"[" * 100_000])
def test_invalid_json_is_a_value_error(text: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        _json.loads(text)


@pytest.mark.usefixtures("parser")
@pytest.mark.parametrize("text", ["1e400", "-1e400", "[1e999]"])
def test_numbers_that_are_too_large(text: str) -> None:
    with pytest.raises(ValueError, match="too large"):
        _json.loads(text)

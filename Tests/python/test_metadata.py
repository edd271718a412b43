"""Metadata of every kind."""

from __future__ import annotations

import datetime
import json
import math
import os
import subprocess
import sys
import urllib.request
from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

import argyle
from argyle import _json
from conftest import KEY_ID, KEY_SECRET, PATIENCE

# Lone surrogates are not valid Unicode: the service does not keep them.
TEXTS = st.text(st.characters(blacklist_categories=["Cs"]))
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXTS
)
# The sandbox does not accept NUL in a key.
KEYS = TEXTS.filter(lambda key: "\0" not in key)
JSON = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=5) | st.dictionaries(TEXTS.filter(lambda key: "\0" not in key), inner, max_size=5)
    ),
    max_leaves=25,
)


@pytest.fixture(scope="module")
def shared(sandbox_url: str) -> Any:
    """A client shared by all examples of a property."""
    return argyle.Client(KEY_ID, KEY_SECRET, base_url=sandbox_url)


def same(one: Any, other: Any) -> bool:
    """Whether two values are equal and of the same types; 0.0 equals -0.0, as in the sandbox."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return list(one) == list(other) and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same, one, other))
    return bool(one == other)


@pytest.mark.parametrize("parser", ["orjson", "json"])
@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(value=JSON)
def test_round_trip(sandbox_url: str, monkeypatch: pytest.MonkeyPatch, parser: str, value: Any) -> None:
    """Any JSON survives a round trip, with either parser."""
    if parser == "orjson":
        pytest.importorskip("orjson")
    with monkeypatch.context() as patch, argyle.Client(KEY_ID, KEY_SECRET, base_url=sandbox_url) as client:
        if parser == "json":
            patch.setattr(_json, "orjson", None)
        created = client.users.create(external_metadata=value)
        assert same(client.users.get(created.id).external_metadata, value)
        assert same(client.users.update(created.id, external_metadata=[value]).external_metadata, [value])
        client.users.delete(created.id)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(value=JSON | st.integers())
def test_parsers_agree(value: Any) -> None:
    """Both parsers decode encoded values."""
    pytest.importorskip("orjson")
    text = _json.dumps(value)
    assert same(_json.loads(text), value)
    assert same(_json._decoder.decode(text.decode()), value)


@pytest.mark.parametrize("value", [2**63, 2**64, -(2**63) - 1, 10**30])
def test_integers_beyond_64_bits(client: argyle.Client, value: int) -> None:
    """They are sent unchanged; the sandbox, which cannot represent them, reports an error."""
    try:
        created = client.users.create(external_metadata=value)
    except argyle.InvalidRequestError as error:
        assert error.status == 400
    else:
        assert client.users.get(created.id).external_metadata == value


class Unknown:
    """Something that is not JSON."""


@pytest.mark.parametrize(
    "value",
    [math.nan, math.inf, -math.inf, {1, 2}, b"bytes", Unknown(), {"a": [Unknown()]}, {(1, 2): 3}, 1j]
    + [datetime.datetime(2026, 1, 1), [math.nan]],
)
def test_values_that_are_not_json(client: argyle.Client, value: Any) -> None:
    """They are rejected before anything is sent, without chained exceptions."""
    for ask in (
        lambda: client.users.create(external_metadata=value),
        lambda: client.users.update("id", external_metadata=value),
    ):
        with pytest.raises(argyle.ArgumentError, match="external_metadata is not JSON") as caught:
            ask()
        assert caught.value.__cause__ is None and caught.value.__suppress_context__


def test_too_deep_and_circular(client: argyle.Client) -> None:
    """Circular and very deep values are rejected."""
    circular: list[Any] = []
    circular.append(circular)
    deep: Any = 1
    for _ in range(100_000):
        deep = [deep]
    for value in (circular, deep):
        with pytest.raises(argyle.ArgumentError):
            client.users.create(external_metadata=value)
    while isinstance(deep, list):
        deep = deep.pop()


def test_nested_metadata(client: argyle.Client) -> None:
    """Four hundred levels are accepted."""
    value: Any = "end"
    for level in range(400):
        value = {"a": value} if level % 2 else [value]
    created = client.users.create(external_metadata=value)
    assert client.users.get(created.id).external_metadata == value


# ---------------------------------------------------------------- Encoding


def create_in_utf8(url: str, metadata: Any) -> str:
    """Create a user with a request in UTF-8."""
    request = urllib.request.Request(
        f"{url}/v1/users",
        json.dumps({"external_metadata": metadata}, ensure_ascii=False).encode(),
        {
            "Authorization": "Basic " + b64encode(f"{KEY_ID}:{KEY_SECRET}".encode()).decode(),
            "Content-Type": "application/json",
        },
    )
    with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
        return json.loads(answer.read())["id"]  # type: ignore[no-any-return]


def test_metadata_does_not_grow(sandbox_url: str, client: argyle.Client) -> None:
    """Metadata from other clients can be created and updated again: here 900 KB, with a limit of 1 MiB."""
    metadata = {"text": "ж" * 450_000}
    user = client.users.get(create_in_utf8(sandbox_url, metadata))
    assert user.external_metadata == metadata
    created = client.users.create(external_metadata=user.external_metadata)
    assert client.users.update(created.id, external_metadata=metadata).external_metadata == metadata
    (result,) = client.bulk([argyle.calls.create_user(external_metadata=metadata)])
    assert client.users.get(result.result().id).external_metadata == metadata


def test_an_export_can_be_imported(sandbox_url: str, client: argyle.Client, tmp_path: Path) -> None:
    """The same on the command line."""
    pytest.importorskip("click")
    metadata = {"text": "ж" * 450_000}
    create_in_utf8(sandbox_url, metadata)
    environment = {"ARGYLE_KEY_ID": KEY_ID, "ARGYLE_KEY_SECRET": KEY_SECRET, "ARGYLE_BASE_URL": sandbox_url}
    for command in ("export --output users.jsonl", "import users.jsonl"):
        result = subprocess.run(
            [sys.executable, "-m", "argyle", "users", *command.split()],
            cwd=tmp_path,
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE,
        )
        assert result.returncode == 0, result.stderr
    assert [user.external_metadata for user in client.users] == [metadata] * 2


@pytest.mark.parametrize("value", ["\ud800", "\\\udfff", ["\udc00\ud800", {"\ud8ff": 1}], "ж\ud83d", "\ud83d\ude00"])
def test_lone_surrogates_are_escapes(value: Any) -> None:
    """UTF-8 cannot encode them. A surrogate pair is decoded as one character."""
    text = _json.dumps(value)
    text.decode()
    assert json.loads(text) == json.loads(json.dumps(value))


# ---------------------------------------------------------------- Keys


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ({1: "a", "1": "b"}, "int"),
        ({"a": [{"b": ({None: 1},)}]}, "NoneType"),
        ([{True: 1}], "bool"),
        ({"a": {1.5: {}}}, "float"),
        ({(1, 2): 3}, "tuple"),
    ],
)
def test_keys_are_strings(client: argyle.Client, value: Any, kind: str) -> None:
    """A key of another type is rejected: converted to a string, it may equal another key."""
    for ask in (
        lambda: client.users.create(external_metadata=value),
        lambda: client.users.update("id", external_metadata=value),
        lambda: next(client.bulk([argyle.calls.create_user(external_metadata=value)])).result(),
    ):
        with pytest.raises(argyle.ArgumentError, match=f"external_metadata is not JSON: keys must be str, not {kind}$"):
            ask()
    assert client.users.list().count == 0


def test_keys_of_a_subclass_of_str(client: argyle.Client) -> None:
    """They are accepted."""

    class Key(str):
        pass

    created = client.users.create(external_metadata={Key("a"): 1})
    assert client.users.get(created.id).external_metadata == {"a": 1}


def test_keys_that_are_equal_in_json(client: argyle.Client) -> None:
    """In JSON, a surrogate pair equals the character that it encodes: no value is dropped silently."""
    with pytest.raises(argyle.ArgumentError, match="two keys are the same in JSON"):
        client.users.create(external_metadata=[{"\ud83d\ude00": 1, "\U0001f600": 2}])
    assert client.users.list().results == []
    kept = {chr(0xD83D): 1, chr(0xDE00): 2, "\U0001f600": 3}
    assert client.users.get(client.users.create(external_metadata=kept).id).external_metadata == kept

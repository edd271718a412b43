"""What the service answers, as values."""

from __future__ import annotations

import copy
import dataclasses
import pickle
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

import argyle

USER = {
    "id": "u1",
    "created_at": "2026-11-24T06:00:00.123456Z",
    "employers_connected": ["Acme"],
    "data_providers_connected": [],
    "external_metadata": {"group": "canary-metadata"},
    "future": {"kept": [1]},
}
TOKEN = {"access": "canary-access", "refresh": "canary-refresh", "future": 1}
NEW = {"id": "u1", "token": "canary-token", "future": 1}
MODELS = [argyle.User(USER), argyle.UserToken(TOKEN), argyle.NewUser(NEW)]


def test_fields() -> None:
    """Fields that are known are properties, and the others are kept."""
    user = argyle.User(USER)
    assert user.id == "u1"
    assert user.created_at == datetime(2026, 11, 24, 6, 0, 0, 123456, timezone.utc)
    assert user.employers_connected == ["Acme"] and user.data_providers_connected == []
    assert user.external_metadata == {"group": "canary-metadata"}
    assert user.raw is USER and user.raw["future"] == {"kept": [1]}


@pytest.mark.parametrize("digits", range(7))
def test_fractions_of_a_second(digits: int) -> None:
    """A time has up to six digits of a fraction."""
    fraction = "123456"[:digits]
    user = argyle.User({"id": "1", "created_at": f"2026-11-24T06:00:00{'.' * bool(digits)}{fraction}Z"})
    assert user.created_at == datetime(2026, 11, 24, 6, 0, 0, int(f"{fraction:0<6}"), timezone.utc)
    assert user.created_at is not None and user.created_at.utcoffset() == timedelta(0)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-24T06:00:00", datetime(2026, 11, 24, 6, tzinfo=timezone.utc)),
        ("2026-11-24T06:00:00.123456789Z", datetime(2026, 11, 24, 6, 0, 0, 123456, timezone.utc)),
        ("2026-11-24T08:00:00+02:00", datetime(2026, 11, 24, 6, tzinfo=timezone.utc)),
        ("yesterday", None),
        ("", None),
        ("Z", None),
        ("2026-13-24T06:00:00Z", None),
        (17, None),
        (None, None),
        ({}, None),
    ],
)
def test_times(text: Any, expected: "datetime | None") -> None:
    """A time is in UTC unless it says otherwise, and what is none is None."""
    moment = argyle.User({"id": "1", "created_at": text}).created_at
    assert moment == expected
    assert moment is None or moment.utcoffset() == timedelta(0)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.text())
def test_any_text_for_a_time(text: str) -> None:
    """No text makes it fail."""
    moment = argyle.User({"id": "1", "created_at": text}).created_at
    assert moment is None or moment.tzinfo is not None


@pytest.mark.parametrize("wrong", [None, 1, "text", {}, [1], ["a", None]])
def test_wrong_types(wrong: Any) -> None:
    """What is of another type than the documented one is None, and still to be had."""
    user = argyle.User({"id": "1", "employers_connected": wrong, "data_providers_connected": wrong})
    assert user.employers_connected is None and user.data_providers_connected is None
    assert user.raw["employers_connected"] == wrong
    assert argyle.User({"id": "1"}).external_metadata is None
    assert argyle.UserToken({"access": "a", "refresh": 1}).refresh is None


@pytest.mark.parametrize("raw", [None, 1, "id", [], ["id"], {}, {"id": None}, {"id": 1}, {"id": ""}])
def test_without_an_id(raw: Any) -> None:
    """The id is relied on: without it the answer is no user, in a list neither."""
    users = [USER, raw]
    for make in (lambda: argyle.User(raw), lambda: argyle.UserPage.from_document(users)):
        with pytest.raises(argyle.ProtocolError, match='"id"'):
            make()
    with pytest.raises(argyle.ProtocolError):
        argyle.NewUser(raw)
    with pytest.raises(argyle.ProtocolError):
        argyle.UserToken(raw)


@pytest.mark.parametrize("model", MODELS)
def test_values(model: Any) -> None:
    """Models are frozen, compare by what they hold, and can be hashed, copied and pickled."""
    with pytest.raises(dataclasses.FrozenInstanceError):
        model.raw = {}
    with pytest.raises((AttributeError, TypeError)):
        model.other = 1
    for other in (copy.copy(model), copy.deepcopy(model), pickle.loads(pickle.dumps(model)), type(model)(model.raw)):
        assert other == model and hash(other) == hash(model) and type(other) is type(model)
    assert model != type(model)({**model.raw, "future": 2})
    assert "canary" not in repr(model) + str(model) + f"{model}"
    assert dataclasses.is_dataclass(model)


def test_page() -> None:
    """A page is made of either form of a list."""
    page = argyle.UserPage.from_document({"results": [USER], "count": 7, "next": "n", "previous": 1, "future": 2})
    assert (page.count, page.next, page.previous, len(page)) == (7, "n", None, 1)
    assert list(page) == page.results == [argyle.User(USER)]
    assert page.raw["future"] == 2
    bare = argyle.UserPage.from_document([USER])
    assert bare.results == page.results and (bare.count, bare.next, bare.previous) == (None, None, None)
    assert argyle.UserPage.from_document([]).results == []
    assert pickle.loads(pickle.dumps(page)) == page
    assert repr(page) == "UserPage(1 users)"
    assert argyle.UserPage.from_document({"results": [], "count": True}).count is None
    wrongs: "list[Any]" = [None, 1, {}, {"results": None}, {"results": {}}]
    for wrong in wrongs:
        with pytest.raises(argyle.ProtocolError, match="results"):
            argyle.UserPage.from_document(wrong)


@pytest.mark.parametrize("token", ["", "a", "a.b", "a.b.c", "é.é.é", "a\0b"])
def test_what_is_no_token(token: str) -> None:
    """Claims of what is no token are an argument error."""
    if token:
        with pytest.raises(argyle.ArgumentError):
            argyle.UserToken({"access": token}).claims  # noqa: B018


def test_opaque_token_does_not_tell_when_it_expires() -> None:
    """The service need not give a JSON Web Token."""
    assert argyle.UserToken({"access": "opaque"}).expires_at is None
    assert argyle.NewUser({"id": "u", "token": "opaque"}).expires_at is None

"""The values returned by the service."""

from __future__ import annotations

import copy
import dataclasses
import pickle
import sys
from datetime import date, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings, strategies as st

import argyle

USER = {
    "id": "u1",
    "created_at": "2026-11-24T06:00:00.123456Z",
    "employers_connected": ["Acme"],
    "data_providers_connected": [],
    "external_metadata": {"group": "canary-metadata"},
    "future": {"kept": [1]},
}
USER_V2 = {
    "id": "u1",
    "created_at": "2026-11-24T06:00:00.123456Z",
    "items_connected": ["item_123456789"],
    "employers_connected": [],
    "external_metadata": {},
    "external_id": "canary-external",
    "first_name": "canary-first",
    "last_name": "canary-last",
    "email": "canary@example.com",
    "phone_number": "+1-canary",
    "ssn": "canary-ssn",
    "address": {
        "city": "canary-city",
        "line1": "canary-line",
        "line2": None,
        "state": "canary-state",
        "country": "canary-country",
        "postal_code": "canary-code",
    },
    "birth_date": {"year": 1985, "month": 12, "day": 10},
    "future": {"kept": [1]},
}
TOKEN = {"access": "canary-access", "refresh": "canary-refresh", "future": 1}
TOKEN_V2 = {"user_token": "canary-access", "future": 1}
NEW = {"id": "u1", "token": "canary-token", "future": 1}
NEW_V2 = {"user_token": "canary-token", "id": "u1", "future": 1}
MODELS = [
    argyle.User(USER),
    argyle.User(USER_V2),
    argyle.UserToken(TOKEN),
    argyle.UserToken(TOKEN_V2),
    argyle.NewUser(NEW),
    argyle.NewUser(NEW_V2),
]


def test_fields() -> None:
    """Known fields are properties; others are kept in raw."""
    user = argyle.User(USER)
    assert user.id == "u1"
    assert user.created_at == datetime(2026, 11, 24, 6, 0, 0, 123456, timezone.utc)
    assert user.employers_connected == ["Acme"] and user.data_providers_connected == []
    assert user.external_metadata == {"group": "canary-metadata"}
    assert user.raw is USER and user.raw["future"] == {"kept": [1]}


def test_fields_of_version_2() -> None:
    """They are properties, too."""
    user = argyle.User(USER_V2)
    assert user.items_connected == ["item_123456789"] and user.data_providers_connected is None
    assert (user.external_id, user.first_name, user.last_name) == ("canary-external", "canary-first", "canary-last")
    assert (user.email, user.phone_number, user.ssn) == ("canary@example.com", "+1-canary", "canary-ssn")
    assert user.address == argyle.Address(
        line1="canary-line",
        city="canary-city",
        state="canary-state",
        country="canary-country",
        postal_code="canary-code",
    )
    assert user.birth_date == date(1985, 12, 10)
    assert user.raw["future"] == {"kept": [1]}
    assert argyle.NewUser(NEW_V2).token == argyle.NewUser(NEW).token
    assert argyle.UserToken(TOKEN_V2).access == argyle.UserToken(TOKEN).access
    assert argyle.UserToken(TOKEN_V2).refresh is None


TEXTS = ("external_id", "first_name", "last_name", "email", "phone_number", "ssn")
PARTS = ("city", "line1", "line2", "state", "country", "postal_code")


@pytest.mark.parametrize("wrong", [None, 1, True, [], ["a"], {}, {"city": 1}, {"year": 1985}])
def test_fields_of_the_wrong_type(wrong: Any) -> None:
    """They are None."""
    user = argyle.User({"id": "1", **dict.fromkeys((*TEXTS, "address", "birth_date"), wrong)})
    assert all(getattr(user, name) is None for name in (*TEXTS, "address", "birth_date"))
    without = argyle.User({"id": "1"})
    assert all(getattr(without, name) is None for name in (*TEXTS, "address", "birth_date", "items_connected"))
    assert argyle.User({"id": "1", "items_connected": [wrong]}).items_connected is None


def test_addresses() -> None:
    """An address has the parts that are set, and compares by value."""
    nothing = dict.fromkeys(PARTS)
    assert argyle.User({"id": "1", "address": nothing}).address is None
    address = argyle.User({"id": "1", "address": {**nothing, "city": "Springfield", "state": 7, "zip": "0"}}).address
    assert address == argyle.Address(city="Springfield") and address != argyle.Address(city="Shelbyville")
    assert hash(address) == hash(argyle.Address(city="Springfield"))
    for other in (copy.copy(address), copy.deepcopy(address), pickle.loads(pickle.dumps(address))):
        assert other == address
    canary = argyle.Address(*["canary"] * len(PARTS))
    assert "canary" not in repr(canary) + str(canary) + f"{canary}"
    with pytest.raises(dataclasses.FrozenInstanceError):
        canary.city = None  # type: ignore[misc]


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ((1900, 1, 1), date(1900, 1, 1)),
        ((2024, 2, 29), date(2024, 2, 29)),
        ((None, None, None), None),
        ((1985, None, None), None),
        ((1985, 2, 31), None),
        ((0, 1, 1), None),
        ((10**30, 1, 1), None),
        ((1985, True, 1), None),
        ((1985, 2.0, 1), None),
        (("1985", "2", "1"), None),
    ],
)
def test_dates(parts: "tuple[Any, Any, Any]", expected: "date | None") -> None:
    """A date is None unless it is in the calendar."""
    raw = dict(zip(("year", "month", "day"), parts))
    assert argyle.User({"id": "1", "birth_date": raw}).birth_date == expected


@pytest.mark.parametrize("digits", range(7))
def test_fractions_of_a_second(digits: int) -> None:
    """A time keeps up to six fraction digits."""
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
        ("2026-11-24 06:00:00Z", datetime(2026, 11, 24, 6, tzinfo=timezone.utc)),
        ("2026-11-24t06:00:00z", datetime(2026, 11, 24, 6, tzinfo=timezone.utc)),
        # The basic format.
        ("20261124T060000Z", datetime(2026, 11, 24, 6, tzinfo=timezone.utc)),
        ("20261124T060000.25Z", datetime(2026, 11, 24, 6, 0, 0, 250000, timezone.utc)),
        ("20261124T0330-0230", datetime(2026, 11, 24, 6, tzinfo=timezone.utc)),
        ("2026-11-24T060000+00:00", datetime(2026, 11, 24, 6, tzinfo=timezone.utc)),
        # Without seconds, and without minutes.
        ("2026-11-24T06:00Z", datetime(2026, 11, 24, 6, tzinfo=timezone.utc)),
        ("2026-11-24T06", datetime(2026, 11, 24, 6, tzinfo=timezone.utc)),
        ("2026-11-24", datetime(2026, 11, 24, tzinfo=timezone.utc)),
        ("20261124", datetime(2026, 11, 24, tzinfo=timezone.utc)),
        # Weeks.
        ("2026-W48-2T06:00:00Z", datetime(2026, 11, 24, 6, tzinfo=timezone.utc)),
        ("2026W482T060000Z", datetime(2026, 11, 24, 6, tzinfo=timezone.utc)),
        ("2026-W48", datetime(2026, 11, 23, tzinfo=timezone.utc)),
        ("2026-W54-1", None),
        ("2026-W48-8", None),
        ("2026-W482", None),
        # Days of the year.
        ("2026-328", datetime(2026, 11, 24, tzinfo=timezone.utc)),
        ("2026328T060000Z", datetime(2026, 11, 24, 6, tzinfo=timezone.utc)),
        ("2024-366T08:00:00.5+02:00", datetime(2024, 12, 31, 6, 0, 0, 500000, timezone.utc)),
        ("2026-366", None),
        ("2026-000", None),
        # Some Python versions parse these.
        ("2026-11-24T06:00:00Z+00:00", None),
        ("2026-11-24T06:00:00.123Z+00:00", None),
        ("2026-11-24T06:00:00.123 +05:30", None),
        ("2026-11-24T06:00:00 +05:30", None),
        # Offsets.
        ("2026-11-24T08+02:00:00", datetime(2026, 11, 24, 6, tzinfo=timezone.utc)),
        ("2026-11-24T08:00:00+02", datetime(2026, 11, 24, 6, tzinfo=timezone.utc)),
        ("2026-11-24T08:00:00.5+02", datetime(2026, 11, 24, 6, 0, 0, 500000, timezone.utc)),
        ("2026-11-24T08:00:00+0200", datetime(2026, 11, 24, 6, tzinfo=timezone.utc)),
        ("2026-11-24T08:00:30+02:00:30", datetime(2026, 11, 24, 6, tzinfo=timezone.utc)),
        ("2026-11-24T06:00:00+24:00", None),
        ("2026-11-24T06:00:00+02:60", datetime(2026, 11, 24, 3, tzinfo=timezone.utc)),
        ("0001-01-01T00:00:00+01:00", None),
        # Fractions.
        ("2026-11-24T06:00:00,5Z", datetime(2026, 11, 24, 6, 0, 0, 500000, timezone.utc)),
        ("2026-11-24T06:00:00,123456789+00", datetime(2026, 11, 24, 6, 0, 0, 123456, timezone.utc)),
        # Fractions of an hour, which Python treats as fractions of a second.
        ("2026-11-24T06.5", None),
        # The end of a day.
        ("2026-11-23T24:00:00Z", datetime(2026, 11, 24, tzinfo=timezone.utc)),
        ("2026-12-31T24:00:00.0Z", datetime(2027, 1, 1, tzinfo=timezone.utc)),
        ("20261123T24", datetime(2026, 11, 24, tzinfo=timezone.utc)),
        ("2026-11-23T24:00:01Z", None),
        ("9999-12-31T24:00:00Z", None),
        ("2026-11-24T06:00:60Z", None),
        ("2026-02-29T06:00:00Z", None),
        ("2026-1124T06:00:00Z", None),
        ("2026-11-24T06:0000Z", None),
        ("2026-11-24T", None),
        ("2026-11", None),
        ("\uff12026-11-24", None),
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
    """A time is in UTC unless it has an offset, and None if it is invalid."""
    moment = argyle.User({"id": "1", "created_at": text}).created_at
    assert moment == expected
    assert moment is None or moment.utcoffset() == timedelta(0)


# Nearly all forms of ISO 8601, and a little more.
_CLOCK = r"\d\d((:\d\d(:\d\d([.,]\d{1,8})?)?)|(\d\d(\d\d([.,]\d{1,8})?)?))?"
_FORMS = (
    rf"\A[12]\d\d\d(-[01]\d-[0-3]\d|[01]\d[0-3]\d|-W[0-5]\d(-[1-7])?|W[0-5]\d[1-7]?)([T ]{_CLOCK}(Z|[+-]{_CLOCK})?)?\Z"
)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.from_regex(_FORMS, alphabet="0123456789-:.,+TWZ "))
def test_times_are_parsed_as_by_newer_pythons(text: str) -> None:
    """With every Python, times are parsed as by the standard library since Python 3.11."""
    if sys.version_info < (3, 11):
        # There is nothing to compare with; it must not fail.
        argyle.User({"id": "1", "created_at": text}).created_at  # noqa: B018
        return
    try:
        expected = datetime.fromisoformat(text)
        if expected.tzinfo is None:
            expected = expected.replace(tzinfo=timezone.utc)
        expected = expected.astimezone(timezone.utc)
    except (ValueError, OverflowError):
        # It accepts the end of a day since Python 3.14.
        assume("24" not in text)
        assert argyle.User({"id": "1", "created_at": text}).created_at is None
    else:
        assert argyle.User({"id": "1", "created_at": text}).created_at == expected


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.text())
def test_any_text_for_a_time(text: str) -> None:
    """No text causes an exception."""
    moment = argyle.User({"id": "1", "created_at": text}).created_at
    assert moment is None or moment.tzinfo is not None


@pytest.mark.parametrize("wrong", [None, 1, "text", {}, [1], ["a", None]])
def test_wrong_types(wrong: Any) -> None:
    """A field of another type than documented is None, and still available in raw."""
    user = argyle.User({"id": "1", "employers_connected": wrong, "data_providers_connected": wrong})
    assert user.employers_connected is None and user.data_providers_connected is None
    assert user.raw["employers_connected"] == wrong
    assert argyle.User({"id": "1"}).external_metadata is None
    assert argyle.UserToken({"access": "a", "refresh": 1}).refresh is None


@pytest.mark.parametrize("raw", [None, 1, "id", [], ["id"], {}, {"id": None}, {"id": 1}, {"id": ""}])
def test_without_an_id(raw: Any) -> None:
    """A user without the required id is an error, also in a list."""
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
    """Models are frozen, compare by value, and can be hashed, copied and pickled."""
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
    """A page is created from either form of a list."""
    page = argyle.UserPage.from_document({"results": [USER], "count": 7, "next": "n", "previous": None, "future": 2})
    assert (page.count, page.next, page.previous, len(page)) == (7, "n", None, 1)
    assert list(page) == page.results == [argyle.User(USER)]
    assert page.raw["future"] == 2
    bare = argyle.UserPage.from_document([USER])
    assert bare.results == page.results and (bare.count, bare.next, bare.previous) == (None, None, None)
    assert argyle.UserPage.from_document([]).results == []
    for other in (pickle.loads(pickle.dumps(page)), copy.copy(page), copy.deepcopy(page)):
        assert other == page and hash(other) == hash(page) and other.raw == page.raw
    assert {page, bare} == {bare, page}
    assert repr(page) == "UserPage(1 users)"
    wrongs: "list[Any]" = [None, 1, {}, {"results": None}, {"results": {}}]
    for wrong in wrongs:
        with pytest.raises(argyle.ProtocolError, match="results"):
            argyle.UserPage.from_document(wrong)


@pytest.mark.parametrize(
    ("member", "value", "message"),
    [
        ("next", 1, '"next" in the response is neither a string nor null'),
        ("previous", [], '"previous" in the response is neither a string nor null'),
        ("count", True, '"count" in the response is neither an integer nor null'),
        ("count", 1.0, '"count" in the response is neither an integer nor null'),
    ],
)
def test_page_with_a_member_of_the_wrong_type(member: str, value: Any, message: str) -> None:
    """The C library rejects the same pages."""
    with pytest.raises(argyle.ProtocolError, match=message):
        argyle.UserPage.from_document({"results": [], member: value})


@pytest.mark.parametrize("token", ["", "a", "a.b", "a.b.c", "é.é.é", "a\0b"])
def test_invalid_token(token: str) -> None:
    """The claims of an invalid token raise ArgumentError."""
    if token:
        with pytest.raises(argyle.ArgumentError):
            argyle.UserToken({"access": token}).claims  # noqa: B018


def test_opaque_token_has_no_expiry() -> None:
    """The service does not promise a JSON Web Token."""
    assert argyle.UserToken({"access": "opaque"}).expires_at is None
    assert argyle.NewUser({"id": "u", "token": "opaque"}).expires_at is None

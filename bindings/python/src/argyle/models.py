"""Immutable values returned by the service.

In JSON, such as metadata, integers are exact and of any size; a number with a fraction or exponent is the nearest
float.
"""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta, timezone
from itertools import repeat
from operator import itemgetter
from typing import TYPE_CHECKING, Any, ClassVar, Iterable, Iterator, Optional, TypeVar, Union

from . import errors
from ._fields import Address, address_from
from ._json import loads

__all__ = ["NewUser", "User", "UserPage", "UserToken"]

#: NewUser, UserToken or a subclass.
Kind = TypeVar("Kind", bound="_Credential")


def document(body: bytes) -> Any:
    """Parse a response body."""
    try:
        return loads(body)
    except ValueError as failure:
        raise errors.ProtocolError(f"the response cannot be parsed as JSON: {failure}") from None


def _missing(raw: Any, names: Iterable[str]) -> Optional[str]:
    """Return the first of these members that is not a non-empty string; None if all are."""
    members = raw if isinstance(raw, dict) else {}
    return next((name for name in names if not isinstance(members.get(name), str) or not members[name]), None)


def _check_members(raw: Any, names: Iterable[str]) -> None:
    """Raise ProtocolError unless all these members are non-empty strings."""
    missing = _missing(raw, names)
    if missing is not None:
        raise errors.ProtocolError(f'the response has no string "{missing}"')


def _optional(raw: dict[str, Any], key: str, kind: type, name: str) -> Any:
    """Return a member that may be missing or null; raises ProtocolError if it has another type."""
    value = raw.get(key)
    if value is None or type(value) is kind:
        return value
    raise errors.ProtocolError(f'"{key}" in the response is neither {name} nor null')


def _optional_text(value: Any) -> Optional[str]:
    return value if isinstance(value, str) else None


def _date(value: Any) -> Optional[date]:
    """Parse a date of three integers; None if it is not one."""
    parts: list[Any] = [value.get(name) for name in ("year", "month", "day")] if isinstance(value, dict) else []
    # bool is a subclass of int.
    if [*map(type, parts)] != [int, int, int]:
        return None
    try:
        return date(*parts)
    except (ValueError, OverflowError):
        return None


def _string_list(value: Any) -> Optional[list[str]]:
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return value
    return None


def _parse_time(value: Any) -> Optional[datetime]:
    """Parse an ISO 8601 time, in UTC unless it has an offset; None if it is not one."""
    if not isinstance(value, str):
        return None
    try:
        time = _parse_common_time(value) or _parse_other_time(value)
        if time is None or time.tzinfo is None:
            return time and time.replace(tzinfo=timezone.utc)
        return time.astimezone(timezone.utc)
    except (ValueError, OverflowError):
        return None


_COMMON_TIME = r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(?:\.\d*)?(?:[Zz]|[+-]\d\d:\d\d)?"


def _parse_common_time(text: str) -> Optional[datetime]:
    """Parse times like ``2026-11-24T06:00:00.123Z`` with the standard library, which is fastest."""
    # Which other forms the standard library accepts depends on Python's version.
    if re.fullmatch(_COMMON_TIME, text, re.ASCII) is None:
        return None
    if text.endswith(("Z", "z")):
        text = text[:-1] + "+00:00"
    if text[19:20] == ".":
        # Older Pythons require three or six fraction digits.
        rest = text[20:]
        digits = len(rest) - len(rest.lstrip("0123456789"))
        text = f"{text[:20]}{rest[:digits][:6]:0<6}{rest[digits:]}"
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


_CLOCK = r"(\d\d)(?:(:?)(\d\d)(?:\{separator}(\d\d)(?:[.,](\d*))?)?)?"
_OTHER_TIME = (
    r"(\d{4})(?:(-?)(\d\d)\2(\d\d)|(-?)W(\d\d)(?:\5([1-7]))?|-?(\d{3}))"
    f"(?:[Tt ]{_CLOCK.format(separator=10)}(?:[Zz]|([+-]){_CLOCK.format(separator=16)})?)?"
)


def _parse_other_time(text: str) -> Optional[datetime]:
    """Parse the other forms, which Python supports since 3.11, and 24:00, which it supports since 3.14."""
    match = re.fullmatch(_OTHER_TIME, text, re.ASCII)
    if match is None:
        return None
    year, _, month, day, _, week, weekday, day_of_year, hour, _, minute, second, fraction, sign, *offset = match.groups(
        ""
    )
    if month:
        time = datetime(int(year), int(month), int(day))
    elif day_of_year:
        time = datetime(int(year), 1, 1) + timedelta(int(day_of_year) - 1)
        if time.year != int(year):
            return None
    else:
        start = date.fromisocalendar(int(year), int(week), int(weekday or 1))
        time = datetime(start.year, start.month, start.day)
    since = _duration(hour, minute, second, fraction)
    if int(minute or 0) > 59 or int(second or 0) > 59 or since > timedelta(days=1):
        return None
    if sign:
        behind = _duration(offset[0], *offset[2:])
        time = time.replace(tzinfo=timezone(-behind if sign == "-" else behind))
    return time + since


def _duration(hours: str, minutes: str, seconds: str, fraction: str) -> timedelta:
    microseconds = int(f"{fraction:0<6.6}")
    return timedelta(0, int(seconds or 0), microseconds, 0, int(minutes or 0), int(hours or 0))


@dataclass(frozen=True, repr=False)
class User:
    """A user who has connected, or will connect, payroll accounts ("The user object").

    Only the id is always present: the other fields are None if missing or not of the documented type.
    """

    __slots__ = ("raw",)

    #: The complete object as received, including fields that this library does not know.
    raw: dict[str, Any]

    def __post_init__(self) -> None:
        """Check the required fields."""
        _check_members(self.raw, ["id"])

    @property
    def id(self) -> str:
        """The user's id."""
        return self.raw["id"]  # type: ignore[no-any-return]

    @property
    def created_at(self) -> Optional[datetime]:
        """When the user was created, in UTC."""
        return _parse_time(self.raw.get("created_at"))

    @property
    def employers_connected(self) -> Optional[list[str]]:
        """The employers connected by the user."""
        return _string_list(self.raw.get("employers_connected"))

    @property
    def data_providers_connected(self) -> Optional[list[str]]:
        """The data providers connected by the user; version 1 of the API only."""
        return _string_list(self.raw.get("data_providers_connected"))

    @property
    def external_metadata(self) -> Any:
        """The metadata attached to the user: an empty dict if there is none, None if the field is missing."""
        return self.raw.get("external_metadata")

    # The following are in version 2 of the API only.

    @property
    def items_connected(self) -> Optional[list[str]]:
        """The items connected by the user."""
        return _string_list(self.raw.get("items_connected"))

    @property
    def external_id(self) -> Optional[str]:
        """The caller's id for the user."""
        return _optional_text(self.raw.get("external_id"))

    @property
    def first_name(self) -> Optional[str]:
        """The first name."""
        return _optional_text(self.raw.get("first_name"))

    @property
    def last_name(self) -> Optional[str]:
        """The last name."""
        return _optional_text(self.raw.get("last_name"))

    @property
    def email(self) -> Optional[str]:
        """The email address."""
        return _optional_text(self.raw.get("email"))

    @property
    def phone_number(self) -> Optional[str]:
        """The phone number."""
        return _optional_text(self.raw.get("phone_number"))

    @property
    def ssn(self) -> Optional[str]:
        """The social security number."""
        return _optional_text(self.raw.get("ssn"))

    @property
    def address(self) -> Optional[Address]:
        """The address; None if none of its parts is set."""
        return address_from(self.raw.get("address"))

    @property
    def birth_date(self) -> Optional[date]:
        """The date of birth; None if it is not set or not a valid date."""
        return _date(self.raw.get("birth_date"))

    def __reduce__(self) -> tuple[Any, ...]:
        """Support copying and pickling, by ``raw``."""
        return type(self), (self.raw,)

    def __hash__(self) -> int:
        """Hash by id."""
        return hash(self.id)

    def __repr__(self) -> str:
        """Return only the id: the rest may be personal data."""
        return f"User(id={self.id!r})"


class _Credential:
    """A response with a user token, whose member depends on the version of the API."""

    __slots__ = ("_version",)

    #: The required members by version of the API; the last one is the token.
    _members: ClassVar[dict[int, tuple[str, ...]]]
    _version: int
    raw: dict[str, Any]

    def __post_init__(self) -> None:
        """Check the required fields, which may be those of either version."""
        self._use(next((each for each, names in self._members.items() if _missing(self.raw, names) is None), 1))

    def _use(self, version: int) -> None:
        """Use the members of a version of the API."""
        _check_members(self.raw, self._members[version])
        object.__setattr__(self, "_version", version)

    @classmethod
    def _of(cls: type[Kind], version: int, raw: Any) -> Kind:
        """Create a value from the response of a version of the API."""
        missing, other = (_missing(raw, cls._members[each]) for each in (version, 3 - version))
        if missing is not None and other is None:
            raise errors.ProtocolError(
                f'the response has no string "{missing}": it is a response of API version {3 - version}'
            )
        value = object.__new__(cls)
        object.__setattr__(value, "raw", raw)
        value._use(version)
        return value

    @property
    def _token(self) -> str:
        return self.raw[self._members[self._version][-1]]  # type: ignore[no-any-return]

    if not TYPE_CHECKING:
        # Hidden from type checkers, which would no longer report comparisons with values of other types.
        def __eq__(self, other: object) -> bool:
            """Compare the responses, and the versions by which they are read."""
            if type(other) is not type(self):
                return NotImplemented
            return (self._version, self.raw) == (other._version, other.raw)

    def __reduce__(self) -> tuple[Any, ...]:
        """Support copying and pickling."""
        return _restore, (type(self), self._version, self.raw)


def _restore(kind: type[Kind], version: int, raw: Any) -> Kind:
    return kind._of(version, raw)


@dataclass(frozen=True, repr=False, eq=False)
class UserToken(_Credential):
    """A user token: a short-lived credential to start Argyle Link for one user ("The user token object")."""

    __slots__ = ("raw",)

    #: The complete object as received.
    raw: dict[str, Any]

    _members: ClassVar[dict[int, tuple[str, ...]]] = {1: ("access",), 2: ("user_token",)}

    @property
    def access(self) -> str:
        """The token to pass to Argyle Link: a credential. Version 2 of the API calls it ``user_token``."""
        return self._token

    @property
    def refresh(self) -> Optional[str]:
        """The token to refresh ``access`` with; None if the service sent none, as in version 2 of the API."""
        return _optional_text(self.raw.get("refresh"))

    @property
    def claims(self) -> dict[str, Any]:
        """The claims of ``access``, not verified; raises ArgumentError if it is not a JSON Web Token."""
        return _claims(self.access)

    @property
    def expires_at(self) -> Optional[datetime]:
        """When ``access`` expires, in UTC; None if that is unknown."""
        return _expiry(self)

    def __hash__(self) -> int:
        """Hash by token."""
        return hash(self.access)

    def __repr__(self) -> str:
        """Reveal nothing of the credential."""
        return "UserToken()"


@dataclass(frozen=True, repr=False, eq=False)
class NewUser(_Credential):
    """A newly created user with a first token ("Create a user")."""

    __slots__ = ("raw",)

    #: The complete object as received.
    raw: dict[str, Any]

    _members: ClassVar[dict[int, tuple[str, ...]]] = {1: ("id", "token"), 2: ("id", "user_token")}

    @property
    def id(self) -> str:
        """The user's id."""
        return self.raw["id"]  # type: ignore[no-any-return]

    @property
    def token(self) -> str:
        """A user token to start Argyle Link with: a credential. Version 2 of the API calls it ``user_token``."""
        return self._token

    @property
    def claims(self) -> dict[str, Any]:
        """The claims of ``token``, not verified; raises ArgumentError if it is not a JSON Web Token."""
        return _claims(self.token)

    @property
    def expires_at(self) -> Optional[datetime]:
        """When ``token`` expires, in UTC; None if that is unknown."""
        return _expiry(self)

    def __hash__(self) -> int:
        """Hash by id."""
        return hash(self.id)

    def __repr__(self) -> str:
        """Return only the id, and nothing of the credential."""
        return f"NewUser(id={self.id!r})"


@dataclass(frozen=True, repr=False)
class UserPage:
    """One page of users ("List users")."""

    #: The users on this page.
    results: list[User]
    #: The total number of users; None if the service does not say.
    count: Optional[int] = None
    #: The link to the next page, if any.
    next: Optional[str] = None
    #: The link to the previous page, if any.
    previous: Optional[str] = None
    #: The page as received: an object with "results", or a bare array of users.
    raw: Any = field(default=None, compare=False)

    @property
    def next_cursor(self) -> Optional[str]:
        """The ``cursor`` with which a list continues after this page; None if ``next`` has none, as in version 1.

        It is decoded. A ``next`` that is a bare cursor rather than a link is the cursor itself.
        """
        from urllib.parse import parse_qs, unquote

        address, mark, query = (self.next or "").partition("#")[0].partition("?")
        if mark:
            return parse_qs(query).get("cursor", [None])[-1]
        # Rather than a link, it may be a bare cursor.
        is_link = address.startswith("/") or ":" in address
        return None if is_link else unquote(address) or None

    @classmethod
    def from_document(cls, raw: Any) -> UserPage:
        """Create a page from parsed JSON: an object with "results", or a bare array of users."""
        users = raw if isinstance(raw, list) else raw.get("results") if isinstance(raw, dict) else None
        if not isinstance(users, list):
            raise errors.ProtocolError('the response is neither an array of users nor an object with "results"')
        results = _users(users)
        if isinstance(raw, list):
            return cls(results, raw=raw)
        return cls(
            results,
            _optional(raw, "count", int, "an integer"),
            _optional(raw, "next", str, "a string"),
            _optional(raw, "previous", str, "a string"),
            raw,
        )

    def __iter__(self) -> Iterator[User]:
        """Iterate over the users on this page."""
        return iter(self.results)

    def __len__(self) -> int:
        """Return the number of users on this page."""
        return len(self.results)

    def __hash__(self) -> int:
        """Hash by users."""
        return hash(tuple(self.results))

    def __repr__(self) -> str:
        """Return only the number of users."""
        return f"UserPage({len(self.results)} users)"


_set_raw = User.__dict__["raw"].__set__


def _users(raw: list[Any]) -> list[User]:
    """Create the users of a page; equivalent to User's constructor, but with the loops in C."""
    try:
        ids = [*map(itemgetter("id"), raw)]
    except (TypeError, KeyError):
        return [User(user) for user in raw]
    if not {*map(type, ids)} <= {str} or "" in ids:
        return [User(user) for user in raw]
    users = [*map(object.__new__, repeat(User, len(raw)))]
    deque(map(_set_raw, users, raw), maxlen=0)
    return users


def _claims(token: str) -> dict[str, Any]:
    from ._abi import token_claims

    return token_claims(token)


def _expiry(token: Union[NewUser, UserToken]) -> Optional[datetime]:
    try:
        seconds = token.claims.get("exp")
    except errors.ArgumentError:
        # The service does not promise that tokens are JSON Web Tokens.
        return None
    if not isinstance(seconds, (int, float)) or isinstance(seconds, bool):
        return None
    try:
        return datetime.fromtimestamp(seconds, timezone.utc)
    except (ValueError, OverflowError, OSError):
        return None

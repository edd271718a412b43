"""What the service answers, as immutable values.

In JSON such as metadata, integers are exact, of any size; a number with a fraction or an exponent is the nearest float.
"""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta, timezone
from itertools import repeat
from operator import itemgetter
from typing import Any, Iterator, Optional, Union

from . import errors
from ._json import loads

__all__ = ["NewUser", "User", "UserPage", "UserToken"]


def document(body: bytes) -> Any:
    """Read the body of an answer."""
    try:
        return loads(body)
    except ValueError as failure:
        raise errors.ProtocolError(f"the response cannot be parsed as JSON: {failure}") from None


def _text(raw: Any, key: str) -> str:
    """Give a text of an answer that it cannot be without."""
    text = raw.get(key) if isinstance(raw, dict) else None
    if not isinstance(text, str) or not text:
        raise errors.ProtocolError(f'the response has no string "{key}"')
    return text


def _texts(value: Any) -> Optional[list[str]]:
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return value
    return None


def _moment(value: Any) -> Optional[datetime]:
    """Read a time in ISO 8601, which is in UTC unless it says otherwise; None where it is none."""
    if not isinstance(value, str):
        return None
    try:
        moment = _usual_moment(value) or _other_moment(value)
        if moment is None or moment.tzinfo is None:
            return moment and moment.replace(tzinfo=timezone.utc)
        return moment.astimezone(timezone.utc)
    except (ValueError, OverflowError):
        return None


_USUAL = r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(?:\.\d*)?(?:[Zz]|[+-]\d\d:\d\d)?"


def _usual_moment(text: str) -> Optional[datetime]:
    """Read ``2026-11-24T06:00:00.123Z`` and the like as the standard library does, which is the fastest."""
    # What else Pythons read is not the same with all of them.
    if re.fullmatch(_USUAL, text, re.ASCII) is None:
        return None
    if text.endswith(("Z", "z")):
        text = text[:-1] + "+00:00"
    if text[19:20] == ".":
        # Older Pythons want three or six digits of a fraction.
        rest = text[20:]
        digits = len(rest) - len(rest.lstrip("0123456789"))
        text = f"{text[:20]}{rest[:digits][:6]:0<6}{rest[digits:]}"
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


_CLOCK = r"(\d\d)(?:(:?)(\d\d)(?:\{separator}(\d\d)(?:[.,](\d*))?)?)?"
_ISO_8601 = (
    r"(\d{4})(?:(-?)(\d\d)\2(\d\d)|(-?)W(\d\d)(?:\5([1-7]))?|-?(\d{3}))"
    f"(?:[Tt ]{_CLOCK.format(separator=10)}(?:[Zz]|([+-]){_CLOCK.format(separator=16)})?)?"
)


def _other_moment(text: str) -> Optional[datetime]:
    """Read the other forms, which Pythons before 3.11 do not, and the end of a day, 24:00, which those before 3.14."""
    match = re.fullmatch(_ISO_8601, text, re.ASCII)
    if match is None:
        return None
    year, _, month, day, _, week, weekday, day_of_year, hour, _, minute, second, fraction, sign, *offset = match.groups(
        ""
    )
    if month:
        moment = datetime(int(year), int(month), int(day))
    elif day_of_year:
        moment = datetime(int(year), 1, 1) + timedelta(int(day_of_year) - 1)
        if moment.year != int(year):
            return None
    else:
        start = date.fromisocalendar(int(year), int(week), int(weekday or 1))
        moment = datetime(start.year, start.month, start.day)
    since = _duration(hour, minute, second, fraction)
    if int(minute or 0) > 59 or int(second or 0) > 59 or since > timedelta(days=1):
        return None
    if sign:
        behind = _duration(offset[0], *offset[2:])
        moment = moment.replace(tzinfo=timezone(-behind if sign == "-" else behind))
    return moment + since


def _duration(hours: str, minutes: str, seconds: str, fraction: str) -> timedelta:
    microseconds = int(f"{fraction:0<6.6}")
    return timedelta(0, int(seconds or 0), microseconds, 0, int(minutes or 0), int(hours or 0))


@dataclass(frozen=True, repr=False)
class User:
    """A user who has connected, or will connect, payroll accounts ("The user object").

    Only the id may be relied on: the other fields are None where the service sent none, or something of another type
    than the documented one.
    """

    __slots__ = ("raw",)

    #: The whole object as it was received, with the fields that this library does not know.
    raw: dict[str, Any]

    def __post_init__(self) -> None:
        """Check what is relied on."""
        _text(self.raw, "id")

    @property
    def id(self) -> str:
        """The user's id."""
        return self.raw["id"]  # type: ignore[no-any-return]

    @property
    def created_at(self) -> Optional[datetime]:
        """When the user was created, in UTC."""
        return _moment(self.raw.get("created_at"))

    @property
    def employers_connected(self) -> Optional[list[str]]:
        """The employers that the user has connected."""
        return _texts(self.raw.get("employers_connected"))

    @property
    def data_providers_connected(self) -> Optional[list[str]]:
        """The data providers that the user has connected."""
        return _texts(self.raw.get("data_providers_connected"))

    @property
    def external_metadata(self) -> Any:
        """The metadata that was attached to the user; an empty dict where none was, None where none came."""
        return self.raw.get("external_metadata")

    def __reduce__(self) -> tuple[Any, ...]:
        """Copy and pickle by what was received."""
        return type(self), (self.raw,)

    def __hash__(self) -> int:
        """Hash by the id."""
        return hash(self.id)

    def __repr__(self) -> str:
        """Show the id alone: all else is personal data."""
        return f"User(id={self.id!r})"


@dataclass(frozen=True, repr=False)
class UserToken:
    """A user token: a short-lived credential to start Argyle Link for one user ("The user token object")."""

    __slots__ = ("raw",)

    #: The whole object as it was received.
    raw: dict[str, Any]

    def __post_init__(self) -> None:
        """Check what is relied on."""
        _text(self.raw, "access")

    @property
    def access(self) -> str:
        """The token that Argyle Link is given: a credential."""
        return self.raw["access"]  # type: ignore[no-any-return]

    @property
    def refresh(self) -> Optional[str]:
        """The token to refresh the other with, or None where the service sent none."""
        refresh = self.raw.get("refresh")
        return refresh if isinstance(refresh, str) else None

    @property
    def claims(self) -> dict[str, Any]:
        """The claims of ``access``, which nobody has verified; ArgumentError where it is no JSON Web Token."""
        return _claims(self.access)

    @property
    def expires_at(self) -> Optional[datetime]:
        """When ``access`` expires, or None where it does not tell."""
        return _expiry(self)

    def __reduce__(self) -> tuple[Any, ...]:
        """Copy and pickle by what was received."""
        return type(self), (self.raw,)

    def __hash__(self) -> int:
        """Hash by the token."""
        return hash(self.access)

    def __repr__(self) -> str:
        """Show nothing of the credential."""
        return "UserToken()"


@dataclass(frozen=True, repr=False)
class NewUser:
    """The answer to the creation of a user ("Create a user")."""

    __slots__ = ("raw",)

    #: The whole object as it was received.
    raw: dict[str, Any]

    def __post_init__(self) -> None:
        """Check what is relied on."""
        _text(self.raw, "id")
        _text(self.raw, "token")

    @property
    def id(self) -> str:
        """The user's id."""
        return self.raw["id"]  # type: ignore[no-any-return]

    @property
    def token(self) -> str:
        """A user token, to start Argyle Link with: a credential."""
        return self.raw["token"]  # type: ignore[no-any-return]

    @property
    def claims(self) -> dict[str, Any]:
        """The claims of ``token``, which nobody has verified; ArgumentError where it is no JSON Web Token."""
        return _claims(self.token)

    @property
    def expires_at(self) -> Optional[datetime]:
        """When ``token`` expires, or None where it does not tell."""
        return _expiry(self)

    def __reduce__(self) -> tuple[Any, ...]:
        """Copy and pickle by what was received."""
        return type(self), (self.raw,)

    def __hash__(self) -> int:
        """Hash by the id."""
        return hash(self.id)

    def __repr__(self) -> str:
        """Show the id alone, and nothing of the credential."""
        return f"NewUser(id={self.id!r})"


@dataclass(frozen=True, repr=False)
class UserPage:
    """One page of users ("List users")."""

    #: The users of this page.
    results: list[User]
    #: How many users there are, or None where the service does not say.
    count: Optional[int] = None
    #: The link to the next page, or None where there is none.
    next: Optional[str] = None
    #: The link to the page before, or None where there is none.
    previous: Optional[str] = None
    #: The page as it was received: an object with "results", or a bare array of users.
    raw: Any = field(default=None, compare=False)

    @classmethod
    def from_document(cls, raw: Any) -> UserPage:
        """Make a page of an answer in either of its forms."""
        users = raw if isinstance(raw, list) else raw.get("results") if isinstance(raw, dict) else None
        if not isinstance(users, list):
            raise errors.ProtocolError('the response is neither an array of users nor an object with "results"')
        results = _users(users)
        if isinstance(raw, list):
            return cls(results, raw=raw)
        count, following, previous = raw.get("count"), raw.get("next"), raw.get("previous")
        return cls(
            results,
            count if isinstance(count, int) and not isinstance(count, bool) else None,
            following if isinstance(following, str) else None,
            previous if isinstance(previous, str) else None,
            raw,
        )

    def __iter__(self) -> Iterator[User]:
        """Go through the users of this page."""
        return iter(self.results)

    def __len__(self) -> int:
        """Count the users of this page."""
        return len(self.results)

    def __hash__(self) -> int:
        """Hash by the users."""
        return hash(tuple(self.results))

    def __repr__(self) -> str:
        """Show how many users there are."""
        return f"UserPage({len(self.results)} users)"


_set_raw = User.__dict__["raw"].__set__


def _users(raw: list[Any]) -> list[User]:
    """Make the users of a page; it is User's constructor for many at once, in loops that run in C."""
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
        # The service need not give a JSON Web Token.
        return None
    if not isinstance(seconds, (int, float)) or isinstance(seconds, bool):
        return None
    try:
        return datetime.fromtimestamp(seconds, timezone.utc)
    except (ValueError, OverflowError, OSError):
        return None

"""The fields of a user to create or update."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import date
from typing import Any, Mapping, Optional, TypedDict

from . import errors
from ._json import check_distinct, dumps

__all__ = ["Address", "UserFields", "address_from", "encoded_fields"]


@dataclass(frozen=True, repr=False)
class Address:
    """A user's postal address; parts that are None are not set, and not sent."""

    line1: Optional[str] = None
    line2: Optional[str] = None
    city: Optional[str] = None
    state: Optional[str] = None
    postal_code: Optional[str] = None
    country: Optional[str] = None

    def __repr__(self) -> str:
        """Reveal nothing: an address is personal data."""
        return "Address()"


class UserFields(TypedDict, total=False):
    """The fields of a user, of which version 1 of the API has only ``external_metadata``."""

    #: The caller's id for the user, at most 100 characters; it need not be unique.
    external_id: Optional[str]
    first_name: Optional[str]
    last_name: Optional[str]
    email: Optional[str]
    phone_number: Optional[str]
    #: The social security number.
    ssn: Optional[str]
    address: Optional[Address]
    birth_date: Optional[date]
    #: Any JSON.
    external_metadata: Any
    #: Details for open banking, which the service never returns.
    open_banking: Optional[dict[str, Any]]


def address_from(value: Any) -> Optional[Address]:
    """Convert an address from JSON; None if none of its parts is set."""
    if not isinstance(value, dict):
        return None
    parts = {name: value[name] for name in Address.__annotations__ if isinstance(value.get(name), str)}
    return Address(**parts) if parts else None


def encoded_fields(fields: Optional[Mapping[str, Any]], keywords: Mapping[str, Any]) -> dict[str, bytes]:
    """Encode each of the given fields as JSON; ``keywords`` take precedence."""
    unknown = keywords.keys() - UserFields.__annotations__.keys()
    if unknown:
        raise TypeError(
            f"unexpected keyword argument {min(unknown)!r}: version 1 of the API has only external_metadata; with"
            " version 2, pass fields of other names as fields={...}"
        )
    if fields is not None and not isinstance(fields, Mapping):
        raise errors.ArgumentError("fields must be a mapping of names to values")
    encoded = {name: _encoded(name, value) for name, value in {**(fields or {}), **keywords}.items()}
    try:
        check_distinct(encoded)
    except ValueError as failure:
        raise errors.ArgumentError(f"fields are not JSON: {failure}") from None
    return encoded


def _encoded(name: Any, value: Any) -> bytes:
    if not isinstance(name, str):
        raise errors.ArgumentError(f"the names of fields must be str, not {type(name).__name__}")
    if name == "address" and isinstance(value, Address):
        value = {part: text for part, text in asdict(value).items() if text is not None}
    elif name == "birth_date" and isinstance(value, date):
        value = {"year": value.year, "month": value.month, "day": value.day}
    try:
        return dumps(value)
    except (TypeError, ValueError) as failure:
        raise errors.ArgumentError(f"{name} is not JSON: {failure}") from None

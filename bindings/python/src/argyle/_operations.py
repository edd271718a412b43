"""The request and the response parser of each operation, shared by both clients."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any, Callable, Mapping, NamedTuple, Optional

from . import _abi, errors
from ._fields import encoded_fields
from ._json import dumps
from ._options import native_value
from .models import NewUser, User, UserPage, UserToken, document


class Operation(NamedTuple):
    """The arguments of one call, independent of the client."""

    number: int
    user_id: Optional[bytes]
    document: Optional[bytes]
    #: Parses the body of a successful response; raises ProtocolError. Can be pickled, as a call can.
    parse: Callable[..., Any]
    #: Whether ``parse`` takes the version of the API, before the body.
    is_versioned: bool = False
    #: The cursor that creates the call for a page, instead of the other arguments.
    pages: "Optional[_abi.PageCursor]" = None

    def parser(self, api_version: int) -> Callable[[bytes], Any]:
        """Return the function that parses the body for a version of the API."""
        return partial(self.parse, api_version) if self.is_versioned else self.parse


def query(**parameters: Any) -> "dict[str, Any]":
    """Return the parameters that were given; the C library validates them."""
    given = {name: native_value(value) for name, value in parameters.items() if value is not None}
    for name, value in given.items():
        if isinstance(value, str):
            _abi.text_argument(name, value)
    return given


def _query_document(query: Mapping[str, Any]) -> Optional[bytes]:
    try:
        return dumps(query) if query else None
    except (TypeError, ValueError) as failure:
        raise errors.ArgumentError(f"the query is not JSON: {failure}") from None


def create_user(fields: Optional[Mapping[str, Any]], keywords: Mapping[str, Any]) -> Operation:
    given = encoded_fields(fields, keywords)
    if given.keys() <= {"external_metadata"}:
        return Operation(_abi.USER_CREATE, None, given.get("external_metadata"), _parse_new_user, True)
    return Operation(_abi.USER_CREATE_WITH_FIELDS, None, _object(given), _parse_new_user, True)


def get_user(user_id: str) -> Operation:
    user = _abi.text_argument("user_id", user_id)
    return Operation(_abi.USER_GET, user, None, partial(_parse_user_of, user_id))


def update_user(user_id: str, fields: Optional[Mapping[str, Any]], keywords: Mapping[str, Any]) -> Operation:
    user = _abi.text_argument("user_id", user_id)
    if fields is None and not keywords:
        raise TypeError("missing a field to update: 'external_metadata', or in version 2 of the API any other")
    given = encoded_fields(fields, keywords)
    parse = partial(_parse_user_of, user_id)
    if given.keys() == {"external_metadata"}:
        return Operation(_abi.USER_UPDATE, user, given["external_metadata"], parse)
    return Operation(_abi.USER_UPDATE_WITH_FIELDS, user, _object(given), parse)


def _object(members: "dict[str, bytes]") -> bytes:
    """Return a JSON object of encoded members."""
    return b"{" + b",".join(dumps(name) + b":" + value for name, value in members.items()) + b"}"


def list_users(**parameters: Any) -> Operation:
    return Operation(_abi.USER_LIST, None, _query_document(query(**parameters)), parse_page, True)


def next_page(pages: "_abi.PageCursor") -> Operation:
    return Operation(_abi.USER_LIST, None, None, parse_page, True, pages)


def delete_user(user_id: str) -> Operation:
    user = _abi.text_argument("user_id", user_id)
    return Operation(_abi.USER_DELETE, user, None, _parse_nothing)


def create_user_token(user_id: str) -> Operation:
    user = _abi.text_argument("user_id", user_id)
    return Operation(_abi.USER_TOKEN_CREATE, user, None, partial(_parse_token_of, user_id), True)


def _parse_new_user(api_version: int, body: bytes) -> NewUser:
    return NewUser._of(api_version, document(body))


def _parse_nothing(body: bytes) -> None:
    return None


def _parse_user_of(user_id: str, body: bytes) -> User:
    user = User(document(body))
    _check_user("id", user.id, user_id)
    return user


def _parse_token_of(user_id: str, api_version: int, body: bytes) -> UserToken:
    token = UserToken._of(api_version, document(body))
    try:
        claimed = token.claims.get("user_id")
    except errors.Error:
        # The service does not promise that tokens can be parsed.
        return token
    if isinstance(claimed, str):
        _check_user("user_id", claimed, user_id)
    return token


def _check_user(member: str, received: str, requested: str) -> None:
    """Raise ProtocolError if the response is about another user: it belongs to another request."""
    if received != requested and received.lower() != requested.lower():
        raise errors.ProtocolError(f'the "{member}" in the response is another user\'s')


def parse_page(api_version: int, body: bytes) -> UserPage:
    raw = document(body)
    if api_version == 1:
        return UserPage.from_document(raw)
    if not isinstance(raw, dict):
        hint = ": it is a response of API version 1" if isinstance(raw, list) else ""
        raise errors.ProtocolError(f"the response is not a JSON object{hint}")
    if not isinstance(raw.get("results"), list):
        raise errors.ProtocolError('the response has no array "results"')
    return replace(UserPage.from_document({**raw, "count": None}), raw=raw)

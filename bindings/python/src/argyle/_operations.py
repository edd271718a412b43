"""The request and the response parser of each operation, shared by both clients."""

from __future__ import annotations

from functools import partial
from typing import Any, Callable, Mapping, NamedTuple, Optional, TypeVar

from . import _abi, errors
from ._json import dumps
from ._options import native_value
from .models import NewUser, User, UserPage, UserToken, document

Result = TypeVar("Result")


class _Unset:
    """The default of an argument that can also be None, which is JSON null."""

    def __repr__(self) -> str:
        return "<not given>"


UNSET: Any = _Unset()


class Operation(NamedTuple):
    """The arguments of one call, independent of the client."""

    number: int
    user_id: Optional[bytes]
    document: Optional[bytes]
    #: Parses the body of a successful response; raises ProtocolError. Can be pickled, as a call can.
    parse: Callable[[bytes], Any]
    #: The cursor that creates the call for a page, instead of the other arguments.
    pages: "Optional[_abi.PageCursor]" = None


def _metadata(value: Any) -> bytes:
    try:
        return dumps(value)
    except (TypeError, ValueError) as failure:
        raise errors.ArgumentError(f"external_metadata is not JSON: {failure}") from None


def query(limit: Optional[int], offset: Optional[int], ordering: Optional[str]) -> "dict[str, Any]":
    """Return the parameters that were given; the C library validates them."""
    if isinstance(ordering, str):
        _abi.text_argument("ordering", ordering)
    values = {"limit": limit, "offset": offset, "ordering": ordering}
    return {name: native_value(value) for name, value in values.items() if value is not None}


def _query_document(query: Mapping[str, Any]) -> Optional[bytes]:
    try:
        return dumps(query) if query else None
    except (TypeError, ValueError) as failure:
        raise errors.ArgumentError(f"the query is not JSON: {failure}") from None


def create_user(external_metadata: Any) -> Operation:
    metadata = None if external_metadata is UNSET else _metadata(external_metadata)
    return Operation(_abi.USER_CREATE, None, metadata, _parse_new_user)


def get_user(user_id: str) -> Operation:
    user = _abi.text_argument("user_id", user_id)
    return Operation(_abi.USER_GET, user, None, partial(_parse_user_of, user_id))


def update_user(user_id: str, external_metadata: Any) -> Operation:
    user = _abi.text_argument("user_id", user_id)
    return Operation(_abi.USER_UPDATE, user, _metadata(external_metadata), partial(_parse_user_of, user_id))


def list_users(limit: Optional[int], offset: Optional[int], ordering: Optional[str]) -> Operation:
    return Operation(_abi.USER_LIST, None, _query_document(query(limit, offset, ordering)), parse_page)


def next_page(pages: "_abi.PageCursor") -> Operation:
    return Operation(_abi.USER_LIST, None, None, parse_page, pages)


def delete_user(user_id: str) -> Operation:
    user = _abi.text_argument("user_id", user_id)
    return Operation(_abi.USER_DELETE, user, None, _parse_nothing)


def create_user_token(user_id: str) -> Operation:
    user = _abi.text_argument("user_id", user_id)
    return Operation(_abi.USER_TOKEN_CREATE, user, None, partial(_parse_token_of, user_id))


def _parse_new_user(body: bytes) -> NewUser:
    return NewUser(document(body))


def _parse_nothing(body: bytes) -> None:
    return None


def _parse_user_of(user_id: str, body: bytes) -> User:
    user = User(document(body))
    _check_user("id", user.id, user_id)
    return user


def _parse_token_of(user_id: str, body: bytes) -> UserToken:
    token = UserToken(document(body))
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


def parse_page(body: bytes) -> UserPage:
    return UserPage.from_document(document(body))

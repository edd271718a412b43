"""Calls to be made later by ``client.bulk``.

::

    calls = (argyle.calls.create_user(external_metadata=row, context=row) for row in rows)
    for result in client.bulk(calls):
        print(result.call.context, result.error or result.value.id)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Callable, Generic, Mapping, Optional, SupportsIndex, TypeVar, Union, cast

from . import _operations, errors
from ._fields import UserFields
from ._operations import Operation
from ._options import Ordering, Unpack
from .models import NewUser, User, UserPage, UserToken

__all__ = [
    "BulkResult",
    "Call",
    "Progress",
    "create_user",
    "create_user_token",
    "delete_user",
    "get_user",
    "list_users",
    "update_user",
]

Value = TypeVar("Value", covariant=True)

#: Called with the number of finished calls and the total, or None if the total is unknown.
Progress = Callable[[int, Optional[int]], object]


class Call(Generic[Value]):
    """A call that any client can make, any number of times.

    Create one with the functions of this module.
    """

    __slots__ = ("_operation", "context", "name", "user_id")

    def __init__(self, name: str, user_id: Optional[str], make: Callable[[], Operation], context: Any) -> None:
        """Use the functions of this module instead."""
        self._operation: Union[Operation, errors.ArgumentError]
        try:
            self._operation = make()
        except errors.ArgumentError as error:
            # The error becomes this call's result, and does not end earlier calls.
            self._operation = error.with_traceback(None)
        #: The name of the function that created the call.
        self.name = name
        #: The id of the user that the call is about; None if it is about no particular user.
        self.user_id = user_id
        #: The caller's context, any object.
        self.context = context

    def __reduce_ex__(self, protocol: SupportsIndex) -> Union[str, tuple[Any, ...]]:
        """Support pickle protocols 0 and 1, which do not support slots."""
        return super().__reduce_ex__(max(int(protocol), 2))

    def __repr__(self) -> str:
        """Return the name and user only: fields and context may be personal data."""
        return f"<argyle.Call {self.name}>" if self.user_id is None else f"<argyle.Call {self.name} {self.user_id!r}>"


@dataclass(frozen=True)
class BulkResult(Generic[Value]):
    """The result of one call."""

    #: The call, with its :attr:`argyle.Call.context`.
    call: Call[Value]
    #: The return value of the corresponding client method; None if the call failed.
    value: Optional[Value]
    #: The error; None if the call succeeded.
    error: Optional[errors.Error]

    def result(self) -> Value:
        """Return the value or raise the error, like the corresponding client method."""
        if self.error is not None:
            try:
                raise self.error
            finally:
                # The error's traceback refers to this frame: a reference cycle.
                del self
        return cast("Value", self.value)


def create_user(
    *, fields: Optional[Mapping[str, Any]] = None, context: Any = None, **keywords: Unpack[UserFields]
) -> Call[NewUser]:
    """Create a call of ``client.users.create``."""
    return Call("create_user", None, lambda: _operations.create_user(fields, keywords), context)


def get_user(user_id: str, *, context: Any = None) -> Call[User]:
    """Create a call of ``client.users.get``."""
    return Call("get_user", user_id, lambda: _operations.get_user(user_id), context)


def update_user(
    user_id: str, *, fields: Optional[Mapping[str, Any]] = None, context: Any = None, **keywords: Unpack[UserFields]
) -> Call[User]:
    """Create a call of ``client.users.update``."""
    return Call("update_user", user_id, lambda: _operations.update_user(user_id, fields, keywords), context)


def list_users(
    *,
    limit: Optional[int] = None,
    offset: Optional[int] = None,
    ordering: Optional[Ordering] = None,
    cursor: Optional[str] = None,
    external_id: Optional[str] = None,
    context: Any = None,
) -> Call[UserPage]:
    """Create a call of ``client.users.list``."""
    return Call(
        "list_users",
        None,
        lambda: _operations.list_users(
            limit=limit, offset=offset, ordering=ordering, cursor=cursor, external_id=external_id
        ),
        context,
    )


def delete_user(user_id: str, *, context: Any = None) -> Call[None]:
    """Create a call of ``client.users.delete``."""
    return Call("delete_user", user_id, lambda: _operations.delete_user(user_id), context)


def create_user_token(user_id: str, *, context: Any = None) -> Call[UserToken]:
    """Create a call of ``client.user_tokens.create``."""
    return Call("create_user_token", user_id, lambda: _operations.create_user_token(user_id), context)

"""Calls that are described now and made later, by ``client.bulk``.

::

    calls = (argyle.calls.create_user(external_metadata=row, context=row) for row in rows)
    for result in client.bulk(calls):
        print(result.call.context, result.error or result.value.id)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Callable, Generic, Optional, SupportsIndex, TypeVar, Union, cast

from . import _operations, errors
from ._operations import UNSET, Operation
from ._options import Ordering
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

#: Is told how many calls are over, and of how many where that is known.
Progress = Callable[[int, Optional[int]], object]


class Call(Generic[Value]):
    """A call that any client can make, any number of times."""

    __slots__ = ("_operation", "context", "name", "user_id")

    def __init__(self, name: str, user_id: Optional[str], make: Callable[[], Operation], context: Any) -> None:
        """Describe a call; use the functions of this module."""
        self._operation: Union[Operation, errors.ArgumentError]
        try:
            self._operation = make()
        except errors.ArgumentError as error:
            # It is this call's result, and no reason to end those before it.
            self._operation = error.with_traceback(None)
        #: The name of the function that made it.
        self.name = name
        #: The user it is about, where it is about one.
        self.user_id = user_id
        #: What the program wants to find again beside the result.
        self.context = context

    def __reduce_ex__(self, protocol: SupportsIndex) -> Union[str, tuple[Any, ...]]:
        """Pickle in the same way with protocols that know no slots."""
        return super().__reduce_ex__(max(int(protocol), 2))

    def __repr__(self) -> str:
        """Show what is called and for which user: metadata and contexts may be personal data."""
        return f"<argyle.Call {self.name}>" if self.user_id is None else f"<argyle.Call {self.name} {self.user_id!r}>"


@dataclass(frozen=True)
class BulkResult(Generic[Value]):
    """What became of one call."""

    #: The call, with its :attr:`argyle.Call.context`.
    call: Call[Value]
    #: What the client's own method returns; None where the call failed.
    value: Optional[Value]
    #: Why the call failed, or None where it succeeded.
    error: Optional[errors.Error]

    def result(self) -> Value:
        """Give the value, or raise the error, as the client's own method does."""
        if self.error is not None:
            try:
                raise self.error
            finally:
                # The error has this frame in its traceback, and would keep itself alive.
                del self
        return cast("Value", self.value)


def create_user(*, external_metadata: Any = UNSET, context: Any = None) -> Call[NewUser]:
    """Describe ``client.users.create``."""
    return Call("create_user", None, lambda: _operations.create_user(external_metadata), context)


def get_user(user_id: str, *, context: Any = None) -> Call[User]:
    """Describe ``client.users.get``."""
    return Call("get_user", user_id, lambda: _operations.get_user(user_id), context)


def update_user(user_id: str, *, external_metadata: Any, context: Any = None) -> Call[User]:
    """Describe ``client.users.update``."""
    return Call("update_user", user_id, lambda: _operations.update_user(user_id, external_metadata), context)


def list_users(
    *,
    limit: Optional[int] = None,
    offset: Optional[int] = None,
    ordering: Optional[Ordering] = None,
    context: Any = None,
) -> Call[UserPage]:
    """Describe ``client.users.list``."""
    return Call("list_users", None, lambda: _operations.list_users(limit, offset, ordering), context)


def delete_user(user_id: str, *, context: Any = None) -> Call[None]:
    """Describe ``client.users.delete``."""
    return Call("delete_user", user_id, lambda: _operations.delete_user(user_id), context)


def create_user_token(user_id: str, *, context: Any = None) -> Call[UserToken]:
    """Describe ``client.user_tokens.create``."""
    return Call("create_user_token", user_id, lambda: _operations.create_user_token(user_id), context)

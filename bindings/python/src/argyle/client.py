"""The blocking client."""

from __future__ import annotations

from types import TracebackType
from typing import Any, Generator, Iterable, Iterator, Mapping, NoReturn, Optional, TypeVar

from . import _abi, _operations, errors
from ._fields import UserFields
from ._operations import Operation
from ._options import Changes, Options, Ordering, Unpack, copy_attributes, native_options
from .calls import BulkResult, Call, Progress, Value
from .models import NewUser, User, UserPage, UserToken

#: Client or a subclass.
Kind = TypeVar("Kind", bound="Client")

__all__ = ["Client", "UserTokens", "Users"]


class _Core:
    """State shared by a client and its operations, which would otherwise form a reference cycle."""

    #: The error message if there is no owner.
    closed_message = "the client is closed"

    def __init__(self, owner: Optional[_abi.ClientOwner]) -> None:
        #: None before ``__init__`` and after ``close``.
        self.owner = owner

    def require_owner(self) -> _abi.ClientOwner:
        """Return the owner; raises ArgumentError if the client is closed."""
        if self.owner is None:
            raise errors.ArgumentError(self.closed_message)
        return self.owner

    def run(self, operation: Operation) -> Any:
        """Make a call and parse its response."""
        return _abi.run(self.require_owner(), operation)


class Client:
    """A blocking client for Argyle's users and user tokens.

    Thread-safe. A context manager; :meth:`close` and the end of a ``with`` block release its connections.
    """

    # Before __init__.
    _core = _Core(None)
    _core.closed_message = "the client is not initialised: its class must call super().__init__()"
    _users: Users
    _user_tokens: UserTokens

    def __init__(self, key_id: str, key_secret: str, **options: Unpack[Options]) -> None:
        """Create a client; connections are opened by its calls.

        ``options`` are those of :class:`argyle.Options`.
        """
        given = native_options(options)
        given["key_id"] = key_id
        given["key_secret"] = key_secret
        self._use(_abi.ClientOwner.new(given))

    def _use(self, owner: _abi.ClientOwner) -> None:
        self._core = _Core(owner)
        self._users = Users(self)
        self._user_tokens = UserTokens(self)

    def with_options(self: Kind, **overrides: Unpack[Changes]) -> Kind:
        """Return a client that shares this one's connections, with some options changed.

        This is cheap enough to set a timeout for a single call. The clients share one request rate, unless
        ``max_requests_per_second`` is among the overrides.

        For a subclass, attributes are copied as by :func:`copy.copy`, without calling ``__init__``; values of cached
        properties and methods replaced on the instance are not copied.
        """
        owner = self._core.require_owner().with_options(native_options(overrides))
        client = object.__new__(type(self))
        copy_attributes(client, self)
        client._use(owner)
        return client

    @property
    def users(self) -> Users:
        """The operations on users; iterating over it yields all users."""
        return self._users

    @property
    def user_tokens(self) -> UserTokens:
        """The operations on user tokens."""
        return self._user_tokens

    def bulk(
        self,
        calls: Iterable[Call[Value]],
        *,
        in_flight: int = 50,
        progress: Optional[Progress] = None,
    ) -> Generator[BulkResult[Value], None, None]:
        """Make many calls concurrently, and yield their results in the order in which they finish.

        ``calls`` is an iterable of calls from :mod:`argyle.calls`, read lazily. At most ``in_flight`` of them, 1 to
        1000, are in flight at once. A failed call does not end the others. ``progress`` is called with the number of
        finished calls and the total, or None if the total is unknown. Leaving the loop over the results or closing the
        generator cancels the calls in flight.
        """
        from .bulk import run_calls

        return run_calls(self._core.require_owner(), calls, in_flight, progress)

    def close(self) -> None:
        """Close the client at once; calls on other threads still finish. Closing it again does nothing."""
        self._core.owner = None

    def __enter__(self: Kind) -> Kind:
        """Return the client; the end of the block closes it."""
        self._core.require_owner()
        return self

    def __exit__(
        self,
        kind: Optional[type[BaseException]],
        exception: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        """Close the client."""
        self.close()

    def __reduce__(self) -> NoReturn:
        """Prevent copying and pickling."""
        raise TypeError("a client holds connections and a key, and cannot be copied or pickled")

    def __repr__(self) -> str:
        """Reveal nothing of the API key."""
        return "<argyle.Client closed>" if self._core.owner is None else "<argyle.Client>"


class Users:
    """The operations on users."""

    def __init__(self, client: Client) -> None:
        """Use :attr:`Client.users` instead."""
        self._core = client._core

    def create(self, *, fields: Optional[Mapping[str, Any]] = None, **keywords: Unpack[UserFields]) -> NewUser:
        """Create a user ("Create a user"), with the fields of :class:`argyle.UserFields` as keywords.

        Fields that are not given are not sent, and None is sent as null. ``fields`` takes fields by name, even ones
        that this library does not know; keywords take precedence.

        Retried only if the service cannot have created a user: see :attr:`argyle.Error.outcome_unknown`.
        """
        return self._core.run(_operations.create_user(fields, keywords))  # type: ignore[no-any-return]

    def get(self, user_id: str) -> User:
        """Retrieve a user ("Retrieve a user and their metadata"); raises NotFoundError if there is none."""
        return self._core.run(_operations.get_user(user_id))  # type: ignore[no-any-return]

    def update(
        self, user_id: str, *, fields: Optional[Mapping[str, Any]] = None, **keywords: Unpack[UserFields]
    ) -> User:
        """Replace the given fields of a user ("Update a user"), as for :meth:`create`; None clears a field.

        Raises TypeError if no field is given; ``fields={}`` sends an update without any.
        """
        return self._core.run(_operations.update_user(user_id, fields, keywords))  # type: ignore[no-any-return]

    def list(
        self,
        *,
        limit: Optional[int] = None,
        offset: Optional[int] = None,
        ordering: Optional[Ordering] = None,
        cursor: Optional[str] = None,
        external_id: Optional[str] = None,
    ) -> UserPage:
        """List one page of users ("List users").

        ``limit`` is the page size, by default 10; the service returns at most 200 users.

        Version 1 of the API has ``offset``, the number of users to skip, and ``ordering``: ``"created_at"``, oldest
        first, or ``"-created_at"``, newest first, the default. Version 2 has ``cursor``, the
        :attr:`UserPage.next_cursor` of the page before, and ``external_id``, to list only users with that id.
        """
        operation = _operations.list_users(
            limit=limit, offset=offset, ordering=ordering, cursor=cursor, external_id=external_id
        )
        return self._core.run(operation)  # type: ignore[no-any-return]

    def delete(self, user_id: str) -> None:
        """Delete a user ("Delete a user"); raises NotFoundError if there is none."""
        self._core.run(_operations.delete_user(user_id))

    def pages(
        self,
        *,
        limit: Optional[int] = None,
        offset: Optional[int] = None,
        ordering: Optional[Ordering] = None,
        cursor: Optional[str] = None,
        external_id: Optional[str] = None,
    ) -> Iterator[UserPage]:
        """Iterate over all users page by page, in pages of 200 or ``limit`` users, or fewer if they are large.

        The other parameters are those of :meth:`list`.

        The next page is prefetched. After an error, the next step requests the same page again, unless that page was
        received but cannot be parsed, which stays an error.
        """
        query = _operations.query(limit=limit, offset=offset, ordering=ordering, cursor=cursor, external_id=external_id)
        return UserPages(self._core.require_owner(), query)

    def iterate(
        self,
        *,
        offset: Optional[int] = None,
        ordering: Optional[Ordering] = None,
        cursor: Optional[str] = None,
        external_id: Optional[str] = None,
    ) -> Iterator[User]:
        """Iterate over all users; the parameters are those of :meth:`list`.

        In version 1, users created or deleted meanwhile can make it skip or repeat others: see argyle.h on cursors.
        """
        return _users_of(self.pages(offset=offset, ordering=ordering, cursor=cursor, external_id=external_id))

    def __iter__(self) -> Iterator[User]:
        """Iterate over all users, newest first."""
        return self.iterate()


def _users_of(pages: Iterator[UserPage]) -> Iterator[User]:
    for page in pages:
        yield from page.results


class UserPages(Iterator[UserPage]):
    """An iterator over pages of users. Only one thread at a time may use it."""

    def __init__(self, owner: _abi.ClientOwner, query: dict[str, Any]) -> None:
        """Use :meth:`Users.pages` instead."""
        self._cursor = _abi.CursorOwner.new(owner, query)
        self._api_version = owner.api_version
        #: A page that was received but not parsed, which is not skipped.
        self._unread: Optional[bytes] = None

    def __next__(self) -> UserPage:
        """Return the next page."""
        text = self._unread
        if text is None:
            text = self._unread = self._cursor.next_page()
        if text is None:
            raise StopIteration
        try:
            page = _operations.parse_page(self._api_version, text)
        except errors.ProtocolError as failure:
            raise self._cursor.unreadable(failure) from None
        self._unread = None
        return page


class UserTokens:
    """The operations on user tokens."""

    def __init__(self, client: Client) -> None:
        """Use :attr:`Client.user_tokens` instead."""
        self._core = client._core

    def create(self, user_id: str) -> UserToken:
        """Create a user token to start Argyle Link with ("Create a user token")."""
        return self._core.run(_operations.create_user_token(user_id))  # type: ignore[no-any-return]


Client._users = Users(Client)  # type: ignore[arg-type]
Client._user_tokens = UserTokens(Client)  # type: ignore[arg-type]

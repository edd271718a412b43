"""The client whose methods wait for their answer."""

from __future__ import annotations

from types import TracebackType
from typing import Any, Generator, Iterable, Iterator, NoReturn, Optional, TypeVar

from . import _abi, _operations, errors
from ._operations import UNSET, Operation
from ._options import Changes, Options, Ordering, Unpack, options as client_options, take_over
from .calls import BulkResult, Call, Progress, Value
from .models import NewUser, User, UserPage, UserToken

#: A client's own class, which may be a subclass.
Kind = TypeVar("Kind", bound="Client")

__all__ = ["Client", "UserTokens", "Users"]


class _Core:
    """What a client and its operations share: they refer to this and not to the client, which refers to them."""

    #: Why it cannot be used.
    closed = "the client is closed"

    def __init__(self, owner: Optional[_abi.ClientOwner]) -> None:
        #: None once the client is closed, and before it is made.
        self.owner = owner

    def open(self) -> _abi.ClientOwner:
        """Give what is to be used, unless it is closed."""
        if self.owner is None:
            raise errors.ArgumentError(self.closed)
        return self.owner

    def run(self, operation: Operation) -> Any:
        """Make a call and read its answer."""
        return _abi.run(self.open(), operation)


class Client:
    """A client of Argyle's users and user tokens. Any number of threads may use it at once.

    It is a context manager; :meth:`close` and the end of a ``with`` block release its connections.
    """

    # Until it is made.
    _core = _Core(None)
    _core.closed = "the client was not made: its class does not call super().__init__()"
    _users: Users
    _user_tokens: UserTokens

    def __init__(self, key_id: str, key_secret: str, **options: Unpack[Options]) -> None:
        """Make a client, which opens no connection yet.

        The options are those of :class:`argyle.Options`.
        """
        given = client_options(options)
        given["key_id"] = key_id
        given["key_secret"] = key_secret
        self._use(_abi.ClientOwner.new(given))

    def _use(self, owner: _abi.ClientOwner) -> None:
        self._core = _Core(owner)
        self._users = Users(self)
        self._user_tokens = UserTokens(self)

    def with_options(self: Kind, **overrides: Unpack[Changes]) -> Kind:
        """Make a client like this one, with some options changed, that shares its connections.

        It is cheap: make one for the time-outs of a single call. It shares the pace too, unless
        ``max_requests_per_second`` is among the overrides.

        Of a subclass, the attributes are taken over as by :func:`copy.copy`, without calling ``__init__``, but for
        values of cached properties and for methods that were replaced.
        """
        owner = self._core.open().changed(client_options(overrides))
        client = object.__new__(type(self))
        take_over(client, self)
        client._use(owner)
        return client

    @property
    def users(self) -> Users:
        """The operations on users; to iterate over it is to go through all users."""
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
        """Make many calls, ``in_flight`` of them at once, and give their results in the order in which they end.

        The calls are those of :mod:`argyle.calls`, read as places become free; 1 to 1000 may be under way. A call
        that fails does not end the others. ``progress`` is told how many calls are over, and of how many where that is
        known. To leave the loop over the results, or to close what this gives, ends the calls that are under way.
        """
        from .bulk import make

        return make(self._core.open(), calls, in_flight, progress)

    def close(self) -> None:
        """Release the client once calls that other threads are making are over. Closing again does nothing."""
        self._core.owner = None

    def __enter__(self: Kind) -> Kind:
        """Give the client, which the end of the block closes."""
        self._core.open()
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
        """Refuse to be copied and pickled."""
        raise TypeError("a client holds connections and a key, and cannot be copied or pickled")

    def __repr__(self) -> str:
        """Show nothing of the key."""
        return "<argyle.Client closed>" if self._core.owner is None else "<argyle.Client>"


class Users:
    """The operations on users."""

    def __init__(self, client: Client) -> None:
        """Make the operations of a client; use :attr:`Client.users`."""
        self._core = client._core

    def create(self, *, external_metadata: Any = UNSET) -> NewUser:
        """Create a user, with any JSON for metadata ("Create a user").

        It is repeated only where the service cannot have acted: see :attr:`argyle.Error.outcome_unknown`.
        """
        return self._core.run(_operations.create_user(external_metadata))  # type: ignore[no-any-return]

    def get(self, user_id: str) -> User:
        """Retrieve a user; NotFoundError where there is none ("Retrieve a user and their metadata")."""
        return self._core.run(_operations.get_user(user_id))  # type: ignore[no-any-return]

    def update(self, user_id: str, *, external_metadata: Any) -> User:
        """Replace a user's metadata by any JSON ("Update a user's metadata")."""
        return self._core.run(_operations.update_user(user_id, external_metadata))  # type: ignore[no-any-return]

    def list(
        self, *, limit: Optional[int] = None, offset: Optional[int] = None, ordering: Optional[Ordering] = None
    ) -> UserPage:
        """List one page of users ("List users").

        ``limit`` is 10 unless given, and the service gives 200 at the most; ``ordering`` is ``"created_at"`` or
        ``"-created_at"``, the newest first, which is the default.
        """
        return self._core.run(_operations.list_users(limit, offset, ordering))  # type: ignore[no-any-return]

    def delete(self, user_id: str) -> None:
        """Delete a user; NotFoundError where there is none ("Delete a user")."""
        self._core.run(_operations.delete_user(user_id))

    def pages(
        self, *, limit: Optional[int] = None, offset: Optional[int] = None, ordering: Optional[Ordering] = None
    ) -> Iterator[UserPage]:
        """Go through all users, page after page, 200 at a time unless ``limit`` says less, or they are too large.

        While one page is read the next is already on its way. After an error the next step
        asks for the page again; one that cannot be read is an error each time.
        """
        return UserPages(self._core.open(), _operations.query(limit, offset, ordering))

    def iterate(self, *, offset: Optional[int] = None, ordering: Optional[Ordering] = None) -> Iterator[User]:
        """Go through all users. A user created or deleted meanwhile may move others: see argyle.h on cursors."""
        return _users_of(self.pages(offset=offset, ordering=ordering))

    def __iter__(self) -> Iterator[User]:
        """Go through all users, the newest first."""
        return self.iterate()


def _users_of(pages: Iterator[UserPage]) -> Iterator[User]:
    for page in pages:
        yield from page.results


class UserPages(Iterator[UserPage]):
    """A walk over the pages of the list of users. One thread at a time may use it."""

    def __init__(self, owner: _abi.ClientOwner, query: dict[str, Any]) -> None:
        """Start a walk; use :meth:`Users.pages`."""
        self._cursor = _abi.CursorOwner.new(owner, query)
        #: The page that came and could not be read: it is not passed over.
        self._unread: Optional[bytes] = None

    def __next__(self) -> UserPage:
        """Give the next page."""
        text = self._unread
        if text is None:
            text = self._unread = self._cursor.next_page()
        if text is None:
            raise StopIteration
        try:
            page = _operations.read_page(text)
        except errors.ProtocolError as failure:
            raise self._cursor.unreadable(failure) from None
        self._unread = None
        return page


class UserTokens:
    """The operations on user tokens."""

    def __init__(self, client: Client) -> None:
        """Make the operations of a client; use :attr:`Client.user_tokens`."""
        self._core = client._core

    def create(self, user_id: str) -> UserToken:
        """Create a token for a user, to start Argyle Link with ("Create a user token")."""
        return self._core.run(_operations.create_user_token(user_id))  # type: ignore[no-any-return]


Client._users = Users(Client)  # type: ignore[arg-type]
Client._user_tokens = UserTokens(Client)  # type: ignore[arg-type]

"""The client whose methods are awaited."""

from __future__ import annotations

from time import monotonic
from types import TracebackType
from typing import (
    TYPE_CHECKING,
    Any,
    AsyncGenerator,
    AsyncIterable,
    AsyncIterator,
    Iterable,
    NoReturn,
    Optional,
    TypeVar,
    Union,
)

from . import _abi, _operations, errors
from ._operations import UNSET, Operation
from ._options import Changes, Options, Ordering, Unpack, options as client_options, take_over
from ._paging import Paging, may_ask_again
from .calls import BulkResult, Call, Progress, Value
from .models import NewUser, User, UserPage, UserToken

if TYPE_CHECKING:
    # It loads asyncio.
    from ._loops import LoopQueue, LoopQueues

#: A client's own class, which may be a subclass.
Kind = TypeVar("Kind", bound="AsyncClient")

__all__ = ["AsyncClient", "AsyncUserPages", "AsyncUserTokens", "AsyncUsers"]


class _Core:
    """What a client and its operations share: they refer to this and not to the client, which refers to them."""

    #: Why it cannot be used.
    closed = "the client is closed"

    def __init__(self, owner: Optional[_abi.ClientOwner], queues: Optional[LoopQueues]) -> None:
        # None once the client is closed, and before it is made.
        self.owner = owner
        self.queues = queues
        if queues is not None:
            queues.join(self)

    def open(self) -> _abi.ClientOwner:
        """Give what is to be used, unless it is closed."""
        if self.owner is None:
            raise errors.ArgumentError(self.closed)
        return self.owner

    def close(self) -> None:
        """End the calls that are under way in the event loop that is running."""
        owner, self.owner = self.owner, None
        queues, self.queues = self.queues, None
        if owner is not None and queues is not None:
            queues.leave(self, owner)

    def queue(self) -> LoopQueue:
        """Give the queue of the event loop that is running."""
        if self.queues is None:
            raise errors.ArgumentError(self.closed)
        return self.queues.current()

    def start(self, operation: Operation) -> tuple[LoopQueue, _abi.QueuedCall]:
        """Begin a call in the event loop that is running."""
        queue = self.queue()
        return queue, queue.start(self.open(), operation)

    async def run(self, operation: Operation) -> Any:
        """Make a call and read its answer."""
        queue, call = self.start(operation)
        return await queue.finish(call)


class AsyncClient:
    """A client of Argyle's users and user tokens for asyncio and trio, without threads.

    Any number of tasks may use it at once. It is an asynchronous context manager; :meth:`aclose` and the end of an
    ``async with`` block end calls that are under way and release its connections.
    """

    # Until it is made.
    _core = _Core(None, None)
    _core.closed = "the client was not made: its class does not call super().__init__()"
    _users: AsyncUsers
    _user_tokens: AsyncUserTokens

    def __init__(self, key_id: str, key_secret: str, *, max_in_flight: int = 50, **options: Unpack[Options]) -> None:
        """Make a client, which opens no connection yet.

        The options are those of :class:`argyle.Options`. At most ``max_in_flight`` calls, 1 to 1000, are under way at
        once, those of clients made from this one included; others wait for their turn.
        """
        from ._loops import LoopQueues

        given = client_options(options)
        given["key_id"] = key_id
        given["key_secret"] = key_secret
        self._use(_abi.ClientOwner.new(given), LoopQueues(max_in_flight))

    def _use(self, owner: _abi.ClientOwner, queues: Optional[LoopQueues]) -> None:
        self._core = _Core(owner, queues)
        self._users = AsyncUsers(self)
        self._user_tokens = AsyncUserTokens(self)

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
        client._use(owner, self._core.queues)
        return client

    @property
    def users(self) -> AsyncUsers:
        """The operations on users; to iterate over it is to go through all users."""
        return self._users

    @property
    def user_tokens(self) -> AsyncUserTokens:
        """The operations on user tokens."""
        return self._user_tokens

    def bulk(
        self,
        calls: Union[Iterable[Call[Value]], AsyncIterable[Call[Value]]],
        *,
        in_flight: int = 50,
        progress: Optional[Progress] = None,
    ) -> AsyncGenerator[BulkResult[Value], None]:
        """Make many calls, ``in_flight`` of them at once, and give their results in the order in which they end.

        The calls are those of :mod:`argyle.calls`, read as places become free; 1 to 1000 may be under way. A call
        that fails does not end the others. ``progress`` is told how many calls are over, and of how many where that is
        known. To close what this gives, as with :func:`contextlib.aclosing`, ends the calls that are under way; to
        close the client does not. Where the calls are themselves awaited, that comes before results that are not
        ready yet.
        """
        from .bulk import make_async

        return make_async(self._core.open(), calls, in_flight, progress)

    async def aclose(self) -> None:
        """End the calls that are under way in this event loop with CancelledError, and release the client.

        Its connections are closed, unless clients that share them are still open. Closing again does nothing.
        """
        self._core.close()

    async def __aenter__(self: Kind) -> Kind:
        """Give the client, which the end of the block closes."""
        self._core.open()
        return self

    async def __aexit__(
        self,
        kind: Optional[type[BaseException]],
        exception: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        """Close the client."""
        await self.aclose()

    def __reduce__(self) -> NoReturn:
        """Refuse to be copied and pickled."""
        raise TypeError("a client holds connections and a key, and cannot be copied or pickled")

    def __repr__(self) -> str:
        """Show nothing of the key."""
        return "<argyle.AsyncClient closed>" if self._core.owner is None else "<argyle.AsyncClient>"


class AsyncUsers:
    """The operations on users."""

    def __init__(self, client: AsyncClient) -> None:
        """Make the operations of a client; use :attr:`AsyncClient.users`."""
        self._core = client._core

    async def create(self, *, external_metadata: Any = UNSET) -> NewUser:
        """Create a user, with any JSON for metadata ("Create a user").

        It is repeated only where the service cannot have acted: see :attr:`argyle.Error.outcome_unknown`.
        """
        return await self._core.run(_operations.create_user(external_metadata))  # type: ignore[no-any-return]

    async def get(self, user_id: str) -> User:
        """Retrieve a user; NotFoundError where there is none ("Retrieve a user and their metadata")."""
        return await self._core.run(_operations.get_user(user_id))  # type: ignore[no-any-return]

    async def update(self, user_id: str, *, external_metadata: Any) -> User:
        """Replace a user's metadata by any JSON ("Update a user's metadata")."""
        return await self._core.run(_operations.update_user(user_id, external_metadata))  # type: ignore[no-any-return]

    async def list(
        self, *, limit: Optional[int] = None, offset: Optional[int] = None, ordering: Optional[Ordering] = None
    ) -> UserPage:
        """List one page of users ("List users").

        ``limit`` is 10 unless given, and the service gives 200 at the most; ``ordering`` is ``"created_at"`` or
        ``"-created_at"``, the newest first, which is the default.
        """
        return await self._core.run(_operations.list_users(limit, offset, ordering))  # type: ignore[no-any-return]

    async def delete(self, user_id: str) -> None:
        """Delete a user; NotFoundError where there is none ("Delete a user")."""
        await self._core.run(_operations.delete_user(user_id))

    def pages(
        self, *, limit: Optional[int] = None, offset: Optional[int] = None, ordering: Optional[Ordering] = None
    ) -> AsyncUserPages:
        """Go through all users, page after page, 200 at a time unless ``limit`` says less, or they are too large.

        While one page is read the next is already on its way. After an error the next step asks for the page again.
        """
        return AsyncUserPages(self._core, _operations.query(limit, offset, ordering))

    def iterate(
        self, *, offset: Optional[int] = None, ordering: Optional[Ordering] = None
    ) -> AsyncGenerator[User, None]:
        """Go through all users. A user created or deleted meanwhile may move others: see argyle.h on cursors."""
        return _users_of(self.pages(offset=offset, ordering=ordering))

    def __aiter__(self) -> AsyncIterator[User]:
        """Go through all users, the newest first."""
        return self.iterate()


async def _users_of(pages: AsyncUserPages) -> AsyncGenerator[User, None]:
    try:
        async for page in pages:
            for user in page.results:
                yield user
    finally:
        await pages.aclose()


class AsyncUserPages(AsyncIterator[UserPage]):
    """A walk over the pages of the list of users. One task at a time may use it."""

    def __init__(self, core: _Core, query: dict[str, Any]) -> None:
        """Start a walk; use :meth:`AsyncUsers.pages`."""
        self._core = core
        self._paging = Paging(query)
        # Now, and not with the first step.
        _abi.check(core.open(), self._operation())
        self._ahead: Optional[tuple[LoopQueue, _abi.QueuedCall]] = None

    async def __anext__(self) -> UserPage:
        """Give the next page."""
        if self._paging.failure is not None:
            raise errors.ProtocolError(self._paging.failure)
        if self._paging.query is None:
            raise StopAsyncIteration
        page = await self._page_ahead()
        while page is None:
            try:
                page = await self._core.run(self._operation())
            except errors.ResponseTooLargeError as failure:
                if not self._paging.ask_for_fewer(failure):
                    raise
            else:
                self._paging.take(page)
        if self._paging.query is not None:
            try:
                queue, call = self._core.start(self._operation())
                self._ahead = queue, call
                # No task may wait for it before the loop has ended.
                queue.close_if_over()
            except errors.Error:
                # The next step tells, as that page has nothing to do with it.
                pass
        return page

    async def aclose(self) -> None:
        """End the walk: the page that is on its way is not waited for."""
        self._paging.query = None
        if self._ahead is not None:
            (queue, call), self._ahead = self._ahead, None
            queue.cancel(call)

    def _operation(self) -> Operation:
        return _operations.list_users_of(self._paging.query or {})

    async def _page_ahead(self) -> Optional[UserPage]:
        """Give the page that is on its way; None where it fails and may be asked for again before that is an error."""
        if self._ahead is None:
            return None
        (queue, call), self._ahead = self._ahead, None
        if queue is not self._core.queue():
            # Of another event loop, which has ended.
            return None
        try:
            page: UserPage = await queue.finish(call)
            self._paging.take(page)
        except errors.Error as failure:
            if not may_ask_again(failure, monotonic() - call.failed_at):
                raise
            self._paging.ask_for_fewer(failure)
            return None
        return page


class AsyncUserTokens:
    """The operations on user tokens."""

    def __init__(self, client: AsyncClient) -> None:
        """Make the operations of a client; use :attr:`AsyncClient.user_tokens`."""
        self._core = client._core

    async def create(self, user_id: str) -> UserToken:
        """Create a token for a user, to start Argyle Link with ("Create a user token")."""
        return await self._core.run(_operations.create_user_token(user_id))  # type: ignore[no-any-return]


AsyncClient._users = AsyncUsers(AsyncClient)  # type: ignore[arg-type]
AsyncClient._user_tokens = AsyncUserTokens(AsyncClient)  # type: ignore[arg-type]

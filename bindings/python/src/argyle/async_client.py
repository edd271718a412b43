"""The asynchronous client."""

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
    Mapping,
    NoReturn,
    Optional,
    TypeVar,
    Union,
)

from . import _abi, _operations, errors
from ._fields import UserFields
from ._operations import Operation
from ._options import Changes, Options, Ordering, Unpack, copy_attributes, native_options
from .calls import BulkResult, Call, Progress, Value
from .models import NewUser, User, UserPage, UserToken

if TYPE_CHECKING:
    # It imports asyncio.
    from ._loops import LoopQueue, LoopQueues

#: AsyncClient or a subclass.
Kind = TypeVar("Kind", bound="AsyncClient")

__all__ = ["AsyncClient", "AsyncUserPages", "AsyncUserTokens", "AsyncUsers"]


class _Core:
    """State shared by a client and its operations, which would otherwise form a reference cycle."""

    #: The error message if there is no owner.
    closed_message = "the client is closed"

    def __init__(self, owner: Optional[_abi.ClientOwner], queues: Optional[LoopQueues]) -> None:
        # None before ``__init__`` and after ``aclose``.
        self.owner = owner
        self.queues = queues
        if queues is not None:
            queues.join(self)

    def require_owner(self) -> _abi.ClientOwner:
        """Return the owner; raises ArgumentError if the client is closed."""
        if self.owner is None:
            raise errors.ArgumentError(self.closed_message)
        return self.owner

    def close(self) -> None:
        """Cancel the calls in flight in the running event loop."""
        owner, self.owner = self.owner, None
        queues, self.queues = self.queues, None
        if owner is not None and queues is not None:
            queues.leave(self, owner)

    def queue(self) -> LoopQueue:
        """Return the running event loop's queue."""
        if self.queues is None:
            raise errors.ArgumentError(self.closed_message)
        return self.queues.current()

    def start(self, operation: Operation) -> tuple[LoopQueue, _abi.QueuedCall]:
        """Start a call in the running event loop."""
        queue = self.queue()
        return queue, queue.start(self.require_owner(), operation)

    async def run(self, operation: Operation) -> Any:
        """Make a call and parse its response."""
        queue, call = self.start(operation)
        return await queue.finish(call)


class AsyncClient:
    """An asynchronous client for Argyle's users and user tokens, for asyncio and trio, without threads.

    Any number of tasks may use it at once. An asynchronous context manager; :meth:`aclose` and the end of an
    ``async with`` block cancel calls in flight and release its connections.
    """

    # Before __init__.
    _core = _Core(None, None)
    _core.closed_message = "the client is not initialised: its class must call super().__init__()"
    _users: AsyncUsers
    _user_tokens: AsyncUserTokens

    def __init__(self, key_id: str, key_secret: str, *, max_in_flight: int = 50, **options: Unpack[Options]) -> None:
        """Create a client; connections are opened by its calls.

        ``options`` are those of :class:`argyle.Options`. At most ``max_in_flight`` calls, 1 to 1000, are in flight at
        once, including those of clients created by :meth:`with_options`; other calls are queued.
        """
        from ._loops import LoopQueues

        given = native_options(options)
        given["key_id"] = key_id
        given["key_secret"] = key_secret
        self._use(_abi.ClientOwner.new(given), LoopQueues(max_in_flight))

    def _use(self, owner: _abi.ClientOwner, queues: Optional[LoopQueues]) -> None:
        self._core = _Core(owner, queues)
        self._users = AsyncUsers(self)
        self._user_tokens = AsyncUserTokens(self)

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
        client._use(owner, self._core.queues)
        return client

    @property
    def users(self) -> AsyncUsers:
        """The operations on users; iterating over it yields all users."""
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
        """Make many calls concurrently, and yield their results in the order in which they finish.

        ``calls`` is an iterable of calls from :mod:`argyle.calls`, read lazily. At most ``in_flight`` of them, 1 to
        1000, are in flight at once. A failed call does not end the others. ``progress`` is called with the number of
        finished calls and the total, or None if the total is unknown. Closing the generator, as with
        :func:`contextlib.aclosing`, cancels the calls in flight; closing the client does not.

        If ``calls`` is an asynchronous iterable, waiting for its next call delays results that are not ready yet.
        """
        from .bulk import run_calls_async

        return run_calls_async(self._core.require_owner(), calls, in_flight, progress)

    async def aclose(self) -> None:
        """Close the client; its calls in flight in this event loop fail with CancelledError.

        Its connections are closed, unless clients that share them are still open. Closing it again does nothing.
        """
        self._core.close()

    async def __aenter__(self: Kind) -> Kind:
        """Return the client; the end of the block closes it."""
        self._core.require_owner()
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
        """Prevent copying and pickling."""
        raise TypeError("a client holds connections and a key, and cannot be copied or pickled")

    def __repr__(self) -> str:
        """Reveal nothing of the API key."""
        return "<argyle.AsyncClient closed>" if self._core.owner is None else "<argyle.AsyncClient>"


class AsyncUsers:
    """The operations on users."""

    def __init__(self, client: AsyncClient) -> None:
        """Use :attr:`AsyncClient.users` instead."""
        self._core = client._core

    async def create(self, *, fields: Optional[Mapping[str, Any]] = None, **keywords: Unpack[UserFields]) -> NewUser:
        """Create a user ("Create a user"), with the fields of :class:`argyle.UserFields` as keywords.

        Fields that are not given are not sent, and None is sent as null. ``fields`` takes fields by name, even ones
        that this library does not know; keywords take precedence.

        Retried only if the service cannot have created a user: see :attr:`argyle.Error.outcome_unknown`.
        """
        return await self._core.run(_operations.create_user(fields, keywords))  # type: ignore[no-any-return]

    async def get(self, user_id: str) -> User:
        """Retrieve a user ("Retrieve a user and their metadata"); raises NotFoundError if there is none."""
        return await self._core.run(_operations.get_user(user_id))  # type: ignore[no-any-return]

    async def update(
        self, user_id: str, *, fields: Optional[Mapping[str, Any]] = None, **keywords: Unpack[UserFields]
    ) -> User:
        """Replace the given fields of a user ("Update a user"), as for :meth:`create`; None clears a field.

        Raises TypeError if no field is given; ``fields={}`` sends an update without any.
        """
        return await self._core.run(_operations.update_user(user_id, fields, keywords))  # type: ignore[no-any-return]

    async def list(
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
        return await self._core.run(operation)  # type: ignore[no-any-return]

    async def delete(self, user_id: str) -> None:
        """Delete a user ("Delete a user"); raises NotFoundError if there is none."""
        await self._core.run(_operations.delete_user(user_id))

    def pages(
        self,
        *,
        limit: Optional[int] = None,
        offset: Optional[int] = None,
        ordering: Optional[Ordering] = None,
        cursor: Optional[str] = None,
        external_id: Optional[str] = None,
    ) -> AsyncUserPages:
        """Iterate over all users page by page, in pages of 200 or ``limit`` users, or fewer if they are large.

        The other parameters are those of :meth:`list`.

        The next page is prefetched. After an error, the next step requests the same page again.
        """
        query = _operations.query(limit=limit, offset=offset, ordering=ordering, cursor=cursor, external_id=external_id)
        return AsyncUserPages(self._core, query)

    def iterate(
        self,
        *,
        offset: Optional[int] = None,
        ordering: Optional[Ordering] = None,
        cursor: Optional[str] = None,
        external_id: Optional[str] = None,
    ) -> AsyncGenerator[User, None]:
        """Iterate over all users; the parameters are those of :meth:`list`.

        In version 1, users created or deleted meanwhile can make it skip or repeat others: see argyle.h on cursors.
        """
        return _users_of(self.pages(offset=offset, ordering=ordering, cursor=cursor, external_id=external_id))

    def __aiter__(self) -> AsyncIterator[User]:
        """Iterate over all users, newest first."""
        return self.iterate()


async def _users_of(pages: AsyncUserPages) -> AsyncGenerator[User, None]:
    try:
        async for page in pages:
            for user in page.results:
                yield user
    finally:
        await pages.aclose()


class AsyncUserPages(AsyncIterator[UserPage]):
    """An asynchronous iterator over pages of users. Only one task at a time may use it."""

    def __init__(self, core: _Core, query: dict[str, Any]) -> None:
        """Use :meth:`AsyncUsers.pages` instead."""
        self._core = core
        self._cursor = _abi.PageCursor.new(core.require_owner(), query)
        #: Whether the last page was returned, or the iterator closed.
        self._is_finished = False
        self._prefetch: Optional[tuple[LoopQueue, _abi.QueuedCall]] = None

    async def __anext__(self) -> UserPage:
        """Return the next page."""
        page = None if self._is_finished else await self._take_prefetch()
        while page is None:
            if self._is_finished or not self._has_next():
                self._is_finished = True
                raise StopAsyncIteration
            page = await self._finish(*self._start())
        try:
            if not self._has_next():
                self._is_finished = True
            elif not self._is_finished:
                self._prefetch = self._start()
                # Perhaps no task will wait for it before the event loop ends.
                self._prefetch[0].close_if_ending()
        except errors.Error:
            # The next step reports it: this page is not affected.
            pass
        return page

    async def aclose(self) -> None:
        """End the iteration and cancel the prefetch."""
        self._is_finished = True
        if self._prefetch is not None:
            (queue, call), self._prefetch = self._prefetch, None
            queue.cancel(call)

    def _has_next(self) -> bool:
        return self._cursor.has_next(self._core.require_owner())

    def _start(self) -> tuple[LoopQueue, _abi.QueuedCall]:
        return self._core.start(_operations.next_page(self._cursor))

    async def _take_prefetch(self) -> Optional[UserPage]:
        """Wait for the prefetched page; None if there is none or it failed and may be requested again."""
        if self._prefetch is None:
            return None
        (queue, call), self._prefetch = self._prefetch, None
        if queue is not self._core.queue():
            # From another event loop, which has ended.
            return None
        return await self._finish(queue, call, is_prefetched=True)

    async def _finish(
        self, queue: LoopQueue, call: _abi.QueuedCall, *, is_prefetched: bool = False
    ) -> Optional[UserPage]:
        """Wait for a page; None if the prefetch failed, or if the page was too large and a smaller one is next."""
        try:
            page: UserPage = await queue.finish(call)
            if call.finished is not None:
                self._cursor.add(call.finished)
            return page
        except errors.Error as failure:
            if is_prefetched and not _may_retry(failure, monotonic() - call.failed_at):
                raise
            is_smaller = isinstance(failure, errors.ResponseTooLargeError) and self._reduce_page_size(call)
            if not is_smaller and not is_prefetched:
                raise
            return None
        finally:
            # A traceback may refer to the call.
            call.finished = None

    def _reduce_page_size(self, call: _abi.QueuedCall) -> bool:
        """Reduce the page size after a page that was too large; returns False if it is as small as possible."""
        try:
            return call.finished is not None and not self._cursor.add(call.finished)
        except errors.ResponseTooLargeError:
            return False


def _may_retry(failure: errors.Error, seconds: float) -> bool:
    """Whether a prefetched page that failed ``seconds`` ago may be requested again: not before ``Retry-After``."""
    return failure.retry_after is None or seconds >= failure.retry_after


class AsyncUserTokens:
    """The operations on user tokens."""

    def __init__(self, client: AsyncClient) -> None:
        """Use :attr:`AsyncClient.user_tokens` instead."""
        self._core = client._core

    async def create(self, user_id: str) -> UserToken:
        """Create a user token to start Argyle Link with ("Create a user token")."""
        return await self._core.run(_operations.create_user_token(user_id))  # type: ignore[no-any-return]


AsyncClient._users = AsyncUsers(AsyncClient)  # type: ignore[arg-type]
AsyncClient._user_tokens = AsyncUserTokens(AsyncClient)  # type: ignore[arg-type]

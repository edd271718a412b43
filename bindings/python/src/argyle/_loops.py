"""Queues driven by an event loop, without threads.

The loop watches a queue's descriptor for as long as the queue holds calls, and no longer: a queue that nobody uses
any more can then be released at any time, and keeps neither its loop nor its client alive.
"""

from __future__ import annotations

import asyncio
import sys
import threading
import weakref
from abc import ABC, abstractmethod
from typing import Any, Awaitable, Callable, Optional

from . import errors
from ._abi import ClientOwner, QueuedCall, QueueOwner
from ._operations import Operation


class LoopQueue(ABC):
    """A queue in an event loop, which hands each call that is over to a function."""

    def __init__(self, queue: QueueOwner, deliver: "Optional[Callable[[QueuedCall], None]]" = None) -> None:
        self._queue = queue
        self._deliver = self._wake_whoever_waits if deliver is None else deliver
        self._is_watched = False

    # What the kinds of loop do each in their way.

    @abstractmethod
    def new_waiter(self) -> Any:
        """Make something that one task can wait for."""

    @abstractmethod
    def wake(self, waiter: Any) -> None:
        """Let the task that waits for it go on."""

    @abstractmethod
    def wait(self, waiter: Any) -> Awaitable[None]:
        """Give what ends when it is woken."""

    @abstractmethod
    def _watch(self) -> None:
        """Have ``_drive`` called whenever the descriptor is readable."""

    @abstractmethod
    def _unwatch(self) -> None:
        """End that."""

    # Calls

    @property
    def count(self) -> int:
        """How many calls the queue holds."""
        return self._queue.count

    def submit(self, client: ClientOwner, operation: Operation, context: Any) -> QueuedCall:
        """Begin a call, which is delivered when it is over."""
        call = self._queue.submit(client, operation.number, operation.user_id, operation.document, context)
        if not self._is_watched:
            self._is_watched = True
            self._watch()
        return call

    def start(self, client: ClientOwner, operation: Operation) -> QueuedCall:
        """Begin a call that one task will finish."""
        return self.submit(client, operation, (self.new_waiter(), client))

    async def finish(self, call: QueuedCall) -> bytes:
        """Wait for the body of a call's answer; a task that is cancelled here cancels the call."""
        try:
            await self.wait(call.context[0])
        except BaseException:
            self.cancel(call)
            raise
        return call.take_result()

    def cancel(self, call: QueuedCall) -> None:
        """End a call, which is delivered like others."""
        try:
            self._queue.cancel(call)
        except errors.Error:
            # As in a forked child, where there is nothing to be ended, and something else on its way to be raised.
            pass

    def cancel_of(self, client: ClientOwner) -> None:
        """End the calls of a client, and deliver them."""
        for call in self._queue.calls():
            if call.context[1] is client:
                self.cancel(call)
        self._take_all()

    def close(self) -> None:
        """End all calls, and deliver them."""
        for call in self._queue.calls():
            self.cancel(call)
        self._take_all()

    def _drive(self) -> None:
        try:
            self._queue.drive()
        except errors.Error as failure:
            self._give_up(failure)
        else:
            self._take_all()

    def _take_all(self) -> None:
        queue, deliver = self._queue, self._deliver
        while True:
            try:
                call = queue.next()
            except errors.Error as failure:
                self._give_up(failure)
                return
            if call is None:
                break
            deliver(call)
        if self._is_watched and queue.count == 0:
            self._is_watched = False
            self._unwatch()

    def _give_up(self, failure: errors.Error) -> None:
        """Deliver a failure of the queue itself to all: of the calls nothing more will be heard.

        It goes on being watched where that is another process's to end: what watches is shared with that.
        """
        if self._is_watched and not isinstance(failure, errors.ForkedError):
            self._is_watched = False
            self._unwatch()
        for call in self._queue.abandon(failure):
            self._deliver(call)

    def _wake_whoever_waits(self, call: QueuedCall) -> None:
        self.wake(call.context[0])


class AsyncioQueue(LoopQueue):
    """A queue in a loop of asyncio's."""

    def __init__(self, queue: QueueOwner, deliver: "Optional[Callable[[QueuedCall], None]]" = None) -> None:
        super().__init__(queue, deliver)
        # Weak, or a loop that has ended would be kept by the client.
        self._loop = weakref.ref(asyncio.get_running_loop())

    def new_waiter(self) -> "asyncio.Future[None]":
        return asyncio.get_running_loop().create_future()

    def wake(self, waiter: "asyncio.Future[None]") -> None:
        # That of a task that was cancelled is over already.
        if not waiter.done():
            waiter.set_result(None)

    def wait(self, waiter: "asyncio.Future[None]") -> Awaitable[None]:
        return waiter

    def _watch(self) -> None:
        asyncio.get_running_loop().add_reader(self._queue.descriptor(), self._drive)

    def _unwatch(self) -> None:
        loop = self._loop()
        if loop is not None and not loop.is_closed():
            loop.remove_reader(self._queue.descriptor())


class TrioQueue(LoopQueue):
    """A queue in a run of trio's, also by way of anyio: a system task watches it."""

    def new_waiter(self) -> Any:
        return _trio().Event()

    def wake(self, waiter: Any) -> None:
        waiter.set()

    def wait(self, waiter: Any) -> Awaitable[None]:
        return waiter.wait()  # type: ignore[no-any-return]

    def _watch(self) -> None:
        trio = _trio()
        self._scope = trio.CancelScope()
        trio.lowlevel.spawn_system_task(self._watch_until_cancelled, self._scope)

    def _unwatch(self) -> None:
        self._scope.cancel()

    async def _watch_until_cancelled(self, scope: Any) -> None:
        # While this task lives it holds the queue, whose descriptor must not be closed while it is watched.
        wait_readable, descriptor = _trio().lowlevel.wait_readable, self._queue.descriptor()
        with scope:
            while True:
                await wait_readable(descriptor)
                self._drive()


def _trio() -> Any:
    """Give trio, where the program has imported it: whoever runs in it has."""
    return sys.modules.get("trio")


def _current() -> "tuple[Any, type[LoopQueue]]":
    """Tell which event loop this is, and how queues are driven in it."""
    trio = _trio()
    if trio is not None:
        try:
            return trio.lowlevel.current_trio_token(), TrioQueue
        except RuntimeError:
            pass
    try:
        return asyncio.get_running_loop(), AsyncioQueue
    except RuntimeError:
        raise RuntimeError("argyle.AsyncClient works within an event loop only: of asyncio, or of trio") from None


def new_queue(in_flight: int, deliver: "Callable[[QueuedCall], None]") -> LoopQueue:
    """Make a queue of its own in the event loop that is running."""
    return _current()[1](QueueOwner.new(in_flight), deliver)


class LoopQueues:
    """The queue of each event loop in which a client, or one made from it, is used."""

    def __init__(self, in_flight: int) -> None:
        self._in_flight = in_flight
        # Made at once, so that the C library checks its options at once.
        self._first: Optional[QueueOwner] = QueueOwner.new(in_flight)
        self._queues: "weakref.WeakKeyDictionary[Any, LoopQueue]" = weakref.WeakKeyDictionary()
        self._lock = threading.Lock()

    def current(self) -> LoopQueue:
        """Give the queue of the event loop that is running."""
        loop, kind = _current()
        queue = self._queues.get(loop)
        return self._new(loop, kind) if queue is None else queue

    def _new(self, loop: Any, kind: "type[LoopQueue]") -> LoopQueue:
        with self._lock:
            first, self._first = self._first, None
            queue = self._queues[loop] = kind(QueueOwner.new(self._in_flight) if first is None else first)
            # Calls that were under way when a loop ended keep it.
            for other in list(self._queues):
                if isinstance(other, asyncio.AbstractEventLoop) and other.is_closed():
                    del self._queues[other]
            return queue

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
from functools import partial
from typing import Any, AsyncGenerator, Awaitable, Callable, Optional

from . import errors
from ._abi import ClientOwner, QueuedCall, QueueOwner
from ._operations import Operation


class LoopQueue(ABC):
    """A queue in an event loop, which hands each call that is over to a function."""

    def __init__(self, queue: QueueOwner, deliver: "Optional[Callable[[QueuedCall], None]]" = None) -> None:
        self._queue = queue
        self._given_deliver = deliver
        self._is_watched = False
        # What has to wait until the queue is driven no more; None while it is not driven.
        self._postponed: "Optional[list[Callable[[], None]]]" = None
        #: Whether it was closed, and takes no calls any more.
        self.is_closed = False
        #: Whether its event loop is ending: it then closes as soon as no task waits for a call.
        self.is_ending = False

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
        """End that; the descriptor may be closed afterwards."""

    # Calls

    @property
    def count(self) -> int:
        """How many calls the queue holds."""
        return self._queue.count

    def submit(self, client: ClientOwner, operation: Operation, context: Any) -> QueuedCall:
        """Begin a call, which is delivered when it is over."""
        try:
            call = self._queue.submit(client, operation, context)
            if not self._is_watched:
                try:
                    self._watch()
                except BaseException as failure:
                    # Nothing would drive it. There is no other, or it would be watched.
                    self.cancel(call)
                    self._queue.next()
                    if isinstance(failure, errors.Error) or not isinstance(failure, Exception):
                        raise
                    raise _cannot_watch(failure) from failure
                self._is_watched = True
        except BaseException:
            self.close_if_over()
            raise
        return call

    def start(self, client: ClientOwner, operation: Operation) -> QueuedCall:
        """Begin a call that one task will finish."""
        return self.submit(client, operation, (self.new_waiter(), client))

    async def finish(self, call: QueuedCall) -> Any:
        """Wait for the answer to a call; a task that is cancelled here cancels the call."""
        call.is_awaited = True
        try:
            await self.wait(call.context[0])
        except GeneratorExit:
            # The coroutine was dropped. To call a function here, amid the release, might lose what a signal handler
            # raises: the call ends by itself.
            call.is_awaited = False
            raise
        except BaseException:
            call.is_awaited = False
            self.cancel(call)
            self.close_if_over()
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
        if self._postponed is not None:
            self._postponed.append(partial(self.cancel_of, client))
            return
        for call in self._queue.calls():
            if call.context[1] is client:
                self.cancel(call)
        self._take_all()

    def end(self) -> None:
        """Close at the end of the event loop.

        Other asynchronous generators may be making calls in their clean-up, for the loop ends all at once.
        """
        self.is_ending = True
        self.close_if_over()

    def close_if_over(self) -> None:
        """Close if the event loop is ending, and no task waits for a call."""
        if self.is_ending and not self.is_closed and not any(call.is_awaited for call in self._queue.calls()):
            self.close()

    def close(self) -> None:
        """End all calls, deliver them, and close the connections."""
        self.is_closed = True
        if self._postponed is not None:
            # A handler of the log closes the client.
            self._postponed.append(self.close)
            return
        try:
            self._end_all()
            self._queue.check()
        finally:
            self._queue.release()

    def discard(self) -> None:
        """Close the connections after the event loop, in which no task can be woken any more."""
        self.is_closed = True
        self._queue.release()

    def _drive(self) -> None:
        postponed = self._postponed = []
        try:
            try:
                self._queue.drive()
            finally:
                self._postponed = None
        except errors.Error as failure:
            self._give_up(failure)
        else:
            self._take_all()
        finally:
            for step in postponed:
                step()

    def _end_all(self, failure: Optional[errors.Error] = None) -> None:
        """End all calls, with a failure of the event loop if there is one, and deliver them."""
        for call in self._queue.calls():
            self.cancel(call)
        self._take_all(failure)

    def _take_all(self, why_cancelled: Optional[errors.Error] = None) -> None:
        queue, deliver = self._queue, self._deliver
        while True:
            try:
                call = queue.next()
            except errors.Error as failure:
                self._give_up(failure)
                return
            if call is None:
                break
            if why_cancelled is not None and isinstance(call.error, errors.CancelledError):
                call.error = why_cancelled
            deliver(call)
        if self._is_watched and queue.count == 0:
            self._is_watched = False
            self._unwatch()
        self.close_if_over()

    def _give_up(self, failure: errors.Error) -> None:
        """Deliver a failure of the queue itself to all: of the calls nothing more will be heard.

        It goes on being watched where that is another process's to end: what watches is shared with that.
        """
        if self._is_watched and not isinstance(failure, errors.ForkedError):
            self._is_watched = False
            self._unwatch()
        for call in self._queue.abandon(failure):
            self._deliver(call)

    def _deliver(self, call: QueuedCall) -> None:
        if self._given_deliver is None:
            self.wake(call.context[0])
        else:
            self._given_deliver(call)


def _cannot_watch(failure: Exception) -> errors.InternalError:
    return errors.InternalError(f"the event loop cannot watch the queue: {failure}")


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
        descriptor = self._queue.descriptor()
        self._scope = trio.CancelScope()
        try:
            trio.lowlevel.spawn_system_task(self._watch_until_cancelled, self._scope, descriptor)
        except RuntimeError as failure:
            raise _trio_is_ending() from failure

    def _unwatch(self) -> None:
        self._scope.cancel()
        # Whoever waits for it does so no more, from now on.
        _trio().lowlevel.notify_closing(self._queue.descriptor())

    async def _watch_until_cancelled(self, scope: Any, descriptor: int) -> None:
        trio = _trio()
        # An error here would end the whole run.
        with scope:
            try:
                while not scope.cancel_called:
                    await trio.lowlevel.wait_readable(descriptor)
                    self._drive()
            except trio.ClosedResourceError:
                pass
            except trio.Cancelled:
                if not scope.cancel_called:
                    # By the end of the run.
                    self._end_all(_trio_is_ending())
                raise
            except OSError as failure:
                self._end_all(_cannot_watch(failure))


def _trio_is_ending() -> errors.InternalError:
    return errors.InternalError("the trio run is ending: no call can begin any more")


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


async def _until_the_end(queue: "weakref.ref[LoopQueue]") -> "AsyncGenerator[None, None]":
    """End a queue when its event loop ends.

    asyncio.run, uvloop and trio all end the asynchronous generators that were begun in them.
    """
    # At the interpreter's end, this module may have gone before a loop that nobody has ended.
    is_finalizing = sys.is_finalizing
    try:
        yield
    finally:
        if not is_finalizing():
            _endings.pop(queue, None)
            living = queue()
            if living is not None:
                living.end()


#: What ends each queue at the end of its event loop, by what refers to the queue weakly.
_endings: "dict[weakref.ref[LoopQueue], AsyncGenerator[None, None]]" = {}


def _go_on(step: Awaitable[Any]) -> None:
    """Let an asynchronous generator go on that awaits nothing, without a task."""
    try:
        step.__await__().send(None)
    except (StopIteration, StopAsyncIteration):
        pass


class _HasEndedError(Exception):
    """The loop has ended its asynchronous generators."""


class _Probe:
    """Stands for an asynchronous generator: loops that have ended theirs show the next one in a warning."""

    def __repr__(self) -> str:
        raise _HasEndedError


def _end_with_the_loop(queue: LoopQueue) -> None:
    """End a queue at the end of the event loop that is running."""
    # Those of queues that have ended, at which no Python code may run: see _abi.Owner.
    for reference in list(_endings):
        if reference() is None:
            ending = _endings.pop(reference, None)
            if ending is not None:
                _go_on(ending.aclose())
    hooks = sys.get_asyncgen_hooks()
    if isinstance(queue, AsyncioQueue) and hooks.firstiter is not None:
        try:
            hooks.firstiter(_Probe())  # type: ignore[arg-type]
        except _HasEndedError:
            queue.is_ending = True
            return
    reference = weakref.ref(queue)
    ending = _endings[reference] = _until_the_end(reference)
    try:
        # With it, it would keep its loop.
        sys.set_asyncgen_hooks(finalizer=None)
        _go_on(ending.__anext__())
    finally:
        sys.set_asyncgen_hooks(*hooks)


def new_queue(in_flight: int, deliver: "Callable[[QueuedCall], None]") -> LoopQueue:
    """Make a queue of its own in the event loop that is running."""
    return _current()[1](QueueOwner.new(in_flight), deliver)


class LoopQueues:
    """The queue of each event loop in which a client, or one made from it, is used."""

    def __init__(self, in_flight: int) -> None:
        self._in_flight = in_flight
        # Made at once, so that the C library checks its options at once.
        self._first: Optional[QueueOwner] = QueueOwner.new(in_flight)
        # Not in the collections of weakref, whose Python code would run at the end of what they hold.
        self._queues: "dict[int, tuple[weakref.ref[Any], LoopQueue]]" = {}
        #: The clients that have not been closed.
        self._clients: "list[weakref.ref[Any]]" = []
        self._lock = threading.Lock()

    def join(self, client: object) -> None:
        """Note that a client uses the queues."""
        self._keep_clients_but(None, weakref.ref(client))

    def _keep_clients_but(self, leaving: object, *joining: "weakref.ref[Any]") -> None:
        with self._lock:
            living = [reference for reference in self._clients if reference() not in (None, leaving)]
            self._clients = [*living, *joining]

    def leave(self, client: object, owner: ClientOwner) -> None:
        """End the calls of a client in the event loop that is running; the last client takes the queue with it."""
        self._keep_clients_but(client)
        queue = self._of(_current()[0])
        if queue is None:
            return
        if self._clients:
            queue.cancel_of(owner)
        else:
            queue.close()

    def current(self) -> LoopQueue:
        """Give the queue of the event loop that is running."""
        loop, kind = _current()
        queue = self._of(loop)
        return self._new(loop, kind) if queue is None or queue.is_closed else queue

    def _of(self, loop: Any) -> Optional[LoopQueue]:
        of, queue = self._queues.get(id(loop), (None, None))
        return queue if of is not None and of() is loop else None

    def _new(self, loop: Any, kind: "type[LoopQueue]") -> LoopQueue:
        with self._lock:
            first, self._first = self._first, None
            queue = kind(QueueOwner.new(self._in_flight) if first is None else first)
            _end_with_the_loop(queue)
            # Calls that were under way when a loop ended keep it.
            for key, (of, left) in list(self._queues.items()):
                other = of()
                if other is None or (isinstance(other, asyncio.AbstractEventLoop) and other.is_closed()):
                    del self._queues[key]
                    left.discard()
            self._queues[id(loop)] = weakref.ref(loop), queue
            return queue

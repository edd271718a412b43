"""Queues driven by an event loop, without threads.

The loop watches a queue's descriptor only while the queue holds calls. An unused queue can therefore be released at
any time, and keeps neither its loop nor its client alive.
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
    """A queue in an event loop.

    Finished calls are passed to ``on_finished`` if given; otherwise, each wakes the task that waits for it.
    """

    def __init__(self, queue: QueueOwner, on_finished: "Optional[Callable[[QueuedCall], None]]" = None) -> None:
        self._queue = queue
        self._on_finished = on_finished
        self._is_watched = False
        # Functions to call once the queue is no longer being driven; None if it is not being driven.
        self._postponed: "Optional[list[Callable[[], None]]]" = None
        #: Whether the queue is closed and accepts no more calls.
        self.is_closed = False
        #: Whether the event loop is ending; the queue then closes once no task waits for a call.
        self.is_ending = False

    # Implemented for each event loop.

    @abstractmethod
    def new_waiter(self) -> Any:
        """Create an event for one task to wait for."""

    @abstractmethod
    def wake(self, waiter: Any) -> None:
        """Set the event."""

    @abstractmethod
    def wait(self, waiter: Any) -> Awaitable[None]:
        """Wait until the event is set."""

    @abstractmethod
    def _watch(self) -> None:
        """Start calling ``_drive`` whenever the descriptor is readable."""

    @abstractmethod
    def _unwatch(self) -> None:
        """Stop watching the descriptor, which may be closed afterwards."""

    # Calls

    @property
    def count(self) -> int:
        """The number of calls in the queue."""
        return self._queue.count

    def submit(self, client: ClientOwner, operation: Operation, context: Any) -> QueuedCall:
        """Start a call."""
        try:
            call = self._queue.submit(client, operation, context)
            if not self._is_watched:
                try:
                    self._watch()
                except BaseException as failure:
                    # Nothing would drive the call. It is the only one, or the queue would be watched.
                    self.cancel(call)
                    self._queue.next()
                    if isinstance(failure, errors.Error) or not isinstance(failure, Exception):
                        raise
                    raise _cannot_watch(failure) from failure
                self._is_watched = True
        except BaseException:
            self.close_if_ending()
            raise
        return call

    def start(self, client: ClientOwner, operation: Operation) -> QueuedCall:
        """Start a call that one task will wait for with ``finish``."""
        return self.submit(client, operation, (self.new_waiter(), client))

    async def finish(self, call: QueuedCall) -> Any:
        """Wait for a call and return its value; cancelling the task cancels the call."""
        call.is_awaited = True
        try:
            await self.wait(call.context[0])
        except GeneratorExit:
            # The coroutine is being released. Calling a function now could lose a signal handler's exception, so the
            # call is left to finish.
            call.is_awaited = False
            raise
        except BaseException:
            call.is_awaited = False
            self.cancel(call)
            self.close_if_ending()
            raise
        return call.take_result()

    def cancel(self, call: QueuedCall) -> None:
        """Cancel a call, which is delivered like any finished call."""
        try:
            self._queue.cancel(call)
        except errors.Error:
            # Such as in a forked child, which has nothing to cancel. The original exception matters more.
            pass

    def cancel_calls_of(self, client: ClientOwner) -> None:
        """Cancel a client's calls, and deliver them."""
        if self._postponed is not None:
            self._postponed.append(partial(self.cancel_calls_of, client))
            return
        for call in self._queue.calls():
            if call.context[1] is client:
                self.cancel(call)
        self._deliver_finished()

    def loop_will_end(self) -> None:
        """Close the queue, because the event loop is ending, once no task waits for a call.

        The loop closes all asynchronous generators concurrently, and others may make calls in their clean-up.
        """
        self.is_ending = True
        self.close_if_ending()

    def close_if_ending(self) -> None:
        """Close the queue if the event loop is ending and no task waits for a call."""
        if self.is_ending and not self.is_closed and not any(call.is_awaited for call in self._queue.calls()):
            self.close()

    def close(self) -> None:
        """Cancel all calls, deliver them, and close the connections."""
        self.is_closed = True
        if self._postponed is not None:
            # A log handler is closing the client.
            self._postponed.append(self.close)
            return
        try:
            self._cancel_all()
            self._queue.check()
        finally:
            self._queue.release()

    def discard(self) -> None:
        """Close the connections after the event loop has ended, when no task can be woken any more."""
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
            self._fail_all(failure)
        else:
            self._deliver_finished()
        finally:
            for step in postponed:
                step()

    def _cancel_all(self, failure: Optional[errors.Error] = None) -> None:
        """Cancel all calls, with an error of the event loop if given, and deliver them."""
        for call in self._queue.calls():
            self.cancel(call)
        self._deliver_finished(failure)

    def _deliver_finished(self, cancellation_error: Optional[errors.Error] = None) -> None:
        queue, deliver = self._queue, self._deliver
        while True:
            try:
                call = queue.next()
            except errors.Error as failure:
                self._fail_all(failure)
                return
            if call is None:
                break
            if cancellation_error is not None and isinstance(call.error, errors.CancelledError):
                call.error = cancellation_error
            deliver(call)
        if self._is_watched and queue.count == 0:
            self._is_watched = False
            self._unwatch()
        self.close_if_ending()

    def _fail_all(self, failure: errors.Error) -> None:
        """Fail all calls with an error of the queue itself, and deliver them.

        In a forked child the descriptor stays watched: the parent shares the watcher.
        """
        if self._is_watched and not isinstance(failure, errors.ForkedError):
            self._is_watched = False
            self._unwatch()
        for call in self._queue.fail_all(failure):
            self._deliver(call)

    def _deliver(self, call: QueuedCall) -> None:
        if self._on_finished is None:
            self.wake(call.context[0])
        else:
            self._on_finished(call)


def _cannot_watch(failure: Exception) -> errors.InternalError:
    return errors.InternalError(f"the event loop cannot watch the queue: {failure}")


class AsyncioQueue(LoopQueue):
    """A queue in an asyncio event loop."""

    def __init__(self, queue: QueueOwner, on_finished: "Optional[Callable[[QueuedCall], None]]" = None) -> None:
        super().__init__(queue, on_finished)
        # Weak, or the client would keep a loop alive that has ended.
        self._loop = weakref.ref(asyncio.get_running_loop())

    def new_waiter(self) -> "asyncio.Future[None]":
        return asyncio.get_running_loop().create_future()

    def wake(self, waiter: "asyncio.Future[None]") -> None:
        # A cancelled task's future is already done.
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
    """A queue in a trio run, also under anyio; a system task watches the descriptor."""

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
        # Ends a pending wait_readable.
        _trio().lowlevel.notify_closing(self._queue.descriptor())

    async def _watch_until_cancelled(self, scope: Any, descriptor: int) -> None:
        trio = _trio()
        # An exception here would end the whole run.
        with scope:
            try:
                while not scope.cancel_called:
                    await trio.lowlevel.wait_readable(descriptor)
                    self._drive()
            except trio.ClosedResourceError:
                pass
            except trio.Cancelled:
                if not scope.cancel_called:
                    # The run is ending.
                    self._cancel_all(_trio_is_ending())
                raise
            except OSError as failure:
                self._cancel_all(_cannot_watch(failure))


def _trio_is_ending() -> errors.InternalError:
    return errors.InternalError("the trio run is ending: calls can no longer be started")


def _trio() -> Any:
    """Return trio if it is imported, which it is in a trio run."""
    return sys.modules.get("trio")


def _running_loop() -> "tuple[Any, type[LoopQueue]]":
    """Return the running event loop and its type of queue."""
    trio = _trio()
    if trio is not None:
        try:
            return trio.lowlevel.current_trio_token(), TrioQueue
        except RuntimeError:
            pass
    try:
        return asyncio.get_running_loop(), AsyncioQueue
    except RuntimeError:
        raise RuntimeError("argyle.AsyncClient requires a running event loop of asyncio or trio") from None


async def _loop_end_hook(queue: "weakref.ref[LoopQueue]") -> "AsyncGenerator[None, None]":
    """Call the queue's ``loop_will_end`` when the event loop closes this generator.

    asyncio.run, uvloop and trio all close the asynchronous generators that were started in them.
    """
    # At interpreter exit, this module's globals may be gone before a loop that was never closed.
    is_finalizing = sys.is_finalizing
    try:
        yield
    finally:
        if not is_finalizing():
            _loop_end_hooks.pop(queue, None)
            living = queue()
            if living is not None:
                living.loop_will_end()


#: The generator of each queue.
_loop_end_hooks: "dict[weakref.ref[LoopQueue], AsyncGenerator[None, None]]" = {}


def _run_step(step: Awaitable[Any]) -> None:
    """Run a step of an asynchronous generator that awaits nothing, without a task."""
    try:
        step.__await__().send(None)
    except (StopIteration, StopAsyncIteration):
        pass


class _GeneratorsClosedError(Exception):
    """The loop has already closed its asynchronous generators."""


class _Probe:
    """Stand-in for an asynchronous generator: a loop that has closed its generators warns about it, with its repr."""

    def __repr__(self) -> str:
        raise _GeneratorsClosedError


def _add_loop_end_hook(queue: LoopQueue) -> None:
    """Have the queue closed at the end of the running event loop."""
    # Close the hooks of released queues now: a release itself must run no Python code, see _abi.Owner.
    for reference in list(_loop_end_hooks):
        if reference() is None:
            hook = _loop_end_hooks.pop(reference, None)
            if hook is not None:
                _run_step(hook.aclose())
    hooks = sys.get_asyncgen_hooks()
    if isinstance(queue, AsyncioQueue) and hooks.firstiter is not None:
        try:
            hooks.firstiter(_Probe())  # type: ignore[arg-type]
        except _GeneratorsClosedError:
            queue.is_ending = True
            return
    reference = weakref.ref(queue)
    hook = _loop_end_hooks[reference] = _loop_end_hook(reference)
    try:
        # With a finalizer, the generator would keep its loop alive.
        sys.set_asyncgen_hooks(finalizer=None)
        _run_step(hook.__anext__())
    finally:
        sys.set_asyncgen_hooks(*hooks)


def new_queue(in_flight: int, on_finished: "Callable[[QueuedCall], None]") -> LoopQueue:
    """Create a separate queue in the running event loop."""
    return _running_loop()[1](QueueOwner.new(in_flight), on_finished)


class LoopQueues:
    """One queue for each event loop, shared by a client and those created from it."""

    def __init__(self, in_flight: int) -> None:
        self._in_flight = in_flight
        # Created now so that the C library validates in_flight now.
        self._first: Optional[QueueOwner] = QueueOwner.new(in_flight)
        # By the loop's id. Not a collection of weakref's, which would run Python code when a loop is released.
        self._queues: "dict[int, tuple[weakref.ref[Any], LoopQueue]]" = {}
        #: The open clients.
        self._clients: "list[weakref.ref[Any]]" = []
        self._lock = threading.Lock()

    def join(self, client: object) -> None:
        """Add a client."""
        self._update_clients(None, weakref.ref(client))

    def _update_clients(self, leaving: object, *joining: "weakref.ref[Any]") -> None:
        with self._lock:
            living = [reference for reference in self._clients if reference() not in (None, leaving)]
            self._clients = [*living, *joining]

    def leave(self, client: object, owner: ClientOwner) -> None:
        """Remove a client: cancel its calls in the running event loop, or close the queue if it was the last client."""
        self._update_clients(client)
        queue = self._find(_running_loop()[0])
        if queue is None:
            return
        if self._clients:
            queue.cancel_calls_of(owner)
        else:
            queue.close()

    def current(self) -> LoopQueue:
        """Return the running event loop's queue, created if needed."""
        loop, kind = _running_loop()
        queue = self._find(loop)
        return self._new(loop, kind) if queue is None or queue.is_closed else queue

    def _find(self, loop: Any) -> Optional[LoopQueue]:
        reference, queue = self._queues.get(id(loop), (None, None))
        return queue if reference is not None and reference() is loop else None

    def _new(self, loop: Any, kind: "type[LoopQueue]") -> LoopQueue:
        with self._lock:
            first, self._first = self._first, None
            queue = kind(QueueOwner.new(self._in_flight) if first is None else first)
            _add_loop_end_hook(queue)
            # Calls in flight when a loop ended keep its queue alive.
            for key, (reference, stale) in list(self._queues.items()):
                other = reference()
                if other is None or (isinstance(other, asyncio.AbstractEventLoop) and other.is_closed()):
                    del self._queues[key]
                    stale.discard()
            self._queues[id(loop)] = weakref.ref(loop), queue
            return queue

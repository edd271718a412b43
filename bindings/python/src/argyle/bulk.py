"""Concurrent calls: the implementation of ``client.bulk``."""

from __future__ import annotations

import select
from collections import deque
from collections.abc import Sized
from functools import partial
from typing import (
    Any,
    AsyncGenerator,
    AsyncIterable,
    AsyncIterator,
    Deque,
    Generator,
    Generic,
    Iterable,
    Iterator,
    Optional,
    Protocol,
    Union,
)

from . import errors
from ._abi import ClientOwner, QueuedCall, QueueOwner
from ._loops import new_queue
from ._operations import Operation
from .calls import BulkResult, Call, Progress, Value

__all__ = ["BulkResult", "Progress"]

#: Maximum time in poll, which delays a signal that arrived just before it.
_WAIT_MS = 500


class _Run(Generic[Value]):
    """State of a bulk run: finished calls, and progress."""

    def __init__(self, calls: object, progress: Optional[Progress]) -> None:
        self.finished: Deque[BulkResult[Value]] = deque()
        self._progress = progress
        self._total = len(calls) if isinstance(calls, Sized) else None
        self._done = 0
        #: Whether all calls have been read.
        self.is_exhausted = False

    def add(self, queued: QueuedCall) -> None:
        """Add a finished call."""
        call: Call[Value] = queued.context
        try:
            self.finished.append(BulkResult(call, queued.take_result(), None))
        except errors.Error as error:
            self.finished.append(BulkResult(call, None, _bare(error)))

    def add_invalid(self, call: Call[Value], error: errors.ArgumentError) -> None:
        """Add a call that was rejected before it started."""
        self.finished.append(BulkResult(call, None, _bare(error)))

    def pop(self) -> BulkResult[Value]:
        """Remove and return the first finished call's result, and report progress."""
        result = self.finished.popleft()
        self._done += 1
        if self._progress is not None:
            self._progress(self._done, self._total)
        return result


def _bare(error: errors.Error) -> errors.Error:
    """Drop an error's traceback, which refers back to it, and its context."""
    error.__context__ = None
    return error.with_traceback(None)


def _operation(call: Any) -> Operation:
    if not isinstance(call, Call):
        raise TypeError(f"bulk takes calls from argyle.calls, got {type(call).__name__}")
    operation = call._operation
    if isinstance(operation, errors.ArgumentError):
        raise operation
    return operation


class Source(Protocol):
    """A source of calls that may block."""

    @property
    def descriptor(self) -> int:
        """The descriptor that is readable when there is more input."""
        raise NotImplementedError

    def is_ready(self) -> bool:
        """Whether the next call is available without blocking."""
        raise NotImplementedError


def run_calls(
    client: ClientOwner,
    calls: Iterable[Optional[Call[Value]]],
    in_flight: int,
    progress: Optional[Progress],
    source: Optional[Source] = None,
) -> Generator[BulkResult[Value], None, None]:
    """Make calls and wait for them. With a source, ``calls`` may yield None for a step without a call."""
    # Outside the generator, which would validate in_flight only at the first step.
    return _results(QueueOwner.new(in_flight), client, calls, in_flight, _Run(calls, progress), source)


def _results(
    queue: QueueOwner,
    client: ClientOwner,
    calls: Iterable[Optional[Call[Value]]],
    in_flight: int,
    run: _Run[Value],
    source: Optional[Source],
) -> Generator[BulkResult[Value], None, None]:
    poll = select.poll()
    poll.register(queue.descriptor(), select.POLLIN)
    # Without ``try``: closing the generator must run no Python code, see _abi.Owner. The queue cancels its calls.
    yield from iter(partial(_next_result, queue, client, iter(calls), in_flight, run, poll, source), None)


def _next_result(
    queue: QueueOwner,
    client: ClientOwner,
    remaining: Iterator[Any],
    in_flight: int,
    run: _Run[Value],
    poll: select.poll,
    source: Optional[Source],
) -> Optional[BulkResult[Value]]:
    """Return the next result; None at the end."""
    try:
        while True:
            while not run.is_exhausted and queue.count + len(run.finished) < in_flight:
                # Calls in flight must not wait for input.
                if source is not None and (queue.count or run.finished) and not source.is_ready():
                    break
                try:
                    call = next(remaining)
                except StopIteration:
                    run.is_exhausted = True
                    break
                if source is not None and not call:
                    continue
                try:
                    queue.submit(client, _operation(call), call)
                except errors.ArgumentError as error:
                    run.add_invalid(call, error)
            if run.finished:
                return run.pop()
            if not queue.count:
                return None
            if not queue.drive():
                _wait(poll, None if run.is_exhausted or queue.count >= in_flight else source)
                continue
            # Take all of them: driving once per call takes twice as long.
            for queued in iter(queue.next, None):
                run.add(queued)
    except BaseException:
        try:
            queue.cancel_all()
        except errors.Error:
            # Such as in a forked child, which has nothing to cancel. The original exception matters more.
            pass
        queue.check()
        raise


def _wait(poll: select.poll, source: Optional[Source]) -> None:
    """Wait for the queue, and for the source if there is one."""
    if source is not None:
        poll.register(source.descriptor, select.POLLIN)
    # In Python rather than in C, so that signal handlers run.
    poll.poll(_WAIT_MS)
    if source is not None:
        poll.unregister(source.descriptor)


def run_calls_async(
    client: ClientOwner,
    calls: Union[Iterable[Call[Value]], AsyncIterable[Call[Value]]],
    in_flight: int,
    progress: Optional[Progress],
) -> AsyncGenerator[BulkResult[Value], None]:
    """Make calls in the running event loop."""
    return _results_async(client, calls, in_flight, _Run(calls, progress))


async def _results_async(
    client: ClientOwner,
    calls: Union[Iterable[Call[Value]], AsyncIterable[Call[Value]]],
    in_flight: int,
    run: _Run[Value],
) -> AsyncGenerator[BulkResult[Value], None]:
    waiter: Any = None

    def deliver(queued: QueuedCall) -> None:
        run.add(queued)
        if waiter is not None:
            queue.wake(waiter)

    queue = new_queue(in_flight, deliver)
    is_async = isinstance(calls, AsyncIterable)
    remaining = calls.__aiter__() if isinstance(calls, AsyncIterable) else _Iteration(calls)
    is_exhausted = False
    try:
        while True:
            # Results must not wait for an asynchronous iterable.
            while not is_exhausted and queue.count + len(run.finished) < in_flight and not (is_async and run.finished):
                try:
                    call = await remaining.__anext__()
                except StopAsyncIteration:
                    is_exhausted = True
                    break
                try:
                    queue.submit(client, _operation(call), call)
                except errors.ArgumentError as error:
                    run.add_invalid(call, error)
            if run.finished:
                yield run.pop()
            elif queue.count:
                waiter = queue.new_waiter()
                await queue.wait(waiter)
            else:
                return
    finally:
        waiter = None
        queue.close()


class _Iteration(AsyncIterator[Call[Value]]):
    """Adapts an iterable to ``async for``; unlike an asynchronous generator, it need not be closed."""

    def __init__(self, calls: Iterable[Call[Value]]) -> None:
        self._calls = iter(calls)

    async def __anext__(self) -> Call[Value]:
        for call in self._calls:
            return call
        raise StopAsyncIteration

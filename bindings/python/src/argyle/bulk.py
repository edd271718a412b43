"""Many calls at once, with their results in the order in which they end."""

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

#: How long a wait lasts at the most: a signal that came just before it began would otherwise wait with it.
_WAIT_MS = 500


class _Run(Generic[Value]):
    """What both kinds of bulk have in common: what is over, and how far it all is."""

    def __init__(self, calls: object, progress: Optional[Progress]) -> None:
        self.over: Deque[BulkResult[Value]] = deque()
        self._progress = progress
        self._total = len(calls) if isinstance(calls, Sized) else None
        self._done = 0
        #: Whether all calls were read.
        self.is_exhausted = False

    def note(self, queued: QueuedCall) -> None:
        """Keep what became of a call."""
        call: Call[Value] = queued.context
        try:
            self.over.append(BulkResult(call, queued.take_result(), None))
        except errors.Error as error:
            self.over.append(BulkResult(call, None, _bare(error)))

    def refuse(self, call: Call[Value], error: errors.ArgumentError) -> None:
        """Keep a call that breaks a rule of the C library's: it is over before it began."""
        self.over.append(BulkResult(call, None, _bare(error)))

    def give(self) -> BulkResult[Value]:
        """Give what was over first."""
        result = self.over.popleft()
        self._done += 1
        if self._progress is not None:
            self._progress(self._done, self._total)
        return result


def _bare(error: errors.Error) -> errors.Error:
    """Drop an error's frames, which would keep it alive, and the exception that was handled when it was raised."""
    error.__context__ = None
    return error.with_traceback(None)


def _operation(call: Any) -> Operation:
    if not isinstance(call, Call):
        raise TypeError(f"bulk takes calls as argyle.calls makes them, not {type(call).__name__}")
    operation = call._operation
    if isinstance(operation, errors.ArgumentError):
        raise operation
    return operation


class Source(Protocol):
    """Where calls come from that may not be there yet."""

    @property
    def descriptor(self) -> int:
        """What is readable when more has come."""
        raise NotImplementedError

    def is_ready(self) -> bool:
        """Whether the next call need not be waited for."""
        raise NotImplementedError


def make(
    client: ClientOwner,
    calls: Iterable[Optional[Call[Value]]],
    in_flight: int,
    progress: Optional[Progress],
    source: Optional[Source] = None,
) -> Generator[BulkResult[Value], None, None]:
    """Make calls, and wait for them. With a source, None in the place of a call says that there is none for now."""
    # Not within the generator, which begins with the first step only.
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
    # With no ``try`` around it: to end the generator runs no Python code, see _abi.Owner. The queue ends its calls.
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
    """Wait for a result; None at the end."""
    try:
        while True:
            while not run.is_exhausted and queue.count + len(run.over) < in_flight:
                # What is in flight does not wait for a call that is not there.
                if source is not None and (queue.count or run.over) and not source.is_ready():
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
                    run.refuse(call, error)
            if run.over:
                return run.give()
            if not queue.count:
                return None
            if not queue.drive():
                _wait(poll, None if run.is_exhausted or queue.count >= in_flight else source)
                continue
            # All at once: to drive for one at a time takes twice as long.
            for queued in iter(queue.next, None):
                run.note(queued)
    except BaseException:
        try:
            queue.cancel_all()
        except errors.Error:
            # As in a forked child, where there is nothing to be ended, and something else on its way to be raised.
            pass
        queue.check()
        raise


def _wait(poll: select.poll, source: Optional[Source]) -> None:
    """Wait for the queue, and for a source of calls if there is one."""
    if source is not None:
        poll.register(source.descriptor, select.POLLIN)
    # Here, and not in C, where Python's signal handlers do not run.
    poll.poll(_WAIT_MS)
    if source is not None:
        poll.unregister(source.descriptor)


def make_async(
    client: ClientOwner,
    calls: Union[Iterable[Call[Value]], AsyncIterable[Call[Value]]],
    in_flight: int,
    progress: Optional[Progress],
) -> AsyncGenerator[BulkResult[Value], None]:
    """Make calls in an event loop."""
    return _results_async(client, calls, in_flight, _Run(calls, progress))


async def _results_async(
    client: ClientOwner,
    calls: Union[Iterable[Call[Value]], AsyncIterable[Call[Value]]],
    in_flight: int,
    run: _Run[Value],
) -> AsyncGenerator[BulkResult[Value], None]:
    waiter: Any = None

    def deliver(queued: QueuedCall) -> None:
        run.note(queued)
        if waiter is not None:
            queue.wake(waiter)

    queue = new_queue(in_flight, deliver)
    is_slow = isinstance(calls, AsyncIterable)
    remaining = calls.__aiter__() if isinstance(calls, AsyncIterable) else _Iteration(calls)
    is_exhausted = False
    try:
        while True:
            # What is over does not wait for calls that are themselves waited for.
            while not is_exhausted and queue.count + len(run.over) < in_flight and not (is_slow and run.over):
                try:
                    call = await remaining.__anext__()
                except StopAsyncIteration:
                    is_exhausted = True
                    break
                try:
                    queue.submit(client, _operation(call), call)
                except errors.ArgumentError as error:
                    run.refuse(call, error)
            if run.over:
                yield run.give()
            elif queue.count:
                waiter = queue.new_waiter()
                await queue.wait(waiter)
            else:
                return
    finally:
        waiter = None
        queue.close()


class _Iteration(AsyncIterator[Call[Value]]):
    """What a loop goes through, for ``async for``; a generator would have to be closed where it is left early."""

    def __init__(self, calls: Iterable[Call[Value]]) -> None:
        self._calls = iter(calls)

    async def __anext__(self) -> Call[Value]:
        for call in self._calls:
            return call
        raise StopAsyncIteration

"""Many calls at once, of both kinds of client."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import AsyncIterator, Iterable, Iterator
from typing import Any

import pytest

import argyle
from argyle import calls
from conftest import KEY_ID, KEY_SECRET, Faults

pytestmark = pytest.mark.filterwarnings("error")

#: Longer than any test may take.
FOREVER_MS = 300_000


class Kinds:
    """Bulk of both clients, with the results as a list."""

    def __init__(self, kind: str, url: str) -> None:
        self._kind = kind
        self._url = url

    def __call__(self, given: Iterable[argyle.Call[Any]], **options: Any) -> list[argyle.BulkResult[Any]]:
        """Make the calls."""
        if self._kind == "sync":
            with argyle.Client(KEY_ID, KEY_SECRET, base_url=self._url, max_retries=0) as client:
                return list(client.bulk(given, **options))

        async def main() -> list[argyle.BulkResult[Any]]:
            async with argyle.AsyncClient(KEY_ID, KEY_SECRET, base_url=self._url, max_retries=0) as client:
                source = given if self._kind != "slow" else slowly(given)
                return [result async for result in client.bulk(source, **options)]

        if self._kind == "trio":
            return pytest.importorskip("trio").run(main)  # type: ignore[no-any-return]
        return asyncio.run(main())


async def slowly(given: Iterable[argyle.Call[Any]]) -> AsyncIterator[argyle.Call[Any]]:
    """Give calls that are waited for."""
    for call in given:
        await asyncio.sleep(0)
        yield call


@pytest.fixture(params=["sync", "asyncio", "trio", "slow"])
def bulk(request: pytest.FixtureRequest, sandbox_url: str) -> Kinds:
    """Each kind of bulk."""
    return Kinds(request.param, sandbox_url)


def test_every_call(bulk: Kinds) -> None:
    """Every kind of call has the value of the client's own method, with the input beside it."""
    user_id = bulk([calls.create_user(external_metadata=5)])[0].result().id
    given: list[argyle.Call[Any]] = [
        calls.create_user(),
        calls.get_user(user_id, context="mine"),
        calls.list_users(limit=1, offset=0, ordering="created_at"),
        calls.create_user_token(user_id),
        calls.update_user(user_id, external_metadata=None),
    ]
    results = {result.call.name: result for result in bulk(given)}
    assert {result.call for result in results.values()} == set(given)
    assert isinstance(results["create_user"].result(), argyle.NewUser)
    assert results["get_user"].result().id == user_id
    assert (results["get_user"].call.context, results["get_user"].call.user_id) == ("mine", user_id)
    assert len(results["list_users"].result().results) == 1
    assert results["create_user_token"].result().access
    assert results["update_user"].result().external_metadata is None
    assert "mine" not in repr(results["get_user"])
    (deleted,) = bulk([calls.delete_user(user_id)])
    assert (deleted.value, deleted.error, deleted.result()) == (None, None, None)


def test_failures_do_not_end_the_others(bulk: Kinds) -> None:
    """Each call fails for itself: of what the service says, and of what the library refuses."""
    given = [
        *(calls.get_user("none", context=number) for number in range(50)),
        *(calls.list_users(limit=0, context=number) for number in range(50, 80)),
        *(calls.list_users(limit=1, context=number) for number in range(80, 100)),
    ]
    results = bulk(given, in_flight=7)
    assert sorted(result.call.context for result in results) == list(range(100))
    for result in results:
        if result.call.context < 50:
            assert isinstance(result.error, argyle.NotFoundError)
            assert result.error.status == 404
            with pytest.raises(argyle.NotFoundError):
                result.result()
        elif result.call.context < 80:
            assert isinstance(result.error, argyle.ArgumentError)
        else:
            assert result.result() is result.value


def test_order_of_completion(bulk: Kinds, faults: Faults) -> None:
    """What is over first comes first."""
    faults.add("delay", milliseconds=700, method="POST")
    given: list[argyle.Call[Any]] = [calls.create_user(context=0), *(calls.list_users(context=n) for n in (1, 2))]
    results = bulk(given)
    assert {results[0].call.context, results[1].call.context} == {1, 2}
    assert results[2].call.context == 0


def test_progress(bulk: Kinds) -> None:
    """Progress is told with each result, and of how many where that is known."""
    told: list[Any] = []
    bulk([calls.list_users(limit=1) for _ in range(5)], progress=lambda *progress: told.append(progress))
    totals = {total for _, total in told}
    assert [done for done, _ in told] == [1, 2, 3, 4, 5]
    # An asynchronous source has no length.
    assert totals == ({None} if bulk._kind == "slow" else {5})
    told.clear()
    bulk((calls.list_users(limit=1) for _ in range(3)), progress=lambda *progress: told.append(progress))
    assert told == [(1, None), (2, None), (3, None)]
    assert bulk([]) == []


def test_calls_are_read_as_places_become_free(bulk: Kinds) -> None:
    """No more calls are read than may be under way."""
    read = over = 0
    most = 0

    def given() -> Iterator[argyle.Call[Any]]:
        nonlocal read, most
        for _ in range(60):
            read += 1
            most = max(most, read - over)
            yield calls.list_users(limit=1)

    def note(done: int, _: Any) -> None:
        nonlocal over
        over = done

    assert len(bulk(given(), in_flight=4, progress=note)) == 60
    assert most <= 5


def test_arguments(bulk: Kinds) -> None:
    """What is no call, and no number of calls, is refused."""
    with pytest.raises(argyle.ArgumentError, match="max_in_flight"):
        bulk([], in_flight=0)
    with pytest.raises(TypeError, match="calls"):
        bulk([calls.list_users(), "users"])  # type: ignore[list-item]
    [result] = bulk([calls.get_user("a\0b")])
    with pytest.raises(ValueError, match="user_id"):
        result.result()


def test_a_source_that_fails(bulk: Kinds, faults: Faults) -> None:
    """An exception of the calls' source ends the run."""
    faults.add("delay", milliseconds=FOREVER_MS)

    def given() -> Iterator[argyle.Call[Any]]:
        yield calls.list_users()
        raise LookupError("no more")

    with pytest.raises(LookupError, match="no more") as caught:
        bulk(given())
    # The exception keeps the queue alive, but nothing is under way in it.
    frames = [frame for frame, _ in traceback.walk_tb(caught.tb) if "queue" in frame.f_locals]
    assert frames
    for frame in frames:
        queue = frame.f_locals["queue"]
        assert queue.count == (queue.drive() if bulk._kind == "sync" else 0)


def test_leaving(sandbox_url: str, faults: Faults) -> None:
    """To leave the loop over the results ends what is under way, and the client goes on."""
    with argyle.Client(KEY_ID, KEY_SECRET, base_url=sandbox_url) as client:
        faults.add("delay", milliseconds=FOREVER_MS, method="POST")
        given: list[argyle.Call[Any]] = [calls.list_users(), *(calls.create_user() for _ in range(20))]
        for result in client.bulk(given):
            assert result.call.name == "list_users"
            break
        with pytest.raises(ZeroDivisionError):
            for _ in client.bulk(given):
                raise ZeroDivisionError
        results = client.bulk(given)
        next(results)
        results.close()
        assert list(results) == []
        client.users.list()


def test_leaving_asynchronously(sandbox_url: str, faults: Faults) -> None:
    """The same in an event loop, where a cancelled task ends its run too."""

    async def main() -> None:
        async with argyle.AsyncClient(KEY_ID, KEY_SECRET, base_url=sandbox_url) as client:
            faults.add("delay", milliseconds=FOREVER_MS, method="POST")
            given: list[argyle.Call[Any]] = [calls.list_users(), *(calls.create_user() for _ in range(20))]
            async for result in client.bulk(given):
                assert result.call.name == "list_users"
                break
            results = client.bulk(given)
            await results.__anext__()
            await results.aclose()

            async def consume() -> None:
                async for _ in client.bulk(given):
                    pass

            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(consume(), 0.2)
            await client.users.list()

    asyncio.run(main())


def test_results_do_not_wait_for_the_source(sandbox_url: str) -> None:
    """A source is not waited for where a result is ready: here it has no further call before it was seen."""

    async def main() -> None:
        seen = asyncio.Event()

        async def given() -> AsyncIterator[argyle.Call[Any]]:
            yield calls.list_users(limit=1)
            await asyncio.sleep(0.3)
            yield calls.list_users(limit=1)
            await asyncio.wait_for(seen.wait(), 30)
            yield calls.list_users(limit=1)

        async with argyle.AsyncClient(KEY_ID, KEY_SECRET, base_url=sandbox_url) as client:
            async for _ in client.bulk(given()):
                seen.set()

    asyncio.run(main())


def test_interrupt(sandbox_url: str, faults: Faults) -> None:
    """A signal's handler runs while results are waited for, and its exception ends the run."""
    faults.add("delay", milliseconds=FOREVER_MS)

    class Interrupted(Exception):
        pass

    def raise_it(*_: object) -> None:
        raise Interrupted

    before = signal.signal(signal.SIGUSR1, raise_it)
    timer = threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGUSR1))
    timer.start()
    try:
        with argyle.Client(KEY_ID, KEY_SECRET, base_url=sandbox_url) as client, pytest.raises(Interrupted):
            list(client.bulk(calls.list_users() for _ in range(5)))
    finally:
        timer.join()
        signal.signal(signal.SIGUSR1, before)


def test_in_threads(sandbox_url: str) -> None:
    """Several threads may each have a run of one client."""
    counts: list[int] = []
    with argyle.Client(KEY_ID, KEY_SECRET, base_url=sandbox_url) as client:

        def run() -> None:
            counts.append(sum(result.error is None for result in client.bulk(calls.list_users() for _ in range(100))))

        threads = [threading.Thread(target=run) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert counts == [100] * 4


def test_a_closed_client(sandbox_url: str) -> None:
    """A closed client makes no run; one that is under way goes on."""
    client = argyle.Client(KEY_ID, KEY_SECRET, base_url=sandbox_url)
    results = client.bulk(calls.list_users() for _ in range(10))
    next(results)
    client.close()
    assert sum(result.error is None for result in results) == 9
    with pytest.raises(argyle.ArgumentError, match="closed"):
        client.bulk([])


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_fork(sandbox_url: str) -> None:
    """A forked child is told that the run is its parent's, and the parent goes on."""
    with argyle.Client(KEY_ID, KEY_SECRET, base_url=sandbox_url) as client:
        results = client.bulk((calls.list_users() for _ in range(20)), in_flight=2)
        next(results)
        child = os.fork()
        if child == 0:
            status = 1
            try:
                for _ in range(10):
                    next(results)
            except argyle.ForkedError:
                try:
                    list(client.bulk([calls.list_users()]))
                except argyle.ForkedError:
                    status = 0
            finally:
                os._exit(status)
        assert os.waitpid(child, 0)[1] == 0
        assert sum(result.error is None for result in results) == 19


@pytest.mark.parametrize("ending", ["sys.exit(3)", "os.kill(os.getpid(), signal.SIGINT)", "del results; sys.exit(3)"])
def test_exit_with_calls_under_way(sandbox_url: str, faults: Faults, ending: str) -> None:
    """A process that ends amid a run just ends."""
    faults.add("delay", milliseconds=FOREVER_MS, method="POST")
    program = f"""
import os, signal, sys, argyle
client = argyle.Client({KEY_ID!r}, {KEY_SECRET!r}, base_url={sandbox_url!r})
results = client.bulk([argyle.calls.list_users(), argyle.calls.create_user()])
next(results)
try:
    {ending}
    next(results)
except KeyboardInterrupt:
    sys.exit(3)
"""
    result = subprocess.run([sys.executable, "-X", "dev", "-c", program], capture_output=True, text=True, timeout=60)
    assert (result.stderr, result.returncode) == ("", 3)


def test_memory_does_not_grow(sandbox_url: str) -> None:
    """What is over is let go: of a long run no more is alive than is under way."""
    import gc

    from argyle import _abi

    most = 0
    with argyle.Client(KEY_ID, KEY_SECRET, base_url=sandbox_url) as client:
        gc.disable()
        try:
            for count, _ in enumerate(client.bulk((calls.get_user("none") for _ in range(2000)), in_flight=10)):
                if count % 100 == 0:
                    alive = sum(isinstance(thing, (_abi.QueuedCall, argyle.Error)) for thing in gc.get_objects())
                    most = max(most, alive)
        finally:
            gc.enable()
    assert most <= 25


def test_time_passes_between_results(sandbox_url: str) -> None:
    """A consumer that takes its time is no fault of the service's."""
    with argyle.Client(KEY_ID, KEY_SECRET, base_url=sandbox_url, timeout_ms=200, max_retries=0) as client:
        for result in client.bulk((calls.list_users() for _ in range(6)), in_flight=2):
            result.result()
            time.sleep(0.3)


def test_call_that_breaks_a_rule_ends_no_other(client: argyle.Client) -> None:
    """What is wrong with one row is that row's result, and the others are made."""
    rows: list[object] = [{"row": 0}, {1, 2}, {"row": 2}]
    calls = (argyle.calls.create_user(external_metadata=row, context=index) for index, row in enumerate(rows))
    results = {result.call.context: result for result in client.bulk(calls, in_flight=1)}
    assert [type(results[index].error) for index in range(3)] == [type(None), argyle.ArgumentError, type(None)]
    assert len(list(client.users)) == 2


def test_interrupt_amid_the_log(sandbox_url: str) -> None:
    """Ctrl-C ends a bulk run whose records are logged, and nothing is printed but its own traceback."""
    program = """
import logging, os, signal, sys, threading, time
import argyle
logging.basicConfig(level=logging.DEBUG, stream=open(os.devnull, "w"))
client = argyle.Client("test-key", "canary-secret-5f2c", base_url=sys.argv[1])
list(client.bulk([argyle.calls.list_users()]))
interrupted = 0
for number in range(20):
    try:
        threading.Timer(0.02 + number / 1000, os.kill, (os.getpid(), signal.SIGINT)).start()
        for result in client.bulk(argyle.calls.list_users() for _ in iter(int, 1)):
            pass
    except KeyboardInterrupt:
        interrupted += 1
print(interrupted)
"""
    result = subprocess.run(
        [sys.executable, "-c", program, sandbox_url], capture_output=True, text=True, timeout=120, check=False
    )
    assert (result.stdout, result.stderr) == ("20\n", "")

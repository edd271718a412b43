"""client.bulk, with both clients."""

from __future__ import annotations

import asyncio
import os
import signal
import struct
import subprocess
import sys
import threading
import traceback
from collections.abc import AsyncIterator, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

import argyle
from argyle import calls
from argyle.bulk import _Run
from conftest import FOREVER_MS, KEY_ID, KEY_SECRET, PATIENCE, ROOT, Faults, wait_until

pytestmark = pytest.mark.filterwarnings("error")

#: Options for long timeouts.
PATIENT: Any = {"timeout_ms": FOREVER_MS}


class Kinds:
    """Runs bulk of either client, and returns the results as a list."""

    def __init__(self, kind: str, url: str) -> None:
        self._kind = kind
        self._url = url

    def __call__(self, given: Iterable[argyle.Call[Any]], **options: Any) -> list[argyle.BulkResult[Any]]:
        """Make the calls."""
        if self._kind == "sync":
            with argyle.Client(KEY_ID, KEY_SECRET, base_url=self._url, max_retries=0, **PATIENT) as client:
                return list(client.bulk(given, **options))

        async def main() -> list[argyle.BulkResult[Any]]:
            async with argyle.AsyncClient(KEY_ID, KEY_SECRET, base_url=self._url, max_retries=0, **PATIENT) as client:
                source = given if self._kind != "slow" else slowly(given)
                return [result async for result in client.bulk(source, **options)]

        if self._kind == "trio":
            return pytest.importorskip("trio").run(main)  # type: ignore[no-any-return]
        return asyncio.run(main())


async def slowly(given: Iterable[argyle.Call[Any]]) -> AsyncIterator[argyle.Call[Any]]:
    """Yield calls asynchronously."""
    for call in given:
        await asyncio.sleep(0)
        yield call


@pytest.fixture(params=["sync", "asyncio", "trio", "slow"])
def bulk(request: pytest.FixtureRequest, sandbox_url: str) -> Kinds:
    """Each kind of bulk."""
    return Kinds(request.param, sandbox_url)


def test_every_call(bulk: Kinds) -> None:
    """Every call has the same value as the client's own method, and its context."""
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
    """A call that the service or the library rejects fails alone."""
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
    """Calls that finish first come first."""
    faults.add("delay", milliseconds=FOREVER_MS, method="POST")
    given: list[argyle.Call[Any]] = [calls.create_user(context=0), *(calls.list_users(context=n) for n in (1, 2))]
    results = bulk(given, progress=lambda done, _: faults.clear() if done == 2 else None)
    assert {results[0].call.context, results[1].call.context} == {1, 2}
    assert results[2].call.context == 0


def test_progress(bulk: Kinds) -> None:
    """progress is called for each result, with the total if that is known."""
    told: list[Any] = []
    bulk([calls.list_users(limit=1) for _ in range(5)], progress=lambda *progress: told.append(progress))
    totals = {total for _, total in told}
    assert [done for done, _ in told] == [1, 2, 3, 4, 5]
    # An asynchronous iterable has no length.
    assert totals == ({None} if bulk._kind == "slow" else {5})
    told.clear()
    bulk((calls.list_users(limit=1) for _ in range(3)), progress=lambda *progress: told.append(progress))
    assert told == [(1, None), (2, None), (3, None)]
    assert bulk([]) == []


def test_calls_are_read_lazily(bulk: Kinds) -> None:
    """No more calls are read than may be in flight."""
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
    """Objects other than calls and invalid in_flight are rejected."""
    with pytest.raises(argyle.ArgumentError, match="max_in_flight"):
        bulk([], in_flight=0)
    with pytest.raises(TypeError, match="calls"):
        bulk([calls.list_users(), "users"])  # type: ignore[list-item]
    [result] = bulk([calls.get_user("a\0b")])
    with pytest.raises(ValueError, match="user_id"):
        result.result()


def test_iterable_that_fails(bulk: Kinds, faults: Faults) -> None:
    """An exception in the iterable of calls ends the run."""
    faults.add("delay", milliseconds=FOREVER_MS)

    def given() -> Iterator[argyle.Call[Any]]:
        yield calls.list_users()
        raise LookupError("no more")

    with pytest.raises(LookupError, match="no more") as caught:
        bulk(given())
    # The exception keeps the queue alive, but no call is in flight.
    frames = [frame for frame, _ in traceback.walk_tb(caught.tb) if "queue" in frame.f_locals]
    assert frames
    for frame in frames:
        queue = frame.f_locals["queue"]
        assert queue.count == (queue.drive() if bulk._kind == "sync" else 0)


def test_leaving(sandbox_url: str, faults: Faults) -> None:
    """Leaving the loop over the results cancels the calls in flight, and the client stays usable."""
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


def test_results_do_not_wait_for_the_iterable(sandbox_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A ready result does not wait for the iterable, which here yields no further call before the result was seen."""
    note = _Run.add

    async def main() -> None:
        ready, seen = asyncio.Event(), asyncio.Event()

        def note_and_tell(run: "_Run[Any]", queued: Any) -> None:
            note(run, queued)
            ready.set()

        monkeypatch.setattr(_Run, "add", note_and_tell)

        async def given() -> AsyncIterator[argyle.Call[Any]]:
            yield calls.list_users(limit=1)
            await asyncio.wait_for(ready.wait(), PATIENCE)
            yield calls.list_users(limit=1)
            await asyncio.wait_for(seen.wait(), PATIENCE)
            yield calls.list_users(limit=1)

        async with argyle.AsyncClient(KEY_ID, KEY_SECRET, base_url=sandbox_url) as client:
            async for _ in client.bulk(given()):
                seen.set()

    asyncio.run(main())


def test_interrupt(sandbox_url: str, faults: Faults) -> None:
    """A signal handler runs while bulk waits, and its exception ends the run."""
    faults.add("delay", milliseconds=FOREVER_MS, count=5)

    class Interrupted(Exception):
        pass

    def raise_it(*_: object) -> None:
        raise Interrupted

    def interrupt() -> None:
        wait_until(lambda: faults.left() == 0)
        os.kill(os.getpid(), signal.SIGUSR1)

    before = signal.signal(signal.SIGUSR1, raise_it)
    interrupting = threading.Thread(target=interrupt)
    try:
        with (
            argyle.Client(KEY_ID, KEY_SECRET, base_url=sandbox_url, **PATIENT) as client,
            pytest.raises(Interrupted),
        ):
            interrupting.start()
            list(client.bulk(calls.list_users() for _ in range(5)))
    finally:
        interrupting.join()
        signal.signal(signal.SIGUSR1, before)


def test_in_threads(sandbox_url: str) -> None:
    """Several threads can run bulk on one client concurrently."""
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
    """A closed client starts no run; one in progress continues."""
    client = argyle.Client(KEY_ID, KEY_SECRET, base_url=sandbox_url)
    results = client.bulk(calls.list_users() for _ in range(10))
    next(results)
    client.close()
    assert sum(result.error is None for result in results) == 9
    with pytest.raises(argyle.ArgumentError, match="closed"):
        client.bulk([])


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_fork(sandbox_url: str) -> None:
    """In a forked child the run raises ForkedError, and the parent's continues."""
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
def test_exit_with_calls_in_flight(sandbox_url: str, faults: Faults, ending: str) -> None:
    """A process with a run in progress exits cleanly."""
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
    result = subprocess.run(
        [sys.executable, "-X", "dev", "-c", program], capture_output=True, text=True, timeout=PATIENCE
    )
    assert (result.stderr, result.returncode) == ("", 3)


def test_memory_does_not_grow(sandbox_url: str) -> None:
    """Finished calls are released: in a long run, only calls in flight are alive."""
    import gc

    from argyle import _abi

    most = 0
    with argyle.Client(KEY_ID, KEY_SECRET, base_url=sandbox_url) as client:
        # What earlier tests left.
        gc.collect()
        gc.disable()
        try:
            for count, _ in enumerate(client.bulk((calls.get_user("none") for _ in range(2000)), in_flight=10)):
                if count % 100 == 0:
                    alive = sum(isinstance(thing, (_abi.QueuedCall, argyle.Error)) for thing in gc.get_objects())
                    most = max(most, alive)
        finally:
            gc.enable()
    assert most <= 25


def test_time_passes_between_results(sandbox_url: str, faults: Faults, tmp_path: Path) -> None:
    """The time that a slow consumer takes does not count against calls' timeouts, as a fake clock shows."""
    library = tmp_path / "clock.so"
    source = ROOT / "Tests" / "sandbox" / "clock.c"
    subprocess.run(["cc", "-shared", "-fPIC", source, "-o", library], check=True)
    program = """
import mmap, os, select, struct, sys, threading, urllib.request
import argyle
url = sys.argv[1]
memory = mmap.mmap(int(os.environ["ARGYLE_TEST_CLOCK"]), 24)
def advance(milliseconds):
    struct.pack_into("q", memory, 0, struct.unpack_from("q", memory)[0] + milliseconds * 1000)
with argyle.Client("test-key", "canary-secret-5f2c", base_url=url, timeout_ms=200, max_retries=0) as client:
    for result in client.bulk((argyle.calls.list_users() for _ in range(6)), in_flight=2):
        result.result()
        advance(300)
    # The clock is the client's.
    urllib.request.urlopen(urllib.request.Request(
        url + "/_sandbox/faults", b'{"kind": "delay", "milliseconds": 600000, "count": 1}',
        {"Content-Type": "application/json"}))
    def run():
        while urllib.request.urlopen(url + "/_sandbox/faults").read() != b"[]":
            pass
        while not over:
            # In steps, between which the queue is driven: time when it was not driven does not count.
            advance(5)
            select.select([], [], [], 0.005)
    over = False
    threading.Thread(target=run).start()
    for result in client.bulk([argyle.calls.list_users()]):
        assert isinstance(result.error, argyle.TimeoutError), result
    over = True
"""
    clock = os.memfd_create("clock")
    os.write(clock, struct.pack("qqq", 1_000_000_000, 0, 0))
    # Through a descriptor, because LD_PRELOAD does not support paths with blanks.
    preloaded = os.open(library, os.O_RDONLY)
    result = subprocess.run(
        [sys.executable, "-c", program, sandbox_url],
        env={**os.environ, "LD_PRELOAD": f"/proc/self/fd/{preloaded}", "ARGYLE_TEST_CLOCK": str(clock)},
        pass_fds=(clock, preloaded),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    os.close(clock)
    os.close(preloaded)
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


def test_invalid_call_does_not_end_the_others(client: argyle.Client) -> None:
    """An invalid call has its error as result, and the others are made."""
    rows: list[object] = [{"row": 0}, {1, 2}, {"row": 2}]
    calls = (argyle.calls.create_user(external_metadata=row, context=index) for index, row in enumerate(rows))
    results = {result.call.context: result for result in client.bulk(calls, in_flight=1)}
    assert [type(results[index].error) for index in range(3)] == [type(None), argyle.ArgumentError, type(None)]
    assert len(list(client.users)) == 2


def test_interrupt_inside_a_log_handler(sandbox_url: str) -> None:
    """Ctrl-C ends a logged bulk run, and only its own traceback is printed."""
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
        [sys.executable, "-c", program, sandbox_url], capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    assert (result.stdout, result.stderr) == ("20\n", "")

"""What the asynchronous client releases, and when, by counting descriptors with the cycle collector disabled."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import gc
import os
from collections.abc import AsyncGenerator, Awaitable, Iterator
from typing import Any, Callable

import anyio
import pytest

import argyle
from argyle import _abi
from conftest import FOREVER_MS, KEY_ID, KEY_SECRET, PATIENCE, Faults, Sandbox

pytestmark = pytest.mark.filterwarnings("error")

Main = Callable[[], Awaitable[Any]]
Run = Callable[[Main], Any]


def descriptors() -> int:
    """Return the number of open descriptors of this process."""
    return len(os.listdir("/proc/self/fd"))


async def awaited(main: Main) -> Any:
    """Return a coroutine function for a function."""
    return await main()


@pytest.fixture(params=["asyncio", "uvloop", "trio"])
def run(request: pytest.FixtureRequest) -> Run:
    """Run a function in each kind of event loop."""
    if request.param == "trio":
        return pytest.importorskip("trio").run  # type: ignore[no-any-return]
    if request.param == "uvloop":
        uvloop = pytest.importorskip("uvloop")
        return lambda main: uvloop.run(awaited(main))
    return lambda main: asyncio.run(awaited(main))


@pytest.fixture
def uncollected() -> Iterator[None]:
    """Disable the cycle collector."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def new_client(url: str) -> argyle.AsyncClient:
    """Create a client without retries."""
    return argyle.AsyncClient(KEY_ID, KEY_SECRET, base_url=url, max_retries=0, timeout_ms=FOREVER_MS)


async def use(client: argyle.AsyncClient) -> None:
    """Make every kind of call."""
    await client.users.list()
    await client.with_options(max_retries=1).users.list()
    with contextlib.suppress(argyle.NotFoundError):
        await client.users.get("none")
    calls = [argyle.calls.list_users() for _ in range(5)]
    assert len([result async for result in client.bulk(calls)]) == 5
    partial = client.bulk(calls, in_flight=2)
    await partial.__anext__()
    await partial.aclose()


@pytest.mark.usefixtures("uncollected")
def test_closing_releases_connections(sandbox_url: str, run: Run) -> None:
    """Closing a client closes its connections, even if something still refers to the client."""

    async def main() -> None:
        await new_client(sandbox_url).aclose()
        kept = []
        before = descriptors()
        for _ in range(5):
            client = new_client(sandbox_url)
            await use(client)
            await client.users.pages(limit=1).__anext__()
            assert descriptors() > before
            await client.aclose()
            assert descriptors() == before
            async with new_client(sandbox_url) as other:
                await use(other)
                pages = other.users.pages()
                kept += [client, other, pages, await pages.__anext__()]
            assert descriptors() == before

    run(main)


@pytest.mark.usefixtures("uncollected")
def test_closing_the_last_client_releases_connections(sandbox_url: str, run: Run) -> None:
    """Shared connections stay open until the last client is closed or released."""

    async def main() -> None:
        await new_client(sandbox_url).aclose()
        before = descriptors()
        first = new_client(sandbox_url)
        second = first.with_options(max_retries=1)
        third = second.with_options(max_retries=2)
        await first.users.list()
        await first.aclose()
        await second.users.list()
        await second.aclose()
        assert descriptors() > before
        del third
        assert descriptors() == before

    run(main)


@pytest.mark.usefixtures("uncollected")
def test_dropping_a_client_releases_connections(sandbox_url: str, run: Run) -> None:
    """A client that nothing refers to is released immediately."""

    async def main() -> None:
        await new_client(sandbox_url).aclose()
        before = descriptors()
        for _ in range(5):
            client = new_client(sandbox_url)
            await use(client)
            del client
            # A task that is yet to be woken or closed still refers to what it used.
            with anyio.fail_after(PATIENCE):
                while descriptors() != before:
                    await anyio.sleep(0)

    run(main)


@pytest.mark.usefixtures("uncollected")
def test_the_end_of_a_loop_releases_connections(sandbox_url: str, run: Run) -> None:
    """A client that outlives its event loops keeps none of their resources."""
    client = new_client(sandbox_url)

    async def main() -> None:
        await use(client)
        await client.users.pages(limit=1).__anext__()

    async def nothing() -> None:
        pass

    run(nothing)
    before = descriptors()
    for _ in range(20):
        run(main)
        assert descriptors() <= before


@pytest.fixture(params=["asyncio", "uvloop"])
def run_plainly(request: pytest.FixtureRequest) -> Run:
    """Run a function in an event loop that is closed without any other clean-up."""
    module = pytest.importorskip(request.param)

    def run(main: Main) -> Any:
        loop = module.new_event_loop()
        loop.set_exception_handler(lambda *_: None)
        try:
            return loop.run_until_complete(awaited(main))
        finally:
            loop.close()

    return run


@pytest.mark.usefixtures("uncollected")
def test_loops_that_end_with_calls_in_flight(sandbox_url: str, run_plainly: Run, faults: Faults) -> None:
    """Calls in flight when a loop was closed keep connections open at most until the next loop."""
    faults.add("delay", method="GET", milliseconds=FOREVER_MS)
    client = new_client(sandbox_url)

    async def main() -> None:
        under_way = asyncio.ensure_future(client.users.list())
        await client.users.create()
        assert not under_way.done()

    run_plainly(main)
    before = descriptors()
    for _ in range(5):
        run_plainly(main)
        assert descriptors() == before
    faults.clear()
    gc.collect()


def test_iterator_over_closed_loops(sandbox: Sandbox, run_plainly: Run) -> None:
    """An iterator continues in the next loop, without the page that the last loop was waiting for."""
    sandbox.seed(5)
    pages = new_client(sandbox.url).users.pages(limit=1)
    assert [len(run_plainly(pages.__anext__)) for _ in range(5)] == [1] * 5
    with pytest.raises(StopAsyncIteration):
        run_plainly(pages.__anext__)


# ---------------------------------------------------------------- Clean-up at the end of a loop


async def clean_up(client: argyle.AsyncClient, url: str) -> None:
    """Make calls as in the ``finally`` of a generator that its loop closes."""
    await client.users.list()
    await asyncio.gather(client.users.list(), client.with_options(max_retries=1).users.list())
    # The next page stays in flight.
    await client.users.pages(limit=1).__anext__()
    # A call that is cancelled.
    given_up = asyncio.ensure_future(client.users.list())
    await asyncio.sleep(0)
    given_up.cancel()
    await asyncio.wait([given_up])
    with pytest.raises(argyle.ArgumentError):
        await client.users.list(limit=0)
    # A client that was not used in the loop before.
    async with new_client(url) as other:
        await other.users.list()
    await new_client(url).users.list()


@pytest.mark.usefixtures("uncollected")
@pytest.mark.parametrize("run", ["asyncio", "uvloop"], indirect=True)
@pytest.mark.parametrize("is_used_before", [True, False])
def test_generators_clean_up_at_the_end_of_a_loop(sandbox: Sandbox, run: Run, is_used_before: bool) -> None:
    """Calls that other generators make at the end of their loop succeed, in whatever order it closes them."""
    sandbox.seed(3)
    clients = [new_client(sandbox.url) for _ in range(5)]
    failures: "list[BaseException]" = []
    ended = 0

    async def work(client: argyle.AsyncClient) -> AsyncGenerator[None, None]:
        nonlocal ended
        try:
            yield
        finally:
            try:
                await clean_up(client, sandbox.url)
            except BaseException as failure:
                failures.append(failure)
            ended += 1

    unfinished: "list[AsyncGenerator[None, None]]" = []

    async def main() -> None:
        for client in clients:
            if is_used_before:
                await client.users.pages(limit=1).__anext__()
            unfinished.append(work(client))
            await unfinished[-1].__anext__()

    async def nothing() -> None:
        pass

    run(nothing)
    before = descriptors()
    for _ in range(4):
        run(main)
        unfinished.clear()
        assert failures == []
        assert descriptors() <= before
    assert ended == 4 * len(clients)


def test_calls_at_the_end_of_a_trio_run(sandbox: Sandbox) -> None:
    """trio watches no descriptors once it closes generators: a call then raises argyle's own error."""
    trio = pytest.importorskip("trio")
    sandbox.seed(3)
    failures: "list[BaseException]" = []

    async def work(client: argyle.AsyncClient) -> AsyncGenerator[None, None]:
        try:
            yield
        finally:
            with trio.fail_after(PATIENCE, shield=True):
                try:
                    await client.users.list()
                except BaseException as failure:
                    failures.append(failure)

    unfinished: "list[AsyncGenerator[None, None]]" = []

    async def main(is_used_before: bool) -> None:
        client = new_client(sandbox.url)
        if is_used_before:
            # The next page stays in flight.
            await client.users.pages(limit=1).__anext__()
        unfinished.append(work(client))
        await unfinished[-1].__anext__()

    for is_used_before in [True, False] * 4:
        trio.run(main, is_used_before)
    assert [type(failure) for failure in failures] == [argyle.InternalError] * 8
    assert {str(failure) for failure in failures} == {"the trio run is ending: calls can no longer be started"}


# ---------------------------------------------------------------- Loops that cannot watch


def test_a_queue_without_descriptors_works_later(sandbox_url: str, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """A call whose queue cannot be watched raises argyle's own error, and the next one works."""

    async def main() -> None:
        async with new_client(sandbox_url) as client:
            descriptor = _abi.QueueOwner.descriptor

            def none_left(queue: _abi.QueueOwner) -> int:
                raise argyle.InternalError("no descriptors")

            monkeypatch.setattr(_abi.QueueOwner, "descriptor", none_left)
            with pytest.raises(argyle.InternalError, match="no descriptors"):
                await client.users.list()
            bulk = client.bulk([argyle.calls.list_users()])
            with pytest.raises(argyle.InternalError, match="no descriptors"):
                await bulk.__anext__()
            monkeypatch.setattr(_abi.QueueOwner, "descriptor", descriptor)
            await client.users.list()

    run(main)


@pytest.mark.parametrize("kind", [OSError, RuntimeError])
def test_a_loop_that_cannot_watch(sandbox_url: str, monkeypatch: pytest.MonkeyPatch, kind: "type[Exception]") -> None:
    """The same if asyncio itself fails."""

    async def main() -> None:
        async with new_client(sandbox_url) as client:
            loop = asyncio.get_running_loop()

            def refuse(*_: object) -> None:
                raise kind(errno.ENOSPC, os.strerror(errno.ENOSPC))

            monkeypatch.setattr(loop, "add_reader", refuse)
            with pytest.raises(argyle.InternalError, match=r"the event loop cannot watch the queue: .*No space left"):
                await client.users.list()
            monkeypatch.undo()
            await client.users.list()

    asyncio.run(main())


def test_a_trio_that_cannot_watch(sandbox_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same if trio fails, which would end the whole run."""
    trio = pytest.importorskip("trio")

    async def main() -> None:
        async with new_client(sandbox_url) as client:

            async def refuse(_: object) -> None:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

            monkeypatch.setattr(trio.lowlevel, "wait_readable", refuse)
            with pytest.raises(argyle.InternalError, match=r"the event loop cannot watch the queue: .*No space left"):
                await client.users.list()
            monkeypatch.undo()
            await client.users.list()

    trio.run(main)

"""The asynchronous client, in asyncio and in trio."""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import os
import subprocess
import sys
import threading
import time
import urllib.request
import weakref
from collections.abc import Awaitable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Callable, Optional
from urllib.parse import parse_qs, urlsplit

import anyio
import pytest

import argyle
from argyle import _abi
from argyle.async_client import _may_retry
from conftest import FOREVER_MS, KEY_ID, KEY_SECRET, PATIENCE, Faults, RunAsync

pytestmark = pytest.mark.filterwarnings("error")


def new_client(url: str, **options: Any) -> argyle.AsyncClient:
    """Create a client for the sandbox without retries and with long timeouts."""
    options = {"max_retries": 0, "timeout_ms": FOREVER_MS, **options}
    return argyle.AsyncClient(KEY_ID, KEY_SECRET, base_url=url, **options)


async def until(condition: Callable[[], object], sleep: Callable[[float], Awaitable[Any]] = asyncio.sleep) -> None:
    """Wait for a condition while the event loop runs."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        await sleep(0.01)


async def until_faults_are_used_up(faults: Faults) -> None:
    """Wait until all faults are used up: the requests that they delay have reached the server."""
    await until(lambda: faults.left() == 0)


# ---------------------------------------------------------------- Operations


def test_operations(sandbox_url: str, run_async: RunAsync) -> None:
    """Every operation behaves like the blocking one."""

    async def main() -> None:
        async with new_client(sandbox_url) as client:
            created = await client.users.create(external_metadata={"group": "A"})
            user = await client.users.get(created.id)
            assert (user.id, user.external_metadata) == (created.id, {"group": "A"})
            assert (await client.users.update(created.id, external_metadata=None)).external_metadata is None
            assert (await client.users.create()).token
            page = await client.users.list(limit=2, ordering="-created_at")
            assert len(page.results) == 2
            assert page.results[1].id == created.id
            token = await client.user_tokens.create(created.id)
            assert token.claims
            await client.users.delete(created.id)
            with pytest.raises(argyle.NotFoundError, match="Not found") as caught:
                await client.users.get(created.id)
            assert caught.value.status == 404

    run_async(main)


def test_errors(sandbox_url: str, run_async: RunAsync, faults: Faults) -> None:
    """An invalid call raises when awaited, and the client stays usable."""

    async def main() -> None:
        async with new_client(sandbox_url) as client:
            with pytest.raises(argyle.ArgumentError, match="limit"):
                await client.users.list(limit=0)
            with pytest.raises(ValueError, match="external_metadata"):
                await client.users.create(external_metadata={1, 2})
            with pytest.raises(argyle.ArgumentError, match="user_id"):
                await client.users.get(None)  # type: ignore[arg-type]
            faults.add("error", status=503, count=1)
            with pytest.raises(argyle.ServerError) as caught:
                await client.users.list()
            assert (caught.value.status, caught.value.attempts) == (503, 1)
            faults.add("error", status=503, count=1)
            assert (await client.with_options(max_retries=1).users.list()).results is not None
            with pytest.raises(argyle.AuthenticationError):
                await client.with_options(key_secret="wrong").users.list()
            await client.users.list()

    run_async(main)


def test_options(sandbox_url: str) -> None:
    """Options are validated immediately, by the C library."""
    with pytest.raises(argyle.ArgumentError, match="max_in_flight"):
        new_client(sandbox_url, max_in_flight=0)
    with pytest.raises(argyle.ArgumentError, match="no_such"):
        new_client(sandbox_url, no_such=1)
    client = new_client(sandbox_url)
    with pytest.raises(argyle.ArgumentError, match="max_in_flight"):
        client.with_options(max_in_flight=2)  # type: ignore[call-arg]
    assert KEY_SECRET not in repr(client)


def test_many_at_once(sandbox_url: str) -> None:
    """More calls than max_in_flight all succeed, each with its own response."""

    async def main() -> None:
        async with new_client(sandbox_url, max_in_flight=7) as client:
            numbers = range(300)
            created = await asyncio.gather(*[client.users.create(external_metadata=number) for number in numbers])
            users = await asyncio.gather(*[client.users.get(new.id) for new in created])
            assert [user.external_metadata for user in users] == list(numbers)
            failures = await asyncio.gather(
                *[client.users.get(f"none-{number}") for number in numbers], return_exceptions=True
            )
            assert {type(failure) for failure in failures} == {argyle.NotFoundError}
            await asyncio.gather(*[client.users.delete(new.id) for new in created])

    asyncio.run(main())


def test_in_flight_is_shared(sandbox_url: str, faults: Faults) -> None:
    """A client created from another shares its max_in_flight."""

    async def main() -> None:
        async with new_client(sandbox_url, max_in_flight=1) as client:
            faults.add("delay", milliseconds=FOREVER_MS, count=1)
            stalled = asyncio.ensure_future(client.users.list())
            await until_faults_are_used_up(faults)
            other = asyncio.ensure_future(client.with_options(max_retries=1).users.list())
            await until(lambda: client._core.queue().count == 2)
            # Earlier calls finish before these.
            async with new_client(sandbox_url) as another:
                for _ in range(3):
                    await another.users.list()
            assert not other.done()
            stalled.cancel()
            await other
            with pytest.raises(asyncio.CancelledError):
                await stalled

    asyncio.run(main())


# ---------------------------------------------------------------- Cancellation


def test_cancelling_a_task_cancels_the_call(sandbox_url: str, faults: Faults) -> None:
    """Cancelling a task cancels its call, and no others."""

    async def main() -> None:
        async with new_client(sandbox_url) as client:
            faults.add("delay", milliseconds=FOREVER_MS, count=3)
            stalled = [asyncio.ensure_future(client.users.list()) for _ in range(3)]
            await until_faults_are_used_up(faults)
            queue = client._core.queue()
            assert queue.count == 3
            await client.users.list()
            stalled[0].cancel()
            with pytest.raises(asyncio.CancelledError):
                await stalled[0]
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(stalled[1], 0.05)
            await until(lambda: queue.count == 1)
            await client.users.list()
            stalled[2].cancel()
            await asyncio.wait(stalled)

    asyncio.run(main())


if sys.version_info >= (3, 11):

    def test_timeout_block(sandbox_url: str, faults: Faults) -> None:
        """asyncio's timeout cancels a call."""

        async def main() -> None:
            async with new_client(sandbox_url) as client:
                faults.add("delay", milliseconds=FOREVER_MS, count=1)

                async def end(limit: asyncio.Timeout) -> None:
                    await until_faults_are_used_up(faults)
                    limit.reschedule(0)

                with pytest.raises(TimeoutError):
                    async with asyncio.timeout(None) as limit:
                        ending = asyncio.ensure_future(end(limit))
                        await client.users.list()
                await ending
                await client.users.list()

        asyncio.run(main())


def test_trio_cancel_scope(sandbox_url: str, faults: Faults) -> None:
    """A trio cancel scope cancels a call, and tasks run concurrently."""
    trio = pytest.importorskip("trio")

    async def main() -> None:
        async with new_client(sandbox_url) as client:
            faults.add("delay", milliseconds=FOREVER_MS, count=1)
            scope = trio.CancelScope()

            async def end() -> None:
                await until(lambda: faults.left() == 0, trio.sleep)
                scope.cancel()

            async with trio.open_nursery() as nursery:
                nursery.start_soon(end)
                with scope:
                    await client.users.list()
            assert scope.cancelled_caught
            pages: list[argyle.UserPage] = []

            async def list_users() -> None:
                pages.append(await client.users.list())

            async with trio.open_nursery() as nursery:
                for _ in range(20):
                    nursery.start_soon(list_users)
            assert len(pages) == 20

    trio.run(main)


def test_anyio(sandbox_url: str, run_async: RunAsync) -> None:
    """anyio's task groups work with either event loop."""
    anyio = pytest.importorskip("anyio")

    async def main() -> None:
        async with new_client(sandbox_url) as client, anyio.create_task_group() as group:
            group.start_soon(client.users.list)
            await client.users.list()

    run_async(main)


def test_closing_ends_calls(sandbox_url: str, faults: Faults) -> None:
    """Closing a client cancels its calls, and no others."""

    async def main() -> None:
        base = new_client(sandbox_url)
        faults.add("delay", milliseconds=FOREVER_MS, count=2)
        stalled = asyncio.ensure_future(base.users.list())
        derived = base.with_options(max_retries=1)
        other = asyncio.ensure_future(derived.users.list())
        await until_faults_are_used_up(faults)
        await base.aclose()
        await base.aclose()
        with pytest.raises(argyle.CancelledError):
            await stalled
        with pytest.raises(argyle.ArgumentError, match="closed"):
            await base.users.list()
        with pytest.raises(argyle.ArgumentError, match="closed"):
            base.users.pages()
        assert not other.done()
        faults.clear()
        await other
        await derived.aclose()

    asyncio.run(main())


def test_closing_with_trio(sandbox_url: str, faults: Faults) -> None:
    """The same in trio, whose system task ends with the last call."""
    trio = pytest.importorskip("trio")

    async def main() -> None:
        client = new_client(sandbox_url)
        faults.add("delay", milliseconds=FOREVER_MS, count=1)
        caught = []

        async def list_users() -> None:
            try:
                await client.users.list()
            except argyle.CancelledError as error:
                caught.append(error)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(list_users)
            await until(lambda: faults.left() == 0, trio.sleep)
            await client.aclose()
        assert len(caught) == 1

    trio.run(main)


def test_client_is_released(sandbox_url: str, run_async: RunAsync) -> None:
    """A client that was not closed is released while its event loop is running."""

    async def main() -> None:
        before = sum(isinstance(thing, _abi.Owner) for thing in gc.get_objects())
        for _ in range(20):
            await new_client(sandbox_url).users.list()
        await_once = new_client(sandbox_url)
        await await_once.users.list()
        del await_once
        gc.collect()
        assert sum(isinstance(thing, _abi.Owner) for thing in gc.get_objects()) <= before + 2

    run_async(main)


def test_call_that_is_not_awaited(sandbox_url: str) -> None:
    """A call that is not awaited is not made."""

    async def main() -> None:
        async with new_client(sandbox_url) as client:
            client.users.list().close()
            client.users.pages()
            client.users.iterate()
            client.bulk([argyle.calls.list_users()])
            assert client._core.queue().count == 0

    asyncio.run(main())


# ---------------------------------------------------------------- Loops and processes


def test_two_loops(sandbox_url: str, faults: Faults) -> None:
    """A client works in another event loop after the first has ended, even with calls in flight."""
    client = new_client(sandbox_url)

    async def leave_one_under_way() -> None:
        faults.add("delay", milliseconds=FOREVER_MS, count=1)
        task = asyncio.ensure_future(client.users.list())
        await until_faults_are_used_up(faults)
        assert not task.done()

    loop = asyncio.new_event_loop()
    loop.run_until_complete(leave_one_under_way())
    tasks = asyncio.all_tasks(loop)
    loop.close()
    while tasks:
        # Otherwise asyncio warns, rightly, that it was left pending.
        tasks.pop()._log_destroy_pending = False  # type: ignore[attr-defined]
    ended = weakref.ref(loop)
    del tasks, loop

    async def go_on() -> int:
        return len((await client.users.list(limit=1)).results)

    assert asyncio.run(go_on()) == asyncio.run(go_on())
    gc.collect()
    assert ended() is None
    pytest.importorskip("trio").run(go_on)


def test_loops_in_threads(sandbox_url: str) -> None:
    """The event loops of several threads can use one client concurrently."""
    client = new_client(sandbox_url)
    failures: list[BaseException] = []

    async def list_many() -> None:
        await asyncio.gather(*[client.users.list(limit=1) for _ in range(50)])

    def run_one() -> None:
        try:
            asyncio.run(list_many())
        except BaseException as failure:
            failures.append(failure)

    threads = [threading.Thread(target=run_one) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


def test_outside_of_a_loop(sandbox_url: str) -> None:
    """Without an event loop, the error message says so."""
    coroutine = new_client(sandbox_url).users.list()
    with pytest.raises(RuntimeError, match="requires a running event loop"):
        coroutine.send(None)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
@pytest.mark.parametrize("is_used", [False, True])
def test_fork(sandbox_url: str, is_used: bool) -> None:
    """In a forked child the client raises ForkedError, and the parent's stays usable."""
    client = new_client(sandbox_url)

    async def main() -> None:
        await client.users.list()

    if is_used:
        asyncio.run(main())
    child = os.fork()
    if child == 0:
        status = 1
        try:
            asyncio.run(main())
        except argyle.ForkedError:
            status = 0
        finally:
            os._exit(status)
    assert os.waitpid(child, 0)[1] == 0
    asyncio.run(main())


@pytest.mark.parametrize(
    "ending",
    [
        "asyncio.run(main(client))",
        "asyncio.run(asyncio.wait_for(client.users.list(), 0.2))",
        "loop = asyncio.new_event_loop(); loop.run_until_complete(start(client))",
        "loop = asyncio.new_event_loop(); loop.run_until_complete(start(client)); loop.close()",
        "asyncio.run(start(client)); os.kill(os.getpid(), signal.SIGINT)",
        "asyncio.run(interrupted(client))",
    ],
)
def test_exit_with_calls_in_flight(sandbox_url: str, faults: Faults, ending: str) -> None:
    """A process with calls in flight exits cleanly."""
    faults.add("delay", milliseconds=FOREVER_MS, count=1)
    program = f"""
import asyncio, os, signal, sys, urllib.request, argyle
async def start(client):
    global task
    task = asyncio.ensure_future(client.users.list())
    # asyncio warns about pending tasks, which is expected here.
    task._log_destroy_pending = False
    # Until the request is delayed.
    while urllib.request.urlopen({sandbox_url!r} + "/_sandbox/faults").read() != b"[]":
        await asyncio.sleep(0.01)
async def main(client):
    await start(client)
    raise SystemExit(3)
async def interrupted(client):
    await start(client)
    os.kill(os.getpid(), signal.SIGINT)
    await task
client = argyle.AsyncClient({KEY_ID!r}, {KEY_SECRET!r}, base_url={sandbox_url!r}, max_retries=0)
try:
    {ending}
except (asyncio.TimeoutError, KeyboardInterrupt):
    pass
sys.exit(3)
"""
    result = subprocess.run(
        [sys.executable, "-W", "ignore:coroutine", "-c", program], capture_output=True, text=True, timeout=PATIENCE
    )
    assert (result.stderr, result.returncode) == ("", 3)


# ---------------------------------------------------------------- Pages


@pytest.fixture
def created(sandbox_url: str) -> Iterator[list[str]]:
    """The ids of the sandbox's users, newest first."""
    urllib.request.urlopen(urllib.request.Request(f"{sandbox_url}/_sandbox/users", method="DELETE")).close()
    with argyle.Client(KEY_ID, KEY_SECRET, base_url=sandbox_url) as client:
        yield [client.users.create().id for _ in range(23)][::-1]


def test_iteration(sandbox_url: str, run_async: RunAsync, created: list[str], faults: Faults) -> None:
    """Iteration yields all users in order, by users and by pages, with both forms of a page."""

    async def main() -> None:
        async with new_client(sandbox_url) as client:
            assert [user.id async for user in client.users] == created
            pages = [page async for page in client.users.pages(limit=10)]
            assert [len(page) for page in pages] == [10, 10, 3]
            assert [user.id for page in pages for user in page] == created
            walk = client.users.iterate(offset=20, ordering="created_at")
            assert [user.id async for user in walk] == created[::-1][20:]
            assert [len(page) async for page in client.users.pages(limit=10, offset=5)] == [10, 8]
            faults.add("body", body="array")
            pages = [page async for page in client.users.pages(limit=10)]
            assert [len(page) for page in pages] == [10, 10, 3, 0]

    run_async(main)


@pytest.mark.parametrize("query", [{"limit": 0}, {"offset": -1}, {"ordering": "id"}, {"offset": object()}])
def test_iterators_validate_arguments_early(query: Any) -> None:
    """Before the first step, and without an event loop."""
    client = argyle.AsyncClient(KEY_ID, KEY_SECRET)
    walks: list[Any] = [client.users.pages] if "limit" in query else [client.users.pages, client.users.iterate]
    for walk in walks:
        with pytest.raises(argyle.ArgumentError):
            walk(**query)


def test_pages_are_prefetched(sandbox_url: str, created: list[str], faults: Faults) -> None:
    """A prefetched page that failed is requested again, and after an error the iterator continues."""

    async def main() -> None:
        async with new_client(sandbox_url) as client:
            pages = client.users.pages(limit=10)
            assert len(await pages.__anext__()) == 10
            assert client._core.queue().count == 1
            await until(lambda: pages._prefetch is not None and pages._prefetch[1].value is not None)
            faults.add("error", status=500, count=2)
            assert [user.id for user in await pages.__anext__()] == created[10:20]
            await until(lambda: faults.left() == 1)
            # The prefetch has met the first fault, and the second request the second one.
            with pytest.raises(argyle.ServerError):
                await pages.__anext__()
            assert [user.id for user in await pages.__anext__()] == created[20:]
            for _ in range(2):
                with pytest.raises(StopAsyncIteration):
                    await pages.__anext__()

    asyncio.run(main())


def test_pages_are_not_requested_again_too_early(
    sandbox_url: str, run_async: RunAsync, created: list[str], faults: Faults
) -> None:
    """A prefetched page that was rejected is requested again after Retry-After; before, the error is raised."""

    async def main(retry_after: int) -> "list[str]":
        async with new_client(sandbox_url) as client:
            # The first request uses up a harmless fault.
            faults.add("body", body="array", count=1)
            faults.add("rate_limit", retry_after=retry_after, count=1)
            pages = client.users.pages(limit=20)
            assert len(await pages.__anext__()) == 20
            if retry_after:
                with pytest.raises(argyle.RateLimitedError) as caught:
                    await pages.__anext__()
                assert caught.value.retry_after == retry_after
            # After the error, requesting it again is the program's decision, as with the blocking client.
            return [user.id for user in await pages.__anext__()]

    assert run_async(lambda: main(600)) == created[20:]
    assert run_async(lambda: main(0)) == created[20:]


@pytest.mark.parametrize(
    ("retry_after", "seconds", "allowed"),
    [(None, 0, True), (0, 0, True), (5, 0, False), (5, 4.999, False), (5, 5, True)],
)
def test_when_a_page_may_be_requested_again(retry_after: Optional[float], seconds: float, allowed: bool) -> None:
    """Retry-After counts from the arrival of the response."""
    failure = argyle.ServerError("status 503")
    failure.retry_after = retry_after
    assert _may_retry(failure, seconds) == allowed


def test_leaving_an_iterator(sandbox_url: str, run_async: RunAsync, created: list[str]) -> None:
    """An iterator that is left early, closed or dropped leaves no call in flight."""

    async def main() -> None:
        async with new_client(sandbox_url) as client:
            users = client.users.iterate()
            async for _ in users:
                break
            await users.aclose()
            async for _ in client.users.pages(limit=10):
                break
            pages = client.users.pages(limit=10)
            await pages.__anext__()
            await pages.aclose()
            with pytest.raises(StopAsyncIteration):
                await pages.__anext__()

    run_async(main)


def test_dropping_an_iterator(sandbox_url: str, created: list[str], faults: Faults) -> None:
    """In asyncio, an iterator that is dropped cancels its prefetch."""

    async def main() -> None:
        async with new_client(sandbox_url) as client:
            with argyle.Client(KEY_ID, KEY_SECRET, base_url=sandbox_url) as sync:
                for result in sync.bulk(argyle.calls.create_user() for _ in range(200)):
                    result.result()
            walk = client.users.iterate()
            faults.add("delay", milliseconds=FOREVER_MS, **faults.only_the_second())
            await walk.__anext__()
            queue = client._core.queue()
            assert queue.count == 1
            del walk
            # The request that would be in flight forever is gone.
            await until(lambda: queue.count == 0)

    asyncio.run(main())


Pages = Callable[[dict[str, str]], Any]


@pytest.fixture
def serve() -> Iterator[Callable[[Pages], str]]:
    """Return a function that starts a server for lists created by a function."""
    servers = []

    def start(pages: Pages) -> str:
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                query = {name: values[-1] for name, values in parse_qs(urlsplit(self.path).query).items()}
                answer = pages(query)
                answer, headers = answer if isinstance(answer, tuple) else (answer, {})
                body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
                self.send_response(200)
                for name, value in {"Content-Length": str(len(body)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        servers.append((server, thread))
        return f"http://127.0.0.1:{server.server_port}"

    yield start
    for server, thread in servers:
        server.shutdown()
        thread.join()
        server.server_close()


def page(query: dict[str, str], following: Any, users: int = 1) -> Any:
    """Create a page of users."""
    return {"results": [{"id": f"user-{query.get('offset')}-{number}"} for number in range(users)], "next": following}


@pytest.mark.parametrize(
    ("pages", "given", "message"),
    [
        (lambda query: page(query, "/v1/users?limit=200"), 1, "an earlier page"),
        (lambda query: page(query, "/v1/users?limit=200&offset=7"), 2, "an earlier page"),
        (lambda query: page(query, "https://elsewhere.example/"), 1, "not a link"),
        (lambda query: page(query, "/v1/users?offset=x"), 2, "an earlier page"),
        (lambda query: page(query, "/v1/users?cursor=abc"), 2, "an earlier page"),
        (lambda query: page(query, 7), 0, "neither a string nor null"),
        (
            lambda query: page(query, f"?limit=5&offset={int(query.get('offset', '0')) + 5}", users=0),
            100,
            "consecutive page without users",
        ),
        (lambda query: [{"id": "same"}], 1, "same user"),
        (lambda query: {"results": 1}, 0, "results"),
    ],
)
def test_iterators_that_cannot_continue(serve: Callable[[Pages], str], pages: Pages, given: int, message: str) -> None:
    """Received users are yielded first; then every step raises the same error."""

    async def main() -> None:
        async with new_client(serve(pages)) as client:
            walk = client.users.pages()
            for _ in range(given):
                await walk.__anext__()
            for _ in range(2):
                with pytest.raises(argyle.ProtocolError, match=message):
                    await walk.__anext__()

    asyncio.run(main())


def test_large_prefetch_waits_for_retry_after(serve: Callable[[Pages], str]) -> None:
    """A prefetched page that was too large is not requested again before Retry-After, as with the blocking client."""
    requests = []

    def pages(query: dict[str, str]) -> Any:
        requests.append(query)
        if "offset" in query:
            return page(query, None, users=100), {"Retry-After": "3600"}
        return page(query, "?limit=4&offset=1")

    async def main() -> None:
        async with new_client(url, max_response_bytes=1000) as client:
            iterator = client.users.pages(limit=4)
            assert len(await iterator.__anext__()) == 1
            with pytest.raises(argyle.ResponseTooLargeError) as caught:
                await iterator.__anext__()
            assert caught.value.retry_after == 3600

    url = serve(pages)
    asyncio.run(main())
    assert len(requests) == 2


def test_last_page_ends_the_iterator(serve: Callable[[Pages], str]) -> None:
    """An iterator whose last page was returned needs its client no longer."""

    async def main() -> None:
        client = new_client(serve(lambda query: page(query, None)))
        iterator = client.users.pages()
        assert len(await iterator.__anext__()) == 1
        await client.aclose()
        for _ in range(2):
            with pytest.raises(StopAsyncIteration):
                await iterator.__anext__()

    asyncio.run(main())


def test_error_does_not_keep_its_call(serve: Callable[[Pages], str]) -> None:
    """A kept exception, whose traceback refers to the call, does not keep the C call with its body."""
    failures = []

    async def main() -> None:
        async with new_client(serve(lambda query: {"results": 1})) as client:
            iterator = client.users.pages()
            for _ in range(3):
                try:
                    await iterator.__anext__()
                except argyle.ProtocolError as failure:
                    failures.append(failure)
        assert len(failures) == 3
        calls = [value for value in gc.get_objects() if isinstance(value, _abi.QueuedCall)]
        assert calls and not [call for call in calls if call.finished is not None]

    asyncio.run(main())


def test_links_go_nowhere_else(serve: Callable[[Pages], str]) -> None:
    """Only the query of a link is used."""
    asked = []

    def pages(query: dict[str, str]) -> Any:
        asked.append(query)
        return page(query, None if "offset" in query else "http://192.0.2.1/v9?offset=3&limit=4&other=5#x")

    async def main() -> list[str]:
        async with new_client(serve(pages)) as client:
            return [user.id async for user in client.users]

    assert asyncio.run(main()) == ["user-None-0", "user-3-0"]
    assert asked == [{"limit": "200"}, {"offset": "3", "limit": "4", "other": "5"}]


@pytest.mark.parametrize("again", [b"next", rb"n\u0065xt"])
def test_of_two_links_the_last_is_followed(serve: Callable[[Pages], str], again: bytes) -> None:
    """The same as with the blocking client."""

    def pages(query: dict[str, str]) -> Any:
        if query.get("offset") == "2":
            return page(query, None)
        return b'{"next": "?offset=1", "results": [{"id": "first"}], "%s": "?offset=2"}' % again

    async def main() -> list[str]:
        async with new_client(url) as client:
            return [user.id async for user in client.users]

    url = serve(pages)
    assert asyncio.run(main()) == ["first", "user-2-0"]
    with argyle.Client(KEY_ID, KEY_SECRET, base_url=url) as client:
        assert [user.id for user in client.users] == ["first", "user-2-0"]


# ---------------------------------------------------------------- Log


@pytest.mark.parametrize("is_shared", [False, True])
def test_closing_inside_a_log_handler(sandbox_url: str, faults: Faults, run_async: RunAsync, is_shared: bool) -> None:
    """A client closed by a log handler cancels its calls once the queue is no longer being driven."""
    # One is answered and logged. The others are in flight then, however slow the machine is.
    faults.add("delay", milliseconds=FOREVER_MS, count=19)
    is_closing = False

    class Closing(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            nonlocal is_closing
            if not is_closing:
                is_closing = True
                with pytest.raises(StopIteration):
                    client.aclose().send(None)

    client = new_client(sandbox_url)

    async def main() -> None:
        other = client.with_options(max_retries=0) if is_shared else None
        failures: "list[argyle.Error]" = []

        async def use() -> None:
            try:
                await client.users.list()
            except argyle.Error as failure:
                failures.append(failure)

        async with anyio.create_task_group() as group:
            for _ in range(20):
                group.start_soon(use)
        assert len(failures) >= 19 and {type(failure) for failure in failures} == {argyle.CancelledError}
        if other is not None:
            await other.users.list()
            await other.aclose()

    logger = logging.getLogger("argyle")
    handler = Closing()
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    try:
        run_async(main)
    finally:
        logger.removeHandler(handler)
        logger.setLevel(logging.NOTSET)


def test_log_within_the_loop(sandbox_url: str, caplog: pytest.LogCaptureFixture) -> None:
    """Records logged while the queue is driven do not contain the secret."""

    async def main() -> None:
        async with new_client(sandbox_url) as client:
            with pytest.raises(argyle.NotFoundError):
                await client.users.get("none")

    with caplog.at_level("DEBUG", "argyle"):
        asyncio.run(main())
    records = [record for record in caplog.records if record.name == "argyle"]
    assert any(record.levelname == "WARNING" for record in records)
    assert KEY_SECRET not in caplog.text

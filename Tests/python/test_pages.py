"""Iteration over pages that are too large for the client."""

from __future__ import annotations

import asyncio

import pytest

import argyle
from conftest import KEY_ID, KEY_SECRET, Sandbox


@pytest.fixture
def large(sandbox: Sandbox, client: argyle.Client) -> "list[str]":
    """Create users so large that three fit into a limit of 10,000 bytes, and return their ids."""
    calls = [argyle.calls.create_user(external_metadata="x" * 3000) for _ in range(23)]
    assert all(result.error is None for result in client.bulk(calls))
    return [user.id for user in client.users]


def test_pages_become_smaller(client: argyle.Client, large: "list[str]") -> None:
    """If a page is too large, iteration requests smaller ones, and yields each user once."""
    small = client.with_options(max_response_bytes=10_000)
    assert [user.id for user in small.users] == large
    assert [user.id for page in small.users.pages(limit=7) for user in page] == large
    assert [user.id for user in small.users.iterate(offset=5)] == large[5:]
    with pytest.raises(argyle.ResponseTooLargeError):
        small.users.list(limit=23)
    with pytest.raises(argyle.ResponseTooLargeError):
        next(client.with_options(max_response_bytes=1000).users.pages())


def test_asynchronous_pages_become_smaller(sandbox: Sandbox, large: "list[str]") -> None:
    """The same in an event loop, where a later page is too large."""

    async def main() -> None:
        async with argyle.AsyncClient(KEY_ID, KEY_SECRET, base_url=sandbox.url, max_retries=0) as client:
            small = client.with_options(max_response_bytes=10_000)
            assert [user.id async for user in small.users] == large
            assert [user.id async for page in small.users.pages(limit=7) for user in page] == large
            first, *_ = [await client.users.create() for _ in range(3)][::-1]
            pages = small.users.pages(limit=3)
            assert (await pages.__anext__()).results[0].id == first.id
            assert [user.id async for page in pages for user in page][-len(large) :] == large
            with pytest.raises(argyle.ResponseTooLargeError):
                await client.with_options(max_response_bytes=1000).users.pages(offset=3).__anext__()

    asyncio.run(main())

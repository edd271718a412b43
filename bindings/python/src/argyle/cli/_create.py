"""Concurrent creation of users."""

from __future__ import annotations

import contextlib
from typing import Generator, Iterable, Optional, Union

from .. import calls, errors
from ..bulk import Source, run_calls
from ..client import Client
from ..models import NewUser
from ._records import Record


def create_all(
    client: Client, records: "Iterable[Optional[Record]]", in_flight: int, source: Source
) -> "Generator[tuple[Record, Union[NewUser, errors.Error]], None, None]":
    """Create a user for each record, ``in_flight`` at a time, and yield each record's result.

    A record is read right before its user is created; None is skipped. Calls in flight do not wait for records that
    ``source`` says are not ready. Closing the generator cancels the calls in flight, whose results are lost.
    """
    invalid: "list[tuple[Record, errors.Error]]" = []

    def creations() -> "Generator[Optional[calls.Call[NewUser]], None, None]":
        for record in records:
            if record is None:
                yield None
                continue
            try:
                yield calls.create_user(fields=record.fields, context=record)
            except errors.ArgumentError as error:
                invalid.append((record, error))

    with contextlib.closing(run_calls(client._core.require_owner(), creations(), in_flight, None, source)) as results:
        for result in results:
            yield from invalid
            invalid.clear()
            yield result.call.context, result.value or result.error or errors.InternalError("the call has no result")
        yield from invalid

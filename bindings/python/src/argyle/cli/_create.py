"""Many users created at once."""

from __future__ import annotations

import contextlib
from typing import Generator, Iterable, Optional, Union

from .. import calls, errors
from ..bulk import Source, make
from ..client import Client
from ..models import NewUser
from ._records import Record


def create_all(
    client: Client, records: "Iterable[Optional[Record]]", in_flight: int, source: Source
) -> "Generator[tuple[Record, Union[NewUser, errors.Error]], None, None]":
    """Create a user for each record, so many at a time, and give what becomes of each as it becomes known.

    A record is taken from the iterable right before its user is created; None is passed over. What is in flight does
    not wait for records that are not there yet, as a source tells. To close the iterator cancels what is under way, of
    which nothing more is told.
    """
    refused: "list[tuple[Record, errors.Error]]" = []

    def wanted() -> "Generator[Optional[calls.Call[NewUser]], None, None]":
        for record in records:
            if record is None:
                yield None
                continue
            try:
                yield calls.create_user(external_metadata=record.metadata, context=record)
            except errors.ArgumentError as error:
                refused.append((record, error))

    with contextlib.closing(make(client._core.open(), wanted(), in_flight, None, source)) as results:
        for result in results:
            yield from refused
            refused.clear()
            yield result.call.context, result.value or result.error or errors.InternalError("there is no result")
        yield from refused

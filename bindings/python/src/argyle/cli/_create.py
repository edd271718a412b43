"""Many users created at once."""

from __future__ import annotations

from typing import Any, Generator, Iterable, Iterator, Union

from .. import _abi, _operations, errors
from ..client import Client
from ..models import NewUser, document
from ._records import Record


def create_all(
    client: Client, records: Iterable[Record], in_flight: int
) -> "Generator[tuple[Record, Union[NewUser, errors.Error]], None, None]":
    """Create a user for each record, so many at a time, and give what becomes of each as it becomes known.

    A record is taken from the iterable right before its user is created. To close the iterator cancels what is under
    way, of which nothing more is told.
    """
    queue = _abi.QueueOwner.new(in_flight)
    owner = client._open()
    try:
        for record in records:
            try:
                operation = _operations.create_user(record.metadata)
                queue.submit(owner, operation.number, None, operation.document, record)
            except errors.ArgumentError as error:
                yield record, error
            while queue.count >= in_flight:
                queue.wait(100)
                yield from _over(queue)
        while queue.count:
            queue.wait(100)
            yield from _over(queue)
    finally:
        queue.cancel_all()


def _over(queue: _abi.QueueOwner) -> "Iterator[tuple[Any, Union[NewUser, errors.Error]]]":
    while True:
        call = queue.next()
        if call is None:
            return
        if call.error is not None or call.body is None:
            yield call.context, call.error or errors.ProtocolError("the answer has no body")
            continue
        try:
            yield call.context, NewUser(document(call.body))
        except errors.ProtocolError as error:
            # The service has created a user whose id is not known.
            error.outcome_unknown = True
            yield call.context, error

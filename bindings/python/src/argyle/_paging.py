"""Paging for the asynchronous client.

The C library's cursor blocks, so this repeats its rules without I/O: pages go in, the next query comes out.
"""

from __future__ import annotations

from typing import Any, Mapping, Optional
from urllib.parse import parse_qs, urlsplit

from . import errors
from .models import UserPage

#: The service's maximum page size.
_DEFAULT_LIMIT = 200
#: The service's page size for a query without a limit.
_SERVICE_LIMIT = 10
#: Maximum number of consecutive empty pages that link to a next one.
_MAX_EMPTY_PAGES = 100


class Paging:
    """The position in a list of pages, without I/O."""

    def __init__(self, query: Mapping[str, Any]) -> None:
        """Start with the page that a query requests."""
        #: The query for the next page; None at the end.
        self.query: "Optional[dict[str, Any]]" = {"limit": _DEFAULT_LIMIT, **query}
        #: Why there is no next page, if that is an error; permanent.
        self.failure: Optional[str] = None
        self._requested = {_key(self.query)}
        self._empty_pages = 0
        self._last_first_id: Optional[str] = None

    def halve_limit(self, failure: errors.Error) -> bool:
        """Halve the page size after a page that was too large; returns False if that is not the error or the size is 1.

        An error without a status is about the headers, whose size does not depend on the users.
        """
        if not isinstance(failure, errors.ResponseTooLargeError) or failure.status is None:
            return False
        query = self.query or {}
        limit = min(query.get("limit", _SERVICE_LIMIT), _DEFAULT_LIMIT) // 2
        if limit < 1:
            return False
        self.query = {**query, "limit": limit}
        return True

    def advance(self, page: UserPage) -> None:
        """Advance past a page; after a ProtocolError, the same page may be requested again."""
        if isinstance(page.raw, list):
            self._follow_offset(page)
            return
        self._follow_link(page.raw.get("next"))
        self._empty_pages = 0 if page.results else self._empty_pages + 1
        if self._empty_pages >= _MAX_EMPTY_PAGES and self.query is not None:
            self._fail(f"the response is the {self._empty_pages}th consecutive page without users")

    def _follow_link(self, link: Any) -> None:
        """Follow the link to the next page, using only its query, so that the API key is sent to no other server."""
        if link is None:
            self.query = None
            return
        following = _query_of(link)
        if following:
            self._request(following)
        else:
            self._fail('"next" in the response is not a link with a query')

    def _follow_offset(self, page: UserPage) -> None:
        """Advance the offset past a page that is a bare array; an empty one is the end."""
        if not page.results:
            self.query = None
            return
        first_id = page.results[0].id
        if first_id == self._last_first_id:
            raise errors.ProtocolError("the response starts with the same user as the previous page")
        self._last_first_id = first_id
        query = self.query or {}
        self._request({**query, "offset": query.get("offset", 0) + len(page.results)})

    def _request(self, query: "dict[str, Any]") -> None:
        if _key(query) in self._requested:
            self._fail("the response leads back to an earlier page")
        else:
            self._requested.add(_key(query))
            self.query = query

    def _fail(self, reason: str) -> None:
        self.query = None
        self.failure = reason


def may_retry(failure: errors.Error, seconds: float) -> bool:
    """Whether a prefetched page that failed ``seconds`` ago may be requested again: not before ``Retry-After``."""
    return failure.retry_after is None or seconds >= failure.retry_after


def _key(query: Mapping[str, Any]) -> "tuple[Any, ...]":
    # A parameter that is left out has the service's default, and so differs from any value.
    return tuple(query.get(name) for name in ("limit", "offset", "ordering"))


def _query_of(link: Any) -> "dict[str, Any]":
    """Parse a link's query; empty if there is none or it is invalid."""
    if not isinstance(link, str):
        return {}
    try:
        parts = parse_qs(urlsplit(link).query, strict_parsing=True, errors="strict")
        query: "dict[str, Any]" = {name: int(parts[name][-1]) for name in ("limit", "offset") if name in parts}
    except ValueError:
        return {}
    if "ordering" in parts:
        query["ordering"] = parts["ordering"][-1]
    return query

"""How a list goes on from page to page.

The C library's walk over a list waits for its pages, which an event loop must not. So this is the same once more, in
its simplest form: pages go in, the next query comes out.
"""

from __future__ import annotations

from typing import Any, Mapping, Optional
from urllib.parse import parse_qs, urlsplit

from . import errors
from .models import UserPage

#: The most that the service gives.
_DEFAULT_LIMIT = 200
#: What the service gives where a query has no limit.
_SERVICE_LIMIT = 10
#: How many pages in a row may have no user and yet a link to the next: more than a service has reason for.
_MOST_EMPTY_PAGES = 100


class Paging:
    """A walk over the pages of a list, which knows no network."""

    def __init__(self, query: Mapping[str, Any]) -> None:
        """Begin with the page that a query asks for."""
        #: What to ask for next, or None at the end.
        self.query: "Optional[dict[str, Any]]" = {"limit": _DEFAULT_LIMIT, **query}
        #: Why it cannot go on, which stays.
        self.failure: Optional[str] = None
        self._asked = {_key(self.query)}
        self._empty_pages = 0
        self._last_first_id: Optional[str] = None

    def ask_for_fewer(self, failure: errors.Error) -> bool:
        """Ask for half as many users where a page failed because it was too large; False where it was to have one.

        Headers that are too large have nothing to do with the users: then no status is told.
        """
        if not isinstance(failure, errors.ResponseTooLargeError) or failure.status is None:
            return False
        query = self.query or {}
        limit = min(query.get("limit", _SERVICE_LIMIT), _DEFAULT_LIMIT) // 2
        if limit < 1:
            return False
        self.query = {**query, "limit": limit}
        return True

    def take(self, page: UserPage) -> None:
        """Take in a page; one that is refused may be asked for again."""
        if isinstance(page.raw, list):
            self._advance(page)
            return
        self._follow(page.raw.get("next"))
        self._empty_pages = 0 if page.results else self._empty_pages + 1
        if self._empty_pages >= _MOST_EMPTY_PAGES and self.query is not None:
            self._fail(f"the response is the {self._empty_pages}th consecutive page without users")

    def _follow(self, link: Any) -> None:
        """Follow the link to the next page: nothing but its query is used, so that the key goes nowhere else."""
        if link is None:
            self.query = None
            return
        following = _query_of(link)
        if following:
            self._ask(following)
        else:
            self._fail('"next" in the response is not a link with a query')

    def _advance(self, page: UserPage) -> None:
        """Where a bare array comes, let the offset grow by what was received until a page is empty."""
        if not page.results:
            self.query = None
            return
        first_id = page.results[0].id
        if first_id == self._last_first_id:
            raise errors.ProtocolError("the response starts with the same user as the previous page")
        self._last_first_id = first_id
        query = self.query or {}
        self._ask({**query, "offset": query.get("offset", 0) + len(page.results)})

    def _ask(self, query: "dict[str, Any]") -> None:
        if _key(query) in self._asked:
            self._fail("the response leads back to an earlier page")
        else:
            self._asked.add(_key(query))
            self.query = query

    def _fail(self, reason: str) -> None:
        self.query = None
        self.failure = reason


def may_ask_again(failure: errors.Error, seconds: float) -> bool:
    """Whether a page that failed ahead, so long ago, may be asked for again: not before the service allows it."""
    return failure.retry_after is None or seconds >= failure.retry_after


def _key(query: Mapping[str, Any]) -> "tuple[Any, ...]":
    # What a query leaves out is as the service has it, and so is not the same as what it says.
    return tuple(query.get(name) for name in ("limit", "offset", "ordering"))


def _query_of(link: Any) -> "dict[str, Any]":
    """Read the query of a link; empty where there is none that can be asked for."""
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

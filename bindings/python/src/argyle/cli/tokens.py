"""``argyle tokens``: user tokens."""

from __future__ import annotations

import re
import sys
from datetime import datetime, timedelta, timezone
from typing import Any, Optional

import click

from .. import errors
from .._json import loads
from ..models import UserToken
from ._context import client, json_option, standard_input
from ._failures import described, exit_code
from ._output import console, is_for_people, json_text, note, safe, write_json, write_text
from ._texts import decoded

# As it stands in a request.
_prefix = re.compile(r"(authorization:\s*)?bearer\s+", re.IGNORECASE)


@click.group()
def tokens() -> None:
    """User tokens, to start Argyle Link with."""


@tokens.command()
@click.argument("user_id", metavar="ID")
@click.option("--plain", is_flag=True, help="The access token alone, in a pipe too.")
@json_option
@click.pass_context
def create(context: click.Context, user_id: str, plain: bool, as_json: bool) -> None:
    """Create a token for a user and print it.

    It is a credential: with it, Argyle Link acts for the user.
    """
    with client() as service:
        try:
            token = service.user_tokens.create(user_id)
        except errors.InvalidRequestError as error:
            # Nothing but the user was sent: an answer about it alone says that there is none.
            if error.status != 400 or not isinstance(error.body, dict) or list(error.body) != ["user"]:
                raise
            note(described(error))
            context.exit(exit_code(errors.NotFoundError()))
    if plain or is_for_people(as_json):
        write_text(token.access)
    else:
        write_json({"access": token.access, "refresh": token.refresh, "expires_at": _iso(_expiry(token))})


@tokens.command()
@json_option
def inspect(as_json: bool) -> None:
    """Show the claims of a token that is read from standard input.

    Takes the token alone or after "Bearer", or the JSON of `tokens create` or of the API's own answers. Nothing is
    sent, and the signature is not verified: only Argyle can.
    """
    token = UserToken({"access": _read()})
    claims = token.claims
    expires_at = token.expires_at
    now = datetime.now(timezone.utc)
    has_expired = expires_at is not None and expires_at <= now
    if not is_for_people(as_json):
        write_json({"claims": claims, "expires_at": _iso(expires_at), "expired": has_expired})
        return

    from rich.table import Table

    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in claims.items():
        moment = _moment(value) if name in ("exp", "iat", "nbf") else None
        told = safe(value) if isinstance(value, str) else json_text(value)
        table.add_row(safe(name), told if moment is None else f"{told}  {moment}")
    screen = console()
    screen.print(table)
    if expires_at is not None:
        if has_expired:
            screen.print("expired", style="red")
        else:
            screen.print(f"expires in {_duration(expires_at - now)}", style="green")
    note("the signature was not verified")


def _read() -> str:
    """Read a token, without showing what is typed."""
    if sys.stdin.isatty():
        data = click.prompt("Token", hide_input=True, err=True).encode("utf-8", "surrogateescape")
    else:
        data = standard_input().read()
    try:
        text = decoded(data).decode("utf-8", "replace").strip()
    except ValueError:
        raise click.UsageError("what is on standard input is no text") from None
    if len(text) > 1 and text[0] == text[-1] == "'":
        # Of a shell's command.
        text = text[1:-1].strip()
    if text.startswith(("{", "[", '"')):
        text = _of_json(text)
    text = _prefix.sub("", text)
    if not text:
        raise click.UsageError("there is no token on standard input")
    return text


def _of_json(text: str) -> str:
    """Take a token from JSON: itself, or the answer to the creation of a token or a user."""
    found: Any
    try:
        found = loads(text)
    except ValueError:
        found = None
    if isinstance(found, list) and len(found) == 1:
        found = found[0]
    if isinstance(found, dict):
        found = found.get("access", found.get("token"))
    if not isinstance(found, str):
        raise click.UsageError('the JSON on standard input has no text "access" or "token"')
    return found.strip()


def _expiry(token: UserToken) -> Optional[datetime]:
    """Give when a token expires; the service may change what tokens are."""
    try:
        return token.expires_at
    except ValueError:
        return None


def _duration(left: timedelta) -> str:
    """Write a duration for people, rounded down."""
    seconds = int(left.total_seconds())
    unit, size = next(
        (unit, size)
        for unit, size in (("day", 86400), ("hour", 3600), ("minute", 60), ("second", 1))
        if seconds >= size or size == 1
    )
    count = seconds // size
    return f"{count} {unit}" + ("" if count == 1 else "s")


def _moment(value: Any) -> Optional[str]:
    """Write a time of a token for people; None where it is none."""
    if not isinstance(value, (int, float)):
        return None
    try:
        return f"{datetime.fromtimestamp(value, timezone.utc):%Y-%m-%d %H:%M:%S} UTC"
    except (ValueError, OverflowError, OSError):
        return None


def _iso(moment: Optional[datetime]) -> Optional[str]:
    return None if moment is None else moment.isoformat().replace("+00:00", "Z")

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
from ._context import api_version_option, client, json_option, standard_input
from ._failures import describe, exit_code
from ._output import console, is_human_readable, json_text, print_message, safe, write_json, write_text
from ._texts import to_utf8

# As in an HTTP request.
_prefix = re.compile(r"(authorization:\s*)?bearer\s+", re.IGNORECASE)


@click.group()
def tokens() -> None:
    """Create and inspect user tokens, which start Argyle Link."""


@tokens.command()
@click.argument("user_id", metavar="ID")
@click.option("--plain", is_flag=True, help="Print only the access token, even in a pipe.")
@api_version_option
@json_option
@click.pass_context
def create(context: click.Context, user_id: str, plain: bool, as_json: bool) -> None:
    """Create a user token and print it.

    The token is a credential: with it, Argyle Link acts for the user.
    """
    with client() as service:
        try:
            token = service.user_tokens.create(user_id)
        except errors.InvalidRequestError as error:
            # The request contains only the user: an error about that field alone means that there is no such user.
            if error.status != 400 or not isinstance(error.body, dict) or list(error.body) != ["user"]:
                raise
            print_message(describe(error))
            context.exit(exit_code(errors.NotFoundError()))
    if plain or is_human_readable(as_json):
        write_text(token.access)
    else:
        write_json({"access": token.access, "refresh": token.refresh, "expires_at": _format_iso(_expiry(token))})


@tokens.command()
@json_option
def inspect(as_json: bool) -> None:
    """Show the claims of a token read from standard input.

    Accepts the token alone or after "Bearer", or the JSON printed by `tokens create` or returned by the API. Nothing
    is sent, and the signature is not verified: only Argyle can verify it.
    """
    token = UserToken({"access": _read_token()})
    claims = token.claims
    expires_at = token.expires_at
    now = datetime.now(timezone.utc)
    has_expired = expires_at is not None and expires_at <= now
    if not is_human_readable(as_json):
        write_json({"claims": claims, "expires_at": _format_iso(expires_at), "expired": has_expired})
        return

    from rich.table import Table

    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in claims.items():
        moment = _format_time(value) if name in ("exp", "iat", "nbf") else None
        text = safe(value) if isinstance(value, str) else json_text(value)
        table.add_row(safe(name), text if moment is None else f"{text}  {moment}")
    screen = console()
    screen.print(table)
    if expires_at is not None:
        if has_expired:
            screen.print("expired", style="red")
        else:
            screen.print(f"expires in {_format_duration(expires_at - now)}", style="green")
    print_message("the signature was not verified")


def _read_token() -> str:
    """Read a token from standard input, without echo on a terminal."""
    if sys.stdin.isatty():
        data = click.prompt("Token", hide_input=True, err=True).encode("utf-8", "surrogateescape")
    else:
        data = standard_input().read()
    try:
        text = to_utf8(data).decode("utf-8", "replace").strip()
    except ValueError:
        raise click.UsageError("standard input is not text") from None
    if len(text) > 1 and text[0] == text[-1] == "'":
        # Quoted as in a shell command.
        text = text[1:-1].strip()
    if text.startswith(("{", "[", '"')):
        text = _token_from_json(text)
    text = _prefix.sub("", text)
    if not text:
        raise click.UsageError("there is no token on standard input")
    return text


def _token_from_json(text: str) -> str:
    """Extract a token from JSON: a string, or the response to creating a token or a user."""
    found: Any
    try:
        found = loads(text)
    except ValueError:
        found = None
    if isinstance(found, list) and len(found) == 1:
        found = found[0]
    if isinstance(found, dict):
        found = next((found[name] for name in ("access", "token", "user_token") if name in found), None)
    if not isinstance(found, str):
        raise click.UsageError('the JSON on standard input has no text "access", "token" or "user_token"')
    return found.strip()


def _expiry(token: UserToken) -> Optional[datetime]:
    """Return when a token expires; None if that is unknown, because the service may change the format of tokens."""
    try:
        return token.expires_at
    except ValueError:
        return None


def _format_duration(left: timedelta) -> str:
    """Format a duration, rounded down to its largest unit."""
    seconds = int(left.total_seconds())
    unit, size = next(
        (unit, size)
        for unit, size in (("day", 86400), ("hour", 3600), ("minute", 60), ("second", 1))
        if seconds >= size or size == 1
    )
    count = seconds // size
    return f"{count} {unit}" + ("" if count == 1 else "s")


def _format_time(value: Any) -> Optional[str]:
    """Format a time claim; None if it is not a valid time."""
    if not isinstance(value, (int, float)):
        return None
    try:
        return f"{datetime.fromtimestamp(value, timezone.utc):%Y-%m-%d %H:%M:%S} UTC"
    except (ValueError, OverflowError, OSError):
        return None


def _format_iso(moment: Optional[datetime]) -> Optional[str]:
    return None if moment is None else moment.isoformat().replace("+00:00", "Z")

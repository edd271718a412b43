"""``argyle users``: operations on users."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, Callable, Iterable, Iterator, Optional

import click

from .. import errors
from .._fields import Address
from .._options import Ordering
from ..models import User, UserPage
from ._context import (
    DOCUMENT,
    MAX_PAGE_SIZE,
    UNSET,
    api_version,
    api_version_option,
    client,
    document,
    json_option,
    page_size_option,
    require_api_version,
)
from ._failures import describe, exit_code
from ._formats import fields_option, selection
from ._output import console, flush, is_human_readable, json_text, print_message, safe, write_json, write_text
from ._texts import parse_date
from .users_export import export_users
from .users_import import import_users

if TYPE_CHECKING:
    from rich.console import Console

    from ..client import Client


class _Command(click.Command):
    """A command whose message about extra arguments does not quote them: they may be part of a name or an address."""

    def parse_args(self, ctx: click.Context, args: "list[str]") -> "list[str]":
        """Parse the arguments."""
        ctx.allow_extra_args = True
        rest = super().parse_args(ctx, args)
        if rest and not ctx.resilient_parsing:
            ctx.fail(
                f"got {len(rest)} unexpected extra argument{'s' * (len(rest) > 1)}: quote values that contain blanks"
            )
        return rest


@click.group()
def users() -> None:
    """Manage users: list, get, create, update, delete, export, import."""


users.command_class = _Command
users.add_command(export_users)
users.add_command(import_users)


@users.command("list")
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Stop after N users; default: all.")
@click.option(
    "--ordering", type=click.Choice(["created_at", "-created_at"]), help="Oldest first, or newest first (default)."
)
@click.option("--external-id", metavar="TEXT", help="Only users with this external id.")
@fields_option
@page_size_option
@api_version_option
@json_option
def list_users(
    limit: Optional[int],
    ordering: Optional[Ordering],
    external_id: Optional[str],
    fields: Optional[str],
    page_size: Optional[int],
    as_json: bool,
) -> None:
    """List users, page by page as they arrive.

    API version 1 has --ordering, version 2 has --external-id.
    """
    require_api_version(1, ordering=ordering)
    require_api_version(2, external_id=external_id)
    selected = selection(fields, api_version())
    human_readable = is_human_readable(as_json)
    screen = console() if human_readable else None
    columns = selected.columns if fields is not None else _default_columns(screen)
    # The few default columns of version 1 are always a table.
    is_table = screen is not None and ((fields is None and api_version() == 1) or _fits(columns, screen.width))
    shown = 0
    count = None
    with client() as service:
        for page in _pages(service, limit, ordering, external_id, page_size):
            count = page.count
            if screen is not None and is_table:
                _print_table(screen, page.results, columns, with_header=shown == 0)
            elif screen is not None:
                _print_users(screen, page.results, columns, is_first=shown == 0)
            else:
                for user in page:
                    write_json(selected.document(user))
                flush()
            shown += len(page)
    if screen is not None:
        print_message(f"{shown:,} of {count:,} users" if count is not None else f"{shown:,} users")


def _pages(
    service: Client,
    limit: Optional[int],
    ordering: Optional[Ordering],
    external_id: Optional[str],
    page_size: Optional[int],
) -> Iterator[UserPage]:
    """Iterate over pages up to a number of users."""
    left = limit
    size = page_size if limit is None else min(limit, page_size or MAX_PAGE_SIZE)
    for page in service.users.pages(limit=size, ordering=ordering, external_id=external_id):
        if left is not None:
            page = UserPage(page.results[:left], page.count)
            left -= len(page)
        yield page
        if left == 0:
            return


_HEADINGS = {"created_at": "CREATED (UTC)", "employers_connected": "EMPLOYERS", "external_metadata": "METADATA"}
_WIDTHS = {"id": 36, "created_at": 19}
# The least width of other columns, and the space between columns.
_MIN_WIDTH, _GAP = 12, 2


def _heading(name: str) -> str:
    return _HEADINGS.get(name, name.replace("_", " ").upper())


def _fits(columns: "tuple[str, ...]", width: int) -> bool:
    """Whether the columns have enough room in a table."""
    widths = [_WIDTHS.get(name) or max(_MIN_WIDTH, len(_heading(name))) for name in columns]
    return sum(widths) + _GAP * (len(widths) - 1) <= width


def _default_columns(screen: Optional[Console]) -> "tuple[str, ...]":
    """Return the columns of a table for which none were chosen: as many as fit."""
    if screen is None or screen.width < 100:
        return "id", "created_at", "external_metadata"
    third = "employers_connected" if api_version() == 1 else "external_id"
    return "id", "created_at", third, "external_metadata"


def _print_table(screen: Console, page: Iterable[User], columns: "tuple[str, ...]", with_header: bool) -> None:
    """Print a page; column widths depend only on the terminal, so that the columns of all pages align."""
    from rich.table import Table

    table = Table(box=None, show_header=with_header, expand=True, pad_edge=False, header_style="bold")
    for name in columns:
        width = _WIDTHS.get(name)
        ratio = None if width else 2 if name == "external_metadata" else 1
        # With version 2, a long id is wrapped rather than cut.
        is_cut = name != "id" or api_version() == 1
        table.add_column(
            _heading(name),
            no_wrap=is_cut,
            overflow="ellipsis" if is_cut else "fold",
            width=width,
            ratio=ratio,
            style="cyan" if name == "id" else None,
        )
    for user in page:
        table.add_row(*(_list_cell(user, name) for name in columns))
    screen.print(table)


def _print_users(screen: Console, page: Iterable[User], columns: "tuple[str, ...]", is_first: bool) -> None:
    """Print a page with a line for each field, and an empty line between users."""
    for user in page:
        if not is_first:
            screen.print()
        is_first = False
        _print_fields(screen, {name: _list_cell(user, name) for name in columns})


def _print_fields(screen: Console, fields: "dict[str, str]") -> None:
    """Print a line for each field; long values are wrapped."""
    from rich.table import Table

    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in fields.items():
        table.add_row(safe(name), value)
    screen.print(table)


def _list_cell(user: User, name: str) -> str:
    """Return the text of a cell, on one line."""
    value = getattr(user, name)
    if name == "external_metadata":
        return json_text(value)
    if value is None:
        return ""
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S}"
    if isinstance(value, Address):
        value = [part for part in asdict(value).values() if part]
    return safe(", ".join(value) if isinstance(value, list) else str(value))


@users.command()
@click.argument("user_id", metavar="ID")
@fields_option
@api_version_option
@json_option
def get(user_id: str, fields: Optional[str], as_json: bool) -> None:
    """Show a user, with personal data only if --fields names it or is "all"."""
    selected = selection(fields, api_version())
    with client() as service:
        _show(selected.document(service.users.get(user_id)), as_json)


def _object(context: click.Context, parameter: click.Parameter, value: Optional[str]) -> "dict[str, Any]":
    """Parse an option that is a JSON object; an empty one if absent."""
    found = document(context, parameter, value)
    if found is UNSET:
        return {}
    if not isinstance(found, dict):
        raise click.BadParameter("this is not a JSON object", context, parameter)
    return found


def _date(context: click.Context, parameter: click.Parameter, value: Optional[str]) -> Optional[date]:
    """Parse an option that is a date; the message does not quote it, because it is personal data."""
    found = None if value is None else parse_date(value)
    if value is not None and found is None:
        raise click.BadParameter("must be YYYY-MM-DD", context, parameter)
    return found


_FIELD_OPTIONS = (
    click.option("--metadata", metavar=DOCUMENT, callback=document, help="The user's metadata, any JSON."),
    click.option("--external-id", metavar="TEXT", help="Your own id for the user."),
    click.option("--first-name", metavar="TEXT"),
    click.option("--last-name", metavar="TEXT"),
    click.option("--email", metavar="TEXT"),
    click.option("--phone-number", metavar="TEXT"),
    click.option("--birth-date", metavar="YYYY-MM-DD", callback=_date),
    click.option("--fields", metavar=DOCUMENT, callback=_object, help="Any fields, as a JSON object."),
)


def _field_options(command: "Callable[..., Any]") -> "Callable[..., Any]":
    for option in reversed(_FIELD_OPTIONS):
        command = option(command)
    return command


def _fields(fields: "dict[str, Any]", metadata: Any, options: "dict[str, Any]") -> "dict[str, Any]":
    """Return the given fields; options for single fields take precedence over --fields."""
    require_api_version(2, **options)
    fields = {**fields, **{name: value for name, value in options.items() if value is not None}}
    return fields if metadata is UNSET else {**fields, "external_metadata": metadata}


@users.command()
@_field_options
@api_version_option
@json_option
def create(fields: "dict[str, Any]", metadata: Any, as_json: bool, **options: Any) -> None:
    """Create a user and print the id.

    API version 1 has --metadata only. Every process can read arguments: pass an SSN, an address and anything else that
    must stay private with --fields @FILE or --fields -.

    The token in the service's response is not printed: use `argyle tokens create ID`.
    """
    with client() as service:
        created = service.users.create(fields=_fields(fields, metadata, options))
    if is_human_readable(as_json):
        write_text(created.id)
    else:
        write_json({"id": created.id})


@users.command()
@click.argument("user_id", metavar="ID")
@_field_options
@api_version_option
@json_option
@click.pass_context
def update(
    context: click.Context, /, user_id: str, fields: "dict[str, Any]", metadata: Any, as_json: bool, **options: Any
) -> None:
    """Replace fields of a user and show the user without personal data.

    The options are those of `argyle users create`. In --fields, null clears a field.
    """
    given = _fields(fields, metadata, options)
    if not given and api_version() == 1:
        (parameter,) = (each for each in context.command.params if each.name == "metadata")
        raise click.MissingParameter(ctx=context, param=parameter)
    if not given:
        raise click.UsageError("there is nothing to update: pass --metadata, --fields or another field")
    with client() as service:
        _show(selection(None, api_version()).document(service.users.update(user_id, fields=given)), as_json)


@users.command()
@click.argument("user_ids", metavar="ID...", nargs=-1, required=True)
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@api_version_option
@json_option
@click.pass_context
def delete(context: click.Context, user_ids: "tuple[str, ...]", yes: bool, as_json: bool) -> None:
    """Delete users and all their data, after confirmation."""
    with client() as service:
        if not yes:
            _confirm(user_ids)
        failures = []
        for user_id in user_ids:
            try:
                service.users.delete(user_id)
            except errors.Error as error:
                failures.append(error)
                print_message(f"{user_id}: {describe(error)}")
                if exit_code(error) == 5:
                    # All others would fail too.
                    context.exit(5)
                continue
            if is_human_readable(as_json):
                write_text(f"deleted {user_id}")
            else:
                write_json({"id": user_id, "deleted": True})
            flush()
    if failures:
        codes = {exit_code(error) for error in failures}
        context.exit(codes.pop() if len(failures) == len(user_ids) and len(codes) == 1 else 3)


def _confirm(user_ids: "tuple[str, ...]") -> None:
    if not sys.stdin.isatty():
        raise click.UsageError("--yes is required when standard input is not a terminal")
    what = f"user {user_ids[0]}" if len(user_ids) == 1 else f"{len(user_ids)} users"
    if not click.confirm(f"Permanently delete {safe(what)}?", err=True):
        raise click.ClickException("nothing was deleted")


def _show(user: "dict[str, Any]", as_json: bool) -> None:
    """Show these fields of a user."""
    if is_human_readable(as_json):
        _print_fields(console(), {name: _cell(value) for name, value in user.items()})
    else:
        write_json(user)


def _cell(value: Any) -> str:
    if isinstance(value, str):
        return safe(value)
    if isinstance(value, list) and value and all(isinstance(item, str) for item in value):
        return safe(", ".join(value))
    if isinstance(value, (dict, list)) and value:
        # Escape line by line, to keep the line breaks.
        return "\n".join(safe(line) for line in json.dumps(value, ensure_ascii=False, indent=2).split("\n"))
    return json_text(value)

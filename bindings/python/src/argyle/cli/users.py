"""``argyle users``: operations on users."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any, Iterable, Iterator, Optional

import click

from .. import errors
from .._options import Ordering
from ..models import User, UserPage
from ._context import DOCUMENT, MAX_PAGE_SIZE, UNSET, client, document, json_option, page_size_option
from ._failures import describe, exit_code
from ._output import console, flush, is_human_readable, json_text, print_message, safe, write_json, write_text
from .users_export import export_users
from .users_import import import_users

if TYPE_CHECKING:
    from rich.console import Console

    from ..client import Client


@click.group()
def users() -> None:
    """Manage users: list, get, create, update, delete, export, import."""


users.add_command(export_users)
users.add_command(import_users)


@users.command("list")
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Stop after N users; default: all.")
@click.option(
    "--ordering", type=click.Choice(["created_at", "-created_at"]), help="Oldest first, or newest first (default)."
)
@page_size_option
@json_option
def list_users(limit: Optional[int], ordering: Optional[Ordering], page_size: Optional[int], as_json: bool) -> None:
    """List users, page by page as they arrive."""
    human_readable = is_human_readable(as_json)
    screen = console() if human_readable else None
    shown = 0
    count = None
    with client() as service:
        for page in _pages(service, limit, ordering, page_size):
            count = page.count
            if screen is not None:
                _print_table(screen, page.results, with_header=shown == 0)
            else:
                for user in page:
                    write_json(user.raw)
                flush()
            shown += len(page)
    if screen is not None:
        print_message(f"{shown:,} of {count:,} users" if count is not None else f"{shown:,} users")


def _pages(
    service: Client, limit: Optional[int], ordering: Optional[Ordering], page_size: Optional[int]
) -> Iterator[UserPage]:
    """Iterate over pages up to a number of users."""
    left = limit
    size = page_size if limit is None else min(limit, page_size or MAX_PAGE_SIZE)
    for page in service.users.pages(limit=size, ordering=ordering):
        if left is not None:
            page = UserPage(page.results[:left], page.count)
            left -= len(page)
        yield page
        if left == 0:
            return


def _print_table(screen: Console, page: Iterable[User], with_header: bool) -> None:
    """Print a page; column widths depend only on the terminal, so that the columns of all pages align."""
    from rich.table import Table

    table = Table(box=None, show_header=with_header, expand=True, pad_edge=False, header_style="bold")
    table.add_column("ID", no_wrap=True, width=36, style="cyan")
    table.add_column("CREATED (UTC)", no_wrap=True, width=19)
    is_wide = screen.width >= 100
    if is_wide:
        table.add_column("EMPLOYERS", no_wrap=True, ratio=1)
    table.add_column("METADATA", no_wrap=True, ratio=2)
    for user in page:
        created = user.created_at
        cells = [safe(user.id), f"{created:%Y-%m-%d %H:%M:%S}" if created else ""]
        if is_wide:
            cells.append(safe(", ".join(user.employers_connected or [])))
        cells.append(json_text(user.external_metadata))
        table.add_row(*cells)
    screen.print(table)


@users.command()
@click.argument("user_id", metavar="ID")
@json_option
def get(user_id: str, as_json: bool) -> None:
    """Show a user."""
    with client() as service:
        _show(service.users.get(user_id), as_json)


@users.command()
@click.option("--metadata", metavar=DOCUMENT, callback=document, help="The user's metadata, any JSON.")
@json_option
def create(metadata: Any, as_json: bool) -> None:
    """Create a user and print the id.

    The token in the service's response is not printed: use `argyle tokens create ID`.
    """
    with client() as service:
        created = service.users.create(fields={} if metadata is UNSET else {"external_metadata": metadata})
    if is_human_readable(as_json):
        write_text(created.id)
    else:
        write_json({"id": created.id})


@users.command()
@click.argument("user_id", metavar="ID")
@click.option(
    "--metadata",
    metavar=DOCUMENT,
    callback=document,
    required=True,
    help="The new metadata, any JSON.",
)
@json_option
def update(user_id: str, metadata: Any, as_json: bool) -> None:
    """Replace a user's metadata and show the user."""
    with client() as service:
        _show(service.users.update(user_id, external_metadata=metadata), as_json)


@users.command()
@click.argument("user_ids", metavar="ID...", nargs=-1, required=True)
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
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


def _show(user: User, as_json: bool) -> None:
    """Show a user with all fields."""
    if not is_human_readable(as_json):
        write_json(user.raw)
        return
    from rich.table import Table

    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in user.raw.items():
        table.add_row(safe(name), _cell(value))
    console().print(table)


def _cell(value: Any) -> str:
    if isinstance(value, str):
        return safe(value)
    if isinstance(value, list) and value and all(isinstance(item, str) for item in value):
        return safe(", ".join(value))
    if isinstance(value, (dict, list)) and value:
        # Escape line by line, to keep the line breaks.
        return "\n".join(safe(line) for line in json.dumps(value, ensure_ascii=False, indent=2).split("\n"))
    return json_text(value)

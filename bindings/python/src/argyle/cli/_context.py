"""The client and the values that commands are given."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import Any, BinaryIO, Optional

import click

from .. import __version__, errors
from .._json import loads
from .._operations import UNSET
from ..client import Client
from ._streams import is_closed
from ._texts import decoded, not_json

#: Of an option's help, where ``document`` reads it.
DOCUMENT = "JSON|@FILE|-"

#: The most users that the service gives at once.
LARGEST_PAGE = 200

page_size_option = click.option(
    "--page-size",
    type=click.IntRange(1, LARGEST_PAGE),
    metavar="N",
    help=f"How many users a request asks for, {LARGEST_PAGE} unless given: fewer where users are large.",
)

#: Of an option's file that is written, and need not be readable.
written_path = click.Path(readable=False, path_type=Path)

_servers = {"production": "https://api.argyle.com", "sandbox": "https://api-sandbox.argyle.com"}

json_option = click.option("--json", "as_json", is_flag=True, help="JSON on a terminal too.")


def client(writes: bool = True) -> Client:
    """Make the client that the environment describes; no argument does, as every process could read it.

    Standard output, unless nothing is to be written there, has to be open before anything is done.
    """
    if writes and is_closed():
        raise click.ClickException("standard output is closed")
    missing = [name for name in ("ARGYLE_KEY_ID", "ARGYLE_KEY_SECRET") if not os.environ.get(name)]
    if missing:
        verb = "is" if len(missing) == 1 else "are"
        raise click.UsageError(f"{' and '.join(missing)} {verb} not set in the environment")
    options: Any = {
        name: os.environ[variable]
        for name, variable in (("base_url", "ARGYLE_BASE_URL"), ("environment", "ARGYLE_ENVIRONMENT"))
        if os.environ.get(variable)
    }
    try:
        return Client(
            os.environ["ARGYLE_KEY_ID"],
            os.environ["ARGYLE_KEY_SECRET"],
            application=f"argyle-cli/{__version__}",
            **options,
        )
    except errors.ArgumentError as error:
        # It names what Python calls them.
        message = re.sub(r"\b(key_id|key_secret|base_url|environment)\b", _variable, str(error))
        raise click.UsageError(message) from None


def _variable(option: "re.Match[str]") -> str:
    return f"ARGYLE_{option[0].upper()}"


def account() -> "dict[str, str]":
    """Give what says whose users the client creates: the server in one spelling, the API's version, the key's id."""
    from urllib.parse import urlsplit

    url = os.environ.get("ARGYLE_BASE_URL") or _servers[os.environ.get("ARGYLE_ENVIRONMENT") or "production"]
    parts = urlsplit(url)
    # In lower case, and without the port that the scheme has anyway.
    host = parts.netloc.lower()
    default = {"http": ":80", "https": ":443"}.get(parts.scheme, "")
    host = host[: -len(default)] if default and host.endswith(default) else host
    server = f"{parts.scheme}://{host}{parts.path.rstrip('/')}"
    return {"server": server, "api": "v1", "key_id": os.environ["ARGYLE_KEY_ID"]}


def document(context: click.Context, parameter: click.Parameter, value: Optional[str]) -> Any:
    """Read an option's JSON: the argument itself, a file (``@file``) or standard input (``-``); UNSET without any."""
    if value is None:
        return UNSET
    if value == "@":
        raise click.BadParameter("name a file after @", context, parameter)
    try:
        if value == "-":
            text = standard_input().read()
        elif value.startswith("@"):
            text = Path(value[1:]).read_bytes()
        else:
            text = _argument(value)
        text = decoded(text)
    except OSError as failure:
        raise click.BadParameter(f"{failure.filename or value[1:]}: {failure.strerror}", context, parameter) from None
    except ValueError as failure:
        raise click.BadParameter(str(failure), context, parameter) from None
    try:
        return loads(text)
    except ValueError as failure:
        raise click.BadParameter(not_json("this", failure), context, parameter) from None


def _argument(value: str) -> bytes:
    """Give an argument as UTF-8, which it mostly is, whatever a wrong locale says."""
    raw = os.fsencode(value)
    try:
        raw.decode()
    except ValueError:
        return value.encode("utf-8", "surrogateescape")
    return raw


def standard_input() -> BinaryIO:
    """Give standard input, for bytes."""
    return sys.stdin.buffer

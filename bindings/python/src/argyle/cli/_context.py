"""The client, and values shared by commands."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import Any, BinaryIO, Optional

import click
from click.core import ParameterSource

from .. import __version__, errors
from .._json import loads
from ..client import Client
from ._streams import is_output_closed
from ._texts import json_problem, to_utf8

#: Metavar of options parsed by ``document``.
DOCUMENT = "JSON|@FILE|-"

#: The value of an option that was not given: None is JSON null.
UNSET: Any = object()

#: The service's maximum page size.
MAX_PAGE_SIZE = 200

page_size_option = click.option(
    "--page-size",
    type=click.IntRange(1, MAX_PAGE_SIZE),
    metavar="N",
    help=f"Users per request, by default {MAX_PAGE_SIZE}; reduced if users are large.",
)

#: The type of options for output files, which need not be readable.
output_path = click.Path(readable=False, path_type=Path)

_servers = {"production": "https://api.argyle.com", "sandbox": "https://api-sandbox.argyle.com"}

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON even on a terminal.")


# Keys of what is kept in click's context.
_API_VERSION = f"{__name__}.api_version"
_STANDARD_INPUT = f"{__name__}.standard_input"


def _set_api_version(context: click.Context, parameter: click.Parameter, value: str) -> None:
    if value not in ("1", "2"):
        # Not click's own check: older versions of click do not name the variable.
        is_variable = context.get_parameter_source("api_version") is ParameterSource.ENVIRONMENT
        hint = "ARGYLE_API_VERSION" if is_variable else "--api-version"
        raise click.BadParameter("must be 1 or 2", context, parameter, param_hint=hint)
    context.meta[_API_VERSION] = int(value)


api_version_option = click.option(
    "--api-version",
    metavar="[1|2]",
    default="1",
    show_default=True,
    envvar="ARGYLE_API_VERSION",
    show_envvar=True,
    expose_value=False,
    callback=_set_api_version,
    help="Version of Argyle's API.",
)


def api_version() -> int:
    """Return the version of the API that the command uses."""
    return click.get_current_context().meta[_API_VERSION]  # type: ignore[no-any-return]


def require_api_version(version: int, **options: Any) -> None:
    """Reject options that only a version of the API has, if the command uses the other one."""
    for name, value in options.items():
        if value is not None and api_version() != version:
            raise click.UsageError(f"--{name.replace('_', '-')} needs --api-version {version}")


def client(writes: bool = True) -> Client:
    """Create a client from the environment; not from arguments, which every process can read.

    Fails if ``writes`` and standard output is closed, before any request is made.
    """
    if writes and is_output_closed():
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
    options["api_version"] = api_version()
    try:
        return Client(
            os.environ["ARGYLE_KEY_ID"],
            os.environ["ARGYLE_KEY_SECRET"],
            application=f"argyle-cli/{__version__}",
            **options,
        )
    except errors.ArgumentError as error:
        # The message uses Python's option names.
        message = re.sub(r"\b(key_id|key_secret|base_url|environment)\b", _variable, str(error))
        raise click.UsageError(message) from None


def _variable(option: "re.Match[str]") -> str:
    return f"ARGYLE_{option[0].upper()}"


def account() -> "dict[str, str]":
    """Return what identifies the account: the normalised server URL, the API version and the key id."""
    from urllib.parse import urlsplit

    url = os.environ.get("ARGYLE_BASE_URL") or _servers[os.environ.get("ARGYLE_ENVIRONMENT") or "production"]
    parts = urlsplit(url)
    # In lower case, without the scheme's default port.
    host = parts.netloc.lower()
    default = {"http": ":80", "https": ":443"}.get(parts.scheme, "")
    host = host[: -len(default)] if default and host.endswith(default) else host
    server = f"{parts.scheme}://{host}{parts.path.rstrip('/')}"
    return {"server": server, "api": f"v{api_version()}", "key_id": os.environ["ARGYLE_KEY_ID"]}


def document(context: click.Context, parameter: click.Parameter, value: Optional[str]) -> Any:
    """Parse an option's JSON: the argument itself, a file (``@file``) or standard input (``-``); UNSET if absent."""
    if value is None:
        return UNSET
    if value == "@":
        raise click.BadParameter("a file name is required after @", context, parameter)
    try:
        if value == "-":
            if context.meta.setdefault(_STANDARD_INPUT, parameter) is not parameter:
                raise click.BadParameter("only one option can read standard input", context, parameter)
            text = standard_input().read()
        elif value.startswith("@"):
            text = Path(value[1:]).read_bytes()
        else:
            text = _argument_bytes(value)
        text = to_utf8(text)
    except OSError as failure:
        raise click.BadParameter(f"{failure.filename or value[1:]}: {failure.strerror}", context, parameter) from None
    except ValueError as failure:
        raise click.BadParameter(str(failure), context, parameter) from None
    try:
        return loads(text)
    except ValueError as failure:
        raise click.BadParameter(json_problem("this", failure), context, parameter) from None


def _argument_bytes(value: str) -> bytes:
    """Return an argument's bytes, as UTF-8; most arguments are UTF-8 even if the locale says otherwise."""
    raw = os.fsencode(value)
    try:
        raw.decode()
    except ValueError:
        return value.encode("utf-8", "surrogateescape")
    return raw


def standard_input() -> BinaryIO:
    """Return standard input as a binary stream."""
    return sys.stdin.buffer

"""File formats for users."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, NamedTuple, Optional

import click

from .._fields import UserFields
from ..models import User

FORMATS = ("jsonl", "csv", "parquet")

#: The fields that can be written, by version of the API.
WRITABLE = {1: ("external_metadata",), 2: tuple(UserFields.__annotations__)}

#: The fields whose values are text. In CSV and Parquet, the other ones are JSON.
TEXTS = ("external_id", "first_name", "last_name", "email", "phone_number", "ssn")

#: The fields that are exported only if they are chosen.
PERSONAL = ("first_name", "last_name", "email", "phone_number", "ssn", "address", "birth_date")

# The members of a user, by version of the API.
_MEMBERS = {
    1: ("id", "created_at", "employers_connected", "data_providers_connected", "external_metadata"),
    2: ("id", "created_at", "items_connected", "employers_connected", "external_metadata", "external_id", *PERSONAL),
}

# Suffixes of other formats.
_other_suffixes = re.compile(
    "7z|arrow|avro|br|bz2|db|feather|gz|h5|html|ipc|json|lz4|lzma|ods|orc|pdf|pickle|pkl|rar|sqlite3?|tar|tgz|tsv"
    "|xls[bmx]?|xml|xz|ya?ml|z|zip|zstd?"
)


def format_of(chosen: Optional[str], path: Optional[Path]) -> str:
    """Return the chosen format, or else the one of the file's suffix, or else jsonl."""
    suffix = "" if path is None else path.suffix[1:].lower()
    if chosen is None and _other_suffixes.fullmatch(suffix):
        raise click.UsageError(
            f"{path}: .{suffix} is not one of the formats {', '.join(FORMATS)}: use one of these suffixes or --format"
        )
    return chosen or (suffix if suffix in FORMATS else "jsonl")


class Selection(NamedTuple):
    """The members of users to print or export."""

    columns: "tuple[str, ...]"
    #: Whether JSON has all members, even those that are not among the columns.
    is_complete: bool

    def document(self, user: User) -> "dict[str, Any]":
        """Return a user as JSON."""
        return user.raw if self.is_complete else {name: user.raw[name] for name in self.columns if name in user.raw}


fields_option = click.option(
    "--fields", metavar="NAME,...|all", help="The fields to return; default: all but personal data."
)


def selection(fields: Optional[str], api_version: int) -> Selection:
    """Return what ``--fields`` selects."""
    members = _MEMBERS[api_version]
    if fields is None:
        # A user of version 1 has no personal data.
        return Selection(tuple(name for name in members if name not in PERSONAL), is_complete=api_version == 1)
    if fields == "all":
        return Selection(members, is_complete=True)
    names = tuple(dict.fromkeys(name.strip() for name in fields.split(",")))
    if not set(names) <= set(members):
        # Without the names: by mistake, they may be personal data, such as the JSON of an update.
        raise click.UsageError(f"--fields must be all or names from {', '.join(members)}, separated by commas")
    return Selection(names, is_complete=False)


def given(fields: "dict[str, Any]") -> "dict[str, Any]":
    """Return those fields of a user that are set; for others, the service sends null or an object of nulls."""
    result = {}
    for name, value in fields.items():
        if name == "external_metadata":
            result[name] = value
            continue
        if isinstance(value, dict):
            value = {part: each for part, each in value.items() if each is not None}
        if value is not None and value != {}:
            result[name] = value
    return result


def pyarrow() -> Any:
    """Import pyarrow."""
    try:
        import pyarrow
    except ImportError:
        raise click.UsageError("Parquet requires pyarrow: pip install pyarrow") from None
    return pyarrow

"""File formats for users."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Optional

import click

FORMATS = ("jsonl", "csv", "parquet")
COLUMNS = ("id", "created_at", "employers_connected", "data_providers_connected", "external_metadata")

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


def pyarrow() -> Any:
    """Import pyarrow."""
    try:
        import pyarrow
    except ImportError:
        raise click.UsageError("Parquet requires pyarrow: pip install pyarrow") from None
    return pyarrow

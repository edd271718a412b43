"""The formats of files of users."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Optional

import click

FORMATS = ("jsonl", "csv", "parquet")
COLUMNS = ("id", "created_at", "employers_connected", "data_providers_connected", "external_metadata")


def format_of(chosen: Optional[str], path: Path) -> str:
    """Give the format that was asked for, or else the one that a file's name tells."""
    suffix = path.suffix[1:].lower()
    return chosen or (suffix if suffix in FORMATS else "jsonl")


def pyarrow() -> Any:
    """Import pyarrow."""
    try:
        import pyarrow
    except ImportError:
        raise click.UsageError("Parquet needs pyarrow: pip install pyarrow") from None
    return pyarrow

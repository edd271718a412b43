"""``argyle sandbox``: the local server for tests."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Optional

import click


@click.command(
    add_help_option=False,
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
)
@click.argument("arguments", metavar="[OPTION]...", nargs=-1, type=click.UNPROCESSED)
@click.help_option("-h", "--help")
def sandbox(arguments: "tuple[str, ...]") -> None:
    """Start argyle-sandbox, a local server that behaves as Argyle does.

    Its options are passed on, such as --port 8080, --database FILE, --key-id ID, --key-secret TEXT, --log FILE and
    --fault JSON. It prints its address when it is ready, and ends with Ctrl-C.
    """
    program = _program()
    if program is None:
        raise click.ClickException(
            "argyle-sandbox is neither in this package, nor named by ARGYLE_SANDBOX, nor on PATH"
        )
    # In the place of this process, so that signals reach it and nothing stays behind.
    try:
        os.execv(program, ["argyle-sandbox", *arguments])
    except OSError as failure:
        raise click.ClickException(f"{program}: {failure.strerror}") from None


def _program() -> Optional[str]:
    """Find the server: what the environment names, this package's own, or the system's."""
    named = os.environ.get("ARGYLE_SANDBOX")
    if named:
        return named
    packaged = Path(__file__).parent.parent / "lib" / "argyle-sandbox"
    return str(packaged) if packaged.is_file() else shutil.which("argyle-sandbox")

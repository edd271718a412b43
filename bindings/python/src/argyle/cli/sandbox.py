"""``argyle sandbox``: a local server for tests."""

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

    Options are passed on to it, such as --port 8080, --database FILE, --key-id ID, --key-secret TEXT, --log FILE and
    --fault JSON. It prints its address when it is ready. Stop it with Ctrl-C.
    """
    program = _program()
    if program is None:
        raise click.ClickException(
            "argyle-sandbox not found: not in this package, not named by ARGYLE_SANDBOX, and not on PATH"
        )
    # Replaces this process, so that signals reach the server and no wrapper process remains.
    try:
        os.execv(program, ["argyle-sandbox", *arguments])
    except OSError as failure:
        raise click.ClickException(f"{program}: {failure.strerror}") from None


def _program() -> Optional[str]:
    """Find the server: the one named by the environment, or else the packaged one, or else one on PATH."""
    named = os.environ.get("ARGYLE_SANDBOX")
    if named:
        return named
    packaged = Path(__file__).parent.parent / "lib" / "argyle-sandbox"
    return str(packaged) if packaged.is_file() else shutil.which("argyle-sandbox")

"""The root command, and the handling of errors."""

from __future__ import annotations

import contextlib
import signal
import sys
from typing import Any, Iterator, NoReturn

import click

from .. import __version__, errors
from ._failures import describe, exit_code
from ._output import discard_output, flush, print_message
from .sandbox import sandbox
from .tokens import tokens
from .users import users


class Root(click.Group):
    """A command group that reports each error as one line and an exit code."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command, handling what click would otherwise handle differently."""
        try:
            result = super().invoke(ctx)
            flush()
            return result
        except KeyboardInterrupt:
            if sys.stderr.isatty():
                # After the terminal's ^C.
                sys.stderr.write("\n")
            raise click.Abort from None
        except BrokenPipeError:
            # The reader has exited, as head does.
            discard_output()
            raise click.exceptions.Exit(128 + signal.SIGPIPE) from None

    def main(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Run a command and exit."""
        kwargs["standalone_mode"] = False
        with _signals():
            try:
                code = super().main(*args, **kwargs)
            except (click.Abort, KeyboardInterrupt):
                # KeyboardInterrupt if click itself was interrupted.
                print_message("interrupted")
                code = 128 + signal.SIGINT
            except click.exceptions.Exit as stop:
                code = stop.exit_code
            except click.ClickException as problem:
                code = problem.exit_code
                context = getattr(problem, "ctx", None)
                hint = f" (see {context.command_path} --help)" if context is not None else ""
                # From click 8.2 on; older ones print the help themselves.
                if type(problem).__name__ == "NoArgsIsHelpError":
                    click.echo(problem.format_message(), err=True)
                else:
                    print_message(problem.format_message() + hint)
            except errors.Error as error:
                code = exit_code(error)
                print_message(describe(error))
            except OSError as failure:
                code = 1
                reason = failure.strerror or str(failure)
                print_message(f"{failure.filename}: {reason}" if failure.filename else reason)
                discard_output()
        sys.exit(code if isinstance(code, int) else 0)


@contextlib.contextmanager
def _signals() -> Iterator[None]:
    """Make SIGTERM and SIGHUP raise an exception, so that commands can clean up."""

    def end(number: int, _: object) -> NoReturn:
        sys.exit(128 + number)

    ours = [number for number in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(number) is signal.SIG_DFL]
    for number in ours:
        signal.signal(number, end)
    try:
        yield
    finally:
        for number in ours:
            signal.signal(number, signal.SIG_DFL)


@click.group(
    cls=Root,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="""\b
Environment:
  ARGYLE_KEY_ID, ARGYLE_KEY_SECRET  the API key
  ARGYLE_BASE_URL                   the server, such as http://127.0.0.1:8080
  ARGYLE_ENVIRONMENT                or else production (default) or sandbox
  ARGYLE_API_VERSION                the version of the API: 1 (default) or 2
  NO_COLOR                          no colours

\b
Exit codes:
  0    done
  1    failed: the service, the network or a file; or not confirmed
  2    usage error, including a missing API key
  3    some of several operations failed: see the message for each
  4    no such user
  5    the API key is wrong or lacks permission
  130  interrupted; in general 128 + the signal number

\b
Shell completion, for bash (likewise zsh_source, fish_source):
  eval "$(_ARGYLE_COMPLETE=bash_source argyle)"
""",
)
@click.version_option(__version__, message="%(prog)s %(version)s")
def argyle() -> None:
    """Manage Argyle's users and user tokens.

    Data goes to standard output: as tables on a terminal, as JSON with --json or in a pipe. Progress and messages go
    to standard error.

    Options follow the command: argyle users list --api-version 2 --json
    """


argyle.add_command(users)
argyle.add_command(tokens)
argyle.add_command(sandbox)

"""How every door of FedFundus answers: results on standard output, everything else on standard error.

A user's mistake is one message and a non-zero exit code, never a traceback; Ctrl-C and a service manager's stop
clean up alike. Kept in one place so that the four commands cannot come to differ.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import warnings

import click
import typer
from rich.console import Console
from rich.markup import escape

from shared_model.errors import FedFundusError, RunError

INTERRUPTED = 130

errors = Console(stderr=True, highlight=False, soft_wrap=True)


def run(app: typer.Typer, *, interrupted: str, memory: str) -> None:
    """Run a command of `app` and exit.

    interrupted: what to say after Ctrl-C. memory: what to do where memory runs out.
    """
    warnings.filterwarnings("ignore")
    logging.getLogger("flwr").setLevel(logging.ERROR)
    command = typer.main.get_command(app)
    signal.signal(signal.SIGTERM, _like_ctrl_c)
    try:
        code = command.main(standalone_mode=False) or 0
        sys.stdout.flush()
        if code == INTERRUPTED:  # typer's own answer to Ctrl-C
            raise KeyboardInterrupt
        sys.exit(code)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except FedFundusError as error:
        _say(error)
    except (KeyboardInterrupt, click.Abort):
        errors.print(f"interrupted: {interrupted}")
        sys.exit(INTERRUPTED)
    except BrokenPipeError:  # whoever read the output has stopped: `| head`
        _silence_output()
        sys.exit(0)
    except OSError as error:
        _silence_output()
        why = os.strerror(error.errno) if error.errno else type(error).__name__
        _say(
            RunError(f"the operating system refused: {why}", fix="check the disk, and where the output goes")
        )
    except MemoryError:
        _say(RunError("not enough memory", fix=memory))


def _say(error: FedFundusError) -> None:
    errors.print(f"[bold red]error:[/] {escape(str(error))}")
    sys.exit(error.exit_code)


def _silence_output() -> None:
    """What is left in the buffer cannot be written either; the interpreter's own attempt would print a traceback."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _like_ctrl_c(number: int, frame: object) -> None:
    """The first stop ends the command; a second one while it cleans up would only print a traceback."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise KeyboardInterrupt

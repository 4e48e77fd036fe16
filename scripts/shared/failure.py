"""How a script ends: with an exit code, and with one line when something went wrong."""

from collections.abc import Callable
import signal
import sys
from types import FrameType
from typing import NoReturn


class Failure(Exception):
    """Something that ends the script; its text says in one line what to do."""


def run_script(main: Callable[[], int]) -> NoReturn:
    """Run `main` and leave Python with the exit code it returns.

    A `Failure` and an error of the operating system (a full disk, a folder that may not
    be written) become one line on standard error and exit code 1. Ctrl-C, SIGTERM and
    SIGHUP end the script by an exception, so that everything is cleaned up.
    """
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _leave)
    try:
        code = main()
    except Failure as error:
        code = _complain(str(error))
    except OSError as error:
        name = f"{error.filename}: " if error.filename else ""
        code = _complain(f"{name}{error.strerror or error}")
    except KeyboardInterrupt:
        code = 128 + signal.SIGINT
    sys.exit(code)


def _complain(text: str) -> int:
    sys.stdout.flush()
    print(f"error: {text}", file=sys.stderr)
    return 1


def _leave(number: int, _frame: FrameType | None) -> NoReturn:
    raise SystemExit(128 + number)

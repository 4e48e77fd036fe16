"""How a script ends: with an exit code, and with one line when something went wrong."""

from collections.abc import Callable
import sys


class Failure(Exception):
    """Something that ends the script; its text says in one line what to do."""


def run_script(main: Callable[[], int]) -> None:
    """Run `main` and leave Python with the exit code it returns.

    A `Failure` and an error of the operating system (a full disk, a folder that may not be
    written) become one line on standard error and exit code 1, Ctrl-C becomes exit code 130.
    """
    try:
        code = main()
    except Failure as error:
        print(f"error: {error}", file=sys.stderr)
        code = 1
    except OSError as error:
        name = f"{error.filename}: " if error.filename else ""
        print(f"error: {name}{error.strerror or error}", file=sys.stderr)
        code = 1
    except KeyboardInterrupt:
        code = 130
    sys.exit(code)

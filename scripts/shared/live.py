"""`scripts/live`: is the real Plex still as this integration takes it to be?"""

import argparse
from pathlib import Path
import subprocess
from tempfile import TemporaryDirectory

from .environment import TEST, prepare
from .paths import CACHE, ROOT
from .simulator import run_simulator

_WHO = "anna"  # an account of the simulator with own servers and a shared one


def main() -> int:
    """Read the command line, take the look, and return the exit code."""
    parser = argparse.ArgumentParser(
        prog="scripts/live",
        description="Sign in to the real Plex by a code, make every call that the "
        "integration makes, and compare the answers with docs/plex-api.md: status, "
        "fields and types, never a value. Nothing is changed: it asks for one transient "
        "token, and signs out at the end. Exit code 1: something differs.",
    )
    parser.add_argument(
        "--server",
        metavar="NAME",
        help="the server to ask (default: the first own one)",
    )
    parser.add_argument(
        "--switch-home-user",
        metavar="NAME",
        help="also switch once to this user of the Plex Home, after a question for the "
        "PIN of a user who has one, and sign the user's token out again",
    )
    parser.add_argument(
        "--report",
        type=Path,
        default=CACHE / "live" / "report.txt",
        help="where the report is written (default: %(default)s)",
    )
    parser.add_argument(
        "--check",
        action="store_true",
        help="look at the simulated Plex instead, where all is as expected",
    )
    arguments = parser.parse_args()
    prepare(TEST)
    options = ["--report", str(arguments.report.resolve())]
    if arguments.server is not None:
        options += ["--server", arguments.server]
    if arguments.switch_home_user is not None:
        options += ["--switch-home-user", arguments.switch_home_user]
    if not arguments.check:
        return _look(options)
    with (
        TemporaryDirectory(prefix="plex-auth-", ignore_cleanup_errors=True) as folder,
        run_simulator(TEST, Path(folder), 0) as simulator,
    ):
        options += ["--api-url", simulator.api_url]
        options += ["--enter-at", simulator.control.base_url, "--enter-as", _WHO]
        return _look(options)


def _look(options: list[str]) -> int:
    command = [str(TEST.program("python")), "-m", "scripts.live_check", *options]
    return subprocess.run(
        command, cwd=ROOT, env=TEST.variables(), check=False
    ).returncode

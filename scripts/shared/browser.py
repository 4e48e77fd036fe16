"""`scripts/browser`: a person's way through Home Assistant's pages, in Chromium."""

import argparse
from contextlib import ExitStack
import json
import os
from pathlib import Path
import shutil
import subprocess
from tempfile import TemporaryDirectory

from .browser_chromium import find_chromium
from .checks import LEFT_OUT
from .environment import BROWSER, DEMO, prepare
from .failure import Failure
from .home_assistant import PASSWORD, USERNAME, run_home_assistant
from .paths import CACHE, ROOT
from .processes import usable_port
from .progress import step
from .simulator import run_simulator

PICTURES = CACHE / "browser"  # of the last run; with Home Assistant's log if it failed


def main() -> int:
    """Read the command line, take the tour, and return the exit code."""
    parser = argparse.ArgumentParser(
        prog="scripts/browser",
        description="Start a simulated Plex and a real Home Assistant with Plex Auth, "
        "and click through it in headless Chromium. "
        f"Exit code {LEFT_OUT}: there is no Chromium.",
    )
    parser.add_argument(
        "--main",
        action="store_true",
        help="only add an account, call an action, sign in again and remove it",
    )
    parser.add_argument(
        "--screenshots",
        action="store_true",
        help="write the pictures of the documentation to docs/images",
    )
    arguments = parser.parse_args()
    try:
        chromium = find_chromium()
    except Failure as error:
        if os.environ.get("CI") == "true":
            raise
        print(f"left out: {error}")
        return LEFT_OUT
    prepare(DEMO)
    prepare(BROWSER)
    shutil.rmtree(PICTURES, ignore_errors=True)
    PICTURES.mkdir(parents=True)
    options = {"main": arguments.main, "screenshots": arguments.screenshots}
    return _tour({"chromium": str(chromium), **options})


def _tour(what: dict[str, object]) -> int:
    """Start what the tour needs, take it in a process of its own; return its code."""
    with ExitStack() as running:
        folder = Path(
            running.enter_context(
                TemporaryDirectory(prefix="plex-auth-", ignore_cleanup_errors=True)
            )
        )
        with step("Starting the simulated Plex"):
            port = usable_port(0, "")
            simulator = running.enter_context(run_simulator(DEMO, folder, port))
        with step("Starting Home Assistant"):
            port = usable_port(0, "")
            home_assistant = running.enter_context(
                run_home_assistant(DEMO, folder, port)
            )
        world = {
            **what,
            "url": home_assistant.url,
            "username": USERNAME,
            "password": PASSWORD,
            "simulator": simulator.description,
        }
        code = subprocess.run(
            [BROWSER.program("python"), "-m", "tests.browser"],
            cwd=ROOT,
            env={**BROWSER.variables(), "PYTHONUNBUFFERED": "1"},
            input=json.dumps(world),
            text=True,
            check=False,
        ).returncode
        if code:
            for file in home_assistant.records():
                shutil.copyfile(file, PICTURES / file.name)
    return code

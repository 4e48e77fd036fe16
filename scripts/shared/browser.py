"""`scripts/browser`: a person's way through Home Assistant's pages, in Chromium."""

import argparse
import os
import shutil

from .browser_chromium import find_chromium
from .checks import LEFT_OUT
from .environment import BROWSER, DEMO, DEMO_OLDEST, prepare
from .failure import Failure
from .home_assistant_with_plex import run_home_assistant_with_plex
from .paths import CACHE

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
        help="only add an account, call an action, sign in again, claim a server, remove it",
    )
    parser.add_argument(
        "--names",
        action="store_true",
        help="only add an account, and look at one with hostile names everywhere",
    )
    parser.add_argument(
        "--oldest",
        action="store_true",
        help="use the oldest Home Assistant that is supported, not the newest",
    )
    parser.add_argument(
        "--screenshots",
        action="store_true",
        help="write the pictures of the documentation to docs/images",
    )
    parser.add_argument(
        "--looks",
        action="store_true",
        help="take each picture on a dark page and on a phone as well",
    )
    options = vars(parser.parse_args())
    environment = DEMO_OLDEST if options.pop("oldest") else DEMO
    try:
        chromium = find_chromium()
    except Failure as error:
        if os.environ.get("CI") == "true":
            raise
        print(f"left out: {error}")
        return LEFT_OUT
    prepare(environment)
    prepare(BROWSER)
    shutil.rmtree(PICTURES, ignore_errors=True)
    PICTURES.mkdir(parents=True)
    with run_home_assistant_with_plex(environment) as running:
        code = running.run_module(
            "tests.browser", BROWSER, chromium=str(chromium), **options
        )
        if code:
            for file in running.home_assistant.records():
                shutil.copyfile(file, PICTURES / file.name)
    return code

"""`scripts/browser`: a person's way through Home Assistant's pages, in Chromium."""

import argparse
from collections.abc import Iterable, Mapping
import os
from pathlib import Path
import shutil
from tempfile import TemporaryDirectory

from .axe import find_axe
from .browser_chromium import find_chromium
from .checks import LEFT_OUT
from .environment import BROWSER, DEMO, DEMO_OLDEST, Environment, prepare
from .failure import Failure
from .home_assistant_with_plex import run_home_assistant_with_plex
from .modules import run_module
from .paths import CACHE
from .simulator import run_simulator

PICTURES = CACHE / "browser"  # of the last run; with Home Assistant's log if it failed


def main() -> int:
    """Read the command line, take the tour, and return the exit code."""
    parser = argparse.ArgumentParser(
        prog="scripts/browser",
        description="Start a simulated Plex and a real Home Assistant with Plex Auth, "
        "and click through it in headless Chromium. "
        f"Exit code {LEFT_OUT}: there is no Chromium or npm.",
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
        "--years",
        action="store_true",
        help="only upgrade what earlier versions have stored, ignore repairs, and replace "
        "a server that has a history",
    )
    parser.add_argument(
        "--accessibility",
        action="store_true",
        help="only work the dialogs by the keyboard alone, and look at each page with "
        "axe-core, which npm fetches",
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
        options["chromium"] = str(find_chromium())
        if options.pop("accessibility"):
            options["axe"] = str(find_axe())
    except Failure as error:
        if os.environ.get("CI") == "true":
            raise
        print(f"left out: {error}")
        return LEFT_OUT
    prepare(environment)
    prepare(BROWSER)
    shutil.rmtree(PICTURES, ignore_errors=True)
    PICTURES.mkdir(parents=True)
    take = _see_years if options.pop("years") else _take_tour
    return take(environment, options)


def _take_tour(environment: Environment, options: Mapping[str, object]) -> int:
    """Take a tour through a Home Assistant that runs all the time."""
    module = "tests.browser.accessibility" if "axe" in options else "tests.browser"
    with run_home_assistant_with_plex(environment) as running:
        code = running.run_module(module, BROWSER, **options)
        if code:
            _keep(running.home_assistant.records())
    return code


def _see_years(environment: Environment, options: Mapping[str, object]) -> int:
    """Take the tour that starts Home Assistants itself, each with some version."""
    with TemporaryDirectory(prefix="plex-auth-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        with run_simulator(environment, folder, 0) as simulator:
            given = {
                **options,
                "environment": environment.name,
                "folder": name,
                "simulator": simulator.description,
            }
            code = run_module("tests.browser.years", BROWSER, given)
        if code:
            _keep(folder.rglob("home-assistant.log*"))
    return code


def _keep(files: Iterable[Path]) -> None:
    """Keep what Home Assistant has written, beside the pictures."""
    for file in files:
        shutil.copyfile(file, PICTURES / file.name)

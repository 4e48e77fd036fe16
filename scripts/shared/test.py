"""`scripts/test`: every check of the project."""

import os
import sys

from .checks import Checks
from .environment import HASSCHECK, TEST, prepare
from .paths import ROOT

_COVERAGE = ("--cov", "--cov-report=term", "--cov-fail-under=98")
_FLOWS = (
    "custom_components/plex_auth/config_flow.py,custom_components/plex_auth/flows/*.py"
)


def main() -> int:
    """Check style, types, habits, tests, coverage, demo and pages; return the exit code.

    Arguments go to pytest; with any but `--full`, style, types and tests are all there
    is. `--full` adds the long tests and the whole way through the pages.
    """
    arguments = sys.argv[1:]
    is_whole = not set(arguments) - {"--full"}
    if "--full" in arguments:
        os.environ.setdefault("HYPOTHESIS_PROFILE", "long")
    prepare(TEST)
    checks = Checks(TEST)
    checks.run("ruff check", [_tool("ruff"), "check"])
    checks.run("ruff format", [_tool("ruff"), "format", "--check"])
    checks.run("mypy", [_tool("mypy"), "--strict"])
    coverage = _COVERAGE if is_whole else ()
    checks.run("pytest", [_tool("pytest"), *coverage, *arguments])
    if is_whole:
        report = [_tool("coverage"), "report", f"--include={_FLOWS}"]
        checks.run("coverage of the flows", [*report, "--fail-under=100"])
        prepare(HASSCHECK)
        hasscheck = HASSCHECK.program("hasscheck")
        checks.run("hasscheck", [hasscheck, "check", "--path", ROOT])
        checks.run("live check of the simulator", [_script("live"), "--check"])
        demo = [_script("demo"), "--check"]
        checks.run("demo", demo)
        checks.run("demo with the oldest Home Assistant", [*demo, "--oldest"])
        way = () if "--full" in arguments else ("--main",)
        checks.run("browser", [_script("browser"), *way], is_optional=True)
    return checks.summarize()


def _script(name: str) -> str:
    return str(ROOT / "scripts" / name)


def _tool(name: str) -> str:
    return str(TEST.program(name))

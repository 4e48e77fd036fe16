"""`scripts/test`: every check of the project."""

import sys

from .checks import Checks
from .environment import TEST, prepare
from .paths import ROOT

_COVERAGE = ("--cov", "--cov-report=term", "--cov-fail-under=98")
_FLOWS = "custom_components/plex_auth/*flow*.py"


def main() -> int:
    """Check style, types, tests, coverage and the demo; return the exit code.

    Arguments go to pytest; with any but `--full` the coverage and the demo are left out.
    """
    arguments = sys.argv[1:]
    is_whole = not set(arguments) - {"--full"}
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
        checks.run("demo", [sys.executable, ROOT / "scripts/demo", "--check"])
    return checks.summarize()


def _tool(name: str) -> str:
    return str(TEST.program(name))

"""`scripts/test`: every check of the project."""

import sys

from .checks import Checks
from .environment import HASSCHECK, TEST, prepare
from .paths import CACHE, ROOT
from .slowest import show_slowest

_REPORT = CACHE / "pytest.xml"
_COVERAGE = ("--cov", "--cov-report=term", "--cov-fail-under=99")
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
    prepare(TEST)
    checks = Checks(TEST)
    checks.check_code()
    _REPORT.unlink(missing_ok=True)
    options = [f"--junit-xml={_REPORT}", *(_COVERAGE if is_whole else ()), *arguments]
    checks.run("pytest", [TEST.program("pytest"), *options])
    if is_whole:
        flows = ["report", f"--include={_FLOWS}", "--fail-under=100"]
        checks.run("coverage of the flows", [TEST.program("coverage"), *flows])
        prepare(HASSCHECK)
        hasscheck = HASSCHECK.program("hasscheck")
        checks.run("hasscheck", [hasscheck, "check", "--path", ROOT])
        checks.run("live check of the simulator", [_script("live"), "--check"])
        demo = [_script("demo"), "--check"]
        checks.run("demo", demo)
        checks.run("demo with the oldest Home Assistant", [*demo, "--oldest"])
        way = () if "--full" in arguments else ("--main",)
        checks.run("browser", [_script("browser"), *way], is_optional=True)
    code = checks.summarize()
    show_slowest(_REPORT)
    return code


def _script(name: str) -> str:
    return str(ROOT / "scripts" / name)

"""The summary of checks says how each ended, and the exit code says it for all."""

import sys

import pytest

from scripts.shared.checks import LEFT_OUT, Checks
from scripts.shared.environment import TEST


@pytest.mark.parametrize(
    ("code", "is_optional", "outcome", "exit_code"),
    [
        (0, False, "ok", 0),
        (0, True, "ok", 0),
        (1, False, "FAILED", 1),
        (1, True, "FAILED", 1),
        (LEFT_OUT, True, "left out", 0),
        # pytest ends like this when it is broken itself.
        (LEFT_OUT, False, "FAILED", 1),
    ],
)
def test_outcome(
    capfd: pytest.CaptureFixture[str],
    code: int,
    is_optional: bool,
    outcome: str,
    exit_code: int,
) -> None:
    """A command that fails makes all fail; only an optional one may be left out."""
    checks = Checks(TEST)
    checks.run("first", [sys.executable, "-c", "pass"])
    command = [sys.executable, "-c", f"raise SystemExit({code})"]
    checks.run("second", command, is_optional=is_optional)
    assert checks.summarize() == exit_code
    summary = capfd.readouterr().out.rpartition("── Summary\n")[2].splitlines()
    assert [line.rpartition(" (")[0] for line in summary] == [
        "ok       first",
        f"{outcome:8} second",
    ]

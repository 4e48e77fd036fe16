"""Checks in a row: each shows its own output, and a summary follows."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
import subprocess
import time

from .environment import Environment
from .paths import ROOT

LEFT_OUT = 3  # the exit code of a command that misses a program it cannot do without


class Outcome(StrEnum):
    """How a command ended, as the summary shows it."""

    OK = "ok"
    LEFT_OUT = "left out"
    FAILED = "FAILED"


@dataclass
class Checks:
    """Run commands in the repository and remember how they ended."""

    environment: Environment
    _results: list[tuple[str, Outcome, float]] = field(default_factory=list)

    def check_code(self) -> None:
        """Check style and types."""
        ruff, mypy = map(self.environment.program, ("ruff", "mypy"))
        self.run("ruff check", [ruff, "check"])
        self.run("ruff format", [ruff, "format", "--check"])
        self.run("mypy", [mypy, "--strict"])

    def run(
        self, label: str, command: Sequence[str | Path], *, is_optional: bool = False
    ) -> None:
        """Run a command, its output passing through; exit code 0 means success.

        An optional one may end with `LEFT_OUT`: no success, and no failure either.
        """
        print(f"\n── {label}", flush=True)
        start = time.monotonic()
        process = subprocess.run(
            command,
            cwd=ROOT,
            env=self.environment.variables(),
            stdin=subprocess.DEVNULL,
            check=False,
        )
        seconds = time.monotonic() - start
        outcome = Outcome.FAILED
        if process.returncode == 0:
            outcome = Outcome.OK
        elif process.returncode == LEFT_OUT and is_optional:
            outcome = Outcome.LEFT_OUT
        self._results.append((label, outcome, seconds))

    def summarize(self) -> int:
        """Print one line for each command and return the exit code for all of them."""
        print("\n── Summary")
        for label, outcome, seconds in self._results:
            print(f"{outcome:8} {label} ({seconds:.1f} s)")
        return int(any(outcome is Outcome.FAILED for _, outcome, _ in self._results))

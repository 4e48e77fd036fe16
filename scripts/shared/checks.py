"""Checks in a row: each shows its own output, and a summary follows."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
import subprocess
import time

from .environment import Environment
from .paths import ROOT


@dataclass
class Checks:
    """Run commands in the repository and remember how they ended."""

    environment: Environment
    _results: list[tuple[str, bool, float]] = field(default_factory=list)

    def run(self, label: str, command: Sequence[str | Path]) -> None:
        """Run a command, its output passing through; exit code 0 means success."""
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
        self._results.append((label, process.returncode == 0, seconds))

    def summarize(self) -> int:
        """Print one line for each command and return the exit code for all of them."""
        print("\n── Summary")
        for label, is_ok, seconds in self._results:
            print(f"{'ok    ' if is_ok else 'FAILED'} {label} ({seconds:.1f} s)")
        return 0 if all(is_ok for _, is_ok, _ in self._results) else 1

"""Commands of other programs, run quietly to their end."""

from collections.abc import Mapping, Sequence
import os
from pathlib import Path
import subprocess

from .failure import Failure


def run(
    command: Sequence[str | Path],
    purpose: str,
    *,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    timeout: float | None = None,
) -> str:
    """Run a command and return what it printed on standard output.

    `purpose` completes "could not …" in a message, `env` is added to the environment.
    Raises `Failure` when the command is missing, fails or takes too long.
    """
    try:
        result = subprocess.run(
            command,
            env={**os.environ, "LC_ALL": "C.UTF-8", **(env or {})},
            cwd=cwd,
            timeout=timeout,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
    except FileNotFoundError:
        raise Failure(f"could not {purpose}: {command[0]} is missing") from None
    except subprocess.TimeoutExpired:
        raise Failure(f"could not {purpose}: not done in {timeout:.0f} s") from None
    if result.returncode:
        raise Failure(f"could not {purpose}: {_reason(result)}")
    return result.stdout


def _reason(result: subprocess.CompletedProcess[str]) -> str:
    """Return in one line why a command failed: its first error, and what is behind it."""
    lines = [line.strip() for line in (result.stderr + result.stdout).splitlines()]
    errors = [line for line in lines if line.lower().startswith(("e:", "error"))]
    causes = [line for line in lines if line.lower().startswith("cause")]
    last = [line for line in lines if line][-1:]
    reason = (errors or last or [f"it ended with code {result.returncode}"])[0]
    return " - ".join([reason, *causes[-1:]])

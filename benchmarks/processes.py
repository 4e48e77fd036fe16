"""The processes of a run: simulators, what repeats their answers, and sections."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
import json
import os
from pathlib import Path
import subprocess
import sys
from tempfile import TemporaryDirectory
from typing import Any

ROOT = Path(__file__).resolve().parents[1]


@contextmanager
def run_world(*options: str) -> Iterator[Path]:
    """Run a simulator for the time of the block; yield the file that describes it."""
    with TemporaryDirectory(prefix="plex-auth-bench-") as folder:
        file = Path(folder) / "world.json"
        with _running("world", f"--ca-file={folder}/ca.pem", *options) as line:
            file.write_text(line)
            yield file


@contextmanager
def run_replay(world: Path) -> Iterator[Path]:
    """Run what repeats a world's answers; yield the file that describes it."""
    file = world.with_name("replay.json")
    with _running("replay", world) as line:
        file.write_text(line)
        yield file


def run_section(name: str, *arguments: str | Path) -> Any:
    """Run a section in a fresh interpreter and return the figures that it prints.

    Python keeps byte code, as it does for Home Assistant, whatever it is told elsewhere;
    the first run of a section makes it.
    """
    environment = {"PYTHONPYCACHEPREFIX": str(ROOT / ".cache/bench-pyc"), **os.environ}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    result = subprocess.run(
        _command(name, arguments),
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return json.loads(result.stdout.splitlines()[-1])


@contextmanager
def _running(name: str, *arguments: str | Path) -> Iterator[str]:
    """Run a process for the time of the block; yield the line that it prints first."""
    with subprocess.Popen(
        _command(name, arguments), cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            line = process.stdout.readline() if process.stdout else ""
            if not line:
                message = f"{name} did not start"
                raise RuntimeError(message)
            yield line
        finally:
            process.terminate()


def _command(name: str, arguments: Sequence[str | Path]) -> list[str]:
    return [sys.executable, "-m", f"benchmarks.{name}", *map(str, arguments)]

"""The processes of a run: simulators and sections."""

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
        command = _command("world", (f"--ca-file={folder}/ca.pem", *options))
        with subprocess.Popen(
            command, cwd=ROOT, stdout=subprocess.PIPE, text=True
        ) as process:
            try:
                line = process.stdout.readline() if process.stdout else ""
                if not line:
                    message = "the simulator did not start"
                    raise RuntimeError(message)
                file.write_text(line)
                yield file
            finally:
                process.terminate()


def run_section(name: str, *arguments: str | Path) -> Any:
    """Run a section in a fresh interpreter and return the figures that it prints.

    Python keeps byte code there, as it does for Home Assistant; the first run of a
    section makes it.
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


def _command(name: str, arguments: Sequence[str | Path]) -> list[str]:
    return [sys.executable, "-m", f"benchmarks.{name}", *map(str, arguments)]

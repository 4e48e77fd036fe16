"""The simulated Plex as the sections see it: its addresses, accounts and records."""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
import json
import os
from pathlib import Path
import ssl
import subprocess
import sys
from tempfile import TemporaryDirectory
from typing import Any, Self
from urllib.request import urlopen

ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatedServer:
    """Describe one server."""

    name: str
    machine_identifier: str
    url: str
    token: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatedAccount:
    """Describe one account with all that a client of it knows."""

    username: str
    password: str
    totp_secret: str
    uuid: str
    title: str
    token: str
    servers: tuple[SimulatedServer, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """Describe a running simulator."""

    api_url: str
    base_url: str
    ca_file: str
    accounts: tuple[SimulatedAccount, ...]

    @classmethod
    def parse(cls, text: str) -> Self:
        """Take what the simulator's process printed."""
        data: dict[str, Any] = json.loads(text)
        accounts = [
            SimulatedAccount(
                **{
                    **account,
                    "servers": tuple(
                        SimulatedServer(**server) for server in account["servers"]
                    ),
                }
            )
            for account in data["accounts"]
        ]
        return cls(**{**data, "accounts": tuple(accounts)})

    def requests(self) -> Counter[str]:
        """Return how many requests each host has had; plex.tv is one of them."""
        records = self._control("requests")["requests"]
        return Counter(str(record["host"]) for record in records)

    def _control(self, path: str) -> dict[str, Any]:
        context = None
        if self.base_url.startswith("https"):
            context = ssl.create_default_context(cafile=self.ca_file)
        address = f"{self.base_url}/_simulator/{path}"
        with urlopen(address, context=context, timeout=60) as answer:
            found: dict[str, Any] = json.load(answer)
        return found


@contextmanager
def run_world(*options: str) -> Iterator[Path]:
    """Run a simulator for the time of the block; yield the file that describes it."""
    with TemporaryDirectory(prefix="plex-auth-bench-") as folder:
        file = Path(folder) / "world.json"
        with _running("world", [f"--ca-file={folder}/ca.pem", *options]) as line:
            file.write_text(line)
            yield file


@contextmanager
def run_replay(world: Path) -> Iterator[Path]:
    """Run what repeats a world's answers; yield the file that describes it."""
    file = world.with_name("replay.json")
    with _running("replay", [str(world)]) as line:
        file.write_text(line)
        yield file


@contextmanager
def _running(name: str, arguments: Sequence[str]) -> Iterator[str]:
    """Run a process for the time of the block; yield the line that it prints first."""
    command = [sys.executable, "-m", f"benchmarks.{name}", *arguments]
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            line = process.stdout.readline() if process.stdout else ""
            if not line:
                message = f"{name} did not start"
                raise RuntimeError(message)
            yield line
        finally:
            process.terminate()


def run_section(name: str, arguments: Sequence[str | Path]) -> Any:
    """Run a section in a fresh interpreter and return the figures that it prints.

    Python keeps byte code, as it does for Home Assistant, whatever it is told elsewhere;
    the first run of a section makes it.
    """
    command = [sys.executable, "-m", f"benchmarks.{name}", *map(str, arguments)]
    environment = {"PYTHONPYCACHEPREFIX": str(ROOT / ".cache/bench-pyc"), **os.environ}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    result = subprocess.run(
        command,
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return json.loads(result.stdout.splitlines()[-1])

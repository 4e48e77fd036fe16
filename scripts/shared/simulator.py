"""The Plex simulator as a process of its own."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
import json
from pathlib import Path
from typing import Any

from .environment import Environment
from .processes import running, wait_until
from .rest import Rest


@dataclass(frozen=True)
class Simulator:
    """A running simulator: its addresses, accounts and servers, and its controls."""

    description: dict[str, Any]

    @property
    def api_url(self) -> str:
        """Return the base address that it has instead of plex.tv's."""
        return str(self.description["api_url"])

    @property
    def control(self) -> Rest:
        """Return the requests that steer it."""
        return Rest(self.description["control_url"])

    @property
    def accounts(self) -> list[dict[str, Any]]:
        """Return the accounts with their passwords and what else there is to know."""
        accounts: list[dict[str, Any]] = self.description["accounts"]
        return accounts

    def account(self, username: str) -> dict[str, Any]:
        """Return an account with its password and what else there is to know of it."""
        return next(one for one in self.accounts if one["username"] == username)

    def server(self, name: str) -> dict[str, Any]:
        """Return a server's machine identifier, addresses and owner."""
        servers: list[dict[str, Any]] = self.description["servers"]
        return next(one for one in servers if one["name"] == name)

    def code(self, username: str) -> str:
        """Return the verification code that is right for an account now."""
        return str(self.control.get(f"/accounts/{username}/code")["code"])


@contextmanager
def run_simulator(
    environment: Environment, folder: Path, port: int
) -> Iterator[Simulator]:
    """Run the simulator with its demo accounts for the time of the block.

    Its output goes to a file in `folder`. Raises `Failure` when it does not start.
    """
    output = folder / "simulator.log"
    python = environment.program("python")
    command = [str(python), "-m", "tests.plex_simulator", "--port", str(port)]
    with running(command, environment, output) as process:
        wait_until(lambda: bool(_ready_line(output)), process, "the simulator", output)
        yield Simulator(json.loads(_ready_line(output)))


def _ready_line(output: Path) -> str:
    """Return the line of JSON that says it is ready, empty until it is complete."""
    lines = output.read_text().splitlines(keepends=True)
    return next((ln for ln in lines if ln.startswith("{") and ln.endswith("\n")), "")

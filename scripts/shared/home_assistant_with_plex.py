"""A real Home Assistant with a simulated Plex beside it."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from .environment import Environment
from .home_assistant import PASSWORD, USERNAME, HomeAssistant, Installation
from .modules import run_module
from .processes import usable_port
from .progress import step
from .simulator import Simulator, run_simulator


@dataclass(frozen=True)
class HomeAssistantWithPlex:
    """What is running; `result` is a file for what a module finds."""

    home_assistant: HomeAssistant
    simulator: Simulator
    result: Path

    def run_module(
        self, module: str, environment: Environment, **options: object
    ) -> int:
        """Run a module of the tests in an environment, and return its exit code.

        It finds a JSON of what there is and of the options on its standard input.
        """
        given = {
            **options,
            "url": self.home_assistant.url,
            "token": self.home_assistant.rest.token,
            "username": USERNAME,
            "password": PASSWORD,
            "simulator": self.simulator.description,
            "result": str(self.result),
        }
        return run_module(module, environment, given)


@contextmanager
def run_home_assistant_with_plex(
    environment: Environment, port: int = 0, plex_port: int = 0
) -> Iterator[HomeAssistantWithPlex]:
    """Run both for the time of the block; a port of 0 is any free one.

    Raises `Failure` when a port is in use or something does not start.
    """
    port = usable_port(port, "--port")
    plex_port = usable_port(plex_port, "--plex-port")
    with ExitStack() as running:
        folder = Path(
            running.enter_context(
                TemporaryDirectory(prefix="plex-auth-", ignore_cleanup_errors=True)
            )
        )
        with step("Starting the simulated Plex"):
            simulator = running.enter_context(
                run_simulator(environment, folder, plex_port)
            )
        with step("Starting Home Assistant"):
            home_assistant = running.enter_context(
                Installation(environment, folder, port).run()
            )
        yield HomeAssistantWithPlex(home_assistant, simulator, folder / "result.json")

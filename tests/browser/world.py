"""What the tour visits: Home Assistant's address and the simulated Plex."""

from dataclasses import dataclass
from typing import Any

from scripts.shared.simulator import Simulator


@dataclass(frozen=True)
class World:
    """Home Assistant with its user, and a description of the simulator."""

    url: str
    username: str
    password: str
    description: dict[str, Any]

    @property
    def simulator(self) -> Simulator:
        """Return the simulator and its controls."""
        return Simulator(self.description)

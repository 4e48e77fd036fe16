"""What the simulator's own tests share; Home Assistant has no part in them."""

from collections.abc import AsyncIterator

import pytest
import pytest_socket

from tests.plex_simulator import PlexSimulator

from .simulated_plex import CLIENT, SimulatedPlex


@pytest.fixture(autouse=True)
def use_this_integration(socket_enabled: None) -> None:
    """Let tests talk to loopback; replaces the fixture that starts Home Assistant."""
    pytest_socket.socket_allow_hosts(["127.0.0.1", "::1"])


@pytest.fixture(autouse=True)
def dns() -> None:
    """Replace the fixture that patches Home Assistant's name resolution."""


@pytest.fixture
async def plex() -> AsyncIterator[SimulatedPlex]:
    """Return a simulated Plex with two accounts and two servers."""
    async with PlexSimulator() as simulator:
        plex = SimulatedPlex(simulator)
        await plex.set_up()
        yield plex
        await plex.session.close()


@pytest.fixture
def token(plex: SimulatedPlex) -> str:
    """Return a token of Ben's."""
    return plex.ben.sign_in_token(CLIENT)

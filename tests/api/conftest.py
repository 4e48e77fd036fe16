"""What the client's tests share: a simulated Plex behind TLS, and transports to it."""

from collections.abc import AsyncIterator

from aiohttp import ClientSession
import pytest
import pytest_socket

from custom_components.plex_auth.api.plex_tv import PlexTv
from custom_components.plex_auth.api.transport import Transport
from tests.plex_simulator import PlexSimulator

from .population import IDENTITY, Population, Resolver, Scene, plex_session, populate


@pytest.fixture(autouse=True)
def use_this_integration(socket_enabled: None) -> None:
    """Let tests talk to loopback; replaces the fixture that starts Home Assistant."""


@pytest.fixture(autouse=True)
def dns() -> None:
    """Replace the fixture that patches Home Assistant's name resolution."""


@pytest.fixture(autouse=True)
def loopback() -> None:
    """Let tests connect to both loopback addresses and to nothing else."""
    pytest_socket.socket_allow_hosts(["127.0.0.1", "::1"])


@pytest.fixture
async def plex() -> AsyncIterator[PlexSimulator]:
    """Return a running simulator whose plex.tv takes TLS connections only."""
    async with PlexSimulator(https=True) as running:
        yield running


@pytest.fixture
async def population(plex: PlexSimulator) -> Population:
    """Return two accounts and three servers."""
    return await populate(plex)


@pytest.fixture
def resolver() -> Resolver:
    """Return the name resolution of the session, which a test may break."""
    return Resolver()


@pytest.fixture
async def session(
    plex: PlexSimulator, resolver: Resolver
) -> AsyncIterator[ClientSession]:
    """Return a session without cookies that trusts the simulator's authority."""
    async with plex_session(plex, resolver) as made:
        yield made


@pytest.fixture
def transport(session: ClientSession) -> Transport:
    """Return a transport to the simulator."""
    return Transport(session, IDENTITY)


@pytest.fixture
def account(plex: PlexSimulator, transport: Transport) -> PlexTv:
    """Return the calls of the simulated plex.tv."""
    return PlexTv(transport, plex.api_url)


@pytest.fixture
def scene(
    plex: PlexSimulator,
    population: Population,
    resolver: Resolver,
    session: ClientSession,
) -> Scene:
    """Return the client and whom it meets."""
    return Scene(plex, population, resolver, session)

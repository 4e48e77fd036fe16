"""A home over a day, a night, and an outage of plex.tv.

`test_homes` runs this module in namespaces of its own; its name keeps it from being run
elsewhere.
"""

from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack
import ssl
from unittest.mock import patch

import pytest
import pytest_socket

from custom_components.plex_auth.api.plex_tv import PLEX_TV_API
from homeassistant.core import HomeAssistant
from tests.helpers import async_settle
from tests.plex_simulator import PlexSimulator
from tests.repair_dialog import OpenRepair
from tests.short_timeouts import short_timeouts

from .homes import HOMES, Gets
from .lived_in import PLEX_TV_ADDRESS, LivedIn
from .network import Network

# Nothing on this machine takes that long, and the next rank begins later.
_TIMEOUT = 0.8


@pytest.fixture(scope="session")
def network() -> Network:
    """Return the network of the homes."""
    return Network()


@pytest.fixture(autouse=True)
def dns(disable_mock_zeroconf_resolver: None, mock_async_zeroconf: None) -> None:
    """Let Home Assistant resolve names as it does."""


@pytest.fixture
def expected_lingering_timers() -> bool:
    """Let TLS wait, after the end too, for a machine that does not answer any more."""
    return True


@pytest.fixture
def until_the_end() -> Iterator[ExitStack]:
    """Return what ends after Home Assistant: its time must not go back before."""
    with ExitStack() as stack:
        yield stack


@pytest.fixture(autouse=True)
def use_this_integration(
    until_the_end: ExitStack, enable_custom_integrations: None, socket_enabled: None
) -> None:
    """Let Home Assistant load custom integrations, and talk to all addresses."""
    pytest_socket._remove_restrictions()


@pytest.fixture
async def simulator(
    hass: HomeAssistant, network: Network, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[PlexSimulator]:
    """Return plex.tv at its own name and port."""
    network.give(PLEX_TV_ADDRESS)
    monkeypatch.setattr(PlexSimulator, "api_url", PLEX_TV_API)
    plex_tv = PlexSimulator(
        https=True, host=PLEX_TV_ADDRESS, port=443, notifications=False
    )
    context = ssl.create_default_context(cadata=plex_tv.ca_pem().decode())
    with (
        short_timeouts(_TIMEOUT),
        patch(
            "homeassistant.helpers.aiohttp_client.ssl_util.client_context",
            return_value=context,
        ),
    ):
        async with plex_tv:
            yield plex_tv


@pytest.fixture
async def lived_in(
    request: pytest.FixtureRequest,
    until_the_end: ExitStack,
    hass: HomeAssistant,
    simulator: PlexSimulator,
    network: Network,
) -> AsyncIterator[LivedIn]:
    """Return a home that somebody has just moved in to."""
    lived_in = LivedIn(hass, simulator, network, request.param)
    try:
        await lived_in.move_in(until_the_end)
        if request.param.typed is not None:
            error = await lived_in.change_server(request.param.typed)
            assert error == request.param.typed_error
        yield lived_in
    finally:
        await lived_in.move_out()


_each_home = pytest.mark.parametrize(
    "lived_in", HOMES, ids=[home.name for home in HOMES], indirect=True
)


@_each_home
async def test_day(lived_in: LivedIn, open_repair: OpenRepair) -> None:
    """The user gets what is right, and the repair offers what works."""
    gets = lived_in.home.gets
    connection = await lived_in.connection()
    await lived_in.day()
    repair = None
    assert lived_in.issues <= {"server_not_reached"}
    if lived_in.issues:
        dialog = await open_repair(
            lived_in.entry, lived_in.server, "server_not_reached"
        )
        given = dialog.result["description_placeholders"]
        step = dialog.result["step_id"]
        repair = given["url"] if step == "confirm" else step
    tokens = lived_in.tokens
    assert Gets(connection=connection, repair=repair, tokens=tokens) == gets
    if repair not in (None, "address"):
        await dialog.submit()
        await async_settle(lived_in.hass)
        scheme = repair.partition(":")[0]
        assert await lived_in.connection() == f"custom {scheme}"
        assert not lived_in.issues


@_each_home
async def test_night(lived_in: LivedIn) -> None:
    """The server is switched off for a night: there is nothing to repair."""
    await lived_in.switch_off()
    await lived_in.wait(minutes=18)
    assert lived_in.issues <= lived_in.repairs_of_the_day
    await lived_in.wait(hours=8)
    assert not lived_in.issues


@_each_home
async def test_plex_tv_away(lived_in: LivedIn) -> None:
    """Plex.tv is away for hours, then all of the internet: there is nothing to repair."""
    lived_in.silence_plex_tv()
    await lived_in.wait(minutes=18)
    assert lived_in.issues <= lived_in.repairs_of_the_day
    lived_in.silence_internet()
    for minutes in (18, 180):
        await lived_in.wait(minutes=minutes)
        assert lived_in.issues <= lived_in.repairs_of_the_day

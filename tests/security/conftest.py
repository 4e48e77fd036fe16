"""A Home Assistant with everything on that shows or keeps something, under audit."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from functools import partial
from pathlib import Path

import pytest
from pytest_homeassistant_custom_component.typing import (
    ClientSessionGenerator,
    RecorderInstanceContextManager,
    WebSocketGenerator,
)

from custom_components.plex_auth.api import claim
from custom_components.plex_auth.flows import link
from homeassistant.core import HomeAssistant
from homeassistant.setup import async_setup_component
from tests.plex_simulator import PlexSimulator
from tests.plex_simulator.worlds import DemoWorld
from tests.walks.rest import Api

from .audited_user import AuditedUser, mark
from .leak_audit import Audit
from .leaks import Place

COMPONENTS = "api config diagnostics repairs system_health websocket_api"


@pytest.fixture
def audit() -> Iterator[Audit]:
    """Return an audit that hears every logger at debug."""
    audit = Audit()
    with audit.log_everything():
        yield audit


@pytest.fixture
def mock_recorder_before_hass(
    async_test_recorder: RecorderInstanceContextManager,
) -> None:
    """Make the recorder ready before Home Assistant is."""


@pytest.fixture
async def watched(
    hass: HomeAssistant,
    audit: Audit,
    async_test_recorder: RecorderInstanceContextManager,
) -> AsyncIterator[HomeAssistant]:
    """Return Home Assistant with a recorder; the audit hears its log and events.

    The event loop reports each callback, as it does in debug mode with slow ones.
    """
    async with async_test_recorder(hass, {}):
        audit.listen(hass)
        loop = asyncio.get_running_loop()
        before = loop.slow_callback_duration
        loop.slow_callback_duration = 0
        yield hass
        loop.slow_callback_duration = before


@pytest.fixture
async def user(
    watched: HomeAssistant,
    simulator: PlexSimulator,
    world: DemoWorld,
    audit: Audit,
    hass_client: ClientSessionGenerator,
    hass_ws_client: WebSocketGenerator,
    monkeypatch: pytest.MonkeyPatch,
) -> AuditedUser:
    """Return what walks through everything, as a person with admin rights."""
    for component in COMPONENTS.split():
        assert await async_setup_component(watched, component, {})
    mark(simulator, world, monkeypatch)
    for server in simulator.servers.values():
        server.notifications.allowed = True
    monkeypatch.setattr(link, "POLL_SECONDS", 0.005)
    monkeypatch.setattr(claim, "_PAUSE", 0.0)
    monkeypatch.setattr(claim, "_LOOKS", 2)
    return AuditedUser(
        hass=watched,
        api=Api(await hass_client(), partial(audit.add, Place.FLOW)),
        websocket=await hass_ws_client(watched),
        simulator=simulator,
        world=world,
        audit=audit,
    )


@pytest.fixture
def database(recorder_db_url: str) -> Path:
    """Return the file of the recorder's database."""
    return Path(recorder_db_url.removeprefix("sqlite:///"))

"""The event entity of servers: what becomes of transient tokens."""

from datetime import timedelta
from unittest.mock import patch

from freezegun.api import FrozenDateTimeFactory
import pytest
from pytest_homeassistant_custom_component.common import (
    async_capture_events,
    snapshot_platform,
)
from syrupy.assertion import SnapshotAssertion

from custom_components.plex_auth.api.models import TransientToken
from custom_components.plex_auth.api.server import PlexServer
from custom_components.plex_auth.transient_tokens import async_issued_token
from homeassistant.const import STATE_UNAVAILABLE, STATE_UNKNOWN, Platform
from homeassistant.core import Event, EventStateChangedData, HomeAssistant
from homeassistant.helpers import entity_registry as er

from .helpers import (
    async_add_account,
    async_fixed_world,
    async_get_transient_token,
    async_pass,
    async_settle,
    entity_id_of,
    entity_of,
    state_of,
    subentry_of,
)
from .plex_simulator import PlexSimulator
from .plex_simulator.worlds import DemoWorld

NAME = "event.transient_token"
POLL = timedelta(minutes=5)


@pytest.mark.parametrize("kind", ["plex_pass", "free", "managed"])
async def test_events(
    hass: HomeAssistant,
    simulator: PlexSimulator,
    freezer: FrozenDateTimeFactory,
    entity_registry: er.EntityRegistry,
    snapshot: SnapshotAssertion,
    kind: str,
) -> None:
    """The event entity of each server is as the snapshot shows it."""
    freezer.move_to("2026-11-24 12:00:00+00:00")
    world = await async_fixed_world(simulator)
    servers = [world.attic, world.cellar] if kind == "plex_pass" else [world.attic]
    with patch("custom_components.plex_auth.PLATFORMS", [Platform.EVENT]):
        entry = await async_add_account(hass, simulator, getattr(world, kind), servers)
        await async_get_transient_token(hass, entry, world.attic)
        await snapshot_platform(hass, entity_registry, snapshot, entry.entry_id)


async def test_life_of_a_token(
    hass: HomeAssistant,
    simulator: PlexSimulator,
    world: DemoWorld,
    freezer: FrozenDateTimeFactory,
) -> None:
    """A token is issued, and expires after 48 hours."""
    anna, server = world.two_factor, world.living_room
    entry = await async_add_account(hass, simulator, anna, [server])
    assert state_of(hass, NAME, anna, server) == STATE_UNKNOWN
    await async_get_transient_token(hass, entry, server)
    issued = entity_of(hass, NAME, anna, server)
    assert issued.attributes["event_type"] == "issued"
    await async_pass(hass, freezer, timedelta(hours=47))
    assert entity_of(hass, NAME, anna, server).state == issued.state
    await async_pass(hass, freezer, timedelta(hours=1))
    expired = entity_of(hass, NAME, anna, server)
    assert expired.attributes["event_type"] == "expired"
    assert expired.state > issued.state


async def test_restart_destroys_the_token(
    hass: HomeAssistant,
    simulator: PlexSimulator,
    world: DemoWorld,
    freezer: FrozenDateTimeFactory,
) -> None:
    """A token is destroyed by the server's restart, told within one poll and once."""
    anna, server = world.two_factor, world.living_room
    entry = await async_add_account(hass, simulator, anna, [server])
    token = await async_get_transient_token(hass, entry, server)
    await async_pass(hass, freezer, POLL)
    assert entity_of(hass, NAME, anna, server).attributes["event_type"] == "issued"
    await server.restart()
    assert not server.accepts_transient_token(token)
    await async_pass(hass, freezer, POLL)
    destroyed = entity_of(hass, NAME, anna, server)
    assert destroyed.attributes["event_type"] == "destroyed"
    await async_pass(hass, freezer, timedelta(hours=48))
    assert entity_of(hass, NAME, anna, server).state == destroyed.state


async def test_each_token_that_is_issued_counts(
    hass: HomeAssistant,
    simulator: PlexSimulator,
    world: DemoWorld,
    freezer: FrozenDateTimeFactory,
) -> None:
    """Each token issued is an event; only the last one's end is."""
    anna, server = world.two_factor, world.living_room
    entry = await async_add_account(hass, simulator, anna, [server])
    events: list[Event[EventStateChangedData]] = async_capture_events(
        hass, "state_changed"
    )
    for _ in range(3):
        freezer.tick(timedelta(hours=1))
        await async_get_transient_token(hass, entry, server)
    await async_pass(hass, freezer, timedelta(hours=47))
    await async_pass(hass, freezer, timedelta(hours=1))
    entity_id = entity_id_of(hass, NAME, anna, server)
    assert [
        event.data["new_state"].attributes["event_type"]
        for event in events
        if event.data["entity_id"] == entity_id and event.data["new_state"] is not None
    ] == ["issued", "issued", "issued", "expired"]


async def test_server_that_is_away(
    hass: HomeAssistant,
    simulator: PlexSimulator,
    world: DemoWorld,
    freezer: FrozenDateTimeFactory,
) -> None:
    """What happened stays true while the server is away; the rest comes after."""
    anna, server = world.two_factor, world.living_room
    entry = await async_add_account(hass, simulator, anna, [server])
    await async_get_transient_token(hass, entry, server)
    await server.stop()
    await async_pass(hass, freezer, POLL)
    assert state_of(hass, NAME, anna, server) != STATE_UNAVAILABLE
    assert entity_of(hass, NAME, anna, server).attributes["event_type"] == "issued"
    await server.start()
    await async_pass(hass, freezer, POLL)
    assert entity_of(hass, NAME, anna, server).attributes["event_type"] == "destroyed"


async def test_restart_during_a_reload(
    hass: HomeAssistant,
    simulator: PlexSimulator,
    world: DemoWorld,
    freezer: FrozenDateTimeFactory,
) -> None:
    """A token that ended while the entry was not loaded is told of afterwards."""
    anna, server = world.two_factor, world.living_room
    entry = await async_add_account(hass, simulator, anna, [server])
    await async_get_transient_token(hass, entry, server)
    await hass.config_entries.async_unload(entry.entry_id)
    await server.restart()
    freezer.tick(1)
    await hass.config_entries.async_setup(entry.entry_id)
    await async_pass(hass, freezer, POLL)
    assert entity_of(hass, NAME, anna, server).attributes["event_type"] == "destroyed"


@pytest.mark.parametrize("way", ["reload", "remove"])
async def test_token_that_comes_after_a_reload(
    hass: HomeAssistant,
    simulator: PlexSimulator,
    world: DemoWorld,
    freezer: FrozenDateTimeFactory,
    way: str,
) -> None:
    """A token asked for before a reload has its whole life after it."""
    anna, server = world.two_factor, world.living_room
    entry = await async_add_account(hass, simulator, anna, [server])
    subentry_id = subentry_of(entry, server).subentry_id
    ask = PlexServer.transient_token

    async def reload_meanwhile(plex: PlexServer, token: str) -> TransientToken:
        issued = await ask(plex, token)
        if way == "remove":
            hass.config_entries.async_remove_subentry(entry, subentry_id)
        await hass.config_entries.async_reload(entry.entry_id)
        return issued

    with patch.object(PlexServer, "transient_token", reload_meanwhile):
        await async_get_transient_token(hass, entry, server)
    await async_settle(hass)
    if way == "remove":
        assert async_issued_token(hass, subentry_id).token is None
        return
    assert entity_of(hass, NAME, anna, server).attributes["event_type"] == "issued"
    await async_pass(hass, freezer, timedelta(hours=48, seconds=1))
    assert entity_of(hass, NAME, anna, server).attributes["event_type"] == "expired"


async def test_events_carry_no_token(
    hass: HomeAssistant, simulator: PlexSimulator, world: DemoWorld
) -> None:
    """An event says when and what, and nothing of the token."""
    anna, server = world.two_factor, world.living_room
    entry = await async_add_account(hass, simulator, anna, [server])
    token = await async_get_transient_token(hass, entry, server)
    attributes = entity_of(hass, NAME, anna, server).attributes
    assert token not in str(attributes)
    assert set(attributes) == {"event_type", "event_types", "friendly_name"}


async def test_tokens_of_two_accounts(
    hass: HomeAssistant, simulator: PlexSimulator, world: DemoWorld
) -> None:
    """A token that one account gets is no event of another one at the same server."""
    server = world.living_room
    entry = await async_add_account(hass, simulator, world.two_factor, [server])
    await async_add_account(hass, simulator, world.free, [server])
    await async_get_transient_token(hass, entry, server)
    assert state_of(hass, NAME, world.two_factor, server) != STATE_UNKNOWN
    assert state_of(hass, NAME, world.free, server) == STATE_UNKNOWN

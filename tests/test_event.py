"""The event entity of servers: what becomes of transient tokens."""

from datetime import timedelta
from unittest.mock import patch

from freezegun.api import FrozenDateTimeFactory
import pytest
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
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

from .fixed_world import NOON, async_add_kind
from .helpers import async_get_transient_token, subentry_of
from .home import Home
from .plex_simulator import PlexSimulator

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
    freezer.move_to(NOON)
    entry = await async_add_kind(hass, simulator, Platform.EVENT, kind)
    attic = next(iter(simulator.servers.values()))
    await async_get_transient_token(hass, entry, attic)
    await snapshot_platform(hass, entity_registry, snapshot, entry.entry_id)


async def test_life_of_a_token(
    home: Home, freezer: FrozenDateTimeFactory, entry: MockConfigEntry
) -> None:
    """A token is issued, and expires after 48 hours."""
    assert home.state(NAME) == STATE_UNKNOWN
    await home.transient_token()
    issued = home.entity(NAME)
    assert issued.attributes["event_type"] == "issued"
    await home.wait(freezer, timedelta(hours=47))
    assert home.entity(NAME).state == issued.state
    await home.wait(freezer, timedelta(hours=1))
    expired = home.entity(NAME)
    assert expired.attributes["event_type"] == "expired"
    assert expired.state > issued.state


async def test_restart_destroys_the_token(
    home: Home, freezer: FrozenDateTimeFactory, entry: MockConfigEntry
) -> None:
    """A token is destroyed by the server's restart, told within one poll and once."""
    token = await home.transient_token()
    await home.wait(freezer, POLL)
    assert home.entity(NAME).attributes["event_type"] == "issued"
    await home.server.restart()
    assert not home.server.accepts_transient_token(token)
    await home.wait(freezer, POLL)
    destroyed = home.entity(NAME)
    assert destroyed.attributes["event_type"] == "destroyed"
    await home.wait(freezer, timedelta(hours=48))
    assert home.entity(NAME).state == destroyed.state


async def test_each_token_that_is_issued_counts(
    home: Home, freezer: FrozenDateTimeFactory, entry: MockConfigEntry
) -> None:
    """Each token issued is an event; only the last one's end is."""
    events: list[Event[EventStateChangedData]] = async_capture_events(
        home.hass, "state_changed"
    )
    for _ in range(3):
        freezer.tick(timedelta(hours=1))
        await home.transient_token()
    await home.wait(freezer, timedelta(hours=47))
    await home.wait(freezer, timedelta(hours=1))
    entity_id = home.entity_id(NAME)
    assert [
        event.data["new_state"].attributes["event_type"]
        for event in events
        if event.data["entity_id"] == entity_id and event.data["new_state"] is not None
    ] == ["issued", "issued", "issued", "expired"]


async def test_server_that_is_away(
    home: Home, freezer: FrozenDateTimeFactory, entry: MockConfigEntry
) -> None:
    """What happened stays true while the server is away; the rest comes after."""
    await home.transient_token()
    await home.server.stop()
    await home.wait(freezer, POLL)
    assert home.state(NAME) != STATE_UNAVAILABLE
    assert home.entity(NAME).attributes["event_type"] == "issued"
    await home.server.start()
    await home.wait(freezer, POLL)
    assert home.entity(NAME).attributes["event_type"] == "destroyed"


async def test_restart_during_a_reload(
    home: Home, freezer: FrozenDateTimeFactory, entry: MockConfigEntry
) -> None:
    """A token that ended while the entry was not loaded is told of afterwards."""
    await home.transient_token()
    await home.hass.config_entries.async_unload(entry.entry_id)
    await home.server.restart()
    freezer.tick(1)
    await home.hass.config_entries.async_setup(entry.entry_id)
    await home.wait(freezer, POLL)
    assert home.entity(NAME).attributes["event_type"] == "destroyed"


@pytest.mark.parametrize("way", ["reload", "remove"])
async def test_token_that_comes_after_a_reload(
    home: Home, freezer: FrozenDateTimeFactory, entry: MockConfigEntry, way: str
) -> None:
    """A token asked for before a reload has its whole life after it."""
    subentry_id = subentry_of(entry, home.server).subentry_id
    ask = PlexServer.transient_token

    async def reload_meanwhile(plex: PlexServer, token: str) -> TransientToken:
        issued = await ask(plex, token)
        if way == "remove":
            home.hass.config_entries.async_remove_subentry(entry, subentry_id)
        await home.hass.config_entries.async_reload(entry.entry_id)
        return issued

    with patch.object(PlexServer, "transient_token", reload_meanwhile):
        await home.transient_token()
    await home.settle()
    if way == "remove":
        assert async_issued_token(home.hass, subentry_id).token is None
        return
    assert home.entity(NAME).attributes["event_type"] == "issued"
    await home.wait(freezer, timedelta(hours=48, seconds=1))
    assert home.entity(NAME).attributes["event_type"] == "expired"


@pytest.mark.usefixtures("entry")
async def test_events_carry_no_token(home: Home) -> None:
    """An event says when and what, and nothing of the token."""
    token = await home.transient_token()
    attributes = home.entity(NAME).attributes
    assert token not in str(attributes)
    assert set(attributes) == {"event_type", "event_types", "friendly_name"}


@pytest.mark.usefixtures("entry")
async def test_tokens_of_two_accounts(home: Home) -> None:
    """A token that one account gets is no event of another one at the same server."""
    await home.add(home.ben, home.server)
    await home.transient_token()
    assert home.state(NAME) != STATE_UNKNOWN
    assert home.state(NAME, home.ben) == STATE_UNKNOWN

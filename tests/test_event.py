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

from .harness import NOON, Harness, async_add_kind
from .helpers import async_get_transient_token, subentry_of
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
    harness: Harness, freezer: FrozenDateTimeFactory, entry: MockConfigEntry
) -> None:
    """A token is issued, and expires after 48 hours."""
    assert harness.state(NAME) == STATE_UNKNOWN
    await harness.transient_token()
    issued = harness.entity(NAME)
    assert issued.attributes["event_type"] == "issued"
    await harness.wait(freezer, timedelta(hours=47))
    assert harness.entity(NAME).state == issued.state
    await harness.wait(freezer, timedelta(hours=1))
    expired = harness.entity(NAME)
    assert expired.attributes["event_type"] == "expired"
    assert expired.state > issued.state


async def test_restart_destroys_the_token(
    harness: Harness, freezer: FrozenDateTimeFactory, entry: MockConfigEntry
) -> None:
    """A token is destroyed by the server's restart, told within one poll and once."""
    token = await harness.transient_token()
    await harness.wait(freezer, POLL)
    assert harness.entity(NAME).attributes["event_type"] == "issued"
    await harness.server.restart()
    assert not harness.server.accepts_transient_token(token)
    await harness.wait(freezer, POLL)
    destroyed = harness.entity(NAME)
    assert destroyed.attributes["event_type"] == "destroyed"
    await harness.wait(freezer, timedelta(hours=48))
    assert harness.entity(NAME).state == destroyed.state


async def test_each_token_that_is_issued_counts(
    harness: Harness, freezer: FrozenDateTimeFactory, entry: MockConfigEntry
) -> None:
    """Each token issued is an event; only the last one's end is."""
    events: list[Event[EventStateChangedData]] = async_capture_events(
        harness.hass, "state_changed"
    )
    for _ in range(3):
        freezer.tick(timedelta(hours=1))
        await harness.transient_token()
    await harness.wait(freezer, timedelta(hours=47))
    await harness.wait(freezer, timedelta(hours=1))
    entity_id = harness.entity_id(NAME)
    assert [
        event.data["new_state"].attributes["event_type"]
        for event in events
        if event.data["entity_id"] == entity_id and event.data["new_state"] is not None
    ] == ["issued", "issued", "issued", "expired"]


async def test_server_that_is_away(
    harness: Harness, freezer: FrozenDateTimeFactory, entry: MockConfigEntry
) -> None:
    """What happened stays true while the server is away; the rest comes after."""
    await harness.transient_token()
    await harness.server.stop()
    await harness.wait(freezer, POLL)
    assert harness.state(NAME) != STATE_UNAVAILABLE
    assert harness.entity(NAME).attributes["event_type"] == "issued"
    await harness.server.start()
    await harness.wait(freezer, POLL)
    assert harness.entity(NAME).attributes["event_type"] == "destroyed"


async def test_restart_during_a_reload(
    harness: Harness, freezer: FrozenDateTimeFactory, entry: MockConfigEntry
) -> None:
    """A token that ended while the entry was not loaded is told of afterwards."""
    await harness.transient_token()
    await harness.hass.config_entries.async_unload(entry.entry_id)
    await harness.server.restart()
    freezer.tick(1)
    await harness.hass.config_entries.async_setup(entry.entry_id)
    await harness.wait(freezer, POLL)
    assert harness.entity(NAME).attributes["event_type"] == "destroyed"


@pytest.mark.parametrize("way", ["reload", "remove"])
async def test_token_that_comes_after_a_reload(
    harness: Harness, freezer: FrozenDateTimeFactory, entry: MockConfigEntry, way: str
) -> None:
    """A token asked for before a reload has its whole life after it."""
    subentry_id = subentry_of(entry, harness.server).subentry_id
    ask = PlexServer.transient_token

    async def reload_meanwhile(plex: PlexServer, token: str) -> TransientToken:
        issued = await ask(plex, token)
        if way == "remove":
            harness.hass.config_entries.async_remove_subentry(entry, subentry_id)
        await harness.hass.config_entries.async_reload(entry.entry_id)
        return issued

    with patch.object(PlexServer, "transient_token", reload_meanwhile):
        await harness.transient_token()
    await harness.settle()
    if way == "remove":
        assert async_issued_token(harness.hass, subentry_id).token is None
        return
    assert harness.entity(NAME).attributes["event_type"] == "issued"
    await harness.wait(freezer, timedelta(hours=48, seconds=1))
    assert harness.entity(NAME).attributes["event_type"] == "expired"


@pytest.mark.usefixtures("entry")
async def test_events_carry_no_token(harness: Harness) -> None:
    """An event says when and what, and nothing of the token."""
    token = await harness.transient_token()
    attributes = harness.entity(NAME).attributes
    assert token not in str(attributes)
    assert set(attributes) == {"event_type", "event_types", "friendly_name"}


@pytest.mark.usefixtures("entry")
async def test_tokens_of_two_accounts(harness: Harness) -> None:
    """A token that one account gets is no event of another one at the same server."""
    await harness.add(harness.ben, harness.server)
    await harness.transient_token()
    assert harness.state(NAME) != STATE_UNKNOWN
    assert harness.state(NAME, harness.ben) == STATE_UNKNOWN


async def test_whose_token_it_is(
    harness: Harness, freezer: FrozenDateTimeFactory, entry: MockConfigEntry
) -> None:
    """Each event of a Home user's token names the user, also after a reload."""
    child = harness.world.home.child
    await harness.add_home_user(entry, child)
    device = harness.home_user_device(child)
    response = await harness.call("get_transient_token", home_user=device)
    issued = harness.entity(NAME)
    assert issued.attributes["event_type"] == "issued"
    assert issued.attributes["home_user"] == "Lina"
    assert response["token"] not in str(issued.as_dict())
    await harness.reload(entry)
    await harness.server.restart()
    await harness.wait(freezer, POLL)
    destroyed = harness.entity(NAME)
    assert destroyed.attributes["event_type"] == "destroyed"
    assert destroyed.attributes["home_user"] == "Lina"
    await harness.transient_token()
    assert "home_user" not in harness.entity(NAME).attributes


async def test_user_who_is_removed_keeps_the_name(
    harness: Harness, freezer: FrozenDateTimeFactory, entry: MockConfigEntry
) -> None:
    """A token outlives the Home user at the server, and so does its event."""
    child = harness.world.home.child
    await harness.add_home_user(entry, child)
    await harness.call("get_transient_token", home_user=harness.home_user_device(child))
    await harness.remove(entry, child)
    for _ in range(2):
        await harness.wait(freezer, timedelta(hours=24))
    expired = harness.entity(NAME)
    assert expired.attributes["event_type"] == "expired"
    assert expired.attributes["home_user"] == "Lina"

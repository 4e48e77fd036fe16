"""Changes touch only what changed, at any time, set-up included."""

from datetime import timedelta
import logging

from freezegun.api import FrozenDateTimeFactory
import pytest
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    async_capture_events,
    async_fire_time_changed,
)

from custom_components.plex_auth.const import CONF_SOURCES
from custom_components.plex_auth.transient_tokens import async_issued_token
from homeassistant.config_entries import SOURCE_USER, ConfigEntryState
from homeassistant.const import EVENT_STATE_CHANGED, STATE_UNAVAILABLE
from homeassistant.core import Event, EventStateChangedData
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.helpers import device_registry as dr
from homeassistant.util import dt as dt_util
from tests.harness import Harness
from tests.helpers import (
    async_arrival,
    device_of,
    server_coordinator,
    source_of,
    subentry_of,
)
from tests.plex_simulator import Fault, MediaServer

POLL = timedelta(minutes=5, seconds=1)
HOUR = timedelta(hours=1, seconds=1)


def changed(
    events: list[Event[EventStateChangedData]], server: MediaServer
) -> set[str]:
    """Return the entities that changed, but for those of a server."""
    name = server.name.lower().replace(" ", "_").replace("'", "")
    return {
        event.data["entity_id"]
        for event in events
        if not event.data["entity_id"].partition(".")[2].startswith(name)
    }


def complaints(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return what has been logged with a traceback, but for what helps to debug."""
    return [
        record.message
        for record in caplog.records
        if record.levelno > logging.DEBUG and record.exc_info
    ]


@pytest.fixture
async def both(harness: Harness) -> MockConfigEntry:
    """Return Anna's entry with two servers, the first with a transient token."""
    entry = await harness.add(harness.anna, harness.server, harness.world.basement)
    await harness.transient_token()
    await harness.settle()
    return entry


async def reload_slowly(
    harness: Harness, entry: MockConfigEntry, server: MediaServer
) -> None:
    """Begin a reload that a slow server holds up."""
    server.faults.set("identity", Fault.delay(1), times=1)
    harness.simulator.requests.clear()
    harness.hass.config_entries.async_schedule_reload(entry.entry_id)
    await async_arrival(harness.simulator, "identity")
    assert entry.state is ConfigEntryState.SETUP_IN_PROGRESS


async def test_added_server_touches_nothing_else(
    harness: Harness, entry: MockConfigEntry
) -> None:
    """A server comes with device and entities; nothing else changes nor is asked."""
    basement = harness.world.basement
    await harness.transient_token()
    await harness.settle()
    harness.asked()
    events = async_capture_events(harness.hass, EVENT_STATE_CHANGED)
    harness.add_server(entry, basement)
    await harness.settle()
    assert harness.state("binary_sensor.reachable", basement) == "on"
    assert device_of(harness.hass, entry, basement).name == "Basement"
    assert not changed(events, basement)
    assert {request.host for request in harness.simulator.requests} == {
        basement.machine_identifier
    }


async def test_changed_server_touches_nothing_else(
    harness: Harness, both: MockConfigEntry
) -> None:
    """A changed address and other sources are taken over by their server alone."""
    basement = harness.world.basement
    events = async_capture_events(harness.hass, EVENT_STATE_CHANGED)
    source = source_of(harness.server)
    harness.change_server(both, basement, url=basement.http_url, verify_ssl=False)
    await harness.settle()
    assert harness.state("sensor.connection", basement) == "custom"
    harness.change_server(both, basement, **{CONF_SOURCES: [source]})
    await harness.settle()
    assert harness.state(f"sensor.source_{source}", basement) == "local"
    harness.change_server(both, basement, **{CONF_SOURCES: []})
    await harness.settle()
    with pytest.raises(AssertionError, match="source_"):
        harness.entity_id(f"sensor.source_{source}", basement)
    assert not changed(events, basement)


async def test_changed_server_stays_available(
    harness: Harness, both: MockConfigEntry
) -> None:
    """The entities of a server whose sources change stay as they are."""
    events = async_capture_events(harness.hass, EVENT_STATE_CHANGED)
    harness.change_server(
        both, harness.server, **{CONF_SOURCES: [source_of(harness.world.basement)]}
    )
    await harness.settle()
    reachable = harness.entity_id("binary_sensor.reachable")
    assert reachable not in {event.data["entity_id"] for event in events}


async def test_removed_server_touches_nothing_else(
    harness: Harness, both: MockConfigEntry
) -> None:
    """A server goes with all it had; nothing else changes."""
    basement = harness.world.basement
    events = async_capture_events(harness.hass, EVENT_STATE_CHANGED)
    await harness.remove(both, basement)
    assert not changed(events, basement)
    assert list(both.runtime_data.servers) == [
        subentry_of(both, harness.server).subentry_id
    ]


async def test_no_event_is_told_twice(
    harness: Harness, freezer: FrozenDateTimeFactory, entry: MockConfigEntry
) -> None:
    """What happened to a token is not news again when a server comes, changes or goes."""
    await harness.transient_token()
    await harness.server.restart()
    await harness.wait(freezer, POLL)
    told = harness.entity("event.transient_token")
    assert told.attributes["event_type"] == "destroyed"
    harness.add_server(entry, harness.world.basement)
    await harness.settle()
    harness.change_server(
        entry, harness.server, **{CONF_SOURCES: [source_of(harness.world.basement)]}
    )
    await harness.settle()
    await harness.remove(entry, harness.world.basement)
    assert harness.entity("event.transient_token") is told


async def test_removed_server_is_polled_no_more(
    harness: Harness, freezer: FrozenDateTimeFactory, both: MockConfigEntry
) -> None:
    """Nobody asks a server that was removed."""
    await harness.remove(both, harness.server)
    harness.asked()
    await harness.wait(freezer, POLL)
    assert not harness.simulator.requests_to(
        "identity", harness.server.machine_identifier
    )
    assert harness.simulator.requests_to("identity")


async def test_two_servers_removed_one_after_another(
    harness: Harness, caplog: pytest.LogCaptureFixture
) -> None:
    """Servers removed in the same moment leave nothing behind."""
    hugo = harness.world.three_servers
    servers = [one for one in harness.simulator.servers.values() if one.owner is hugo]
    entry = await harness.add(hugo, *servers)
    first, second, third = (subentry_of(entry, one) for one in servers)
    await harness.transient_token(servers[1], hugo)
    for gone in (first, second):
        harness.hass.config_entries.async_remove_subentry(entry, gone.subentry_id)
    await harness.settle()
    assert list(entry.runtime_data.servers) == [third.subentry_id]
    assert async_issued_token(harness.hass, second.subentry_id).token is None
    assert not complaints(caplog)


async def test_server_removed_during_set_up(
    harness: Harness, both: MockConfigEntry, caplog: pytest.LogCaptureFixture
) -> None:
    """A server removed while its account is set up leaves nothing behind."""
    subentry_id = subentry_of(both, harness.server).subentry_id
    await reload_slowly(harness, both, harness.world.basement)
    await harness.remove(both, harness.server)
    assert both.state is ConfigEntryState.LOADED
    assert subentry_id not in both.runtime_data.servers
    assert async_issued_token(harness.hass, subentry_id).token is None
    devices = dr.async_entries_for_config_entry(
        dr.async_get(harness.hass), both.entry_id
    )
    assert {device.name for device in devices} == {"Anna", "Basement"}
    with pytest.raises(AssertionError, match="reachable"):
        harness.entity_id("binary_sensor.reachable")
    assert not complaints(caplog)
    assert await harness.hass.config_entries.async_reload(both.entry_id)


async def test_server_changed_during_set_up(
    harness: Harness, both: MockConfigEntry
) -> None:
    """An address that changes while the account is set up is used."""
    basement = harness.world.basement
    await reload_slowly(harness, both, basement)
    harness.change_server(both, basement, url=basement.http_url, verify_ssl=False)
    await harness.settle()
    assert harness.state("sensor.connection", basement) == "custom"


async def test_sources_changed_during_set_up(
    harness: Harness, both: MockConfigEntry
) -> None:
    """Sources that are chosen while the account is set up are watched."""
    await reload_slowly(harness, both, harness.world.basement)
    source = source_of(harness.server)
    harness.change_server(both, harness.world.basement, **{CONF_SOURCES: [source]})
    await harness.settle()
    assert harness.state(f"sensor.source_{source}", harness.world.basement) == "local"


async def test_server_added_during_set_up(
    harness: Harness, entry: MockConfigEntry
) -> None:
    """A server that a dialog adds while the account is reloaded gets its entities."""
    foreign = await harness.simulator.add_server("Foreign", harness.world.yearly)
    typed = {
        "url": foreign.http_url,
        "verify_ssl": True,
        "token": foreign.access_token_for(harness.world.yearly),
    }
    flows = harness.hass.config_entries.subentries
    result = await flows.async_init(
        (entry.entry_id, "server"), context={"source": SOURCE_USER}
    )
    result = await flows.async_configure(result["flow_id"], {"next_step_id": "address"})
    foreign.faults.set("root", Fault.delay(0.5), times=1)
    submitted = harness.hass.async_create_task(
        flows.async_configure(result["flow_id"], typed)
    )
    await async_arrival(harness.simulator, "root")
    await reload_slowly(harness, entry, harness.server)
    result = await submitted
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert entry.state is ConfigEntryState.SETUP_IN_PROGRESS
    await harness.settle()
    subentry_id = subentry_of(entry, foreign).subentry_id
    assert entry.runtime_data.servers[subentry_id].last_update_success
    assert harness.state("binary_sensor.reachable", foreign) == "on"


async def test_token_issued_during_set_up(
    harness: Harness, entry: MockConfigEntry
) -> None:
    """A token that comes while the account is set up has its event and its end."""
    harness.server.faults.set("security_token", Fault.delay(0.3), times=1)
    action = harness.hass.async_create_task(harness.transient_token())
    await async_arrival(harness.simulator, "security_token")
    await reload_slowly(harness, entry, harness.server)
    await action
    assert entry.state is ConfigEntryState.SETUP_IN_PROGRESS
    await harness.settle()
    assert harness.entity("event.transient_token").attributes["event_type"] == "issued"
    assert harness.state("sensor.transient_token_expires") not in (
        "unknown",
        STATE_UNAVAILABLE,
    )
    async_fire_time_changed(harness.hass, dt_util.utcnow() + timedelta(hours=48))
    await harness.settle()
    assert harness.entity("event.transient_token").attributes["event_type"] == "expired"


async def test_server_added_while_it_is_down(
    harness: Harness, freezer: FrozenDateTimeFactory, entry: MockConfigEntry
) -> None:
    """A server that does not answer when it is added comes by itself."""
    basement = harness.world.basement
    await basement.stop()
    harness.add_server(entry, basement)
    await harness.settle()
    assert harness.state("binary_sensor.reachable", basement) == "off"
    await basement.start()
    await harness.wait(freezer, POLL)
    assert harness.state("binary_sensor.reachable", basement) == "on"


async def test_version_of_the_device_follows(
    harness: Harness, freezer: FrozenDateTimeFactory, entry: MockConfigEntry
) -> None:
    """The device page shows the version that the server has now."""
    harness.server.version = "1.99.0.1-abc"
    await harness.wait(freezer, POLL)
    assert device_of(harness.hass, entry, harness.server).sw_version == "1.99.0.1-abc"


async def test_name_follows_plex(
    harness: Harness, freezer: FrozenDateTimeFactory, both: MockConfigEntry
) -> None:
    """A server that is renamed at Plex is renamed here, and nothing is reloaded."""
    data = both.runtime_data
    harness.server.name = "Rooftop"
    await harness.wait(freezer, HOUR)
    await harness.wait(freezer, HOUR)
    assert subentry_of(both, harness.server).title == "Rooftop"
    assert device_of(harness.hass, both, harness.server).name == "Rooftop"
    assert both.runtime_data is data
    response = await harness.call(
        "get_transient_token",
        device_id=device_of(harness.hass, both, harness.server).id,
    )
    assert response["server"]["name"] == "Rooftop"


async def test_name_of_the_user_stays(
    harness: Harness, freezer: FrozenDateTimeFactory, entry: MockConfigEntry
) -> None:
    """A name that the user gave a server is not replaced by that at Plex."""
    harness.hass.config_entries.async_update_subentry(
        entry, subentry_of(entry, harness.server), title="My server"
    )
    await harness.settle()
    assert device_of(harness.hass, entry, harness.server).name == "My server"
    harness.server.name = "Rooftop"
    await harness.wait(freezer, HOUR)
    await harness.wait(freezer, HOUR)
    assert subentry_of(entry, harness.server).title == "My server"
    assert device_of(harness.hass, entry, harness.server).name == "My server"


async def test_renamed_server_fails_under_its_new_name(
    harness: Harness,
    freezer: FrozenDateTimeFactory,
    entry: MockConfigEntry,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The log calls a server by the name that it has now."""
    harness.server.name = "Rooftop"
    await harness.wait(freezer, HOUR)
    await harness.wait(freezer, HOUR)
    await harness.server.stop()
    caplog.clear()
    await harness.wait(freezer, POLL)
    assert server_coordinator(entry, harness.server).last_update_success is False
    errors = [
        record.message for record in caplog.records if record.levelname == "ERROR"
    ]
    assert len(errors) == 1
    assert "Rooftop" in errors[0]
    assert "Living Room" not in errors[0]

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

from .helpers import (
    async_arrival,
    device_of,
    server_coordinator,
    source_of,
    subentry_of,
)
from .home import Home
from .plex_simulator import Fault, MediaServer

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
async def both(home: Home) -> MockConfigEntry:
    """Return Anna's entry with two servers, the first with a transient token."""
    entry = await home.add(home.anna, home.server, home.world.basement)
    await home.transient_token()
    await home.settle()
    return entry


async def reload_slowly(
    home: Home, entry: MockConfigEntry, server: MediaServer
) -> None:
    """Begin a reload that a slow server holds up."""
    server.faults.set("identity", Fault.delay(1), times=1)
    home.simulator.requests.clear()
    home.hass.config_entries.async_schedule_reload(entry.entry_id)
    await async_arrival(home.simulator, "identity")
    assert entry.state is ConfigEntryState.SETUP_IN_PROGRESS


async def test_added_server_touches_nothing_else(
    home: Home, entry: MockConfigEntry
) -> None:
    """A server comes with device and entities; nothing else changes nor is asked."""
    basement = home.world.basement
    await home.transient_token()
    await home.settle()
    home.asked()
    events = async_capture_events(home.hass, EVENT_STATE_CHANGED)
    home.add_server(entry, basement)
    await home.settle()
    assert home.state("binary_sensor.reachable", basement) == "on"
    assert device_of(home.hass, entry, basement).name == "Basement"
    assert not changed(events, basement)
    assert {request.host for request in home.simulator.requests} == {
        basement.machine_identifier
    }


async def test_changed_server_touches_nothing_else(
    home: Home, both: MockConfigEntry
) -> None:
    """A changed address and other sources are taken over by their server alone."""
    basement = home.world.basement
    events = async_capture_events(home.hass, EVENT_STATE_CHANGED)
    source = source_of(home.server)
    home.change_server(both, basement, url=basement.http_url, verify_ssl=False)
    await home.settle()
    assert home.state("sensor.connection", basement) == "custom"
    home.change_server(both, basement, **{CONF_SOURCES: [source]})
    await home.settle()
    assert home.state(f"sensor.source_{source}", basement) == "local"
    home.change_server(both, basement, **{CONF_SOURCES: []})
    await home.settle()
    with pytest.raises(AssertionError, match="source_"):
        home.entity_id(f"sensor.source_{source}", basement)
    assert not changed(events, basement)


async def test_changed_server_stays_available(
    home: Home, both: MockConfigEntry
) -> None:
    """The entities of a server whose sources change stay as they are."""
    events = async_capture_events(home.hass, EVENT_STATE_CHANGED)
    home.change_server(
        both, home.server, **{CONF_SOURCES: [source_of(home.world.basement)]}
    )
    await home.settle()
    reachable = home.entity_id("binary_sensor.reachable")
    assert reachable not in {event.data["entity_id"] for event in events}


async def test_removed_server_touches_nothing_else(
    home: Home, both: MockConfigEntry
) -> None:
    """A server goes with all it had; nothing else changes."""
    basement = home.world.basement
    events = async_capture_events(home.hass, EVENT_STATE_CHANGED)
    await home.remove(both, basement)
    assert not changed(events, basement)
    assert list(both.runtime_data.servers) == [
        subentry_of(both, home.server).subentry_id
    ]


async def test_no_event_is_told_twice(
    home: Home, freezer: FrozenDateTimeFactory, entry: MockConfigEntry
) -> None:
    """What happened to a token is not news again when a server comes, changes or goes."""
    await home.transient_token()
    await home.server.restart()
    await home.wait(freezer, POLL)
    told = home.entity("event.transient_token")
    assert told.attributes["event_type"] == "destroyed"
    home.add_server(entry, home.world.basement)
    await home.settle()
    home.change_server(
        entry, home.server, **{CONF_SOURCES: [source_of(home.world.basement)]}
    )
    await home.settle()
    await home.remove(entry, home.world.basement)
    assert home.entity("event.transient_token") is told


async def test_removed_server_is_polled_no_more(
    home: Home, freezer: FrozenDateTimeFactory, both: MockConfigEntry
) -> None:
    """Nobody asks a server that was removed."""
    await home.remove(both, home.server)
    home.asked()
    await home.wait(freezer, POLL)
    assert not home.simulator.requests_to("identity", home.server.machine_identifier)
    assert home.simulator.requests_to("identity")


async def test_two_servers_removed_one_after_another(
    home: Home, caplog: pytest.LogCaptureFixture
) -> None:
    """Servers removed in the same moment leave nothing behind."""
    hugo = home.world.three_servers
    servers = [one for one in home.simulator.servers.values() if one.owner is hugo]
    entry = await home.add(hugo, *servers)
    first, second, third = (subentry_of(entry, one) for one in servers)
    await home.transient_token(servers[1], hugo)
    for gone in (first, second):
        home.hass.config_entries.async_remove_subentry(entry, gone.subentry_id)
    await home.settle()
    assert list(entry.runtime_data.servers) == [third.subentry_id]
    assert async_issued_token(home.hass, second.subentry_id).token is None
    assert not complaints(caplog)


async def test_server_removed_during_set_up(
    home: Home, both: MockConfigEntry, caplog: pytest.LogCaptureFixture
) -> None:
    """A server removed while its account is set up leaves nothing behind."""
    subentry_id = subentry_of(both, home.server).subentry_id
    await reload_slowly(home, both, home.world.basement)
    await home.remove(both, home.server)
    assert both.state is ConfigEntryState.LOADED
    assert subentry_id not in both.runtime_data.servers
    assert async_issued_token(home.hass, subentry_id).token is None
    devices = dr.async_entries_for_config_entry(dr.async_get(home.hass), both.entry_id)
    assert {device.name for device in devices} == {"Anna", "Basement"}
    with pytest.raises(AssertionError, match="reachable"):
        home.entity_id("binary_sensor.reachable")
    assert not complaints(caplog)
    assert await home.hass.config_entries.async_reload(both.entry_id)


async def test_server_changed_during_set_up(home: Home, both: MockConfigEntry) -> None:
    """An address that changes while the account is set up is used."""
    basement = home.world.basement
    await reload_slowly(home, both, basement)
    home.change_server(both, basement, url=basement.http_url, verify_ssl=False)
    await home.settle()
    assert home.state("sensor.connection", basement) == "custom"


async def test_sources_changed_during_set_up(home: Home, both: MockConfigEntry) -> None:
    """Sources that are chosen while the account is set up are watched."""
    await reload_slowly(home, both, home.world.basement)
    source = source_of(home.server)
    home.change_server(both, home.world.basement, **{CONF_SOURCES: [source]})
    await home.settle()
    assert home.state(f"sensor.source_{source}", home.world.basement) == "local"


async def test_server_added_during_set_up(home: Home, entry: MockConfigEntry) -> None:
    """A server that a dialog adds while the account is reloaded gets its entities."""
    foreign = await home.simulator.add_server("Foreign", home.world.yearly)
    typed = {
        "url": foreign.http_url,
        "verify_ssl": True,
        "token": foreign.access_token_for(home.world.yearly),
    }
    flows = home.hass.config_entries.subentries
    result = await flows.async_init(
        (entry.entry_id, "server"), context={"source": SOURCE_USER}
    )
    result = await flows.async_configure(result["flow_id"], {"next_step_id": "address"})
    foreign.faults.set("root", Fault.delay(0.5), times=1)
    submitted = home.hass.async_create_task(
        flows.async_configure(result["flow_id"], typed)
    )
    await async_arrival(home.simulator, "root")
    await reload_slowly(home, entry, home.server)
    result = await submitted
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert entry.state is ConfigEntryState.SETUP_IN_PROGRESS
    await home.settle()
    subentry_id = subentry_of(entry, foreign).subentry_id
    assert entry.runtime_data.servers[subentry_id].last_update_success
    assert home.state("binary_sensor.reachable", foreign) == "on"


async def test_token_issued_during_set_up(home: Home, entry: MockConfigEntry) -> None:
    """A token that comes while the account is set up has its event and its end."""
    home.server.faults.set("security_token", Fault.delay(0.3), times=1)
    action = home.hass.async_create_task(home.transient_token())
    await async_arrival(home.simulator, "security_token")
    await reload_slowly(home, entry, home.server)
    await action
    assert entry.state is ConfigEntryState.SETUP_IN_PROGRESS
    await home.settle()
    assert home.entity("event.transient_token").attributes["event_type"] == "issued"
    assert home.state("sensor.transient_token_expires") not in (
        "unknown",
        STATE_UNAVAILABLE,
    )
    async_fire_time_changed(home.hass, dt_util.utcnow() + timedelta(hours=48))
    await home.settle()
    assert home.entity("event.transient_token").attributes["event_type"] == "expired"


async def test_server_added_while_it_is_down(
    home: Home, freezer: FrozenDateTimeFactory, entry: MockConfigEntry
) -> None:
    """A server that does not answer when it is added comes by itself."""
    basement = home.world.basement
    await basement.stop()
    home.add_server(entry, basement)
    await home.settle()
    assert home.state("binary_sensor.reachable", basement) == "off"
    await basement.start()
    await home.wait(freezer, POLL)
    assert home.state("binary_sensor.reachable", basement) == "on"


async def test_version_of_the_device_follows(
    home: Home, freezer: FrozenDateTimeFactory, entry: MockConfigEntry
) -> None:
    """The device page shows the version that the server has now."""
    home.server.version = "1.99.0.1-abc"
    await home.wait(freezer, POLL)
    assert device_of(home.hass, entry, home.server).sw_version == "1.99.0.1-abc"


async def test_name_follows_plex(
    home: Home, freezer: FrozenDateTimeFactory, both: MockConfigEntry
) -> None:
    """A server that is renamed at Plex is renamed here, and nothing is reloaded."""
    data = both.runtime_data
    home.server.name = "Rooftop"
    await home.wait(freezer, HOUR)
    await home.wait(freezer, HOUR)
    assert subentry_of(both, home.server).title == "Rooftop"
    assert device_of(home.hass, both, home.server).name == "Rooftop"
    assert both.runtime_data is data
    response = await home.call(
        "get_transient_token", device_id=device_of(home.hass, both, home.server).id
    )
    assert response["server"]["name"] == "Rooftop"


async def test_name_of_the_user_stays(
    home: Home, freezer: FrozenDateTimeFactory, entry: MockConfigEntry
) -> None:
    """A name that the user gave a server is not replaced by that at Plex."""
    home.hass.config_entries.async_update_subentry(
        entry, subentry_of(entry, home.server), title="My server"
    )
    await home.settle()
    assert device_of(home.hass, entry, home.server).name == "My server"
    home.server.name = "Rooftop"
    await home.wait(freezer, HOUR)
    await home.wait(freezer, HOUR)
    assert subentry_of(entry, home.server).title == "My server"
    assert device_of(home.hass, entry, home.server).name == "My server"


async def test_renamed_server_fails_under_its_new_name(
    home: Home,
    freezer: FrozenDateTimeFactory,
    entry: MockConfigEntry,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The log calls a server by the name that it has now."""
    home.server.name = "Rooftop"
    await home.wait(freezer, HOUR)
    await home.wait(freezer, HOUR)
    await home.server.stop()
    caplog.clear()
    await home.wait(freezer, POLL)
    assert server_coordinator(entry, home.server).last_update_success is False
    errors = [
        record.message for record in caplog.records if record.levelname == "ERROR"
    ]
    assert len(errors) == 1
    assert "Rooftop" in errors[0]
    assert "Living Room" not in errors[0]

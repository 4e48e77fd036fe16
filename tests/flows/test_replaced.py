"""The repair of a server that was set up anew: the new one continues its entities."""

import asyncio
from datetime import timedelta
import json

from freezegun.api import FrozenDateTimeFactory
import pytest
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    async_capture_events,
)

from custom_components.plex_auth.const import CONF_LAST_KNOWN, CONF_SOURCES, DOMAIN
from homeassistant.config_entries import ConfigEntryState
from homeassistant.const import CONF_TOKEN, CONF_URL, CONF_VERIFY_SSL
from homeassistant.core import Event, EventStateChangedData
from homeassistant.helpers import entity_registry as er, issue_registry as ir
from tests.harness import Harness
from tests.helpers import (
    account_coordinator,
    async_arrival,
    device_of,
    known_server,
    server_data,
    source_of,
    subentry_of,
    with_typed_token,
)
from tests.plex_simulator import Fault, MediaServer
from tests.repair_dialog import OpenRepair, RepairDialog

KEY = "server_replaced"
POLL = timedelta(minutes=5, seconds=10)


def issue_keys(harness: Harness) -> set[str | None]:
    """Return the issues that there are."""
    return {one.translation_key for one in ir.async_get(harness.hass).issues.values()}


def assert_ignored(harness: Harness, issue_id: str) -> None:
    """Check that an issue is ignored."""
    issue = ir.async_get(harness.hass).async_get_issue(DOMAIN, issue_id)
    assert issue is not None
    assert issue.dismissed_version is not None


async def set_up_anew(
    harness: Harness, freezer: FrozenDateTimeFactory, *, stays_listed: bool = True
) -> MediaServer:
    """Let Anna's server be set up anew, and wait until Plex Auth notices."""
    new = await harness.simulator.set_up_anew(
        harness.server, "Parlor", stays_listed=stays_listed
    )
    for _ in range(4):
        await harness.wait(freezer, POLL)
    return new


def entity_ids(harness: Harness, entry: MockConfigEntry) -> dict[str, str]:
    """Return the unique IDs of the entities by their entity IDs."""
    registry = er.async_get(harness.hass)
    return {
        entity.entity_id: entity.unique_id
        for entity in er.async_entries_for_config_entry(registry, entry.entry_id)
    }


def events_told(
    states: list[Event[EventStateChangedData]], entity_id: str
) -> list[str]:
    """Return the types of the events that an event entity told."""
    return [
        new.attributes["event_type"]
        for event in states
        if event.data["entity_id"] == entity_id
        and (new := event.data["new_state"]) is not None
        and (old := event.data["old_state"]) is not None
        and new.attributes.get("event_type") is not None
        and new.state not in (old.state, "unavailable")
        and old.state != "unavailable"
    ]


@pytest.mark.parametrize("stays_listed", [True, False])
async def test_take_the_successor(
    harness: Harness,
    freezer: FrozenDateTimeFactory,
    open_repair: OpenRepair,
    stays_listed: bool,
) -> None:
    """Device, entities and sources stay, and only the old transient token ends."""
    old, watcher = harness.server, harness.world.basement
    watching = server_data(watcher, harness.anna, sources=[source_of(old)])
    watched = server_data(old, harness.anna, sources=[source_of(watcher)])
    entry = await harness.add(harness.anna, watched, watching)
    token = await harness.transient_token()
    before = entity_ids(harness, entry)
    device, subentry = device_of(harness.hass, entry, old), subentry_of(entry, old)
    states = async_capture_events(harness.hass, "state_changed")
    reachable = harness.entity_id("binary_sensor.reachable", old)
    told_by = harness.entity_id("event.transient_token", old)
    harness.simulator.requests.clear()

    new = await set_up_anew(harness, freezer, stays_listed=stays_listed)
    assert issue_keys(harness) == {KEY}
    dialog = await open_repair(entry, old, KEY)
    assert dialog.result["step_id"] == "confirm"
    shown = dialog.result["description_placeholders"]
    assert (shown["server"], shown["successor"]) == ("Living Room", "Parlor")
    now = harness.simulator.clock.now()
    assert shown["successor_seen"].startswith(f"Plex last saw it {now:%Y-%m-}")
    assert shown["server_seen"].startswith("Plex last saw it 2") is stays_listed
    await dialog.submit()
    assert dialog.result["type"] == "create_entry"
    await harness.settle()

    assert entry.state is ConfigEntryState.LOADED
    assert subentry.unique_id == new.machine_identifier
    assert subentry.title == "Parlor"
    assert subentry.data == {
        CONF_LAST_KNOWN: known_server(new, harness.anna),
        CONF_SOURCES: [source_of(watcher)],
    }
    assert subentry_of(entry, watcher).data[CONF_SOURCES] == [source_of(new)]
    assert device_of(harness.hass, entry, new).id == device.id
    assert entity_ids(harness, entry) == {
        entity_id: unique_id.replace(old.machine_identifier, new.machine_identifier)
        for entity_id, unique_id in before.items()
    }
    assert harness.state("binary_sensor.reachable", new) == "on"
    assert harness.entity_id("binary_sensor.reachable", new) == reachable
    source = f"sensor.source_{source_of(new)}"
    assert harness.state(source, watcher) == "local"
    assert events_told(states, told_by) == ["destroyed"]
    expires = harness.state("sensor.transient_token_expires", new)
    assert expires == "unknown"
    assert not issue_keys(harness)
    secrets = {token, *old.secrets()}
    to_new = [one for one in harness.simulator.requests if one.host == new.name]
    assert not secrets & {one.headers.get("X-Plex-Token") for one in to_new}
    assert await harness.transient_token(new)


async def test_both_are_watched(
    harness: Harness, freezer: FrozenDateTimeFactory, open_repair: OpenRepair
) -> None:
    """A server that watches the old one and the new one watches the new one once."""
    old, watcher = harness.server, harness.world.basement
    watching = server_data(watcher, harness.anna, sources=[source_of(old)])
    entry = await harness.add(harness.anna, old, watching)
    new = await set_up_anew(harness, freezer)
    sources = [source_of(old), source_of(new)]
    harness.change_server(entry, watcher, sources=sources)
    await harness.settle()
    dialog = await open_repair(entry, old, KEY)
    await dialog.submit()
    await harness.settle()
    assert subentry_of(entry, watcher).data[CONF_SOURCES] == [source_of(new)]


async def test_listed_before_it_is_polled(
    harness: Harness, freezer: FrozenDateTimeFactory, entry: MockConfigEntry
) -> None:
    """No other repair comes if plex.tv lists the new server before the next poll."""
    await harness.simulator.set_up_anew(harness.server, "Parlor", stays_listed=False)
    await account_coordinator(entry).servers.renew(now=True)
    await harness.wait(freezer, timedelta(seconds=1))
    assert not issue_keys(harness)
    await harness.wait(freezer, POLL)
    assert issue_keys(harness) == {KEY}


async def test_typed_address_and_token(
    harness: Harness, freezer: FrozenDateTimeFactory, open_repair: OpenRepair
) -> None:
    """A typed address at which the successor answers stays; a typed token does not."""
    old = harness.server
    data = with_typed_token(old)
    data["data"] = {**data["data"], CONF_VERIFY_SSL: False}
    entry = await harness.add(harness.anna, data)
    subentry = subentry_of(entry, old)
    new = await set_up_anew(harness, freezer)
    assert issue_keys(harness) == {KEY}
    dialog = await open_repair(entry, old, KEY)
    await dialog.submit()
    await harness.settle()
    assert subentry.unique_id == new.machine_identifier
    assert subentry.data[CONF_URL] == old.http_url
    assert subentry.data[CONF_VERIFY_SSL] is False
    assert CONF_TOKEN not in subentry.data
    assert harness.state("binary_sensor.reachable", new) == "on"
    assert not issue_keys(harness)


async def test_typed_address_of_the_old_machine(
    harness: Harness, freezer: FrozenDateTimeFactory, open_repair: OpenRepair
) -> None:
    """A typed address at which nothing answers goes with the old server."""
    old = harness.server
    data = server_data(old, harness.anna, url="http://127.0.0.1:1", verify_ssl=True)
    entry = await harness.add(harness.anna, data)
    subentry = subentry_of(entry, old)
    new = await set_up_anew(harness, freezer)
    assert issue_keys(harness) == {KEY}
    dialog = await open_repair(entry, old, KEY)
    await dialog.submit()
    await harness.settle()
    assert not {CONF_URL, CONF_VERIFY_SSL} & subentry.data.keys()
    assert harness.state("binary_sensor.reachable", new) == "on"


@pytest.mark.usefixtures("plex_direct")
async def test_after_another_repair(
    harness: Harness, freezer: FrozenDateTimeFactory
) -> None:
    """The repair takes the place of one that the server has had before."""
    old = harness.server
    data = server_data(old, harness.anna, url="http://127.0.0.1:1", verify_ssl=True)
    entry = await harness.add(harness.anna, data)
    await harness.wait(freezer, POLL)
    assert issue_keys(harness) == {"server_address_fails"}
    await set_up_anew(harness, freezer)
    assert issue_keys(harness) == {KEY}
    assert entry.state is ConfigEntryState.LOADED


async def test_after_a_loss(harness: Harness, freezer: FrozenDateTimeFactory) -> None:
    """A server that seemed to be lost turns out to be replaced."""
    server = await harness.add_hidden_server()
    await harness.add(server.owner, server)
    await harness.lose(freezer)
    assert issue_keys(harness) == {"server_not_reached"}
    new = await harness.simulator.set_up_anew(server)
    assert new.owner is server.owner
    for _ in range(4):
        await harness.wait(freezer, POLL)
    assert issue_keys(harness) == {KEY}


async def test_title_of_the_user(
    harness: Harness,
    freezer: FrozenDateTimeFactory,
    entry: MockConfigEntry,
    open_repair: OpenRepair,
) -> None:
    """A title that the user has chosen stays."""
    subentry = subentry_of(entry, harness.server)
    entries = harness.hass.config_entries
    entries.async_update_subentry(entry, subentry, title="Films")
    await set_up_anew(harness, freezer)
    dialog = await open_repair(entry, harness.server, KEY)
    await dialog.submit()
    await harness.settle()
    assert subentry.title == "Films"
    assert subentry.data[CONF_LAST_KNOWN]["name"] == "Parlor"


async def test_after_a_loss_while_the_account_fails(
    harness: Harness, freezer: FrozenDateTimeFactory
) -> None:
    """The repair takes the place of the loss, whatever plex.tv says of the account."""
    server = await harness.add_hidden_server()
    await harness.add(server.owner, server)
    await harness.lose(freezer)
    assert issue_keys(harness) == {"server_not_reached"}
    await harness.simulator.set_up_anew(server)
    harness.simulator.faults.set("user", Fault.status(503))
    for _ in range(8):
        await harness.wait(freezer, POLL)
    assert issue_keys(harness) == {KEY}


@pytest.fixture
async def dialog(
    harness: Harness,
    freezer: FrozenDateTimeFactory,
    entry: MockConfigEntry,
    open_repair: OpenRepair,
) -> RepairDialog:
    """Return the repair of a server that was set up anew."""
    await set_up_anew(harness, freezer)
    return await open_repair(entry, harness.server, KEY)


async def test_plex_tv_is_away(
    harness: Harness, entry: MockConfigEntry, dialog: RepairDialog
) -> None:
    """Where plex.tv cannot be asked nothing changes, and the next try succeeds."""
    subentry = subentry_of(entry, harness.server)
    harness.simulator.faults.set("resources", Fault.status(503))
    await dialog.submit()
    assert dialog.errors == {"base": "unavailable"}
    assert subentry.unique_id == harness.server.machine_identifier
    harness.simulator.faults.clear()
    await dialog.submit()
    assert dialog.result["type"] == "create_entry"
    await harness.settle()
    assert subentry.unique_id != harness.server.machine_identifier


async def test_old_server_is_back(
    harness: Harness, entry: MockConfigEntry, dialog: RepairDialog
) -> None:
    """An old server that plex.tv says is there is not replaced."""
    harness.server.presence = True
    await dialog.submit()
    assert dialog.result["reason"] == "not_replaced"
    await harness.settle()
    assert KEY not in issue_keys(harness)
    assert subentry_of(entry, harness.server)


async def test_old_server_is_reached_again(
    harness: Harness,
    freezer: FrozenDateTimeFactory,
    entry: MockConfigEntry,
    dialog: RepairDialog,
) -> None:
    """The issue goes when the old server answers."""
    new = next(
        one for one in harness.simulator.servers.values() if one.name == "Parlor"
    )
    await new.stop()
    await harness.server.start()
    await harness.wait(freezer, POLL)
    assert not issue_keys(harness)
    await dialog.submit()
    assert dialog.result["reason"] == "not_replaced"


async def test_new_server_was_added(
    harness: Harness, entry: MockConfigEntry, dialog: RepairDialog
) -> None:
    """A server that is added meanwhile is another one."""
    new = next(
        one for one in harness.simulator.servers.values() if one.name == "Parlor"
    )
    harness.add_server(entry, new)
    await harness.settle()
    await dialog.submit()
    assert dialog.result["reason"] == "not_replaced"
    assert len(entry.subentries) == 2


async def test_another_successor_than_the_one_shown(
    harness: Harness, entry: MockConfigEntry, dialog: RepairDialog
) -> None:
    """A server that was set up anew twice is shown before it is taken."""
    shown = next(
        one for one in harness.simulator.servers.values() if one.name == "Parlor"
    )
    newest = await harness.simulator.set_up_anew(shown, "Lounge", stays_listed=False)
    await dialog.submit()
    assert dialog.result["type"] == "form"
    assert dialog.result["description_placeholders"]["successor"] == "Lounge"
    await dialog.submit()
    await harness.settle()
    assert subentry_of(entry, newest)


@pytest.mark.parametrize("how", ["entry", "subentry", "unload"])
async def test_gone_meanwhile(
    harness: Harness, entry: MockConfigEntry, dialog: RepairDialog, how: str
) -> None:
    """A dialog about a server that is gone or not loaded ends in words."""
    if how == "unload":
        await harness.hass.config_entries.async_unload(entry.entry_id)
    else:
        await harness.remove(entry, harness.server if how == "subentry" else None)
    await dialog.submit()
    expected = "entry_not_loaded" if how == "unload" else "server_removed"
    assert dialog.result["reason"] == expected


async def test_removed_while_plex_tv_is_asked(
    harness: Harness, entry: MockConfigEntry, dialog: RepairDialog
) -> None:
    """A server that is gone by then is not replaced."""
    harness.simulator.requests.clear()
    submitted = asyncio.create_task(dialog.submit())
    await async_arrival(harness.simulator, "resources")
    subentry_id = subentry_of(entry, harness.server).subentry_id
    harness.hass.config_entries.async_remove_subentry(entry, subentry_id)
    await submitted
    assert dialog.result["reason"] == "server_removed"


async def test_not_seen_by_plex(
    harness: Harness,
    freezer: FrozenDateTimeFactory,
    entry: MockConfigEntry,
    open_repair: OpenRepair,
) -> None:
    """A list that does not say when a server was last seen is shown, too."""
    new = await set_up_anew(harness, freezer)
    rows = [
        {
            "name": server.name,
            "clientIdentifier": server.machine_identifier,
            "provides": "server",
            "owned": True,
            "presence": server is new,
            "connections": [one.as_resource() for one in server.connections],
        }
        for server in (harness.server, new)
    ]
    harness.simulator.faults.set("resources", Fault.body(json.dumps(rows)))
    await account_coordinator(entry).servers.renew(now=True)
    dialog = await open_repair(entry, harness.server, KEY)
    shown = dialog.result["description_placeholders"]
    assert shown["server_seen"] == "Plex doesn't report when it last saw it."


async def test_friends_server_at_the_same_private_address(
    harness: Harness, freezer: FrozenDateTimeFactory
) -> None:
    """Another house has the same private addresses: they prove nothing there."""
    harness.server.shared_with.append(harness.world.three_servers)
    entry = await harness.add(harness.world.three_servers, harness.server)
    harness.server.owner = harness.anna
    new = await harness.simulator.set_up_anew(harness.server, "Parlor")
    new.owner = harness.world.three_servers
    for _ in range(5):
        await harness.wait(freezer, POLL)
    assert KEY not in issue_keys(harness)
    assert entry.state is ConfigEntryState.LOADED


async def test_ignored_while_the_successor_is_away(
    harness: Harness, freezer: FrozenDateTimeFactory, entry: MockConfigEntry
) -> None:
    """An ignored issue stays ignored when the new server is away for a while."""
    new = await set_up_anew(harness, freezer)
    issue_id = f"{KEY}_{subentry_of(entry, harness.server).subentry_id}"
    ir.async_ignore_issue(harness.hass, DOMAIN, issue_id, True)
    await new.stop()
    for presence in (False, True):
        new.presence = presence
        await account_coordinator(entry).servers.renew(now=True)
        for _ in range(4):
            await harness.wait(freezer, POLL)
    assert_ignored(harness, issue_id)


async def test_ignored_before(
    harness: Harness, freezer: FrozenDateTimeFactory, entry: MockConfigEntry
) -> None:
    """An issue that was ignored before stays so if the new server is another one."""
    old = harness.server
    subentry_id = subentry_of(entry, old).subentry_id
    issue_id = f"server_not_listed_{subentry_id}"
    await old.stop()
    harness.simulator.faults.set("resources", Fault.body("[]"))
    await account_coordinator(entry).servers.renew(now=True)
    await harness.wait(freezer, POLL)
    assert issue_keys(harness) == {"server_not_listed"}
    ir.async_ignore_issue(harness.hass, DOMAIN, issue_id, True)
    harness.simulator.faults.clear()
    new = await harness.simulator.set_up_anew(old, "Parlor", stays_listed=False)
    await account_coordinator(entry).servers.renew(now=True)
    await harness.wait(freezer, POLL)
    assert KEY in issue_keys(harness)
    harness.add_server(entry, new)
    await harness.settle()
    await harness.wait(freezer, POLL)
    assert issue_keys(harness) == {"server_not_listed"}
    assert_ignored(harness, issue_id)


async def test_ignored(
    harness: Harness, freezer: FrozenDateTimeFactory, entry: MockConfigEntry
) -> None:
    """An ignored issue stays ignored over a reload with plex.tv away."""
    await set_up_anew(harness, freezer)
    issue_id = f"{KEY}_{subentry_of(entry, harness.server).subentry_id}"
    ir.async_ignore_issue(harness.hass, DOMAIN, issue_id, True)
    harness.simulator.faults.set("*", Fault.status(503))
    await harness.reload(entry)
    await harness.wait(freezer, POLL)
    harness.simulator.faults.clear()
    for _ in range(8):
        await harness.wait(freezer, POLL)
    assert_ignored(harness, issue_id)
    assert issue_keys(harness) == {KEY}

"""Repairs act on what is true now, and their addresses are not for ever."""

import asyncio
from dataclasses import replace
from datetime import timedelta
import socket

from freezegun.api import FrozenDateTimeFactory
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.plex_auth.repairs import async_create_fix_flow
from homeassistant.components.repairs import RepairsFlow
from homeassistant.const import CONF_TOKEN, CONF_URL
from homeassistant.helpers import issue_registry as ir
from tests.harness import Harness
from tests.helpers import server_coordinator, server_data, subentry_of
from tests.plex_simulator import Fault, MediaServer, Way

POLL = timedelta(minutes=5, seconds=1)


def issue_keys(harness: Harness) -> set[str | None]:
    """Return the issues that there are."""
    issues = ir.async_get(harness.hass).issues.values()
    return {issue.translation_key for issue in issues}


async def open_repair(
    harness: Harness, entry: MockConfigEntry, server: MediaServer, key: str
) -> RepairsFlow:
    """Return the repair of an issue of a server."""
    subentry_id = subentry_of(entry, server).subentry_id
    flow = await async_create_fix_flow(
        harness.hass,
        f"{key}_{subentry_id}",
        {"entry_id": entry.entry_id, "subentry_id": subentry_id},
    )
    flow.hass = harness.hass
    return flow


async def fix(flow: RepairsFlow, **typed: str) -> dict[str, object]:
    """Agree, and return what comes of it."""
    return dict(await flow.async_step_confirm(typed))  # type: ignore[attr-defined]


async def unlist(harness: Harness, entry: MockConfigEntry) -> RepairsFlow:
    """Let plex.tv leave the servers out once, and open the repair."""
    harness.simulator.faults.set("resources", Fault.body("[]"))
    await harness.call("get_servers")
    await harness.settle()
    assert issue_keys(harness) == {"server_not_listed"}
    return await open_repair(harness, entry, harness.server, "server_not_listed")


async def test_plex_tv_is_asked_before_a_server_is_removed(
    harness: Harness, entry: MockConfigEntry
) -> None:
    """One incomplete answer of plex.tv removes no server; the issue goes by itself."""
    flow = await unlist(harness, entry)
    harness.simulator.faults.clear()
    harness.asked()
    assert (await fix(flow))["reason"] == "listed_again"
    assert harness.asked()["resources"] == 1
    assert subentry_of(entry, harness.server)
    await harness.settle()
    assert not issue_keys(harness)


async def test_server_stays_while_plex_tv_cannot_be_asked(
    harness: Harness, entry: MockConfigEntry
) -> None:
    """Where plex.tv cannot be asked anew nothing is removed, and the form says why."""
    flow = await unlist(harness, entry)
    harness.simulator.faults.set("resources", Fault.status(503))
    assert (await fix(flow))["errors"] == {"base": "unavailable"}
    assert subentry_of(entry, harness.server)


async def removed_meanwhile(
    harness: Harness, entry: MockConfigEntry, flow: RepairsFlow, server: MediaServer
) -> object:
    """Agree, remove the server while something is asked, and return the reason."""
    agreed = asyncio.create_task(fix(flow))
    await asyncio.sleep(0)
    subentry_id = subentry_of(entry, server).subentry_id
    harness.hass.config_entries.async_remove_subentry(entry, subentry_id)
    return (await agreed)["reason"]


async def test_server_is_removed_while_plex_tv_is_asked(
    harness: Harness, entry: MockConfigEntry
) -> None:
    """A server that is gone by then is not removed again."""
    flow = await unlist(harness, entry)
    reason = await removed_meanwhile(harness, entry, flow, harness.server)
    assert reason == "server_removed"


async def test_server_of_an_account_that_is_not_loaded_is_removed(
    harness: Harness, entry: MockConfigEntry
) -> None:
    """Without its account nothing can be asked: the dialog does what was agreed to."""
    flow = await unlist(harness, entry)
    await harness.hass.config_entries.async_unload(entry.entry_id)
    assert (await fix(flow))["type"] == "create_entry"
    assert not entry.subentries


async def test_server_is_removed_while_its_local_address_is_asked(
    harness: Harness, freezer: FrozenDateTimeFactory
) -> None:
    """The address of a server that is gone by then is not stored."""
    server = await harness.add_hidden_server()
    entry = await harness.add(server.owner, server)
    await harness.lose(freezer)
    flow = await open_repair(harness, entry, server, "server_not_reached")
    reason = await removed_meanwhile(harness, entry, flow, server)
    assert reason == "server_removed"


async def test_local_address_that_answers_is_offered(
    harness: Harness, freezer: FrozenDateTimeFactory
) -> None:
    """Of several local addresses, as Docker adds them, one that answers is used."""
    server = await harness.add_hidden_server()
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        dead = unused.getsockname()[1]
    local = next(one for one in server.connections if one.local)
    name = server.plex_direct_name("127.0.0.1")
    bridge = replace(local, port=dead, uri=f"https://{name}:1")
    server.connections = [bridge, replace(local, uri=f"https://{name}:9")]
    entry = await harness.add(server.owner, server)
    await harness.lose(freezer)
    assert "server_not_reached" in issue_keys(harness)
    flow = await open_repair(harness, entry, server, "server_not_reached")
    url = f"https://127.0.0.1:{server.port}"
    shown = await flow.async_step_init()  # type: ignore[attr-defined]
    assert shown["description_placeholders"]["url"] == url
    assert (await fix(flow))["type"] == "create_entry"
    assert subentry_of(entry, server).data[CONF_URL] == url


async def test_address_that_fails(
    harness: Harness, freezer: FrozenDateTimeFactory
) -> None:
    """An address that works no longer raises an issue, whose repair is `automatic`."""
    data = server_data(harness.server, harness.anna, url=harness.server.http_url)
    entry = await harness.add(harness.anna, data)
    assert harness.state("sensor.connection") == "custom"
    assert not issue_keys(harness)
    await harness.server.change_port()
    await harness.wait(freezer, POLL)
    assert harness.state("binary_sensor.reachable") == "off"
    assert not issue_keys(harness)
    await harness.wait(freezer, POLL)
    assert issue_keys(harness) == {"server_address_fails"}
    flow = await open_repair(harness, entry, harness.server, "server_address_fails")
    shown = await flow.async_step_init()  # type: ignore[attr-defined]
    assert shown["description_placeholders"]["url"] == data["data"][CONF_URL]
    assert (await fix(flow))["type"] == "create_entry"
    await harness.settle()
    stored = subentry_of(entry, harness.server).data
    assert not {CONF_URL, CONF_TOKEN} & stored.keys()
    assert harness.state("sensor.connection") == "local"
    assert server_coordinator(entry, harness.server).last_update_success
    assert not issue_keys(harness)


@pytest.mark.usefixtures("plex_direct")
async def test_address_that_works_again(
    harness: Harness, freezer: FrozenDateTimeFactory
) -> None:
    """The issue goes when the address works again, and its dialog says so."""
    entry = await harness.add(
        harness.anna,
        server_data(harness.server, harness.anna, url=harness.server.http_url),
    )
    await harness.server.close_way(Way.LOCAL)
    for _ in range(2):
        await harness.wait(freezer, POLL)
    assert issue_keys(harness) == {"server_address_fails"}
    flow = await open_repair(harness, entry, harness.server, "server_address_fails")
    harness.server.open_way(Way.LOCAL)
    await harness.wait(freezer, POLL)
    assert not issue_keys(harness)
    assert (await fix(flow))["reason"] == "reached"


async def test_outage_is_nothing_to_repair(
    harness: Harness, freezer: FrozenDateTimeFactory
) -> None:
    """A server with a typed address that answers nowhere keeps its address."""
    data = server_data(harness.server, harness.anna, url=harness.server.http_url)
    await harness.add(harness.anna, data)
    harness.server.presence = True
    await harness.server.stop()
    for _ in range(6):
        await harness.wait(freezer, POLL)
        assert not issue_keys(harness)


@pytest.mark.usefixtures("plex_direct")
async def test_address_is_kept_while_nothing_answers(
    harness: Harness, freezer: FrozenDateTimeFactory
) -> None:
    """Right before it is forgotten the server has to answer at a listed address."""
    url = harness.server.http_url
    entry = await harness.add(
        harness.anna, server_data(harness.server, harness.anna, url=url)
    )
    await harness.server.close_way(Way.LOCAL)
    for _ in range(2):
        await harness.wait(freezer, POLL)
    flow = await open_repair(harness, entry, harness.server, "server_address_fails")
    await harness.server.stop()
    shown = await fix(flow)
    assert shown["errors"] == {"base": "cannot_connect"}
    assert subentry_of(entry, harness.server).data[CONF_URL] == url


@pytest.mark.usefixtures("plex_direct")
@pytest.mark.parametrize("is_listed", [True, False])
async def test_typed_token_is_kept_where_none_is_listed(
    harness: Harness,
    freezer: FrozenDateTimeFactory,
    monkeypatch: pytest.MonkeyPatch,
    is_listed: bool,
) -> None:
    """A typed token goes with its address only if plex.tv lists one."""
    token = harness.server.access_token_for(harness.anna)
    data = server_data(
        harness.server, harness.anna, url=harness.server.http_url, token=token
    )
    if not is_listed:
        monkeypatch.setattr(harness.server, "access_token_for", lambda _: None)
        data["data"] = {**data["data"], "last_known": {}}
    entry = await harness.add(harness.anna, data)
    await harness.server.close_way(Way.LOCAL)
    for _ in range(2):
        await harness.wait(freezer, POLL)
    flow = await open_repair(harness, entry, harness.server, "server_address_fails")
    assert (await fix(flow))["type"] == "create_entry"
    assert (CONF_TOKEN in subentry_of(entry, harness.server).data) is not is_listed

"""Repairs act on what is true now, and their addresses are not for ever."""

from dataclasses import replace
from datetime import timedelta
import socket

from freezegun.api import FrozenDateTimeFactory
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.plex_auth.repairs import async_create_fix_flow
from homeassistant.components.repairs import RepairsFlow
from homeassistant.const import CONF_TOKEN, CONF_URL
from homeassistant.helpers import issue_registry as ir

from .helpers import server_coordinator, server_data, subentry_of
from .home import Home
from .plex_simulator import Fault, MediaServer

POLL = timedelta(minutes=5, seconds=1)


def issue_keys(home: Home) -> set[str | None]:
    """Return the issues that there are."""
    issues = ir.async_get(home.hass).issues.values()
    return {issue.translation_key for issue in issues}


async def open_fix(
    home: Home, entry: MockConfigEntry, server: MediaServer, key: str
) -> RepairsFlow:
    """Return the fix of an issue of a server."""
    subentry_id = subentry_of(entry, server).subentry_id
    flow = await async_create_fix_flow(
        home.hass,
        f"{key}_{subentry_id}",
        {"entry_id": entry.entry_id, "subentry_id": subentry_id},
    )
    flow.hass = home.hass
    return flow


async def fix(flow: RepairsFlow, **typed: str) -> dict[str, object]:
    """Agree, and return what comes of it."""
    return dict(await flow.async_step_confirm(typed))  # type: ignore[attr-defined]


async def unlist(home: Home, entry: MockConfigEntry) -> RepairsFlow:
    """Let plex.tv leave the servers out once, and open the fix."""
    home.simulator.faults.set("resources", Fault.body("[]"))
    await home.call("get_servers")
    await home.settle()
    assert issue_keys(home) == {"server_not_listed"}
    return await open_fix(home, entry, home.server, "server_not_listed")


async def test_plex_tv_is_asked_before_a_server_is_removed(
    home: Home, entry: MockConfigEntry
) -> None:
    """One incomplete answer of plex.tv removes no server; the issue goes by itself."""
    flow = await unlist(home, entry)
    home.simulator.faults.clear()
    home.asked()
    assert (await fix(flow))["reason"] == "listed_again"
    assert home.asked()["resources"] == 1
    assert subentry_of(entry, home.server)
    await home.settle()
    assert not issue_keys(home)


async def test_server_stays_while_plex_tv_cannot_be_asked(
    home: Home, entry: MockConfigEntry
) -> None:
    """Where plex.tv cannot be asked anew nothing is removed, and the form says why."""
    flow = await unlist(home, entry)
    home.simulator.faults.set("resources", Fault.status(503))
    assert (await fix(flow))["errors"] == {"base": "unavailable"}
    assert subentry_of(entry, home.server)


async def test_local_address_that_answers_is_offered(home: Home) -> None:
    """Of several local addresses, as Docker adds them, one that answers is used."""
    server = await home.add_hidden_server()
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        dead = unused.getsockname()[1]
    local = next(one for one in server.connections if one.local)
    name = server.plex_direct_name("127.0.0.1")
    bridge = replace(local, port=dead, uri=f"https://{name}:1")
    server.connections = [bridge, replace(local, uri=f"https://{name}:9")]
    entry = await home.add(server.owner, server)
    assert "plex_direct_not_resolved" in issue_keys(home)
    flow = await open_fix(home, entry, server, "plex_direct_not_resolved")
    url = f"https://127.0.0.1:{server.port}"
    shown = await flow.async_step_init()  # type: ignore[attr-defined]
    assert shown["description_placeholders"]["url"] == url
    assert (await fix(flow))["type"] == "create_entry"
    assert subentry_of(entry, server).data[CONF_URL] == url


async def test_address_that_fails(home: Home, freezer: FrozenDateTimeFactory) -> None:
    """An address that works no longer raises an issue, whose fix is `automatic`."""
    data = server_data(home.server, home.anna, url=home.server.http_url)
    entry = await home.add(home.anna, data)
    assert home.state("sensor.connection") == "custom"
    assert not issue_keys(home)
    await home.server.change_port()
    await home.wait(freezer, POLL)
    assert home.state("binary_sensor.reachable") == "off"
    assert issue_keys(home) == {"server_address_fails"}
    flow = await open_fix(home, entry, home.server, "server_address_fails")
    assert (await fix(flow))["type"] == "create_entry"
    await home.settle()
    stored = subentry_of(entry, home.server).data
    assert not {CONF_URL, CONF_TOKEN} & stored.keys()
    assert home.state("sensor.connection") == "local"
    assert server_coordinator(entry, home.server).last_update_success
    assert not issue_keys(home)


async def test_address_that_works_again(
    home: Home, freezer: FrozenDateTimeFactory
) -> None:
    """The issue goes when the address works again."""
    await home.add(
        home.anna, server_data(home.server, home.anna, url=home.server.http_url)
    )
    await home.server.stop()
    await home.wait(freezer, POLL)
    assert issue_keys(home) == {"server_address_fails"}
    await home.server.start()
    await home.wait(freezer, POLL)
    assert not issue_keys(home)

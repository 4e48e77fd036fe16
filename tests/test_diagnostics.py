"""Diagnostics say what helps and name nobody."""

import json

from pytest_homeassistant_custom_component.components.diagnostics import (
    get_diagnostics_for_config_entry,
    get_diagnostics_for_device,
)
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator
from syrupy.assertion import SnapshotAssertion

from homeassistant.core import HomeAssistant
from homeassistant.setup import async_setup_component

from .helpers import async_add_account, async_fixed_world, device_of
from .plex_simulator import Fault, PlexSimulator


async def test_entry(
    hass: HomeAssistant,
    hass_client: ClientSessionGenerator,
    simulator: PlexSimulator,
    snapshot: SnapshotAssertion,
) -> None:
    """An entry's diagnostics have facts, but no secret, name, address or identifier."""
    assert await async_setup_component(hass, "diagnostics", {})
    world = await async_fixed_world(simulator)
    entry = await async_add_account(hass, simulator, world.plex_pass, [world.attic])
    found = await get_diagnostics_for_config_entry(hass, hass_client, entry)
    assert found == snapshot
    text = json.dumps(found)
    names = {"paula", "Paula", "paula@example.com", "Attic", "Cellar", "127.0.0.1"}
    identifiers = {world.plex_pass.uuid, world.attic.machine_identifier}
    assert not [
        word for word in simulator.secrets() | names | identifiers if word in text
    ]


async def test_devices(
    hass: HomeAssistant,
    hass_client: ClientSessionGenerator,
    simulator: PlexSimulator,
) -> None:
    """A device's diagnostics are those of its account or of its server."""
    assert await async_setup_component(hass, "diagnostics", {})
    world = await async_fixed_world(simulator)
    entry = await async_add_account(hass, simulator, world.plex_pass, [world.attic])
    account = await get_diagnostics_for_device(
        hass, hass_client, entry, device_of(hass, entry)
    )
    server = await get_diagnostics_for_device(
        hass, hass_client, entry, device_of(hass, entry, world.attic)
    )
    assert account["token_origin"] == "password"
    assert account["subscription_plan"] == "yearly"
    assert server["connection"] == "local"
    assert server["owned"] is True


async def test_trouble(
    hass: HomeAssistant,
    hass_client: ClientSessionGenerator,
    simulator: PlexSimulator,
) -> None:
    """Diagnostics name the kind of a failure, of plex.tv and of a server."""
    assert await async_setup_component(hass, "diagnostics", {})
    world = await async_fixed_world(simulator)
    simulator.faults.set("*", Fault.status(503))
    await world.attic.stop()
    entry = await async_add_account(hass, simulator, world.plex_pass, [world.attic])
    found = await get_diagnostics_for_config_entry(hass, hass_client, entry)
    assert found["account"]["failure"] == "UnavailableError"
    assert found["account"]["listed_servers"] is None
    assert "has_password" not in found["account"]
    [server] = found["servers"]
    assert server["last_update_success"] is False
    assert server["connection"] is None
    assert {address["failure"] for address in server["failed_addresses"]} == {
        "CannotConnectError",
        "DnsError",
    }

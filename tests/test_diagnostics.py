"""Diagnostics say what helps and name nobody."""

from collections.abc import Callable
from dataclasses import replace
import json
from typing import Any

import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry
from pytest_homeassistant_custom_component.components.diagnostics import (
    get_diagnostics_for_config_entry,
    get_diagnostics_for_device,
)
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator
from syrupy.assertion import SnapshotAssertion

from homeassistant.core import HomeAssistant
from homeassistant.setup import async_setup_component

from .helpers import (
    account_coordinator,
    async_add_account,
    device_of,
    home_user_coordinator,
    home_user_data,
    server_coordinator,
    until,
)
from .plex_simulator import Fault, PlexSimulator
from .plex_simulator.worlds import CHILD_PIN, FixedWorld, async_fixed_world


@pytest.fixture
async def fixed(hass: HomeAssistant, simulator: PlexSimulator) -> FixedWorld:
    """Return a world whose identifiers are always the same, and set diagnostics up."""
    assert await async_setup_component(hass, "diagnostics", {})
    return await async_fixed_world(simulator)


@pytest.fixture
async def paula(
    hass: HomeAssistant, simulator: PlexSimulator, fixed: FixedWorld
) -> MockConfigEntry:
    """Return the entry of an account with a server and a Home user."""
    user = home_user_data(fixed.child, fixed.attic)
    return await async_add_account(
        hass, simulator, fixed.plex_pass, [fixed.attic, user]
    )


def assert_names_nobody(
    found: dict[str, Any], simulator: PlexSimulator, fixed: FixedWorld
) -> None:
    """Assert that diagnostics have no secret, name, address or identifier."""
    text = json.dumps(found)
    names = {"paula", "Paula", "paula@example.com", "Attic", "Cellar", "127.0.0.1"}
    names |= {fixed.child.title, CHILD_PIN}
    identifiers = {
        fixed.plex_pass.uuid,
        fixed.child.uuid,
        fixed.attic.machine_identifier,
    }
    assert not [
        word for word in simulator.secrets() | names | identifiers if word in text
    ]


async def test_entry(
    hass: HomeAssistant,
    hass_client: ClientSessionGenerator,
    simulator: PlexSimulator,
    fixed: FixedWorld,
    paula: MockConfigEntry,
    snapshot: SnapshotAssertion,
) -> None:
    """An entry's diagnostics have facts, but no secret, name, address or identifier."""
    notifications = server_coordinator(paula, fixed.attic).notifications
    await until(lambda: notifications.is_refused)
    found = await get_diagnostics_for_config_entry(hass, hass_client, paula)
    assert found == snapshot
    assert_names_nobody(found, simulator, fixed)


async def test_entry_that_is_not_loaded(
    hass: HomeAssistant,
    hass_client: ClientSessionGenerator,
    simulator: PlexSimulator,
    fixed: FixedWorld,
    paula: MockConfigEntry,
) -> None:
    """What is stored is counted; no server is taken for a Home user or the reverse."""
    devices = [device_of(hass, paula, of) for of in (None, fixed.attic, fixed.child)]
    await hass.config_entries.async_unload(paula.entry_id)
    found = await get_diagnostics_for_config_entry(hass, hass_client, paula)
    assert found["state"] == "not_loaded"
    assert found["home_users"] == [{"known_servers": 1}]
    assert [server["known_token"] for server in found["servers"]] == [True]
    assert_names_nobody(found, simulator, fixed)
    account, server, user = [
        await get_diagnostics_for_device(hass, hass_client, paula, device)
        for device in devices
    ]
    assert account["token_origin"] == "password"
    assert server["known_token"] is True
    assert user == {"state": "not_loaded", "known_servers": 1}
    assert_names_nobody({"found": [account, server, user]}, simulator, fixed)


async def test_home_user(
    hass: HomeAssistant,
    hass_client: ClientSessionGenerator,
    simulator: PlexSimulator,
    fixed: FixedWorld,
    paula: MockConfigEntry,
) -> None:
    """A Home user's diagnostics tell a rejection from an outage."""
    device = device_of(hass, paula, fixed.child)
    user = home_user_coordinator(paula, fixed.child)
    expected: dict[str, Any] = {"known_servers": 1, "listed_servers": 1}
    steps: tuple[tuple[Callable[[], object], bool | None, str | None], ...] = (
        (lambda: None, False, None),
        (fixed.child.revoke_tokens, True, "TokenRejectedError"),
        (
            lambda: simulator.faults.set("resources", Fault.status(503)),
            None,
            "UnavailableError",
        ),
    )
    for change, rejected, failure in steps:
        change()
        await user.async_poll()
        found = await get_diagnostics_for_device(hass, hass_client, paula, device)
        assert found == expected | {"rejected": rejected, "failure": failure}
        assert_names_nobody(found, simulator, fixed)


async def test_devices(
    hass: HomeAssistant,
    hass_client: ClientSessionGenerator,
    fixed: FixedWorld,
    paula: MockConfigEntry,
) -> None:
    """A device's diagnostics are those of its account or of its server."""
    account, server = [
        await get_diagnostics_for_device(hass, hass_client, paula, device)
        for device in (device_of(hass, paula), device_of(hass, paula, fixed.attic))
    ]
    assert account["token_origin"] == "password"
    assert account["subscription_plan"] == "yearly"
    assert server["connection"] == "local"
    assert server["owned"] is True


async def test_trouble(
    hass: HomeAssistant,
    hass_client: ClientSessionGenerator,
    simulator: PlexSimulator,
    fixed: FixedWorld,
) -> None:
    """Diagnostics name the kind of a failure, of plex.tv and of a server."""
    simulator.faults.set("*", Fault.status(503))
    await fixed.attic.stop()
    entry = await async_add_account(hass, simulator, fixed.plex_pass, [fixed.attic])
    found = await get_diagnostics_for_config_entry(hass, hass_client, entry)
    assert found["account"]["failure"] == "UnavailableError"
    assert found["account"]["listed_servers"] is None
    assert "has_password" not in found["account"]
    [server] = found["servers"]
    assert server["last_update_success"] is False
    assert server["connection"] is None
    found = {(one["failure"], one["used"]) for one in server["addresses"]}
    assert found == {("NotReachedError", False), ("DnsError", False)}
    assert {one["rank"] for one in server["addresses"]} == {0, 1, 2, 3}


async def test_what_a_server_says_is_no_fact(
    hass: HomeAssistant,
    hass_client: ClientSessionGenerator,
    fixed: FixedWorld,
    paula: MockConfigEntry,
) -> None:
    """A version or a protocol of any wording is left out: it may name somebody."""
    fixed.attic.version = "1.43 of paula@example.com"
    fixed.attic.connections = [
        replace(one, protocol="of paula@example.com") for one in fixed.attic.connections
    ]
    await account_coordinator(paula).async_check_now()
    await server_coordinator(paula, fixed.attic).async_check_now()
    found = await get_diagnostics_for_config_entry(hass, hass_client, paula)
    assert server_coordinator(paula, fixed.attic).access.version == fixed.attic.version
    assert "paula" not in json.dumps(found)
    (server,) = found["servers"]
    assert server["version"] is None

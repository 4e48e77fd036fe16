"""The fix flows of repairs, through Home Assistant's own API."""

import asyncio
from dataclasses import replace

import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from homeassistant.config_entries import ConfigEntryState
from homeassistant.helpers import device_registry as dr, issue_registry as ir

from .conftest import Dns
from .fix import OpenFix
from .helpers import (
    account_coordinator,
    async_arrival,
    device_of,
    refuse_tokens,
    server_coordinator,
    subentry_of,
    with_typed_token,
)
from .home import Home
from .plex_simulator import Certificate, Fault, MediaServer
from .plex_simulator.worlds import PODCASTS


async def test_remove_a_server_that_is_not_listed(
    home: Home, open_fix: OpenFix
) -> None:
    """The server goes with its device, once somebody agrees; the account stays."""
    home.server.shared_with.remove(home.ben)
    entry = await home.add(home.ben, home.server)
    device = device_of(home.hass, entry, home.server)
    fix = await open_fix(entry, home.server, "server_not_listed")
    assert fix.result["step_id"] == "confirm"
    placeholders = {"account": "Ben", "server": "Living Room"}
    assert fix.result["description_placeholders"] == placeholders
    assert entry.subentries
    await fix.submit()
    assert fix.result["type"] == "create_entry"
    await home.settle()
    assert not entry.subentries
    assert entry.state is ConfigEntryState.LOADED
    assert dr.async_get(home.hass).async_get(device.id) is None
    assert not ir.async_get(home.hass).issues


@pytest.fixture
async def refused(home: Home) -> MockConfigEntry:
    """Return an entry whose only server refuses the token that was typed for it."""
    added = with_typed_token(home.server, sources=[f"provider://{PODCASTS}"])
    added["data"] = {**added["data"], "token": "refused"}
    return await home.add(home.world.yearly, added)


async def test_listed_again(home: Home, open_fix: OpenFix) -> None:
    """A server that is shared again meanwhile is not removed."""
    home.server.shared_with.remove(home.ben)
    entry = await home.add(home.ben, home.server)
    fix = await open_fix(entry, home.server, "server_not_listed")
    home.server.shared_with.append(home.ben)
    await account_coordinator(entry).servers.renew(now=True)
    await home.settle()
    await fix.submit()
    assert fix.result["reason"] == "listed_again"
    assert subentry_of(entry, home.server)


@pytest.mark.parametrize("how", ["entry", "subentry"])
@pytest.mark.parametrize("key", ["server_not_listed", "server_token_refused"])
async def test_removed_meanwhile(
    home: Home, open_fix: OpenFix, key: str, how: str
) -> None:
    """A dialog about a server that is gone ends in words."""
    typed: dict[str, str] = {}
    if key == "server_token_refused":
        typed["token"] = "another-token"
        refuse_tokens(home.server)
        entry = await home.add(home.ben, with_typed_token(home.server))
        await home.failure("get_transient_token")
    else:
        home.server.shared_with.remove(home.ben)
        entry = await home.add(home.ben, home.server)
    fix = await open_fix(entry, home.server, key)
    await home.remove(entry, home.server if how == "subentry" else None)
    await fix.submit(**typed)
    assert fix.result["reason"] == "server_removed"


async def test_new_token(
    home: Home, open_fix: OpenFix, refused: MockConfigEntry
) -> None:
    """A new token is stored once the server takes it, and the issue goes."""
    fix = await open_fix(refused, home.server, "server_token_refused")
    assert fix.result["step_id"] == "token"
    for token in ("wrong", "two words", " ", "tökenn"):
        await fix.submit(token=token)
        assert fix.errors == {"base": "invalid_token"}
    for fault, key in (
        (Fault.status(500), "unavailable"),
        (Fault.status(429), "rate_limited"),
        (Fault.status(503, 'title="Maintenance"'), "maintenance"),
        (Fault.status(503, "server is still starting up"), "starting_up"),
        (Fault.status(400), "unknown"),
        (Fault.reset(), "secure_connection_required"),
    ):
        home.server.faults.set("root", fault)
        await fix.submit(token=home.server.access_token_for(home.server.owner))
        assert fix.errors == {"base": key}
    home.server.faults.clear()
    home.server.claimed = home.server.trusts_network = False
    await fix.submit(token="wrong")
    assert fix.errors == {"base": "not_claimed"}
    home.server.claimed = home.server.trusts_network = True
    assert subentry_of(refused, home.server).data["token"] == "refused"
    await fix.submit(token=f" {home.server.access_token_for(home.server.owner)} ")
    assert fix.result["type"] == "create_entry"
    await home.settle()
    token = home.server.access_token_for(home.server.owner)
    assert subentry_of(refused, home.server).data["token"] == token
    assert server_coordinator(refused, home.server).access.token_refused is False
    assert not ir.async_get(home.hass).issues


async def test_new_token_while_the_account_is_not_loaded(
    home: Home, open_fix: OpenFix, refused: MockConfigEntry
) -> None:
    """A token cannot be checked while the account is not loaded, nor is it stored."""
    fix = await open_fix(refused, home.server, "server_token_refused")
    await home.hass.config_entries.async_unload(refused.entry_id)
    await fix.submit(token=home.server.access_token_for(home.server.owner))
    assert fix.errors == {"base": "cannot_connect"}
    assert subentry_of(refused, home.server).data["token"] == "refused"


@pytest.fixture
async def unresolved(
    home: Home, dns: Dns, plex_direct: None
) -> tuple[MockConfigEntry, MediaServer]:
    """Return a server that requires secure connections, whose names do not resolve."""
    dns.plex_direct = False
    server = await home.add_hidden_server()
    entry = await home.add(server.owner, server)
    assert not server_coordinator(entry, server).last_update_success
    return entry, server


async def test_use_the_local_address(
    home: Home, open_fix: OpenFix, unresolved: tuple[MockConfigEntry, MediaServer]
) -> None:
    """The local address is used once somebody agrees and the server answers there."""
    entry, server = unresolved
    fix = await open_fix(entry, server, "plex_direct_not_resolved")
    url = f"https://127.0.0.1:{server.port}"
    assert fix.result["step_id"] == "confirm"
    assert fix.result["description_placeholders"]["url"] == url
    identifier = server.machine_identifier
    for fault, key in (
        (Fault.status(503), "unavailable"),
        (Fault.status(401), "not_permitted"),
        (Fault.body("{}"), "unknown"),
        (Fault.reset(), "cannot_connect"),
    ):
        server.faults.set("identity", fault)
        await fix.submit()
        assert fix.errors == {"base": key}
    server.faults.clear()
    server.machine_identifier = "another"
    await fix.submit()
    assert fix.errors == {"base": "wrong_server"}
    server.machine_identifier = identifier
    assert "url" not in subentry_of(entry, server).data
    server.set_certificate(Certificate.EXPIRED)
    await fix.submit()
    assert fix.result["type"] == "create_entry"
    await home.settle()
    data = subentry_of(entry, server).data
    assert (data["url"], data["verify_ssl"]) == (url, False)
    assert server_coordinator(entry, server).data.route.kind == "custom"
    assert not ir.async_get(home.hass).issues


async def test_removed_while_the_local_address_is_asked(
    home: Home, open_fix: OpenFix, unresolved: tuple[MockConfigEntry, MediaServer]
) -> None:
    """A server that is removed while its local address is asked stays removed."""
    entry, server = unresolved
    fix = await open_fix(entry, server, "plex_direct_not_resolved")
    server.faults.set("identity", Fault.delay(0.3))
    submitting = asyncio.create_task(fix.submit())
    await async_arrival(home.simulator, "identity")
    await home.remove(entry, server)
    await submitting
    assert fix.result["reason"] == "server_removed"
    assert not entry.subentries


async def test_no_local_address_any_more(
    home: Home, open_fix: OpenFix, unresolved: tuple[MockConfigEntry, MediaServer]
) -> None:
    """An address that plex.tv lists no longer cannot be used."""
    entry, server = unresolved
    fix = await open_fix(entry, server, "plex_direct_not_resolved")
    server.connections = [replace(listed, local=False) for listed in server.connections]
    await server_coordinator(entry, server).account.servers.renew(now=True)
    await fix.submit()
    assert fix.result["type"] == "abort"
    assert fix.result["reason"] == "no_local_address"


async def test_local_address_while_the_account_is_not_loaded(
    home: Home, open_fix: OpenFix, unresolved: tuple[MockConfigEntry, MediaServer]
) -> None:
    """While the account is not loaded no address is known."""
    entry, server = unresolved
    fix = await open_fix(entry, server, "plex_direct_not_resolved")
    await home.hass.config_entries.async_unload(entry.entry_id)
    await fix.submit()
    assert fix.result["reason"] == "no_local_address"
    assert "url" not in subentry_of(entry, server).data

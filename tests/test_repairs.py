"""The fix flows of repairs, through Home Assistant's own API."""

import asyncio
from dataclasses import replace
from typing import NamedTuple

import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from homeassistant.config_entries import ConfigEntryState
from homeassistant.helpers import device_registry as dr, issue_registry as ir

from .conftest import Dns
from .harness import Harness
from .helpers import (
    account_coordinator,
    async_arrival,
    device_of,
    refuse_tokens,
    server_coordinator,
    subentry_of,
    with_typed_token,
)
from .plex_simulator import Certificate, Connection, Fault, MediaServer
from .plex_simulator.worlds import PODCASTS
from .repair_dialog import OpenRepair, RepairDialog


async def test_remove_a_server_that_is_not_listed(
    harness: Harness, open_repair: OpenRepair
) -> None:
    """The server goes with its device, once somebody agrees; the account stays."""
    harness.server.shared_with.remove(harness.ben)
    entry = await harness.add(harness.ben, harness.server)
    device = device_of(harness.hass, entry, harness.server)
    dialog = await open_repair(entry, harness.server, "server_not_listed")
    assert dialog.result["step_id"] == "confirm"
    placeholders = {
        "account": "Ben",
        "account_md": "Ben",
        "server": "Living Room",
        "server_md": "Living Room",
    }
    assert dialog.result["description_placeholders"] == placeholders
    assert entry.subentries
    await dialog.submit()
    assert dialog.result["type"] == "create_entry"
    await harness.settle()
    assert not entry.subentries
    assert entry.state is ConfigEntryState.LOADED
    assert dr.async_get(harness.hass).async_get(device.id) is None
    assert not ir.async_get(harness.hass).issues


@pytest.fixture
async def refused(harness: Harness) -> MockConfigEntry:
    """Return an entry whose only server refuses the token that was typed for it."""
    added = with_typed_token(harness.server, sources=[f"provider://{PODCASTS}"])
    added["data"] = {**added["data"], "token": "refused"}
    return await harness.add(harness.world.yearly, added)


async def test_listed_again(harness: Harness, open_repair: OpenRepair) -> None:
    """A server that is shared again meanwhile is not removed."""
    harness.server.shared_with.remove(harness.ben)
    entry = await harness.add(harness.ben, harness.server)
    dialog = await open_repair(entry, harness.server, "server_not_listed")
    harness.server.shared_with.append(harness.ben)
    await account_coordinator(entry).servers.renew(now=True)
    await harness.settle()
    await dialog.submit()
    assert dialog.result["reason"] == "listed_again"
    assert subentry_of(entry, harness.server)


@pytest.mark.parametrize("how", ["entry", "subentry"])
@pytest.mark.parametrize("key", ["server_not_listed", "server_token_refused"])
async def test_removed_meanwhile(
    harness: Harness, open_repair: OpenRepair, key: str, how: str
) -> None:
    """A dialog about a server that is gone ends in words."""
    typed: dict[str, str] = {}
    if key == "server_token_refused":
        typed["token"] = "another-token"
        refuse_tokens(harness.server)
        entry = await harness.add(harness.ben, with_typed_token(harness.server))
        await harness.failure("get_transient_token")
    else:
        harness.server.shared_with.remove(harness.ben)
        entry = await harness.add(harness.ben, harness.server)
    dialog = await open_repair(entry, harness.server, key)
    await harness.remove(entry, harness.server if how == "subentry" else None)
    await dialog.submit(**typed)
    assert dialog.result["reason"] == "server_removed"


async def test_new_token(
    harness: Harness, open_repair: OpenRepair, refused: MockConfigEntry
) -> None:
    """A new token is stored once the server takes it, and the issue goes."""
    dialog = await open_repair(refused, harness.server, "server_token_refused")
    assert dialog.result["step_id"] == "token"
    for token in ("wrong", "two words", " ", "tökenn"):
        await dialog.submit(token=token)
        assert dialog.errors == {"base": "invalid_token"}
    for fault, key in (
        (Fault.status(500), "unavailable"),
        (Fault.status(429), "rate_limited"),
        (Fault.status(503, 'title="Maintenance"'), "maintenance"),
        (Fault.status(503, "server is still starting up"), "starting_up"),
        (Fault.status(400), "unknown"),
        (Fault.reset(), "secure_connection_required"),
    ):
        harness.server.faults.set("root", fault)
        await dialog.submit(token=harness.server.access_token_for(harness.server.owner))
        assert dialog.errors == {"base": key}
    harness.server.faults.clear()
    harness.server.claimed = harness.server.trusts_network = False
    harness.simulator.requests.clear()
    await dialog.submit(token="wrong")
    assert dialog.errors == {"base": "not_claimed"}
    assert set(harness.asked()) == {"identity"}
    harness.server.claimed = harness.server.trusts_network = True
    assert subentry_of(refused, harness.server).data["token"] == "refused"
    await dialog.submit(
        token=f" {harness.server.access_token_for(harness.server.owner)} "
    )
    assert dialog.result["type"] == "create_entry"
    await harness.settle()
    token = harness.server.access_token_for(harness.server.owner)
    assert subentry_of(refused, harness.server).data["token"] == token
    assert server_coordinator(refused, harness.server).access.token_refused is False
    assert not ir.async_get(harness.hass).issues


async def test_new_token_while_the_account_is_not_loaded(
    harness: Harness, open_repair: OpenRepair, refused: MockConfigEntry
) -> None:
    """A token cannot be checked while the account is not loaded, nor is it stored."""
    dialog = await open_repair(refused, harness.server, "server_token_refused")
    await harness.hass.config_entries.async_unload(refused.entry_id)
    await dialog.submit(token=harness.server.access_token_for(harness.server.owner))
    assert dialog.errors == {"base": "cannot_connect"}
    assert subentry_of(refused, harness.server).data["token"] == "refused"


class Unresolved(NamedTuple):
    """Hold a server whose names do not resolve, and the dialog that repairs it."""

    entry: MockConfigEntry
    server: MediaServer
    dialog: RepairDialog


@pytest.fixture
async def unresolved(
    harness: Harness, dns: Dns, plex_direct: None, open_repair: OpenRepair
) -> Unresolved:
    """Open the repair of a server that wants TLS and whose names do not resolve."""
    dns.plex_direct = False
    server = await harness.add_hidden_server()
    entry = await harness.add(server.owner, server)
    assert not server_coordinator(entry, server).last_update_success
    dialog = await open_repair(entry, server, "plex_direct_not_resolved")
    return Unresolved(entry, server, dialog)


async def test_use_the_local_address(harness: Harness, unresolved: Unresolved) -> None:
    """The local address is used once somebody agrees and the server answers there."""
    entry, server, dialog = unresolved
    url = f"https://127.0.0.1:{server.port}"
    assert dialog.result["step_id"] == "confirm"
    assert dialog.result["description_placeholders"]["url"] == url
    identifier = server.machine_identifier
    for fault, key in (
        (Fault.status(503), "unavailable"),
        (Fault.status(401), "not_permitted"),
        (Fault.body("{}"), "unknown"),
        (Fault.reset(), "cannot_connect"),
    ):
        server.faults.set("identity", fault)
        await dialog.submit()
        assert dialog.errors == {"base": key}
    server.faults.clear()
    server.machine_identifier = "another"
    await dialog.submit()
    assert dialog.errors == {"base": "wrong_server"}
    server.machine_identifier = identifier
    assert "url" not in subentry_of(entry, server).data
    server.set_certificate(Certificate.EXPIRED)
    await dialog.submit()
    assert dialog.result["type"] == "create_entry"
    await harness.settle()
    data = subentry_of(entry, server).data
    assert (data["url"], data["verify_ssl"]) == (url, False)
    assert server_coordinator(entry, server).data.route.kind == "custom"
    assert not ir.async_get(harness.hass).issues


async def test_another_local_address_than_the_one_agreed_to(
    harness: Harness, unresolved: Unresolved
) -> None:
    """Nothing is used that nobody agreed to: the owner may list another address."""
    entry, server, dialog = unresolved
    agreed = dialog.result["description_placeholders"]["url"]
    impostor = await harness.simulator.add_impostor(server)
    added = Connection(
        protocol="https",
        address="127.0.0.1",
        port=impostor.port,
        uri=impostor.https_url,
        local=True,
    )
    server.connections = [*server.connections, added]
    await server_coordinator(entry, server).account.servers.renew(now=True)
    await server.stop()
    await dialog.submit()
    assert (dialog.result["step_id"], dialog.errors) == ("confirm", {})
    other = f"https://127.0.0.1:{impostor.port}"
    assert other != agreed
    assert dialog.result["description_placeholders"]["url"] == other
    await harness.settle()
    assert "url" not in subentry_of(entry, server).data
    assert not impostor.tokens
    await dialog.submit()
    assert dialog.result["type"] == "create_entry"
    assert subentry_of(entry, server).data["url"] == other


async def test_removed_while_the_local_address_is_asked(
    harness: Harness, unresolved: Unresolved
) -> None:
    """A server that is removed while its local address is asked stays removed."""
    entry, server, dialog = unresolved
    server.faults.set("identity", Fault.delay(0.3))
    submitting = asyncio.create_task(dialog.submit())
    await async_arrival(harness.simulator, "identity")
    await harness.remove(entry, server)
    await submitting
    assert dialog.result["reason"] == "server_removed"
    assert not entry.subentries


async def test_no_local_address_any_more(
    harness: Harness, unresolved: Unresolved
) -> None:
    """An address that plex.tv lists no longer cannot be used."""
    entry, server, dialog = unresolved
    server.connections = [replace(listed, local=False) for listed in server.connections]
    await server_coordinator(entry, server).account.servers.renew(now=True)
    await dialog.submit()
    assert dialog.result["type"] == "abort"
    assert dialog.result["reason"] == "no_local_address"


async def test_local_address_while_the_account_is_not_loaded(
    harness: Harness, unresolved: Unresolved
) -> None:
    """While the account is not loaded no address is known."""
    entry, server, dialog = unresolved
    await harness.hass.config_entries.async_unload(entry.entry_id)
    await dialog.submit()
    assert dialog.result["reason"] == "no_local_address"
    assert "url" not in subentry_of(entry, server).data

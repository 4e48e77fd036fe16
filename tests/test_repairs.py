"""The fix flows of repairs, through Home Assistant's own API."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from ipaddress import ip_network
from typing import Any, NamedTuple
from unittest.mock import patch

from freezegun.api import FrozenDateTimeFactory
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.plex_auth.api import addresses
from custom_components.plex_auth.api.models import Identity
from custom_components.plex_auth.api.server import PlexServer
from homeassistant.config_entries import ConfigEntryState
from homeassistant.helpers import device_registry as dr, issue_registry as ir

from .conftest import Dns
from .harness import Harness
from .helpers import (
    account_coordinator,
    device_of,
    refuse_tokens,
    server_coordinator,
    server_data,
    subentry_of,
    with_typed_token,
)
from .plex_simulator import Certificate, Connection, Fault, MediaServer
from .plex_simulator.recording import RecordedRequest
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
    harness: Harness,
    dns: Dns,
    plex_direct: None,
    open_repair: OpenRepair,
    freezer: FrozenDateTimeFactory,
) -> Unresolved:
    """Open the repair of a server that wants TLS and whose names do not resolve."""
    dns.plex_direct = False
    server = await harness.add_hidden_server()
    entry = await harness.add(server.owner, server)
    assert not server_coordinator(entry, server).last_update_success
    await harness.lose(freezer)
    dialog = await open_repair(entry, server, "server_not_reached")
    return Unresolved(entry, server, dialog)


async def test_use_the_address_that_answers(
    harness: Harness, unresolved: Unresolved
) -> None:
    """The address is used once somebody agrees and the server still answers there."""
    entry, server, dialog = unresolved
    url = f"https://127.0.0.1:{server.port}"
    assert dialog.result["step_id"] == "confirm"
    given = dialog.result["description_placeholders"]
    assert given["url"] == url
    assert "doesn't resolve plex.direct names" in given["reasons_md"]
    assert "don't answer" not in given["reasons_md"]
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


async def test_type_an_address(harness: Harness, unresolved: Unresolved) -> None:
    """Where no address answers one is typed, which is asked before it is stored."""
    entry, server, dialog = unresolved
    identifier = server.machine_identifier
    server.machine_identifier = "another"
    await dialog.submit()
    assert (dialog.result["step_id"], dialog.errors) == ("address", {})
    typed = {"url": f"https://127.0.0.1:{server.port}", "verify_ssl": False}
    await dialog.submit(**typed)
    assert dialog.errors == {"url": "wrong_server"}
    server.machine_identifier = identifier
    for wrong, errors in (
        ({"url": "http//nas"}, {"url": "invalid_url"}),
        ({"url": "http://127.0.0.1:1"}, {"base": "cannot_connect"}),
        ({"verify_ssl": True}, {"base": "certificate_error"}),
    ):
        await dialog.submit(**{**typed, **wrong})
        assert dialog.errors == errors
    assert "url" not in subentry_of(entry, server).data
    await dialog.submit(**typed)
    assert dialog.result["type"] == "create_entry"
    await harness.settle()
    data = subentry_of(entry, server).data
    assert (data["url"], data["verify_ssl"]) == (typed["url"], False)
    assert not ir.async_get(harness.hass).issues


@pytest.mark.parametrize("is_removed", [True, False])
async def test_gone_before_an_address_is_typed(
    harness: Harness, unresolved: Unresolved, is_removed: bool
) -> None:
    """The form of a server that is gone, or whose account is, ends in words."""
    entry, server, dialog = unresolved
    server.machine_identifier, identifier = "another", server.machine_identifier
    await dialog.submit()
    server.machine_identifier = identifier
    if is_removed:
        await harness.remove(entry, server)
    else:
        await harness.hass.config_entries.async_unload(entry.entry_id)
    await dialog.submit(url=f"https://127.0.0.1:{server.port}", verify_ssl=False)
    reason = "server_removed" if is_removed else "entry_not_loaded"
    assert dialog.result["reason"] == reason


@contextmanager
def removed_while_asked(
    harness: Harness, entry: MockConfigEntry, server: MediaServer
) -> Iterator[None]:
    """Remove a server in the moment that it says who it is."""
    identity = PlexServer.identity

    async def identity_and_remove(
        client: PlexServer, expected: str | None = None
    ) -> Identity:
        found = await identity(client, expected)
        if entry.subentries:
            await harness.remove(entry, server)
        return found

    with patch.object(PlexServer, "identity", identity_and_remove):
        yield
    assert not entry.subentries


async def test_removed_while_a_typed_address_is_asked(
    harness: Harness, unresolved: Unresolved
) -> None:
    """A server that is removed while its typed address is asked stays removed."""
    entry, server, dialog = unresolved
    server.machine_identifier, identifier = "another", server.machine_identifier
    await dialog.submit()
    server.machine_identifier = identifier
    url = f"https://127.0.0.1:{server.port}"
    with removed_while_asked(harness, entry, server):
        await dialog.submit(url=url, verify_ssl=False)
    assert dialog.result["reason"] == "server_removed"


async def test_reached_again_meanwhile(
    harness: Harness, dns: Dns, unresolved: Unresolved
) -> None:
    """A server that is reached again needs no address."""
    entry, server, dialog = unresolved
    dns.plex_direct = True
    await server_coordinator(entry, server).async_check_now()
    await dialog.submit()
    assert dialog.result["reason"] == "reached"


@pytest.mark.parametrize(
    ("listed", "reason"),
    [
        ({"uri": "http://8.8.8.8:32400", "protocol": "http"}, "plain http"),
        ({"uri": "https://127.0.0.1:1", "protocol": "https"}, "don't answer"),
        (None, "lists no address"),
    ],
)
async def test_reasons(
    harness: Harness,
    open_repair: OpenRepair,
    freezer: FrozenDateTimeFactory,
    listed: dict[str, Any] | None,
    reason: str,
) -> None:
    """The dialog says why no listed address is used."""
    harness.server.presence = True
    only = replace(harness.server.connections[0], port=1, local=False)
    harness.server.connections = [] if listed is None else [replace(only, **listed)]
    data = server_data(harness.server, harness.anna)
    data["data"] = {**data["data"], "last_known": {}}
    entry = await harness.add(harness.anna, data)
    await harness.lose(freezer)
    dialog = await open_repair(entry, harness.server, "server_not_reached")
    assert dialog.result["step_id"] == "address"
    given = dialog.result["description_placeholders"]["reasons_md"]
    assert given.count("- ") == 1
    assert reason in given


async def test_address_of_a_tailnet_is_offered(
    harness: Harness,
    open_repair: OpenRepair,
    freezer: FrozenDateTimeFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An address of 100.64.0.0/10 is used once somebody agrees, never before."""
    monkeypatch.setattr(addresses, "_NEAR", (ip_network("127.0.0.0/8"),))
    monkeypatch.setattr(addresses, "_PRIVATE", ())
    monkeypatch.setattr(addresses, "_LOOPBACK", ())
    harness.server.presence = True
    entry = await harness.add(harness.anna, harness.server)
    assert harness.state("binary_sensor.reachable") == "off"
    await harness.lose(freezer)
    assert not any("X-Plex-Token" in one.headers for one in to_server(harness))
    dialog = await open_repair(entry, harness.server, "server_not_reached")
    assert dialog.result["step_id"] == "confirm"
    await dialog.submit()
    await harness.settle()
    assert harness.state("binary_sensor.reachable") == "on"
    await harness.call("get_transient_token")


def to_server(harness: Harness) -> list[RecordedRequest]:
    """Return the requests to the server."""
    identifier = harness.server.machine_identifier
    return [one for one in harness.simulator.requests if one.host == identifier]


async def test_removed_while_the_local_address_is_asked(
    harness: Harness, unresolved: Unresolved
) -> None:
    """A server that is removed while its local address is asked stays removed."""
    entry, server, dialog = unresolved
    with removed_while_asked(harness, entry, server):
        await dialog.submit()
    assert dialog.result["reason"] == "server_removed"


@pytest.mark.usefixtures("plex_direct")
@pytest.mark.parametrize("is_removed", [True, False])
async def test_gone_while_a_listed_address_is_asked(
    harness: Harness, open_repair: OpenRepair, is_removed: bool
) -> None:
    """A typed address of a server that is gone by then is not forgotten."""
    data = server_data(harness.server, harness.anna, url="http://127.0.0.1:1")
    entry = await harness.add(harness.anna, data)
    await server_coordinator(entry, harness.server).async_check_now()
    dialog = await open_repair(entry, harness.server, "server_address_fails")
    if is_removed:
        with removed_while_asked(harness, entry, harness.server):
            await dialog.submit()
        assert dialog.result["reason"] == "server_removed"
    else:
        await harness.hass.config_entries.async_unload(entry.entry_id)
        await dialog.submit()
        assert dialog.result["reason"] == "entry_not_loaded"


async def test_local_address_while_the_account_is_not_loaded(
    harness: Harness, unresolved: Unresolved
) -> None:
    """While the account is not loaded no address is known."""
    entry, server, dialog = unresolved
    await harness.hass.config_entries.async_unload(entry.entry_id)
    await dialog.submit()
    assert dialog.result["reason"] == "entry_not_loaded"
    assert "url" not in subentry_of(entry, server).data

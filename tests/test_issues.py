"""Repairs come when their cause does, and go away by themselves when it does."""

from datetime import timedelta
import socket
from unittest.mock import patch

from aiohttp.abc import ResolveResult
from freezegun.api import FrozenDateTimeFactory
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.plex_auth.api.errors import DnsError
from custom_components.plex_auth.const import DOMAIN
from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers import issue_registry as ir

from .conftest import Dns
from .helpers import (
    async_add_account,
    async_get_transient_token,
    async_pass,
    async_settle,
    server_coordinator,
    server_data,
    subentry_of,
    with_typed_token,
)
from .plex_simulator import Fault, MediaServer, PlexSimulator, Way
from .plex_simulator.worlds import DemoWorld
from .walks.texts import texts_of

HOUR = timedelta(hours=1, minutes=1)
SERVER_POLL = timedelta(minutes=5, seconds=10)
SOURCE_POLL = timedelta(minutes=30, seconds=10)

FIXABLE = {"server_not_listed", "server_token_refused", "plex_direct_not_resolved"}


def issues(
    hass: HomeAssistant, entry: MockConfigEntry, server: MediaServer
) -> list[str]:
    """Return what is said to be wrong with a server, checked for its texts."""
    subentry = subentry_of(entry, server)
    found = []
    for issue in ir.async_get(hass).issues.values():
        if issue.domain != DOMAIN or not issue.issue_id.endswith(subentry.subentry_id):
            continue
        key = issue.translation_key
        assert key is not None
        assert issue.issue_id == f"{key}_{subentry.subentry_id}"
        assert issue.severity is ir.IssueSeverity.WARNING
        assert issue.is_fixable is (key in FIXABLE)
        assert issue.translation_placeholders == {
            "account": entry.title,
            "server": server.name,
        }
        texts = texts_of(f"issues.{key}")
        assert texts["title"]
        assert ("fix_flow" in texts) is issue.is_fixable
        assert ("description" in texts) is not issue.is_fixable
        found.append(key)
    return found


async def test_server_not_listed(
    hass: HomeAssistant,
    simulator: PlexSimulator,
    world: DemoWorld,
    freezer: FrozenDateTimeFactory,
) -> None:
    """A server that is no longer shared is told of, until it is shared again."""
    server = world.living_room
    entry = await async_add_account(hass, simulator, world.free, [server])
    assert issues(hass, entry, server) == []
    server.shared_with.remove(world.free)
    await async_pass(hass, freezer, HOUR)
    assert issues(hass, entry, server) == ["server_not_listed"]
    server.shared_with.append(world.free)
    await async_pass(hass, freezer, HOUR)
    assert issues(hass, entry, server) == []


async def test_not_listed_while_plex_tv_is_away(
    hass: HomeAssistant, simulator: PlexSimulator, world: DemoWorld
) -> None:
    """A list that is not known says nothing of any server."""
    await simulator.stop_plex_tv()
    server = world.living_room
    entry = await async_add_account(hass, simulator, world.free, [server])
    assert entry.state is ConfigEntryState.LOADED
    assert issues(hass, entry, server) == []


async def test_unlisted_server_with_a_typed_token(
    hass: HomeAssistant, simulator: PlexSimulator, world: DemoWorld
) -> None:
    """A server with a typed token need not be listed."""
    server = world.shared
    entry = await async_add_account(
        hass, simulator, world.free, [with_typed_token(server)]
    )
    assert issues(hass, entry, server) == []


async def test_token_refused(
    hass: HomeAssistant,
    simulator: PlexSimulator,
    world: DemoWorld,
    freezer: FrozenDateTimeFactory,
) -> None:
    """A typed token that its server refuses is told of, until it is taken again."""
    server = world.living_room
    source = f"server://{world.basement.machine_identifier}"
    entry = await async_add_account(
        hass, simulator, world.yearly, [with_typed_token(server, sources=[source])]
    )
    assert issues(hass, entry, server) == []
    token = server.access_token_for(server.owner)
    server.rotate_access_tokens()
    await async_pass(hass, freezer, SOURCE_POLL)
    assert issues(hass, entry, server) == ["server_token_refused"]
    server._access_tokens[server.owner.id] = token
    await async_pass(hass, freezer, SOURCE_POLL)
    assert issues(hass, entry, server) == []


async def test_too_old(
    hass: HomeAssistant,
    simulator: PlexSimulator,
    world: DemoWorld,
    freezer: FrozenDateTimeFactory,
) -> None:
    """A server too old for its watched sources is told of, until it is updated."""
    server = world.living_room
    version = server.version
    source = f"server://{world.basement.machine_identifier}"
    data = server_data(server, world.two_factor, sources=[source])
    entry = await async_add_account(
        hass, simulator, world.two_factor, [data, world.basement]
    )
    assert issues(hass, entry, server) == []
    for old in (server, world.basement):
        old.version = "1.15.3.876-ad6e39743"
    await async_pass(hass, freezer, SERVER_POLL)
    assert issues(hass, entry, server) == ["server_too_old"]
    assert issues(hass, entry, world.basement) == []
    server.version = version
    await async_pass(hass, freezer, SERVER_POLL)
    assert issues(hass, entry, server) == []


@pytest.mark.usefixtures("plex_direct")
@pytest.mark.parametrize("has_relay", [False, True])
async def test_plex_direct_not_resolved(
    hass: HomeAssistant,
    simulator: PlexSimulator,
    dns: Dns,
    freezer: FrozenDateTimeFactory,
    has_relay: bool,
) -> None:
    """A server not reached locally for want of names is told of, until they resolve."""
    hugo = simulator.add_account("hugo", title="Hugo")
    server = await simulator.add_server(
        "Vault", hugo, https_required=True, remote_access=False, relay=has_relay
    )
    if has_relay:
        listed = server.connections
        relay = next(connection for connection in listed if connection.relay)
        local = next(connection for connection in listed if connection.local)
        localhost = relay.uri.replace(server.plex_direct_name("127.0.0.1"), "localhost")
        relay = type(relay)(
            protocol="https",
            address="127.0.0.1",
            port=relay.port,
            uri=localhost,
            local=False,
            relay=True,
        )
        server.connections = [local, relay]
        server._site.set_certificate(("localhost", *server._names()))
    dns.plex_direct = False
    entry = await async_add_account(hass, simulator, hugo, [server])
    coordinator = server_coordinator(entry, server)
    assert coordinator.last_update_success is has_relay
    if has_relay:
        assert coordinator.data.connection.kind == "relay"
    assert issues(hass, entry, server) == ["plex_direct_not_resolved"]
    dns.plex_direct = True
    if has_relay:
        await server.close_way(Way.RELAY)
    await async_pass(hass, freezer, SERVER_POLL)
    coordinator = server_coordinator(entry, server)
    assert coordinator.data.connection.kind == "local"
    assert issues(hass, entry, server) == []


@pytest.mark.usefixtures("plex_direct")
@pytest.mark.parametrize("missing", ["all names", "plex.tv"])
async def test_internet_that_is_missing(
    hass: HomeAssistant, simulator: PlexSimulator, dns: Dns, missing: str
) -> None:
    """Without internet no name resolves: no router is to blame."""
    hugo = simulator.add_account("hugo", title="Hugo")
    server = await simulator.add_server(
        "Vault", hugo, https_required=True, remote_access=missing == "all names"
    )
    if missing == "plex.tv":
        server.connections = [one for one in server.connections if not one.relay]
        simulator.faults.set("user", Fault.html(502))
    dns.plex_direct = False
    entry = await async_add_account(hass, simulator, hugo, [server])
    coordinator = server_coordinator(entry, server)
    assert any(isinstance(one, DnsError) for one in coordinator.failures.values())
    assert issues(hass, entry, server) == []


@pytest.mark.usefixtures("plex_direct")
async def test_internet_is_no_reason_to_ask_again(
    hass: HomeAssistant,
    simulator: PlexSimulator,
    dns: Dns,
    freezer: FrozenDateTimeFactory,
) -> None:
    """While plex.tv is away the issue stays as it is, ignored or not."""
    hugo = simulator.add_account("hugo", title="Hugo")
    server = await simulator.add_server(
        "Vault", hugo, https_required=True, remote_access=False, relay=False
    )
    dns.plex_direct = False
    entry = await async_add_account(hass, simulator, hugo, [server])
    assert issues(hass, entry, server) == ["plex_direct_not_resolved"]
    ignore(hass)
    simulator.faults.set("user", Fault.html(502))
    await async_pass(hass, freezer, SOURCE_POLL)
    simulator.faults.clear()
    await async_pass(hass, freezer, SOURCE_POLL)
    assert is_ignored(hass)
    hugo.revoke_tokens()
    await async_pass(hass, freezer, SOURCE_POLL)
    assert issues(hass, entry, server) == ["plex_direct_not_resolved"]


def ignore(hass: HomeAssistant) -> None:
    """Ignore the one issue that there is."""
    (issue,) = ir.async_get(hass).issues.values()
    ir.async_ignore_issue(hass, DOMAIN, issue.issue_id, True)


def is_ignored(hass: HomeAssistant) -> bool:
    """Tell whether the one issue that there is is ignored."""
    (issue,) = ir.async_get(hass).issues.values()
    return issue.active and issue.dismissed_version is not None


@pytest.mark.parametrize("how", ["entry", "subentry"])
async def test_ignored_until_it_is_removed(
    hass: HomeAssistant, simulator: PlexSimulator, world: DemoWorld, how: str
) -> None:
    """What the user ignores is ignored after a reload, too, and goes with the server."""
    server = world.living_room
    server.shared_with.remove(world.free)
    entry = await async_add_account(hass, simulator, world.free, [server])
    ignore(hass)
    await hass.config_entries.async_reload(entry.entry_id)
    await async_settle(hass)
    assert is_ignored(hass)
    if how == "entry":
        await hass.config_entries.async_remove(entry.entry_id)
    else:
        subentry = subentry_of(entry, server)
        hass.config_entries.async_remove_subentry(entry, subentry.subentry_id)
    await async_settle(hass)
    assert not ir.async_get(hass).issues


async def test_token_that_is_taken_again(
    hass: HomeAssistant, simulator: PlexSimulator, freezer: FrozenDateTimeFactory
) -> None:
    """A refused token is tried at each poll until it is taken again."""
    hugo = simulator.add_account("hugo", title="Hugo")
    server = await simulator.add_server("Vault", hugo)
    entry = await async_add_account(hass, simulator, hugo, [with_typed_token(server)])
    for endpoint in ("security_token", "root"):
        server.faults.set(endpoint, Fault.status(401))
    with pytest.raises(HomeAssistantError):
        await async_get_transient_token(hass, entry, server)
    assert issues(hass, entry, server) == ["server_token_refused"]
    await async_pass(hass, freezer, SERVER_POLL)
    assert issues(hass, entry, server) == ["server_token_refused"]
    server.faults.clear()
    await async_pass(hass, freezer, SERVER_POLL)
    assert issues(hass, entry, server) == []


async def test_unclaimed_server_is_no_matter_of_tokens(
    hass: HomeAssistant, simulator: PlexSimulator
) -> None:
    """No new token is asked for where none is any good."""
    hugo = simulator.add_account("hugo", title="Hugo")
    server = await simulator.add_server("Vault", hugo)
    entry = await async_add_account(hass, simulator, hugo, [with_typed_token(server)])
    server.claimed = False
    for endpoint in ("security_token", "root"):
        server.faults.set(endpoint, Fault.status(401))
    with pytest.raises(HomeAssistantError) as error:
        await async_get_transient_token(hass, entry, server)
    assert error.value.translation_key == "not_claimed"
    assert issues(hass, entry, server) == []


async def test_plain_http_instead_of_plex_direct(
    hass: HomeAssistant, simulator: PlexSimulator, world: DemoWorld
) -> None:
    """A server that is reached locally over plain http lacks no name."""
    server = world.living_room
    entry = await async_add_account(hass, simulator, world.free, [server])
    assert server_coordinator(entry, server).data.connection.kind == "local"
    assert issues(hass, entry, server) == []


async def test_no_local_address(
    hass: HomeAssistant, simulator: PlexSimulator, world: DemoWorld
) -> None:
    """Where no local address is listed there is none to use instead."""
    hugo = world.three_servers
    server = await simulator.add_server("Afar", hugo, https_required=True, relay=False)
    server.connections = [listed for listed in server.connections if not listed.local]
    entry = await async_add_account(hass, simulator, hugo, [server])
    assert not server_coordinator(entry, server).last_update_success
    assert issues(hass, entry, server) == []


async def test_server_that_is_down(
    hass: HomeAssistant, simulator: PlexSimulator, world: DemoWorld
) -> None:
    """A server that is down is nothing to repair."""
    server = world.living_room
    await server.stop()
    server.connections = [
        type(listed)(
            protocol="https",
            address="127.0.0.1",
            port=listed.port,
            uri=f"https://127.0.0.1:{listed.port}",
            local=True,
        )
        for listed in server.connections
    ]
    entry = await async_add_account(hass, simulator, world.free, [server])
    assert not server_coordinator(entry, server).last_update_success
    assert issues(hass, entry, server) == []


@pytest.mark.parametrize(
    ("host", "is_told"),
    [
        ("plex.example.org", True),
        ("plex.home.arpa", False),
        ("plex", False),
        ("127.0.0.1", False),
    ],
)
async def test_plain_http(
    hass: HomeAssistant,
    simulator: PlexSimulator,
    world: DemoWorld,
    dns: Dns,
    host: str,
    is_told: bool,
) -> None:
    """A typed plain address in the internet is told of, until it is changed."""
    server = world.living_room
    resolve = dns.resolve

    async def resolve_all(
        host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        return await resolve("localhost", port, family)

    url = f"http://{host}:{server.port}"
    with patch.object(dns, "resolve", resolve_all):
        data = server_data(server, world.free, url=url, verify_ssl=True)
        entry = await async_add_account(hass, simulator, world.free, [data])
        assert server_coordinator(entry, server).last_update_success
    assert issues(hass, entry, server) == (["plain_http"] if is_told else [])
    subentry = subentry_of(entry, server)
    for address in (f"https://{host}:{server.port}", server.http_url):
        hass.config_entries.async_update_subentry(
            entry, subentry, data={**subentry.data, "url": address}
        )
        await async_settle(hass)
        assert issues(hass, entry, server) == []


@pytest.mark.parametrize("how", ["unload", "remove", "remove_subentry"])
async def test_nothing_is_left(
    hass: HomeAssistant,
    simulator: PlexSimulator,
    world: DemoWorld,
    freezer: FrozenDateTimeFactory,
    how: str,
) -> None:
    """Unloaded or removed, an entry has no issues; loaded again, it has."""
    server = world.living_room
    entry = await async_add_account(hass, simulator, world.free, [server])
    server.shared_with.remove(world.free)
    await async_pass(hass, freezer, HOUR)
    assert issues(hass, entry, server) == ["server_not_listed"]
    if how == "unload":
        await hass.config_entries.async_unload(entry.entry_id)
    elif how == "remove":
        await hass.config_entries.async_remove(entry.entry_id)
    else:
        hass.config_entries.async_remove_subentry(
            entry, subentry_of(entry, server).subentry_id
        )
    await async_settle(hass)
    assert not [
        issue for issue in ir.async_get(hass).issues.values() if issue.domain == DOMAIN
    ]
    if how == "unload":
        await hass.config_entries.async_setup(entry.entry_id)
        await async_settle(hass)
        assert issues(hass, entry, server) == ["server_not_listed"]

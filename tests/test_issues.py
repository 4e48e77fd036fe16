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
from homeassistant.const import STATE_UNAVAILABLE
from homeassistant.core import HomeAssistant
from homeassistant.helpers import issue_registry as ir

from .conftest import Dns
from .helpers import (
    refuse_tokens,
    server_coordinator,
    server_data,
    source_of,
    subentry_of,
    with_typed_token,
)
from .home import Home
from .plex_simulator import Fault, MediaServer, Way
from .walks.texts import texts_of

HOUR = timedelta(hours=1, minutes=1)
SERVER_POLL = timedelta(minutes=5, seconds=10)
SOURCE_POLL = timedelta(minutes=30, seconds=10)

FIXABLE = {
    "server_unclaimed",
    "server_not_listed",
    "server_token_refused",
    "plex_direct_not_resolved",
    "server_address_fails",
}


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
        is_warning = issue.severity is ir.IssueSeverity.WARNING
        assert is_warning is (key != "server_unclaimed")
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


async def test_server_not_listed(home: Home, freezer: FrozenDateTimeFactory) -> None:
    """A server that is no longer shared is told of, until it is shared again."""
    entry = await home.add(home.ben, home.server)
    assert issues(home.hass, entry, home.server) == []
    home.server.shared_with.remove(home.ben)
    await home.wait(freezer, HOUR)
    assert issues(home.hass, entry, home.server) == ["server_not_listed"]
    home.server.shared_with.append(home.ben)
    await home.wait(freezer, HOUR)
    assert issues(home.hass, entry, home.server) == []


async def test_not_listed_while_plex_tv_is_away(home: Home) -> None:
    """A list that is not known says nothing of any server."""
    await home.simulator.stop_plex_tv()
    entry = await home.add(home.ben, home.server)
    assert entry.state is ConfigEntryState.LOADED
    assert issues(home.hass, entry, home.server) == []


async def test_unlisted_server_with_a_typed_token(home: Home) -> None:
    """A server with a typed token need not be listed."""
    server = home.world.shared
    entry = await home.add(home.ben, with_typed_token(server))
    assert issues(home.hass, entry, server) == []


async def test_token_refused(home: Home, freezer: FrozenDateTimeFactory) -> None:
    """A typed token that its server refuses is told of, until it is taken again."""
    source = source_of(home.world.basement)
    entry = await home.add(
        home.world.yearly, with_typed_token(home.server, sources=[source])
    )
    assert issues(home.hass, entry, home.server) == []
    token = home.server.access_token_for(home.server.owner)
    home.server.rotate_access_tokens()
    await home.wait(freezer, SOURCE_POLL)
    assert issues(home.hass, entry, home.server) == ["server_token_refused"]
    home.server._access_tokens[home.server.owner.id] = token
    await home.wait(freezer, SOURCE_POLL)
    assert issues(home.hass, entry, home.server) == []


async def test_too_old(home: Home, freezer: FrozenDateTimeFactory) -> None:
    """A server too old for its watched sources is told of, until it is updated."""
    version = home.server.version
    source = source_of(home.world.basement)
    data = server_data(home.server, home.anna, sources=[source])
    entry = await home.add(home.anna, data, home.world.basement)
    assert issues(home.hass, entry, home.server) == []
    for old in (home.server, home.world.basement):
        old.version = "1.15.3.876-ad6e39743"
    await home.wait(freezer, SERVER_POLL)
    assert issues(home.hass, entry, home.server) == ["server_too_old"]
    assert issues(home.hass, entry, home.world.basement) == []
    home.server.version = version
    await home.wait(freezer, SERVER_POLL)
    assert issues(home.hass, entry, home.server) == []


@pytest.mark.usefixtures("plex_direct")
@pytest.mark.parametrize("has_relay", [False, True])
async def test_plex_direct_not_resolved(
    home: Home, dns: Dns, freezer: FrozenDateTimeFactory, has_relay: bool
) -> None:
    """A server not reached locally for want of names is told of, until they resolve."""
    server = await home.add_hidden_server(relay=has_relay)
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
    hugo = server.owner
    entry = await home.add(hugo, server)
    before = home.state("sensor.connection", hugo, server)
    assert before == ("relay" if has_relay else STATE_UNAVAILABLE)
    assert issues(home.hass, entry, server) == ["plex_direct_not_resolved"]
    dns.plex_direct = True
    if has_relay:
        await server.close_way(Way.RELAY)
    await home.wait(freezer, SERVER_POLL)
    assert home.state("sensor.connection", hugo, server) == "local"
    assert issues(home.hass, entry, server) == []


@pytest.mark.usefixtures("plex_direct")
@pytest.mark.parametrize("missing", ["all names", "plex.tv"])
async def test_internet_that_is_missing(home: Home, dns: Dns, missing: str) -> None:
    """Without internet no name resolves: no router is to blame."""
    every_way = missing == "all names"
    server = await home.add_hidden_server(remote_access=every_way, relay=every_way)
    if missing == "plex.tv":
        home.simulator.faults.set("user", Fault.html(502))
    dns.plex_direct = False
    entry = await home.add(server.owner, server)
    failures = server_coordinator(entry, server).access.routing.failures.values()
    assert any(isinstance(failure, DnsError) for failure in failures)
    assert issues(home.hass, entry, server) == []


@pytest.mark.usefixtures("plex_direct")
async def test_internet_is_no_reason_to_ask_again(
    home: Home, dns: Dns, freezer: FrozenDateTimeFactory
) -> None:
    """While plex.tv is away the issue stays as it is, ignored or not."""
    server = await home.add_hidden_server()
    dns.plex_direct = False
    entry = await home.add(server.owner, server)
    assert issues(home.hass, entry, server) == ["plex_direct_not_resolved"]
    ignore(home.hass)
    home.simulator.faults.set("user", Fault.html(502))
    await home.wait(freezer, SOURCE_POLL)
    home.simulator.faults.clear()
    await home.wait(freezer, SOURCE_POLL)
    assert is_ignored(home.hass)
    server.owner.revoke_tokens()
    await home.wait(freezer, SOURCE_POLL)
    assert issues(home.hass, entry, server) == ["plex_direct_not_resolved"]


def ignore(hass: HomeAssistant) -> None:
    """Ignore the one issue that there is."""
    (issue,) = ir.async_get(hass).issues.values()
    ir.async_ignore_issue(hass, DOMAIN, issue.issue_id, True)


def is_ignored(hass: HomeAssistant) -> bool:
    """Tell whether the one issue that there is is ignored."""
    (issue,) = ir.async_get(hass).issues.values()
    return issue.active and issue.dismissed_version is not None


@pytest.mark.parametrize("how", ["entry", "subentry"])
async def test_ignored_until_it_is_removed(home: Home, how: str) -> None:
    """What the user ignores is ignored after a reload, too, and goes with the server."""
    home.server.shared_with.remove(home.ben)
    entry = await home.add(home.ben, home.server)
    ignore(home.hass)
    await home.reload(entry)
    assert is_ignored(home.hass)
    await home.remove(entry, home.server if how == "subentry" else None)
    assert not ir.async_get(home.hass).issues


async def test_token_that_is_taken_again(
    home: Home, freezer: FrozenDateTimeFactory
) -> None:
    """A refused token is tried at each poll until it is taken again."""
    entry = await home.add(home.anna, with_typed_token(home.server))
    refuse_tokens(home.server)
    await home.failure("get_transient_token")
    assert issues(home.hass, entry, home.server) == ["server_token_refused"]
    await home.wait(freezer, SERVER_POLL)
    assert issues(home.hass, entry, home.server) == ["server_token_refused"]
    home.server.faults.clear()
    await home.wait(freezer, SERVER_POLL)
    assert issues(home.hass, entry, home.server) == []


async def test_unclaimed_server_is_no_matter_of_tokens(home: Home) -> None:
    """No new token is asked for where none is any good."""
    entry = await home.add(home.anna, with_typed_token(home.server))
    home.server.unclaim()
    home.server.trusts_network = False
    failure = await home.failure("get_transient_token")
    assert failure.translation_key == "not_claimed"
    assert issues(home.hass, entry, home.server) == []


async def test_plain_http_instead_of_plex_direct(home: Home) -> None:
    """A server that is reached locally over plain http lacks no name."""
    entry = await home.add(home.ben, home.server)
    assert server_coordinator(entry, home.server).data.route.kind == "local"
    assert issues(home.hass, entry, home.server) == []


async def test_no_local_address(home: Home) -> None:
    """Where no local address is listed there is none to use instead."""
    hugo = home.world.three_servers
    server = await home.simulator.add_server(
        "Afar", hugo, https_required=True, relay=False
    )
    server.connections = [listed for listed in server.connections if not listed.local]
    entry = await home.add(hugo, server)
    assert not server_coordinator(entry, server).last_update_success
    assert issues(home.hass, entry, server) == []


async def test_server_that_is_down(home: Home) -> None:
    """A server that is down is nothing to repair."""
    await home.server.stop()
    home.server.connections = [
        type(listed)(
            protocol="https",
            address="127.0.0.1",
            port=listed.port,
            uri=f"https://127.0.0.1:{listed.port}",
            local=True,
        )
        for listed in home.server.connections
    ]
    entry = await home.add(home.ben, home.server)
    assert not server_coordinator(entry, home.server).last_update_success
    assert issues(home.hass, entry, home.server) == []


@pytest.mark.parametrize(
    ("host", "is_told"),
    [
        ("plex.example.org", True),
        ("plex.home.arpa", False),
        ("plex", False),
        ("127.0.0.1", False),
    ],
)
async def test_plain_http(home: Home, dns: Dns, host: str, is_told: bool) -> None:
    """A typed plain address in the internet is told of, until it is changed."""
    resolve = dns.resolve

    async def resolve_all(
        host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        return await resolve("localhost", port, family)

    url = f"http://{host}:{home.server.port}"
    with patch.object(dns, "resolve", resolve_all):
        data = server_data(home.server, home.ben, url=url, verify_ssl=True)
        entry = await home.add(home.ben, data)
        assert server_coordinator(entry, home.server).last_update_success
    assert issues(home.hass, entry, home.server) == (["plain_http"] if is_told else [])
    subentry = subentry_of(entry, home.server)
    for address in (f"https://{host}:{home.server.port}", home.server.http_url):
        home.hass.config_entries.async_update_subentry(
            entry, subentry, data={**subentry.data, "url": address}
        )
        await home.settle()
        assert "plain_http" not in issues(home.hass, entry, home.server)


@pytest.mark.parametrize("how", ["unload", "remove", "remove_subentry"])
async def test_nothing_is_left(
    home: Home, freezer: FrozenDateTimeFactory, how: str
) -> None:
    """Unloaded or removed, an entry has no issues; loaded again, it has."""
    entry = await home.add(home.ben, home.server)
    home.server.shared_with.remove(home.ben)
    await home.wait(freezer, HOUR)
    assert issues(home.hass, entry, home.server) == ["server_not_listed"]
    if how == "unload":
        await home.hass.config_entries.async_unload(entry.entry_id)
    else:
        await home.remove(entry, home.server if how == "remove_subentry" else None)
    assert not [
        issue
        for issue in ir.async_get(home.hass).issues.values()
        if issue.domain == DOMAIN
    ]
    if how == "unload":
        await home.hass.config_entries.async_setup(entry.entry_id)
        await home.settle()
        assert issues(home.hass, entry, home.server) == ["server_not_listed"]

"""Repairs come when their cause does, and go away by themselves when it does."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta

from freezegun.api import FrozenDateTimeFactory
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.plex_auth import names
from custom_components.plex_auth.api.errors import DnsError
from custom_components.plex_auth.const import DOMAIN
from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import HomeAssistant
from homeassistant.helpers import issue_registry as ir

from .conftest import Dns, Network
from .harness import Harness
from .helpers import (
    account_coordinator,
    home_user_coordinator,
    home_user_data,
    refuse_tokens,
    server_coordinator,
    server_data,
    source_of,
    subentry_of,
    with_typed_token,
)
from .plex_simulator import Account, Connection, Fault, MediaServer, Way
from .walks.markdown import check_names
from .walks.texts import texts_of

HOUR = timedelta(hours=1, minutes=1)
SERVER_POLL = timedelta(minutes=5, seconds=10)
NAMES_ARE_FORGOTTEN = timedelta(seconds=12)
SOURCE_POLL = timedelta(minutes=30, seconds=10)

FIXABLE = {
    "server_replaced",
    "server_unclaimed",
    "server_not_listed",
    "server_token_refused",
    "server_not_reached",
    "server_address_fails",
    "home_user_sign_in",
}


def issues(
    hass: HomeAssistant, entry: MockConfigEntry, of: MediaServer | Account
) -> list[str]:
    """Return what is said to be wrong with a server or a user, checked for its texts."""
    subentry = subentry_of(entry, of)
    title = {"home_user" if isinstance(of, Account) else "server": subentry.title}
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
        assert issue.translation_placeholders == names.placeholders(
            account=entry.title, **title
        )
        texts = texts_of(f"issues.{key}")
        assert texts["title"]
        check_names(texts, issue.translation_placeholders)
        assert ("fix_flow" in texts) is issue.is_fixable
        assert ("description" in texts) is not issue.is_fixable
        found.append(key)
    return found


async def test_server_not_listed(
    harness: Harness, freezer: FrozenDateTimeFactory
) -> None:
    """A server that is no longer shared is told of, until it is shared again."""
    entry = await harness.add(harness.ben, harness.server)
    assert issues(harness.hass, entry, harness.server) == []
    harness.server.shared_with.remove(harness.ben)
    await harness.wait(freezer, HOUR)
    assert issues(harness.hass, entry, harness.server) == ["server_not_listed"]
    harness.server.shared_with.append(harness.ben)
    await harness.wait(freezer, HOUR)
    assert issues(harness.hass, entry, harness.server) == []


async def test_not_listed_while_plex_tv_is_away(harness: Harness) -> None:
    """A list that is not known says nothing of any server."""
    await harness.simulator.stop_plex_tv()
    entry = await harness.add(harness.ben, harness.server)
    assert entry.state is ConfigEntryState.LOADED
    assert issues(harness.hass, entry, harness.server) == []


async def test_unlisted_server_with_a_typed_token(harness: Harness) -> None:
    """A server with a typed token need not be listed."""
    server = harness.world.shared
    entry = await harness.add(harness.ben, with_typed_token(server))
    assert issues(harness.hass, entry, server) == []


async def test_token_refused(harness: Harness, freezer: FrozenDateTimeFactory) -> None:
    """A typed token that its server refuses is told of, until it is taken again."""
    source = source_of(harness.world.basement)
    entry = await harness.add(
        harness.world.yearly, with_typed_token(harness.server, sources=[source])
    )
    assert issues(harness.hass, entry, harness.server) == []
    token = harness.server.access_token_for(harness.server.owner)
    harness.server.rotate_access_tokens()
    await harness.wait(freezer, SOURCE_POLL)
    assert issues(harness.hass, entry, harness.server) == ["server_token_refused"]
    harness.server._access_tokens[harness.server.owner.id] = token
    await harness.wait(freezer, SOURCE_POLL)
    assert issues(harness.hass, entry, harness.server) == []


async def test_too_old(harness: Harness, freezer: FrozenDateTimeFactory) -> None:
    """A server too old for its watched sources is told of, until it is updated."""
    version = harness.server.version
    source = source_of(harness.world.basement)
    data = server_data(harness.server, harness.anna, sources=[source])
    entry = await harness.add(harness.anna, data, harness.world.basement)
    assert issues(harness.hass, entry, harness.server) == []
    for old in (harness.server, harness.world.basement):
        old.version = "1.15.3.876-ad6e39743"
    await harness.wait(freezer, SERVER_POLL)
    assert issues(harness.hass, entry, harness.server) == ["server_too_old"]
    assert issues(harness.hass, entry, harness.world.basement) == []
    harness.server.version = version
    await harness.wait(freezer, SERVER_POLL)
    assert issues(harness.hass, entry, harness.server) == []


@pytest.mark.usefixtures("plex_direct")
@pytest.mark.parametrize("addresses", [(), ("0.0.0.0",), ("::",), ("0.0.0.0", "::")])
async def test_not_reached_as_no_name_resolves(
    harness: Harness,
    dns: Dns,
    freezer: FrozenDateTimeFactory,
    addresses: tuple[str, ...],
) -> None:
    """A server with names that do not resolve is told of after a while, until they do."""
    server = await harness.add_hidden_server()
    dns.names["*.plex.direct"] = addresses
    entry = await harness.add(server.owner, server)
    assert issues(harness.hass, entry, server) == []
    await harness.lose(freezer)
    assert issues(harness.hass, entry, server) == ["server_not_reached"]
    failures = server_coordinator(entry, server).access.failures.values()
    assert {type(failure) for failure in failures} == {DnsError}
    dns.plex_direct = True
    await harness.wait(freezer, SERVER_POLL)
    assert harness.state("sensor.connection", server.owner, server) == "local"
    assert issues(harness.hass, entry, server) == []


@pytest.fixture
async def outside(harness: Harness, dns: Dns, plex_direct: None) -> MockConfigEntry:
    """Set up a server of Hugo's that is reached by its relay only."""
    server = await harness.add_hidden_server(relay=True)
    relay = next(listed for listed in server.connections if listed.relay)
    local = next(listed for listed in server.connections if listed.local)
    localhost = relay.uri.replace(server.plex_direct_name("127.0.0.1"), "localhost")
    server.connections = [local, replace(relay, uri=localhost)]
    server._site.set_certificate(("localhost", *server._names()))
    dns.plex_direct = False
    entry = await harness.add(server.owner, server)
    assert server_coordinator(entry, server).data.route.kind == "relay"
    return entry


async def test_reached_only_from_outside(
    harness: Harness, dns: Dns, freezer: FrozenDateTimeFactory, outside: MockConfigEntry
) -> None:
    """A server that is reached by relay for want of a local name is told of."""
    server = harness.simulator.servers[next(iter(unique_ids(outside)))]
    for _ in range(3):
        assert issues(harness.hass, outside, server) == []
        await harness.wait(freezer, SERVER_POLL)
    assert issues(harness.hass, outside, server) == ["server_not_reached"]
    dns.plex_direct = True
    await server.close_way(Way.RELAY)
    await harness.wait(freezer, SERVER_POLL)
    assert issues(harness.hass, outside, server) == []


async def test_server_in_another_house(
    harness: Harness, freezer: FrozenDateTimeFactory, outside: MockConfigEntry
) -> None:
    """A server in another network cannot be reached directly: there is nothing to do."""
    server = harness.simulator.servers[next(iter(unique_ids(outside)))]
    server.public_address_matches = False
    await account_coordinator(outside).servers.renew(now=True)
    await harness.lose(freezer)
    assert issues(harness.hass, outside, server) == []


async def test_not_reached_as_nothing_answers(
    harness: Harness, freezer: FrozenDateTimeFactory
) -> None:
    """A server that plex.tv sees but no listed address leads to is told of."""
    entry = await harness.add(harness.anna, harness.server)
    harness.server.presence = True
    await harness.server.stop()
    await harness.wait(freezer, SERVER_POLL)
    assert issues(harness.hass, entry, harness.server) == []
    await harness.lose(freezer)
    assert issues(harness.hass, entry, harness.server) == ["server_not_reached"]
    await harness.server.start()
    await harness.wait(freezer, SERVER_POLL)
    assert issues(harness.hass, entry, harness.server) == []


async def test_server_that_is_off_for_a_night(
    harness: Harness, freezer: FrozenDateTimeFactory
) -> None:
    """A server that plex.tv says is away is nothing to repair, however long."""
    entry = await harness.add(harness.anna, harness.server)
    await harness.server.stop()
    for _ in range(3):
        await harness.lose(freezer)
        assert issues(harness.hass, entry, harness.server) == []


async def test_plex_tv_notices_late_that_a_server_is_off(
    harness: Harness, freezer: FrozenDateTimeFactory
) -> None:
    """What plex.tv says at the moment of the loss is too old."""
    entry = await harness.add(harness.anna, harness.server)
    harness.server.presence = True
    await harness.server.stop()
    for _ in range(2):
        await harness.wait(freezer, SERVER_POLL)
        assert issues(harness.hass, entry, harness.server) == []
    harness.server.presence = None
    await harness.lose(freezer)
    assert issues(harness.hass, entry, harness.server) == []


async def test_short_outages(harness: Harness, freezer: FrozenDateTimeFactory) -> None:
    """Outages of less than 15 minutes are nothing to repair, however many."""
    entry = await harness.add(harness.anna, harness.server)
    harness.server.presence = True
    for _ in range(5):
        await harness.server.stop()
        for _ in range(2):
            await harness.wait(freezer, SERVER_POLL)
            assert issues(harness.hass, entry, harness.server) == []
        await harness.server.start()
        await harness.wait(freezer, SERVER_POLL)
        assert issues(harness.hass, entry, harness.server) == []


async def test_not_reached_while_plex_tv_is_away(
    harness: Harness, freezer: FrozenDateTimeFactory
) -> None:
    """Without internet no name resolves: no router is to blame."""
    entry = await harness.add(harness.anna, harness.server)
    harness.server.presence = True
    harness.simulator.faults.set("*", Fault.html(502))
    await harness.server.stop()
    await harness.lose(freezer)
    assert issues(harness.hass, entry, harness.server) == []


async def test_ignored_over_a_night(
    harness: Harness, freezer: FrozenDateTimeFactory
) -> None:
    """A server that is off in between, and then not reached again, stays ignored."""
    entry = await harness.add(harness.anna, harness.server)
    harness.server.presence = True
    await harness.server.stop()
    await harness.lose(freezer)
    ignore(harness.hass)
    ignored = dismissed(harness.hass)
    for presence in (None, True):
        harness.server.presence = presence
        await harness.lose(freezer)
        assert dismissed(harness.hass) == ignored
    assert issues(harness.hass, entry, harness.server) == ["server_not_reached"]
    await harness.server.start()
    await harness.wait(freezer, SERVER_POLL)
    assert not ir.async_get(harness.hass).issues


async def test_ignored_over_outages_of_plex_tv(
    harness: Harness, dns: Dns, freezer: FrozenDateTimeFactory
) -> None:
    """While it cannot be said whether a server is reached the issue stays ignored."""
    server = await harness.add_hidden_server()
    dns.plex_direct = False
    entry = await harness.add(server.owner, server)
    await harness.lose(freezer)
    ignore(harness.hass)
    harness.simulator.faults.set("user", Fault.html(502))
    await harness.wait(freezer, SOURCE_POLL)
    harness.simulator.faults.clear()
    await harness.wait(freezer, SOURCE_POLL)
    assert is_ignored(harness.hass)
    await harness.reload(entry)
    assert is_ignored(harness.hass)
    await harness.lose(freezer)
    assert is_ignored(harness.hass)
    server.owner.revoke_tokens()
    await harness.wait(freezer, SOURCE_POLL)
    assert issues(harness.hass, entry, server) == ["server_not_reached"]


async def test_only_unprotected_addresses(
    harness: Harness, freezer: FrozenDateTimeFactory
) -> None:
    """A server with nothing but plain http on the internet is told of, and the reason."""
    public = Connection(
        protocol="http",
        address="8.8.8.8",
        port=32400,
        uri="http://8.8.8.8:32400",
        local=False,
    )
    harness.server.connections = [public]
    entry = await harness.add(harness.anna, harness.server)
    failure = await harness.failure("get_transient_token")
    assert failure.translation_key == "unprotected_only"
    await harness.lose(freezer)
    assert issues(harness.hass, entry, harness.server) == ["server_not_reached"]


def unique_ids(entry: MockConfigEntry) -> list[str]:
    """Return the machine identifiers of an entry's servers."""
    return [str(subentry.unique_id) for subentry in entry.subentries.values()]


def ignore(hass: HomeAssistant) -> None:
    """Ignore the one issue that there is."""
    (issue,) = ir.async_get(hass).issues.values()
    ir.async_ignore_issue(hass, DOMAIN, issue.issue_id, True)


def is_ignored(hass: HomeAssistant) -> bool:
    """Tell whether the one issue that there is is ignored."""
    (issue,) = ir.async_get(hass).issues.values()
    return issue.active and issue.dismissed_version is not None


@pytest.mark.parametrize("how", ["entry", "subentry"])
async def test_ignored_until_it_is_removed(harness: Harness, how: str) -> None:
    """What the user ignores is ignored after a reload, too, and goes with the server."""
    harness.server.shared_with.remove(harness.ben)
    entry = await harness.add(harness.ben, harness.server)
    ignore(harness.hass)
    await harness.reload(entry)
    assert is_ignored(harness.hass)
    await harness.remove(entry, harness.server if how == "subentry" else None)
    assert not ir.async_get(harness.hass).issues


async def test_token_that_is_taken_again(
    harness: Harness, freezer: FrozenDateTimeFactory
) -> None:
    """A refused token is tried at each poll until it is taken again."""
    entry = await harness.add(harness.anna, with_typed_token(harness.server))
    refuse_tokens(harness.server)
    await harness.failure("get_transient_token")
    assert issues(harness.hass, entry, harness.server) == ["server_token_refused"]
    await harness.wait(freezer, SERVER_POLL)
    assert issues(harness.hass, entry, harness.server) == ["server_token_refused"]
    harness.server.faults.clear()
    await harness.wait(freezer, SERVER_POLL)
    assert issues(harness.hass, entry, harness.server) == []


async def test_unclaimed_server_is_no_matter_of_tokens(harness: Harness) -> None:
    """No new token is asked for where none is any good."""
    entry = await harness.add(harness.anna, with_typed_token(harness.server))
    harness.server.unclaim()
    harness.server.trusts_network = False
    failure = await harness.failure("get_transient_token")
    assert failure.translation_key == "not_claimed"
    assert issues(harness.hass, entry, harness.server) == ["server_unclaimed"]


async def test_server_that_is_down(harness: Harness) -> None:
    """A server that is down is nothing to repair."""
    await harness.server.stop()
    harness.server.connections = [
        type(listed)(
            protocol="https",
            address="127.0.0.1",
            port=listed.port,
            uri=f"https://127.0.0.1:{listed.port}",
            local=True,
        )
        for listed in harness.server.connections
    ]
    entry = await harness.add(harness.ben, harness.server)
    assert not server_coordinator(entry, harness.server).last_update_success
    assert issues(harness.hass, entry, harness.server) == []


HOMES = {
    "plex.example.org": (("203.0.113.9",), True),
    "nas.local": (("203.0.113.9",), True),
    "both.example.org": (("192.168.1.5", "203.0.113.9"), True),
    "nas.fritz.box": (("192.168.1.5",), False),
    "plex.home.example.com": (("192.168.1.5", "fd00::5"), False),
    "nas.tail1234.ts.net": (("100.64.1.5",), False),
    "203.0.113.9": ((), True),
    "192.168.1.5": ((), False),
}


@pytest.fixture
def homes(harness: Harness, dns: Dns, network: Network) -> None:
    """Let names stand for addresses that all lead to Anna's server."""
    port = harness.server.port
    for host, (addresses, _) in HOMES.items():
        if addresses:
            dns.names[host] = addresses
        for address in addresses or [host]:
            network[address, port] = port


@pytest.mark.parametrize("host", HOMES)
async def test_plain_http(harness: Harness, homes: None, host: str) -> None:
    """A typed plain address is told of where it leads to the internet, until changed."""
    _, is_told = HOMES[host]
    url = f"http://{host}:{harness.server.port}"
    data = server_data(harness.server, harness.ben, url=url, verify_ssl=True)
    entry = await harness.add(harness.ben, data)
    assert server_coordinator(entry, harness.server).last_update_success
    assert issues(harness.hass, entry, harness.server) == (
        ["plain_http"] if is_told else []
    )
    subentry = subentry_of(entry, harness.server)
    for address in (f"https://{host}:{harness.server.port}", harness.server.http_url):
        harness.hass.config_entries.async_update_subentry(
            entry, subentry, data={**subentry.data, "url": address}
        )
        await harness.settle()
        assert "plain_http" not in issues(harness.hass, entry, harness.server)


@pytest.mark.parametrize("is_told", [True, False])
async def test_plain_http_while_unknown(
    harness: Harness,
    dns: Dns,
    homes: None,
    freezer: FrozenDateTimeFactory,
    is_told: bool,
) -> None:
    """What was said of an address stands while its name does not resolve."""
    name, port = "plex.example.org", harness.server.port
    dns.names[name] = ("203.0.113.9",) if is_told else ("192.168.1.5",)
    url = f"http://{name}:{port}"
    data = server_data(harness.server, harness.ben, url=url, verify_ssl=True)
    entry = await harness.add(harness.ben, data)
    told = ["plain_http"] if is_told else []
    assert issues(harness.hass, entry, harness.server) == told
    # An open connection needs no name, a new one does.
    dns.names[name] = ()
    coordinator = server_coordinator(entry, harness.server)
    for wait, is_reached in ((NAMES_ARE_FORGOTTEN, True), (SERVER_POLL, False)):
        freezer.tick(wait)
        await coordinator.async_refresh()
        assert coordinator.last_update_success is is_reached
        assert ("plain_http" in issues(harness.hass, entry, harness.server)) is is_told
    dns.names[name] = ("192.168.1.5",) if is_told else ("203.0.113.9",)
    await harness.wait(freezer, SERVER_POLL)
    assert coordinator.last_update_success
    assert issues(harness.hass, entry, harness.server) == (
        [] if is_told else ["plain_http"]
    )


async def test_plain_http_at_another_address(harness: Harness, homes: None) -> None:
    """What is known of an address says nothing of the next one."""
    port = harness.server.port
    url = f"http://203.0.113.9:{port}"
    data = server_data(harness.server, harness.ben, url=url, verify_ssl=True)
    entry = await harness.add(harness.ben, data)
    assert issues(harness.hass, entry, harness.server) == ["plain_http"]
    for url in (f"https://192.168.1.5:{port}", f"http://nas.fritz.box:{port + 1}"):
        harness.change_server(entry, harness.server, url=url)
        await harness.settle()
        assert not server_coordinator(entry, harness.server).last_update_success
        assert "plain_http" not in issues(harness.hass, entry, harness.server)


@pytest.mark.parametrize("how", ["unload", "remove", "remove_subentry"])
async def test_nothing_is_left(
    harness: Harness, freezer: FrozenDateTimeFactory, how: str
) -> None:
    """Unloaded or removed, an entry has no issues; loaded again, it has."""
    entry = await harness.add(harness.ben, harness.server)
    harness.server.shared_with.remove(harness.ben)
    await harness.wait(freezer, HOUR)
    assert issues(harness.hass, entry, harness.server) == ["server_not_listed"]
    if how == "unload":
        await harness.hass.config_entries.async_unload(entry.entry_id)
    else:
        await harness.remove(
            entry, harness.server if how == "remove_subentry" else None
        )
    assert not [
        issue
        for issue in ir.async_get(harness.hass).issues.values()
        if issue.domain == DOMAIN
    ]
    if how == "unload":
        await harness.hass.config_entries.async_setup(entry.entry_id)
        await harness.settle()
        assert issues(harness.hass, entry, harness.server) == ["server_not_listed"]


type Trouble = Callable[[Harness], Awaitable[MockConfigEntry]]


async def refused(harness: Harness) -> MockConfigEntry:
    """Let a server refuse its typed token."""
    refuse_tokens(harness.server)
    return await harness.add(harness.anna, with_typed_token(harness.server))


async def too_old(harness: Harness) -> MockConfigEntry:
    """Let a server be too old for a source that it watches."""
    harness.server.version = "1.15.3.876-ad6e39743"
    sources = [source_of(harness.world.basement)]
    data = server_data(harness.server, harness.anna, sources=sources)
    return await harness.add(harness.anna, data)


async def not_listed(harness: Harness) -> MockConfigEntry:
    """Let a server be shared no longer."""
    harness.server.shared_with.remove(harness.ben)
    return await harness.add(harness.ben, harness.server)


async def unclaimed(harness: Harness) -> MockConfigEntry:
    """Let a server be unclaimed."""
    harness.server.unclaim()
    return await harness.add(harness.anna, harness.server)


async def address_fails(harness: Harness) -> MockConfigEntry:
    """Let a server answer at a listed address, and not at the typed one."""
    data = server_data(harness.server, harness.anna, url="http://127.0.0.1:1")
    entry = await harness.add(harness.anna, data)
    await server_coordinator(entry, harness.server).async_check_now()
    return entry


@pytest.mark.usefixtures("plex_direct")
@pytest.mark.parametrize(
    "trouble", [refused, too_old, not_listed, unclaimed, address_fails]
)
@pytest.mark.parametrize("is_plex_tv_slow", [True, False])
async def test_ignored_stays_ignored(
    harness: Harness,
    freezer: FrozenDateTimeFactory,
    trouble: Trouble,
    is_plex_tv_slow: bool,
) -> None:
    """What is not known yet after a start is undecided: an ignored issue stays so."""
    entry = await trouble(harness)
    await harness.settle()
    (told,) = issues(harness.hass, entry, harness.server)
    ignore(harness.hass)
    ignored = dismissed(harness.hass)
    faults = harness.server.faults
    away = Fault.status(503)
    for is_server_away in (True, False):
        if is_server_away:
            faults.set("identity", away)
        if is_plex_tv_slow:
            harness.simulator.faults.set("*", away)
        await harness.reload(entry)
        await harness.wait(freezer, SERVER_POLL)
        assert dismissed(harness.hass) == ignored
        faults.clear()
        if trouble is refused:
            refuse_tokens(harness.server)
        harness.simulator.faults.clear()
        for _ in range(3):
            await harness.wait(freezer, SOURCE_POLL)
        assert issues(harness.hass, entry, harness.server) == [told]
        assert is_ignored(harness.hass)


def dismissed(hass: HomeAssistant) -> set[str]:
    """Return the issues that are ignored, be they shown or not."""
    issues = ir.async_get(hass).issues.values()
    return {issue.issue_id for issue in issues if issue.dismissed_version is not None}


# Home users


@pytest.fixture
async def child(harness: Harness, entry: MockConfigEntry) -> Account:
    """Return a Home user who is added to Anna's entry."""
    user = harness.world.home.child
    await harness.add_home_user(entry, user)
    return user


async def test_home_user_is_rejected(
    harness: Harness,
    freezer: FrozenDateTimeFactory,
    entry: MockConfigEntry,
    child: Account,
) -> None:
    """Only the user whose token plex.tv rejects is told of, until it is replaced."""
    managed = harness.world.home.managed
    await harness.add_home_user(entry, managed)
    child.revoke_tokens()
    await harness.wait(freezer, HOUR)
    assert issues(harness.hass, entry, child) == ["home_user_sign_in"]
    assert issues(harness.hass, entry, managed) == []
    assert issues(harness.hass, entry, harness.server) == []
    store_token(harness, entry, child)
    await harness.settle()
    assert issues(harness.hass, entry, child) == []


def store_token(harness: Harness, entry: MockConfigEntry, user: Account) -> None:
    """Store a new token of a user as a dialog does."""
    subentry = subentry_of(entry, user)
    token = user.sign_in_token("another client")
    harness.hass.config_entries.async_update_subentry(
        entry, subentry, data={**subentry.data, "token": token}
    )


async def test_new_token_while_plex_tv_is_away(
    harness: Harness,
    freezer: FrozenDateTimeFactory,
    entry: MockConfigEntry,
    child: Account,
) -> None:
    """A rejection is that of one token: it says nothing about the next one."""
    child.revoke_tokens()
    await harness.wait(freezer, HOUR)
    assert issues(harness.hass, entry, child) == ["home_user_sign_in"]
    harness.simulator.faults.set("resources", Fault.status(503))
    store_token(harness, entry, child)
    await harness.settle()
    assert issues(harness.hass, entry, child) == []


async def test_home_user_while_the_account_is_rejected(
    harness: Harness,
    freezer: FrozenDateTimeFactory,
    entry: MockConfigEntry,
    child: Account,
) -> None:
    """To sign in comes first; the user is told of once that is done."""
    child.revoke_tokens()
    harness.anna.revoke_tokens()
    await harness.wait(freezer, HOUR)
    assert harness.reauth_flows(entry) == 1
    assert home_user_coordinator(entry, child).is_rejected
    assert issues(harness.hass, entry, child) == []
    token = harness.anna.sign_in_token("another client")
    harness.hass.config_entries.async_update_entry(
        entry, data={**entry.data, "token": token}
    )
    await account_coordinator(entry).async_poll()
    await harness.settle()
    assert issues(harness.hass, entry, child) == ["home_user_sign_in"]


async def test_outage_after_a_rejection(
    harness: Harness,
    freezer: FrozenDateTimeFactory,
    entry: MockConfigEntry,
    child: Account,
) -> None:
    """What is told stays while plex.tv cannot say."""
    child.revoke_tokens()
    await harness.wait(freezer, HOUR)
    harness.simulator.faults.set("*", Fault.status(503))
    await harness.wait(freezer, HOUR)
    assert harness.state("binary_sensor.sign_in", child) == "unavailable"
    assert issues(harness.hass, entry, child) == ["home_user_sign_in"]


@pytest.mark.parametrize("how", ["unload", "remove", "remove_subentry"])
async def test_nothing_is_left_of_a_home_user(
    harness: Harness,
    freezer: FrozenDateTimeFactory,
    entry: MockConfigEntry,
    child: Account,
    how: str,
) -> None:
    """Unloaded or removed, there is no issue; loaded again, there is."""
    child.revoke_tokens()
    await harness.wait(freezer, HOUR)
    if how == "unload":
        await harness.hass.config_entries.async_unload(entry.entry_id)
    else:
        await harness.remove(entry, child if how == "remove_subentry" else None)
    issues_left = ir.async_get(harness.hass).issues.values()
    assert not [issue for issue in issues_left if issue.domain == DOMAIN]
    if how == "unload":
        await harness.hass.config_entries.async_setup(entry.entry_id)
        await harness.settle()
        assert issues(harness.hass, entry, child) == ["home_user_sign_in"]


async def test_ignored_home_user_stays_ignored(
    harness: Harness, freezer: FrozenDateTimeFactory
) -> None:
    """Over reloads with plex.tv away and there, an ignored issue stays so."""
    child = harness.world.home.child
    data = home_user_data(child, harness.server)
    entry = await harness.add(harness.anna, harness.server, data)
    child.revoke_tokens()
    await harness.wait(freezer, HOUR)
    ignore(harness.hass)
    ignored = dismissed(harness.hass)
    assert len(ignored) == 1
    for fault in (Fault.status(503), None):
        if fault is not None:
            harness.simulator.faults.set("*", fault)
        await harness.hass.config_entries.async_reload(entry.entry_id)
        assert dismissed(harness.hass) == ignored
        await harness.settle()
        harness.simulator.faults.clear()
        assert dismissed(harness.hass) == ignored
    await harness.wait(freezer, HOUR)
    assert issues(harness.hass, entry, child) == ["home_user_sign_in"]
    assert is_ignored(harness.hass)


async def test_ignored_home_user_while_the_account_is_rejected(
    harness: Harness,
    freezer: FrozenDateTimeFactory,
    entry: MockConfigEntry,
    child: Account,
) -> None:
    """To sign in comes first; afterwards the user's issue is still ignored."""
    child.revoke_tokens()
    await harness.wait(freezer, HOUR)
    ignore(harness.hass)
    ignored = dismissed(harness.hass)
    harness.simulator.faults.set("user", Fault.plex_error(1001, 401))
    await harness.wait(freezer, HOUR)
    assert harness.reauth_flows(entry) == 1
    harness.simulator.faults.clear()
    await harness.wait(freezer, HOUR)
    assert not harness.reauth_flows(entry)
    assert issues(harness.hass, entry, child) == ["home_user_sign_in"]
    assert dismissed(harness.hass) == ignored
    store_token(harness, entry, child)
    await harness.settle()
    assert not ir.async_get(harness.hass).issues

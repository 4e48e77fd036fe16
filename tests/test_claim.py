"""A server of nobody: it is told, and claimed once somebody agrees."""

import asyncio
from collections.abc import Callable
from datetime import timedelta

from freezegun.api import FrozenDateTimeFactory
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.plex_auth.api import claim as claim_module
from custom_components.plex_auth.const import DOMAIN
from custom_components.plex_auth.flows.claim import _DATA_CLAIMS
from homeassistant.const import CONF_TOKEN, CONF_URL
from homeassistant.helpers import issue_registry as ir

from .fix import Fix, OpenFix
from .helpers import (
    account_coordinator,
    async_arrival,
    server_coordinator,
    server_data,
    subentry_of,
    with_typed_token,
)
from .home import Home
from .plex_simulator import Fault, MediaServer
from .plex_simulator.worlds import PODCASTS
from .waiting import until

POLL = timedelta(minutes=5, seconds=10)
UNCLAIMED = "server_unclaimed"
LOOKS = 12


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait no time for plex.tv to list a server."""
    monkeypatch.setattr(claim_module, "_PAUSE", 0.0)


def issue_keys(home: Home) -> set[str | None]:
    """Return the issues of servers that there are."""
    issues = ir.async_get(home.hass).issues
    return {
        issue.translation_key
        for (domain, _), issue in issues.items()
        if domain == DOMAIN
    }


async def sign_in_again(home: Home, entry: MockConfigEntry) -> None:
    """Store a new sign-in, as its dialog does, and let plex.tv be asked."""
    token = home.anna.sign_in_token(entry.data["client_identifier"])
    home.hass.config_entries.async_update_entry(
        entry, data={**entry.data, CONF_TOKEN: token}
    )
    await account_coordinator(entry).async_refresh()
    await home.settle()


async def unclaim(home: Home, entry: MockConfigEntry, server: MediaServer) -> None:
    """Let a server belong to nobody, and have it polled."""
    server.unclaim()
    await server_coordinator(entry, server).async_check_now()
    await home.settle()


async def agree(home: Home, fix: Fix) -> None:
    """Agree to the claim, and wait for the end of its progress."""
    assert (fix.result["type"], fix.result["step_id"]) == ("form", "confirm")
    await fix.submit()
    while fix.result["type"] == "progress":
        await home.settle()
        await fix.look()
    await home.settle()


async def finish(home: Home, fix: Fix) -> None:
    """Wait until a claim is over that was begun, and look at what the dialog shows."""
    while fix.result["type"] == "progress":
        await asyncio.gather(*home.hass.data[_DATA_CLAIMS].values())
        await home.settle()
        await fix.look()


@pytest.fixture
async def unclaimed(home: Home, entry: MockConfigEntry) -> MockConfigEntry:
    """Return Anna's entry, whose server belongs to nobody by now."""
    await unclaim(home, entry, home.server)
    assert issue_keys(home) == {UNCLAIMED}
    return entry


async def test_sign_out_of_connected_devices(
    home: Home, open_fix: OpenFix, freezer: FrozenDateTimeFactory
) -> None:
    """All works again once the person has signed in and agreed, without a restart."""
    source = f"provider://{PODCASTS}"
    entry = await home.add(
        home.anna, server_data(home.server, home.anna, sources=[source])
    )
    states = {state.entity_id: state.state for state in home.hass.states.async_all()}
    old, access = await home.transient_token(), server_coordinator(entry, home.server)
    home.simulator.sign_out_devices(home.anna)
    home.world.basement.claim(home.anna)  # which is not in Home Assistant
    await account_coordinator(entry).async_refresh()
    await home.wait(freezer, POLL)
    assert home.reauth_flows(entry) == 1
    assert issue_keys(home) == {UNCLAIMED}
    fix = await open_fix(entry, home.server, UNCLAIMED)
    assert fix.result["reason"] == "sign_in_first"

    await sign_in_again(home, entry)
    assert issue_keys(home) == {UNCLAIMED}
    failure = await home.failure("get_transient_token")
    assert failure.translation_key == "not_claimed"
    home.server.answers_without_it = 3
    fix = await open_fix(entry, home.server, UNCLAIMED)
    assert fix.result["description_placeholders"] == {
        "account": "Anna",
        "server": "Living Room",
    }
    assert not home.simulator.claim_tokens.given
    home.asked()
    await agree(home, fix)
    assert fix.result["type"] == "create_entry"
    assert home.asked()["claim"] == 1
    assert (home.server.claimed, home.server.owner) == (True, home.anna)
    assert not issue_keys(home)

    assert server_coordinator(entry, home.server) is access
    stored = subentry_of(entry, home.server).data["last_known"]["token"]
    assert stored == home.server.access_token_for(home.anna)
    token = await home.transient_token()
    assert token != old
    assert home.server.accepts_transient_token(token)
    assert await home.call("get_source_connection_information", source=source)
    assert await home.call("get_token_details")
    assert await home.call("get_servers")
    now = {state.entity_id: state.state for state in home.hass.states.async_all()}
    assert now.keys() == states.keys()
    changing = ("_transient_token", "expires", "verified", "check_now")
    assert {
        entity_id: (states[entity_id], now[entity_id])
        for entity_id in states
        if states[entity_id] != now[entity_id]
        and not any(part in entity_id for part in changing)
    } == {}
    assert "unavailable" not in now.values()


async def test_socket_is_opened_anew(home: Home, open_fix: OpenFix) -> None:
    """The notification socket is opened with the new token."""
    home.server.notifications.allowed = True
    entry = await home.add(home.anna, home.server)
    await async_arrival(home.simulator, "notifications")
    await unclaim(home, entry, home.server)
    home.asked()
    fix = await open_fix(entry, home.server, UNCLAIMED)
    await agree(home, fix)
    await async_arrival(home.simulator, "notifications")
    request = home.simulator.requests_to("notifications")[-1]
    token = home.server.access_token_for(home.anna)
    assert request.headers["X-Plex-Token"] == token


async def test_typed_token_is_forgotten(home: Home, open_fix: OpenFix) -> None:
    """A typed token is dead, and the address stays; the listed token is used instead."""
    entry = await home.add(home.anna, with_typed_token(home.server))
    assert CONF_TOKEN in subentry_of(entry, home.server).data
    await unclaim(home, entry, home.server)
    fix = await open_fix(entry, home.server, UNCLAIMED)
    await agree(home, fix)
    assert fix.result["type"] == "create_entry"
    data = subentry_of(entry, home.server).data
    assert CONF_TOKEN not in data
    assert data[CONF_URL] == home.server.http_url
    assert not issue_keys(home)
    assert home.server.accepts_transient_token(await home.transient_token())


async def test_issue_replaces_the_one_of_the_list(
    home: Home, unclaimed: MockConfigEntry, freezer: FrozenDateTimeFactory
) -> None:
    """While a server is nobody's, plex.tv does not list it: that is no news."""
    await home.wait(freezer, timedelta(hours=1, minutes=1))
    assert server_coordinator(unclaimed, home.server).access.target.listed is None
    assert issue_keys(home) == {UNCLAIMED}
    await home.reload(unclaimed)
    assert issue_keys(home) == {UNCLAIMED}
    await home.server.stop()
    await home.wait(freezer, POLL)
    assert issue_keys(home) == {UNCLAIMED}
    home.server.claim(home.ben)
    await home.server.start()
    await home.wait(freezer, POLL)
    assert issue_keys(home) == {"server_not_listed"}


async def test_ignored_while_the_server_is_away(
    home: Home, unclaimed: MockConfigEntry
) -> None:
    """A reload says nothing of a server that is away: what is ignored stays so."""
    registry = ir.async_get(home.hass)
    (issue_id,) = (key for domain, key in registry.issues if domain == DOMAIN)
    ir.async_ignore_issue(home.hass, DOMAIN, issue_id, True)
    await home.server.stop()
    await home.reload(unclaimed)
    issue = registry.async_get_issue(DOMAIN, issue_id)
    assert issue is not None
    assert issue.dismissed_version is not None


async def test_claimed_in_a_browser(
    home: Home, unclaimed: MockConfigEntry, freezer: FrozenDateTimeFactory
) -> None:
    """The issue goes with the next poll, which asks plex.tv for the new token."""
    home.server.claim(home.anna)
    await home.wait(freezer, POLL)
    assert not issue_keys(home)
    stored = subentry_of(unclaimed, home.server).data["last_known"]["token"]
    assert stored == home.server.access_token_for(home.anna)


async def test_nothing_is_claimed_unless_somebody_agrees(
    home: Home, open_fix: OpenFix, unclaimed: MockConfigEntry
) -> None:
    """Opening and closing the dialog claims nothing, and asks plex.tv for nothing."""
    home.asked()
    fix = await open_fix(unclaimed, home.server, UNCLAIMED)
    await fix.close()
    await home.settle()
    assert home.asked().keys() == {"identity"}
    assert not home.simulator.claim_tokens.given


async def test_server_of_nobody_gets_no_token(
    home: Home, freezer: FrozenDateTimeFactory
) -> None:
    """Once it has said so it is shown no token: it would look at none."""
    home.server.notifications.allowed = True
    entry = await home.add(home.anna, home.server)
    await async_arrival(home.simulator, "notifications")
    await home.transient_token()
    await unclaim(home, entry, home.server)
    await until(lambda: not home.server.notifications)
    home.simulator.requests.clear()
    await home.wait(freezer, POLL)
    await home.failure("get_transient_token")
    asked = [one for one in home.simulator.requests if one.host != "plex.tv"]
    assert {one.endpoint for one in asked} == {"identity"}
    assert not any("X-Plex-Token" in one.headers for one in asked)


async def test_closed_dialog(
    home: Home, open_fix: OpenFix, unclaimed: MockConfigEntry
) -> None:
    """What was begun is finished; a dialog that is opened meanwhile shows it."""
    home.server.faults.set("claim", Fault.delay(0.3))
    fix = await open_fix(unclaimed, home.server, UNCLAIMED)
    await fix.submit()
    assert fix.result["type"] == "progress"
    await async_arrival(home.simulator, "claim")
    await fix.look()
    assert fix.result["type"] == "progress"
    await fix.close()
    again = await open_fix(unclaimed, home.server, UNCLAIMED)
    assert again.result["type"] == "progress"
    await again.close()
    await asyncio.gather(*home.hass.data[_DATA_CLAIMS].values())
    await home.settle()
    assert home.server.owner is home.anna
    assert len(home.simulator.requests_to("claim")) == 1
    assert not issue_keys(home)
    assert home.server.accepts_transient_token(await home.transient_token())
    assert not home.hass.data[_DATA_CLAIMS]


async def test_two_dialogs_at_once(
    home: Home, open_fix: OpenFix, unclaimed: MockConfigEntry
) -> None:
    """Who agrees in two dialogs at the same time claims once, and sees it in both."""
    dialogs = [await open_fix(unclaimed, home.server, UNCLAIMED) for _ in range(2)]
    home.server.faults.set("identity", Fault.delay(0.1), times=2)
    home.server.faults.set("claim", Fault.delay(0.3))
    await asyncio.gather(*(fix.submit() for fix in dialogs))
    assert [fix.result["type"] for fix in dialogs] == ["progress"] * 2
    (claim,) = home.hass.data[_DATA_CLAIMS].values()
    await claim
    await home.settle()
    for fix in dialogs:
        await fix.look()
        assert fix.result["type"] == "create_entry"
    assert len(home.simulator.requests_to("claim_token")) == 1
    assert len(home.simulator.requests_to("claim")) == 1
    assert not home.hass.data[_DATA_CLAIMS]


async def test_reload_meanwhile(
    home: Home, open_fix: OpenFix, unclaimed: MockConfigEntry
) -> None:
    """A reload of the entry does not end a claim."""
    home.server.faults.set("claim", Fault.delay(0.3))
    fix = await open_fix(unclaimed, home.server, UNCLAIMED)
    await fix.submit()
    await async_arrival(home.simulator, "claim")
    await home.reload(unclaimed)
    await finish(home, fix)
    assert fix.result["type"] == "create_entry"
    assert not issue_keys(home)
    assert home.server.accepts_transient_token(await home.transient_token())


type Spoil = Callable[[Home], object]


def fault(endpoint: str, played: Fault) -> Spoil:
    """Return what lets an endpoint answer with a fault."""

    def spoil(home: Home) -> None:
        host = home.simulator if endpoint == "claim_token" else home.server
        host.faults.set(endpoint, played)

    return spoil


def _not_trusted(home: Home) -> None:
    home.server.trusts_network = False


def _listed_too_late(home: Home) -> None:
    home.server.answers_without_it = LOOKS


FAILURES: dict[str, tuple[Spoil, str]] = {
    "network": (_not_trusted, "network_not_trusted"),
    "500": (fault("claim", Fault.status(500)), "claim_failed"),
    "400": (fault("claim", Fault.status(400)), "claim_failed"),
    "late": (_listed_too_late, "not_listed_yet"),
    "managed": (fault("claim_token", Fault.plex_error(1009)), "not_permitted"),
    "blocked": (fault("claim_token", Fault.plex_error(1031)), "sign_in_blocked"),
    "plex.tv": (fault("claim_token", Fault.html(502)), "unavailable"),
    "limit": (fault("claim_token", Fault.plex_error(1003)), "rate_limited"),
    "nonsense": (fault("claim_token", Fault.body("{}")), "unknown"),
    "lost": (fault("claim", Fault.reset()), "secure_connection_required"),
    "busy": (fault("claim", Fault.status(503, 'title="Maintenance"')), "maintenance"),
}


@pytest.mark.parametrize(("spoil", "key"), FAILURES.values(), ids=FAILURES.keys())
async def test_failures(
    home: Home, open_fix: OpenFix, unclaimed: MockConfigEntry, spoil: Spoil, key: str
) -> None:
    """Each failure has its own text, and the next try can succeed."""
    fix = await open_fix(unclaimed, home.server, UNCLAIMED)
    spoil(home)
    await agree(home, fix)
    assert fix.errors == {"base": key}
    assert len(home.simulator.requests_to("claim")) <= 1
    home.server.faults.clear()
    home.simulator.faults.clear()
    home.server.trusts_network = True
    await agree(home, fix)
    assert fix.result["type"] == "create_entry"
    assert not issue_keys(home)


async def test_server_starts_up(
    home: Home, open_fix: OpenFix, unclaimed: MockConfigEntry
) -> None:
    """A server that boots is waited for."""
    await home.server.restart(boot_state="starting")
    fix = await open_fix(unclaimed, home.server, UNCLAIMED)
    assert fix.errors == {"base": "starting_up"}
    home.server.booting = None
    await agree(home, fix)
    assert fix.result["type"] == "create_entry"


async def test_plex_tv_rejects_the_sign_in(
    home: Home, open_fix: OpenFix, unclaimed: MockConfigEntry
) -> None:
    """Where plex.tv does not accept the sign-in any more, that comes first."""
    fix = await open_fix(unclaimed, home.server, UNCLAIMED)
    home.anna.revoke_tokens()
    await agree(home, fix)
    assert fix.result["reason"] == "sign_in_first"
    assert home.reauth_flows(unclaimed) == 1
    assert not home.simulator.requests_to("claim_token")


async def test_somebody_else_is_quicker(
    home: Home, open_fix: OpenFix, unclaimed: MockConfigEntry
) -> None:
    """A server that another account has claimed meanwhile is left alone."""
    fix = await open_fix(unclaimed, home.server, UNCLAIMED)
    home.server.claim(home.ben)
    await agree(home, fix)
    assert fix.result["reason"] == "claimed_elsewhere"
    assert home.server.owner is home.ben
    assert not home.simulator.requests_to("claim")
    assert issue_keys(home) == {"server_not_listed"}


async def test_claimed_before_the_dialog_is_opened(
    home: Home, open_fix: OpenFix, unclaimed: MockConfigEntry
) -> None:
    """There is nothing left to repair, which the next poll sees as well."""
    home.server.claim(home.anna)
    fix = await open_fix(unclaimed, home.server, UNCLAIMED)
    assert fix.result["reason"] == "claimed"
    await home.settle()
    assert not issue_keys(home)


def _remote(home: Home, entry: MockConfigEntry) -> str:
    """Let nothing but an address of the internet be known of the server."""
    data = subentry_of(entry, home.server).data
    known = data["last_known"]
    connections = [{**one, "address": "8.8.8.8"} for one in known["connections"]]
    home.change_server(
        entry, home.server, last_known={**known, "connections": connections}
    )
    return "http://127.0.0.1:32400/web"


def _typed(home: Home, entry: MockConfigEntry) -> str:
    """Let a name in the internet be typed, by which the server would answer."""
    url = f"http://plex.example.com:{home.server.port}"
    home.change_server(entry, home.server, url=url)
    return f"{url}/web"


def _away(home: Home, entry: MockConfigEntry) -> str:
    """Let the server be in another house, where it has the address of nobody here."""
    home.server.faults.set("*", Fault.reset())
    return f"{home.server.http_url}/web"


def _another(home: Home, entry: MockConfigEntry) -> str:
    """Let another server of nobody answer at its address."""
    home.server.machine_identifier = "another"
    return f"{home.server.http_url}/web"


@pytest.mark.parametrize("change", [_remote, _typed, _away, _another])
async def test_outside(
    home: Home,
    open_fix: OpenFix,
    unclaimed: MockConfigEntry,
    change: Callable[[Home, MockConfigEntry], str],
) -> None:
    """The dialog says what to open in a browser there, and claims nothing."""
    await account_coordinator(unclaimed).servers.renew(now=True)
    fix = await open_fix(unclaimed, home.server, UNCLAIMED)
    url = change(home, unclaimed)
    await agree(home, fix)
    assert fix.result["reason"] == "not_in_network"
    assert fix.result["description_placeholders"]["url"] == url
    assert not home.simulator.requests_to("claim_token")


@pytest.mark.parametrize("is_loaded", [True, False])
async def test_gone_meanwhile(
    home: Home, open_fix: OpenFix, unclaimed: MockConfigEntry, is_loaded: bool
) -> None:
    """A dialog about a server that is gone, or whose account is, ends in words."""
    fix = await open_fix(unclaimed, home.server, UNCLAIMED)
    if is_loaded:
        await home.remove(unclaimed, home.server)
    else:
        await home.hass.config_entries.async_unload(unclaimed.entry_id)
    await agree(home, fix)
    reason = "server_removed" if is_loaded else "entry_not_loaded"
    assert fix.result["reason"] == reason
    assert not home.simulator.requests_to("claim_token")


async def test_unloaded_while_it_is_claimed(
    home: Home, open_fix: OpenFix, unclaimed: MockConfigEntry
) -> None:
    """A failure is told all the same, with the address that every server has."""
    home.server.trusts_network = False
    home.server.faults.set("claim", Fault.delay(0.3))
    fix = await open_fix(unclaimed, home.server, UNCLAIMED)
    await fix.submit()
    await async_arrival(home.simulator, "claim")
    await home.hass.config_entries.async_unload(unclaimed.entry_id)
    await finish(home, fix)
    assert fix.errors == {"base": "network_not_trusted"}
    placeholders = fix.result["description_placeholders"]
    assert placeholders["url"] == "http://127.0.0.1:32400/web"


async def test_removed_while_it_is_claimed(
    home: Home, open_fix: OpenFix, unclaimed: MockConfigEntry
) -> None:
    """What was begun is finished, and brings nothing of the server back."""
    home.server.faults.set("claim", Fault.delay(0.3))
    fix = await open_fix(unclaimed, home.server, UNCLAIMED)
    await fix.submit()
    await async_arrival(home.simulator, "claim")
    await home.remove(unclaimed, home.server)
    await finish(home, fix)
    assert home.server.owner is home.anna
    assert not unclaimed.subentries
    assert not issue_keys(home)

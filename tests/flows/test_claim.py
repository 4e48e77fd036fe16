"""A server of nobody: it is told, and claimed once somebody agrees."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
import json

from freezegun.api import FrozenDateTimeFactory
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.plex_auth.api import claim as claim_module
from custom_components.plex_auth.const import DOMAIN
from custom_components.plex_auth.flows.claim import _DATA_CLAIMS
from custom_components.plex_auth.names import escaped
from homeassistant.const import CONF_TOKEN, CONF_URL
from homeassistant.helpers import issue_registry as ir
from tests.conftest import Dns, Network
from tests.harness import Harness
from tests.helpers import (
    account_coordinator,
    async_arrival,
    server_coordinator,
    server_data,
    subentry_of,
    until,
    with_typed_token,
)
from tests.plex_simulator import Certificate, Fault, MediaServer
from tests.plex_simulator.worlds import PODCASTS
from tests.repair_dialog import OpenRepair, RepairDialog

POLL = timedelta(minutes=5, seconds=10)
UNCLAIMED = "server_unclaimed"
LOOKS = 12


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait no time for plex.tv to list a server."""
    monkeypatch.setattr(claim_module, "_PAUSE", 0.0)


def issue_keys(harness: Harness) -> set[str | None]:
    """Return the issues of servers that there are."""
    issues = ir.async_get(harness.hass).issues
    return {
        issue.translation_key
        for (domain, _), issue in issues.items()
        if domain == DOMAIN
    }


async def sign_in_again(harness: Harness, entry: MockConfigEntry) -> None:
    """Store a new sign-in, as its dialog does, and let plex.tv be asked."""
    token = harness.anna.sign_in_token(entry.data["client_identifier"])
    harness.hass.config_entries.async_update_entry(
        entry, data={**entry.data, CONF_TOKEN: token}
    )
    await account_coordinator(entry).async_refresh()
    await harness.settle()


async def unclaim(
    harness: Harness, entry: MockConfigEntry, server: MediaServer
) -> None:
    """Let a server belong to nobody, and have it polled."""
    server.unclaim()
    await server_coordinator(entry, server).async_check_now()
    await harness.settle()


async def agree(harness: Harness, dialog: RepairDialog) -> None:
    """Agree to the claim, and wait for the end of its progress."""
    assert (dialog.result["type"], dialog.result["step_id"]) == ("form", "confirm")
    await dialog.submit()
    while dialog.result["type"] == "progress":
        await harness.settle()
        await dialog.look()
    await harness.settle()


async def begin(
    harness: Harness, open_repair: OpenRepair, entry: MockConfigEntry
) -> RepairDialog:
    """Agree to a claim that takes a while, and wait for its arrival."""
    harness.server.faults.set("claim", Fault.delay(0.3))
    dialog = await open_repair(entry, harness.server, UNCLAIMED)
    await dialog.submit()
    assert dialog.result["type"] == "progress"
    await async_arrival(harness.simulator, "claim")
    return dialog


async def finish(harness: Harness, dialog: RepairDialog) -> None:
    """Wait until a claim is over that was begun, and look at what the dialog shows."""
    while dialog.result["type"] == "progress":
        await asyncio.gather(*harness.hass.data[_DATA_CLAIMS].values())
        await harness.settle()
        await dialog.look()


@pytest.fixture
async def unclaimed(harness: Harness, entry: MockConfigEntry) -> MockConfigEntry:
    """Return Anna's entry, whose server belongs to nobody by now."""
    await unclaim(harness, entry, harness.server)
    assert issue_keys(harness) == {UNCLAIMED}
    return entry


async def test_sign_out_of_connected_devices(
    harness: Harness, open_repair: OpenRepair, freezer: FrozenDateTimeFactory
) -> None:
    """All works again once the person has signed in and agreed, without a restart."""
    source = f"provider://{PODCASTS}"
    entry = await harness.add(
        harness.anna, server_data(harness.server, harness.anna, sources=[source])
    )
    states = {state.entity_id: state.state for state in harness.hass.states.async_all()}
    old, access = (
        await harness.transient_token(),
        server_coordinator(entry, harness.server),
    )
    harness.simulator.sign_out_devices(harness.anna)
    harness.world.basement.claim(harness.anna)  # which is not in Home Assistant
    await account_coordinator(entry).async_refresh()
    await harness.wait(freezer, POLL)
    assert harness.reauth_flows(entry) == 1
    assert issue_keys(harness) == {UNCLAIMED}
    dialog = await open_repair(entry, harness.server, UNCLAIMED)
    assert dialog.result["reason"] == "sign_in_first"

    await sign_in_again(harness, entry)
    assert issue_keys(harness) == {UNCLAIMED}
    failure = await harness.failure("get_transient_token")
    assert failure.translation_key == "not_claimed"
    harness.server.answers_without_it = 3
    dialog = await open_repair(entry, harness.server, UNCLAIMED)
    assert dialog.result["description_placeholders"] == {
        "account": "Anna",
        "account_md": "Anna",
        "server": "Living Room",
        "server_md": "Living Room",
        "url": f"{harness.server.http_url}/web",
        "url_md": escaped(f"{harness.server.http_url}/web"),
        "own_url": "http://127.0.0.1:32400/web",
        "own_url_md": escaped("http://127.0.0.1:32400/web"),
    }
    assert not harness.simulator.claim_tokens.given
    harness.asked()
    await agree(harness, dialog)
    assert dialog.result["type"] == "create_entry"
    assert harness.asked()["claim"] == 1
    assert (harness.server.claimed, harness.server.owner) == (True, harness.anna)
    assert not issue_keys(harness)

    assert server_coordinator(entry, harness.server) is access
    stored = subentry_of(entry, harness.server).data["last_known"]["token"]
    assert stored == harness.server.access_token_for(harness.anna)
    token = await harness.transient_token()
    assert token != old
    assert harness.server.accepts_transient_token(token)
    assert await harness.call("get_source_connection_information", source=source)
    assert await harness.call("get_token_details")
    assert await harness.call("get_servers")
    now = {state.entity_id: state.state for state in harness.hass.states.async_all()}
    assert now.keys() == states.keys()
    changing = ("_transient_token", "expires", "verified", "check_now")
    assert {
        entity_id: (states[entity_id], now[entity_id])
        for entity_id in states
        if states[entity_id] != now[entity_id]
        and not any(part in entity_id for part in changing)
    } == {}
    assert "unavailable" not in now.values()


async def test_socket_is_opened_anew(harness: Harness, open_repair: OpenRepair) -> None:
    """The notification socket is opened with the new token."""
    harness.server.notifications.allowed = True
    entry = await harness.add(harness.anna, harness.server)
    await async_arrival(harness.simulator, "notifications")
    await unclaim(harness, entry, harness.server)
    harness.asked()
    dialog = await open_repair(entry, harness.server, UNCLAIMED)
    await agree(harness, dialog)
    await async_arrival(harness.simulator, "notifications")
    request = harness.simulator.requests_to("notifications")[-1]
    token = harness.server.access_token_for(harness.anna)
    assert request.headers["X-Plex-Token"] == token


async def test_typed_token_is_forgotten(
    harness: Harness, open_repair: OpenRepair
) -> None:
    """A typed token is dead, and the address stays; the listed token is used instead."""
    entry = await harness.add(harness.anna, with_typed_token(harness.server))
    assert CONF_TOKEN in subentry_of(entry, harness.server).data
    await unclaim(harness, entry, harness.server)
    dialog = await open_repair(entry, harness.server, UNCLAIMED)
    await agree(harness, dialog)
    assert dialog.result["type"] == "create_entry"
    data = subentry_of(entry, harness.server).data
    assert CONF_TOKEN not in data
    assert data[CONF_URL] == harness.server.http_url
    assert not issue_keys(harness)
    assert harness.server.accepts_transient_token(await harness.transient_token())


async def test_issue_replaces_the_one_of_the_list(
    harness: Harness, unclaimed: MockConfigEntry, freezer: FrozenDateTimeFactory
) -> None:
    """While a server is nobody's, plex.tv does not list it: that is no news."""
    await harness.wait(freezer, timedelta(hours=1, minutes=1))
    assert server_coordinator(unclaimed, harness.server).access.target.listed is None
    assert issue_keys(harness) == {UNCLAIMED}
    await harness.reload(unclaimed)
    assert issue_keys(harness) == {UNCLAIMED}
    await harness.server.stop()
    await harness.wait(freezer, POLL)
    assert issue_keys(harness) == {UNCLAIMED}
    harness.server.claim(harness.ben)
    await harness.server.start()
    await harness.wait(freezer, POLL)
    assert issue_keys(harness) == {"server_not_listed"}


async def test_ignored_while_the_server_is_away(
    harness: Harness, unclaimed: MockConfigEntry
) -> None:
    """A reload says nothing of a server that is away: what is ignored stays so."""
    registry = ir.async_get(harness.hass)
    (issue_id,) = (key for domain, key in registry.issues if domain == DOMAIN)
    ir.async_ignore_issue(harness.hass, DOMAIN, issue_id, True)
    await harness.server.stop()
    await harness.reload(unclaimed)
    issue = registry.async_get_issue(DOMAIN, issue_id)
    assert issue is not None
    assert issue.dismissed_version is not None


async def test_claimed_in_a_browser(
    harness: Harness, unclaimed: MockConfigEntry, freezer: FrozenDateTimeFactory
) -> None:
    """The issue goes with the next poll, which asks plex.tv for the new token."""
    harness.server.claim(harness.anna)
    await harness.wait(freezer, POLL)
    assert not issue_keys(harness)
    stored = subentry_of(unclaimed, harness.server).data["last_known"]["token"]
    assert stored == harness.server.access_token_for(harness.anna)


async def test_nothing_is_claimed_unless_somebody_agrees(
    harness: Harness, open_repair: OpenRepair, unclaimed: MockConfigEntry
) -> None:
    """Opening and closing the dialog claims nothing; only the servers are listed anew."""
    harness.asked()
    dialog = await open_repair(unclaimed, harness.server, UNCLAIMED)
    await dialog.close()
    await harness.settle()
    assert harness.asked().keys() == {"identity", "resources"}
    assert not harness.simulator.claim_tokens.given


async def test_server_of_nobody_gets_no_token(
    harness: Harness, freezer: FrozenDateTimeFactory
) -> None:
    """Once it has said so it is shown no token: it would look at none."""
    harness.server.notifications.allowed = True
    entry = await harness.add(harness.anna, harness.server)
    await async_arrival(harness.simulator, "notifications")
    await harness.transient_token()
    await unclaim(harness, entry, harness.server)
    await until(lambda: not harness.server.notifications)
    harness.simulator.requests.clear()
    await harness.wait(freezer, POLL)
    await harness.failure("get_transient_token")
    asked = [one for one in harness.simulator.requests if one.host != "plex.tv"]
    assert {one.endpoint for one in asked} == {"identity"}
    assert not any("X-Plex-Token" in one.headers for one in asked)


async def test_unclaimed_while_a_token_is_checked(harness: Harness) -> None:
    """What a server says in the middle of a poll keeps the socket closed as well."""
    entry = await harness.add(harness.anna, harness.server)
    await harness.transient_token()
    harness.server.notifications.allowed = True
    identifier = harness.server.machine_identifier
    says = {"machineIdentifier": identifier, "claimed": True}
    claimed = Fault.body(json.dumps({"MediaContainer": says}))
    harness.server.unclaim(listed=True)
    harness.server.faults.set("root", Fault.status(401))
    harness.server.faults.set("identity", claimed, times=1)
    harness.simulator.requests.clear()
    await harness.reload(entry)
    assert server_coordinator(entry, harness.server).access.is_unclaimed
    assert harness.simulator.requests_to("root")
    assert not harness.simulator.requests_to("notifications")


async def test_unclaimed_as_an_action_finds(harness: Harness) -> None:
    """What an action hears is told at once, and closes the socket."""
    harness.server.notifications.allowed = True
    entry = await harness.add(harness.anna, harness.server)
    notifications = server_coordinator(entry, harness.server).notifications
    await until(lambda: notifications.is_open)
    harness.server.claimed = False
    await harness.failure("get_transient_token")
    await harness.settle()
    assert issue_keys(harness) == {UNCLAIMED}
    await until(lambda: not harness.server.notifications)


async def test_closed_dialog(
    harness: Harness, open_repair: OpenRepair, unclaimed: MockConfigEntry
) -> None:
    """What was begun is finished; a dialog that is opened meanwhile shows it."""
    dialog = await begin(harness, open_repair, unclaimed)
    await dialog.look()
    assert dialog.result["type"] == "progress"
    await dialog.close()
    again = await open_repair(unclaimed, harness.server, UNCLAIMED)
    assert again.result["type"] == "progress"
    await again.close()
    await asyncio.gather(*harness.hass.data[_DATA_CLAIMS].values())
    await harness.settle()
    assert harness.server.owner is harness.anna
    assert len(harness.simulator.requests_to("claim")) == 1
    assert not issue_keys(harness)
    assert harness.server.accepts_transient_token(await harness.transient_token())
    assert not harness.hass.data[_DATA_CLAIMS]


async def test_two_dialogs_at_once(
    harness: Harness, open_repair: OpenRepair, unclaimed: MockConfigEntry
) -> None:
    """Who agrees in two dialogs at the same time claims once, and sees it in both."""
    dialogs = [
        await open_repair(unclaimed, harness.server, UNCLAIMED) for _ in range(2)
    ]
    harness.server.faults.set("identity", Fault.delay(0.1), times=2)
    harness.server.faults.set("claim", Fault.delay(0.3))
    await asyncio.gather(*(dialog.submit() for dialog in dialogs))
    assert [dialog.result["type"] for dialog in dialogs] == ["progress"] * 2
    (claim,) = harness.hass.data[_DATA_CLAIMS].values()
    await claim
    await harness.settle()
    for dialog in dialogs:
        await dialog.look()
        assert dialog.result["type"] == "create_entry"
    assert len(harness.simulator.requests_to("claim_token")) == 1
    assert len(harness.simulator.requests_to("claim")) == 1
    assert not harness.hass.data[_DATA_CLAIMS]


async def test_reload_meanwhile(
    harness: Harness, open_repair: OpenRepair, unclaimed: MockConfigEntry
) -> None:
    """A reload of the entry does not end a claim."""
    dialog = await begin(harness, open_repair, unclaimed)
    await harness.reload(unclaimed)
    await finish(harness, dialog)
    assert dialog.result["type"] == "create_entry"
    assert not issue_keys(harness)
    assert harness.server.accepts_transient_token(await harness.transient_token())


type Spoil = Callable[[Harness], object]


def fault(endpoint: str, played: Fault) -> Spoil:
    """Return what lets an endpoint answer with a fault."""

    def spoil(harness: Harness) -> None:
        host = harness.simulator if endpoint == "claim_token" else harness.server
        host.faults.set(endpoint, played)

    return spoil


def _not_trusted(harness: Harness) -> None:
    harness.server.trusts_network = False


def _listed_too_late(harness: Harness) -> None:
    harness.server.answers_without_it = LOOKS


# One of each place; tests/api/test_claim.py has what else can go wrong there.
FAILURES: dict[str, tuple[Spoil, str]] = {
    "network": (_not_trusted, "network_not_trusted"),
    "late": (_listed_too_late, "not_listed_yet"),
    "plex.tv": (fault("claim_token", Fault.html(502)), "unavailable"),
    "server": (fault("claim", Fault.status(500)), "claim_failed"),
}


@pytest.mark.parametrize(("spoil", "key"), FAILURES.values(), ids=FAILURES.keys())
async def test_failures(
    harness: Harness,
    open_repair: OpenRepair,
    unclaimed: MockConfigEntry,
    spoil: Spoil,
    key: str,
) -> None:
    """Each failure has its own text, and the next try can succeed."""
    dialog = await open_repair(unclaimed, harness.server, UNCLAIMED)
    spoil(harness)
    await agree(harness, dialog)
    assert dialog.errors == {"base": key}
    assert len(harness.simulator.requests_to("claim")) <= 1
    harness.server.faults.clear()
    harness.simulator.faults.clear()
    harness.server.trusts_network = True
    await agree(harness, dialog)
    assert dialog.result["type"] == "create_entry"
    assert not issue_keys(harness)


async def test_server_starts_up(
    harness: Harness, open_repair: OpenRepair, unclaimed: MockConfigEntry
) -> None:
    """A server that boots is waited for."""
    await harness.server.restart(boot_state="starting")
    dialog = await open_repair(unclaimed, harness.server, UNCLAIMED)
    assert dialog.errors == {"base": "starting_up"}
    harness.server.booting = None
    await agree(harness, dialog)
    assert dialog.result["type"] == "create_entry"


async def test_plex_tv_rejects_the_sign_in(
    harness: Harness, open_repair: OpenRepair, unclaimed: MockConfigEntry
) -> None:
    """Where plex.tv does not accept the sign-in any more, that comes first."""
    dialog = await open_repair(unclaimed, harness.server, UNCLAIMED)
    harness.anna.revoke_tokens()
    await agree(harness, dialog)
    assert dialog.result["reason"] == "sign_in_first"
    assert harness.reauth_flows(unclaimed) == 1
    assert not harness.simulator.requests_to("claim_token")


async def test_somebody_else_is_quicker(
    harness: Harness, open_repair: OpenRepair, unclaimed: MockConfigEntry
) -> None:
    """A server that another account has claimed meanwhile is left alone."""
    dialog = await open_repair(unclaimed, harness.server, UNCLAIMED)
    harness.server.claim(harness.ben)
    await agree(harness, dialog)
    assert dialog.result["reason"] == "claimed_elsewhere"
    assert harness.server.owner is harness.ben
    assert not harness.simulator.requests_to("claim")
    assert issue_keys(harness) == {"server_not_listed"}


async def test_claimed_before_the_dialog_is_opened(
    harness: Harness, open_repair: OpenRepair, unclaimed: MockConfigEntry
) -> None:
    """There is nothing left to repair, which the next poll sees as well."""
    harness.server.claim(harness.anna)
    dialog = await open_repair(unclaimed, harness.server, UNCLAIMED)
    assert dialog.result["reason"] == "claimed"
    await harness.settle()
    assert not issue_keys(harness)


async def test_another_machine_says_that_it_is_unclaimed(
    harness: Harness, open_repair: OpenRepair, entry: MockConfigEntry
) -> None:
    """plex.tv contradicts it: nothing is sent, both causes are named, with ways out."""
    impostor = await harness.simulator.add_impostor(harness.server, claimed=False)
    await impostor.take_over()
    await server_coordinator(entry, harness.server).async_check_now()
    await harness.settle()
    assert issue_keys(harness) == {UNCLAIMED}
    dialog = await open_repair(entry, harness.server, UNCLAIMED)
    assert dialog.result["reason"] == "still_listed"
    own_url = dialog.result["description_placeholders"]["own_url"]
    assert own_url == "http://127.0.0.1:32400/web"
    await harness.failure("get_transient_token")
    assert not harness.simulator.claim_tokens.given
    assert not impostor.secrets
    await impostor.give_back()
    await server_coordinator(entry, harness.server).async_check_now()
    await harness.settle()
    assert not issue_keys(harness)


async def test_contradicted_after_the_question(
    harness: Harness, open_repair: OpenRepair, unclaimed: MockConfigEntry
) -> None:
    """What plex.tv lists right before the claim counts, not what it did before."""
    dialog = await open_repair(unclaimed, harness.server, UNCLAIMED)
    harness.server.stays_listed = True
    await agree(harness, dialog)
    assert dialog.result["reason"] == "still_listed"
    assert not harness.simulator.claim_tokens.given
    harness.server.stays_listed = False  # removed under Authorized Devices
    dialog = await open_repair(unclaimed, harness.server, UNCLAIMED)
    await agree(harness, dialog)
    assert dialog.result["type"] == "create_entry"


@pytest.mark.parametrize("is_agreed", [True, False])
async def test_plex_tv_is_away(
    harness: Harness,
    open_repair: OpenRepair,
    unclaimed: MockConfigEntry,
    is_agreed: bool,
) -> None:
    """Nothing is sent while plex.tv cannot be asked; the next try can succeed."""
    away = Fault.status(503)
    if is_agreed:
        dialog = await open_repair(unclaimed, harness.server, UNCLAIMED)
        harness.simulator.faults.set("resources", away)
        await agree(harness, dialog)
    else:
        harness.simulator.faults.set("resources", away)
        dialog = await open_repair(unclaimed, harness.server, UNCLAIMED)
    assert dialog.errors == {"base": "unavailable"}
    assert not harness.simulator.claim_tokens.given
    harness.simulator.faults.clear()
    await agree(harness, dialog)
    assert dialog.result["type"] == "create_entry"


async def test_shared_server(
    harness: Harness, open_repair: OpenRepair, freezer: FrozenDateTimeFactory
) -> None:
    """A server of somebody else is not offered, whatever answers in its place."""
    entry = await harness.add(harness.anna, harness.world.shared)
    impostor = await harness.simulator.add_impostor(harness.world.shared, claimed=False)
    await impostor.take_over()
    await server_coordinator(entry, harness.world.shared).async_check_now()
    await harness.wait(freezer, POLL)
    assert not issue_keys(harness)
    assert not impostor.secrets
    harness.world.shared.shared_with.clear()
    await account_coordinator(entry).servers.renew(now=True)
    await harness.settle()
    assert issue_keys(harness) == {"server_not_listed"}


async def test_listed_as_shared_meanwhile(
    harness: Harness, open_repair: OpenRepair, unclaimed: MockConfigEntry
) -> None:
    """A dialog that is still open does not claim a server of somebody else."""
    dialog = await open_repair(unclaimed, harness.server, UNCLAIMED)
    harness.server.claim(harness.ben)
    harness.server.shared_with.append(harness.anna)
    impostor = await harness.simulator.add_impostor(harness.server, claimed=False)
    await impostor.take_over()
    await agree(harness, dialog)
    assert dialog.result["reason"] == "not_owner"
    assert not harness.simulator.claim_tokens.given


async def test_proven_by_its_certificate(
    harness: Harness, open_repair: OpenRepair, plex_direct: None
) -> None:
    """A server whose certificate proves its answer is claimed without a warning."""
    entry = await harness.add(harness.anna, harness.server)
    harness.server.unclaim(listed=True)
    await server_coordinator(entry, harness.server).async_check_now()
    await harness.settle()
    dialog = await open_repair(entry, harness.server, UNCLAIMED)
    assert dialog.result["step_id"] == "confirm_proven"
    await dialog.submit()
    await finish(harness, dialog)
    assert dialog.result["type"] == "create_entry"
    assert harness.server.claimed
    request = harness.simulator.requests_to("claim")[0]
    assert request.headers["Host"].endswith(f"plex.direct:{harness.server.port}")


async def test_certificate_is_lost_after_the_question(
    harness: Harness, open_repair: OpenRepair, plex_direct: None
) -> None:
    """Whoever agreed without a warning is warned where nothing proves the answer."""
    entry = await harness.add(harness.anna, harness.server)
    await unclaim(harness, entry, harness.server)
    dialog = await open_repair(entry, harness.server, UNCLAIMED)
    assert dialog.result["step_id"] == "confirm_proven"
    harness.server.set_certificate(Certificate.EXPIRED)
    await harness.server.restart()  # which ends the connections that are open
    await dialog.submit()
    assert (dialog.result["step_id"], dialog.errors) == ("confirm", {})
    assert not harness.simulator.claim_tokens.given
    await agree(harness, dialog)
    assert dialog.result["type"] == "create_entry"


def _remote(harness: Harness, entry: MockConfigEntry) -> str:
    """Let nothing but an address of the internet be known of the server."""
    data = subentry_of(entry, harness.server).data
    known = data["last_known"]
    connections = [{**one, "address": "8.8.8.8"} for one in known["connections"]]
    harness.change_server(
        entry, harness.server, last_known={**known, "connections": connections}
    )
    return "http://127.0.0.1:32400/web"


def _away(harness: Harness, entry: MockConfigEntry) -> str:
    """Let the server be in another house, where it has the address of nobody here."""
    harness.server.faults.set("*", Fault.reset())
    return f"{harness.server.http_url}/web"


def _another(harness: Harness, entry: MockConfigEntry) -> str:
    """Let another server of nobody answer at its address."""
    harness.server.machine_identifier = "another"
    return f"{harness.server.http_url}/web"


@pytest.mark.parametrize("change", [_remote, _away, _another])
async def test_outside(
    harness: Harness,
    open_repair: OpenRepair,
    unclaimed: MockConfigEntry,
    change: Callable[[Harness, MockConfigEntry], str],
) -> None:
    """The dialog says what to open in a browser there, and claims nothing."""
    await account_coordinator(unclaimed).servers.renew(now=True)
    dialog = await open_repair(unclaimed, harness.server, UNCLAIMED)
    url = change(harness, unclaimed)
    await agree(harness, dialog)
    assert dialog.result["reason"] == "not_in_network"
    assert dialog.result["description_placeholders"]["url"] == url
    assert not harness.simulator.requests_to("claim_token")


@pytest.mark.parametrize(
    ("addresses", "is_near"),
    [
        (("192.168.1.5",), True),
        (("100.64.1.5",), True),
        (("203.0.113.9",), False),
        (("192.168.1.5", "203.0.113.9"), False),
        ((), False),
    ],
)
async def test_typed_name(
    harness: Harness,
    dns: Dns,
    network: Network,
    open_repair: OpenRepair,
    unclaimed: MockConfigEntry,
    addresses: tuple[str, ...],
    is_near: bool,
) -> None:
    """A typed name is in the server's network if it leads to no address elsewhere."""
    port = harness.server.port
    dns.names["plex.example.com"] = addresses
    for address in addresses:
        network[address, port] = port
    dialog = await open_repair(unclaimed, harness.server, UNCLAIMED)
    url = f"http://plex.example.com:{port}"
    harness.change_server(unclaimed, harness.server, url=url)
    await agree(harness, dialog)
    if is_near:
        assert harness.server.owner is harness.anna
        return
    assert dialog.result["reason"] == "not_in_network"
    assert dialog.result["description_placeholders"]["url"] == f"{url}/web"
    assert not harness.simulator.requests_to("claim_token")


@pytest.mark.parametrize("is_loaded", [True, False])
async def test_gone_meanwhile(
    harness: Harness,
    open_repair: OpenRepair,
    unclaimed: MockConfigEntry,
    is_loaded: bool,
) -> None:
    """A dialog about a server that is gone, or whose account is, ends in words."""
    dialog = await open_repair(unclaimed, harness.server, UNCLAIMED)
    if is_loaded:
        await harness.remove(unclaimed, harness.server)
    else:
        await harness.hass.config_entries.async_unload(unclaimed.entry_id)
    await agree(harness, dialog)
    reason = "server_removed" if is_loaded else "entry_not_loaded"
    assert dialog.result["reason"] == reason
    assert not harness.simulator.requests_to("claim_token")


async def test_unloaded_while_it_is_claimed(
    harness: Harness, open_repair: OpenRepair, unclaimed: MockConfigEntry
) -> None:
    """A failure is told all the same, with the address that every server has."""
    harness.server.trusts_network = False
    dialog = await begin(harness, open_repair, unclaimed)
    await harness.hass.config_entries.async_unload(unclaimed.entry_id)
    await finish(harness, dialog)
    assert dialog.errors == {"base": "network_not_trusted"}
    placeholders = dialog.result["description_placeholders"]
    assert placeholders["url"] == "http://127.0.0.1:32400/web"


async def test_removed_while_it_is_claimed(
    harness: Harness, open_repair: OpenRepair, unclaimed: MockConfigEntry
) -> None:
    """What was begun is finished, and brings nothing of the server back."""
    dialog = await begin(harness, open_repair, unclaimed)
    await harness.remove(unclaimed, harness.server)
    await finish(harness, dialog)
    assert harness.server.owner is harness.anna
    assert not unclaimed.subentries
    assert not issue_keys(harness)

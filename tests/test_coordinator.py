"""Polling, failures, and how accounts and servers recover by themselves."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from itertools import pairwise
import logging
from typing import Any
from unittest.mock import patch

from aiohttp.web import StreamResponse
from freezegun.api import FrozenDateTimeFactory
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry
import pytest_socket

from custom_components.plex_auth.api.errors import (
    CannotConnectError,
    PlexError,
    TokenRejectedError,
)
from custom_components.plex_auth.api.models import ListedServer
from custom_components.plex_auth.api.plex_tv import PlexTv
from custom_components.plex_auth.const import CONF_LAST_KNOWN, DOMAIN
from homeassistant.config_entries import ConfigEntryState
from homeassistant.const import CONF_TOKEN, STATE_UNAVAILABLE, STATE_UNKNOWN
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError
from homeassistant.util import dt as dt_util

from .harness import Harness
from .helpers import (
    account_coordinator,
    async_add_account,
    async_arrival,
    async_get_transient_token,
    async_pass,
    async_set_up,
    known_server,
    make_entry,
    reauth_flows,
    server_coordinator,
    server_data,
    state_of,
    subentry_of,
    until,
    with_typed_token,
)
from .plex_simulator import (
    PLEX_TV,
    Account,
    Certificate,
    Fault,
    MediaServer,
    PlexSimulator,
    Way,
)
from .plex_simulator.faults import Exchange

POLL = timedelta(minutes=5)
REJECTED = Fault.plex_error(1001, 401)

MAINTENANCE = Fault.status(
    503,
    '<html><body><Response code="503" title="Maintenance"/></body></html>',
)


def server_named(simulator: PlexSimulator, name: str) -> MediaServer:
    """Return the server with a name."""
    return next(server for server in simulator.servers.values() if server.name == name)


def logged(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return what the integration has logged, but for what only helps to debug."""
    return [
        record.message
        for record in caplog.records
        if record.name.startswith("custom_components.plex_auth")
        and record.levelno > logging.DEBUG
    ]


def failure_of(entry: MockConfigEntry, server: MediaServer) -> str | None:
    """Return the key of the message of a server's last failed poll."""
    failure = server_coordinator(entry, server).last_exception
    assert isinstance(failure, HomeAssistantError)
    return failure.translation_key


# Intervals


async def test_intervals(
    harness: Harness, freezer: FrozenDateTimeFactory, entry: MockConfigEntry
) -> None:
    """A server is asked every 5 minutes, the account every 30, the lists hourly.

    A notification socket that is refused is asked for once.
    """
    await until(lambda: harness.simulator.requests_to("notifications"))
    assert harness.asked() == {
        "user": 1,
        "resources": 1,
        "devices": 1,
        "identity": 1,
        "notifications": 1,
    }
    for _ in range(5):
        await harness.wait(freezer, POLL)
    assert harness.asked() == {"identity": 5}
    await harness.wait(freezer, POLL)
    assert harness.asked() == {"identity": 1, "user": 1}
    for _ in range(18):
        await harness.wait(freezer, POLL)
    assert harness.asked() == {"identity": 18, "user": 3, "resources": 2, "devices": 2}


async def test_resources_are_asked_for_at_every_second_poll(
    harness: Harness, freezer: FrozenDateTimeFactory
) -> None:
    """Polls of an account that answers sooner than the one before keep the hour."""
    entry = await harness.add(harness.anna)
    for count in (1, 1, 2, 2, 3):
        assert len(harness.simulator.requests_to("resources")) == count
        freezer.tick(timedelta(minutes=29, seconds=59.9))
        await account_coordinator(entry).async_refresh()


async def test_transient_token_is_checked_at_each_poll(
    harness: Harness, freezer: FrozenDateTimeFactory, entry: MockConfigEntry
) -> None:
    """A poll takes one request, and a second one while a transient token runs."""
    token = await harness.transient_token()
    harness.asked()
    await harness.wait(freezer, POLL)
    (check,) = harness.simulator.requests_to("root")
    assert check.headers["X-Plex-Token"] == token
    assert harness.asked() == {"identity": 1, "root": 1}
    await harness.server.restart()
    await harness.wait(freezer, POLL)
    harness.asked()
    await harness.wait(freezer, POLL)
    assert harness.asked() == {"identity": 1}


@pytest.mark.parametrize("as_date", [False, True], ids=["seconds", "date"])
async def test_plex_tv_names_a_time(
    harness: Harness, freezer: FrozenDateTimeFactory, as_date: bool
) -> None:
    """The time that plex.tv wants to be left alone is kept, whichever way it is told."""
    await harness.add(harness.anna)
    await harness.wait(freezer, timedelta(minutes=25))
    until = dt_util.utcnow() + timedelta(minutes=5, seconds=3000)
    harness.simulator.faults.set(
        "user",
        Fault.plex_error(1003, 429, retry_after=until if as_date else 3000),
        times=1,
    )
    await harness.wait(freezer, POLL)
    assert harness.state("binary_sensor.sign_in") == STATE_UNAVAILABLE
    harness.asked()
    await harness.wait(freezer, timedelta(seconds=2990))
    assert not harness.asked()
    await harness.wait(freezer, timedelta(seconds=11))
    assert harness.asked()["user"] == 1
    assert harness.state("binary_sensor.sign_in") == "off"


@pytest.mark.parametrize("wish", ["0", "1", "299", "Tue, 24 Nov 2020 12:00:00 GMT"])
async def test_nobody_is_asked_sooner(
    harness: Harness, freezer: FrozenDateTimeFactory, entry: MockConfigEntry, wish: str
) -> None:
    """A time that is over, by a clock that differs, is no wish to be asked at once."""
    later = {"Retry-After": wish}
    harness.server.faults.set("identity", Fault.status(503, headers=later))
    harness.simulator.faults.set("user", Fault.status(503, headers=later))
    harness.asked()
    await harness.wait(freezer, timedelta(minutes=30, seconds=1))
    assert harness.asked()["user"] == 1
    for _ in range(20):
        await harness.wait(freezer, timedelta(seconds=10))
    assert "user" not in harness.asked()
    assert "identity" not in harness.asked()


async def test_server_names_a_time(
    harness: Harness, freezer: FrozenDateTimeFactory, entry: MockConfigEntry
) -> None:
    """A server that has enough at all its addresses is left alone."""
    harness.server.faults.set(
        "identity", Fault.status(429, headers={"Retry-After": "900"})
    )
    await harness.wait(freezer, POLL)
    assert failure_of(entry, harness.server) == "rate_limited"
    harness.server.faults.clear()
    harness.asked()
    await harness.wait(freezer, timedelta(seconds=890))
    assert "identity" not in harness.asked()
    await harness.wait(freezer, timedelta(seconds=11))
    assert harness.asked()["identity"] == 1
    assert harness.state("binary_sensor.reachable") == "on"


# The account


async def test_kinds_of_failure(harness: Harness, entry: MockConfigEntry) -> None:
    """The entity Sign-in is true at each moment, also when a failure follows a failure."""
    account = account_coordinator(entry)
    outage = Fault.html(502)
    for fault, token, flows in (
        (outage, STATE_UNAVAILABLE, 0),
        (REJECTED, "on", 1),
        (outage, STATE_UNAVAILABLE, 1),
        (REJECTED, "on", 1),
        (REJECTED, "on", 1),
        (outage, STATE_UNAVAILABLE, 1),
    ):
        harness.simulator.faults.set("user", fault)
        with pytest.raises(PlexError):
            await account.async_verify()
        await harness.settle()
        assert harness.state("binary_sensor.sign_in") == token
        assert harness.state("binary_sensor.plex_pass") == STATE_UNAVAILABLE
        assert harness.state("sensor.servers") == STATE_UNAVAILABLE
        assert harness.reauth_flows(entry) == flows
    harness.simulator.faults.clear()
    await account.async_verify()
    await harness.settle()
    assert harness.state("binary_sensor.sign_in") == "off"
    assert harness.state("binary_sensor.plex_pass") == "on"
    assert harness.reauth_flows(entry) == 0


async def test_rejected_in_a_poll(
    harness: Harness, freezer: FrozenDateTimeFactory, entry: MockConfigEntry
) -> None:
    """A rejected token is tried hourly, with one request to sign in; servers go on."""
    harness.anna.revoke_tokens()
    await harness.wait(freezer, timedelta(minutes=30))
    assert harness.state("binary_sensor.sign_in") == "on"
    assert harness.reauth_flows(entry) == 1
    harness.asked()
    for _ in range(13):
        await harness.wait(freezer, POLL)
    assert harness.asked() == {"identity": 13, "user": 1}
    assert harness.state("binary_sensor.reachable") == "on"
    assert harness.reauth_flows(entry) == 1


async def test_rejection_is_logged_once(
    harness: Harness,
    freezer: FrozenDateTimeFactory,
    caplog: pytest.LogCaptureFixture,
    entry: MockConfigEntry,
) -> None:
    """A dead token is one line in the log, for as long as it is dead."""
    harness.anna.revoke_tokens()
    for _ in range(48):
        await harness.wait(freezer, timedelta(minutes=30))
    assert len(logged(caplog)) == 1


async def test_signed_out_everywhere(
    harness: Harness, freezer: FrozenDateTimeFactory
) -> None:
    """When everything is signed out at once each account is asked for once."""
    accounts = [harness.anna, harness.ben, harness.world.managed]
    entries = [await harness.add(account, harness.server) for account in accounts]
    for account in accounts:
        account.revoke_tokens()
    said_by_an_old_server = Fault.plex_error(1999, 422, message="Invalid token")
    harness.simulator.faults.set("user", said_by_an_old_server, times=1)
    for _ in range(4):
        await harness.wait(freezer, timedelta(minutes=31))
    assert [harness.reauth_flows(entry) for entry in entries] == [1, 1, 1]
    states = [harness.state("binary_sensor.sign_in", account) for account in accounts]
    assert states == ["on", "on", "on"]


@pytest.mark.parametrize(
    "fault",
    [
        Fault.status(403),
        Fault.plex_error(1009, 403),
        Fault.status(401),
        Fault.html(401),
        Fault.html(200),
        Fault.status(404),
        Fault.status(410),
        Fault.status(500),
        Fault.redirect("https://example.invalid/"),
        Fault.reset(),
        Fault.half_body(),
        Fault.huge_body(),
        Fault.body("{}"),
    ],
    ids=[
        "403",
        "403 by Plex",
        "401 by a proxy",
        "401 page",
        "200 page",
        "404",
        "410",
        "500",
        "redirect",
        "cut",
        "half",
        "huge",
        "empty",
    ],
)
async def test_what_is_no_rejection(harness: Harness, fault: Fault) -> None:
    """Nothing but Plex's own word that the token is dead asks for a new sign-in."""
    entry = await harness.add(harness.anna)
    harness.simulator.faults.set("user", fault)
    with pytest.raises(PlexError) as caught:
        await account_coordinator(entry).async_verify()
    assert not isinstance(caught.value, TokenRejectedError)
    await harness.settle()
    assert harness.state("binary_sensor.sign_in") == STATE_UNAVAILABLE
    assert harness.reauth_flows(entry) == 0


async def test_recovery_after_an_outage(
    harness: Harness, freezer: FrozenDateTimeFactory, caplog: pytest.LogCaptureFixture
) -> None:
    """An outage of plex.tv is logged once, and so is its end."""
    await harness.add(harness.anna)
    await harness.simulator.stop_plex_tv()
    for _ in range(3):
        await harness.wait(freezer, timedelta(minutes=30))
        assert harness.state("binary_sensor.sign_in") == STATE_UNAVAILABLE
    await harness.simulator.start_plex_tv()
    await harness.wait(freezer, timedelta(minutes=30))
    assert harness.state("binary_sensor.sign_in") == "off"
    assert logged(caplog) == [
        "Error fetching Plex account Anna data: The connection to Anna failed",
        "Fetching Plex account Anna data recovered",
    ]


async def test_token_replaced_while_plex_tv_is_asked(harness: Harness) -> None:
    """The end of an old token that has been replaced already is no rejection."""
    entry = await harness.add(harness.anna)
    harness.simulator.requests.clear()
    harness.simulator.faults.set("user", Fault.delay(0.1), times=1)
    poll = harness.hass.async_create_task(account_coordinator(entry).async_refresh())
    await async_arrival(harness.simulator, "user")
    token = harness.anna.sign_in_token(entry.data["client_identifier"])
    harness.hass.config_entries.async_update_entry(
        entry, data={**entry.data, CONF_TOKEN: token}
    )
    await poll
    await harness.settle()
    assert [
        request.headers["X-Plex-Token"] == token
        for request in harness.simulator.requests_to("user")
    ] == [False, True]
    assert harness.state("binary_sensor.sign_in") == "off"
    assert harness.reauth_flows(entry) == 0


async def test_resources_not_known(harness: Harness) -> None:
    """An account is known although plex.tv does not list its servers for now."""
    harness.simulator.faults.set("resources", Fault.html(502))
    entry = await harness.add(harness.anna, harness.server)
    assert harness.state("binary_sensor.sign_in") == "off"
    assert harness.state("sensor.servers") == STATE_UNKNOWN
    assert harness.state("binary_sensor.reachable") == "on"
    assert harness.reauth_flows(entry) == 0


async def test_resources_reject_the_token(harness: Harness) -> None:
    """A token that is rejected when the servers are asked for is rejected."""
    harness.simulator.faults.set("resources", REJECTED)
    entry = await harness.add(harness.anna, harness.server)
    assert harness.state("binary_sensor.sign_in") == "on"
    assert harness.reauth_flows(entry) == 1


async def test_who_asks_at_once_shares_a_request(harness: Harness) -> None:
    """However many ask plex.tv the same at once, they share what follows the first."""
    entry = await harness.add(harness.anna)
    account = account_coordinator(entry)
    harness.asked()
    await asyncio.gather(
        *(account.async_verify() for _ in range(5)),
        *(account.servers.renew(now=True) for _ in range(5)),
    )
    counts = harness.asked()
    assert counts["user"] <= 2
    assert counts["resources"] <= 2
    await account.async_verify()
    await account.servers.renew(now=True)
    assert harness.asked() == {"user": 1, "resources": 1}


async def test_last_known_is_stored_when_it_changed(
    harness: Harness, freezer: FrozenDateTimeFactory, entry: MockConfigEntry
) -> None:
    """What plex.tv says of a server is stored when it really changed, and only then."""
    stored = entry.modified_at
    account = account_coordinator(entry)
    for _ in range(3):
        freezer.tick(60)
        harness.server.presence = not harness.server.presence
        harness.server.connections = list(reversed(harness.server.connections))
        await account.servers.renew(now=True)
        assert entry.modified_at == stored
    harness.server.connections = None
    for change in (
        harness.server.change_port,
        harness.server.renew_certificate,
        harness.server.rotate_access_tokens,
    ):
        freezer.tick(60)
        if (waiting := change()) is not None:
            await waiting
        await account.servers.renew(now=True)
        assert entry.modified_at > stored
        stored = entry.modified_at
        assert subentry_of(entry, harness.server).data[CONF_LAST_KNOWN] == known_server(
            harness.server, harness.anna
        )


# A server that is away


async def test_server_down(
    harness: Harness, freezer: FrozenDateTimeFactory, caplog: pytest.LogCaptureFixture
) -> None:
    """A server that is down touches nothing of the account, and is logged once."""
    entry = await harness.add(harness.anna, harness.server, harness.world.basement)
    before = {
        state.entity_id: state
        for state in harness.hass.states.async_all()
        if "living_room" not in state.entity_id and "verified" not in state.entity_id
    }
    await harness.server.stop()
    for _ in range(7):
        await harness.wait(freezer, POLL)
        assert harness.state("binary_sensor.reachable") == "off"
        assert harness.state("sensor.connection") == STATE_UNAVAILABLE
    assert {
        entity_id: harness.hass.states.get(entity_id) for entity_id in before
    } == before
    assert harness.reauth_flows(entry) == 0
    assert entry.state is ConfigEntryState.LOADED
    await harness.server.start()
    await harness.wait(freezer, POLL)
    assert harness.state("binary_sensor.reachable") == "on"
    failed, recovered = logged(caplog)
    assert failed.startswith("Error fetching Plex server Living Room data: ")
    assert recovered == "Fetching Plex server Living Room data recovered"


async def test_polls_ask_for_addresses_every_15_minutes_at_most(
    harness: Harness, freezer: FrozenDateTimeFactory
) -> None:
    """However many servers are down, polls ask where they are once in 15 minutes.

    What was asked at set-up does not count: a server may move right after it.
    """
    servers = [harness.server, harness.world.basement, harness.world.shared]
    await harness.add(harness.anna, *servers)
    for server in servers:
        await server.stop()
    for _ in range(24):
        await harness.wait(freezer, POLL)
    moments = [request.when for request in harness.simulator.requests_to("resources")]
    at_set_up, by_polls = moments[0], moments[1:]
    assert by_polls[0] - at_set_up <= POLL + timedelta(seconds=1)
    assert len(by_polls) == 8
    assert min(later - earlier for earlier, later in pairwise(by_polls)) >= timedelta(
        minutes=15
    )


@pytest.mark.usefixtures("entry")
async def test_actions_ask_for_addresses_whenever_they_need_to(
    harness: Harness,
) -> None:
    """An action asks where its server is although a poll has just asked."""
    for way in (Way.REMOTE, Way.RELAY):
        await harness.server.close_way(way)
    await harness.server.change_port()
    harness.asked()
    await harness.transient_token()
    assert harness.asked()["resources"] == 1
    await harness.server.change_port()
    await harness.transient_token()
    assert harness.asked()["resources"] == 1
    await harness.settle()  # the poll that notes the new route
    harness.asked()
    await harness.transient_token()
    assert harness.asked() == {"identity": 1, "security_token": 1}


async def test_resources_reject_the_token_of_a_poll(
    harness: Harness, freezer: FrozenDateTimeFactory, entry: MockConfigEntry
) -> None:
    """A poll that learns of the token's end while it looks for a server says so."""
    harness.anna.revoke_tokens()
    await harness.server.stop()
    for _ in range(3):
        await harness.wait(freezer, POLL)
    assert harness.state("binary_sensor.sign_in") == "on"
    assert harness.reauth_flows(entry) == 1


async def test_server_and_plex_tv_away(
    harness: Harness, freezer: FrozenDateTimeFactory, entry: MockConfigEntry
) -> None:
    """A server that is away while plex.tv is, too, is back when it is back."""
    await harness.simulator.stop_plex_tv()
    await harness.server.stop()
    for _ in range(4):
        await harness.wait(freezer, POLL)
    assert harness.state("binary_sensor.reachable") == "off"
    await harness.failure("get_transient_token")
    await harness.server.start()
    await harness.wait(freezer, POLL)
    assert harness.state("binary_sensor.reachable") == "on"
    assert harness.reauth_flows(entry) == 0


async def test_typed_token_accepted_again(harness: Harness) -> None:
    """A typed token that is accepted again is refused no longer."""
    entry = await harness.add(harness.anna, with_typed_token(harness.server))
    coordinator = server_coordinator(entry, harness.server)
    for endpoint in ("security_token", "root"):
        harness.server.faults.set(endpoint, Fault.status(401))
    await harness.failure("get_transient_token")
    assert coordinator.access.token_refused
    harness.server.faults.clear()
    await harness.transient_token()
    assert not coordinator.access.token_refused


# Starting up, maintenance


@pytest.mark.parametrize("boot_state", ["starting", "startingPlugins"])
async def test_starting_up(
    harness: Harness,
    freezer: FrozenDateTimeFactory,
    entry: MockConfigEntry,
    boot_state: str,
) -> None:
    """A server that starts up keeps its connection, and is not searched for."""
    await harness.wait(freezer, timedelta(minutes=20))
    await harness.server.restart(boot_state)
    harness.asked()
    await harness.wait(freezer, POLL)
    assert harness.asked() == {"identity": 1}
    assert failure_of(entry, harness.server) == "starting_up"
    assert harness.state("binary_sensor.reachable") == "off"
    failure = await harness.failure("get_transient_token")
    assert failure.translation_key == "starting_up"
    assert harness.asked() == {"identity": 1, "security_token": 1}
    harness.server.booting = None
    await harness.wait(freezer, POLL)
    assert harness.asked() == {"identity": 1, "user": 1}
    assert harness.state("binary_sensor.reachable") == "on"


async def test_maintenance(
    harness: Harness, freezer: FrozenDateTimeFactory, entry: MockConfigEntry
) -> None:
    """A server in maintenance keeps its connection, and is told apart from starting."""
    await harness.wait(freezer, timedelta(minutes=20))
    harness.server.booting = "maintenance"
    harness.server.faults.set("identity", MAINTENANCE)
    harness.asked()
    await harness.wait(freezer, POLL)
    assert harness.asked() == {"identity": 1}
    assert failure_of(entry, harness.server) == "maintenance"
    failure = await harness.failure("get_transient_token")
    assert failure.translation_key == "maintenance"
    assert harness.asked() == {"identity": 1}
    harness.server.booting = None
    harness.server.faults.clear()
    await harness.wait(freezer, POLL)
    assert harness.state("binary_sensor.reachable") == "on"


# Why a server cannot be reached


async def test_name_not_resolvable(harness: Harness) -> None:
    """A server that wants secure connections is told to have no resolvable name."""
    hugo = harness.world.three_servers
    vault = server_named(harness.simulator, "Vault")
    entry = await harness.add(hugo, vault)
    assert harness.state("binary_sensor.reachable", hugo, vault) == "off"
    assert failure_of(entry, vault) == "dns_error"
    assert not harness.simulator.requests_to("identity")


async def test_certificate_not_valid(harness: Harness, plex_direct: None) -> None:
    """A server with a wrong certificate is told to have one; no token reaches it."""
    hugo = harness.world.three_servers
    vault = server_named(harness.simulator, "Vault")
    vault.set_certificate(Certificate.EXPIRED)
    entry = await harness.add(hugo, vault)
    assert failure_of(entry, vault) == "certificate_error"
    assert not harness.simulator.requests_to("identity")


async def test_secure_connection_required(harness: Harness) -> None:
    """A plain address of a server that wants secure connections is told to be that."""
    hugo = harness.world.three_servers
    vault = server_named(harness.simulator, "Vault")
    entry = await harness.add(hugo, server_data(vault, hugo, url=vault.http_url))
    assert failure_of(entry, vault) == "secure_connection_required"


@pytest.mark.parametrize("status", [200, 404, 502, 503, 504])
async def test_page_of_a_proxy(
    harness: Harness, freezer: FrozenDateTimeFactory, status: int
) -> None:
    """A proxy's page instead of the server's answer is a passing trouble."""
    harness.server.faults.set("*", Fault.html(status))
    entry = await harness.add(harness.anna, harness.server)
    assert entry.state is ConfigEntryState.LOADED
    failure = await harness.failure("get_transient_token")
    assert failure.translation_key == "unavailable"
    assert harness.reauth_flows(entry) == 0
    harness.server.faults.clear()
    await harness.wait(freezer, POLL)
    assert await harness.transient_token()


async def test_unclaimed_server(harness: Harness) -> None:
    """A server that is unclaimed and no longer listed is told as such, not as a token."""
    without_token = known_server(harness.server, harness.anna) | {"token": None}
    harness.server.claimed = False
    harness.simulator.faults.set("resources", Fault.body("[]"))
    entry = await harness.add(
        harness.anna,
        server_data(harness.server, harness.anna, last_known=without_token),
    )
    failure = await harness.failure("get_transient_token")
    assert failure.translation_key == "not_claimed"
    assert harness.reauth_flows(entry) == 0
    assert harness.state("binary_sensor.sign_in") == "off"


# Healing


type _Change = Callable[[MediaServer], Awaitable[None]]


async def _restart(server: MediaServer) -> None:
    """Restart the server."""
    await server.restart()


async def _renew_certificate(server: MediaServer) -> None:
    """Give the server a new certificate and with it new names."""
    server.renew_certificate()


async def _change_port(server: MediaServer) -> None:
    """Move the server; the other ways to it are closed."""
    for way in (Way.REMOTE, Way.RELAY):
        await server.close_way(way)
    await server.change_port()


async def _rotate_access_tokens(server: MediaServer) -> None:
    """Let plex.tv list new access tokens; the server refuses the old ones."""
    server.rotate_access_tokens()


async def _change_port_and_token(server: MediaServer) -> None:
    """Move the server and change its access tokens at the same time."""
    await _change_port(server)
    server.rotate_access_tokens()


CHANGES = [
    _restart,
    _renew_certificate,
    _change_port,
    _rotate_access_tokens,
    _change_port_and_token,
]


async def assert_heals(
    hass: HomeAssistant,
    simulator: PlexSimulator,
    account: Account,
    server: MediaServer,
    change: _Change,
    freezer: FrozenDateTimeFactory,
) -> None:
    """Assert that a server is reached again, and usable, within two polls."""
    entry = await async_add_account(hass, simulator, account, [server])
    assert state_of(hass, "binary_sensor.reachable", account, server) == "on"
    await change(server)
    for _ in range(2):
        await async_pass(hass, freezer, POLL)
    assert state_of(hass, "binary_sensor.reachable", account, server) == "on"
    assert state_of(hass, "sensor.connection", account, server) == "local"
    assert server.accepts_transient_token(
        await async_get_transient_token(hass, entry, server)
    )
    assert reauth_flows(hass, entry) == 0


@pytest.mark.parametrize("change", CHANGES)
async def test_heals(
    harness: Harness, freezer: FrozenDateTimeFactory, change: _Change
) -> None:
    """A change at a server reached over plain http heals by itself."""
    await assert_heals(
        harness.hass, harness.simulator, harness.anna, harness.server, change, freezer
    )


@pytest.mark.parametrize("change", CHANGES)
async def test_heals_over_tls(
    harness: Harness, freezer: FrozenDateTimeFactory, plex_direct: None, change: _Change
) -> None:
    """A change at a server that wants secure connections heals by itself."""
    vault = server_named(harness.simulator, "Vault")
    await assert_heals(
        harness.hass,
        harness.simulator,
        harness.world.three_servers,
        vault,
        change,
        freezer,
    )
    assert all(request.secure for request in harness.simulator.requests_to("identity"))


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.usefixtures("entry")
async def test_action_heals_at_once(harness: Harness, change: _Change) -> None:
    """An action copes with a change of its server although no poll has seen it yet."""
    await change(harness.server)
    assert harness.server.accepts_transient_token(await harness.transient_token())


@pytest.mark.parametrize("dead", list(Way))
async def test_one_address_dead(
    hass: HomeAssistant,
    simulator: PlexSimulator,
    freezer: FrozenDateTimeFactory,
    plex_direct: None,
    dead: Way,
) -> None:
    """A server with one dead address of four is reached by another one."""
    pytest_socket.socket_allow_hosts(["127.0.0.1", "::1"])
    anna = simulator.add_account("anna")
    server = await simulator.add_server("Attic", anna, ipv6=True)
    entry = await async_add_account(hass, simulator, anna, [server])
    await server.close_way(dead)
    for _ in range(2):
        await async_pass(hass, freezer, POLL)
    assert state_of(hass, "binary_sensor.reachable", anna, server) == "on"
    assert server.accepts_transient_token(
        await async_get_transient_token(hass, entry, server)
    )


async def test_relay_is_the_last_way(
    harness: Harness,
    freezer: FrozenDateTimeFactory,
    plex_direct: None,
    entry: MockConfigEntry,
) -> None:
    """Ways that close one after the other leave the relay, and the sensor says so."""
    for way, kind in ((Way.LOCAL, "remote"), (Way.REMOTE, "relay")):
        await harness.server.close_way(way)
        await harness.wait(freezer, POLL)
        assert harness.state("sensor.connection") == kind
    await harness.server.close_way(Way.RELAY)
    await harness.wait(freezer, POLL)
    assert harness.state("binary_sensor.reachable") == "off"


# Another machine at the address


async def _take_over(victim: MediaServer, other: MediaServer) -> None:
    """Stop a server and let another one answer at its local address."""
    port = victim.port
    await victim.stop()
    await other.change_port(port)


async def test_wrong_machine_gets_no_token_from_a_poll(
    harness: Harness, freezer: FrozenDateTimeFactory
) -> None:
    """A poll that finds another machine at the address shows it no token."""
    anna, server, other = harness.anna, harness.server, harness.world.shared
    server.connections = server.listed_connections(https=False, relay=False, ipv6=False)
    entry = await harness.add(anna, server)
    await harness.transient_token(server, anna)
    await _take_over(server, other)
    harness.simulator.requests.clear()
    for _ in range(2):
        await harness.wait(freezer, POLL)
    assert failure_of(entry, server) == "cannot_connect"
    with pytest.raises(HomeAssistantError) as caught:
        await harness.transient_token(server, anna)
    assert caught.value.translation_key == "cannot_connect"
    requests = [
        request
        for request in harness.simulator.requests
        if request.host == other.machine_identifier
    ]
    assert requests
    assert not any("X-Plex-Token" in request.headers for request in requests)


async def test_wrong_machine_gets_no_token_from_an_action(harness: Harness) -> None:
    """An action shows no token to a machine that no poll has seen at the address yet."""
    anna, server, other = harness.anna, harness.server, harness.world.shared
    await harness.add(anna, server)
    await _take_over(server, other)
    with pytest.raises(HomeAssistantError):
        await harness.transient_token(server, anna)
    requests = [
        request
        for request in harness.simulator.requests
        if request.host == other.machine_identifier
    ]
    assert not any("X-Plex-Token" in request.headers for request in requests)


async def test_typed_address_of_another_machine(harness: Harness) -> None:
    """A typed address at which another server answers gets no token."""
    entry = await harness.add(
        harness.anna,
        server_data(harness.server, harness.anna, url=harness.world.basement.http_url),
    )
    assert failure_of(entry, harness.server) == "wrong_server"
    (request,) = harness.simulator.requests_to("identity")
    assert "X-Plex-Token" not in request.headers


# A server that refuses the token


@pytest.mark.parametrize("status", [401, 403])
async def test_refused_token_is_renewed(
    harness: Harness, entry: MockConfigEntry, status: int
) -> None:
    """A refusal leads to plex.tv: first to the account, then to the server's token."""
    harness.server.security_refusal_status = status
    harness.server.rotate_access_tokens()
    harness.simulator.requests.clear()
    await harness.transient_token()
    assert [request.endpoint for request in harness.simulator.requests] == [
        "identity",
        "security_token",
        "user",
        "resources",
        "security_token",
    ]
    assert harness.simulator.requests[-1].headers[
        "X-Plex-Token"
    ] == harness.server.access_token_for(harness.anna)
    assert harness.reauth_flows(entry) == 0


async def test_refused_token_that_stays_the_same(
    harness: Harness, entry: MockConfigEntry
) -> None:
    """A refusal is reported once plex.tv has no other token; the account is fine."""
    harness.server.faults.set("security_token", Fault.status(403))
    harness.simulator.requests.clear()
    failure = await harness.failure("get_transient_token")
    assert failure.translation_key == "not_permitted"
    assert [request.endpoint for request in harness.simulator.requests] == [
        "identity",
        "security_token",
        "user",
        "resources",
        "identity",  # whether the server belongs to nobody
    ]
    assert harness.state("binary_sensor.sign_in") == "off"
    assert harness.reauth_flows(entry) == 0


async def test_refused_by_a_server_that_goes(
    harness: Harness, entry: MockConfigEntry
) -> None:
    """A refusal stays one when nobody can be asked whether the server is claimed."""

    async def refuse_and_go(exchange: Exchange) -> StreamResponse:
        harness.server.faults.set("identity", Fault.reset())
        return await Fault.status(403).play(exchange)

    harness.server.faults.set("security_token", Fault("refuse and go", refuse_and_go))
    failure = await harness.failure("get_transient_token")
    assert failure.translation_key == "not_permitted"
    assert harness.reauth_flows(entry) == 0


@pytest.mark.usefixtures("entry")
async def test_renewed_token_refused_too(harness: Harness) -> None:
    """A server that refuses the renewed token as well is not asked a third time."""
    harness.server.faults.set("security_token", Fault.status(401))
    harness.server.rotate_access_tokens()
    harness.simulator.requests.clear()
    failure = await harness.failure("get_transient_token")
    assert failure.translation_key == "not_permitted"
    assert harness.asked() == {
        "identity": 2,  # once more: whether the server belongs to nobody
        "security_token": 2,
        "user": 1,
        "resources": 1,
    }


async def test_refused_because_the_sign_in_ended(
    harness: Harness, entry: MockConfigEntry
) -> None:
    """A refusal with a sign-in that plex.tv rejects asks for a new sign-in."""
    harness.anna.revoke_tokens()
    harness.server.rotate_access_tokens()
    harness.simulator.requests.clear()
    failure = await harness.failure("get_transient_token")
    assert failure.translation_key == "invalid_token"
    await harness.settle()
    assert harness.asked() == {"identity": 1, "security_token": 1, "user": 1}
    assert harness.state("binary_sensor.sign_in") == "on"
    assert harness.reauth_flows(entry) == 1


async def test_refused_while_plex_tv_is_away(
    harness: Harness, entry: MockConfigEntry
) -> None:
    """A refusal proves nothing while plex.tv cannot be asked about it."""
    harness.server.rotate_access_tokens()
    await harness.simulator.stop_plex_tv()
    await harness.failure("get_transient_token")
    await harness.settle()
    assert harness.state("binary_sensor.sign_in") == STATE_UNAVAILABLE
    assert harness.reauth_flows(entry) == 0


async def test_account_removed_while_its_servers_are_asked_for(
    harness: Harness, entry: MockConfigEntry
) -> None:
    """An answer that comes too late is kept nowhere."""
    coordinator = account_coordinator(entry)
    harness.server.rotate_access_tokens()
    ask = PlexTv.servers

    async def remove_meanwhile(plex: PlexTv, token: str) -> tuple[ListedServer, ...]:
        found = await ask(plex, token)
        harness.hass.async_create_task(
            harness.hass.config_entries.async_remove(entry.entry_id)
        )
        await asyncio.sleep(0.1)
        return found

    with (
        patch.object(PlexTv, "servers", remove_meanwhile),
        pytest.raises(CannotConnectError),
    ):
        await coordinator.servers.renew(now=True)
    await harness.settle()
    assert not harness.hass.config_entries.async_entries(DOMAIN)


async def test_typed_token_refused(harness: Harness) -> None:
    """A refused token that the user typed is nothing to ask plex.tv about."""
    typed: dict[str, Any] = {
        "url": harness.server.http_url,
        "token": "typed by the user",
    }
    await harness.add(harness.anna, server_data(harness.server, harness.anna, **typed))
    harness.asked()
    failure = await harness.failure("get_transient_token")
    assert failure.translation_key == "not_permitted"
    assert not harness.simulator.requests_to("user")
    assert not harness.simulator.requests_to("resources")


async def test_typed_token_that_may_not_do_everything(harness: Harness) -> None:
    """A server that takes a typed token but refuses a request does not refuse the token."""
    entry = await harness.add(harness.anna, with_typed_token(harness.server))
    harness.server.faults.set("security_token", Fault.status(403))
    failure = await harness.failure("get_transient_token")
    assert failure.translation_key == "not_permitted"
    assert not server_coordinator(entry, harness.server).access.token_refused


async def test_no_token_for_a_server(harness: Harness) -> None:
    """A server that the account does not list and that has no token is not asked."""
    attic = server_named(harness.simulator, "Attic")
    await harness.add(
        harness.anna,
        server_data(attic, harness.anna, last_known={}, url=attic.http_url),
    )
    failure = await harness.failure("get_transient_token")
    assert failure.translation_key == "not_permitted"
    assert not harness.simulator.requests_to("security_token")


async def test_check_of_a_transient_token_fails(
    harness: Harness, freezer: FrozenDateTimeFactory, entry: MockConfigEntry
) -> None:
    """A transient token is not given up because the server cannot tell about it."""
    await harness.transient_token()
    before = harness.state("sensor.transient_token_expires")
    harness.server.faults.set("root", Fault.status(500))
    await harness.wait(freezer, POLL)
    assert harness.state("sensor.transient_token_expires") == before
    assert harness.state("binary_sensor.reachable") == "on"


async def test_new_transient_token_while_the_old_one_is_checked(
    harness: Harness, entry: MockConfigEntry
) -> None:
    """The end of a token that a newer one has replaced is not the newer one's."""
    await harness.transient_token()
    await harness.server.restart()
    harness.server.faults.set("root", Fault.delay(0.1), times=1)
    poll = harness.hass.async_create_task(
        server_coordinator(entry, harness.server).async_refresh()
    )
    await async_arrival(harness.simulator, "root")
    await harness.transient_token()
    await poll
    assert harness.state("sensor.transient_token_expires") != STATE_UNKNOWN


async def test_unloaded_while_a_transient_token_is_made(
    harness: Harness, entry: MockConfigEntry
) -> None:
    """An action that ends after its entry was unloaded leaves no timer behind."""
    coordinator = server_coordinator(entry, harness.server)
    harness.server.faults.set("security_token", Fault.delay(0.1))
    action = harness.hass.async_create_task(harness.transient_token())
    await async_arrival(harness.simulator, "security_token")
    await harness.hass.config_entries.async_unload(entry.entry_id)
    await action
    assert coordinator.issued_token._cancel_expiry is None


async def test_account_entities_wait_for_plex_tv_only(
    harness: Harness, freezer: FrozenDateTimeFactory
) -> None:
    """plex.tv that goes away later leaves the servers as they are."""
    entry = make_entry(harness.simulator, harness.anna, [harness.server])
    await async_set_up(harness.hass, entry)
    await harness.simulator.stop_plex_tv()
    await harness.wait(freezer, timedelta(minutes=30))
    assert harness.entity("sensor.servers").state == STATE_UNAVAILABLE
    assert harness.state("binary_sensor.reachable") == "on"
    harness.asked()
    assert not harness.simulator.requests_to("user", PLEX_TV)
    await async_get_transient_token(harness.hass, entry, harness.server)
    assert harness.asked() == {"identity": 1, "security_token": 1}

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
    with_typed_token,
)
from .home import Home
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
from .waiting import until

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
    home: Home, freezer: FrozenDateTimeFactory, entry: MockConfigEntry
) -> None:
    """A server is asked every 5 minutes, the account every 30, the lists hourly.

    A notification socket that is refused is asked for once.
    """
    await until(lambda: home.simulator.requests_to("notifications"))
    assert home.asked() == {
        "user": 1,
        "resources": 1,
        "devices": 1,
        "identity": 1,
        "notifications": 1,
    }
    for _ in range(5):
        await home.wait(freezer, POLL)
    assert home.asked() == {"identity": 5}
    await home.wait(freezer, POLL)
    assert home.asked() == {"identity": 1, "user": 1}
    for _ in range(18):
        await home.wait(freezer, POLL)
    assert home.asked() == {"identity": 18, "user": 3, "resources": 2, "devices": 2}


async def test_resources_are_asked_for_at_every_second_poll(
    home: Home, freezer: FrozenDateTimeFactory
) -> None:
    """Polls of an account that answers sooner than the one before keep the hour."""
    entry = await home.add(home.anna)
    for count in (1, 1, 2, 2, 3):
        assert len(home.simulator.requests_to("resources")) == count
        freezer.tick(timedelta(minutes=29, seconds=59.9))
        await account_coordinator(entry).async_refresh()


async def test_transient_token_is_checked_at_each_poll(
    home: Home, freezer: FrozenDateTimeFactory, entry: MockConfigEntry
) -> None:
    """A poll takes one request, and a second one while a transient token runs."""
    token = await home.transient_token()
    home.asked()
    await home.wait(freezer, POLL)
    (check,) = home.simulator.requests_to("root")
    assert check.headers["X-Plex-Token"] == token
    assert home.asked() == {"identity": 1, "root": 1}
    await home.server.restart()
    await home.wait(freezer, POLL)
    home.asked()
    await home.wait(freezer, POLL)
    assert home.asked() == {"identity": 1}


@pytest.mark.parametrize("as_date", [False, True], ids=["seconds", "date"])
async def test_plex_tv_names_a_time(
    home: Home, freezer: FrozenDateTimeFactory, as_date: bool
) -> None:
    """The time that plex.tv wants to be left alone is kept, whichever way it is told."""
    await home.add(home.anna)
    await home.wait(freezer, timedelta(minutes=25))
    until = dt_util.utcnow() + timedelta(minutes=5, seconds=3000)
    home.simulator.faults.set(
        "user",
        Fault.plex_error(1003, 429, retry_after=until if as_date else 3000),
        times=1,
    )
    await home.wait(freezer, POLL)
    assert home.state("binary_sensor.sign_in") == STATE_UNAVAILABLE
    home.asked()
    await home.wait(freezer, timedelta(seconds=2990))
    assert not home.asked()
    await home.wait(freezer, timedelta(seconds=11))
    assert home.asked()["user"] == 1
    assert home.state("binary_sensor.sign_in") == "off"


@pytest.mark.parametrize("wish", ["0", "1", "299", "Tue, 24 Nov 2020 12:00:00 GMT"])
async def test_nobody_is_asked_sooner(
    home: Home, freezer: FrozenDateTimeFactory, entry: MockConfigEntry, wish: str
) -> None:
    """A time that is over, by a clock that differs, is no wish to be asked at once."""
    later = {"Retry-After": wish}
    home.server.faults.set("identity", Fault.status(503, headers=later))
    home.simulator.faults.set("user", Fault.status(503, headers=later))
    home.asked()
    await home.wait(freezer, timedelta(minutes=30, seconds=1))
    assert home.asked()["user"] == 1
    for _ in range(20):
        await home.wait(freezer, timedelta(seconds=10))
    assert "user" not in home.asked()
    assert "identity" not in home.asked()


async def test_server_names_a_time(
    home: Home, freezer: FrozenDateTimeFactory, entry: MockConfigEntry
) -> None:
    """A server that has enough at all its addresses is left alone."""
    home.server.faults.set(
        "identity", Fault.status(429, headers={"Retry-After": "900"})
    )
    await home.wait(freezer, POLL)
    assert failure_of(entry, home.server) == "rate_limited"
    home.server.faults.clear()
    home.asked()
    await home.wait(freezer, timedelta(seconds=890))
    assert "identity" not in home.asked()
    await home.wait(freezer, timedelta(seconds=11))
    assert home.asked()["identity"] == 1
    assert home.state("binary_sensor.reachable") == "on"


# The account


async def test_kinds_of_failure(home: Home, entry: MockConfigEntry) -> None:
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
        home.simulator.faults.set("user", fault)
        with pytest.raises(PlexError):
            await account.async_verify()
        await home.settle()
        assert home.state("binary_sensor.sign_in") == token
        assert home.state("binary_sensor.plex_pass") == STATE_UNAVAILABLE
        assert home.state("sensor.servers") == STATE_UNAVAILABLE
        assert home.reauth_flows(entry) == flows
    home.simulator.faults.clear()
    await account.async_verify()
    await home.settle()
    assert home.state("binary_sensor.sign_in") == "off"
    assert home.state("binary_sensor.plex_pass") == "on"
    assert home.reauth_flows(entry) == 0


async def test_rejected_in_a_poll(
    home: Home, freezer: FrozenDateTimeFactory, entry: MockConfigEntry
) -> None:
    """A rejected token is tried hourly, with one request to sign in; servers go on."""
    home.anna.revoke_tokens()
    await home.wait(freezer, timedelta(minutes=30))
    assert home.state("binary_sensor.sign_in") == "on"
    assert home.reauth_flows(entry) == 1
    home.asked()
    for _ in range(13):
        await home.wait(freezer, POLL)
    assert home.asked() == {"identity": 13, "user": 1}
    assert home.state("binary_sensor.reachable") == "on"
    assert home.reauth_flows(entry) == 1


async def test_rejection_is_logged_once(
    home: Home,
    freezer: FrozenDateTimeFactory,
    caplog: pytest.LogCaptureFixture,
    entry: MockConfigEntry,
) -> None:
    """A dead token is one line in the log, for as long as it is dead."""
    home.anna.revoke_tokens()
    for _ in range(48):
        await home.wait(freezer, timedelta(minutes=30))
    assert len(logged(caplog)) == 1


async def test_signed_out_everywhere(
    home: Home, freezer: FrozenDateTimeFactory
) -> None:
    """When everything is signed out at once each account is asked for once."""
    accounts = [home.anna, home.ben, home.world.managed]
    entries = [await home.add(account, home.server) for account in accounts]
    for account in accounts:
        account.revoke_tokens()
    said_by_an_old_server = Fault.plex_error(1999, 422, message="Invalid token")
    home.simulator.faults.set("user", said_by_an_old_server, times=1)
    for _ in range(4):
        await home.wait(freezer, timedelta(minutes=31))
    assert [home.reauth_flows(entry) for entry in entries] == [1, 1, 1]
    states = [home.state("binary_sensor.sign_in", account) for account in accounts]
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
async def test_what_is_no_rejection(home: Home, fault: Fault) -> None:
    """Nothing but Plex's own word that the token is dead asks for a new sign-in."""
    entry = await home.add(home.anna)
    home.simulator.faults.set("user", fault)
    with pytest.raises(PlexError) as caught:
        await account_coordinator(entry).async_verify()
    assert not isinstance(caught.value, TokenRejectedError)
    await home.settle()
    assert home.state("binary_sensor.sign_in") == STATE_UNAVAILABLE
    assert home.reauth_flows(entry) == 0


async def test_recovery_after_an_outage(
    home: Home, freezer: FrozenDateTimeFactory, caplog: pytest.LogCaptureFixture
) -> None:
    """An outage of plex.tv is logged once, and so is its end."""
    await home.add(home.anna)
    await home.simulator.stop_plex_tv()
    for _ in range(3):
        await home.wait(freezer, timedelta(minutes=30))
        assert home.state("binary_sensor.sign_in") == STATE_UNAVAILABLE
    await home.simulator.start_plex_tv()
    await home.wait(freezer, timedelta(minutes=30))
    assert home.state("binary_sensor.sign_in") == "off"
    assert logged(caplog) == [
        "Error fetching Plex account Anna data: The connection to Anna failed",
        "Fetching Plex account Anna data recovered",
    ]


async def test_token_replaced_while_plex_tv_is_asked(home: Home) -> None:
    """The end of an old token that has been replaced already is no rejection."""
    entry = await home.add(home.anna)
    home.simulator.requests.clear()
    home.simulator.faults.set("user", Fault.delay(0.1), times=1)
    poll = home.hass.async_create_task(account_coordinator(entry).async_refresh())
    await async_arrival(home.simulator, "user")
    token = home.anna.sign_in_token(entry.data["client_identifier"])
    home.hass.config_entries.async_update_entry(
        entry, data={**entry.data, CONF_TOKEN: token}
    )
    await poll
    await home.settle()
    assert [
        request.headers["X-Plex-Token"] == token
        for request in home.simulator.requests_to("user")
    ] == [False, True]
    assert home.state("binary_sensor.sign_in") == "off"
    assert home.reauth_flows(entry) == 0


async def test_resources_not_known(home: Home) -> None:
    """An account is known although plex.tv does not list its servers for now."""
    home.simulator.faults.set("resources", Fault.html(502))
    entry = await home.add(home.anna, home.server)
    assert home.state("binary_sensor.sign_in") == "off"
    assert home.state("sensor.servers") == STATE_UNKNOWN
    assert home.state("binary_sensor.reachable") == "on"
    assert home.reauth_flows(entry) == 0


async def test_resources_reject_the_token(home: Home) -> None:
    """A token that is rejected when the servers are asked for is rejected."""
    home.simulator.faults.set("resources", REJECTED)
    entry = await home.add(home.anna, home.server)
    assert home.state("binary_sensor.sign_in") == "on"
    assert home.reauth_flows(entry) == 1


async def test_who_asks_at_once_shares_a_request(home: Home) -> None:
    """However many ask plex.tv the same at once, they share what follows the first."""
    entry = await home.add(home.anna)
    account = account_coordinator(entry)
    home.asked()
    await asyncio.gather(
        *(account.async_verify() for _ in range(5)),
        *(account.servers.renew(now=True) for _ in range(5)),
    )
    counts = home.asked()
    assert counts["user"] <= 2
    assert counts["resources"] <= 2
    await account.async_verify()
    await account.servers.renew(now=True)
    assert home.asked() == {"user": 1, "resources": 1}


async def test_last_known_is_stored_when_it_changed(
    home: Home, freezer: FrozenDateTimeFactory, entry: MockConfigEntry
) -> None:
    """What plex.tv says of a server is stored when it really changed, and only then."""
    stored = entry.modified_at
    account = account_coordinator(entry)
    for _ in range(3):
        freezer.tick(60)
        home.server.presence = not home.server.presence
        home.server.connections = list(reversed(home.server.connections))
        await account.servers.renew(now=True)
        assert entry.modified_at == stored
    home.server.connections = None
    for change in (
        home.server.change_port,
        home.server.renew_certificate,
        home.server.rotate_access_tokens,
    ):
        freezer.tick(60)
        if (waiting := change()) is not None:
            await waiting
        await account.servers.renew(now=True)
        assert entry.modified_at > stored
        stored = entry.modified_at
        assert subentry_of(entry, home.server).data[CONF_LAST_KNOWN] == known_server(
            home.server, home.anna
        )


# A server that is away


async def test_server_down(
    home: Home, freezer: FrozenDateTimeFactory, caplog: pytest.LogCaptureFixture
) -> None:
    """A server that is down touches nothing of the account, and is logged once."""
    entry = await home.add(home.anna, home.server, home.world.basement)
    before = {
        state.entity_id: state
        for state in home.hass.states.async_all()
        if "living_room" not in state.entity_id and "verified" not in state.entity_id
    }
    await home.server.stop()
    for _ in range(7):
        await home.wait(freezer, POLL)
        assert home.state("binary_sensor.reachable") == "off"
        assert home.state("sensor.connection") == STATE_UNAVAILABLE
    assert {
        entity_id: home.hass.states.get(entity_id) for entity_id in before
    } == before
    assert home.reauth_flows(entry) == 0
    assert entry.state is ConfigEntryState.LOADED
    await home.server.start()
    await home.wait(freezer, POLL)
    assert home.state("binary_sensor.reachable") == "on"
    failed, recovered = logged(caplog)
    assert failed.startswith("Error fetching Plex server Living Room data: ")
    assert recovered == "Fetching Plex server Living Room data recovered"


async def test_polls_ask_for_addresses_every_15_minutes_at_most(
    home: Home, freezer: FrozenDateTimeFactory
) -> None:
    """However many servers are down, polls ask where they are once in 15 minutes.

    What was asked at set-up does not count: a server may move right after it.
    """
    servers = [home.server, home.world.basement, home.world.shared]
    await home.add(home.anna, *servers)
    for server in servers:
        await server.stop()
    for _ in range(24):
        await home.wait(freezer, POLL)
    moments = [request.when for request in home.simulator.requests_to("resources")]
    at_set_up, by_polls = moments[0], moments[1:]
    assert by_polls[0] - at_set_up <= POLL + timedelta(seconds=1)
    assert len(by_polls) == 8
    assert min(later - earlier for earlier, later in pairwise(by_polls)) >= timedelta(
        minutes=15
    )


@pytest.mark.usefixtures("entry")
async def test_actions_ask_for_addresses_whenever_they_need_to(home: Home) -> None:
    """An action asks where its server is although a poll has just asked."""
    for way in (Way.REMOTE, Way.RELAY):
        await home.server.close_way(way)
    await home.server.change_port()
    home.asked()
    await home.transient_token()
    assert home.asked()["resources"] == 1
    await home.server.change_port()
    await home.transient_token()
    assert home.asked()["resources"] == 1
    await home.settle()  # the poll that notes the new route
    home.asked()
    await home.transient_token()
    assert home.asked() == {"identity": 1, "security_token": 1}


async def test_resources_reject_the_token_of_a_poll(
    home: Home, freezer: FrozenDateTimeFactory, entry: MockConfigEntry
) -> None:
    """A poll that learns of the token's end while it looks for a server says so."""
    home.anna.revoke_tokens()
    await home.server.stop()
    for _ in range(3):
        await home.wait(freezer, POLL)
    assert home.state("binary_sensor.sign_in") == "on"
    assert home.reauth_flows(entry) == 1


async def test_server_and_plex_tv_away(
    home: Home, freezer: FrozenDateTimeFactory, entry: MockConfigEntry
) -> None:
    """A server that is away while plex.tv is, too, is back when it is back."""
    await home.simulator.stop_plex_tv()
    await home.server.stop()
    for _ in range(4):
        await home.wait(freezer, POLL)
    assert home.state("binary_sensor.reachable") == "off"
    await home.failure("get_transient_token")
    await home.server.start()
    await home.wait(freezer, POLL)
    assert home.state("binary_sensor.reachable") == "on"
    assert home.reauth_flows(entry) == 0


async def test_typed_token_accepted_again(home: Home) -> None:
    """A typed token that is accepted again is refused no longer."""
    entry = await home.add(home.anna, with_typed_token(home.server))
    coordinator = server_coordinator(entry, home.server)
    for endpoint in ("security_token", "root"):
        home.server.faults.set(endpoint, Fault.status(401))
    await home.failure("get_transient_token")
    assert coordinator.access.token_refused
    home.server.faults.clear()
    await home.transient_token()
    assert not coordinator.access.token_refused


# Starting up, maintenance


@pytest.mark.parametrize("boot_state", ["starting", "startingPlugins"])
async def test_starting_up(
    home: Home, freezer: FrozenDateTimeFactory, entry: MockConfigEntry, boot_state: str
) -> None:
    """A server that starts up keeps its connection, and is not searched for."""
    await home.wait(freezer, timedelta(minutes=20))
    await home.server.restart(boot_state)
    home.asked()
    await home.wait(freezer, POLL)
    assert home.asked() == {"identity": 1}
    assert failure_of(entry, home.server) == "starting_up"
    assert home.state("binary_sensor.reachable") == "off"
    failure = await home.failure("get_transient_token")
    assert failure.translation_key == "starting_up"
    assert home.asked() == {"identity": 1, "security_token": 1}
    home.server.booting = None
    await home.wait(freezer, POLL)
    assert home.asked() == {"identity": 1, "user": 1}
    assert home.state("binary_sensor.reachable") == "on"


async def test_maintenance(
    home: Home, freezer: FrozenDateTimeFactory, entry: MockConfigEntry
) -> None:
    """A server in maintenance keeps its connection, and is told apart from starting."""
    await home.wait(freezer, timedelta(minutes=20))
    home.server.booting = "maintenance"
    home.server.faults.set("identity", MAINTENANCE)
    home.asked()
    await home.wait(freezer, POLL)
    assert home.asked() == {"identity": 1}
    assert failure_of(entry, home.server) == "maintenance"
    failure = await home.failure("get_transient_token")
    assert failure.translation_key == "maintenance"
    assert home.asked() == {"identity": 1}
    home.server.booting = None
    home.server.faults.clear()
    await home.wait(freezer, POLL)
    assert home.state("binary_sensor.reachable") == "on"


# Why a server cannot be reached


async def test_name_not_resolvable(home: Home) -> None:
    """A server that wants secure connections is told to have no resolvable name."""
    hugo = home.world.three_servers
    vault = server_named(home.simulator, "Vault")
    entry = await home.add(hugo, vault)
    assert home.state("binary_sensor.reachable", hugo, vault) == "off"
    assert failure_of(entry, vault) == "dns_error"
    assert not home.simulator.requests_to("identity")


async def test_certificate_not_valid(home: Home, plex_direct: None) -> None:
    """A server with a wrong certificate is told to have one; no token reaches it."""
    hugo = home.world.three_servers
    vault = server_named(home.simulator, "Vault")
    vault.set_certificate(Certificate.EXPIRED)
    entry = await home.add(hugo, vault)
    assert failure_of(entry, vault) == "certificate_error"
    assert not home.simulator.requests_to("identity")


async def test_secure_connection_required(home: Home) -> None:
    """A plain address of a server that wants secure connections is told to be that."""
    hugo = home.world.three_servers
    vault = server_named(home.simulator, "Vault")
    entry = await home.add(hugo, server_data(vault, hugo, url=vault.http_url))
    assert failure_of(entry, vault) == "secure_connection_required"


@pytest.mark.parametrize("status", [200, 404, 502, 503, 504])
async def test_page_of_a_proxy(
    home: Home, freezer: FrozenDateTimeFactory, status: int
) -> None:
    """A proxy's page instead of the server's answer is a passing trouble."""
    home.server.faults.set("*", Fault.html(status))
    entry = await home.add(home.anna, home.server)
    assert entry.state is ConfigEntryState.LOADED
    failure = await home.failure("get_transient_token")
    assert failure.translation_key == "unavailable"
    assert home.reauth_flows(entry) == 0
    home.server.faults.clear()
    await home.wait(freezer, POLL)
    assert await home.transient_token()


async def test_unclaimed_server(home: Home) -> None:
    """A server that is unclaimed and no longer listed is told as such, not as a token."""
    without_token = known_server(home.server, home.anna) | {"token": None}
    home.server.claimed = False
    home.simulator.faults.set("resources", Fault.body("[]"))
    entry = await home.add(
        home.anna, server_data(home.server, home.anna, last_known=without_token)
    )
    failure = await home.failure("get_transient_token")
    assert failure.translation_key == "not_claimed"
    assert home.reauth_flows(entry) == 0
    assert home.state("binary_sensor.sign_in") == "off"


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
    home: Home, freezer: FrozenDateTimeFactory, change: _Change
) -> None:
    """A change at a server reached over plain http heals by itself."""
    await assert_heals(
        home.hass, home.simulator, home.anna, home.server, change, freezer
    )


@pytest.mark.parametrize("change", CHANGES)
async def test_heals_over_tls(
    home: Home, freezer: FrozenDateTimeFactory, plex_direct: None, change: _Change
) -> None:
    """A change at a server that wants secure connections heals by itself."""
    vault = server_named(home.simulator, "Vault")
    await assert_heals(
        home.hass, home.simulator, home.world.three_servers, vault, change, freezer
    )
    assert all(request.secure for request in home.simulator.requests_to("identity"))


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.usefixtures("entry")
async def test_action_heals_at_once(home: Home, change: _Change) -> None:
    """An action copes with a change of its server although no poll has seen it yet."""
    await change(home.server)
    assert home.server.accepts_transient_token(await home.transient_token())


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
    home: Home,
    freezer: FrozenDateTimeFactory,
    plex_direct: None,
    entry: MockConfigEntry,
) -> None:
    """Ways that close one after the other leave the relay, and the sensor says so."""
    for way, kind in ((Way.LOCAL, "remote"), (Way.REMOTE, "relay")):
        await home.server.close_way(way)
        await home.wait(freezer, POLL)
        assert home.state("sensor.connection") == kind
    await home.server.close_way(Way.RELAY)
    await home.wait(freezer, POLL)
    assert home.state("binary_sensor.reachable") == "off"


# Another machine at the address


async def _take_over(victim: MediaServer, other: MediaServer) -> None:
    """Stop a server and let another one answer at its local address."""
    port = victim.port
    await victim.stop()
    await other.change_port(port)


async def test_wrong_machine_gets_no_token_from_a_poll(
    home: Home, freezer: FrozenDateTimeFactory
) -> None:
    """A poll that finds another machine at the address shows it no token."""
    anna, server, other = home.anna, home.server, home.world.shared
    server.connections = server.listed_connections(https=False, relay=False, ipv6=False)
    entry = await home.add(anna, server)
    await home.transient_token(server, anna)
    await _take_over(server, other)
    home.simulator.requests.clear()
    for _ in range(2):
        await home.wait(freezer, POLL)
    assert failure_of(entry, server) == "cannot_connect"
    with pytest.raises(HomeAssistantError) as caught:
        await home.transient_token(server, anna)
    assert caught.value.translation_key == "cannot_connect"
    requests = [
        request
        for request in home.simulator.requests
        if request.host == other.machine_identifier
    ]
    assert requests
    assert not any("X-Plex-Token" in request.headers for request in requests)


async def test_wrong_machine_gets_no_token_from_an_action(home: Home) -> None:
    """An action shows no token to a machine that no poll has seen at the address yet."""
    anna, server, other = home.anna, home.server, home.world.shared
    await home.add(anna, server)
    await _take_over(server, other)
    with pytest.raises(HomeAssistantError):
        await home.transient_token(server, anna)
    requests = [
        request
        for request in home.simulator.requests
        if request.host == other.machine_identifier
    ]
    assert not any("X-Plex-Token" in request.headers for request in requests)


async def test_typed_address_of_another_machine(home: Home) -> None:
    """A typed address at which another server answers gets no token."""
    entry = await home.add(
        home.anna, server_data(home.server, home.anna, url=home.world.basement.http_url)
    )
    assert failure_of(entry, home.server) == "wrong_server"
    (request,) = home.simulator.requests_to("identity")
    assert "X-Plex-Token" not in request.headers


# A server that refuses the token


@pytest.mark.parametrize("status", [401, 403])
async def test_refused_token_is_renewed(
    home: Home, entry: MockConfigEntry, status: int
) -> None:
    """A refusal leads to plex.tv: first to the account, then to the server's token."""
    home.server.security_refusal_status = status
    home.server.rotate_access_tokens()
    home.simulator.requests.clear()
    await home.transient_token()
    assert [request.endpoint for request in home.simulator.requests] == [
        "identity",
        "security_token",
        "user",
        "resources",
        "security_token",
    ]
    assert home.simulator.requests[-1].headers[
        "X-Plex-Token"
    ] == home.server.access_token_for(home.anna)
    assert home.reauth_flows(entry) == 0


async def test_refused_token_that_stays_the_same(
    home: Home, entry: MockConfigEntry
) -> None:
    """A refusal is reported once plex.tv has no other token; the account is fine."""
    home.server.faults.set("security_token", Fault.status(403))
    home.simulator.requests.clear()
    failure = await home.failure("get_transient_token")
    assert failure.translation_key == "not_permitted"
    assert [request.endpoint for request in home.simulator.requests] == [
        "identity",
        "security_token",
        "user",
        "resources",
        "identity",  # whether the server belongs to nobody
    ]
    assert home.state("binary_sensor.sign_in") == "off"
    assert home.reauth_flows(entry) == 0


async def test_refused_by_a_server_that_goes(
    home: Home, entry: MockConfigEntry
) -> None:
    """A refusal stays one when nobody can be asked whether the server is claimed."""

    async def refuse_and_go(exchange: Exchange) -> StreamResponse:
        home.server.faults.set("identity", Fault.reset())
        return await Fault.status(403).play(exchange)

    home.server.faults.set("security_token", Fault("refuse and go", refuse_and_go))
    failure = await home.failure("get_transient_token")
    assert failure.translation_key == "not_permitted"
    assert home.reauth_flows(entry) == 0


@pytest.mark.usefixtures("entry")
async def test_renewed_token_refused_too(home: Home) -> None:
    """A server that refuses the renewed token as well is not asked a third time."""
    home.server.faults.set("security_token", Fault.status(401))
    home.server.rotate_access_tokens()
    home.simulator.requests.clear()
    failure = await home.failure("get_transient_token")
    assert failure.translation_key == "not_permitted"
    assert home.asked() == {
        "identity": 2,  # once more: whether the server belongs to nobody
        "security_token": 2,
        "user": 1,
        "resources": 1,
    }


async def test_refused_because_the_sign_in_ended(
    home: Home, entry: MockConfigEntry
) -> None:
    """A refusal with a sign-in that plex.tv rejects asks for a new sign-in."""
    home.anna.revoke_tokens()
    home.server.rotate_access_tokens()
    home.simulator.requests.clear()
    failure = await home.failure("get_transient_token")
    assert failure.translation_key == "invalid_token"
    await home.settle()
    assert home.asked() == {"identity": 1, "security_token": 1, "user": 1}
    assert home.state("binary_sensor.sign_in") == "on"
    assert home.reauth_flows(entry) == 1


async def test_refused_while_plex_tv_is_away(
    home: Home, entry: MockConfigEntry
) -> None:
    """A refusal proves nothing while plex.tv cannot be asked about it."""
    home.server.rotate_access_tokens()
    await home.simulator.stop_plex_tv()
    await home.failure("get_transient_token")
    await home.settle()
    assert home.state("binary_sensor.sign_in") == STATE_UNAVAILABLE
    assert home.reauth_flows(entry) == 0


async def test_account_removed_while_its_servers_are_asked_for(
    home: Home, entry: MockConfigEntry
) -> None:
    """An answer that comes too late is kept nowhere."""
    coordinator = account_coordinator(entry)
    home.server.rotate_access_tokens()
    ask = PlexTv.servers

    async def remove_meanwhile(plex: PlexTv, token: str) -> tuple[ListedServer, ...]:
        found = await ask(plex, token)
        home.hass.async_create_task(
            home.hass.config_entries.async_remove(entry.entry_id)
        )
        await asyncio.sleep(0.1)
        return found

    with (
        patch.object(PlexTv, "servers", remove_meanwhile),
        pytest.raises(CannotConnectError),
    ):
        await coordinator.servers.renew(now=True)
    await home.settle()
    assert not home.hass.config_entries.async_entries(DOMAIN)


async def test_typed_token_refused(home: Home) -> None:
    """A refused token that the user typed is nothing to ask plex.tv about."""
    typed: dict[str, Any] = {"url": home.server.http_url, "token": "typed by the user"}
    await home.add(home.anna, server_data(home.server, home.anna, **typed))
    home.asked()
    failure = await home.failure("get_transient_token")
    assert failure.translation_key == "not_permitted"
    assert not home.simulator.requests_to("user")
    assert not home.simulator.requests_to("resources")


async def test_typed_token_that_may_not_do_everything(home: Home) -> None:
    """A server that takes a typed token but refuses a request does not refuse the token."""
    entry = await home.add(home.anna, with_typed_token(home.server))
    home.server.faults.set("security_token", Fault.status(403))
    failure = await home.failure("get_transient_token")
    assert failure.translation_key == "not_permitted"
    assert not server_coordinator(entry, home.server).access.token_refused


async def test_no_token_for_a_server(home: Home) -> None:
    """A server that the account does not list and that has no token is not asked."""
    attic = server_named(home.simulator, "Attic")
    await home.add(
        home.anna, server_data(attic, home.anna, last_known={}, url=attic.http_url)
    )
    failure = await home.failure("get_transient_token")
    assert failure.translation_key == "not_permitted"
    assert not home.simulator.requests_to("security_token")


async def test_check_of_a_transient_token_fails(
    home: Home, freezer: FrozenDateTimeFactory, entry: MockConfigEntry
) -> None:
    """A transient token is not given up because the server cannot tell about it."""
    await home.transient_token()
    before = home.state("sensor.transient_token_expires")
    home.server.faults.set("root", Fault.status(500))
    await home.wait(freezer, POLL)
    assert home.state("sensor.transient_token_expires") == before
    assert home.state("binary_sensor.reachable") == "on"


async def test_new_transient_token_while_the_old_one_is_checked(
    home: Home, entry: MockConfigEntry
) -> None:
    """The end of a token that a newer one has replaced is not the newer one's."""
    await home.transient_token()
    await home.server.restart()
    home.server.faults.set("root", Fault.delay(0.1), times=1)
    poll = home.hass.async_create_task(
        server_coordinator(entry, home.server).async_refresh()
    )
    await async_arrival(home.simulator, "root")
    await home.transient_token()
    await poll
    assert home.state("sensor.transient_token_expires") != STATE_UNKNOWN


async def test_unloaded_while_a_transient_token_is_made(
    home: Home, entry: MockConfigEntry
) -> None:
    """An action that ends after its entry was unloaded leaves no timer behind."""
    coordinator = server_coordinator(entry, home.server)
    home.server.faults.set("security_token", Fault.delay(0.1))
    action = home.hass.async_create_task(home.transient_token())
    await async_arrival(home.simulator, "security_token")
    await home.hass.config_entries.async_unload(entry.entry_id)
    await action
    assert coordinator.issued_token._cancel_expiry is None


@pytest.mark.usefixtures("entry")
async def test_method_that_a_server_knows_is_kept(home: Home) -> None:
    """An older server is asked with POST once, and with GET from then on."""
    home.server.faults.set("security_token", Fault.status(405), times=1)
    for _ in range(2):
        await home.transient_token()
    assert [
        request.method for request in home.simulator.requests_to("security_token")
    ] == [
        "POST",
        "GET",
        "GET",
    ]


async def test_account_entities_wait_for_plex_tv_only(
    home: Home, freezer: FrozenDateTimeFactory
) -> None:
    """plex.tv that goes away later leaves the servers as they are."""
    entry = make_entry(home.simulator, home.anna, [home.server])
    await async_set_up(home.hass, entry)
    await home.simulator.stop_plex_tv()
    await home.wait(freezer, timedelta(minutes=30))
    assert home.entity("sensor.servers").state == STATE_UNAVAILABLE
    assert home.state("binary_sensor.reachable") == "on"
    home.asked()
    assert not home.simulator.requests_to("user", PLEX_TV)
    await async_get_transient_token(home.hass, entry, home.server)
    assert home.asked() == {"identity": 1, "security_token": 1}

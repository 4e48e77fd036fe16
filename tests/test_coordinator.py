"""Polling, failures, and how accounts and servers recover by themselves."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import timedelta
from itertools import pairwise
import logging
from typing import Any
from unittest.mock import patch

from freezegun.api import FrozenDateTimeFactory
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry
import pytest_socket

from custom_components.plex_auth.api.errors import PlexError, TokenRejectedError
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
    async_settle,
    entity_of,
    known_server,
    make_entry,
    reauth_flows,
    server_coordinator,
    server_data,
    state_of,
    subentry_of,
)
from .plex_simulator import (
    PLEX_TV,
    Account,
    Certificate,
    Connection,
    Fault,
    MediaServer,
    PlexSimulator,
    Way,
)
from .plex_simulator.worlds import DemoWorld

POLL = timedelta(minutes=5)
REJECTED = Fault.plex_error(1001, 401)

MAINTENANCE = Fault.status(
    503,
    '<html><body><Response code="503" title="Maintenance"/></body></html>',
)


def asked(simulator: PlexSimulator) -> Counter[str]:
    """Return how often each endpoint was asked, and forget it."""
    counts = Counter(request.endpoint for request in simulator.requests)
    simulator.requests.clear()
    return counts


def server_named(simulator: PlexSimulator, name: str) -> MediaServer:
    """Return the server with a name."""
    return next(server for server in simulator.servers.values() if server.name == name)


def failure_of(entry: MockConfigEntry, server: MediaServer) -> str | None:
    """Return the key of the message of a server's last failed poll."""
    failure = server_coordinator(entry, server).last_exception
    assert isinstance(failure, HomeAssistantError)
    return failure.translation_key


# Intervals


async def test_intervals(
    hass: HomeAssistant,
    simulator: PlexSimulator,
    world: DemoWorld,
    freezer: FrozenDateTimeFactory,
) -> None:
    """A server is asked every 5 minutes, the account every 30, the servers hourly."""
    await async_add_account(hass, simulator, world.two_factor, [world.living_room])
    assert asked(simulator) == {"user": 1, "resources": 1, "identity": 1}
    for _ in range(5):
        await async_pass(hass, freezer, POLL)
    assert asked(simulator) == {"identity": 5}
    await async_pass(hass, freezer, POLL)
    assert asked(simulator) == {"identity": 1, "user": 1}
    for _ in range(18):
        await async_pass(hass, freezer, POLL)
    assert asked(simulator) == {"identity": 18, "user": 3, "resources": 2}


async def test_resources_are_asked_for_at_every_second_poll(
    hass: HomeAssistant,
    simulator: PlexSimulator,
    world: DemoWorld,
    freezer: FrozenDateTimeFactory,
) -> None:
    """Polls of an account that answers sooner than the one before keep the hour."""
    entry = await async_add_account(hass, simulator, world.two_factor)
    for count in (1, 1, 2, 2, 3):
        assert len(simulator.requests_to("resources")) == count
        freezer.tick(timedelta(minutes=29, seconds=59.9))
        await account_coordinator(entry).async_refresh()


async def test_resources_are_asked_for_with_all_addresses(
    hass: HomeAssistant, simulator: PlexSimulator, world: DemoWorld
) -> None:
    """plex.tv is asked for secure, relayed and IPv6 addresses as well."""
    await async_add_account(hass, simulator, world.two_factor)
    (request,) = simulator.requests_to("resources")
    assert request.query == {
        "includeHttps": "1",
        "includeRelay": "1",
        "includeIPv6": "1",
    }


async def test_transient_token_is_checked_at_each_poll(
    hass: HomeAssistant,
    simulator: PlexSimulator,
    world: DemoWorld,
    freezer: FrozenDateTimeFactory,
) -> None:
    """A poll takes one request, and a second one while a transient token runs."""
    server = world.living_room
    entry = await async_add_account(hass, simulator, world.two_factor, [server])
    token = await async_get_transient_token(hass, entry, server)
    asked(simulator)
    await async_pass(hass, freezer, POLL)
    (check,) = simulator.requests_to("root")
    assert check.headers["X-Plex-Token"] == token
    assert asked(simulator) == {"identity": 1, "root": 1}
    await server.restart()
    await async_pass(hass, freezer, POLL)
    asked(simulator)
    await async_pass(hass, freezer, POLL)
    assert asked(simulator) == {"identity": 1}


@pytest.mark.parametrize("as_date", [False, True], ids=["seconds", "date"])
async def test_plex_tv_names_a_time(
    hass: HomeAssistant,
    simulator: PlexSimulator,
    world: DemoWorld,
    freezer: FrozenDateTimeFactory,
    as_date: bool,
) -> None:
    """The time that plex.tv wants to be left alone is kept, whichever way it is told."""
    await async_add_account(hass, simulator, world.two_factor)
    await async_pass(hass, freezer, timedelta(minutes=25))
    until = dt_util.utcnow() + timedelta(minutes=5, seconds=7200)
    simulator.faults.set(
        "user",
        Fault.plex_error(1003, 429, retry_after=until if as_date else 7200),
        times=1,
    )
    await async_pass(hass, freezer, POLL)
    assert state_of(hass, "binary_sensor.token", world.two_factor) == STATE_UNAVAILABLE
    asked(simulator)
    await async_pass(hass, freezer, timedelta(seconds=7190))
    assert not asked(simulator)
    await async_pass(hass, freezer, timedelta(seconds=11))
    assert asked(simulator)["user"] == 1
    assert state_of(hass, "binary_sensor.token", world.two_factor) == "off"


@pytest.mark.parametrize("wish", ["0", "1", "299", "Tue, 24 Nov 2020 12:00:00 GMT"])
async def test_nobody_is_asked_sooner(
    hass: HomeAssistant,
    simulator: PlexSimulator,
    world: DemoWorld,
    freezer: FrozenDateTimeFactory,
    wish: str,
) -> None:
    """A time that is over, by a clock that differs, is no wish to be asked at once."""
    server = world.living_room
    await async_add_account(hass, simulator, world.two_factor, [server])
    later = {"Retry-After": wish}
    server.faults.set("identity", Fault.status(503, headers=later))
    simulator.faults.set("user", Fault.status(503, headers=later))
    asked(simulator)
    await async_pass(hass, freezer, timedelta(minutes=30, seconds=1))
    assert asked(simulator)["user"] == 1
    for _ in range(20):
        await async_pass(hass, freezer, timedelta(seconds=10))
    assert "user" not in asked(simulator)
    assert "identity" not in asked(simulator)


async def test_server_names_a_time(
    hass: HomeAssistant,
    simulator: PlexSimulator,
    world: DemoWorld,
    freezer: FrozenDateTimeFactory,
) -> None:
    """A server that has enough is left alone at all its addresses."""
    server = world.living_room
    entry = await async_add_account(hass, simulator, world.two_factor, [server])
    server.faults.set(
        "identity", Fault.status(429, headers={"Retry-After": "900"}), times=1
    )
    asked(simulator)
    await async_pass(hass, freezer, POLL)
    assert asked(simulator) == {"identity": 1}
    assert failure_of(entry, server) == "rate_limited"
    await async_pass(hass, freezer, timedelta(seconds=890))
    assert "identity" not in asked(simulator)
    await async_pass(hass, freezer, timedelta(seconds=11))
    assert asked(simulator)["identity"] == 1
    assert state_of(hass, "binary_sensor.reachable", world.two_factor, server) == "on"


# The account


async def test_kinds_of_failure(
    hass: HomeAssistant, simulator: PlexSimulator, world: DemoWorld
) -> None:
    """The Token entity is true at each moment, also when a failure follows a failure."""
    anna = world.two_factor
    entry = await async_add_account(hass, simulator, anna, [world.living_room])
    account = account_coordinator(entry)
    outage = Fault.html(502)
    for fault, token, flows in (
        (outage, STATE_UNAVAILABLE, 0),
        (REJECTED, "on", 1),
        (outage, STATE_UNAVAILABLE, 1),
        (REJECTED, "on", 1),
        (REJECTED, "on", 1),
    ):
        simulator.faults.set("user", fault)
        with pytest.raises(PlexError):
            await account.async_verify()
        await async_settle(hass)
        assert state_of(hass, "binary_sensor.token", anna) == token
        assert state_of(hass, "binary_sensor.plex_pass", anna) == STATE_UNAVAILABLE
        assert state_of(hass, "sensor.token_last_verified", anna) == STATE_UNAVAILABLE
        assert reauth_flows(hass, entry) == flows
    simulator.faults.clear()
    await account.async_verify()
    await async_settle(hass)
    assert state_of(hass, "binary_sensor.token", anna) == "off"
    assert state_of(hass, "binary_sensor.plex_pass", anna) == "on"
    assert reauth_flows(hass, entry) == 0


async def test_rejected_in_a_poll(
    hass: HomeAssistant,
    simulator: PlexSimulator,
    world: DemoWorld,
    freezer: FrozenDateTimeFactory,
) -> None:
    """A token that plex.tv rejects is asked for once; the servers go on."""
    anna, server = world.two_factor, world.living_room
    entry = await async_add_account(hass, simulator, anna, [server])
    anna.revoke_tokens()
    await async_pass(hass, freezer, timedelta(minutes=30))
    assert state_of(hass, "binary_sensor.token", anna) == "on"
    assert reauth_flows(hass, entry) == 1
    asked(simulator)
    for _ in range(13):
        await async_pass(hass, freezer, POLL)
    assert asked(simulator) == {"identity": 13}
    assert state_of(hass, "binary_sensor.reachable", anna, server) == "on"
    assert reauth_flows(hass, entry) == 1


@pytest.mark.parametrize(
    "fault",
    [
        Fault.status(403),
        Fault.plex_error(1009, 403),
        Fault.status(401),
        Fault.html(401),
        Fault.html(200),
        Fault.status(404),
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
        "500",
        "redirect",
        "cut",
        "half",
        "huge",
        "empty",
    ],
)
async def test_what_is_no_rejection(
    hass: HomeAssistant, simulator: PlexSimulator, world: DemoWorld, fault: Fault
) -> None:
    """Nothing but Plex's own word that the token is dead asks for a new sign-in."""
    anna = world.two_factor
    entry = await async_add_account(hass, simulator, anna)
    simulator.faults.set("user", fault)
    with pytest.raises(PlexError) as caught:
        await account_coordinator(entry).async_verify()
    assert not isinstance(caught.value, TokenRejectedError)
    await async_settle(hass)
    assert state_of(hass, "binary_sensor.token", anna) == STATE_UNAVAILABLE
    assert reauth_flows(hass, entry) == 0


async def test_recovery_after_an_outage(
    hass: HomeAssistant,
    simulator: PlexSimulator,
    world: DemoWorld,
    freezer: FrozenDateTimeFactory,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """An outage of plex.tv is logged once, and so is its end."""
    anna = world.two_factor
    await async_add_account(hass, simulator, anna)
    await simulator.stop_plex_tv()
    for _ in range(3):
        await async_pass(hass, freezer, timedelta(minutes=30))
        assert state_of(hass, "binary_sensor.token", anna) == STATE_UNAVAILABLE
    await simulator.start_plex_tv()
    await async_pass(hass, freezer, timedelta(minutes=30))
    assert state_of(hass, "binary_sensor.token", anna) == "off"
    messages = [
        record.message
        for record in caplog.records
        if record.name.startswith("custom_components.plex_auth")
        and record.levelno > logging.DEBUG
    ]
    assert messages == [
        "Error fetching Plex account Anna data: The connection to Anna failed",
        "Fetching Plex account Anna data recovered",
    ]


async def test_token_replaced_while_plex_tv_is_asked(
    hass: HomeAssistant, simulator: PlexSimulator, world: DemoWorld
) -> None:
    """The end of an old token that has been replaced already is no rejection."""
    anna = world.two_factor
    entry = await async_add_account(hass, simulator, anna)
    simulator.requests.clear()
    simulator.faults.set("user", Fault.delay(0.1), times=1)
    poll = hass.async_create_task(account_coordinator(entry).async_refresh())
    await async_arrival(simulator, "user")
    token = anna.sign_in_token(entry.data["client_identifier"])
    hass.config_entries.async_update_entry(
        entry, data={**entry.data, CONF_TOKEN: token}
    )
    await poll
    await async_settle(hass)
    assert [
        request.headers["X-Plex-Token"] == token
        for request in simulator.requests_to("user")
    ] == [False, True]
    assert state_of(hass, "binary_sensor.token", anna) == "off"
    assert reauth_flows(hass, entry) == 0


async def test_resources_not_known(
    hass: HomeAssistant, simulator: PlexSimulator, world: DemoWorld
) -> None:
    """An account is known although plex.tv does not list its servers for now."""
    anna = world.two_factor
    simulator.faults.set("resources", Fault.html(502))
    entry = await async_add_account(hass, simulator, anna, [world.living_room])
    assert state_of(hass, "binary_sensor.token", anna) == "off"
    assert state_of(hass, "sensor.servers", anna) == STATE_UNKNOWN
    assert state_of(hass, "binary_sensor.reachable", anna, world.living_room) == "on"
    assert reauth_flows(hass, entry) == 0


async def test_resources_reject_the_token(
    hass: HomeAssistant, simulator: PlexSimulator, world: DemoWorld
) -> None:
    """A token that is rejected when the servers are asked for is rejected."""
    anna = world.two_factor
    simulator.faults.set("resources", REJECTED)
    entry = await async_add_account(hass, simulator, anna, [world.living_room])
    assert state_of(hass, "binary_sensor.token", anna) == "on"
    assert reauth_flows(hass, entry) == 1


async def test_who_asks_at_once_shares_a_request(
    hass: HomeAssistant, simulator: PlexSimulator, world: DemoWorld
) -> None:
    """However many ask plex.tv the same at once, they share what follows the first."""
    entry = await async_add_account(hass, simulator, world.two_factor)
    account = account_coordinator(entry)
    asked(simulator)
    await asyncio.gather(
        *(account.async_verify() for _ in range(5)),
        *(account.servers.renew(now=True) for _ in range(5)),
    )
    counts = asked(simulator)
    assert counts["user"] <= 2
    assert counts["resources"] <= 2
    await account.async_verify()
    await account.servers.renew(now=True)
    assert asked(simulator) == {"user": 1, "resources": 1}


async def test_last_known_is_stored_when_it_changed(
    hass: HomeAssistant,
    simulator: PlexSimulator,
    world: DemoWorld,
    freezer: FrozenDateTimeFactory,
) -> None:
    """What plex.tv says of a server is stored when it really changed, and only then."""
    anna, server = world.two_factor, world.living_room
    entry = await async_add_account(hass, simulator, anna, [server])
    stored = entry.modified_at
    account = account_coordinator(entry)
    for _ in range(3):
        freezer.tick(60)
        server.presence = not server.presence
        server.connections = list(reversed(server.connections))
        await account.servers.renew(now=True)
        assert entry.modified_at == stored
    server.connections = None
    for change in (
        server.change_port,
        server.renew_certificate,
        server.rotate_access_tokens,
    ):
        freezer.tick(60)
        if (waiting := change()) is not None:
            await waiting
        await account.servers.renew(now=True)
        assert entry.modified_at > stored
        stored = entry.modified_at
        assert subentry_of(entry, server).data[CONF_LAST_KNOWN] == known_server(
            server, anna
        )


# A server that is away


async def test_server_down(
    hass: HomeAssistant,
    simulator: PlexSimulator,
    world: DemoWorld,
    freezer: FrozenDateTimeFactory,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A server that is down touches nothing of the account, and is logged once."""
    anna, server = world.two_factor, world.living_room
    entry = await async_add_account(hass, simulator, anna, [server, world.basement])
    before = {
        state.entity_id: state
        for state in hass.states.async_all()
        if "living_room" not in state.entity_id
    }
    await server.stop()
    for _ in range(5):
        await async_pass(hass, freezer, POLL)
        assert state_of(hass, "binary_sensor.reachable", anna, server) == "off"
        assert state_of(hass, "sensor.connection", anna, server) == STATE_UNAVAILABLE
    assert {entity_id: hass.states.get(entity_id) for entity_id in before} == before
    assert reauth_flows(hass, entry) == 0
    assert entry.state is ConfigEntryState.LOADED
    await server.start()
    await async_pass(hass, freezer, POLL)
    assert state_of(hass, "binary_sensor.reachable", anna, server) == "on"
    messages = [
        record.message
        for record in caplog.records
        if record.name.startswith("custom_components.plex_auth")
        and record.levelno > logging.DEBUG
    ]
    assert len(messages) == 2
    assert messages[0].startswith("Error fetching Plex server Living Room data: ")
    assert messages[1] == "Fetching Plex server Living Room data recovered"


async def test_polls_ask_for_addresses_every_15_minutes_at_most(
    hass: HomeAssistant,
    simulator: PlexSimulator,
    world: DemoWorld,
    freezer: FrozenDateTimeFactory,
) -> None:
    """However many servers are down, polls ask where they are once in 15 minutes.

    What was asked at set-up does not count: a server may move right after it.
    """
    anna = world.two_factor
    servers = [world.living_room, world.basement, world.shared]
    await async_add_account(hass, simulator, anna, servers)
    for server in servers:
        await server.stop()
    for _ in range(24):
        await async_pass(hass, freezer, POLL)
    moments = [request.when for request in simulator.requests_to("resources")]
    at_set_up, by_polls = moments[0], moments[1:]
    assert by_polls[0] - at_set_up <= POLL + timedelta(seconds=1)
    assert len(by_polls) == 8
    assert min(later - earlier for earlier, later in pairwise(by_polls)) >= timedelta(
        minutes=15
    )


async def test_actions_ask_for_addresses_whenever_they_need_to(
    hass: HomeAssistant, simulator: PlexSimulator, world: DemoWorld
) -> None:
    """An action asks where its server is although a poll has just asked."""
    server = world.living_room
    entry = await async_add_account(hass, simulator, world.two_factor, [server])
    for way in (Way.REMOTE, Way.RELAY):
        await server.close_way(way)
    await server.change_port()
    asked(simulator)
    await async_get_transient_token(hass, entry, server)
    assert asked(simulator)["resources"] == 1
    await server.change_port()
    await async_get_transient_token(hass, entry, server)
    assert asked(simulator)["resources"] == 1
    await async_get_transient_token(hass, entry, server)
    assert asked(simulator) == {"identity": 1, "security_token": 1}


async def test_resources_reject_the_token_of_a_poll(
    hass: HomeAssistant,
    simulator: PlexSimulator,
    world: DemoWorld,
    freezer: FrozenDateTimeFactory,
) -> None:
    """A poll that learns of the token's end while it looks for a server says so."""
    anna, server = world.two_factor, world.living_room
    entry = await async_add_account(hass, simulator, anna, [server])
    anna.revoke_tokens()
    await server.stop()
    for _ in range(3):
        await async_pass(hass, freezer, POLL)
    assert state_of(hass, "binary_sensor.token", anna) == "on"
    assert reauth_flows(hass, entry) == 1


async def test_server_and_plex_tv_away(
    hass: HomeAssistant,
    simulator: PlexSimulator,
    world: DemoWorld,
    freezer: FrozenDateTimeFactory,
) -> None:
    """A server that is away while plex.tv is, too, is back when it is back."""
    anna, server = world.two_factor, world.living_room
    entry = await async_add_account(hass, simulator, anna, [server])
    await simulator.stop_plex_tv()
    await server.stop()
    for _ in range(4):
        await async_pass(hass, freezer, POLL)
    assert state_of(hass, "binary_sensor.reachable", anna, server) == "off"
    with pytest.raises(HomeAssistantError):
        await async_get_transient_token(hass, entry, server)
    await server.start()
    await async_pass(hass, freezer, POLL)
    assert state_of(hass, "binary_sensor.reachable", anna, server) == "on"
    assert reauth_flows(hass, entry) == 0


async def test_typed_token_accepted_again(
    hass: HomeAssistant, simulator: PlexSimulator, world: DemoWorld
) -> None:
    """A typed token that is accepted again is refused no longer."""
    anna, server = world.two_factor, world.living_room
    typed: dict[str, Any] = {
        "url": server.http_url,
        "token": server.access_token_for(anna),
    }
    entry = await async_add_account(
        hass, simulator, anna, [server_data(server, anna, **typed)]
    )
    coordinator = server_coordinator(entry, server)
    for endpoint in ("security_token", "root"):
        server.faults.set(endpoint, Fault.status(401))
    with pytest.raises(HomeAssistantError):
        await async_get_transient_token(hass, entry, server)
    assert coordinator.access.token_refused
    server.faults.clear()
    await async_get_transient_token(hass, entry, server)
    assert not coordinator.access.token_refused


# Starting up, maintenance


@pytest.mark.parametrize("boot_state", ["starting", "startingPlugins"])
async def test_starting_up(
    hass: HomeAssistant,
    simulator: PlexSimulator,
    world: DemoWorld,
    freezer: FrozenDateTimeFactory,
    boot_state: str,
) -> None:
    """A server that starts up keeps its connection, and is not searched for."""
    anna, server = world.two_factor, world.living_room
    entry = await async_add_account(hass, simulator, anna, [server])
    await async_pass(hass, freezer, timedelta(minutes=20))
    await server.restart(boot_state)
    asked(simulator)
    await async_pass(hass, freezer, POLL)
    assert asked(simulator) == {"identity": 1}
    assert failure_of(entry, server) == "starting_up"
    assert state_of(hass, "binary_sensor.reachable", anna, server) == "off"
    with pytest.raises(HomeAssistantError) as caught:
        await async_get_transient_token(hass, entry, server)
    assert caught.value.translation_key == "starting_up"
    assert asked(simulator) == {"identity": 1, "security_token": 1}
    server.booting = None
    await async_pass(hass, freezer, POLL)
    assert asked(simulator) == {"identity": 1, "user": 1}
    assert state_of(hass, "binary_sensor.reachable", anna, server) == "on"


async def test_maintenance(
    hass: HomeAssistant,
    simulator: PlexSimulator,
    world: DemoWorld,
    freezer: FrozenDateTimeFactory,
) -> None:
    """A server in maintenance keeps its connection, and is told apart from starting."""
    anna, server = world.two_factor, world.living_room
    entry = await async_add_account(hass, simulator, anna, [server])
    await async_pass(hass, freezer, timedelta(minutes=20))
    server.booting = "maintenance"
    server.faults.set("identity", MAINTENANCE)
    asked(simulator)
    await async_pass(hass, freezer, POLL)
    assert asked(simulator) == {"identity": 1}
    assert failure_of(entry, server) == "maintenance"
    with pytest.raises(HomeAssistantError) as caught:
        await async_get_transient_token(hass, entry, server)
    assert caught.value.translation_key == "maintenance"
    assert asked(simulator) == {"identity": 1}
    server.booting = None
    server.faults.clear()
    await async_pass(hass, freezer, POLL)
    assert state_of(hass, "binary_sensor.reachable", anna, server) == "on"


# Why a server cannot be reached


async def test_name_not_resolvable(
    hass: HomeAssistant, simulator: PlexSimulator, world: DemoWorld
) -> None:
    """A server that wants secure connections is told to have no resolvable name."""
    hugo = world.three_servers
    vault = server_named(simulator, "Vault")
    entry = await async_add_account(hass, simulator, hugo, [vault])
    assert state_of(hass, "binary_sensor.reachable", hugo, vault) == "off"
    assert failure_of(entry, vault) == "dns_error"
    assert not simulator.requests_to("identity")


async def test_certificate_not_valid(
    hass: HomeAssistant, simulator: PlexSimulator, world: DemoWorld, plex_direct: None
) -> None:
    """A server with a wrong certificate is told to have one; no token reaches it."""
    hugo = world.three_servers
    vault = server_named(simulator, "Vault")
    vault.set_certificate(Certificate.EXPIRED)
    entry = await async_add_account(hass, simulator, hugo, [vault])
    assert failure_of(entry, vault) == "certificate_error"
    assert not simulator.requests_to("identity")


async def test_secure_connection_required(
    hass: HomeAssistant, simulator: PlexSimulator, world: DemoWorld
) -> None:
    """A plain address of a server that wants secure connections is told to be that."""
    hugo = world.three_servers
    vault = server_named(simulator, "Vault")
    entry = await async_add_account(
        hass, simulator, hugo, [server_data(vault, hugo, url=vault.http_url)]
    )
    assert failure_of(entry, vault) == "secure_connection_required"


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
    hass: HomeAssistant,
    simulator: PlexSimulator,
    world: DemoWorld,
    freezer: FrozenDateTimeFactory,
    change: _Change,
) -> None:
    """A change at a server reached over plain http heals by itself."""
    await assert_heals(
        hass, simulator, world.two_factor, world.living_room, change, freezer
    )


@pytest.mark.parametrize("change", CHANGES)
async def test_heals_over_tls(
    hass: HomeAssistant,
    simulator: PlexSimulator,
    world: DemoWorld,
    freezer: FrozenDateTimeFactory,
    plex_direct: None,
    change: _Change,
) -> None:
    """A change at a server that wants secure connections heals by itself."""
    vault = server_named(simulator, "Vault")
    await assert_heals(hass, simulator, world.three_servers, vault, change, freezer)
    assert all(request.secure for request in simulator.requests_to("identity"))


@pytest.mark.parametrize("change", CHANGES)
async def test_action_heals_at_once(
    hass: HomeAssistant, simulator: PlexSimulator, world: DemoWorld, change: _Change
) -> None:
    """An action copes with a change of its server although no poll has seen it yet."""
    server = world.living_room
    entry = await async_add_account(hass, simulator, world.two_factor, [server])
    await change(server)
    assert server.accepts_transient_token(
        await async_get_transient_token(hass, entry, server)
    )


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
    hass: HomeAssistant,
    simulator: PlexSimulator,
    world: DemoWorld,
    freezer: FrozenDateTimeFactory,
    plex_direct: None,
) -> None:
    """Ways that close one after the other leave the relay, and the sensor says so."""
    anna, server = world.two_factor, world.living_room
    await async_add_account(hass, simulator, anna, [server])
    for way, kind in ((Way.LOCAL, "remote"), (Way.REMOTE, "relay")):
        await server.close_way(way)
        await async_pass(hass, freezer, POLL)
        assert state_of(hass, "sensor.connection", anna, server) == kind
    await server.close_way(Way.RELAY)
    await async_pass(hass, freezer, POLL)
    assert state_of(hass, "binary_sensor.reachable", anna, server) == "off"


# Another machine at the address


async def _take_over(victim: MediaServer, other: MediaServer) -> None:
    """Stop a server and let another one answer at its local address."""
    port = victim.port
    await victim.stop()
    await other.change_port(port)


async def test_wrong_machine_gets_no_token_from_a_poll(
    hass: HomeAssistant,
    simulator: PlexSimulator,
    world: DemoWorld,
    freezer: FrozenDateTimeFactory,
) -> None:
    """A poll that finds another machine at the address shows it no token."""
    anna, server, other = world.two_factor, world.living_room, world.shared
    server.connections = [
        Connection(
            protocol="http",
            address="127.0.0.1",
            port=server.port,
            uri=server.http_url,
            local=True,
        )
    ]
    entry = await async_add_account(hass, simulator, anna, [server])
    await async_get_transient_token(hass, entry, server)
    await _take_over(server, other)
    simulator.requests.clear()
    for _ in range(2):
        await async_pass(hass, freezer, POLL)
    assert failure_of(entry, server) == "wrong_server"
    with pytest.raises(HomeAssistantError) as caught:
        await async_get_transient_token(hass, entry, server)
    assert caught.value.translation_key == "wrong_server"
    requests = [
        request
        for request in simulator.requests
        if request.host == other.machine_identifier
    ]
    assert requests
    assert not any("X-Plex-Token" in request.headers for request in requests)


async def test_wrong_machine_gets_no_token_from_an_action(
    hass: HomeAssistant, simulator: PlexSimulator, world: DemoWorld
) -> None:
    """An action shows no token to a machine that no poll has seen at the address yet."""
    anna, server, other = world.two_factor, world.living_room, world.shared
    entry = await async_add_account(hass, simulator, anna, [server])
    await _take_over(server, other)
    with pytest.raises(HomeAssistantError):
        await async_get_transient_token(hass, entry, server)
    requests = [
        request
        for request in simulator.requests
        if request.host == other.machine_identifier
    ]
    assert not any("X-Plex-Token" in request.headers for request in requests)


async def test_typed_address_of_another_machine(
    hass: HomeAssistant, simulator: PlexSimulator, world: DemoWorld
) -> None:
    """A typed address at which another server answers gets no token."""
    anna, server = world.two_factor, world.living_room
    entry = await async_add_account(
        hass,
        simulator,
        anna,
        [server_data(server, anna, url=world.basement.http_url)],
    )
    assert failure_of(entry, server) == "wrong_server"
    (request,) = simulator.requests_to("identity")
    assert "X-Plex-Token" not in request.headers


# A server that refuses the token


@pytest.mark.parametrize("status", [401, 403])
async def test_refused_token_is_renewed(
    hass: HomeAssistant, simulator: PlexSimulator, world: DemoWorld, status: int
) -> None:
    """A refusal leads to plex.tv: first to the account, then to the server's token."""
    anna, server = world.two_factor, world.living_room
    entry = await async_add_account(hass, simulator, anna, [server])
    server.security_refusal_status = status
    server.rotate_access_tokens()
    simulator.requests.clear()
    await async_get_transient_token(hass, entry, server)
    assert [request.endpoint for request in simulator.requests] == [
        "identity",
        "security_token",
        "user",
        "resources",
        "security_token",
    ]
    assert simulator.requests[-1].headers["X-Plex-Token"] == server.access_token_for(
        anna
    )
    assert reauth_flows(hass, entry) == 0


async def test_refused_token_that_stays_the_same(
    hass: HomeAssistant, simulator: PlexSimulator, world: DemoWorld
) -> None:
    """A refusal is reported once plex.tv has no other token; the account is fine."""
    anna, server = world.two_factor, world.living_room
    entry = await async_add_account(hass, simulator, anna, [server])
    server.faults.set("security_token", Fault.status(403))
    simulator.requests.clear()
    with pytest.raises(HomeAssistantError) as caught:
        await async_get_transient_token(hass, entry, server)
    assert caught.value.translation_key == "not_permitted"
    assert [request.endpoint for request in simulator.requests] == [
        "identity",
        "security_token",
        "user",
        "resources",
        "identity",  # whether the server belongs to nobody
    ]
    assert state_of(hass, "binary_sensor.token", anna) == "off"
    assert reauth_flows(hass, entry) == 0


async def test_renewed_token_refused_too(
    hass: HomeAssistant, simulator: PlexSimulator, world: DemoWorld
) -> None:
    """A server that refuses the renewed token as well is not asked a third time."""
    server = world.living_room
    entry = await async_add_account(hass, simulator, world.two_factor, [server])
    server.faults.set("security_token", Fault.status(401))
    server.rotate_access_tokens()
    simulator.requests.clear()
    with pytest.raises(HomeAssistantError) as caught:
        await async_get_transient_token(hass, entry, server)
    assert caught.value.translation_key == "not_permitted"
    assert asked(simulator) == {
        "identity": 2,  # once more: whether the server belongs to nobody
        "security_token": 2,
        "user": 1,
        "resources": 1,
    }


async def test_refused_because_the_sign_in_ended(
    hass: HomeAssistant, simulator: PlexSimulator, world: DemoWorld
) -> None:
    """A refusal with a sign-in that plex.tv rejects asks for a new sign-in."""
    anna, server = world.two_factor, world.living_room
    entry = await async_add_account(hass, simulator, anna, [server])
    anna.revoke_tokens()
    server.rotate_access_tokens()
    simulator.requests.clear()
    with pytest.raises(HomeAssistantError) as caught:
        await async_get_transient_token(hass, entry, server)
    assert caught.value.translation_key == "invalid_token"
    await async_settle(hass)
    assert asked(simulator) == {"identity": 1, "security_token": 1, "user": 1}
    assert state_of(hass, "binary_sensor.token", anna) == "on"
    assert reauth_flows(hass, entry) == 1


async def test_refused_while_plex_tv_is_away(
    hass: HomeAssistant, simulator: PlexSimulator, world: DemoWorld
) -> None:
    """A refusal proves nothing while plex.tv cannot be asked about it."""
    anna, server = world.two_factor, world.living_room
    entry = await async_add_account(hass, simulator, anna, [server])
    server.rotate_access_tokens()
    await simulator.stop_plex_tv()
    with pytest.raises(HomeAssistantError):
        await async_get_transient_token(hass, entry, server)
    await async_settle(hass)
    assert state_of(hass, "binary_sensor.token", anna) == STATE_UNAVAILABLE
    assert reauth_flows(hass, entry) == 0


async def test_account_removed_while_its_servers_are_asked_for(
    hass: HomeAssistant, simulator: PlexSimulator, world: DemoWorld
) -> None:
    """An answer that comes too late is kept nowhere."""
    entry = await async_add_account(
        hass, simulator, world.two_factor, [world.living_room]
    )
    coordinator = account_coordinator(entry)
    world.living_room.rotate_access_tokens()
    ask = PlexTv.servers

    async def remove_meanwhile(plex: PlexTv, token: str) -> tuple[ListedServer, ...]:
        found = await ask(plex, token)
        await hass.config_entries.async_remove(entry.entry_id)
        return found

    with patch.object(PlexTv, "servers", remove_meanwhile):
        await coordinator.servers.renew(now=True)
    assert not hass.config_entries.async_entries(DOMAIN)


async def test_typed_token_refused(
    hass: HomeAssistant, simulator: PlexSimulator, world: DemoWorld
) -> None:
    """A refused token that the user typed is nothing to ask plex.tv about."""
    anna, server = world.two_factor, world.living_room
    typed: dict[str, Any] = {"url": server.http_url, "token": "typed by the user"}
    entry = await async_add_account(
        hass, simulator, anna, [server_data(server, anna, **typed)]
    )
    asked(simulator)
    with pytest.raises(HomeAssistantError) as caught:
        await async_get_transient_token(hass, entry, server)
    assert caught.value.translation_key == "not_permitted"
    assert not simulator.requests_to("user")
    assert not simulator.requests_to("resources")


async def test_typed_token_that_may_not_do_everything(
    hass: HomeAssistant, simulator: PlexSimulator, world: DemoWorld
) -> None:
    """A server that takes a typed token but refuses a request does not refuse the token."""
    anna, server = world.two_factor, world.living_room
    typed: dict[str, Any] = {
        "url": server.http_url,
        "token": server.access_token_for(anna),
    }
    entry = await async_add_account(
        hass, simulator, anna, [server_data(server, anna, **typed)]
    )
    server.faults.set("security_token", Fault.status(403))
    with pytest.raises(HomeAssistantError) as caught:
        await async_get_transient_token(hass, entry, server)
    assert caught.value.translation_key == "not_permitted"
    assert not server_coordinator(entry, server).access.token_refused


async def test_no_token_for_a_server(
    hass: HomeAssistant, simulator: PlexSimulator, world: DemoWorld
) -> None:
    """A server that the account does not list and that has no token is not asked."""
    anna = world.two_factor
    attic = server_named(simulator, "Attic")
    entry = await async_add_account(
        hass,
        simulator,
        anna,
        [server_data(attic, anna, last_known={}, url=attic.http_url)],
    )
    with pytest.raises(HomeAssistantError) as caught:
        await async_get_transient_token(hass, entry, attic)
    assert caught.value.translation_key == "not_permitted"
    assert not simulator.requests_to("security_token")


async def test_check_of_a_transient_token_fails(
    hass: HomeAssistant,
    simulator: PlexSimulator,
    world: DemoWorld,
    freezer: FrozenDateTimeFactory,
) -> None:
    """A transient token is not given up because the server cannot tell about it."""
    anna, server = world.two_factor, world.living_room
    entry = await async_add_account(hass, simulator, anna, [server])
    await async_get_transient_token(hass, entry, server)
    before = state_of(hass, "sensor.transient_token_expires", anna, server)
    server.faults.set("root", Fault.status(500))
    await async_pass(hass, freezer, POLL)
    assert state_of(hass, "sensor.transient_token_expires", anna, server) == before
    assert state_of(hass, "binary_sensor.reachable", anna, server) == "on"


async def test_new_transient_token_while_the_old_one_is_checked(
    hass: HomeAssistant, simulator: PlexSimulator, world: DemoWorld
) -> None:
    """The end of a token that a newer one has replaced is not the newer one's."""
    anna, server = world.two_factor, world.living_room
    entry = await async_add_account(hass, simulator, anna, [server])
    await async_get_transient_token(hass, entry, server)
    await server.restart()
    server.faults.set("root", Fault.delay(0.1), times=1)
    poll = hass.async_create_task(server_coordinator(entry, server).async_refresh())
    await async_arrival(simulator, "root")
    await async_get_transient_token(hass, entry, server)
    await poll
    assert (
        state_of(hass, "sensor.transient_token_expires", anna, server) != STATE_UNKNOWN
    )


async def test_unloaded_while_a_transient_token_is_made(
    hass: HomeAssistant, simulator: PlexSimulator, world: DemoWorld
) -> None:
    """An action that ends after its entry was unloaded leaves no timer behind."""
    server = world.living_room
    entry = await async_add_account(hass, simulator, world.two_factor, [server])
    coordinator = server_coordinator(entry, server)
    server.faults.set("security_token", Fault.delay(0.1))
    action = hass.async_create_task(async_get_transient_token(hass, entry, server))
    await async_arrival(simulator, "security_token")
    await hass.config_entries.async_unload(entry.entry_id)
    await action
    assert coordinator.issued_token._cancel_expiry is None


async def test_method_that_a_server_knows_is_kept(
    hass: HomeAssistant, simulator: PlexSimulator, world: DemoWorld
) -> None:
    """An older server is asked with POST once, and with GET from then on."""
    server = world.living_room
    entry = await async_add_account(hass, simulator, world.two_factor, [server])
    server.faults.set("security_token", Fault.status(405), times=1)
    for _ in range(2):
        await async_get_transient_token(hass, entry, server)
    assert [request.method for request in simulator.requests_to("security_token")] == [
        "POST",
        "GET",
        "GET",
    ]


async def test_account_entities_wait_for_plex_tv_only(
    hass: HomeAssistant,
    simulator: PlexSimulator,
    world: DemoWorld,
    freezer: FrozenDateTimeFactory,
) -> None:
    """plex.tv that goes away later leaves the servers as they are."""
    anna, server = world.two_factor, world.living_room
    entry = make_entry(simulator, anna, [server])
    await async_set_up(hass, entry)
    await simulator.stop_plex_tv()
    await async_pass(hass, freezer, timedelta(minutes=30))
    assert entity_of(hass, "sensor.servers", anna).state == STATE_UNAVAILABLE
    assert state_of(hass, "binary_sensor.reachable", anna, server) == "on"
    asked(simulator)
    assert not simulator.requests_to("user", PLEX_TV)
    await async_get_transient_token(hass, entry, server)
    assert asked(simulator) == {"identity": 1, "security_token": 1}

"""Polling, failures, and how accounts and servers recover by themselves."""

import asyncio
from datetime import timedelta
import logging
from unittest.mock import patch

from freezegun.api import FrozenDateTimeFactory
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.plex_auth.api.errors import CannotConnectError, PlexError
from custom_components.plex_auth.api.models import ListedServer
from custom_components.plex_auth.api.plex_tv import PlexTv
from custom_components.plex_auth.const import CONF_LAST_KNOWN, DOMAIN
from homeassistant.config_entries import ConfigEntryState
from homeassistant.const import CONF_TOKEN, STATE_UNAVAILABLE, STATE_UNKNOWN

from .harness import Harness
from .helpers import (
    account_coordinator,
    async_arrival,
    known_server,
    server_coordinator,
    subentry_of,
    until,
)
from .plex_simulator import Fault, MediaServer, PlexSimulator, Way

POLL = timedelta(minutes=5)
REJECTED = Fault.plex_error(1001, 401)


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


async def test_plex_tv_names_a_time(
    harness: Harness, freezer: FrozenDateTimeFactory
) -> None:
    """The time that plex.tv wants to be left alone is kept."""
    await harness.add(harness.anna)
    await harness.wait(freezer, timedelta(minutes=25))
    harness.simulator.faults.set(
        "user", Fault.plex_error(1003, 429, retry_after=3000), times=1
    )
    await harness.wait(freezer, POLL)
    assert harness.state("binary_sensor.sign_in") == STATE_UNAVAILABLE
    harness.asked()
    await harness.wait(freezer, timedelta(seconds=2990))
    assert not harness.asked()
    await harness.wait(freezer, timedelta(seconds=11))
    assert harness.asked()["user"] == 1
    assert harness.state("binary_sensor.sign_in") == "off"


async def test_nobody_is_asked_sooner(
    harness: Harness, freezer: FrozenDateTimeFactory, entry: MockConfigEntry
) -> None:
    """A time that is over sooner than the next poll is no wish to be asked by then."""
    later = {"Retry-After": "299"}
    harness.server.faults.set("identity", Fault.status(503, headers=later))
    harness.simulator.faults.set("user", Fault.status(503, headers=later))
    harness.asked()
    await harness.wait(freezer, timedelta(minutes=30, seconds=1))
    assert harness.asked()["user"] == 1
    await harness.wait(freezer, timedelta(seconds=299))
    assert "user" not in harness.asked()


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
    harness: Harness,
    freezer: FrozenDateTimeFactory,
    caplog: pytest.LogCaptureFixture,
    entry: MockConfigEntry,
) -> None:
    """A rejected token is tried hourly, with one request to sign in and one line.

    Servers go on.
    """
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
    for _ in range(5):
        await harness.wait(freezer, timedelta(hours=1))
    assert len(logged(caplog)) == 1


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
        "Error fetching Plex account Anna data: The connection to plex.tv failed",
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


# Healing


async def test_heals(
    harness: Harness, freezer: FrozenDateTimeFactory, plex_direct: None
) -> None:
    """A server that has moved, with new names and tokens, heals within two polls."""
    hugo, vault = harness.world.three_servers, server_named(harness.simulator, "Vault")
    entry = await harness.add(hugo, vault)
    for way in (Way.REMOTE, Way.RELAY):
        await vault.close_way(way)
    await vault.change_port()
    vault.renew_certificate()
    vault.rotate_access_tokens()
    for _ in range(2):
        await harness.wait(freezer, POLL)
    assert harness.state("binary_sensor.reachable", hugo, vault) == "on"
    assert harness.state("sensor.connection", hugo, vault) == "local"
    assert vault.accepts_transient_token(await harness.transient_token(vault, hugo))
    assert harness.reauth_flows(entry) == 0
    assert all(request.secure for request in harness.simulator.requests_to("identity"))


# A server that refuses the token


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

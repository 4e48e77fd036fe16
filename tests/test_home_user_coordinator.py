"""The poll of a Home user: what is asked, stored, and told."""

from datetime import timedelta
import json
import logging

from freezegun.api import FrozenDateTimeFactory
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.plex_auth.api.errors import TokenRejectedError, UnavailableError
from custom_components.plex_auth.const import CONF_SERVER_TOKENS
from homeassistant.const import CONF_TOKEN
from homeassistant.setup import async_setup_component

from .harness import Harness
from .helpers import (
    account_coordinator,
    async_arrival,
    home_user_coordinator,
    home_user_data,
    subentry_of,
)
from .plex_simulator import PLEX_TV, Account, Fault
from .plex_simulator.recording import RecordedRequest
from .plex_simulator.worlds import HomeWorld

HOUR = timedelta(hours=1, seconds=1)
ACCOUNT_POLL = timedelta(minutes=30, seconds=1)
TOLD = "plex.tv rejects the sign-in of Plex Home user Lina"


@pytest.fixture
def home(harness: Harness) -> HomeWorld:
    """Return Anna's Plex Home."""
    return harness.world.home


@pytest.fixture
async def child(harness: Harness, entry: MockConfigEntry, home: HomeWorld) -> Account:
    """Return a Home user who is added to Anna's entry."""
    await harness.add_home_user(entry, home.child)
    harness.simulator.requests.clear()
    return home.child


def polls(harness: Harness, user: Account) -> list[RecordedRequest]:
    """Return the requests to plex.tv with a token of a user, valid or not."""
    return [
        request
        for request in harness.simulator.requests
        if request.host == PLEX_TV
        and request.headers.get("X-Plex-Token") in user.secrets()
    ]


def stored(entry: MockConfigEntry, user: Account) -> dict[str, str]:
    """Return the tokens for servers that are stored of a user."""
    tokens: dict[str, str] = subentry_of(entry, user).data[CONF_SERVER_TOKENS]
    return tokens


async def test_polled_each_hour(
    harness: Harness,
    freezer: FrozenDateTimeFactory,
    entry: MockConfigEntry,
    home: HomeWorld,
) -> None:
    """An idle day has 24 requests for a user at most, and no further switch."""
    token = await harness.add_home_user(entry, home.child)
    harness.simulator.requests.clear()
    for _ in range(24 * 60):
        await harness.wait(freezer, timedelta(minutes=1))
    asked = polls(harness, home.child)
    assert 22 <= len(asked) <= 24
    assert {request.endpoint for request in asked} == {"resources"}
    assert {request.headers["X-Plex-Token"] for request in asked} == {token}
    assert not harness.simulator.requests_to("home_switch")
    assert not harness.simulator.requests_to("home_users")


async def test_rotated_token_is_stored(
    harness: Harness,
    freezer: FrozenDateTimeFactory,
    entry: MockConfigEntry,
    child: Account,
) -> None:
    """The tokens for servers are those that plex.tv listed last."""
    before = stored(entry, child)
    harness.server.rotate_access_tokens()
    await harness.wait(freezer, HOUR)
    machine_identifier = harness.server.machine_identifier
    assert stored(entry, child) == {
        machine_identifier: harness.server.access_token_for(child)
    }
    assert stored(entry, child) != before


async def test_servers_come_and_go(
    harness: Harness,
    freezer: FrozenDateTimeFactory,
    entry: MockConfigEntry,
    child: Account,
) -> None:
    """Only the servers that the user may see now are known."""
    basement = harness.world.basement
    basement.shared_with.append(child)
    await harness.wait(freezer, HOUR)
    assert harness.state("sensor.servers", child) == "2"
    assert basement.machine_identifier in stored(entry, child)
    basement.shared_with.remove(child)
    harness.server.shared_with.remove(child)
    await harness.wait(freezer, HOUR)
    assert harness.state("sensor.servers", child) == "0"
    assert stored(entry, child) == {}


async def test_row_without_a_token(
    harness: Harness,
    freezer: FrozenDateTimeFactory,
    entry: MockConfigEntry,
    child: Account,
) -> None:
    """A row that lacks its token keeps the stored one."""
    before = stored(entry, child)
    row = {
        "name": harness.server.name,
        "clientIdentifier": harness.server.machine_identifier,
        "provides": "server",
        "owned": False,
        "accessToken": None,
        "connections": [],
    }
    harness.simulator.faults.set(
        "resources",
        Fault.status(200, f"[{json.dumps(row)}]", content_type="application/json"),
    )
    await harness.wait(freezer, HOUR)
    assert stored(entry, child) == before
    assert harness.state("sensor.servers", child) == "1"


async def test_rejection_is_the_users_own(
    harness: Harness,
    freezer: FrozenDateTimeFactory,
    entry: MockConfigEntry,
    child: Account,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Only the sign-in of that user is a problem, which is logged once."""
    child.revoke_tokens()
    for _ in range(3):
        await harness.wait(freezer, HOUR)
    assert harness.state("binary_sensor.sign_in", child) == "on"
    assert harness.state("sensor.servers", child) == "unavailable"
    assert harness.state("binary_sensor.sign_in") == "off"
    assert harness.reauth_flows(entry) == 0
    assert caplog.text.count(TOLD) == 1
    assert isinstance(home_user_coordinator(entry, child).failure, TokenRejectedError)
    assert len(stored(entry, child)) == 1


@pytest.mark.parametrize(
    "fault",
    [Fault.status(500), Fault.html(503), Fault.plex_error(1003), Fault.reset()],
    ids=["500", "503", "429", "reset"],
)
async def test_outage_is_no_rejection(
    harness: Harness,
    freezer: FrozenDateTimeFactory,
    entry: MockConfigEntry,
    child: Account,
    fault: Fault,
) -> None:
    """While plex.tv cannot say, nothing is known; what is stored stays."""
    before = stored(entry, child)
    harness.simulator.faults.set("*", fault)
    await harness.wait(freezer, HOUR)
    assert harness.state("binary_sensor.sign_in", child) == "unavailable"
    assert harness.state("sensor.servers", child) == "unavailable"
    assert stored(entry, child) == before
    harness.simulator.faults.clear()
    harness.simulator.requests.clear()
    await account_coordinator(entry).async_poll()
    await harness.settle()
    assert harness.state("binary_sensor.sign_in", child) == "off"
    assert harness.state("sensor.servers", child) == "1"
    assert len(polls(harness, child)) == 1


async def test_pause_that_plex_tv_wants(
    harness: Harness,
    freezer: FrozenDateTimeFactory,
    entry: MockConfigEntry,
    child: Account,
) -> None:
    """The poll of the account does not start one of the user within the pause."""
    limited = Fault.plex_error(1003, retry_after=3000)
    harness.simulator.faults.set("resources", limited, times=1)
    await home_user_coordinator(entry, child).async_poll()
    assert len(polls(harness, child)) == 1
    await harness.wait(freezer, ACCOUNT_POLL)
    assert harness.simulator.requests_to("user")
    assert len(polls(harness, child)) == 1
    await harness.wait(freezer, HOUR)
    assert harness.state("binary_sensor.sign_in", child) == "off"


async def test_pause_of_the_account(
    harness: Harness,
    freezer: FrozenDateTimeFactory,
    entry: MockConfigEntry,
    child: Account,
) -> None:
    """A poll that is due within a pause of the account waits for its end."""
    limited = Fault.plex_error(1003, retry_after=3500)
    harness.simulator.faults.set("user", limited, times=1)
    await harness.wait(freezer, ACCOUNT_POLL)
    assert account_coordinator(entry).is_paused
    harness.simulator.requests.clear()
    await harness.wait(freezer, ACCOUNT_POLL)
    assert not polls(harness, child)
    assert harness.state("binary_sensor.sign_in", child) == "unavailable"
    await account_coordinator(entry).async_poll()
    assert not polls(harness, child)
    await harness.wait(freezer, timedelta(minutes=29))
    assert len(polls(harness, child)) == 1
    assert harness.state("binary_sensor.sign_in", child) == "off"
    await harness.wait(freezer, ACCOUNT_POLL)
    assert len(polls(harness, child)) == 1


async def test_new_token_during_a_poll(
    harness: Harness,
    entry: MockConfigEntry,
    child: Account,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The rejection of a token that was replaced meanwhile says nothing."""
    child.revoke_tokens()
    harness.simulator.faults.set("resources", Fault.delay(0.2), times=1)
    home_user_coordinator(entry, child).async_poll_now()
    await async_arrival(harness.simulator, "resources")
    new = child.sign_in_token("another client")
    subentry = subentry_of(entry, child)
    harness.hass.config_entries.async_update_subentry(
        entry, subentry, data={**subentry.data, CONF_TOKEN: new}
    )
    await harness.settle()
    assert harness.state("binary_sensor.sign_in", child) == "off"
    assert subentry.data[CONF_TOKEN] == new
    assert TOLD not in caplog.text


async def test_removed_during_a_poll(
    harness: Harness,
    entry: MockConfigEntry,
    child: Account,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The answer about a user who is removed changes nothing."""
    harness.simulator.faults.set("resources", Fault.delay(0.2), times=1)
    home_user_coordinator(entry, child).async_poll_now()
    await async_arrival(harness.simulator, "resources")
    await harness.remove(entry, child)
    assert len(entry.subentries) == 1
    assert not entry.runtime_data.home_users
    assert not [one for one in caplog.records if one.levelno >= logging.ERROR]


async def test_update_entity(
    harness: Harness, entry: MockConfigEntry, child: Account
) -> None:
    """Home Assistant's own action polls the user, but not within a pause."""
    assert await async_setup_component(harness.hass, "homeassistant", {})
    target = {"entity_id": harness.entity_id("sensor.servers", child)}
    limited = Fault.plex_error(1003, retry_after=3000)
    for fault, count in ((None, 1), (limited, 2), (None, 2)):
        if fault is not None:
            harness.simulator.faults.set("resources", fault, times=1)
            await home_user_coordinator(entry, child).async_poll()
        else:
            await harness.hass.services.async_call(
                "homeassistant", "update_entity", target, blocking=True
            )
            await harness.settle()
        assert len(polls(harness, child)) == count


async def test_check_now(
    harness: Harness, entry: MockConfigEntry, child: Account
) -> None:
    """The button asks for the user too."""
    await harness.hass.services.async_call(
        "button",
        "press",
        {"entity_id": harness.entity_id("button.check_now")},
        blocking=True,
    )
    await harness.settle()
    assert len(polls(harness, child)) == 1


async def test_kinds_of_failure(
    harness: Harness, freezer: FrozenDateTimeFactory, home: HomeWorld
) -> None:
    """The last failure counts, also of a user who was known before the start."""
    data = home_user_data(home.child, harness.server)
    entry = await harness.add(harness.anna, harness.server, data)
    home.child.revoke_tokens()
    await harness.wait(freezer, HOUR)
    failure = home_user_coordinator(entry, home.child).failure
    assert isinstance(failure, TokenRejectedError)
    harness.simulator.faults.set("resources", Fault.status(500))
    await harness.wait(freezer, HOUR)
    failure = home_user_coordinator(entry, home.child).failure
    assert isinstance(failure, UnavailableError)

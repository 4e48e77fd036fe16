"""What a Home user's token does, and what is seen and sent, whatever plex.tv may do.

Nobody knows how plex.tv answers each of these (plex-api.md §22): all are tried.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
import json
import re
from typing import Any

from freezegun.api import FrozenDateTimeFactory
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.plex_auth.const import DOMAIN, SUBENTRY_TYPE_HOME_USER
from homeassistant.config_entries import SOURCE_RECONFIGURE, SOURCE_USER
from homeassistant.const import CONF_TOKEN, STATE_UNAVAILABLE
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.exceptions import ServiceValidationError
from homeassistant.helpers import issue_registry as ir
from tests.harness import Harness
from tests.helpers import (
    async_arrival,
    device_of,
    home_user_coordinator,
    home_user_data,
    subentry_of,
)
from tests.plex_simulator import PLEX_TV, Account, Fault, MediaServer, PlexSimulator
from tests.plex_simulator.worlds import CHILD_PIN, HomeWorld
from tests.walks.dialog import Dialog, home_user_dialog

HOUR = timedelta(hours=1, seconds=1)
WRONG_PIN = "1470"
ADMIN_PIN = "4812"

type Prepare = Callable[[PlexSimulator], None]


@pytest.fixture
def home(harness: Harness) -> HomeWorld:
    """Return Anna's Plex Home."""
    return harness.world.home


# What a person sees who adds a user, and what is sent


@dataclass(frozen=True, kw_only=True)
class Case:
    """A user, who adds the user, and whether that takes a PIN."""

    user: str
    by: str = "admin"
    pin: str | None = None

    @property
    def name(self) -> str:
        """Return what the case is called."""
        return f"{self.user} by {self.by}"


CASES = (
    Case(user="managed"),
    Case(user="child", pin=CHILD_PIN),
    Case(user="adult"),
    Case(user="adult", by="child", pin=None),
    Case(user="admin", by="adult", pin=ADMIN_PIN),
    Case(user="child", by="adult", pin=CHILD_PIN),
)


def _by_number(simulator: PlexSimulator) -> None:
    """Let the second API know numeric IDs alone."""
    simulator.homes.knows_uuids = False


def _first_api(simulator: PlexSimulator) -> None:
    """Let only the first API, which speaks XML, know the call."""
    simulator.homes.has_second_api = False


def _pins_not_enforced(simulator: PlexSimulator) -> None:
    """Let plex.tv check only a PIN that is sent."""
    simulator.homes.enforces_pins = False


def _same_token(simulator: PlexSimulator) -> None:
    """Let a switch give the token that the client has, with another status."""
    simulator.homes.rotates_tokens = False
    simulator.homes.switch_status = 200


VARIANTS = (
    lambda _: None,
    _by_number,
    _first_api,
    _pins_not_enforced,
    _same_token,
)
VARIANT_NAMES = ["uuid", "number", "first API", "PINs not enforced", "same token"]


async def open_dialog(
    harness: Harness, entry: MockConfigEntry, user: Account | None = None
) -> Dialog:
    """Open the dialog that adds a user, or that switches to a user again."""
    dialog = home_user_dialog(harness.hass, harness.simulator)
    context: dict[str, Any] = {"source": SOURCE_USER}
    if user is not None:
        context = {
            "source": SOURCE_RECONFIGURE,
            "subentry_id": subentry_of(entry, user).subentry_id,
        }
    await dialog.start((entry.entry_id, SUBENTRY_TYPE_HOME_USER), **context)
    return dialog


def statuses(harness: Harness) -> list[int | None]:
    """Return how the switches ended since the last time, and forget them."""
    found = [
        request.status
        for request in harness.simulator.requests
        if request.endpoint in {"home_switch", "home_switch_v1"}
    ]
    harness.simulator.requests.clear()
    return found


def sent_to(harness: Harness, server: MediaServer) -> list[str | None]:
    """Return the tokens that a server got, None for a request without one."""
    return [
        request.headers.get("X-Plex-Token")
        for request in harness.simulator.requests
        if request.host == server.machine_identifier
    ]


def tokens_sent(harness: Harness, server: MediaServer) -> set[str]:
    """Return the tokens that a server got."""
    return {token for token in sent_to(harness, server) if token is not None}


@pytest.mark.parametrize("prepare", VARIANTS, ids=VARIANT_NAMES)
@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
async def test_add_and_use(
    harness: Harness,
    home: HomeWorld,
    case: Case,
    prepare: Prepare,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Each user is added by one switch, and gets tokens with the user's own rights."""
    home.admin.pin = ADMIN_PIN
    prepare(harness.simulator)
    by: Account = getattr(home, case.by)
    user: Account = getattr(home, case.user)
    entry = await harness.add(by, home.server)
    own = entry.data[CONF_TOKEN]
    dialog = await open_dialog(harness, entry)
    await dialog.submit({"home_user": user.uuid})
    if case.pin is not None:
        for pin in ("", WRONG_PIN):
            harness.simulator.requests.clear()
            await dialog.submit({"pin": pin})
            assert dialog.errors == {"pin": "invalid_pin"}
            assert len([one for one in statuses(harness) if one in {401, 403}]) == len(
                pin[:1]
            )
        await dialog.submit({"pin": case.pin})
    assert dialog.type is FlowResultType.CREATE_ENTRY
    ended = statuses(harness)
    assert ended[:-1] == [404] * (len(ended) - 1)
    assert ended[-1] == harness.simulator.homes.switch_status
    await harness.settle()

    subentry = subentry_of(entry, user)
    switched = subentry.data[CONF_TOKEN]
    harness.simulator.requests.clear()
    device = harness.home_user_device(user, by)
    server = device_of(harness.hass, entry, home.server).id
    found = await harness.call(
        "get_transient_token", device_id=server, home_user=device
    )
    right = home.server.access_token_for(user)
    assert tokens_sent(harness, home.server) <= {right}
    assert not {own, switched, home.server.access_token_for(by)} & tokens_sent(
        harness, home.server
    )
    caller = home.server.caller(found["token"])
    assert caller is not None
    assert caller.account is user
    assert found["home_user"] == subentry.title
    assert not harness.simulator.requests_to("home_switch")
    # The PIN is kept and told nowhere.
    kept = json.dumps([dict(one.data) for one in entry.subentries.values()])
    for pin in (WRONG_PIN, case.pin or WRONG_PIN):
        alone = rf"(?<![\w.-]){pin}(?![\w-])"  # other numbers may have its digits
        assert not re.search(alone, caplog.text + kept)


async def test_guest_is_not_offered_and_not_permitted(
    harness: Harness, entry: MockConfigEntry, home: HomeWorld
) -> None:
    """Nobody can switch to a guest: the list leaves them out, and plex.tv refuses."""
    dialog = await open_dialog(harness, entry)
    (selector,) = dialog.result["data_schema"].schema.values()
    values = [option["value"] for option in selector.config["options"]]
    assert home.guest.uuid not in values
    home.managed.guest = True
    await dialog.submit({"home_user": home.managed.uuid})
    assert dialog.errors == {"base": "plex_tv_not_permitted"}
    assert statuses(harness) == [403]


@pytest.mark.parametrize(
    ("fault", "key"),
    [
        (Fault.plex_error(1003), "rate_limited"),
        (Fault.plex_error(1003, retry_after=120), "rate_limited"),
        (Fault.status(500), "unavailable"),
        (Fault.html(503), "unavailable"),
        (Fault.reset(), "plex_tv_cannot_connect"),
        (Fault.reset(processed=True), "plex_tv_cannot_connect"),
        (Fault.half_body(), "plex_tv_cannot_connect"),
        (Fault.status(201, {}), "unknown"),
    ],
    ids=["429", "429 later", "500", "503", "reset", "lost", "half", "empty"],
)
@pytest.mark.parametrize("kind", ["managed", "child", "adult"])
async def test_failures_of_a_switch(
    harness: Harness,
    entry: MockConfigEntry,
    home: HomeWorld,
    kind: str,
    fault: Fault,
    key: str,
) -> None:
    """A switch that fails is told, is never repeated, and can be tried again."""
    user: Account = getattr(home, kind)
    dialog = await open_dialog(harness, entry)
    typed = {"home_user": user.uuid}
    if user.pin is not None:
        await dialog.submit(typed)
        typed = {"pin": user.pin}
    harness.simulator.faults.set("home_switch", fault, times=1)
    harness.simulator.requests.clear()
    await dialog.submit(typed)
    assert dialog.errors == {"base": key}
    assert len(statuses(harness)) == 1
    assert len(entry.subentries) == 1
    await dialog.submit(typed)
    assert dialog.type is FlowResultType.CREATE_ENTRY
    assert len(statuses(harness)) == 1
    await harness.settle()
    assert harness.state("binary_sensor.sign_in", user) == "off"


async def test_wrong_pin_is_not_tried_at_other_calls(
    harness: Harness, entry: MockConfigEntry, home: HomeWorld
) -> None:
    """Whatever the status of the refusal is, a wrong PIN counts once against the user."""
    refusal = b'<?xml version="1.0"?><Response code="401" status="Invalid PIN"/>'
    dialog = await open_dialog(harness, entry)
    await dialog.submit({"home_user": home.child.uuid})
    for status in (400, 401, 403, 404):
        fault = Fault.status(status, refusal, content_type="application/xml")
        harness.simulator.faults.set("home_switch", fault, times=1)
        harness.simulator.requests.clear()
        await dialog.submit({"pin": WRONG_PIN})
        assert dialog.errors == {"pin": "invalid_pin"}
        assert statuses(harness) == [status]


# What an action does for a user


@pytest.fixture
async def child(harness: Harness, home: HomeWorld) -> Account:
    """Return a child who is added to Anna's entry with two servers, and may see one."""
    entry = await harness.add(harness.anna, harness.server, harness.world.basement)
    await harness.add_home_user(entry, home.child)
    harness.simulator.requests.clear()
    return home.child


@pytest.fixture
def family(harness: Harness, child: Account) -> MockConfigEntry:
    """Return the entry to which the child is added."""
    (found,) = harness.hass.config_entries.async_entries(DOMAIN)
    assert isinstance(found, MockConfigEntry)
    return found


def target(
    harness: Harness, entry: MockConfigEntry, server: MediaServer
) -> dict[str, str]:
    """Return the fields of an action for the child at a server."""
    return {
        "device_id": device_of(harness.hass, entry, server).id,
        "home_user": harness.home_user_device(harness.world.home.child),
    }


async def test_server_that_the_user_may_not_see(
    harness: Harness, family: MockConfigEntry, child: Account
) -> None:
    """Nothing at all is sent to it, and nothing to plex.tv."""
    data = target(harness, family, harness.world.basement)
    failure = await harness.failure("get_transient_token", **data)
    assert isinstance(failure, ServiceValidationError)
    assert failure.translation_key == "home_user_without_server"
    assert failure.translation_placeholders == {
        "home_user": "Lina",
        "name": "Basement",
    }
    assert not harness.simulator.requests


async def test_items_that_the_user_may_see(
    harness: Harness, family: MockConfigEntry, child: Account, home: HomeWorld
) -> None:
    """An item is looked up with the user's token, not with the account's."""
    data = target(harness, family, harness.server)
    found = await harness.call("get_transient_token", **data, path=home.film.path)
    assert found["url"].startswith(found["server"]["uri"])
    failure = await harness.failure(
        "get_transient_token", **data, path=harness.world.film.path
    )
    assert failure.translation_key == "home_user_not_permitted"
    assert tokens_sent(harness, harness.server) == {
        harness.server.access_token_for(child)
    }


async def test_refusal_asks_the_users_list_once(
    harness: Harness, family: MockConfigEntry, child: Account
) -> None:
    """The rotated token is tried once and stored; the account is not asked."""
    old = harness.server.access_token_for(child)
    harness.server.rotate_access_tokens()
    await harness.call("get_transient_token", **target(harness, family, harness.server))
    new = harness.server.access_token_for(child)
    asked = [one for one in harness.simulator.requests if one.host == PLEX_TV]
    assert [one.endpoint for one in asked] == ["resources"]
    assert (
        asked[0].headers["X-Plex-Token"] == subentry_of(family, child).data[CONF_TOKEN]
    )
    got = [token for token in sent_to(harness, harness.server) if token is not None]
    assert got == [old, new]
    assert subentry_of(family, child).data["server_tokens"] == {
        harness.server.machine_identifier: new
    }


@pytest.mark.parametrize("count", [1, 2])
async def test_server_that_refuses_the_user(
    harness: Harness, family: MockConfigEntry, child: Account, count: int
) -> None:
    """Each call asks the list once; a token that it still has is not sent again."""
    harness.server.faults.set("security_token", Fault.status(401))
    for _ in range(count):
        failure = await harness.failure(
            "get_transient_token", **target(harness, family, harness.server)
        )
        assert failure.translation_key == "home_user_not_permitted"
    assert len(harness.simulator.requests_to("resources")) == count
    assert tokens_sent(harness, harness.server) == {
        harness.server.access_token_for(child)
    }


async def test_rejected_user(
    harness: Harness, family: MockConfigEntry, child: Account
) -> None:
    """A rejection that an action meets is the user's: no request to sign in."""
    child.revoke_tokens()
    harness.server.rotate_access_tokens()
    data = target(harness, family, harness.server)
    failure = await harness.failure("get_transient_token", **data)
    assert failure.translation_key == "home_user_rejected"
    failure = await harness.failure("get_servers", home_user=data["home_user"])
    assert failure.translation_key == "home_user_rejected"
    await harness.settle()
    assert harness.reauth_flows(family) == 0
    assert harness.state("binary_sensor.sign_in") == "off"
    assert harness.state("binary_sensor.sign_in", child) == "on"
    (issue,) = ir.async_get(harness.hass).issues.values()
    assert issue.translation_key == "home_user_sign_in"
    found = await harness.call("get_transient_token", device_id=data["device_id"])
    assert "home_user" not in found


async def test_rejected_user_of_a_rejected_account(
    harness: Harness,
    freezer: FrozenDateTimeFactory,
    family: MockConfigEntry,
    child: Account,
) -> None:
    """The account has to sign in first, so no action sends anyone to the repair."""
    harness.anna.revoke_tokens()
    child.revoke_tokens()
    harness.server.rotate_access_tokens()
    await harness.wait(freezer, HOUR)
    assert not [one for one in ir.async_get(harness.hass).issues if DOMAIN in one]
    data = target(harness, family, harness.server)
    for action, fields in (
        ("get_transient_token", data),
        ("get_servers", {"home_user": data["home_user"]}),
    ):
        failure = await harness.failure(action, **fields)
        assert failure.translation_key == "invalid_token"
        assert failure.translation_placeholders is not None
        assert failure.translation_placeholders["account"] == "Anna"


async def test_rejected_account_leaves_the_user(
    harness: Harness,
    freezer: FrozenDateTimeFactory,
    family: MockConfigEntry,
    child: Account,
) -> None:
    """The user's token goes on to work while the account has to sign in again."""
    harness.anna.revoke_tokens()
    await harness.wait(freezer, HOUR)
    assert harness.reauth_flows(family) == 1
    assert harness.state("binary_sensor.sign_in", child) == "off"
    await harness.call("get_transient_token", **target(harness, family, harness.server))


@pytest.mark.parametrize("fault", [Fault.status(503), Fault.plex_error(1003)])
async def test_plex_tv_fails(
    harness: Harness, family: MockConfigEntry, child: Account, fault: Fault
) -> None:
    """A token needs no plex.tv; the list of servers does, and says so."""
    harness.simulator.faults.set("*", fault)
    data = target(harness, family, harness.server)
    await harness.call("get_transient_token", **data)
    failure = await harness.failure("get_servers", home_user=data["home_user"])
    assert failure.translation_key in {"unavailable", "rate_limited"}
    assert failure.translation_placeholders == {"account": "Anna", "name": "plex.tv"}


async def test_two_users_and_the_account(
    harness: Harness, family: MockConfigEntry, child: Account, home: HomeWorld
) -> None:
    """Each has an own token, and the next one tells whose it is."""
    await harness.add_home_user(family, home.adult)
    data = target(harness, family, harness.server)
    adult = {**data, "home_user": harness.home_user_device(home.adult)}
    account = {"device_id": data["device_id"]}
    harness.simulator.requests.clear()
    for fields, user in (
        (data, child),
        (adult, home.adult),
        (account, harness.anna),
        (data, child),
    ):
        found = await harness.call("get_transient_token", **fields)
        caller = harness.server.caller(found["token"])
        assert caller is not None
        assert caller.account is user
        told = harness.entity("event.transient_token").attributes.get("home_user")
        assert told == (None if user is harness.anna else user.title)


# Restarts, rotation and removal


async def test_restart_while_plex_tv_is_away(
    harness: Harness, freezer: FrozenDateTimeFactory, home: HomeWorld
) -> None:
    """What is stored is enough for a token; the entities wait for plex.tv."""
    data = home_user_data(home.child, harness.server)
    await harness.simulator.stop_plex_tv()
    entry = await harness.add(harness.anna, harness.server, data)
    assert harness.state("binary_sensor.sign_in", home.child) == STATE_UNAVAILABLE
    assert harness.state("sensor.servers", home.child) == STATE_UNAVAILABLE
    found = await harness.call(
        "get_transient_token", **target(harness, entry, harness.server)
    )
    caller = harness.server.caller(found["token"])
    assert caller is not None
    assert caller.account is home.child
    await harness.simulator.start_plex_tv()
    await harness.wait(freezer, HOUR)
    assert harness.state("binary_sensor.sign_in", home.child) == "off"
    assert harness.state("sensor.servers", home.child) == "1"


async def test_restart_before_the_servers_were_listed(
    harness: Harness, home: HomeWorld
) -> None:
    """Without anything stored the list is asked for at once, and a failure is told."""
    bare = home_user_data(home.child)
    bare["data"] = {CONF_TOKEN: bare["data"][CONF_TOKEN]}
    harness.simulator.faults.set("resources", Fault.status(503))
    entry = await harness.add(harness.anna, harness.server, bare)
    data = target(harness, entry, harness.server)
    harness.simulator.requests.clear()
    failure = await harness.failure("get_transient_token", **data)
    assert failure.translation_key == "unavailable"
    assert failure.translation_placeholders == {"account": "Anna", "name": "plex.tv"}
    assert not tokens_sent(harness, harness.server)
    harness.simulator.faults.clear()
    found = await harness.call("get_transient_token", **data)
    assert found["home_user"] == "Lina"


async def test_second_switch_elsewhere_ends_the_token(
    harness: Harness,
    freezer: FrozenDateTimeFactory,
    family: MockConfigEntry,
    child: Account,
) -> None:
    """A token that another switch of this client ended is told of, and replaced."""
    child.sign_in_token(family.data["client_identifier"])
    await harness.wait(freezer, HOUR)
    assert harness.state("binary_sensor.sign_in", child) == "on"
    dialog = await open_dialog(harness, family, child)
    await dialog.submit({"pin": CHILD_PIN})
    assert dialog.result["reason"] == "reconfigure_successful"
    await harness.settle()
    assert harness.state("binary_sensor.sign_in", child) == "off"
    assert not ir.async_get(harness.hass).issues


async def test_lost_answer_of_a_second_switch(
    harness: Harness,
    freezer: FrozenDateTimeFactory,
    family: MockConfigEntry,
    child: Account,
) -> None:
    """The old token may have ended with it: the next poll tells, and a try mends it."""
    dialog = await open_dialog(harness, family, child)
    lost = Fault.reset(processed=True)
    harness.simulator.faults.set("home_switch", lost, times=1)
    await dialog.submit({"pin": CHILD_PIN})
    assert dialog.errors == {"base": "plex_tv_cannot_connect"}
    await harness.wait(freezer, HOUR)
    assert harness.state("binary_sensor.sign_in", child) == "on"
    await dialog.submit({"pin": CHILD_PIN})
    await harness.settle()
    assert harness.state("binary_sensor.sign_in", child) == "off"


async def test_user_who_left_the_home(
    harness: Harness,
    freezer: FrozenDateTimeFactory,
    family: MockConfigEntry,
    child: Account,
) -> None:
    """The token is rejected with it; the account and its servers are not touched."""
    harness.simulator.homes.remove_member(child)
    harness.server.shared_with.remove(child)
    await harness.wait(freezer, HOUR)
    assert harness.state("binary_sensor.sign_in", child) == "on"
    assert harness.state("binary_sensor.sign_in") == "off"
    dialog = await open_dialog(harness, family, child)
    assert dialog.result["reason"] == "home_user_gone"
    await harness.remove(family, child)
    assert not ir.async_get(harness.hass).issues
    assert harness.shown("binary_sensor.sign_in", child) is None
    assert harness.state("binary_sensor.reachable") == "on"


async def test_removed_and_added_again(
    harness: Harness, family: MockConfigEntry, child: Account, home: HomeWorld
) -> None:
    """Removal signs nobody out; the user can be added again, with a new token."""
    before = subentry_of(family, child).data[CONF_TOKEN]
    await harness.remove(family, child)
    assert child.find_token(before)
    assert not harness.simulator.requests_to("signout")
    dialog = await open_dialog(harness, family)
    await dialog.submit({"home_user": child.uuid})
    await dialog.submit({"pin": CHILD_PIN})
    await harness.settle()
    assert harness.state("binary_sensor.sign_in", child) == "off"
    assert subentry_of(family, child).data[CONF_TOKEN] != before


async def test_removed_during_an_action(
    harness: Harness, family: MockConfigEntry, child: Account
) -> None:
    """An action that holds a token of a removed user ends, and stores nothing."""
    harness.server.rotate_access_tokens()
    data = target(harness, family, harness.server)
    harness.simulator.faults.set("resources", Fault.delay(0.3), times=1)
    task = harness.hass.async_create_task(harness.call("get_transient_token", **data))
    await async_arrival(harness.simulator, "resources")
    await harness.remove(family, child)
    with pytest.raises(Exception) as caught:
        await task
    assert getattr(caught.value, "translation_domain", None) == DOMAIN
    assert len(family.subentries) == 2


async def test_poll_and_rejection_of_one_user_leave_others(
    harness: Harness,
    freezer: FrozenDateTimeFactory,
    family: MockConfigEntry,
    child: Account,
    home: HomeWorld,
) -> None:
    """A rejection is that of one user."""
    await harness.add_home_user(family, home.managed)
    child.revoke_tokens()
    await harness.wait(freezer, HOUR)
    assert home_user_coordinator(family, child).is_rejected
    assert not home_user_coordinator(family, home.managed).is_rejected
    assert harness.state("binary_sensor.sign_in", home.managed) == "off"


# Two rows for one identifier


async def test_impostors_row_for_a_server_of_the_account(
    harness: Harness,
    freezer: FrozenDateTimeFactory,
    family: MockConfigEntry,
    child: Account,
) -> None:
    """The row of somebody who names a server so does not take the token's place."""
    right = harness.server.access_token_for(child)
    rows = [
        {
            "name": name,
            "clientIdentifier": harness.server.machine_identifier,
            "provides": "server",
            "owned": False,
            "ownerId": owner,
            "accessToken": token,
            "connections": [],
        }
        for name, owner, token in (
            ("Fake", 99, "of-a-stranger"),
            ("Living Room", harness.anna.id, right),
        )
    ]
    harness.simulator.faults.set(
        "resources",
        Fault.status(200, json.dumps(rows), content_type="application/json"),
    )
    await home_user_coordinator(family, child).async_poll()
    stored = subentry_of(family, child).data["server_tokens"]
    assert stored == {harness.server.machine_identifier: right}

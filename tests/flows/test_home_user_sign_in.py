"""The repair of a Home user whose token plex.tv rejects, through Home Assistant's API."""

import asyncio

import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.plex_auth.const import CONF_SERVER_TOKENS
from homeassistant.const import CONF_TOKEN
from homeassistant.helpers import device_registry as dr, issue_registry as ir
from tests.harness import Harness
from tests.helpers import (
    account_coordinator,
    async_arrival,
    home_user_coordinator,
    subentry_of,
)
from tests.plex_simulator import Account, Fault
from tests.plex_simulator.worlds import CHILD_PIN, HomeWorld
from tests.repair_dialog import OpenRepair, RepairDialog

KEY = "home_user_sign_in"
WRONG_PIN = "1470"


@pytest.fixture
def home(harness: Harness) -> HomeWorld:
    """Return Anna's Plex Home."""
    return harness.world.home


async def reject(harness: Harness, entry: MockConfigEntry, user: Account) -> None:
    """Add a user to an entry, whose token plex.tv then rejects."""
    await harness.add_home_user(entry, user)
    user.revoke_tokens()
    await home_user_coordinator(entry, user).async_poll()


@pytest.fixture
async def child(
    harness: Harness, entry: MockConfigEntry, home: HomeWorld, open_repair: OpenRepair
) -> RepairDialog:
    """Return the dialog of a user with a PIN."""
    await reject(harness, entry, home.child)
    dialog = await open_repair(entry, home.child, KEY)
    harness.simulator.requests.clear()
    return dialog


def has_issue(harness: Harness) -> bool:
    """Return whether there is still something to repair."""
    return any(
        one.domain == "plex_auth" for one in ir.async_get(harness.hass).issues.values()
    )


async def test_with_a_pin(
    harness: Harness, entry: MockConfigEntry, home: HomeWorld, child: RepairDialog
) -> None:
    """The PIN is asked for until it is right; each try is one switch."""
    assert child.result["step_id"] == "pin"
    assert child.result["description_placeholders"] == {
        "account": "Anna",
        "account_md": "Anna",
        "home_user": "Lina",
        "home_user_md": "Lina",
    }
    for pin, count in (("", 0), (WRONG_PIN, 1)):
        await child.submit(pin=pin)
        assert child.errors == {"pin": "invalid_pin"}
        assert harness.asked()["home_switch"] == count
    await child.submit(pin=f"{CHILD_PIN} ")
    assert child.result["type"] == "create_entry"
    await harness.settle()
    assert harness.asked()["home_switch"] == 1
    subentry = subentry_of(entry, home.child)
    assert home.child.find_token(subentry.data[CONF_TOKEN])
    assert subentry.data.keys() == {CONF_TOKEN, CONF_SERVER_TOKENS}
    assert not has_issue(harness)
    assert harness.state("binary_sensor.sign_in", home.child) == "off"
    assert harness.reauth_flows(entry) == 0


async def test_without_a_pin(
    harness: Harness, entry: MockConfigEntry, home: HomeWorld, open_repair: OpenRepair
) -> None:
    """There is nothing to fill in, and no switch before somebody agrees."""
    await reject(harness, entry, home.managed)
    home.managed.title = "Emil M."
    dialog = await open_repair(entry, home.managed, KEY)
    assert dialog.result["step_id"] == "confirm"
    assert not harness.asked()["home_switch"]
    await dialog.submit()
    assert dialog.result["type"] == "create_entry"
    assert harness.asked()["home_switch"] == 1
    await harness.settle()
    assert subentry_of(entry, home.managed).title == "Emil M."
    assert not has_issue(harness)


async def test_pin_set_meanwhile(
    harness: Harness, entry: MockConfigEntry, home: HomeWorld, open_repair: OpenRepair
) -> None:
    """A user who takes a PIN by now is asked for it, without an error."""
    await reject(harness, entry, home.managed)
    dialog = await open_repair(entry, home.managed, KEY)
    home.managed.pin = "3690"
    await dialog.submit()
    assert dialog.result["step_id"] == "pin"
    assert not dialog.errors
    await dialog.submit(pin="3690")
    assert dialog.result["type"] == "create_entry"


async def test_slow_poll_after_the_switch(
    harness: Harness, entry: MockConfigEntry, home: HomeWorld, child: RepairDialog
) -> None:
    """What is repaired does not come back because plex.tv is slow, or fails."""
    harness.simulator.faults.set("resources", Fault.status(503))
    await child.submit(pin=CHILD_PIN)
    assert child.result["type"] == "create_entry"
    await harness.settle()
    assert not has_issue(harness)


@pytest.mark.parametrize("when", ["before", "meanwhile"])
async def test_one_who_left_is_removed(
    harness: Harness,
    entry: MockConfigEntry,
    home: HomeWorld,
    open_repair: OpenRepair,
    when: str,
) -> None:
    """A user who has left the Home goes, with the device, once somebody agrees."""
    await reject(harness, entry, home.managed)
    device = harness.home_user_device(home.managed)
    if when == "before":
        harness.simulator.homes.remove_member(home.managed)
    dialog = await open_repair(entry, home.managed, KEY)
    if when == "meanwhile":
        harness.simulator.homes.remove_member(home.managed)
        await dialog.submit()
    assert dialog.result["step_id"] == "remove"
    assert subentry_of(entry, home.managed)
    await dialog.submit()
    assert dialog.result["type"] == "create_entry"
    await harness.settle()
    assert [one.unique_id for one in entry.subentries.values()] == [
        harness.server.machine_identifier
    ]
    assert dr.async_get(harness.hass).async_get(device) is None
    assert not has_issue(harness)
    assert harness.state("binary_sensor.sign_in") == "off"


async def test_opened_again(harness: Harness, child: RepairDialog) -> None:
    """A dialog that is opened again shows its step, and switches to nobody."""
    await child.look()
    assert child.result["step_id"] == "pin"
    assert not child.errors
    assert not harness.asked()["home_switch"]


async def test_removed_before_the_removal_is_confirmed(
    harness: Harness, entry: MockConfigEntry, home: HomeWorld, open_repair: OpenRepair
) -> None:
    """A user who is gone by then is not removed again."""
    await reject(harness, entry, home.managed)
    harness.simulator.homes.remove_member(home.managed)
    dialog = await open_repair(entry, home.managed, KEY)
    assert dialog.result["step_id"] == "remove"
    subentry_id = subentry_of(entry, home.managed).subentry_id
    harness.hass.config_entries.async_remove_subentry(entry, subentry_id)
    await dialog.submit()
    assert dialog.result["reason"] == "home_user_removed"


@pytest.mark.parametrize(
    ("fault", "key"),
    [
        (Fault.plex_error(1003), "rate_limited"),
        (Fault.status(500), "unavailable"),
        (Fault.plex_error(1009), "plex_tv_not_permitted"),
        (Fault.reset(processed=True), "plex_tv_cannot_connect"),
    ],
    ids=["429", "500", "403", "reset"],
)
async def test_failure_then_success(
    harness: Harness, home: HomeWorld, child: RepairDialog, fault: Fault, key: str
) -> None:
    """A failure is told and never repeated; the next try succeeds."""
    harness.simulator.faults.set("home_switch", fault, times=1)
    await child.submit(pin=CHILD_PIN)
    assert child.errors == {"base": key}
    assert child.fields == ["pin"]
    assert harness.asked()["home_switch"] == 1
    await child.submit(pin=CHILD_PIN)
    assert child.result["type"] == "create_entry"


async def test_list_fails(
    harness: Harness, entry: MockConfigEntry, home: HomeWorld, open_repair: OpenRepair
) -> None:
    """Without the list nothing is switched; the next try finds that a PIN is needed."""
    await reject(harness, entry, home.child)
    harness.simulator.faults.set("home_users", Fault.status(503), times=1)
    dialog = await open_repair(entry, home.child, KEY)
    assert dialog.errors == {"base": "unavailable"}
    await dialog.submit()
    assert dialog.fields == ["pin"]
    assert not dialog.errors
    assert not harness.asked()["home_switch"]


async def test_account_has_to_sign_in_first(
    harness: Harness, entry: MockConfigEntry, child: RepairDialog
) -> None:
    """No switch is tried while plex.tv rejects the account."""
    harness.anna.revoke_tokens()
    await account_coordinator(entry).async_poll()
    harness.simulator.requests.clear()
    await child.submit(pin=CHILD_PIN)
    assert child.result["reason"] == "sign_in_first"
    assert not harness.simulator.requests


async def test_account_is_rejected_by_the_switch(
    harness: Harness, entry: MockConfigEntry, child: RepairDialog
) -> None:
    """A rejection that the dialog meets asks to sign in."""
    harness.anna.revoke_tokens()
    await child.submit(pin=CHILD_PIN)
    assert child.result["reason"] == "sign_in_first"
    await harness.settle()
    assert harness.reauth_flows(entry) == 1


async def test_switch_that_ends_the_sign_in_of_the_account(
    harness: Harness, entry: MockConfigEntry, home: HomeWorld, child: RepairDialog
) -> None:
    """The user's token is stored all the same, and the account is asked to sign in."""
    harness.simulator.homes.ends_own_token = True
    await child.submit(pin=CHILD_PIN)
    assert child.result["reason"] == "account_rejected"
    await harness.settle()
    token = subentry_of(entry, home.child).data[CONF_TOKEN]
    assert home.child.find_token(token)
    assert harness.reauth_flows(entry) == 1
    assert not has_issue(harness)


@pytest.mark.parametrize("what", ["account", "user"])
@pytest.mark.parametrize("when", ["before", "during"])
async def test_removed(
    harness: Harness,
    entry: MockConfigEntry,
    home: HomeWorld,
    child: RepairDialog,
    what: str,
    when: str,
) -> None:
    """There is nothing left to do for what is removed."""

    async def remove() -> None:
        await harness.remove(entry, home.child if what == "user" else None)

    if when == "before":
        await remove()
        await child.submit(pin=CHILD_PIN)
    else:
        harness.simulator.faults.set("home_switch", Fault.delay(0.3), times=1)
        task = asyncio.create_task(child.submit(pin=CHILD_PIN))
        await async_arrival(harness.simulator, "home_switch")
        await remove()
        await task
    assert child.result["reason"] == "home_user_removed"
    assert not has_issue(harness)


async def test_account_is_not_loaded(
    harness: Harness, entry: MockConfigEntry, child: RepairDialog
) -> None:
    """Nothing is asked for an account that is not loaded."""
    await harness.hass.config_entries.async_unload(entry.entry_id)
    harness.simulator.requests.clear()
    await child.submit(pin=CHILD_PIN)
    assert child.result["reason"] == "entry_not_loaded"
    assert not harness.simulator.requests


async def test_closed(
    harness: Harness,
    entry: MockConfigEntry,
    child: RepairDialog,
    open_repair: OpenRepair,
) -> None:
    """A dialog that is closed leaves the issue, which can be opened again."""
    await child.close()
    assert has_issue(harness)
    dialog = await open_repair(entry, harness.world.home.child, KEY)
    await dialog.submit(pin=CHILD_PIN)
    assert dialog.result["type"] == "create_entry"

"""Home users are added, and switched to again, in the dialogs."""

from contextlib import suppress

import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.plex_auth.const import (
    CONF_SERVER_TOKENS,
    SUBENTRY_TYPE_HOME_USER,
)
from homeassistant.config_entries import SOURCE_RECONFIGURE, SOURCE_USER
from homeassistant.const import CONF_TOKEN
from homeassistant.data_entry_flow import FlowResultType, UnknownFlow
from tests.conftest import Dns
from tests.fault_catalogue import HOME_USER_CAUSES
from tests.harness import Harness
from tests.helpers import account_coordinator, async_arrival, subentry_of
from tests.plex_simulator import Account, Fault
from tests.plex_simulator.worlds import CHILD_PIN, HomeWorld
from tests.walks.dialog import Dialog, home_user_dialog
from tests.walks.names import Step
from tests.walks.texts import texts_of
from tests.walks.troubles import HOME_USER_TABLE

WRONG_PIN = "1470"


@pytest.fixture
def home(harness: Harness) -> HomeWorld:
    """Return Anna's Plex Home."""
    return harness.world.home


async def open_to_add(harness: Harness, entry: MockConfigEntry) -> Dialog:
    """Open the dialog that adds a Home user."""
    dialog = home_user_dialog(harness.hass, harness.simulator)
    handler = (entry.entry_id, SUBENTRY_TYPE_HOME_USER)
    await dialog.start(handler, source=SOURCE_USER)
    return dialog


async def open_to_switch(
    harness: Harness, entry: MockConfigEntry, user: Account
) -> Dialog:
    """Open the dialog that switches to a Home user again."""
    dialog = home_user_dialog(harness.hass, harness.simulator)
    await dialog.start(
        (entry.entry_id, SUBENTRY_TYPE_HOME_USER),
        source=SOURCE_RECONFIGURE,
        subentry_id=subentry_of(entry, user).subentry_id,
    )
    return dialog


def offered(dialog: Dialog) -> list[str]:
    """Return the names of the users that can be selected."""
    (selector,) = dialog.result["data_schema"].schema.values()
    return [option["label"] for option in selector.config["options"]]


def switches(harness: Harness) -> int:
    """Return how often somebody asked to switch since the last time, and forget it."""
    asked = harness.asked()
    return asked["home_switch"] + asked["home_switch_v1"]


# Adding


async def test_add_protected_child(
    harness: Harness, entry: MockConfigEntry, home: HomeWorld
) -> None:
    """The PIN is asked for, one switch is made, and the token is the user's."""
    dialog = await open_to_add(harness, entry)
    await dialog.submit({"home_user": home.child.uuid})
    assert dialog.step == Step.PIN
    assert switches(harness) == 0
    await dialog.submit({"pin": CHILD_PIN})
    assert dialog.type is FlowResultType.CREATE_ENTRY
    await harness.settle()
    assert switches(harness) == 1
    subentry = subentry_of(entry, home.child)
    assert subentry.title == "Lina"
    assert home.child.find_token(subentry.data[CONF_TOKEN])
    assert dict(subentry.data) == {
        CONF_TOKEN: subentry.data[CONF_TOKEN],
        CONF_SERVER_TOKENS: {
            home.server.machine_identifier: home.server.access_token_for(home.child)
        },
    }
    assert harness.state("binary_sensor.sign_in", home.child) == "off"
    assert harness.state("sensor.servers", home.child) == "1"


async def test_who_is_offered(
    harness: Harness, entry: MockConfigEntry, home: HomeWorld
) -> None:
    """Everyone is but the account itself, guests, and those who are added."""
    dialog = await open_to_add(harness, entry)
    assert offered(dialog) == ["Emil", "Lina", "Ida"]
    await dialog.submit({"home_user": home.managed.uuid})
    assert dialog.type is FlowResultType.CREATE_ENTRY
    assert offered(await open_to_add(harness, entry)) == ["Lina", "Ida"]


async def test_users_of_one_name(
    harness: Harness, entry: MockConfigEntry, home: HomeWorld
) -> None:
    """Users of the same name can be told apart."""
    home.managed.title = home.child.title
    dialog = await open_to_add(harness, entry)
    assert offered(dialog) == [
        f"Lina [{home.managed.id}]",
        f"Lina [{home.child.id}]",
        "Ida",
    ]


async def test_another_member_can_add_the_admin(
    harness: Harness, home: HomeWorld
) -> None:
    """A member who has an own account is offered the others, the admin too."""
    entry = await harness.add(home.adult, home.server)
    assert offered(await open_to_add(harness, entry)) == ["Anna", "Emil", "Lina"]


@pytest.mark.parametrize("code", [1002, 1009, None])
async def test_no_home(harness: Harness, code: int | None) -> None:
    """An account without a Plex Home has nobody to add, however plex.tv says so."""
    harness.simulator.homes.no_home_code = code
    entry = await harness.add(harness.ben, harness.server)
    dialog = await open_to_add(harness, entry)
    assert dialog.result["reason"] == "no_home_users"


async def test_everyone_is_added(
    harness: Harness, entry: MockConfigEntry, home: HomeWorld
) -> None:
    """There is nobody to add then."""
    for user in (home.managed, home.child, home.adult):
        await harness.add_home_user(entry, user)
    dialog = await open_to_add(harness, entry)
    assert dialog.result["reason"] == "no_home_users"


@pytest.mark.parametrize("first", ["select", "switch"])
async def test_added_meanwhile(
    harness: Harness, entry: MockConfigEntry, home: HomeWorld, first: str
) -> None:
    """A second dialog about a user does not spoil the token that the first one got."""
    one, other = [await open_to_add(harness, entry) for _ in range(2)]
    if first == "switch":
        await other.submit({"home_user": home.child.uuid})
    await one.submit({"home_user": home.child.uuid})
    await one.submit({"pin": CHILD_PIN})
    await harness.settle()
    token = subentry_of(entry, home.child).data[CONF_TOKEN]
    assert switches(harness) == 1
    if first == "switch":
        await other.submit({"pin": CHILD_PIN})
        assert other.result["reason"] == "already_configured"
    else:
        await other.submit({"home_user": home.child.uuid})
        assert offered(other) == ["Emil", "Ida"]
    await harness.settle()
    assert switches(harness) == 0
    assert subentry_of(entry, home.child).data[CONF_TOKEN] == token
    assert home.child.find_token(token)


async def test_added_during_the_switch(
    harness: Harness, entry: MockConfigEntry, home: HomeWorld
) -> None:
    """Of two switches at once, the one that ends first is stored, and no user twice."""
    one, other = [await open_to_add(harness, entry) for _ in range(2)]
    harness.simulator.faults.set("home_switch", Fault.slow_body(0.3), times=1)
    harness.simulator.requests.clear()
    slow = harness.hass.async_create_task(one.submit({"home_user": home.managed.uuid}))
    await async_arrival(harness.simulator, "home_switch")
    await other.submit({"home_user": home.managed.uuid})
    assert other.type is FlowResultType.CREATE_ENTRY
    await slow
    assert one.result["reason"] == "already_configured"
    await harness.settle()
    assert len(list(entry.get_subentries_of_type(SUBENTRY_TYPE_HOME_USER))) == 1


async def test_wrong_pin_then_right(
    harness: Harness, entry: MockConfigEntry, home: HomeWorld
) -> None:
    """A wrong PIN is asked for again, and sent once each time."""
    dialog = await open_to_add(harness, entry)
    await dialog.submit({"home_user": home.child.uuid})
    await dialog.submit({"pin": WRONG_PIN})
    assert dialog.errors == {"pin": "invalid_pin"}
    assert switches(harness) == 1
    await dialog.submit({"pin": f" {CHILD_PIN} "})
    assert dialog.type is FlowResultType.CREATE_ENTRY
    assert switches(harness) == 1


@pytest.mark.parametrize("pin", ["", "  "])
async def test_empty_pin_is_not_sent(
    harness: Harness, entry: MockConfigEntry, home: HomeWorld, pin: str
) -> None:
    """plex.tv may let anybody switch who sends none (plex-api.md §22.3)."""
    harness.simulator.homes.enforces_pins = False
    dialog = await open_to_add(harness, entry)
    await dialog.submit({"home_user": home.child.uuid})
    await dialog.submit({"pin": pin})
    assert dialog.errors == {"pin": "invalid_pin"}
    assert switches(harness) == 0


async def test_pin_set_meanwhile(
    harness: Harness, entry: MockConfigEntry, home: HomeWorld
) -> None:
    """A user who takes a PIN since the list was read is asked for it, without an error."""
    dialog = await open_to_add(harness, entry)
    home.managed.pin = "3690"
    await dialog.submit({"home_user": home.managed.uuid})
    assert dialog.step == Step.PIN
    assert not dialog.errors
    await dialog.submit({"pin": "3690"})
    assert dialog.type is FlowResultType.CREATE_ENTRY
    assert switches(harness) == 2


async def test_left_the_home_meanwhile(
    harness: Harness, entry: MockConfigEntry, home: HomeWorld
) -> None:
    """A user who has left the Home since the list was read is not offered any more."""
    dialog = await open_to_add(harness, entry)
    harness.simulator.homes.remove_member(home.managed)
    await dialog.submit({"home_user": home.managed.uuid})
    assert not dialog.errors
    assert offered(dialog) == ["Lina", "Ida"]
    await dialog.submit({"home_user": home.adult.uuid})
    assert dialog.type is FlowResultType.CREATE_ENTRY


async def test_user_whom_no_call_knows(
    harness: Harness, entry: MockConfigEntry, home: HomeWorld
) -> None:
    """A user who is listed, but to whom no call can switch, stays in the form."""
    dialog = await open_to_add(harness, entry)
    for endpoint in ("home_switch", "home_switch_v1"):
        harness.simulator.faults.set(endpoint, Fault.plex_error(1002))
    await dialog.submit({"home_user": home.managed.uuid})
    assert dialog.errors == {"base": "unavailable"}
    assert offered(dialog) == ["Emil", "Lina", "Ida"]
    harness.simulator.faults.clear()
    await dialog.submit({"home_user": home.managed.uuid})
    assert dialog.type is FlowResultType.CREATE_ENTRY


@pytest.mark.parametrize("status", [400, 404])
async def test_no_call_knows_one_who_left(
    harness: Harness, entry: MockConfigEntry, home: HomeWorld, status: int
) -> None:
    """However plex.tv says that it does not know the user, the list is read again."""
    dialog = await open_to_add(harness, entry)
    harness.simulator.homes.remove_member(home.managed)
    for endpoint in ("home_switch", "home_switch_v1"):
        harness.simulator.faults.set(endpoint, Fault.status(status))
    await dialog.submit({"home_user": home.managed.uuid})
    assert not dialog.errors
    assert offered(dialog) == ["Lina", "Ida"]


async def test_opened_again(
    harness: Harness, entry: MockConfigEntry, home: HomeWorld
) -> None:
    """A dialog that is opened again shows its step, and switches to nobody."""
    dialog = await open_to_add(harness, entry)
    await dialog.submit({"home_user": home.child.uuid})
    await dialog.look()
    assert dialog.step == Step.PIN
    assert not dialog.errors
    await harness.add_home_user(entry, home.adult)
    dialog = await open_to_switch(harness, entry, home.adult)
    await dialog.look()
    assert dialog.step == Step.RECONFIGURE
    assert not dialog.errors
    assert switches(harness) == 0


# Switching again


async def test_switch_again(
    harness: Harness, entry: MockConfigEntry, home: HomeWorld
) -> None:
    """The new token and name are used from then on; the account is not touched."""
    before = await harness.add_home_user(entry, home.child)
    home.child.title = "Lina M."
    dialog = await open_to_switch(harness, entry, home.child)
    assert dialog.fields == ["pin"]
    await dialog.submit({"pin": WRONG_PIN})
    assert dialog.errors == {"pin": "invalid_pin"}
    harness.simulator.requests.clear()
    await dialog.submit({"pin": CHILD_PIN})
    assert dialog.result["reason"] == "reconfigure_successful"
    await harness.settle()
    subentry = subentry_of(entry, home.child)
    assert subentry.title == "Lina M."
    assert subentry.data[CONF_TOKEN] != before
    assert home.child.find_token(subentry.data[CONF_TOKEN])
    (poll,) = harness.simulator.requests_to("resources")
    assert poll.headers["X-Plex-Token"] == subentry.data[CONF_TOKEN]
    assert switches(harness) == 1


async def test_switch_again_without_a_pin(
    harness: Harness, entry: MockConfigEntry, home: HomeWorld
) -> None:
    """There is nothing to fill in; nothing is switched before it is submitted."""
    await harness.add_home_user(entry, home.managed)
    dialog = await open_to_switch(harness, entry, home.managed)
    assert not dialog.fields
    assert switches(harness) == 0
    await dialog.submit()
    assert dialog.result["reason"] == "reconfigure_successful"
    assert switches(harness) == 1


async def test_pin_set_before_switching_again(
    harness: Harness, entry: MockConfigEntry, home: HomeWorld
) -> None:
    """The PIN is asked for without an error, and again after another failure."""
    await harness.add_home_user(entry, home.managed)
    dialog = await open_to_switch(harness, entry, home.managed)
    home.managed.pin = "3690"
    await dialog.submit()
    assert dialog.fields == ["pin"]
    assert not dialog.errors
    harness.simulator.faults.set("home_switch", Fault.plex_error(1003), times=1)
    await dialog.submit({"pin": "3690"})
    assert dialog.errors == {"base": "rate_limited"}
    assert dialog.fields == ["pin"]
    await dialog.submit({"pin": "3690"})
    assert dialog.result["reason"] == "reconfigure_successful"


@pytest.mark.parametrize("when", ["before", "meanwhile"])
async def test_switch_again_to_one_who_left(
    harness: Harness, entry: MockConfigEntry, home: HomeWorld, when: str
) -> None:
    """A user who has left the Home cannot be switched to; the dialog says so."""
    await harness.add_home_user(entry, home.managed)
    if when == "before":
        harness.simulator.homes.remove_member(home.managed)
    dialog = await open_to_switch(harness, entry, home.managed)
    if when == "meanwhile":
        harness.simulator.homes.remove_member(home.managed)
        await dialog.submit()
    assert dialog.result["reason"] == "home_user_gone"
    assert dialog.result["description_placeholders"]["home_user"] == "Emil"


# What can go wrong


@pytest.fixture
async def secure(
    harness: Harness, dns: Dns, plex_direct: None, entry: MockConfigEntry
) -> MockConfigEntry:
    """Return Anna's entry, for which plex.tv has a name and a certificate."""
    api_url = harness.simulator.api_url.replace("http://127.0.0.1", "https://localhost")
    harness.hass.config_entries.async_update_entry(
        entry, data={**entry.data, "api_url": api_url}
    )
    await harness.settle()
    return entry


async def test_trouble_with_the_list(
    harness: Harness, dns: Dns, secure: MockConfigEntry, home: HomeWorld
) -> None:
    """Every failure of the list is told, and the next try succeeds."""
    dialog = None
    for cause in HOME_USER_CAUSES:
        if cause.key == "plex_tv_not_permitted":
            continue  # says that there is no Home
        async with cause.active(harness.simulator, dns, "home_users"):
            if dialog is None:
                dialog = await open_to_add(harness, secure)
            else:
                await dialog.submit()
        assert dialog.step == Step.USER, cause.name
        assert dialog.errors == {"base": cause.key}, cause.name
    assert dialog is not None
    await dialog.submit()
    assert not dialog.errors
    assert offered(dialog) == ["Emil", "Lina", "Ida"]


@pytest.mark.parametrize("step", [Step.USER, Step.PIN, Step.RECONFIGURE])
async def test_trouble_with_the_switch(
    harness: Harness, dns: Dns, secure: MockConfigEntry, home: HomeWorld, step: Step
) -> None:
    """Every failure of the switch is told and never repeated; the next try succeeds."""
    user = home.managed if step == Step.USER else home.child
    typed = {"home_user": user.uuid} if step == Step.USER else {"pin": CHILD_PIN}
    if step == Step.RECONFIGURE:
        await harness.add_home_user(secure, user)
        dialog = await open_to_switch(harness, secure, user)
    else:
        dialog = await open_to_add(harness, secure)
        if step == Step.PIN:
            await dialog.submit({"home_user": user.uuid})
    for cause in HOME_USER_CAUSES:
        switches(harness)
        async with cause.active(harness.simulator, dns, "home_switch"):
            await dialog.submit(typed)
        assert dialog.step == step, cause.name
        assert dialog.errors == {"base": cause.key}, cause.name
        assert switches(harness) <= 1, cause.name
    await dialog.submit(typed)
    expected = (
        FlowResultType.ABORT
        if step == Step.RECONFIGURE
        else FlowResultType.CREATE_ENTRY
    )
    assert dialog.type is expected
    assert switches(harness) == 1


async def test_account_is_rejected_before(
    harness: Harness, entry: MockConfigEntry, home: HomeWorld
) -> None:
    """Who has to sign in again does that first; plex.tv is not asked."""
    await harness.add_home_user(entry, home.managed)
    harness.anna.revoke_tokens()
    await account_coordinator(entry).async_poll()
    harness.simulator.requests.clear()
    for dialog in (
        await open_to_add(harness, entry),
        await open_to_switch(harness, entry, home.managed),
    ):
        assert dialog.result["reason"] == "sign_in_first"
    assert not harness.simulator.requests


@pytest.mark.parametrize("step", [Step.USER, Step.PIN, Step.RECONFIGURE])
async def test_account_is_rejected_meanwhile(
    harness: Harness, entry: MockConfigEntry, home: HomeWorld, step: Step
) -> None:
    """A rejection that a dialog meets asks to sign in, and ends the dialog."""
    if step == Step.RECONFIGURE:
        await harness.add_home_user(entry, home.child)
        dialog = await open_to_switch(harness, entry, home.child)
    elif step == Step.PIN:
        dialog = await open_to_add(harness, entry)
        await dialog.submit({"home_user": home.child.uuid})
    harness.anna.revoke_tokens()
    if step == Step.USER:
        dialog = await open_to_add(harness, entry)
    else:
        await dialog.submit({"pin": CHILD_PIN})
    assert dialog.result["reason"] == "sign_in_first"
    await harness.settle()
    assert harness.reauth_flows(entry) == 1


@pytest.mark.parametrize("step", [Step.USER, Step.PIN, Step.RECONFIGURE])
async def test_switch_that_ends_the_sign_in_of_the_account(
    harness: Harness, entry: MockConfigEntry, home: HomeWorld, step: Step
) -> None:
    """The user is stored all the same, and the account is asked to sign in."""
    harness.simulator.homes.ends_own_token = True
    user = home.managed if step == Step.USER else home.child
    if step == Step.RECONFIGURE:
        await harness.add_home_user(entry, user)
        dialog = await open_to_switch(harness, entry, user)
    else:
        dialog = await open_to_add(harness, entry)
        await dialog.submit({"home_user": user.uuid})
    if step != Step.USER:
        await dialog.submit({"pin": CHILD_PIN})
    assert dialog.result["reason"] == "account_rejected"
    await harness.settle()
    assert harness.reauth_flows(entry) == 1
    assert harness.state("binary_sensor.sign_in") == "on"
    subentry = subentry_of(entry, user)
    assert subentry.title == user.title
    assert user.find_token(subentry.data[CONF_TOKEN])
    assert harness.state("binary_sensor.sign_in", user) == "off"
    assert switches(harness) == 1


def test_table() -> None:
    """Each error that a dialog can show has its text, and no text is left over."""
    keys = set().union(*HOME_USER_TABLE.values())
    told = set(texts_of("config_subentries.home_user.error"))
    assert told - {"hint_added", "hint_guests"} == keys
    assert set(texts_of("issues.home_user_sign_in.fix_flow.error")) == keys


# What happens while a dialog is open


async def removed(harness: Harness, entry: MockConfigEntry, step: Step) -> Dialog:
    """Open a dialog at a step, with a user who is added only to be switched to."""
    home = harness.world.home
    if step == Step.RECONFIGURE:
        await harness.add_home_user(entry, home.child)
        return await open_to_switch(harness, entry, home.child)
    dialog = await open_to_add(harness, entry)
    if step == Step.PIN:
        await dialog.submit({"home_user": home.child.uuid})
    return dialog


def right(home: HomeWorld, step: Step) -> dict[str, str]:
    """Return what is right to type at a step."""
    if step == Step.USER:
        return {"home_user": home.managed.uuid}
    return {"pin": CHILD_PIN}


@pytest.mark.parametrize("step", [Step.USER, Step.PIN, Step.RECONFIGURE])
async def test_account_is_unloaded(
    harness: Harness, entry: MockConfigEntry, home: HomeWorld, step: Step
) -> None:
    """Nothing is asked for an account that is not loaded."""
    dialog = await removed(harness, entry, step)
    await harness.hass.config_entries.async_unload(entry.entry_id)
    harness.simulator.requests.clear()
    await dialog.submit(right(home, step))
    assert dialog.result["reason"] == "entry_not_loaded"
    assert not harness.simulator.requests


@pytest.mark.parametrize("step", [Step.USER, Step.PIN, Step.RECONFIGURE])
@pytest.mark.parametrize("what", ["account", "user", "reload"])
async def test_changed_during_the_switch(
    harness: Harness, entry: MockConfigEntry, home: HomeWorld, step: Step, what: str
) -> None:
    """What is gone when the token comes gets none; a reload does no harm."""
    dialog = await removed(harness, entry, step)
    harness.simulator.faults.set("home_switch", Fault.delay(0.3), times=1)
    harness.simulator.requests.clear()
    task = harness.hass.async_create_task(dialog.submit(right(home, step)))
    await async_arrival(harness.simulator, "home_switch")
    if what == "account":
        await harness.hass.config_entries.async_remove(entry.entry_id)
    elif what == "reload":
        await harness.hass.config_entries.async_reload(entry.entry_id)
    elif step == Step.RECONFIGURE:
        harness.hass.config_entries.async_remove_subentry(
            entry, subentry_of(entry, home.child).subentry_id
        )
    await task
    await harness.settle()
    assert switches(harness) == 1
    if what == "account":
        assert dialog.result["reason"] == "entry_not_loaded"
    elif step != Step.RECONFIGURE:
        assert dialog.type is FlowResultType.CREATE_ENTRY
    elif what == "user":
        assert dialog.result["reason"] == "home_user_removed"
    else:
        assert dialog.result["reason"] == "reconfigure_successful"
    assert harness.reauth_flows(entry) == 0


async def test_removed_before_switching_again(
    harness: Harness, entry: MockConfigEntry, home: HomeWorld
) -> None:
    """A user who is removed is not switched to."""
    dialog = await removed(harness, entry, Step.RECONFIGURE)
    await harness.remove(entry, home.child)
    harness.simulator.requests.clear()
    await dialog.submit({"pin": CHILD_PIN})
    assert dialog.result["reason"] == "home_user_removed"
    assert not harness.simulator.requests


async def test_removed_before_the_list_was_read(
    harness: Harness, entry: MockConfigEntry, home: HomeWorld
) -> None:
    """A user who is removed is named, although plex.tv has not listed the user."""
    await harness.add_home_user(entry, home.child)
    harness.simulator.faults.set("home_users", Fault.status(503))
    dialog = await open_to_switch(harness, entry, home.child)
    assert dialog.errors == {"base": "unavailable"}
    await harness.remove(entry, home.child)
    await dialog.submit()
    assert dialog.result["reason"] == "home_user_removed"
    assert dialog.result["description_placeholders"]["home_user"] == "Lina"


@pytest.mark.parametrize("step", [Step.USER, Step.PIN, Step.RECONFIGURE])
async def test_dialog_closed_during_the_switch(
    harness: Harness, entry: MockConfigEntry, home: HomeWorld, step: Step
) -> None:
    """A closed dialog adds nobody, but keeps the token: the old one may have ended."""
    dialog = await removed(harness, entry, step)
    before = set(entry.subentries)
    harness.simulator.faults.set("home_switch", Fault.delay(0.3), times=1)
    harness.simulator.requests.clear()
    task = harness.hass.async_create_task(
        harness.hass.config_entries.subentries.async_configure(
            dialog.result["flow_id"], right(home, step)
        )
    )
    await async_arrival(harness.simulator, "home_switch")
    dialog.close()
    with suppress(UnknownFlow):
        await task
    await harness.settle()
    assert set(entry.subentries) == before
    if step == Step.RECONFIGURE:
        token = subentry_of(entry, home.child).data[CONF_TOKEN]
        assert home.child.find_token(token)
    assert switches(harness) == 1


async def test_hints(harness: Harness, entry: MockConfigEntry, home: HomeWorld) -> None:
    """Guests, and users who are already added, are mentioned only where there are such."""
    guests, added = (
        texts_of(f"config_subentries.home_user.error.{key}")
        for key in ("hint_guests", "hint_added")
    )
    dialog = await open_to_add(harness, entry)
    assert dialog.result["description_placeholders"]["hints_md"] == guests
    await harness.add_home_user(entry, home.managed)
    dialog = await open_to_add(harness, entry)
    both = f"{guests} {added}"
    assert dialog.result["description_placeholders"]["hints_md"] == both
    home.home.guest = None
    dialog = await open_to_add(harness, entry)
    assert dialog.result["description_placeholders"]["hints_md"] == added

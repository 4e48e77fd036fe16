"""Home users are added, switched to again, and repaired in the dialogs."""

from collections.abc import Iterable
from typing import Any

import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.plex_auth.const import (
    CONF_HOME_USER,
    CONF_SERVER_TOKENS,
    SUBENTRY_TYPE_HOME_USER,
)
from homeassistant.config_entries import SOURCE_USER, ConfigSubentry
from homeassistant.const import CONF_PIN, CONF_TOKEN
from tests.harness import Harness
from tests.plex_simulator import Account
from tests.plex_simulator.worlds import CHILD_PIN, HomeWorld
from tests.walks.texts import text


@pytest.fixture
def home(harness: Harness) -> HomeWorld:
    """Return Anna's Plex Home."""
    return harness.world.home


async def start(harness: Harness, entry: MockConfigEntry) -> dict[str, Any]:
    """Open the dialog that adds a Home user."""
    result = await harness.hass.config_entries.subentries.async_init(
        (entry.entry_id, SUBENTRY_TYPE_HOME_USER), context={"source": SOURCE_USER}
    )
    return dict(result)


async def submit(
    harness: Harness, dialog: dict[str, Any], **typed: str
) -> dict[str, Any]:
    """Submit the form that a dialog shows."""
    result = await harness.hass.config_entries.subentries.async_configure(
        dialog["flow_id"], typed
    )
    return dict(result)


def subentry_of(entry: MockConfigEntry, user: Account) -> ConfigSubentry:
    """Return the subentry of a Home user."""
    subentries: Iterable[ConfigSubentry] = entry.subentries.values()
    return next(one for one in subentries if one.unique_id == user.uuid)


async def test_add_protected_child(
    harness: Harness, entry: MockConfigEntry, home: HomeWorld
) -> None:
    """The PIN is asked for, one switch is made, and the token is the user's."""
    dialog = await start(harness, entry)
    assert dialog["step_id"] == "user"
    dialog = await submit(harness, dialog, home_user=home.child.uuid)
    assert dialog["step_id"] == "pin"
    harness.simulator.requests.clear()
    dialog = await submit(harness, dialog, pin=CHILD_PIN)
    assert dialog["type"] == "create_entry"
    await harness.settle()
    assert harness.asked()["home_switch"] == 1
    subentry = subentry_of(entry, home.child)
    assert subentry.title == "Lina"
    assert set(subentry.data) == {CONF_TOKEN, CONF_SERVER_TOKENS}
    assert subentry.data[CONF_SERVER_TOKENS] == {
        home.server.machine_identifier: home.server.access_token_for(home.child)
    }
    assert CONF_PIN not in subentry.data
    assert CONF_HOME_USER not in subentry.data
    device = harness.home_user_device(home.child)
    (listed,) = (await harness.call("get_servers", home_user=device))["servers"]
    assert listed["name"] == home.server.name
    response = await harness.call("get_transient_token", home_user=device)
    assert response["home_user"] == "Lina"
    assert harness.state("binary_sensor.sign_in", home.child) == "off"
    assert harness.state("sensor.servers", home.child) == "1"
    event = harness.entity("event.transient_token")
    assert event.attributes["home_user"] == "Lina"


async def test_hints(harness: Harness, entry: MockConfigEntry, home: HomeWorld) -> None:
    """Guests, and users who are already added, are mentioned only where there are such."""
    guests = text("config_subentries.home_user.error.hint_guests")
    added = text("config_subentries.home_user.error.hint_added")
    dialog = await start(harness, entry)
    assert dialog["description_placeholders"]["hints_md"] == guests
    await submit(harness, dialog, home_user=home.managed.uuid)
    await harness.settle()
    dialog = await start(harness, entry)
    assert dialog["description_placeholders"]["hints_md"] == f"{guests} {added}"
    home.home.guest = None
    dialog = await start(harness, entry)
    assert dialog["description_placeholders"]["hints_md"] == added


async def test_nobody_to_add(
    harness: Harness, entry: MockConfigEntry, home: HomeWorld
) -> None:
    """A Home whose others are guests is told from one without others."""
    home.home.members.clear()
    assert (await start(harness, entry))["reason"] == "no_more_home_users"
    home.home.guest = None
    assert (await start(harness, entry))["reason"] == "no_home_users"

"""Accounts whose list at plex.tv is long: a row for each device that ever signed in."""

from datetime import timedelta

from freezegun.api import FrozenDateTimeFactory
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.plex_auth.const import (
    CONF_LAST_KNOWN,
    DOMAIN,
    SUBENTRY_TYPE_SERVER,
)
from homeassistant.config_entries import SOURCE_USER, ConfigEntryState
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.exceptions import ServiceValidationError
from tests.harness import Harness
from tests.helpers import subentry_of
from tests.walks.dialog import Dialog, config_dialog, person, server_dialog
from tests.walks.texts import text
from tests.walks.ways import use_api

MANY, TOO_MANY = 10_000, 20_000
HOUR = timedelta(hours=1, seconds=1)


async def async_sign_in(harness: Harness) -> Dialog:
    """Sign in with Ben's token in a new dialog."""
    dialog = config_dialog(harness.hass, harness.simulator)
    await dialog.start(DOMAIN, source=SOURCE_USER)
    await dialog.walk(use_api(person(harness.simulator, harness.ben)))
    await dialog.choose("token")
    await dialog.submit({"token": harness.ben.sign_in_token("mine")})
    return dialog


async def test_new_user_with_many_devices(harness: Harness) -> None:
    """A new user of a program that signed in 10,000 times chooses servers as usual."""
    harness.ben.phantoms = MANY
    dialog = await async_sign_in(harness)
    assert dialog.step == "servers"
    await dialog.submit({"servers": [harness.server.machine_identifier]})
    assert dialog.type is FlowResultType.CREATE_ENTRY
    await harness.settle()
    assert harness.state("binary_sensor.reachable", harness.ben) == "on"


async def test_new_user_with_too_many_devices(
    harness: Harness, freezer: FrozenDateTimeFactory
) -> None:
    """The sign-in ends well, its last page says what to do, and that helps."""
    harness.ben.phantoms = TOO_MANY
    dialog = await async_sign_in(harness)
    assert dialog.type is FlowResultType.CREATE_ENTRY
    assert dialog.result["description"] == "too_many_devices"
    (entry,) = harness.hass.config_entries.async_entries(DOMAIN)
    await harness.settle()
    assert entry.state is ConfigEntryState.LOADED
    assert harness.state("binary_sensor.sign_in", harness.ben) == "off"
    failure = await harness.failure("get_servers")
    assert isinstance(failure, ServiceValidationError)
    assert str(failure) == (
        "Ben has more devices than Plex Auth can read. Remove unused devices at "
        "plex.tv under Settings > Authorized Devices"
    )
    dialog = server_dialog(harness.hass, harness.simulator)
    await dialog.start((entry.entry_id, SUBENTRY_TYPE_SERVER), source=SOURCE_USER)
    await dialog.choose("listed")
    assert dialog.errors == {"base": "too_many_devices"}
    assert "Authorized Devices" in text(
        "config_subentries.server.error.too_many_devices"
    )
    harness.ben.phantoms = 0
    await dialog.submit()
    await dialog.submit({"server": harness.server.machine_identifier})
    assert dialog.type is FlowResultType.CREATE_ENTRY
    await harness.settle()
    assert harness.state("binary_sensor.reachable", harness.ben) == "on"


@pytest.mark.parametrize(("phantoms", "follows"), [(MANY, True), (TOO_MANY, False)])
async def test_entry_whose_list_grows(
    harness: Harness,
    freezer: FrozenDateTimeFactory,
    entry: MockConfigEntry,
    phantoms: int,
    follows: bool,
) -> None:
    """An entry follows its servers; where the list is too long, it keeps what it knows."""
    harness.anna.phantoms = phantoms
    kept = subentry_of(entry, harness.server).data[CONF_LAST_KNOWN]
    harness.server.rotate_access_tokens()
    await harness.wait(freezer, HOUR)
    await harness.wait(freezer, HOUR)
    token = harness.server.access_token_for(harness.anna)
    known = subentry_of(entry, harness.server).data[CONF_LAST_KNOWN]
    assert known == (kept | {"token": token} if follows else kept)
    assert harness.state("binary_sensor.sign_in") == "off"
    assert harness.state("binary_sensor.reachable") == "on"

"""A user of a Plex Home is added, or switched to again, for tests of something else."""

from typing import Any

from custom_components.plex_auth.const import SUBENTRY_TYPE_HOME_USER
from homeassistant.config_entries import SOURCE_USER, ConfigEntry, ConfigSubentryData
from homeassistant.const import CONF_TOKEN
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType

from .harness import Harness
from .plex_simulator import Account


async def async_add_home_user(
    harness: Harness, entry: ConfigEntry[Any], user: Account
) -> str:
    """Add a user of the Home of Anna's account in the dialog; return the user's device."""
    subentries = harness.hass.config_entries.subentries
    dialog = await subentries.async_init(
        (entry.entry_id, SUBENTRY_TYPE_HOME_USER), context={"source": SOURCE_USER}
    )
    dialog = await subentries.async_configure(
        dialog["flow_id"], {"home_user": user.uuid}
    )
    if user.pin is not None:
        dialog = await subentries.async_configure(dialog["flow_id"], {"pin": user.pin})
    assert dialog["type"] is FlowResultType.CREATE_ENTRY
    await harness.settle()
    return harness.home_user_device(user)


def home_user_data(user: Account) -> ConfigSubentryData:
    """Return the subentry of a Home user, whose servers nobody has listed yet."""
    return ConfigSubentryData(
        data={CONF_TOKEN: user.sign_in_token("client of the switch")},
        subentry_type=SUBENTRY_TYPE_HOME_USER,
        title=user.title,
        unique_id=user.uuid,
    )


def async_switch_again(
    hass: HomeAssistant, entry: ConfigEntry[Any], user: Account
) -> None:
    """Store a new token of a Home user as the dialogs do."""
    subentry = next(
        one for one in entry.subentries.values() if one.unique_id == user.uuid
    )
    token = user.sign_in_token(entry.data["client_identifier"])
    data = {**subentry.data, CONF_TOKEN: token}
    hass.config_entries.async_update_subentry(entry, subentry, data=data)

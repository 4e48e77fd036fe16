"""Buttons of accounts."""

from typing import override

from homeassistant.components.button import ButtonEntity, ButtonEntityDescription
from homeassistant.const import EntityCategory
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .entity import AccountEntity, LastingEntity
from .runtime_data import PlexAuthConfigEntry

PARALLEL_UPDATES = 0

CHECK_NOW = ButtonEntityDescription(
    key="check_now", entity_category=EntityCategory.DIAGNOSTIC
)


async def async_setup_entry(
    hass: HomeAssistant,
    entry: PlexAuthConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Set up the button of an account."""
    async_add_entities([CheckNowButton(entry.runtime_data.account, CHECK_NOW)])


class CheckNowButton(LastingEntity, AccountEntity, ButtonEntity):
    """A button that checks plex.tv and all servers immediately."""

    @override
    async def async_press(self) -> None:
        """Check now; the other entities show the results."""
        entry: PlexAuthConfigEntry = self.coordinator.config_entry
        await entry.runtime_data.async_check_now()

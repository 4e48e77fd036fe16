"""The button of accounts."""

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
    """Add the button of the account."""
    async_add_entities([CheckNowButton(entry.runtime_data.account, CHECK_NOW)])


class CheckNowButton(LastingEntity, AccountEntity, ButtonEntity):
    """Ask plex.tv and all servers at once, whenever they were to be asked next."""

    @override
    async def async_press(self) -> None:
        """Ask; what comes of it is shown by the other entities."""
        entry: PlexAuthConfigEntry = self.coordinator.config_entry
        await entry.runtime_data.async_check_now()

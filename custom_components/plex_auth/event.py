"""Event entities of accounts and servers."""

from typing import override

from homeassistant.components.event import EventEntity, EventEntityDescription
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .account_memory import DeviceEvent
from .api.devices import Device
from .const import ATTR_HOME_USER
from .devices_coordinator import DevicesCoordinator
from .entity import AccountEntity, LastingEntity, ServerEntity
from .responses import device_event_attributes
from .runtime_data import PlexAuthConfigEntry
from .server_coordinator import ServerCoordinator
from .transient_tokens import TransientTokenEvent

PARALLEL_UPDATES = 0

AUTHORIZED_DEVICE = EventEntityDescription(
    key="authorized_device",
    event_types=[event.value for event in DeviceEvent],
)
TRANSIENT_TOKEN = EventEntityDescription(
    key="transient_token",
    event_types=[event.value for event in TransientTokenEvent],
)


async def async_setup_entry(
    hass: HomeAssistant,
    entry: PlexAuthConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Set up the event entities of an account and its servers."""
    data = entry.runtime_data
    async_add_entities([AuthorizedDeviceEventEntity(data.devices, AUTHORIZED_DEVICE)])

    @callback
    def async_add_server(server: ServerCoordinator) -> None:
        async_add_entities(
            [TransientTokenEventEntity(server, TRANSIENT_TOKEN)],
            config_subentry_id=server.subentry.subentry_id,
        )

    data.servers.async_listen(async_add_server)


class AuthorizedDeviceEventEntity(
    LastingEntity, AccountEntity[DevicesCoordinator], EventEntity
):
    """An event entity for devices that are added to or removed from an account."""

    @override
    async def async_added_to_hass(self) -> None:
        """Listen to the account's devices."""
        await super().async_added_to_hass()
        self.async_on_remove(self.coordinator.async_listen(self._async_handle_event))

    @callback
    def _async_handle_event(
        self, event: DeviceEvent, device_id: int, device: Device | None
    ) -> None:
        """Fire an event with the details that identify the device."""
        self._trigger_event(event, device_event_attributes(device_id, device))
        self.async_write_ha_state()


class TransientTokenEventEntity(LastingEntity, ServerEntity, EventEntity):
    """An event entity for the transient tokens that a server issued to us."""

    @override
    async def async_added_to_hass(self) -> None:
        """Listen to the server's token."""
        await super().async_added_to_hass()
        self.async_on_remove(
            self.coordinator.issued_token.listen(self._async_handle_event)
        )

    @callback
    def _async_handle_event(
        self, event: TransientTokenEvent, home_user: str | None
    ) -> None:
        """Fire an event with the name of the token's Home user, if any."""
        self._trigger_event(event, {ATTR_HOME_USER: home_user} if home_user else None)
        self.async_write_ha_state()

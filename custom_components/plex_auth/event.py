"""The event entity of servers."""

from typing import override

from homeassistant.components.event import EventEntity, EventEntityDescription
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .entity import LastingServerEntity
from .runtime_data import PlexAuthConfigEntry
from .server_coordinator import ServerCoordinator
from .transient_tokens import TransientTokenEvent

PARALLEL_UPDATES = 0

TRANSIENT_TOKEN = EventEntityDescription(
    key="transient_token",
    event_types=[event.value for event in TransientTokenEvent],
)


async def async_setup_entry(
    hass: HomeAssistant,
    entry: PlexAuthConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Add the event entity of each server."""

    @callback
    def async_add_server(server: ServerCoordinator) -> None:
        async_add_entities(
            [TransientTokenEventEntity(server, TRANSIENT_TOKEN)],
            config_subentry_id=server.subentry.subentry_id,
        )

    entry.runtime_data.async_listen(async_add_server)


class TransientTokenEventEntity(LastingServerEntity, EventEntity):
    """Tell what happens to the transient tokens that a server issued to us."""

    @override
    async def async_added_to_hass(self) -> None:
        """Listen to the server's token."""
        await super().async_added_to_hass()
        self.async_on_remove(
            self.coordinator.issued_token.listen(self._async_handle_event)
        )

    @callback
    def _async_handle_event(self, event: TransientTokenEvent) -> None:
        """Show an event."""
        self._trigger_event(event)
        self.async_write_ha_state()

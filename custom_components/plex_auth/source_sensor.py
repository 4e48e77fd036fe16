"""Sensors of watched sources, which are added and removed with them."""

from typing import Any, Final, override

from homeassistant.components.sensor import (
    DOMAIN as SENSOR_DOMAIN,
    SensorDeviceClass,
    SensorEntity,
)
from homeassistant.const import ATTR_CONNECTIONS, ATTR_NAME
from homeassistant.core import callback
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .api.connections import ConnectionKind, best_connection, connection_kind
from .const import ATTR_SOURCE
from .entity import SourceEntity, registered_entity, server_unique_id
from .server_coordinator import ServerCoordinator

_NO_CONNECTION: Final = "no_connection"


@callback
def async_follow_sources(
    server: ServerCoordinator, async_add_entities: AddConfigEntryEntitiesCallback
) -> None:
    """Keep one sensor for each watched source."""
    shown = set[str]()

    @callback
    def async_follow() -> None:
        watched = set(server.sources.watched)
        if shown == watched:
            return
        _remove_unwatched_sources(server, watched)
        async_add_entities(
            (SourceSensor(server, source) for source in watched - shown),
            config_subentry_id=server.subentry.subentry_id,
        )
        shown.clear()
        shown.update(watched)

    _remove_unwatched_sources(server, set(server.sources.watched))
    async_follow()
    server.async_on_shutdown(server.async_add_listener(async_follow))


class SourceSensor(SourceEntity, SensorEntity):
    """A sensor for the best connection to a source."""

    _attr_device_class = SensorDeviceClass.ENUM
    _attr_options = [
        ConnectionKind.LOCAL.value,
        ConnectionKind.REMOTE.value,
        ConnectionKind.RELAY.value,
        _NO_CONNECTION,
    ]
    _attr_translation_key = "source"
    _unrecorded_attributes = frozenset({ATTR_CONNECTIONS})

    def __init__(self, server: ServerCoordinator, source: str) -> None:
        """Initialize with the source's current name, or its last one."""
        super().__init__(server, source)
        self._source_name = self._find_source_name()
        self._attr_translation_placeholders = {"source": self._source_name or source}
        if self._source_name is None:
            entity = registered_entity(server.hass, SENSOR_DOMAIN, self)
            if entity is not None:
                self._attr_name = entity.original_name

    @override
    @callback
    def _handle_coordinator_update(self) -> None:
        """Update the source's name if it has changed."""
        name = self._find_source_name()
        if name is not None and name != self._source_name:
            self._source_name = name
            self._attr_translation_placeholders = {"source": name}
            # Setting another name clears the one that Home Assistant has cached.
            self._attr_name = name
            del self._attr_name
        super()._handle_coordinator_update()

    @property
    @override
    def native_value(self) -> str:
        """Return the kind of the best connection listed."""
        best = best_connection(self.coordinator.data[self._source].connections)
        return connection_kind(best) if best else _NO_CONNECTION

    @property
    @override
    def extra_state_attributes(self) -> dict[str, Any]:
        """Return the source's name, ID, and addresses, but not its token."""
        source = self.coordinator.data[self._source]
        return {
            ATTR_NAME: source.name,
            ATTR_SOURCE: self._source,
            ATTR_CONNECTIONS: [connection.uri for connection in source.connections],
        }

    def _find_source_name(self) -> str | None:
        """Return the source's name from the server, or else from plex.tv."""
        if self.available and (name := self.coordinator.data[self._source].name):
            return name
        listed = self._server.account.servers.get(self._source.partition("://")[2])
        return listed.name if listed else None


def _remove_unwatched_sources(server: ServerCoordinator, watched: set[str]) -> None:
    """Remove the sensors of sources that are no longer watched."""
    registry = er.async_get(server.hass)
    prefix = server_unique_id(server, "source_")
    kept = {f"{prefix}{source}" for source in watched}
    for entity in er.async_entries_for_config_entry(
        registry, server.config_entry.entry_id
    ):
        if entity.unique_id.startswith(prefix) and entity.unique_id not in kept:
            registry.async_remove(entity.entity_id)

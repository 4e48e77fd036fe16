"""Devices and base entities of accounts and servers."""

from functools import partial
from typing import Any, override

from homeassistant.config_entries import ConfigEntry, ConfigSubentry
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import device_registry as dr, entity_registry as er
from homeassistant.helpers.device_registry import (
    DeviceEntryType,
    DeviceInfo,
    async_get_device_id_by_identifier,
)
from homeassistant.helpers.entity import Entity, EntityDescription
from homeassistant.helpers.update_coordinator import (
    CoordinatorEntity,
    DataUpdateCoordinator,
)

from .const import DOMAIN
from .coordinator import AccountCoordinator
from .runtime_data import PlexAuthConfigEntry
from .server_coordinator import ServerCoordinator, SourceCoordinator

_plex_device = partial(
    DeviceInfo, entry_type=DeviceEntryType.SERVICE, manufacturer="Plex"
)


class LastingEntity(Entity):
    """An entity that stays available while plex.tv or its server is away."""

    @property
    @override
    def available(self) -> bool:
        """Return true."""
        return True


class _DescribedEntity[CoordinatorT: DataUpdateCoordinator[Any]](
    CoordinatorEntity[CoordinatorT]
):
    """A base entity that is available once its coordinator has data."""

    _attr_has_entity_name = True

    def __init__(
        self,
        coordinator: CoordinatorT,
        description: EntityDescription,
        unique_id: str,
        device_info: DeviceInfo,
    ) -> None:
        """Initialize from a description."""
        super().__init__(coordinator)
        self.entity_description = description
        self._attr_translation_key = description.key
        self._attr_unique_id = unique_id
        self._attr_device_info = device_info

    @property
    @override
    def available(self) -> bool:
        """Return whether the last poll succeeded."""
        return super().available and self.coordinator.data is not None


class AccountEntity[CoordinatorT: DataUpdateCoordinator[Any] = AccountCoordinator](
    _DescribedEntity[CoordinatorT]
):
    """An entity of an account, or of its devices if given their coordinator."""

    def __init__(
        self, coordinator: CoordinatorT, description: EntityDescription
    ) -> None:
        """Initialize with a unique ID from the account's UUID, which never changes."""
        entry = coordinator.config_entry
        assert entry is not None
        unique_id = f"{entry.unique_id}_{description.key}"
        super().__init__(
            coordinator, description, unique_id, account_device_info(entry)
        )


class ServerEntity(_DescribedEntity[ServerCoordinator]):
    """An entity of a server."""

    def __init__(
        self, coordinator: ServerCoordinator, description: EntityDescription
    ) -> None:
        """Initialize with the account in the unique ID: two may share a server."""
        unique_id = server_unique_id(coordinator, description.key)
        device_info = server_device_info(coordinator)
        super().__init__(coordinator, description, unique_id, device_info)


class SourceEntity(CoordinatorEntity[SourceCoordinator]):
    """An entity of a source that a server knows."""

    _attr_has_entity_name = True

    def __init__(self, server: ServerCoordinator, source: str) -> None:
        """Initialize with a unique ID from the server and the source."""
        super().__init__(server.sources)
        self._server = server
        self._source = source
        self._attr_unique_id = server_unique_id(server, f"source_{source}")
        self._attr_device_info = server_device_info(server)

    @property
    @override
    def available(self) -> bool:
        """Return whether the server is reached and reports the source."""
        return (
            self._server.is_reached
            and self.coordinator.data is not None
            and self._source in self.coordinator.data
        )

    @override
    async def async_added_to_hass(self) -> None:
        """Listen to the server's poll too."""
        await super().async_added_to_hass()
        self.async_on_remove(
            self._server.async_add_listener(self._handle_coordinator_update)
        )


def server_unique_id(server: ServerCoordinator, key: str) -> str:
    """Return the unique ID of a server's entity."""
    return f"{server.config_entry.unique_id}_{server.machine_identifier}_{key}"


def registered_entity(
    hass: HomeAssistant, platform: str, entity: Entity
) -> er.RegistryEntry | None:
    """Return the registry entry of an entity that is not yet added."""
    registry = er.async_get(hass)
    entity_id = registry.async_get_entity_id(platform, DOMAIN, str(entity.unique_id))
    return registry.async_get(entity_id) if entity_id else None


@callback
def async_follow_device(server: ServerCoordinator) -> None:
    """Keep the name and software version of a server's device up to date."""
    registry = dr.async_get(server.hass)

    @callback
    def async_update() -> None:
        device = registry.async_get_device_by_identifier(
            server_identifier(server.config_entry, server.subentry),
            server.config_entry.entry_id,
        )
        if device is not None:
            registry.async_update_device(
                device.id, name=server.subentry.title, sw_version=server.access.version
            )

    server.async_on_shutdown(server.async_add_listener(async_update))


def server_device_info(server: ServerCoordinator) -> DeviceInfo:
    """Return the device information of a server."""
    entry = server.config_entry
    return _plex_device(
        configuration_url="https://app.plex.tv/desktop/#!/settings/server",
        identifiers={server_identifier(entry, server.subentry)},
        model="Plex Media Server",
        name=server.subentry.title,
        sw_version=server.access.version,
        via_device_id=async_get_device_id_by_identifier(
            server.hass, _account_identifier(entry), config_entry_id=entry.entry_id
        ),
    )


def account_device_info(entry: PlexAuthConfigEntry) -> DeviceInfo:
    """Return the device information of an account."""
    return _plex_device(
        configuration_url="https://app.plex.tv/desktop/#!/settings/account",
        identifiers={_account_identifier(entry)},
        model="Plex account",
        name=entry.title,
    )


def server_identifier(
    entry: ConfigEntry[Any], subentry: ConfigSubentry
) -> tuple[str, str]:
    """Return the identifier of a server's device."""
    return DOMAIN, f"{entry.unique_id}_{subentry.unique_id}"


def _account_identifier(entry: PlexAuthConfigEntry) -> tuple[str, str]:
    """Return the identifier of an account's device."""
    assert entry.unique_id is not None
    return DOMAIN, entry.unique_id

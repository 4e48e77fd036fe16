"""Devices, and what the entities of accounts and of servers have in common."""

from homeassistant.helpers.device_registry import (
    DeviceEntryType,
    DeviceInfo,
    async_get_device_id_by_identifier,
)
from homeassistant.helpers.entity import EntityDescription
from homeassistant.helpers.update_coordinator import CoordinatorEntity

from .const import DOMAIN
from .coordinator import (
    AccountCoordinator,
    PlexAuthConfigEntry,
    ServerCoordinator,
    SourceCoordinator,
)


class AccountEntity(CoordinatorEntity[AccountCoordinator]):
    """Show an account."""

    _attr_has_entity_name = True

    def __init__(
        self, coordinator: AccountCoordinator, description: EntityDescription
    ) -> None:
        """Name the entity after the account's uuid, which never changes."""
        super().__init__(coordinator)
        entry = coordinator.config_entry
        self.entity_description = description
        self._attr_translation_key = description.key
        self._attr_unique_id = f"{entry.unique_id}_{description.key}"
        self._attr_device_info = account_device_info(entry)


class ServerEntity(CoordinatorEntity[ServerCoordinator]):
    """Show a server."""

    _attr_has_entity_name = True

    def __init__(
        self, coordinator: ServerCoordinator, description: EntityDescription
    ) -> None:
        """Name the entity after account and server: two accounts may share a server."""
        super().__init__(coordinator)
        self.entity_description = description
        self._attr_translation_key = description.key
        self._attr_unique_id = server_unique_id(coordinator, description.key)
        self._attr_device_info = server_device_info(coordinator)


class SourceEntity(CoordinatorEntity[SourceCoordinator]):
    """Show a source that a server knows."""

    _attr_has_entity_name = True

    def __init__(self, coordinator: SourceCoordinator, source: str) -> None:
        """Name the entity after the server that is asked and the source."""
        super().__init__(coordinator)
        self._source = source
        self._attr_unique_id = server_unique_id(coordinator.server, f"source_{source}")
        self._attr_device_info = server_device_info(coordinator.server)


def server_unique_id(server: ServerCoordinator, key: str) -> str:
    """Return the unique id of an entity of a server."""
    return f"{server.config_entry.unique_id}_{server.machine_identifier}_{key}"


def server_device_info(server: ServerCoordinator) -> DeviceInfo:
    """Return the device that stands for a server."""
    entry = server.config_entry
    return DeviceInfo(
        configuration_url="https://app.plex.tv/desktop/#!/settings/server",
        entry_type=DeviceEntryType.SERVICE,
        identifiers={(DOMAIN, f"{entry.unique_id}_{server.machine_identifier}")},
        manufacturer="Plex",
        model="Plex Media Server",
        name=server.subentry.title,
        sw_version=server.access.version,
        via_device_id=async_get_device_id_by_identifier(
            server.hass, _account_identifier(entry), config_entry_id=entry.entry_id
        ),
    )


def account_device_info(entry: PlexAuthConfigEntry) -> DeviceInfo:
    """Return the device that stands for an account."""
    return DeviceInfo(
        configuration_url="https://app.plex.tv/desktop/#!/settings/account",
        entry_type=DeviceEntryType.SERVICE,
        identifiers={_account_identifier(entry)},
        manufacturer="Plex",
        model="Plex",
        name=entry.title,
    )


def _account_identifier(entry: PlexAuthConfigEntry) -> tuple[str, str]:
    """Return the identifier of an account's device."""
    assert entry.unique_id is not None
    return DOMAIN, entry.unique_id

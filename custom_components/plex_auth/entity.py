"""Devices and base entities of accounts and servers."""

from collections.abc import Callable
from functools import partial
from typing import Any, override
from urllib.parse import quote

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
from .coordinator import AccountCoordinator, SubentryCoordinator
from .home_user_coordinator import HomeUserCoordinator
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


class HomeUserEntity(_DescribedEntity[HomeUserCoordinator]):
    """An entity of a Home user."""

    def __init__(
        self, coordinator: HomeUserCoordinator, description: EntityDescription
    ) -> None:
        """Initialize with a unique ID from the account's and the user's UUIDs."""
        device_info = home_user_device_info(coordinator)
        _, identifier = _home_user_identifier(coordinator)
        unique_id = f"{identifier}_{description.key}"
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
def async_follow_server(server: ServerCoordinator) -> None:
    """Keep the name and software version of a server's device up to date."""
    _async_follow_device(server, lambda: server_device_info(server))


@callback
def async_follow_home_user(user: HomeUserCoordinator) -> None:
    """Keep the name of a Home user's device up to date."""
    _async_follow_device(user, lambda: home_user_device_info(user))


@callback
def _async_follow_device(
    coordinator: SubentryCoordinator[Any], device_info: Callable[[], DeviceInfo]
) -> None:
    """Keep the name and software version of a device up to date."""
    registry, entry = dr.async_get(coordinator.hass), coordinator.config_entry

    @callback
    def async_update() -> None:
        info = device_info()
        (identifier,) = info["identifiers"]
        device = registry.async_get_device_by_identifier(identifier, entry.entry_id)
        if device is not None:
            registry.async_update_device(
                device.id, name=info["name"], sw_version=info.get("sw_version")
            )

    coordinator.async_on_shutdown(coordinator.async_add_listener(async_update))


def server_device_info(server: ServerCoordinator) -> DeviceInfo:
    """Return the device information of a server."""
    entry = server.config_entry
    return _plex_device(
        configuration_url=_server_page(server.machine_identifier),
        identifiers={server_identifier(entry, server.subentry)},
        model="Plex Media Server",
        name=server.subentry.title,
        sw_version=server.access.version,
        via_device_id=_account_device_id(server.hass, entry),
    )


def _server_page(machine_identifier: str) -> str:
    """Return the address of a server's page in Plex Web (plex-api.md §21.3)."""
    server = quote(machine_identifier, safe="")
    return f"https://app.plex.tv/desktop/#!/media/{server}/com.plexapp.plugins.library"


def home_user_device_info(user: HomeUserCoordinator) -> DeviceInfo:
    """Return the device information of a Home user."""
    entry = user.config_entry
    return _plex_device(
        identifiers={_home_user_identifier(user)},
        model="Plex Home user",
        name=user.subentry.title,
        via_device_id=_account_device_id(user.hass, entry),
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


def _home_user_identifier(user: HomeUserCoordinator) -> tuple[str, str]:
    """Return the identifier of a Home user's device."""
    account = user.config_entry.unique_id
    return DOMAIN, f"{account}_home_user_{user.subentry.unique_id}"


def _account_device_id(hass: HomeAssistant, entry: ConfigEntry[Any]) -> str:
    """Return the ID of an account's device."""
    return async_get_device_id_by_identifier(
        hass, _account_identifier(entry), config_entry_id=entry.entry_id
    )


def _account_identifier(entry: ConfigEntry[Any]) -> tuple[str, str]:
    """Return the identifier of an account's device."""
    assert entry.unique_id is not None
    return DOMAIN, entry.unique_id

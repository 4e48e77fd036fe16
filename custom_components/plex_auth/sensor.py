"""Sensors of accounts and servers."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, override

from homeassistant.components.sensor import (
    SensorDeviceClass,
    SensorEntity,
    SensorEntityDescription,
)
from homeassistant.const import EntityCategory
from homeassistant.core import HomeAssistant
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback
from homeassistant.helpers.typing import StateType

from .api.connections import ConnectionKind, best_connection, connection_kind
from .api.models import SubscriptionPeriod
from .const import CONF_SOURCES
from .coordinator import (
    AccountCoordinator,
    PlexAuthConfigEntry,
    ServerCoordinator,
    SourceCoordinator,
)
from .entity import AccountEntity, ServerEntity, SourceEntity, server_unique_id

PARALLEL_UPDATES = 0

ATTR_CONNECTIONS: Final = "connections"
ATTR_SOURCE: Final = "source"
ATTR_NAME: Final = "name"

_LONGEST_STATE: Final = 255
_NO_CONNECTION: Final = "no_connection"

# Plex writes these with capitals; translations of states need lower case (§1.1).
_SUBSCRIPTION_STATUSES: Final = {
    "Active": "active",
    "Canceled": "canceled",
    "Ended": "ended",
    "Inactive": "inactive",
    "Lapsed": "lapsed",
    "PendingCancellation": "pending_cancellation",
}

type SensorValue = StateType | datetime


@dataclass(frozen=True, kw_only=True)
class PlexSensorDescription[CoordinatorT](SensorEntityDescription):
    """Describe a sensor by how it reads its coordinator."""

    value_fn: Callable[[CoordinatorT], SensorValue]


def _status(coordinator: AccountCoordinator) -> str | None:
    """Return the status: known values by their key, others as Plex gives them."""
    status = coordinator.data.details.subscription.status
    return _SUBSCRIPTION_STATUSES.get(status, status) if status else None


def _first(
    coordinator: AccountCoordinator,
    moment_of: Callable[[SubscriptionPeriod], datetime | None],
) -> datetime | None:
    """Return the earliest moment that the active subscriptions name."""
    moments = (
        moment_of(period)
        for period in coordinator.data.details.subscriptions
        if period.state == "active"
    )
    return min((moment for moment in moments if moment), default=None)


ACCOUNT_SENSORS: tuple[PlexSensorDescription[AccountCoordinator], ...] = (
    PlexSensorDescription(
        key="subscription_status",
        value_fn=_status,
    ),
    PlexSensorDescription(
        key="subscription_plan",
        value_fn=lambda coordinator: coordinator.data.details.subscription.plan,
    ),
    PlexSensorDescription(
        key="subscription_renews",
        device_class=SensorDeviceClass.TIMESTAMP,
        value_fn=lambda coordinator: _first(
            coordinator, lambda period: period.renews_at
        ),
    ),
    PlexSensorDescription(
        key="subscription_ends",
        device_class=SensorDeviceClass.TIMESTAMP,
        value_fn=lambda coordinator: _first(coordinator, lambda period: period.ends_at),
    ),
    PlexSensorDescription(
        key="token_last_verified",
        device_class=SensorDeviceClass.TIMESTAMP,
        entity_category=EntityCategory.DIAGNOSTIC,
        value_fn=lambda coordinator: coordinator.data.verified_at,
    ),
    PlexSensorDescription(
        key="servers",
        entity_category=EntityCategory.DIAGNOSTIC,
        value_fn=lambda coordinator: (
            len(coordinator.servers) if coordinator.servers.is_known else None
        ),
    ),
    PlexSensorDescription(
        key="home_users",
        entity_category=EntityCategory.DIAGNOSTIC,
        entity_registry_enabled_default=False,
        value_fn=lambda coordinator: coordinator.data.details.home_size,
    ),
    PlexSensorDescription(
        key="account_created",
        device_class=SensorDeviceClass.TIMESTAMP,
        entity_category=EntityCategory.DIAGNOSTIC,
        entity_registry_enabled_default=False,
        value_fn=lambda coordinator: coordinator.data.details.joined_at,
    ),
    PlexSensorDescription(
        key="sign_in_remembered_until",
        device_class=SensorDeviceClass.TIMESTAMP,
        entity_category=EntityCategory.DIAGNOSTIC,
        entity_registry_enabled_default=False,
        value_fn=lambda coordinator: coordinator.data.details.remember_expires_at,
    ),
)

SERVER_SENSORS: tuple[PlexSensorDescription[ServerCoordinator], ...] = (
    PlexSensorDescription(
        key="connection",
        device_class=SensorDeviceClass.ENUM,
        options=[kind.value for kind in ConnectionKind],
        value_fn=lambda coordinator: coordinator.data.route.kind,
    ),
    PlexSensorDescription(
        key="transient_token_expires",
        device_class=SensorDeviceClass.TIMESTAMP,
        value_fn=lambda coordinator: (
            token.expires_at if (token := coordinator.issued_token.token) else None
        ),
    ),
    PlexSensorDescription(
        key="version",
        entity_category=EntityCategory.DIAGNOSTIC,
        entity_registry_enabled_default=False,
        value_fn=lambda coordinator: coordinator.data.version,
    ),
)


async def async_setup_entry(
    hass: HomeAssistant,
    entry: PlexAuthConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Add the sensors of an account and of its servers."""
    data = entry.runtime_data
    async_add_entities(
        AccountSensor(data.account, description) for description in ACCOUNT_SENSORS
    )
    for subentry_id, server in data.servers.items():
        async_add_entities(
            (ServerSensor(server, description) for description in SERVER_SENSORS),
            config_subentry_id=subentry_id,
        )
        _remove_unwatched_sources(hass, entry, server)
    for subentry_id, sources in data.sources.items():
        async_add_entities(
            (SourceSensor(sources, source) for source in sources.watched),
            config_subentry_id=subentry_id,
        )


class AccountSensor(AccountEntity, SensorEntity):
    """Show a fact of an account."""

    entity_description: PlexSensorDescription[AccountCoordinator]

    @property
    @override
    def native_value(self) -> SensorValue:
        """Return the fact, None where Plex does not tell it."""
        return _state(self.entity_description.value_fn(self.coordinator))


class ServerSensor(ServerEntity, SensorEntity):
    """Show a fact of a server."""

    entity_description: PlexSensorDescription[ServerCoordinator]

    @property
    @override
    def native_value(self) -> SensorValue:
        """Return the fact, None where it is not known."""
        return _state(self.entity_description.value_fn(self.coordinator))


class SourceSensor(SourceEntity, SensorEntity):
    """Show the best connection to a source of a server."""

    _attr_device_class = SensorDeviceClass.ENUM
    _attr_options = [
        ConnectionKind.LOCAL.value,
        ConnectionKind.REMOTE.value,
        ConnectionKind.RELAY.value,
        _NO_CONNECTION,
    ]
    _attr_translation_key = "source"
    _unrecorded_attributes = frozenset({ATTR_CONNECTIONS})

    def __init__(self, coordinator: SourceCoordinator, source: str) -> None:
        """Name the sensor as the source is called, if that is known."""
        super().__init__(coordinator, source)
        self._attr_translation_placeholders = {"source": self._source_name or source}

    @property
    @override
    def available(self) -> bool:
        """Return whether the server was asked and knows the source."""
        return super().available and self._source in self.coordinator.data

    @property
    @override
    def native_value(self) -> str:
        """Return the kind of the best connection listed."""
        best = best_connection(self.coordinator.data[self._source].connections)
        return connection_kind(best) if best else _NO_CONNECTION

    @property
    @override
    def extra_state_attributes(self) -> dict[str, Any]:
        """Return what the source is and where: addresses, never its token."""
        source = self.coordinator.data[self._source]
        return {
            ATTR_NAME: source.name,
            ATTR_SOURCE: self._source,
            ATTR_CONNECTIONS: [connection.uri for connection in source.connections],
        }

    @property
    def _source_name(self) -> str | None:
        """Return the source's name as the server tells it, else as plex.tv lists it."""
        if self.available and (name := self.coordinator.data[self._source].name):
            return name
        listed = self.coordinator.server.account.servers.get(
            self._source.partition("://")[2]
        )
        return listed.name if listed else None


def _remove_unwatched_sources(
    hass: HomeAssistant, entry: PlexAuthConfigEntry, server: ServerCoordinator
) -> None:
    """Remove the sensors of sources that are watched no longer."""
    registry = er.async_get(hass)
    prefix = server_unique_id(server, "source_")
    watched = {
        f"{prefix}{source}" for source in server.subentry.data.get(CONF_SOURCES, ())
    }
    for entity in er.async_entries_for_config_entry(registry, entry.entry_id):
        if entity.unique_id.startswith(prefix) and entity.unique_id not in watched:
            registry.async_remove(entity.entity_id)


def _state(value: SensorValue) -> SensorValue:
    """Return a value that Home Assistant can show: it refuses longer texts."""
    return value[:_LONGEST_STATE] if isinstance(value, str) else value

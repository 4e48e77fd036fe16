"""Sensors of accounts and servers."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, override

from homeassistant.components.sensor import (
    DOMAIN as SENSOR_DOMAIN,
    SensorDeviceClass,
    SensorEntity,
    SensorEntityDescription,
)
from homeassistant.const import EntityCategory
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback
from homeassistant.helpers.typing import StateType

from .api.connections import ConnectionKind, best_connection, connection_kind
from .api.models import SubscriptionPeriod
from .const import DOMAIN
from .coordinator import AccountCoordinator
from .entity import AccountEntity, ServerEntity, SourceEntity, server_unique_id
from .runtime_data import PlexAuthConfigEntry
from .server_coordinator import ServerCoordinator

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


def _rare[CoordinatorT](
    key: str,
    value_fn: Callable[[CoordinatorT], SensorValue],
    device_class: SensorDeviceClass | None = None,
) -> PlexSensorDescription[CoordinatorT]:
    """Describe a sensor for diagnosis that few people need."""
    return PlexSensorDescription(
        key=key,
        device_class=device_class,
        entity_category=EntityCategory.DIAGNOSTIC,
        entity_registry_enabled_default=False,
        value_fn=value_fn,
    )


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
        key="sign_in_last_verified",
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
    _rare("plex_home_users", lambda coordinator: coordinator.data.details.home_size),
    _rare(
        "account_created",
        lambda coordinator: coordinator.data.details.joined_at,
        SensorDeviceClass.TIMESTAMP,
    ),
    _rare(
        "sign_in_remembered_until",
        lambda coordinator: coordinator.data.details.remember_expires_at,
        SensorDeviceClass.TIMESTAMP,
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
    _rare("version", lambda coordinator: coordinator.data.version),
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

    @callback
    def async_add_server(server: ServerCoordinator) -> None:
        shown = set[str]()

        @callback
        def async_follow_sources() -> None:
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

        async_add_entities(
            (ServerSensor(server, description) for description in SERVER_SENSORS),
            config_subentry_id=server.subentry.subentry_id,
        )
        _remove_unwatched_sources(server, set(server.sources.watched))
        async_follow_sources()
        server.async_on_shutdown(server.async_add_listener(async_follow_sources))

    data.async_listen(async_add_server)


class _DescribedSensor(SensorEntity):
    """Show what a description reads of the coordinator."""

    coordinator: Any
    entity_description: PlexSensorDescription[Any]

    @property
    @override
    def native_value(self) -> SensorValue:
        """Return the value, None where Plex does not tell it."""
        return _state(self.entity_description.value_fn(self.coordinator))


class AccountSensor(AccountEntity, _DescribedSensor):
    """Show a fact of an account."""


class ServerSensor(ServerEntity, _DescribedSensor):
    """Show a fact of a server."""


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

    def __init__(self, server: ServerCoordinator, source: str) -> None:
        """Name the sensor as the source is called, or was called last."""
        super().__init__(server, source)
        self._source_name = self._find_source_name()
        self._attr_translation_placeholders = {"source": self._source_name or source}
        if self._source_name is None:
            registry = er.async_get(server.hass)
            entity_id = registry.async_get_entity_id(
                SENSOR_DOMAIN, DOMAIN, str(self.unique_id)
            )
            if entity_id is not None:
                self._attr_name = registry.entities[entity_id].original_name

    @override
    @callback
    def _handle_coordinator_update(self) -> None:
        """Take a new name of the source when it comes."""
        name = self._find_source_name()
        if name is not None and name != self._source_name:
            self._source_name = name
            self._attr_translation_placeholders = {"source": name}
            # Home Assistant keeps the name that it has made until another one is set.
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
        """Return what the source is and where: addresses, never its token."""
        source = self.coordinator.data[self._source]
        return {
            ATTR_NAME: source.name,
            ATTR_SOURCE: self._source,
            ATTR_CONNECTIONS: [connection.uri for connection in source.connections],
        }

    def _find_source_name(self) -> str | None:
        """Return the source's name as the server tells it, else as plex.tv lists it."""
        if self.available and (name := self.coordinator.data[self._source].name):
            return name
        listed = self._server.account.servers.get(self._source.partition("://")[2])
        return listed.name if listed else None


def _remove_unwatched_sources(server: ServerCoordinator, watched: set[str]) -> None:
    """Remove the sensors of sources that are watched no longer."""
    registry = er.async_get(server.hass)
    prefix = server_unique_id(server, "source_")
    kept = {f"{prefix}{source}" for source in watched}
    for entity in er.async_entries_for_config_entry(
        registry, server.config_entry.entry_id
    ):
        if entity.unique_id.startswith(prefix) and entity.unique_id not in kept:
            registry.async_remove(entity.entity_id)


def _state(value: SensorValue) -> SensorValue:
    """Return a value that Home Assistant can show: it refuses longer texts."""
    return value[:_LONGEST_STATE] if isinstance(value, str) else value

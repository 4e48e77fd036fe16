"""Sensors of accounts, servers, and Home users."""

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
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback
from homeassistant.helpers.typing import StateType
from homeassistant.util import dt as dt_util

from .api.connections import ConnectionKind
from .api.devices import Device, newest_first
from .api.models import SubscriptionPeriod
from .coordinator import AccountCoordinator
from .devices_coordinator import DevicesCoordinator
from .entity import AccountEntity, HomeUserEntity, ServerEntity, registered_entity
from .home_user_coordinator import HomeUserCoordinator
from .responses import NEWEST_DEVICE, newest_device_attributes
from .runtime_data import PlexAuthConfigEntry
from .server_coordinator import ServerCoordinator
from .source_sensor import async_follow_sources

PARALLEL_UPDATES = 0

ATTR_URI: Final = "uri"

_MAX_STATE_LENGTH: Final = 255

# Plex capitalizes these; translations of states need lower case (§1.1).
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
    """Description of a sensor that reads its coordinator."""

    value_fn: Callable[[CoordinatorT], SensorValue]


def _status(coordinator: AccountCoordinator) -> str | None:
    """Return the subscription's status: the key of a known one, or Plex's own value."""
    status = coordinator.data.details.subscription.status
    return _SUBSCRIPTION_STATUSES.get(status, status) if status else None


def _first(
    coordinator: AccountCoordinator,
    moment_of: Callable[[SubscriptionPeriod], datetime | None],
) -> datetime | None:
    """Return the earliest date among the current subscriptions.

    It is None if one of them never ends, as a lifetime Plex Pass.
    """
    current = coordinator.data.details.current_subscriptions(dt_util.utcnow())
    if any(period.is_endless for period in current):
        return None
    moments = (moment_of(period) for period in current)
    return min((moment for moment in moments if moment), default=None)


def _newest_device(coordinator: DevicesCoordinator) -> Device | None:
    """Return the device that signed in last, other than this Home Assistant."""
    devices = newest_first((coordinator.data or {}).values())
    return next((one for one in devices if not coordinator.is_own(one)), None)


def _rare[CoordinatorT](
    key: str,
    value_fn: Callable[[CoordinatorT], SensorValue],
    device_class: SensorDeviceClass | None = None,
) -> PlexSensorDescription[CoordinatorT]:
    """Describe a diagnostic sensor that is disabled by default."""
    return PlexSensorDescription(
        key=key,
        device_class=device_class,
        entity_category=EntityCategory.DIAGNOSTIC,
        entity_registry_enabled_default=False,
        value_fn=value_fn,
    )


# Created when Plex first reports a value.
SUBSCRIPTION_SENSORS: tuple[PlexSensorDescription[AccountCoordinator], ...] = (
    PlexSensorDescription(
        key="subscription_status",
        entity_category=EntityCategory.DIAGNOSTIC,
        value_fn=_status,
    ),
    PlexSensorDescription(
        key="subscription_plan",
        entity_category=EntityCategory.DIAGNOSTIC,
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
)

SIGN_IN_LAST_VERIFIED: PlexSensorDescription[AccountCoordinator] = _rare(
    "sign_in_last_verified",
    lambda coordinator: coordinator.data.verified_at,
    SensorDeviceClass.TIMESTAMP,
)

ACCOUNT_SENSORS: tuple[PlexSensorDescription[AccountCoordinator], ...] = (
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

AUTHORIZED_DEVICES: PlexSensorDescription[DevicesCoordinator] = _rare(
    "authorized_devices", lambda coordinator: len(coordinator.data or ())
)

HOME_USER_SERVERS: PlexSensorDescription[HomeUserCoordinator] = PlexSensorDescription(
    key="servers",
    entity_category=EntityCategory.DIAGNOSTIC,
    value_fn=lambda coordinator: len(coordinator.data or ()),
)

# Created when plex.tv first lists the devices: managed users may not ask for them.
NEWEST_AUTHORIZED_DEVICE: PlexSensorDescription[DevicesCoordinator] = (
    PlexSensorDescription(
        key="newest_authorized_device",
        entity_category=EntityCategory.DIAGNOSTIC,
        value_fn=lambda coordinator: (
            device.name if (device := _newest_device(coordinator)) else None
        ),
    )
)

CONNECTION: PlexSensorDescription[ServerCoordinator] = PlexSensorDescription(
    key="connection",
    device_class=SensorDeviceClass.ENUM,
    options=[kind.value for kind in ConnectionKind],
    value_fn=lambda coordinator: coordinator.data.route.kind,
)

SERVER_SENSORS: tuple[PlexSensorDescription[ServerCoordinator], ...] = (
    PlexSensorDescription(
        key="transient_token_expires",
        device_class=SensorDeviceClass.TIMESTAMP,
        value_fn=lambda coordinator: (
            token.expires_at if (token := coordinator.issued_token.token) else None
        ),
    ),
    _rare("version", lambda coordinator: coordinator.data.identity.version),
)


async def async_setup_entry(
    hass: HomeAssistant,
    entry: PlexAuthConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Set up the sensors of an account, its servers, and its Home users."""
    data = entry.runtime_data
    async_add_entities(
        [
            LastVerifiedSensor(data.account, SIGN_IN_LAST_VERIFIED),
            AuthorizedDevicesSensor(data.devices, AUTHORIZED_DEVICES),
            *(
                AccountSensor(data.account, description)
                for description in ACCOUNT_SENSORS
            ),
        ]
    )
    unreported: list[ReportedSensor] = [
        NewestDeviceSensor(data.devices, NEWEST_AUTHORIZED_DEVICE),
        *(
            SubscriptionSensor(data.account, description)
            for description in SUBSCRIPTION_SENSORS
        ),
    ]

    @callback
    def async_add_reported() -> None:
        if reported := [sensor for sensor in unreported if sensor.is_reported]:
            unreported[:] = [one for one in unreported if one not in reported]
            async_add_entities(reported)

    async_add_reported()
    for coordinator in (data.account, data.devices):
        entry.async_on_unload(coordinator.async_add_listener(async_add_reported))

    @callback
    def async_add_server(server: ServerCoordinator) -> None:
        async_add_entities(
            [
                ConnectionSensor(server, CONNECTION),
                *(ServerSensor(server, description) for description in SERVER_SENSORS),
            ],
            config_subentry_id=server.subentry.subentry_id,
        )
        async_follow_sources(server, async_add_entities)

    @callback
    def async_add_home_user(user: HomeUserCoordinator) -> None:
        async_add_entities(
            [HomeUserServersSensor(user, HOME_USER_SERVERS)],
            config_subentry_id=user.subentry.subentry_id,
        )

    data.servers.async_listen(async_add_server)
    data.home_users.async_listen(async_add_home_user)


class _DescribedSensor(SensorEntity):
    """A sensor that reads its coordinator through its description."""

    coordinator: Any
    entity_description: PlexSensorDescription[Any]

    @property
    @override
    def native_value(self) -> SensorValue:
        """Return the value, None if Plex does not report it."""
        return _state(self.entity_description.value_fn(self.coordinator))


class ReportedSensor(_DescribedSensor):
    """A sensor that is created when Plex first reports what it shows."""

    @property
    def is_reported(self) -> bool:
        """Return whether Plex reports it, or did before: it may do so again."""
        return (
            self._is_reported_now
            or registered_entity(self.coordinator.hass, SENSOR_DOMAIN, self) is not None
        )

    @property
    def _is_reported_now(self) -> bool:
        """Return whether the last answer reports it."""
        return self.coordinator.data is not None


class AccountSensor(AccountEntity, _DescribedSensor):
    """A sensor of an account."""


class SubscriptionSensor(AccountSensor, ReportedSensor):
    """A sensor of a subscription, which most accounts do not have."""

    @property
    @override
    def _is_reported_now(self) -> bool:
        """Return whether the last answer has a value."""
        return super()._is_reported_now and self.native_value is not None


class LastVerifiedSensor(AccountSensor):
    """A sensor for the last accepted sign-in, even if plex.tv rejects it now."""

    @property
    @override
    def available(self) -> bool:
        """Return whether plex.tv has accepted the sign-in and can be asked about it."""
        coordinator = self.coordinator
        return coordinator.data is not None and (
            coordinator.last_update_success or coordinator.token_rejected
        )


class _ListedSensor(_DescribedSensor):
    """A sensor of what plex.tv lists, which keeps the data of an earlier poll."""

    @property
    @override
    def available(self) -> bool:
        """Return whether the last poll got the list."""
        return super().available and self.coordinator.failure is None


class AuthorizedDevicesSensor(_ListedSensor, AccountEntity[DevicesCoordinator]):
    """A sensor for the number of devices that are signed in to an account."""


class HomeUserServersSensor(_ListedSensor, HomeUserEntity):
    """A sensor for the number of servers that a Home user may see."""


class NewestDeviceSensor(AuthorizedDevicesSensor, ReportedSensor):
    """A sensor for the device that signed in to an account last."""

    # The event of a device has them too, and the recorder keeps that.
    _unrecorded_attributes = frozenset(NEWEST_DEVICE)

    @property
    @override
    def extra_state_attributes(self) -> dict[str, Any]:
        """Return what identifies the device, without its token."""
        device = _newest_device(self.coordinator)
        return {} if device is None else newest_device_attributes(device)


class ServerSensor(ServerEntity, _DescribedSensor):
    """A sensor of a server."""


class ConnectionSensor(ServerSensor):
    """A sensor for a server's connection and address."""

    _unrecorded_attributes = frozenset({ATTR_URI})

    @property
    @override
    def extra_state_attributes(self) -> dict[str, str]:
        """Return the address in use, without a token."""
        return {ATTR_URI: self.coordinator.data.route.uri}


def _state(value: SensorValue) -> SensorValue:
    """Return a value, shortened to the longest text that Home Assistant accepts."""
    return value[:_MAX_STATE_LENGTH] if isinstance(value, str) else value

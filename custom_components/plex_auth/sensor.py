"""Sensors of accounts and servers."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final, override

from homeassistant.components.sensor import (
    SensorDeviceClass,
    SensorEntity,
    SensorEntityDescription,
)
from homeassistant.const import EntityCategory
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback
from homeassistant.helpers.typing import StateType

from .api.connections import ConnectionKind
from .api.models import Account
from .coordinator import (
    AccountCoordinator,
    PlexAuthConfigEntry,
    ServerCoordinator,
)
from .entity import AccountEntity, ServerEntity

PARALLEL_UPDATES = 0

_LONGEST_STATE: Final = 255

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
class AccountSensorDescription(SensorEntityDescription):
    """Describe a sensor by how it reads the account's coordinator."""

    value_fn: Callable[[AccountCoordinator], SensorValue]


@dataclass(frozen=True, kw_only=True)
class ServerSensorDescription(SensorEntityDescription):
    """Describe a sensor by how it reads a server's coordinator."""

    value_fn: Callable[[ServerCoordinator], SensorValue]


def _account(read: Callable[[Account], SensorValue]) -> Callable[..., SensorValue]:
    """Return a value function that reads the account itself."""
    return lambda coordinator: read(coordinator.data.account)


def _status(account: Account) -> str | None:
    """Return the status: known values by their key, others as Plex gives them."""
    status = account.subscription.status
    return _SUBSCRIPTION_STATUSES.get(status, status) if status else None


def _first(moments: Iterable[datetime | None]) -> datetime | None:
    """Return the earliest of the moments that are known."""
    return min((moment for moment in moments if moment), default=None)


ACCOUNT_SENSORS: tuple[AccountSensorDescription, ...] = (
    AccountSensorDescription(
        key="subscription_status",
        translation_key="subscription_status",
        value_fn=_account(_status),
    ),
    AccountSensorDescription(
        key="subscription_plan",
        translation_key="subscription_plan",
        value_fn=_account(lambda account: account.subscription.plan),
    ),
    AccountSensorDescription(
        key="subscription_renews",
        translation_key="subscription_renews",
        device_class=SensorDeviceClass.TIMESTAMP,
        value_fn=_account(
            lambda account: _first(
                period.renews_at
                for period in account.subscriptions
                if period.state == "active"
            )
        ),
    ),
    AccountSensorDescription(
        key="subscription_ends",
        translation_key="subscription_ends",
        device_class=SensorDeviceClass.TIMESTAMP,
        value_fn=_account(
            lambda account: _first(
                period.ends_at
                for period in account.subscriptions
                if period.state == "active"
            )
        ),
    ),
    AccountSensorDescription(
        key="token_last_verified",
        translation_key="token_last_verified",
        device_class=SensorDeviceClass.TIMESTAMP,
        entity_category=EntityCategory.DIAGNOSTIC,
        value_fn=lambda coordinator: coordinator.data.verified_at,
    ),
    AccountSensorDescription(
        key="servers",
        translation_key="servers",
        entity_category=EntityCategory.DIAGNOSTIC,
        value_fn=lambda coordinator: (
            None if coordinator.resources is None else len(coordinator.resources)
        ),
    ),
    AccountSensorDescription(
        key="home_users",
        translation_key="home_users",
        entity_category=EntityCategory.DIAGNOSTIC,
        entity_registry_enabled_default=False,
        value_fn=_account(lambda account: account.home_size),
    ),
    AccountSensorDescription(
        key="account_created",
        translation_key="account_created",
        device_class=SensorDeviceClass.TIMESTAMP,
        entity_category=EntityCategory.DIAGNOSTIC,
        entity_registry_enabled_default=False,
        value_fn=_account(lambda account: account.joined_at),
    ),
    AccountSensorDescription(
        key="sign_in_remembered_until",
        translation_key="sign_in_remembered_until",
        device_class=SensorDeviceClass.TIMESTAMP,
        entity_category=EntityCategory.DIAGNOSTIC,
        entity_registry_enabled_default=False,
        value_fn=_account(lambda account: account.remember_expires_at),
    ),
)

SERVER_SENSORS: tuple[ServerSensorDescription, ...] = (
    ServerSensorDescription(
        key="connection",
        translation_key="connection",
        device_class=SensorDeviceClass.ENUM,
        options=[kind.value for kind in ConnectionKind],
        value_fn=lambda coordinator: coordinator.data.connection.kind,
    ),
    ServerSensorDescription(
        key="transient_token_expires",
        translation_key="transient_token_expires",
        device_class=SensorDeviceClass.TIMESTAMP,
        value_fn=lambda coordinator: (
            token.expires_at if (token := coordinator.transient_token) else None
        ),
    ),
    ServerSensorDescription(
        key="version",
        translation_key="version",
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


class AccountSensor(AccountEntity, SensorEntity):
    """Show a fact of an account."""

    entity_description: AccountSensorDescription

    @property
    @override
    def native_value(self) -> SensorValue:
        """Return the fact, None where Plex does not tell it."""
        return _state(self.entity_description.value_fn(self.coordinator))


class ServerSensor(ServerEntity, SensorEntity):
    """Show a fact of a server."""

    entity_description: ServerSensorDescription

    @property
    @override
    def native_value(self) -> SensorValue:
        """Return the fact, None where it is not known."""
        return _state(self.entity_description.value_fn(self.coordinator))


def _state(value: SensorValue) -> SensorValue:
    """Return a value that Home Assistant can show: it refuses longer texts."""
    return value[:_LONGEST_STATE] if isinstance(value, str) else value

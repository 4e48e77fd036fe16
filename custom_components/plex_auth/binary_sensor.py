"""Binary sensors of accounts, servers, and Home users."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import override

from homeassistant.components.binary_sensor import (
    BinarySensorDeviceClass,
    BinarySensorEntity,
    BinarySensorEntityDescription,
)
from homeassistant.const import EntityCategory
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback
from homeassistant.util import dt as dt_util

from .api.models import Account
from .entity import AccountEntity, HomeUserEntity, LastingEntity, ServerEntity
from .home_user_coordinator import HomeUserCoordinator
from .runtime_data import PlexAuthConfigEntry
from .server_coordinator import ServerCoordinator

PARALLEL_UPDATES = 0


@dataclass(frozen=True, kw_only=True)
class AccountBinarySensorDescription(BinarySensorEntityDescription):
    """Description of a binary sensor that reads the account."""

    is_on_fn: Callable[[Account], bool | None]


SIGN_IN = BinarySensorEntityDescription(
    key="sign_in",
    device_class=BinarySensorDeviceClass.PROBLEM,
)

ACCOUNT_BINARY_SENSORS: tuple[AccountBinarySensorDescription, ...] = (
    AccountBinarySensorDescription(
        key="plex_pass",
        is_on_fn=lambda account: account.has_plex_pass(dt_util.utcnow()),
    ),
    AccountBinarySensorDescription(
        key="two_factor_authentication",
        entity_category=EntityCategory.DIAGNOSTIC,
        is_on_fn=lambda account: account.two_factor_enabled,
    ),
    AccountBinarySensorDescription(
        key="email_confirmed",
        entity_category=EntityCategory.DIAGNOSTIC,
        entity_registry_enabled_default=False,
        is_on_fn=lambda account: account.confirmed,
    ),
    AccountBinarySensorDescription(
        key="plex_services",
        device_class=BinarySensorDeviceClass.PROBLEM,
        entity_category=EntityCategory.DIAGNOSTIC,
        entity_registry_enabled_default=False,
        is_on_fn=lambda account: (
            any(service.status == "offline" for service in account.services)
            if account.services
            else None
        ),
    ),
)

REACHABLE = BinarySensorEntityDescription(
    key="reachable",
    device_class=BinarySensorDeviceClass.CONNECTIVITY,
)


async def async_setup_entry(
    hass: HomeAssistant,
    entry: PlexAuthConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Set up the binary sensors of an account, its servers, and its Home users."""
    data = entry.runtime_data
    async_add_entities(
        [
            SignInBinarySensor(data.account, SIGN_IN),
            *(
                AccountBinarySensor(data.account, description)
                for description in ACCOUNT_BINARY_SENSORS
            ),
        ]
    )

    @callback
    def async_add_server(server: ServerCoordinator) -> None:
        async_add_entities(
            [ReachableBinarySensor(server, REACHABLE)],
            config_subentry_id=server.subentry.subentry_id,
        )

    @callback
    def async_add_home_user(user: HomeUserCoordinator) -> None:
        async_add_entities(
            [HomeUserSignInBinarySensor(user, SIGN_IN)],
            config_subentry_id=user.subentry.subentry_id,
        )

    data.servers.async_listen(async_add_server)
    data.home_users.async_listen(async_add_home_user)


class _SignInBinarySensor(BinarySensorEntity):
    """A binary sensor that is available while plex.tv's answer is known."""

    @property
    @override
    def available(self) -> bool:
        """Return whether plex.tv has accepted or rejected the sign-in."""
        return self.is_on is not None


class SignInBinarySensor(_SignInBinarySensor, AccountEntity):
    """A binary sensor that is on while plex.tv rejects the sign-in."""

    @property
    @override
    def is_on(self) -> bool | None:
        """Return whether plex.tv rejects the sign-in."""
        return self.coordinator.word.shown


class HomeUserSignInBinarySensor(_SignInBinarySensor, HomeUserEntity):
    """A binary sensor that is on while plex.tv rejects a Home user's token."""

    @property
    @override
    def is_on(self) -> bool | None:
        """Return whether plex.tv rejects the token."""
        return self.coordinator.word.shown


class AccountBinarySensor(AccountEntity, BinarySensorEntity):
    """A binary sensor of an account."""

    entity_description: AccountBinarySensorDescription

    @property
    @override
    def is_on(self) -> bool | None:
        """Return the state, None if Plex does not report it."""
        return self.entity_description.is_on_fn(self.coordinator.data.details)


class ReachableBinarySensor(LastingEntity, ServerEntity, BinarySensorEntity):
    """A connectivity sensor that stays available while the server cannot be reached."""

    @property
    @override
    def is_on(self) -> bool | None:
        """Return whether the last poll reached the server, None before the first."""
        coordinator = self.coordinator
        return coordinator.is_reached if coordinator.is_polled else None

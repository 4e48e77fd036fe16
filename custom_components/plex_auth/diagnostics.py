"""Diagnostics: allow-listed facts that identify no person."""

from collections.abc import Iterator
import re
from typing import Any, Final

from homeassistant.config_entries import ConfigEntryState, ConfigSubentry
from homeassistant.const import CONF_TOKEN, CONF_URL, CONF_VERIFY_SSL
from homeassistant.core import HomeAssistant
from homeassistant.helpers.device_registry import DeviceEntry

from .api.connections import Route, connection_kind
from .api.errors import UnprotectedOnlyError
from .api.models import ListedServer
from .api.notifications import Notifications
from .api.plex_tv import PLEX_TV_API
from .clients import stored_server
from .const import (
    CONF_API_URL,
    CONF_SERVER_TOKENS,
    CONF_SOURCES,
    CONF_TOKEN_ORIGIN,
    SUBENTRY_TYPE_HOME_USER,
    SUBENTRY_TYPE_SERVER,
)
from .coordinator import AccountCoordinator, SharedPollCoordinator
from .devices_coordinator import DevicesCoordinator
from .home_user_coordinator import HomeUserCoordinator
from .runtime_data import PlexAuthConfigEntry
from .server_coordinator import ServerCoordinator

# Owners of servers choose these texts; any other wording could name a person.
_VERSION: Final = re.compile(r"[0-9.]+(?:-[0-9a-f]+)?")
_PROTOCOL: Final = re.compile(r"https?")


async def async_get_config_entry_diagnostics(
    hass: HomeAssistant, entry: PlexAuthConfigEntry
) -> dict[str, Any]:
    """Return diagnostics for an account, its servers, and its Home users."""
    facts: dict[str, Any] = {"state": entry.state.value, **_entry(entry)}
    if entry.state is not ConfigEntryState.LOADED:
        return facts | {
            "servers": [
                _subentry(subentry)
                for subentry in entry.get_subentries_of_type(SUBENTRY_TYPE_SERVER)
            ],
            "home_users": [
                _home_user_subentry(subentry)
                for subentry in entry.get_subentries_of_type(SUBENTRY_TYPE_HOME_USER)
            ],
        }
    data = entry.runtime_data
    return facts | {
        "account": _account(data.account) | _devices(data.devices),
        "servers": [_server(server) for server in data.servers.values()],
        "home_users": [_home_user(user) for user in data.home_users.values()],
    }


async def async_get_device_diagnostics(
    hass: HomeAssistant, entry: PlexAuthConfigEntry, device: DeviceEntry
) -> dict[str, Any]:
    """Return diagnostics for the account, server, or Home user of a device."""
    subentry_id = device.config_subentry_id or ""
    subentry = entry.subentries.get(subentry_id)
    if entry.state is not ConfigEntryState.LOADED:
        facts = _entry(entry)
        if subentry is not None:
            is_server = subentry.subentry_type == SUBENTRY_TYPE_SERVER
            facts = (_subentry if is_server else _home_user_subentry)(subentry)
        return {"state": entry.state.value, **facts}
    data = entry.runtime_data
    if (server := data.servers.get(subentry_id)) is not None:
        return _server(server)
    if (user := data.home_users.get(subentry_id)) is not None:
        return _home_user(user)
    return {**_entry(entry), **_account(data.account), **_devices(data.devices)}


def _entry(entry: PlexAuthConfigEntry) -> dict[str, Any]:
    """Return facts about a stored account."""
    return {
        "token_origin": entry.data.get(CONF_TOKEN_ORIGIN),
        "plex_tv_api": entry.data.get(CONF_API_URL) == PLEX_TV_API,
    }


def _subentry(subentry: ConfigSubentry) -> dict[str, Any]:
    """Return facts about a stored server."""
    data = subentry.data
    known = stored_server(subentry)
    return {
        "typed_address": CONF_URL in data,
        "typed_token": CONF_TOKEN in data,
        "verify_ssl": data.get(CONF_VERIFY_SSL, True),
        "watched_sources": len(data.get(CONF_SOURCES, ())),
        "known_token": known.token is not None,
        "known_connections": sorted(map(connection_kind, known.connections)),
    }


def _home_user_subentry(subentry: ConfigSubentry) -> dict[str, Any]:
    """Return facts about a stored Home user."""
    return {"known_servers": len(subentry.data.get(CONF_SERVER_TOKENS, ()))}


def _home_user(user: HomeUserCoordinator) -> dict[str, Any]:
    """Return facts about a loaded Home user."""
    return {
        **_home_user_subentry(user.subentry),
        "rejected": user.is_rejected,
        "listed_servers": None if user.data is None else len(user.data),
        "failure": _class_name(user.failure),
    }


def _account(account: AccountCoordinator) -> dict[str, Any]:
    """Return facts about a loaded account."""
    facts: dict[str, Any] = {
        "sign_in_rejected": account.token_rejected,
        "listed_servers": [_listed_server(server) for server in account.servers]
        if account.servers.is_known
        else None,
        **_update(account),
    }
    if account.data is not None:
        details = account.data.details
        facts |= {
            "has_password": details.has_password,
            "two_factor_enabled": details.two_factor_enabled,
            "email_only_auth": details.email_only_auth,
            "restricted": details.restricted,
            "home": details.home,
            "subscription_active": details.subscription.active,
            "subscription_status": details.subscription.status,
            "subscription_plan": details.subscription.plan,
            "services_offline": sum(
                service.status == "offline" for service in details.services
            ),
        }
    return facts


def _devices(devices: DevicesCoordinator) -> dict[str, Any]:
    """Return the number of authorized devices, and why it is unknown."""
    return {
        "authorized_devices": None if devices.data is None else len(devices.data),
        "authorized_devices_failure": _class_name(devices.failure),
    }


def _listed_server(server: ListedServer) -> dict[str, Any]:
    """Return facts about a server listed by plex.tv."""
    return {
        "owned": server.owned,
        "presence": server.presence,
        "version": _plain(_VERSION, server.product_version),
        "https_required": server.https_required,
        "connections": [
            {
                "kind": connection_kind(connection),
                "protocol": _plain(_PROTOCOL, connection.protocol),
            }
            for connection in server.connections
        ],
    }


def _server(server: ServerCoordinator) -> dict[str, Any]:
    """Return facts about a loaded server."""
    access = server.access
    listed = access.target.listed
    route = server.data.route if server.data is not None else None
    return {
        **_subentry(server.subentry),
        "listed": listed is not None,
        "owned": listed.owned if listed is not None else None,
        "claimed": access.identity.claimed if access.identity is not None else None,
        "version": _plain(_VERSION, access.version),
        "connection": route.kind if route else None,
        "connection_scheme": route.url.scheme if route else None,
        "addresses": list(_addresses(server, route)),
        "failed_sources": sorted(
            type(failure).__name__ for failure in server.sources.failures.values()
        ),
        "notification_socket": _notifications(server.notifications),
        "transient_token": server.issued_token.token is not None,
        **_update(server),
    }


def _addresses(
    server: ServerCoordinator, used: Route | None
) -> Iterator[dict[str, Any]]:
    """Yield facts about each address of a server, and why it is not used."""
    target = server.access.target
    for rank, routes in enumerate(target.ranks):
        for route in routes:
            yield {
                "kind": route.kind,
                "rank": rank,
                "scheme": route.url.scheme,
                "used": route == used,
                "failure": _class_name(server.access.failures.get(route)),
            }
    for connection in target.unused:
        yield {
            "kind": connection_kind(connection),
            "rank": None,
            "scheme": _plain(_PROTOCOL, connection.protocol),
            "used": False,
            "failure": UnprotectedOnlyError.__name__,
        }


def _notifications(notifications: Notifications) -> dict[str, Any]:
    """Return the state of the notification socket."""
    return {
        "open": notifications.is_open,
        "refused": notifications.is_refused,
        "failure": _class_name(notifications.failure),
    }


def _update(coordinator: SharedPollCoordinator[Any]) -> dict[str, Any]:
    """Return the result of the last update."""
    return {
        "last_update_success": coordinator.last_update_success,
        "failure": _class_name(coordinator.cause),
    }


def _plain(expected: re.Pattern[str], text: str | None) -> str | None:
    """Return a text from Plex, None if it has another form than expected."""
    return text if expected.fullmatch(text or "") else None


def _class_name(failure: BaseException | None) -> str | None:
    """Return the class name of a failure, None without one."""
    return None if failure is None else type(failure).__name__

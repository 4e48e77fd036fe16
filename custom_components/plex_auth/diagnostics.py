"""Diagnostics: an allow-list of facts that help and name nobody."""

from typing import Any

from homeassistant.const import CONF_TOKEN, CONF_URL, CONF_VERIFY_SSL
from homeassistant.core import HomeAssistant
from homeassistant.helpers.device_registry import DeviceEntry
from homeassistant.helpers.update_coordinator import DataUpdateCoordinator

from .api.connections import connection_kind
from .api.plex_tv import PLEX_TV_API
from .const import CONF_API_URL, CONF_SOURCES, CONF_TOKEN_ORIGIN
from .coordinator import AccountCoordinator, PlexAuthConfigEntry, ServerCoordinator


async def async_get_config_entry_diagnostics(
    hass: HomeAssistant, entry: PlexAuthConfigEntry
) -> dict[str, Any]:
    """Return facts of an account and of its servers."""
    data = entry.runtime_data
    return {
        "account": _account(data.account),
        "servers": [_server(server) for server in data.servers.values()],
        "sources": [
            {"watched": len(sources.sources), **_update(sources)}
            for sources in data.sources.values()
        ],
    }


async def async_get_device_diagnostics(
    hass: HomeAssistant, entry: PlexAuthConfigEntry, device: DeviceEntry
) -> dict[str, Any]:
    """Return facts of the account or of the server that a device stands for."""
    data = entry.runtime_data
    server = data.servers.get(device.config_subentry_id or "")
    return _account(data.account) if server is None else _server(server)


def _account(account: AccountCoordinator) -> dict[str, Any]:
    """Return facts of an account."""
    entry = account.config_entry
    facts: dict[str, Any] = {
        "token_origin": entry.data[CONF_TOKEN_ORIGIN],
        "token_rejected": account.token_rejected,
        "plex_tv_api": entry.data[CONF_API_URL] == PLEX_TV_API,
        "listed_servers": None
        if account.resources is None
        else [
            {
                "owned": resource.owned,
                "presence": resource.presence,
                "version": resource.product_version,
                "https_required": resource.https_required,
                "connections": [
                    {
                        "kind": connection_kind(connection),
                        "protocol": connection.protocol,
                    }
                    for connection in resource.connections
                ],
            }
            for resource in account.resources.values()
        ],
        **_update(account),
    }
    if account.data is not None:
        known = account.data.account
        facts |= {
            "has_password": known.has_password,
            "two_factor_enabled": known.two_factor_enabled,
            "email_only_auth": known.email_only_auth,
            "restricted": known.restricted,
            "home": known.home,
            "subscription_active": known.subscription.active,
            "subscription_status": known.subscription.status,
            "subscription_plan": known.subscription.plan,
            "services_offline": sum(
                service.status == "offline" for service in known.services
            ),
        }
    return facts


def _server(server: ServerCoordinator) -> dict[str, Any]:
    """Return facts of a server."""
    data = server.subentry.data
    connection = server.data.connection if server.data is not None else None
    return {
        "typed_address": CONF_URL in data,
        "typed_token": CONF_TOKEN in data,
        "verify_ssl": data.get(CONF_VERIFY_SSL, True),
        "watched_sources": len(data[CONF_SOURCES]),
        "listed": server.resource is not None,
        "owned": server.resource.owned if server.resource is not None else None,
        "version": server.version,
        "connection": connection.kind if connection else None,
        "connection_scheme": connection.url.scheme if connection else None,
        "failed_addresses": [
            {
                "kind": route.kind,
                "scheme": route.url.scheme,
                "failure": type(failure).__name__,
            }
            for route, failure in server.failures.items()
        ],
        "transient_token": server.transient_token is not None,
        **_update(server),
    }


def _update(coordinator: DataUpdateCoordinator[Any]) -> dict[str, Any]:
    """Return how the last update went."""
    failure = None
    if not coordinator.last_update_success and coordinator.last_exception is not None:
        failure = type(
            coordinator.last_exception.__cause__ or coordinator.last_exception
        ).__name__
    return {"last_update_success": coordinator.last_update_success, "failure": failure}

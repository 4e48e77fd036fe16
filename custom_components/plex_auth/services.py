"""The actions."""

from collections.abc import Iterable
from typing import Any, Final

import voluptuous as vol
from yarl import URL

from homeassistant.const import ATTR_CONFIG_ENTRY_ID, ATTR_DEVICE_ID
from homeassistant.core import (
    HomeAssistant,
    ServiceCall,
    ServiceResponse,
    SupportsResponse,
    callback,
)
from homeassistant.exceptions import ServiceValidationError
from homeassistant.helpers import config_validation as cv, device_registry as dr
from homeassistant.helpers.service import (
    async_get_config_entry,
    async_get_device_and_config_entry,
    async_register_admin_service,
)

from .api.connections import Route
from .api.errors import NotFoundError
from .api.server import is_source, playable
from .const import DOMAIN, SUBENTRY_TYPE_SERVER
from .coordinator import AccountCoordinator
from .messages import action_errors, invalid
from .responses import (
    account_response,
    listed_server_response,
    route_response,
    source_response,
    transient_token_response,
)
from .runtime_data import PlexAuthConfigEntry
from .server_coordinator import ServerCoordinator

ATTR_PATH: Final = "path"
ATTR_REFRESH: Final = "refresh"
ATTR_SCOPE: Final = "scope"
ATTR_SOURCE: Final = "source"
ATTR_TYPE: Final = "type"

SERVICE_GET_SERVERS: Final = "get_servers"
SERVICE_GET_SOURCE: Final = "get_source_connection_information"
SERVICE_GET_TOKEN_DETAILS: Final = "get_token_details"
SERVICE_GET_TRANSIENT_TOKEN: Final = "get_transient_token"

_ACCOUNT_SCHEMA = vol.Schema({vol.Optional(ATTR_CONFIG_ENTRY_ID): cv.string})
_TRANSIENT_TOKEN_SCHEMA = vol.Schema(
    {
        vol.Optional(ATTR_DEVICE_ID): cv.string,
        vol.Optional(ATTR_TYPE, default="delegation"): vol.In(["delegation"]),
        vol.Optional(ATTR_SCOPE, default="all"): vol.In(["all"]),
        vol.Optional(ATTR_PATH): cv.string,
    }
)
_SOURCE_SCHEMA = vol.Schema(
    {
        vol.Optional(ATTR_DEVICE_ID): cv.string,
        vol.Required(ATTR_SOURCE): cv.string,
        vol.Optional(ATTR_REFRESH, default=False): cv.boolean,
    }
)


@callback
def async_setup_services(hass: HomeAssistant) -> None:
    """Register the actions: for admins only, since they hand out tokens."""
    for name, handler, schema in (
        (SERVICE_GET_TOKEN_DETAILS, _async_get_token_details, _ACCOUNT_SCHEMA),
        (SERVICE_GET_SERVERS, _async_get_servers, _ACCOUNT_SCHEMA),
        (
            SERVICE_GET_TRANSIENT_TOKEN,
            _async_get_transient_token,
            _TRANSIENT_TOKEN_SCHEMA,
        ),
        (SERVICE_GET_SOURCE, _async_get_source_connection_information, _SOURCE_SCHEMA),
    ):
        async_register_admin_service(
            hass,
            DOMAIN,
            name,
            handler,
            schema=schema,
            supports_response=SupportsResponse.ONLY,
        )


async def _async_get_token_details(call: ServiceCall) -> ServiceResponse:
    """Return what plex.tv says now of the account that the token belongs to."""
    account = _called_account(call)
    async with action_errors(account.config_entry.title):
        await account.async_verify()
    return {"account": account_response(account.data.details)}


async def _async_get_servers(call: ServiceCall) -> ServiceResponse:
    """Return the servers that plex.tv lists now for the account."""
    account = _called_account(call)
    entry = account.config_entry
    async with action_errors(entry.title):
        await account.servers.renew(now=True)
    added = {subentry.unique_id for subentry in entry.subentries.values()}
    return {
        "servers": [
            listed_server_response(server, added=server.machine_identifier in added)
            for server in account.servers
        ]
    }


async def _async_get_transient_token(call: ServiceCall) -> ServiceResponse:
    """Return a new transient token of a server."""
    server = _called_server(call)
    path = _path(call.data[ATTR_PATH]) if ATTR_PATH in call.data else None
    async with action_errors(server.subentry.title):
        token, route = await server.access.call(
            lambda plex, access_token: plex.transient_token(access_token),
            is_repeatable=False,
        )
    server.issued_token.issue(token)
    server.async_note_route(route)
    response = transient_token_response(token) | {
        "server": _server_response(server, route)
    }
    if path is not None:
        response["url"] = str(playable(route.url, path, token.token))
    return response


async def _async_get_source_connection_information(
    call: ServiceCall,
) -> ServiceResponse:
    """Return how a source that a server knows can be reached, with its token."""
    server = _called_server(call)
    source: str = call.data[ATTR_SOURCE]
    name = server.subentry.title
    if not is_source(source):
        raise invalid("invalid_source")
    async with action_errors(name):
        try:
            found, route = await server.access.source(
                source, refresh=call.data[ATTR_REFRESH]
            )
        except NotFoundError as err:
            raise invalid("source_not_found", name=name) from err
    server.async_note_route(route)
    return {
        "source": source,
        **source_response(found),
        "server": _server_response(server, route),
    }


def _called_account(call: ServiceCall) -> AccountCoordinator:
    """Return the account that a call means, the only one where it names none.

    Home Assistant's own error would repeat an ID that nothing has, whatever it is.
    """
    entry_id = call.data.get(ATTR_CONFIG_ENTRY_ID)
    if (
        entry_id is not None
        and call.hass.config_entries.async_get_entry(entry_id) is None
    ):
        raise invalid("unknown_account")
    entry: PlexAuthConfigEntry = async_get_config_entry(call.hass, DOMAIN, entry_id)
    return entry.runtime_data.account


def _called_server(call: ServiceCall) -> ServerCoordinator:
    """Return the server that a call means, the only one where it names none.

    Home Assistant's own error would repeat an ID that nothing has, whatever it is.
    """
    if (device_id := call.data.get(ATTR_DEVICE_ID)) is None:
        entries: Iterable[PlexAuthConfigEntry] = (
            call.hass.config_entries.async_loaded_entries(DOMAIN)
        )
        servers = [
            server
            for entry in entries
            for server in entry.runtime_data.servers.values()
        ]
        if not servers:
            raise _no_server(call.hass)
        if len(servers) != 1:
            raise invalid("choose_server")
        return servers[0]
    if dr.async_get(call.hass).async_get(device_id) is None:
        raise invalid("unknown_device")
    device, entry = async_get_device_and_config_entry(
        call.hass, DOMAIN, device_id, include_child_devices=False
    )
    server: ServerCoordinator | None = entry.runtime_data.servers.get(
        device.config_subentry_id
    )
    if server is None:
        raise invalid("not_a_server", name=device.name_by_user or device.name or "")
    return server


def _no_server(hass: HomeAssistant) -> ServiceValidationError:
    """Return why there is no server: none was added, or its account is not loaded."""
    for entry in hass.config_entries.async_entries(DOMAIN):
        if any(entry.get_subentries_of_type(SUBENTRY_TYPE_SERVER)):
            reason = "account_disabled" if entry.disabled_by else "account_not_ready"
            return invalid(reason, name=entry.title)
    return invalid("no_server")


def _path(text: str) -> URL:
    """Return the path that a call names, which must lie on the server itself."""
    try:
        path = URL(text)
    except ValueError:
        path = None
    if (
        path is None
        or path.absolute
        or not text.startswith("/")
        or text.startswith(("//", "/\\"))
        or not text.isprintable()
    ):
        raise invalid("invalid_path")
    return path


def _server_response(server: ServerCoordinator, route: Route) -> dict[str, Any]:
    """Return which server answered, and by which address."""
    return {
        "name": server.subentry.title,
        "machine_identifier": server.machine_identifier,
        **route_response(route),
    }

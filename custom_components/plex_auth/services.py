"""Actions of accounts and servers."""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from functools import partial
from typing import Final

import voluptuous as vol
from yarl import URL

from homeassistant.const import ATTR_CONFIG_ENTRY_ID, ATTR_DEVICE_ID, ATTR_ID
from homeassistant.core import (
    HomeAssistant,
    ServiceCall,
    ServiceResponse,
    SupportsResponse,
    callback,
)
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers import config_validation as cv
from homeassistant.helpers.service import async_register_admin_service

from .action_targets import (
    refuse_token,
    targeted_entry,
    targeted_home_user,
    targeted_media,
    targeted_server,
    targeted_source,
)
from .api.errors import (
    NotClaimedError,
    NotFoundError,
    NotPermittedError,
    TokenRejectedError,
)
from .api.items import Item
from .api.models import ListedServer
from .api.server import PlexServer, playable
from .api.server_access import ServerAccess
from .const import ATTR_HOME_USER, ATTR_SOURCE, DOMAIN
from .devices_coordinator import DevicesCoordinator
from .home_user_coordinator import HomeUserCoordinator
from .messages import action_errors, invalid
from .responses import (
    account_response,
    device_response,
    home_user_response,
    listed_server_response,
    server_response,
    source_response,
    transient_token_response,
)
from .server_coordinator import ServerCoordinator

ATTR_PATH: Final = "path"
ATTR_REFRESH: Final = "refresh"
ATTR_SCOPE: Final = "scope"
ATTR_TYPE: Final = "type"

SERVICE_GET_DEVICES: Final = "get_devices"
SERVICE_GET_SERVERS: Final = "get_servers"
SERVICE_GET_SOURCE: Final = "get_source_connection_information"
SERVICE_GET_TOKEN_DETAILS: Final = "get_token_details"
SERVICE_GET_TRANSIENT_TOKEN: Final = "get_transient_token"
SERVICE_REMOVE_DEVICE: Final = "remove_device"

_ACCOUNT_SCHEMA = vol.Schema({vol.Optional(ATTR_CONFIG_ENTRY_ID): cv.string})
_REMOVE_DEVICE_SCHEMA = _ACCOUNT_SCHEMA.extend(
    {vol.Required(ATTR_ID): vol.All(vol.Coerce(int), vol.Range(min=1))}
)
_SERVERS_SCHEMA = _ACCOUNT_SCHEMA.extend({vol.Optional(ATTR_HOME_USER): cv.string})
_TRANSIENT_TOKEN_SCHEMA = vol.Schema(
    {
        vol.Optional(ATTR_DEVICE_ID): cv.string,
        vol.Optional(ATTR_HOME_USER): cv.string,
        vol.Optional(ATTR_TYPE, default="delegation"): vol.In(["delegation"]),
        vol.Optional(ATTR_SCOPE, default="all"): vol.In(["all"]),
        vol.Optional(ATTR_PATH): vol.All(cv.string, refuse_token),
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
    """Register the actions, for administrators only: they return tokens."""
    for name, handler, schema in (
        (SERVICE_GET_TOKEN_DETAILS, _async_get_token_details, _ACCOUNT_SCHEMA),
        (SERVICE_GET_SERVERS, _async_get_servers, _SERVERS_SCHEMA),
        (SERVICE_GET_DEVICES, _async_get_devices, _ACCOUNT_SCHEMA),
        (SERVICE_REMOVE_DEVICE, _async_remove_device, _REMOVE_DEVICE_SCHEMA),
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
    """Return the account's current details."""
    account = targeted_entry(call).runtime_data.account
    async with action_errors(account.config_entry.title):
        await account.async_verify()
    return {"account": account_response(account.data.details)}


async def _async_get_servers(call: ServiceCall) -> ServiceResponse:
    """Return the servers that plex.tv lists now, for the account or a Home user."""
    user = targeted_home_user(call)
    entry = targeted_entry(call, user)
    account = entry.runtime_data.account
    servers: Iterable[ListedServer] = account.servers
    async with action_errors(entry.title):
        if user is None:
            await account.servers.renew(now=True)
        else:
            async with _home_user_errors(user):
                servers = (await user.async_renew()).values()
    added = {subentry.unique_id for subentry in entry.subentries.values()}
    return {
        "servers": [
            listed_server_response(server, added=server.machine_identifier in added)
            for server in servers
        ],
        **home_user_response(user),
    }


async def _async_get_devices(call: ServiceCall) -> ServiceResponse:
    """Return the devices that are signed in to the account now."""
    devices = targeted_entry(call).runtime_data.devices
    async with _device_errors(devices):
        listed = await devices.async_renew()
    return {
        "devices": [
            device_response(device, this_device=devices.is_own(device))
            for device in listed.values()
        ]
    }


async def _async_remove_device(call: ServiceCall) -> ServiceResponse:
    """Remove a device from the account, and return it."""
    devices = targeted_entry(call).runtime_data.devices
    async with _device_errors(devices):
        removed = await devices.async_remove(call.data[ATTR_ID])
    return {"device": device_response(removed, this_device=devices.is_own(removed))}


@asynccontextmanager
async def _device_errors(devices: DevicesCoordinator) -> AsyncIterator[None]:
    """Translate the errors of an action on devices."""
    name = devices.config_entry.title
    async with action_errors(name):
        try:
            yield
        except NotPermittedError as err:
            raise invalid("devices_not_permitted", name=name) from err


async def _async_get_transient_token(call: ServiceCall) -> ServiceResponse:
    """Return a new transient token of a server, with the rights of a Home user if named."""
    user = targeted_home_user(call)
    server, wanted = targeted_media(call, call.data.get(ATTR_PATH), user)
    async with (
        action_errors(server.config_entry.title, server.subentry.title),
        _home_user_errors(user),
    ):
        access = server.access if user is None else await _access_as(user, server)
        path = (
            await _part(access, wanted, server.subentry.title)
            if isinstance(wanted, Item)
            else wanted
        )
        token, route = await access.call(
            PlexServer.transient_token, is_repeatable=False
        )
    server.issued_token.issue(token, user.subentry.title if user else None)
    server.async_note_route(route)
    response = transient_token_response(token) | {
        "server": server_response(
            server.subentry.title, server.machine_identifier, route
        ),
        **home_user_response(user),
    }
    if path is not None:
        response["url"] = str(playable(route.url, path, token.token))
    return response


async def _async_get_source_connection_information(
    call: ServiceCall,
) -> ServiceResponse:
    """Return the connections of a source, and its token."""
    server = targeted_server(call)
    source = targeted_source(server, call.data[ATTR_SOURCE])
    name = server.subentry.title
    async with action_errors(server.config_entry.title, name):
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
        "server": server_response(
            server.subentry.title, server.machine_identifier, route
        ),
    }


async def _access_as(
    user: HomeUserCoordinator, server: ServerCoordinator
) -> ServerAccess:
    """Return access to a server with a Home user's token for it.

    Raises ServiceValidationError if plex.tv does not list the server for the user.
    """
    if not user.is_known:
        # Its failure is that of plex.tv, not of the server.
        async with action_errors(user.config_entry.title), _home_user_errors(user):
            await user.async_renew()
    if server.machine_identifier not in user.tokens:
        raise invalid(
            "home_user_without_server",
            home_user=user.subentry.title,
            name=server.subentry.title,
        )
    return user.access(server)


@asynccontextmanager
async def _home_user_errors(user: HomeUserCoordinator | None) -> AsyncIterator[None]:
    """Translate the errors of an action that are about a Home user."""
    try:
        yield
    except TokenRejectedError as err:
        # Until the account is signed in again, there is no repair for its users.
        if user is None or user.account.needs_sign_in:
            raise
        raise HomeAssistantError(
            translation_domain=DOMAIN,
            translation_key="home_user_rejected",
            translation_placeholders={"home_user": user.subentry.title},
        ) from err
    except NotClaimedError:
        raise
    except NotPermittedError as err:
        if user is None:
            raise
        raise invalid("home_user_not_permitted", home_user=user.subentry.title) from err


async def _part(access: ServerAccess, item: Item, name: str) -> URL:
    """Return the path of an item's media part; `name` is that of the server."""
    try:
        path, _ = await access.call(partial(PlexServer.part, item=item))
    except NotFoundError as err:
        raise invalid("item_not_found", name=name) from err
    if path is None:
        raise invalid("item_without_part")
    return path

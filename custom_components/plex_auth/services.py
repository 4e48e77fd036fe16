"""The actions."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, is_dataclass
from datetime import datetime
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
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
from homeassistant.helpers import config_validation as cv
from homeassistant.helpers.service import (
    async_get_config_entry,
    async_get_device_and_config_entry,
    async_register_admin_service,
)

from .api.connections import Route, best_connection
from .api.errors import (
    NotFoundError,
    NotOwnerError,
    PlexError,
    ServerTooOldError,
    TokenRejectedError,
)
from .api.models import Connection
from .const import DOMAIN, SUBENTRY_TYPE_SERVER
from .coordinator import AccountCoordinator, PlexAuthConfigEntry, ServerCoordinator
from .error_keys import error_key
from .typed import is_source

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
    account = _account(call)
    await account.async_verify()
    _raise_failure(account)
    return {"account": _json(account.data.account)}


async def _async_get_servers(call: ServiceCall) -> ServiceResponse:
    """Return the servers that plex.tv lists now for the account."""
    account = _account(call)
    entry = account.config_entry
    with _translated_errors(entry.title):
        try:
            await account.async_renew_resources(for_action=True)
        except TokenRejectedError:
            await account.async_verify()
            raise
    added = {subentry.unique_id for subentry in entry.subentries.values()}
    return {
        "servers": [
            {
                "name": resource.name,
                "source": f"server://{resource.client_identifier}",
                "added": resource.client_identifier in added,
                "owned": resource.owned,
                "presence": resource.presence,
                "version": resource.product_version,
                "connections": _connections(resource.connections),
            }
            for resource in (account.resources or {}).values()
        ]
    }


async def _async_get_transient_token(call: ServiceCall) -> ServiceResponse:
    """Return a new transient token of a server."""
    server = _server(call)
    path = _path(call.data[ATTR_PATH]) if ATTR_PATH in call.data else None
    with _translated_errors(server.subentry.title):
        token, connection = await server.async_call(
            lambda plex, access_token: plex.transient_token(access_token)
        )
    server.async_set_transient_token(token)
    response: dict[str, Any] = {
        "token": token.token,
        "type": token.type,
        "scope": token.scope,
        "issued_at": token.issued_at.isoformat(),
        "expires_at": token.expires_at.isoformat(),
        "server": _server_response(server, connection),
    }
    if path is not None:
        response["url"] = str(_playable(connection.url, path, token.token))
    return response


async def _async_get_source_connection_information(
    call: ServiceCall,
) -> ServiceResponse:
    """Return how a source that a server knows can be reached, with its token."""
    server = _server(call)
    source: str = call.data[ATTR_SOURCE]
    name = server.subentry.title
    if not is_source(source):
        raise _invalid("invalid_source", source=source)
    with _translated_errors(name):
        try:
            found, connection = await server.async_get_source(
                source, refresh=call.data[ATTR_REFRESH]
            )
        except NotFoundError as err:
            raise _invalid("source_not_found", source=source, name=name) from err
    best = best_connection(found.connections)
    return {
        "source": source,
        "name": found.name,
        "client_identifier": found.client_identifier,
        "access_token": found.access_token,
        "connections": _connections(found.connections),
        "best": _json(best) if best else None,
        "server": _server_response(server, connection),
    }


def _account(call: ServiceCall) -> AccountCoordinator:
    """Return the account that a call means, the only one where it names none."""
    entry: PlexAuthConfigEntry = async_get_config_entry(
        call.hass, DOMAIN, call.data.get(ATTR_CONFIG_ENTRY_ID)
    )
    return entry.runtime_data.account


def _server(call: ServiceCall) -> ServerCoordinator:
    """Return the server that a call means, the only one where it names none."""
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
            raise _invalid("choose_server")
        return servers[0]
    device, entry = async_get_device_and_config_entry(
        call.hass, DOMAIN, device_id, include_child_devices=False
    )
    server: ServerCoordinator | None = entry.runtime_data.servers.get(
        device.config_subentry_id
    )
    if server is None:
        raise _invalid("not_a_server", name=device.name_by_user or device.name or "")
    return server


def _no_server(hass: HomeAssistant) -> ServiceValidationError:
    """Return why there is no server: none was added, or its account is not loaded."""
    for entry in hass.config_entries.async_entries(DOMAIN, include_disabled=False):
        if any(entry.get_subentries_of_type(SUBENTRY_TYPE_SERVER)):
            return _invalid("account_not_ready", name=entry.title)
    return _invalid("no_server")


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
        raise _invalid("invalid_path", path=text)
    return path


def _playable(base: URL, path: URL, token: str) -> URL:
    """Return an address with the token in it, for players that send no headers."""
    return (
        base.with_path(base.raw_path.rstrip("/") + path.raw_path, encoded=True)
        .with_query(path.query)
        .update_query({"X-Plex-Token": token})
    )


def _server_response(server: ServerCoordinator, connection: Route) -> dict[str, Any]:
    """Return which server answered, and by which connection."""
    return {
        "name": server.subentry.title,
        "machine_identifier": server.machine_identifier,
        "uri": str(connection.url).rstrip("/"),
        "connection": connection.kind.value,
    }


def _connections(connections: Iterable[Connection]) -> list[Any]:
    """Return addresses as a response shows them."""
    return [_json(connection) for connection in connections]


def _json(value: Any) -> Any:
    """Return a model as plain data, times in ISO 8601."""
    if is_dataclass(value) and not isinstance(value, type):
        return _json(asdict(value))
    if isinstance(value, dict):
        return {key: _json(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_json(item) for item in value]
    return value.isoformat() if isinstance(value, datetime) else value


@contextmanager
def _translated_errors(name: str) -> Iterator[None]:
    """Raise what Plex did not do as an error that a person understands."""
    try:
        yield
    except (NotOwnerError, ServerTooOldError) as err:
        raise _invalid(error_key(err), name=name) from err
    except PlexError as err:
        raise HomeAssistantError(
            translation_domain=DOMAIN,
            translation_key=error_key(err),
            translation_placeholders={"name": name},
        ) from err


def _raise_failure(account: AccountCoordinator) -> None:
    """Raise the failure of the last update, if it failed, as an action's error."""
    if account.last_update_success:
        return
    err = account.last_exception
    if isinstance(err, HomeAssistantError) and err.translation_key is not None:
        raise HomeAssistantError(
            translation_domain=err.translation_domain,
            translation_key=err.translation_key,
            translation_placeholders=err.translation_placeholders,
        ) from err
    raise HomeAssistantError(
        translation_domain=DOMAIN,
        translation_key="unknown",
        translation_placeholders={"name": account.config_entry.title},
    ) from err


def _invalid(translation_key: str, **placeholders: str) -> ServiceValidationError:
    """Return the error of a call that cannot be meant that way."""
    return ServiceValidationError(
        translation_domain=DOMAIN,
        translation_key=translation_key,
        translation_placeholders=placeholders,
    )

"""Sessions and client information for calls to Plex."""

import asyncio
from collections.abc import Callable, Mapping
from functools import partial
from ipaddress import ip_address
from typing import Any, Final

from aiohttp import (
    ClientConnectorDNSError,
    ClientHandlerType,
    ClientRequest,
    ClientResponse,
    ClientSession,
    DummyCookieJar,
)
from aiohttp.abc import ResolveResult
from yarl import URL

from homeassistant.config_entries import ConfigEntry, ConfigSubentry
from homeassistant.const import (
    CONF_TOKEN,
    CONF_URL,
    CONF_VERIFY_SSL,
    EVENT_HOMEASSISTANT_CLOSE,
    __version__ as HA_VERSION,
)
from homeassistant.core import Event, HomeAssistant, callback
from homeassistant.helpers.aiohttp_client import (
    HomeAssistantTCPConnector,
    async_create_clientsession,
)
from homeassistant.loader import async_get_loaded_integration
from homeassistant.util.hass_dict import HassKey
from homeassistant.util.network import is_ip_address

from .api.addresses import PLEX_DIRECT, is_public
from .api.fields import printable
from .api.known_server import KnownServer
from .api.plex_tv import PlexTv
from .api.server_access import ServerAccess
from .api.server_list import AccountServer, ServerList
from .api.transport import ClientInfo, Transport
from .const import (
    CONF_API_URL,
    CONF_CLIENT_IDENTIFIER,
    CONF_LAST_KNOWN,
    DOMAIN,
    SUBENTRY_TYPE_SERVER,
)

_RESOLVE_TIMEOUT_SECONDS: Final = 5
# Shorter than a probe, whose timeout would only say that nothing answers.
_PLEX_DIRECT_TIMEOUT_SECONDS: Final = 4

_DATA_SESSIONS: HassKey[dict[bool, ClientSession]] = HassKey(f"{DOMAIN}_sessions")


@callback
def async_create_transport(
    hass: HomeAssistant, client_identifier: str, *, verify_ssl: bool = True
) -> Transport:
    """Return a transport that identifies this Home Assistant to Plex."""
    version = async_get_loaded_integration(hass, DOMAIN).version
    return Transport(
        _async_get_session(hass, verify_ssl),
        ClientInfo(
            client_identifier=client_identifier,
            product="Plex Auth for Home Assistant",
            version=str(version),
            platform="Home Assistant",
            platform_version=HA_VERSION,
            device="Home Assistant",
            device_name=printable(hass.config.location_name) or "Home Assistant",
        ),
        verify_ssl=verify_ssl,
    )


@callback
def async_create_plex_tv(hass: HomeAssistant, data: Mapping[str, Any]) -> PlexTv:
    """Return a plex.tv client for data with a client identifier and API address."""
    return PlexTv(
        async_create_transport(hass, data[CONF_CLIENT_IDENTIFIER]), data[CONF_API_URL]
    )


async def async_is_public(hass: HomeAssistant, url: URL) -> bool | None:
    """Return whether the host of a URL is on the internet, whatever its name.

    None means that its name does not resolve, at least not in time.
    """
    connector = _async_get_session(hass, verify_ssl=True).connector
    assert isinstance(connector, HomeAssistantTCPConnector)
    try:
        async with asyncio.timeout(_RESOLVE_TIMEOUT_SECONDS):
            found = await connector.async_resolve_host(url.raw_host or "")
    except OSError, ValueError:
        return None
    return is_public(result["host"] for result in found)


def stored_server(subentry: ConfigSubentry) -> KnownServer:
    """Return the server as stored in a subentry."""
    return KnownServer.from_stored(subentry.data.get(CONF_LAST_KNOWN, {}))


def stored_owners(entry: ConfigEntry[Any]) -> dict[str, int | None]:
    """Return the stored owners of an entry's servers by machine identifier."""
    return {
        str(subentry.unique_id): stored_server(subentry).owner
        for subentry in entry.get_subentries_of_type(SUBENTRY_TYPE_SERVER)
    }


@callback
def async_create_server_access(
    hass: HomeAssistant,
    entry: ConfigEntry[Any],
    subentry: ConfigSubentry,
    servers: ServerList,
    on_news: Callable[[], None],
) -> ServerAccess:
    """Return access to a server; typed settings take precedence over listed ones."""
    data = subentry.data
    assert subentry.unique_id is not None
    return ServerAccess(
        async_create_transport(
            hass,
            entry.data[CONF_CLIENT_IDENTIFIER],
            verify_ssl=data.get(CONF_VERIFY_SSL, True),
        ),
        AccountServer(
            servers,
            subentry.unique_id,
            partial(stored_server, subentry),
            url=URL(data[CONF_URL]) if CONF_URL in data else None,
            typed_token=data.get(CONF_TOKEN),
        ),
        on_news,
    )


async def _refuse_unresolved(
    request: ClientRequest, handler: ClientHandlerType
) -> ClientResponse:
    """Send a request; raise the DNS error also for blocked and unanswered names.

    Blockers answer with nothing but 0.0.0.0 or ::, and a connection would be made to this
    machine. Routers that protect from DNS rebinding may never answer for a plex.direct
    name (plex-api.md §13.11).
    """
    host, connector = request.url.raw_host or "", request.session.connector
    found: list[ResolveResult] = []
    if isinstance(connector, HomeAssistantTCPConnector) and not is_ip_address(host):
        limit = _PLEX_DIRECT_TIMEOUT_SECONDS if host.endswith(PLEX_DIRECT) else None
        try:
            async with asyncio.timeout(limit):
                found = await connector.async_resolve_host(host)
        except TimeoutError as err:
            raise ClientConnectorDNSError(request.connection_key, err) from err
        except OSError:
            pass  # an open connection needs no name
    if found and all(ip_address(one["host"]).is_unspecified for one in found):
        raise ClientConnectorDNSError(request.connection_key, OSError(host))
    return await handler(request)


@callback
def _async_get_session(hass: HomeAssistant, verify_ssl: bool) -> ClientSession:
    """Return the session shared by all transports with this certificate setting."""
    # Home Assistant's own session keeps cookies, which would mix accounts. Automatic
    # cleanup would end the session with the entry that created it.
    sessions = hass.data.setdefault(_DATA_SESSIONS, {})
    if verify_ssl not in sessions:
        session = sessions[verify_ssl] = async_create_clientsession(
            hass,
            verify_ssl,
            auto_cleanup=False,
            cookie_jar=DummyCookieJar(),
            middlewares=(_refuse_unresolved,),
        )

        @callback
        def _async_detach(_: Event) -> None:
            session.detach()

        hass.bus.async_listen_once(EVENT_HOMEASSISTANT_CLOSE, _async_detach)
    return sessions[verify_ssl]

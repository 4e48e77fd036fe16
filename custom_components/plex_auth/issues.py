"""Repairs: what keeps a server from working and the user can do something about.

Whether an issue exists follows from what the coordinators know; it goes away by itself
when its cause does.
"""

from collections.abc import Iterator
from enum import StrEnum

from yarl import URL

from homeassistant.const import CONF_TOKEN, CONF_URL
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import issue_registry as ir

from .api.addresses import PLEX_DIRECT, is_private, is_public
from .api.connections import ConnectionKind, Route
from .api.errors import DnsError
from .api.server import supports_sources
from .const import CONF_SOURCES, DOCUMENTATION_URL, DOMAIN
from .coordinator import PlexAuthConfigEntry, ServerCoordinator


class Issue(StrEnum):
    """Name what can be wrong with a server."""

    NOT_LISTED = "server_not_listed"
    TOKEN_REFUSED = "server_token_refused"
    TOO_OLD = "server_too_old"
    PLEX_DIRECT = "plex_direct_not_resolved"
    PLAIN_HTTP = "plain_http"


_FIXABLE = frozenset({Issue.NOT_LISTED, Issue.TOKEN_REFUSED, Issue.PLEX_DIRECT})


@callback
def async_watch_issues(
    hass: HomeAssistant, entry: PlexAuthConfigEntry, server: ServerCoordinator
) -> None:
    """Keep the issues of a server true for as long as the entry is loaded."""

    @callback
    def _async_update() -> None:
        found = set(_issues(server))
        for issue in Issue:
            if issue is Issue.PLEX_DIRECT and _is_internet_missing(server):
                continue
            issue_id = f"{issue}_{server.subentry.subentry_id}"
            if issue not in found:
                ir.async_delete_issue(hass, DOMAIN, issue_id)
                continue
            ir.async_create_issue(
                hass,
                DOMAIN,
                issue_id,
                is_fixable=issue in _FIXABLE,
                severity=ir.IssueSeverity.WARNING,
                translation_key=issue,
                translation_placeholders={
                    "account": entry.title,
                    "server": server.subentry.title,
                },
                learn_more_url=f"{DOCUMENTATION_URL}#troubleshooting",
                data={
                    "entry_id": entry.entry_id,
                    "subentry_id": server.subentry.subentry_id,
                },
            )

    @callback
    def _async_delete() -> None:
        async_delete_issues(hass, server.subentry.subentry_id, ignored=False)

    _async_update()
    entry.async_on_unload(server.async_add_listener(_async_update))
    entry.async_on_unload(server.account.async_add_listener(_async_update))
    entry.async_on_unload(_async_delete)


@callback
def async_delete_issues(
    hass: HomeAssistant, subentry_id: str, *, ignored: bool = True
) -> None:
    """Delete the issues of a server, those that the user ignores only if told to.

    An issue that is made anew after a reload is no longer ignored.
    """
    registry = ir.async_get(hass)
    for issue in Issue:
        issue_id = f"{issue}_{subentry_id}"
        found = registry.async_get_issue(DOMAIN, issue_id)
        if found is not None and (ignored or found.dismissed_version is None):
            ir.async_delete_issue(hass, DOMAIN, issue_id)


def local_address(server: ServerCoordinator) -> URL | None:
    """Return the local address that works without a plex.direct name, if one is known.

    Where the server requires secure connections that address has no valid certificate.
    """
    known = server.access.target.known
    scheme = "https" if known.https_required else "http"
    for connection in known.connections:
        if connection.local and is_private(connection.address):
            return URL.build(
                scheme=scheme, host=connection.address or "", port=connection.port
            )
    return None


def _issues(server: ServerCoordinator) -> Iterator[Issue]:
    """Yield what is wrong with a server now."""
    data = server.subentry.data
    if (
        CONF_TOKEN not in data
        and server.account.servers.is_known
        and server.access.target.listed is None
    ):
        yield Issue.NOT_LISTED
    if CONF_TOKEN in data and server.access.token_refused:
        yield Issue.TOKEN_REFUSED
    if data[CONF_SOURCES] and not supports_sources(server.access.version):
        yield Issue.TOO_OLD
    if CONF_URL not in data and _lacks_plex_direct(server):
        yield Issue.PLEX_DIRECT
    if CONF_URL in data:
        url = URL(data[CONF_URL])
        if url.scheme == "http" and is_public(url.host):
            yield Issue.PLAIN_HTTP


def _lacks_plex_direct(server: ServerCoordinator) -> bool:
    """Return whether the server is not reached locally for want of name resolution.

    Names of addresses outside do resolve then.
    """
    if _is_local(server) or any(
        isinstance(failure, DnsError) and route.kind is not ConnectionKind.LOCAL
        for route, failure in server.access.routing.failures.items()
    ):
        return False
    return local_address(server) is not None and any(
        _is_unresolved(route) and isinstance(failure, DnsError)
        for route, failure in server.access.routing.failures.items()
    )


def _is_internet_missing(server: ServerCoordinator) -> bool:
    """Return whether it may be the internet that is missing, not a name alone."""
    account = server.account
    is_answered = account.last_update_success or account.token_rejected
    return not is_answered and not _is_local(server)


def _is_local(server: ServerCoordinator) -> bool:
    """Return whether the server is reached locally."""
    return server.last_update_success and server.data.route.kind is ConnectionKind.LOCAL


def _is_unresolved(route: Route) -> bool:
    """Return whether a route is a local one by a plex.direct name."""
    return route.kind is ConnectionKind.LOCAL and (route.url.host or "").endswith(
        PLEX_DIRECT
    )

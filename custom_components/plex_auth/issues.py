"""Repair issues for server problems that the user can solve.

Issues follow from the state of the coordinators and disappear with their cause.
"""

from collections.abc import Iterator, Set as AbstractSet
from enum import StrEnum
from typing import Final

from homeassistant.const import CONF_TOKEN, CONF_URL
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import issue_registry as ir

from . import names
from .api.reachability import Reach
from .api.server import supports_sources
from .const import DOMAIN
from .server_coordinator import ServerCoordinator


class Issue(StrEnum):
    """A problem with a server."""

    UNCLAIMED = "server_unclaimed"
    NOT_LISTED = "server_not_listed"
    TOKEN_REFUSED = "server_token_refused"
    TOO_OLD = "server_too_old"
    NOT_REACHED = "server_not_reached"
    ADDRESS_FAILS = "server_address_fails"
    PLAIN_HTTP = "plain_http"


_LEARN_MORE: Final = "https://github.com/seed-6e2aef77/plex-auth/blob/main/docs/troubleshooting.md#repairs"

_FIXABLE: Final = frozenset(
    {
        Issue.UNCLAIMED,
        Issue.NOT_LISTED,
        Issue.TOKEN_REFUSED,
        Issue.NOT_REACHED,
        Issue.ADDRESS_FAILS,
    }
)
# Issues that are already dangerous; the others are warnings.
_ERRORS: Final = frozenset({Issue.UNCLAIMED})


@callback
def async_watch_issues(hass: HomeAssistant, server: ServerCoordinator) -> None:
    """Keep a server's issues up to date while the entry is loaded."""
    entry = server.config_entry
    subentry_id = server.subentry.subentry_id

    @callback
    def async_update() -> None:
        found = set(_issues(server))
        undecided = _undecided(server)
        for issue in Issue:
            issue_id = f"{issue}_{subentry_id}"
            if issue in undecided:
                continue
            if issue not in found:
                ir.async_delete_issue(hass, DOMAIN, issue_id)
                continue
            ir.async_create_issue(
                hass,
                DOMAIN,
                issue_id,
                is_fixable=issue in _FIXABLE,
                severity=ir.IssueSeverity.ERROR
                if issue in _ERRORS
                else ir.IssueSeverity.WARNING,
                translation_key=issue,
                translation_placeholders=names.placeholders(
                    account=entry.title, server=server.subentry.title
                ),
                learn_more_url=_LEARN_MORE,
                data={"entry_id": entry.entry_id, "subentry_id": subentry_id},
            )

    @callback
    def async_delete() -> None:
        registry = ir.async_get(hass)
        for issue in Issue:
            found = registry.async_get_issue(DOMAIN, f"{issue}_{subentry_id}")
            # A recreated issue would no longer be ignored.
            if found is not None and found.dismissed_version is None:
                ir.async_delete_issue(hass, DOMAIN, found.issue_id)

    async_update()
    server.async_on_shutdown(server.async_add_listener(async_update))
    server.async_on_shutdown(server.account.async_add_listener(async_update))
    server.async_on_shutdown(async_delete)


@callback
def async_delete_issues(hass: HomeAssistant, kept: AbstractSet[str]) -> None:
    """Delete the issues, even ignored ones, of all servers except the kept ones."""
    for domain, issue_id in list(ir.async_get(hass).issues):
        if domain == DOMAIN and not issue_id.endswith(tuple(kept)):
            ir.async_delete_issue(hass, DOMAIN, issue_id)


def _issues(server: ServerCoordinator) -> Iterator[Issue]:
    """Yield the current issues of a server."""
    data, target = server.subentry.data, server.access.target
    # Of a server with a typed token, a row of its identifier proves no owner.
    if server.access.is_unclaimed and (CONF_TOKEN in data or not target.is_shared):
        yield Issue.UNCLAIMED
    elif (
        CONF_TOKEN not in data
        and server.account.servers.is_known
        and not target.is_listed
    ):
        yield Issue.NOT_LISTED
    if CONF_TOKEN in data and server.access.token_refused:
        yield Issue.TOKEN_REFUSED
    if server.sources.watched and not supports_sources(server.access.version):
        yield Issue.TOO_OLD
    if _is_lost(server):
        yield Issue.NOT_REACHED
    if CONF_URL in data:
        listed = target.listed if target.is_listed else None
        if not server.last_update_success and listed is not None and listed.connections:
            yield Issue.ADDRESS_FAILS
        if _is_exposed(server):
            yield Issue.PLAIN_HTTP


def _undecided(server: ServerCoordinator) -> set[Issue]:
    """Return the issues that cannot be judged now; they stay unchanged.

    A server not yet reached may be unclaimed.
    """
    undecided = set[Issue]()
    if _is_lost(server) is None:
        undecided.add(Issue.NOT_REACHED)
    if _is_exposed(server) is None:
        undecided.add(Issue.PLAIN_HTTP)
    if server.access.identity is None:
        undecided.add(Issue.UNCLAIMED)
        if server.last_update_success:
            undecided.add(Issue.NOT_LISTED)
    return undecided


def _is_exposed(server: ServerCoordinator) -> bool | None:
    """Return whether tokens go unencrypted over the internet, None if not known yet."""
    url = server.access.target.url
    if url is None or url.scheme == "https":
        return False
    is_known = server.data is not None and server.data.route.url == url
    return server.data.is_exposed if is_known else None


def _is_lost(server: ServerCoordinator) -> bool | None:
    """Return whether the server is not reached directly, None if that is not known."""
    reachability = server.reachability
    if (
        reachability.reach is not Reach.DIRECT
        and not server.account.last_update_success
    ):
        return None
    return reachability.is_lost(server.access.target)

"""Repair issues for problems of servers and Home users that the user can solve.

Issues follow from the state of the coordinators and disappear with their cause.
"""

from collections.abc import Callable, Mapping, Set as AbstractSet
from enum import StrEnum
from typing import Any, Final

from homeassistant.const import CONF_TOKEN
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import issue_registry as ir

from . import names
from .api.models import ListedServer
from .api.reachability import Reach
from .api.server import supports_sources
from .api.successor import find_successor
from .const import DOMAIN
from .coordinator import AccountCoordinator, SubentryCoordinator
from .home_user_coordinator import HomeUserCoordinator
from .server_coordinator import ServerCoordinator

type Judge[CoordinatorT] = Callable[[CoordinatorT], bool | None]
type ServerJudge = Judge[ServerCoordinator]


class Issue(StrEnum):
    """A problem with a server or a Home user."""

    UNCLAIMED = "server_unclaimed"
    NOT_LISTED = "server_not_listed"
    TOKEN_REFUSED = "server_token_refused"
    TOO_OLD = "server_too_old"
    REPLACED = "server_replaced"
    NOT_REACHED = "server_not_reached"
    ADDRESS_FAILS = "server_address_fails"
    PLAIN_HTTP = "plain_http"
    HOME_USER_SIGN_IN = "home_user_sign_in"


_LEARN_MORE: Final = "https://github.com/seed-6e2aef77/plex-auth/blob/main/docs/troubleshooting.md#repairs"

_FIXABLE: Final = frozenset(
    {
        Issue.UNCLAIMED,
        Issue.NOT_LISTED,
        Issue.TOKEN_REFUSED,
        Issue.REPLACED,
        Issue.NOT_REACHED,
        Issue.ADDRESS_FAILS,
        Issue.HOME_USER_SIGN_IN,
    }
)
# Issues that are already dangerous; the others are warnings.
_ERRORS: Final = frozenset({Issue.UNCLAIMED})


@callback
def async_watch_server(server: ServerCoordinator) -> None:
    """Keep a server's issues up to date while the entry is loaded."""
    _async_watch(server, server.account, _JUDGES, lambda: server.is_reached, "server")


@callback
def async_watch_home_user(user: HomeUserCoordinator) -> None:
    """Keep the issue of a Home user up to date while the entry is loaded."""
    judges = {Issue.HOME_USER_SIGN_IN: _is_home_user_rejected}
    _async_watch(
        user, user.account, judges, lambda: user.is_rejected is False, "home_user"
    )


@callback
def _async_watch[CoordinatorT: SubentryCoordinator[Any]](
    coordinator: CoordinatorT,
    account: AccountCoordinator,
    judges: Mapping[Issue, Judge[CoordinatorT]],
    is_well: Callable[[], bool],
    name: str,
) -> None:
    """Keep the issues of a subentry up to date while the entry is loaded.

    `is_well` returns whether a missing issue is solved; otherwise, it may come back.
    `name` is the placeholder of the subentry's title.
    """
    hass, entry, subentry = (
        coordinator.hass,
        coordinator.config_entry,
        coordinator.subentry,
    )
    subentry_id = subentry.subentry_id

    @callback
    def async_update() -> None:
        for issue, judge in judges.items():
            issue_id = f"{issue}_{subentry_id}"
            verdict = judge(coordinator)
            if verdict is None:
                continue
            if not verdict:
                async_delete(issue_id, is_solved=is_well())
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
                    account=entry.title, **{name: subentry.title}
                ),
                learn_more_url=_LEARN_MORE,
                data={"entry_id": entry.entry_id, "subentry_id": subentry_id},
            )

    @callback
    def async_delete(issue_id: str, *, is_solved: bool) -> None:
        found = ir.async_get(hass).async_get_issue(DOMAIN, issue_id)
        # A recreated issue would no longer be ignored.
        if found is not None and (is_solved or found.dismissed_version is None):
            ir.async_delete_issue(hass, DOMAIN, issue_id)

    @callback
    def async_stop() -> None:
        for issue in judges:
            async_delete(f"{issue}_{subentry_id}", is_solved=False)

    async_update()
    coordinator.async_on_shutdown(coordinator.async_add_listener(async_update))
    coordinator.async_on_shutdown(account.async_add_listener(async_update))
    coordinator.async_on_shutdown(async_stop)


@callback
def async_delete_issues(hass: HomeAssistant, kept: AbstractSet[str]) -> None:
    """Delete the issues, even ignored ones, of all subentries except the kept ones."""
    for domain, issue_id in list(ir.async_get(hass).issues):
        if domain == DOMAIN and not issue_id.endswith(tuple(kept)):
            ir.async_delete_issue(hass, DOMAIN, issue_id)


@callback
def async_successor(server: ServerCoordinator) -> ListedServer | None:
    """Return the server that took a server's place, None while it is reached itself."""
    return None if server.is_reached else _candidate(server)


def _candidate(server: ServerCoordinator) -> ListedServer | None:
    """Return the server that has a server's place according to plex.tv, or None."""
    subentries = server.config_entry.subentries.values()
    return find_successor(server.access, {one.unique_id for one in subentries})


# Each judge returns whether the issue exists, or None if unknown: the issue then does not
# change, and an ignored one remains ignored.


def _is_unclaimed(server: ServerCoordinator) -> bool | None:
    """Return whether the server reports that it is unclaimed, and may be claimed."""
    if server.access.identity is None:
        return None
    # Of a server with a typed token, a row of its identifier proves no owner.
    may_be_own = (
        CONF_TOKEN in server.subentry.data or not server.access.target.is_shared
    )
    return server.access.is_unclaimed and may_be_own


def _is_replaced(server: ServerCoordinator) -> bool | None:
    """Return whether another server took the server's place."""
    if server.is_reached:
        return False
    if not server.is_polled or not server.account.servers.is_known:
        return None
    return async_successor(server) is not None


def _unless_replaced(judge: ServerJudge) -> ServerJudge:
    """Return a judge of an issue that a successor solves."""

    def _judge(server: ServerCoordinator) -> bool | None:
        if _is_replaced(server):
            return False
        # The next poll tells whether the server still has its place.
        if server.is_reached and _candidate(server) is not None:
            return None
        return judge(server)

    return _judge


def _is_not_listed(server: ServerCoordinator) -> bool | None:
    """Return whether plex.tv no longer lists the server."""
    if CONF_TOKEN in server.subentry.data or server.access.target.is_listed:
        return False
    if not server.account.servers.is_known:
        return None
    is_unclaimed = _is_unclaimed(server)
    # A server that is not polled yet may be unclaimed. One that is away may be, too, but
    # plex.tv has dropped it in either case.
    if is_unclaimed is None and server.last_update_success:
        return None
    return not is_unclaimed


def _is_token_refused(server: ServerCoordinator) -> bool | None:
    """Return whether the server refuses its typed token."""
    return CONF_TOKEN in server.subentry.data and server.access.token_refused


def _is_too_old(server: ServerCoordinator) -> bool | None:
    """Return whether the server is too old for its watched sources."""
    if not server.sources.watched:
        return False
    version = server.access.version
    return None if version is None else not supports_sources(version)


def _does_address_fail(server: ServerCoordinator) -> bool | None:
    """Return whether a typed address fails while a listed one leads to the server."""
    if server.access.target.url is None or server.is_reached:
        return False
    return True if server.reachability.is_found_elsewhere else None


def _is_exposed(server: ServerCoordinator) -> bool | None:
    """Return whether tokens go unencrypted over the internet, None if not known yet."""
    url = server.access.target.url
    if url is None or url.scheme == "https":
        return False
    is_known = server.data is not None and server.data.route.url == url
    return server.data.is_exposed if is_known else None


def _is_lost(server: ServerCoordinator) -> bool | None:
    """Return whether the server is not reached directly, None if that is not known."""
    if _is_replaced(server):
        return False
    reachability = server.reachability
    if (
        reachability.reach is not Reach.DIRECT
        and not server.account.last_update_success
    ):
        return None
    return reachability.is_lost(server.access.target)


def _is_home_user_rejected(user: HomeUserCoordinator) -> bool | None:
    """Return whether plex.tv rejects the user's token, but not the account's."""
    return False if user.account.needs_sign_in else user.is_rejected


_JUDGES: Final[dict[Issue, ServerJudge]] = {
    Issue.UNCLAIMED: _is_unclaimed,
    Issue.NOT_LISTED: _unless_replaced(_is_not_listed),
    Issue.TOKEN_REFUSED: _is_token_refused,
    Issue.TOO_OLD: _is_too_old,
    Issue.REPLACED: _is_replaced,
    Issue.NOT_REACHED: _is_lost,
    Issue.ADDRESS_FAILS: _unless_replaced(_does_address_fail),
    Issue.PLAIN_HTTP: _is_exposed,
}

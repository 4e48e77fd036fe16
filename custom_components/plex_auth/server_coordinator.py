"""The polls of a server and its watched sources."""

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any, Final, NamedTuple, override

from homeassistant.config_entries import ConfigEntry, ConfigSubentry
from homeassistant.const import EVENT_HOMEASSISTANT_STOP
from homeassistant.core import HomeAssistant, callback

from .api.connections import ConnectionKind, Route
from .api.errors import NotPermittedError, NotReachedError, PlexError
from .api.known_server import KnownServer
from .api.models import Identity, Source
from .api.notifications import Notifications
from .api.reachability import Reach, Reachability
from .api.server_access import ServerAccess
from .api.server_list import ServerList
from .clients import async_create_server_access, async_is_public
from .const import CONF_SOURCES, LOGGER
from .coordinator import AccountCoordinator, SharedPollCoordinator, SubentryCoordinator
from .messages import update_failed
from .transient_tokens import async_issued_token

SERVER_INTERVAL: Final = timedelta(minutes=5)
LISTENING_INTERVAL: Final = timedelta(minutes=15)
SOURCE_INTERVAL: Final = timedelta(minutes=30)

_SERVER_PAUSE: Final = timedelta(minutes=15)


class SourceCoordinator(SharedPollCoordinator[dict[str, Source]]):
    """Coordinator of a server's sources; failed ones are in `failures` instead."""

    def __init__(
        self,
        hass: HomeAssistant,
        entry: ConfigEntry[Any],
        subentry: ConfigSubentry,
        servers: ServerList,
        get_access: Callable[[], ServerAccess | None],
    ) -> None:
        """Initialize with the account's servers.

        `get_access` returns None while the server is not reached.
        """
        super().__init__(
            hass,
            entry,
            name=f"sources of Plex server {subentry.title}",
            interval=SOURCE_INTERVAL,
        )
        self.failures: dict[str, PlexError] = {}
        self.is_late = False
        self._subentry = subentry
        self._servers = servers
        self._get_access = get_access
        self._followed = self.watched
        self._listed = self._find_listed()

    @property
    def watched(self) -> list[str]:
        """Return the watched sources."""
        return list(self._subentry.data.get(CONF_SOURCES, ()))

    @callback
    def async_follow(self) -> None:
        """Poll if the watched sources changed."""
        if self._followed != self.watched:
            self._followed = self.watched
            self._listed = self._find_listed()
            self.async_poll_now()

    @callback
    def async_follow_list(self) -> None:
        """Poll if plex.tv lists the server or a watched one differently than before.

        Another address or token, or a claim, changes what the server reports of a source.
        """
        before, self._listed = self._listed, self._find_listed()
        if before is not None and before != self._listed:
            self.async_poll_now()

    def _find_listed(self) -> dict[str, KnownServer] | None:
        """Return the server and the watched ones as listed, None if nothing is known."""
        if not self._servers.is_known or not self.watched:
            return None
        identifiers = {source.partition("://")[2] for source in self.watched}
        found = map(self._servers.get, {*identifiers, str(self._subentry.unique_id)})
        return {
            listed.machine_identifier: KnownServer.from_listed(listed)
            for listed in found
            if listed is not None
        }

    @override
    async def _async_update_data(self) -> dict[str, Source]:
        """Ask the server for each source, if the server is reached."""
        found: dict[str, Source] = {}
        self.failures = {}
        access = self._get_access()
        self.is_late = access is None
        if access is None:
            return found
        for source in self.watched:
            try:
                found[source], _ = await access.source(source)
            except PlexError as err:
                self.failures[source] = err.without_frames()
                LOGGER.debug("Unable to get one of the %s: %s", self.name, err)
        return found


class ServerData(NamedTuple):
    """A server's route and identity; any change notifies the listeners.

    `is_exposed` is whether the route sends the token over the internet unencrypted, None
    if unknown: only a typed address may.
    """

    route: Route
    identity: Identity
    is_exposed: bool | None


class ServerCoordinator(SubentryCoordinator[ServerData]):
    """Coordinator of a server: its connection and its transient token."""

    def __init__(
        self,
        hass: HomeAssistant,
        entry: ConfigEntry[Any],
        subentry: ConfigSubentry,
        account: AccountCoordinator,
    ) -> None:
        """Initialize for a server's subentry."""
        super().__init__(hass, entry, subentry, interval=SERVER_INTERVAL)
        assert subentry.unique_id is not None
        self.account = account
        self.access = self._new_access()
        self.notifications = Notifications(subentry.unique_id, self._async_handle_news)
        self.sources = SourceCoordinator(
            hass,
            entry,
            subentry,
            account.servers,
            lambda: self.access if self.is_reached else None,
        )
        self.issued_token = async_issued_token(hass, subentry.subentry_id)
        self.reachability = Reachability()
        self.async_on_shutdown(self.issued_token.watch(self.async_update_listeners))
        self.async_on_shutdown(
            hass.bus.async_listen(
                EVENT_HOMEASSISTANT_STOP, callback(lambda _: self.notifications.stop())
            )
        )

    @property
    @override
    def log_name(self) -> str:
        return f"Plex server {self.subentry.title}"

    @property
    def machine_identifier(self) -> str:
        """Return the server's identifier."""
        assert self.subentry.unique_id is not None
        return self.subentry.unique_id

    @override
    async def async_check_now(self) -> None:
        """Poll the server, then its sources, and wait for both."""
        self.notifications.hurry()
        await self.async_poll()
        await self.sources.async_poll()

    @property
    def is_polled(self) -> bool:
        """Return whether the first poll is finished."""
        return self.last_exception is not None or self.data is not None

    @property
    def is_reached(self) -> bool:
        """Return whether the last poll reached the server, False before the first."""
        return self.last_update_success and self.data is not None

    @override
    @callback
    def async_follow(self) -> None:
        """Apply the changes of the subentry."""
        self.name = self.log_name
        if (access := self._new_access()).typed != self.access.typed:
            self.access, self.reachability = access, Reachability()
            self.notifications.stop()
            self.async_poll_now()
        self.sources.async_follow()
        self.async_update_listeners()

    def _new_access(self) -> ServerAccess:
        """Return access with the subentry's current settings."""
        return async_create_server_access(
            self.hass,
            self.config_entry,
            self.subentry,
            self.account.servers,
            self._async_handle_access_news,
        )

    @callback
    def _async_handle_access_news(self) -> None:
        """Close the socket of a server that says it is unclaimed; notify listeners."""
        if self.access.is_unclaimed:
            self.notifications.stop()
        self.async_update_listeners()

    @callback
    def _async_handle_news(self, answers: bool) -> None:
        """Poll if the server may be gone, back, or restarted."""
        if self.is_reached or answers:
            self.async_poll_now()

    @callback
    def async_note_route(self, route: Route) -> None:
        """Poll if an action reached the server by another route."""
        if not self.is_reached or self.data.route != route:
            self.async_poll_now()

    @override
    async def async_shutdown(self) -> None:
        """Stop everything that belongs to the server; a poll in progress opens no socket."""
        await super().async_shutdown()
        await self.sources.async_shutdown()
        await self.notifications.close()

    @override
    async def _async_update_data(self) -> ServerData:
        """Identify the server, check its tokens, and keep its socket open."""
        self.update_interval = SERVER_INTERVAL
        access, reachability = self.access, self.reachability
        was_reached = self.is_reached
        was_unclaimed = self.data is not None and self.data.identity.claimed is False
        try:
            identity, route = await access.identify()
        except PlexError as err:
            is_typed = access.target.url is not None
            reachability.note_elsewhere(
                is_found=is_typed and await access.is_found_elsewhere()
            )
            raise update_failed(
                err,
                SERVER_INTERVAL,
                _SERVER_PAUSE,
                account=self.config_entry.title,
                server=self.subentry.title,
            ) from err
        reachability.note_elsewhere(is_found=False)
        if access.is_unclaimed:
            # An unclaimed server checks no token, and gets none (plex-api.md §17.1).
            self.notifications.stop()
        else:
            if was_unclaimed:
                # Claiming changes the server's tokens (plex-api.md §17.4).
                await access.target.renew(now=True)
                self.sources.is_late = True
            await access.recheck_refused_token(route)
            await self.issued_token.check(partial(access.check_transient_token, route))
            if access is self.access:
                self._listen(route, is_back=not was_reached)
        return ServerData(route, identity, await _async_is_exposed(self.hass, route))

    def _listen(self, route: Route, *, is_back: bool) -> None:
        """Open the notification socket on a route that has just been verified.

        While it is open, fewer polls are needed.
        """
        if self._shutdown_requested or self.hass.is_stopping:
            return
        access = self.access
        try:
            # The checks of tokens may have found another server there meanwhile.
            server, token = access.routing.for_token(route), access.target.token
        except NotPermittedError, NotReachedError:
            self.notifications.stop()
            return
        self.notifications.listen(server, token)
        if self.notifications.is_open:
            self.update_interval = LISTENING_INTERVAL
        elif is_back:
            self.notifications.hurry()

    @override
    @callback
    def _async_refresh_finished(self) -> None:
        """Note how the server is reached, and poll overdue sources once it is.

        The base class notifies listeners neither when one failure follows another nor of
        the same route again, which by now may have been the only one for too long.
        """
        route = self.data.route if self.is_reached else None
        self.reachability.note(self.access, route, self.cause)
        if self.reachability.reach is not Reach.DIRECT or not self.last_update_success:
            self.async_update_listeners()
        if self.last_update_success and self.sources.is_late:
            self.sources.async_poll_now()


@callback
def async_follow_list(server: ServerCoordinator) -> None:
    """Keep a server's sources up to date with the account's servers at plex.tv."""
    follow = server.sources.async_follow_list
    server.async_on_shutdown(server.account.async_add_listener(follow))


async def _async_is_exposed(hass: HomeAssistant, route: Route) -> bool | None:
    """Return whether a route is plain http to a typed address on the internet."""
    if route.kind is not ConnectionKind.CUSTOM or route.url.scheme == "https":
        return False
    return await async_is_public(hass, route.url)

"""The poll of a server: when to ask it, and what to tell."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, override

from homeassistant.config_entries import ConfigEntry, ConfigSubentry
from homeassistant.core import CALLBACK_TYPE, HomeAssistant, callback
from homeassistant.helpers.update_coordinator import DataUpdateCoordinator

from .api.connections import Route
from .api.errors import PlexError
from .api.server_access import ServerAccess
from .const import LOGGER
from .coordinator import AccountCoordinator
from .messages import update_failed
from .sessions import async_create_server_access, typed_access
from .source_coordinator import SourceCoordinator
from .transient_tokens import async_issued_token

SERVER_INTERVAL: Final = timedelta(minutes=5)

_SERVER_PAUSE: Final = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class ServerData:
    """Hold how a server is reached and what it says of itself."""

    route: Route
    version: str | None


class ServerCoordinator(DataUpdateCoordinator[ServerData]):
    """Watch that a server can be reached, and its transient token."""

    config_entry: ConfigEntry[Any]

    def __init__(
        self,
        hass: HomeAssistant,
        entry: ConfigEntry[Any],
        subentry: ConfigSubentry,
        account: AccountCoordinator,
    ) -> None:
        """Take the server that a subentry stands for."""
        super().__init__(
            hass,
            LOGGER,
            config_entry=entry,
            name=f"Plex server {subentry.title}",
            update_interval=SERVER_INTERVAL,
            always_update=False,
        )
        assert subentry.unique_id is not None
        self.account = account
        self.subentry = subentry
        self.machine_identifier = subentry.unique_id
        self._typed = typed_access(subentry)
        self.access = self._new_access()
        self.sources = SourceCoordinator(
            hass, entry, subentry, lambda: self.access if self.is_reached else None
        )
        self.issued_token = async_issued_token(hass, subentry.subentry_id)
        self._on_shutdown = [self.issued_token.watch(self.async_update_listeners)]

    @callback
    def async_on_shutdown(self, stop: CALLBACK_TYPE) -> None:
        """Call something when the server is removed or its entry unloaded."""
        self._on_shutdown.append(stop)

    async def async_first_poll(self) -> None:
        """Poll the server, and its sources if it is reached."""
        await self.async_refresh()
        await self.sources.async_refresh()

    @property
    def is_polled(self) -> bool:
        """Return whether the first poll is over."""
        return bool(self.data or self.last_exception)

    @property
    def is_reached(self) -> bool:
        """Return whether the last poll reached the server, False before the first."""
        return self.last_update_success and self.data is not None

    @callback
    def async_follow(self) -> None:
        """Take over what has changed in the subentry."""
        self.name = f"Plex server {self.subentry.title}"
        if (typed := typed_access(self.subentry)) != self._typed:
            self._typed = typed
            self.access = self._new_access()
            self.async_poll_now()
        self.sources.async_follow()
        self.async_update_listeners()

    def _new_access(self) -> ServerAccess:
        """Return an access by what is typed in the subentry now."""
        return async_create_server_access(
            self.hass,
            self.config_entry,
            self.subentry,
            self.account.servers,
            self.async_update_listeners,
        )

    @callback
    def async_poll_now(self) -> None:
        """Poll at once, while everything else goes on."""
        self.config_entry.async_create_background_task(
            self.hass, self.async_refresh(), f"{self.name} poll"
        )

    @callback
    def async_note_route(self, route: Route) -> None:
        """Poll at once where an action has reached the server in another way."""
        if not self.is_reached or self.data.route != route:
            self.async_poll_now()

    @override
    async def async_shutdown(self) -> None:
        """Stop everything that belongs to the server."""
        while self._on_shutdown:
            self._on_shutdown.pop()()
        await self.sources.async_shutdown()
        await super().async_shutdown()

    @override
    async def _async_update_data(self) -> ServerData:
        """Ask the server who it is, then whether the transient token still lives."""
        try:
            identity, route = await self.access.identify()
        except PlexError as err:
            raise update_failed(
                err, self.subentry.title, SERVER_INTERVAL, _SERVER_PAUSE
            ) from err
        await self.access.recheck_refused_token()
        await self.issued_token.check(self.access.check_transient_token)
        return ServerData(route, identity.version)

    @override
    @callback
    def _async_refresh_finished(self) -> None:
        """Ask for the sources as soon as the server is back."""
        if self.last_update_success and self.sources.is_late:
            self.sources.async_ask_now()

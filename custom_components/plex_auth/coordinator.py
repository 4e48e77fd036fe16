"""The polls: when to ask, and what to tell."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, override

from homeassistant.config_entries import ConfigEntry, ConfigSubentry
from homeassistant.const import CONF_TOKEN
from homeassistant.core import CALLBACK_TYPE, HomeAssistant, callback
from homeassistant.exceptions import ConfigEntryAuthFailed
from homeassistant.helpers.update_coordinator import DataUpdateCoordinator
from homeassistant.util import dt as dt_util
from homeassistant.util.hass_dict import HassKey

from .api.connections import Route
from .api.errors import PlexError, TokenRejectedError
from .api.models import Account
from .api.server_access import ServerAccess
from .api.server_list import ServerList
from .api.shared import SharedRequest
from .const import DOMAIN, LOGGER
from .last_known import async_store_listed
from .messages import not_ready, sign_in_rejected, update_failed
from .sessions import async_create_plex_tv, async_create_server_access, typed_access
from .sign_in_request import async_clear_the_way, async_take_back
from .source_coordinator import SourceCoordinator
from .transient_tokens import async_issued_token

ACCOUNT_INTERVAL: Final = timedelta(minutes=30)
REJECTED_INTERVAL: Final = timedelta(hours=1)
SERVER_INTERVAL: Final = timedelta(minutes=5)

_FIRST_RETRY: Final = timedelta(seconds=60)
_PLEX_TV_PAUSE: Final = timedelta(hours=1)
_SERVER_PAUSE: Final = timedelta(minutes=15)

_DATA_PAUSES: HassKey[dict[str, tuple[datetime, BaseException | None]]] = HassKey(
    f"{DOMAIN}_pauses"
)

type PlexAuthConfigEntry = ConfigEntry[PlexAuthData]


@dataclass(slots=True)
class PlexAuthData:
    """Hold the coordinators of an entry, and who adds what belongs to a server.

    Servers stand by the id of their subentry.
    """

    account: AccountCoordinator
    servers: dict[str, ServerCoordinator] = field(default_factory=dict)
    listeners: list[Callable[[ServerCoordinator], None]] = field(default_factory=list)
    is_ready: bool = False

    @callback
    def async_listen(self, listener: Callable[[ServerCoordinator], None]) -> None:
        """Call a listener with each server that there is, and that comes."""
        self.listeners.append(listener)
        for subentry_id, server in self.servers.items():
            if subentry_id in self.account.config_entry.subentries:
                listener(server)

    @callback
    def async_add(self, server: ServerCoordinator) -> None:
        """Add a server, and tell of it."""
        self.servers[server.subentry.subentry_id] = server
        for listener in self.listeners:
            listener(server)


@dataclass(frozen=True, slots=True)
class AccountData:
    """Hold the account's details and when plex.tv last accepted its token."""

    details: Account
    verified_at: datetime


class AccountCoordinator(DataUpdateCoordinator[AccountData]):
    """Watch that plex.tv accepts the account token, and know the account's servers."""

    config_entry: PlexAuthConfigEntry

    def __init__(self, hass: HomeAssistant, entry: PlexAuthConfigEntry) -> None:
        """Prepare the calls to plex.tv under the entry's own client identifier."""
        super().__init__(
            hass,
            LOGGER,
            config_entry=entry,
            name=f"Plex account {entry.title}",
            update_interval=ACCOUNT_INTERVAL,
            always_update=False,
        )
        self._plex = async_create_plex_tv(hass, entry.data)

        def start(request: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
            return entry.async_create_background_task(
                hass, request, "plex_auth request", eager_start=False
            )

        self.servers = ServerList(
            lambda: self._plex.servers(entry.data[CONF_TOKEN]),
            self.async_verify,
            on_renewed=self._async_servers_renewed,
            now=lambda: dt_util.utcnow(),
            start=start,
        )
        self._verification = SharedRequest(self.async_refresh, start)
        self._rejected_token: str | None = None
        self._retry_interval = _FIRST_RETRY
        self._reported_rejected = False

    @property
    def token_rejected(self) -> bool:
        """Return whether plex.tv's last word is that it rejects the token."""
        is_rejection = isinstance(self.last_exception, ConfigEntryAuthFailed)
        return is_rejection and not self.last_update_success

    @property
    def needs_sign_in(self) -> bool:
        """Return whether plex.tv rejects the token that the entry has now."""
        return (
            self.token_rejected
            and self._rejected_token == self.config_entry.data[CONF_TOKEN]
        )

    async def async_verify(self) -> None:
        """Ask plex.tv now whether it accepts the token.

        Those who ask while it is being asked share one further request. Raises
        TokenRejectedError where it does not, and PlexError where it cannot be asked.
        """
        await self._verification.share()
        if not self.last_update_success:
            cause = self.last_exception and self.last_exception.__cause__
            if not isinstance(cause, PlexError):
                raise PlexError
            raise cause.with_traceback(None)

    async def async_require(self) -> None:
        """Ask plex.tv for the first time; raise ConfigEntryNotReady where it is away.

        A token that it rejects is an answer. A wish of plex.tv to be asked later holds
        through the retries of the set-up, each of which makes a new coordinator.
        """
        pauses = self.hass.data.setdefault(_DATA_PAUSES, {})
        end, err = pauses.pop(self.config_entry.entry_id, (None, self.last_exception))
        if end is None or dt_util.utcnow() >= end:
            await self._async_refresh(log_failures=False)
            if self.last_update_success or self.token_rejected:
                return
            err = self.last_exception
            seconds = getattr(err, "retry_after", None) or 0
            end = dt_util.utcnow() + timedelta(seconds=seconds)
        pauses[self.config_entry.entry_id] = end, err
        raise not_ready(err) from err

    @override
    async def _async_update_data(self) -> AccountData:
        """Ask for the account, and for its servers when the hour has come."""
        name = self.config_entry.title
        token = self.config_entry.data[CONF_TOKEN]
        try:
            details = await self._plex.user(token)
            await self.servers.poll()
        except TokenRejectedError as err:
            if token != self.config_entry.data[CONF_TOKEN]:
                # A flow has stored a new one while plex.tv was asked about the old one.
                return await self._async_update_data()
            self._rejected_token = token
            self.update_interval = REJECTED_INTERVAL
            raise sign_in_rejected(err, name) from err
        except PlexError as err:
            interval = self.update_interval = self._next_interval(
                is_known=self.data is not None
            )
            raise update_failed(err, name, interval, _PLEX_TV_PAUSE) from err
        self.update_interval = self._next_interval(is_known=self.servers.is_known)
        return AccountData(details, dt_util.utcnow())

    @override
    @callback
    def _async_refresh_finished(self) -> None:
        """Tell the listeners of a change from one failure to another kind of it.

        The base class tells them nothing when a failure follows a failure, but the
        entity Token is available only while plex.tv rejects the token. Neither does it
        ask again after a rejection.
        """
        rejected = self.token_rejected
        if self.last_update_success:
            async_take_back(self.hass, self.config_entry)
        elif rejected != self._reported_rejected:
            self.async_update_listeners()
        if rejected:
            async_clear_the_way(
                self.hass, self.config_entry, is_old=self._reported_rejected
            )
            if self._listeners:
                self._schedule_refresh()
        self._reported_rejected = rejected

    @callback
    def async_ask_to_sign_in(self) -> None:
        """Ask the user to sign in, for as long as plex.tv rejects the token."""
        if self.needs_sign_in and not self._shutdown_requested:
            self.config_entry.async_start_reauth(self.hass)

    def _next_interval(self, *, is_known: bool) -> timedelta:
        """Return the time to the next poll: doubling until everything is known."""
        if is_known:
            return ACCOUNT_INTERVAL
        interval = self._retry_interval
        self._retry_interval = min(interval * 2, ACCOUNT_INTERVAL)
        return interval

    @callback
    def _async_servers_renewed(self) -> None:
        """Store what is listed of the servers, and tell of it."""
        async_store_listed(self.hass, self.config_entry, self.servers)
        self.async_update_listeners()


@dataclass(frozen=True, slots=True)
class ServerData:
    """Hold how a server is reached and what it says of itself."""

    route: Route
    version: str | None


class ServerCoordinator(DataUpdateCoordinator[ServerData]):
    """Watch that a server can be reached, and its transient token."""

    config_entry: PlexAuthConfigEntry

    def __init__(
        self,
        hass: HomeAssistant,
        entry: PlexAuthConfigEntry,
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

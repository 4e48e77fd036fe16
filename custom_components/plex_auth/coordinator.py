"""The polls: when to ask, and what to tell."""

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, override

from yarl import URL

from homeassistant.config_entries import SOURCE_REAUTH, ConfigEntry, ConfigSubentry
from homeassistant.const import CONF_TOKEN, CONF_URL, CONF_VERIFY_SSL
from homeassistant.core import HomeAssistant, callback
from homeassistant.exceptions import ConfigEntryAuthFailed
from homeassistant.helpers.update_coordinator import DataUpdateCoordinator
from homeassistant.util import dt as dt_util

from .api.connections import Route
from .api.errors import NotFoundError, PlexError, TokenRejectedError
from .api.known_server import KnownServer
from .api.models import Account, Source
from .api.server_access import ServerAccess
from .api.server_list import AccountServer, ServerList
from .const import (
    CONF_CLIENT_IDENTIFIER,
    CONF_LAST_KNOWN,
    CONF_SOURCES,
    LOGGER,
    SUBENTRY_TYPE_SERVER,
)
from .messages import sign_in_rejected, update_failed
from .sessions import async_create_plex_tv, async_create_transport
from .transient_tokens import async_issued_token

ACCOUNT_INTERVAL: Final = timedelta(minutes=30)
SERVER_INTERVAL: Final = timedelta(minutes=5)
SOURCE_INTERVAL: Final = timedelta(minutes=30)

_FIRST_RETRY: Final = timedelta(seconds=60)

type PlexAuthConfigEntry = ConfigEntry[PlexAuthData]


@dataclass(frozen=True, slots=True)
class PlexAuthData:
    """Hold the coordinators of an entry; those of servers by their subentry's id."""

    account: AccountCoordinator
    servers: dict[str, ServerCoordinator]
    sources: dict[str, SourceCoordinator]


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
        self.servers = ServerList(
            lambda: self._plex.servers(entry.data[CONF_TOKEN]),
            self.async_verify,
            on_renewed=self._async_servers_renewed,
            now=lambda: dt_util.utcnow(),
        )
        self._verify_lock = asyncio.Lock()
        self._verifications = 0
        self._was_accepted = False
        self._retry_interval = _FIRST_RETRY
        self._reported_rejected = False

    @property
    def token_rejected(self) -> bool:
        """Return whether plex.tv's last word is that it rejects the token."""
        return not self.last_update_success and isinstance(
            self.last_exception, ConfigEntryAuthFailed
        )

    async def async_verify(self) -> None:
        """Ask plex.tv now whether it accepts the token.

        Those who ask while it is being asked share one further request. Raises
        TokenRejectedError where it does not, and PlexError where it cannot be asked.
        """
        verifications = self._verifications
        async with self._verify_lock:
            if self._verifications == verifications:
                self._verifications += 1
                await self.async_refresh()
        if not self.last_update_success:
            cause = self.last_exception and self.last_exception.__cause__
            if not isinstance(cause, PlexError):
                raise PlexError
            raise cause.with_traceback(None)

    @override
    async def _async_update_data(self) -> AccountData:
        """Ask for the account, and for its servers when the hour has come."""
        token = self.config_entry.data[CONF_TOKEN]
        try:
            details = await self._plex.user(token)
            await self.servers.poll()
        except TokenRejectedError as err:
            if token != self.config_entry.data[CONF_TOKEN]:
                # A flow has stored a new one while plex.tv was asked about the old one.
                return await self._async_update_data()
            self.update_interval = None
            raise sign_in_rejected(err, self.config_entry.title) from err
        except PlexError as err:
            self.update_interval = self._interval_after_failure()
            raise update_failed(
                err, self.config_entry.title, self.update_interval
            ) from err
        self._was_accepted = True
        self.update_interval = ACCOUNT_INTERVAL
        return AccountData(details, dt_util.utcnow())

    @override
    @callback
    def _async_refresh_finished(self) -> None:
        """Tell the listeners of a change from one failure to another kind of it.

        The base class tells them nothing when a failure follows a failure, but the
        entity Token is available only while plex.tv rejects the token.
        """
        rejected = self.token_rejected
        if self.last_update_success:
            self._async_dismiss_reauth()
        elif rejected != self._reported_rejected:
            self.async_update_listeners()
        self._reported_rejected = rejected

    def _async_dismiss_reauth(self) -> None:
        """Take back the request to sign in: plex.tv accepts the token again.

        A dialog in which somebody has already begun to sign in is left to its end.
        """
        flows = self.hass.config_entries.flow
        for flow in list(
            self.config_entry.async_get_active_flows(self.hass, {SOURCE_REAUTH})
        ):
            if flow.get("step_id") == "reauth_confirm":
                flows.async_abort(flow["flow_id"])

    def _interval_after_failure(self) -> timedelta:
        """Return the time to the next try: doubling until the first success."""
        if self._was_accepted:
            return ACCOUNT_INTERVAL
        interval = self._retry_interval
        self._retry_interval = min(interval * 2, ACCOUNT_INTERVAL)
        return interval

    @callback
    def _async_servers_renewed(self) -> None:
        """Store what the servers need to work while plex.tv is away."""
        entry, entries = self.config_entry, self.hass.config_entries
        if not entries.async_get_entry(entry.entry_id):
            return  # the account was removed while plex.tv was asked
        for subentry in entry.get_subentries_of_type(SUBENTRY_TYPE_SERVER):
            assert subentry.unique_id is not None
            if (listed := self.servers.get(subentry.unique_id)) is not None:
                last_known = KnownServer.from_listed(listed).as_stored()
                entries.async_update_subentry(
                    entry, subentry, data={**subentry.data, CONF_LAST_KNOWN: last_known}
                )
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
        data = subentry.data
        self.access = ServerAccess(
            async_create_transport(
                hass,
                entry.data[CONF_CLIENT_IDENTIFIER],
                verify_ssl=data.get(CONF_VERIFY_SSL, True),
            ),
            AccountServer(
                account.servers,
                self.machine_identifier,
                lambda: KnownServer.from_stored(subentry.data.get(CONF_LAST_KNOWN, {})),
                url=URL(data[CONF_URL]) if CONF_URL in data else None,
                typed_token=data.get(CONF_TOKEN),
            ),
            self.async_update_listeners,
        )
        self.issued_token = async_issued_token(hass, subentry.subentry_id)
        entry.async_on_unload(self.issued_token.watch(self.async_update_listeners))

    @override
    async def _async_update_data(self) -> ServerData:
        """Ask the server who it is, then whether the transient token still lives."""
        try:
            identity, route = await self.access.identify()
        except PlexError as err:
            raise update_failed(err, self.subentry.title, SERVER_INTERVAL) from err
        await self.access.recheck_refused_token()
        await self.issued_token.check(self.access.check_token_now)
        return ServerData(route, identity.version)


class SourceCoordinator(DataUpdateCoordinator[dict[str, Source]]):
    """Watch how the sources of a server can be reached; a missing one has no key."""

    config_entry: PlexAuthConfigEntry

    def __init__(
        self,
        hass: HomeAssistant,
        entry: PlexAuthConfigEntry,
        server: ServerCoordinator,
    ) -> None:
        """Take the sources that the server's subentry names."""
        super().__init__(
            hass,
            LOGGER,
            config_entry=entry,
            name=f"sources of Plex server {server.subentry.title}",
            update_interval=SOURCE_INTERVAL,
            always_update=False,
        )
        self.server = server
        self.watched: list[str] = server.subentry.data[CONF_SOURCES]

    @override
    async def _async_update_data(self) -> dict[str, Source]:
        """Ask the server for one source after the other."""
        found: dict[str, Source] = {}
        for source in self.watched:
            try:
                found[source], _ = await self.server.access.source(source)
            except NotFoundError:
                LOGGER.debug("One of the %s is not known there", self.name)
            except PlexError as err:
                raise update_failed(
                    err, self.server.subentry.title, SOURCE_INTERVAL
                ) from err
        return found

"""Coordinators: one for the account, one for each server."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, override

from yarl import URL

from homeassistant.config_entries import (
    SOURCE_REAUTH,
    ConfigEntry,
    ConfigEntryState,
    ConfigSubentry,
)
from homeassistant.const import CONF_TOKEN, CONF_URL, CONF_VERIFY_SSL
from homeassistant.core import CALLBACK_TYPE, HomeAssistant, callback
from homeassistant.exceptions import ConfigEntryAuthFailed
from homeassistant.helpers.event import async_track_point_in_utc_time
from homeassistant.helpers.update_coordinator import DataUpdateCoordinator, UpdateFailed
from homeassistant.util import dt as dt_util

from .api.connections import ConnectionKind, Route, rank
from .api.errors import (
    CannotConnectError,
    MaintenanceError,
    NotClaimedError,
    NotFoundError,
    NotOwnerError,
    NotPermittedError,
    PlexError,
    RateLimitedError,
    SecureConnectionRequiredError,
    ServerTooOldError,
    StartingUpError,
    TokenRejectedError,
    UnavailableError,
)
from .api.known_server import KnownServer
from .api.models import Account, Identity, Resource, Source, TransientToken
from .api.plex_tv import PlexTv
from .api.race import race
from .api.server import PlexServer, supports_sources
from .const import (
    CONF_API_URL,
    CONF_CLIENT_IDENTIFIER,
    CONF_LAST_KNOWN,
    CONF_SOURCES,
    DOMAIN,
    LOGGER,
    SUBENTRY_TYPE_SERVER,
)
from .error_keys import error_key
from .sessions import async_create_transport
from .transient_tokens import async_forget_token, async_get_token, async_remember_token

ACCOUNT_INTERVAL: Final = timedelta(minutes=30)
# Hourly: it is due at every second poll, also where that one is answered sooner.
RESOURCES_INTERVAL: Final = timedelta(minutes=55)
RESOURCES_SHORTEST_INTERVAL: Final = timedelta(minutes=15)
SERVER_INTERVAL: Final = timedelta(minutes=5)
SOURCE_INTERVAL: Final = timedelta(minutes=30)

_FIRST_RETRY: Final = timedelta(seconds=60)

# What a server itself says; another address of it would say the same.
_SAME_AT_EVERY_ADDRESS: Final = (
    MaintenanceError,
    NotFoundError,
    RateLimitedError,
    StartingUpError,
)

type PlexAuthConfigEntry = ConfigEntry[PlexAuthData]


@dataclass(frozen=True, slots=True)
class PlexAuthData:
    """Hold the coordinators of an entry; those of servers by their subentry's id."""

    account: AccountCoordinator
    servers: dict[str, ServerCoordinator]
    sources: dict[str, SourceCoordinator]


@dataclass(frozen=True, slots=True)
class AccountData:
    """Hold the account and when plex.tv last accepted its token."""

    account: Account
    verified_at: datetime


class AccountCoordinator(DataUpdateCoordinator[AccountData]):
    """Watch that plex.tv accepts the account's token, and know the account's servers."""

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
        self.resources: dict[str, Resource] | None = None
        self._plex = PlexTv(
            async_create_transport(hass, entry.data[CONF_CLIENT_IDENTIFIER]),
            entry.data[CONF_API_URL],
        )
        self._resources_lock = asyncio.Lock()
        self._resources_asked_at: datetime | None = None
        self._resources_requests = 0
        self._poll_asked_at: datetime | None = None
        self._verify_lock = asyncio.Lock()
        self._verifications = 0
        self._known = False
        self._retry_interval = _FIRST_RETRY
        self._reported_rejected = False

    @property
    def token_rejected(self) -> bool:
        """Tell whether plex.tv's last word is that it rejects the token."""
        return not self.last_update_success and isinstance(
            self.last_exception, ConfigEntryAuthFailed
        )

    async def async_verify(self) -> None:
        """Ask plex.tv now whether it accepts the token.

        Those who ask while it is being asked share one further request.
        """
        verifications = self._verifications
        async with self._verify_lock:
            if self._verifications == verifications:
                self._verifications += 1
                await self.async_refresh()

    async def async_renew_resources(self, *, for_action: bool = False) -> None:
        """Ask plex.tv where the servers are.

        Polls have their wish granted once in 15 minutes, an action whenever it needs to.
        Those who ask while plex.tv is being asked share one further request. Raises
        PlexError when plex.tv cannot be asked.
        """
        requests = self._resources_requests
        async with self._resources_lock:
            if self._resources_requests != requests:
                return
            if not for_action:
                if not _is_over(self._poll_asked_at, RESOURCES_SHORTEST_INTERVAL):
                    return
                self._poll_asked_at = dt_util.utcnow()
            await self._async_fetch_resources()
        self.async_update_listeners()

    @override
    async def _async_update_data(self) -> AccountData:
        """Ask for the account, and for its servers when the hour has come."""
        token = self.config_entry.data[CONF_TOKEN]
        try:
            account = await self._plex.user(token)
            if _is_over(self._resources_asked_at, RESOURCES_INTERVAL):
                async with self._resources_lock:
                    await self._async_try_resources()
        except TokenRejectedError as err:
            if token != self.config_entry.data[CONF_TOKEN]:
                # A flow has stored a new one while plex.tv was asked about the old one.
                return await self._async_update_data()
            self.update_interval = None
            raise ConfigEntryAuthFailed(
                translation_domain=DOMAIN,
                translation_key="invalid_token",
                translation_placeholders={"name": self.config_entry.title},
            ) from err
        except PlexError as err:
            self.update_interval = self._interval_after_failure()
            raise _update_failed(
                err, self.config_entry.title, self.update_interval
            ) from err
        self._known = True
        self.update_interval = ACCOUNT_INTERVAL
        return AccountData(account, dt_util.utcnow())

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
        """Take back the question for a new sign-in: plex.tv accepts the token again.

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
        if self._known:
            return ACCOUNT_INTERVAL
        interval = self._retry_interval
        self._retry_interval = min(interval * 2, ACCOUNT_INTERVAL)
        return interval

    async def _async_try_resources(self) -> None:
        """Ask for the servers, which may fail for now: the account is known."""
        try:
            await self._async_fetch_resources()
        except TokenRejectedError:
            raise
        except PlexError as err:
            LOGGER.debug("The servers of %s are not known: %s", self.name, err)

    async def _async_fetch_resources(self) -> None:
        """Ask for the servers and keep what they need to work while plex.tv is away."""
        self._resources_asked_at = dt_util.utcnow()
        self._resources_requests += 1
        resources = await self._plex.resources(self.config_entry.data[CONF_TOKEN])
        self.resources = {
            resource.client_identifier: resource for resource in resources
        }
        if not self.hass.config_entries.async_get_entry(self.config_entry.entry_id):
            return  # the account was removed while plex.tv was asked
        for subentry in self.config_entry.get_subentries_of_type(SUBENTRY_TYPE_SERVER):
            resource = self.resources.get(subentry.unique_id or "")
            if resource is not None:
                last_known = KnownServer.from_resource(resource).as_stored()
                self.hass.config_entries.async_update_subentry(
                    self.config_entry,
                    subentry,
                    data={**subentry.data, CONF_LAST_KNOWN: last_known},
                )


class TransientTokenEvent(StrEnum):
    """Say what became of a transient token."""

    ISSUED = "issued"
    EXPIRED = "expired"
    DESTROYED = "destroyed"


type TransientTokenListener = Callable[[TransientTokenEvent], None]


@dataclass(frozen=True, slots=True)
class ServerData:
    """Hold how a server is reached and what it says of itself."""

    connection: Route
    version: str | None


class ServerCoordinator(DataUpdateCoordinator[ServerData]):
    """Watch that a server can be reached, and call it with its access token."""

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
        self.account = account
        self.subentry = subentry
        self.machine_identifier = subentry.unique_id or ""
        self._verify_ssl: bool = subentry.data.get(CONF_VERIFY_SSL, True)
        self._transport = async_create_transport(
            hass, entry.data[CONF_CLIENT_IDENTIFIER], verify_ssl=self._verify_ssl
        )
        self._plex = PlexServer(self._transport, URL())
        self._connection: Route | None = None
        self.failures: dict[Route, PlexError] = {}
        self.token_refused = False
        self._connect_lock = asyncio.Lock()
        self._version: str | None = None
        self._token_listeners: list[TransientTokenListener] = []
        self._untold_event: TransientTokenEvent | None = None
        self._cancel_expiry: CALLBACK_TYPE | None = None
        entry.async_on_unload(self._async_cancel_expiry)
        self._async_track_expiry()

    @property
    def known(self) -> KnownServer:
        """Return the server as plex.tv lists it, or listed it last."""
        resource = self.resource
        if resource is not None:
            return KnownServer.from_resource(resource)
        return KnownServer.from_stored(self.subentry.data.get(CONF_LAST_KNOWN, {}))

    @property
    def resource(self) -> Resource | None:
        """Return the server's row in the account's list, None while it is not known."""
        return (self.account.resources or {}).get(self.machine_identifier)

    @property
    def version(self) -> str | None:
        """Return the server's version as it told it last, else as plex.tv lists it."""
        if self._version is not None:
            return self._version
        return self.resource.product_version if self.resource else None

    @property
    def transient_token(self) -> TransientToken | None:
        """Return the transient token issued last, while it has not ended."""
        return async_get_token(self.hass, self.subentry.subentry_id)

    @callback
    def async_add_token_listener(
        self, listener: TransientTokenListener
    ) -> CALLBACK_TYPE:
        """Call a listener whenever something becomes of a transient token.

        It is told at once of what happened last while nobody listened.
        """
        self._token_listeners.append(listener)
        if (event := self._untold_event) is not None:
            self._untold_event = None
            listener(event)
        return lambda: self._token_listeners.remove(listener)

    @callback
    def async_set_transient_token(self, token: TransientToken) -> None:
        """Remember a transient token that this server has just issued.

        After a reload meanwhile it is the successor's; nobody's after a removal.
        """
        entry, subentry_id = self.config_entry, self.subentry.subentry_id
        is_kept = self.hass.config_entries.async_get_entry(entry.entry_id) is not None
        if not is_kept or subentry_id not in entry.subentries:
            return
        async_remember_token(self.hass, subentry_id, token)
        server: ServerCoordinator | None = self
        if self._shutdown_requested:
            is_loaded = entry.state is ConfigEntryState.LOADED
            server = entry.runtime_data.servers.get(subentry_id) if is_loaded else None
        if server is not None:
            server.async_begin_transient_token()

    @callback
    def async_begin_transient_token(self) -> None:
        """Watch the transient token that has just been remembered, and tell of it."""
        self._async_track_expiry()
        self._async_tell(TransientTokenEvent.ISSUED)

    async def async_call[AnswerT](
        self, call: Callable[[PlexServer, str], Awaitable[AnswerT]]
    ) -> tuple[AnswerT, Route]:
        """Call the server with its access token; return the answer and by which way.

        A connection that fails is chosen anew once. A token that the server refuses is
        no proof (plex-api.md §13.4): plex.tv is asked about the account first, then for
        the server's token, and only then the refusal is reported. Raises PlexError,
        TokenRejectedError where plex.tv itself rejects the account's token, and
        NotClaimedError where the server belongs to nobody.
        """
        try:
            return await self._async_call(call)
        except NotPermittedError:
            if not await self._async_is_unclaimed():
                raise
        raise NotClaimedError

    async def _async_is_unclaimed(self) -> bool:
        """Return whether the server says that no account has claimed it."""
        try:
            identity = await self._plex.identity(self.machine_identifier)
        except PlexError:
            return False
        return identity.claimed is False

    async def _async_call[AnswerT](
        self, call: Callable[[PlexServer, str], Awaitable[AnswerT]]
    ) -> tuple[AnswerT, Route]:
        """Call the server, by a new connection if the one at hand fails."""
        connection = await self._async_connect()
        try:
            answer = await self._async_call_with_token(call)
        except (
            CannotConnectError,
            SecureConnectionRequiredError,
            UnavailableError,
        ) as err:
            if isinstance(err, _SAME_AT_EVERY_ADDRESS):
                raise
            self._connection = None
            connection = await self._async_connect()
            answer = await self._async_call_with_token(call)
        self._set_token_refused(False)
        return answer, connection

    async def _async_call_with_token[AnswerT](
        self, call: Callable[[PlexServer, str], Awaitable[AnswerT]]
    ) -> AnswerT:
        """Call the server with its access token, which is renewed if it is refused."""
        token = self._access_token()
        try:
            return await call(self._plex, token)
        except NotPermittedError:
            return await call(self._plex, await self._async_renewed_token(token))

    async def async_check_token(self, token: str) -> None:
        """Raise NotPermittedError unless the server takes a token.

        Raises NotClaimedError where it takes none, for it belongs to nobody.
        """
        await self._async_connect()
        await self._async_check_token(token)

    async def _async_check_token(self, token: str) -> None:
        """Raise as `async_check_token` does, by the connection at hand."""
        try:
            await self._plex.check_token(token)
        except NotPermittedError:
            if not await self._async_is_unclaimed():
                raise
        else:
            return
        raise NotClaimedError

    async def async_get_source(
        self, source: str, *, refresh: bool = False
    ) -> tuple[Source, Route]:
        """Ask the server how a source can be reached; return by which way as well.

        Raises what `async_call` does, NotFoundError for a source that the server does
        not know, and without a request NotOwnerError and ServerTooOldError.
        """
        if self.resource is not None and not self.resource.owned:
            raise NotOwnerError
        if not supports_sources(self.version):
            raise ServerTooOldError
        return await self.async_call(
            lambda plex, token: plex.source_connection_information(
                token, source, refresh=refresh
            )
        )

    @override
    async def _async_update_data(self) -> ServerData:
        """Ask the server who it is, then whether the transient token still lives."""
        try:
            identity, connection = await self._async_identify()
            if identity.start_state is not None:
                raise StartingUpError
        except PlexError as err:
            raise _update_failed(err, self.subentry.title, SERVER_INTERVAL) from err
        self._version = identity.version
        if self.token_refused:
            await self._async_check_refused_token()
        await self._async_check_transient_token()
        return ServerData(connection, identity.version)

    async def _async_identify(self) -> tuple[Identity, Route]:
        """Return who answers, by the connection at hand or else by a new one."""
        if (connection := self._connection) is not None:
            try:
                return await self._plex.identity(self.machine_identifier), connection
            except PlexError as err:
                if isinstance(err, _SAME_AT_EVERY_ADDRESS):
                    raise
                LOGGER.debug("A new connection is chosen for %s: %s", self.name, err)
                self._connection = None
        async with self._connect_lock:
            return await self._async_choose_connection(for_action=False)

    async def _async_connect(self) -> Route:
        """Return a connection that answered, for an action.

        A valid certificate proves who answers; without one the identity is compared
        again, since another machine may have got the address since the last poll.
        Raises UnavailableError for an address that knows no identity: NotFoundError is
        for what is asked of the server itself.
        """
        try:
            return await self._async_connected()
        except NotFoundError as err:
            status = err.status
        raise UnavailableError(status=status)

    async def _async_connected(self) -> Route:
        """Return the connection at hand, or a new one where it fails."""
        if (connection := self._connection) is not None:
            if self._verify_ssl and connection.url.scheme == "https":
                return connection
            try:
                await self._plex.identity(self.machine_identifier)
            except PlexError as err:
                if isinstance(err, _SAME_AT_EVERY_ADDRESS):
                    raise
                self._connection = None
            else:
                return connection
        async with self._connect_lock:
            if (connection := self._connection) is None:
                _, connection = await self._async_choose_connection(for_action=True)
        return connection

    async def _async_choose_connection(
        self, *, for_action: bool
    ) -> tuple[Identity, Route]:
        """Choose a connection; plex.tv is asked where the server is if none answers."""
        result = await race(self._ranks(), self._async_probe)
        if result.winner is None and CONF_URL not in self.subentry.data:
            known = self.known
            try:
                await self.account.async_renew_resources(for_action=for_action)
            except TokenRejectedError:
                await self.account.async_verify()
            except PlexError as err:
                LOGGER.debug("plex.tv does not tell where %s is: %s", self.name, err)
            if self.known != known:
                result = await race(self._ranks(), self._async_probe)
        self.failures = result.failures
        if result.winner is None:
            raise result.error
        connection, identity = result.winner
        self._plex.move_to(connection.url)
        self._connection = connection
        return identity, connection

    def _ranks(self) -> tuple[tuple[Route, ...], ...]:
        """Return the addresses to try: the one that the user typed, or the listed ones."""
        if url := self.subentry.data.get(CONF_URL):
            return ((Route(URL(url), ConnectionKind.CUSTOM),),)
        known = self.known
        return rank(known.connections, https_required=known.https_required)

    async def _async_probe(self, route: Route) -> Identity:
        """Ask an address for its identity, which takes no token."""
        server = PlexServer(self._transport, route.url)
        return await server.identity(self.machine_identifier)

    def _access_token(self) -> str:
        """Return the token for this server: the typed one, else the listed one."""
        token: str | None = self.subentry.data.get(CONF_TOKEN) or self.known.token
        if token is None:
            raise NotPermittedError
        return token

    async def _async_renewed_token(self, refused: str) -> str:
        """Return a token other than the refused one; raise PlexError if there is none."""
        if CONF_TOKEN in self.subentry.data:
            await self._async_check_typed_token(refused)
            raise NotPermittedError
        await self.account.async_verify()
        if self.account.token_rejected:
            raise TokenRejectedError
        try:
            await self.account.async_renew_resources(for_action=True)
        except PlexError as err:
            LOGGER.debug("plex.tv has no new token for %s: %s", self.name, err)
        token = self._access_token()
        if token == refused:
            raise NotPermittedError
        return token

    async def _async_check_typed_token(self, token: str) -> None:
        """Find out whether the server refuses the token itself or only the request."""
        try:
            await self._async_check_token(token)
        except NotClaimedError:
            raise
        except NotPermittedError:
            self._set_token_refused(True)
            raise
        self._set_token_refused(False)

    async def _async_check_refused_token(self) -> None:
        """Find out whether the server takes the typed token by now."""
        try:
            await self._async_check_typed_token(self._access_token())
        except PlexError as err:
            LOGGER.debug("%s still refuses its token: %s", self.name, err)

    @callback
    def _set_token_refused(self, refused: bool) -> None:
        """Keep whether the server refuses the typed token, and tell of a change."""
        if self.token_refused != refused:
            self.token_refused = refused
            self.async_update_listeners()

    async def _async_check_transient_token(self) -> None:
        """Find out whether the server still takes the transient token."""
        token = self.transient_token
        if token is None:
            return
        try:
            await self._plex.check_token(token.token)
        except NotPermittedError:
            if self.transient_token is token:
                is_over = dt_util.utcnow() >= token.expires_at
                self._async_end_transient_token(
                    TransientTokenEvent.EXPIRED
                    if is_over
                    else TransientTokenEvent.DESTROYED
                )
        except PlexError as err:
            LOGGER.debug("%s cannot be asked about its token: %s", self.name, err)

    @callback
    def _async_end_transient_token(self, event: TransientTokenEvent) -> None:
        """Forget the transient token."""
        self._async_cancel_expiry()
        async_forget_token(self.hass, self.subentry.subentry_id)
        self._async_tell(event)

    @callback
    def _async_tell(self, event: TransientTokenEvent) -> None:
        """Tell the event entity what happened, and the others to look again."""
        if not self._token_listeners:
            self._untold_event = event
        for listener in self._token_listeners:
            listener(event)
        self.async_update_listeners()

    @callback
    def _async_track_expiry(self) -> None:
        """Wait for the latest moment of the transient token's life."""
        self._async_cancel_expiry()
        token = self.transient_token
        if token is None:
            return

        @callback
        def _async_expired(_: datetime) -> None:
            self._cancel_expiry = None
            self._async_end_transient_token(TransientTokenEvent.EXPIRED)

        self._cancel_expiry = async_track_point_in_utc_time(
            self.hass, _async_expired, token.expires_at
        )

    @callback
    def _async_cancel_expiry(self) -> None:
        """Wait no longer for the transient token's end."""
        if self._cancel_expiry is not None:
            self._cancel_expiry()
            self._cancel_expiry = None


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
        self.sources: list[str] = server.subentry.data[CONF_SOURCES]

    @override
    async def _async_update_data(self) -> dict[str, Source]:
        """Ask the server for one source after the other."""
        found: dict[str, Source] = {}
        for source in self.sources:
            try:
                found[source], _ = await self.server.async_get_source(source)
            except NotFoundError:
                LOGGER.debug("One of the %s is not known there", self.name)
            except PlexError as err:
                raise _update_failed(
                    err, self.server.subentry.title, SOURCE_INTERVAL
                ) from err
        return found


def _is_over(since: datetime | None, interval: timedelta) -> bool:
    """Tell whether an interval is over; so it is where the clock was set back."""
    return since is None or not timedelta(0) <= dt_util.utcnow() - since < interval


def _update_failed(err: PlexError, name: str, interval: timedelta) -> UpdateFailed:
    """Return a failure of an update with its translated message.

    A wish to be asked later is granted, one to be asked sooner than after the interval
    is not: it may be nothing but a clock that differs.
    """
    retry_after = err.retry_after
    if retry_after is not None and retry_after <= interval.total_seconds():
        retry_after = None
    return UpdateFailed(
        translation_domain=DOMAIN,
        translation_key=error_key(err),
        translation_placeholders={"name": name},
        retry_after=retry_after,
    )

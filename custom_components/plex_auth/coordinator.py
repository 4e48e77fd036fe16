"""The poll that all share, and the poll of the account: when to ask, what to tell."""

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple, override

from homeassistant.config_entries import SOURCE_REAUTH, SOURCE_RECONFIGURE, ConfigEntry
from homeassistant.const import CONF_TOKEN
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.update_coordinator import DataUpdateCoordinator
from homeassistant.util import dt as dt_util
from homeassistant.util.hass_dict import HassKey

from .api.errors import PlexError, TokenRejectedError
from .api.known_server import KnownServer
from .api.models import Account
from .api.server_list import ServerList
from .api.shared_request import SharedRequest, Start
from .clients import async_create_plex_tv, stored_server
from .const import CONF_LAST_KNOWN, DOMAIN, LOGGER, SUBENTRY_TYPE_SERVER
from .messages import sign_in_rejected, update_failed

ACCOUNT_INTERVAL: Final = timedelta(minutes=30)
REJECTED_INTERVAL: Final = timedelta(hours=1)

_FIRST_RETRY: Final = timedelta(seconds=60)
_PLEX_TV_PAUSE: Final = timedelta(hours=1)

_DATA_PAUSES: HassKey[dict[str, tuple[float, BaseException]]] = HassKey(
    f"{DOMAIN}_pauses"
)


def background(hass: HomeAssistant, entry: ConfigEntry[Any]) -> Start:
    """Return what starts a shared request, which ends with the entry."""

    def start(request: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        return entry.async_create_background_task(
            hass, request, "plex_auth request", eager_start=False
        )

    return start


class SharedPollCoordinator[DataT](DataUpdateCoordinator[DataT]):
    """Poll on its own for all who wish at once.

    Home Assistant polls within whoever asks for it, such as a script that runs an action
    of it. Where the script is turned off, it takes the poll for one that has failed.
    """

    config_entry: ConfigEntry[Any]

    def __init__(
        self,
        hass: HomeAssistant,
        entry: ConfigEntry[Any],
        *,
        name: str,
        interval: timedelta,
        always_update: bool = False,
    ) -> None:
        """Take what is polled, by the name that it has in the log, and how often.

        `always_update` says whether listeners are told when the data is as before.
        """
        super().__init__(
            hass,
            LOGGER,
            config_entry=entry,
            name=name,
            update_interval=interval,
            always_update=always_update,
        )
        start = background(hass, entry)
        self._poll = SharedRequest(self.async_refresh, start)
        self._requested = SharedRequest(super().async_request_refresh, start)

    @property
    def cause(self) -> BaseException | None:
        """Return what made the last poll fail, None where it did not."""
        if self.last_update_success or self.last_exception is None:
            return None
        return self.last_exception.__cause__ or self.last_exception

    @callback
    def async_poll_now(self) -> None:
        """Poll at once, while everything else goes on."""
        self._poll.begin()

    async def async_poll(self) -> None:
        """Poll at once, and wait for the end of that, however it ends."""
        with suppress(PlexError):
            await self._poll.share()

    @override
    async def async_request_refresh(self) -> None:
        """Poll as Home Assistant's own action asks, which is not too often."""
        with suppress(PlexError):
            await self._requested.share()


class AccountData(NamedTuple):
    """The account's details, and when plex.tv last accepted its token."""

    details: Account
    verified_at: datetime


class AccountCoordinator(SharedPollCoordinator[AccountData]):
    """Watch that plex.tv accepts the account token, and know the account's servers."""

    def __init__(self, hass: HomeAssistant, entry: ConfigEntry[Any]) -> None:
        """Prepare the calls to plex.tv under the entry's own client identifier."""
        super().__init__(
            hass, entry, name=f"Plex account {entry.title}", interval=ACCOUNT_INTERVAL
        )
        self._plex = async_create_plex_tv(hass, entry.data)
        self.servers = ServerList(
            lambda: self._plex.servers(entry.data[CONF_TOKEN]),
            self.async_verify,
            on_renewed=self._async_servers_renewed,
            start=background(hass, entry),
        )
        self._rejected_token: str | None = None
        self._retry_interval = _FIRST_RETRY
        self._was_rejected = False

    @property
    def failure(self) -> PlexError | None:
        """Return why the last poll failed, None where it did not."""
        if (cause := self.cause) is None:
            return None
        return cause if isinstance(cause, PlexError) else PlexError()

    @property
    def token_rejected(self) -> bool:
        """Return whether plex.tv rejected the token when it was last asked."""
        return self._rejected_token is not None

    @property
    def needs_sign_in(self) -> bool:
        """Return whether plex.tv rejects the token that the entry has now."""
        token: str = self.config_entry.data[CONF_TOKEN]
        return self._rejected_token == token

    async def async_verify(self) -> None:
        """Ask plex.tv now whether it accepts the token.

        Those who ask while it is being asked share one further request. Raises
        TokenRejectedError where it does not, and PlexError where it cannot be asked.
        """
        await self._poll.share()
        if (failure := self.failure) is not None:
            raise failure.without_frames()

    async def async_check_now(self) -> None:
        """Ask plex.tv for the account and its servers, even if it wants to be left alone."""
        self.servers.make_due()
        await self.async_poll()

    async def async_first_poll(self) -> BaseException | None:
        """Ask plex.tv for the first time; return why it cannot be asked, if so.

        A token that it rejects is an answer. A wish of plex.tv to be asked later holds
        through the retries of the setup, each of which makes a new coordinator.
        """
        pauses = self.hass.data.setdefault(_DATA_PAUSES, {})
        entry_id, now = self.config_entry.entry_id, self.hass.loop.time()
        if entry_id in pauses:
            end, wish = pauses[entry_id]
            if now < end:
                return wish
            del pauses[entry_id]
        await self._async_refresh(log_failures=False)
        failure = self.last_exception
        if self.last_update_success or self.token_rejected or failure is None:
            return None
        if (seconds := getattr(failure, "retry_after", None)) is not None:
            pauses[entry_id] = now + seconds, failure
        return failure

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
            self._rejected_token = None
            interval = self.update_interval = self._next_interval(
                is_known=self.data is not None
            )
            raise update_failed(err, name, interval, _PLEX_TV_PAUSE) from err
        self._rejected_token = None
        self.update_interval = self._next_interval(is_known=self.servers.is_known)
        return AccountData(details, dt_util.utcnow())

    @override
    @callback
    def _async_refresh_finished(self) -> None:
        """Tell the listeners of a change from one failure to another kind of it.

        The base class tells them nothing when a failure follows a failure, but the
        entity Sign-in is available only while plex.tv rejects the token. Neither does it
        ask again after a rejection.
        """
        rejected, was_rejected = self.token_rejected, self._was_rejected
        self._was_rejected = rejected
        if self.last_update_success:
            # A dialog in which a sign-in has begun is left to its end.
            self._async_abort_flows(SOURCE_REAUTH, "reauth_confirm")
        elif rejected != was_rejected:
            self.async_update_listeners()
        if rejected:
            # Reconfigure dialogs keep Home Assistant from asking to sign in. One past
            # its menu has the time until the next poll.
            step_id = None if was_rejected else "reconfigure"
            self._async_abort_flows(SOURCE_RECONFIGURE, step_id)
            if self._listeners:
                self._schedule_refresh()

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
        """Store what the servers need to work while plex.tv is away, and tell of it.

        Their titles follow the names at Plex, but for those that the user has changed.
        """
        entry, entries = self.config_entry, self.hass.config_entries
        if not entries.async_get_entry(entry.entry_id):
            return  # the account was removed while plex.tv was asked
        for subentry in list(entry.get_subentries_of_type(SUBENTRY_TYPE_SERVER)):
            listed = self.servers.get(str(subentry.unique_id))
            if listed is None:
                continue
            stored = stored_server(subentry)
            known = KnownServer.from_listed(listed).completed(stored)
            entries.async_update_subentry(
                entry,
                subentry,
                data={**subentry.data, CONF_LAST_KNOWN: known.as_stored()},
                title=listed.name if subentry.title == stored.name else subentry.title,
            )
        self.async_update_listeners()

    @callback
    def _async_abort_flows(self, source: str, step_id: str | None) -> None:
        """End the dialogs of the entry, all or those that are at a step."""
        entry = self.config_entry
        for flow in list(entry.async_get_active_flows(self.hass, {source})):
            if step_id is None or flow.get("step_id") == step_id:
                self.hass.config_entries.flow.async_abort(flow["flow_id"])

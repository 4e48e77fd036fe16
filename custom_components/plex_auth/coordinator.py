"""The poll that all share, and the poll of the account: when to ask, what to tell."""

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple, override

from homeassistant.config_entries import SOURCE_REAUTH, SOURCE_RECONFIGURE, ConfigEntry
from homeassistant.const import CONF_TOKEN
from homeassistant.core import HomeAssistant, callback
from homeassistant.exceptions import ConfigEntryAuthFailed
from homeassistant.helpers.update_coordinator import DataUpdateCoordinator
from homeassistant.util import dt as dt_util
from homeassistant.util.hass_dict import HassKey

from .api.errors import PlexError, TokenRejectedError
from .api.known_server import KnownServer
from .api.models import Account
from .api.server_list import ServerList
from .api.shared_request import SharedRequest, Start
from .clients import async_create_plex_tv
from .const import CONF_LAST_KNOWN, DOMAIN, LOGGER, SUBENTRY_TYPE_SERVER
from .messages import not_ready, sign_in_rejected, update_failed

ACCOUNT_INTERVAL: Final = timedelta(minutes=30)
REJECTED_INTERVAL: Final = timedelta(hours=1)

_FIRST_RETRY: Final = timedelta(seconds=60)
_PLEX_TV_PAUSE: Final = timedelta(hours=1)

_DATA_PAUSES: HassKey[dict[str, tuple[datetime, BaseException | None]]] = HassKey(
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
        self._reported_rejected = False

    @property
    def failure(self) -> PlexError | None:
        """Return why the last poll failed, None where it did not."""
        if self.last_update_success:
            return None
        cause = self.last_exception and self.last_exception.__cause__
        return cause if isinstance(cause, PlexError) else PlexError()

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
        await self._poll.share()
        if (failure := self.failure) is not None:
            raise failure.with_traceback(None)

    async def async_check_now(self) -> None:
        """Ask plex.tv for the account and its servers, even if it wants to be left alone."""
        self.servers.make_due()
        await self.async_poll()

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
        entity Sign-in is available only while plex.tv rejects the token. Neither does it
        ask again after a rejection.
        """
        rejected = self.token_rejected
        if self.last_update_success:
            _async_take_back(self.hass, self.config_entry)
        elif rejected != self._reported_rejected:
            self.async_update_listeners()
        if rejected:
            _async_clear_the_way(
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
        _async_store_listed(self.hass, self.config_entry, self.servers)
        self.async_update_listeners()


@callback
def _async_store_listed(
    hass: HomeAssistant, entry: ConfigEntry[Any], servers: ServerList
) -> None:
    """Store what the servers need to work while plex.tv is away.

    Their titles follow the names at Plex, but for those that the user has changed.
    """
    entries = hass.config_entries
    if not entries.async_get_entry(entry.entry_id):
        return  # the account was removed while plex.tv was asked
    for subentry in list(entry.get_subentries_of_type(SUBENTRY_TYPE_SERVER)):
        listed = servers.get(str(subentry.unique_id))
        if listed is None:
            continue
        stored = KnownServer.from_stored(subentry.data.get(CONF_LAST_KNOWN, {}))
        known = KnownServer.from_listed(listed).completed(stored)
        entries.async_update_subentry(
            entry,
            subentry,
            data={**subentry.data, CONF_LAST_KNOWN: known.as_stored()},
            title=listed.name if subentry.title == stored.name else subentry.title,
        )


@callback
def _async_take_back(hass: HomeAssistant, entry: ConfigEntry[Any]) -> None:
    """Take back the request: plex.tv accepts the token again.

    A dialog in which somebody has already begun to sign in is left to its end.
    """
    _async_abort(hass, entry, SOURCE_REAUTH, "reauth_confirm")


@callback
def _async_clear_the_way(
    hass: HomeAssistant, entry: ConfigEntry[Any], *, is_old: bool
) -> None:
    """End reconfigure dialogs, which keep Home Assistant from asking to sign in.

    Those that wait at their menu are ended, and all where the rejection `is_old`: they
    were left open since then.
    """
    _async_abort(hass, entry, SOURCE_RECONFIGURE, None if is_old else "reconfigure")


@callback
def _async_abort(
    hass: HomeAssistant, entry: ConfigEntry[Any], source: str, step_id: str | None
) -> None:
    """End the dialogs of an entry, all or those that are at a step."""
    for flow in list(entry.async_get_active_flows(hass, {source})):
        if step_id is None or flow.get("step_id") == step_id:
            hass.config_entries.flow.async_abort(flow["flow_id"])

"""The poll of the account: when to ask plex.tv, and what to tell."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, override

from homeassistant.config_entries import ConfigEntry
from homeassistant.const import CONF_TOKEN
from homeassistant.core import HomeAssistant, callback
from homeassistant.exceptions import ConfigEntryAuthFailed
from homeassistant.util import dt as dt_util
from homeassistant.util.hass_dict import HassKey

from .api.errors import PlexError, TokenRejectedError
from .api.models import Account
from .api.server_list import ServerList
from .clients import async_create_plex_tv
from .const import DOMAIN
from .last_known import async_store_listed
from .messages import not_ready, sign_in_rejected, update_failed
from .shared_poll import SharedPollCoordinator, background
from .sign_in_request import async_clear_the_way, async_take_back

ACCOUNT_INTERVAL: Final = timedelta(minutes=30)
REJECTED_INTERVAL: Final = timedelta(hours=1)

_FIRST_RETRY: Final = timedelta(seconds=60)
_PLEX_TV_PAUSE: Final = timedelta(hours=1)

_DATA_PAUSES: HassKey[dict[str, tuple[datetime, BaseException | None]]] = HassKey(
    f"{DOMAIN}_pauses"
)


@dataclass(frozen=True, slots=True)
class AccountData:
    """Hold the account's details and when plex.tv last accepted its token."""

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
            now=lambda: dt_util.utcnow(),
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

"""The shared poll, and the poll of an account."""

from abc import ABC, abstractmethod
import asyncio
from collections.abc import Awaitable, Coroutine
from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final, NamedTuple, override

from homeassistant.config_entries import (
    SOURCE_REAUTH,
    SOURCE_RECONFIGURE,
    ConfigEntry,
    ConfigSubentry,
)
from homeassistant.const import CONF_NAME, CONF_TOKEN
from homeassistant.core import CALLBACK_TYPE, HomeAssistant, callback
from homeassistant.helpers.update_coordinator import DataUpdateCoordinator
from homeassistant.util import dt as dt_util
from homeassistant.util.hass_dict import HassKey

from .account_memory import AccountMemory, LastWord
from .api.errors import PlexError, TokenRejectedError, cut_frames
from .api.fields import printable
from .api.intervals import Interval
from .api.known_server import KnownServer
from .api.models import Account
from .api.server_list import ServerList
from .api.shared_request import SharedRequest, Start
from .clients import async_create_plex_tv, stored_owners, stored_server
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
    """Return a starter of shared requests that end with the entry."""

    def start(request: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        return entry.async_create_background_task(
            hass, request, "plex_auth request", eager_start=False
        )

    return start


class SharedPollCoordinator[DataT](DataUpdateCoordinator[DataT]):
    """A coordinator that polls in the background, once for all callers.

    Home Assistant polls within the caller, for example a script. Stopping the script
    would then count as a failed poll.
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
        """Initialize; `always_update` also notifies listeners of unchanged data."""
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
    def is_paused(self) -> bool:
        """Return whether plex.tv has asked for a pause that is not over."""
        return False

    @property
    def cause(self) -> BaseException | None:
        """Return the cause of the last poll's failure, None after a success."""
        if self.last_update_success or self.last_exception is None:
            return None
        return self.last_exception.__cause__ or self.last_exception

    @callback
    def async_poll_now(self) -> None:
        """Start a poll in the background."""
        self._poll.begin()

    async def async_poll(self) -> None:
        """Poll now and wait for the end, whether it succeeds, fails, or is canceled."""
        with suppress(PlexError):
            await self._poll.share()

    @override
    async def _async_refresh(self, *args: Any, **kwargs: Any) -> None:
        """Poll, and keep no frames of a failure."""
        try:
            await super()._async_refresh(*args, **kwargs)
        finally:
            if self.last_exception is not None:
                cut_frames(self.last_exception)

    @override
    async def async_request_refresh(self) -> None:
        """Poll for Home Assistant's action `update_entity`, at a limited rate."""
        if self.is_paused:
            return
        with suppress(PlexError):
            await self._requested.share()


class SubentryCoordinator[DataT](SharedPollCoordinator[DataT], ABC):
    """A coordinator of one subentry, from its addition to its removal or an unload."""

    def __init__(
        self,
        hass: HomeAssistant,
        entry: ConfigEntry[Any],
        subentry: ConfigSubentry,
        *,
        interval: timedelta,
        always_update: bool = False,
    ) -> None:
        """Initialize for a subentry."""
        self.subentry = subentry
        super().__init__(
            hass,
            entry,
            name=self.log_name,
            interval=interval,
            always_update=always_update,
        )
        self._on_shutdown: list[CALLBACK_TYPE] = []

    @property
    @abstractmethod
    def log_name(self) -> str:
        """Return what the subentry is called in logs."""

    @callback
    @abstractmethod
    def async_follow(self) -> None:
        """Apply the changes of the subentry."""

    @callback
    def async_on_shutdown(self, stop: CALLBACK_TYPE) -> None:
        """Call a function when the subentry is removed or its entry is unloaded."""
        self._on_shutdown.append(stop)

    async def async_check_now(self) -> None:
        """Poll everything that belongs to the subentry now, and wait for it."""
        await self.async_poll()

    @override
    async def async_shutdown(self) -> None:
        """Stop everything that belongs to the subentry."""
        await super().async_shutdown()
        while self._on_shutdown:
            self._on_shutdown.pop()()


class AccountData(NamedTuple):
    """The account's details, and when plex.tv last accepted its token."""

    details: Account
    verified_at: datetime


class AccountCoordinator(SharedPollCoordinator[AccountData]):
    """Coordinator of an account: its sign-in, details, and servers."""

    def __init__(
        self, hass: HomeAssistant, entry: ConfigEntry[Any], memory: AccountMemory
    ) -> None:
        """Initialize a plex.tv client with the entry's own client identifier."""
        super().__init__(hass, entry, name=_log_name(entry), interval=ACCOUNT_INTERVAL)
        self._plex = async_create_plex_tv(hass, entry.data)
        self.servers = ServerList(
            lambda: self.async_ask(self._plex.servers(entry.data[CONF_TOKEN])),
            self.async_verify,
            owners=partial(stored_owners, entry),
            on_renewed=self._async_servers_renewed,
            start=background(hass, entry),
        )
        self.pause = Interval(_PLEX_TV_PAUSE)
        self.word = LastWord(hass, memory, entry.entry_id)
        self._rejected_token: str | None = None
        self._retry_interval = _FIRST_RETRY
        self._was_rejected = False

    @property
    def failure(self) -> PlexError | None:
        """Return why the last poll failed, None after a success."""
        if (cause := self.cause) is None:
            return None
        return cause if isinstance(cause, PlexError) else PlexError()

    @property
    def token_rejected(self) -> bool:
        """Return whether the last poll ended with plex.tv rejecting the token."""
        return self._rejected_token is not None

    @property
    def needs_sign_in(self) -> bool:
        """Return whether the rejected token is still the entry's: no new one is stored."""
        token: str = self.config_entry.data[CONF_TOKEN]
        return self._rejected_token == token

    @property
    @override
    def is_paused(self) -> bool:
        return not self.pause.is_over

    async def async_ask[AnswerT](self, request: Awaitable[AnswerT]) -> AnswerT:
        """Return the answer to a request to plex.tv, noting any pause that it asks for."""
        try:
            return await request
        except PlexError as err:
            if err.retry_after is not None:
                wanted = timedelta(seconds=err.retry_after)
                self.pause.begin(min(wanted, _PLEX_TV_PAUSE))
            raise

    async def async_verify(self) -> None:
        """Verify the token now; callers during a request share one further request.

        Raises TokenRejectedError, and PlexError if plex.tv cannot verify it.
        """
        await self._poll.share()
        if (failure := self.failure) is not None:
            raise failure.again()

    async def async_check_now(self) -> None:
        """Poll the account and its list of servers, even if neither is due."""
        self.servers.make_due()
        await self.async_poll()

    async def async_first_poll(self) -> BaseException | None:
        """Poll for the first time; return any failure except a rejected token.

        A requested delay also applies to setup retries, which create new coordinators.
        """
        pauses = self.hass.data.setdefault(_DATA_PAUSES, {})
        entry_id, now = self.config_entry.entry_id, self.hass.loop.time()
        if entry_id in pauses:
            end, reason = pauses[entry_id]
            if now < end:
                return reason
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
        """Fetch the account, and its servers when due."""
        name = self.config_entry.title
        self.name = _log_name(self.config_entry)
        token = self.config_entry.data[CONF_TOKEN]
        try:
            details = await self.async_ask(self._plex.user(token))
            await self.servers.poll()
        except TokenRejectedError as err:
            if token != self.config_entry.data[CONF_TOKEN]:
                # A flow replaced the token during the request.
                return await self._async_update_data()
            self._rejected_token = token
            self.update_interval = REJECTED_INTERVAL
            raise sign_in_rejected(err, name) from err
        except PlexError as err:
            self._rejected_token = None
            interval = self.update_interval = self._next_interval(
                is_known=self.data is not None
            )
            raise update_failed(err, interval, _PLEX_TV_PAUSE, account=name) from err
        self._rejected_token = None
        self.update_interval = self._next_interval(is_known=self.servers.is_known)
        _async_follow_name(self.hass, self.config_entry, details)
        return AccountData(details, dt_util.utcnow())

    @override
    @callback
    def _async_refresh_finished(self) -> None:
        """Notify listeners when one kind of failure follows another.

        The base class does not, but a rejection makes the entity Sign-in available. The
        base class does not poll again after a rejection either. It asks to sign in, but
        not while there is a reconfigure dialog: a dialog that is ended here asks again.
        """
        rejected, was_rejected = self.token_rejected, self._was_rejected
        is_known = rejected or self.last_update_success
        self.word.async_note(rejected if is_known else None)
        self._was_rejected = rejected
        if self.last_update_success:
            # A dialog with a sign-in in progress may finish.
            self._async_abort_flows(SOURCE_REAUTH, "reauth_confirm")
        elif rejected != was_rejected:
            self.async_update_listeners()
        if rejected:
            # Reconfigure dialogs prevent the request to sign in. One past its menu may
            # continue until the next poll.
            step_id = None if was_rejected else "reconfigure"
            self._async_abort_flows(SOURCE_RECONFIGURE, step_id)
            if self._listeners:
                self._schedule_refresh()

    @callback
    def async_ask_to_sign_in(self) -> None:
        """Ask the user to sign in if plex.tv has rejected the current token."""
        if self.needs_sign_in and not self._shutdown_requested:
            self.config_entry.async_start_reauth(self.hass)

    def _next_interval(self, *, is_known: bool) -> timedelta:
        """Return the time until the next poll, doubling until everything is known."""
        if is_known:
            return ACCOUNT_INTERVAL
        interval = self._retry_interval
        self._retry_interval = min(interval * 2, ACCOUNT_INTERVAL)
        return interval

    @callback
    def _async_servers_renewed(self) -> None:
        """Store what the servers need while plex.tv is unavailable; notify listeners.

        Their titles follow the names at Plex, unless the user has changed them.
        """
        entry, entries = self.config_entry, self.hass.config_entries
        if not entries.async_get_entry(entry.entry_id):
            return  # the account was removed meanwhile
        for subentry in list(entry.get_subentries_of_type(SUBENTRY_TYPE_SERVER)):
            listed = self.servers.get(str(subentry.unique_id))
            stored = stored_server(subentry)
            if listed is None or not stored.is_of_owner(listed):
                continue
            known = KnownServer.from_listed(listed).completed(stored)
            # An earlier version took over names of any length.
            title = printable(subentry.title)
            entries.async_update_subentry(
                entry,
                subentry,
                data={**subentry.data, CONF_LAST_KNOWN: known.as_stored()},
                title=listed.name if title == stored.name else subentry.title,
            )
        self.async_update_listeners()

    @callback
    def _async_abort_flows(self, source: str, step_id: str | None) -> None:
        """End the entry's dialogs, either all or those at a step."""
        entry = self.config_entry
        for flow in list(entry.async_get_active_flows(self.hass, {source})):
            if step_id is None or flow.get("step_id") == step_id:
                self.hass.config_entries.flow.async_abort(flow["flow_id"])


async def async_ask_as_account[AnswerT](
    account: AccountCoordinator, request: Awaitable[AnswerT]
) -> AnswerT:
    """Return the answer to a request with an account's token. Raises PlexError.

    After a rejection, the account is verified, and then asks to sign in.
    """
    try:
        return await account.async_ask(request)
    except TokenRejectedError:
        with suppress(PlexError):
            await account.async_verify()
        raise


@callback
def _async_follow_name(
    hass: HomeAssistant, entry: ConfigEntry[Any], account: Account
) -> None:
    """Store an account's name; the entry's title follows it until the user changes it.

    Without a stored name, as of an earlier version, the title may be the user's.
    """
    name, known = account.own_name, entry.data.get(CONF_NAME)
    if name in (None, known) or not hass.config_entries.async_get_entry(entry.entry_id):
        return
    hass.config_entries.async_update_entry(
        entry,
        data={**entry.data, CONF_NAME: name},
        title=name if entry.title == known else entry.title,
    )


def _log_name(entry: ConfigEntry[Any]) -> str:
    """Return what an account is called in logs."""
    return f"Plex account {entry.title}"

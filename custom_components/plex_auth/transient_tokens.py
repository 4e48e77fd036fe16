"""Transient tokens, kept in memory until a restart or their server's removal."""

from collections.abc import Awaitable, Callable, Set as AbstractSet
from dataclasses import replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from homeassistant.core import CALLBACK_TYPE, HomeAssistant, callback
from homeassistant.helpers.event import async_call_later
from homeassistant.util import dt as dt_util
from homeassistant.util.hass_dict import HassKey

from .api.errors import NotPermittedError, PlexError
from .api.intervals import Interval
from .api.models import TRANSIENT_TOKEN_LIFETIME, TransientToken
from .const import DOMAIN, LOGGER

# More than a clock drifts in the life of a token.
_CLOCK_DRIFT: Final = timedelta(minutes=5)

_DATA_TOKENS: HassKey[dict[str, IssuedToken]] = HassKey(f"{DOMAIN}_transient_tokens")


class TransientTokenEvent(StrEnum):
    """A change to a transient token."""

    ISSUED = "issued"
    EXPIRED = "expired"
    DESTROYED = "destroyed"


type TransientTokenListener = Callable[[TransientTokenEvent, str | None], None]


@callback
def async_issued_token(hass: HomeAssistant, subentry_id: str) -> IssuedToken:
    """Return the last token that a server issued."""
    tokens = hass.data.setdefault(_DATA_TOKENS, {})
    if subentry_id not in tokens:
        tokens[subentry_id] = IssuedToken(hass)
    return tokens[subentry_id]


@callback
def async_forget_tokens(hass: HomeAssistant, kept: AbstractSet[str]) -> None:
    """Forget the tokens of all servers except the kept ones."""
    tokens = hass.data.get(_DATA_TOKENS, {})
    for subentry_id in tokens.keys() - kept:
        tokens.pop(subentry_id).close()


class IssuedToken:
    """The last transient token that a server issued, kept across reloads."""

    def __init__(self, hass: HomeAssistant) -> None:
        """Initialize without a token."""
        self.token: TransientToken | None = None
        self._hass = hass
        self._closed = False
        self._listeners: list[TransientTokenListener] = []
        self._pending: tuple[TransientTokenEvent, str | None] | None = None
        self._on_change: Callable[[], None] | None = None
        self._cancel_expiry: CALLBACK_TYPE | None = None
        self._lifetime = Interval(TRANSIENT_TOKEN_LIFETIME)

    @callback
    def issue(self, token: TransientToken, home_user: str | None = None) -> None:
        """Store a new token, unless the server was removed.

        `home_user` is the name of the Home user who has the token's rights, None for
        the account.
        """
        if self._closed:
            return
        self.token = replace(token, home_user=home_user)
        self._lifetime.begin()
        self._track_expiry()
        self._notify(TransientTokenEvent.ISSUED, home_user)

    async def check(self, ask: Callable[[str], Awaitable[None]]) -> None:
        """Check the token with `ask`, which raises NotPermittedError if refused."""
        self._follow_clock()
        if (token := self.token) is None:
            return
        try:
            await ask(token.token)
        except NotPermittedError:
            if self.token is token:
                self._end(
                    TransientTokenEvent.EXPIRED
                    if self._lifetime.is_over
                    else TransientTokenEvent.DESTROYED
                )
        except PlexError as err:
            LOGGER.debug("Unable to check a transient token: %s", err)

    @callback
    def listen(self, listener: TransientTokenListener) -> CALLBACK_TYPE:
        """Call a listener with any pending and all new events; return how to stop.

        It is also called with the name of the Home user who had the token, if any.
        """
        self._listeners.append(listener)
        if (pending := self._pending) is not None:
            self._pending = None
            listener(*pending)
        return lambda: self._listeners.remove(listener)

    @callback
    def watch(self, on_change: Callable[[], None]) -> CALLBACK_TYPE:
        """Track the token's expiry until the returned function is called.

        `on_change` is called after the listeners. Stopping drops a pending event.
        """
        self._on_change = on_change
        self._track_expiry()

        @callback
        def async_stop() -> None:
            self._on_change = None
            self._pending = None
            self._stop_expiry()

        return async_stop

    @callback
    def destroy(self) -> None:
        """Forget the token and fire its last event: its server was replaced."""
        if self.token is not None:
            self._end(TransientTokenEvent.DESTROYED)

    @callback
    def close(self) -> None:
        """Forget the token permanently."""
        self._closed = True
        self.token = None
        self._stop_expiry()

    @callback
    def _end(self, event: TransientTokenEvent) -> None:
        """Forget the token and fire its last event."""
        home_user = self.token.home_user if self.token is not None else None
        self.token = None
        self._stop_expiry()
        self._notify(event, home_user)

    @callback
    def _notify(self, event: TransientTokenEvent, home_user: str | None) -> None:
        """Notify the listeners, or keep the event for the first one."""
        if not self._listeners:
            self._pending = event, home_user
        for listener in self._listeners:
            listener(event, home_user)
        if self._on_change is not None:
            self._on_change()

    @callback
    def _track_expiry(self) -> None:
        """Schedule the token's expiry while the entry is loaded."""
        self._stop_expiry()
        if self.token is None or self._on_change is None:
            return

        @callback
        def async_expired(_: datetime) -> None:
            self._cancel_expiry = None
            self._end(TransientTokenEvent.EXPIRED)

        self._cancel_expiry = async_call_later(
            self._hass, self._lifetime.remaining, async_expired
        )

    @callback
    def _follow_clock(self) -> None:
        """Correct the token's times if the clock of this machine was changed."""
        if self.token is None:
            return
        expires_at = dt_util.utcnow() + self._lifetime.remaining
        shift = expires_at - self.token.expires_at
        if abs(shift) < _CLOCK_DRIFT:
            return
        self.token = replace(self.token, issued_at=self.token.issued_at + shift)
        if self._on_change is not None:
            self._on_change()

    @callback
    def _stop_expiry(self) -> None:
        """Cancel the scheduled expiry."""
        if self._cancel_expiry is not None:
            self._cancel_expiry()
            self._cancel_expiry = None

"""The life of the transient tokens that we issued.

They are kept in memory only: they outlive a reload of the entry, but not Home Assistant
itself nor the server's removal.
"""

from collections.abc import Awaitable, Callable, Set as AbstractSet
from datetime import datetime
from enum import StrEnum

from homeassistant.core import CALLBACK_TYPE, HomeAssistant, callback
from homeassistant.helpers.event import async_track_point_in_utc_time
from homeassistant.util import dt as dt_util
from homeassistant.util.hass_dict import HassKey

from .api.errors import NotPermittedError, PlexError
from .api.models import TransientToken
from .const import DOMAIN, LOGGER

_DATA_TOKENS: HassKey[dict[str, IssuedToken]] = HassKey(f"{DOMAIN}_transient_tokens")


class TransientTokenEvent(StrEnum):
    """Say what happened to a transient token."""

    ISSUED = "issued"
    EXPIRED = "expired"
    DESTROYED = "destroyed"


type TransientTokenListener = Callable[[TransientTokenEvent], None]


@callback
def async_issued_token(hass: HomeAssistant, subentry_id: str) -> IssuedToken:
    """Return what is known of the token that a server issued last."""
    tokens = hass.data.setdefault(_DATA_TOKENS, {})
    if subentry_id not in tokens:
        tokens[subentry_id] = IssuedToken(hass)
    return tokens[subentry_id]


@callback
def async_forget_tokens(hass: HomeAssistant, kept: AbstractSet[str]) -> None:
    """Forget the tokens of all servers but those that are kept."""
    tokens = hass.data.get(_DATA_TOKENS, {})
    for subentry_id in tokens.keys() - kept:
        tokens.pop(subentry_id).close()


class IssuedToken:
    """Follow the transient token that a server issued last, over reloads."""

    def __init__(self, hass: HomeAssistant) -> None:
        """Begin without a token."""
        self.token: TransientToken | None = None
        self._hass = hass
        self._closed = False
        self._listeners: list[TransientTokenListener] = []
        self._untold: TransientTokenEvent | None = None
        self._on_change: Callable[[], None] | None = None
        self._cancel_expiry: CALLBACK_TYPE | None = None

    @callback
    def issue(self, token: TransientToken) -> None:
        """Keep a token that the server has just issued, unless the server is removed."""
        if self._closed:
            return
        self.token = token
        self._track_expiry()
        self._tell(TransientTokenEvent.ISSUED)

    async def check(self, ask: Callable[[str], Awaitable[None]]) -> None:
        """Find out whether the server still takes the token.

        `ask` asks the server, and raises NotPermittedError where it does not.
        """
        if (token := self.token) is None:
            return
        try:
            await ask(token.token)
        except NotPermittedError:
            if self.token is token:
                is_over = dt_util.utcnow() >= token.expires_at
                self._end(
                    TransientTokenEvent.EXPIRED
                    if is_over
                    else TransientTokenEvent.DESTROYED
                )
        except PlexError as err:
            LOGGER.debug("A server cannot be asked about its token: %s", err)

    @callback
    def listen(self, listener: TransientTokenListener) -> CALLBACK_TYPE:
        """Call a listener when something happens to the token; return how to stop it.

        It is told at once what happened last while nobody listened.
        """
        self._listeners.append(listener)
        if (event := self._untold) is not None:
            self._untold = None
            listener(event)
        return lambda: self._listeners.remove(listener)

    @callback
    def watch(self, on_change: Callable[[], None]) -> CALLBACK_TYPE:
        """Watch for the token's end, while the entry is loaded; return how to stop it.

        `on_change` is called after all listeners. What nobody has heard until the stop
        is old by the next load.
        """
        self._on_change = on_change
        self._track_expiry()

        @callback
        def async_stop() -> None:
            self._on_change = None
            self._untold = None
            self._stop_expiry()

        return async_stop

    @callback
    def close(self) -> None:
        """Forget the token for good."""
        self._closed = True
        self.token = None
        self._stop_expiry()

    @callback
    def _end(self, event: TransientTokenEvent) -> None:
        """Forget the token, which came to an end."""
        self.token = None
        self._stop_expiry()
        self._tell(event)

    @callback
    def _tell(self, event: TransientTokenEvent) -> None:
        """Tell what happened; keep it for later where nobody listens."""
        if not self._listeners:
            self._untold = event
        for listener in self._listeners:
            listener(event)
        if self._on_change is not None:
            self._on_change()

    @callback
    def _track_expiry(self) -> None:
        """Wait for the latest moment of the token's life, while the entry is loaded."""
        self._stop_expiry()
        if self.token is None or self._on_change is None:
            return

        @callback
        def async_expired(_: datetime) -> None:
            self._cancel_expiry = None
            self._end(TransientTokenEvent.EXPIRED)

        self._cancel_expiry = async_track_point_in_utc_time(
            self._hass, async_expired, self.token.expires_at
        )

    @callback
    def _stop_expiry(self) -> None:
        """Wait no longer for the token's end."""
        if self._cancel_expiry is not None:
            self._cancel_expiry()
            self._cancel_expiry = None

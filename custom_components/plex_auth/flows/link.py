"""A browser sign-in, which outlives its dialog."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Any, Final

from yarl import URL

from homeassistant.config_entries import ConfigFlowResult
from homeassistant.const import CONF_TOKEN
from homeassistant.core import HomeAssistant, callback
from homeassistant.data_entry_flow import EVENT_DATA_ENTRY_FLOW_PROGRESSED, UnknownFlow
from homeassistant.exceptions import HomeAssistantError

from ..api.errors import (
    CannotConnectError,
    LinkExpiredError,
    PlexError,
    RateLimitedError,
    TokenRejectedError,
    UnavailableError,
    cut_frames,
)
from ..api.models import Pin, SignIn
from ..api.plex_tv import PlexTv
from ..clients import async_create_plex_tv
from ..const import CONF_TOKEN_ORIGIN, TokenOrigin
from .sign_in import NewSignIn, async_end_if_ours

POLL_SECONDS: Final = 2.0

# How often a new page is looked for: people take longer to open and close one.
_LOOK_SECONDS: Final = 0.1

# The lifetime of a code if Plex does not report one (plex-api.md §7.1).
_LIFETIME_SECONDS: Final = 900
_LONGEST_SECONDS: Final = 1800
_MOST_FAILURES: Final = 5

# Readers need a margin of four modules. Low correction makes the modules larger; a
# wider picture stands far off the middle of a phone, where pages leave little room.
_QR_LOOK: Final = 'width="180" margin="4" error-correction-level="low"'

_LINK_URL: Final = URL("https://plex.tv/link/")

type LinkOutcome = ConfigFlowResult | PlexError | HomeAssistantError


class ProgressPage:
    """The page that shows a progress step, which may close unnoticed.

    Home Assistant isn't notified when a page closes its dialog, and repeats the step
    for reopened and new pages alike. But an open page listens for the step's end.
    """

    def __init__(self, hass: HomeAssistant) -> None:
        """Initialize before the page opens."""
        self._hass = hass
        self._was_listening = False

    @property
    def is_gone(self) -> bool:
        """Return whether the page stopped listening, if it ever listened."""
        return self._was_listening and not self._is_listening

    @callback
    def note(self) -> None:
        """Record whether the page listens."""
        self._was_listening = self._was_listening or self._is_listening

    async def watch(self, waiting: asyncio.Task[None]) -> None:
        """Wait until a task ends, and record when the page starts to listen."""
        while not waiting.done():
            self.note()
            longest = None if self._was_listening else _LOOK_SECONDS
            await asyncio.wait([waiting], timeout=longest)

    @property
    def _is_listening(self) -> bool:
        """Return whether any page listens for the end of a progress step."""
        return EVENT_DATA_ENTRY_FLOW_PROGRESSED in self._hass.bus.async_listeners()


class LinkSignIn:
    """A sign-in that waits until its code is approved at plex.tv.

    Closing the dialog ends the wait with a final check. A token is always processed, as
    it has already revoked the entry's previous one.
    """

    progress: asyncio.Task[Any]
    """Ends when `outcome` is set; closing the dialog may cancel it."""

    _pin: Pin

    def __init__(
        self,
        hass: HomeAssistant,
        client: Mapping[str, Any],
        finish: Callable[[NewSignIn], Awaitable[ConfigFlowResult]],
    ) -> None:
        """Initialize; `finish` stores the sign-in, even after the dialog has closed."""
        self.client = client
        self.outcome: LinkOutcome | None = None
        self.page = ProgressPage(hass)
        self._hass = hass
        self._finish = finish
        self._token: str | None = None
        self._closed = asyncio.Event()
        self._waiting: asyncio.Task[None] | None = None

    @property
    def placeholders(self) -> dict[str, str]:
        """Return the code, its address at plex.tv, and a QR code drawn by the page."""
        url = str(_LINK_URL.with_query(pin=self._pin.code))
        return {
            "code": self._pin.code,
            "url": url,
            "qr": f'<ha-qr-code data="{url}" {_QR_LOOK}></ha-qr-code>',
        }

    async def start(self) -> None:
        """Get a code, or continue with the current code or token. Raises PlexError."""
        if self.outcome is not None and not isinstance(self.outcome, PlexError):
            return
        if self._waiting is None or self._waiting.done():
            if self._token is None:
                self._pin = await self._plex.create_pin()
            self.outcome = None
            self._waiting = self._begin()
        self.page = ProgressPage(self._hass)
        # Home Assistant cancels a progress task when the dialog is closed. The wait
        # continues, as the code may already be approved.
        self.progress = self._hass.async_create_background_task(
            self.page.watch(self._waiting), "plex_auth link progress"
        )

    @callback
    def close(self) -> None:
        """Stop waiting after a final check, because the dialog was closed."""
        self._closed.set()
        if isinstance(self.outcome, PlexError):
            self._begin()

    @callback
    def discard(self) -> None:
        """Stop waiting; end any sign-in that the code brings."""
        self._finish = _async_discard
        self.close()

    @property
    def _plex(self) -> PlexTv:
        """Return the plex.tv client."""
        return async_create_plex_tv(self._hass, self.client)

    def _begin(self) -> asyncio.Task[None]:
        """Start waiting in the background."""
        return self._hass.async_create_background_task(self._wait(), "plex_auth link")

    async def _wait(self) -> None:
        """Wait for the token, then check and store it."""
        try:
            if self._token is None:
                self._token = await wait_for_link(self._plex, self._pin, self._closed)
            self.outcome = await asyncio.shield(
                self._hass.async_create_task(
                    self._sign_in(self._token), "plex_auth linked"
                )
            )
        except PlexError as err:
            self.outcome = err
        finally:
            if isinstance(self.outcome, BaseException):
                cut_frames(self.outcome)

    async def _sign_in(self, token: str) -> LinkOutcome:
        """Check and store the code's token."""
        try:
            account = await self._plex.user(token)
        except TokenRejectedError as err:
            self._token = None
            return err
        except PlexError as err:
            if self._closed.is_set():
                self._sign_out(token)
            return err
        self._token = None
        try:
            return await self._finish(
                NewSignIn(
                    self._hass,
                    self.client,
                    SignIn(account=account, token=token),
                    TokenOrigin.LINK,
                )
            )
        except HomeAssistantError as err:
            return err

    @callback
    def _sign_out(self, token: str) -> None:
        """End a sign-in if its account cannot be fetched."""
        self._token = None
        origin = {CONF_TOKEN: token, CONF_TOKEN_ORIGIN: TokenOrigin.LINK}
        async_end_if_ours(self._hass, {**origin, **self.client})


async def _async_discard(sign_in: NewSignIn) -> ConfigFlowResult:
    """End a sign-in that is no longer needed."""
    sign_in.finish()
    raise UnknownFlow


async def wait_for_link(plex: PlexTv, pin: Pin, closed: asyncio.Event) -> str:
    """Return the token once the code is approved at plex.tv (plex-api.md §7.2).

    Occasional failures are tolerated. After `closed` is set, one last check follows.
    Raises LinkExpiredError if the code expires or is unknown to plex.tv, and PlexError
    if plex.tv stays unavailable.
    """
    loop = asyncio.get_running_loop()
    end = loop.time() + min(pin.expires_in or _LIFETIME_SECONDS, _LONGEST_SECONDS)
    failures = 0
    while loop.time() < end:
        is_last = closed.is_set()
        wait = POLL_SECONDS
        try:
            state = await plex.check_pin(pin.id)
        except (CannotConnectError, RateLimitedError, UnavailableError) as err:
            failures += 1
            if failures == _MOST_FAILURES or is_last:
                raise
            wait = max(wait, err.retry_after or 0)
        else:
            failures = 0
            if state.token is not None:
                return state.token
        if is_last:
            break
        with suppress(TimeoutError):
            async with asyncio.timeout(min(wait, end - loop.time())):
                await closed.wait()
    raise LinkExpiredError

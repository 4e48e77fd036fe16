"""A sign-in in the browser, which outlives its dialog."""

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
)
from ..api.models import Pin, SignIn
from ..api.plex_tv import PlexTv
from ..clients import async_create_plex_tv
from ..const import CONF_TOKEN_ORIGIN, TokenOrigin
from .sign_in import NewSignIn, async_end_if_ours

POLL_SECONDS: Final = 2.0

# What a code that names no time is good for (plex-api.md §7.1).
_LIFETIME_SECONDS: Final = 900
_LONGEST_SECONDS: Final = 1800
_MOST_FAILURES: Final = 5

_LINK_URL: Final = URL("https://plex.tv/link/")

type LinkOutcome = ConfigFlowResult | PlexError | HomeAssistantError


class ProgressPage:
    """Know whether the page that shows a progress is still there.

    Home Assistant is not told that a page has closed its dialog. It asks the step once
    more when the dialog is opened again, but also when a page has just begun to show
    it. The difference: a page that shows a progress listens for its end.
    """

    def __init__(self, hass: HomeAssistant) -> None:
        """Begin before the page does."""
        self._hass = hass
        self._was_there = False

    @property
    def is_gone(self) -> bool:
        """Return whether the page was seen to listen and does so no longer.

        A program that asks again and again, and listens to nothing, is never gone.
        """
        return self._was_there and not self._is_listening

    @callback
    def note(self) -> None:
        """Note whether the page listens."""
        self._was_there = self._was_there or self._is_listening

    @property
    def _is_listening(self) -> bool:
        """Return whether any page listens for the end of a progress."""
        return EVENT_DATA_ENTRY_FLOW_PROGRESSED in self._hass.bus.async_listeners()


class LinkSignIn:
    """Wait until a code is confirmed at plex.tv, and finish the sign-in that it brings.

    Closing the dialog ends the waiting, with one more look at the code. Once there is a
    token everything goes on: it has made plex.tv forget the entry's old one.
    """

    progress: asyncio.Task[Any]
    """Ends when `outcome` is there; a dialog that is closed may cancel it."""

    _pin: Pin

    def __init__(
        self,
        hass: HomeAssistant,
        client: Mapping[str, Any],
        finish: Callable[[NewSignIn], Awaitable[ConfigFlowResult]],
    ) -> None:
        """Take who signs in; `finish` stores the sign-in, in a closed dialog as well."""
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
        """Return what the page shows: the code, plex.tv's page for it, and its picture.

        The page draws the picture by itself: it asks nobody for it.
        """
        url = str(_LINK_URL.with_query(pin=self._pin.code))
        return {
            "code": self._pin.code,
            "url": url,
            "qr": f'<ha-qr-code data="{url}" width="140" margin="1"></ha-qr-code>',
        }

    async def start(self) -> None:
        """Get a code and wait for it, or go on with the code or token that is there.

        Raises PlexError where plex.tv gives no code.
        """
        if self.outcome is not None and not isinstance(self.outcome, PlexError):
            return
        if self._waiting is None or self._waiting.done():
            if self._token is None:
                self._pin = await self._plex.create_pin()
            self.outcome = None
            self._waiting = self._begin()
        self.page = ProgressPage(self._hass)
        # Home Assistant cancels a progress task when the dialog is closed. The waiting
        # is not to be cancelled: the code may have been confirmed already.
        self.progress = self._hass.async_create_background_task(
            asyncio.wait([self._waiting]), "plex_auth link progress"
        )

    @callback
    def close(self) -> None:
        """End the waiting for a dialog that is closed: look once more, then finish."""
        self._closed.set()
        if isinstance(self.outcome, PlexError):
            self._begin()

    @callback
    def discard(self) -> None:
        """End the waiting; a token that the code has brought is ended at plex.tv."""
        self._finish = _async_discard
        self.close()

    @property
    def _plex(self) -> PlexTv:
        """Return the calls to plex.tv."""
        return async_create_plex_tv(self._hass, self.client)

    def _begin(self) -> asyncio.Task[None]:
        """Wait in the background."""
        return self._hass.async_create_background_task(self._wait(), "plex_auth link")

    async def _wait(self) -> None:
        """Wait for the token, then check and store it."""
        try:
            if self._token is None:
                self._token = await wait_for_link(
                    self._plex,
                    self._pin,
                    self._closed,
                    on_look=lambda: self.page.note(),
                )
            self.outcome = await asyncio.shield(
                self._hass.async_create_task(
                    self._sign_in(self._token), "plex_auth linked"
                )
            )
        except PlexError as err:
            self.outcome = err

    async def _sign_in(self, token: str) -> LinkOutcome:
        """Check and store the token that the code has brought."""
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
        """End a sign-in whose account could not be asked for."""
        self._token = None
        origin = {CONF_TOKEN: token, CONF_TOKEN_ORIGIN: TokenOrigin.LINK}
        async_end_if_ours(self._hass, {**origin, **self.client})


async def _async_discard(sign_in: NewSignIn) -> ConfigFlowResult:
    """End a sign-in that nobody waits for any more."""
    sign_in.finish()
    raise UnknownFlow


async def wait_for_link(
    plex: PlexTv,
    pin: Pin,
    closed: asyncio.Event,
    *,
    on_look: Callable[[], None] = lambda: None,
) -> str:
    """Return the token once the code was confirmed at plex.tv (plex-api.md §7.2).

    `on_look` is called before each look at the code. A failure now and then is waited
    out. Once `closed` is set the code is looked at one last time. Raises
    LinkExpiredError when the code's time is over or plex.tv no longer knows it, and
    PlexError when plex.tv stays away.
    """
    loop = asyncio.get_running_loop()
    end = loop.time() + min(pin.expires_in or _LIFETIME_SECONDS, _LONGEST_SECONDS)
    failures = 0
    while loop.time() < end:
        on_look()
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

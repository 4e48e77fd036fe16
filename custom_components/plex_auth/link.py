"""Waiting for a code to be typed at plex.tv/link."""

import asyncio
from contextlib import suppress
from typing import Final

from .api.errors import (
    CannotConnectError,
    LinkExpiredError,
    RateLimitedError,
    UnavailableError,
)
from .api.models import Pin
from .api.plex_tv import PlexTv

LINK_URL: Final = "https://plex.tv/link"
POLL_SECONDS: Final = 2.0

# What a code that names no time is good for (plex-api.md §7.1).
_LIFETIME_SECONDS: Final = 900
_LONGEST_SECONDS: Final = 1800
_MOST_FAILURES: Final = 5


async def wait_for_link(plex: PlexTv, pin: Pin, closed: asyncio.Event) -> str:
    """Return the token once the code was typed at plex.tv (plex-api.md §7.2).

    A failure now and then is waited out. Once `closed` is set the code is looked at one
    last time. Raises LinkExpiredError when the code's time is over or plex.tv no longer
    knows it, and PlexError when plex.tv stays away.
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

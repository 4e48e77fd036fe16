"""Waiting for a code to be typed at plex.tv/link."""

import asyncio
from typing import Final

from .api.account import PlexAccount
from .api.errors import (
    CannotConnectError,
    LinkExpiredError,
    RateLimitedError,
    UnavailableError,
)
from .api.models import Pin

LINK_URL: Final = "https://plex.tv/link"
POLL_SECONDS: Final = 2.0

# What a code that names no time is good for (plex-api.md §7.1).
_LIFETIME_SECONDS: Final = 900
_LONGEST_SECONDS: Final = 1800
_MOST_FAILURES: Final = 5


async def wait_for_link(plex: PlexAccount, pin: Pin) -> str:
    """Return the token once the code was typed at plex.tv (plex-api.md §7.2).

    A failure now and then is waited out. Raises LinkExpiredError when the code's time is
    over or plex.tv no longer knows it, and PlexError when plex.tv stays away.
    """
    loop = asyncio.get_running_loop()
    end = loop.time() + min(pin.expires_in or _LIFETIME_SECONDS, _LONGEST_SECONDS)
    failures = 0
    while loop.time() < end:
        wait = POLL_SECONDS
        try:
            state = await plex.check_pin(pin.id)
        except LinkExpiredError:
            raise
        except (CannotConnectError, RateLimitedError, UnavailableError) as err:
            failures += 1
            if failures == _MOST_FAILURES:
                raise
            wait = max(wait, err.retry_after or 0)
        else:
            failures = 0
            if state.token is not None:
                return state.token
        await asyncio.sleep(wait)
    raise LinkExpiredError

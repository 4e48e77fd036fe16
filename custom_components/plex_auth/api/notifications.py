"""A server's notification socket: open, lost, refused (plex-api.md §18)."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import chain, repeat
import logging
from typing import Final

from yarl import URL

from .errors import NotPermittedError, NotReachedError, PlexError
from .server import PlexServer, require_claimed, require_started
from .transport import Socket

_LOGGER = logging.getLogger(__name__)

# The first is short: a server that is back by then counts as never gone.
_PAUSES: Final = (2.0, *repeat(5.0, 12), 15.0, 30.0, 60.0, 120.0, 240.0)
_MAX_PAUSE: Final = 300.0
# A server that answers without a socket is unlikely to offer one soon.
_PAUSE_WITHOUT_SOCKETS: Final = 3600.0
_MAX_RETRY_AFTER: Final = 900.0
# A socket that was open for less does not reset the pauses.
_STEADY_SECONDS: Final = 300.0


def _pauses() -> Iterator[float]:
    """Return the seconds to wait after each loss or failure."""
    return chain(_PAUSES, repeat(_MAX_PAUSE))


class Notifications:
    """Keep a server's notification socket open and report when it is lost or reopened.

    Messages are dropped unread. A report proves nothing; its receiver asks the server.
    """

    def __init__(
        self, machine_identifier: str, on_news: Callable[[bool], None]
    ) -> None:
        """Initialize for the server with a machine identifier.

        `on_news` is called with true when the socket reopens, or fails to open although
        the server answers again, and with false each time the server does not answer or
        when its socket becomes silent.
        """
        self.is_open = False
        self.failure: PlexError | None = None
        self._machine_identifier = machine_identifier
        self._on_news = on_news
        self._target: tuple[URL, str] | None = None
        self._task: asyncio.Task[None] | None = None
        self._closing: set[asyncio.Task[None]] = set()
        self._hurry = asyncio.Event()

    @property
    def is_refused(self) -> bool:
        """Return whether the server does not permit the socket."""
        return self._task is not None and self._task.done()

    def listen(self, server: PlexServer, token: str) -> None:
        """Keep the socket open at an address where the server was just identified.

        Does nothing if the socket is already kept open, or refused, there.
        """
        target = (server.url, token)
        if target == self._target:
            return
        self.stop()
        self._target = target
        self._task = asyncio.create_task(
            self._keep_open(server, token),
            name="plex_auth notifications",
        )

    def hurry(self) -> None:
        """End the current wait, if any, and reopen the socket now."""
        self._hurry.set()

    def stop(self) -> None:
        """Start closing the socket and do not reopen it."""
        if (task := self._task) is not None and not task.done():
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)
            task.cancel()
        self._task = self._target = self.failure = None
        self.is_open = False

    async def close(self) -> None:
        """Close the socket and wait until it is closed, which is immediate."""
        self.stop()
        if self._closing:
            await asyncio.wait(self._closing)

    async def _keep_open(self, server: PlexServer, token: str) -> None:
        """Open and reopen the socket until it is refused."""
        pauses, was_open = _pauses(), False
        for is_retry in chain((False,), repeat(True)):
            # The caller of `listen` has just identified the server.
            answers = not is_retry
            try:
                if is_retry:
                    # Another machine may have the address now, and a socket may open
                    # before the server is ready.
                    identity = await server.identity(self._machine_identifier)
                    require_started(identity)
                    answers = True
                    require_claimed(identity)
                socket = await server.notifications(token)
            except PlexError as err:
                if asyncio.current_task() is not self._task:
                    # A simultaneous timeout has replaced the cancellation.
                    return
                self.failure = err.without_frames()
                _LOGGER.debug("The notification socket could not be opened: %s", err)
                if isinstance(err, NotReachedError):
                    answers = False
                if answers and isinstance(err, NotPermittedError) and not was_open:
                    return
                if was_open or not answers:
                    self._on_news(answers)
                pause = next(pauses)
                if answers and (not was_open or pause >= _MAX_PAUSE):
                    pause = _PAUSE_WITHOUT_SOCKETS
                pause = max(pause, min(err.retry_after or 0.0, _MAX_RETRY_AFTER))
            else:
                was_open = True
                if await self._hold_open(socket, is_reopened=is_retry):
                    pauses = _pauses()
                pause = next(pauses)
            await self._wait(pause)

    async def _hold_open(self, socket: Socket, *, is_reopened: bool) -> bool:
        """Hold a socket open until it is lost; return whether it lasted long enough."""
        clock = asyncio.get_running_loop().time
        self.failure, opened_at = None, clock()
        async with socket:
            self.is_open = True
            try:
                if is_reopened:
                    self._on_news(True)
                await socket.drop_messages()
            finally:
                self.is_open = False
        _LOGGER.debug("The notification socket was lost, code %s", socket.close_code)
        if socket.is_silent:
            self._on_news(False)
        return clock() - opened_at >= _STEADY_SECONDS

    async def _wait(self, seconds: float) -> None:
        """Wait for a time or until `hurry` is called."""
        self._hurry.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._hurry.wait()

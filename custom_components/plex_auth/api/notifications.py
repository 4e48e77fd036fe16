"""A server's notification socket: open, gone, refused (plex-api.md §18)."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import chain, repeat
import logging
from typing import Final

from yarl import URL

from .errors import NotPermittedError, NotReachedError, PlexError
from .server import PlexServer, require_started
from .transport import Socket

_LOGGER = logging.getLogger(__name__)

# The first is short: a server that is back by then was never gone.
_PAUSES: Final = (2.0, *repeat(5.0, 12), 15.0, 30.0, 60.0, 120.0, 240.0)
_LONGEST_PAUSE: Final = 300.0
# Who answers and has no socket to give will hardly have one soon.
_PAUSE_WITHOUT_SOCKETS: Final = 3600.0
_LONGEST_RETRY_AFTER: Final = 900.0
# A socket that is lost sooner is no reason to be quick again.
_STEADY_SECONDS: Final = 300.0


def _pauses() -> Iterator[float]:
    """Return the seconds to wait after each loss or failure."""
    return chain(_PAUSES, repeat(_LONGEST_PAUSE))


class Notifications:
    """Keep the notification socket of a server open, and tell when something happens.

    The messages are dropped unread: what counts is that the socket is lost and that it is
    open again. That proves nothing, so whoever is told asks the server.
    """

    def __init__(
        self, machine_identifier: str, on_news: Callable[[bool], None]
    ) -> None:
        """Take whom the server has to be, and what is called when there is news.

        It is called with whether the server answers: with true when the socket is open
        again, or does not open though the server is back; with false when it does not
        answer, each time that it is tried, and when nothing is heard of it any more.
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
        """Keep the socket open at the address where the server has just told who it is.

        That changes nothing where it is kept there, or refused, already.
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
        """Wait no longer, if the socket is to be opened again some time."""
        self._hurry.set()

    def stop(self) -> None:
        """Close the socket, without waiting for that, and open it no more."""
        if (task := self._task) is not None and not task.done():
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)
            task.cancel()
        self._task = self._target = self.failure = None
        self.is_open = False

    async def close(self) -> None:
        """Close the socket, and wait for the end of that, which takes no time."""
        self.stop()
        if self._closing:
            await asyncio.wait(self._closing)

    async def _keep_open(self, server: PlexServer, token: str) -> None:
        """Open the socket again and again, until it is refused."""
        pauses, was_open = _pauses(), False
        for is_again in chain((False,), repeat(True)):
            # Whoever listens has just asked.
            answers = not is_again
            try:
                if is_again:
                    # Another machine may have got the address; a socket may open before
                    # the server is ready.
                    require_started(await server.identity(self._machine_identifier))
                    answers = True
                socket = await server.notifications(token)
            except PlexError as err:
                if asyncio.current_task() is not self._task:
                    # A timeout of the same moment has taken the place of the end.
                    return
                self.failure = err.without_frames()
                _LOGGER.debug("The notification socket does not open: %s", err)
                if isinstance(err, NotReachedError):
                    answers = False
                if answers and isinstance(err, NotPermittedError) and not was_open:
                    return
                if was_open or not answers:
                    self._on_news(answers)
                pause = next(pauses)
                if answers and (not was_open or pause >= _LONGEST_PAUSE):
                    pause = _PAUSE_WITHOUT_SOCKETS
                pause = max(pause, min(err.retry_after or 0.0, _LONGEST_RETRY_AFTER))
            else:
                was_open = True
                if await self._hold_open(socket, is_news=is_again):
                    pauses = _pauses()
                pause = next(pauses)
            await self._wait(pause)

    async def _hold_open(self, socket: Socket, *, is_news: bool) -> bool:
        """Hold an open socket until it is lost; return whether it was open for long."""
        clock = asyncio.get_running_loop().time
        self.failure, opened_at = None, clock()
        async with socket:
            self.is_open = True
            try:
                if is_news:
                    self._on_news(True)
                await socket.drop_messages()
            finally:
                self.is_open = False
        _LOGGER.debug("The notification socket is lost, code %s", socket.close_code)
        if socket.is_silent:
            self._on_news(False)
        return clock() - opened_at >= _STEADY_SECONDS

    async def _wait(self, seconds: float) -> None:
        """Wait, unless there is a hurry."""
        self._hurry.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._hurry.wait()

"""Time that jumps from one timer to the next."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from unittest.mock import patch

from homeassistant.util.async_ import get_scheduled_timer_handles

_CONNECTIONS_STAY = 60.0  # aiohttp closes idle ones each 15 s, older than that
_MOMENT = 0.001  # for timers to run and to wake tasks
_LASTS = 10.0  # seconds after which a task is no longer waited for
_PONG = 0.5  # seconds that the answer to a heartbeat has in real time


class PassingTime:
    """The time of an event loop, which can be moved forward."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        """Start at the loop's own time."""
        self._loop = loop
        self._real = loop.time
        self._passed = 0.0

    def time(self) -> float:
        """Return the loop's time."""
        return self._real() + self._passed

    def utcnow(self) -> datetime:
        """Return the date and time."""
        return datetime.now(UTC) + timedelta(seconds=self._passed)

    async def let_pass(self, seconds: float) -> None:
        """Let time pass; everything due is done before time continues.

        Tasks that last, such as an open socket, are not waited for.
        """
        end = self.time() + seconds
        lasting = asyncio.all_tasks()
        while self._pass_until(end):
            await asyncio.sleep(_MOMENT)
            while begun := asyncio.all_tasks() - lasting:
                _, left = await asyncio.wait(begun, timeout=_LASTS)
                lasting |= left
            await self._let_pongs_arrive()

    async def let_connections_close(self) -> None:
        """Let time pass until all idle connections are closed."""
        await self.let_pass(_CONNECTIONS_STAY)

    async def _let_pongs_arrive(self) -> None:
        """Wait for the answers to heartbeats, which would be late after a jump."""
        end = self._real() + _PONG
        while self._real() < end and any(map(_waits_for_pong, self._timers())):
            await asyncio.sleep(0)

    def _timers(self) -> list[asyncio.TimerHandle]:
        """Return the running timers."""
        timers = get_scheduled_timer_handles(self._loop)
        return [one for one in timers if not one.cancelled()]

    def _pass_until(self, end: float) -> bool:
        """Go to the next timer, at most until `end`; return whether there is one."""
        due = min((one.when() for one in self._timers()), default=end)
        self._passed += max(min(due, end) - self.time(), 0.0)
        return due < end


def _waits_for_pong(timer: asyncio.TimerHandle) -> bool:
    callback = timer._callback  # type: ignore[attr-defined]  # noqa: SLF001
    return getattr(callback, "__name__", "") == "_pong_not_received"


@contextmanager
def passing_time() -> Iterator[PassingTime]:
    """Have the running loop, Home Assistant, and aiohttp read a time that jumps."""
    loop = asyncio.get_running_loop()
    passing = PassingTime(loop)
    with (
        patch.object(loop, "time", passing.time),
        patch("homeassistant.util.dt.utcnow", passing.utcnow),
        patch("aiohttp.connector.monotonic", passing.time),
    ):
        yield passing

"""The time between two requests of a kind."""

import asyncio
from datetime import timedelta


class Interval:
    """A time that has to pass before a request is made again.

    It is measured by the event loop's clock, which is never set back or forward.
    """

    def __init__(self, length: timedelta) -> None:
        """Start with an interval that is over."""
        self._seconds = length.total_seconds()
        self._end: float | None = None

    @property
    def is_over(self) -> bool:
        """Return whether the time has passed since the last `begin`."""
        return self._end is None or asyncio.get_running_loop().time() >= self._end

    def begin(self) -> None:
        """Let the time pass from now on."""
        self._end = asyncio.get_running_loop().time() + self._seconds

    def end(self) -> None:
        """Let the time be over."""
        self._end = None

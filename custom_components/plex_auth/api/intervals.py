"""Minimum intervals between requests."""

import asyncio
from datetime import timedelta


class Interval:
    """A minimum interval between requests, measured by the monotonic loop clock."""

    def __init__(self, length: timedelta) -> None:
        """Initialize an interval that is over."""
        self._seconds = length.total_seconds()
        self.begun_at: float | None = None
        """The time of the last `begin`, by the loop clock."""
        self._end: float | None = None

    @property
    def is_over(self) -> bool:
        """Return whether the interval has passed since the last `begin`."""
        return self._end is None or asyncio.get_running_loop().time() >= self._end

    @property
    def remaining(self) -> timedelta:
        """Return the time until the interval is over."""
        if self._end is None:
            return timedelta(0)
        seconds = self._end - asyncio.get_running_loop().time()
        return timedelta(seconds=max(seconds, 0))

    def begin(self, length: timedelta | None = None) -> None:
        """Start the interval now, with another length if one is given."""
        seconds = self._seconds if length is None else length.total_seconds()
        self.begun_at = asyncio.get_running_loop().time()
        self._end = self.begun_at + seconds

    def end(self) -> None:
        """End the interval now."""
        self._end = None

"""Minimum intervals between requests."""

import asyncio
from datetime import timedelta


class Interval:
    """A minimum interval between requests, measured by the monotonic loop clock."""

    def __init__(self, length: timedelta) -> None:
        """Initialize an interval that is over."""
        self._seconds = length.total_seconds()
        self._end: float | None = None

    @property
    def is_over(self) -> bool:
        """Return whether the interval has passed since the last `begin`."""
        return self._end is None or asyncio.get_running_loop().time() >= self._end

    def begin(self) -> None:
        """Start the interval now."""
        self._end = asyncio.get_running_loop().time() + self._seconds

    def end(self) -> None:
        """End the interval now."""
        self._end = None

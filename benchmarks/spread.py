"""The arithmetic of the figures: medians, spreads, and ratios of interleaved rounds."""

from collections.abc import Sequence
from dataclasses import dataclass
import statistics
from typing import override


@dataclass(frozen=True, slots=True)
class Spread:
    """Hold the median of a series and its quartiles."""

    median: float
    low: float
    high: float

    @override
    def __str__(self) -> str:
        """Return the median with the quartiles behind it."""
        return f"{_short(self.median)} ({_short(self.low)}–{_short(self.high)})"

    def scaled(self, factor: float) -> Spread:
        """Return the same in another unit."""
        return Spread(self.median * factor, self.low * factor, self.high * factor)


def spread(values: Sequence[float]) -> Spread:
    """Return median and quartiles of a series of at least one value."""
    if len(values) == 1:
        return Spread(values[0], values[0], values[0])
    low, median, high = statistics.quantiles(values, n=4, method="inclusive")
    return Spread(median, low, high)


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> Spread:
    """Return how many times theirs ours is, round by round.

    Values at the same place come from the same round, so that what disturbed the machine
    then disturbed both.
    """
    return spread([one / other for one, other in zip(ours, theirs, strict=True)])


def difference(ours: Sequence[float], theirs: Sequence[float]) -> Spread:
    """Return how much more ours is than theirs, round by round."""
    return spread([one - other for one, other in zip(ours, theirs, strict=True)])


def _short(value: float) -> str:
    """Return a number with three significant digits, without an exponent."""
    if value == 0:
        return "0"
    size = abs(value)
    digits = 0 if size >= 100 else 1 if size >= 10 else 2 if size >= 0.1 else 3
    return f"{value:.{digits}f}"

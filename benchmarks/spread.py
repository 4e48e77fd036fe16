"""The arithmetic of the figures: medians, quartiles, and ratios of rounds."""

from collections.abc import Sequence
from dataclasses import dataclass
import statistics
from typing import override


@dataclass(frozen=True, slots=True)
class Spread:
    """The median of a series and its quartiles."""

    median: float
    low: float
    high: float

    @override
    def __str__(self) -> str:
        """Return the median, with the quartiles after it."""
        return f"{short(self.median)} ({short(self.low)}–{short(self.high)})"

    def scaled(self, factor: float) -> Spread:
        """Return the same in another unit."""
        return Spread(self.median * factor, self.low * factor, self.high * factor)


def spread(values: Sequence[float]) -> Spread:
    """Return the median and quartiles of at least one value."""
    if len(values) == 1:
        return Spread(values[0], values[0], values[0])
    low, median, high = statistics.quantiles(values, n=4, method="inclusive")
    return Spread(median, low, high)


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> Spread:
    """Return ours divided by theirs, round by round.

    Values at the same place come from the same round: a slow moment slowed both.
    """
    return spread([one / other for one, other in zip(ours, theirs, strict=True)])


def difference(ours: Sequence[float], theirs: Sequence[float]) -> Spread:
    """Return ours minus theirs, round by round."""
    return spread([one - other for one, other in zip(ours, theirs, strict=True)])


def short(value: float) -> str:
    """Return a number with three significant digits, without an exponent."""
    if value == 0:
        return "0"
    size = abs(value)
    digits = 0 if size >= 100 else 1 if size >= 10 else 2 if size >= 0.1 else 3
    return f"{value:.{digits}f}"

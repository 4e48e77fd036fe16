"""The arithmetic of the benchmarks; what they measure is not tested."""

import pytest

from benchmarks.spread import Spread, difference, ratio, spread


def test_spread_is_median_and_quartiles() -> None:
    """A series becomes its median and quartiles, a single value all three."""
    assert spread([5.0, 1.0, 3.0, 2.0, 4.0]) == Spread(3.0, 2.0, 4.0)
    assert spread([7.0]) == Spread(7.0, 7.0, 7.0)


def test_ratio_and_difference_go_round_by_round() -> None:
    """A round that was slow for both counts as any other."""
    ours, theirs = [1.0, 10.0, 2.0], [2.0, 20.0, 4.0]
    assert ratio(ours, theirs) == Spread(0.5, 0.5, 0.5)
    assert difference(ours, theirs) == Spread(-2.0, -6.0, -1.5)


def test_rounds_must_match() -> None:
    """Series of different lengths have no rounds in common."""
    with pytest.raises(ValueError, match="zip"):
        ratio([1.0], [1.0, 2.0])


def test_spread_is_shown_with_three_digits() -> None:
    """Figures of all sizes have about three digits, and units are scaled."""
    assert str(Spread(0.00123, 0.001, 0.002).scaled(1000)) == "1.23 (1.00–2.00)"
    assert str(Spread(1234.5, 12.34, 0.0123)) == "1234 (12.3–0.012)"
    assert str(Spread(0.0, -0.5, 0.5)) == "0 (-0.50–0.50)"

"""The time between two requests."""

import asyncio
from datetime import timedelta
from unittest.mock import patch

from freezegun.api import FrozenDateTimeFactory
import pytest

from custom_components.plex_auth.api.intervals import Interval

HOUR = timedelta(hours=1)
SECOND = timedelta(seconds=1)


async def test_new_interval_is_over() -> None:
    """Nothing has to be waited for at first."""
    assert Interval(HOUR).is_over


@pytest.mark.parametrize(
    ("step", "is_over"), [(timedelta(0), False), (HOUR - SECOND, False), (HOUR, True)]
)
async def test_time_has_to_pass(
    freezer: FrozenDateTimeFactory, step: timedelta, *, is_over: bool
) -> None:
    """An interval is over after its time."""
    interval = Interval(HOUR)
    interval.begin()
    freezer.tick(step)
    assert interval.is_over is is_over


async def test_interval_is_ended() -> None:
    """An interval can be ended early."""
    interval = Interval(HOUR)
    interval.begin()
    interval.end()
    assert interval.is_over


async def test_interval_of_another_length(freezer: FrozenDateTimeFactory) -> None:
    """An interval can have another length once, and says what is left of it."""
    interval = Interval(HOUR)
    assert interval.remaining == timedelta(0)
    interval.begin(2 * HOUR)
    seen = []
    for step in (timedelta(0), HOUR, 2 * HOUR):
        freezer.tick(step)
        seen.append((interval.is_over, round(interval.remaining.total_seconds())))
    assert seen == [(False, 7200), (False, 3600), (True, 0)]
    interval.begin()
    assert round(interval.remaining.total_seconds()) == 3600


@pytest.mark.parametrize("days", [365, -3650])
async def test_wall_clock_does_not_count(
    freezer: FrozenDateTimeFactory, days: int
) -> None:
    """A wall clock that is set forward or back changes nothing."""
    loop = asyncio.get_running_loop()
    interval = Interval(HOUR)
    with patch.object(loop, "time", return_value=loop.time()):
        interval.begin()
        freezer.tick(timedelta(days=days))
        assert not interval.is_over

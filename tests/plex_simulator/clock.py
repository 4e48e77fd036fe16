"""The simulator's clock: real time plus an offset that tests move."""

from datetime import UTC, datetime, timedelta


class Clock:
    """Tell the time of the simulated world, an aware datetime, and let tests move it.

    The time is read from `datetime.now` on every call, so freezegun moves it as well.
    """

    def __init__(self) -> None:
        """Start at the real time."""
        self._offset = timedelta()

    def now(self) -> datetime:
        """Return the current time as an aware datetime in UTC."""
        return datetime.now(UTC) + self._offset

    def advance(self, step: timedelta) -> None:
        """Move the clock by `step`, which may be negative."""
        self._offset += step


def epoch(moment: datetime | None) -> int | None:
    """Return `moment` in whole seconds since 1970, as account answers have it.

    See plex-api.md §1.1.
    """
    return None if moment is None else int(moment.timestamp())


def iso(moment: datetime | None) -> str | None:
    """Return `moment` as ISO 8601 with a Z, as resources and link codes have it.

    See plex-api.md §5, §7.1.
    """
    return None if moment is None else f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"

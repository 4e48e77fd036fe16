"""How a server is reached at the addresses that plex.tv lists, and for how long."""

import asyncio
from datetime import timedelta
from enum import StrEnum
from typing import Final

from .connections import ConnectionKind, Route
from .errors import DnsError, MaintenanceError, RateLimitedError, StartingUpError
from .server_access import ServerAccess
from .server_list import AccountServer

# Outages and restarts are shorter; plex.tv notices after a few minutes that one is gone.
_LOSS: Final = timedelta(minutes=15)
_PRESENCE_LAG: Final = timedelta(minutes=10)
# Failures of a server that answers.
_ANSWERS: Final = (MaintenanceError, RateLimitedError, StartingUpError)


class Reach(StrEnum):
    """How a server is reached.

    It is reached only from outside if a local plex.direct name does not resolve.
    """

    DIRECT = "direct"
    OUTSIDE = "outside"
    NONE = "none"


class Reachability:
    """How a server was reached in the last polls.

    Whether it has not been reached directly for 15 minutes, or is found at a listed
    address instead of the typed one.
    """

    def __init__(self) -> None:
        """Initialize as reached directly."""
        self.reach = Reach.DIRECT
        self._since = asyncio.get_running_loop().time()
        self._times_elsewhere = 0

    @property
    def is_found_elsewhere(self) -> bool:
        """Return whether two polls in a row found it at a listed address only."""
        return self._times_elsewhere > 1

    def note_elsewhere(self, *, is_found: bool) -> None:
        """Note whether a poll found it at a listed address, not the typed one."""
        self._times_elsewhere = self._times_elsewhere + 1 if is_found else 0

    def note(
        self, access: ServerAccess, route: Route | None, failure: BaseException | None
    ) -> None:
        """Note the route on which the server was reached, or the failure of a poll."""
        reach = _reach(access, route, failure)
        if reach is not self.reach:
            self.reach, self._since = reach, asyncio.get_running_loop().time()

    def is_lost(self, target: AccountServer) -> bool | None:
        """Return whether the server is not reached directly, although it is there.

        Returns None while unknown: the loss has to last for a while, and plex.tv, asked
        some time later, must not report that the server is away.
        """
        if self.reach is Reach.DIRECT:
            return False
        now = asyncio.get_running_loop().time()
        if now - self._since < _LOSS.total_seconds():
            return None
        if self.reach is Reach.OUTSIDE:
            return True
        if not target.servers.has_answered_since(
            self._since + _PRESENCE_LAG.total_seconds()
        ):
            return None
        listed = target.listed if target.is_listed else None
        return listed is not None and listed.presence is not False


def _reach(
    access: ServerAccess, route: Route | None, failure: BaseException | None
) -> Reach:
    """Return how a server is reached; a typed address counts as direct."""
    target = access.target
    if target.url is not None or isinstance(failure, _ANSWERS):
        return Reach.DIRECT
    if route is None:
        return Reach.NONE
    listed = target.listed
    is_elsewhere = listed is not None and listed.public_address_matches is False
    is_unresolved = any(
        tried.kind is ConnectionKind.LOCAL and isinstance(error, DnsError)
        for tried, error in access.failures.items()
    )
    is_local = route.kind is ConnectionKind.LOCAL
    if is_local or is_elsewhere or not is_unresolved:
        return Reach.DIRECT
    return Reach.OUTSIDE

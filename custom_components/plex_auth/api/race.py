"""Probe ranks of routes; the first answer wins."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Final, NamedTuple

from .connections import Route
from .errors import (
    CannotConnectError,
    CertificateError,
    ConnectionTimeoutError,
    DnsError,
    PlexError,
    RateLimitedError,
    SecureConnectionRequiredError,
    UnavailableError,
    WrongServerError,
)

HEAD_START: Final = 1.0
"""Seconds that a rank may probe alone before the next one joins."""

# What a person learns most from comes first.
_MOST_TELLING: Final[tuple[type[PlexError], ...]] = (
    UnavailableError,
    RateLimitedError,
    SecureConnectionRequiredError,
    CertificateError,
    DnsError,
    ConnectionTimeoutError,
    CannotConnectError,
    WrongServerError,
)


class Race[AnswerT](NamedTuple):
    """What a race brought: the winner with its answer, and why others failed."""

    winner: tuple[Route, AnswerT] | None
    failures: dict[Route, PlexError]

    @property
    def error(self) -> PlexError:
        """Return the failure that tells a person most."""
        failures = self.failures.values()
        for kind in _MOST_TELLING:
            for failure in failures:
                if isinstance(failure, kind):
                    return failure
        return next(iter(failures), CannotConnectError())


async def race[AnswerT](
    ranks: Iterable[Iterable[Route]],
    probe: Callable[[Route], Awaitable[AnswerT]],
    *,
    head_start: float = HEAD_START,
) -> Race[AnswerT]:
    """Probe the addresses and return the first that answers.

    All of one rank are probed at once. The next rank starts when every address so far
    has failed, or after `head_start` seconds. An address has failed when its probe
    raises PlexError; anything else ends the race.
    """
    running: dict[asyncio.Future[AnswerT], Route] = {}
    failures: dict[Route, PlexError] = {}
    waiting = list(ranks)
    try:
        while waiting or running:
            if waiting:
                for route in waiting.pop(0):
                    running[asyncio.ensure_future(probe(route))] = route
            deadline = asyncio.get_running_loop().time() + head_start
            while running:
                timeout = None
                if waiting:
                    timeout = max(deadline - asyncio.get_running_loop().time(), 0)
                done, _ = await asyncio.wait(
                    running, timeout=timeout, return_when=asyncio.FIRST_COMPLETED
                )
                if not done:
                    break
                for task in [task for task in running if task in done]:
                    route = running.pop(task)
                    try:
                        return Race((route, task.result()), failures)
                    except PlexError as err:
                        # Kept for long: without the frames, which hold the request.
                        failures[route] = err.with_traceback(None)
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
    return Race(None, failures)

"""Find a server on ranked routes: the first response wins."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Final, NamedTuple

from yarl import URL

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
from .models import Identity
from .server import PlexServer, require_started

HEAD_START: Final = 1.0
"""Seconds until the next rank joins those that are probed already."""

_AT_ONCE: Final = 32

_MOST_HELPFUL_FIRST: Final[tuple[type[PlexError], ...]] = (
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
    """The result of a race: the winner with its answer, and the failures of others."""

    winner: tuple[Route, AnswerT] | None
    failures: dict[Route, PlexError]

    @property
    def error(self) -> PlexError:
        """Return the most helpful error, to raise it."""
        return most_helpful(self.failures.values()).again()

    def error_after(self, last: Route | None) -> PlexError:
        """Return the most helpful error; if nothing answers, that of the last route."""
        error = self.error
        failure = None if last is None else self.failures.get(last)
        if failure is None or not isinstance(error, CannotConnectError):
            return error
        return failure.again()


def most_helpful(failures: Iterable[PlexError]) -> PlexError:
    """Return the most helpful of some errors to show to a user."""
    return min(failures, key=_helpfulness, default=CannotConnectError())


def _helpfulness(failure: PlexError) -> int:
    """Return the sort key of an error, most helpful first."""
    return next(
        (
            index
            for index, kind in enumerate(_MOST_HELPFUL_FIRST)
            if isinstance(failure, kind)
        ),
        len(_MOST_HELPFUL_FIRST),
    )


async def find_server(
    ranks: Iterable[Iterable[Route]],
    at: Callable[[URL], PlexServer],
    machine_identifier: str | None,
    *,
    is_ready: bool = False,
) -> Race[Identity]:
    """Return the first route on which a server answers, and its identity.

    `at` returns the server at an address. `machine_identifier` is the expected one, or
    None for any; `is_ready` skips a server that is starting up. No token is sent.
    """

    async def identify(route: Route) -> Identity:
        identity = await at(route.url).identity(machine_identifier)
        return require_started(identity) if is_ready else identity

    return await race(ranks, identify)


async def race[AnswerT](
    ranks: Iterable[Iterable[Route]],
    probe: Callable[[Route], Awaitable[AnswerT]],
    *,
    head_start: float = HEAD_START,
) -> Race[AnswerT]:
    """Probe routes and return the first that answers.

    The routes of a rank are probed at once, at most 32 of them at a time; the next rank
    starts when all so far have failed or after `head_start` seconds. A probe fails by
    raising PlexError; any other exception ends the race.
    """
    running: dict[asyncio.Future[AnswerT], Route] = {}
    failures: dict[Route, PlexError] = {}
    waiting = list(ranks)
    try:
        while waiting or running:
            if waiting:
                slots = asyncio.Semaphore(_AT_ONCE)
                for route in waiting.pop(0):
                    attempt = _probe_in_turn(slots, probe, route)
                    running[asyncio.ensure_future(attempt)] = route
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
                        failures[route] = err.without_frames()
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
    return Race(None, failures)


async def _probe_in_turn[AnswerT](
    slots: asyncio.Semaphore, probe: Callable[[Route], Awaitable[AnswerT]], route: Route
) -> AnswerT:
    """Probe a route once one of the slots of its rank is free."""
    async with slots:
        return await probe(route)

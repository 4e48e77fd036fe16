"""Find a server among ranked routes: the first answer wins."""

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
"""Seconds that a rank may probe alone before the next one joins."""

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
    """What a race brought: the winner with its answer, and why others failed."""

    winner: tuple[Route, AnswerT] | None
    failures: dict[Route, PlexError]

    @property
    def error(self) -> PlexError:
        """Return the most helpful failure."""
        return most_helpful(self.failures.values())


def most_helpful(failures: Iterable[PlexError]) -> PlexError:
    """Return the failure from which a person learns most."""
    return min(failures, key=_helpfulness, default=CannotConnectError())


def _helpfulness(failure: PlexError) -> int:
    """Return what to sort failures by."""
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
    """Return the first route by which a server answers, and its identity.

    `at` returns the calls to an address, `machine_identifier` names the server, None for
    any; `is_ready` passes over one that is starting up. No token is shown.
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
                        failures[route] = err.without_frames()
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
    return Race(None, failures)

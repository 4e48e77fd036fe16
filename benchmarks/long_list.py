"""How long a list with many rows holds the event loop.

`python -m benchmarks.long_list WORLD` asks plex.tv for the servers of an account whose
list has thousands of rows that are no servers.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
import json
import sys
import time

from aiohttp import ClientSession, DummyCookieJar

from custom_components.plex_auth.api.plex_tv import PlexTv
from custom_components.plex_auth.api.transport import ClientInfo, Transport

from .clients.base import Given
from .measure import Time, series, timed
from .plan import LONG_LISTS
from .simulated import World

_TICK_SECONDS = 0.001


def main() -> None:
    """Measure against the world that the command line names and print the figures."""
    print(json.dumps(asyncio.run(_measure(World.load(sys.argv[1])))))


async def _measure(world: World) -> dict[str, object]:
    """Return the time of each list, and the longest hold of the event loop in it."""
    given = Given(world)
    times: list[Time] = []
    holds: list[float] = []
    async with ClientSession(cookie_jar=DummyCookieJar()) as session:
        plex_tv = PlexTv(
            Transport(session, ClientInfo(**given.identity())), given.api_url
        )
        for number in range(-1, LONG_LISTS):
            async with _watched() as hold:
                with timed() as one:
                    servers = await plex_tv.servers(given.token)
            if not servers:
                message = "no server was found among the rows"
                raise RuntimeError(message)
            if number >= 0:
                times.append(one)
                holds.append(max(hold))
    return {"times": series(times), "holds": holds}


@asynccontextmanager
async def _watched() -> AsyncIterator[list[float]]:
    """Yield the seconds that a task which wakes up all the time has waited too long."""
    late = [0.0]

    async def _watch() -> None:
        while True:
            start = time.perf_counter()
            await asyncio.sleep(_TICK_SECONDS)
            late.append(time.perf_counter() - start - _TICK_SECONDS)

    watch = asyncio.create_task(_watch())
    try:
        yield late
    finally:
        watch.cancel()


if __name__ == "__main__":
    main()

"""Five calls by three clients: wall and CPU time.

`python -m benchmarks.calls CHECKED WORLD` names two simulators: one keeps the requests
and is used to check that all clients do the same; the other is used to measure.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
import gc
import json
import sys

from .clients.base import CALLS, Client, Given
from .clients.floor import floor
from .clients.ours import ours
from .clients.python_plexapi import python_plexapi
from .measure import Series, Time, series, timed
from .plan import IN_A_ROW, ROUNDS
from .simulated import World

type _Kind = Callable[[Given], AbstractAsyncContextManager[Client]]

_KINDS: tuple[_Kind, ...] = (ours, floor, python_plexapi)


def main() -> None:
    """Measure against the simulators that the command line names; print the figures."""
    checked, world = map(World.load, sys.argv[1:])
    asyncio.run(_check(checked))
    print(json.dumps(asyncio.run(_measure(world))))


@asynccontextmanager
async def _clients(given: Given) -> AsyncIterator[list[Client]]:
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(kind(given)) for kind in _KINDS]


async def _check(world: World) -> None:
    """Raise RuntimeError unless all clients find the same and send no cookie."""
    async with _clients(Given(world)) as clients:
        for call in CALLS:
            answers = {client.name: await client.make(call) for client in clients}
            if not all(answers.values()) or len(set(answers.values())) != 1:
                message = f"{call}: the clients do not agree: {answers}"
                raise RuntimeError(message)
    for record in await asyncio.to_thread(world.records):
        if "cookie" in {name.lower() for name in record["headers"]}:
            message = f"a client sends cookies: {record['headers']}"
            raise RuntimeError(message)


async def _measure(world: World) -> dict[str, dict[str, Series]]:
    """Return the seconds of one call by call and client."""
    given = Given(world)
    async with _clients(given) as clients:
        found: dict[str, dict[str, list[Time]]] = {
            call: {client.name: [] for client in clients} for call in CALLS
        }
        gc.collect()
        gc.freeze()
        for number in range(-1, ROUNDS):
            for call in CALLS:
                given.renew_code()
                # Each takes each place in turn; round -1 only warms up.
                shift = number % len(clients)
                for client in (*clients[shift:], *clients[:shift]):
                    gc.collect()
                    with timed() as time:
                        for _ in range(IN_A_ROW):
                            await client.make(call)
                    if number >= 0:
                        found[call][client.name].append(time)
    return {
        call: {name: series(times, IN_A_ROW) for name, times in by_client.items()}
        for call, by_client in found.items()
    }


if __name__ == "__main__":
    main()

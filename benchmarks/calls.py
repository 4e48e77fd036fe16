"""Section 1: five calls by four clients, wall and CPU time, one by one and 50 at once.

`python -m benchmarks.calls CHECKED ROW ONCE` names three simulators: one that keeps the
requests, where it is checked that all clients do the same; one for the calls in a row;
one for those at once.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
import gc
import json
import sys
from typing import Any

from .clients.base import CALLS, Client, Given
from .clients.floor import floor
from .clients.ours import ours
from .clients.plex_api_client import plex_api_client
from .clients.python_plexapi import python_plexapi
from .measure import Series, Time, series, timed
from .plan import AT_ONCE, IN_A_ROW, ROUNDS, ROUNDS_AT_ONCE
from .simulated import World

type _Kind = Callable[[Given], AbstractAsyncContextManager[Client[Any]]]


def main() -> None:
    """Measure against the simulators that the command line names; print the figures."""
    checked, in_a_row, at_once = map(World.load, sys.argv[1:])
    asyncio.run(_check(checked))
    found = {
        "row": asyncio.run(_measure(in_a_row, ROUNDS, IN_A_ROW, at_once=False)),
        "at once": asyncio.run(
            _measure(at_once, ROUNDS_AT_ONCE, AT_ONCE, at_once=True)
        ),
    }
    print(json.dumps(found))


@asynccontextmanager
async def _clients(given: Given) -> AsyncIterator[list[Client[Any]]]:
    kinds: tuple[_Kind, ...] = (ours, floor, python_plexapi, plex_api_client)
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(kind(given)) for kind in kinds]


async def _check(world: World) -> None:
    """Raise RuntimeError unless all clients find the same, and none sends a cookie."""
    async with _clients(Given(world)) as clients:
        for call in CALLS:
            answers = {client.name: await client.one(call) for client in clients}
            if not all(answers.values()) or len(set(answers.values())) != 1:
                message = f"{call}: the clients do not agree: {answers}"
                raise RuntimeError(message)
    for record in await asyncio.to_thread(world.records):
        if "cookie" in {name.lower() for name in record["headers"]}:
            message = f"a client sends cookies: {record['headers']}"
            raise RuntimeError(message)


async def _measure(
    world: World, rounds: int, count: int, *, at_once: bool
) -> dict[str, dict[str, Series]]:
    """Return the seconds of one call by call and client."""
    given = Given(world)
    async with _clients(given) as clients:
        found: dict[str, dict[str, list[Time]]] = {
            call: {client.name: [] for client in clients} for call in CALLS
        }
        gc.collect()
        gc.freeze()
        for number in range(-1, rounds):
            for call in CALLS:
                given.renew_code()
                # Each takes each place in turn; round -1 only warms up.
                shift = number % len(clients)
                for client in (*clients[shift:], *clients[:shift]):
                    make = client.at_once if at_once else client.in_a_row
                    gc.collect()
                    with timed() as time:
                        await make(call, count)
                    if number >= 0:
                        found[call][client.name].append(time)
    return {
        call: {name: series(times, count) for name, times in by_client.items()}
        for call, by_client in found.items()
    }


if __name__ == "__main__":
    main()

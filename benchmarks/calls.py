"""Section 1: five calls by four clients, wall and CPU time, one by one and 50 at once."""

import asyncio
from collections.abc import Awaitable
import gc
import json
from pathlib import Path
import sys
import time

from .clients import AT_ONCE, CALLS, Client, make_clients
from .simulated import World

ROUNDS = 24
ROUNDS_AT_ONCE = 8

IN_A_ROW = 48


type Series = dict[str, dict[str, dict[str, list[float]]]]


def main() -> None:
    """Measure against the worlds that the command line names and print the figures.

    The calls in a row go to the first, those at once to the second.
    """
    in_a_row, at_once = (World.parse(Path(one).read_text()) for one in sys.argv[1:3])
    found = {
        "row": asyncio.run(_measure(in_a_row, ROUNDS, IN_A_ROW, at_once=False)),
        "at once": asyncio.run(
            _measure(at_once, ROUNDS_AT_ONCE, AT_ONCE, at_once=True)
        ),
    }
    print(json.dumps(found))


async def _measure(world: World, rounds: int, count: int, *, at_once: bool) -> Series:
    """Return the seconds of one call by call, client and kind (wall, CPU)."""
    clients, renew_code = make_clients(world)
    for client in clients:
        await client.open()
    await _check(clients)
    gc.collect()
    gc.freeze()
    found: Series = {
        call: {client.name: {"wall": [], "cpu": []} for client in clients}
        for call in CALLS
    }
    for number in range(-1, rounds):
        for call in CALLS:
            renew_code()
            # Each takes each place in turn; round -1 only warms up.
            shift = number % len(clients)
            for client in (*clients[shift:], *clients[:shift]):
                wall, cpu = await _timed(
                    client.many(call, count)
                    if at_once
                    else _in_a_row(client, call, count)
                )
                if number >= 0:
                    found[call][client.name]["wall"].append(wall / count)
                    found[call][client.name]["cpu"].append(cpu / count)
    for client in clients:
        await client.close()
    return found


async def _check(clients: tuple[Client, ...]) -> None:
    """Raise RuntimeError unless all clients find the same."""
    for call in CALLS:
        answers = {client.name: await client.one(call) for client in clients}
        if not all(answers.values()) or len(set(answers.values())) != 1:
            message = f"{call}: the clients do not agree: {answers}"
            raise RuntimeError(message)


async def _in_a_row(client: Client, call: str, count: int) -> None:
    for _ in range(count):
        await client.one(call)


async def _timed(task: Awaitable[None]) -> tuple[float, float]:
    """Return wall time and CPU time of this process, all threads, in seconds."""
    gc.collect()
    cpu, wall = time.process_time(), time.perf_counter()
    await task
    return time.perf_counter() - wall, time.process_time() - cpu


if __name__ == "__main__":
    main()

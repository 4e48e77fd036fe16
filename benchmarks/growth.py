"""Section 3: 1, 10, 50 and 100 accounts: time, requests, memory, and steps of the loop.

`python -m benchmarks.growth WORLD COUNT` sets so many accounts up in one Home Assistant,
after one more that brings everything into memory that comes only once, and then polls.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import asdict
import gc
import json
from pathlib import Path
import sys
import time
from typing import Any

from pytest_homeassistant_custom_component.common import MockConfigEntry

from homeassistant.core import HomeAssistant
from homeassistant.helpers.update_coordinator import DataUpdateCoordinator

from .hass import (
    add_entry,
    data_of,
    measured_steps,
    resident_bytes,
    running_home_assistant,
    set_up,
)
from .passing import PassingLoop, let_pass, passing_time
from .simulated import World

COUNTS = (1, 10, 50, 100)
RUNS = 3
SERVERS = 4

_POLLS = 3
_CONNECTIONS_STAY = 60.0  # aiohttp closes idle ones each 15 s, older than that


def main() -> None:
    """Measure against the world that the command line names and print the figures."""
    world = World.parse(Path(sys.argv[1]).read_text())
    with asyncio.Runner(loop_factory=PassingLoop) as runner:
        print(json.dumps(runner.run(_measure(world, int(sys.argv[2])))))


async def _measure(world: World, count: int) -> dict[str, Any]:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, PassingLoop)
    with passing_time(loop):
        async with running_home_assistant(world) as hass:
            first, *accounts = world.accounts[: count + 1]
            await set_up(hass, [add_entry(hass, world, first)])
            await _rest(hass, loop)
            entries = [add_entry(hass, world, account) for account in accounts]
            memory = resident_bytes()
            found = await _timed(world, lambda: set_up(hass, entries))
            found["memory, connections open"] = resident_bytes() - memory
            await _rest(hass, loop)
            found["memory"] = resident_bytes() - memory
            coordinators = [one for entry in entries for one in _coordinators(entry)]
            found["polls"] = [
                await _timed(world, lambda: _poll(coordinators)) for _ in range(_POLLS)
            ]
            return found


async def _rest(hass: HomeAssistant, loop: PassingLoop) -> None:
    """Let everything settle, idle connections close, and garbage go."""
    await hass.async_block_till_done()
    await let_pass(hass, loop, _CONNECTIONS_STAY)
    left, before = _open_files(), 0
    while left != before:
        await asyncio.sleep(0.5)
        left, before = _open_files(), left
    gc.collect()


def _open_files() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


async def _timed(world: World, work: Callable[[], Awaitable[object]]) -> dict[str, Any]:
    """Return time, requests and the longest step of some work."""
    requests = world.requests().total()
    with measured_steps() as steps:
        cpu, wall = time.process_time(), time.perf_counter()
        await work()
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    requests = world.requests().total() - requests
    return {"wall": wall, "cpu": cpu, "requests": requests, "step": asdict(steps)}


async def _poll(coordinators: Iterable[DataUpdateCoordinator[Any]]) -> None:
    """Let all of them ask at once, which their intervals spread over half a second."""
    await asyncio.gather(*(one.async_refresh() for one in coordinators))


def _coordinators(entry: MockConfigEntry) -> tuple[DataUpdateCoordinator[Any], ...]:
    return (data_of(entry).account, *data_of(entry).servers.values())


if __name__ == "__main__":
    main()

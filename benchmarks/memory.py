"""The memory that accounts take, with all their sockets open.

`python -m benchmarks.memory WORLD` first sets up one account, which brings what is loaded
only once, and then the others.
"""

import asyncio
import gc
import json
from pathlib import Path
import sys

from homeassistant.core import HomeAssistant

from .hass import add_entry, check_reached, listening, running_home_assistant, set_up
from .measure import resident_bytes
from .passing import PassingTime, passing_time
from .simulated import SimulatedAccount, World


def main() -> None:
    """Measure against the world that the command line names and print the figure."""
    print(json.dumps(asyncio.run(_measure(World.load(sys.argv[1])))))


async def _measure(world: World) -> int:
    first, *others = world.accounts
    with passing_time() as passing:
        async with running_home_assistant(world) as hass:

            async def _memory_with(accounts: list[SimulatedAccount]) -> int:
                entries = [add_entry(hass, world, account) for account in accounts]
                await set_up(hass, entries)
                await listening(hass, entries)
                check_reached(hass, entries)
                await _rest(hass, passing)
                return resident_bytes()

            before = await _memory_with([first])
            return await _memory_with(others) - before


async def _rest(hass: HomeAssistant, passing: PassingTime) -> None:
    """Let everything settle, idle connections close, and garbage go."""
    await hass.async_block_till_done()
    await passing.let_connections_close()
    left, before = _open_files(), 0
    while left != before:
        await asyncio.sleep(0.5)
        left, before = _open_files(), left
    gc.collect()


def _open_files() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


if __name__ == "__main__":
    main()

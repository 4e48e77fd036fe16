"""Section 5: what is left in memory of many sockets, one after the other.

`python -m benchmarks.reconnects WORLD` listens over http to all servers of an account, which
close each socket as soon as it is open, and without the pauses in between.
"""

import asyncio
import gc
import json
from statistics import median
import sys
from unittest.mock import patch

from custom_components.plex_auth.api.notifications import Notifications

from .hass import add_entry, listening, running_home_assistant, set_up
from .measure import resident_bytes
from .plan import RECONNECTS
from .simulated import World

_PARTS = 12


def main() -> None:
    """Measure against the world that the command line names and print the figures."""
    print(json.dumps(asyncio.run(_measure(World.load(sys.argv[1])))))


async def _measure(world: World) -> dict[str, float]:
    account = world.accounts[0]
    async with running_home_assistant(world) as hass:
        entry = add_entry(hass, world, account, over_http=True)
        await set_up(hass, [entry])
        await listening(hass, [entry])
        losses = _Losses()
        with patch.object(Notifications, "_wait", losses.wait):
            for server in account.servers:
                await asyncio.to_thread(world.steer, server, "hang_up")
            # By the first one all is there that comes once.
            memory = []
            for part in range(1, _PARTS + 1):
                await losses.until(part * RECONNECTS // _PARTS)
                memory.append(_memory())
    third = _PARTS // 3
    grown = median(memory[-third:]) - median(memory[:third])
    return {
        "reconnects": RECONNECTS,
        "bytes": round(grown),
        "each": grown / RECONNECTS * _PARTS / (_PARTS - third),
    }


class _Losses:
    """Count the sockets that are lost, and make it go on at once."""

    def __init__(self) -> None:
        self.count = 0

    async def wait(self, _: float) -> None:
        """Stand for the pause after a loss."""
        self.count += 1
        await asyncio.sleep(0)

    async def until(self, count: int) -> None:
        """Wait for so many losses."""
        while self.count < count:
            await asyncio.sleep(0.1)


def _memory() -> int:
    gc.collect()
    return resident_bytes()


if __name__ == "__main__":
    main()

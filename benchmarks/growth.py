"""Section 3: 1, 10, 50 and 100 accounts: time, requests, memory, and steps of the loop.

`python -m benchmarks.growth WORLD COUNT` sets so many accounts up in one Home Assistant,
after one more that brings everything into memory that comes only once, and then polls.
Only then the sockets are opened: what they take is told apart.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
import gc
import json
from pathlib import Path
import sys
from typing import Any
from unittest.mock import patch

from custom_components.plex_auth.api.notifications import Notifications
from homeassistant.core import HomeAssistant

from .hass import (
    add_entry,
    check_reached,
    coordinators,
    listening,
    running_home_assistant,
    set_up,
)
from .measure import resident_bytes, timed
from .passing import PassingTime, passing_time
from .plan import POLLS_OF_ALL
from .simulated import World
from .steps import measured_steps

_REALLY_LISTEN = Notifications.listen


def main() -> None:
    """Measure against the world that the command line names and print the figures."""
    world, count = World.load(sys.argv[1]), int(sys.argv[2])
    print(json.dumps(asyncio.run(_measure(world, count))))


async def _measure(world: World, count: int) -> dict[str, Any]:
    with passing_time() as passing, _held_back() as listen:
        async with running_home_assistant(world) as hass:
            first, *accounts = world.accounts[: count + 1]
            await set_up(hass, [add_entry(hass, world, first)])
            await _rest(hass, passing)
            entries = [add_entry(hass, world, account) for account in accounts]
            memory = resident_bytes()
            found = await _timed(world, lambda: set_up(hass, entries))
            check_reached(hass, entries)
            await _rest(hass, passing)
            found["memory"] = resident_bytes() - memory
            polling = dict.fromkeys(
                coordinator
                for entry in entries
                for coordinator in coordinators(hass, entry).values()
            )

            async def _poll() -> None:
                """Let all ask at once, which their intervals spread over half a second."""
                await asyncio.gather(*(one.async_refresh() for one in polling))

            found["polls"] = {"cold": [], "warm": []}
            for _ in range(POLLS_OF_ALL):
                await _rest(hass, passing)
                for polls in found["polls"].values():
                    polls.append(await _timed(world, _poll))
            await _rest(hass, passing)
            memory, files = resident_bytes(), _open_files()
            listen()
            await listening(hass, entries)
            await _rest(hass, passing)
            found["sockets"] = {
                "count": _open_files() - files,
                "memory": resident_bytes() - memory,
            }
            return found


@contextmanager
def _held_back() -> Iterator[Callable[[], None]]:
    """Let nobody listen to a server until what is yielded is called."""
    with patch.object(Notifications, "listen", autospec=True) as held:

        def _listen() -> None:
            held.side_effect = _REALLY_LISTEN
            for call in held.call_args_list[:]:
                _REALLY_LISTEN(*call.args)

        yield _listen


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


async def _timed(world: World, work: Callable[[], Awaitable[object]]) -> dict[str, Any]:
    """Return time, requests and the longest step of some work."""
    requests = world.requests().total()
    with measured_steps() as steps, timed() as time:
        await work()
    requests = world.requests().total() - requests
    return {**asdict(time), "requests": requests, "step": asdict(steps)}


if __name__ == "__main__":
    main()

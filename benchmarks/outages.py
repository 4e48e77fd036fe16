"""The seconds until Home Assistant shows a change of a server.

`python -m benchmarks.outages WORLD` runs in real time with servers that offer sockets,
`python -m benchmarks.outages WORLD polling` from timer to timer with servers that refuse
them. All servers of an account stop, start again, restart, and crash, soon one after the
other: each is one sample. By polling alone a crash is seen like a stop.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
import json
from random import Random
import sys
from typing import Any

from homeassistant.core import Event, EventStateChangedData, State, callback
from homeassistant.helpers.event import async_track_state_change_event

from .household import Household
from .passing import passing_time
from .simulated import SimulatedServer, World

type _Wait = Callable[[float], Awaitable[None]]

_AWAY_SECONDS = 20.0
_RESTART_SECONDS = 1.0
# The longest pause between two servers: changes fall anywhere between two polls, or
# between two attempts.
_POLLS_SPREAD = 300.0
_ATTEMPTS_SPREAD = 2.5


def main() -> None:
    """Measure against the world that the command line names and print the figures."""
    world, is_polling = World.load(sys.argv[1]), "polling" in sys.argv[2:]
    print(json.dumps(asyncio.run(_measure(world, is_polling=is_polling))))


async def _measure(world: World, *, is_polling: bool) -> dict[str, Any]:
    async with _time(is_polling=is_polling) as wait, Household.running(world) as home:
        spread = _POLLS_SPREAD
        if not is_polling:
            spread = _ATTEMPTS_SPREAD
            await home.listening()
        outages = _Outages(world, home, wait, spread)
        stop = await outages.seen("reachable", _is("off"), "stop")
        await wait(_AWAY_SECONDS)
        back = await outages.seen("reachable", _is("on"), "start")
        restart, unreachable = await outages.restarts()
        seconds = {"stop": stop, "return": back, "restart": restart}
        if not is_polling:
            seconds["crash"] = await outages.seen("reachable", _is("off"), "vanish")
    return {"seconds": seconds, "unreachable": unreachable}


@asynccontextmanager
async def _time(*, is_polling: bool) -> AsyncIterator[_Wait]:
    """Yield a function that lets time pass: real time, or from timer to timer."""
    if is_polling:
        with passing_time() as passing:
            yield passing.let_pass
    else:
        yield asyncio.sleep


def _is(state: str) -> Callable[[State], bool]:
    return lambda found: found.state == state


def _is_destroyed(state: State) -> bool:
    return state.attributes.get("event_type") == "destroyed"


class _Outages:
    """Change all servers, and measure the seconds until each change is seen."""

    def __init__(
        self, world: World, home: Household, wait: _Wait, spread: float
    ) -> None:
        self._world, self._home = world, home
        self._wait, self._spread = wait, spread
        self._random = Random(14)
        self._time = asyncio.get_running_loop().time

    async def seen(
        self, key: str, is_wanted: Callable[[State], bool], *actions: str
    ) -> list[float]:
        """Return the seconds from the first action at each server to the wanted state."""
        sights = []
        servers = list(self._home.account.servers)
        self._random.shuffle(servers)
        for server in servers:
            await self._wait(self._random.uniform(0, self._spread))
            sights.append(self._sight(server, key, is_wanted))
            for number, action in enumerate(actions):
                if number:
                    await self._wait(_RESTART_SECONDS)
                await asyncio.to_thread(self._world.steer, server, action)
        while not all(sight.done() for sight in sights):
            await self._wait(self._spread / 100)
        return [await sight for sight in sights]

    async def restarts(self) -> tuple[list[float], int]:
        """Return the seconds to the end of each token, and the count of unreachable servers."""
        servers = self._home.account.servers
        for server in servers:
            await self._home.transient_token(server)()
        gone = [self._sight(server, "reachable", _is("off")) for server in servers]
        seconds = await self.seen("transient_token", _is_destroyed, "stop", "start")
        unreachable = sum(sight.done() for sight in gone)
        for sight in gone:
            sight.cancel()
        return seconds, unreachable

    def _sight(
        self, server: SimulatedServer, key: str, is_wanted: Callable[[State], bool]
    ) -> asyncio.Future[float]:
        """Return the seconds from now until an entity has the wanted state."""
        entity = self._home.entity(server.machine_identifier, key)
        begin = self._time()
        sight = asyncio.get_running_loop().create_future()

        @callback
        def _async_note(event: Event[EventStateChangedData]) -> None:
            state = event.data["new_state"]
            if state is not None and is_wanted(state) and not sight.done():
                sight.set_result(self._time() - begin)

        stop = async_track_state_change_event(
            self._home.hass, entity.entity_id, _async_note
        )
        sight.add_done_callback(lambda _: stop())
        return sight


if __name__ == "__main__":
    main()

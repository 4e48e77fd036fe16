"""Section 5: what a flood of messages on many sockets costs.

`python -m benchmarks.flood WORLD ours` listens to all servers of the world by Home
Assistant and this integration, `python -m benchmarks.flood WORLD core` by the library that
core `plex` listens with, without what core then does. First it is quiet, then all servers
send as many messages a second as `plan.py` says.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import asdict
import json
import sys
from types import SimpleNamespace
from typing import Any

from plexwebsocket import STATE_CONNECTED, PlexWebsocket
from yarl import URL

from custom_components.plex_auth.api.server import PlexServer
from custom_components.plex_auth.clients import async_create_transport
from homeassistant.core import HomeAssistant
from homeassistant.helpers.aiohttp_client import async_get_clientsession

from .hass import add_entry, listening, running_home_assistant, set_up
from .measure import timed
from .plan import FLOOD, FLOOD_SECONDS, HEARTBEATS
from .simulated import SimulatedServer, World
from .steps import measured_steps

_SETTLING = 3.0
_KINDS = ["playing", "status"]  # what core subscribes to


def main() -> None:
    """Measure against the world that the command line names and print the figures."""
    world, whose = World.load(sys.argv[1]), sys.argv[2]
    print(json.dumps(asyncio.run(_measure(world, _LISTENERS[whose]))))


async def _measure(world: World, listener: _Listener) -> dict[str, Any]:
    async with running_home_assistant(world) as hass, listener(hass, world):
        heartbeat = await _heartbeat(hass, world)
        quiet = await _share()
        sent = await _steer_all(world, "flood", rate=FLOOD)
        flooded = await _share()
        with measured_steps() as steps:
            await asyncio.sleep(FLOOD_SECONDS)
        sent = await _steer_all(world, "calm") - sent
    sockets = sum(len(account.servers) for account in world.accounts)
    seconds = _SETTLING + 2 * FLOOD_SECONDS
    return {
        "sockets": sockets,
        "messages": sent / sockets / seconds,
        "heartbeat": heartbeat,
        "quiet": quiet,
        "flooded": flooded,
        "step": asdict(steps),
    }


async def _heartbeat(hass: HomeAssistant, world: World) -> float:
    """Return the CPU seconds that a ping and its answer take, on a socket of ours."""
    server = world.accounts[0].servers[0]
    transport = async_create_transport(hass, world.client_identifier)
    url = URL(server.secure_url)
    async with await PlexServer(transport, url).notifications(server.token) as socket:
        with timed() as time:
            for _ in range(HEARTBEATS):
                await socket.ping()
                await socket.receive()
    return time.cpu / HEARTBEATS


async def _share() -> float:
    """Return which share of one core is used, after a while to settle."""
    await asyncio.sleep(_SETTLING)
    with timed() as time:
        await asyncio.sleep(FLOOD_SECONDS)
    return time.cpu / time.wall


async def _steer_all(world: World, action: str, **fields: float) -> int:
    """Let all servers do something; return how many messages they have sent."""

    def _steer() -> int:
        return sum(
            world.steer(server, action, **fields)["messages_sent"]
            for account in world.accounts
            for server in account.servers
        )

    return await asyncio.to_thread(_steer)


@asynccontextmanager
async def _ours(hass: HomeAssistant, world: World) -> AsyncIterator[None]:
    entries = [add_entry(hass, world, account) for account in world.accounts]
    await set_up(hass, entries)
    await listening(hass, entries)
    yield


@asynccontextmanager
async def _core(hass: HomeAssistant, world: World) -> AsyncIterator[None]:
    session = async_get_clientsession(hass)
    sockets = [
        PlexWebsocket(
            _plex_server(server),
            lambda *_: None,
            subscriptions=_KINDS,
            session=session,
        )
        for account in world.accounts
        for server in account.servers
    ]
    tasks = [asyncio.create_task(socket.listen()) for socket in sockets]
    async with asyncio.timeout(60):
        while any(socket.state != STATE_CONNECTED for socket in sockets):
            await asyncio.sleep(0.1)
    yield
    for task in tasks:
        task.cancel()


def _plex_server(server: SimulatedServer) -> Any:
    """Return what the library wants of a server: the address of its socket."""
    query = f"?X-Plex-Token={server.token}"
    return SimpleNamespace(url=lambda path, **_: f"{server.secure_url}{path}{query}")


type _Listener = Callable[[HomeAssistant, World], Any]

_LISTENERS: dict[str, _Listener] = {"ours": _ours, "core": _core}

if __name__ == "__main__":
    main()

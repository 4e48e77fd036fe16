"""Section 4: what an idle day costs plex.tv and a server, in requests and bytes.

Home Assistant, the integration and its real intervals run through two days from timer to
timer: one with a transient token at one server, one without. The other server has a
watched source in both.
"""

import asyncio
from collections import Counter
from datetime import timedelta
import json
from pathlib import Path
import sys
from typing import Any

from custom_components.plex_auth.coordinator import SERVER_INTERVAL
from custom_components.plex_auth.transient_tokens import async_forget_token
from homeassistant.components.plex.const import CLIENT_SCAN_INTERVAL, PLEXTV_THROTTLE
from homeassistant.core import HomeAssistant

from .hass import add_entry, data_of, running_home_assistant, set_up
from .passing import PassingLoop, let_pass, passing_time
from .simulated import World

DAY = timedelta(days=1)


def main() -> None:
    """Measure against the world that the command line names and print the figures."""
    world = World.parse(Path(sys.argv[1]).read_text())
    with asyncio.Runner(loop_factory=lambda: PassingLoop(counts=True)) as runner:
        print(json.dumps(runner.run(_measure(world))))


async def _measure(world: World) -> dict[str, Any]:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, PassingLoop)
    account = world.accounts[0]
    source = f"server://{account.servers[1].machine_identifier}"
    with passing_time(loop):
        async with running_home_assistant(world) as hass:
            entry = add_entry(hass, world, account, sources=[source])
            await set_up(hass, [entry])
            server = next(
                one
                for one in data_of(entry).servers.values()
                if one.machine_identifier == account.servers[1].machine_identifier
            )
            await server.access.call(lambda plex, token: _issue(server, plex, token))
            with_token = await _day(hass, loop, world)
            async_forget_token(hass, server.subentry.subentry_id)
            without = await _day(hass, loop, world)
    return {
        "polls": DAY / SERVER_INTERVAL,
        "with a token": with_token,
        "without": without,
        "core": _core_plex(),
    }


async def _issue(server: Any, plex: Any, token: str) -> None:
    server.async_set_transient_token(await plex.transient_token(token))


async def _day(
    hass: HomeAssistant, loop: PassingLoop, world: World
) -> dict[str, dict[str, float]]:
    """Let a day pass and return requests and bytes by host."""
    before = Counter(world.requests())
    loop.bytes_by_port.clear()
    await let_pass(hass, loop, DAY.total_seconds())
    requests = world.requests()
    requests.subtract(before)
    (*_, plex_tv_port) = world.base_url.rpartition(":")
    servers = {
        one.machine_identifier: int(one.url.rpartition(":")[2])
        for one in world.accounts[0].servers
    }
    names = ("plex.tv", "server with a watched source", "server")
    ports = (int(plex_tv_port), *servers.values())
    hosts = ("plex.tv", *servers)
    return {
        name: {"requests": requests[host], "bytes": loop.bytes_by_port[port]}
        for name, host, port in zip(names, hosts, ports, strict=True)
    }


def _core_plex() -> dict[str, Any]:
    """Return what core `plex` asks in an idle day, by its own source.

    Every scan asks the server for its players and sessions and, unless that was within
    the throttle, plex.tv for all resources. A websocket stays open beside that, with a
    ping each 15 s, and the server is asked once a day whether it has an update.
    """
    scans = int(DAY / CLIENT_SCAN_INTERVAL)
    throttled = CLIENT_SCAN_INTERVAL.total_seconds() <= PLEXTV_THROTTLE
    return {
        "scans": scans,
        "plex.tv": 0 if throttled else scans,
        "server": 2 * scans + 1,
        "pings": int(DAY.total_seconds() / 15),
    }


if __name__ == "__main__":
    main()

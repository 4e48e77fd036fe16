"""Section 4: what an idle day costs plex.tv and a server, in requests and bytes.

Home Assistant, the integration and its real intervals run through a day from timer to
timer, `python -m benchmarks.manners WORLD POLLED` once without a transient token and once
with one at the last server: in a world whose servers give sockets, and in one where they
refuse them. The first server has a watched source in all.
"""

import asyncio
from collections import Counter
from datetime import timedelta
import json
import sys
from typing import Any

from homeassistant.components.plex.const import CLIENT_SCAN_INTERVAL, PLEXTV_THROTTLE

from .household import Household
from .passing import passing_time
from .simulated import World
from .wire import counted_bytes

DAY = timedelta(days=1)


def main() -> None:
    """Measure against the worlds that the command line names and print the figures."""
    listening, polled = map(World.load, sys.argv[1:])
    found: dict[str, Any] = {"core": _core_plex()}
    for key, world in (("sockets", listening), ("polling", polled)):
        is_listening = world is listening
        found[key] = {
            "without": asyncio.run(_day(world, is_listening, with_token=False)),
            "with a token": asyncio.run(_day(world, is_listening, with_token=True)),
        }
    print(json.dumps(found))


async def _day(world: World, is_listening: bool, *, with_token: bool) -> dict[str, Any]:
    """Let a day pass and return requests and bytes by host, and the server's polls."""
    watching, server = world.accounts[0].servers
    with counted_bytes() as counted, passing_time() as passing:
        async with Household.running(world, watches_source=True) as home:
            if with_token:
                await home.transient_token(server)()
            poll = home.coordinator(server.machine_identifier, "reachable")
            if is_listening:
                await home.listening()
                # From its next poll on it polls less often.
                await poll.async_refresh()
            assert poll.update_interval is not None
            before = world.requests()
            counted.clear()
            await passing.let_pass(DAY.total_seconds())
            sizes, requests = Counter(counted), world.requests() - before
            polls = DAY / poll.update_interval
    hosts = {
        "plex.tv": ("plex.tv", world.base_url),
        "server with a watched source": (watching.machine_identifier, watching.url),
        "server": (server.machine_identifier, server.url),
    }
    found = {
        name: {"requests": requests[host], "bytes": sizes[_port(url)]}
        for name, (host, url) in hosts.items()
    }
    return {"hosts": found, "polls": polls}


def _port(url: str) -> int:
    return int(url.rpartition(":")[2])


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

"""What an idle day costs plex.tv and a server, in requests.

`python -m benchmarks.idle_day WORLD POLLED` runs Home Assistant and the integration
through a day, from timer to timer: with servers that offer sockets and with servers that
refuse them, each without a transient token and with one. The first server has a watched
source. A further day counts the requests for a Home user.
"""

import asyncio
from datetime import timedelta
import json
import sys
from typing import Any

from homeassistant.components.plex.const import CLIENT_SCAN_INTERVAL, PLEXTV_THROTTLE

from .household import Household
from .passing import passing_time
from .simulated import World

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
    found["home user"] = asyncio.run(_home_user_day(listening))
    print(json.dumps(found))


async def _day(world: World, is_listening: bool, *, with_token: bool) -> dict[str, Any]:
    """Let a day pass; return the requests by host, and the polls of a server."""
    watching, server = world.accounts[0].servers
    with passing_time() as passing:
        async with Household.running(world, watches_source=True) as home:
            if with_token:
                await home.transient_token(server)()
            poll = home.coordinator(server.machine_identifier, "reachable")
            if is_listening:
                await home.listening()
                # The next poll lengthens its interval.
                await poll.async_refresh()
            assert poll.update_interval is not None
            before = world.requests()
            await passing.let_pass(DAY.total_seconds())
            requests = world.requests() - before
            polls = DAY / poll.update_interval
    hosts = {
        "plex.tv": "plex.tv",
        "server": server.machine_identifier,
        "server with a watched source": watching.machine_identifier,
    }
    return {
        "requests": {name: requests[host] for name, host in hosts.items()},
        "polls": polls,
    }


async def _home_user_day(world: World) -> int:
    """Let a day pass; return the requests to plex.tv for a Home user."""
    user = world.accounts[0].home_user
    with passing_time() as passing:
        async with Household.running(world, has_home_user=True):
            before = world.requests_of(user)
            await passing.let_pass(DAY.total_seconds())
            return world.requests_of(user) - before


def _core_plex() -> dict[str, int]:
    """Return what core `plex` requests on an idle day, by its own source.

    Every scan asks the server for its players and its sessions. It also asks plex.tv for
    all resources, unless it did so within the throttle. Once a day the server is asked
    for updates.
    """
    scans = int(DAY / CLIENT_SCAN_INTERVAL)
    is_throttled = CLIENT_SCAN_INTERVAL.total_seconds() <= PLEXTV_THROTTLE
    return {
        "scans": scans,
        "plex.tv": 0 if is_throttled else scans,
        "server": 2 * scans + 1,
    }


if __name__ == "__main__":
    main()

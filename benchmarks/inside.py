"""What happens in Home Assistant: set-up, polls, heartbeats, and actions.

`python -m benchmarks.inside WORLD` measures set-up and actions beside the bare calls that
they need.
"""

import asyncio
from collections.abc import Awaitable, Callable
import gc
import json
import sys
from typing import Any

from custom_components.plex_auth.api.transport import HEARTBEAT
from homeassistant.helpers.aiohttp_client import async_get_clientsession

from .hass import check_reached, set_up
from .household import Call, Household
from .measure import Series, Time, series, timed
from .passing import PassingTime, passing_time
from .plan import ACTIONS, HEARTBEATS, POLLS, SET_UPS
from .simulated import World

type Pair = tuple[Call, Call]

_WARM_UP = 5


def main() -> None:
    """Measure against the world that the command line names and print the figures."""
    print(json.dumps(asyncio.run(_measure(World.load(sys.argv[1])))))


async def _measure(world: World) -> dict[str, Any]:
    with passing_time() as passing:
        async with Household.running(world) as home:
            set_ups = await _set_ups(home)
            gc.collect()
            gc.freeze()
            server = world.accounts[0].servers[0].machine_identifier
            account_poll = home.coordinator("plex_pass").async_refresh
            server_poll = home.coordinator(server, "reachable").async_refresh
            polls = {
                "account": await _polls(passing, account_poll),
                "server": await _polls(passing, server_poll),
            }
            actions = await _actions(
                _account_actions(home) | await _server_actions(home)
            )
            # The actions have created transient tokens, which the server's poll checks.
            polls["server with a token"] = await _polls(passing, server_poll)
            check_reached(home.hass, [home.entry])
    async with Household.running(world, over_http=True) as home:
        over_http = await _actions(await _server_actions(home))
        heartbeat = await _heartbeat(home)
    actions |= {f"{name} over http": found for name, found in over_http.items()}
    return {
        "set-up": set_ups,
        "polls": polls,
        "actions": actions,
        "heartbeat": heartbeat,
    }


async def _set_ups(home: Household) -> dict[str, Series]:
    hass, entry = home.hass, home.entry
    servers = [await home.bare_server(one) for one in home.account.servers]

    async def _unload() -> None:
        await hass.config_entries.async_unload(entry.entry_id)
        await hass.async_block_till_done()
        gc.collect()

    async def _bare() -> None:
        await home.plex_tv.user(home.account.token)
        await home.plex_tv.servers(home.account.token)
        await asyncio.gather(*(server.identity() for server in servers))

    found = await _in_turn((lambda: set_up(hass, [entry]), _bare), SET_UPS, _unload)
    await hass.config_entries.async_reload(entry.entry_id)
    check_reached(hass, [entry])
    return found


async def _polls(passing: PassingTime, poll: Call) -> Series:
    """Measure polls, each with a new connection, as polls are minutes apart."""
    times = []
    for _ in range(_WARM_UP + POLLS):
        await passing.let_connections_close()
        with timed() as time:
            await poll()
        times.append(time)
    return series(times[_WARM_UP:])


def _account_actions(home: Household) -> dict[str, Pair]:
    entry_id, token = home.entry.entry_id, home.account.token
    return {
        "get_token_details": (
            home.action("get_token_details", config_entry_id=entry_id),
            lambda: home.plex_tv.user(token),
        ),
        "get_servers": (
            home.action("get_servers", config_entry_id=entry_id),
            lambda: home.plex_tv.servers(token),
        ),
    }


async def _server_actions(home: Household) -> dict[str, Pair]:
    server = home.account.servers[0]
    source, bare = home.other(server).source, await home.bare_server(server)
    return {
        "get_transient_token": (
            home.transient_token(server),
            lambda: bare.transient_token(server.token),
        ),
        "get_source_connection_information": (
            home.source(server),
            lambda: bare.source_connection_information(server.token, source),
        ),
    }


async def _actions(pairs: dict[str, Pair]) -> dict[str, Any]:
    return {name: await _in_turn(pair, ACTIONS) for name, pair in pairs.items()}


async def _heartbeat(home: Household) -> float:
    """Return the CPU seconds of a ping and its answer on an open socket."""
    server = home.account.servers[0]
    async with async_get_clientsession(home.hass).ws_connect(
        f"{server.secure_url}/:/websockets/notifications",
        headers={"X-Plex-Token": server.token},
        heartbeat=HEARTBEAT,
        autoping=False,
    ) as socket:
        with timed() as time:
            for _ in range(HEARTBEATS):
                await socket.ping()
                await socket.receive()
    return time.cpu / HEARTBEATS


async def _nothing() -> None:
    """Do nothing."""


async def _in_turn(
    pair: Pair, rounds: int, before: Callable[[], Awaitable[object]] = _nothing
) -> dict[str, Series]:
    """Measure ours and the bare calls, which take turns to be first."""
    times: dict[str, list[Time]] = {"ours": [], "bare": []}
    for number in range(-_WARM_UP, rounds):
        order = list(zip(times, pair, strict=True))
        for key, call in order if number % 2 else reversed(order):
            await before()
            with timed() as time:
                await call()
            if number >= 0:
                times[key].append(time)
    return {key: series(one) for key, one in times.items()}


if __name__ == "__main__":
    main()

"""Section 2, inside Home Assistant: a set-up, polls and actions.

`python -m benchmarks.inside WORLD`: each beside the bare client calls that it needs.
"""

import asyncio
from collections.abc import Awaitable, Callable
import gc
import json
import sys
from typing import Any

from .hass import check_reached, set_up
from .household import Call, Household
from .measure import Series, Time, series, timed
from .passing import PassingTime, passing_time
from .plan import COLD, SET_UPS, WARM
from .simulated import World

type Pair = tuple[Call, Call]


def main() -> None:
    """Measure against the world that the command line names and print the figures."""
    print(json.dumps(asyncio.run(_measure(World.load(sys.argv[1])))))


async def _measure(world: World) -> dict[str, Any]:
    with passing_time() as passing:
        async with Household.running(world) as home:
            set_ups = await _set_ups(home)
            gc.collect()
            gc.freeze()
            polls = await _polls(passing, await _without_token(home))
            actions = await _actions(
                _account_actions(home) | await _server_actions(home)
            )
            # The actions have issued tokens.
            polls |= await _polls(passing, await _with_token(home))
            check_reached(home.hass, [home.entry])
    async with Household.running(world, over_http=True) as home:
        over_http = await _actions(await _server_actions(home))
    actions |= {f"{name} over http": found for name, found in over_http.items()}
    return {"set-up": set_ups, "polls": polls, "actions": actions}


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


async def _without_token(home: Household) -> dict[str, Pair]:
    bare = await home.bare_server(home.account.servers[0])
    return {
        "account": (
            home.coordinator("plex_pass").async_refresh,
            lambda: home.plex_tv.user(home.account.token),
        ),
        "server": (_server_poll(home), bare.identity),
    }


async def _with_token(home: Household) -> dict[str, Pair]:
    server = home.account.servers[0]
    bare = await home.bare_server(server)

    async def _bare() -> None:
        await bare.identity()
        await bare.check_token(server.token)

    return {"server, a transient token running": (_server_poll(home), _bare)}


def _server_poll(home: Household) -> Call:
    server = home.account.servers[0]
    return home.coordinator(server.machine_identifier, "reachable").async_refresh


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


async def _polls(passing: PassingTime, pairs: dict[str, Pair]) -> dict[str, Any]:
    """Measure polls by new connections, and by those that are open."""
    return {
        name: {
            "cold": await _in_turn(pair, COLD, passing.let_connections_close),
            "warm": await _in_turn(pair, WARM),
        }
        for name, pair in pairs.items()
    }


async def _actions(pairs: dict[str, Pair]) -> dict[str, Any]:
    return {name: await _in_turn(pair, WARM) for name, pair in pairs.items()}


async def _nothing() -> None:
    """Do nothing."""


async def _in_turn(
    pair: Pair, rounds: int, before: Callable[[], Awaitable[object]] = _nothing
) -> dict[str, Series]:
    """Measure ours and the bare calls, now one first and now the other."""
    times: dict[str, list[Time]] = {"ours": [], "bare": []}
    for number in range(-5, rounds):
        order = list(zip(times, pair, strict=True))
        for whose, call in order if number % 2 else reversed(order):
            await before()
            with timed() as time:
                await call()
            if number >= 0:
                times[whose].append(time)
    return {whose: series(one) for whose, one in times.items()}


if __name__ == "__main__":
    main()

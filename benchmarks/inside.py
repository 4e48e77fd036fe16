"""Section 2, inside Home Assistant: a set-up, the actions and the polls.

`python -m benchmarks.inside WORLD SCHEME`: the servers are reached over that scheme.
"""

import asyncio
from collections.abc import Awaitable, Callable
import gc
import json
from pathlib import Path
import sys
import time
from typing import Any

from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.plex_auth.api.plex_tv import PlexTv
from custom_components.plex_auth.api.server import PlexServer
from custom_components.plex_auth.const import DOMAIN
from custom_components.plex_auth.sessions import async_create_transport
from homeassistant.const import __version__
from homeassistant.core import HomeAssistant
from homeassistant.helpers import device_registry as dr

from .hass import add_entry, data_of, running_home_assistant, set_up
from .simulated import World
from .world import CLIENT_IDENTIFIER

SET_UPS = 15
ROUNDS = 150

type Call = Callable[[], Awaitable[object]]


def main() -> None:
    """Measure against the world that the command line names and print the figures."""
    world = World.parse(Path(sys.argv[1]).read_text())
    print(json.dumps(asyncio.run(_measure(world, sys.argv[2]))))


async def _measure(world: World, scheme: str) -> dict[str, Any]:
    async with running_home_assistant(world, resolves=scheme == "https") as hass:
        entry = add_entry(hass, world, world.accounts[0])
        await set_up(hass, [entry])
        for server in data_of(entry).servers.values():
            assert server.data.route.url.scheme == scheme
        pairs = _pairs(hass, world, entry)
        set_ups = await _set_ups(hass, entry, pairs["set-up"][1])
        pairs = _pairs(hass, world, entry)
        del pairs["set-up"]
        gc.collect()
        gc.freeze()
        found = {name: await _interleaved(*pair) for name, pair in pairs.items()}
        return {"version": __version__, "set-up": set_ups, **found}


def _pairs(
    hass: HomeAssistant, world: World, entry: MockConfigEntry
) -> dict[str, tuple[Call, Call]]:
    """Return what is measured, each beside the bare calls of the client that it needs."""
    account = world.accounts[0]
    transport = async_create_transport(hass, CLIENT_IDENTIFIER)
    plex = PlexTv(transport, world.api_url)
    coordinators = data_of(entry)
    server = next(
        one
        for one in coordinators.servers.values()
        if one.machine_identifier == account.servers[0].machine_identifier
    )
    assert server.data is not None
    # The same address as the integration uses, so the same TLS connection.
    pms = PlexServer(transport, server.data.route.url)
    token = account.servers[0].token
    source = f"server://{account.servers[1].machine_identifier}"
    identifier = f"{account.uuid}_{server.machine_identifier}"
    device = next(
        one
        for one in dr.async_entries_for_config_entry(dr.async_get(hass), entry.entry_id)
        if (DOMAIN, identifier) in one.identifiers
    )

    def _action(name: str, **fields: str) -> Call:
        async def _call() -> object:
            return await hass.services.async_call(
                DOMAIN, name, fields, blocking=True, return_response=True
            )

        return _call

    async def _bare_set_up() -> None:
        await plex.user(account.token)
        await plex.servers(account.token)
        await asyncio.gather(
            *(
                PlexServer(transport, one.data.route.url).identity()
                for one in coordinators.servers.values()
            )
        )

    return {
        "set-up": (lambda: set_up(hass, [entry]), _bare_set_up),
        "action get_token_details": (
            _action("get_token_details", config_entry_id=entry.entry_id),
            lambda: plex.user(account.token),
        ),
        "action get_servers": (
            _action("get_servers", config_entry_id=entry.entry_id),
            lambda: plex.servers(account.token),
        ),
        "action get_transient_token": (
            _action("get_transient_token", device_id=device.id),
            lambda: pms.transient_token(token),
        ),
        "action get_source_connection_information": (
            _action(
                "get_source_connection_information", device_id=device.id, source=source
            ),
            lambda: pms.source_connection_information(token, source),
        ),
        "poll of an account": (
            coordinators.account.async_refresh,
            lambda: plex.user(account.token),
        ),
        "poll of a server, a transient token running": (
            server.async_refresh,
            lambda: _in_turn(pms.identity, lambda: pms.check_token(token)),
        ),
    }


async def _in_turn(*calls: Call) -> None:
    for call in calls:
        await call()


async def _set_ups(
    hass: HomeAssistant, entry: MockConfigEntry, bare: Call
) -> dict[str, Any]:
    """Measure set-ups of an entry, which is unloaded in between, and the bare calls."""
    ours: list[tuple[float, float]] = []
    theirs: list[tuple[float, float]] = []
    for _ in range(SET_UPS):
        theirs.append(await _timed(bare))
        await hass.config_entries.async_unload(entry.entry_id)
        await hass.async_block_till_done()
        gc.collect()
        ours.append(await _timed(lambda: set_up(hass, [entry])))
        await hass.async_block_till_done()
    return _series(ours, theirs)


async def _interleaved(ours: Call, bare: Call) -> dict[str, Any]:
    """Measure both in turn, one call each."""
    found: tuple[list[tuple[float, float]], ...] = ([], [])
    for number in range(-5, ROUNDS):
        order = ((ours, found[0]), (bare, found[1]))
        for call, series in order if number % 2 else reversed(order):
            times = await _timed(call)
            if number >= 0:
                series.append(times)
    return _series(*found)


async def _timed(call: Call) -> tuple[float, float]:
    cpu, wall = time.process_time(), time.perf_counter()
    await call()
    return time.perf_counter() - wall, time.process_time() - cpu


def _series(
    ours: list[tuple[float, float]], bare: list[tuple[float, float]]
) -> dict[str, Any]:
    return {
        name: {"wall": [wall for wall, _ in series], "cpu": [cpu for _, cpu in series]}
        for name, series in (("ours", ours), ("bare", bare))
    }


if __name__ == "__main__":
    main()

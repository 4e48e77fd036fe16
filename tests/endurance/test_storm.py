"""Everything at once: each action ends in a response or in an error that is explained."""

import asyncio
from collections import Counter
from typing import Any, Final

import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.plex_auth.const import DOMAIN
from homeassistant.config_entries import SOURCE_REAUTH, ConfigEntryState
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import UnknownFlow
from homeassistant.exceptions import HomeAssistantError
from tests.helpers import (
    account_coordinator,
    async_add_account,
    async_settle,
    device_of,
    server_coordinator,
    state_of,
)
from tests.plex_simulator import Fault, PlexSimulator
from tests.plex_simulator.worlds import DemoWorld

CALLS: Final = 200


async def async_storm(
    hass: HomeAssistant, entry: MockConfigEntry, world: DemoWorld, calls: int
) -> list[asyncio.Task[Any]]:
    """Start calls of all actions at once, a few in each turn of the event loop."""
    living_room = device_of(hass, entry, world.living_room).id
    shared = device_of(hass, entry, world.shared).id
    source = f"server://{world.basement.machine_identifier}"
    account = {"config_entry_id": entry.entry_id}
    wanted: tuple[tuple[str, dict[str, Any]], ...] = (
        ("get_token_details", account),
        ("get_servers", account),
        ("get_transient_token", {"device_id": living_room}),
        ("get_transient_token", {"device_id": shared}),
        (
            "get_source_connection_information",
            {"device_id": living_room, "source": source},
        ),
    )
    tasks = []
    for number in range(calls):
        action, data = wanted[number % len(wanted)]
        tasks.append(
            asyncio.create_task(
                hass.services.async_call(
                    DOMAIN, action, data, blocking=True, return_response=True
                )
            )
        )
        if number % 20 == 19:
            await asyncio.sleep(0.002)
    return tasks


def check_outcomes(outcomes: list[Any]) -> Counter[str]:
    """Check that each is a response or a translated error, and count the kinds."""
    kinds = Counter[str]()
    for outcome in outcomes:
        if isinstance(outcome, BaseException):
            assert isinstance(outcome, HomeAssistantError), repr(outcome)
            assert outcome.translation_domain is not None, repr(outcome)
            assert outcome.translation_key is not None, repr(outcome)
            kinds[outcome.translation_key] += 1
        else:
            assert isinstance(outcome, dict)
            kinds["response"] += 1
    return kinds


async def async_check_works(
    hass: HomeAssistant, entry: MockConfigEntry, world: DemoWorld
) -> None:
    """Check that every action and every poll works again."""
    await async_settle(hass)
    assert entry.state is ConfigEntryState.LOADED
    await account_coordinator(entry).async_refresh()
    for server in (world.living_room, world.shared):
        await server_coordinator(entry, server).async_refresh()
        assert server_coordinator(entry, server).last_update_success
    assert state_of(hass, "binary_sensor.token", world.two_factor) == "off"
    outcomes = await asyncio.gather(*await async_storm(hass, entry, world, 5))
    assert check_outcomes(outcomes) == {"response": 5}


@pytest.fixture
async def entry(
    hass: HomeAssistant, simulator: PlexSimulator, world: DemoWorld
) -> MockConfigEntry:
    """Return an account with an own server and a shared one."""
    return await async_add_account(
        hass, simulator, world.two_factor, [world.living_room, world.shared]
    )


async def test_reload(
    hass: HomeAssistant, entry: MockConfigEntry, world: DemoWorld
) -> None:
    """A reload in a storm of actions ends none of them unexplained."""
    storm = await async_storm(hass, entry, world, CALLS // 2)
    reload = asyncio.create_task(hass.config_entries.async_reload(entry.entry_id))
    storm += await async_storm(hass, entry, world, CALLS // 2)
    outcomes = await asyncio.gather(*storm, return_exceptions=True)
    assert await reload
    assert check_outcomes(outcomes)["response"]
    await async_check_works(hass, entry, world)


async def test_restart_of_a_server(
    hass: HomeAssistant, entry: MockConfigEntry, world: DemoWorld
) -> None:
    """A server that restarts in a storm of actions ends none of them unexplained."""
    storm = await async_storm(hass, entry, world, CALLS // 2)
    await world.living_room.stop()
    storm += await async_storm(hass, entry, world, CALLS // 2)
    await world.living_room.start()
    outcomes = await asyncio.gather(*storm, return_exceptions=True)
    assert check_outcomes(outcomes)["response"]
    await async_check_works(hass, entry, world)


async def async_sign_in_anew(
    hass: HomeAssistant, entry: MockConfigEntry, world: DemoWorld
) -> None:
    """Sign in by the card that asks for it, and by the next if a reload ends it."""
    manager = hass.config_entries.flow
    while flows := list(entry.async_get_active_flows(hass, {SOURCE_REAUTH})):
        flow_id = flows[0]["flow_id"]
        try:
            await manager.async_configure(flow_id, {"next_step_id": "password"})
            await manager.async_configure(
                flow_id, {"username": "anna", "password": world.two_factor.password}
            )
            result = await manager.async_configure(
                flow_id, {"verification_code": world.two_factor.code()}
            )
        except UnknownFlow:
            await asyncio.sleep(0.05)
        else:
            assert result["reason"] == "reauth_successful"
            return


async def test_reauthentication(
    hass: HomeAssistant, entry: MockConfigEntry, world: DemoWorld
) -> None:
    """A token that dies in a storm of actions makes one card, and renewing it heals."""
    world.two_factor.revoke_tokens()
    for server in (world.living_room, world.shared):
        server.rotate_access_tokens()
    storm = await async_storm(hass, entry, world, CALLS // 2)
    first = await asyncio.gather(*storm, return_exceptions=True)
    kinds = check_outcomes(first)
    assert kinds["invalid_token"]
    assert len(list(entry.async_get_active_flows(hass, {SOURCE_REAUTH}))) == 1
    storm = await async_storm(hass, entry, world, CALLS // 2)
    await async_sign_in_anew(hass, entry, world)
    check_outcomes(await asyncio.gather(*storm, return_exceptions=True))
    await async_check_works(hass, entry, world)
    assert not list(entry.async_get_active_flows(hass, {SOURCE_REAUTH}))


async def test_all_at_once(
    hass: HomeAssistant,
    simulator: PlexSimulator,
    entry: MockConfigEntry,
    world: DemoWorld,
) -> None:
    """A reload, a restart and a new sign-in at once leave everything in order."""
    world.two_factor.revoke_tokens()
    await account_coordinator(entry).async_refresh()
    assert len(list(entry.async_get_active_flows(hass, {SOURCE_REAUTH}))) == 1
    simulator.faults.set("resources", Fault.delay(0.05), times=5)
    storm = await async_storm(hass, entry, world, CALLS // 4)
    others: list[asyncio.Task[Any]] = [
        asyncio.create_task(async_sign_in_anew(hass, entry, world))
    ]
    storm += await async_storm(hass, entry, world, CALLS // 4)
    others.append(asyncio.create_task(hass.config_entries.async_reload(entry.entry_id)))
    storm += await async_storm(hass, entry, world, CALLS // 4)
    others.append(asyncio.create_task(world.living_room.restart()))
    storm += await async_storm(hass, entry, world, CALLS // 4)
    outcomes = await asyncio.gather(*storm, return_exceptions=True)
    await asyncio.gather(*others)
    # A reload has ended the dialog, if it came first; there is a new one then.
    await async_settle(hass)
    await async_sign_in_anew(hass, entry, world)
    assert len(outcomes) == CALLS
    check_outcomes(outcomes)
    await async_check_works(hass, entry, world)

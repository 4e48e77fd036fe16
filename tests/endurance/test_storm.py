"""Everything at once: each action ends in a response or in an error that is explained."""

import asyncio
from collections import Counter
from typing import Any, Final

import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from homeassistant.config_entries import SOURCE_REAUTH, ConfigEntryState
from homeassistant.data_entry_flow import UnknownFlow
from homeassistant.exceptions import HomeAssistantError
from tests.harness import Harness
from tests.helpers import account_coordinator, device_of, server_coordinator, source_of
from tests.plex_simulator import Fault

CALLS: Final = 200


async def async_storm(
    harness: Harness, entry: MockConfigEntry, calls: int
) -> list[asyncio.Task[Any]]:
    """Start calls of all actions at once, a few in each turn of the event loop."""
    living_room = device_of(harness.hass, entry, harness.server).id
    shared = device_of(harness.hass, entry, harness.world.shared).id
    source = source_of(harness.world.basement)
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
        tasks.append(asyncio.create_task(harness.call(action, **data)))
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


async def async_check_works(harness: Harness, entry: MockConfigEntry) -> None:
    """Check that every action and every poll works again."""
    await harness.settle()
    assert entry.state is ConfigEntryState.LOADED
    await account_coordinator(entry).async_refresh()
    for server in (harness.server, harness.world.shared):
        await server_coordinator(entry, server).async_refresh()
        assert harness.state("binary_sensor.reachable", server) == "on"
    assert harness.state("binary_sensor.sign_in") == "off"
    outcomes = await asyncio.gather(*await async_storm(harness, entry, 5))
    assert check_outcomes(outcomes) == {"response": 5}


@pytest.fixture
async def entry(harness: Harness) -> MockConfigEntry:
    """Return an account with an own server and a shared one."""
    return await harness.add(harness.anna, harness.server, harness.world.shared)


async def test_reload(harness: Harness, entry: MockConfigEntry) -> None:
    """A reload in a storm of actions ends none of them unexplained."""
    storm = await async_storm(harness, entry, CALLS // 2)
    reload = asyncio.create_task(
        harness.hass.config_entries.async_reload(entry.entry_id)
    )
    storm += await async_storm(harness, entry, CALLS // 2)
    outcomes = await asyncio.gather(*storm, return_exceptions=True)
    assert await reload
    assert check_outcomes(outcomes)["response"]
    await async_check_works(harness, entry)


async def test_restart_of_a_server(harness: Harness, entry: MockConfigEntry) -> None:
    """A server that restarts in a storm of actions ends none of them unexplained."""
    storm = await async_storm(harness, entry, CALLS // 2)
    await harness.server.stop()
    storm += await async_storm(harness, entry, CALLS // 2)
    await harness.server.start()
    outcomes = await asyncio.gather(*storm, return_exceptions=True)
    assert check_outcomes(outcomes)["response"]
    await async_check_works(harness, entry)


async def async_sign_in_anew(harness: Harness, entry: MockConfigEntry) -> None:
    """Sign in by the card that asks for it, and by the next if a reload ends it."""
    manager = harness.hass.config_entries.flow
    while flows := list(entry.async_get_active_flows(harness.hass, {SOURCE_REAUTH})):
        flow_id = flows[0]["flow_id"]
        try:
            await manager.async_configure(flow_id, {"next_step_id": "password"})
            await manager.async_configure(
                flow_id, {"username": "anna", "password": harness.anna.password}
            )
            result = await manager.async_configure(
                flow_id, {"verification_code": harness.anna.code()}
            )
        except UnknownFlow:
            await asyncio.sleep(0.05)
        else:
            assert result["reason"] == "reauth_successful"
            return


async def test_reauthentication(harness: Harness, entry: MockConfigEntry) -> None:
    """A token that dies in a storm of actions makes one card, and renewing it heals."""
    harness.anna.revoke_tokens()
    for server in (harness.server, harness.world.shared):
        server.rotate_access_tokens()
    storm = await async_storm(harness, entry, CALLS // 2)
    first = await asyncio.gather(*storm, return_exceptions=True)
    kinds = check_outcomes(first)
    assert kinds["invalid_token"]
    assert harness.reauth_flows(entry) == 1
    storm = await async_storm(harness, entry, CALLS // 2)
    await async_sign_in_anew(harness, entry)
    check_outcomes(await asyncio.gather(*storm, return_exceptions=True))
    await async_check_works(harness, entry)
    assert harness.reauth_flows(entry) == 0


async def test_all_at_once(harness: Harness, entry: MockConfigEntry) -> None:
    """A reload, a restart and a new sign-in at once leave everything in order."""
    harness.anna.revoke_tokens()
    await account_coordinator(entry).async_refresh()
    assert harness.reauth_flows(entry) == 1
    harness.simulator.faults.set("resources", Fault.delay(0.05), times=5)
    storm = await async_storm(harness, entry, CALLS // 4)
    others: list[asyncio.Task[Any]] = [
        asyncio.create_task(async_sign_in_anew(harness, entry))
    ]
    storm += await async_storm(harness, entry, CALLS // 4)
    others.append(
        asyncio.create_task(harness.hass.config_entries.async_reload(entry.entry_id))
    )
    storm += await async_storm(harness, entry, CALLS // 4)
    others.append(asyncio.create_task(harness.server.restart()))
    storm += await async_storm(harness, entry, CALLS // 4)
    outcomes = await asyncio.gather(*storm, return_exceptions=True)
    await asyncio.gather(*others)
    # A reload has ended the dialog, if it came first; there is a new one then.
    await harness.settle()
    await async_sign_in_anew(harness, entry)
    assert len(outcomes) == CALLS
    check_outcomes(outcomes)
    await async_check_works(harness, entry)

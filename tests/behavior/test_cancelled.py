"""A caller that is cancelled spoils nothing, and a shared failure is one for all."""

import asyncio
from contextlib import suppress
from typing import Any

import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.plex_auth.const import CONF_SOURCES
from homeassistant.exceptions import HomeAssistantError
from homeassistant.setup import async_setup_component
from tests.harness import Harness
from tests.helpers import (
    account_coordinator,
    async_arrival,
    server_coordinator,
    server_data,
    source_of,
)
from tests.plex_simulator import Fault


def call(
    harness: Harness, action: str = "get_token_details"
) -> asyncio.Task[dict[str, Any]]:
    """Begin to call an action."""
    return harness.hass.async_create_task(harness.call(action))


async def cancel_midway(harness: Harness, action: str, endpoint: str) -> None:
    """Cancel an action while Plex is being asked, as a script's mode `restart` does."""
    harness.simulator.faults.set(endpoint, Fault.delay(0.3), times=1)
    harness.simulator.requests.clear()
    task = call(harness, action)
    await async_arrival(harness.simulator, endpoint)
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()


async def turn_off_midway(
    harness: Harness, endpoint: str, action: str, entity_id: str | None = None
) -> None:
    """Turn a script off that calls an action, while Plex is being asked."""
    call: dict[str, Any] = {"action": action, "response_variable": "found"}
    if entity_id is not None:
        call = {"action": action, "target": {"entity_id": entity_id}}
    script = {"script": {"ask": {"sequence": [call]}}}
    assert await async_setup_component(harness.hass, "script", script)
    for faults in (harness.simulator.faults, harness.server.faults):
        with suppress(ValueError):
            faults.set(endpoint, Fault.delay(0.3), times=1)
    harness.simulator.requests.clear()
    on_script = {"entity_id": "script.ask"}
    await harness.hass.services.async_call("script", "turn_on", on_script)
    await async_arrival(harness.simulator, endpoint)
    await harness.hass.services.async_call(
        "script", "turn_off", on_script, blocking=True
    )
    await harness.settle()


async def test_script_turned_off(harness: Harness, entry: MockConfigEntry) -> None:
    """A script that is turned off while it verifies leaves the account as it is."""
    await turn_off_midway(harness, "user", "plex_auth.get_token_details")
    account_coordinator(entry).async_update_listeners()
    assert harness.state("binary_sensor.sign_in") == "off"
    assert harness.state("binary_sensor.plex_pass") == "on"


@pytest.mark.parametrize(
    ("endpoint", "action", "pressed"),
    [
        ("user", "button.press", "button.check_now"),
        ("resources", "button.press", "button.check_now"),
        ("identity", "button.press", "button.check_now"),
        ("security_resources", "button.press", "button.check_now"),
        ("user", "homeassistant.update_entity", "binary_sensor.sign_in"),
        ("identity", "homeassistant.update_entity", "binary_sensor.reachable"),
    ],
)
async def test_script_turned_off_while_all_are_asked(
    harness: Harness, endpoint: str, action: str, pressed: str
) -> None:
    """A script that is turned off while it has Plex polled spoils no entity."""
    source = source_of(harness.world.basement)
    watching = server_data(harness.server, harness.anna, **{CONF_SOURCES: [source]})
    entry = await harness.add(harness.anna, watching)
    assert await async_setup_component(harness.hass, "homeassistant", {})
    await turn_off_midway(harness, endpoint, action, harness.entity_id(pressed))
    server = server_coordinator(entry, harness.server)
    for coordinator in (account_coordinator(entry), server, server.sources):
        assert coordinator.last_update_success
        coordinator.async_update_listeners()
    assert harness.state("binary_sensor.sign_in") == "off"
    assert harness.state("binary_sensor.reachable") == "on"
    assert harness.state(f"sensor.source_{source}") == "local"


@pytest.mark.parametrize(
    ("action", "endpoint"),
    [("get_token_details", "user"), ("get_servers", "resources")],
)
async def test_cancelled_action_keeps_the_account(
    harness: Harness, entry: MockConfigEntry, action: str, endpoint: str
) -> None:
    """The account stays available, and the next caller is answered."""
    await cancel_midway(harness, action, endpoint)
    account_coordinator(entry).async_update_listeners()
    assert harness.state("binary_sensor.sign_in") == "off"
    assert await harness.call(action)
    await harness.settle()
    assert harness.state("binary_sensor.sign_in") == "off"


async def test_cancelled_action_keeps_a_rejection(
    harness: Harness, entry: MockConfigEntry
) -> None:
    """A rejection stays one, with its request to sign in."""
    harness.anna.revoke_tokens()
    await harness.failure("get_token_details")
    await harness.settle()
    await cancel_midway(harness, "get_token_details", "user")
    account_coordinator(entry).async_update_listeners()
    assert harness.state("binary_sensor.sign_in") == "on"
    await harness.settle()
    assert harness.state("binary_sensor.sign_in") == "on"
    assert harness.reauth_flows(entry) == 1


async def test_cancelled_action_still_finds_a_rejection(
    harness: Harness, entry: MockConfigEntry
) -> None:
    """What plex.tv says after the caller has gone is not lost."""
    harness.simulator.faults.set("user", Fault.delay(0.1), times=1)
    harness.simulator.requests.clear()
    harness.anna.revoke_tokens()
    task = call(harness)
    await async_arrival(harness.simulator, "user")
    task.cancel()
    await harness.settle()
    assert harness.state("binary_sensor.sign_in") == "on"
    assert harness.reauth_flows(entry) == 1


async def test_others_verify_although_one_is_cancelled(
    harness: Harness, entry: MockConfigEntry
) -> None:
    """Who shares a request with a cancelled caller gets a fresh answer."""
    harness.simulator.faults.set("user", Fault.delay(0.2))
    harness.simulator.requests.clear()
    first = call(harness)
    await async_arrival(harness.simulator, "user")
    second, third = call(harness), call(harness)
    await first
    harness.anna.revoke_tokens()
    second.cancel()
    with pytest.raises(HomeAssistantError) as caught:
        await third
    assert caught.value.translation_key == "invalid_token"
    assert len(harness.simulator.requests_to("user")) == 2


async def test_others_are_listed_although_one_is_cancelled(
    harness: Harness, entry: MockConfigEntry
) -> None:
    """A cancelled `get_servers` takes nobody's answer away."""
    harness.simulator.faults.set("resources", Fault.delay(0.2))
    harness.simulator.requests.clear()
    first = call(harness, "get_servers")
    await async_arrival(harness.simulator, "resources")
    second = call(harness, "get_servers")
    first.cancel()
    assert (await second)["servers"]


@pytest.mark.parametrize("is_known", [True, False])
async def test_shared_failure_is_a_failure(harness: Harness, is_known: bool) -> None:
    """Nobody of three who ask at once gets old servers, or none, as a success."""
    outage = Fault.status(503)
    if not is_known:
        harness.simulator.faults.set("resources", outage)
    await harness.add(harness.anna, harness.server)
    harness.simulator.faults.set("resources", outage)
    errors = await asyncio.gather(*(harness.failure("get_servers") for _ in range(3)))
    assert {error.translation_key for error in errors} == {"unavailable"}


async def test_shared_failure_of_the_account(
    harness: Harness, entry: MockConfigEntry
) -> None:
    """All who ask for the account at once hear that plex.tv is away."""
    harness.simulator.faults.set("user", Fault.status(503))
    errors = await asyncio.gather(
        *(harness.failure("get_token_details") for _ in range(3))
    )
    assert {error.translation_key for error in errors} == {"unavailable"}


async def test_cancelled_transient_token(
    harness: Harness, entry: MockConfigEntry
) -> None:
    """A cancelled action of a server leaves the server reachable."""
    harness.server.faults.set("security_token", Fault.delay(0.3), times=1)
    task = call(harness, "get_transient_token")
    await async_arrival(harness.simulator, "security_token")
    task.cancel()
    await asyncio.wait([task])
    await server_coordinator(entry, harness.server).async_refresh()
    assert harness.state("binary_sensor.reachable") == "on"
    assert await harness.transient_token()

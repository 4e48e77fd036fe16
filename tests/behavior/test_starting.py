"""A start while something is away: what is stored works, the rest comes soon."""

import asyncio
from datetime import timedelta

from aiohttp import ClientTimeout
from freezegun.api import FrozenDateTimeFactory
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry
from pytest_homeassistant_custom_component.components.diagnostics import (
    get_diagnostics_for_config_entry,
)
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator

from custom_components.plex_auth.api import server
from custom_components.plex_auth.const import CONF_SOURCES, DOMAIN
from homeassistant.config_entries import ConfigEntryDisabler, ConfigEntryState
from homeassistant.helpers import issue_registry as ir
from homeassistant.setup import async_setup_component
from tests.harness import Harness
from tests.helpers import make_entry, server_data, source_of
from tests.plex_simulator import Fault

MINUTE = timedelta(minutes=1, seconds=1)
HELD_UP = 15
"""Seconds: more than the set-up waits, and less than a request lasts."""


async def test_start_without_network(
    harness: Harness, freezer: FrozenDateTimeFactory
) -> None:
    """After a power cut the list of servers comes within minutes of the network."""
    await harness.simulator.stop_plex_tv()
    await harness.server.stop()
    await harness.add(harness.anna, harness.server)
    await harness.simulator.start_plex_tv()
    await harness.server.start()
    for _ in range(3):
        await harness.wait(freezer, MINUTE)
    assert harness.state("binary_sensor.sign_in") == "off"
    assert harness.state("sensor.servers") == "3"
    await harness.wait(freezer, timedelta(minutes=5))
    assert harness.state("binary_sensor.reachable") == "on"


@pytest.mark.parametrize("has_server", [True, False])
async def test_list_fails_once(
    harness: Harness, freezer: FrozenDateTimeFactory, has_server: bool
) -> None:
    """A list that fails at the start is asked for again soon, not in an hour."""
    harness.simulator.faults.set("resources", Fault.status(503), times=1)
    await harness.add(harness.anna, *([harness.server] if has_server else []))
    for _ in range(3):
        await harness.wait(freezer, MINUTE)
    assert harness.state("sensor.servers") == "3"


async def test_rate_limited_at_start(
    harness: Harness, freezer: FrozenDateTimeFactory
) -> None:
    """A wish to be left alone holds through the retries of the set-up."""
    later = {"Retry-After": "1800"}
    harness.simulator.faults.set("user", Fault.status(429, headers=later))
    entry = await harness.add(harness.anna)
    for _ in range(29):
        await harness.wait(freezer, timedelta(minutes=1))
    assert entry.state is ConfigEntryState.SETUP_RETRY
    assert harness.asked()["user"] == 1
    harness.simulator.faults.clear()
    for _ in range(11):  # Home Assistant tries each 10 minutes by now
        await harness.wait(freezer, timedelta(minutes=1))
    assert harness.hass.config_entries.async_loaded_entries(DOMAIN) == [entry]


@pytest.mark.xdist_group("time")
async def test_silent_server_holds_nobody_up(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Set-up and reload do not wait for a server that swallows what it is asked."""
    # Longer than the set-up may take, even on a busy machine.
    monkeypatch.setattr(server, "PROBE_TIMEOUT", ClientTimeout(total=60))
    basement = harness.world.basement
    basement.faults.set("identity", Fault.delay(60))
    sources = [source_of(harness.server)]
    data = server_data(basement, harness.anna, **{CONF_SOURCES: sources})
    entry = make_entry(harness.simulator, harness.anna, [harness.server, data])
    entry.add_to_hass(harness.hass)
    async with asyncio.timeout(HELD_UP):
        await harness.hass.config_entries.async_setup(entry.entry_id)
    assert harness.state("binary_sensor.reachable") == "on"
    async with asyncio.timeout(HELD_UP):
        await harness.hass.config_entries.async_reload(entry.entry_id)
    assert entry.state is ConfigEntryState.LOADED


@pytest.mark.xdist_group("time")
async def test_silent_plex_tv_holds_nobody_up(harness: Harness) -> None:
    """Servers of which something is stored do not wait for plex.tv."""
    harness.simulator.faults.set("user", Fault.delay(60))
    entry = make_entry(harness.simulator, harness.anna, [harness.server])
    entry.add_to_hass(harness.hass)
    async with asyncio.timeout(HELD_UP):
        await harness.hass.config_entries.async_setup(entry.entry_id)
    assert harness.state("binary_sensor.reachable") == "on"


async def test_diagnostics_of_an_entry_that_is_not_loaded(
    harness: Harness, hass_client: ClientSessionGenerator
) -> None:
    """Diagnostics are there when a report needs them most."""
    assert await async_setup_component(harness.hass, "diagnostics", {})
    harness.simulator.faults.set("user", Fault.status(503))
    entry = await harness.add(harness.anna)
    found = await get_diagnostics_for_config_entry(harness.hass, hass_client, entry)
    assert isinstance(found, dict)
    assert found["state"] == "setup_retry"


async def test_disabled_account_is_the_reason(
    harness: Harness, entry: MockConfigEntry
) -> None:
    """An action says that the account of the server is disabled."""
    await harness.hass.config_entries.async_set_disabled_by(
        entry.entry_id, ConfigEntryDisabler.USER
    )
    error = await harness.failure("get_transient_token")
    assert error.translation_key == "account_disabled"
    assert error.translation_placeholders == {"name": "Anna"}


@pytest.mark.parametrize("is_disabled", [True, False])
async def test_ignored_issue_goes_with_its_server(
    harness: Harness, is_disabled: bool
) -> None:
    """Nothing is left of a server, whether its account is loaded or not."""
    harness.server.shared_with.remove(harness.ben)
    entry = await harness.add(harness.ben, harness.server)
    ((_, issue_id),) = ir.async_get(harness.hass).issues
    ir.async_ignore_issue(harness.hass, DOMAIN, issue_id, True)
    if is_disabled:
        await harness.hass.config_entries.async_set_disabled_by(
            entry.entry_id, ConfigEntryDisabler.USER
        )
        assert ir.async_get(harness.hass).issues
    await harness.remove(entry, harness.server)
    assert not ir.async_get(harness.hass).issues

"""A server that was set up anew continues, whenever Home Assistant is killed meanwhile."""

from copy import deepcopy
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from custom_components.plex_auth.const import CONF_SOURCES
from custom_components.plex_auth.repairs import async_create_fix_flow
from homeassistant.config_entries import ConfigEntry, ConfigEntryState
from homeassistant.core import HomeAssistant
from homeassistant.helpers import device_registry as dr, entity_registry as er
from tests.helpers import async_settle, make_entry, server_data, source_of
from tests.installation import Installation, the_entry
from tests.plex_simulator import MediaServer, PlexSimulator
from tests.plex_simulator.worlds import DemoWorld
from tests.versions import V0_2_0

FILES = ("core.config_entries", "core.device_registry", "core.entity_registry")
TODAY = None

type Storage = dict[str, Any]


@pytest.fixture
def expected_lingering_timers() -> bool:
    """Let the device registry wait for its cleanup when Home Assistant has stopped."""
    return True


def entities(hass: HomeAssistant) -> dict[str, str]:
    """Return what the registry calls the entities, which never changes, by unique IDs."""
    found = er.async_entries_for_config_entry(
        er.async_get(hass), the_entry(hass).entry_id
    )
    return {entity.unique_id: entity.id for entity in found}


def orphans(hass: HomeAssistant) -> list[str]:
    """Return the entities that are enabled but no longer provided."""
    found = er.async_entries_for_config_entry(
        er.async_get(hass), the_entry(hass).entry_id
    )
    return [
        entity.entity_id
        for entity in found
        if not entity.disabled and hass.states.get(entity.entity_id) is None
    ]


def devices(hass: HomeAssistant) -> dict[str, str]:
    """Return the IDs of the devices by their identifiers."""
    found = dr.async_entries_for_config_entry(
        dr.async_get(hass), the_entry(hass).entry_id
    )
    return {identifier: one.id for one in found for _, identifier in one.identifiers}


def subentry_id_of(entry: ConfigEntry[Any], server: MediaServer) -> str:
    """Return the ID of a server's subentry."""
    return next(
        one.subentry_id
        for one in entry.subentries.values()
        if one.unique_id == server.machine_identifier
    )


async def replace(hass: HomeAssistant, server: MediaServer) -> None:
    """Let the repair take the successor of a server."""
    entry = the_entry(hass)
    subentry_id = subentry_id_of(entry, server)
    await entry.runtime_data.servers[subentry_id].async_check_now()
    flow = await async_create_fix_flow(
        hass,
        f"server_replaced_{subentry_id}",
        {"entry_id": entry.entry_id, "subentry_id": subentry_id},
    )
    flow.hass = hass
    await flow.async_step_confirm()  # type: ignore[attr-defined]
    result = await flow.async_step_confirm({})  # type: ignore[attr-defined]
    assert result["type"] == "create_entry"
    await async_settle(hass)


def read(storage: Storage) -> Storage:
    """Return what is stored."""
    return {name: deepcopy(storage[name]) for name in FILES}


async def test_killed(
    simulator: PlexSimulator,
    world: DemoWorld,
    tmp_path: Path,
    hass_storage: Storage,
) -> None:
    """Each file may be stored or not: the next start brings all of them together."""
    installation = Installation(tmp_path)
    old, watcher = world.living_room, world.basement
    async with installation.run(TODAY) as hass:
        entry = make_entry(
            simulator,
            world.two_factor,
            [
                server_data(old, world.two_factor, sources=[source_of(watcher)]),
                server_data(watcher, world.two_factor, sources=[source_of(old)]),
            ],
        )
        await hass.config_entries.async_add(entry)
        await async_settle(hass)
        entities_before, devices_before = entities(hass), devices(hass)
    before = read(hass_storage)
    new = await simulator.set_up_anew(old)
    async with installation.run(TODAY) as hass:
        await replace(hass, old)
    after = read(hass_storage)
    assert all(before[name] != after[name] for name in FILES)

    for stored in product([before, after], repeat=len(FILES)):
        for name, files in zip(FILES, stored, strict=True):
            hass_storage[name] = deepcopy(files[name])
        async with installation.run(TODAY) as hass:
            entry_now = the_entry(hass)
            assert entry_now.state is ConfigEntryState.LOADED
            if stored[0] is before:
                await replace(hass, old)
            subentry = entry_now.subentries[subentry_id_of(entry_now, watcher)]
            assert subentry.data[CONF_SOURCES] == [source_of(new)]
            identifiers = old.machine_identifier, new.machine_identifier
            assert entities(hass) == {
                unique_id.replace(*identifiers): registry_id
                for unique_id, registry_id in entities_before.items()
            }
            assert orphans(hass) == []
            assert devices(hass) == {
                identifier.replace(*identifiers): device_id
                for identifier, device_id in devices_before.items()
            }


async def test_downgrade_after_a_kill(
    simulator: PlexSimulator,
    world: DemoWorld,
    tmp_path: Path,
    hass_storage: Storage,
) -> None:
    """Entities that an earlier version has created meanwhile stay, and no others."""
    installation = Installation(tmp_path)
    old = world.living_room
    async with installation.run(TODAY) as hass:
        entry = make_entry(simulator, world.two_factor, [old])
        await hass.config_entries.async_add(entry)
        await async_settle(hass)
    before = read(hass_storage)
    new = await simulator.set_up_anew(old)
    async with installation.run(TODAY) as hass:
        await replace(hass, old)
    for name in FILES[1:]:
        hass_storage[name] = before[name]
    async with installation.run(V0_2_0) as hass:
        by_earlier = {
            unique_id: registry_id
            for unique_id, registry_id in entities(hass).items()
            if new.machine_identifier in unique_id
        }
        assert by_earlier
    async with installation.run(TODAY) as hass:
        now = entities(hass)
        assert not any(old.machine_identifier in unique_id for unique_id in now)
        assert by_earlier.items() <= now.items()
        assert orphans(hass) == []

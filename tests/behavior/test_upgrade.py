"""What an earlier version has stored goes on under this one, also after a downgrade.

The earlier versions themselves store it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import voluptuous as vol

from custom_components.plex_auth.const import (
    CONF_LAST_KNOWN,
    DOMAIN,
    SUBENTRY_TYPE_HOME_USER,
)
from homeassistant.config_entries import SOURCE_USER, ConfigEntry, ConfigEntryState
from homeassistant.const import CONF_TOKEN
from homeassistant.core import HomeAssistant
from homeassistant.helpers import device_registry as dr, entity_registry as er
from tests.harness import Harness
from tests.helpers import async_settle
from tests.home_users import async_add_home_user
from tests.installation import Installation, the_entry
from tests.plex_simulator import PlexSimulator
from tests.plex_simulator.worlds import DemoWorld
from tests.versions import V0_1_0, V0_2_0

TODAY = None
# The keys of 0.1.0 that have changed.
RENAMED = {
    "token": "sign_in",
    "token_last_verified": "sign_in_last_verified",
    "two_factor": "two_factor_authentication",
    "services": "plex_services",
    "home_users": "plex_home_users",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class House:
    """Hold an installation that 0.1.0 has set up, and what a user has changed there."""

    installation: Installation
    world: DemoWorld
    entity_ids: dict[str, str]

    def unique_id(self, key: str) -> str:
        """Return the unique ID of an entity of Anna's account."""
        return f"{self.world.two_factor.uuid}_{key}"

    def disabled(self, entities: Mapping[str, er.RegistryEntry]) -> list[str]:
        """Return today's keys of the renamed entities that are disabled."""
        return [
            key for key in RENAMED.values() if entities[self.unique_id(key)].disabled
        ]


@pytest.fixture
def expected_lingering_timers() -> bool:
    """Let the device registry wait for its cleanup when Home Assistant has stopped."""
    return True


@pytest.fixture
async def house(simulator: PlexSimulator, world: DemoWorld, tmp_path: Path) -> House:
    """Return a house where 0.1.0 ran, with an entity enabled and one renamed."""
    installation = Installation(tmp_path)
    anna = world.two_factor
    async with installation.run(V0_1_0) as hass:
        flows = hass.config_entries.flow
        flow = await flows.async_init(DOMAIN, context={"source": SOURCE_USER})
        for typed in (
            {"next_step_id": "token"},
            {
                "token": anna.sign_in_token("client"),
                "advanced": {"api_url": simulator.api_url},
            },
            {"servers": [world.living_room.machine_identifier]},
        ):
            await flows.async_configure(flow["flow_id"], typed)
        await async_settle(hass)
        registry = er.async_get(hass)
        ids = {
            key: _entity_id(hass, f"{anna.uuid}_{key}") for key in (*RENAMED, "servers")
        }
        registry.async_update_entity(ids["home_users"], disabled_by=None)
        registry.async_update_entity(
            ids["two_factor"], new_entity_id="binary_sensor.second_factor", name="2FA"
        )
        ids["two_factor"] = "binary_sensor.second_factor"
    return House(installation=installation, world=world, entity_ids=ids)


def _entities(hass: HomeAssistant) -> dict[str, er.RegistryEntry]:
    """Return the registered entities by their unique IDs."""
    entry_id = the_entry(hass).entry_id
    found = er.async_entries_for_config_entry(er.async_get(hass), entry_id)
    assert len({entity.unique_id for entity in found}) == len(found)
    return {entity.unique_id: entity for entity in found}


def _entity_id(hass: HomeAssistant, unique_id: str) -> str:
    """Return the entity that has a unique ID."""
    return _entities(hass)[unique_id].entity_id


def _orphans(hass: HomeAssistant) -> list[str]:
    """Return the entities that are enabled but no longer provided."""
    return [
        entity.entity_id
        for entity in _entities(hass).values()
        if not entity.disabled and hass.states.get(entity.entity_id) is None
    ]


def _title(entry: ConfigEntry[Any]) -> str:
    """Return the title of the one server."""
    (subentry,) = entry.subentries.values()
    return subentry.title


def _home_user(entry: ConfigEntry[Any]) -> dict[str, Any]:
    """Return what is stored of the one Home user."""
    (subentry,) = entry.get_subentries_of_type(SUBENTRY_TYPE_HOME_USER)
    return {**subentry.as_dict(), "data": dict(subentry.data)}


@pytest.mark.parametrize(
    "between",
    [
        [],
        [TODAY],
        [TODAY, V0_1_0],
        [TODAY, V0_2_0],
        [TODAY, V0_1_0, TODAY, V0_1_0],
        [V0_1_0],
    ],
    ids=["once", "restart", "from 0.1.0 again", "from 0.2.0", "twice", "0.1.0 twice"],
)
async def test_upgrade(house: House, between: list[str | None]) -> None:
    """Entities of 0.1.0 keep their entity IDs, names, and that they are enabled."""
    for version in between:
        async with house.installation.run(version) as hass:
            assert the_entry(hass).state is ConfigEntryState.LOADED
    async with house.installation.run(TODAY) as hass:
        entry = the_entry(hass)
        assert entry.state is ConfigEntryState.LOADED
        assert (entry.version, entry.minor_version) == (1, 2)
        entities = _entities(hass)
        for key, entity_id in house.entity_ids.items():
            entity = entities[house.unique_id(RENAMED.get(key, key))]
            assert entity.entity_id == entity_id
            assert house.unique_id(key) not in entities or key not in RENAMED
        assert _orphans(hass) == []
        assert house.disabled(entities) == ["plex_services"]
        assert entities[house.unique_id("two_factor_authentication")].name == "2FA"
        state = hass.states.get(house.entity_ids["token"])
        assert state is not None
        assert (state.state, state.name) == ("off", "Anna Sign-in")


async def test_upgrade_after_another_version(house: House) -> None:
    """Entities that 0.2.0 has created stay; those of 0.1.0 that it left behind go.

    What was enabled under 0.1.0 is enabled again.
    """
    async with house.installation.run(V0_2_0) as hass:
        left = [house.unique_id(key) for key in RENAMED]
        before = {
            unique_id: entity.entity_id
            for unique_id, entity in _entities(hass).items()
            if unique_id not in left
        }
        assert set(before.values()).isdisjoint(house.entity_ids[key] for key in RENAMED)
    async with house.installation.run(TODAY) as hass:
        entities = _entities(hass)
        for unique_id, entity_id in before.items():
            assert entities[unique_id].entity_id == entity_id
        assert not entities.keys() & set(left)
        assert _orphans(hass) == []
        assert house.disabled(entities) == ["plex_services"]


async def test_entity_that_a_user_has_disabled(house: House) -> None:
    """An entity of 0.2.0 that a user has disabled stays disabled."""
    async with house.installation.run(V0_2_0) as hass:
        er.async_get(hass).async_update_entity(
            _entity_id(hass, house.unique_id("sign_in")),
            disabled_by=er.RegistryEntryDisabler.USER,
        )
    async with house.installation.run(TODAY) as hass:
        assert _entities(hass)[house.unique_id("sign_in")].disabled


async def test_server_renamed_under_0_1_0(house: House) -> None:
    """A server that was renamed at Plex under 0.1.0 follows its name, once and again."""
    server = house.world.living_room
    for name in ("Rooftop", "Terrace"):
        server.name = name
        async with house.installation.run(TODAY) as hass:
            entry = the_entry(hass)
            assert _title(entry) == name
            device = dr.async_get(hass).async_get_device_by_identifier(
                (DOMAIN, f"{entry.unique_id}_{server.machine_identifier}"),
                entry.entry_id,
            )
            assert device is not None
            assert device.name == name


async def test_title_of_a_user_after_a_downgrade(house: House) -> None:
    """A title that a user chose stays, although 0.1.0 drops the name at Plex."""
    async with house.installation.run(TODAY) as hass:
        entry = the_entry(hass)
        (subentry,) = entry.subentries.values()
        hass.config_entries.async_update_subentry(entry, subentry, title="My server")
    async with house.installation.run(V0_1_0) as hass:
        (subentry,) = the_entry(hass).subentries.values()
        assert "name" not in subentry.data[CONF_LAST_KNOWN]
    house.world.living_room.name = "Rooftop"
    async with house.installation.run(TODAY) as hass:
        assert _title(the_entry(hass)) == "My server"


@pytest.mark.parametrize("version", [V0_1_0, V0_2_0, TODAY])
async def test_home_user(
    house: House, simulator: PlexSimulator, version: str | None
) -> None:
    """A Home user survives a version that knows none, and is there again after it.

    Until then, an action with the user gives no token with more rights, but fails.
    """
    child = house.world.home.child
    async with house.installation.run(TODAY) as hass:
        harness = Harness.of(hass, simulator, house.world)
        device_id = await async_add_home_user(harness, the_entry(hass), child)
        entity_id = harness.entity_id("binary_sensor.sign_in", child)
        stored = _home_user(the_entry(hass))
        assert stored["data"][CONF_TOKEN] in child.tokens.values()
    async with house.installation.run(version) as hass:
        entry = the_entry(hass)
        assert entry.state is ConfigEntryState.LOADED
        assert await hass.config_entries.async_reload(entry.entry_id)
        await async_settle(hass)
        assert _home_user(entry) == stored
        harness = Harness.of(hass, simulator, house.world)
        assert (
            await harness.transient_token() in house.world.living_room.transient_tokens
        )
        if version is not TODAY:
            with pytest.raises(vol.Invalid):
                await harness.call("get_transient_token", home_user=device_id)
    async with house.installation.run(TODAY) as hass:
        harness = Harness.of(hass, simulator, house.world)
        assert harness.home_user_device(child) == device_id
        assert harness.entity_id("binary_sensor.sign_in", child) == entity_id
        assert harness.state("binary_sensor.sign_in", child) == "off"
        assert _orphans(hass) == []
        token = (await harness.call("get_transient_token", home_user=device_id))[
            "token"
        ]
        assert house.world.living_room.transient_tokens[token].account is child
        assert _home_user(the_entry(hass)) == stored


@pytest.mark.parametrize("version", [V0_1_0, V0_2_0, TODAY])
async def test_later_minor_version(house: House, version: str | None) -> None:
    """An entry of a later minor version is loaded as it is."""
    async with house.installation.run(TODAY) as hass:
        entry = the_entry(hass)
        hass.config_entries.async_update_entry(entry, minor_version=9)
    async with house.installation.run(version) as hass:
        entry = the_entry(hass)
        assert entry.state is ConfigEntryState.LOADED
        assert entry.minor_version == 9
        assert entry.data[CONF_TOKEN]

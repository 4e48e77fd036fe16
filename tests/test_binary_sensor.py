"""The binary sensors of accounts and servers."""

from datetime import timedelta
from typing import Any

from freezegun.api import FrozenDateTimeFactory
import pytest
from syrupy.assertion import SnapshotAssertion

from homeassistant.const import STATE_UNKNOWN, Platform
from homeassistant.core import HomeAssistant

from .helpers import (
    async_add_account,
    async_pass,
    async_snapshot_platform,
    disabled_at_first,
    entity_id_of,
    state_of,
)
from .plex_simulator import Fault, PlexSimulator, Subscription
from .plex_simulator.worlds import DemoWorld


@pytest.mark.usefixtures("all_enabled")
@pytest.mark.parametrize("kind", ["plex_pass", "free", "managed"])
async def test_binary_sensors(
    hass: HomeAssistant,
    simulator: PlexSimulator,
    freezer: FrozenDateTimeFactory,
    snapshot: SnapshotAssertion,
    kind: str,
) -> None:
    """Every binary sensor of each kind of account is as the snapshot shows it."""
    freezer.move_to("2026-11-24 12:00:00+00:00")
    await async_snapshot_platform(
        hass, simulator, Platform.BINARY_SENSOR, kind, snapshot
    )


async def test_disabled_by_default(
    hass: HomeAssistant,
    simulator: PlexSimulator,
    world: DemoWorld,
) -> None:
    """What few need is there, but disabled."""
    entry = await async_add_account(hass, simulator, world.free, [world.living_room])
    prefix = f"{world.free.uuid}_"
    found = disabled_at_first(hass, entry, Platform.BINARY_SENSOR)
    assert {one.removeprefix(prefix) for one in found} == {
        "email_confirmed",
        "services",
    }


async def test_token(
    hass: HomeAssistant,
    simulator: PlexSimulator,
    world: DemoWorld,
    freezer: FrozenDateTimeFactory,
) -> None:
    """The token is a problem from the poll on in which plex.tv rejects it."""
    anna = world.two_factor
    await async_add_account(hass, simulator, anna)
    assert state_of(hass, "binary_sensor.token", anna) == "off"
    anna.revoke_tokens()
    await async_pass(hass, freezer, timedelta(minutes=30))
    assert state_of(hass, "binary_sensor.token", anna) == "on"


@pytest.mark.parametrize(
    ("account", "state"),
    [("two_factor", "on"), ("yearly", "on"), ("free", "off"), ("managed", "off")],
)
async def test_plex_pass(
    hass: HomeAssistant,
    simulator: PlexSimulator,
    world: DemoWorld,
    account: str,
    state: str,
) -> None:
    """Plex Pass is on for accounts that have one."""
    await async_add_account(hass, simulator, getattr(world, account))
    assert state_of(hass, "binary_sensor.plex_pass", getattr(world, account)) == state


async def test_plex_pass_changes(
    hass: HomeAssistant,
    simulator: PlexSimulator,
    world: DemoWorld,
    freezer: FrozenDateTimeFactory,
) -> None:
    """A Plex Pass that is bought is there after the next poll."""
    ben = world.free
    await async_add_account(hass, simulator, ben)
    ben.subscription = Subscription.lifetime(simulator.clock.now())
    await async_pass(hass, freezer, timedelta(minutes=30))
    assert state_of(hass, "binary_sensor.plex_pass", ben) == "on"


@pytest.mark.usefixtures("all_enabled")
@pytest.mark.parametrize(
    ("services", "state"),
    [
        ([{"identifier": "epg", "status": "online"}], "off"),
        (
            [
                {"identifier": "epg", "status": "online"},
                {"identifier": "collections", "status": "offline"},
            ],
            "on",
        ),
        ([{"identifier": "epg"}], "off"),
        ([], STATE_UNKNOWN),
        (None, STATE_UNKNOWN),
        ("nonsense", STATE_UNKNOWN),
    ],
)
async def test_services(
    hass: HomeAssistant,
    simulator: PlexSimulator,
    world: DemoWorld,
    services: Any,
    state: str,
) -> None:
    """Plex services are a problem when one of them is offline."""
    world.free.overrides["services"] = services
    await async_add_account(hass, simulator, world.free)
    assert state_of(hass, "binary_sensor.services", world.free) == state


@pytest.mark.usefixtures("all_enabled")
async def test_what_plex_does_not_tell(
    hass: HomeAssistant, simulator: PlexSimulator, world: DemoWorld
) -> None:
    """What is missing or of a wrong type is unknown, and the rest is there."""
    ben = world.free
    ben.omitted |= {"subscription", "confirmed"}
    ben.overrides["twoFactorEnabled"] = ["nonsense"]
    await async_add_account(hass, simulator, ben)
    for key in ("plex_pass", "email_confirmed", "two_factor"):
        assert state_of(hass, f"binary_sensor.{key}", ben) == STATE_UNKNOWN
    assert state_of(hass, "binary_sensor.token", ben) == "off"


@pytest.mark.usefixtures("all_enabled")
async def test_answer_in_xml(
    hass: HomeAssistant, simulator: PlexSimulator, world: DemoWorld
) -> None:
    """An account that Plex tells of in XML has the same states."""
    anna = world.two_factor
    simulator.faults.set("user", Fault.xml_instead())
    simulator.faults.set("resources", Fault.xml_instead())
    await async_add_account(hass, simulator, anna, [world.living_room])
    for key, state in (
        ("token", "off"),
        ("plex_pass", "on"),
        ("two_factor", "on"),
        ("email_confirmed", "on"),
        ("services", "on"),
    ):
        assert state_of(hass, f"binary_sensor.{key}", anna) == state
    assert state_of(hass, "sensor.servers", anna) == "3"


async def test_reachable(
    hass: HomeAssistant,
    simulator: PlexSimulator,
    world: DemoWorld,
    freezer: FrozenDateTimeFactory,
) -> None:
    """A server is reachable or not, and that is known while it is away as well."""
    anna, server = world.two_factor, world.living_room
    await async_add_account(hass, simulator, anna, [server])
    assert state_of(hass, "binary_sensor.reachable", anna, server) == "on"
    await server.stop()
    await async_pass(hass, freezer, timedelta(minutes=5))
    assert state_of(hass, "binary_sensor.reachable", anna, server) == "off"
    await server.start()
    await async_pass(hass, freezer, timedelta(minutes=5))
    assert state_of(hass, "binary_sensor.reachable", anna, server) == "on"


async def test_two_accounts(
    hass: HomeAssistant, simulator: PlexSimulator, world: DemoWorld
) -> None:
    """Two accounts that share a server have entities of their own for it."""
    server = world.living_room
    accounts = (world.two_factor, world.free, world.managed)
    for account in accounts:
        await async_add_account(hass, simulator, account, [server])
    assert (
        len(
            {
                entity_id_of(hass, "binary_sensor.reachable", account, server)
                for account in accounts
            }
        )
        == 3
    )

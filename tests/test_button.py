"""The button of accounts."""

import asyncio
from datetime import timedelta

from freezegun.api import FrozenDateTimeFactory
import pytest
from pytest_homeassistant_custom_component.common import MockUser

from homeassistant.const import Platform
from homeassistant.core import Context
from homeassistant.exceptions import HomeAssistantError
from homeassistant.setup import async_setup_component

from .harness import Harness, SnapshotPlatform
from .helpers import account_coordinator, async_arrival, server_coordinator, until
from .plex_simulator import Fault

SHARED = timedelta(seconds=10)


async def async_press(harness: Harness, context: Context | None = None) -> None:
    """Press the button of Anna's account, and wait until it is over."""
    await harness.hass.services.async_call(
        "button",
        "press",
        {"entity_id": harness.entity_id("button.check_now")},
        blocking=True,
        context=context,
    )


@pytest.mark.parametrize("kind", ["plex_pass", "free", "managed"])
async def test_button(snapshot_platform: SnapshotPlatform, kind: str) -> None:
    """The button of each kind of account is as the snapshot shows it."""
    await snapshot_platform(Platform.BUTTON, kind)


async def test_asks_everybody(harness: Harness, freezer: FrozenDateTimeFactory) -> None:
    """It asks plex.tv and every server, once each, and shows what they say."""
    await harness.add(harness.anna, harness.server, harness.world.basement)
    harness.server.version = "1.99.0"
    await harness.server.stop()
    await harness.world.basement.stop()
    await async_press(harness)
    assert harness.state("binary_sensor.reachable") == "off"
    await harness.server.start()
    harness.simulator.requests.clear()
    freezer.tick(SHARED)
    await async_press(harness)
    assert harness.state("binary_sensor.reachable") == "on"
    assert harness.state("binary_sensor.reachable", harness.world.basement) == "off"
    asked = harness.asked()
    assert asked["user"] == 1
    assert asked["identity"] == 1
    assert asked["resources"] == 1
    assert harness.state("button.check_now") != "unknown"


async def test_after_a_rejection(
    harness: Harness, freezer: FrozenDateTimeFactory
) -> None:
    """Nobody has to wait for the hour after which plex.tv is asked again."""
    entry = await harness.add(harness.anna, harness.server)
    harness.simulator.faults.set("user", Fault.plex_error(1001, 401), times=1)
    await harness.wait(freezer, timedelta(minutes=30))
    assert harness.state("binary_sensor.sign_in") == "on"
    assert harness.reauth_flows(entry) == 1
    await async_press(harness)
    assert harness.state("binary_sensor.sign_in") == "off"
    assert harness.reauth_flows(entry) == 0


async def test_while_the_account_is_reloaded(harness: Harness) -> None:
    """A reload ends what a press has begun, which is no failure of the press."""
    entry = await harness.add(harness.anna, harness.server)
    harness.simulator.requests.clear()
    harness.simulator.faults.set("user", Fault.delay(60), times=1)
    press = asyncio.create_task(async_press(harness))
    await async_arrival(harness.simulator, "user")
    await harness.reload(entry)
    await press
    assert harness.state("binary_sensor.sign_in") == "off"


async def async_update_entities(harness: Harness) -> None:
    """Update entities of the account and its devices with Home Assistant's action."""
    assert await async_setup_component(harness.hass, "homeassistant", {})
    entities = map(
        harness.entity_id, ("binary_sensor.sign_in", "event.authorized_device")
    )
    await harness.hass.services.async_call(
        "homeassistant", "update_entity", {"entity_id": list(entities)}, blocking=True
    )
    await harness.settle()


@pytest.mark.parametrize("endpoint", ["user", "resources", "devices"])
async def test_while_peace_is_wanted(
    harness: Harness, freezer: FrozenDateTimeFactory, endpoint: str
) -> None:
    """plex.tv is not asked while it wants to be left alone; the press says how long."""
    await harness.hass.config.async_set_time_zone("Europe/Berlin")
    freezer.move_to("2026-11-24 12:00:00+00:00")
    await harness.add(harness.anna, harness.server)
    fault = Fault.status(429, headers={"Retry-After": "120"})
    harness.simulator.faults.set(endpoint, fault)
    await async_press(harness)
    assert harness.asked()[endpoint]
    harness.simulator.faults.clear()
    freezer.tick(SHARED)
    with pytest.raises(HomeAssistantError) as caught:
        await async_press(harness)
    assert str(caught.value) == (
        "plex.tv doesn't accept more requests until 13:02:00. Try again then"
    )
    await async_update_entities(harness)
    assert not harness.asked()
    freezer.tick(timedelta(minutes=2))
    await async_press(harness)
    assert harness.asked()[endpoint] == 1
    assert harness.state("binary_sensor.sign_in") == "off"


async def test_long_pause(harness: Harness, freezer: FrozenDateTimeFactory) -> None:
    """plex.tv is left alone for an hour at most, whatever it asks for."""
    entry = await harness.add(harness.anna, harness.server)
    fault = Fault.status(503, headers={"Retry-After": "86400"})
    harness.simulator.faults.set("user", fault, times=1)
    await async_press(harness)
    assert account_coordinator(entry).pause.remaining == timedelta(hours=1)


async def test_pressed_often(
    harness: Harness, freezer: FrozenDateTimeFactory, hass_read_only_user: MockUser
) -> None:
    """However often anybody presses, Plex is asked once in 10 seconds."""
    await harness.add(harness.anna, harness.server)
    hass_read_only_user.mock_policy({"entities": True})
    context = Context(user_id=hass_read_only_user.id)
    harness.asked()
    for _ in range(2):
        freezer.tick(SHARED)
        await asyncio.gather(*(async_press(harness, context) for _ in range(25)))
        for _ in range(25):
            await async_press(harness, context)
        assert harness.asked() == {
            "user": 1,
            "resources": 1,
            "devices": 1,
            "identity": 1,
        }


async def test_press_that_waits_for_the_first(harness: Harness) -> None:
    """A second press is over when the first one is."""
    await harness.add(harness.anna, harness.server)
    harness.simulator.requests.clear()
    harness.simulator.faults.set("user", Fault.delay(0.3), times=1)
    first = asyncio.create_task(async_press(harness))
    await async_arrival(harness.simulator, "user")
    await async_press(harness)
    assert harness.simulator.requests[-1].endpoint == "devices"
    await first


async def test_while_plex_is_away(
    harness: Harness, freezer: FrozenDateTimeFactory
) -> None:
    """It can be pressed while plex.tv is away, which is no error of the press."""
    await harness.add(harness.anna, harness.server)
    await harness.simulator.stop_plex_tv()
    await async_press(harness)
    assert harness.state("binary_sensor.sign_in") == "unavailable"
    assert harness.state("button.check_now") != "unavailable"
    await harness.simulator.start_plex_tv()
    freezer.tick(SHARED)
    await async_press(harness)
    assert harness.state("binary_sensor.sign_in") == "off"


async def test_sockets(harness: Harness) -> None:
    """A socket that waits to be opened again is opened at once."""
    harness.server.notifications.allowed = True
    harness.server.faults.set("notifications", Fault.status(404), times=1)
    entry = await harness.add(harness.anna, harness.server)
    notifications = server_coordinator(entry, harness.server).notifications
    await until(lambda: notifications.failure)
    assert not notifications.is_open
    await async_press(harness)
    await until(lambda: notifications.is_open)

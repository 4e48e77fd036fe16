"""The button of accounts."""

from datetime import timedelta

from freezegun.api import FrozenDateTimeFactory
import pytest

from homeassistant.const import Platform

from .harness import Harness, SnapshotPlatform
from .helpers import server_coordinator, until
from .plex_simulator import Fault


async def async_press(harness: Harness) -> None:
    """Press the button of Anna's account, and wait until it is over."""
    await harness.hass.services.async_call(
        "button",
        "press",
        {"entity_id": harness.entity_id("button.check_now")},
        blocking=True,
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


async def test_while_peace_is_wanted(
    harness: Harness, freezer: FrozenDateTimeFactory
) -> None:
    """Plex is asked though it wants to be left alone, once for each press."""
    await harness.add(harness.anna, harness.server)
    fault = Fault.status(429, headers={"Retry-After": "3600"})
    harness.simulator.faults.set("user", fault)
    harness.server.faults.set(
        "identity", Fault.status(429, headers={"Retry-After": "900"})
    )
    await harness.wait(freezer, timedelta(minutes=30))
    harness.asked()
    await async_press(harness)
    assert harness.asked()["user"] == 1
    harness.simulator.faults.clear()
    harness.server.faults.clear()
    await async_press(harness)
    assert harness.state("binary_sensor.sign_in") == "off"
    assert harness.state("binary_sensor.reachable") == "on"


async def test_while_plex_is_away(harness: Harness) -> None:
    """It can be pressed while plex.tv is away, which is no error of the press."""
    await harness.add(harness.anna, harness.server)
    await harness.simulator.stop_plex_tv()
    await async_press(harness)
    assert harness.state("binary_sensor.sign_in") == "unavailable"
    assert harness.state("button.check_now") != "unavailable"
    await harness.simulator.start_plex_tv()
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

"""The button of accounts."""

from datetime import timedelta

from freezegun.api import FrozenDateTimeFactory
import pytest

from homeassistant.const import Platform

from .fixed_world import SnapshotPlatform
from .helpers import server_coordinator
from .home import Home
from .plex_simulator import Fault
from .waiting import until


async def async_press(home: Home) -> None:
    """Press the button of Anna's account, and wait until it is over."""
    await home.hass.services.async_call(
        "button",
        "press",
        {"entity_id": home.entity_id("button.check_now")},
        blocking=True,
    )


@pytest.mark.parametrize("kind", ["plex_pass", "free", "managed"])
async def test_button(snapshot_platform: SnapshotPlatform, kind: str) -> None:
    """The button of each kind of account is as the snapshot shows it."""
    await snapshot_platform(Platform.BUTTON, kind)


async def test_asks_everybody(home: Home, freezer: FrozenDateTimeFactory) -> None:
    """It asks plex.tv and every server, once each, and shows what they say."""
    await home.add(home.anna, home.server, home.world.basement)
    home.server.version = "1.99.0"
    await home.server.stop()
    await home.world.basement.stop()
    await async_press(home)
    assert home.state("binary_sensor.reachable") == "off"
    await home.server.start()
    home.simulator.requests.clear()
    await async_press(home)
    assert home.state("binary_sensor.reachable") == "on"
    assert home.state("binary_sensor.reachable", home.world.basement) == "off"
    asked = home.asked()
    assert asked["user"] == 1
    assert asked["identity"] == 1
    assert asked["resources"] == 1
    assert home.state("button.check_now") != "unknown"


async def test_after_a_rejection(home: Home, freezer: FrozenDateTimeFactory) -> None:
    """Nobody has to wait for the hour after which plex.tv is asked again."""
    entry = await home.add(home.anna, home.server)
    home.simulator.faults.set("user", Fault.plex_error(1001, 401), times=1)
    await home.wait(freezer, timedelta(minutes=30))
    assert home.state("binary_sensor.sign_in") == "on"
    assert home.reauth_flows(entry) == 1
    await async_press(home)
    assert home.state("binary_sensor.sign_in") == "off"
    assert home.reauth_flows(entry) == 0


async def test_while_peace_is_wanted(
    home: Home, freezer: FrozenDateTimeFactory
) -> None:
    """Plex is asked though it wants to be left alone, once for each press."""
    await home.add(home.anna, home.server)
    fault = Fault.status(429, headers={"Retry-After": "3600"})
    home.simulator.faults.set("user", fault)
    home.server.faults.set(
        "identity", Fault.status(429, headers={"Retry-After": "900"})
    )
    await home.wait(freezer, timedelta(minutes=30))
    home.asked()
    await async_press(home)
    assert home.asked()["user"] == 1
    home.simulator.faults.clear()
    home.server.faults.clear()
    await async_press(home)
    assert home.state("binary_sensor.sign_in") == "off"
    assert home.state("binary_sensor.reachable") == "on"


async def test_while_plex_is_away(home: Home) -> None:
    """It can be pressed while plex.tv is away, which is no error of the press."""
    await home.add(home.anna, home.server)
    await home.simulator.stop_plex_tv()
    await async_press(home)
    assert home.state("binary_sensor.sign_in") == "unavailable"
    assert home.state("button.check_now") != "unavailable"
    await home.simulator.start_plex_tv()
    await async_press(home)
    assert home.state("binary_sensor.sign_in") == "off"


async def test_sockets(home: Home) -> None:
    """A socket that waits to be opened again is opened at once."""
    home.server.notifications.allowed = True
    home.server.faults.set("notifications", Fault.status(404), times=1)
    entry = await home.add(home.anna, home.server)
    notifications = server_coordinator(entry, home.server).notifications
    await until(lambda: notifications.failure)
    assert not notifications.is_open
    await async_press(home)
    await until(lambda: notifications.is_open)

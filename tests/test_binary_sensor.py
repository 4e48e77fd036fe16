"""The binary sensors of accounts and servers."""

from datetime import timedelta
from typing import Any

from freezegun.api import FrozenDateTimeFactory
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from homeassistant.const import STATE_UNKNOWN, Platform

from .fixed_world import SnapshotPlatform
from .helpers import disabled_at_first
from .home import Home
from .plex_simulator import Fault, Subscription


@pytest.mark.parametrize("kind", ["plex_pass", "free", "managed"])
async def test_binary_sensors(snapshot_platform: SnapshotPlatform, kind: str) -> None:
    """Every binary sensor of each kind of account is as the snapshot shows it."""
    await snapshot_platform(Platform.BINARY_SENSOR, kind)


async def test_disabled_by_default(home: Home) -> None:
    """What few need is there, but disabled."""
    entry = await home.add(home.ben, home.server)
    assert disabled_at_first(home.hass, entry, Platform.BINARY_SENSOR) == {
        "email_confirmed",
        "plex_services",
    }


async def test_sign_in(home: Home, freezer: FrozenDateTimeFactory) -> None:
    """The sign-in is a problem from the poll on in which plex.tv rejects it."""
    await home.add(home.anna)
    assert home.state("binary_sensor.sign_in") == "off"
    home.anna.revoke_tokens()
    await home.wait(freezer, timedelta(minutes=30))
    assert home.state("binary_sensor.sign_in") == "on"


@pytest.mark.parametrize(
    ("account", "state"),
    [("two_factor", "on"), ("yearly", "on"), ("free", "off"), ("managed", "off")],
)
async def test_plex_pass(home: Home, account: str, state: str) -> None:
    """Plex Pass is on for accounts that have one."""
    await home.add(getattr(home.world, account))
    assert home.state("binary_sensor.plex_pass", getattr(home.world, account)) == state


async def test_plex_pass_changes(home: Home, freezer: FrozenDateTimeFactory) -> None:
    """A Plex Pass that is bought is there after the next poll."""
    ben = home.ben
    await home.add(ben)
    ben.subscription = Subscription.lifetime(home.simulator.clock.now())
    await home.wait(freezer, timedelta(minutes=30))
    assert home.state("binary_sensor.plex_pass", ben) == "on"


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
async def test_services(home: Home, services: Any, state: str) -> None:
    """Plex services are a problem when one of them is offline."""
    home.ben.overrides["services"] = services
    await home.add(home.ben)
    assert home.state("binary_sensor.plex_services", home.ben) == state


@pytest.mark.usefixtures("all_enabled")
async def test_what_plex_does_not_tell(home: Home) -> None:
    """What is missing or of a wrong type is unknown, and the rest is there."""
    ben = home.ben
    ben.omitted |= {"subscription", "confirmed"}
    ben.overrides["twoFactorEnabled"] = ["nonsense"]
    await home.add(ben)
    for key in ("plex_pass", "email_confirmed", "two_factor_authentication"):
        assert home.state(f"binary_sensor.{key}", ben) == STATE_UNKNOWN
    assert home.state("binary_sensor.sign_in", ben) == "off"


@pytest.mark.usefixtures("all_enabled")
async def test_answer_in_xml(home: Home) -> None:
    """An account that Plex tells of in XML has the same states."""
    home.simulator.faults.set("user", Fault.xml_instead())
    home.simulator.faults.set("resources", Fault.xml_instead())
    await home.add(home.anna, home.server)
    for key, state in (
        ("sign_in", "off"),
        ("plex_pass", "on"),
        ("two_factor_authentication", "on"),
        ("email_confirmed", "on"),
        ("plex_services", "on"),
    ):
        assert home.state(f"binary_sensor.{key}") == state
    assert home.state("sensor.servers") == "3"


async def test_reachable(
    home: Home, freezer: FrozenDateTimeFactory, entry: MockConfigEntry
) -> None:
    """A server is reachable or not, and that is known while it is away as well."""
    assert home.state("binary_sensor.reachable") == "on"
    await home.server.stop()
    await home.wait(freezer, timedelta(minutes=5))
    assert home.state("binary_sensor.reachable") == "off"
    await home.server.start()
    await home.wait(freezer, timedelta(minutes=5))
    assert home.state("binary_sensor.reachable") == "on"


async def test_two_accounts(home: Home) -> None:
    """Two accounts that share a server have entities of their own for it."""
    accounts = (home.anna, home.ben, home.world.managed)
    for account in accounts:
        await home.add(account, home.server)
    assert (
        len(
            {home.entity_id("binary_sensor.reachable", account) for account in accounts}
        )
        == 3
    )

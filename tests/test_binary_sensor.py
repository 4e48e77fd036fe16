"""The binary sensors of accounts and servers."""

from datetime import timedelta

from freezegun.api import FrozenDateTimeFactory
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from homeassistant.const import STATE_UNAVAILABLE, STATE_UNKNOWN, Platform

from .harness import Harness, SnapshotPlatform
from .helpers import account_coordinator, disabled_at_first
from .plex_simulator import Fault, Subscription


@pytest.mark.parametrize("kind", ["plex_pass", "free", "managed"])
async def test_binary_sensors(snapshot_platform: SnapshotPlatform, kind: str) -> None:
    """Every binary sensor of each kind of account is as the snapshot shows it."""
    await snapshot_platform(Platform.BINARY_SENSOR, kind)


async def test_disabled_by_default(harness: Harness) -> None:
    """What few need is there, but disabled."""
    entry = await harness.add(harness.ben, harness.server)
    assert disabled_at_first(harness.hass, entry, Platform.BINARY_SENSOR) == {
        "email_confirmed",
        "plex_services",
    }


async def test_sign_in(harness: Harness, freezer: FrozenDateTimeFactory) -> None:
    """The sign-in is a problem from the poll on in which plex.tv rejects it."""
    await harness.add(harness.anna)
    assert harness.state("binary_sensor.sign_in") == "off"
    harness.anna.revoke_tokens()
    await harness.wait(freezer, timedelta(minutes=30))
    assert harness.state("binary_sensor.sign_in") == "on"


async def test_plex_pass(harness: Harness) -> None:
    """Plex Pass is on for accounts that have one."""
    world = harness.world
    for account, state in (
        (world.two_factor, "on"),
        (world.yearly, "on"),
        (world.free, "off"),
        (world.managed, "off"),
    ):
        await harness.add(account)
        assert harness.state("binary_sensor.plex_pass", account) == state


async def test_remote_watch_pass(
    harness: Harness, freezer: FrozenDateTimeFactory
) -> None:
    """A Remote Watch Pass alone is no Plex Pass."""
    ben, now = harness.ben, harness.simulator.clock.now()
    remote = Subscription.remote_watch(now, now + timedelta(days=9))
    ben.subscription = Subscription.yearly(now, now + timedelta(days=9)).with_beside(
        remote
    )
    await harness.add(ben)
    assert harness.state("binary_sensor.plex_pass", ben) == "on"
    ben.subscription = remote
    await harness.wait(freezer, timedelta(minutes=30))
    assert harness.state("binary_sensor.plex_pass", ben) == "off"


async def test_plex_pass_changes(
    harness: Harness, freezer: FrozenDateTimeFactory
) -> None:
    """A Plex Pass that is bought is there after the next poll."""
    ben = harness.ben
    await harness.add(ben)
    ben.subscription = Subscription.lifetime(harness.simulator.clock.now())
    await harness.wait(freezer, timedelta(minutes=30))
    assert harness.state("binary_sensor.plex_pass", ben) == "on"


@pytest.mark.usefixtures("all_enabled")
async def test_services(harness: Harness) -> None:
    """Plex services are a problem when one of them is offline."""
    online = {"identifier": "epg", "status": "online"}
    offline = {"identifier": "collections", "status": "offline"}
    entry = await harness.add(harness.ben)
    for services, state in (
        ([online], "off"),
        ([online, offline], "on"),
        ([{"identifier": "epg"}], "off"),
        ([], STATE_UNKNOWN),
        ([online], "off"),
        (None, STATE_UNKNOWN),
        ([online], "off"),
        ("nonsense", STATE_UNKNOWN),
    ):
        harness.ben.overrides["services"] = services
        await account_coordinator(entry).async_refresh()
        assert harness.state("binary_sensor.plex_services", harness.ben) == state


@pytest.mark.usefixtures("all_enabled")
async def test_what_plex_does_not_tell(harness: Harness) -> None:
    """What is missing or of a wrong type is unknown, and the rest is there."""
    ben = harness.ben
    ben.omitted |= {"subscription", "confirmed"}
    ben.overrides["twoFactorEnabled"] = ["nonsense"]
    await harness.add(ben)
    for key in ("plex_pass", "email_confirmed", "two_factor_authentication"):
        assert harness.state(f"binary_sensor.{key}", ben) == STATE_UNKNOWN
    assert harness.state("binary_sensor.sign_in", ben) == "off"


@pytest.mark.usefixtures("all_enabled")
async def test_answer_in_xml(harness: Harness) -> None:
    """An account that Plex tells of in XML has the same states."""
    harness.simulator.faults.set("user", Fault.xml_instead())
    harness.simulator.faults.set("resources", Fault.xml_instead())
    await harness.add(harness.anna, harness.server)
    for key, state in (
        ("sign_in", "off"),
        ("plex_pass", "on"),
        ("two_factor_authentication", "on"),
        ("email_confirmed", "on"),
        ("plex_services", "on"),
    ):
        assert harness.state(f"binary_sensor.{key}") == state
    assert harness.state("sensor.servers") == "3"


async def test_reachable(
    harness: Harness, freezer: FrozenDateTimeFactory, entry: MockConfigEntry
) -> None:
    """A server is reachable or not, and that is known while it is away as well."""
    assert harness.state("binary_sensor.reachable") == "on"
    await harness.server.stop()
    await harness.wait(freezer, timedelta(minutes=5))
    assert harness.state("binary_sensor.reachable") == "off"
    await harness.server.start()
    await harness.wait(freezer, timedelta(minutes=5))
    assert harness.state("binary_sensor.reachable") == "on"


async def test_two_accounts(harness: Harness) -> None:
    """Two accounts that share a server have entities of their own for it."""
    accounts = (harness.anna, harness.ben, harness.world.managed)
    for account in accounts:
        await harness.add(account, harness.server)
    assert (
        len(
            {
                harness.entity_id("binary_sensor.reachable", account)
                for account in accounts
            }
        )
        == 3
    )


async def test_sign_in_of_a_home_user(
    harness: Harness, freezer: FrozenDateTimeFactory, entry: MockConfigEntry
) -> None:
    """It is a problem of that user alone, and not known while plex.tv is away."""
    child = harness.world.home.child
    harness.simulator.faults.set("resources", Fault.status(503))
    await harness.add_home_user(entry, child)
    name = "binary_sensor.sign_in"
    assert harness.state(name, child) == STATE_UNAVAILABLE
    harness.simulator.faults.clear()
    await harness.wait(freezer, timedelta(hours=1, seconds=1))
    assert harness.state(name, child) == "off"
    child.revoke_tokens()
    await harness.wait(freezer, timedelta(hours=1, seconds=1))
    assert harness.state(name, child) == "on"
    assert harness.state(name) == "off"

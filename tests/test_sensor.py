"""The sensors of accounts and servers."""

from datetime import datetime, timedelta

from freezegun.api import FrozenDateTimeFactory
import pytest
from syrupy.assertion import SnapshotAssertion

from custom_components.plex_auth.const import CONF_SOURCES, DOMAIN
from homeassistant.config_entries import ConfigSubentryData
from homeassistant.const import STATE_UNAVAILABLE, STATE_UNKNOWN, Platform
from homeassistant.core import HomeAssistant
from homeassistant.helpers import entity_registry as er
from homeassistant.util import dt as dt_util

from .helpers import (
    account_coordinator,
    async_add_account,
    async_get_transient_token,
    async_pass,
    async_set_up,
    async_settle,
    async_snapshot_platform,
    device_of,
    disabled_at_first,
    entity_of,
    make_entry,
    reauth_flows,
    server_data,
    state_of,
    subentry_of,
)
from .plex_simulator import Account, MediaServer, PlexSimulator, Subscription, Way
from .plex_simulator.worlds import PODCASTS, DemoWorld


def moment(state: str) -> datetime:
    """Return the moment that a state shows."""
    parsed = dt_util.parse_datetime(state)
    assert parsed is not None
    return parsed


@pytest.mark.usefixtures("all_enabled")
@pytest.mark.parametrize("kind", ["plex_pass", "free", "managed"])
async def test_sensors(
    hass: HomeAssistant,
    simulator: PlexSimulator,
    freezer: FrozenDateTimeFactory,
    snapshot: SnapshotAssertion,
    kind: str,
) -> None:
    """Every sensor of each kind of account is as the snapshot shows it."""
    freezer.move_to("2026-11-24 12:00:00+00:00")
    await async_snapshot_platform(hass, simulator, Platform.SENSOR, kind, snapshot)


async def test_disabled_by_default(
    hass: HomeAssistant,
    simulator: PlexSimulator,
    world: DemoWorld,
) -> None:
    """What few need is there, but disabled."""
    server = world.living_room
    entry = await async_add_account(hass, simulator, world.free, [server])
    prefix = f"{world.free.uuid}_"
    found = disabled_at_first(hass, entry, Platform.SENSOR)
    assert {one.removeprefix(prefix) for one in found} == {
        "home_users",
        "account_created",
        "sign_in_remembered_until",
        f"{server.machine_identifier}_version",
    }


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("Active", "active"),
        ("Inactive", "inactive"),
        ("PendingCancellation", "pending_cancellation"),
        ("Canceled", "canceled"),
        ("Ended", "ended"),
        ("Lapsed", "lapsed"),
        ("Something New", "Something New"),
        pytest.param("x" * 300, "x" * 255, id="too long"),
        ("", STATE_UNKNOWN),
        (None, STATE_UNKNOWN),
        (17, STATE_UNKNOWN),
    ],
)
async def test_subscription_status(
    hass: HomeAssistant,
    simulator: PlexSimulator,
    world: DemoWorld,
    status: str | int | None,
    state: str,
) -> None:
    """Known statuses have a key to translate, others are shown as Plex gives them."""
    world.free.overrides["subscription"] = {"active": True, "status": status}
    await async_add_account(hass, simulator, world.free)
    assert state_of(hass, "sensor.subscription_status", world.free) == state


@pytest.mark.parametrize(
    ("plan", "state"),
    [
        ("lifetime", "lifetime"),
        ("fortnightly", "fortnightly"),
        pytest.param("ü" * 256, "ü" * 255, id="too long"),
        (None, STATE_UNKNOWN),
    ],
)
async def test_subscription_plan(
    hass: HomeAssistant,
    simulator: PlexSimulator,
    world: DemoWorld,
    plan: str | None,
    state: str,
) -> None:
    """Plans are shown as Plex gives them, cut where Home Assistant takes no more."""
    world.free.overrides["subscription"] = {"active": True, "plan": plan}
    await async_add_account(hass, simulator, world.free)
    assert state_of(hass, "sensor.subscription_plan", world.free) == state


async def test_renewal(
    hass: HomeAssistant, simulator: PlexSimulator, world: DemoWorld
) -> None:
    """A subscription that renews has that date, and no end."""
    carla = world.yearly
    await async_add_account(hass, simulator, carla)
    renews_at = carla.subscription.renews_at
    assert renews_at is not None
    assert moment(
        state_of(hass, "sensor.subscription_renews", carla)
    ) == renews_at.replace(microsecond=0)
    assert state_of(hass, "sensor.subscription_ends", carla) == STATE_UNKNOWN


async def test_cancelled(
    hass: HomeAssistant, simulator: PlexSimulator, world: DemoWorld
) -> None:
    """A subscription that was cancelled has an end, and renews no more."""
    ben = world.free
    now = simulator.clock.now()
    ben.subscription = Subscription.cancelled(
        now - timedelta(days=20), now + timedelta(days=10)
    )
    await async_add_account(hass, simulator, ben)
    assert state_of(hass, "sensor.subscription_status", ben) == "pending_cancellation"
    assert state_of(hass, "sensor.subscription_renews", ben) == STATE_UNKNOWN
    ends_at = ben.subscription.ends_at
    assert ends_at is not None
    assert moment(state_of(hass, "sensor.subscription_ends", ben)) == ends_at.replace(
        microsecond=0
    )


async def test_ended(
    hass: HomeAssistant, simulator: PlexSimulator, world: DemoWorld
) -> None:
    """A subscription that is over neither renews nor ends."""
    gina = world.without_servers
    await async_add_account(hass, simulator, gina)
    assert state_of(hass, "sensor.subscription_status", gina) == "inactive"
    assert state_of(hass, "sensor.subscription_renews", gina) == STATE_UNKNOWN
    assert state_of(hass, "sensor.subscription_ends", gina) == STATE_UNKNOWN


async def test_first_of_several_subscriptions(
    hass: HomeAssistant, simulator: PlexSimulator, world: DemoWorld
) -> None:
    """With several subscriptions the earliest date counts, of those that are active."""
    ben = world.free
    ben.overrides["subscriptions"] = [
        {"state": "active", "renewsAt": 1_900_000_000, "endsAt": None},
        {"state": "active", "renewsAt": 1_800_000_000, "endsAt": 1_850_000_000},
        {"state": "ended", "renewsAt": 1_700_000_000, "endsAt": 1_700_000_000},
        "nonsense",
    ]
    await async_add_account(hass, simulator, ben)
    assert (
        moment(state_of(hass, "sensor.subscription_renews", ben)).timestamp()
        == 1_800_000_000
    )
    assert (
        moment(state_of(hass, "sensor.subscription_ends", ben)).timestamp()
        == 1_850_000_000
    )


async def test_token_last_verified(
    hass: HomeAssistant,
    simulator: PlexSimulator,
    world: DemoWorld,
    freezer: FrozenDateTimeFactory,
) -> None:
    """The moment of the last successful poll is shown."""
    anna = world.two_factor
    await async_add_account(hass, simulator, anna)
    first = moment(state_of(hass, "sensor.token_last_verified", anna))
    await async_pass(hass, freezer, timedelta(minutes=30))
    assert moment(
        state_of(hass, "sensor.token_last_verified", anna)
    ) - first == timedelta(minutes=30)


async def test_servers(
    hass: HomeAssistant,
    simulator: PlexSimulator,
    world: DemoWorld,
    freezer: FrozenDateTimeFactory,
) -> None:
    """All servers of the account count, those not added too, and no clients."""
    anna = world.two_factor
    anna.sign_in_token("a player", product="Plex for Player")
    entry = await async_add_account(hass, simulator, anna, [world.living_room])
    assert state_of(hass, "sensor.servers", anna) == "3"
    await simulator.add_server("New", anna)
    await account_coordinator(entry).servers.renew(now=True)
    await async_pass(hass, freezer, timedelta(minutes=30))
    assert state_of(hass, "sensor.servers", anna) == "4"


@pytest.mark.usefixtures("all_enabled")
async def test_account_details(
    hass: HomeAssistant, simulator: PlexSimulator, world: DemoWorld
) -> None:
    """The details of the account that few need are right."""
    anna = world.two_factor
    await async_add_account(hass, simulator, anna)
    assert state_of(hass, "sensor.home_users", anna) == "2"
    assert moment(
        state_of(hass, "sensor.account_created", anna)
    ) == anna.joined_at.replace(microsecond=0)
    remembered = moment(state_of(hass, "sensor.sign_in_remembered_until", anna))
    assert timedelta(days=13) < remembered - dt_util.utcnow() <= timedelta(days=14)


@pytest.mark.usefixtures("all_enabled")
async def test_version(
    hass: HomeAssistant,
    simulator: PlexSimulator,
    world: DemoWorld,
    freezer: FrozenDateTimeFactory,
) -> None:
    """The version follows an update of the server."""
    anna, server = world.two_factor, world.living_room
    await async_add_account(hass, simulator, anna, [server])
    assert state_of(hass, "sensor.version", anna, server) == server.version
    server.version = "1.50.0.1-abc"
    await async_pass(hass, freezer, timedelta(minutes=5))
    assert state_of(hass, "sensor.version", anna, server) == "1.50.0.1-abc"


@pytest.mark.parametrize(
    ("closed", "kind"),
    [
        ((), "local"),
        ((Way.LOCAL,), "remote"),
        ((Way.LOCAL, Way.REMOTE), "relay"),
        ((Way.LOCAL, Way.REMOTE, Way.RELAY), STATE_UNAVAILABLE),
    ],
)
async def test_connection(
    hass: HomeAssistant,
    simulator: PlexSimulator,
    world: DemoWorld,
    plex_direct: None,
    closed: tuple[Way, ...],
    kind: str,
) -> None:
    """The connection is the best of those that work."""
    anna, server = world.two_factor, world.living_room
    for way in closed:
        await server.close_way(way)
    await async_add_account(hass, simulator, anna, [server])
    assert state_of(hass, "sensor.connection", anna, server) == kind


async def test_connection_typed_by_the_user(
    hass: HomeAssistant, simulator: PlexSimulator, world: DemoWorld
) -> None:
    """An address that the user typed is used instead of the listed ones."""
    anna, server = world.two_factor, world.living_room
    await async_add_account(
        hass, simulator, anna, [server_data(server, anna, url=server.http_url)]
    )
    assert state_of(hass, "sensor.connection", anna, server) == "custom"
    assert not entity_of(hass, "sensor.connection", anna, server).attributes.get("url")


async def test_transient_token_expires(
    hass: HomeAssistant,
    simulator: PlexSimulator,
    world: DemoWorld,
    freezer: FrozenDateTimeFactory,
) -> None:
    """The latest moment of the last token's life is shown until it has come."""
    anna, server = world.two_factor, world.living_room
    entry = await async_add_account(hass, simulator, anna, [server])
    name = "sensor.transient_token_expires"
    assert state_of(hass, name, anna, server) == STATE_UNKNOWN
    for _ in range(2):
        freezer.tick(timedelta(minutes=1))
        response = await hass.services.async_call(
            DOMAIN,
            "get_transient_token",
            {"device_id": device_of(hass, entry, server).id},
            blocking=True,
            return_response=True,
        )
        assert response is not None
        expires_at = moment(state_of(hass, name, anna, server))
        assert expires_at == moment(str(response["expires_at"])).replace(microsecond=0)
        assert expires_at == (dt_util.utcnow() + timedelta(hours=48)).replace(
            microsecond=0
        )
    await async_pass(hass, freezer, timedelta(hours=47, minutes=59))
    assert moment(state_of(hass, name, anna, server)) == expires_at
    await async_pass(hass, freezer, timedelta(minutes=1))
    assert state_of(hass, name, anna, server) == STATE_UNKNOWN


async def test_transient_token_of_a_server_that_is_away(
    hass: HomeAssistant,
    simulator: PlexSimulator,
    world: DemoWorld,
    freezer: FrozenDateTimeFactory,
) -> None:
    """A restart destroys the token, and the sensor says so within one poll."""
    anna, server = world.two_factor, world.living_room
    entry = await async_add_account(hass, simulator, anna, [server])
    await async_get_transient_token(hass, entry, server)
    name = "sensor.transient_token_expires"
    await server.restart()
    assert state_of(hass, name, anna, server) not in (STATE_UNKNOWN, STATE_UNAVAILABLE)
    await async_pass(hass, freezer, timedelta(minutes=5))
    assert state_of(hass, name, anna, server) == STATE_UNKNOWN


# Watched sources


def source_of(server: MediaServer) -> str:
    """Return a server as a source."""
    return f"server://{server.machine_identifier}"


def watching(
    server: MediaServer, account: Account, *sources: str
) -> ConfigSubentryData:
    """Return the subentry of a server with watched sources."""
    return server_data(server, account, sources=list(sources))


async def test_sources(
    hass: HomeAssistant, simulator: PlexSimulator, world: DemoWorld
) -> None:
    """Each watched source has a sensor that says how it is reached, without a token."""
    anna, server = world.two_factor, world.living_room
    sources = (source_of(world.basement), f"provider://{PODCASTS}")
    await async_add_account(hass, simulator, anna, [watching(server, anna, *sources)])
    basement, podcasts = (
        entity_of(hass, f"sensor.source_{source}", anna, server) for source in sources
    )
    assert basement.state == "local"
    assert podcasts.state == "remote"
    assert basement.attributes["source"] == sources[0]
    assert basement.attributes["connections"] == [
        connection.uri for connection in world.basement.connections
    ]
    assert "Basement" in basement.name
    assert "Podcasts" in podcasts.name
    shown = str((basement.as_dict(), podcasts.as_dict()))
    assert not any(secret in shown for secret in simulator.secrets())


@pytest.mark.parametrize(
    ("ways", "state"),
    [
        ((Way.LOCAL, Way.REMOTE, Way.RELAY), "local"),
        ((Way.RELAY, Way.REMOTE), "remote"),
        ((Way.RELAY,), "relay"),
        ((), "no_connection"),
    ],
)
async def test_best_connection_of_a_source(
    hass: HomeAssistant,
    simulator: PlexSimulator,
    world: DemoWorld,
    ways: tuple[Way, ...],
    state: str,
) -> None:
    """The best of the listed connections counts, whether it works or not."""
    anna, server, other = world.two_factor, world.living_room, world.basement
    ports = [other.ways[way].port for way in ways]
    other.connections = [
        connection for connection in other.connections if connection.port in ports
    ]
    await other.stop()
    source = source_of(other)
    await async_add_account(hass, simulator, anna, [watching(server, anna, source)])
    assert state_of(hass, f"sensor.source_{source}", anna, server) == state


async def test_source_that_comes_and_goes(
    hass: HomeAssistant,
    simulator: PlexSimulator,
    world: DemoWorld,
    freezer: FrozenDateTimeFactory,
) -> None:
    """A source is asked for every 30 minutes; one that is not known is unavailable."""
    anna, server = world.two_factor, world.living_room
    lost, kept = source_of(world.basement), f"provider://{PODCASTS}"
    server.forget_source(lost)
    await async_add_account(hass, simulator, anna, [watching(server, anna, lost, kept)])
    missing = entity_of(hass, f"sensor.source_{lost}", anna, server)
    assert missing.state == STATE_UNAVAILABLE
    assert "Basement" in missing.name
    assert state_of(hass, f"sensor.source_{kept}", anna, server) == "remote"
    simulator.requests.clear()
    server.add_source(lost, world.basement.as_source())
    for _ in range(5):
        await async_pass(hass, freezer, timedelta(minutes=5))
    assert not simulator.requests_to("security_resources")
    await async_pass(hass, freezer, timedelta(minutes=5))
    assert len(simulator.requests_to("security_resources")) == 2
    assert state_of(hass, f"sensor.source_{lost}", anna, server) == "local"
    await server.stop()
    await async_pass(hass, freezer, timedelta(minutes=30))
    for source in (lost, kept):
        assert (
            state_of(hass, f"sensor.source_{source}", anna, server) == STATE_UNAVAILABLE
        )
    assert state_of(hass, "binary_sensor.token", anna) == "off"


@pytest.mark.parametrize("reason", ["shared", "old"])
async def test_server_that_tells_no_sources(
    hass: HomeAssistant, simulator: PlexSimulator, world: DemoWorld, reason: str
) -> None:
    """A server of somebody else and one that is too old are not asked."""
    anna = world.two_factor
    server = world.shared if reason == "shared" else world.living_room
    if reason == "old":
        server.version = "1.15.3.876-ad6e39743"
    source = source_of(world.basement)
    entry = await async_add_account(
        hass, simulator, anna, [watching(server, anna, source)]
    )
    assert state_of(hass, f"sensor.source_{source}", anna, server) == STATE_UNAVAILABLE
    assert state_of(hass, "binary_sensor.reachable", anna, server) == "on"
    assert not simulator.requests_to("security_resources")
    assert not reauth_flows(hass, entry)


async def test_source_that_is_watched_no_longer(
    hass: HomeAssistant,
    simulator: PlexSimulator,
    world: DemoWorld,
    entity_registry: er.EntityRegistry,
) -> None:
    """The sensor of a source goes with it; the others stay as they are."""
    anna, server = world.two_factor, world.living_room
    lost, kept = source_of(world.basement), f"provider://{PODCASTS}"
    entry = await async_add_account(
        hass,
        simulator,
        anna,
        [watching(server, anna, lost, kept), watching(world.basement, anna, kept)],
    )
    before = {
        entity.unique_id
        for entity in er.async_entries_for_config_entry(entity_registry, entry.entry_id)
    }
    subentry = subentry_of(entry, server)
    hass.config_entries.async_update_subentry(
        entry, subentry, data={**subentry.data, CONF_SOURCES: [kept]}
    )
    await async_settle(hass)
    after = {
        entity.unique_id
        for entity in er.async_entries_for_config_entry(entity_registry, entry.entry_id)
    }
    assert before - after == {f"{anna.uuid}_{server.machine_identifier}_source_{lost}"}
    assert state_of(hass, f"sensor.source_{kept}", anna, server) == "remote"


async def test_sources_while_plex_tv_is_away(
    hass: HomeAssistant, simulator: PlexSimulator, world: DemoWorld
) -> None:
    """Sources are watched by what is stored while plex.tv is away at start-up."""
    anna, server = world.two_factor, world.living_room
    source = source_of(world.basement)
    entry = make_entry(simulator, anna, [watching(server, anna, source)])
    await simulator.stop_plex_tv()
    await async_set_up(hass, entry)
    assert state_of(hass, f"sensor.source_{source}", anna, server) == "local"

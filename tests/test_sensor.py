"""The sensors of accounts and servers."""

from datetime import datetime, timedelta

from freezegun.api import FrozenDateTimeFactory
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.plex_auth.const import CONF_SOURCES, DOMAIN
from homeassistant.config_entries import ConfigSubentryData
from homeassistant.const import STATE_UNAVAILABLE, STATE_UNKNOWN, Platform
from homeassistant.helpers import entity_registry as er
from homeassistant.util import dt as dt_util

from .fixed_world import SnapshotPlatform
from .helpers import (
    account_coordinator,
    async_set_up,
    device_of,
    disabled_at_first,
    make_entry,
    server_data,
    source_of,
    subentry_of,
)
from .home import Home
from .plex_simulator import Account, Client, Fault, MediaServer, Subscription, Way
from .plex_simulator.worlds import PODCASTS


def moment(state: str) -> datetime:
    """Return the moment that a state shows."""
    parsed = dt_util.parse_datetime(state)
    assert parsed is not None
    return parsed


@pytest.mark.parametrize("kind", ["plex_pass", "free", "managed"])
async def test_sensors(snapshot_platform: SnapshotPlatform, kind: str) -> None:
    """Every sensor of each kind of account is as the snapshot shows it."""
    await snapshot_platform(Platform.SENSOR, kind)


async def test_disabled_by_default(home: Home) -> None:
    """What few need is there, but disabled."""
    entry = await home.add(home.ben, home.server)
    assert disabled_at_first(home.hass, entry, Platform.SENSOR) == {
        "authorized_devices",
        "plex_home_users",
        "sign_in_last_verified",
        "account_created",
        "sign_in_remembered_until",
        f"{home.server.machine_identifier}_version",
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
        ("", None),
        (None, None),
        (17, None),
    ],
)
async def test_subscription_status(
    home: Home, status: str | int | None, state: str | None
) -> None:
    """Known statuses have a key to translate, others are shown as Plex gives them."""
    home.ben.overrides["subscription"] = {"active": True, "status": status}
    await home.add(home.ben)
    assert home.shown("sensor.subscription_status", home.ben) == state


@pytest.mark.parametrize(
    ("plan", "state"),
    [
        ("lifetime", "lifetime"),
        ("fortnightly", "fortnightly"),
        pytest.param("ü" * 256, "ü" * 255, id="too long"),
        (None, None),
    ],
)
async def test_subscription_plan(
    home: Home, plan: str | None, state: str | None
) -> None:
    """Plans are shown as Plex gives them, cut where Home Assistant takes no more."""
    home.ben.overrides["subscription"] = {"active": True, "plan": plan}
    await home.add(home.ben)
    assert home.shown("sensor.subscription_plan", home.ben) == state


async def test_renewal(home: Home) -> None:
    """A subscription that renews has that date, and no end."""
    carla = home.world.yearly
    await home.add(carla)
    renews_at = carla.subscription.renews_at
    assert renews_at is not None
    assert moment(home.state("sensor.subscription_renews", carla)) == renews_at.replace(
        microsecond=0
    )
    assert home.shown("sensor.subscription_ends", carla) is None


async def test_cancelled(home: Home) -> None:
    """A subscription that was cancelled has an end, and renews no more."""
    ben = home.ben
    now = home.simulator.clock.now()
    ben.subscription = Subscription.cancelled(
        now - timedelta(days=20), now + timedelta(days=10)
    )
    await home.add(ben)
    assert home.state("sensor.subscription_status", ben) == "pending_cancellation"
    assert home.shown("sensor.subscription_renews", ben) is None
    ends_at = ben.subscription.ends_at
    assert ends_at is not None
    assert moment(home.state("sensor.subscription_ends", ben)) == ends_at.replace(
        microsecond=0
    )


async def test_ended(home: Home) -> None:
    """A subscription that is over neither renews nor ends."""
    gina = home.world.without_servers
    await home.add(gina)
    assert home.state("sensor.subscription_status", gina) == "inactive"
    assert home.shown("sensor.subscription_renews", gina) is None
    assert home.shown("sensor.subscription_ends", gina) is None


async def test_first_of_several_subscriptions(home: Home) -> None:
    """With several subscriptions the earliest date counts, of those that are active."""
    ben = home.ben
    ben.overrides["subscriptions"] = [
        {"state": "active", "renewsAt": 1_900_000_000, "endsAt": None},
        {"state": "active", "renewsAt": 1_800_000_000, "endsAt": 1_850_000_000},
        {"state": "ended", "renewsAt": 1_700_000_000, "endsAt": 1_700_000_000},
        "nonsense",
    ]
    await home.add(ben)
    assert (
        moment(home.state("sensor.subscription_renews", ben)).timestamp()
        == 1_800_000_000
    )
    assert (
        moment(home.state("sensor.subscription_ends", ben)).timestamp() == 1_850_000_000
    )


async def test_subscription_later(home: Home, freezer: FrozenDateTimeFactory) -> None:
    """What Plex names later is there from then on, also when it is named no longer."""
    ben, now = home.ben, home.simulator.clock.now()
    named = [f"sensor.subscription_{key}" for key in ("status", "plan", "renews")]
    ends = "sensor.subscription_ends"
    ben.omitted |= {"subscription", "subscriptions"}
    entry = await home.add(ben)
    assert [home.shown(name, ben) for name in (*named, ends)] == [None] * 4
    ben.omitted -= {"subscription", "subscriptions"}
    ben.subscription = Subscription.yearly(now, now + timedelta(days=365))
    await home.wait(freezer, timedelta(minutes=30))
    assert home.state(named[0], ben) == "active"
    assert home.state(named[1], ben) == "yearly"
    renews_at = (now + timedelta(days=365)).replace(microsecond=0)
    assert moment(home.state(named[2], ben)) == renews_at
    assert home.shown(ends, ben) is None
    ben.omitted |= {"subscription", "subscriptions"}
    await home.wait(freezer, timedelta(minutes=30))
    assert [home.state(name, ben) for name in named] == [STATE_UNKNOWN] * 3
    await home.reload(entry)
    assert [home.state(name, ben) for name in named] == [STATE_UNKNOWN] * 3
    home.simulator.faults.set("user", Fault.plex_error(1001, 401))
    await home.reload(entry)
    assert [home.state(name, ben) for name in named] == [STATE_UNAVAILABLE] * 3
    assert home.shown(ends, ben) is None


@pytest.mark.usefixtures("all_enabled")
async def test_sign_in_last_verified(
    home: Home, freezer: FrozenDateTimeFactory
) -> None:
    """The moment of the last successful poll is shown, while Plex rejects it as well."""
    name = "sensor.sign_in_last_verified"
    await home.add(home.anna)
    first = moment(home.state(name))
    await home.wait(freezer, timedelta(minutes=30))
    last = home.state(name)
    assert moment(last) - first == timedelta(minutes=30)
    home.simulator.faults.set("user", Fault.html(502))
    await home.wait(freezer, timedelta(minutes=30))
    assert home.state(name) == STATE_UNAVAILABLE
    home.simulator.faults.set("user", Fault.plex_error(1001, 401))
    for _ in range(3):
        await home.wait(freezer, timedelta(minutes=30))
        assert home.state(name) == last
    assert home.state("binary_sensor.plex_pass") == STATE_UNAVAILABLE


@pytest.mark.usefixtures("all_enabled")
async def test_sign_in_never_verified(home: Home) -> None:
    """A sign-in that was rejected from the start has no such moment."""
    home.simulator.faults.set("user", Fault.plex_error(1001, 401))
    await home.add(home.anna)
    assert home.state("binary_sensor.sign_in") == "on"
    assert home.state("sensor.sign_in_last_verified") == STATE_UNAVAILABLE


async def test_servers(home: Home, freezer: FrozenDateTimeFactory) -> None:
    """All servers of the account count, those not added too, and no clients."""
    home.anna.sign_in_token("a player", client=Client(product="Plex for Player"))
    entry = await home.add(home.anna, home.server)
    assert home.state("sensor.servers") == "3"
    await home.simulator.add_server("New", home.anna)
    await account_coordinator(entry).servers.renew(now=True)
    await home.wait(freezer, timedelta(minutes=30))
    assert home.state("sensor.servers") == "4"


@pytest.mark.usefixtures("all_enabled")
async def test_account_details(home: Home) -> None:
    """The details of the account that few need are right."""
    await home.add(home.anna)
    assert home.state("sensor.plex_home_users") == "2"
    assert moment(home.state("sensor.account_created")) == home.anna.joined_at.replace(
        microsecond=0
    )
    remembered = moment(home.state("sensor.sign_in_remembered_until"))
    assert timedelta(days=13) < remembered - dt_util.utcnow() <= timedelta(days=14)


@pytest.mark.usefixtures("all_enabled")
async def test_version(
    home: Home, freezer: FrozenDateTimeFactory, entry: MockConfigEntry
) -> None:
    """The version follows an update of the server."""
    assert home.state("sensor.version") == home.server.version
    home.server.version = "1.50.0.1-abc"
    await home.wait(freezer, timedelta(minutes=5))
    assert home.state("sensor.version") == "1.50.0.1-abc"


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
    home: Home, plex_direct: None, closed: tuple[Way, ...], kind: str
) -> None:
    """The connection is the best of those that work."""
    for way in closed:
        await home.server.close_way(way)
    await home.add(home.anna, home.server)
    state = home.entity("sensor.connection")
    assert state.state == kind
    uris = [c.uri for c in home.server.connections if c.port == _port(home, kind)]
    assert state.attributes.get("uri") == (uris[0] if uris else None)


def _port(home: Home, kind: str) -> int | None:
    """Return the port of a kind of connection to the server."""
    return home.server.ways[Way(kind)].port if kind in list(Way) else None


async def test_address_is_not_recorded(home: Home, entry: MockConfigEntry) -> None:
    """The address in use is an attribute without a token, which no recorder keeps."""
    state = home.entity("sensor.connection")
    assert state.state_info is not None
    assert "uri" in state.attributes
    assert "uri" in state.state_info["unrecorded_attributes"]
    assert not any(
        secret in str(state.as_dict()) for secret in home.simulator.secrets()
    )


async def test_connection_typed_by_the_user(home: Home) -> None:
    """An address that the user typed is used instead of the listed ones."""
    await home.add(
        home.anna, server_data(home.server, home.anna, url=home.server.http_url)
    )
    assert home.state("sensor.connection") == "custom"
    assert home.entity("sensor.connection").attributes["uri"] == home.server.http_url


async def test_transient_token_expires(
    home: Home, freezer: FrozenDateTimeFactory, entry: MockConfigEntry
) -> None:
    """The latest moment of the last token's life is shown until it has come."""
    name = "sensor.transient_token_expires"
    assert home.state(name) == STATE_UNKNOWN
    for _ in range(2):
        freezer.tick(timedelta(minutes=1))
        response = await home.hass.services.async_call(
            DOMAIN,
            "get_transient_token",
            {"device_id": device_of(home.hass, entry, home.server).id},
            blocking=True,
            return_response=True,
        )
        assert response is not None
        expires_at = moment(home.state(name))
        assert expires_at == moment(str(response["expires_at"])).replace(microsecond=0)
        assert expires_at == (dt_util.utcnow() + timedelta(hours=48)).replace(
            microsecond=0
        )
    await home.wait(freezer, timedelta(hours=47, minutes=59))
    assert moment(home.state(name)) == expires_at
    await home.wait(freezer, timedelta(minutes=1))
    assert home.state(name) == STATE_UNKNOWN


async def test_transient_token_of_a_server_that_is_away(
    home: Home, freezer: FrozenDateTimeFactory, entry: MockConfigEntry
) -> None:
    """A restart destroys the token, and the sensor says so within one poll."""
    await home.transient_token()
    name = "sensor.transient_token_expires"
    await home.server.restart()
    assert home.state(name) not in (STATE_UNKNOWN, STATE_UNAVAILABLE)
    await home.wait(freezer, timedelta(minutes=5))
    assert home.state(name) == STATE_UNKNOWN


# Watched sources


def watching(
    server: MediaServer, account: Account, *sources: str
) -> ConfigSubentryData:
    """Return the subentry of a server with watched sources."""
    return server_data(server, account, sources=list(sources))


async def test_sources(home: Home) -> None:
    """Each watched source has a sensor that says how it is reached, without a token."""
    sources = (source_of(home.world.basement), f"provider://{PODCASTS}")
    await home.add(home.anna, watching(home.server, home.anna, *sources))
    basement, podcasts = (home.entity(f"sensor.source_{source}") for source in sources)
    assert basement.state == "local"
    assert podcasts.state == "remote"
    assert basement.attributes["source"] == sources[0]
    assert basement.attributes["connections"] == [
        connection.uri for connection in home.world.basement.connections
    ]
    assert "Basement" in basement.name
    assert "Podcasts" in podcasts.name
    shown = str((basement.as_dict(), podcasts.as_dict()))
    assert not any(secret in shown for secret in home.simulator.secrets())


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
    home: Home, ways: tuple[Way, ...], state: str
) -> None:
    """The best of the listed connections counts, whether it works or not."""
    anna, server, other = home.anna, home.server, home.world.basement
    ports = [other.ways[way].port for way in ways]
    other.connections = [
        connection for connection in other.connections if connection.port in ports
    ]
    await other.stop()
    source = source_of(other)
    await home.add(anna, watching(server, anna, source))
    assert home.state(f"sensor.source_{source}", anna, server) == state


async def test_source_that_comes_and_goes(
    home: Home, freezer: FrozenDateTimeFactory
) -> None:
    """A source is asked for every 30 minutes; one that is not known is unavailable."""
    lost, kept = source_of(home.world.basement), f"provider://{PODCASTS}"
    home.server.forget_source(lost)
    await home.add(home.anna, watching(home.server, home.anna, lost, kept))
    missing = home.entity(f"sensor.source_{lost}")
    assert missing.state == STATE_UNAVAILABLE
    assert "Basement" in missing.name
    assert home.state(f"sensor.source_{kept}") == "remote"
    home.simulator.requests.clear()
    home.server.add_source(lost, home.world.basement.as_source())
    for _ in range(5):
        await home.wait(freezer, timedelta(minutes=5))
    assert not home.simulator.requests_to("security_resources")
    await home.wait(freezer, timedelta(minutes=5))
    assert len(home.simulator.requests_to("security_resources")) == 2
    assert home.state(f"sensor.source_{lost}") == "local"
    await home.server.stop()
    await home.wait(freezer, timedelta(minutes=30))
    for source in (lost, kept):
        assert home.state(f"sensor.source_{source}") == STATE_UNAVAILABLE
    assert home.state("binary_sensor.sign_in") == "off"


@pytest.mark.parametrize("reason", ["shared", "old"])
async def test_server_that_tells_no_sources(home: Home, reason: str) -> None:
    """A server of somebody else and one that is too old are not asked."""
    server = home.world.shared if reason == "shared" else home.server
    if reason == "old":
        server.version = "1.15.3.876-ad6e39743"
    source = source_of(home.world.basement)
    entry = await home.add(home.anna, watching(server, home.anna, source))
    assert home.state(f"sensor.source_{source}", server) == STATE_UNAVAILABLE
    assert home.state("binary_sensor.reachable", server) == "on"
    assert not home.simulator.requests_to("security_resources")
    assert not home.reauth_flows(entry)


async def test_source_that_is_watched_no_longer(
    home: Home, entity_registry: er.EntityRegistry
) -> None:
    """The sensor of a source goes with it; the others stay as they are."""
    lost, kept = source_of(home.world.basement), f"provider://{PODCASTS}"
    entry = await home.add(
        home.anna,
        watching(home.server, home.anna, lost, kept),
        watching(home.world.basement, home.anna, kept),
    )
    before = {
        entity.unique_id
        for entity in er.async_entries_for_config_entry(entity_registry, entry.entry_id)
    }
    subentry = subentry_of(entry, home.server)
    home.hass.config_entries.async_update_subentry(
        entry, subentry, data={**subentry.data, CONF_SOURCES: [kept]}
    )
    await home.settle()
    after = {
        entity.unique_id
        for entity in er.async_entries_for_config_entry(entity_registry, entry.entry_id)
    }
    assert before - after == {
        f"{home.anna.uuid}_{home.server.machine_identifier}_source_{lost}"
    }
    assert home.state(f"sensor.source_{kept}") == "remote"


async def test_sources_while_plex_tv_is_away(home: Home) -> None:
    """Sources are watched by what is stored while plex.tv is away at start-up."""
    source = source_of(home.world.basement)
    entry = make_entry(
        home.simulator, home.anna, [watching(home.server, home.anna, source)]
    )
    await home.simulator.stop_plex_tv()
    await async_set_up(home.hass, entry)
    assert home.state(f"sensor.source_{source}") == "local"

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

from .harness import Harness, SnapshotPlatform
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
from .plex_simulator import Account, Client, Fault, MediaServer, Subscription, Way
from .plex_simulator.worlds import PODCASTS

NOON_NEXT_YEAR = "2027-11-24 12:00:00+00:00"


def moment(state: str) -> datetime:
    """Return the moment that a state shows."""
    parsed = dt_util.parse_datetime(state)
    assert parsed is not None
    return parsed


@pytest.mark.parametrize("kind", ["plex_pass", "free", "managed"])
async def test_sensors(snapshot_platform: SnapshotPlatform, kind: str) -> None:
    """Every sensor of each kind of account is as the snapshot shows it."""
    await snapshot_platform(Platform.SENSOR, kind)


async def test_disabled_by_default(harness: Harness) -> None:
    """What few need is there, but disabled."""
    entry = await harness.add(harness.ben, harness.server)
    assert disabled_at_first(harness.hass, entry, Platform.SENSOR) == {
        "authorized_devices",
        "plex_home_users",
        "sign_in_last_verified",
        "account_created",
        "sign_in_remembered_until",
        f"{harness.server.machine_identifier}_version",
    }


async def test_subscription_texts(harness: Harness) -> None:
    """Known statuses have a key to translate; all else is shown as Plex gives it.

    It is cut where Home Assistant takes no more.
    """
    ben, texts = harness.ben, {"active": True, "status": "Active", "plan": "lifetime"}
    ben.overrides["subscription"] = texts
    entry = await harness.add(ben)
    for key, value, state in (
        ("status", "Active", "active"),
        ("status", "Inactive", "inactive"),
        ("status", "PendingCancellation", "pending_cancellation"),
        ("status", "Canceled", "canceled"),
        ("status", "Ended", "ended"),
        ("status", "Lapsed", "lapsed"),
        ("status", "Something New", "Something New"),
        ("status", "x" * 300, "x" * 255),
        ("plan", "lifetime", "lifetime"),
        ("plan", "remote-watch", "remote-watch"),
        ("plan", "fortnightly", "fortnightly"),
        ("plan", "ü" * 256, "ü" * 255),
    ):
        texts[key] = value
        await account_coordinator(entry).async_refresh()
        assert harness.state(f"sensor.subscription_{key}", ben) == state


@pytest.mark.parametrize("nothing", ["", None, 17])
async def test_no_subscription_texts(
    harness: Harness, nothing: str | int | None
) -> None:
    """Where Plex names neither a status nor a plan there is no sensor."""
    named = {"active": True, "status": nothing, "plan": nothing}
    harness.ben.overrides["subscription"] = named
    await harness.add(harness.ben)
    assert harness.shown("sensor.subscription_status", harness.ben) is None
    assert harness.shown("sensor.subscription_plan", harness.ben) is None


async def test_renewal(harness: Harness) -> None:
    """A subscription that renews has that date, and no end."""
    carla = harness.world.yearly
    await harness.add(carla)
    renews_at = carla.subscription.renews_at
    assert renews_at is not None
    assert moment(
        harness.state("sensor.subscription_renews", carla)
    ) == renews_at.replace(microsecond=0)
    assert harness.shown("sensor.subscription_ends", carla) is None


@pytest.mark.parametrize(
    ("state", "status"),
    [
        ("active", "pending_cancellation"),
        ("pending_cancellation", "pending_cancellation"),
        ("canceled", "canceled"),
    ],
)
async def test_cancelled(harness: Harness, state: str, status: str) -> None:
    """A canceled subscription that still runs has an end, and renews no more."""
    ben = harness.ben
    now = harness.simulator.clock.now()
    ben.subscription = Subscription.cancelled(
        now - timedelta(days=20), now + timedelta(days=10), state
    )
    await harness.add(ben)
    assert harness.state("binary_sensor.plex_pass", ben) == "on"
    assert harness.state("sensor.subscription_status", ben) == status
    assert harness.shown("sensor.subscription_renews", ben) is None
    ends_at = ben.subscription.ends_at
    assert ends_at is not None
    assert moment(harness.state("sensor.subscription_ends", ben)) == ends_at.replace(
        microsecond=0
    )


async def test_ended(harness: Harness) -> None:
    """A subscription that is over neither renews nor ends."""
    gina = harness.world.without_servers
    await harness.add(gina)
    assert harness.state("sensor.subscription_status", gina) == "inactive"
    assert harness.shown("sensor.subscription_renews", gina) is None
    assert harness.shown("sensor.subscription_ends", gina) is None


async def test_first_of_several_subscriptions(harness: Harness) -> None:
    """With several subscriptions the earliest date counts, of those that are active."""
    ben = harness.ben
    ben.overrides["subscriptions"] = [
        {"state": "active", "renewsAt": 1_900_000_000, "endsAt": None},
        {"state": "active", "renewsAt": 1_800_000_000, "endsAt": 1_850_000_000},
        {"state": "ended", "renewsAt": 1_700_000_000, "endsAt": 1_700_000_000},
        "nonsense",
    ]
    await harness.add(ben)
    assert (
        moment(harness.state("sensor.subscription_renews", ben)).timestamp()
        == 1_800_000_000
    )
    assert (
        moment(harness.state("sensor.subscription_ends", ben)).timestamp()
        == 1_850_000_000
    )


async def test_subscriptions_that_are_over(harness: Harness) -> None:
    """A canceled subscription counts until its end, an ended or lapsed one never."""
    ben, past, future = harness.ben, 1_700_000_000, 1_900_000_000
    listed: list[dict[str, object]] = [
        {"state": "ended", "endsAt": future},
        {"state": "lapsed", "endsAt": future},
        {"state": "canceled", "endsAt": past},
        {"state": "canceled", "endsAt": None, "renewsAt": past},
    ]
    ben.overrides["subscriptions"] = listed
    entry = await harness.add(ben)
    assert harness.shown("sensor.subscription_ends", ben) is None
    assert harness.shown("sensor.subscription_renews", ben) is None
    listed.append({"state": "canceled", "endsAt": future})
    await account_coordinator(entry).async_refresh()
    await harness.settle()
    assert moment(harness.state("sensor.subscription_ends", ben)).timestamp() == future


async def test_remote_watch_pass(harness: Harness) -> None:
    """A Remote Watch Pass has a plan and a date where there is no Plex Pass."""
    ben, now = harness.ben, harness.simulator.clock.now().replace(microsecond=0)
    ben.subscription = Subscription.remote_watch(now, now + timedelta(days=9))
    await harness.add(ben)
    assert harness.state("sensor.subscription_plan", ben) == "remote-watch"
    assert moment(harness.state("sensor.subscription_renews", ben)) == now + timedelta(
        days=9
    )


@pytest.mark.parametrize("first", ["Plex Pass", "Remote Watch Pass"])
async def test_remote_watch_pass_beside_a_plex_pass(
    harness: Harness, first: str
) -> None:
    """The dates are the Plex Pass's, in whatever order Plex lists the subscriptions."""
    ben, now = harness.ben, harness.simulator.clock.now().replace(microsecond=0)
    remote = Subscription.remote_watch(now, now + timedelta(days=9))
    own = Subscription.cancelled(now, now + timedelta(days=20), "canceled")
    ben.subscription = (
        own.with_beside(remote) if first == "Plex Pass" else remote.with_beside(own)
    )
    await harness.add(ben)
    assert harness.shown("sensor.subscription_renews", ben) is None
    assert moment(harness.state("sensor.subscription_ends", ben)) == now + timedelta(
        days=20
    )
    assert harness.state("binary_sensor.plex_pass", ben) == "on"


async def test_lifetime_pass_after_a_canceled_one(harness: Harness) -> None:
    """A Plex Pass that never ends outlives the canceled one before: there is no end."""
    ben, now = harness.ben, harness.simulator.clock.now()
    before = Subscription.cancelled(now, now + timedelta(days=20), "canceled")
    ben.subscription = Subscription.lifetime(now).with_beside(before)
    await harness.add(ben)
    assert harness.shown("sensor.subscription_ends", ben) is None


async def test_subscription_later(
    harness: Harness, freezer: FrozenDateTimeFactory
) -> None:
    """What Plex names later is there from then on, also when it is named no longer."""
    ben, now = harness.ben, harness.simulator.clock.now()
    named = [f"sensor.subscription_{key}" for key in ("status", "plan", "renews")]
    ends = "sensor.subscription_ends"
    ben.omitted |= {"subscription", "subscriptions"}
    entry = await harness.add(ben)
    assert [harness.shown(name, ben) for name in (*named, ends)] == [None] * 4
    ben.omitted -= {"subscription", "subscriptions"}
    ben.subscription = Subscription.yearly(now, now + timedelta(days=365))
    await harness.wait(freezer, timedelta(minutes=30))
    assert harness.state(named[0], ben) == "active"
    assert harness.state(named[1], ben) == "yearly"
    renews_at = (now + timedelta(days=365)).replace(microsecond=0)
    assert moment(harness.state(named[2], ben)) == renews_at
    assert harness.shown(ends, ben) is None
    ben.omitted |= {"subscription", "subscriptions"}
    await harness.wait(freezer, timedelta(minutes=30))
    assert [harness.state(name, ben) for name in named] == [STATE_UNKNOWN] * 3
    await harness.reload(entry)
    assert [harness.state(name, ben) for name in named] == [STATE_UNKNOWN] * 3
    harness.simulator.faults.set("user", Fault.plex_error(1001, 401))
    await harness.reload(entry)
    assert [harness.state(name, ben) for name in named] == [STATE_UNAVAILABLE] * 3
    assert harness.shown(ends, ben) is None


@pytest.mark.usefixtures("all_enabled")
async def test_sign_in_last_verified(
    harness: Harness, freezer: FrozenDateTimeFactory
) -> None:
    """The moment of the last successful poll is shown, while Plex rejects it as well."""
    name = "sensor.sign_in_last_verified"
    await harness.add(harness.anna)
    first = moment(harness.state(name))
    await harness.wait(freezer, timedelta(minutes=30))
    last = harness.state(name)
    assert moment(last) - first == timedelta(minutes=30)
    harness.simulator.faults.set("user", Fault.html(502))
    await harness.wait(freezer, timedelta(minutes=30))
    assert harness.state(name) == STATE_UNAVAILABLE
    harness.simulator.faults.set("user", Fault.plex_error(1001, 401))
    for _ in range(3):
        await harness.wait(freezer, timedelta(minutes=30))
        assert harness.state(name) == last
    assert harness.state("binary_sensor.plex_pass") == STATE_UNAVAILABLE


@pytest.mark.usefixtures("all_enabled")
async def test_sign_in_never_verified(harness: Harness) -> None:
    """A sign-in that was rejected from the start has no such moment."""
    harness.simulator.faults.set("user", Fault.plex_error(1001, 401))
    await harness.add(harness.anna)
    assert harness.state("binary_sensor.sign_in") == "on"
    assert harness.state("sensor.sign_in_last_verified") == STATE_UNAVAILABLE


async def test_servers(harness: Harness, freezer: FrozenDateTimeFactory) -> None:
    """All servers of the account count, those not added too, and no clients."""
    harness.anna.sign_in_token("a player", client=Client(product="Plex for Player"))
    entry = await harness.add(harness.anna, harness.server)
    assert harness.state("sensor.servers") == "3"
    await harness.simulator.add_server("New", harness.anna)
    await account_coordinator(entry).servers.renew(now=True)
    await harness.wait(freezer, timedelta(minutes=30))
    assert harness.state("sensor.servers") == "4"


@pytest.mark.usefixtures("all_enabled")
async def test_account_details(harness: Harness) -> None:
    """The details of the account that few need are right."""
    await harness.add(harness.anna)
    assert harness.state("sensor.plex_home_users") == "4"
    assert moment(
        harness.state("sensor.account_created")
    ) == harness.anna.joined_at.replace(microsecond=0)
    remembered = moment(harness.state("sensor.sign_in_remembered_until"))
    assert timedelta(days=13) < remembered - dt_util.utcnow() <= timedelta(days=14)


async def test_newest_authorized_device(
    harness: Harness, freezer: FrozenDateTimeFactory
) -> None:
    """The device that signed in last is named, with what its event says, and when.

    It is never this Home Assistant, and no secret is told.
    """
    name = "sensor.newest_authorized_device"
    freezer.move_to(NOON_NEXT_YEAR)
    entry = await harness.add(harness.ben)
    assert harness.state(name, harness.ben) == STATE_UNKNOWN
    freezer.tick(timedelta(hours=1))
    old = harness.ben.add_device(Client(name="Old"))
    freezer.tick(timedelta(hours=1))
    new = harness.ben.add_device(
        Client(name="Phone", product="Plex", platform="Android", device="Pixel")
    )
    freezer.tick(timedelta(hours=1))
    own = entry.data["client_identifier"]
    harness.ben.token_details[own].issued_at = dt_util.utcnow()
    await entry.runtime_data.async_check_now()
    state = harness.entity(name, harness.ben)
    assert state.state == "Phone"
    attributes = dict(state.attributes)
    del attributes["friendly_name"]
    assert attributes == {
        "id": new.device_id,
        "name": "Phone",
        "product": "Plex",
        "platform": "Android",
        "device": "Pixel",
        "created_at": "2027-11-24T14:00:00+00:00",
    }
    event = harness.entity("event.authorized_device", harness.ben).attributes
    assert attributes == {
        **{key: event[key] for key in attributes.keys() - {"created_at"}},
        "created_at": attributes["created_at"],
    }
    assert state.state_info is not None
    assert attributes.keys() <= state.state_info["unrecorded_attributes"]
    for secret in (new.value, new.client_identifier):
        assert secret not in str(state.as_dict())
    await harness.call("remove_device", id=new.device_id)
    assert harness.entity(name, harness.ben).attributes["id"] == old.device_id


async def test_newest_authorized_device_is_not_listed(
    harness: Harness, freezer: FrozenDateTimeFactory, entry: MockConfigEntry
) -> None:
    """The sensor is unavailable while Plex lists no devices, and stays after a reload."""
    name = "sensor.newest_authorized_device"
    known = harness.state(name)
    assert known not in (STATE_UNKNOWN, STATE_UNAVAILABLE)
    harness.simulator.faults.set("devices", Fault.status(503))
    await harness.wait(freezer, timedelta(hours=1))
    assert harness.state(name) == STATE_UNAVAILABLE
    await harness.reload(entry)
    assert harness.state(name) == STATE_UNAVAILABLE
    assert "restored" not in harness.entity(name).attributes
    harness.simulator.faults.clear()
    await harness.wait(freezer, timedelta(hours=1))
    assert harness.state(name) == known


async def test_newest_authorized_device_of_a_managed_user(
    harness: Harness, freezer: FrozenDateTimeFactory
) -> None:
    """A managed user, who may not ask for devices, has no such sensor."""
    managed = harness.world.managed
    await harness.add(managed)
    await harness.wait(freezer, timedelta(days=1))
    assert harness.simulator.requests_to("devices")
    assert harness.shown("sensor.newest_authorized_device", managed) is None


@pytest.mark.usefixtures("all_enabled")
async def test_version(
    harness: Harness, freezer: FrozenDateTimeFactory, entry: MockConfigEntry
) -> None:
    """The version follows an update of the server."""
    assert harness.state("sensor.version") == harness.server.version
    harness.server.version = "1.50.0.1-abc"
    await harness.wait(freezer, timedelta(minutes=5))
    assert harness.state("sensor.version") == "1.50.0.1-abc"


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
    harness: Harness, plex_direct: None, closed: tuple[Way, ...], kind: str
) -> None:
    """The connection is the best of those that work."""
    for way in closed:
        await harness.server.close_way(way)
    await harness.add(harness.anna, harness.server)
    state = harness.entity("sensor.connection")
    assert state.state == kind
    uris = [c.uri for c in harness.server.connections if c.port == _port(harness, kind)]
    assert state.attributes.get("uri") == (uris[0] if uris else None)


def _port(harness: Harness, kind: str) -> int | None:
    """Return the port of a kind of connection to the server."""
    return harness.server.ways[Way(kind)].port if kind in list(Way) else None


async def test_address_is_not_recorded(
    harness: Harness, entry: MockConfigEntry
) -> None:
    """The address in use is an attribute without a token, which no recorder keeps."""
    state = harness.entity("sensor.connection")
    assert state.state_info is not None
    assert "uri" in state.attributes
    assert "uri" in state.state_info["unrecorded_attributes"]
    assert not any(
        secret in str(state.as_dict()) for secret in harness.simulator.secrets()
    )


async def test_connection_typed_by_the_user(harness: Harness) -> None:
    """An address that the user typed is used instead of the listed ones."""
    await harness.add(
        harness.anna,
        server_data(harness.server, harness.anna, url=harness.server.http_url),
    )
    assert harness.state("sensor.connection") == "custom"
    assert (
        harness.entity("sensor.connection").attributes["uri"] == harness.server.http_url
    )


async def test_transient_token_expires(
    harness: Harness, freezer: FrozenDateTimeFactory, entry: MockConfigEntry
) -> None:
    """The latest moment of the last token's life is shown until it has come."""
    name = "sensor.transient_token_expires"
    assert harness.state(name) == STATE_UNKNOWN
    for _ in range(2):
        freezer.tick(timedelta(minutes=1))
        response = await harness.hass.services.async_call(
            DOMAIN,
            "get_transient_token",
            {"device_id": device_of(harness.hass, entry, harness.server).id},
            blocking=True,
            return_response=True,
        )
        assert response is not None
        expires_at = moment(harness.state(name))
        assert expires_at == moment(str(response["expires_at"])).replace(microsecond=0)
        assert expires_at == (dt_util.utcnow() + timedelta(hours=48)).replace(
            microsecond=0
        )
    await harness.wait(freezer, timedelta(hours=47, minutes=59))
    assert moment(harness.state(name)) == expires_at
    await harness.wait(freezer, timedelta(minutes=1))
    assert harness.state(name) == STATE_UNKNOWN


async def test_transient_token_of_a_server_that_is_away(
    harness: Harness, freezer: FrozenDateTimeFactory, entry: MockConfigEntry
) -> None:
    """A restart destroys the token, and the sensor says so within one poll."""
    await harness.transient_token()
    name = "sensor.transient_token_expires"
    await harness.server.restart()
    assert harness.state(name) not in (STATE_UNKNOWN, STATE_UNAVAILABLE)
    await harness.wait(freezer, timedelta(minutes=5))
    assert harness.state(name) == STATE_UNKNOWN


# Watched sources


def watching(
    server: MediaServer, account: Account, *sources: str
) -> ConfigSubentryData:
    """Return the subentry of a server with watched sources."""
    return server_data(server, account, sources=list(sources))


async def test_sources(harness: Harness) -> None:
    """Each watched source has a sensor that says how it is reached, without a token."""
    sources = (source_of(harness.world.basement), f"provider://{PODCASTS}")
    await harness.add(harness.anna, watching(harness.server, harness.anna, *sources))
    basement, podcasts = (
        harness.entity(f"sensor.source_{source}") for source in sources
    )
    assert basement.state == "local"
    assert podcasts.state == "remote"
    assert basement.attributes["source"] == sources[0]
    assert basement.attributes["connections"] == [
        connection.uri for connection in harness.world.basement.connections
    ]
    assert "Basement" in basement.name
    assert "Podcasts" in podcasts.name
    shown = str((basement.as_dict(), podcasts.as_dict()))
    assert not any(secret in shown for secret in harness.simulator.secrets())


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
    harness: Harness, ways: tuple[Way, ...], state: str
) -> None:
    """The best of the listed connections counts, whether it works or not."""
    anna, server, other = harness.anna, harness.server, harness.world.basement
    ports = [other.ways[way].port for way in ways]
    other.connections = [
        connection for connection in other.connections if connection.port in ports
    ]
    await other.stop()
    source = source_of(other)
    await harness.add(anna, watching(server, anna, source))
    assert harness.state(f"sensor.source_{source}", anna, server) == state


async def test_source_that_comes_and_goes(
    harness: Harness, freezer: FrozenDateTimeFactory
) -> None:
    """A source is asked for every 30 minutes; one that is not known is unavailable."""
    lost, kept = source_of(harness.world.basement), f"provider://{PODCASTS}"
    harness.server.forget_source(lost)
    await harness.add(harness.anna, watching(harness.server, harness.anna, lost, kept))
    missing = harness.entity(f"sensor.source_{lost}")
    assert missing.state == STATE_UNAVAILABLE
    assert "Basement" in missing.name
    assert harness.state(f"sensor.source_{kept}") == "remote"
    harness.simulator.requests.clear()
    harness.server.add_source(lost, harness.world.basement.as_source())
    for _ in range(5):
        await harness.wait(freezer, timedelta(minutes=5))
    assert not harness.simulator.requests_to("security_resources")
    await harness.wait(freezer, timedelta(minutes=5))
    assert len(harness.simulator.requests_to("security_resources")) == 2
    assert harness.state(f"sensor.source_{lost}") == "local"
    await harness.server.stop()
    await harness.wait(freezer, timedelta(minutes=30))
    for source in (lost, kept):
        assert harness.state(f"sensor.source_{source}") == STATE_UNAVAILABLE
    assert harness.state("binary_sensor.sign_in") == "off"


@pytest.mark.parametrize("reason", ["shared", "old"])
async def test_server_that_tells_no_sources(harness: Harness, reason: str) -> None:
    """A server of somebody else and one that is too old are not asked."""
    server = harness.world.shared if reason == "shared" else harness.server
    if reason == "old":
        server.version = "1.15.3.876-ad6e39743"
    source = source_of(harness.world.basement)
    entry = await harness.add(harness.anna, watching(server, harness.anna, source))
    assert harness.state(f"sensor.source_{source}", server) == STATE_UNAVAILABLE
    assert harness.state("binary_sensor.reachable", server) == "on"
    assert not harness.simulator.requests_to("security_resources")
    assert not harness.reauth_flows(entry)


async def test_source_that_is_watched_no_longer(
    harness: Harness, entity_registry: er.EntityRegistry
) -> None:
    """The sensor of a source goes with it; the others stay as they are."""
    lost, kept = source_of(harness.world.basement), f"provider://{PODCASTS}"
    entry = await harness.add(
        harness.anna,
        watching(harness.server, harness.anna, lost, kept),
        watching(harness.world.basement, harness.anna, kept),
    )
    before = {
        entity.unique_id
        for entity in er.async_entries_for_config_entry(entity_registry, entry.entry_id)
    }
    subentry = subentry_of(entry, harness.server)
    harness.hass.config_entries.async_update_subentry(
        entry, subentry, data={**subentry.data, CONF_SOURCES: [kept]}
    )
    await harness.settle()
    after = {
        entity.unique_id
        for entity in er.async_entries_for_config_entry(entity_registry, entry.entry_id)
    }
    assert before - after == {
        f"{harness.anna.uuid}_{harness.server.machine_identifier}_source_{lost}"
    }
    assert harness.state(f"sensor.source_{kept}") == "remote"


async def test_sources_while_plex_tv_is_away(harness: Harness) -> None:
    """Sources are watched by what is stored while plex.tv is away at start-up."""
    source = source_of(harness.world.basement)
    entry = make_entry(
        harness.simulator,
        harness.anna,
        [watching(harness.server, harness.anna, source)],
    )
    await harness.simulator.stop_plex_tv()
    await async_set_up(harness.hass, entry)
    assert harness.state(f"sensor.source_{source}") == "local"


async def test_servers_of_a_home_user(
    harness: Harness, freezer: FrozenDateTimeFactory, entry: MockConfigEntry
) -> None:
    """The servers that the user may see are counted, not those of the account."""
    child = harness.world.home.child
    await harness.add_home_user(entry, child)
    assert harness.state("sensor.servers", child) == "1"
    harness.world.basement.shared_with.append(child)
    await harness.wait(freezer, timedelta(hours=1, seconds=1))
    assert harness.state("sensor.servers", child) == "2"
    harness.simulator.faults.set("resources", Fault.status(503))
    await harness.wait(freezer, timedelta(hours=1, seconds=1))
    assert harness.state("sensor.servers", child) == STATE_UNAVAILABLE

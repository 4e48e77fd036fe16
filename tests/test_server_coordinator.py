"""The polls of a server that is listened to, and of its sources."""

import asyncio
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
import json
import logging

from aiohttp import web
from freezegun.api import FrozenDateTimeFactory
import pytest
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    async_capture_events,
)

from custom_components.plex_auth.api.transport import HEARTBEAT
from custom_components.plex_auth.const import CONF_SOURCES
from custom_components.plex_auth.diagnostics import async_get_config_entry_diagnostics
from homeassistant.const import (
    EVENT_HOMEASSISTANT_STOP,
    EVENT_STATE_CHANGED,
    STATE_UNAVAILABLE,
)
from homeassistant.core import CoreState, Event

from .harness import Harness
from .helpers import (
    account_coordinator,
    async_arrival,
    server_coordinator,
    server_data,
    source_of,
    until,
)
from .plex_simulator import Fault, MediaServer
from .plex_simulator.faults import Exchange
from .plex_simulator.worlds import PODCASTS

POLL = timedelta(minutes=5)
LATE_POLL = POLL + timedelta(seconds=1)
SOURCE_POLL = timedelta(minutes=30, seconds=1)
PODCASTS_SOURCE = f"provider://{PODCASTS}"
REACHABLE = "binary_sensor.reachable"
TRANSIENT_TOKEN = "event.transient_token"


class Ear:
    """Let Anna's account listen to her server, while a test moves the time."""

    def __init__(
        self, harness: Harness, freezer: FrozenDateTimeFactory, entry: MockConfigEntry
    ) -> None:
        """Take the harness."""
        self.harness, self.freezer, self.entry = harness, freezer, entry
        self.server = harness.server
        self.events = async_capture_events(harness.hass, EVENT_STATE_CHANGED)

    async def heard(self, server: MediaServer | None = None) -> None:
        """Wait for the socket to be open."""
        coordinator = server_coordinator(self.entry, server or self.server)
        await until(lambda: coordinator.notifications.is_open)
        await self.harness.settle()

    async def wait(self, seconds: float) -> None:
        """Let time pass second by second."""
        for _ in range(int(seconds)):
            await self.step(timedelta(seconds=1))

    async def step(self, step: timedelta) -> None:
        """Let time pass at once; what was sent has arrived before, and has after."""
        await self.breathe()
        await self.harness.wait(self.freezer, step)
        await self.breathe()

    async def breathe(self) -> None:
        """Let everything arrive that has been sent."""
        for _ in range(30):
            await self.harness.settle()
            await asyncio.sleep(0)

    async def state(self, expected: str, server: MediaServer | None = None) -> None:
        """Wait for the server to be reachable, or not to be."""
        await until(
            lambda: self.harness.state(REACHABLE, server or self.server) == expected
        )
        await self.harness.settle()

    def states(self, name: str) -> list[str]:
        """Return the states that an entity has had since it was there."""
        entity_id = self.harness.entity_id(name)
        return [
            event.data["new_state"].state
            for event in self.events
            if event.data["entity_id"] == entity_id and event.data["new_state"]
        ]

    def token_events(self) -> list[str]:
        """Return what has happened to transient tokens."""
        entity_id = self.harness.entity_id(TRANSIENT_TOKEN)
        return [
            event.data["new_state"].attributes["event_type"]
            for event in self.events
            if event.data["entity_id"] == entity_id
            and event.data["new_state"]
            and event.data["new_state"].attributes["event_type"]
        ]


@pytest.fixture
async def ear(harness: Harness, freezer: FrozenDateTimeFactory) -> Ear:
    """Return Anna's account, which listens to her server."""
    harness.server.notifications.allowed = True
    ear = Ear(harness, freezer, await harness.add(harness.anna, harness.server))
    await ear.heard()
    return ear


async def test_listens(ear: Ear) -> None:
    """The socket is opened once, after the server has told who it is."""
    harness = ear.harness
    endpoints = [request.endpoint for request in harness.simulator.requests]
    assert endpoints.index("identity") < endpoints.index("notifications")
    (request,) = harness.simulator.requests_to("notifications")
    assert request.headers["X-Plex-Token"] == harness.server.access_token_for(
        harness.anna
    )
    found = await async_get_config_entry_diagnostics(harness.hass, ear.entry)
    assert found["servers"][0]["notification_socket"] == {
        "open": True,
        "refused": False,
        "failure": None,
    }


async def test_idle_day(ear: Ear) -> None:
    """While it is open polls are every 15 minutes, with a look at the token each."""
    await ear.harness.transient_token()
    ear.harness.asked()
    for _ in range(288):
        await ear.step(POLL)
    asked = ear.harness.asked()
    assert 90 <= asked["identity"] <= 98
    assert asked["root"] == asked["identity"]
    assert asked["notifications"] == 0
    del asked["user"], asked["resources"]
    assert asked.total() <= 240


@pytest.mark.parametrize("how", ["stop", "kill"])
async def test_stop_and_return(ear: Ear, how: str) -> None:
    """The loss of a server is seen within 2 seconds, its return within 5."""
    await getattr(ear.server, how)()
    await ear.wait(2)
    await ear.state("off")
    await ear.wait(7)
    await ear.server.start()
    await ear.wait(5)
    await ear.state("on")
    await ear.heard()


async def test_stop_that_takes_a_while(ear: Ear) -> None:
    """A server that closes its socket, yet answers for a while, is seen to go."""
    await ear.server.notifications.close()
    await ear.wait(2)
    await ear.heard()
    assert ear.harness.state(REACHABLE) == "on"
    await ear.server.stop()
    await ear.wait(5)
    await ear.state("off")


@pytest.mark.parametrize("seconds", [0, 1])
async def test_short_restart(ear: Ear, seconds: int) -> None:
    """A restart destroys the token, and a server that is back soon was never gone."""
    await ear.harness.transient_token()
    await ear.server.stop()
    await ear.wait(seconds)
    await ear.server.start()
    await ear.wait(2)
    await until(lambda: ear.token_events() == ["issued", "destroyed"])
    assert "off" not in ear.states(REACHABLE)


async def test_longer_restart(ear: Ear) -> None:
    """A restart that takes longer is an outage, and destroys the token as well."""
    await ear.harness.transient_token()
    await ear.server.stop()
    await ear.wait(4)
    await ear.state("off")
    await ear.server.start()
    await ear.wait(5)
    await until(lambda: ear.token_events() == ["issued", "destroyed"])
    await ear.state("on")


async def test_boot(ear: Ear) -> None:
    """A server that boots is reachable as soon as it is ready."""
    await ear.server.restart("startingPlugins")
    await ear.wait(2)
    await ear.state("off")
    await ear.wait(60)
    assert ear.harness.state(REACHABLE) == "off"
    ear.server.booting = None
    await ear.wait(15)
    await ear.state("on")


async def test_crash(ear: Ear) -> None:
    """A server that neither answers nor closes is seen to be gone by the heartbeat."""
    ear.server.vanish()
    for _ in range(int(2 * HEARTBEAT)):
        ear.freezer.tick(1)
        # Not all that is under way will end.
        for _ in range(20):
            await ear.harness.hass.async_block_till_done()
    assert ear.harness.state(REACHABLE) == "off"
    await ear.server.reappear()
    await ear.wait(15)
    await ear.state("on")


async def test_flapping(ear: Ear, caplog: pytest.LogCaptureFixture) -> None:
    """A server that is up and down each second costs few polls, and few lines."""
    ear.harness.asked()
    minutes = list[Counter[str]]()
    for _ in range(5):
        for second in range(60):
            await (ear.server.start if second % 2 else ear.server.stop)()
            await ear.wait(1)
        minutes.append(ear.harness.asked())
    assert max(minute["identity"] for minute in minutes) <= 26
    assert minutes[-1]["identity"] <= 6
    assert sum(minute["resources"] for minute in minutes) <= 1
    assert len(ear.states(REACHABLE)) <= 40
    lines = [one for one in caplog.records if one.levelno > logging.DEBUG]
    assert len([one for one in lines if "Plex server" in one.getMessage()]) <= 40


async def test_router_restart(harness: Harness, freezer: FrozenDateTimeFactory) -> None:
    """Many servers that are gone at once ask plex.tv once for all."""
    servers = [harness.server, harness.world.basement]
    for server in servers:
        server.notifications.allowed = True
    ear = Ear(harness, freezer, await harness.add(harness.anna, *servers))
    for server in servers:
        await ear.heard(server)
    harness.asked()
    for server in servers:
        await server.kill()
    await ear.wait(60)
    for server in servers:
        await ear.state("off", server)
    asked = harness.asked()
    assert asked["resources"] == 1
    assert asked["user"] == 0
    for server in servers:
        await server.start()
    await ear.wait(15)
    for server in servers:
        await ear.state("on", server)


async def test_return_found_by_a_poll(ear: Ear) -> None:
    """Where a poll finds the server back first, the socket is opened at once."""
    await ear.server.stop()
    for _ in range(12):
        await ear.step(POLL)
    assert ear.harness.state(REACHABLE) == "off"
    await ear.server.start()
    await server_coordinator(ear.entry, ear.server).async_refresh()
    assert ear.harness.state(REACHABLE) == "on"
    await ear.heard()


async def test_route_changes(ear: Ear) -> None:
    """The socket moves to the route that is in use."""
    await ear.server.change_port()
    ear.server.faults.clear()
    await ear.wait(2)
    await ear.heard()
    assert ear.harness.simulator.requests_to("notifications")[-1].way == "local"
    assert len(ear.server.notifications) == 1
    ear.harness.change_server(ear.entry, ear.server, url=ear.server.http_url)
    await ear.harness.settle()
    await ear.heard()
    assert len(ear.harness.simulator.requests_to("notifications")) == 3
    await until(lambda: len(ear.server.notifications) == 1)


async def test_token_changes(ear: Ear) -> None:
    """A new token of the server has a socket of its own."""
    ear.server.rotate_access_tokens()
    await ear.harness.transient_token()
    await ear.step(POLL)
    await until(lambda: ear.server.notifications.opened == 2)
    await until(lambda: len(ear.server.notifications) == 1)
    assert "off" not in ear.states(REACHABLE)


async def test_return_without_a_socket(ear: Ear) -> None:
    """The return is seen though the server does not give a socket yet."""
    await ear.server.stop()
    await ear.wait(2)
    await ear.state("off")
    ear.server.faults.set("notifications", Fault.status(401))
    await ear.server.start()
    await ear.wait(5)
    await ear.state("on")
    ear.server.faults.clear()
    await ear.wait(5)
    await ear.heard()


async def test_refused_later(ear: Ear) -> None:
    """Where the socket is refused for long, polling goes on as if there were none."""
    ear.server.faults.set("notifications", Fault.status(401))
    await ear.server.notifications.close()
    for _ in range(24):
        await ear.step(POLL)
    ear.harness.asked()
    for _ in range(12):
        await ear.step(POLL)
    asked = ear.harness.asked()
    assert asked["notifications"] <= 1
    # That asks who it is before, and what it finds is news to look at.
    assert 12 <= asked["identity"] <= 12 + 2 * asked["notifications"]
    assert ear.harness.state(REACHABLE) == "on"


async def _reload(ear: Ear) -> None:
    await ear.harness.reload(ear.entry)
    await ear.heard()
    await until(lambda: len(ear.server.notifications) == 1)
    await ear.harness.hass.config_entries.async_unload(ear.entry.entry_id)


async def _remove_server(ear: Ear) -> None:
    await ear.harness.remove(ear.entry, ear.server)


async def _remove(ear: Ear) -> None:
    await ear.harness.remove(ear.entry)


async def _stop(ear: Ear) -> None:
    ear.harness.hass.set_state(CoreState.stopping)
    ear.harness.hass.bus.async_fire(EVENT_HOMEASSISTANT_STOP)
    await server_coordinator(ear.entry, ear.server).async_refresh()


@pytest.mark.parametrize("end", [_reload, _remove_server, _remove, _stop])
async def test_ends(ear: Ear, end: Callable[[Ear], Event]) -> None:
    """The socket ends with the server, the entry and Home Assistant."""
    await end(ear)  # type: ignore[misc]
    await until(lambda: not ear.server.notifications)
    ear.harness.asked()
    await ear.wait(10)
    assert not ear.harness.simulator.requests_to("notifications")


async def test_end_during_a_poll(ear: Ear, monkeypatch: pytest.MonkeyPatch) -> None:
    """A poll that is under way at the end opens no socket any more."""
    coordinator = server_coordinator(ear.entry, ear.server)
    close, answer = coordinator.notifications.close, asyncio.Event()

    async def answer_later(exchange: Exchange) -> web.StreamResponse:
        await answer.wait()
        return await exchange.respond()

    ear.server.faults.set("identity", Fault("later", answer_later))
    ear.harness.simulator.requests.clear()
    poll = asyncio.create_task(coordinator.async_refresh())
    await async_arrival(ear.harness.simulator, "identity")

    async def close_during_the_poll() -> None:
        await close()
        answer.set()
        await poll

    monkeypatch.setattr(coordinator.notifications, "close", close_during_the_poll)
    await ear.harness.hass.config_entries.async_unload(ear.entry.entry_id)
    await ear.breathe()
    assert poll.done()
    assert ear.server.notifications.opened == 1
    assert not ear.server.notifications


@pytest.fixture
async def listening(harness: Harness) -> MockConfigEntry:
    """Return Anna's entry, which listens to her server while time goes on by itself."""
    harness.server.notifications.allowed = True
    entry = await harness.add(harness.anna, harness.server)
    coordinator = server_coordinator(entry, harness.server)
    await until(lambda: coordinator.notifications.is_open)
    return entry


async def poll_slowly(harness: Harness, entry: MockConfigEntry) -> None:
    """Begin to poll a server that takes a moment to answer."""
    harness.server.faults.set("identity", Fault.delay(0.1), times=1)
    harness.simulator.requests.clear()
    server_coordinator(entry, harness.server).async_poll_now()
    await async_arrival(harness.simulator, "identity")


async def test_removed_while_it_is_polled(
    harness: Harness, listening: MockConfigEntry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A poll that ends while the socket of a removed server is closed opens none."""
    await poll_slowly(harness, listening)
    notifications = server_coordinator(listening, harness.server).notifications
    close = notifications.close

    async def close_slowly() -> None:
        await close()
        await asyncio.sleep(0.3)

    monkeypatch.setattr(notifications, "close", close_slowly)
    await harness.remove(listening, harness.server)
    await until(lambda: not harness.server.notifications)
    assert not harness.simulator.requests_to("notifications")


async def test_poll_that_outlives_home_assistant(
    harness: Harness, listening: MockConfigEntry
) -> None:
    """A poll that ends while Home Assistant stops opens no socket any more."""
    harness.hass.set_state(CoreState.stopping)
    harness.hass.bus.async_fire(EVENT_HOMEASSISTANT_STOP)
    await until(lambda: not harness.server.notifications)
    harness.simulator.requests.clear()
    await server_coordinator(listening, harness.server).async_refresh()
    await asyncio.sleep(0.1)
    assert harness.simulator.requests_to("identity")
    assert not harness.simulator.requests_to("notifications")
    harness.hass.set_state(CoreState.running)


async def test_another_server_while_a_token_is_checked(
    harness: Harness,
) -> None:
    """An address that another server has in the middle of a poll gets no socket."""
    entry = await harness.add(harness.anna, harness.server)
    await harness.transient_token()
    harness.server.notifications.allowed = True
    says = {"machineIdentifier": harness.server.machine_identifier, "claimed": True}
    right = Fault.body(json.dumps({"MediaContainer": says}))
    harness.server.faults.set("identity", right, times=1)
    harness.server.faults.set("root", Fault.status(401))
    harness.server.machine_identifier = "another"
    harness.simulator.requests.clear()
    await harness.reload(entry)
    assert harness.simulator.requests_to("root")
    assert len(harness.simulator.requests_to("identity")) > 1
    assert not harness.simulator.requests_to("notifications")


async def test_address_changes_while_it_is_polled(
    harness: Harness, listening: MockConfigEntry
) -> None:
    """A poll of the old address uses nothing that was typed since, and does not listen."""
    await harness.transient_token()
    await poll_slowly(harness, listening)
    harness.server.faults.set("identity", Fault.delay(1), times=1)
    harness.change_server(listening, harness.server, url=harness.server.http_url)
    await until(lambda: len(harness.simulator.requests_to("identity")) == 2)
    await asyncio.sleep(0.1)
    assert len(harness.simulator.requests_to("root")) == 1
    assert not harness.simulator.requests_to("notifications")


# Each source is judged by itself, and asked when its server is back


async def add_watched(harness: Harness, *sources: str) -> MockConfigEntry:
    """Set up Anna's entry with a server whose sources are watched."""
    data = server_data(harness.server, harness.anna, **{CONF_SOURCES: list(sources)})
    return await harness.add(harness.anna, data)


@pytest.fixture
def good(harness: Harness) -> str:
    """Return a source that is told whatever happens to others."""
    return source_of(harness.world.basement)


def spoil(harness: Harness, source: str, fault: Fault) -> None:
    """Let a server answer with a fault when it is asked for one source."""

    async def play(exchange: Exchange) -> web.StreamResponse:
        if exchange.request.query["source"] == source:
            return await fault.play(exchange)
        return await exchange.respond()

    harness.server.faults.set("security_resources", Fault("one source", play))


@pytest.mark.parametrize("status", [400, 403, 404, 500])
async def test_refused_source_takes_no_other_away(
    harness: Harness, freezer: FrozenDateTimeFactory, good: str, status: int
) -> None:
    """One source that is refused, at whatever place, leaves the others as they are."""
    await add_watched(harness, PODCASTS_SOURCE, good)
    spoil(harness, PODCASTS_SOURCE, Fault.status(status))
    await harness.wait(freezer, SOURCE_POLL)
    assert harness.state(f"sensor.source_{good}") == "local"
    assert harness.state(f"sensor.source_{PODCASTS_SOURCE}") == STATE_UNAVAILABLE
    harness.server.faults.clear()
    await harness.wait(freezer, SOURCE_POLL)
    assert harness.state(f"sensor.source_{PODCASTS_SOURCE}") == "remote"


async def test_sources_come_back_with_their_server(
    harness: Harness, freezer: FrozenDateTimeFactory, good: str
) -> None:
    """After a night the sources are asked for as soon as the server is reached."""
    await harness.server.stop()
    await add_watched(harness, good)
    assert harness.state(f"sensor.source_{good}") == STATE_UNAVAILABLE
    await harness.server.start()
    await harness.wait(freezer, LATE_POLL)
    assert harness.state(f"sensor.source_{good}") == "local"


@pytest.mark.parametrize("change", ["change_port", "rotate_access_tokens"])
async def test_sources_follow_the_list(
    harness: Harness, good: str, change: str
) -> None:
    """Sources are asked for once when plex.tv lists other addresses or tokens."""
    entry = await add_watched(harness, good)
    servers = account_coordinator(entry).servers
    if (changing := getattr(harness.world.basement, change)()) is not None:
        await changing
    harness.asked()
    for _ in range(2):
        await servers.renew(now=True)
        await harness.settle()
    assert harness.asked()["security_resources"] == 1
    listed = {one.uri for one in harness.world.basement.connections}
    shown = harness.entity(f"sensor.source_{good}").attributes["connections"]
    assert set(shown) == listed


async def test_list_without_news(
    harness: Harness, freezer: FrozenDateTimeFactory, good: str
) -> None:
    """A list that is known at last, or says the same, is no reason to ask."""
    harness.simulator.faults.set("resources", Fault.status(503))
    entry = await add_watched(harness, good)
    harness.asked()
    harness.simulator.faults.clear()
    for presence in (True, False):
        harness.world.basement.presence = presence
        await account_coordinator(entry).servers.renew(now=True)
        await harness.settle()
    assert not harness.asked()["security_resources"]


@pytest.mark.parametrize(
    "order", [[0], [0, 1], [1, 0]], ids=["own", "own first", "source first"]
)
async def test_sources_after_servers_were_claimed(
    harness: Harness, freezer: FrozenDateTimeFactory, good: str, order: list[int]
) -> None:
    """Sources are back with the poll that finds their server claimed."""
    entry = await add_watched(harness, good)
    pair = (harness.server, harness.world.basement)
    for index in order:
        pair[index].unclaim()
    await harness.wait(freezer, SOURCE_POLL)
    assert harness.state(f"sensor.source_{good}") == STATE_UNAVAILABLE
    for index in order:
        pair[index].claim(harness.anna)
        await account_coordinator(entry).servers.renew(now=True)
        await harness.wait(freezer, LATE_POLL)
    assert harness.state(f"sensor.source_{good}") == "local"


async def test_sources_of_a_server_that_hears_late_of_its_claim(
    harness: Harness, freezer: FrozenDateTimeFactory, good: str
) -> None:
    """Sources are asked for again by the poll that finds their server claimed."""
    entry = await add_watched(harness, good)
    harness.server.unclaim()
    await harness.wait(freezer, SOURCE_POLL)
    harness.server.claim(harness.anna)
    harness.server.faults.set("security_resources", Fault.status(401))
    await account_coordinator(entry).servers.renew(now=True)
    await harness.settle()
    harness.server.faults.clear()
    assert harness.state(f"sensor.source_{good}") == STATE_UNAVAILABLE
    await harness.wait(freezer, LATE_POLL)
    assert harness.state(f"sensor.source_{good}") == "local"


async def test_outage_of_hours(
    harness: Harness,
    freezer: FrozenDateTimeFactory,
    good: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Sources go and come in the same poll as their server, which logs one line."""
    await add_watched(harness, good)
    caplog.clear()
    await harness.server.stop()
    for _ in range(13):
        await harness.wait(freezer, LATE_POLL)
        assert harness.state(f"sensor.source_{good}") == STATE_UNAVAILABLE
    lines = [
        record.message
        for record in caplog.records
        if record.name.startswith("custom_components.plex_auth")
        and record.levelno > logging.DEBUG
    ]
    assert len(lines) == 1
    await harness.server.start()
    await harness.wait(freezer, LATE_POLL)
    assert harness.state(REACHABLE) == "on"
    assert harness.state(f"sensor.source_{good}") == "local"


async def test_sources_of_a_server_that_is_down_are_not_asked_for(
    harness: Harness, freezer: FrozenDateTimeFactory, good: str
) -> None:
    """A server that is not reached is not asked for its sources."""
    await add_watched(harness, good)
    harness.server.faults.set("identity", Fault.status(500))
    await harness.wait(freezer, LATE_POLL)
    harness.asked()
    for _ in range(7):
        await harness.wait(freezer, LATE_POLL)
    assert "security_resources" not in harness.asked()


async def test_name_is_kept(harness: Harness, freezer: FrozenDateTimeFactory) -> None:
    """A source keeps its name over a start at which the server is down."""
    entry = await add_watched(harness, PODCASTS_SOURCE)
    name = harness.entity(f"sensor.source_{PODCASTS_SOURCE}").name
    assert name.endswith("Podcasts")
    await harness.server.stop()
    await harness.reload(entry)
    assert harness.entity(f"sensor.source_{PODCASTS_SOURCE}").name == name
    await harness.server.start()
    for _ in range(7):
        await harness.wait(freezer, LATE_POLL)
        assert harness.entity(f"sensor.source_{PODCASTS_SOURCE}").name == name


async def test_name_comes_later(
    harness: Harness, freezer: FrozenDateTimeFactory
) -> None:
    """A source that is first met while its server is down gets its name with it."""
    await harness.server.stop()
    await add_watched(harness, PODCASTS_SOURCE)
    await harness.server.start()
    await harness.wait(freezer, LATE_POLL)
    assert harness.entity(f"sensor.source_{PODCASTS_SOURCE}").name.endswith("Podcasts")


async def test_name_is_renewed(
    harness: Harness, freezer: FrozenDateTimeFactory, good: str
) -> None:
    """A source that gets another name is called by it."""
    await add_watched(harness, good)
    harness.world.basement.name = "Cellar"
    await harness.wait(freezer, SOURCE_POLL)
    assert harness.entity(f"sensor.source_{good}").name.endswith("Cellar")

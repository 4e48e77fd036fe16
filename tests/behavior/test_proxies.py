"""What a proxy before a server says is not the server's word."""

from collections.abc import Callable
from datetime import timedelta

from aiohttp import web
from freezegun.api import FrozenDateTimeFactory
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.plex_auth.const import CONF_SOURCES
from homeassistant.exceptions import HomeAssistantError
from tests.harness import Harness
from tests.helpers import server_coordinator, server_data, source_of
from tests.plex_simulator import Fault, Way
from tests.plex_simulator.faults import Exchange, Play

POLL = timedelta(minutes=5, seconds=1)
COMPARISON = timedelta(minutes=15, seconds=1)

type Spoil = Callable[[Fault], None]


@pytest.fixture
def source(harness: Harness) -> str:
    """Return a source that Anna's server knows."""
    return source_of(harness.world.basement)


@pytest.fixture
async def remote(harness: Harness, plex_direct: None, source: str) -> MockConfigEntry:
    """Return the entry of a server that is reached by a proxy, and locally by now."""
    await harness.server.close_way(Way.LOCAL)
    data = server_data(harness.server, harness.anna, **{CONF_SOURCES: [source]})
    entry = await harness.add(harness.anna, data)
    assert harness.state("sensor.connection") == "remote"
    harness.server.open_way(Way.LOCAL)
    return entry


@pytest.fixture
def spoil(harness: Harness) -> Spoil:
    """Return what lets the proxy, and only it, answer with a fault."""

    def _spoil(fault: Fault) -> None:
        harness.server.faults.set("*", Fault("proxy", by_proxy(fault.play)))

    def by_proxy(play: Play) -> Play:
        async def _play(exchange: Exchange) -> web.StreamResponse:
            transport = exchange.request.transport
            assert transport is not None
            port = transport.get_extra_info("sockname")[1]
            if port != harness.server.ways[Way.LOCAL].port:
                return await play(exchange)
            return await exchange.respond()

        return _play

    return _spoil


PAGES = pytest.mark.parametrize(
    "page",
    [
        Fault.status(404, "404 page not found"),
        Fault.status(429, "slow down", headers={"Retry-After": "86400"}),
        Fault.status(503, "<html>We are down for maintenance</html>"),
        Fault.html(200),
    ],
    ids=["404", "429", "503", "page"],
)


@PAGES
async def test_poll_tries_the_next_address(
    harness: Harness,
    freezer: FrozenDateTimeFactory,
    remote: MockConfigEntry,
    spoil: Spoil,
    page: Fault,
) -> None:
    """A page of a proxy counts against its address, not against the server."""
    spoil(page)
    await harness.wait(freezer, POLL)
    assert harness.state("binary_sensor.reachable") == "on"
    assert harness.state("sensor.connection") == "local"


@PAGES
async def test_action_tries_the_next_address(
    harness: Harness, remote: MockConfigEntry, spoil: Spoil, source: str, page: Fault
) -> None:
    """An action that a proxy answers is asked of the server by another address."""
    spoil(page)
    response = await harness.call("get_source_connection_information", source=source)
    assert response["name"] == harness.world.basement.name
    assert response["server"]["connection"] == "local"
    await harness.settle()
    assert harness.state("sensor.connection") == "local"


async def test_source_is_not_unknown_because_of_a_proxy(
    harness: Harness, remote: MockConfigEntry, source: str
) -> None:
    """Where proxies alone answer nobody says that the server does not know a source."""
    harness.server.faults.set("*", Fault.status(404, "404 page not found"))
    error = await harness.failure("get_source_connection_information", source=source)
    assert error.translation_key == "unavailable"


async def test_server_is_asked_again_within_a_quarter_of_an_hour(
    harness: Harness, freezer: FrozenDateTimeFactory, entry: MockConfigEntry
) -> None:
    """A wish to be left alone for a day counts 15 minutes where a server is meant."""
    harness.server.faults.set(
        "*", Fault.status(503, "busy", headers={"Retry-After": "86400"})
    )
    await harness.wait(freezer, POLL)
    assert harness.state("binary_sensor.reachable") == "off"
    harness.server.faults.clear()
    harness.asked()
    await harness.wait(freezer, timedelta(minutes=14, seconds=50))
    assert "identity" not in harness.asked()
    await harness.wait(freezer, timedelta(seconds=12))
    assert harness.state("binary_sensor.reachable") == "on"


async def test_action_that_works_is_news_for_the_poll(
    harness: Harness, freezer: FrozenDateTimeFactory, entry: MockConfigEntry
) -> None:
    """A server that an action reaches is reachable at once."""
    harness.server.faults.set(
        "*", Fault.status(503, "busy", headers={"Retry-After": "86400"})
    )
    await harness.wait(freezer, POLL)
    harness.server.faults.clear()
    assert await harness.transient_token()
    await harness.settle()
    assert harness.state("binary_sensor.reachable") == "on"


@pytest.mark.parametrize("closed", [(Way.LOCAL,), (Way.LOCAL, Way.REMOTE)])
async def test_better_route_is_taken_again(
    harness: Harness,
    freezer: FrozenDateTimeFactory,
    plex_direct: None,
    closed: tuple[Way, ...],
) -> None:
    """A server stays on Remote or Relay for no longer than it has to."""
    for way in closed:
        await harness.server.close_way(way)
    await harness.add(harness.anna, harness.server)
    assert harness.state("sensor.connection") != "local"
    for way in closed:
        harness.server.open_way(way)
    await harness.wait(freezer, COMPARISON)
    assert harness.state("sensor.connection") == "local"
    response = await harness.call("get_transient_token", path="/identity")
    assert f":{harness.server.port}/" in response["url"]


async def test_route_that_works_is_kept_while_no_better_one_does(
    harness: Harness, freezer: FrozenDateTimeFactory, plex_direct: None
) -> None:
    """A comparison that finds nothing better changes nothing."""
    await harness.server.close_way(Way.LOCAL)
    await harness.add(harness.anna, harness.server)
    for _ in range(6):
        await harness.wait(freezer, POLL)
        assert harness.state("sensor.connection") == "remote"
        assert harness.state("binary_sensor.reachable") == "on"


@pytest.mark.parametrize("status", [401, 403])
async def test_refusal_of_a_proxy_destroys_no_token(
    harness: Harness,
    freezer: FrozenDateTimeFactory,
    entry: MockConfigEntry,
    status: int,
) -> None:
    """Who refuses every token says nothing of the transient token."""
    await harness.transient_token()
    expires = harness.state("sensor.transient_token_expires")
    harness.server.faults.set("root", Fault.status(status, "Forbidden"))
    await harness.wait(freezer, POLL)
    assert harness.state("sensor.transient_token_expires") == expires
    assert harness.entity("event.transient_token").attributes["event_type"] == "issued"
    harness.server.faults.clear()
    await harness.server.restart()
    await harness.wait(freezer, POLL)
    assert (
        harness.entity("event.transient_token").attributes["event_type"] == "destroyed"
    )


@pytest.mark.parametrize(
    "fault", [Fault.reset(processed=True), Fault.half_body()], ids=["reset", "half"]
)
async def test_lost_token_is_not_asked_for_again(
    harness: Harness, entry: MockConfigEntry, fault: Fault
) -> None:
    """A token whose answer was lost is not issued a second time."""
    harness.server.faults.set("security_token", fault)
    await harness.failure("get_transient_token")
    assert len(harness.server.transient_tokens) == 1
    harness.server.faults.clear()
    await harness.transient_token()
    assert len(harness.server.transient_tokens) == 2


async def test_lost_answer_that_is_safe_to_repeat(
    harness: Harness, entry: MockConfigEntry, source: str
) -> None:
    """What only reads is asked once more where the answer was lost."""
    harness.server.faults.set("security_resources", Fault.reset(), times=1)
    response = await harness.call("get_source_connection_information", source=source)
    assert response["name"] == harness.world.basement.name


async def test_stranger_at_an_address_of_a_server_that_is_down(
    harness: Harness, freezer: FrozenDateTimeFactory, plex_direct: None
) -> None:
    """A server of which one address has got to another machine is not reached."""
    entry = await harness.add(harness.anna, harness.server)
    local, *others = harness.server.connections
    stranger = harness.world.basement.connections[0]
    harness.server.connections = [stranger, *others, local]
    await harness.call("get_servers")
    await harness.server.stop()
    await harness.wait(freezer, POLL)
    failure = server_coordinator(entry, harness.server).last_exception
    assert isinstance(failure, HomeAssistantError)
    assert failure.translation_key == "cannot_connect"
    assert harness.state("binary_sensor.reachable") == "off"

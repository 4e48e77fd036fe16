"""What a proxy before a server says is not the server's word."""

from collections.abc import Callable
from datetime import timedelta

from aiohttp import web
from freezegun.api import FrozenDateTimeFactory
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.plex_auth.const import CONF_SOURCES
from homeassistant.exceptions import HomeAssistantError

from .helpers import server_coordinator, server_data, source_of
from .home import Home
from .plex_simulator import Fault, Way
from .plex_simulator.faults import Exchange, Play

POLL = timedelta(minutes=5, seconds=1)
COMPARISON = timedelta(minutes=15, seconds=1)

type Spoil = Callable[[Fault], None]


@pytest.fixture
def source(home: Home) -> str:
    """Return a source that Anna's server knows."""
    return source_of(home.world.basement)


@pytest.fixture
async def remote(home: Home, plex_direct: None, source: str) -> MockConfigEntry:
    """Return the entry of a server that is reached by a proxy, and locally by now."""
    await home.server.close_way(Way.LOCAL)
    data = server_data(home.server, home.anna, **{CONF_SOURCES: [source]})
    entry = await home.add(home.anna, data)
    assert home.state("sensor.connection") == "remote"
    home.server.open_way(Way.LOCAL)
    return entry


@pytest.fixture
def spoil(home: Home) -> Spoil:
    """Return what lets the proxy, and only it, answer with a fault."""

    def _spoil(fault: Fault) -> None:
        home.server.faults.set("*", Fault("proxy", by_proxy(fault.play)))

    def by_proxy(play: Play) -> Play:
        async def _play(exchange: Exchange) -> web.StreamResponse:
            transport = exchange.request.transport
            assert transport is not None
            port = transport.get_extra_info("sockname")[1]
            if port != home.server.ways[Way.LOCAL].port:
                return await play(exchange)
            return await exchange.respond()

        return _play

    return _spoil


PAGES = pytest.mark.parametrize(
    "page",
    [
        Fault.status(404, "404 page not found"),
        Fault.status(410, "gone"),
        Fault.status(429, "slow down", headers={"Retry-After": "86400"}),
        Fault.status(502, "Bad Gateway"),
        Fault.status(503, "<html>We are down for maintenance</html>"),
        Fault.html(200),
    ],
    ids=["404", "410", "429", "502", "503", "page"],
)


@PAGES
async def test_poll_tries_the_next_address(
    home: Home,
    freezer: FrozenDateTimeFactory,
    remote: MockConfigEntry,
    spoil: Spoil,
    page: Fault,
) -> None:
    """A page of a proxy counts against its address, not against the server."""
    spoil(page)
    await home.wait(freezer, POLL)
    assert home.state("binary_sensor.reachable") == "on"
    assert home.state("sensor.connection") == "local"


@PAGES
async def test_action_tries_the_next_address(
    home: Home, remote: MockConfigEntry, spoil: Spoil, source: str, page: Fault
) -> None:
    """An action that a proxy answers is asked of the server by another address."""
    spoil(page)
    response = await home.call("get_source_connection_information", source=source)
    assert response["name"] == home.world.basement.name
    assert response["server"]["connection"] == "local"
    await home.settle()
    assert home.state("sensor.connection") == "local"


@pytest.mark.parametrize("status", [404, 410])
async def test_source_is_not_unknown_because_of_a_proxy(
    home: Home, remote: MockConfigEntry, source: str, status: int
) -> None:
    """Where proxies alone answer nobody says that the server does not know a source."""
    home.server.faults.set("*", Fault.status(status, "404 page not found"))
    error = await home.failure("get_source_connection_information", source=source)
    assert error.translation_key == "unavailable"


async def test_server_is_asked_again_within_a_quarter_of_an_hour(
    home: Home, freezer: FrozenDateTimeFactory, entry: MockConfigEntry
) -> None:
    """A wish to be left alone for a day counts 15 minutes where a server is meant."""
    home.server.faults.set(
        "*", Fault.status(503, "busy", headers={"Retry-After": "86400"})
    )
    await home.wait(freezer, POLL)
    assert home.state("binary_sensor.reachable") == "off"
    home.server.faults.clear()
    home.asked()
    await home.wait(freezer, timedelta(minutes=14, seconds=50))
    assert "identity" not in home.asked()
    await home.wait(freezer, timedelta(seconds=12))
    assert home.state("binary_sensor.reachable") == "on"


async def test_action_that_works_is_news_for_the_poll(
    home: Home, freezer: FrozenDateTimeFactory, entry: MockConfigEntry
) -> None:
    """A server that an action reaches is reachable at once."""
    home.server.faults.set(
        "*", Fault.status(503, "busy", headers={"Retry-After": "86400"})
    )
    await home.wait(freezer, POLL)
    home.server.faults.clear()
    assert await home.transient_token()
    await home.settle()
    assert home.state("binary_sensor.reachable") == "on"


@pytest.mark.parametrize("closed", [(Way.LOCAL,), (Way.LOCAL, Way.REMOTE)])
async def test_better_route_is_taken_again(
    home: Home,
    freezer: FrozenDateTimeFactory,
    plex_direct: None,
    closed: tuple[Way, ...],
) -> None:
    """A server stays on Remote or Relay for no longer than it has to."""
    for way in closed:
        await home.server.close_way(way)
    await home.add(home.anna, home.server)
    assert home.state("sensor.connection") != "local"
    for way in closed:
        home.server.open_way(way)
    await home.wait(freezer, COMPARISON)
    assert home.state("sensor.connection") == "local"
    response = await home.call("get_transient_token", path="/identity")
    assert f":{home.server.port}/" in response["url"]


async def test_route_that_works_is_kept_while_no_better_one_does(
    home: Home, freezer: FrozenDateTimeFactory, plex_direct: None
) -> None:
    """A comparison that finds nothing better changes nothing."""
    await home.server.close_way(Way.LOCAL)
    await home.add(home.anna, home.server)
    for _ in range(6):
        await home.wait(freezer, POLL)
        assert home.state("sensor.connection") == "remote"
        assert home.state("binary_sensor.reachable") == "on"


@pytest.mark.parametrize("status", [401, 403])
async def test_refusal_of_a_proxy_destroys_no_token(
    home: Home, freezer: FrozenDateTimeFactory, entry: MockConfigEntry, status: int
) -> None:
    """Who refuses every token says nothing of the transient token."""
    await home.transient_token()
    expires = home.state("sensor.transient_token_expires")
    home.server.faults.set("root", Fault.status(status, "Forbidden"))
    await home.wait(freezer, POLL)
    assert home.state("sensor.transient_token_expires") == expires
    assert home.entity("event.transient_token").attributes["event_type"] == "issued"
    home.server.faults.clear()
    await home.server.restart()
    await home.wait(freezer, POLL)
    assert home.entity("event.transient_token").attributes["event_type"] == "destroyed"


@pytest.mark.parametrize(
    "fault", [Fault.reset(processed=True), Fault.half_body()], ids=["reset", "half"]
)
async def test_lost_token_is_not_asked_for_again(
    home: Home, entry: MockConfigEntry, fault: Fault
) -> None:
    """A token whose answer was lost is not issued a second time."""
    home.server.faults.set("security_token", fault)
    await home.failure("get_transient_token")
    assert len(home.server.transient_tokens) == 1
    home.server.faults.clear()
    await home.transient_token()
    assert len(home.server.transient_tokens) == 2


async def test_lost_answer_that_is_safe_to_repeat(
    home: Home, entry: MockConfigEntry, source: str
) -> None:
    """What only reads is asked once more where the answer was lost."""
    home.server.faults.set("security_resources", Fault.reset(), times=1)
    response = await home.call("get_source_connection_information", source=source)
    assert response["name"] == home.world.basement.name


async def test_stranger_at_an_address_of_a_server_that_is_down(
    home: Home, freezer: FrozenDateTimeFactory, plex_direct: None
) -> None:
    """A server of which one address has got to another machine is not reached."""
    entry = await home.add(home.anna, home.server)
    local, *others = home.server.connections
    stranger = home.world.basement.connections[0]
    home.server.connections = [stranger, *others, local]
    await home.call("get_servers")
    await home.server.stop()
    await home.wait(freezer, POLL)
    failure = server_coordinator(entry, home.server).last_exception
    assert isinstance(failure, HomeAssistantError)
    assert failure.translation_key == "cannot_connect"
    assert home.state("binary_sensor.reachable") == "off"

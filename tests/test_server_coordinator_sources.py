"""Each source is judged by itself, and asked when its server is back."""

from datetime import timedelta
import logging

from aiohttp import web
from freezegun.api import FrozenDateTimeFactory
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.plex_auth.const import CONF_SOURCES
from homeassistant.const import STATE_UNAVAILABLE

from .harness import Harness
from .helpers import server_data, source_of
from .plex_simulator import Fault
from .plex_simulator.faults import Exchange
from .plex_simulator.worlds import PODCASTS

POLL = timedelta(minutes=5, seconds=1)
SOURCE_POLL = timedelta(minutes=30, seconds=1)
PODCASTS_SOURCE = f"provider://{PODCASTS}"


async def add(harness: Harness, *sources: str) -> MockConfigEntry:
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
    await add(harness, PODCASTS_SOURCE, good)
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
    await add(harness, good)
    assert harness.state(f"sensor.source_{good}") == STATE_UNAVAILABLE
    await harness.server.start()
    await harness.wait(freezer, POLL)
    assert harness.state(f"sensor.source_{good}") == "local"


async def test_sources_come_back_after_an_outage_of_hours(
    harness: Harness, freezer: FrozenDateTimeFactory, good: str
) -> None:
    """The same while Home Assistant runs on: both come in the same poll."""
    await add(harness, good)
    await harness.server.stop()
    for _ in range(13):
        await harness.wait(freezer, POLL)
    assert harness.state(f"sensor.source_{good}") == STATE_UNAVAILABLE
    await harness.server.start()
    await harness.wait(freezer, POLL)
    assert harness.state("binary_sensor.reachable") == "on"
    assert harness.state(f"sensor.source_{good}") == "local"


async def test_sources_go_with_their_server(
    harness: Harness, freezer: FrozenDateTimeFactory, good: str
) -> None:
    """A source of a server that is not reached is not known, from that poll on."""
    await add(harness, good)
    await harness.server.stop()
    await harness.wait(freezer, POLL)
    assert harness.state(f"sensor.source_{good}") == STATE_UNAVAILABLE


async def test_sources_of_a_server_that_is_down_are_not_asked_for(
    harness: Harness, freezer: FrozenDateTimeFactory, good: str
) -> None:
    """A server that is not reached is not asked for its sources."""
    await add(harness, good)
    harness.server.faults.set("identity", Fault.status(500))
    await harness.wait(freezer, POLL)
    harness.asked()
    for _ in range(7):
        await harness.wait(freezer, POLL)
    assert "security_resources" not in harness.asked()


async def test_outage_is_logged_once(
    harness: Harness,
    freezer: FrozenDateTimeFactory,
    good: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A server that is down logs one line, its sources included."""
    await add(harness, good)
    caplog.clear()
    await harness.server.stop()
    for _ in range(13):
        await harness.wait(freezer, POLL)
    lines = [
        record.message
        for record in caplog.records
        if record.name.startswith("custom_components.plex_auth")
        and record.levelno > logging.DEBUG
    ]
    assert len(lines) == 1


async def test_name_is_kept(harness: Harness, freezer: FrozenDateTimeFactory) -> None:
    """A source keeps its name over a start at which the server is down."""
    entry = await add(harness, PODCASTS_SOURCE)
    name = harness.entity(f"sensor.source_{PODCASTS_SOURCE}").name
    assert name.endswith("Podcasts")
    await harness.server.stop()
    await harness.reload(entry)
    assert harness.entity(f"sensor.source_{PODCASTS_SOURCE}").name == name
    await harness.server.start()
    for _ in range(7):
        await harness.wait(freezer, POLL)
        assert harness.entity(f"sensor.source_{PODCASTS_SOURCE}").name == name


async def test_name_comes_later(
    harness: Harness, freezer: FrozenDateTimeFactory
) -> None:
    """A source that is first met while its server is down gets its name with it."""
    await harness.server.stop()
    await add(harness, PODCASTS_SOURCE)
    await harness.server.start()
    await harness.wait(freezer, POLL)
    assert harness.entity(f"sensor.source_{PODCASTS_SOURCE}").name.endswith("Podcasts")


async def test_name_is_renewed(
    harness: Harness, freezer: FrozenDateTimeFactory, good: str
) -> None:
    """A source that gets another name is called by it."""
    await add(harness, good)
    harness.world.basement.name = "Cellar"
    await harness.wait(freezer, SOURCE_POLL)
    assert harness.entity(f"sensor.source_{good}").name.endswith("Cellar")

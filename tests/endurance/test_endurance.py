"""Months in minutes: nothing grows, whatever fails and however often it is reloaded."""

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
import logging
import random
import socket
from typing import Final

import pytest
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    async_fire_time_changed,
)

from custom_components.plex_auth.api.intervals import Interval
from homeassistant.config_entries import ConfigEntryState
from homeassistant.exceptions import HomeAssistantError
from homeassistant.util import dt as dt_util
from tests.harness import Harness
from tests.helpers import account_coordinator, server_data, source_of
from tests.plex_simulator import Fault
from tests.resource_usage import ResourceUsage
from tests.short_timeouts import short_timeouts

SEED: Final = 20261124
ROUND: Final = 10
WARM_UP: Final = 2
"""Rounds that do not count: they open connections that stay."""

FAULTS: Final = (
    Fault.status(401),
    Fault.status(403),
    Fault.status(404),
    Fault.status(429, headers={"Retry-After": "1"}),
    Fault.status(500),
    Fault.html(502),
    Fault.html(200),
    Fault.plex_error(1001),
    Fault.plex_error(1003),
    Fault.delay(1),
    Fault.slow_body(1),
    Fault.reset(),
    Fault.reset(processed=True),
    Fault.half_body(),
    Fault.huge_body(1536 * 1024),
    Fault.redirect("http://127.0.0.1:9/"),
    Fault.body(""),
    Fault.body("[]"),
    Fault.body(b"\xff\xfe"),
    Fault.xml_instead(),
)
PLEX_TV_ENDPOINTS: Final = ("user", "resources")
SERVER_ENDPOINTS: Final = ("identity", "root", "security_token", "security_resources")


class FastTime:
    """Let the time of day run ahead, but not the event loop's, which has timeouts."""

    def __init__(self, harness: Harness) -> None:
        """Start now."""
        self._harness = harness
        self._ahead = timedelta()

    def now(self) -> datetime:
        """Return what time it is."""
        return datetime.now(UTC) + self._ahead

    async def wait(self, step: timedelta) -> None:
        """Let time pass, and wait for what is due by then."""
        self._ahead += step
        self._harness.simulator.clock.advance(step)
        async_fire_time_changed(self._harness.hass, datetime.now(UTC) + step)
        await self._harness.settle()


@pytest.fixture
def time(harness: Harness, monkeypatch: pytest.MonkeyPatch) -> FastTime:
    """Return the time that a test moves."""
    time = FastTime(harness)
    monkeypatch.setattr(dt_util, "utcnow", time.now)
    # Intervals follow the clock of the event loop: let each be over.
    monkeypatch.setattr(Interval, "is_over", True)
    return time


@pytest.fixture
def quiet() -> Iterator[None]:
    """Log nothing: tests keep all that is logged."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


def clear_faults(harness: Harness) -> None:
    """Let everything answer normally again."""
    for host in (harness.simulator, harness.server, harness.world.basement):
        host.faults.clear()


def spoil(rng: random.Random, harness: Harness) -> None:
    """Let some calls fail in some way, and others not."""
    clear_faults(harness)
    if rng.random() < 0.3:
        return
    for host, endpoints in (
        (harness.simulator, PLEX_TV_ENDPOINTS),
        (harness.server, SERVER_ENDPOINTS),
        (harness.world.basement, SERVER_ENDPOINTS),
    ):
        for endpoint in endpoints:
            if rng.random() < 0.3:
                host.faults.set(endpoint, rng.choice(FAULTS))


async def async_act(harness: Harness) -> bool:
    """Get transient tokens of both servers; tell whether there were any."""
    try:
        await harness.transient_token(harness.server)
        await harness.transient_token(harness.world.basement)
    except HomeAssistantError:
        return False
    return True


async def async_recover(
    harness: Harness, time: FastTime, entry: MockConfigEntry
) -> None:
    """End all faults, and assert that everything is well after the next polls."""
    clear_faults(harness)
    await account_coordinator(entry).async_refresh()
    await time.wait(timedelta(minutes=61))
    assert harness.state("binary_sensor.sign_in") == "off"
    assert harness.state("binary_sensor.reachable", harness.server) == "on"
    assert harness.state("binary_sensor.reachable", harness.world.basement) == "on"
    assert await async_act(harness)


@pytest.mark.usefixtures("full_run", "quiet")
@pytest.mark.parametrize(("what", "number"), [("poll", 1000), ("reload", 200)])
async def test_nothing_grows(
    harness: Harness, time: FastTime, what: str, number: int
) -> None:
    """Polls and reloads with all kinds of failures leave nothing behind."""
    rng = random.Random(SEED)
    harness.simulator.recording = False
    watching = server_data(
        harness.server, harness.anna, sources=[source_of(harness.world.basement)]
    )
    entry = await harness.add(harness.anna, watching, harness.world.basement)
    for _ in range(WARM_UP):
        await async_spoilt_round(harness, time, rng, entry, what)
    before = ResourceUsage.now(harness)
    for _ in range(number // ROUND):
        await async_spoilt_round(harness, time, rng, entry, what)
    assert not ResourceUsage.now(harness).grown_since(before)


async def async_spoilt_round(
    harness: Harness,
    time: FastTime,
    rng: random.Random,
    entry: MockConfigEntry,
    what: str,
) -> None:
    """Poll or reload some times while things fail, act now and then, and recover."""
    for _ in range(ROUND):
        spoil(rng, harness)
        with short_timeouts(0.15):
            if what == "poll":
                await time.wait(timedelta(minutes=rng.choice((1, 5, 15, 31))))
            else:
                await harness.reload(entry)
                assert entry.state is ConfigEntryState.LOADED
            if rng.random() < 0.2:
                await async_act(harness)
        if rng.random() < 0.02:
            await harness.server.restart()
        assert harness.reauth_flows(entry) <= 1
    await async_recover(harness, time, entry)


async def test_growth_is_noticed(harness: Harness) -> None:
    """The comparison notices a task, a timer, a listener and a file too many."""
    before = ResourceUsage.now(harness)
    tasks = [asyncio.create_task(asyncio.sleep(60)) for _ in range(4)]
    timer = asyncio.get_running_loop().call_later(60, lambda: None)
    stop = harness.hass.bus.async_listen("anything", lambda _: None)
    with ExitStack() as stack:
        for _ in range(7):
            stack.enter_context(socket.socket())
        grown = ResourceUsage.now(harness).grown_since(before)
    stop()
    timer.cancel()
    for task in tasks:
        task.cancel()
    assert set(grown) == {"tasks", "timers", "listeners", "descriptors"}

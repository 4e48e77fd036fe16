"""Months in minutes: nothing grows, whatever fails and however often it is reloaded."""

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
import gc
import linecache
import logging
from pathlib import Path
import random
import socket
import tracemalloc
from typing import Any, Final

from aiohttp import ClientTimeout, web_app
import pytest
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    async_fire_time_changed,
)

from custom_components.plex_auth.api import server as server_module
from custom_components.plex_auth.api.server import PlexServer
from custom_components.plex_auth.api.transport import Transport
from custom_components.plex_auth.const import DOMAIN
from homeassistant.config_entries import SOURCE_REAUTH, ConfigEntryState
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError
from homeassistant.util import dt as dt_util
from tests.helpers import (
    account_coordinator,
    async_add_account,
    async_settle,
    server_coordinator,
    server_data,
    state_of,
)
from tests.plex_simulator import Fault, MediaServer, PlexSimulator
from tests.plex_simulator.worlds import DemoWorld

SEED: Final = 20261124
POLLS: Final = 1000
RELOADS: Final = 200
PART: Final = 10
"""The default run is this part of the long one."""

ROUND: Final = 10
LARGEST_GROWTH: Final = 0.05
NOISE: Final = 128 * 1024
NOISE_OF_A_PART: Final = 512 * 1024
"""Bytes that caches of all libraries may still take on; a short run warms up less."""

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
ENDPOINTS: Final = ("user", "resources")
SERVER_ENDPOINTS: Final = ("identity", "root", "security_token", "security_resources")


@dataclass(frozen=True, slots=True)
class Usage:
    """Hold how much there is of what may grow; memory is in bytes."""

    tasks: int
    timers: int
    connections: int
    descriptors: int
    listeners: int
    flows: int
    states: int
    memory: int

    @classmethod
    def now(cls, hass: HomeAssistant, simulator: PlexSimulator) -> Usage:
        """Count it; what nobody holds any more does not count.

        Neither do two caches: the lines of source that tracebacks were made with, and
        what aiohttp keeps of each web application that a restart of a server has ended.
        """
        linecache.clearcache()
        web_app._cached_build_middleware.cache_clear()
        for _ in range(3):
            gc.collect()
        loop: Any = asyncio.get_running_loop()
        return cls(
            tasks=len(asyncio.all_tasks()),
            timers=sum(not timer.cancelled() for timer in loop._scheduled),
            connections=simulator.connection_count,
            descriptors=sum(1 for _ in Path("/proc/self/fd").iterdir()),
            listeners=sum(hass.bus.async_listeners().values()),
            flows=len(hass.config_entries.flow.async_progress_by_handler(DOMAIN)),
            states=len(hass.states.async_all()),
            memory=tracemalloc.get_traced_memory()[0],
        )

    def grown_since(
        self, before: Usage, noise: int = NOISE
    ) -> dict[str, tuple[int, int]]:
        """Return what there is more of than chance explains.

        Idle connections come and go, each with a task of the simulator and a descriptor
        at both ends.
        """
        was, now = asdict(before), asdict(self)
        slack = {
            "tasks": 3,
            "connections": 3,
            "descriptors": 6,
            "memory": max(was["memory"] * LARGEST_GROWTH, noise),
        }
        return {
            name: (was[name], now[name])
            for name in now
            if now[name] > was[name] + slack.get(name, 0)
        }


@contextmanager
def impatience() -> Iterator[None]:
    """Shorten the timeouts of all requests; they are default arguments."""
    short = ClientTimeout(total=0.15)
    with pytest.MonkeyPatch.context() as patch:
        for function in (Transport.request, PlexServer._request):
            assert function.__kwdefaults__ is not None
            patch.setitem(function.__kwdefaults__, "timeout", short)
        patch.setattr(server_module, "PROBE_TIMEOUT", short)
        yield


class FastTime:
    """Let the time of day run ahead, but not the event loop's, which has timeouts."""

    def __init__(self, hass: HomeAssistant, simulator: PlexSimulator) -> None:
        """Start now."""
        self._hass = hass
        self._simulator = simulator
        self._ahead = timedelta()

    def now(self) -> datetime:
        """Return what time it is."""
        return datetime.now(UTC) + self._ahead

    async def async_pass(self, step: timedelta) -> None:
        """Let time pass, and wait for what is due by then."""
        self._ahead += step
        self._simulator.clock.advance(step)
        async_fire_time_changed(self._hass, datetime.now(UTC) + step)
        await async_settle(self._hass)


@pytest.fixture
def time(
    hass: HomeAssistant, simulator: PlexSimulator, monkeypatch: pytest.MonkeyPatch
) -> FastTime:
    """Return the time that a test moves."""
    time = FastTime(hass, simulator)
    monkeypatch.setattr(dt_util, "utcnow", time.now)
    return time


@pytest.fixture(scope="module", autouse=True)
def traced() -> Iterator[None]:
    """Count the memory that Python allocates, from before Home Assistant starts.

    What the process takes from the system tells less: it comes in large pieces and is
    kept when free.
    """
    tracemalloc.start()
    yield
    tracemalloc.stop()


@pytest.fixture
def quiet() -> Iterator[None]:
    """Log nothing: tests keep all that is logged."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


def part_of(number: int, request: pytest.FixtureRequest) -> int:
    """Return how often to do something: all of it with `--full`, else a part."""
    return (
        number if request.config.getoption("--full", default=False) else number // PART
    )


def noise(request: pytest.FixtureRequest) -> int:
    """Return how many bytes may come on top in this run whatever is in use."""
    full = request.config.getoption("--full", default=False)
    return NOISE if full else NOISE_OF_A_PART


async def async_add(
    hass: HomeAssistant, simulator: PlexSimulator, world: DemoWorld
) -> MockConfigEntry:
    """Add an account with two servers, one of which watches a source."""
    simulator.recording = False
    return await async_add_account(
        hass,
        simulator,
        world.two_factor,
        [
            server_data(
                world.living_room,
                world.two_factor,
                sources=[f"server://{world.basement.machine_identifier}"],
            ),
            world.basement,
        ],
    )


async def async_act(hass: HomeAssistant, entry: MockConfigEntry) -> bool:
    """Get transient tokens of all servers; tell whether there were any."""
    issued = True
    for device in hass.data["device_registry"].devices:
        if device.config_subentry_id is None:
            continue
        try:
            await hass.services.async_call(
                DOMAIN,
                "get_transient_token",
                {"device_id": device.id},
                blocking=True,
                return_response=True,
            )
        except HomeAssistantError:
            issued = False
    return issued


def spoil(
    rng: random.Random, simulator: PlexSimulator, servers: list[MediaServer]
) -> None:
    """Let some calls fail in some way, and others not."""
    simulator.faults.clear()
    for server in servers:
        server.faults.clear()
    if rng.random() < 0.3:
        return
    for endpoint in ENDPOINTS:
        if rng.random() < 0.4:
            simulator.faults.set(endpoint, rng.choice(FAULTS))
    for server in servers:
        for endpoint in SERVER_ENDPOINTS:
            if rng.random() < 0.3:
                server.faults.set(endpoint, rng.choice(FAULTS))


def forget_answers(world: DemoWorld) -> None:
    """Let the simulator forget what it gave out, which only grows."""
    for server in (world.living_room, world.basement):
        server.secrets_given.clear()
        server.transient_tokens.clear()


async def async_recover(
    hass: HomeAssistant,
    simulator: PlexSimulator,
    time: FastTime,
    entry: MockConfigEntry,
    world: DemoWorld,
) -> None:
    """End all faults and let everything be polled once more."""
    simulator.faults.clear()
    for server in (world.living_room, world.basement):
        server.faults.clear()
    await account_coordinator(entry).async_refresh()
    await time.async_pass(timedelta(minutes=61))
    forget_answers(world)


@pytest.mark.usefixtures("quiet")
async def test_polls(
    hass: HomeAssistant,
    simulator: PlexSimulator,
    world: DemoWorld,
    time: FastTime,
    request: pytest.FixtureRequest,
    record_property: Any,
) -> None:
    """Polls with all kinds of failures leave nothing behind, and everything recovers."""
    rng = random.Random(SEED)
    servers = [world.living_room, world.basement]
    entry = await async_add(hass, simulator, world)
    before: Usage | None = None
    polls = part_of(POLLS, request)
    # The first rounds fill caches: they are no part of the comparison.
    warm_up = max(4 * ROUND, polls // 4 // ROUND * ROUND)
    for poll in range(1, warm_up + polls + 1):
        spoil(rng, simulator, servers)
        with impatience():
            await time.async_pass(timedelta(minutes=rng.choice((1, 5, 15, 31))))
            if rng.random() < 0.2:
                await async_act(hass, entry)
        if rng.random() < 0.02:
            await rng.choice(servers).restart()
        assert len(list(entry.async_get_active_flows(hass, {SOURCE_REAUTH}))) <= 1
        if poll % ROUND == 0:
            await async_recover(hass, simulator, time, entry, world)
            assert account_coordinator(entry).last_update_success
            for server in servers:
                assert server_coordinator(entry, server).last_update_success
        if poll == warm_up:
            before = Usage.now(hass, simulator)
    await async_recover(hass, simulator, time, entry, world)
    assert before is not None
    after = Usage.now(hass, simulator)
    record_property("usage", (before, after))
    print(f"\n{polls} polls: {before}\n-> {after}")  # noqa: T201
    assert not after.grown_since(before, noise(request))
    assert state_of(hass, "binary_sensor.token", world.two_factor) == "off"
    assert await async_act(hass, entry)


@pytest.mark.usefixtures("quiet")
async def test_reloads(
    hass: HomeAssistant,
    simulator: PlexSimulator,
    world: DemoWorld,
    time: FastTime,
    request: pytest.FixtureRequest,
    record_property: Any,
) -> None:
    """Reloads, some of them while plex.tv or a server is away, leave nothing behind."""
    rng = random.Random(SEED)
    servers = [world.living_room, world.basement]
    entry = await async_add(hass, simulator, world)
    before: Usage | None = None
    reloads = part_of(RELOADS, request)
    warm_up = max(2 * ROUND, reloads // 4 // ROUND * ROUND)
    for reload in range(1, warm_up + reloads + 1):
        spoil(rng, simulator, servers)
        with impatience():
            await hass.config_entries.async_reload(entry.entry_id)
            await async_settle(hass)
            assert entry.state is ConfigEntryState.LOADED
            if rng.random() < 0.3:
                await async_act(hass, entry)
        if reload % ROUND == 0:
            await async_recover(hass, simulator, time, entry, world)
        if reload == warm_up:
            before = Usage.now(hass, simulator)
    await async_recover(hass, simulator, time, entry, world)
    assert before is not None
    after = Usage.now(hass, simulator)
    record_property("usage", (before, after))
    print(f"\n{reloads} reloads: {before}\n-> {after}")  # noqa: T201
    assert not after.grown_since(before, noise(request))
    assert account_coordinator(entry).last_update_success
    assert await async_act(hass, entry)


async def test_growth_is_noticed(hass: HomeAssistant, simulator: PlexSimulator) -> None:
    """The comparison notices a task, a timer, a listener, a file and memory too many."""
    before = Usage.now(hass, simulator)
    tasks = [asyncio.create_task(asyncio.sleep(60)) for _ in range(4)]
    timer = asyncio.get_running_loop().call_later(60, lambda: None)
    stop = hass.bus.async_listen("anything", lambda _: None)
    with ExitStack() as stack:
        for _ in range(7):
            stack.enter_context(socket.socket())
        ballast = bytearray(before.memory + NOISE)
        grown = Usage.now(hass, simulator).grown_since(before)
        assert ballast
    stop()
    timer.cancel()
    for task in tasks:
        task.cancel()
    assert set(grown) == {"tasks", "timers", "listeners", "descriptors", "memory"}

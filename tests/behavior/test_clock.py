"""A clock that is set, by hours or years, blocks nothing and shows nothing false."""

from collections.abc import Callable
from datetime import datetime, timedelta

from freezegun.api import FrozenDateTimeFactory
import pytest
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    async_capture_events,
)

from homeassistant.config_entries import ConfigEntryState
from homeassistant.const import STATE_UNKNOWN
from homeassistant.helpers import issue_registry as ir
from homeassistant.util import dt as dt_util
from tests.harness import Harness
from tests.helpers import account_coordinator
from tests.plex_simulator import Fault

SERVER_POLL = timedelta(minutes=5)
HOUR = timedelta(hours=1)
EXPIRES = "sensor.transient_token_expires"
TOKEN = "event.transient_token"

type SetClock = Callable[[timedelta], None]

each_step = pytest.mark.parametrize(
    "step",
    [
        timedelta(hours=-3),
        timedelta(hours=5),
        timedelta(days=-1000),
        timedelta(days=1000),
    ],
    ids=["hours back", "hours forward", "years back", "years forward"],
)


@pytest.fixture
def set_clock(
    harness: Harness, freezer: FrozenDateTimeFactory, monkeypatch: pytest.MonkeyPatch
) -> SetClock:
    """Return what sets this machine's clock: neither the loop's, nor that of Plex."""
    since_boot = harness.hass.loop.time
    steps: list[timedelta] = []
    monkeypatch.setattr(
        harness.hass.loop,
        "time",
        lambda: since_boot() - sum(steps, timedelta()).total_seconds(),
    )

    def _set(step: timedelta) -> None:
        steps.append(step)
        freezer.tick(step)
        harness.simulator.clock.advance(-step)

    return _set


def token_event(harness: Harness) -> str | None:
    """Return the kind of the last event of a transient token."""
    kind: str | None = harness.entity(TOKEN).attributes["event_type"]
    return kind


# At the start


@each_step
async def test_account_that_is_not_ready(
    harness: Harness,
    freezer: FrozenDateTimeFactory,
    set_clock: SetClock,
    step: timedelta,
) -> None:
    """An account without a usable server is asked again soon, and at once by a reload."""
    harness.simulator.faults.set("user", Fault.status(503))
    entry = await harness.add(harness.anna)
    other = await harness.add(harness.ben)
    assert [entry.state, other.state] == [ConfigEntryState.SETUP_RETRY] * 2
    set_clock(step)
    harness.simulator.faults.clear()
    await harness.reload(other)
    assert other.state is ConfigEntryState.LOADED
    await harness.wait(freezer, timedelta(minutes=2))
    assert entry.state is ConfigEntryState.LOADED
    assert harness.state("binary_sensor.sign_in") == "off"


@each_step
async def test_pause_of_the_setup(
    harness: Harness,
    freezer: FrozenDateTimeFactory,
    set_clock: SetClock,
    step: timedelta,
) -> None:
    """A pause that plex.tv asks for is as long as it says, however the clock is set."""
    later = {"Retry-After": "1800"}
    harness.simulator.faults.set("user", Fault.status(429, headers=later))
    entry = await harness.add(harness.anna)
    set_clock(step)
    harness.asked()
    for _ in range(29):
        await harness.wait(freezer, timedelta(minutes=1))
    await harness.reload(entry)
    assert not harness.asked()
    harness.simulator.faults.clear()
    await harness.wait(freezer, timedelta(minutes=2))
    await harness.reload(entry)
    assert entry.state is ConfigEntryState.LOADED


@each_step
async def test_server_that_is_away_at_start(
    harness: Harness,
    freezer: FrozenDateTimeFactory,
    set_clock: SetClock,
    step: timedelta,
) -> None:
    """What is away when the clock is set is back after the usual time."""
    await harness.simulator.stop_plex_tv()
    await harness.server.stop()
    await harness.add(harness.anna, harness.server)
    set_clock(step)
    await harness.simulator.start_plex_tv()
    await harness.server.start()
    for _ in range(4):
        await harness.wait(freezer, timedelta(minutes=2))
    assert harness.state("binary_sensor.sign_in") == "off"
    assert harness.state("binary_sensor.reachable") == "on"
    assert harness.state("sensor.servers") == "3"


# Later


@each_step
async def test_polls(
    harness: Harness,
    freezer: FrozenDateTimeFactory,
    set_clock: SetClock,
    entry: MockConfigEntry,
    step: timedelta,
) -> None:
    """Polls keep their intervals; nothing is told, repaired, or asked of a person."""
    await harness.wait(freezer, SERVER_POLL)
    told = async_capture_events(harness.hass, "state_changed")
    set_clock(step)
    harness.asked()
    for _ in range(12):
        await harness.wait(freezer, SERVER_POLL)
    asked = harness.asked()
    assert asked["identity"] == 12
    assert (asked["user"], asked["resources"], asked["devices"]) == (2, 1, 1)
    assert not [event for event in told if "verified" not in event.data["entity_id"]]
    assert not ir.async_get(harness.hass).issues
    assert not harness.reauth_flows(entry)


@each_step
@pytest.mark.parametrize("as_date", [True, False])
async def test_pause_of_a_poll(
    harness: Harness,
    freezer: FrozenDateTimeFactory,
    set_clock: SetClock,
    entry: MockConfigEntry,
    step: timedelta,
    as_date: bool,
) -> None:
    """A pause is as long as plex.tv says, also where it names a date by its own clock."""
    set_clock(step)
    end = harness.simulator.clock.now() + timedelta(seconds=2400)
    date = f"{end:%a, %d %b %Y %H:%M:%S GMT}"
    headers = {
        "Date": f"{harness.simulator.clock.now():%a, %d %b %Y %H:%M:%S GMT}",
        "Retry-After": date if as_date else "2400",
    }
    harness.simulator.faults.set("user", Fault.status(429, headers=headers), times=1)
    account = account_coordinator(entry)
    await account.async_poll()
    assert account.pause.remaining == timedelta(seconds=2400)
    set_clock(-2 * step)
    assert account.is_paused
    harness.asked()
    for _ in range(7):
        await harness.wait(freezer, SERVER_POLL)
    assert not harness.asked()["user"]
    for _ in range(2):
        await harness.wait(freezer, SERVER_POLL)
    assert harness.asked()["user"] == 1
    assert harness.state("binary_sensor.sign_in") == "off"


# Transient tokens


@each_step
async def test_transient_token_expires(
    harness: Harness,
    freezer: FrozenDateTimeFactory,
    set_clock: SetClock,
    entry: MockConfigEntry,
    step: timedelta,
) -> None:
    """It expires after 48 hours, and the moment that is shown follows the clock."""
    await harness.transient_token()
    end = dt_util.utcnow() + 48 * HOUR
    set_clock(step)
    await harness.wait(freezer, SERVER_POLL)
    shown = datetime.fromisoformat(harness.state(EXPIRES))
    assert shown == (end + step).replace(microsecond=0)
    for _ in range(47):
        await harness.wait(freezer, HOUR)
        assert harness.state(EXPIRES) == shown.isoformat()
    assert token_event(harness) == "issued"
    await harness.wait(freezer, HOUR)
    assert token_event(harness) == "expired"
    assert harness.state(EXPIRES) == STATE_UNKNOWN


@each_step
async def test_transient_token_is_destroyed(
    harness: Harness,
    freezer: FrozenDateTimeFactory,
    set_clock: SetClock,
    entry: MockConfigEntry,
    step: timedelta,
) -> None:
    """A restart of the server destroys a token whatever the clock shows."""
    await harness.transient_token()
    set_clock(step)
    await harness.wait(freezer, HOUR)
    assert token_event(harness) == "issued"
    await harness.server.restart()
    await harness.wait(freezer, SERVER_POLL)
    assert token_event(harness) == "destroyed"
    assert harness.state(EXPIRES) == STATE_UNKNOWN


async def test_transient_token_while_the_clock_drifts(
    harness: Harness,
    freezer: FrozenDateTimeFactory,
    set_clock: SetClock,
    entry: MockConfigEntry,
) -> None:
    """A clock that is corrected by seconds changes no state."""
    await harness.transient_token()
    shown = harness.state(EXPIRES)
    for seconds in (2, -3, 5):
        set_clock(timedelta(seconds=seconds))
        await harness.wait(freezer, SERVER_POLL)
        assert harness.state(EXPIRES) == shown

"""A year of a house: everything that happens is told once, and nothing grows.

The two weeks of the calendar pass in the usual run; with `--full` they recur for a year.
"""

from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time, timedelta
from itertools import pairwise
import logging
import sys
from typing import Any, Final
from unittest.mock import patch
from zoneinfo import ZoneInfo

from freezegun.api import FrozenDateTimeFactory
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.plex_auth.const import CONF_CLIENT_IDENTIFIER, DOMAIN
from custom_components.plex_auth.repairs import async_create_fix_flow
from homeassistant.config_entries import ConfigSubentryData
from homeassistant.helpers import issue_registry as ir
from tests.harness import Harness
from tests.helpers import device_of, make_entry, server_data, source_of, subentry_of
from tests.plex_simulator import Client, MediaServer

from .house import DAY, MIDNIGHT, TIME_ZONE, Holdings, House, Note
from .test_storm import async_sign_in_anew

FORTNIGHT: Final = 14
YEAR: Final = 365

SIGN_IN: Final = "binary_sensor.anna_sign_in"
DEVICE: Final = "event.anna_authorized_device"
LIVING_ROOM: Final = "event.living_room_transient_token"
SHARED: Final = "event.carla_s_films_transient_token"
BASEMENT: Final = "binary_sensor.basement_reachable"
LIVING_ROOM_REACHABLE: Final = "binary_sensor.living_room_reachable"
TARGETS: Final = [
    SIGN_IN,
    DEVICE,
    LIVING_ROOM,
    SHARED,
    BASEMENT,
    LIVING_ROOM_REACHABLE,
    "binary_sensor.carla_s_films_reachable",
    "event.basement_transient_token",
]

NAMES: Final = (("Anna", "Living Room"), ("Anne", "Dining Room"))
TV: Final = "television"


# What happens


async def basement_goes(house: House) -> None:
    """Let the server with a typed address be away."""
    await house.harness.world.basement.stop()


async def basement_returns(house: House) -> None:
    """Let the server with a typed address be back."""
    await house.harness.world.basement.start()


async def token_of_living_room(house: House) -> None:
    """Get a transient token of an own server."""
    await house.harness.transient_token(house.harness.world.living_room)


async def living_room_restarts(house: House) -> None:
    """Let an own server restart, which is over before the next poll."""
    await house.harness.world.living_room.restart()


async def token_of_shared(house: House) -> None:
    """Get a transient token of a shared server."""
    await house.harness.transient_token(house.harness.world.shared)


async def restart(house: House) -> None:
    """Let Home Assistant be off for some minutes."""
    await house.stop()
    await house.wait()
    await house.start()


async def entry_is_reloaded(house: House) -> None:
    """Let the person reload the account."""
    await house.harness.reload(house.entry)


async def restart_without_plex_tv(house: House) -> None:
    """Let plex.tv go away while Home Assistant is off."""
    await house.stop()
    await house.harness.simulator.stop_plex_tv()
    await house.wait()
    await house.start()


async def plex_tv_returns(house: House) -> None:
    """Let plex.tv be back."""
    await house.harness.simulator.start_plex_tv()


async def clock_goes_forward(house: House) -> None:
    """Set the clock of this machine hours too late."""
    house.set_clock(timedelta(hours=5))


async def clock_goes_back(house: House) -> None:
    """Set the clock of this machine back to the true time."""
    house.set_clock(timedelta(hours=-5))


async def guest_signs_in(house: House) -> None:
    """Let a guest's television sign in."""
    house.harness.anna.sign_in_token(TV, client=Client(name="Guest TV"))


async def guest_is_removed(house: House) -> None:
    """Let the person remove the television at plex.tv, every other time by the action."""
    if house.passed // DAY % (2 * FORTNIGHT) < FORTNIGHT:
        house.harness.anna.revoke_token(TV)
        return
    devices = (await house.harness.call("get_devices"))["devices"]
    (found,) = [one for one in devices if one["name"] == "Guest TV"]
    await house.harness.call("remove_device", id=found["id"])


async def names_change(house: House) -> None:
    """Let account and server have other names at Plex, and back in two weeks."""
    account, server = NAMES[house.passed // DAY // FORTNIGHT % 2 == 0]
    house.harness.anna.title = account
    house.harness.world.living_room.name = server


async def names_are_followed(house: House) -> None:
    """Check that entry, subentry and device pages have the names at Plex."""
    hass, entry = house.harness.hass, house.entry
    account, server = house.harness.anna, house.harness.world.living_room
    assert entry.title == device_of(hass, entry).name == account.title
    assert subentry_of(entry, server).title == server.name
    assert device_of(hass, entry, server).name == server.name


async def share_ends(house: House) -> None:
    """Let the friend share her server no longer."""
    house.harness.world.shared.shared_with.remove(house.harness.anna)


async def repair_is_ignored(house: House) -> None:
    """Let the person ignore the one repair that there is."""
    (issue,) = ir.async_get(house.harness.hass).issues.values()
    ir.async_ignore_issue(house.harness.hass, DOMAIN, issue.issue_id, True)


async def repair_stays_ignored(house: House) -> None:
    """Check that the repair is still known as ignored, be it shown or not."""
    issues = ir.async_get(house.harness.hass).issues.values()
    (issue,) = [issue for issue in issues if issue.domain == DOMAIN]
    assert issue.dismissed_version is not None


async def share_begins(house: House) -> None:
    """Let the friend share her server again."""
    house.harness.world.shared.shared_with.append(house.harness.anna)


async def sign_in_is_ended(house: House) -> None:
    """Let somebody sign out Home Assistant at plex.tv."""
    identifier = house.entry.data[CONF_CLIENT_IDENTIFIER]
    house.harness.anna.revoke_token(identifier)


async def sign_in_is_ended_while_off(house: House) -> None:
    """Let somebody sign out Home Assistant at plex.tv while it is off."""
    await house.stop()
    await sign_in_is_ended(house)
    await house.wait()
    await house.start()


async def person_signs_in(house: House) -> None:
    """Let the person sign in by the card that asks for it."""
    await async_sign_in_anew(house.harness, house.entry)
    await house.harness.settle()


async def living_room_is_set_up_anew(house: House) -> None:
    """Let another server answer at the address of an own one, which is gone for good."""
    harness, world = house.harness, house.harness.world
    new = await harness.simulator.set_up_anew(world.living_room, stays_listed=False)
    house.harness = replace(harness, server=new, world=replace(world, living_room=new))


async def successor_is_taken(house: House) -> None:
    """Let the person continue with the new server, as the repair offers."""
    hass = house.harness.hass
    (issue,) = [
        one
        for one in ir.async_get(hass).issues.values()
        if one.translation_key == "server_replaced"
    ]
    flow = await async_create_fix_flow(hass, issue.issue_id, issue.data)
    flow.hass = hass
    typed: dict[str, str] | None
    for typed in (None, {}):
        result = await flow.async_step_confirm(typed)  # type: ignore[attr-defined]
    assert result["type"] == "create_entry"
    ir.async_delete_issue(hass, DOMAIN, issue.issue_id)
    await house.harness.settle()


async def all_is_well(house: House) -> None:
    """Check that everything is well, and nobody is asked for anything."""
    harness, world = house.harness, house.harness.world
    assert harness.state("binary_sensor.sign_in") == "off"
    for server in (world.living_room, world.basement, world.shared):
        assert harness.state("binary_sensor.reachable", server) == "on"
    assert harness.state("sensor.servers") in {"2", "3"}
    assert not harness.reauth_flows(house.entry)


# When it happens, and what has to be told of it on that day


@dataclass(frozen=True, slots=True)
class Happening:
    """Hold what happens on some days of each fortnight, and all that is told of it."""

    days: Collection[int]
    hour: time
    what: Callable[[House], Awaitable[None]]
    notes: tuple[str, ...] = ()


EVERY_DAY: Final = range(FORTNIGHT)
REJECTED: Final = (
    f"sign_in_rejected: {SIGN_IN}",
    "repair comes: config_entry_reauth",
    "log: Authentication failed while fetching Plex account Anna data",
)
ACCEPTED: Final = (
    f"sign_in_accepted: {SIGN_IN}",
    "repair goes: config_entry_reauth",
)

CALENDAR: Final = (
    Happening(
        EVERY_DAY,
        time(3),
        basement_goes,
        (
            f"server_unreachable: {BASEMENT}",
            "log: Error fetching Plex server Basement data",
        ),
    ),
    Happening(
        EVERY_DAY, time(3, 20), basement_returns, (f"server_reachable: {BASEMENT}",)
    ),
    Happening(EVERY_DAY, time(23), all_is_well),
    # A token that lives its 48 hours, in which the clock is wrong for some.
    Happening((1,), time(12), token_of_shared, (f"{SHARED}: issued",)),
    Happening((2,), time(10), clock_goes_forward),
    Happening((2,), time(19), clock_goes_back),
    Happening((3,), time(13), all_is_well, (f"{SHARED}: expired",)),
    # A token that a restart of its server destroys.
    Happening((3, 10), time(9), token_of_living_room, (f"{LIVING_ROOM}: issued",)),
    Happening(
        (4, 11),
        time(4),
        living_room_restarts,
        (
            f"transient_token_destroyed: {LIVING_ROOM}",
            f"{LIVING_ROOM}: destroyed",
        ),
    ),
    # A device.
    Happening(
        (4,), time(10), guest_signs_in, (f"device_added: {DEVICE}", f"{DEVICE}: added")
    ),
    Happening((4,), time(20), guest_is_removed, (f"{DEVICE}: removed",)),
    # A repair that the person ignores, over restarts and a reload.
    Happening((5,), time(12), share_ends, ("repair comes: server_not_listed",)),
    Happening((5,), time(15), repair_is_ignored, ("repair goes: server_not_listed",)),
    Happening((9,), time(12), entry_is_reloaded),
    Happening((6, 8, 11, 12), time(8), repair_stays_ignored),
    Happening((12,), time(12), share_begins),
    # A server that is set up anew, while a token of the old one is still valid.
    Happening((9,), time(13), token_of_living_room, (f"{LIVING_ROOM}: issued",)),
    Happening(
        (9,),
        time(14),
        living_room_is_set_up_anew,
        (
            f"server_unreachable: {LIVING_ROOM_REACHABLE}",
            "log: Error fetching Plex server Living Room data",
            "repair comes: server_replaced",
            f"device_added: {DEVICE}",
            f"{DEVICE}: added",
            f"{DEVICE}: removed",
        ),
    ),
    Happening(
        (9,),
        time(16),
        successor_is_taken,
        (
            f"transient_token_destroyed: {LIVING_ROOM}",
            f"{LIVING_ROOM}: destroyed",
            "repair goes: server_replaced",
            f"server_reachable: {LIVING_ROOM_REACHABLE}",
        ),
    ),
    # Restarts, plex.tv being away at one.
    Happening(
        (6,),
        time(5),
        restart_without_plex_tv,
        ("log: Error fetching Plex account Anna data",),
    ),
    Happening((6,), time(7), plex_tv_returns),
    Happening((13,), time(5), restart),
    # Other names at Plex.
    Happening((7,), time(9), names_change),
    Happening((7,), time(11), names_are_followed),
    # Two rejections, one around a restart.
    Happening((8,), time(14), sign_in_is_ended, REJECTED),
    Happening((8,), time(17), person_signs_in, ACCEPTED),
    Happening((11,), time(5), sign_in_is_ended_while_off, REJECTED),
    Happening((11,), time(9), person_signs_in, ACCEPTED),
)


def happenings(days: int) -> list[tuple[int, Happening]]:
    """Return what happens in so many days, each with its day, one after the other."""
    in_order = sorted(CALENDAR, key=lambda happening: happening.hour)
    return [
        (day, happening)
        for day in range(days)
        for happening in in_order
        if day % FORTNIGHT in happening.days
    ]


def expected(days: int) -> list[Note]:
    """Return all that has to be noted in so many days."""
    return [(day, note) for day, one in happenings(days) for note in one.notes]


def clock_changes(days: int) -> int:
    """Return how often summer time begins or ends in so many days."""
    start = datetime.fromisoformat(MIDNIGHT).astimezone(ZoneInfo(TIME_ZONE))
    offsets = [
        (start.astimezone(UTC) + day * DAY).astimezone(start.tzinfo).utcoffset()
        for day in range(days + 1)
    ]
    return sum(one != other for one, other in pairwise(offsets))


@pytest.fixture
async def house(
    harness: Harness,
    freezer: FrozenDateTimeFactory,
    monkeypatch: pytest.MonkeyPatch,
    hass_storage: dict[str, Any],
) -> AsyncIterator[House]:
    """Return a house in which Home Assistant does not run yet."""
    loop = harness.hass.loop
    # In its debug mode the loop takes each step of the time for a slow task.
    loop.set_debug(False)
    house = House(harness, freezer, hass_storage, TARGETS)
    since_boot = loop.time
    monkeypatch.setattr(
        loop, "time", lambda: since_boot() - house.clock_error.total_seconds()
    )
    logging.disable(logging.INFO)
    yield house
    logging.disable(logging.NOTSET)
    await house.stop()


def household(harness: Harness) -> MockConfigEntry:
    """Return an account with two own servers and a shared one.

    One of its own has a typed address and is a watched source of the other.
    """
    world = harness.world
    watching = {"sources": [source_of(world.basement)]}
    typed = {"url": world.basement.http_url, "verify_ssl": True}
    servers: list[MediaServer | ConfigSubentryData] = [
        server_data(world.living_room, harness.anna, **watching),
        server_data(world.basement, harness.anna, **typed),
        world.shared,
    ]
    return make_entry(harness.simulator, harness.anna, servers)


async def async_live(house: House, days: int) -> tuple[Holdings, Holdings]:
    """Let the calendar happen; return what there is at its beginning and at its end."""
    await house.start(household(house.harness))
    await house.wait_until(0, time(2))
    before = house.holdings()
    for day, happening in happenings(days):
        await house.wait_until(day, happening.hour)
        await happening.what(house)
    await house.wait_until(days, time())
    return before, house.holdings()


@pytest.mark.timeout(3600)
async def test_year(house: House, pytestconfig: pytest.Config) -> None:
    """Each event is told once, each repair has somebody to act, and nothing grows.

    Shows the figures with `-n 0 -s`.
    """
    days = YEAR if pytestconfig.getoption("--full") else FORTNIGHT
    # Other handlers keep what is logged.
    with patch.object(logging.getLogger(), "handlers", [house.lines]):
        before, after = await async_live(house, days)
    sys.stdout.write(report(house, days, before, after))
    assert Counter(house.notes) == Counter(expected(days))
    assert not after.grown_since(before)
    assert clock_changes(days)
    # All polls were made: of a server each 5 minutes, of plex.tv each 30.
    assert house.asked["identity"] > 3 * 280 * days
    assert house.asked["user"] > 44 * days


def report(house: House, days: int, before: Holdings, after: Holdings) -> str:
    """Return the figures in lines of text."""
    kinds = Counter(note.partition(":")[0] for _, note in house.notes)
    was, now = before.figures(), after.figures()
    lines = [
        f"{days} days, {house.starts} starts, {clock_changes(days)} clock changes",
        *(f"noted {number} x {kind}" for kind, number in sorted(kinds.items())),
        *(f"asked {number} x {name}" for name, number in house.asked.most_common()),
        *(f"{name}: {was[name]} -> {now[name]}" for name in now),
    ]
    return "\n".join(["", *lines, ""])

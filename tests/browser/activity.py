"""The steps that look whether Activity tells of a server only what befalls that one."""

from datetime import UTC, datetime
from itertools import takewhile
import re
import time
from typing import Final

from playwright.sync_api import expect

from scripts.shared.failure import Failure
from scripts.shared.simulator import Simulator
from tests.walks.names import DOMAIN, Entity
from tests.walks.texts import text
from tests.walks.world import ANNAS_NAME, BASEMENT, LIVING_ROOM

from . import entry
from .screen import Screen

_LONGEST_WAIT: Final = 30  # seconds
_MARK: Final = {"name": "The tour", "message": "has changed another server"}
_OTHERS: Final = re.compile(rf"^\s*({ANNAS_NAME}|{LIVING_ROOM})\b")


def change_another_server(screen: Screen, simulator: Simulator) -> None:
    """Add, change and remove a server while another one has a running transient token.

    Meanwhile Activity has no line of the other one or of the account, and none of their
    entities has another state, not even for a moment.
    """
    with screen.step("Read Activity"):
        others = _entities(screen)
        before = _lines(screen, text(f"entity.{Entity.TRANSIENT_TOKEN_EXPIRES}.name"))
        screen.picture("activity", keep=False)
    start = datetime.now(UTC).isoformat()
    entry.open_integration(screen)
    entry.add_listed_server(screen, simulator, BASEMENT)
    entry.change_server(screen, simulator, BASEMENT, LIVING_ROOM)
    entry.remove_server(screen, BASEMENT)
    with screen.step("See nothing new of the others in Activity"):
        _mark(screen, start)
        told = screen.ask("logbook/get_events", start_time=start, entity_ids=others)
        assert not told, f"Activity tells {told}"
        kept = screen.ask(
            "history/history_during_period",
            start_time=start,
            entity_ids=others,
            significant_changes_only=False,
            minimal_response=True,
            no_attributes=True,
        )
        assert kept.keys() == set(others), "some have no history"
        changed = {one: states for one, states in kept.items() if len(states) != 1}
        assert not changed, f"these have changed: {changed}"
        after = _lines(screen, _MARK["message"])
        screen.picture("activity-after-another-server", keep=False)
        newest = _time(before[0])
        new = list(takewhile(lambda line: _time(line) != newest, after))
        assert not new, f"Activity tells {new}"
    entry.open_integration(screen)
    with screen.step("See nothing new on the page of the other"):
        entry.open_device(screen, LIVING_ROOM)
        screen.see(text(f"entity.{Entity.TRANSIENT_TOKEN_EXPIRES}.name"), exact=True)
        rows = screen.page.locator("ha-logbook-renderer .entry")
        told = [line for line in before if line.endswith(LIVING_ROOM)]
        expect(rows.first, "the newest line").to_contain_text(_time(told[0]))
        screen.picture("server-after-another-server", keep=False)
        screen.page.go_back()
        screen.see(LIVING_ROOM, exact=True)


def _entities(screen: Screen) -> list[str]:
    """Return the entities of the account and its server, all of them at work."""
    found = screen.ask("config/entity_registry/list")
    own = [
        one["entity_id"]
        for one in found
        if one["platform"] == DOMAIN and one["disabled_by"] is None
    ]
    states = {one["entity_id"]: one["state"] for one in screen.ask("get_states")}
    assert all(states[one] != "unavailable" for one in own), "some are unavailable"
    return own


def _mark(screen: Screen, start: str) -> None:
    """Write a line into Activity, and wait until it is kept: so is all before it."""
    screen.ask(
        "call_service",
        domain="logbook",
        service="log",
        service_data=_MARK,
    )
    deadline = time.monotonic() + _LONGEST_WAIT
    while _MARK["message"] not in str(
        screen.ask("logbook/get_events", start_time=start)
    ):
        if time.monotonic() > deadline:
            raise Failure("Activity keeps nothing")
        screen.page.wait_for_timeout(200)


def _lines(screen: Screen, last: str) -> list[str]:
    """Return the lines of Activity about the account and its server, with the last one."""
    screen.click("Activity")
    screen.see(last)
    of = screen.page.locator(".secondary-text", has_text=_OTHERS)
    lines = screen.page.locator("ha-logbook-renderer .entry").filter(has=of)
    return [str(line) for line in lines.all_inner_texts()]


def _time(line: str) -> str:
    return line.partition("\n")[0]

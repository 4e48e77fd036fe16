"""The steps with a server whose machine is replaced, and with its history."""

from dataclasses import dataclass
from datetime import UTC, datetime
import time
from typing import Any, Final
from urllib.parse import urlencode

from playwright.sync_api import expect

from scripts.shared.failure import Failure
from scripts.shared.simulator import Simulator
from tests.walks.names import Entity, Issue, Step
from tests.walks.texts import text, texts_of
from tests.walks.world import ANNAS_NAME, BASEMENT, machine_identifier

from . import entry
from .house import House

_LONGEST_WAIT: Final = 60  # seconds
_LOSSES: Final = 2
_SUCCESSOR: Final = "Cellar"
_REACHABLE: Final = text(f"entity.{Entity.REACHABLE}.name")


@dataclass(frozen=True)
class _History:
    """What is shown of the past of an entity: kept states, and lines of its activity."""

    states: list[str]
    lines: list[str]

    def goes_on_in(self, later: _History) -> bool:
        """Return whether a later history has all of this one, at its beginning."""
        return (
            later.states[: len(self.states)] == self.states
            and later.lines[: len(self.lines)] == self.lines
        )


def replace_server(house: House, simulator: Simulator) -> None:
    """Give a server a history, replace its machine, and find the history again."""
    server = f"/servers/{machine_identifier(simulator, BASEMENT)}"
    with house.run("to replace a server", has_troubles=True):
        start = datetime.now(UTC)
        house.see_everything_at_work("before the new machine")
        entity_id = _reachable(house, BASEMENT)
        with house.screen.step("Let a server be lost and found"):
            for _ in range(_LOSSES):
                for action, state in (("stop", "off"), ("start", "on")):
                    simulator.control.post(f"{server}/{action}")
                    house.wait_until_state(entity_id, state)
                    house.screen.page.wait_for_timeout(2000)  # to be seen in the chart
        old = _see_history(house, start, BASEMENT)
        assert old.states.count("off") == _LOSSES, f"the states are {old.states}"
        simulator.control.post(f"{server}/set_up_anew", {"name": _SUCCESSOR})
        with house.screen.step("Lose the server to another machine"):
            house.ask_for_servers()
            house.wait_until_state(entity_id, "off")
            house.wait_until_repairs({Issue.REPLACED: False})
        _take_successor(house)
        with house.screen.step("Reach the new server by the old entity"):
            house.wait_until_state(entity_id, "on")
            assert _reachable(house, _SUCCESSOR) == entity_id, "it is another entity"
        house.see_everything_at_work("with the new machine")
        new = _see_history(house, start, _SUCCESSOR)
        assert old.goes_on_in(new), f"{old} has become {new}"


def _take_successor(house: House) -> None:
    """Repair it: see both servers named, with when each was last seen, and agree."""
    screen, issue = house.screen, f"issues.{Issue.REPLACED}"
    seen = str(texts_of(f"{issue}.fix_flow.error.last_seen")).partition("{")[0]
    names = {"account": ANNAS_NAME, "server": BASEMENT, "successor": _SUCCESSOR}
    with screen.step("Take the successor of a server"):
        screen.page.goto("/config/repairs")
        screen.click(text(f"{issue}.title", **names))
        confirm = f"{issue}.fix_flow.step.{Step.CONFIRM}"
        screen.see(text(f"{confirm}.title"), exact=True)
        told = {**names, "server_seen": seen, "successor_seen": seen}
        lines = text(f"{confirm}.description", **told).splitlines()
        for line in (one for one in lines if seen in one):
            screen.see(line.strip())
        house.picture("successor", dialog=True)
        screen.press("Submit")
        screen.see("The issue is repaired!")
        screen.press("Close")


def _reachable(house: House, name: str) -> str:
    """Return the entity that tells whether the server is reached."""
    registered = house.registered()
    (entity_id,) = (
        str(one["entity_id"])
        for one in registered.enabled
        if one["translation_key"] == Entity.REACHABLE.partition(".")[2]
        and registered.devices[one["device_id"]] == name
    )
    return entity_id


def _see_history(house: House, start: datetime, name: str) -> _History:
    """See the states of the server's entity in its dialog and on the page of histories.

    Returns them from the oldest on.
    """
    screen, entity_id = house.screen, _reachable(house, name)
    states = _states(house, entity_id, start)
    with screen.step(f"See the history of {name}"):
        house.open_integration()
        entry.open_device(screen, name)
        card = screen.page.locator("ha-device-entities-card")
        card.get_by_text(_REACHABLE, exact=True).click()
        lines = screen.page.locator("ha-more-info-dialog ha-logbook-renderer .entry")
        expect(lines, "all changes").to_have_count(len(states) - 1)
        told = [str(line) for line in lines.all_inner_texts()]
        house.picture(f"history of {name}", dialog=True)
        screen.page.keyboard.press("Escape")
        period = {"start_date": start, "end_date": datetime.now(UTC)}
        query = {key: moment.isoformat() for key, moment in period.items()}
        screen.page.goto(f"/history?{urlencode({'entity_id': entity_id, **query})}")
        chart = screen.page.locator("state-history-chart-timeline canvas")
        expect(chart, "the chart").to_be_visible()
        screen.page.wait_for_timeout(1000)  # until it is drawn
        house.picture(f"histories of {name}")
    return _History(states, told[::-1])


def _states(house: House, entity_id: str, start: datetime) -> list[str]:
    """Return the states that are kept of an entity, once all that is told is kept."""
    deadline = time.monotonic() + _LONGEST_WAIT
    while True:
        kept: dict[str, list[dict[str, Any]]] = house.screen.ask(
            "history/history_during_period",
            start_time=start.isoformat(),
            entity_ids=[entity_id],
            significant_changes_only=False,
            minimal_response=True,
            no_attributes=True,
        )
        states = [one["s"] for one in kept.get(entity_id, [])]
        if states and states[-1] == house.state(entity_id):
            return states
        if time.monotonic() > deadline:
            raise Failure(f"of {entity_id} is kept {states}")
        house.screen.page.wait_for_timeout(500)

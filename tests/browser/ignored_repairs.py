"""The steps that ignore repairs, and see that they stay so when plex.tv is slow."""

from typing import Final

from playwright.sync_api import expect

from scripts.shared.simulator import Simulator
from tests.walks.names import DOMAIN, Issue
from tests.walks.texts import text
from tests.walks.world import (
    ANNA,
    ANNAS_NAME,
    BASEMENT,
    LIVING_ROOM,
    SHARED,
    machine_identifier,
)

from . import entry
from .house import House

_TOO_OLD: Final = "server_too_old"
_WITHOUT_SOURCES: Final = "1.15.3.876-ad6e39743"
_WITH_SOURCES: Final = "1.43.2.10687-563d026ea"
_DELAY: Final = 15  # seconds before each answer of plex.tv; 20 would be too many
_TITLES: Final = {
    _TOO_OLD: text(f"issues.{_TOO_OLD}.title", server=LIVING_ROOM),
    Issue.NOT_LISTED: text(
        f"issues.{Issue.NOT_LISTED}.title", account=ANNAS_NAME, server=SHARED
    ),
}
_OPEN: Final = dict.fromkeys(_TITLES, False)
_IGNORED: Final = dict.fromkeys(_TITLES, True)


def ignore_repairs(house: House, simulator: Simulator) -> None:
    """Ignore repairs, restart while plex.tv is slow, and find them ignored afterwards."""
    with house.run("to ignore repairs"):
        house.see_everything_at_work("before repairs")
        _let_repairs_appear(house, simulator)
        _ignore(house)
        _see_ignored(house, "ignored", *_TITLES)
    slow = {"endpoint": "*", "kind": "delay", "seconds": _DELAY}
    simulator.control.post("/faults", slow)
    with house.run("while plex.tv is slow"):
        # Home Assistant lists no repair of which it is not known yet whether it is needed.
        with house.screen.step("Learn from the server that it is too old"):
            house.wait_until_repairs({_TOO_OLD: True})
        _see_ignored(house, "while plex.tv is slow", _TOO_OLD)
        with house.screen.step("See that plex.tv has not answered yet"):
            asked = simulator.control.get("/requests?endpoint=user&count=1")
            assert asked["requests"][0]["status"] is None, "plex.tv has answered"
        simulator.control.delete("/faults")
        with house.screen.step("Wait until plex.tv has answered"):
            house.wait_until_repairs(_IGNORED)
        _see_ignored(house, "after the slow time", *_TITLES)
        _remove_causes(house, simulator)


def _let_repairs_appear(house: House, simulator: Simulator) -> None:
    """Let a server be too old for the source that it watches, and one not be listed."""
    house.open_integration()
    entry.change_server(house.screen, simulator, LIVING_ROOM, BASEMENT)
    old = f"/servers/{machine_identifier(simulator, LIVING_ROOM)}"
    simulator.control.post(f"{old}/install", {"version": _WITHOUT_SOURCES})
    shared = f"/servers/{machine_identifier(simulator, SHARED)}"
    simulator.control.post(f"{shared}/unshare")
    with house.screen.step("Let repairs appear"):
        house.ask_for_servers()
        house.wait_until_repairs(_OPEN)
        house.screen.page.goto("/config/repairs")
        for title in _TITLES.values():
            house.screen.see(title)
        house.picture("repairs to ignore")


def _remove_causes(house: House, simulator: Simulator) -> None:
    """See that ignored repairs go with their causes, too."""
    with house.screen.step("See ignored repairs go with their causes"):
        server = f"/servers/{machine_identifier(simulator, LIVING_ROOM)}"
        simulator.control.post(f"{server}/install", {"version": _WITH_SOURCES})
        server = f"/servers/{machine_identifier(simulator, SHARED)}"
        simulator.control.post(f"{server}/share", {"username": ANNA})
        house.ask_for_servers()
        house.wait_until_repairs({})


def _ignore(house: House) -> None:
    """Ignore both repairs.

    The page has a button in the dialog of a repair that no dialog can fix. One that has a
    fix opens that, without a button: what such a button would send has to do.
    """
    screen = house.screen
    with screen.step("Ignore a repair in its dialog"):
        screen.click(_TITLES[_TOO_OLD])
        screen.see(text(f"issues.{_TOO_OLD}.description", server=LIVING_ROOM))
        house.picture("ignore", dialog=True)
        screen.press("Ignore")
        house.wait_until_repairs({**_OPEN, _TOO_OLD: True})
    with screen.step("Ignore a repair that has a fix"):
        (found,) = (
            one["issue_id"]
            for one in screen.ask("repairs/list_issues")["issues"]
            if one["translation_key"] == Issue.NOT_LISTED
        )
        screen.ask("repairs/ignore_issue", domain=DOMAIN, issue_id=found, ignore=True)
        house.wait_until_repairs(_IGNORED)


def _see_ignored(house: House, label: str, *keys: str) -> None:
    """See that the page shows these repairs, and only when ignored ones are asked for."""
    screen = house.screen
    with screen.step(f"See repairs among the ignored ones alone: {label}"):
        screen.page.goto("/config/repairs")
        screen.see("There are currently no repairs pending")
        screen.press("Menu")
        screen.click("Show ignored repairs")
        for key in keys:
            row = screen.page.locator("ha-list-item-button", has_text=_TITLES[key])
            expect(row, key).to_contain_text("Ignored in version")
        rows = screen.page.locator("ha-config-repairs ha-list-item-button")
        expect(rows, "as many repairs as are ignored").to_have_count(len(keys))
        house.picture(f"repairs {label}")

"""The steps of somebody who adds a child of the Plex Home, and gets a token for it."""

from itertools import islice
from typing import Final

from playwright.sync_api import expect

from scripts.shared.simulator import Simulator
from tests.walks import ways
from tests.walks.names import Entity, Field, Issue, Step
from tests.walks.texts import ENGLISH, text
from tests.walks.ways import stumbling
from tests.walks.world import ANNAS_NAME, LINA, LIVING_ROOM, pin

from . import actions, automation, entry
from .dialog import HOME_USER, PageDialog
from .screen import Screen

# Add Home user, the child, Submit, Submit again below the PIN, and Finish.
_CLICKS: Final = 5
# The repair, Submit and Close.
_CLICKS_OF_THE_REPAIR: Final = 3
_WRONG: Final[ways.Wrong] = {
    Step.PIN: [({Field.PIN: "0000"}, {Field.PIN: "invalid_pin"})]
}
_FILM: Final = "/library/metadata/5"
_NAMES: Final = {"account": ANNAS_NAME, "home_user": LINA}
_ISSUE: Final = f"issues.{Issue.HOME_USER_SIGN_IN}"
_REPAIR: Final = text(f"{_ISSUE}.title", **_NAMES)


def use_home_user(screen: Screen, simulator: Simulator) -> None:
    """Add a protected child, get a token for it, repair its sign-in, and remove it."""
    add_home_user(screen, simulator)
    get_token(screen)
    automation.make_automation_for(screen, LINA)
    entry.open_integration(screen)
    repair_home_user(screen, simulator)
    entry.open_integration(screen)
    entry.remove_home_user(screen, LINA)


def add_home_user(screen: Screen, simulator: Simulator) -> None:
    """Add a protected child with few clicks, after a wrong PIN."""
    way = stumbling(ways.add_home_user(LINA, pin(simulator, LINA)), _WRONG)
    _open(screen)
    _dialog(screen).walk(islice(way, 2))
    screen.close_dialog()
    with screen.clicks_at_most(_CLICKS):
        _open(screen)
        _dialog(screen).walk(ways.add_home_user(LINA, pin(simulator, LINA)))
    with screen.step("See the Home user on the integration's page"):
        screen.see(text(f"{HOME_USER}.entry_type"), exact=True)
        screen.picture("home-user-added", keep=False)
    _look_at_device(screen, "OK")


def get_token(screen: Screen) -> None:
    """Get a token for a film that the child may see."""
    actions.open_actions(screen)
    shown = actions.get_token_for(screen, LINA, _FILM)
    expect(shown, "the response").to_contain_text(f"home_user: {LINA}")
    entry.open_integration(screen)


def repair_home_user(screen: Screen, simulator: Simulator) -> None:
    """Repair the child's sign-in after Plex has rejected it."""
    _lose_sign_in(screen, simulator)
    _look_at_device(screen, "Problem")
    _repair(screen, simulator)
    entry.open_integration(screen)
    _look_at_device(screen, "OK")


def read_dialog(screen: Screen, language: str) -> None:
    """See the list of Home users and the question for a PIN in a language."""
    _open(screen, language)
    dialog = _dialog(screen, language)
    with dialog.seen(Step.USER):
        screen.click(LINA)
        screen.page.keyboard.press("Enter")
    with dialog.seen(Step.PIN):
        screen.close_dialog()


def _open(screen: Screen, language: str = ENGLISH) -> None:
    screen.press(text(f"{HOME_USER}.initiate_flow.user", language))


def _dialog(screen: Screen, language: str = ENGLISH) -> PageDialog:
    return PageDialog(screen, HOME_USER, _NAMES, language=language)


def _look_at_device(screen: Screen, sign_in: str) -> None:
    """See on the page of the child's device whether Plex accepts its token."""
    with screen.step(f"See that the child's sign-in is: {sign_in}"):
        entry.open_device(screen, LINA)
        screen.see(text(f"entity.{Entity.SIGN_IN}.name"), exact=True)
        states = screen.page.locator("ha-device-entities-card")
        expect(states.first, "the state").to_contain_text(sign_in)
        screen.picture(f"home-user {sign_in}", keep=False)
        screen.page.go_back()
        screen.see(LIVING_ROOM, exact=True)


def _lose_sign_in(screen: Screen, simulator: Simulator) -> None:
    """Let Plex reject the child's token, and check now."""
    simulator.control.post(f"/accounts/{LINA}/revoke_tokens")
    with screen.step("Check now"):
        entry.open_device(screen, ANNAS_NAME)
        screen.press("Press")
        screen.page.go_back()
        screen.see(LIVING_ROOM, exact=True)


def _repair(screen: Screen, simulator: Simulator) -> None:
    """Repair the child's sign-in with few clicks, at the second attempt."""
    with screen.step("Find the repair of the child's sign-in"):
        screen.click("Settings")
        found = screen.see(_REPAIR)
        screen.picture(Issue.HOME_USER_SIGN_IN, keep=False)
    dialog = PageDialog(screen, f"{_ISSUE}.fix_flow", _NAMES)
    way = ways.repair_home_user(pin(simulator, LINA))
    screen.use(found)
    dialog.walk(islice(stumbling(way, _WRONG), 1))
    screen.close_dialog()
    with screen.clicks_at_most(_CLICKS_OF_THE_REPAIR):
        screen.use(screen.see(_REPAIR))
        dialog.walk(ways.repair_home_user(pin(simulator, LINA)))
    with screen.step("See that nothing is left to repair"):
        repair = screen.page.get_by_text(_REPAIR)
        expect(repair, "the repair").to_have_count(0)

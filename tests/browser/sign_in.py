"""The steps that sign in to Plex."""

from scripts.shared.simulator import Simulator
from tests.walks import ways
from tests.walks.names import Field, Step
from tests.walks.texts import text
from tests.walks.ways import REAUTH, stumbling
from tests.walks.world import (
    ANNA,
    ANNAS_NAME,
    BEN,
    BENS_NAME,
    FRITZ,
    FRITZ_NAME,
    LIVING_ROOM,
    SHARED_LABEL,
    labels,
    machine_identifier,
    person,
)

from .dialog import ACCOUNT, PageDialog
from .screen import Screen

_WRONG: ways.Wrong = {
    Step.PASSWORD: [({Field.PASSWORD: "this is wrong"}, {"base": "invalid_auth"})],
    Step.TOKEN: [({Field.TOKEN: "no token of Plex"}, {"base": "invalid_token"})],
}


def open_home_assistant(screen: Screen, username: str, password: str) -> None:
    """Log in to Home Assistant."""
    with screen.step("Log in to Home Assistant"):
        screen.page.goto("/")
        screen.type("username", username)
        screen.type("password", password)
        screen.page.keyboard.press("Enter")
        screen.see("Overview", exact=True)


def add_account(screen: Screen, simulator: Simulator) -> None:
    """Add the integration with user name, password, code and one server."""
    with screen.step("Choose the integration"):
        screen.click("Settings")
        screen.click("Devices & services")
        screen.press("Add integration")
        screen.see("Select brand")
        screen.search("plex")
        screen.see(text("title"), exact=True)
        screen.picture("choose-integration", dialog=True, keep=False)
        screen.click(text("title"))
    dialog = _dialog(screen, simulator, ANNAS_NAME)
    anna = person(simulator, ANNA)
    dialog.walk(stumbling(ways.sign_in(anna, Step.PASSWORD), _WRONG))
    screen.see(SHARED_LABEL)
    dialog.walk(ways.choose_servers([machine_identifier(simulator, LIVING_ROOM)]))
    screen.see(text("title"), exact=True)
    screen.see(LIVING_ROOM, exact=True)


def sign_in_again(screen: Screen, simulator: Simulator) -> None:
    """Sign in again after Plex has said that it no longer accepts the token."""
    with screen.step("See that a new sign-in is needed"):
        screen.click("Settings")
        screen.click("Devices & services")
        screen.see("Discovered")
        screen.see("Reconfigure", exact=True)
        screen.picture("new-sign-in-needed")
        screen.press("Reconfigure")
    dialog = _dialog(screen, simulator, ANNAS_NAME)
    dialog.walk(ways.renew(person(simulator, ANNA), Step.PASSWORD, REAUTH))


def link_account(screen: Screen, simulator: Simulator) -> None:
    """Add a second account with a code that is typed at Plex."""
    screen.press(text("config.initiate_flow.user"))
    fritz = person(simulator, FRITZ)
    dialog = _dialog(screen, simulator, FRITZ_NAME)
    dialog.walk(ways.add_account(fritz, Step.LINK, None))
    screen.see(FRITZ_NAME, exact=True)


def paste_token(screen: Screen, simulator: Simulator) -> None:
    """Add a third account by a token that it has from elsewhere."""
    screen.press(text("config.initiate_flow.user"))
    ben = person(simulator, BEN)
    dialog = _dialog(screen, simulator, BENS_NAME)
    dialog.walk(stumbling(ways.add_account(ben, Step.TOKEN, []), _WRONG))
    screen.see(BENS_NAME, exact=True)


def _dialog(screen: Screen, simulator: Simulator, name: str) -> PageDialog:
    return PageDialog(screen, ACCOUNT, {"name": name}, labels(simulator))

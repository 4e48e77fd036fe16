"""The steps that sign in to Plex."""

from dataclasses import replace

from scripts.shared.simulator import Simulator
from tests.walks import ways
from tests.walks.names import Field, Step
from tests.walks.texts import text, texts_of
from tests.walks.ways import REAUTH, Choose, Created, stumbling
from tests.walks.world import (
    ANNA,
    ANNAS_NAME,
    BASEMENT,
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
from .readme import places_to_sign_in
from .screen import Screen

# What Home Assistant calls the repair.
_REJECTED = f"Authentication expired for {ANNAS_NAME}"
_GOES_ON = str(texts_of("config.progress.wait_for_link")).splitlines()[-1]
# The pictures of the documentation, by the page that they show.
_PICTURES = {
    text("title"): "needs-attention",
    "Devices & services": "new-sign-in-needed",
    "Settings": "new-sign-in-repair",
}
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


def add_quickly(screen: Screen, simulator: Simulator, way: Step, clicks: int) -> None:
    """Add the account with its two own servers, in so many clicks from the menu on."""
    _choose_integration(screen)
    dialog = _dialog(screen, simulator, ANNAS_NAME)
    anna = person(simulator, ANNA)
    dialog.walk(ways.use_api(anna))
    own = [machine_identifier(simulator, name) for name in (LIVING_ROOM, BASEMENT)]
    with screen.clicks_at_most(clicks):
        dialog.walk(ways.go_on(anna, way, Step.USER))
        dialog.walk(ways.choose_servers(own))
    screen.see(BASEMENT, exact=True)


def add_account(screen: Screen, simulator: Simulator) -> None:
    """Add the integration with user name, password, code and one server."""
    _choose_integration(screen)
    dialog = _dialog(screen, simulator, ANNAS_NAME)
    anna = person(simulator, ANNA)
    dialog.walk(stumbling(ways.sign_in(anna, Step.PASSWORD), _WRONG))
    screen.see(SHARED_LABEL)
    dialog.walk(ways.choose_servers([machine_identifier(simulator, LIVING_ROOM)]))
    screen.see(text("title"), exact=True)
    screen.see(LIVING_ROOM, exact=True)


def sign_in_again(screen: Screen, simulator: Simulator) -> None:
    """Sign in again, in three clicks, after Plex has rejected the sign-in."""
    for way, texts in places_to_sign_in():
        _see_request(screen, way, [one.replace("…", ANNAS_NAME) for one in texts])
    screen.click("Settings")
    dialog = _dialog(screen, simulator, ANNAS_NAME)
    with screen.step("Close the dialog half-way"):
        screen.use(screen.see(_REJECTED))
        dialog.do(Choose(Step.REAUTH, Step.LINK))
        screen.see(_GOES_ON)
        screen.press("Close")
    with screen.clicks_at_most(3):
        screen.use(screen.see(_REJECTED))
        dialog.walk(ways.renew(person(simulator, ANNA), Step.LINK, REAUTH))


def _see_request(screen: Screen, way: list[str], texts: list[str]) -> None:
    """See the texts that the documentation names, on the page that it names."""
    with screen.step(f"See that a new sign-in is needed: {' > '.join(way)}"):
        for name in way:
            if name == text("title"):
                cards = screen.page.locator("ha-integration-card", has_text=name)
                cards.first.click()
            else:
                screen.click(name)
        for one in texts:
            screen.see(one, exact=True)
        if picture := _PICTURES.get(way[-1]):
            screen.picture(picture)


def link_account(screen: Screen, simulator: Simulator) -> None:
    """Add a second account in the browser, at the second attempt."""
    screen.press(text("config.initiate_flow.user"))
    fritz = person(simulator, FRITZ)
    expired = {"endpoint": "pins_check", "kind": "plex_error", "code": 1020, "times": 1}
    late = replace(fritz, link=lambda _: simulator.control.post("/faults", expired))
    reason = text("config.error.link_expired")
    dialog = _dialog(screen, simulator, FRITZ_NAME, reason=reason)
    dialog.walk(ways.sign_in(late, Step.LINK))
    dialog.walk(ways.go_on(fritz, Step.LINK, Step.LINK_FAILED))
    dialog.do(Created())
    screen.see(FRITZ_NAME, exact=True)


def paste_token(screen: Screen, simulator: Simulator) -> None:
    """Add a third account by a token that it has from elsewhere."""
    screen.press(text("config.initiate_flow.user"))
    ben = person(simulator, BEN)
    dialog = _dialog(screen, simulator, BENS_NAME)
    dialog.walk(stumbling(ways.add_account(ben, Step.TOKEN, []), _WRONG))
    screen.see(BENS_NAME, exact=True)


def _choose_integration(screen: Screen) -> None:
    with screen.step("Choose the integration"):
        screen.click("Settings")
        screen.click("Devices & services")
        screen.press("Add integration")
        screen.see("Select brand")
        screen.search("plex")
        screen.see(text("title"), exact=True)
        screen.picture("choose-integration", dialog=True, keep=False)
        screen.click(text("title"))


def _dialog(screen: Screen, simulator: Simulator, name: str, **more: str) -> PageDialog:
    return PageDialog(screen, ACCOUNT, {"name": name, **more}, labels(simulator))

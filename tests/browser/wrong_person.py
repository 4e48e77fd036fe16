"""The steps of somebody who signs in to another account first, and then to the right one."""

from contextlib import suppress
from itertools import islice
from typing import Final

from playwright.sync_api import Error, expect

from scripts.shared.simulator import Simulator
from tests.walks import ways
from tests.walks.names import DOMAIN, Action, Field, Step
from tests.walks.ways import REAUTH, Ended, Way, stumbling
from tests.walks.world import ANNA, ANNAS_NAME, BEN, BENS_NAME, person

from .dialog import ACCOUNT, PageDialog
from .screen import Screen

# What Home Assistant calls the repair.
_REPAIR: Final = f"Authentication expired for {ANNAS_NAME}"
# The repair, the way, the form and the button that closes the dialog; and for the right
# person another form, with the code.
_CLICKS_OF_THE_WRONG: Final = 4
_CLICKS_OF_THE_RIGHT: Final = 5


def sign_in_as_both(screen: Screen, simulator: Simulator) -> None:
    """Sign in to the wrong account, close the dialog, and sign in to the right one.

    A new sign-in is asked for all the time, and the clicks from the repair to the end
    are few.
    """
    anna, ben = person(simulator, ANNA), simulator.account(BEN)
    typed: ways.Typed = {Field.USERNAME: BEN, Field.PASSWORD: ben["password"]}
    wrong: ways.Wrong = {Step.PASSWORD: [(typed, {"base": "wrong_account"})]}
    _lose_sign_in(screen, simulator)
    before = screen.clicks
    with screen.clicks_at_most(_CLICKS_OF_THE_WRONG):
        way = stumbling(ways.renew(anna, Step.PASSWORD, REAUTH), wrong)
        _walk(screen, islice(way, 2))
        screen.picture("wrong-person", dialog=True, keep=False)
        screen.press("Close")
    _see_card(screen)
    with screen.clicks_at_most(_CLICKS_OF_THE_RIGHT):
        _walk(screen, ways.renew(anna, Step.PASSWORD, REAUTH))
    clicks = screen.clicks - before
    with screen.step(f"See that no sign-in is asked for after {clicks} clicks"):
        expect(screen.page.get_by_text(_REPAIR), "the repair").to_have_count(0)
        assert not _requests(screen), "a sign-in is still asked for"
        screen.picture("no-repair", keep=False)


def _lose_sign_in(screen: Screen, simulator: Simulator) -> None:
    """Let Plex reject the token, and find the repair."""
    with screen.step("Find the sign-in rejected again"):
        simulator.control.post(f"/accounts/{ANNA}/revoke_tokens")
        with suppress(Error):
            screen.ask(
                "call_service",
                domain=DOMAIN,
                service=Action.TOKEN_DETAILS,
                return_response=True,
            )
        screen.click("Settings")
        _see_request(screen)
        screen.picture("repair", keep=False)


def _see_card(screen: Screen) -> None:
    """See the card and the repair after the dialog is closed, without a click."""
    with screen.step("See that a sign-in is still asked for"):
        screen.page.goto("/config/integrations/dashboard")
        screen.see("Reconfigure", exact=True)
        screen.picture("card-after-the-wrong-person", keep=False)
        screen.page.goto("/config")
        _see_request(screen)
        screen.picture("repair-after-the-wrong-person", keep=False)


def _walk(screen: Screen, way: Way) -> None:
    """Go a way from the repair; until its end the sign-in is asked for."""
    screen.see(_REPAIR).click()
    dialog = PageDialog(screen, ACCOUNT, {"name": ANNAS_NAME, "other": BENS_NAME})
    for move in way:
        if not isinstance(move, Ended):
            _see_request(screen)
        dialog.do(move)


def _see_request(screen: Screen) -> None:
    """See the repair, also behind a dialog, and that a new sign-in is asked for once."""
    screen.see(_REPAIR)
    assert len(_requests(screen)) == 1, "not asked for once"


def _requests(screen: Screen) -> list[str]:
    """Return the dialogs that ask to sign in again, which have their cards."""
    flows = screen.ask("config_entries/flow/progress")
    return [
        flow["flow_id"]
        for flow in flows
        if flow["handler"] == DOMAIN and flow["context"]["source"] == REAUTH
    ]

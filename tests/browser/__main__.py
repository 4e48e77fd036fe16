"""The tour: `python -m tests.browser`, with the world as JSON on standard input."""

import json
import sys
import time

from scripts.shared.failure import run_script
from scripts.shared.simulator import Simulator
from tests.walks.names import Action, Step
from tests.walks.world import (
    ANNAS_NAME,
    BASEMENT,
    BENS_NAME,
    FRITZ_NAME,
    LIVING_ROOM,
    SHARED,
)

from . import (
    actions,
    activity,
    automation,
    dashboard,
    devices,
    entry,
    home_user,
    hostile_names,
    languages,
    repairs,
    sign_in,
    wrong_person,
)
from .chromium import run_chromium
from .screen import Screen


def main() -> int:
    """Take the tour and return the exit code; raises `Failure` where it cannot go on."""
    given = json.load(sys.stdin)
    start = time.monotonic()
    with run_chromium(given["chromium"]) as chromium:
        page = chromium.open_page(given["url"])
        screen = Screen(page, given["screenshots"], given["looks"])
        simulator = Simulator(given["simulator"])
        sign_in.open_home_assistant(screen, given["username"], given["password"])
        sign_in.add_account(screen, simulator)
        tour = _whole
        if given["main"]:
            tour = _main
        elif given["names"]:
            tour = hostile_names.see_hostile_names
        tour(screen, simulator)
        entry.remove_account(screen, ANNAS_NAME, left=0)
        for way, clicks in ((Step.LINK, 3), (Step.PASSWORD, 5)):
            sign_in.add_quickly(screen, simulator, way, clicks)
            entry.remove_account(screen, ANNAS_NAME, left=0)
    report = {"steps": screen.steps, "seconds": round(time.monotonic() - start, 1)}
    sys.stdout.write(json.dumps(report) + "\n")
    return 0


def _main(screen: Screen, simulator: Simulator) -> None:
    """Call an action, use a Home user, sign out devices, sign in again, claim a server."""
    actions.open_actions(screen)
    actions.call(screen, simulator, Action.TRANSIENT_TOKEN)
    entry.open_integration(screen)
    home_user.use_home_user(screen, simulator)
    actions.open_actions(screen)
    actions.sign_out_devices(screen, simulator)
    sign_in.sign_in_again(screen, simulator)
    repairs.claim_server(screen, simulator)
    wrong_person.sign_in_as_both(screen, simulator)
    entry.open_integration(screen)


def _whole(screen: Screen, simulator: Simulator) -> None:
    """Do all that there is to do."""
    entry.look_at_entry(screen)
    entry.look_at_devices(screen)
    home_user.use_home_user(screen, simulator)
    actions.open_actions(screen)
    token = actions.call_all(screen, simulator)
    entry.open_integration(screen)
    activity.change_another_server(screen, simulator)
    automation.make_automation(screen)
    automation.make_first_automation(screen, simulator)
    dashboard.paste_card(screen)
    actions.open_actions(screen)
    actions.sign_out_devices(screen, simulator)
    dashboard.see_rejection(screen)
    sign_in.sign_in_again(screen, simulator)
    repairs.claim_server(screen, simulator)
    wrong_person.sign_in_as_both(screen, simulator)
    entry.open_integration(screen)
    entry.add_server_by_address(screen, simulator, BASEMENT)
    entry.change_server(screen, simulator, LIVING_ROOM, BASEMENT)
    entry.renew_sign_in(screen)
    devices.sign_out_device(screen, simulator)
    entry.add_listed_server(screen, simulator, SHARED)
    repairs.forget_address(screen, simulator)
    repairs.remove_unshared(screen, simulator)
    repairs.renew_token(screen, simulator)
    entry.download_diagnostics(screen, simulator, token)
    languages.read_languages(screen, simulator)
    sign_in.link_account(screen, simulator)
    sign_in.paste_token(screen, simulator)
    entry.remove_account(screen, BENS_NAME, left=2)
    entry.remove_account(screen, FRITZ_NAME, left=1)
    hostile_names.see_hostile_names(screen, simulator)


run_script(main)

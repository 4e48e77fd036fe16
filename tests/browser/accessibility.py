"""The tour of somebody without a mouse: `python -m tests.browser.accessibility`.

It finds the world as JSON on standard input. What axe-core finds on each page is ours,
which is an error, or Home Assistant's own.
"""

import json
from pathlib import Path
import sys

from scripts.shared.failure import Failure, run_script
from scripts.shared.simulator import Simulator
from tests.walks.world import ANNAS_NAME, BASEMENT, FRITZ_NAME, LIVING_ROOM

from . import actions, dashboard, devices, entry, home_user, repairs, sign_in
from .axe import Axe
from .chromium import run_chromium
from .keyboard import Keyboard
from .screen import Screen


def main() -> int:
    """Take the tour and return the exit code; raises `Failure` for what is ours."""
    given = json.load(sys.stdin)
    axe = Axe(Path(given["axe"]))
    simulator = Simulator(given["simulator"])
    with run_chromium(given["chromium"]) as chromium:
        keyboard = Keyboard(chromium.open_page(given["url"]), False, False, axe)
        sign_in.open_home_assistant(keyboard, given["username"], given["password"])
        with keyboard.keys_only():
            _work_dialogs(keyboard, simulator)
        screen = Screen(chromium.open_page(given["url"]), False, False, axe)
        sign_in.open_home_assistant(screen, given["username"], given["password"])
        _see_other_pages(screen, simulator)
    ours = list(axe.ours())
    for violation in ours:
        sys.stderr.write(f"{violation}\n")
    report = {
        "steps": keyboard.steps + screen.steps,
        "clicks in menus": keyboard.menus,
        "pages": axe.pages,
        "violations of Home Assistant": axe.theirs(),
    }
    sys.stdout.write(json.dumps(report) + "\n")
    if ours:
        raise Failure(f"{len(ours)} violations are ours")
    return 0


def _work_dialogs(screen: Keyboard, simulator: Simulator) -> None:
    """Go through each kind of dialog, and never click."""
    sign_in.add_account(screen, simulator)
    entry.look_at_entry(screen)
    entry.look_at_devices(screen)
    entry.add_listed_server(screen, simulator, BASEMENT)
    entry.change_server(screen, simulator, LIVING_ROOM, BASEMENT)
    devices.sign_out_device(screen, simulator)
    home_user.add_home_user(screen, simulator)
    home_user.repair_home_user(screen, simulator)
    entry.open_integration(screen)
    entry.renew_sign_in(screen)
    sign_in.link_account(screen, simulator)
    entry.remove_account(screen, FRITZ_NAME, left=1)


def _see_other_pages(screen: Screen, simulator: Simulator) -> None:
    """See the card of the README, the actions, and the repairs of sign-in and server."""
    dashboard.paste_card(screen)
    actions.open_actions(screen)
    actions.sign_out_devices(screen, simulator)
    dashboard.see_rejection(screen)
    sign_in.sign_in_again(screen, simulator)
    repairs.claim_server(screen, simulator)
    entry.open_integration(screen)
    entry.remove_account(screen, ANNAS_NAME, left=0)


run_script(main)

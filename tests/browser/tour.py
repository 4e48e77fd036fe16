"""The tour: its steps in a row."""

from playwright.sync_api import sync_playwright

from . import actions, automation, entry, languages, sign_in
from .screen import Screen
from .world import World

_OPTIONS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def take(world: World, chromium: str, *, only_main: bool, keep_pictures: bool) -> int:
    """Take the tour and return its number of steps; raises `Failure` at the first."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium, args=list(_OPTIONS)
        )
        page = browser.new_page(
            viewport={"width": 1200, "height": 800}, locale="en-US", timezone_id="UTC"
        )
        screen = Screen(page, keep_pictures)
        sign_in.open_home_assistant(screen, world)
        if only_main:
            _main(screen, world)
        else:
            _whole(screen, world)
        browser.close()
    return screen.steps


def _main(screen: Screen, world: World) -> None:
    """Add an account, call an action, sign in again, remove the account."""
    sign_in.add_account(screen, world)
    actions.open_actions(screen)
    actions.get_transient_token(screen)
    actions.revoke_sign_in(screen, world)
    sign_in.sign_in_again(screen, world)
    entry.open_integration(screen)
    entry.remove_account(screen, sign_in.NAME, left=0)


def _whole(screen: Screen, world: World) -> None:
    """Do all that there is to do."""
    sign_in.add_account(screen, world)
    entry.look_at_entry(screen)
    entry.look_at_devices(screen)
    actions.open_actions(screen)
    token = actions.get_transient_token(screen)
    actions.call_other_actions(screen, world)
    automation.make_automation(screen)
    actions.open_actions(screen)
    actions.revoke_sign_in(screen, world)
    sign_in.sign_in_again(screen, world)
    entry.open_integration(screen)
    entry.add_server(screen, world)
    entry.change_server(screen)
    entry.renew_sign_in(screen)
    entry.add_listed_server(screen)
    entry.repair_server(screen, world)
    entry.open_integration(screen)
    entry.download_diagnostics(screen, world, [token])
    languages.read_languages(screen, world)
    sign_in.link_account(screen, world)
    sign_in.paste_token(screen, world)
    entry.remove_account(screen, sign_in.PASTED_NAME, left=2)
    entry.remove_account(screen, sign_in.LINKED_NAME, left=1)
    entry.remove_account(screen, sign_in.NAME, left=0)

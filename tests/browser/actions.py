"""The steps that call actions in the tools."""

from playwright.sync_api import Locator, expect

from scripts.shared.simulator import Simulator
from tests.walks import ways
from tests.walks.names import Action, Field
from tests.walks.texts import text
from tests.walks.world import (
    ANNA,
    ANNAS_NAME,
    ANSWERS,
    BASEMENT,
    LIVING_ROOM,
    device_id,
    page,
)

from .screen import Screen

# The pictures of the documentation: before and after an action.
_KEPT = {Action.TRANSIENT_TOKEN: ("action", "response")}


def open_actions(screen: Screen) -> None:
    """Open the actions among the tools."""
    with screen.step("Open the actions"):
        screen.click("Settings")
        screen.click("Tools")
        screen.click("Actions")
        screen.see("Perform action")


def call_all(screen: Screen, simulator: Simulator) -> str:
    """Call each action, and return the transient token."""
    with screen.step("Forget what was filled in before"):
        _choose_action(screen, Action.SERVERS)
    # In the pictures that are kept, there is no response of an action before.
    order = sorted(Action, key=lambda action: action not in _KEPT)
    shown = {action: call(screen, simulator, action) for action in order}
    url = next(line for line in shown[Action.TRANSIENT_TOKEN] if line[:5] == "url: ")
    assert "/library/parts/" in url
    return shown[Action.TRANSIENT_TOKEN][0].removeprefix("token: ").strip()


def call(screen: Screen, simulator: Simulator, action: Action) -> list[str]:
    """Call an action with what is right for it, and return the lines of its response."""
    # A person names the other server as the page does.
    calls = ways.calls(
        None, LIVING_ROOM, BASEMENT, page(simulator), device_id(simulator)
    )
    fields = calls[action]
    with screen.step(text(f"services.{action}.name")):
        _choose_action(screen, action)
        # What is typed while the page takes the choice of a device is lost.
        for field in sorted(fields, key=lambda field: field == Field.DEVICE):
            _fill(screen, action, field, fields[field])
        if action is Action.TRANSIENT_TOKEN:
            _unfold_and_fold(screen, action, "advanced", Field.TYPE, Field.SCOPE)
        before, after = _KEPT.get(action, (f"{action} filled", action))
        screen.picture(before, keep=action in _KEPT)
        screen.press("Perform action")
        shown = screen.page.locator(".response .cm-content")
        expect(shown, "the response").to_contain_text(": ".join(ANSWERS[action]))
        screen.page.locator(".response").evaluate(
            "element => element.scrollIntoView({block: 'end'})"
        )
        screen.picture(after, keep=action in _KEPT)
    lines: list[str] = shown.inner_text().splitlines()
    return lines


def get_token_for(screen: Screen, home_user: str, path: str) -> Locator:
    """Get a token with the rights of a Home user, and return where the response is."""
    action = Action.TRANSIENT_TOKEN
    with screen.step(f"Get a token for {home_user}"):
        _choose_action(screen, Action.SERVERS)  # forgets what was filled in before
        _choose_action(screen, action)
        _fill(screen, action, Field.DEVICE, LIVING_ROOM)
        _fill(screen, action, Field.HOME_USER, home_user)
        _fill(screen, action, Field.PATH, path)
        screen.picture("home-user")
        screen.press("Perform action")
        shown = screen.page.locator(".response .cm-content")
        expect(shown, "the response").to_contain_text("transient-")
    return shown


def sign_out_devices(screen: Screen, simulator: Simulator) -> None:
    """Sign out connected devices at Plex, own servers too; see an action say so."""
    with screen.step("Find the sign-in rejected"):
        simulator.control.post(f"/accounts/{ANNA}/sign_out_devices")
        _choose_action(screen, Action.TOKEN_DETAILS)
        screen.press("Perform action")
        screen.see(text("exceptions.invalid_token.message", account=ANNAS_NAME))
        screen.picture("rejected", keep=False)


def _choose_action(screen: Screen, action: Action) -> None:
    """Choose an action in the list, and see what it says of itself."""
    name = text(f"services.{action}.name")
    screen.choose(screen.page.locator("ha-picker-field").first, name, name)
    screen.see(text(f"services.{action}.description"))


def _unfold_and_fold(
    screen: Screen, action: Action, section: str, *fields: Field
) -> None:
    """See the fields of a section only while it is unfolded."""
    name = text(f"services.{action}.sections.{section}.name")
    rows = [_row(screen, action, field) for field in fields]
    for row in rows:
        expect(row, "a field of a folded section").not_to_be_visible()
    screen.click(name)
    for row in rows:
        expect(row, "a field of an unfolded section").to_be_visible()
    screen.picture(f"{action} {section}", keep=False)
    screen.click(name)
    for row in rows:
        expect(row, "a field of a folded section").not_to_be_visible()


def _row(screen: Screen, action: Action, field: str) -> Locator:
    """Return the row of a field, which its description tells from others."""
    description = text(f"services.{action}.fields.{field}.description")
    return screen.page.locator("ha-settings-row", has_text=description)


def _fill(screen: Screen, action: Action, field: str, value: object) -> None:
    """Fill a field, after its box is ticked if it has one; switches stay as they are."""
    row = _row(screen, action, field)
    expect(row, f"the field {field}").to_be_visible()
    if isinstance(value, bool):
        return
    box: Locator = row.locator("ha-checkbox")
    if box.count():
        box.click()
    if field in (Field.DEVICE, Field.HOME_USER):
        screen.choose(row.locator("ha-picker-field"), "", str(value))
    else:
        row.locator("input:not([type=checkbox])").fill(str(value))

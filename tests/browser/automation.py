"""The steps that make an automation with the integration's triggers and actions."""

from playwright.sync_api import Locator, expect

from tests.walks.names import CONDITION, TRIGGER, Action
from tests.walks.texts import text, texts_of
from tests.walks.world import ANNAS_NAME, LIVING_ROOM

from .screen import Screen

_TITLE = "Plex link"
_VARIABLE = "answer"
_MESSAGE = f"{{{{ {_VARIABLE}.server.name }}}}: {{{{ {_VARIABLE}.token }}}}"


def make_automation(screen: Screen) -> None:
    """Make an automation that gets a transient token, run it and see its token."""
    with screen.step("Choose a trigger of the integration"):
        screen.click("Settings")
        screen.click("Automations & scenes")
        screen.press("Create automation")
        screen.see("Create new automation").click()
        _choose(screen, "trigger", TRIGGER)
    with screen.step("Choose a condition of the integration"):
        _choose(screen, "condition", CONDITION)
    with screen.step("Get a transient token in an automation"):
        name = text(f"services.{Action.TRANSIENT_TOKEN}.name")
        screen.press("Add action")
        screen.search(name)
        _pick(screen, name)
        screen.see(text(f"services.{Action.TRANSIENT_TOKEN}.description"))
        _fill(screen, "Response variable", _VARIABLE)
        screen.picture("automation")
        screen.press("Add action")
        screen.search("persistent")
        _pick(screen, "Create persistent notification")
        _fill(screen, "Message body", _MESSAGE)
        screen.picture("automation-that-tells", keep=False)
    with screen.step("Run the automation"):
        screen.press("Save")
        screen.see("Add description")
        screen.page.keyboard.type(_TITLE)  # the name is selected, to be replaced
        screen.press("Save")
        screen.see(_TITLE)
        screen.page.get_by_role("button", name="Menu").filter(
            visible=True
        ).first.click()
        items = screen.page.locator("ha-dropdown-item", has_text="Run actions")
        items.filter(visible=True).first.click()
        screen.click("Notifications")
        screen.see(f"{LIVING_ROOM}: transient-")
        screen.picture("automation-has-run", keep=False)
        screen.page.keyboard.press("Escape")


def _choose(screen: Screen, kind: str, chosen: str) -> None:
    """See what there is of a kind, and choose one for the account."""
    screen.press(f"Add {kind}")
    screen.search("plex")
    for name in texts_of(f"{kind}s"):
        screen.see(text(f"{kind}s.{name}.name"))
        screen.see(text(f"{kind}s.{name}.description"))
    screen.picture(f"{kind}s")
    _pick(screen, text(f"{kind}s.{chosen}.name"))
    screen.see(text(f"{kind}s.{chosen}.description"))
    screen.press("Add target")
    _items(screen).filter(has_text=ANNAS_NAME).last.click()
    screen.picture(kind, keep=False)


def _items(screen: Screen) -> Locator:
    """Return the items of the list that is open."""
    return screen.page.locator("ha-combo-box-item").filter(visible=True)


def _pick(screen: Screen, name: str) -> None:
    """Choose an item of the list that is open."""
    _items(screen).filter(has_text=name).first.click()


def _fill(screen: Screen, row: str, value: str) -> None:
    """Type into the field of an action's row."""
    rows = screen.page.locator("ha-settings-row", has_text=row)
    field = rows.locator("input:not([type=checkbox])")
    expect(field, f"the field {row}").to_be_visible()
    screen.page.wait_for_timeout(800)  # the editor draws a new action twice
    field.fill(value)

"""The steps that make automations: with all that the integration adds, and the README's."""

from typing import Final

from playwright.sync_api import Locator, expect

from scripts.shared.simulator import Simulator
from tests.walks.names import CONDITION, DOMAIN, TRIGGER, Action, Field
from tests.walks.texts import text, texts_of
from tests.walks.world import ANNAS_NAME, LIVING_ROOM, page

from .readme import to_paste
from .screen import Screen

_TITLE = "Plex link"
_VARIABLE = "answer"
_MESSAGE = f"{{{{ {_VARIABLE}.server.name }}}}: {{{{ {_VARIABLE}.token }}}}"
_MESSAGE_FOR = f"{{{{ {_VARIABLE}.home_user }}}}: {{{{ {_VARIABLE}.token }}}}"
_TOKEN_NAME: Final = text(f"services.{Action.TRANSIENT_TOKEN}.name")
_VARIABLE_ROW: Final = "Response variable"
_FIRST: Final = "Film night"
_FIRST_ID: Final = "automation.film_night"
# The player that the README names: nothing plays here.
_ADD_PLAYER: Final = """() => document.querySelector('home-assistant').hass.callApi(
  'POST', 'states/media_player.tv', {state: 'off', attributes: {friendly_name: 'TV'}}
)"""


def make_automation(screen: Screen) -> None:
    """Make an automation that gets a transient token, run it and see its token."""
    with screen.step("Choose a trigger of the integration"):
        _create(screen)
        _choose(screen, "trigger", TRIGGER)
    with screen.step("Choose a condition of the integration"):
        _choose(screen, "condition", CONDITION)
    with screen.step("Get a transient token in an automation"):
        _add(screen, "action", _TOKEN_NAME, _TOKEN_NAME)
        screen.see(text(f"services.{Action.TRANSIENT_TOKEN}.description"))
        _fill(screen, _VARIABLE_ROW, _VARIABLE)
        _add(screen, "action", "persistent", "Create persistent notification")
        _fill(screen, "Message body", _MESSAGE)
        screen.picture("automation-that-tells", keep=False)
    with screen.step("Run the automation"):
        _save(screen, _TITLE)
        _choose_in_menu(screen, "Run actions")
        screen.click("Notifications")
        screen.see(f"{LIVING_ROOM}: transient-")
        screen.picture("automation-has-run", keep=False)
        screen.page.keyboard.press("Escape")


def make_automation_for(screen: Screen, user: str) -> None:
    """Make an automation that gets a token for the only Home user, and see its token."""
    with screen.step("Choose the only Home user in an automation"):
        _create(screen)
        _add(screen, "action", _TOKEN_NAME, _TOKEN_NAME)
        field = f"services.{Action.TRANSIENT_TOKEN}.fields.{Field.HOME_USER}"
        row = screen.page.locator("ha-settings-row", has_text=text(f"{field}.name"))
        row.locator("ha-checkbox").click()
        row.locator("ha-picker-field").click()
        offered = screen.page.locator("ha-picker-combo-box ha-combo-box-item")
        expect(offered, "Home users to choose from").to_have_count(1)
        offered.filter(has_text=user).click()
        _fill(screen, _VARIABLE_ROW, _VARIABLE)
        screen.picture("automation-home-user", keep=False)
        _add(screen, "action", "persistent", "Create persistent notification")
        _fill(screen, "Message body", _MESSAGE_FOR)
    with screen.step("Run the automation for the Home user"):
        _save(screen, f"{_TITLE} for {user}")
        _choose_in_menu(screen, "Run actions")
        screen.click("Notifications")
        screen.see(f"{user}: transient-")
        screen.picture("automation-home-user-has-run", keep=False)
        screen.ask(
            "call_service", domain="persistent_notification", service="dismiss_all"
        )
        screen.page.keyboard.press("Escape")


def make_first_automation(screen: Screen, simulator: Simulator) -> None:
    """Make the README's automation by its steps, and see that it keeps no trace."""
    action, trace = to_paste("Example: your first automation")
    screen.page.evaluate(_ADD_PLAYER)
    with screen.step("Let an automation begin at a time"):
        _create(screen)
        _add(screen, "trigger", "time", "Time")
        time = screen.page.locator("ha-base-time-input").filter(visible=True)
        _wait_until_drawn(time.locator("input").first, "the time")
        for field, value in enumerate(("8", "0", "0")):
            time.locator("input").nth(field).fill(value)
        time.locator("ha-select").click()
        screen.click("PM")
        screen.picture("time", keep=False)
    with screen.step("Get a token for the film of a page in Plex Web"):
        _add(screen, "action", _TOKEN_NAME, _TOKEN_NAME)
        path = text(
            f"services.{Action.TRANSIENT_TOKEN}.fields.{Field.PATH}.description"
        )
        row = screen.page.locator("ha-settings-row", has_text=path)
        row.locator("ha-checkbox").click()
        _fill(screen, path, page(simulator))
        _fill(screen, _VARIABLE_ROW, "plex")
    with screen.step("Paste an action that plays it"):
        _add(screen, "action", "play media", "Play media")
        screen.picture("play", keep=False)
        _choose_in_menu(screen, "Edit in YAML", last=True)
        _paste(screen, action)
        screen.picture("play-yaml", keep=False)
        screen.click(f"{text('title')}: {_TOKEN_NAME}")
        screen.picture("automation")
    with screen.step("Keep no traces"):
        _choose_in_menu(screen, "Edit in YAML")
        screen.page.locator(".cm-content").filter(visible=True).click()
        screen.page.keyboard.press("Control+End")
        screen.page.keyboard.insert_text(f"\n{trace}")
        screen.picture("trace", keep=False)
        _save(screen, _FIRST)
        saved = screen.ask("automation/config", entity_id=_FIRST_ID)["config"]
        assert saved["trace"] == {"stored_traces": 0}, "traces are kept"
        assert [one["action"] for one in saved["actions"]] == [
            f"{DOMAIN}.{Action.TRANSIENT_TOKEN}",
            "media_player.play_media",
        ]


def _create(screen: Screen) -> None:
    """Open the editor of a new automation."""
    screen.click("Settings")
    screen.click("Automations & scenes")
    screen.press("Create automation")
    screen.see("Create new automation").click()


def _save(screen: Screen, title: str) -> None:
    """Save a new automation under a title."""
    screen.press("Save")
    screen.see("Add description")
    screen.page.keyboard.type(title)  # the name is selected, to be replaced
    screen.press("Save")
    screen.page.wait_for_url(lambda url: not url.endswith("/new"))
    screen.see(title)


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


def _add(screen: Screen, kind: str, words: str, name: str) -> None:
    """Add a trigger or an action, by a search for some words."""
    screen.press(f"Add {kind}")
    screen.search(words)
    _pick(screen, name)


def _items(screen: Screen) -> Locator:
    """Return the items of the list that is open."""
    return screen.page.locator("ha-combo-box-item").filter(visible=True)


def _pick(screen: Screen, name: str) -> None:
    """Choose an item of the list that is open."""
    _items(screen).filter(has_text=name).first.click()


def _choose_in_menu(screen: Screen, item: str, *, last: bool = False) -> None:
    """Choose an item in the menu of the automation, or the `last` menu of the page."""
    menus = screen.page.get_by_role("button", name="Menu").filter(visible=True)
    (menus.last if last else menus.first).click()
    items = screen.page.locator("ha-dropdown-item", has_text=item)
    items.filter(visible=True).first.click()


def _paste(screen: Screen, yaml: str) -> None:
    """Paste in place of what the editor of YAML has in it."""
    screen.page.locator(".cm-content").filter(visible=True).click()
    screen.page.keyboard.press("Control+A")
    screen.page.keyboard.insert_text(yaml)


def _fill(screen: Screen, row: str, value: str) -> None:
    """Type into the field of an action's row."""
    rows = screen.page.locator("ha-settings-row", has_text=row)
    field = rows.locator("input:not([type=checkbox])")
    _wait_until_drawn(field, f"the field {row}")
    field.fill(value)


def _wait_until_drawn(field: Locator, name: str) -> None:
    """Wait until a field stays: the editor draws a new trigger or action twice."""
    expect(field, name).to_be_visible()
    field.page.wait_for_timeout(800)

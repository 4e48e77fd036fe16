"""The steps that call actions in the tools."""

from playwright.sync_api import Locator, expect

from tests.walks.texts import text

from .screen import Screen
from .sign_in import NAME, PERSON
from .world import World

_PATH = "/library/metadata/1/thumb"


def open_actions(screen: Screen) -> None:
    """Open the actions among the tools."""
    with screen.step("Open the actions"):
        screen.click("Settings")
        screen.click("Tools")
        screen.click("Actions")
        screen.see("Perform action")


def get_transient_token(screen: Screen) -> str:
    """Get a transient token and return it."""
    with screen.step("Get a transient token"):
        _choose_action(screen, "get_transient_token")
        _fill(screen, "get_transient_token", "path", _PATH)
        row = _row(screen, "get_transient_token", "device_id")
        row.locator("ha-checkbox").click()
        screen.choose(row.locator("ha-picker-field"), "", "Living Room")
        screen.picture("action")
        screen.press("Perform action")
        shown = _response(screen, "token: transient-")
        screen.page.locator(".response").evaluate(
            "element => element.scrollIntoView({block: 'end'})"
        )
        screen.picture("response")
        lines: list[str] = shown.inner_text().splitlines()
        assert any(_PATH in line for line in lines if line.startswith("url: "))
    return lines[0].removeprefix("token: ").strip()


def call_other_actions(screen: Screen, world: World) -> None:
    """Call the actions that need no account to be chosen."""
    with screen.step("Get token details"):
        _choose_action(screen, "get_token_details")
        screen.press("Perform action")
        _response(screen, f"username: {PERSON}")
        screen.picture("token-details", keep=False)
    with screen.step("Get servers"):
        _get_servers(screen)
        screen.picture("get-servers", keep=False)
    with screen.step("Get source connection information"):
        action = "get_source_connection_information"
        _choose_action(screen, action)
        identifier = world.simulator.server("Basement")["machine_identifier"]
        _fill(screen, action, "source", f"server://{identifier}")
        screen.press("Perform action")
        _response(screen, "name: Basement")
        screen.picture("source-connection", keep=False)


def revoke_sign_in(screen: Screen, world: World) -> None:
    """Let Plex reject the token, and see an action say so."""
    with screen.step("Find the sign-in rejected"):
        world.simulator.control.post(f"/accounts/{PERSON}/revoke_tokens")
        _choose_action(screen, "get_token_details")
        screen.press("Perform action")
        screen.see(text("exceptions.invalid_token.message", name=NAME))
        screen.picture("rejected", keep=False)


def get_servers(screen: Screen) -> None:
    """Let Plex be asked for the account's servers."""
    open_actions(screen)
    with screen.step("Get servers again"):
        _get_servers(screen)


def _get_servers(screen: Screen) -> None:
    _choose_action(screen, "get_servers")
    screen.press("Perform action")
    _response(screen, "name: Living Room")


def _choose_action(screen: Screen, action: str) -> None:
    """Choose an action in the list, and see what it says of itself."""
    name = text(f"services.{action}.name")
    screen.choose(screen.page.locator("ha-picker-field").first, name, name)
    screen.see(text(f"services.{action}.description"))


def _fill(screen: Screen, action: str, field: str, value: str) -> None:
    """Type into a field of an action, after its box is ticked if it has one."""
    row = _row(screen, action, field)
    box = row.locator("ha-checkbox")
    if box.count():
        box.click()
    row.locator("input:not([type=checkbox])").fill(value)


def _row(screen: Screen, action: str, field: str) -> Locator:
    description = text(f"services.{action}.fields.{field}.description")
    row = screen.page.locator("ha-settings-row", has_text=description)
    expect(row, f"the field {field}").to_be_visible()
    return row


def _response(screen: Screen, expected: str) -> Locator:
    """Wait for a response that has a text in it."""
    shown = screen.page.locator(".response .cm-content")
    expect(shown, "the response").to_contain_text(expected)
    return shown

"""The steps that sign in to Plex."""

from tests.walks.texts import text

from .screen import Screen
from .world import World

PERSON, NAME = "anna", "Anna"
LINKED, LINKED_NAME = "fritz", "Fritz"
PASTED, PASTED_NAME = "ben", "Ben"


def open_home_assistant(screen: Screen, world: World) -> None:
    """Log in to Home Assistant."""
    with screen.step("Log in to Home Assistant"):
        screen.page.goto(world.url)
        screen.type("username", world.username)
        screen.type("password", world.password)
        screen.page.keyboard.press("Enter")
        screen.see("Overview", exact=True)


def add_account(screen: Screen, world: World) -> None:
    """Add the integration with user name, password, code and one server."""
    with screen.step("Choose the integration"):
        screen.click("Settings")
        screen.click("Devices & services")
        screen.press("Add integration")
        screen.see("Select brand")
        screen.search("plex")
        screen.see("Plex Auth", exact=True)
        screen.picture("choose-integration", dialog=True)
        screen.click("Plex Auth")
    with screen.step("Choose a way to sign in"):
        _see_ways(screen, "user")
        screen.picture("sign-in", dialog=True)
        screen.click(text("config.step.user.menu_options.password"))
    with screen.step("Type a wrong password"):
        step = "config.step.password"
        screen.see(text(f"{step}.description"))
        screen.picture("password", dialog=True)
        screen.type("username", PERSON)
        screen.type("password", "this is wrong")
        screen.click(text(f"{step}.sections.advanced.name"))
        screen.see(text(f"{step}.sections.advanced.data_description.api_url"))
        screen.type("api_url", world.simulator.api_url)
        screen.picture("advanced", dialog=True, keep=False)
        screen.press("Submit")
        screen.see(text("config.error.invalid_auth"))
        assert screen.typed("username") == PERSON, "the user name is lost"
        assert not screen.typed("password"), "the password is still there"
        screen.picture("wrong-password", dialog=True, keep=False)
    with screen.step("Type the right password"):
        screen.type("password", world.simulator.account(PERSON)["password"])
        screen.press("Submit")
        screen.see(text("config.step.code.description"))
        screen.picture("code", dialog=True)
    with screen.step("Type the verification code"):
        _type_code(screen, world)
        screen.see(text("config.step.servers.description", name=NAME))
        screen.see("Carla's Films (Carla)")
        screen.picture("servers", dialog=True)
    with screen.step("Choose servers"):
        screen.page.locator("ha-checkbox", has_text="Basement").click()
        screen.press("Submit")
        screen.see("Name and assign")
        screen.picture("name-and-assign", dialog=True, keep=False)
        screen.press("Skip and finish")
        screen.see(text("title"), exact=True)
        screen.see("Living Room", exact=True)


def sign_in_again(screen: Screen, world: World) -> None:
    """Sign in again after Plex has said that it no longer accepts the token."""
    with screen.step("See that a new sign-in is needed"):
        screen.click("Settings")
        screen.click("Devices & services")
        screen.see("Discovered")
        screen.see("Reconfigure", exact=True)
        screen.picture("new-sign-in-needed")
        screen.press("Reconfigure")
        _see_ways(screen, "reauth_confirm", name=NAME)
        screen.picture("sign-in-again", dialog=True, keep=False)
    with screen.step("Sign in again"):
        screen.click(text("config.step.reauth_confirm.menu_options.password"))
        screen.see(text("config.step.password.description"))
        screen.type("username", PERSON)
        screen.type("password", world.simulator.account(PERSON)["password"])
        screen.press("Submit")
        screen.see(text("config.step.code.description"))
        _type_code(screen, world)
        screen.see("Re-authentication was successful")
        screen.picture("signed-in-again", dialog=True, keep=False)
        screen.press("Close")


def link_account(screen: Screen, world: World) -> None:
    """Add a second account with a code that is typed at Plex."""
    with screen.step("Get a code to link an account"):
        screen.press(text("config.initiate_flow.user"))
        _see_ways(screen, "user")
        screen.click(text("config.step.user.menu_options.link"))
        described = text("config.step.link.description", url="https://plex.tv/link")
        screen.see(described)
        screen.picture("link", dialog=True, keep=False)
        screen.click(text("config.step.link.sections.advanced.name"))
        screen.type("api_url", world.simulator.api_url)
        screen.press("Submit")
        shown = screen.page.locator("ha-markdown h1").filter(visible=True)
        code = shown.inner_text()
        progress = text(
            "config.progress.wait_for_link", code=code, url="https://plex.tv/link"
        )
        screen.see(progress.rpartition("\n")[2])
        screen.picture("link-code", dialog=True)
    with screen.step("Type the code at Plex"):
        world.simulator.control.post(f"/pins/{code}/link", {"username": LINKED})
        screen.see("Name and assign")
        screen.press("Skip and finish")
        screen.see(LINKED_NAME, exact=True)


def paste_token(screen: Screen, world: World) -> None:
    """Add a third account by a token that it has from elsewhere."""
    with screen.step("Paste a token"):
        screen.press(text("config.initiate_flow.user"))
        screen.click(text("config.step.user.menu_options.token"))
        screen.see(text("config.step.token.description"))
        screen.type("token", "this is no token of Plex")
        screen.click(text("config.step.token.sections.advanced.name"))
        screen.type("api_url", world.simulator.api_url)
        screen.press("Submit")
        screen.see(text("config.error.invalid_token"))
        assert not screen.typed("token"), "the token is still there"
        screen.picture("wrong-token", dialog=True, keep=False)
        given = world.simulator.control.post(f"/accounts/{PASTED}/token")
        screen.type("token", given["token"])
        screen.press("Submit")
        screen.see(text("config.step.servers.description", name=PASTED_NAME))
        screen.press("Submit")
        screen.see("Name and assign")
        screen.press("Skip and finish")
        screen.see(PASTED_NAME, exact=True)


def _see_ways(screen: Screen, step: str, **placeholders: str) -> None:
    """See the menu of the three ways to sign in."""
    key = f"config.step.{step}"
    screen.see(text(f"{key}.title"), exact=True)
    screen.see(text(f"{key}.description", **placeholders))
    for way in ("password", "link", "token"):
        screen.see(text(f"{key}.menu_options.{way}"), exact=True)
        screen.see(text(f"{key}.menu_option_descriptions.{way}"))


def _type_code(screen: Screen, world: World) -> None:
    screen.type("verification_code", world.simulator.code(PERSON))
    screen.press("Submit")

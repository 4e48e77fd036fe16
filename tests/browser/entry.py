"""The steps on the integration's page and the pages of its devices."""

import json
from pathlib import Path
import re

from playwright.sync_api import Locator, expect

from tests.walks.texts import text

from . import actions
from .screen import Screen
from .sign_in import NAME, PERSON
from .world import World

SHARED = "Carla's Films"


def open_integration(screen: Screen) -> None:
    """Go to the integration's page by the menu."""
    screen.click("Settings")
    screen.click("Devices & services")
    screen.click(text("title"))
    screen.see(text("config.initiate_flow.user"), exact=True)


def look_at_entry(screen: Screen) -> None:
    """Look at the page of the integration after the account was added."""
    with screen.step("Look at the integration's page"):
        screen.see("Custom integration")
        screen.see(text("config.initiate_flow.user"), exact=True)
        screen.see(text("config_subentries.server.initiate_flow.user"), exact=True)
        screen.see(text("config_subentries.server.entry_type"), exact=True)
        screen.page.mouse.move(600, 780)
        screen.page.reload()
        screen.see("Living Room", exact=True)
        screen.picture("integration")


def look_at_devices(screen: Screen) -> None:
    """Look at the pages of the account and of its server."""
    with screen.step("Look at the account's page"):
        _open_device(screen, NAME)
        for name in ("token", "plex_pass", "two_factor"):
            screen.see(text(f"entity.binary_sensor.{name}.name"), exact=True)
        screen.read(text("entity.sensor.subscription_plan.state.lifetime"))
        screen.picture("account")
        screen.page.go_back()
    with screen.step("Look at the server's page"):
        _open_device(screen, "Plex Media Server")
        screen.see(text("entity.sensor.connection.name"), exact=True)
        screen.read(text("entity.sensor.connection.state.local"))
        screen.see(text("entity.binary_sensor.reachable.name"), exact=True)
        screen.picture("server")
        screen.page.go_back()
        screen.see("Living Room", exact=True)


def add_server(screen: Screen, world: World) -> None:
    """Add a server by its address."""
    key = "config_subentries.server"
    with screen.step("Add a server by its address"):
        screen.press(text(f"{key}.initiate_flow.user"))
        screen.see(text(f"{key}.step.user.description", name=NAME))
        screen.picture("add-server", dialog=True, keep=False)
        screen.click(text(f"{key}.step.user.menu_options.address"))
        screen.see(text(f"{key}.step.address.description"))
        screen.picture("add-server-by-address", dialog=True)
        screen.type("url", "http://127.0.0.1:1")
        screen.press("Submit")
        screen.see(text(f"{key}.error.cannot_connect"))
        screen.picture("wrong-address", dialog=True, keep=False)
        screen.type("url", world.simulator.server("Basement")["http_url"])
        screen.press("Submit")
        screen.see("Created configuration for Basement.")
        screen.press("Finish")
        screen.see("Basement", exact=True)


def add_listed_server(screen: Screen) -> None:
    """Add a server that the account lists, one that somebody shares."""
    key = "config_subentries.server"
    with screen.step("Add a server from the account"):
        screen.press(text(f"{key}.initiate_flow.user"))
        screen.click(text(f"{key}.step.user.menu_options.listed"))
        screen.see(text(f"{key}.step.listed.description", name=NAME))
        screen.click(f"{SHARED} (Carla)")
        screen.picture("add-listed-server", dialog=True, keep=False)
        screen.press("Submit")
        screen.see(f"Created configuration for {SHARED}.")
        screen.press("Finish")
        screen.see(SHARED, exact=True)


def repair_server(screen: Screen, world: World) -> None:
    """Remove the shared server by its repair, when it is shared no longer."""
    issue = "issues.server_not_listed"
    step = f"{issue}.fix_flow.step.confirm"
    names = {"account": NAME, "server": SHARED}
    identifier = world.simulator.server(SHARED)["machine_identifier"]
    world.simulator.control.post(f"/servers/{identifier}/unshare")
    actions.get_servers(screen)
    with screen.step("See that a server is no longer shared"):
        screen.click("Settings")
        screen.see(text(f"{issue}.title", **names)).click()
        screen.see(text(f"{step}.title", **names))
        screen.read(text(f"{step}.description", **names))
        screen.picture("repair", dialog=True, keep=False)
    with screen.step("Repair it"):
        screen.press("Submit")
        screen.see("The issue is repaired!")
        screen.picture("repaired", dialog=True, keep=False)
        screen.press("Close")


def renew_sign_in(screen: Screen) -> None:
    """Look at the way to renew a sign-in that works."""
    with screen.step("Open the renewal of the sign-in"):
        _open_menu(screen, NAME, "Reconfigure")
        step = "config.step.reconfigure"
        screen.see(text(f"{step}.title"), exact=True)
        screen.see(text(f"{step}.description", name=NAME))
        screen.picture("renew-sign-in", dialog=True, keep=False)
        screen.page.keyboard.press("Escape")


def change_server(screen: Screen) -> None:
    """Let a server watch another one as a source."""
    key = "config_subentries.server"
    with screen.step("Watch a source"):
        server = screen.page.locator("ha-config-sub-entry-row", has_text="Living Room")
        button = text(f"{key}.initiate_flow.reconfigure")
        server.get_by_role("button", name=button).click()
        screen.see(text(f"{key}.step.reconfigure.description", name="Living Room"))
        screen.see(text(f"{key}.step.reconfigure.data.sources"))
        add = screen.page.get_by_role("button", name="Add", exact=True)
        screen.choose(add.filter(visible=True).last, "", "Basement")
        screen.picture("change-server", dialog=True)
        screen.press("Submit")
        screen.see("Reconfiguration was successful")
        screen.press("Close")
        screen.see("25 entities")
    with screen.step("See the source"):
        server = screen.page.locator("ha-config-sub-entry-row", has_text="Living Room")
        server.locator("ha-list-item-button").first.click()
        screen.see(text("entity.sensor.source.name", source="Basement"), exact=True)
        screen.picture("server-with-source", keep=False)
        screen.page.go_back()
        screen.see("Basement", exact=True)


def download_diagnostics(screen: Screen, world: World, secrets: list[str]) -> None:
    """Download the diagnostics and look for secrets in them."""
    with screen.step("Download diagnostics"):
        with screen.page.expect_download() as download:
            _open_menu(screen, NAME, "Download diagnostics")
        content = Path(download.value.path()).read_text()
        assert json.loads(content)["data"], "the diagnostics are empty"
        account = world.simulator.account(PERSON)
        secrets = [account["password"], account["totp_secret"], *secrets]
        assert not any(one in content for one in secrets), "a secret is in them"


def remove_account(screen: Screen, name: str, left: int) -> None:
    """Remove an entry; `left` are there afterwards."""
    with screen.step(f"Remove the account of {name}"):
        _open_menu(screen, name, "Delete")
        screen.see(f"Delete {name}?")
        screen.picture(f"remove-{name.lower()}", dialog=True, keep=False)
        screen.press("Delete")
        rows = screen.page.locator("ha-config-entry-row")
        expect(rows, "entries left").to_have_count(left)
        if not left:
            entities = screen.page.get_by_text(re.compile(r"^\d+ entit"))
            expect(entities, "entities left").to_have_count(0)
        screen.picture(f"removed-{name.lower()}", keep=False)


def _open_device(screen: Screen, name: str) -> None:
    """Open the page of the device that has this name or model."""
    devices = screen.page.locator("ha-config-entry-device-row", has_text=name)
    devices.locator("ha-list-item-button").first.click()
    screen.see("Service info")


def _open_menu(screen: Screen, name: str, item: str) -> None:
    """Choose an item in the menu of an entry."""
    _entry(screen, name).get_by_role("button", name="Menu").first.click()
    items = screen.page.locator("ha-dropdown-item", has_text=item)
    items.filter(visible=True).first.click()


def _entry(screen: Screen, name: str) -> Locator:
    return screen.page.locator("ha-config-entry-row", has_text=name).first

"""The steps on the integration's page and the pages of its devices."""

import json
from pathlib import Path

from playwright.sync_api import Locator, expect

from scripts.shared.simulator import Simulator
from tests.walks import ways
from tests.walks.names import DOMAIN, Entity, Field, Step
from tests.walks.texts import text
from tests.walks.ways import Way, stumbling
from tests.walks.world import ANNA, ANNAS_NAME, LIVING_ROOM, labels, machine_identifier

from .dialog import ACCOUNT, SERVER, PageDialog
from .screen import Screen


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
        for key in ("config.initiate_flow.user", f"{SERVER}.initiate_flow.user"):
            screen.see(text(key), exact=True)
        screen.see(text(f"{SERVER}.entry_type"), exact=True)
        screen.page.mouse.move(600, 780)
        screen.page.reload()
        screen.see(LIVING_ROOM, exact=True)
        screen.picture("integration")


def look_at_devices(screen: Screen) -> None:
    """Look at the pages of the account and of its server."""
    with screen.step("Look at the account's page"):
        open_device(screen, ANNAS_NAME)
        for entity in (Entity.SIGN_IN, Entity.PLEX_PASS, Entity.TWO_FACTOR):
            screen.see(text(f"entity.{entity}.name"), exact=True)
        screen.read(text(f"entity.{Entity.SUBSCRIPTION_PLAN}.state.lifetime"))
        screen.picture("account")
        screen.page.go_back()
    with screen.step("Look at the server's page"):
        open_device(screen, "Plex Media Server")
        for entity in (Entity.CONNECTION, Entity.REACHABLE):
            screen.see(text(f"entity.{entity}.name"), exact=True)
        screen.read(text(f"entity.{Entity.CONNECTION}.state.local"))
        screen.picture("server")
        screen.page.go_back()
        screen.see(LIVING_ROOM, exact=True)


def add_server(screen: Screen, simulator: Simulator, name: str, way: Way) -> None:
    """Add a server by a way through the dialog."""
    screen.press(text(f"{SERVER}.initiate_flow.user"))
    _dialog(screen, simulator).walk(way)
    screen.see(name, exact=True)


def add_server_by_address(screen: Screen, simulator: Simulator, name: str) -> None:
    """Add a server by its address, at the second attempt."""
    wrong: ways.Wrong = {
        Step.ADDRESS: [({Field.URL: "http://127.0.0.1:1"}, {"base": "cannot_connect"})]
    }
    way = ways.add_server_by_address(simulator.server(name)["http_url"])
    add_server(screen, simulator, name, stumbling(way, wrong))


def add_listed_server(screen: Screen, simulator: Simulator, name: str) -> None:
    """Add a server that the account lists."""
    way = ways.add_listed_server(machine_identifier(simulator, name))
    add_server(screen, simulator, name, way)


def change_server(
    screen: Screen, simulator: Simulator, name: str, source_name: str
) -> None:
    """Let a server watch another one as a source."""
    server = open_change(screen, name)
    source = f"server://{machine_identifier(simulator, source_name)}"
    _dialog(screen, simulator, name).walk(ways.watch_sources([source]))
    with screen.step("See the source"):
        screen.use(server.locator("ha-list-item-button").first)
        entity = text(f"entity.{Entity.SOURCE}.name", source=source_name)
        screen.see(entity, exact=True)
        screen.picture("server-with-source", keep=False)
        screen.page.go_back()
        screen.see(name, exact=True)


def open_change(screen: Screen, name: str) -> Locator:
    """Open the dialog that changes a server, and return the server's row."""
    server = _subentry(screen, name)
    with screen.step("Open the change of a server"):
        button = text(f"{SERVER}.initiate_flow.reconfigure")
        screen.use(server.get_by_role("button", name=button))
    return server


def remove_server(screen: Screen, name: str) -> None:
    """Remove a server."""
    _remove_subentry(screen, name, "server")


def remove_home_user(screen: Screen, name: str) -> None:
    """Remove a Home user."""
    _remove_subentry(screen, name, "home-user")


def renew_sign_in(screen: Screen) -> None:
    """Look at the way to renew a sign-in that works."""
    with screen.step("Open the renewal of the sign-in"):
        open_menu(screen, ANNAS_NAME, "Reconfigure")
    with PageDialog(screen, ACCOUNT, {"name": ANNAS_NAME}).seen(Step.RECONFIGURE):
        screen.page.keyboard.press("Escape")


def _dialog(screen: Screen, simulator: Simulator, name: str = ANNAS_NAME) -> PageDialog:
    return PageDialog(screen, SERVER, {"name": name}, labels(simulator))


def download_diagnostics(screen: Screen, simulator: Simulator, token: str) -> None:
    """Download the diagnostics and look for secrets in them."""
    with screen.step("Download diagnostics"):
        with screen.page.expect_download() as download:
            open_menu(screen, ANNAS_NAME, "Download diagnostics")
        content = Path(download.value.path()).read_text()
        assert json.loads(content)["data"], "the diagnostics are empty"
        account = simulator.account(ANNA)
        secrets = [account["password"], account["totp_secret"], token]
        assert not any(one in content for one in secrets), "a secret is in them"


def remove_account(screen: Screen, name: str, left: int) -> None:
    """Remove an entry; `left` are there afterwards."""
    with screen.step(f"Remove the account of {name}"):
        open_menu(screen, name, "Delete")
        screen.see(f"Delete {name}?")
        screen.picture(f"remove-{name.lower()}", dialog=True, keep=False)
        screen.press("Delete")
        rows = screen.page.locator("ha-config-entry-row")
        expect(rows, "entries left").to_have_count(left)
        if not left:
            # The page itself goes on counting those that it has seen.
            found = screen.ask("config/entity_registry/list")
            kept = [one["entity_id"] for one in found if one["platform"] == DOMAIN]
            assert not kept, f"entities left: {kept}"
        screen.picture(f"removed-{name.lower()}", keep=False)


def open_devices(screen: Screen, name: str) -> None:
    """Open the dialog that signs devices out of an account."""
    with screen.step("Configure the account"):
        screen.use(_entry(screen, name).get_by_role("button", name="Configure"))


def open_device(screen: Screen, name: str) -> None:
    """Open the page of the device that has this name or model."""
    devices = screen.page.locator("ha-config-entry-device-row", has_text=name)
    screen.use(devices.locator("ha-list-item-button").first)
    screen.see("Service info")


def open_menu(screen: Screen, name: str, item: str) -> None:
    """Choose an item in the menu of an entry."""
    screen.use(_entry(screen, name).get_by_role("button", name="Menu").first)
    items = screen.page.locator("ha-dropdown-item", has_text=item)
    screen.use(items.filter(visible=True).first)


def _remove_subentry(screen: Screen, name: str, what: str) -> None:
    subentry = _subentry(screen, name)
    with screen.step(f"Remove {name}"):
        screen.use(subentry.get_by_role("button", name="Menu").first)
        items = screen.page.locator("ha-dropdown-item", has_text="Delete")
        screen.use(items.filter(visible=True).first)
        screen.see(f"Delete {name}?")
        screen.picture(f"remove-{what}", dialog=True, keep=False)
        screen.press("Delete")
        expect(subentry, f"{name} is still there").to_have_count(0)


def _subentry(screen: Screen, name: str) -> Locator:
    return screen.page.locator("ha-config-sub-entry-row", has_text=name)


def _entry(screen: Screen, name: str) -> Locator:
    return screen.page.locator("ha-config-entry-row", has_text=name).first

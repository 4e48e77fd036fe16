"""The steps that look at an account all of whose names are hostile, wherever they are."""

from contextlib import suppress
from itertools import islice
import re
from typing import Final

from playwright.sync_api import Error

from scripts.shared.failure import Failure
from scripts.shared.paths import ROOT
from scripts.shared.simulator import Simulator
from tests.walks import ways
from tests.walks.names import DOMAIN, Action, Field, Issue, Step
from tests.walks.texts import text
from tests.walks.ways import RECONFIGURE, Choose, Created, Submit
from tests.walks.world import ANNAS_NAME, BEN, BENS_NAME, MALLORY, OSCAR, person

from . import entry
from .dialog import ACCOUNT, DEVICES, SERVER, PageDialog
from .screen import Screen

_BEACON: Final = re.compile(r"http://127\.0\.0\.1:\d+")
_JOINERS: Final = "\u200c\u200d"
_LONGEST: Final = 128
_BLUEPRINT: Final = ROOT / "blueprints/automation/plex_auth/sign_in_stopped.yaml"
_SAVE_AUTOMATION: Final = """automation => document.querySelector('home-assistant')
  .hass.callApi('POST', 'config/automation/config/hostile_names', automation)"""
_OWN_URL: Final = "http://127.0.0.1:32400/web"
# What makes an element of a name, or fetches something for it.
_ELEMENTS: Final = """beacon => {
  const found = [];
  const visit = (node) => {
    for (const {name, value} of node.attributes ?? []) {
      if (['src', 'href', 'srcset', 'style', 'data'].includes(name)
          && value.includes(beacon)) found.push(`${node.nodeName} ${value}`);
    }
    if (node.nodeName === 'HA-ALERT' && node.textContent.trim() === 'Stop')
      found.push('HA-ALERT');
    for (const child of node.shadowRoot?.childNodes ?? []) visit(child);
    for (const child of node.childNodes) visit(child);
  };
  visit(document.body);
  return found;
}"""


class HostileNames:
    """The names of the account, its servers and its friend, and a look for what they do."""

    def __init__(self, screen: Screen, simulator: Simulator) -> None:
        """Read the names as they are shown: one line of so many characters."""
        self._screen = screen
        self._control = simulator.control
        title = simulator.account(MALLORY)["title"]
        beacon = _BEACON.search(title)
        assert beacon is not None
        self._beacon = beacon[0]
        owned = [one for one in _servers(simulator) if one["owner"] == MALLORY]
        shared = [one for one in _servers(simulator) if one["owner"] == OSCAR]
        self.own, self.shared = owned[0], shared[0]
        self.account = shown(title)
        self.own_name = shown(self.own["name"])
        self.shared_name = shown(self.shared["name"])
        self.friend = shown(simulator.account(OSCAR)["title"])

    @property
    def labels(self) -> dict[str, str]:
        """Return what lists of servers call them, by machine identifier."""
        return {
            self.own["machine_identifier"]: self.own_name,
            self.shared["machine_identifier"]: f"{self.shared_name} ({self.friend})",
        }

    def look(self, name: str) -> None:
        """Take a picture, and see that the names on the page are words."""
        self._screen.picture(f"hostile {name}", keep=False)
        if found := self._screen.page.evaluate(_ELEMENTS, self._beacon):
            raise Failure(f"the page has made of a name: {found}")
        asked = self._control.get("/beacon")["requests"]
        assert not asked, f"the page has asked for {asked}"


def shown(name: str) -> str:
    """Return a name as it is shown."""
    kept = "".join(one if one.isprintable() or one in _JOINERS else " " for one in name)
    return " ".join(kept.split())[:_LONGEST].rstrip()


def see_hostile_names(screen: Screen, simulator: Simulator) -> None:
    """See hostile names as words in dialogs, repairs, notifications and pages."""
    names = HostileNames(screen, simulator)
    screen.lookalikes = names.account[names.account.index("{{") :]
    _add_account(screen, simulator, names)
    _see_pages(screen, names)
    _see_dialogs(screen, simulator, names)
    _see_devices(screen, names)
    _see_repairs(screen, simulator, names)
    # The card of the new sign-in has the same name.
    screen.page.goto(f"/config/integrations/integration/{DOMAIN}")
    entry.remove_account(screen, names.account, left=1)
    names.look("removed")


def _servers(simulator: Simulator) -> list[dict[str, str]]:
    found: list[dict[str, str]] = simulator.description["servers"]
    return found


def _add_account(screen: Screen, simulator: Simulator, names: HostileNames) -> None:
    screen.press(text("config.initiate_flow.user"))
    dialog = _account_dialog(screen, names)
    dialog.walk(ways.sign_in(person(simulator, MALLORY), Step.PASSWORD))
    with screen.step("Choose servers with hostile names"):
        names.look("servers")
    dialog.do(Submit(Step.SERVERS, {Field.SERVERS: list(names.labels)}))
    with screen.step("See the account and its servers"):
        screen.see("Name and assign")
        names.look("created")
    dialog.do(Created())
    for name in (names.account, names.own_name, names.shared_name):
        screen.see(name)
    names.look("integration")


def _see_pages(screen: Screen, names: HostileNames) -> None:
    for name in (names.account, names.own_name, names.shared_name):
        with screen.step(f"Look at the page of {name}"):
            entry.open_device(screen, name)
            names.look(f"page {names_index(names, name)}")
            screen.page.go_back()
            screen.see(names.own_name)


def names_index(names: HostileNames, name: str) -> int:
    """Return the number of a name, for that of a picture."""
    return (names.account, names.own_name, names.shared_name).index(name)


def _see_dialogs(screen: Screen, simulator: Simulator, names: HostileNames) -> None:
    account = _account_dialog(screen, names)
    with screen.step("Sign in to another account"):
        entry.open_menu(screen, names.account, "Reconfigure")
    ben = person(simulator, BEN)
    account.walk(islice(ways.sign_in(ben, Step.LINK, RECONFIGURE), 2))
    with screen.step("See why that did not work"):
        reason = text("config.error.wrong_account", **_wrong(names))
        screen.see(reason)
        names.look("link failed")
    account.do(Choose(Step.LINK_FAILED, Step.TOKEN))
    typed: ways.Typed = {Field.TOKEN: ben.token()}
    account.do(Submit(Step.TOKEN, typed, {"base": "wrong_account"}))
    names.look("wrong account")
    screen.close_dialog()
    server = PageDialog(screen, SERVER, {"name": names.account}, names.labels)
    for way in (Step.LISTED, Step.ADDRESS):
        with screen.step("Choose the account with a hostile name"):
            screen.press(text(f"{SERVER}.initiate_flow.user"))
            screen.see(ANNAS_NAME, exact=True)
            names.look("choose account")
            rows = screen.page.get_by_text(names.account, exact=True)
            rows.filter(visible=True).last.click()
        server.do(Choose(Step.USER, way))
        with screen.step(f"See hostile names when a server is added: {way}"):
            if way == Step.LISTED:
                screen.see(text(f"{SERVER}.abort.no_more_servers", name=names.account))
            names.look(f"add server {way}")
            screen.press("Close")
    for name in (names.own_name, names.shared_name):
        changed = PageDialog(screen, SERVER, {"name": name}, names.labels)
        entry.open_change(screen, name)
        with changed.seen(Step.RECONFIGURE):
            names.look(f"change server {names_index(names, name)}")
            screen.press("Close")


def _see_devices(screen: Screen, names: HostileNames) -> None:
    devices = PageDialog(screen, DEVICES, {"name": names.account})
    entry.open_devices(screen, names.account)
    with devices.seen(Step.INIT):
        names.look("devices")
        screen.page.locator("ha-checkbox").filter(visible=True).first.click()
        screen.press("Submit")
    with screen.step("See a hostile name signed out"):
        screen.see("Anyone who knows your password")
        names.look("device signed out")
        screen.press("Close")


def _tell_of_rejection(screen: Screen, names: HostileNames) -> None:
    """Let the blueprint tell, in its own words, when the sign-in is rejected."""
    screen.ask(
        "blueprint/save",
        domain="automation",
        path=_BLUEPRINT.name,
        yaml=_BLUEPRINT.read_text(),
    )
    (device,) = (
        one["id"]
        for one in screen.ask("config/device_registry/list")
        if one["name"] == names.account
    )
    (sign_in,) = (
        one["entity_id"]
        for one in screen.ask("config/entity_registry/list")
        if one["platform"] == DOMAIN
        and one["translation_key"] == "sign_in"
        and one["device_id"] == device
    )
    inputs = {"accounts": {"entity_id": sign_in}}
    automation = {
        "alias": "Tell of a rejection",
        "use_blueprint": {"path": _BLUEPRINT.name, "input": inputs},
    }
    screen.page.evaluate(_SAVE_AUTOMATION, automation)


def _see_notification(screen: Screen, names: HostileNames) -> None:
    with screen.step("See a notification"):
        screen.click("Notifications")
        screen.see(f"Plex rejects the sign-in of {names.account}.")
        names.look("notification")
        screen.ask(
            "call_service", domain="persistent_notification", service="dismiss_all"
        )
        screen.page.keyboard.press("Escape")


def _see_repairs(screen: Screen, simulator: Simulator, names: HostileNames) -> None:
    control = simulator.control
    own = f"/servers/{names.own['machine_identifier']}"
    placeholders = {
        "account": names.account,
        "server": names.own_name,
        "url": f"{names.own['http_url']}/web",
        "own_url": _OWN_URL,
    }
    dialog = PageDialog(
        screen, f"issues.{Issue.UNCLAIMED}.fix_flow", placeholders, names.labels
    )
    control.post(f"{own}/unclaim", {"listed": True})
    _open_repair(screen, names, Issue.UNCLAIMED, placeholders)
    with screen.step("See that Plex contradicts the server"):
        for paragraph in dialog.text("abort.still_listed").split("\n\n")[:1]:
            screen.see(paragraph)
        names.look("still listed")
        screen.press("Close")
    control.post(f"{own}/claim", {"username": MALLORY})
    control.post(f"{own}/unclaim")
    _open_repair(screen, names, Issue.UNCLAIMED, placeholders)
    with dialog.seen(Step.CONFIRM):
        names.look("claim")
    host = names.own["machine_identifier"]
    slow = {"endpoint": "claim", "kind": "delay", "seconds": 3, "times": 1}
    control.post("/faults", {**slow, "host": host})
    dialog.walk(ways.claim_server())
    names.look("claimed")
    control.post(f"/servers/{names.shared['machine_identifier']}/unshare")
    placeholders = {"account": names.account, "server": names.shared_name}
    _open_repair(screen, names, Issue.NOT_LISTED, placeholders)
    removal = PageDialog(screen, f"issues.{Issue.NOT_LISTED}.fix_flow", placeholders)
    with removal.seen(Step.CONFIRM):
        names.look("not listed")
    removal.walk(ways.confirm_repair())
    _tell_of_rejection(screen, names)
    control.post(f"/accounts/{MALLORY}/revoke_tokens")
    _poll(screen)
    _see_notification(screen, names)
    with screen.step("See that a new sign-in is needed"):
        screen.click("Settings")
        screen.see(f"Authentication expired for {names.account}").click()
        screen.see(text("config.step.reauth_confirm.title"))
        screen.see(text("config.step.reauth_confirm.description", name=names.account))
        names.look("sign in again")
        screen.press("Close")
    with screen.step("Read hostile names in Activity"):
        screen.click("Activity")
        screen.see(names.account)
        names.look("activity")


def _open_repair(
    screen: Screen, names: HostileNames, issue: Issue, placeholders: dict[str, str]
) -> None:
    _poll(screen)
    with screen.step(f"Find the repair with hostile names: {issue}"):
        screen.click("Settings")
        found = screen.see(text(f"issues.{issue}.title", **placeholders))
        names.look(issue)
        found.click()


def _poll(screen: Screen) -> None:
    """Ask plex.tv and the servers now, which *Check now* does once in 10 seconds."""
    (account,) = (
        one["entry_id"]
        for one in screen.ask("config_entries/get", domain=DOMAIN)
        if one["title"] != ANNAS_NAME
    )
    with suppress(Error):  # plex.tv may reject the sign-in
        screen.ask(
            "call_service",
            domain=DOMAIN,
            service=Action.SERVERS,
            service_data={Field.ENTRY: account},
            return_response=True,
        )
    entities = [
        one["entity_id"]
        for one in screen.ask("config/entity_registry/list")
        if one["platform"] == DOMAIN and one["translation_key"] == "reachable"
    ]
    screen.ask(
        "call_service",
        domain="homeassistant",
        service="update_entity",
        service_data={"entity_id": entities},
    )


def _account_dialog(screen: Screen, names: HostileNames) -> PageDialog:
    return PageDialog(screen, ACCOUNT, _wrong(names), names.labels)


def _wrong(names: HostileNames) -> dict[str, str]:
    placeholders = {"name": names.account, "other": BENS_NAME}
    reason = text("config.error.wrong_account", **placeholders)
    return {**placeholders, "reason": reason}

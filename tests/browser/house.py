"""A house whose Home Assistant runs one version of the integration after another."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
import time
from typing import Any, Final

from playwright.sync_api import expect

from scripts.shared.failure import Failure
from scripts.shared.home_assistant import PASSWORD, USERNAME, Installation
from scripts.shared.paths import ROOT
from scripts.shared.rest import Rest
from tests.walks.names import DOMAIN, Action
from tests.walks.texts import text

from . import entry, sign_in
from .screen import Screen

_LONGEST_WAIT: Final = 60  # seconds
# What Home Assistant's pages say of an entity that has no state.
_ABSENT: Final = ("Unavailable", "Not provided", "no longer being provided")


@dataclass(frozen=True, slots=True)
class Registered:
    """What is registered: entities by their unique IDs, and devices by their own."""

    entities: dict[str, dict[str, Any]]
    devices: dict[str, str]

    @property
    def entity_ids(self) -> dict[str, str]:
        """Return the entity IDs by unique IDs."""
        return {key: str(one["entity_id"]) for key, one in self.entities.items()}

    @property
    def enabled(self) -> list[dict[str, Any]]:
        """Return the entities that are to have a state."""
        return [one for one in self.entities.values() if one["disabled_by"] is None]


class House:
    """An installation of Home Assistant, and a page of it that stays signed in."""

    def __init__(self, installation: Installation, screen: Screen, name: str) -> None:
        """Start with an empty installation; `name` is what its pictures are called by."""
        self._installation = installation
        self._is_signed_in = False
        self.screen = screen
        self.name = name

    @contextmanager
    def run(
        self, what: str, code: Path = ROOT, *, has_troubles: bool = False
    ) -> Iterator[Rest]:
        """Run the version in `code` for the time of the block, with the page at its side.

        `what` tells a person why. Raises `Failure` when today's version complains in the
        log, unless there are troubles.
        """
        with self._installation.run(code) as home_assistant:
            if self._is_signed_in:
                self._come_back(what)
            else:
                sign_in.open_home_assistant(self.screen, USERNAME, PASSWORD)
                self._is_signed_in = True
            yield home_assistant.rest
            self.screen.page.goto("about:blank")
            home_assistant.stop()
            complaints = home_assistant.warnings_about(DOMAIN)
            if complaints and code == ROOT and not has_troubles:
                raise Failure(f"Home Assistant's log has: {complaints[0]}")

    def registered(self) -> Registered:
        """Return what is registered; two entities of one unique ID are an error."""
        found = self.screen.ask("config/entity_registry/list")
        own = [one for one in found if one["platform"] == DOMAIN]
        entities = {one["unique_id"]: one for one in own}
        assert len(entities) == len(own), "an entity is registered twice"
        (account,) = self.screen.ask("config_entries/get", domain=DOMAIN)
        devices = {
            one["id"]: one["name"]
            for one in self.screen.ask("config/device_registry/list")
            if one["primary_config_entry"] == account["entry_id"]
        }
        assert len(set(devices.values())) == len(devices), "a device is there twice"
        return Registered(entities, devices)

    def see_loaded(self, label: str) -> None:
        """See on the integration's page that the account is set up."""
        with self.screen.step(f"See that it is loaded: {label}"):
            self.open_integration()
            (account,) = self.screen.ask("config_entries/get", domain=DOMAIN)
            assert account["state"] == "loaded", f"it is {account['state']}"
            self.picture(f"{label} integration")

    def see_everything_at_work(self, label: str) -> Registered:
        """See on all pages that each entity works, that none is left over, and no repair.

        Returns what is registered.
        """
        with self.screen.step(f"Wait until everything is available: {label}"):
            registered = self._wait_until_available()
        self.see_loaded(label)
        for device, name in registered.devices.items():
            with self.screen.step(f"Look at the page of {name}: {label}"):
                entry.open_device(self.screen, name)
                for entity in registered.enabled:
                    if entity["device_id"] == device:
                        shown = entity["name"] or entity["original_name"]
                        self.screen.see(shown, exact=True)
                self._see_none_absent()
                self.picture(f"{label} {name}")
                self.screen.page.go_back()
                self.screen.see(text("config.initiate_flow.user"), exact=True)
        with self.screen.step(f"Look at the list of entities: {label}"):
            (account,) = self.screen.ask("config_entries/get", domain=DOMAIN)
            self.screen.page.goto(
                f"/config/entities?config_entry={account['entry_id']}"
            )
            words = f"Search {len(registered.entities)} entities"
            searched = self.screen.page.get_by_placeholder(words)
            expect(searched, "as many entities as are registered").to_be_visible()
            self._see_none_absent()
            self.picture(f"{label} entities")
        with self.screen.step(f"See that there is nothing to repair: {label}"):
            assert not self.repairs(), f"there is {self.repairs()}"
            self.screen.page.goto("/config/repairs")
            self.screen.see("There are currently no repairs pending")
            self.picture(f"{label} repairs")
        return registered

    def open_integration(self) -> None:
        """Open the integration's page by its address."""
        self.screen.page.goto(f"/config/integrations/integration/{DOMAIN}")
        self.screen.see(text("config.initiate_flow.user"), exact=True)

    def picture(self, label: str, *, dialog: bool = False) -> None:
        """Take a picture that is the house's own."""
        self.screen.picture(f"{self.name} {label}", dialog=dialog, keep=False)

    def repairs(self) -> dict[str, bool]:
        """Return the repairs of the integration by their keys, and which are ignored."""
        found = self.screen.ask("repairs/list_issues")["issues"]
        return {
            one["translation_key"]: one["ignored"]
            for one in found
            if DOMAIN in (one["domain"], one["issue_domain"])
        }

    def state(self, entity_id: str) -> str | None:
        """Return an entity's state, None if it has none."""
        found = self.screen.ask("get_states")
        states = (one["state"] for one in found if one["entity_id"] == entity_id)
        return next(states, None)

    def wait_until_state(self, entity_id: str, state: str) -> None:
        """Let a server's entity be updated until it has a state; raises `Failure` later."""
        deadline = time.monotonic() + _LONGEST_WAIT
        while self.state(entity_id) != state:
            if time.monotonic() > deadline:
                raise Failure(f"{entity_id} is {self.state(entity_id)}")
            self.update(entity_id)
            self.screen.page.wait_for_timeout(500)

    def wait_until_repairs(self, repairs: Mapping[str, bool]) -> None:
        """Wait until there are these repairs, ignored or not; raises `Failure` later."""
        deadline = time.monotonic() + _LONGEST_WAIT
        while (found := self.repairs()) != repairs:
            if time.monotonic() > deadline:
                raise Failure(f"the repairs are {found}")
            self.screen.page.wait_for_timeout(500)

    def ask_for_servers(self) -> None:
        """Let plex.tv be asked for its list of servers now."""
        self.screen.ask(
            "call_service", domain=DOMAIN, service=Action.SERVERS, return_response=True
        )

    def update(self, *entity_ids: str) -> None:
        """Let what entities tell of be asked for now."""
        self.screen.ask(
            "call_service",
            domain="homeassistant",
            service="update_entity",
            service_data={"entity_id": entity_ids},
        )

    def _come_back(self, what: str) -> None:
        with self.screen.step(f"Start Home Assistant {what}"):
            self.screen.page.goto("/")
            self.screen.see("Overview", exact=True)

    def _wait_until_available(self) -> Registered:
        """Wait until each entity has a state; servers connect after the start."""
        deadline = time.monotonic() + _LONGEST_WAIT
        while True:
            registered = self.registered()
            states = {
                one["entity_id"]: one["state"] for one in self.screen.ask("get_states")
            }
            absent = [
                one["entity_id"]
                for one in registered.enabled
                if states.get(one["entity_id"], "unavailable") == "unavailable"
            ]
            if registered.enabled and not absent:
                return registered
            if time.monotonic() > deadline:
                raise Failure(f"not available: {absent}")
            self.screen.page.wait_for_timeout(500)

    def _see_none_absent(self) -> None:
        """See it of none of the entities; of Activity's past moments it may be said."""
        cards = self.screen.page.locator("ha-device-entities-card, ha-data-table")
        for words in _ABSENT:
            expect(cards.get_by_text(words), words).to_have_count(0)

"""The driver for a Home Assistant in the same process, which checks every page.

A `Dialog` does what Home Assistant's page does with a flow.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
import json
import re
from typing import Any, override

import voluptuous as vol

from custom_components.plex_auth.api.addresses import shown_address
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from tests.helpers import async_settle
from tests.plex_simulator import Account, PlexSimulator

from .driver import Driver
from .markdown import check_names
from .names import SECRET_FIELDS, Field
from .server_troubles import SUBENTRY_TABLE
from .texts import texts_of
from .troubles import CONFIG_TABLE, HOME_USER_TABLE, OPTIONS_TABLE, Table
from .ways import Person, Way


def person(
    simulator: PlexSimulator, account: Account, api_url: str | None = None
) -> Person:
    """Return who has an account of a simulator in this process."""
    return Person(
        api_url=api_url or simulator.api_url,
        username=account.email if account.email_only else account.name,
        password=account.password or "",
        code=None if account.totp_secret is None else account.code,
        token=partial(account.sign_in_token, "another client"),
        link=lambda code: simulator.pins.link(code, account),
    )


@dataclass(kw_only=True, repr=False)
class Dialog(Driver):
    """Walk through a flow as a page does, and check each page."""

    simulator: PlexSimulator
    manager: Any
    table: Table
    texts: Mapping[str, Any]
    submitted: Counter[str] = field(default_factory=Counter)
    _typed: dict[str, Mapping[str, Any]] = field(default_factory=dict)

    @property
    def type(self) -> FlowResultType:
        """Return what the flow shows."""
        kind: FlowResultType = self.result["type"]
        return kind

    @property
    def step(self) -> str:
        """Return the step that the flow is at."""
        step: str = self.result["step_id"]
        return step

    @property
    def fields(self) -> list[str]:
        """Return the names of the form's fields."""
        return [str(marker) for marker in self.result["data_schema"].schema]

    @property
    def shown(self) -> dict[str, Any]:
        """Return what the form's fields are filled with."""
        return _shown(self.result["data_schema"])

    async def start(self, handler: Any, **context: Any) -> None:
        """Open the dialog."""
        self._take(await self.manager.async_init(handler, context=context))

    @override
    async def walk(self, *ways: Way) -> None:
        await super().walk(*ways)
        await async_settle(self.manager.hass)

    async def choose(self, option: str) -> None:
        """Choose from a menu."""
        assert option in self.result["menu_options"]
        await self.send({"next_step_id": option})

    async def submit(self, typed: Mapping[str, Any] | None = None) -> None:
        """Submit a form."""
        await self.send(typed or {})

    @override
    async def send(self, content: Mapping[str, Any]) -> None:
        if self.type is FlowResultType.FORM:
            self._typed[self.step] = content
            self.submitted[self.step] += 1
        flow_id = self.result["flow_id"]
        self._take(await self.manager.async_configure(flow_id, dict(content)))

    @override
    async def look(self) -> None:
        self._take(await self.manager.async_configure(self.result["flow_id"]))

    def close(self) -> None:
        """Close the dialog."""
        self.manager.async_abort(self.result["flow_id"])

    def _take(self, result: Mapping[str, Any]) -> None:
        """Take what the flow shows and check that it can be shown."""
        self.result = result
        match self.type:
            case FlowResultType.FORM:
                self._check_form()
            case FlowResultType.MENU:
                texts = self.texts["step"][self.step]
                assert texts["menu_options"].keys() == set(result["menu_options"])
                self._check_placeholders(texts)
                for key in self.errors.values():
                    assert key in self.table[self.step], f"{key} is not in the table"
            case FlowResultType.SHOW_PROGRESS:
                text = self.texts["progress"][result["progress_action"]]
                self._check_placeholders(text)
            case FlowResultType.CREATE_ENTRY if result.get("description"):
                text = self.texts["create_entry"][result["description"]]
                self._check_placeholders(text)
            case FlowResultType.ABORT if result.get("translation_domain") is None:
                self._check_placeholders(self.texts["abort"][result["reason"]])

    def _check_form(self) -> None:
        """Check texts, errors and what the fields show."""
        texts = self.texts["step"][self.step]
        schema = self.result["data_schema"]
        for marker in schema.schema:
            assert texts["data"][str(marker)]
            assert texts["data_description"][str(marker)]
        self._check_placeholders(texts)
        for name, key in self.errors.items():
            assert key in self.table[self.step], f"{key} is not in the table"
            assert self.texts["error"][key]
            assert name == "base" or name in self.fields
        if self.errors:
            assert self.shown == _without_secrets(self._typed.get(self.step, {}))
        page = json.dumps([self.shown, self.result["description_placeholders"]])
        for secret in self._secrets():
            assert secret not in page

    def _check_placeholders(self, texts: Any) -> None:
        """Check that each placeholder of the texts is given, and that names are names."""
        needed = set(re.findall(r"\{(\w+)\}", json.dumps(texts)))
        given = self.result["description_placeholders"] or {}
        assert needed <= given.keys()
        check_names(texts, given)

    def _secrets(self) -> set[str]:
        """Return what must never be shown: all of Plex's secrets, and what was typed."""
        typed = {
            value
            for fields in self._typed.values()
            for name, value in fields.items()
            if name in SECRET_FIELDS
        }
        codes = {pin.code for pin in self.simulator.pins}
        return {
            secret
            for secret in (self.simulator.secrets() | typed) - codes
            if secret.strip()
        }


def config_dialog(hass: HomeAssistant, simulator: PlexSimulator) -> Dialog:
    """Return a dialog for accounts, not open yet."""
    return _dialog(simulator, hass.config_entries.flow, CONFIG_TABLE, "config")


def server_dialog(hass: HomeAssistant, simulator: PlexSimulator) -> Dialog:
    """Return a dialog for servers, not open yet."""
    manager = hass.config_entries.subentries
    return _dialog(simulator, manager, SUBENTRY_TABLE, "config_subentries.server")


def options_dialog(hass: HomeAssistant, simulator: PlexSimulator) -> Dialog:
    """Return a dialog for the devices of an account, not open yet."""
    manager = hass.config_entries.options
    return _dialog(simulator, manager, OPTIONS_TABLE, "options")


def home_user_dialog(hass: HomeAssistant, simulator: PlexSimulator) -> Dialog:
    """Return a dialog for Home users, not open yet."""
    manager = hass.config_entries.subentries
    return _dialog(simulator, manager, HOME_USER_TABLE, "config_subentries.home_user")


def _dialog(simulator: PlexSimulator, manager: Any, table: Table, key: str) -> Dialog:
    return Dialog(
        simulator=simulator, manager=manager, table=table, texts=texts_of(key)
    )


def _shown(schema: vol.Schema) -> dict[str, Any]:
    """Return what the fields of a form are filled with."""
    found: dict[str, Any] = {}
    for marker in schema.schema:
        if "suggested_value" in (marker.description or {}):
            found[str(marker)] = marker.description["suggested_value"]
        elif callable(marker.default):
            found[str(marker)] = marker.default()
    return found


def _without_secrets(typed: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a form keeps of what was typed; an address loses its secrets."""
    kept = {name: value for name, value in typed.items() if name not in SECRET_FIELDS}
    return {
        name: shown_address(value) if name == Field.URL else value
        for name, value in kept.items()
    }

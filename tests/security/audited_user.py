"""Do everything that the integration does, and give an audit what comes back."""

from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry
from pytest_homeassistant_custom_component.typing import MockHAClientWebSocket
import voluptuous as vol

from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers import device_registry as dr
from tests.helpers import async_settle, device_of
from tests.plex_simulator import Account, MediaServer, Pin, PlexSimulator
from tests.plex_simulator.worlds import DemoWorld
from tests.walks.dialog import person
from tests.walks.driver import AstrayError
from tests.walks.names import DOMAIN, Action, Field, Step
from tests.walks.rest import Api, RestDialog
from tests.walks.ways import Person, Typed, Way, Wrong

from .leak_audit import Audit
from .leaks import Kind, Place, Secret

# What no form of Plex's has: they look the same as nothing else, and in no encoding alike.
PASSWORD: Final = 'marker-pässword "&%+/\\ <right>'
WRONG_PASSWORD: Final = 'marker-pässword "&%+/\\ <wrong>'
RIGHT_CODE: Final = "736251849506172839"
WRONG_CODE: Final = "928374650192837465"
RIGHT_PIN: Final = "604938271650493827"
WRONG_PIN: Final = "840271936502847193"
WRONG_TOKEN: Final = "typed-token/+=&marker"

WRONG: Final[Wrong] = {
    Step.PASSWORD: [({Field.PASSWORD: WRONG_PASSWORD}, {"base": "invalid_auth"})],
    Step.CODE: [({Field.CODE: WRONG_CODE}, {"base": "invalid_code"})],
    Step.TOKEN: [({Field.TOKEN: WRONG_TOKEN}, {"base": "invalid_token"})],
    Step.ADDRESS: [
        ({Field.TOKEN: ""}, {Field.TOKEN: "token_required"}),
        ({Field.TOKEN: WRONG_TOKEN}, {Field.TOKEN: "invalid_token"}),
    ],
    Step.RECONFIGURE: [
        ({Field.SOURCES: ["nonsense"]}, {Field.SOURCES: "invalid_source"})
    ],
}

WRONG_PINS: Final[Wrong] = {
    step: [({Field.PIN: WRONG_PIN}, {Field.PIN: "invalid_pin"})]
    for step in (Step.PIN, Step.RECONFIGURE)
}


def mark(simulator: PlexSimulator, world: DemoWorld, patch: pytest.MonkeyPatch) -> None:
    """Let passwords, codes and PINs be found by nothing but themselves."""
    create = simulator.pins.create

    def marked_pin(*args: Any, **options: Any) -> Pin:
        pin = create(*args, **options)
        pin.code = f"LINKCODE{pin.id}"
        return pin

    patch.setattr(simulator.pins, "create", marked_pin)
    patch.setattr(Account, "code", lambda _: RIGHT_CODE)
    patch.setattr(Account, "accepts_code", lambda _, code: code == RIGHT_CODE)
    world.two_factor.password = PASSWORD
    world.free.password = f"{PASSWORD} of Ben's"
    world.home.child.pin = RIGHT_PIN


def secrets_of(simulator: PlexSimulator) -> list[Secret]:
    """Return every secret that there is, dead ones and what was typed wrongly included."""
    found = [
        Secret(Kind.PASSWORD, PASSWORD),
        Secret(Kind.PASSWORD, WRONG_PASSWORD),
        Secret(Kind.CODE, RIGHT_CODE),
        Secret(Kind.CODE, WRONG_CODE),
        Secret(Kind.TYPED_PIN, RIGHT_PIN),
        Secret(Kind.TYPED_PIN, WRONG_PIN),
        Secret(Kind.ACCOUNT_TOKEN, WRONG_TOKEN),
        *(Secret(Kind.LINK_CODE, pin.code) for pin in simulator.pins),
        *(Secret(Kind.CLAIM_TOKEN, one) for one in simulator.claim_tokens.given),
    ]
    for account in simulator.accounts.values():
        values = (
            (Kind.PASSWORD, account.password),
            (Kind.TOTP_KEY, account.totp_secret),
            (Kind.SERVICE_SECRET, account.service_token),
            (Kind.SERVICE_SECRET, account.service_secret),
            (Kind.HOME_PIN, account.pin_hash),
            (Kind.EMAIL, account.email),
            *((Kind.ACCOUNT_TOKEN, token) for token in account.secrets_given),
        )
        found += [Secret(kind, text, account.uuid) for kind, text in values if text]
    for server in simulator.servers.values():
        for token in server.secrets_given:
            is_transient = token.startswith("transient-")
            kind = Kind.TRANSIENT_TOKEN if is_transient else Kind.SERVER_TOKEN
            found.append(Secret(kind, token, server.machine_identifier))
    known = {secret.value: secret for secret in found}
    assert simulator.secrets() <= known.keys()
    return list(known.values())


async def async_act_over_websocket(
    websocket: MockHAClientWebSocket, domain: str, action: str, fields: Typed
) -> dict[str, Any]:
    """Call an action of any integration over the WebSocket, and return its result."""
    await websocket.send_json_auto_id(
        {
            "type": "call_service",
            "domain": domain,
            "service": action,
            "service_data": fields,
            "return_response": True,
        }
    )
    answer = await websocket.receive_json()
    assert answer["success"], answer
    result: dict[str, Any] = answer["result"]
    return result


async def async_take_traces(
    websocket: MockHAClientWebSocket, audit: Audit, script: str
) -> None:
    """Give an audit all traces of a script."""

    async def ask(kind: str, **fields: str) -> Any:
        fields = {"domain": "script", "item_id": script, **fields}
        await websocket.send_json_auto_id({"type": kind, **fields})
        return (await websocket.receive_json())["result"]

    for trace in await ask("trace/list"):
        found = await ask("trace/get", run_id=trace["run_id"])
        audit.add(Place.STATE, "trace", found)


@dataclass(slots=True)
class AuditedUser:
    """Do things as a person at the browser does; the audit gets what comes back."""

    hass: HomeAssistant
    api: Api
    websocket: MockHAClientWebSocket
    simulator: PlexSimulator
    world: DemoWorld
    audit: Audit

    @property
    def far(self) -> MediaServer:
        """Return a server of somebody who shares it with nobody."""
        return next(
            one for one in self.simulator.servers.values() if one.name == "Attic"
        )

    @property
    def anna(self) -> Person:
        """Return who has two-factor authentication and servers."""
        return person(self.simulator, self.world.two_factor)

    @property
    def ben(self) -> Person:
        """Return who has an account without two-factor authentication."""
        return person(self.simulator, self.world.free)

    def entry(self, account: Account) -> MockConfigEntry:
        """Return the entry of an account."""
        entries: list[Any] = self.hass.config_entries.async_entries(DOMAIN)
        found: MockConfigEntry
        (found,) = [entry for entry in entries if entry.unique_id == account.uuid]
        return found

    def device_id(self, server: MediaServer) -> str:
        """Return the device of a server in Anna's entry."""
        return device_of(self.hass, self.entry(self.world.two_factor), server).id

    def home_user_id(self, user: Account) -> str:
        """Return the subentry of a Home user in Anna's entry."""
        subentries = self.entry(self.world.two_factor).subentries.values()
        (found,) = [one for one in subentries if one.unique_id == user.uuid]
        return str(found.subentry_id)

    def home_user_device_id(self, user: Account) -> str:
        """Return the device of a Home user in Anna's entry."""
        devices = dr.async_entries_for_config_entry(
            dr.async_get(self.hass), self.entry(self.world.two_factor).entry_id
        )
        wanted = self.home_user_id(user)
        (found,) = [one for one in devices if one.config_subentry_id == wanted]
        return found.id

    async def walk(self, dialog: RestDialog, *ways: Way) -> RestDialog:
        """Go one way after the other in a dialog, and wait for what comes of it."""
        await dialog.walk(*ways)
        await async_settle(self.hass)
        return dialog

    async def attempt(self, way: Way) -> RestDialog:
        """Go a way in a new dialog of an account, as far as it lets."""
        dialog = await self.api.open_account()
        with suppress(AstrayError):
            await dialog.walk(way)
        return dialog

    async def close_all(self) -> None:
        """Close all dialogs but those that ask for a new sign-in."""
        for flow in self.hass.config_entries.flow.async_progress_by_handler(DOMAIN):
            if flow["context"]["source"] != "reauth":
                await self.api.find_account(flow["flow_id"]).close()
        await async_settle(self.hass)

    async def act(
        self, action: str, fields: Typed | None = None, domain: str = DOMAIN
    ) -> bool:
        """Call an action as an automation does, and tell whether it succeeded."""
        try:
            response = await self.hass.services.async_call(
                domain, action, fields or {}, blocking=True, return_response=True
            )
        except (HomeAssistantError, vol.Invalid) as error:
            self.audit.add_exception(error, action)
            self.audit.add(Place.EXCEPTION, action, str(error))
            placeholders = getattr(error, "translation_placeholders", None)
            self.audit.add(Place.EXCEPTION, f"{action} placeholders", placeholders)
            return False
        self.audit.add(Place.RESPONSE, action, response)
        return True

    async def act_over_rest(self, action: Action, fields: Typed) -> None:
        """Call an action over REST."""
        answer = await self.api.call(action, fields)
        self._take(action, answer, "service_response")

    async def act_over_websocket(self, action: Action, fields: Typed) -> None:
        """Call an action over the WebSocket."""
        result = await async_act_over_websocket(self.websocket, DOMAIN, action, fields)
        self._take(action, result, "response")

    def _take(self, action: Action, answer: dict[str, Any], key: str) -> None:
        """Give the audit a response, and apart from it what else was answered."""
        self.audit.add(Place.RESPONSE, action, answer.pop(key))
        self.audit.add(Place.RESPONSE, f"{action} beside the response", answer)

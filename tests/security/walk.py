"""A walk through everything that the integration does, with its audit."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

from aiohttp import ClientTimeout, web
from aiohttp.test_utils import TestClient
import pytest
from pytest_homeassistant_custom_component.typing import MockHAClientWebSocket

from custom_components.plex_auth.api import server as server_module
from custom_components.plex_auth.api.server import PlexServer
from custom_components.plex_auth.api.transport import Transport
from custom_components.plex_auth.const import DOMAIN
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError
from tests.helpers import async_settle
from tests.plex_simulator import Account, Fault, Pin, PlexSimulator
from tests.plex_simulator.faults import Exchange
from tests.plex_simulator.site import FORM

from .leak_audit import Audit, Kind, Place, Secret

PATIENCE: Final = 0.2
FLOWS: Final = "/api/config/config_entries/flow"
SUBENTRY_FLOWS: Final = "/api/config/config_entries/subentries/flow"
REPAIR_FLOWS: Final = "/api/repairs/issues/fix"

SLOW: Final = ("delay", "slow body")

# What no form of Plex's has: they look the same as nothing else, and in no encoding alike.
PASSWORD: Final = 'marker-pässword "&%+/\\ <right>'
WRONG_PASSWORD: Final = 'marker-pässword "&%+/\\ <wrong>'
RIGHT_CODE: Final = "736251849506172839"
WRONG_CODE: Final = "928374650192837465"
WRONG_TOKEN: Final = "typed-token/+=&marker"


@contextmanager
def impatience() -> Iterator[None]:
    """Shorten the timeouts of all requests; they are default arguments."""
    short = ClientTimeout(total=PATIENCE)
    with pytest.MonkeyPatch.context() as patch:
        for function in (Transport.request, PlexServer._request):
            assert function.__kwdefaults__ is not None
            patch.setitem(function.__kwdefaults__, "timeout", short)
        patch.setattr(server_module, "PROBE_TIMEOUT", short)
        yield


def mark(simulator: PlexSimulator, patch: pytest.MonkeyPatch) -> None:
    """Let the simulator use codes that are found by nothing but themselves."""
    create = simulator.pins.create

    def marked_pin(*args: Any, **options: Any) -> Pin:
        pin = create(*args, **options)
        pin.code = f"LINKCODE{pin.id}"
        return pin

    patch.setattr(simulator.pins, "create", marked_pin)
    patch.setattr(Account, "accepts_code", lambda _, code: code == RIGHT_CODE)


def secrets_of(simulator: PlexSimulator) -> list[Secret]:
    """Return every secret that there is, dead ones and what was typed wrongly included."""
    found = [
        Secret(Kind.PASSWORD, PASSWORD),
        Secret(Kind.PASSWORD, WRONG_PASSWORD),
        Secret(Kind.CODE, RIGHT_CODE),
        Secret(Kind.CODE, WRONG_CODE),
        Secret(Kind.ACCOUNT_TOKEN, WRONG_TOKEN),
        *(Secret(Kind.LINK_CODE, pin.code) for pin in simulator.pins),
    ]
    for account in simulator.accounts.values():
        found += [
            Secret(kind, value, account.uuid)
            for kind, value in (
                (Kind.PASSWORD, account.password),
                (Kind.TOTP_KEY, account.totp_secret),
                (Kind.SERVICE_SECRET, account.service_token),
                (Kind.SERVICE_SECRET, account.service_secret),
                (Kind.HOME_PIN, account.pin_hash),
                (Kind.EMAIL, account.email),
            )
            if value
        ]
        found += [
            Secret(Kind.ACCOUNT_TOKEN, token, account.uuid)
            for token in account.secrets_given
        ]
    for server in simulator.servers.values():
        found += [
            Secret(
                Kind.TRANSIENT_TOKEN
                if token.startswith("transient-")
                else Kind.SERVER_TOKEN,
                token,
                server.machine_identifier,
            )
            for token in server.secrets_given
        ]
    known = {secret.value for secret in found}
    assert simulator.secrets() <= known
    return list({secret.value: secret for secret in found}.values())


def _echoed(exchange: Exchange) -> str:
    """Return everything secret that a request carries."""
    request = exchange.request
    token = request.headers.get("X-Plex-Token", "")
    return " ".join([token, *(str(value) for value in request[FORM].values())])


def _echo(answer: Callable[[str], web.Response]) -> Fault:
    """Return the fault of a host that says in its answer what it was told."""

    async def play(exchange: Exchange) -> web.StreamResponse:
        return answer(_echoed(exchange))

    return Fault("echo", play)


def _raw_echo(head: Callable[[str], str]) -> Fault:
    """Return the fault of a host that breaks the protocol with what it was told."""

    async def play(exchange: Exchange) -> web.StreamResponse:
        transport = exchange.request.transport
        assert transport is not None
        transport.write(head(_echoed(exchange)).encode())
        transport.close()
        return web.Response()

    return Fault("raw echo", play)


def _plex_error(status: int, text: str) -> web.Response:
    """Return an error of plex.tv with a text in all of its parts."""
    return web.json_response(
        {"errors": [{"code": 1001, "message": text, "status": status}]},
        status=status,
        headers={"Retry-After": _header(text), "X-Echo": _header(text)},
    )


def _header(text: str) -> str:
    return text.encode("ascii", "replace").decode().replace("\n", " ")


def faults(simulator: PlexSimulator) -> dict[str, Fault]:
    """Return faults of each kind that the simulator has, and hosts that echo secrets."""
    elsewhere = "http://198.51.100.7/"
    return {
        **{
            f"status {status}": Fault.status(status)
            for status in (400, 401, 403, 404, 422, 498, 503)
        },
        "429": Fault.status(429, headers={"Retry-After": "1"}),
        **{
            f"code {code}": Fault.plex_error(code)
            for code in (1001, 1003, 1020, 1028, 1029, 1030, 1031)
        },
        "invalid token": Fault.plex_error(1999, 422, message="Invalid token"),
        "page 200": Fault.html(200),
        "page 502": Fault.html(502),
        SLOW[0]: Fault.delay(5 * PATIENCE),
        SLOW[1]: Fault.slow_body(5 * PATIENCE),
        "reset": Fault.reset(),
        "reset after work": Fault.reset(processed=True),
        "half body": Fault.half_body(),
        "huge body": Fault.huge_body(2 * 1024 * 1024),
        "redirect": Fault.redirect(f"{simulator.base_url}/elsewhere"),
        "redirect elsewhere": Fault.redirect(elsewhere),
        "empty": Fault.body(""),
        "wrong shape": Fault.body("[[]]"),
        "wrong encoding": Fault.body(b"\xff\xfe{", charset="utf-8"),
        "XML": Fault.xml_instead(),
        **{
            f"echo in an error {status}": _echo(partial(_plex_error, status))
            for status in (401, 422, 500)
        },
        "echo in a page": _echo(
            lambda text: web.Response(
                text=f"<html><body>{text}</body></html>",
                content_type="text/html",
                status=502,
            )
        ),
        "echo in half a JSON": _echo(
            lambda text: web.Response(
                text=f'{{"authToken": "{text}', content_type="application/json"
            )
        ),
        "echo in half an XML": _echo(
            lambda text: web.Response(
                text=f'<user authToken="{text}', content_type="application/xml"
            )
        ),
        "echo in a redirect": _echo(
            lambda text: web.Response(
                status=302, headers={"Location": f"{elsewhere}?q={_header(text)}"}
            )
        ),
        "echo in a cookie": _echo(
            lambda text: web.Response(headers={"Set-Cookie": f"a={_header(text)}; b"})
        ),
        "echo in the status line": _raw_echo(
            lambda text: f"HTTP/{text} 200 OK\r\n\r\n"
        ),
        "echo in a broken header": _raw_echo(
            lambda text: f"HTTP/1.1 200 OK\r\n{text}\r\n\r\n"
        ),
        "echo in a length": _raw_echo(
            lambda text: f"HTTP/1.1 200 OK\r\nContent-Length: {text}\r\n\r\n"
        ),
        "echo in an encoding": _raw_echo(
            lambda text: (
                "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n"
                f"Content-Length: {len(text.encode())}\r\n\r\n{text}"
            )
        ),
    }


@dataclass(slots=True)
class Walk:
    """Do things as a person at the browser does, and give the audit what comes back."""

    hass: HomeAssistant
    client: TestClient[Any, Any]
    websocket: MockHAClientWebSocket
    simulator: PlexSimulator
    audit: Audit
    failures: dict[str, int] = field(default_factory=dict)

    @property
    def advanced(self) -> dict[str, Any]:
        """Return what the section `advanced` is filled with."""
        return {"advanced": {"api_url": self.simulator.api_url}}

    async def post(self, path: str, data: Mapping[str, Any]) -> dict[str, Any]:
        """Post to Home Assistant's API and return the answer, which the audit gets."""
        async with self.client.post(path, json=data) as response:
            assert response.status == 200, await response.text()
            result: dict[str, Any] = await response.json()
        step = str(result.get("step_id") or result.get("reason") or result.get("type"))
        self.audit.add(Place.FLOW, step, result)
        return result

    async def walk(
        self, path: str, start: Mapping[str, Any], *inputs: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Start a flow, give it inputs one after the other, and return its last result."""
        result = await self.post(path, start)
        for given in inputs:
            result = await self.post(f"{path}/{result['flow_id']}", given)
        return result

    async def go_on(
        self, flow_id: str, *inputs: Mapping[str, Any], path: str = FLOWS
    ) -> dict[str, Any]:
        """Give inputs to a flow that is there already, and return its last result."""
        result = dict[str, Any]()
        for given in inputs:
            result = await self.post(f"{path}/{flow_id}", given)
        return result

    async def sign_in(self, account: Account, password: str, *codes: str) -> Any:
        """Begin to add an account with its password, and return the last result."""
        result = await self.walk(
            FLOWS,
            {"handler": DOMAIN},
            {"next_step_id": "password"},
            {
                "username": account.username,
                "password": password,
                **self.advanced,
            },
        )
        for code in codes:
            if result.get("step_id") != "code":
                break
            result = await self.go_on(result["flow_id"], {"verification_code": code})
        return result

    async def begin_link(self) -> dict[str, Any]:
        """Begin to add an account with a link code, and return the last result."""
        return await self.walk(
            FLOWS,
            {"handler": DOMAIN},
            {"next_step_id": "link"},
            self.advanced,
        )

    async def look_at(self, flow_id: str) -> dict[str, Any]:
        """Return what a flow shows now."""
        async with self.client.get(f"{FLOWS}/{flow_id}") as response:
            result: dict[str, Any] = await response.json()
        self.audit.add(Place.FLOW, str(result.get("step_id")), result)
        return result

    async def close(self, flow_id: str) -> None:
        """Close a dialog."""
        async with self.client.delete(f"{FLOWS}/{flow_id}") as response:
            assert response.status in (200, 404)

    async def close_all(self) -> None:
        """Close all dialogs but those that ask for a new sign-in."""
        for flow in self.hass.config_entries.flow.async_progress_by_handler(DOMAIN):
            if flow["context"]["source"] != "reauth":
                await self.close(flow["flow_id"])
        await async_settle(self.hass)

    async def act(self, action: str, **data: Any) -> dict[str, Any] | None:
        """Call an action as an automation does; return None where it failed."""
        try:
            response = await self.hass.services.async_call(
                DOMAIN, action, data, blocking=True, return_response=True
            )
        except HomeAssistantError as error:
            self.audit.add_exception(error, action)
            self.audit.add(Place.EXCEPTION, action, str(error))
            self.audit.add(
                Place.EXCEPTION, action, dict(error.translation_placeholders or {})
            )
            self.failures[str(error.translation_key)] = (
                self.failures.get(str(error.translation_key), 0) + 1
            )
            return None
        assert isinstance(response, dict)
        self.audit.add(Place.RESPONSE, action, response)
        return dict(response)

    async def act_over_rest(self, action: str, **data: Any) -> Any:
        """Call an action over REST, and return its response."""
        async with self.client.post(
            f"/api/services/{DOMAIN}/{action}?return_response", json=data
        ) as response:
            assert response.status == 200
            answer = await response.json()
        self.audit.add(Place.RESPONSE, action, answer.pop("service_response"))
        self.audit.add(Place.RESPONSE, f"{action} beside the response", answer)
        return answer

    async def act_over_websocket(self, action: str, **data: Any) -> None:
        """Call an action over the WebSocket."""
        await self.websocket.send_json_auto_id(
            {
                "type": "call_service",
                "domain": DOMAIN,
                "service": action,
                "service_data": data,
                "return_response": True,
            }
        )
        answer = await self.websocket.receive_json()
        assert answer["success"], answer
        self.audit.add(Place.RESPONSE, action, answer["result"].pop("response"))
        self.audit.add(Place.RESPONSE, f"{action} beside the response", answer)

"""What can go wrong at each step of the flows, and a page that walks through them.

`CONFIG_TABLE` and `SUBENTRY_TABLE` say which error key can meet which step; `TROUBLES` and
`SERVER_TROUBLES` are the ways to get there, each with what the simulator does meanwhile or
what is typed wrongly. A `Dialog` does what Home Assistant's page does with a flow, and
checks every page that it is shown.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
import json
from pathlib import Path
import re
from typing import Any, Final, Protocol
from unittest.mock import patch

from aiohttp import ClientTimeout
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry
import voluptuous as vol

from custom_components.plex_auth.api import server as server_module
from custom_components.plex_auth.api.server import PlexServer
from custom_components.plex_auth.api.transport import Transport
from custom_components.plex_auth.const import DOMAIN, TokenOrigin
from homeassistant.config_entries import SOURCE_REAUTH, SOURCE_RECONFIGURE, SOURCE_USER
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType, section

from .conftest import Dns
from .helpers import async_settle, make_entry
from .plex_simulator import (
    Account,
    Certificate,
    Fault,
    Faults,
    MediaServer,
    PlexSimulator,
)

SOURCES: Final = (SOURCE_USER, SOURCE_REAUTH, SOURCE_RECONFIGURE)
SECRET_FIELDS: Final = frozenset({"password", "verification_code", "token"})

# What any request to plex.tv can meet.
_PLEX_TV: Final = frozenset(
    {
        "cannot_connect",
        "dns_error",
        "certificate_error",
        "timeout",
        "unavailable",
        "rate_limited",
        "not_permitted",
        "sign_in_blocked",
        "unknown",
    }
)
# What the section `advanced` can meet.
_ADVANCED: Final = frozenset(
    {"invalid_url", "client_identifier_in_use", "invalid_client_identifier"}
)
# What an address that somebody typed can meet.
_ADDRESS: Final = (_PLEX_TV - {"sign_in_blocked"}) | {
    "invalid_url",
    "maintenance",
    "starting_up",
    "secure_connection_required",
    "not_a_plex_server",
    "invalid_token",
    "not_claimed",
}

CONFIG_TABLE: Final[Mapping[str, frozenset[str]]] = {
    "password": _PLEX_TV | _ADVANCED | {"invalid_auth", "email_required"},
    "code": _PLEX_TV | {"invalid_code"},
    "link": _PLEX_TV | _ADVANCED | {"link_expired", "invalid_token"},
    "token": _PLEX_TV | _ADVANCED | {"invalid_token"},
    "servers": _PLEX_TV | {"invalid_token"},
}
SUBENTRY_TABLE: Final[Mapping[str, frozenset[str]]] = {
    "listed": _PLEX_TV | {"invalid_token"},
    "address": _ADDRESS | {"sign_in_blocked", "token_required"},
    "reconfigure": _ADDRESS
    | {
        "wrong_server",
        "url_required",
        "invalid_source",
        "not_owner",
        "server_too_old",
    },
}

# The error keys of the flows, as the design lists them, and two more.
ERROR_KEYS: Final = frozenset(
    [
        "cannot_connect",
        "dns_error",
        "certificate_error",
        "timeout",
        "unavailable",
        "maintenance",
        "starting_up",
        "rate_limited",
        "invalid_auth",
        "invalid_code",
        "email_required",
        "sign_in_blocked",
        "link_expired",
        "invalid_token",
        "not_permitted",
        "invalid_url",
        "client_identifier_in_use",
        "invalid_client_identifier",
        "not_a_plex_server",
        "not_claimed",
        "wrong_server",
        "secure_connection_required",
        "token_required",
        "url_required",
        "invalid_source",
        "not_owner",
        "server_too_old",
        "unknown",
    ]
)

TRANSLATIONS: Final[dict[str, Any]] = json.loads(
    (
        Path(__file__).parent.parent
        / "custom_components"
        / DOMAIN
        / "translations"
        / "en.json"
    ).read_text()
)


class Host(Protocol):
    """Stand for plex.tv or a server: what can be made to fail."""

    @property
    def faults(self) -> Faults:
        """Return its faults."""

    def set_certificate(self, kind: Certificate) -> None:
        """Show a certificate of this kind from now on."""


type Active = Callable[[Host, Dns, str], AbstractAsyncContextManager[None]]
"""What goes wrong meanwhile, at a host, for requests to an endpoint."""


@dataclass(frozen=True, slots=True)
class Cause:
    """Name what can befall a request, and the key of its message."""

    name: str
    key: str
    active: Active


def _answer(fault: Fault) -> Active:
    """Let an endpoint answer with a fault meanwhile."""

    @asynccontextmanager
    async def active(host: Host, dns: Dns, endpoint: str) -> AsyncIterator[None]:
        host.faults.set(endpoint, fault)
        yield
        host.faults.clear()

    return active


def _certificate(kind: Certificate) -> Active:
    """Show a bad certificate meanwhile."""

    @asynccontextmanager
    async def active(host: Host, dns: Dns, endpoint: str) -> AsyncIterator[None]:
        host.set_certificate(kind)
        await _cut()
        yield
        host.set_certificate(Certificate.VALID)
        await _cut()

    return active


@asynccontextmanager
async def _dns(host: Host, dns: Dns, endpoint: str) -> AsyncIterator[None]:
    """Resolve no name meanwhile; open connections and remembered names need none."""
    with (
        patch.object(dns, "resolve", side_effect=OSError(None, "Name not known")),
        patch("aiohttp.connector._DNSCacheTable.__contains__", return_value=False),
    ):
        host.set_certificate(Certificate.VALID)
        await _cut()
        yield


@asynccontextmanager
async def _silence(host: Host, dns: Dns, endpoint: str) -> AsyncIterator[None]:
    """Answer too late meanwhile; timeouts are default arguments."""
    patience = ClientTimeout(total=0.2)
    with pytest.MonkeyPatch.context() as monkeypatch:
        for method in (Transport.request, PlexServer._request):
            assert method.__kwdefaults__ is not None
            monkeypatch.setitem(method.__kwdefaults__, "timeout", patience)
        monkeypatch.setattr(server_module, "PROBE_TIMEOUT", patience)
        await asyncio.sleep(0.05)
        host.faults.set(endpoint, Fault.delay(5))
        yield
    host.faults.clear()


async def _cut() -> None:
    """Let the client see that its connections were cut."""
    await asyncio.sleep(0.01)


_OUTAGES: Final = (
    Cause("reset", "cannot_connect", _answer(Fault.reset())),
    Cause("half_body", "cannot_connect", _answer(Fault.half_body())),
    Cause("dns", "dns_error", _dns),
    Cause("expired", "certificate_error", _certificate(Certificate.EXPIRED)),
    Cause(
        "unknown_authority",
        "certificate_error",
        _certificate(Certificate.UNKNOWN_AUTHORITY),
    ),
    Cause("silence", "timeout", _silence),
    Cause("500", "unavailable", _answer(Fault.status(500))),
    Cause("503", "unavailable", _answer(Fault.plex_error(1013))),
    Cause("html_502", "unavailable", _answer(Fault.html(502))),
    Cause("429", "rate_limited", _answer(Fault.status(429))),
)
PLEX_TV_CAUSES: Final = (
    *_OUTAGES,
    Cause("html_200", "unavailable", _answer(Fault.html(200))),
    Cause("1003", "rate_limited", _answer(Fault.plex_error(1003))),
    Cause("1031", "sign_in_blocked", _answer(Fault.plex_error(1031))),
    Cause("1009", "not_permitted", _answer(Fault.plex_error(1009))),
    Cause("shape", "unknown", _answer(Fault.body('{"what": "is this"}'))),
    Cause("redirect", "unknown", _answer(Fault.redirect("http://127.0.0.1:1/"))),
    Cause("huge", "unknown", _answer(Fault.huge_body())),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """Say what can go wrong at a step, and the form that tells of it.

    `moment` is the step, or what a step waits for; `shown_at` the step that shows the
    error. `typed` replaces what would be right there.
    """

    moment: str
    cause: str
    key: str
    shown_at: str
    active: Active | None = None
    typed: Callable[[Scene], Mapping[str, Any]] | None = None
    account: str = "ben"
    field: str = "base"
    sources: tuple[str, ...] = SOURCES


# The request of each moment, and the step that shows what became of it.
REQUESTS: Final[Mapping[str, tuple[str, str]]] = {
    "password": ("signin", "password"),
    "code": ("signin", "code"),
    "link": ("pins_create", "link"),
    "link_wait": ("pins_check", "link"),
    "link_claimed": ("user", "link"),
    "token": ("user", "token"),
    "servers": ("resources", "servers"),
}
ACCOUNTS: Final[Mapping[str, str]] = {"code": "anna"}
_WITH_ADVANCED: Final = (SOURCE_USER, SOURCE_RECONFIGURE)
_BAD_URLS: Final = (
    "http://user:secret@127.0.0.1/api",
    "http://127.0.0.1/api?x=1",
    "http://127.0.0.1/api#x",
    "ftp://127.0.0.1/api",
    "javascript:alert(1)",
    "http://127.0.0.1:99999/api",
    "http://169.254.169.254/latest",
    "http://2130706433/",
    "plex.tv",
    "http://",
)


def _always(typed: Mapping[str, Any]) -> Callable[[object], Mapping[str, Any]]:
    """Type the same in every scene."""
    return lambda _: typed


def _identifier(text: str) -> Callable[[Scene], Mapping[str, Any]]:
    """Type a client identifier."""
    return lambda scene: {
        "advanced": {"api_url": scene.api_url, "client_identifier": text}
    }


def _code(make: Callable[[Account], str]) -> Callable[[Scene], Mapping[str, Any]]:
    """Type a verification code."""
    return lambda scene: {"verification_code": make(scene.account)}


def _plex_tv_troubles() -> Iterator[Trouble]:
    """Yield what plex.tv can do at each moment."""
    for moment, (_, shown_at) in REQUESTS.items():
        for cause in PLEX_TV_CAUSES:
            yield Trouble(
                moment=moment,
                cause=cause.name,
                key=cause.key,
                shown_at=shown_at,
                active=cause.active,
                account=ACCOUNTS.get(moment, "ben"),
                sources=(SOURCE_USER,) if moment == "servers" else SOURCES,
            )


def _advanced_troubles() -> Iterator[Trouble]:
    """Yield what the fields of `advanced` can be refused for."""
    for way in ("password", "link", "token"):
        for url in _BAD_URLS if way == "password" else _BAD_URLS[:1]:
            yield Trouble(
                moment=way,
                cause=url,
                key="invalid_url",
                shown_at=way,
                field="advanced",
                typed=_always({"advanced": {"api_url": url}}),
                sources=_WITH_ADVANCED if way == "password" else (SOURCE_USER,),
            )
        for cause, key, identifier in (
            ("taken", "client_identifier_in_use", "taken"),
            ("accent", "invalid_client_identifier", "böse"),
            ("control", "invalid_client_identifier", "a\nb"),
        ):
            yield Trouble(
                moment=way,
                cause=cause,
                key=key,
                shown_at=way,
                field="advanced",
                typed=_identifier(identifier),
                sources=(SOURCE_USER,),
            )


def _typed_troubles() -> Iterator[Trouble]:
    """Yield what can be typed wrongly."""
    for cause, key, account, typed in (
        ("wrong", "invalid_auth", "ben", {"password": "wrong"}),
        ("empty", "invalid_auth", "ben", {"password": ""}),
        ("nobody", "invalid_auth", "ben", {"username": "nobody"}),
        ("no_name", "invalid_auth", "ben", {"username": " "}),
        ("email_only", "email_required", "dora", {"username": "dora"}),
    ):
        yield Trouble(
            moment="password",
            cause=cause,
            key=key,
            shown_at="password",
            account=account,
            typed=_always(typed),
        )
    for cause, code in (
        ("wrong", Account.wrong_code),
        ("expired", Account.expired_code),
        ("empty", lambda _: " "),
        ("words", lambda _: "not a code"),
    ):
        yield Trouble(
            moment="code",
            cause=cause,
            key="invalid_code",
            shown_at="code",
            account="anna",
            typed=_code(code),
        )
    for cause, token in (
        ("rejected", "anything"),
        ("claim", "claim-abcdefghij"),
        ("transient", "transient-2c5f2b9e-5f0c-4a55-a1f7-1ed5d4b0a3cc"),
        ("blank", "  "),
        ("inner_space", "two words"),
        ("line_break", "two\nlines"),
        ("accent", "tökenn"),
    ):
        yield Trouble(
            moment="token",
            cause=cause,
            key="invalid_token",
            shown_at="token",
            typed=_always({"token": token}),
        )


def _sign_in_troubles() -> Iterator[Trouble]:
    """Yield what plex.tv says of one request only."""
    for moment, cause, key, fault in (
        ("code", "asked_again", "invalid_code", Fault.plex_error(1029)),
        ("code", "password_changed", "invalid_auth", Fault.plex_error(1001)),
        ("link", "refused", "invalid_token", Fault.plex_error(1001)),
        ("link_wait", "expired", "link_expired", Fault.plex_error(1020)),
        ("link_claimed", "revoked", "invalid_token", Fault.plex_error(1001)),
        ("servers", "revoked", "invalid_token", Fault.plex_error(1001)),
    ):
        shown_at = REQUESTS[moment][1]
        yield Trouble(
            moment=moment,
            cause=cause,
            key=key,
            shown_at="password" if cause == "password_changed" else shown_at,
            account=ACCOUNTS.get(moment, "ben"),
            active=_answer(fault),
            sources=(SOURCE_USER,) if moment == "servers" else SOURCES,
        )


TROUBLES: Final[tuple[Trouble, ...]] = (
    *_plex_tv_troubles(),
    *_advanced_troubles(),
    *_typed_troubles(),
    *_sign_in_troubles(),
)


@dataclass(kw_only=True)
class Scene:
    """Hold a simulated Plex with the accounts that the matrix signs in to.

    plex.tv is reached by a name and over TLS, so that names and certificates can fail.
    """

    hass: HomeAssistant
    simulator: PlexSimulator
    dns: Dns
    account: Account
    source: str = SOURCE_USER
    entry: MockConfigEntry | None = None

    @property
    def api_url(self) -> str:
        """Return the base address of plex.tv's second API."""
        return self.simulator.api_url.replace("http://127.0.0.1", "https://localhost")

    def add_entry(
        self,
        account: Account | None = None,
        *,
        origin: TokenOrigin = TokenOrigin.PASSWORD,
    ) -> MockConfigEntry:
        """Add the entry of an account, not set up."""
        account = account or self.account
        entry = make_entry(self.simulator, account, origin=origin)
        entry.add_to_hass(self.hass)
        self.hass.config_entries.async_update_entry(
            entry, data={**entry.data, "api_url": self.api_url}
        )
        return entry

    def right(self, moment: str) -> dict[str, Any]:
        """Return what is right to type at a step."""
        account = self.account
        match moment:
            case "password":
                typed: dict[str, Any] = {
                    "username": account.email if account.email_only else account.name,
                    "password": account.password,
                }
            case "token":
                typed = {"token": account.sign_in_token("another client")}
            case "code":
                return {"verification_code": account.code()}
            case "servers":
                return {}
            case _:
                typed = {}
        if self.entry is None:
            typed["advanced"] = {"api_url": self.api_url}
        elif self.source == SOURCE_RECONFIGURE:
            typed["advanced"] = {"api_url": self.entry.data["api_url"]}
        return typed

    @property
    def signed_out(self) -> list[str]:
        """Return the tokens that plex.tv was asked to end."""
        return [
            request.headers["X-Plex-Token"]
            for request in self.simulator.requests_to("signout")
        ]


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerTrouble:
    """Say what can go wrong in the flow of a server, and the field that tells of it.

    It happens to requests to an endpoint of the server, or of plex.tv; `typed` replaces
    what would be right. `target` is the server that the dialog is about.
    """

    step: str
    cause: str
    key: str
    field: str = "base"
    endpoint: str = "identity"
    at_plex_tv: bool = False
    active: Active | None = None
    typed: Callable[[ServerScene], Mapping[str, Any]] | None = None
    target: str = "own"


_BAD_SERVER_URLS: Final = (
    "192.168.1.10:32400",
    "http://user:secret@192.168.1.10:32400",
    "http://192.168.1.10:32400/?X-Plex-Token=x",
    "http://192.168.1.10:32400/#x",
    "ftp://192.168.1.10",
    "javascript:alert(1)",
    "http://192.168.1.10:99999",
    "http://169.254.1.1:32400",
    "http://0.0.0.0:32400",
    "http://[::]:32400",
    " ",
)
# What an address can answer when it is asked who it is.
_IDENTITY_CAUSES: Final = (
    *((cause, "base") for cause in _OUTAGES),
    *(
        (Cause(name, key, _answer(fault)), place)
        for name, key, place, fault in (
            ("400", "unknown", "base", Fault.status(400)),
            ("401", "not_permitted", "base", Fault.status(401)),
            ("403", "not_permitted", "base", Fault.status(403)),
            ("starting", "starting_up", "base", Fault.status(503, "starting up")),
            ("busy", "maintenance", "base", Fault.status(503, "Maintenance")),
            ("404", "not_a_plex_server", "url", Fault.status(404)),
            ("html_200", "not_a_plex_server", "url", Fault.html(200)),
            ("shape", "not_a_plex_server", "url", Fault.body('{"what": "is this"}')),
            (
                "redirect",
                "not_a_plex_server",
                "url",
                Fault.redirect("http://127.0.0.1:1/"),
            ),
            ("huge", "not_a_plex_server", "url", Fault.huge_body()),
        )
    ),
)


def _listed_troubles() -> Iterator[ServerTrouble]:
    """Yield what can befall the question for the account's servers."""
    for cause in PLEX_TV_CAUSES:
        yield ServerTrouble(
            step="listed",
            cause=cause.name,
            key=cause.key,
            endpoint="resources",
            at_plex_tv=True,
            active=cause.active,
        )
    yield ServerTrouble(
        step="listed",
        cause="1001",
        key="invalid_token",
        endpoint="resources",
        at_plex_tv=True,
        active=_answer(Fault.plex_error(1001)),
    )


def _address_troubles() -> Iterator[ServerTrouble]:
    """Yield what can be wrong with an address, for a new server and a known one."""
    for step in ("address", "reconfigure"):
        for cause, place in _IDENTITY_CAUSES:
            yield ServerTrouble(
                step=step,
                cause=cause.name,
                key=cause.key,
                field=place,
                active=cause.active,
            )
        for url in _BAD_SERVER_URLS if step == "address" else _BAD_SERVER_URLS[:-1]:
            yield ServerTrouble(
                step=step,
                cause=url,
                key="invalid_url",
                field="url",
                typed=_always({"url": url}),
            )
        yield ServerTrouble(
            step=step,
            cause="secure",
            key="secure_connection_required",
            typed=lambda scene: {"url": scene.secure.http_url},
        )
        for name, token in (("wrong", "wrong"), ("space", "two words")):
            yield ServerTrouble(
                step=step,
                cause=name,
                key="invalid_token",
                field="token",
                typed=_always({"token": token}),
                target="foreign",
            )


@asynccontextmanager
async def _unclaimed(host: Host, dns: Dns, endpoint: str) -> AsyncIterator[None]:
    """Let a server belong to nobody."""
    assert isinstance(host, MediaServer)
    host.claimed = False
    yield
    host.claimed = True


def _other_server_troubles() -> Iterator[ServerTrouble]:
    """Yield what only one of the forms can meet, and a server without an owner."""
    for step, token in (
        ("address", " "),
        ("address", "wrong"),
        ("reconfigure", "wrong"),
    ):
        yield ServerTrouble(
            step=step,
            cause=f"unclaimed {token}",
            key="not_claimed",
            field="url",
            active=_unclaimed,
            typed=_always({"token": token}),
            target="foreign",
        )
    yield ServerTrouble(
        step="address",
        cause="unlisted",
        key="token_required",
        field="token",
        typed=_always({"token": " "}),
        target="foreign",
    )
    for name, key, fault in (
        ("unlisted_503", "unavailable", Fault.status(503)),
        ("unlisted_1031", "sign_in_blocked", Fault.plex_error(1031)),
        ("unlisted_1001", "invalid_token", Fault.plex_error(1001)),
    ):
        yield ServerTrouble(
            step="address",
            cause=name,
            key=key,
            endpoint="resources",
            at_plex_tv=True,
            active=_answer(fault),
            typed=_always({"token": ""}),
            target="foreign",
        )
    for step in ("address", "reconfigure"):
        yield ServerTrouble(
            step=step,
            cause="root_503",
            key="unavailable",
            endpoint="root",
            active=_answer(Fault.status(503)),
            target="foreign",
        )
    yield ServerTrouble(
        step="reconfigure",
        cause="other",
        key="wrong_server",
        field="url",
        typed=lambda scene: {"url": scene.spare.https_url},
    )
    yield ServerTrouble(
        step="reconfigure",
        cause="empty",
        key="url_required",
        field="url",
        typed=_always({"url": " "}),
        target="foreign",
    )
    for source in ("server://", "http://x", "podcasts", "server://two words"):
        yield ServerTrouble(
            step="reconfigure",
            cause=source,
            key="invalid_source",
            field="sources",
            typed=_always({"sources": [source]}),
        )
    for target, key in (("shared", "not_owner"), ("old", "server_too_old")):
        yield ServerTrouble(
            step="reconfigure",
            cause=target,
            key=key,
            field="sources",
            typed=_always({"sources": ["server://0123"]}),
            target=target,
        )


SERVER_TROUBLES: Final[tuple[ServerTrouble, ...]] = (
    *_listed_troubles(),
    *_address_troubles(),
    *_other_server_troubles(),
)


@dataclass(kw_only=True)
class ServerScene:
    """Hold an account with servers of each kind; all but `spare` and `secure` are added.

    The account lists all but `foreign`, which has a typed address and token.
    """

    hass: HomeAssistant
    simulator: PlexSimulator
    dns: Dns
    account: Account
    entry: MockConfigEntry
    own: MediaServer
    shared: MediaServer
    old: MediaServer
    spare: MediaServer
    secure: MediaServer
    foreign: MediaServer

    @property
    def foreign_token(self) -> str:
        """Return a token that the unlisted server accepts."""
        return self.foreign.access_token_for(self.foreign.owner)

    def right(self, step: str, target: MediaServer) -> dict[str, Any]:
        """Return what is right to type at a step about a server."""
        if step == "listed":
            return {"server": target.machine_identifier}
        typed: dict[str, Any] = {"url": target.https_url, "verify_ssl": True}
        if target is self.foreign:
            typed["token"] = self.foreign_token
        if step == "reconfigure":
            typed["sources"] = []
        return typed


@dataclass(kw_only=True, repr=False)
class Dialog:
    """Walk through a flow as a page does, and check each page."""

    simulator: PlexSimulator
    manager: Any
    table: Mapping[str, frozenset[str]]
    texts: Mapping[str, Any]
    result: Mapping[str, Any] = field(default_factory=dict)
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
    def errors(self) -> Mapping[str, str]:
        """Return the errors that the form shows, by field."""
        return self.result["errors"] or {}

    @property
    def fields(self) -> list[str]:
        """Return the names of the form's fields."""
        return [str(marker) for marker in self.result["data_schema"].schema]

    @property
    def shown(self) -> dict[str, Any]:
        """Return what the form's fields are filled with."""
        return shown_values(self.result["data_schema"])

    async def start(self, handler: Any, **context: Any) -> None:
        """Open the dialog."""
        self._take(await self.manager.async_init(handler, context=context))

    async def choose(self, option: str) -> None:
        """Choose from a menu."""
        assert option in self.result["menu_options"]
        await self._configure({"next_step_id": option})

    async def submit(self, typed: Mapping[str, Any] | None = None) -> None:
        """Submit a form."""
        typed = typed or {}
        self._typed[self.step] = typed
        self.submitted[self.step] += 1
        await self._configure(dict(typed))

    async def look(self) -> None:
        """Ask the flow what it shows now, as the page does when it has changed."""
        await self._configure(None)

    def close(self) -> None:
        """Close the dialog."""
        self.manager.async_abort(self.result["flow_id"])

    async def _configure(self, user_input: dict[str, Any] | None) -> None:
        self._take(
            await self.manager.async_configure(self.result["flow_id"], user_input)
        )

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
            case FlowResultType.SHOW_PROGRESS:
                text = self.texts["progress"][result["progress_action"]]
                self._check_placeholders(text)
            case FlowResultType.ABORT if result.get("translation_domain") is None:
                self._check_placeholders(self.texts["abort"][result["reason"]])

    def _check_form(self) -> None:
        """Check texts, errors, the section `advanced` and what the fields show."""
        texts = self.texts["step"][self.step]
        schema = self.result["data_schema"]
        for marker, selector in schema.schema.items():
            if isinstance(selector, section):
                assert selector.options["collapsed"] is (str(marker) not in self.errors)
                parts = texts["sections"][str(marker)]
                for inner in selector.schema.schema:
                    assert parts["data"][str(inner)]
                    assert parts["data_description"][str(inner)]
            else:
                assert texts["data"][str(marker)]
                assert texts["data_description"][str(marker)]
        self._check_placeholders(texts)
        for name, key in self.errors.items():
            assert key in self.table[self.step], f"{key} is not in the table"
            assert self.texts["error"][key]
            assert name == "base" or name in self.fields
        if self.errors:
            assert self.shown == without_secrets(self._typed.get(self.step, {}))
        page = json.dumps([self.shown, self.result["description_placeholders"]])
        for secret in self._secrets():
            assert secret not in page

    def _check_placeholders(self, texts: Any) -> None:
        """Check that each placeholder of the texts is given."""
        needed = set(re.findall(r"\{(\w+)\}", json.dumps(texts)))
        assert needed <= (self.result["description_placeholders"] or {}).keys()

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
    return Dialog(
        simulator=simulator,
        manager=hass.config_entries.flow,
        table=CONFIG_TABLE,
        texts=TRANSLATIONS["config"],
    )


def server_dialog(hass: HomeAssistant, simulator: PlexSimulator) -> Dialog:
    """Return a dialog for servers, not open yet."""
    return Dialog(
        simulator=simulator,
        manager=hass.config_entries.subentries,
        table=SUBENTRY_TABLE,
        texts=TRANSLATIONS["config_subentries"]["server"],
    )


async def async_open(scene: Scene) -> Dialog:
    """Open the dialog of the scene's source: for a new entry or the scene's."""
    dialog = config_dialog(scene.hass, scene.simulator)
    if scene.entry is None:
        await dialog.start(DOMAIN, source=SOURCE_USER)
        assert dialog.step == "user"
    else:
        await dialog.start(
            DOMAIN,
            source=scene.source,
            entry_id=scene.entry.entry_id,
            unique_id=scene.entry.unique_id,
        )
        step = {
            SOURCE_REAUTH: "reauth_confirm",
            SOURCE_RECONFIGURE: "reconfigure",
        }[scene.source]
        assert dialog.step == step
        assert dialog.result["description_placeholders"]["name"] == scene.entry.title
    assert dialog.type is FlowResultType.MENU
    assert dialog.result["menu_options"] == ["password", "link", "token"]
    return dialog


async def async_claim(scene: Scene) -> None:
    """Type the code at plex.tv/link if it was not yet, and wait for what comes of it."""
    pin = scene.simulator.pins.latest
    if pin.auth_token is None:
        assert scene.simulator.pins.link(pin.code, scene.account)
    await async_settle(scene.hass)


def shown_values(schema: vol.Schema) -> dict[str, Any]:
    """Return what the fields of a form are filled with, those of sections too."""
    found: dict[str, Any] = {}
    for marker, selector in schema.schema.items():
        if isinstance(selector, section):
            if inner := shown_values(selector.schema):
                found[str(marker)] = inner
        elif "suggested_value" in (marker.description or {}):
            found[str(marker)] = marker.description["suggested_value"]
        elif callable(marker.default):
            found[str(marker)] = marker.default()
    return found


def without_secrets(typed: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a form keeps of what was typed."""
    return {
        name: value
        for name, value in typed.items()
        if name not in SECRET_FIELDS and value != {}
    }

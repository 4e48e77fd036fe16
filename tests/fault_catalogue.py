"""The catalogue of faults: what can befall a request, and what it means.

The fault matrix plays each of them at each call of the client, the leak audit each that
is an answer. The dialogs meet some, with the key of the message that is shown.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Final
from unittest.mock import patch

from aiohttp import web

from custom_components.plex_auth.api import errors
from custom_components.plex_auth.api.transport import LARGEST_LIST

from .plex_simulator import (
    Certificate,
    Fault,
    MediaServer,
    PlexDirectResolver,
    PlexSimulator,
)
from .plex_simulator.faults import Exchange
from .short_timeouts import short_timeouts

PATIENCE: Final = 0.25
"""Seconds that a request may take while a host is slow."""

type Outcome = type[errors.PlexError] | None
type Host = PlexSimulator | MediaServer
type Active = Callable[
    [Host, PlexDirectResolver, str], AbstractAsyncContextManager[None]
]
"""What goes wrong meanwhile, at a host, for requests to an endpoint."""


@dataclass(frozen=True, slots=True)
class FaultCase:
    """Name a fault, and what the client makes of it.

    `plex_tv` and `server` are the errors that the calls to each of them raise, None
    where they succeed; `others` has the calls that differ. Without `server` both raise
    the same. `retry_after` is what the error knows of the time to wait, `fault` what is
    answered.
    """

    name: str
    active: Active
    plex_tv: Outcome
    server: Outcome = None
    others: Mapping[str, Outcome] = field(default_factory=dict)
    retry_after: float | None = None
    fault: Fault | None = None

    def expected(self, call: str, *, at_server: bool) -> Outcome:
        """Return the error class that a call raises, None where it succeeds."""
        usual = (self.server or self.plex_tv) if at_server else self.plex_tv
        return self.others.get(call, usual)


def answer(fault: Fault) -> Active:
    """Let an endpoint answer with a fault meanwhile."""

    @asynccontextmanager
    async def active(
        host: Host, resolver: PlexDirectResolver, endpoint: str
    ) -> AsyncIterator[None]:
        host.faults.set(endpoint, fault)
        try:
            yield
        finally:
            host.faults.clear(endpoint)

    return active


def _answer(
    name: str,
    fault: Fault,
    plex_tv: Outcome,
    server: Outcome = None,
    *,
    others: Mapping[str, Outcome] | None = None,
    retry_after: float | None = None,
) -> FaultCase:
    """Return a fault of the answers."""
    active = answer(fault)
    return FaultCase(name, active, plex_tv, server, others or {}, retry_after, fault)


def _slow(
    name: str, fault: Fault, others: Mapping[str, Outcome] | None = None
) -> FaultCase:
    """Return a fault that no request has the time to wait for."""

    @asynccontextmanager
    async def active(
        host: Host, resolver: PlexDirectResolver, endpoint: str
    ) -> AsyncIterator[None]:
        with short_timeouts(PATIENCE):
            await breathe()
            async with answer(fault)(host, resolver, endpoint):
                yield

    kind = errors.ConnectionTimeoutError
    return FaultCase(name, active, kind, others=others or {}, fault=fault)


def _certificate(kind: Certificate, outcome: Outcome) -> FaultCase:
    """Return the fault of a host that shows this certificate, or none."""

    @asynccontextmanager
    async def active(
        host: Host, resolver: PlexDirectResolver, endpoint: str
    ) -> AsyncIterator[None]:
        host.set_certificate(kind)
        await breathe()
        try:
            yield
        finally:
            host.set_certificate(Certificate.VALID)
            await breathe()

    return FaultCase(f"TLS: {kind.value}", active, outcome)


@asynccontextmanager
async def _stopped(
    host: Host, resolver: PlexDirectResolver, endpoint: str
) -> AsyncIterator[None]:
    """Listen to no request meanwhile."""
    stop, start = (
        (host.stop, host.start)
        if isinstance(host, MediaServer)
        else (host.stop_plex_tv, host.start_plex_tv)
    )
    await stop()
    try:
        yield
    finally:
        await start()


@asynccontextmanager
async def _unresolved(
    host: Host, resolver: PlexDirectResolver, endpoint: str
) -> AsyncIterator[None]:
    """Resolve no name meanwhile; open connections and remembered names need none."""
    with (
        patch.object(resolver, "resolve", side_effect=OSError(None, "Name not known")),
        patch("aiohttp.connector._DNSCacheTable.__contains__", return_value=False),
    ):
        host.set_certificate(Certificate.VALID)
        await breathe()
        yield


async def breathe() -> None:
    """Let the client see that its connections were cut, and what it sent arrive.

    On a busy machine the loop may turn but once in that time, and this takes a few turns.
    """
    await asyncio.sleep(0.01)
    for _ in range(20):
        await asyncio.sleep(0)


def _changed(kind: str, change: Callable[[web.Response], None]) -> Fault:
    """Return a fault that changes the normal answer."""

    async def play(exchange: Exchange) -> web.StreamResponse:
        response = await exchange.respond()
        if isinstance(response, web.Response) and response.body:
            change(response)
        return response

    return Fault(kind, play)


def _as_text_plain(response: web.Response) -> None:
    response.content_type = "text/plain"


def _as_html_type(response: web.Response) -> None:
    response.content_type = "text/html"


def _in_utf_16(response: web.Response) -> None:
    text = response.text
    response.charset = "utf-16"
    response.text = text or ""


def _in_latin_1(response: web.Response) -> None:
    """Send characters as single bytes that the answer says are UTF-8."""
    assert isinstance(response.body, bytes)
    response.body = response.body + b"\xe4"


# An answer that has no body cannot be spoilt.
_NO_BODY: Final[dict[str, Outcome]] = {"sign_out": None}
# These take every answer with a status of success (plex-api.md §12.11, §16.2, §17.3).
_NO_DATA: Final[dict[str, Outcome]] = dict.fromkeys(
    ("sign_out", "remove_device", "claim")
)
# What is asked in a second way where there is no first one (plex-api.md §16, §12.17).
_SECOND_WAY: Final[dict[str, Outcome]] = {
    "devices": None,
    "remove_device": None,
    "switch_home_user": None,
}
# What is asked in a second way also where the first one is not understood (§12.17).
_OTHER_WAY: Final[dict[str, Outcome]] = {"switch_home_user": None}
# An account is in no Home where Plex says so with a code (§22.1).
_NO_HOME: Final[dict[str, Outcome]] = {"home_users": None}

_INVALID_TOKEN: Final = (
    '<?xml version="1.0"?><errors><error>Invalid token</error></errors>'
)
_PROXYS_ERROR: Final = {"errors": ["Unauthorized"]}
_STARTING: Final = "<h1>400</h1>Plex Media Server is still starting up."
_MAINTENANCE: Final = '<Response code="503" title="Maintenance"/>'
_WRONG_PORT: Final = "The plain HTTP request was sent to HTTPS port"


def _connections() -> Iterable[FaultCase]:
    """Yield what befalls the connection."""
    yield FaultCase("refused", _stopped, errors.NotReachedError)
    yield FaultCase("DNS", _unresolved, errors.DnsError)
    for bad in (
        Certificate.EXPIRED,
        Certificate.UNKNOWN_AUTHORITY,
        Certificate.WRONG_NAME,
    ):
        yield _certificate(bad, errors.CertificateError)
    yield _certificate(Certificate.ABSENT, errors.NotReachedError)
    yield _slow("slow headers", Fault.delay(1))
    yield _slow("slow body", Fault.slow_body(1), _NO_BODY | {"remove_device": None})
    closed = errors.ConnectionClosedError
    yield _answer("reset", Fault.reset(), closed)
    yield _answer("reset after work", Fault.reset(processed=True), closed)
    half = Fault.half_body()
    yield _answer("half a body", half, errors.CannotConnectError, others=_NO_BODY)


def _bodies() -> Iterable[FaultCase]:
    """Yield successes whose body is not what was asked for, or not in this form."""
    for name, fault in (
        ("type text/plain", _changed("text", _as_text_plain)),
        ("type text/html", _changed("html", _as_html_type)),
        ("encoding UTF-16", _changed("utf-16", _in_utf_16)),
        ("XML instead of JSON", Fault.xml_instead()),
    ):
        yield _answer(name, fault, None)
    yield _answer(
        "huge body",
        Fault.huge_body(LARGEST_LIST + 1),
        errors.TooLargeError,
        others={"devices": None, "servers": errors.TooManyDevicesError},
    )
    yield _answer("HTML with 200", Fault.html(200), errors.PageError, others=_NO_DATA)
    wrong = errors.UnexpectedAnswerError
    latin_1 = _changed("latin-1", _in_latin_1)
    yield _answer("encoding not as said", latin_1, wrong, others=_NO_DATA)
    for body in (
        "",
        '{"MediaContainer": {',
        "null",
        "7",
        '"text"',
        '{"unexpected": [{"id": 1}]}',
        '{"MediaContainer": 5, "resources": 5}',
    ):
        yield _answer(f"body {body}", Fault.body(body), wrong, others=_NO_DATA)
    for status, url in ((302, "/identity"), (307, "http://127.0.0.1:1/")):
        fault, server = Fault.redirect(url, status), errors.RedirectedError
        yield _answer(f"redirect {status}", fault, wrong, server)


def _statuses() -> Iterable[FaultCase]:
    """Yield statuses of failure, as pages that no host of Plex's wrote.

    What each status and code means is in `api/test_failures.py`: here is one of a kind.
    """
    gone, refused = errors.NotFoundError, errors.NotPermittedError
    away = errors.UnavailableError
    for status in (401, 403, 404, 502):
        server = refused if status in (401, 403) else None
        kind, others = (gone, _SECOND_WAY) if status == 404 else (away, None)
        page = Fault.html(status)
        yield _answer(f"HTML with {status}", page, kind, server, others=others)
    for status, plex_tv, at_server, other in (
        (400, errors.BadRequestError, None, _OTHER_WAY),
        (401, away, refused, {}),
        (403, away, refused, {}),
        (404, gone, None, _SECOND_WAY),
        (
            405,
            errors.UnexpectedAnswerError,
            None,
            {"remove_device": None} | _OTHER_WAY,
        ),
        (410, gone, None, _SECOND_WAY),
        (429, errors.RateLimitedError, None, {}),
        (498, errors.TokenRejectedError, errors.UnexpectedAnswerError, {}),
        (500, away, None, {}),
    ):
        fault = Fault.status(status)
        yield _answer(f"{status}", fault, plex_tv, at_server, others=other)
    proxys = Fault.status(401, _PROXYS_ERROR)
    yield _answer("401 with another's error body", proxys, away, refused)


def _errors_of_plex() -> Iterable[FaultCase]:
    """Yield failures as Plex itself tells them."""
    rejected, refused = errors.TokenRejectedError, errors.NotPermittedError
    gone, bad = errors.NotFoundError, errors.BadRequestError
    expired: dict[str, Outcome] = dict.fromkeys(
        ("create_pin", "check_pin"), errors.LinkExpiredError
    )
    wrong_pin: dict[str, Outcome] = {"switch_home_user": errors.PinWrongError}
    for code, status, plex_tv, server, sign_in, others in (
        (1001, 401, rejected, refused, errors.WrongCredentialsError, {}),
        (1028, 401, rejected, refused, errors.VerificationCodeWrongError, {}),
        (1029, 401, rejected, refused, errors.VerificationCodeRequiredError, {}),
        (1030, 401, rejected, refused, errors.EmailRequiredError, {}),
        (1031, 401, errors.SignInBlockedError, refused, None, {}),
        (1001, 403, refused, None, errors.WrongCredentialsError, _NO_HOME),
        (1009, 403, refused, None, None, _NO_HOME),
        (1041, 403, refused, None, None, _NO_HOME | wrong_pin),
        (1004, 400, bad, None, None, _NO_HOME | _OTHER_WAY),
        (1020, 404, gone, None, None, expired | _SECOND_WAY | _NO_HOME),
        (1013, 503, errors.UnavailableError, None, None, {}),
    ):
        special = others if sign_in is None else others | {"sign_in": sign_in}
        fault = Fault.plex_error(code, status)
        yield _answer(f"{status} {code}", fault, plex_tv, server, others=special)
    limited = Fault.plex_error(1003, retry_after=120)
    later = errors.RateLimitedError
    yield _answer("429 1003", Fault.plex_error(1003), later)
    yield _answer("429 1003 for 120 s", limited, later, retry_after=120.0)
    old = Fault.status(422, _INVALID_TOKEN, content_type="application/xml")
    wrong = {"sign_in": errors.WrongCredentialsError}
    yield _answer("422 Invalid token", old, rejected, bad, others=wrong)
    starting = Fault.status(400, _STARTING)
    yield _answer(
        "400 starting up", starting, bad, errors.StartingUpError, others=_OTHER_WAY
    )
    busy, away = Fault.status(503, _MAINTENANCE), errors.UnavailableError
    yield _answer("503 Maintenance", busy, away, errors.MaintenanceError)
    plain = Fault.status(400, _WRONG_PORT)
    yield _answer(
        "400 https port",
        plain,
        bad,
        errors.SecureConnectionRequiredError,
        others=_OTHER_WAY,
    )


FAULTS: Final = (*_connections(), *_bodies(), *_statuses(), *_errors_of_plex())

# The key of the message that each error has in a dialog, by its name alone.
_KEYS: Final = {
    errors.BadRequestError: "unknown",
    errors.CannotConnectError: "cannot_connect",
    errors.CertificateError: "certificate_error",
    errors.ConnectionClosedError: "cannot_connect",
    errors.ConnectionTimeoutError: "timeout",
    errors.DnsError: "dns_error",
    errors.MaintenanceError: "maintenance",
    errors.NotPermittedError: "not_permitted",
    errors.PageError: "unavailable",
    errors.RateLimitedError: "rate_limited",
    errors.SignInBlockedError: "sign_in_blocked",
    errors.StartingUpError: "starting_up",
    errors.TooLargeError: "unknown",
    errors.UnavailableError: "unavailable",
    errors.UnexpectedAnswerError: "unknown",
}


@dataclass(frozen=True, slots=True)
class Cause:
    """Name what can befall a request of a dialog, and the key of its message."""

    name: str
    key: str
    active: Active


def _causes(
    *names: str, key: str | None = None, at_server: bool = False
) -> list[Cause]:
    """Return faults of the catalogue with the keys of their errors, or with this key."""
    found = {case.name: case for case in FAULTS}
    causes = []
    for case in map(found.__getitem__, names):
        outcome = case.expected("", at_server=at_server)
        assert outcome is not None
        causes.append(Cause(case.name, key or _KEYS[outcome], case.active))
    return causes


_OUTAGES: Final = (
    "DNS",
    "TLS: expired",
    "TLS: unknown_authority",
    "slow headers",
    "reset",
    "half a body",
    "500",
    "503 1013",
    "HTML with 502",
    "429",
)
_NONSENSE: Final = ("HTML with 200", "body null", "huge body")
PLEX_TV_CAUSES: Final = _causes(
    *_OUTAGES, *_NONSENSE, "redirect 307", "429 1003", "401 1031", "403 1009"
)
# The same while the list of servers is asked for, beside servers.
_BESIDE_SERVERS: Final = {
    key: f"plex_tv_{key}"
    for key in (
        *("cannot_connect", "certificate_error", "dns_error", "timeout"),
        "not_permitted",
    )
}
SERVER_LIST_CAUSES: Final = [
    replace(
        cause,
        key="too_many_devices"
        if cause.name == "huge body"
        else _BESIDE_SERVERS.get(cause.key, cause.key),
    )
    for cause in PLEX_TV_CAUSES
]
# The same while a Plex Home is asked for its users, or to switch to one.
HOME_USER_CAUSES: Final = [
    replace(cause, key=_BESIDE_SERVERS.get(cause.key, cause.key))
    for cause in PLEX_TV_CAUSES
]
# What an address can answer when it is asked who it is: told of the whole form,
SERVER_CAUSES: Final = _causes(
    *_OUTAGES,
    *("400", "401", "403", "400 starting up", "503 Maintenance"),
    at_server=True,
)
# or of the address alone.
NO_SERVER_CAUSES: Final = _causes(
    "404", *_NONSENSE, key="not_a_plex_server", at_server=True
)
REDIRECTED_CAUSES: Final = _causes("redirect 307", key="redirected", at_server=True)

"""The fault matrix: every call of the client, every fault, and what comes out.

Each `FaultCase` says which error class a call raises, or None where the call succeeds all
the same. `pytest tests/api/test_fault_matrix.py --fault-matrix` prints what came out.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

from aiohttp import web

from custom_components.plex_auth.api import errors
from custom_components.plex_auth.api.plex_tv import PlexTv
from custom_components.plex_auth.api.server import PlexServer
from tests.plex_simulator import Certificate, Fault, MediaServer, PlexSimulator
from tests.plex_simulator.faults import Exchange

from .population import PASSWORD, Population, Resolver

REPORT_PROPERTY: Final = "fault_matrix"
SUCCESS: Final = "success"

PATIENCE: Final = 0.25
"""Seconds that a request of the matrix may take."""

_LONGER: Final = 1.0

type Outcome = type[errors.PlexError] | None
type Result = tuple[str, str, str, bool]


@dataclass(frozen=True, slots=True)
class Scene:
    """Hold what one cell plays with."""

    simulator: PlexSimulator
    population: Population
    resolver: Resolver
    account: PlexTv
    server: PlexServer


@dataclass(frozen=True, slots=True)
class Call:
    """Name a call, the simulator's endpoint for it, and how it is made ready and made.

    `prepare` returns what the call needs, anew for each time: a token, a link code.
    `second` is the endpoint that is asked where there is no first one.
    """

    name: str
    endpoint: str
    at_server: bool
    prepare: Callable[[Scene], Awaitable[str]]
    make: Callable[[Scene, str], Awaitable[object]]
    second: str | None = None


async def _nothing(scene: Scene) -> str:
    return ""


async def _account_token(scene: Scene) -> str:
    return scene.population.token


async def _server_token(scene: Scene) -> str:
    return scene.population.server_token


async def _pin(scene: Scene) -> str:
    return str(scene.simulator.pins.create("client-1").id)


async def _claim_token(scene: Scene) -> str:
    """Let the server belong to nobody, and return what the owner can claim it by."""
    scene.population.server.unclaim()
    return scene.simulator.claim_tokens.create(scene.population.owner)


CALLS: Final = (
    Call(
        "sign_in",
        "signin",
        False,
        _nothing,
        lambda scene, _: scene.account.sign_in("anna", PASSWORD),
    ),
    Call(
        "user",
        "user",
        False,
        _account_token,
        lambda scene, token: scene.account.user(token),
    ),
    Call(
        "resources",
        "resources",
        False,
        _account_token,
        lambda scene, token: scene.account.servers(token),
    ),
    Call(
        "devices",
        "devices",
        False,
        _account_token,
        lambda scene, token: scene.account.devices(token),
        "devices_xml",
    ),
    Call(
        "remove_device",
        "device_remove",
        False,
        _account_token,
        lambda scene, token: scene.account.remove_device(
            token, scene.population.owner.add_device().device_id
        ),
        "device_remove_v2",
    ),
    Call(
        "create_pin",
        "pins_create",
        False,
        _nothing,
        lambda scene, _: scene.account.create_pin(),
    ),
    Call(
        "check_pin",
        "pins_check",
        False,
        _pin,
        lambda scene, pin: scene.account.check_pin(int(pin)),
    ),
    Call(
        "sign_out",
        "signout",
        False,
        _account_token,
        lambda scene, token: scene.account.sign_out(token),
    ),
    Call(
        "claim_token",
        "claim_token",
        False,
        _account_token,
        lambda scene, token: scene.account.claim_token(token),
    ),
    Call(
        "identity",
        "identity",
        True,
        _nothing,
        lambda scene, _: scene.server.identity(
            scene.population.server.machine_identifier
        ),
    ),
    Call(
        "check_token",
        "root",
        True,
        _server_token,
        lambda scene, token: scene.server.check_token(token),
    ),
    Call(
        "transient_token",
        "security_token",
        True,
        _server_token,
        lambda scene, token: scene.server.transient_token(token),
    ),
    Call(
        "source_connection_information",
        "security_resources",
        True,
        _server_token,
        lambda scene, token: scene.server.source_connection_information(
            token, scene.population.source
        ),
    ),
    Call(
        "part",
        "item",
        True,
        _server_token,
        lambda scene, token: scene.server.part(token, scene.population.film),
    ),
    Call(
        "claim",
        "claim",
        True,
        _claim_token,
        lambda scene, claim_token: scene.server.claim(claim_token),
    ),
)


@dataclass(frozen=True, slots=True)
class FaultCase:
    """Name a fault, how it begins and ends, and what each call makes of it.

    `plex_tv` and `server` say what the calls to each of them raise; `others` has the calls
    that differ. `retry_after` is what the error knows of the time to wait.
    """

    name: str
    begin: Callable[[Scene, Call], Awaitable[None]]
    end: Callable[[Scene, Call], Awaitable[None]]
    plex_tv: Outcome
    server: Outcome
    others: Mapping[str, Outcome] = field(default_factory=dict)
    retry_after: float | None = None
    is_slow: bool = False

    def expected(self, call: Call) -> Outcome:
        """Return the error class that a call raises, None where it succeeds."""
        return self.others.get(
            call.name, self.server if call.at_server else self.plex_tv
        )


def _answer(
    name: str,
    fault: Fault | Callable[[Scene], Fault],
    plex_tv: Outcome,
    server: Outcome,
    *,
    retry_after: float | None = None,
    is_slow: bool = False,
    others: Mapping[str, Outcome] | None = None,
) -> FaultCase:
    """Return a fault of the answers, switched on for the call's endpoint."""

    async def begin(scene: Scene, call: Call) -> None:
        played = fault if isinstance(fault, Fault) else fault(scene)
        host = scene.population.server if call.at_server else scene.simulator
        host.faults.set(call.endpoint, played)

    async def end(scene: Scene, call: Call) -> None:
        host = scene.population.server if call.at_server else scene.simulator
        host.faults.clear()

    return FaultCase(
        name, begin, end, plex_tv, server, others or {}, retry_after, is_slow
    )


def _certificate(kind: Certificate, expected: Outcome) -> FaultCase:
    """Return a fault of the certificate."""

    def host(scene: Scene, call: Call) -> PlexSimulator | MediaServer:
        return scene.population.server if call.at_server else scene.simulator

    async def begin(scene: Scene, call: Call) -> None:
        host(scene, call).set_certificate(kind)

    async def end(scene: Scene, call: Call) -> None:
        host(scene, call).set_certificate(Certificate.VALID)

    return FaultCase(f"TLS: {kind.value}", begin, end, expected, expected)


async def _stop(scene: Scene, call: Call) -> None:
    if call.at_server:
        await scene.population.server.stop()
    else:
        await scene.simulator.stop_plex_tv()


async def _start(scene: Scene, call: Call) -> None:
    if call.at_server:
        await scene.population.server.start()
    else:
        await scene.simulator.start_plex_tv()


async def _break_dns(scene: Scene, call: Call) -> None:
    scene.resolver.broken = True


async def _mend_dns(scene: Scene, call: Call) -> None:
    scene.resolver.broken = False


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


def _redirect(target: Callable[[Scene], str], status: int) -> Callable[[Scene], Fault]:
    return lambda scene: Fault.redirect(target(scene), status)


def _same_host(scene: Scene) -> str:
    return "/identity"


def _other_host(scene: Scene) -> str:
    return f"{scene.population.other.https_url}/identity"


def _statuses() -> Iterable[FaultCase]:
    """Return the statuses, first as bare pages, then with Plex's own error bodies."""
    bare: dict[tuple[Outcome, Outcome], tuple[int, ...]] = {
        (errors.BadRequestError, errors.BadRequestError): (400, 422),
        (errors.UnavailableError, errors.NotPermittedError): (401, 403),
        (errors.NotFoundError, errors.NotFoundError): (404, 410),
        (errors.UnexpectedAnswerError, errors.UnexpectedAnswerError): (405,),
        (errors.RateLimitedError, errors.RateLimitedError): (429,),
        (errors.TokenRejectedError, errors.UnexpectedAnswerError): (498,),
        (errors.UnavailableError, errors.UnavailableError): (500, 502, 503, 504, 520),
    }
    second_way: dict[int, Mapping[str, Outcome]] = {
        404: _SECOND_WAY,
        410: _SECOND_WAY,
        405: {"remove_device": None},
    }
    for (plex_tv, server), statuses in bare.items():
        for status in statuses:
            yield _answer(
                f"{status}",
                Fault.status(status),
                plex_tv,
                server,
                others=second_way.get(status),
            )
    with_code: dict[tuple[int, int], tuple[Outcome, Outcome]] = {
        (498, 1001): (errors.TokenRejectedError, errors.UnexpectedAnswerError),
        **dict.fromkeys(
            ((400, 1000), (400, 1004), (422, 1008)),
            (errors.BadRequestError, errors.BadRequestError),
        ),
        **dict.fromkeys(
            ((403, 1001), (403, 1009), (403, 1042)),
            (errors.NotPermittedError, errors.NotPermittedError),
        ),
        **dict.fromkeys(
            ((404, 1002), (404, 1020), (410, 1002)),
            (errors.NotFoundError, errors.NotFoundError),
        ),
        **dict.fromkeys(
            ((500, 1007), (502, 1001), (503, 1013), (504, 1007), (520, 1001)),
            (errors.UnavailableError, errors.UnavailableError),
        ),
    }
    others: dict[tuple[int, int], dict[str, Outcome]] = {
        (403, 1001): {"sign_in": errors.WrongCredentialsError},
        (404, 1020): {
            "create_pin": errors.LinkExpiredError,
            "check_pin": errors.LinkExpiredError,
            **_SECOND_WAY,
        },
        (404, 1002): _SECOND_WAY,
        (410, 1002): _SECOND_WAY,
    }
    for (status, code), (plex_tv, server) in with_code.items():
        yield _answer(
            f"{status} with code {code}",
            Fault.plex_error(code, status),
            plex_tv,
            server,
            others=others.get((status, code)),
        )
    on_sign_in: dict[int, tuple[Outcome, Outcome]] = {
        1001: (errors.TokenRejectedError, errors.WrongCredentialsError),
        1028: (errors.TokenRejectedError, errors.VerificationCodeWrongError),
        1029: (errors.TokenRejectedError, errors.VerificationCodeRequiredError),
        1030: (errors.TokenRejectedError, errors.EmailRequiredError),
        1031: (errors.SignInBlockedError, errors.SignInBlockedError),
    }
    for code, (plex_tv, sign_in) in on_sign_in.items():
        yield _answer(
            f"401 with code {code}",
            Fault.plex_error(code, 401),
            plex_tv,
            errors.NotPermittedError,
            others={"sign_in": sign_in},
        )


def _rate_limits() -> Iterable[FaultCase]:
    """Return 429 with and without a time to wait, and with times that are none."""
    times: dict[str, tuple[int | str | datetime | None, float | None]] = {
        "without Retry-After": (None, None),
        "Retry-After seconds": (120, 120.0),
        "Retry-After date passed": (datetime.now(UTC) - timedelta(hours=1), 0.0),
        "Retry-After garbage": ("soon", None),
        "Retry-After absurd": ("9" * 400, 86400.0),
        "Retry-After absurd date": ("Mon, 01 Jan 99999999999 00:00:00 GMT", None),
    }
    for name, (value, seconds) in times.items():
        yield _answer(
            f"429 with code 1003, {name}",
            Fault.plex_error(1003, retry_after=value),
            errors.RateLimitedError,
            errors.RateLimitedError,
            retry_after=seconds,
        )


# An answer that has no body cannot be spoilt.
_WITHOUT_BODY_SUCCEED: Final[dict[str, Outcome]] = {"sign_out": None}
# These take every answer with a status of success (plex-api.md §12.11, §16.2, §17.3).
_WITHOUT_DATA_SUCCEED: Final[dict[str, Outcome]] = dict.fromkeys(
    ("sign_out", "remove_device", "claim")
)
# What is asked in a second way where there is no first one (plex-api.md §16).
_SECOND_WAY: Final[dict[str, Outcome]] = {"devices": None, "remove_device": None}

_OLD_INVALID_TOKEN = '<?xml version="1.0" encoding="UTF-8"?><errors><error>Invalid token</error></errors>'

FAULTS: Final = (
    FaultCase("refused", _stop, _start, errors.NotReachedError, errors.NotReachedError),
    FaultCase("DNS failure", _break_dns, _mend_dns, errors.DnsError, errors.DnsError),
    _certificate(Certificate.EXPIRED, errors.CertificateError),
    _certificate(Certificate.UNKNOWN_AUTHORITY, errors.CertificateError),
    _certificate(Certificate.WRONG_NAME, errors.CertificateError),
    _certificate(Certificate.ABSENT, errors.NotReachedError),
    _answer(
        "reset",
        Fault.reset(),
        errors.ConnectionClosedError,
        errors.ConnectionClosedError,
    ),
    _answer(
        "reset after processing",
        Fault.reset(processed=True),
        errors.ConnectionClosedError,
        errors.ConnectionClosedError,
    ),
    _answer(
        "slow headers",
        Fault.delay(_LONGER),
        errors.ConnectionTimeoutError,
        errors.ConnectionTimeoutError,
        is_slow=True,
    ),
    _answer(
        "slow body",
        Fault.slow_body(_LONGER),
        errors.ConnectionTimeoutError,
        errors.ConnectionTimeoutError,
        is_slow=True,
        others=_WITHOUT_BODY_SUCCEED | {"remove_device": None},
    ),
    _answer(
        "half a body",
        Fault.half_body(),
        errors.CannotConnectError,
        errors.CannotConnectError,
        others=_WITHOUT_BODY_SUCCEED,
    ),
    _answer(
        "body over the limit",
        Fault.huge_body(),
        errors.TooLargeError,
        errors.TooLargeError,
        others={"devices": None},
    ),
    _answer("type text/plain", _changed("text", _as_text_plain), None, None),
    _answer("type text/html", _changed("html", _as_html_type), None, None),
    _answer("encoding UTF-16", _changed("utf-16", _in_utf_16), None, None),
    _answer(
        "encoding not as said",
        _changed("latin-1", _in_latin_1),
        errors.UnexpectedAnswerError,
        errors.UnexpectedAnswerError,
        others=_WITHOUT_DATA_SUCCEED,
    ),
    _answer(
        "HTML with 200",
        Fault.html(200),
        errors.PageError,
        errors.PageError,
        others=_WITHOUT_DATA_SUCCEED,
    ),
    _answer(
        "HTML with 401",
        Fault.html(401),
        errors.UnavailableError,
        errors.NotPermittedError,
    ),
    _answer(
        "HTML with 403",
        Fault.html(403),
        errors.UnavailableError,
        errors.NotPermittedError,
    ),
    _answer(
        "HTML with 404",
        Fault.html(404),
        errors.NotFoundError,
        errors.NotFoundError,
        others=_SECOND_WAY,
    ),
    _answer(
        "HTML with 502",
        Fault.html(502),
        errors.UnavailableError,
        errors.UnavailableError,
    ),
    _answer(
        "HTML with 503",
        Fault.html(503),
        errors.UnavailableError,
        errors.UnavailableError,
    ),
    *(
        _answer(
            f"redirect {status} to {name}",
            _redirect(target, status),
            errors.UnexpectedAnswerError,
            errors.UnexpectedAnswerError,
        )
        for status in (301, 302, 307, 308)
        for name, target in (("same host", _same_host), ("other host", _other_host))
    ),
    _answer(
        "empty body",
        Fault.body(""),
        errors.UnexpectedAnswerError,
        errors.UnexpectedAnswerError,
        others=_WITHOUT_DATA_SUCCEED,
    ),
    _answer(
        "invalid JSON",
        Fault.body('{"MediaContainer": {'),
        errors.UnexpectedAnswerError,
        errors.UnexpectedAnswerError,
        others=_WITHOUT_DATA_SUCCEED,
    ),
    *(
        _answer(
            f"wrong shape: {shape}",
            Fault.body(shape),
            errors.UnexpectedAnswerError,
            errors.UnexpectedAnswerError,
            others=_WITHOUT_DATA_SUCCEED,
        )
        for shape in (
            "null",
            "7",
            '"text"',
            '{"unexpected": [{"id": 1}]}',
            '{"MediaContainer": 5, "resources": 5}',
        )
    ),
    _answer("XML instead of JSON", Fault.xml_instead(), None, None),
    *_statuses(),
    *_rate_limits(),
    _answer(
        "401 with another's error body",
        Fault.status(401, {"errors": ["Unauthorized"]}),
        errors.UnavailableError,
        errors.NotPermittedError,
    ),
    _answer(
        "422 Invalid token",
        Fault.status(422, _OLD_INVALID_TOKEN, content_type="application/xml"),
        errors.TokenRejectedError,
        errors.BadRequestError,
        others={"sign_in": errors.WrongCredentialsError},
    ),
    _answer(
        "400 starting up",
        Fault.status(400, "<h1>400</h1>Plex Media Server is still starting up."),
        errors.BadRequestError,
        errors.StartingUpError,
    ),
    _answer(
        "503 Maintenance",
        Fault.status(503, '<Response code="503" title="Maintenance"/>'),
        errors.UnavailableError,
        errors.MaintenanceError,
    ),
    _answer(
        "400 https port",
        Fault.status(400, "The plain HTTP request was sent to HTTPS port"),
        errors.BadRequestError,
        errors.SecureConnectionRequiredError,
    ),
)


def outcome_name(outcome: Outcome) -> str:
    """Return how the table names an outcome."""
    return SUCCESS if outcome is None else outcome.__name__.removesuffix("Error")


def render_table(results: Iterable[Result]) -> str:
    """Return the results, each call, fault, outcome and whether expected, as a table.

    An outcome that was not expected has an exclamation mark before it.
    """
    cells: dict[str, dict[str, str]] = {}
    calls: dict[str, None] = {}
    total = unexpected = 0
    for call, fault, outcome, is_expected in results:
        calls[call] = None
        cells.setdefault(fault, {})[call] = outcome if is_expected else f"!{outcome}"
        total += 1
        unexpected += not is_expected
    rows = [
        ["", *calls],
        *(
            [fault, *(by_call.get(call, "") for call in calls)]
            for fault, by_call in cells.items()
        ),
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join(
            cell.ljust(width) for cell, width in zip(row, widths, strict=True)
        ).rstrip()
        for row in rows
    ]
    summary = (
        f"{len(calls)} calls, {len(cells)} faults, {total} cells, "
        f"{unexpected} unexpected"
    )
    return "\n".join([*lines, "", summary])

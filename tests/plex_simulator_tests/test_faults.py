"""Each kind of fault, and how long it lasts.

`tests/api/test_fault_matrix.py` says what each does to the integration's client.
"""

import asyncio
from datetime import UTC, datetime
import time

import aiohttp
import pytest

from tests.plex_simulator import FAULT_KINDS, Fault, fault_named

from .simulated_plex import PASSWORD, SimulatedPlex

LATER = datetime(2030, 1, 1, tzinfo=UTC)

ANSWERS = [
    (Fault.status(520), 520, "<h1>520 Error</h1>"),
    (Fault.status(422, "Invalid token"), 422, "Invalid token"),
    (Fault.status(200, {"id": "odd"}), 200, '{"id": "odd"}'),
    (Fault.plex_error(1003), 429, '"code": 1003'),
    (Fault.plex_error(9, 418, message="x", with_status=False), 418, '"message": "x"}'),
    (Fault.html(200), 200, "<!DOCTYPE html>"),
    (Fault.redirect("/x", 307), 307, ""),
    (Fault.huge_body(3_000_000), 200, '{"filler": "xxx'),
    (Fault.body("[]", status=201), 201, "[]"),
    (Fault.xml_instead(), 200, "<user "),
    (Fault.delay(0.1), 200, '"username": "ben"'),
    (Fault.slow_body(0.1), 200, '"username": "ben"'),
]
HEADERS = [
    (Fault.status(503, headers={"Retry-After": "7"}), "Retry-After", "7"),
    (Fault.plex_error(1003), "Retry-After", None),
    (Fault.plex_error(1003, retry_after=120), "Retry-After", "120"),
    (
        Fault.plex_error(1003, retry_after=LATER),
        "Retry-After",
        "Tue, 01 Jan 2030 00:00:00 GMT",
    ),
    (Fault.status(400, "", content_type="text/plain"), "Content-Type", "text/plain"),
    (Fault.html(), "Content-Type", "text/html; charset=utf-8"),
    (Fault.redirect("/x"), "Location", "/x"),
    (Fault.body("", charset="x"), "Content-Type", "application/json; charset=x"),
    (Fault.huge_body(), "Content-Length", None),
]
FAILURES = [
    (Fault.delay(60), TimeoutError, False),
    (Fault.slow_body(60), TimeoutError, True),
    (Fault.reset(), aiohttp.ClientOSError, False),
    (Fault.reset(processed=True), aiohttp.ClientOSError, True),
    (Fault.half_body(), aiohttp.ClientPayloadError, True),
]


def test_every_kind_is_tested() -> None:
    """The tables have each kind; what is no kind, or lacks an argument, is refused."""
    assert {row[0].kind for row in (*ANSWERS, *HEADERS, *FAILURES)} == FAULT_KINDS
    assert fault_named("delay", seconds=1).kind == "delay"
    with pytest.raises(ValueError, match="unknown kind"):
        fault_named("named")
    with pytest.raises(TypeError):
        fault_named("status")


@pytest.mark.parametrize(("fault", "status", "text"), ANSWERS)
async def test_answer(
    plex: SimulatedPlex, token: str, fault: Fault, status: int, text: str
) -> None:
    """A fault that answers is what was asked for, at the latest after its time."""
    plex.simulator.faults.set("user", fault)
    started = time.monotonic()
    answer = await plex.get("/user", token)
    assert (answer.status, text in answer.text) == (status, True)
    assert (time.monotonic() - started >= 0.1) is (fault.kind in ("delay", "slow_body"))


@pytest.mark.parametrize(("fault", "header", "value"), HEADERS)
async def test_header(
    plex: SimulatedPlex, fault: Fault, header: str, value: str | None
) -> None:
    """A fault says what kind of answer it is, and when to come again."""
    plex.simulator.faults.set("user", fault)
    assert (await plex.get("/user")).headers.get(header) == value


@pytest.mark.parametrize(
    ("content", "charset", "sent"),
    [
        (b"\xe9", "utf-8", b"\xe9"),
        ("é", "utf-16-le", "é".encode("utf-16-le")),
        ("é", "no-such-thing", "é".encode()),
    ],
)
async def test_body(
    plex: SimulatedPlex, content: str | bytes, charset: str, sent: bytes
) -> None:
    """A text is sent in its charset where there is one; bytes are sent as they are."""
    plex.simulator.faults.set("user", Fault.body(content, charset=charset))
    assert (await plex.get("/user")).body == sent


@pytest.mark.parametrize("secure", [False, True])
@pytest.mark.parametrize(("fault", "error"), [row[:2] for row in FAILURES])
async def test_no_whole_answer(
    plex: SimulatedPlex, fault: Fault, error: type[Exception], secure: bool
) -> None:
    """A fault that leaves no whole answer does so over TLS as well."""
    plex.server.faults.set("identity", fault)
    url = plex.server.https_url if secure else plex.server.http_url
    with pytest.raises(error):
        await plex.get(f"{url}/identity", seconds=0.2)


@pytest.mark.parametrize(("fault", "error", "is_done"), FAILURES)
async def test_what_the_host_did(
    plex: SimulatedPlex, fault: Fault, error: type[Exception], is_done: bool
) -> None:
    """A fault that spoils the answer comes after the work, any other instead of it."""
    plex.simulator.faults.set("signin", fault)
    form = {"login": "ben", "password": PASSWORD}
    with pytest.raises(error):
        await plex.ask("POST", "/users/signin", form=form, seconds=0.2)
    assert bool(plex.ben.tokens) is is_done
    assert plex.simulator.requests[-1].status is None


async def test_errors_in_xml(plex: SimulatedPlex) -> None:
    """Errors come in XML where it is forced, and where no JSON is asked for."""
    plex.simulator.faults.set("user", Fault.xml_instead(), times=1)
    assert (await plex.get("/user", "dead")).xml.tag == "errors"
    plex.simulator.faults.set("user", Fault.plex_error(1003))
    (error,) = (await plex.get("/user", accept=None)).xml
    assert error.get("message") == "API rate limit exceeded"


async def test_client_that_hangs_up(
    plex: SimulatedPlex, caplog: pytest.LogCaptureFixture
) -> None:
    """A body that is read in part ends without a trace."""
    plex.simulator.faults.set("user", Fault.huge_body(500_000_000))
    async with plex.session.get(f"{plex.simulator.api_url}/user") as response:
        await response.content.readexactly(100_000)
        response.close()
    while plex.simulator.connection_count:
        await asyncio.sleep(0.01)
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


async def test_how_long_a_fault_lasts(plex: SimulatedPlex) -> None:
    """A fault lasts as often as asked; one endpoint's own goes before that of all."""
    faults = plex.simulator.faults

    async def statuses(times: int) -> list[int]:
        return [(await plex.get("/ping")).status for _ in range(times)]

    faults.set("*", Fault.status(503))
    faults.set("ping", Fault.status(500), times=2)
    assert await statuses(3) == [500, 500, 503]
    faults.set("ping", Fault.status(500), times=1)
    faults.clear("*")
    assert await statuses(2) == [500, 200]
    faults.set("ping", Fault.status(500))
    faults.clear()
    assert await statuses(1) == [200]


async def test_endpoints(plex: SimulatedPlex) -> None:
    """A fault is for an endpoint of its own host."""
    plex.server.faults.set("root", Fault.status(418))
    assert (await plex.get("server/")).status == 418
    assert plex.simulator.requests[-1].endpoint == "root"
    with pytest.raises(ValueError, match="unknown endpoint"):
        plex.simulator.faults.set("root", Fault.status(418))

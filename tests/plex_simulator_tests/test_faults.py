"""When a fault comes and how long it lasts.

`tests/api/test_fault_matrix.py` says what each kind does to the integration's client.
"""

import asyncio

import aiohttp
import pytest

from tests.plex_simulator import Fault, fault_named

from .simulated_plex import PASSWORD, SimulatedPlex

FAILURES = [
    (Fault.delay(60), TimeoutError, False),
    (Fault.slow_body(60), TimeoutError, True),
    (Fault.reset(), aiohttp.ClientOSError, False),
    (Fault.reset(processed=True), aiohttp.ClientOSError, True),
    (Fault.half_body(), aiohttp.ClientPayloadError, True),
]


def test_names() -> None:
    """A fault goes by its name; what is no kind, or lacks an argument, is refused."""
    assert fault_named("delay", seconds=1).kind == "delay"
    with pytest.raises(ValueError, match="unknown kind"):
        fault_named("named")
    with pytest.raises(TypeError):
        fault_named("status")


async def test_what_no_client_tells(plex: SimulatedPlex) -> None:
    """Headers and charset are those asked for, also where a client ignores them."""
    for fault, header, value in (
        (Fault.redirect("/x"), "Location", "/x"),
        (Fault.status(503, headers={"Retry-After": "7"}), "Retry-After", "7"),
        (
            Fault.status(400, "", content_type="text/plain"),
            "Content-Type",
            "text/plain",
        ),
        (Fault.body("", charset="x"), "Content-Type", "application/json; charset=x"),
        (Fault.huge_body(), "Content-Length", None),
    ):
        plex.simulator.faults.set("user", fault)
        assert (await plex.get("/user")).headers.get(header) == value
    plex.simulator.faults.set("user", Fault.body("é", charset="utf-16-le"))
    assert (await plex.get("/user")).body == "é".encode("utf-16-le")


@pytest.mark.parametrize(("fault", "error", "is_done"), FAILURES)
async def test_what_the_host_did(
    plex: SimulatedPlex, fault: Fault, error: type[Exception], is_done: bool
) -> None:
    """A fault that spoils the answer comes after the work, any other instead of it."""
    plex.simulator.faults.set("signin", fault)
    form = {"login": "ben", "password": PASSWORD}
    seconds = 0.2 if error is TimeoutError else 5
    with pytest.raises(error):
        await plex.ask("POST", "/users/signin", form=form, seconds=seconds)
    assert bool(plex.ben.tokens) is is_done
    assert plex.simulator.requests[-1].status is None


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

"""Every call meets every fault: the table is in `fault_matrix.py`."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, nullcontext

import pytest
from yarl import URL

from custom_components.plex_auth.api.errors import PlexError
from custom_components.plex_auth.api.plex_tv import PlexTv
from custom_components.plex_auth.api.server import PlexServer
from custom_components.plex_auth.api.transport import Transport
from tests.plex_simulator import PLEX_TV, PlexSimulator
from tests.short_timeouts import short_timeouts

from .fault_matrix import (
    CALLS,
    FAULTS,
    PATIENCE,
    REPORT_PROPERTY,
    Call,
    FaultCase,
    Outcome,
    Scene,
    outcome_name,
    render_table,
)
from .population import IDENTITY, Population, Resolver, plex_session


@asynccontextmanager
async def fresh_scene(
    simulator: PlexSimulator, population: Population
) -> AsyncIterator[Scene]:
    """Give a scene with no connection open yet, and hosts by names to be resolved."""
    resolver = Resolver()
    async with plex_session(simulator, resolver) as session:
        transport = Transport(session, IDENTITY)
        yield Scene(
            simulator,
            population,
            resolver,
            PlexTv(transport, f"https://localhost:{simulator.port}/api/v2"),
            PlexServer(transport, URL(population.server.https_url)),
        )


async def play(scene: Scene, call: Call, fault: FaultCase) -> PlexError | None:
    """Make a call while the fault lasts and return what it raised."""
    needed = await call.prepare(scene)
    scene.simulator.requests.clear()
    await fault.begin(scene, call)
    try:
        with short_timeouts(PATIENCE) if fault.is_slow else nullcontext():
            await call.make(scene, needed)
    except PlexError as err:
        return err
    finally:
        await fault.end(scene, call)
        check_requests(scene, call, needed)
    return None


def check_requests(scene: Scene, call: Call, needed: str) -> None:
    """Check that a call went to its own host only, as often as it may, without a leak."""
    host = scene.population.server.machine_identifier if call.at_server else PLEX_TV
    for request in scene.simulator.requests:
        assert request.host == host
        assert request.endpoint in (call.endpoint, call.second)
        assert "Cookie" not in request.headers
        if call.name == "claim":
            assert request.query == {"token": needed}
            assert needed not in str(request.headers)
            assert "X-Plex-Token" not in request.headers
            continue
        assert not needed or needed not in str(request.query)
        assert request.headers.get("X-Plex-Token", needed) == needed
    # aiohttp itself repeats GET and DELETE once when the connection is dropped.
    for method, most in (("POST", 1), ("GET", 2), ("DELETE", 2)):
        sent = [one for one in scene.simulator.requests if one.method == method]
        assert len(sent) <= most


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
async def test_fault(
    plex: PlexSimulator,
    population: Population,
    fault: FaultCase,
    record_property: Callable[[str, object], None],
) -> None:
    """A fault makes each call end as the table says, leaks nothing, and ends with itself."""
    outcomes: dict[str, Outcome] = {}
    for call in CALLS:
        async with fresh_scene(plex, population) as scene:
            raised = await play(scene, call, fault)
            outcomes[call.name] = outcome = None if raised is None else type(raised)
            record_property(
                REPORT_PROPERTY,
                (
                    call.name,
                    fault.name,
                    outcome_name(outcome),
                    outcome is fault.expected(call),
                ),
            )
            if raised is not None:
                assert raised.retry_after == fault.retry_after
                assert raised.__context__ is None
                assert raised.__cause__ is None
            await call.make(scene, await call.prepare(scene))
    assert outcomes == {call.name: fault.expected(call) for call in CALLS}


def test_every_call_and_every_fault_has_one_name() -> None:
    """No cell of the table hides another one."""
    assert len({call.name for call in CALLS}) == len(CALLS) == 15
    assert len({fault.name for fault in FAULTS}) == len(FAULTS)


def test_table_is_readable_and_marks_what_was_not_expected() -> None:
    """The table has a row for each fault and counts what is not as expected."""
    table = render_table(
        [
            ("user", "reset", "ConnectionClosed", True),
            ("user", "404", "TokenRejected", False),
            ("identity", "404", "NotFound", True),
        ]
    )
    assert table.splitlines() == [
        "       user              identity",
        "reset  ConnectionClosed",
        "404    !TokenRejected    NotFound",
        "",
        "2 calls, 2 faults, 3 cells, 1 unexpected",
    ]

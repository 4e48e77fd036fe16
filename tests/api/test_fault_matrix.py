"""Every call meets every fault: the table is in `fault_matrix.py`."""

from collections.abc import Callable

import pytest

from custom_components.plex_auth.api.errors import PlexError
from tests.fault_catalogue import FAULTS, FaultCase, Outcome
from tests.plex_simulator import PLEX_TV, PlexSimulator

from .fault_matrix import CALLS, REPORT_PROPERTY, Call, outcome_name, render_table
from .population import Population, Resolver, Scene, plex_session


async def play(scene: Scene, call: Call, fault: FaultCase) -> PlexError | None:
    """Make a call while the fault lasts and return what it raised."""
    needed = call.prepare(scene)
    scene.plex.requests.clear()
    host = scene.population.server if call.at_server else scene.plex
    try:
        async with fault.active(host, scene.resolver, call.endpoint):
            await call.make(scene, needed)
    except PlexError as err:
        check_error(err, fault, needed)
        return err
    finally:
        check_requests(scene, call, needed)
    return None


def check_error(error: PlexError, fault: FaultCase, needed: str) -> None:
    """Check that an error knows when to ask again, and nothing of what was sent."""
    assert error.retry_after == fault.retry_after
    assert error.__context__ is None
    assert error.__cause__ is None
    shown = f"{error!r} {error} {error.args!r} {vars(error)!r}"
    assert not needed or needed not in shown


def check_requests(scene: Scene, call: Call, needed: str) -> None:
    """Check that a call went to its own host only, as often as it may, without a leak.

    Its connection is given back or closed.
    """
    host = scene.population.server.machine_identifier if call.at_server else PLEX_TV
    for request in scene.plex.requests:
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
    for method, most in (("POST", call.most_posts), ("GET", 2), ("DELETE", 2)):
        sent = [one for one in scene.plex.requests if one.method == method]
        assert len(sent) <= most
    connector = scene.session.connector
    assert connector is not None
    assert not connector._acquired
    assert not connector._acquired_per_host


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
async def test_fault(
    plex: PlexSimulator,
    population: Population,
    fault: FaultCase,
    record_property: Callable[[str, object], None],
) -> None:
    """A fault makes each call end as the table says, leaks nothing, and ends with itself.

    No connection is open yet at each call.
    """
    outcomes: dict[str, Outcome] = {}
    for call in CALLS:
        expected = fault.expected(call.name, at_server=call.at_server)
        resolver = Resolver()
        async with plex_session(plex, resolver) as session:
            scene = Scene(plex, population, resolver, session)
            raised = await play(scene, call, fault)
            outcomes[call.name] = outcome = None if raised is None else type(raised)
            name, is_expected = outcome_name(outcome), outcome is expected
            record_property(REPORT_PROPERTY, (call.name, fault.name, name, is_expected))
            await call.make(scene, call.prepare(scene))
    assert outcomes == {
        call.name: fault.expected(call.name, at_server=call.at_server) for call in CALLS
    }


def test_every_call_and_every_fault_has_one_name() -> None:
    """No cell of the table hides another one."""
    assert len({call.name for call in CALLS}) == len(CALLS) == 17
    assert len({fault.name for fault in FAULTS}) == len(FAULTS)


def test_table_marks_what_was_not_expected() -> None:
    """The table has the calls that end in the same way in one line."""
    results = [
        ("user", "404", "TokenRejected", False),
        ("devices", "404", "NotFound", True),
        ("identity", "404", "NotFound", True),
    ]
    assert [line.split() for line in render_table(results).splitlines()] == [
        ["404", "!TokenRejected", "user"],
        ["404", "NotFound", "devices", "identity"],
    ]

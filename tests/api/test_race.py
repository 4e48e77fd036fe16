"""Probing ranks of routes."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from yarl import URL

from custom_components.plex_auth.api.connections import ConnectionKind, Route
from custom_components.plex_auth.api.errors import (
    CannotConnectError,
    CertificateError,
    ConnectionTimeoutError,
    DnsError,
    MaintenanceError,
    NotPermittedError,
    NotReachedError,
    PlexError,
    RateLimitedError,
    SecureConnectionRequiredError,
    UnavailableError,
    WrongServerError,
)
from custom_components.plex_auth.api.known_server import KnownServer
from custom_components.plex_auth.api.models import Identity
from custom_components.plex_auth.api.plex_tv import PlexTv
from custom_components.plex_auth.api.race import Race, race
from custom_components.plex_auth.api.server import PlexServer
from custom_components.plex_auth.api.transport import Transport
from tests.plex_simulator import Certificate, MediaServer, Way

from .population import IDENTITY, Resolver, Scene, plex_session


def route(name: str) -> Route:
    """Return a route with a name."""
    return Route(URL(f"https://{name}.example"), ConnectionKind.LOCAL)


A, B, C, D = map(route, "abcd")

type Script = dict[Route, tuple[float, PlexError | None]]


class Prober:
    """Probe by a script: seconds until the answer, and the error that it is."""

    def __init__(self, script: Script) -> None:
        """Take the script."""
        self.script = script
        self.started: list[Route] = []
        self.cancelled: list[Route] = []

    async def __call__(self, probed: Route) -> str:
        """Answer by the script."""
        self.started.append(probed)
        seconds, error = self.script[probed]
        try:
            await asyncio.sleep(seconds)
        except asyncio.CancelledError:
            self.cancelled.append(probed)
            raise
        if error is not None:
            raise error
        return str(probed.url.host)


async def run(prober: Prober, *ranks: list[Route], head_start: float) -> Race[str]:
    """Run a race and check that no task of it is left."""
    before = asyncio.all_tasks()
    try:
        return await race(ranks, prober, head_start=head_start)
    finally:
        assert asyncio.all_tasks() <= before


async def test_first_rank_alone_while_it_is_quick() -> None:
    """Who answers within the head start wins before another rank is asked."""
    prober = Prober({A: (0.02, None), B: (0, None)})
    result = await run(prober, [A], [B], head_start=5)
    assert result.winner == (A, "a.example")
    assert prober.started == [A]


async def test_slow_first_rank_is_joined_by_the_next() -> None:
    """After the head start the next rank runs along, and the losers are cancelled."""
    prober = Prober({A: (5, None), B: (0, None), C: (0, None)})
    result = await run(prober, [A], [B], [C], head_start=0.02)
    assert result.winner == (B, "b.example")
    assert prober.started == [A, B]
    assert prober.cancelled == [A]


@pytest.mark.xdist_group("time")
async def test_slow_first_rank_may_still_win() -> None:
    """A rank that was joined goes on."""
    prober = Prober({A: (0.06, None), B: (5, None)})
    result = await run(prober, [A], [B], head_start=0.02)
    assert result.winner == (A, "a.example")
    assert prober.cancelled == [B]


async def test_failed_rank_makes_room_at_once() -> None:
    """The next rank does not wait for the head start of one that has failed."""
    refused, unknown = CannotConnectError(), DnsError()
    prober = Prober({A: (0, refused), B: (0, unknown), C: (0, None)})
    async with asyncio.timeout(10):
        result = await run(prober, [A, B], [C], head_start=60)
    assert result.winner == (C, "c.example")
    assert result.failures == {A: refused, B: unknown}


@pytest.mark.xdist_group("time")
async def test_head_start_is_not_renewed_by_a_failure() -> None:
    """The failure of one address gives the others of its rank no more time."""
    prober = Prober({A: (0.03, DnsError()), B: (5, None), C: (0, None)})
    started = asyncio.get_running_loop().time()
    result = await run(prober, [A, B], [C], head_start=0.05)
    assert result.winner == (C, "c.example")
    assert asyncio.get_running_loop().time() - started < 1


async def test_earlier_route_wins_a_draw() -> None:
    """Of answers that come at once the better rank's counts."""
    prober = Prober({A: (0, None), B: (0, None)})
    for ranks in ([A, B],), ([A], [B]):
        result = await run(prober, *ranks, head_start=0)
        assert result.winner == (A, "a.example")


MANY = [route(f"a{number}") for number in range(100)]


async def settle() -> None:
    """Let what can run without waiting run."""
    for _ in range(20):
        await asyncio.sleep(0)


async def test_many_routes_of_a_rank_are_probed_by_32() -> None:
    """At most 32 addresses are probed at once; all get their turn."""
    prober = Prober(dict.fromkeys(MANY, (60, None)))
    task = asyncio.create_task(race([MANY], prober, head_start=60))
    await settle()
    assert prober.started == MANY[:32]
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_next_32_start_when_the_first_have_failed() -> None:
    """The last of many addresses is found, without waiting for a head start."""
    open_now: set[Route] = set()
    most = 0

    async def probe(probed: Route) -> str:
        nonlocal most
        open_now.add(probed)
        most = max(most, len(open_now))
        await asyncio.sleep(0)
        open_now.remove(probed)
        if probed is not MANY[-1]:
            raise DnsError
        return "found"

    async with asyncio.timeout(5):
        result = await race([MANY, [A]], probe, head_start=60)
    assert result.winner == (MANY[-1], "found")
    assert most == 32
    assert list(result.failures) == MANY[:-1]


async def test_slow_routes_keep_only_their_own_places() -> None:
    """The others of a rank take the places of those that fail; other ranks have theirs."""
    slow = MANY[:31]
    script: Script = dict.fromkeys(slow, (60, None))
    script |= dict.fromkeys(MANY[31:-1], (0, DnsError()))
    prober = Prober(script | {MANY[-1]: (0, None), A: (60, None)})
    result = await run(prober, MANY, [A], head_start=60)
    assert result.winner == (MANY[-1], "a99.example")
    assert prober.started == MANY
    assert prober.cancelled == slow


async def test_next_rank_does_not_wait_for_a_place() -> None:
    """Many slow addresses of a rank do not hold up the next rank."""
    prober = Prober({**dict.fromkeys(MANY, (60, None)), A: (0, None)})
    result = await run(prober, MANY, [A], head_start=0.01)
    assert result.winner == (A, "a.example")
    assert prober.started == [*MANY[:32], A]


async def test_all_fail() -> None:
    """Every failure is kept when nobody answers."""
    errors = {A: DnsError(), B: CertificateError(), C: ConnectionTimeoutError()}
    prober = Prober({one: (0, error) for one, error in errors.items()})
    result = await run(prober, [A], [B, C], head_start=0.01)
    assert result.winner is None
    assert result.failures == errors
    assert isinstance(result.error, CertificateError)


async def test_nobody_to_ask() -> None:
    """A race without routes ends without a winner."""
    for count in range(3):
        result = await run(Prober({}), *([] for _ in range(count)), head_start=0.01)
        assert result.winner is None
        assert type(result.error) is CannotConnectError


async def test_other_errors_end_the_race() -> None:
    """An error that is none of Plex's is not swallowed, and nothing runs on."""

    async def probe(probed: Route) -> str:
        if probed is B:
            message = "a mistake"
            raise RuntimeError(message)
        await asyncio.sleep(5)
        return ""

    before = asyncio.all_tasks()
    with pytest.raises(RuntimeError):
        await race([[A], [B]], probe, head_start=0.01)
    assert asyncio.all_tasks() == before


async def test_cancelled_race_leaves_nothing() -> None:
    """Cancelling a race cancels its probes."""
    prober = Prober({A: (5, None), B: (5, None)})
    before = asyncio.all_tasks()
    task = asyncio.create_task(race([[A, B]], prober))
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert prober.cancelled == [A, B]
    assert asyncio.all_tasks() == before


@pytest.mark.parametrize(
    ("errors", "telling"),
    [
        ([CannotConnectError(), MaintenanceError(), DnsError()], MaintenanceError),
        ([DnsError(), RateLimitedError()], RateLimitedError),
        (
            [CertificateError(), SecureConnectionRequiredError()],
            SecureConnectionRequiredError,
        ),
        ([WrongServerError(), DnsError(), CertificateError()], CertificateError),
        ([WrongServerError(), ConnectionTimeoutError()], ConnectionTimeoutError),
        ([CannotConnectError(), ConnectionTimeoutError()], ConnectionTimeoutError),
        ([NotPermittedError(), CannotConnectError()], CannotConnectError),
        ([WrongServerError()], WrongServerError),
        ([NotPermittedError()], NotPermittedError),
        ([], CannotConnectError),
    ],
)
def test_most_telling_error(errors: list[PlexError], telling: type[PlexError]) -> None:
    """Of several failures the one that helps a person most is shown."""
    failures = dict(zip((A, B, C, D), errors, strict=False))
    assert type(Race(None, failures).error) is telling


@pytest.mark.parametrize(
    ("errors", "last", "telling"),
    [
        ([DnsError(), NotReachedError()], B, NotReachedError),
        ([DnsError(), NotReachedError()], A, DnsError),
        ([DnsError(), NotReachedError()], C, DnsError),
        ([DnsError(), NotReachedError()], None, DnsError),
        ([CertificateError(), DnsError(), NotReachedError()], C, NotReachedError),
        ([DnsError(), WrongServerError()], B, WrongServerError),
        ([DnsError(), NotReachedError(), UnavailableError()], B, UnavailableError),
        (
            [NotReachedError(), SecureConnectionRequiredError()],
            A,
            SecureConnectionRequiredError,
        ),
    ],
)
def test_error_of_the_address_that_worked(
    errors: list[PlexError], last: Route | None, telling: type[PlexError]
) -> None:
    """Where no address answers, the one that worked last tells why."""
    failures = dict(zip((A, B, C, D), errors, strict=False))
    assert type(Race(None, failures).error_after(last)) is telling


# Over real sockets


type Probe = Callable[[Route], Awaitable[Identity]]


def prober_for(transport: Transport, server: MediaServer) -> Probe:
    """Return a probe that wants to meet this server."""
    return lambda probed: PlexServer(transport, probed.url).identity(
        server.machine_identifier
    )


async def find(scene: Scene) -> Race[Identity]:
    """List the server at plex.tv and look for a way to it."""
    server = scene.population.server
    account = PlexTv(scene.transport, scene.plex.api_url)
    listed = next(
        resource
        for resource in await account.servers(scene.population.token)
        if resource.machine_identifier == server.machine_identifier
    )
    ranks = KnownServer.from_listed(listed).ranks
    return await race(ranks, prober_for(scene.transport, server), head_start=0.3)


@pytest.mark.xdist_group("time")
async def test_server_is_found_on_the_way_that_is_open(scene: Scene) -> None:
    """Each way that is closed gives room to the next one."""
    server = scene.population.server
    seen = [await find(scene)]
    for way in (Way.LOCAL, Way.REMOTE, Way.RELAY):
        await server.close_way(way)
        seen.append(await find(scene))
    kinds = [result.winner and result.winner[0].kind for result in seen]
    assert kinds == [
        ConnectionKind.LOCAL,
        ConnectionKind.REMOTE,
        ConnectionKind.RELAY,
        None,
    ]
    assert type(seen[-1].error) is NotReachedError


async def test_network_without_plex_direct_names(scene: Scene) -> None:
    """Where plex.direct does not resolve the plain private address is left."""
    scene.resolver.broken = True
    result = await find(scene)
    assert result.winner is not None
    assert result.winner[0].url == URL(scene.population.server.http_url)
    scene.population.server.https_required = True
    result = await find(scene)
    assert result.winner is None
    assert isinstance(result.error, DnsError)


async def test_bad_certificate_is_told(scene: Scene) -> None:
    """A server whose certificate is bad is not found, and the certificate is the reason."""
    scene.population.server.https_required = True
    scene.population.server.set_certificate(Certificate.EXPIRED)
    result = await find(scene)
    assert isinstance(result.error, CertificateError)


@pytest.mark.xdist_group("time")
async def test_ipv6(scene: Scene) -> None:
    """A server on ::1 is found by its name, and over plain http by its address."""
    server = await scene.plex.add_server(
        "Six", scene.population.owner, ipv6=True, remote_access=False, relay=False
    )
    await server.close_way(Way.LOCAL)
    servers = await scene.account.servers(scene.population.token)
    listed = next(one for one in servers if one.name == "Six")
    assert "::1" in [one.address for one in listed.connections]
    ranks = KnownServer.from_listed(listed).ranks
    probe = prober_for(scene.transport, server)
    secure = await race(ranks, probe, head_start=0.3)
    assert secure.winner is not None
    assert secure.winner[0].url.scheme == "https"
    broken = Resolver()
    broken.broken = True
    async with plex_session(scene.plex, broken) as other:
        probe = prober_for(Transport(other, IDENTITY), server)
        plain = await race(ranks, probe, head_start=0.3)
    assert plain.winner is not None
    assert (plain.winner[0].url.scheme, plain.winner[0].url.host) == ("http", "::1")

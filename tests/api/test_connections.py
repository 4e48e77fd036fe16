"""Which addresses may be tried, in which order, and how they are tried."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

from aiohttp import ClientSession
import pytest
from yarl import URL

from custom_components.plex_auth.api.account import PlexAccount
from custom_components.plex_auth.api.connections import (
    Candidate,
    ConnectionKind,
    Race,
    best_connection,
    connection_kind,
    is_private,
    is_public,
    parse_address,
    race,
    rank,
)
from custom_components.plex_auth.api.errors import (
    CannotConnectError,
    CertificateError,
    ConnectionTimeoutError,
    DnsError,
    MaintenanceError,
    NotPermittedError,
    PlexError,
    RateLimitedError,
    SecureConnectionRequiredError,
    WrongServerError,
)
from custom_components.plex_auth.api.models import Connection, Identity
from custom_components.plex_auth.api.server import PlexServer
from custom_components.plex_auth.api.transport import Transport
from tests.plex_simulator import (
    Certificate,
    Connection as ListedConnection,
    Fault,
    MediaServer,
    PlexSimulator,
    Way,
)

from .population import IDENTITY, Population, Resolver, plex_session

LOCAL = Connection(
    protocol="https",
    address="192.168.1.2",
    port=32400,
    uri="https://192-168-1-2.x.plex.direct:32400",
    local=True,
    relay=False,
)
REMOTE = replace(
    LOCAL,
    address="203.0.113.9",
    uri="https://203-0-113-9.x.plex.direct:32400",
    local=False,
)
RELAY = replace(
    REMOTE, uri="https://198-51-100-7.x.plex.direct:8443", port=8443, relay=True
)
CUSTOM = replace(REMOTE, address="plex.example.org", uri="https://plex.example.org:443")
PLAIN = replace(LOCAL, protocol="http", uri="http://192.168.1.2:32400")


@pytest.mark.parametrize(
    "text",
    [
        "http://192.168.1.2:32400",
        "https://192-168-1-2.x.plex.direct:32400",
        "https://example.org",
        "HTTPS://EXAMPLE.ORG:443/",
        "https://example.org/plex",
        "http://[::1]:32400",
        "http://[fd00::2]:32400",
        "http://127.0.0.1:32400",
        "https://bücher.example:1",
        "http://homeassistant:32400",
        "http://a1:80",
        "http://1a.2b:80",
    ],
)
def test_addresses_that_requests_may_go_to(text: str) -> None:
    """Names and addresses with http or https are what servers have."""
    url = parse_address(text)
    assert url is not None
    assert url.scheme in ("http", "https")
    assert url.port


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "example.org:32400",
        "//example.org",
        "https://",
        "https:///path",
        "javascript:alert(1)",
        "javascript://example.org/%0aalert(1)",
        "file:///etc/passwd",
        "file://example.org/etc/passwd",
        "data:text/html,x",
        "ftp://example.org",
        "ws://example.org",
        "https://user@example.org",
        "https://user:password@example.org",
        "https://:password@example.org",
        "https://plex.tv@example.org:443",
        "https://example.org?X-Plex-Token=x",
        "https://example.org#x",
        "https://example.org:0",
        "https://example.org:99999",
        "https://example.org:-1",
        "https://example.org:port",
        "http://169.254.169.254/latest/meta-data",
        "https://169.254.0.1:32400",
        "http://[fe80::1]:32400",
        "http://[fe80::1%25eth0]:32400",
        "http://[::ffff:169.254.169.254]:80",
        "http://[::ffff:a9fe:a9fe]:80",
        "http://2852039166",
        "http://0xA9FEA9FE",
        "http://0251.0376.0251.0376",
        "http://169.254.43518",
        "http://169.254.169.254.",
        "http://１６９.254.169.254",
        "http://169。254。169。254",
        "http://%31%36%39.254.169.254",
        "http://0.0.0.0:32400",
        "http://[::]:32400",
        "http://224.0.0.1:32400",
        "http://[ff02::1]:32400",
        "http://255.255.255.255:32400",
        "http://240.0.0.1:32400",
        "http://[::1",
        "http://\ud800.example",
        "http://two words",
        "http://169.254.169.254 x",
        "http://a%00b",
        "http://a\\b",
    ],
)
def test_addresses_that_no_request_goes_to(text: str) -> None:
    """Other schemes, credentials, ports that are none and metadata services are refused."""
    assert parse_address(text) is None


@pytest.mark.parametrize(
    ("host", "private", "public"),
    [
        ("192.168.1.2", True, False),
        ("10.0.0.1", True, False),
        ("172.16.0.1", True, False),
        ("127.0.0.1", True, False),
        ("::1", True, False),
        ("fd00::1", True, False),
        ("::ffff:192.168.1.2", True, False),
        ("::ffff:8.8.8.8", False, True),
        ("8.8.8.8", False, True),
        ("172.32.0.1", False, True),
        ("2606:4700::1111", False, True),
        ("169.254.1.1", False, False),
        ("fe80::1", False, False),
        ("100.64.0.1", False, False),
        ("example.org", False, True),
        ("example.org.", False, True),
        ("192-168-1-2.x.plex.direct", False, True),
        ("nas", False, False),
        ("nas.local", False, False),
        ("nas.home.arpa.", False, False),
        ("", False, False),
        (None, False, False),
    ],
)
def test_private_and_public(host: str | None, private: bool, public: bool) -> None:
    """Private is an address at home; public is an address or a name of the internet."""
    assert is_private(host) is private
    assert is_public(host) is public


def ranked(*connections: Connection, https_required: bool = False) -> list[list[str]]:
    """Return the ranks as texts."""
    return [
        [f"{candidate.kind.value} {candidate.url}" for candidate in candidates]
        for candidates in rank(connections, https_required=https_required)
    ]


LOCAL_RANK = ["local https://192-168-1-2.x.plex.direct:32400"]
PLAIN_RANK = ["local http://192.168.1.2:32400"]
REMOTE_RANK = ["remote https://203-0-113-9.x.plex.direct:32400"]
RELAY_RANK = ["relay https://198-51-100-7.x.plex.direct:8443"]


def test_ranks() -> None:
    """Local before plain local before remote before relay, however they are listed."""
    ranks = [LOCAL_RANK, PLAIN_RANK, REMOTE_RANK, RELAY_RANK]
    assert ranked(LOCAL, REMOTE, RELAY) == ranks
    assert ranked(RELAY, REMOTE, LOCAL) == ranks
    assert ranked() == []
    assert ranked(CUSTOM, REMOTE) == [["remote https://plex.example.org", *REMOTE_RANK]]


def test_required_tls_leaves_no_plain_address() -> None:
    """A server that wants secure connections is never asked over plain http."""
    assert ranked(LOCAL, PLAIN, https_required=True) == [LOCAL_RANK]
    assert ranked(PLAIN, https_required=True) == []


def test_same_address_is_tried_once() -> None:
    """Addresses that are listed twice, or made twice, are one."""
    slash = replace(LOCAL, uri=LOCAL.uri + "/")
    assert ranked(slash, LOCAL, LOCAL, PLAIN) == [LOCAL_RANK, PLAIN_RANK]


@pytest.mark.parametrize(
    ("connection", "plain"),
    [
        (PLAIN, True),
        (replace(PLAIN, local=False), True),
        (replace(PLAIN, uri="http://127.0.0.1:1"), True),
        (replace(PLAIN, uri="http://[::1]:1"), True),
        (replace(PLAIN, uri="http://203.0.113.9.example:1"), False),
        (replace(PLAIN, uri="http://8.8.8.8:32400"), False),
        (replace(PLAIN, uri="http://nas:32400"), False),
        (replace(PLAIN, relay=True), False),
        (LOCAL, True),
        (replace(LOCAL, address="::1"), True),
        (replace(LOCAL, address="8.8.8.8"), False),
        (replace(LOCAL, address="nas"), False),
        (replace(LOCAL, address=None), False),
        (replace(LOCAL, address="169.254.169.254"), False),
        (replace(LOCAL, address="0.0.0.0"), False),
        (replace(LOCAL, address="255.255.255.255"), False),
        (replace(LOCAL, address="::"), False),
        (replace(LOCAL, address="fd00::1%]@evil.example"), False),
        (replace(LOCAL, address="fd00::1%/@evil.example"), False),
        (replace(LOCAL, address="127.0.0.1@evil.example"), False),
        (replace(LOCAL, port=None), False),
        (replace(LOCAL, port=0), False),
        (replace(LOCAL, port=-1), False),
        (replace(LOCAL, port=99999), False),
        (replace(LOCAL, local=False), False),
        (replace(LOCAL, relay=True), False),
        (replace(LOCAL, uri="file:///etc/passwd"), True),
    ],
)
def test_plain_http_stays_at_home(connection: Connection, plain: bool) -> None:
    """A token goes over plain http to a private or loopback address only."""
    found = [
        candidate.url
        for candidates in rank([connection], https_required=False)
        for candidate in candidates
        if candidate.url.scheme == "http"
    ]
    assert bool(found) is plain
    assert all(is_private(url.host) for url in found)


@pytest.mark.parametrize(
    "uri",
    [
        "javascript:alert(1)",
        "file:///etc/passwd",
        "https://user:password@192.168.1.2:32400",
        "https://169.254.169.254",
        "https://192.168.1.2:99999",
        "https://192.168.1.2:32400/?X-Plex-Token=x",
        "ftp://192.168.1.2",
    ],
)
def test_hostile_uri_is_no_candidate(uri: str) -> None:
    """Only the plain address that is private by itself remains of a hostile one."""
    assert ranked(replace(LOCAL, uri=uri)) == [PLAIN_RANK]
    assert ranked(replace(LOCAL, uri=uri), https_required=True) == []
    assert ranked(replace(REMOTE, uri=uri)) == []


def test_at_most_32_addresses_are_looked_at() -> None:
    """A list without end does not become requests without end."""

    def endless() -> list[Connection]:
        return [
            replace(REMOTE, uri=f"https://a{number}.example:1")
            for number in range(10_000)
        ]

    (candidates,) = rank(endless(), https_required=False)
    assert len(candidates) == 32


def test_best_connection_and_kind() -> None:
    """Of a source, local is better than remote, remote than relay, https than http."""
    plain = replace(LOCAL, protocol="http")
    order = [LOCAL, plain, REMOTE, replace(REMOTE, protocol="http"), RELAY]
    for index in range(len(order)):
        assert best_connection(reversed(order[index:])) == order[index]
    assert best_connection([]) is None
    kinds = [connection_kind(one) for one in (LOCAL, REMOTE, RELAY)]
    assert kinds == [ConnectionKind.LOCAL, ConnectionKind.REMOTE, ConnectionKind.RELAY]
    assert connection_kind(replace(LOCAL, relay=True)) is ConnectionKind.RELAY


# The race


def candidate(name: str) -> Candidate:
    """Return a candidate with a name."""
    return Candidate(URL(f"https://{name}.example"), ConnectionKind.LOCAL)


A, B, C, D = map(candidate, "abcd")

type Script = dict[Candidate, tuple[float, PlexError | None]]


class Prober:
    """Probe by a script: seconds until the answer, and the error that it is."""

    def __init__(self, script: Script) -> None:
        """Take the script."""
        self.script = script
        self.started: list[Candidate] = []
        self.cancelled: list[Candidate] = []

    async def __call__(self, probed: Candidate) -> str:
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


async def run(prober: Prober, *ranks: list[Candidate], head_start: float) -> Race[str]:
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
    async with asyncio.timeout(1):
        result = await run(prober, [A, B], [C], head_start=60)
    assert result.winner == (C, "c.example")
    assert result.failures == {A: refused, B: unknown}


async def test_head_start_is_not_renewed_by_a_failure() -> None:
    """The failure of one address gives the others of its rank no more time."""
    prober = Prober({A: (0.03, DnsError()), B: (5, None), C: (0, None)})
    started = asyncio.get_running_loop().time()
    result = await run(prober, [A, B], [C], head_start=0.05)
    assert result.winner == (C, "c.example")
    assert asyncio.get_running_loop().time() - started < 1


async def test_earlier_candidate_wins_a_draw() -> None:
    """Of answers that come at once the better rank's counts."""
    prober = Prober({A: (0, None), B: (0, None)})
    for ranks in ([A, B],), ([A], [B]):
        result = await run(prober, *ranks, head_start=0)
        assert result.winner == (A, "a.example")


async def test_all_fail() -> None:
    """Every failure is kept when nobody answers."""
    errors = {A: DnsError(), B: CertificateError(), C: ConnectionTimeoutError()}
    prober = Prober({one: (0, error) for one, error in errors.items()})
    result = await run(prober, [A], [B, C], head_start=0.01)
    assert result.winner is None
    assert result.failures == errors
    assert isinstance(result.error, CertificateError)


async def test_nobody_to_ask() -> None:
    """A race without candidates ends without a winner."""
    for count in range(3):
        result = await run(Prober({}), *([] for _ in range(count)), head_start=0.01)
        assert result.winner is None
        assert type(result.error) is CannotConnectError


async def test_other_errors_end_the_race() -> None:
    """An error that is none of Plex's is not swallowed, and nothing runs on."""

    async def probe(probed: Candidate) -> str:
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
        ([ConnectionTimeoutError(), WrongServerError()], WrongServerError),
        ([CannotConnectError(), ConnectionTimeoutError()], ConnectionTimeoutError),
        ([NotPermittedError(), CannotConnectError()], CannotConnectError),
        ([NotPermittedError()], NotPermittedError),
        ([], CannotConnectError),
    ],
)
def test_most_telling_error(errors: list[PlexError], telling: type[PlexError]) -> None:
    """Of several failures the one that helps a person most is shown."""
    failures = dict(zip((A, B, C, D), errors, strict=False))
    assert type(Race(None, failures).error) is telling


# Over real sockets


type Probe = Callable[[Candidate], Awaitable[Identity]]


def prober_for(transport: Transport, server: MediaServer) -> Probe:
    """Return a probe that wants to meet this server."""
    return lambda probed: PlexServer(transport, probed.url).identity(
        server.machine_identifier
    )


async def find(
    account: PlexAccount, transport: Transport, population: Population
) -> Race[Identity]:
    """List the server at plex.tv and look for a way to it."""
    server = population.server
    listed = next(
        resource
        for resource in await account.resources(population.token)
        if resource.client_identifier == server.machine_identifier
    )
    ranks = rank(listed.connections, https_required=listed.https_required)
    return await race(ranks, prober_for(transport, server), head_start=0.3)


async def test_server_is_found_on_the_way_that_is_open(
    account: PlexAccount, transport: Transport, population: Population
) -> None:
    """Each way that is closed gives room to the next one."""
    server = population.server
    seen = [await find(account, transport, population)]
    for way in (Way.LOCAL, Way.REMOTE, Way.RELAY):
        await server.close_way(way)
        seen.append(await find(account, transport, population))
    kinds = [result.winner and result.winner[0].kind for result in seen]
    assert kinds == [
        ConnectionKind.LOCAL,
        ConnectionKind.REMOTE,
        ConnectionKind.RELAY,
        None,
    ]
    assert type(seen[-1].error) is CannotConnectError


async def test_network_without_plex_direct_names(
    account: PlexAccount,
    transport: Transport,
    population: Population,
    resolver: Resolver,
) -> None:
    """Where plex.direct does not resolve the plain private address is left."""
    resolver.broken = True
    result = await find(account, transport, population)
    assert result.winner is not None
    assert result.winner[0].url == URL(population.server.http_url)
    population.server.https_required = True
    result = await find(account, transport, population)
    assert result.winner is None
    assert isinstance(result.error, DnsError)


async def test_bad_certificate_is_told(
    account: PlexAccount, transport: Transport, population: Population
) -> None:
    """A server whose certificate is bad is not found, and the certificate is the reason."""
    population.server.https_required = True
    population.server.set_certificate(Certificate.EXPIRED)
    result = await find(account, transport, population)
    assert isinstance(result.error, CertificateError)


async def test_ipv6(
    plex: PlexSimulator, session: ClientSession, population: Population
) -> None:
    """A server on ::1 is found by its name, and over plain http by its address."""
    server = await plex.add_server(
        "Six", population.owner, ipv6=True, remote_access=False, relay=False
    )
    await server.close_way(Way.LOCAL)
    transport = Transport(session, IDENTITY)
    account = PlexAccount(transport, plex.api_url)
    listed = next(
        one for one in await account.resources(population.token) if one.name == "Six"
    )
    assert "::1" in [one.address for one in listed.connections]
    ranks = rank(listed.connections, https_required=False)
    probe = prober_for(transport, server)
    secure = await race(ranks, probe, head_start=0.3)
    assert secure.winner is not None
    assert secure.winner[0].url.scheme == "https"
    broken = Resolver()
    broken.broken = True
    async with plex_session(plex, broken) as other:
        probe = prober_for(Transport(other, IDENTITY), server)
        plain = await race(ranks, probe, head_start=0.3)
    assert plain.winner is not None
    assert (plain.winner[0].url.scheme, plain.winner[0].url.host) == ("http", "::1")


@pytest.mark.parametrize("way", ["another server", "redirect", "not a server"])
async def test_hostile_list_leads_no_token_astray(
    plex: PlexSimulator,
    account: PlexAccount,
    transport: Transport,
    population: Population,
    way: str,
) -> None:
    """Wherever a list points, a machine that is not the right one sees no token."""
    server, other = population.server, population.other
    uris = [
        other.https_url,
        other.http_url,
        "javascript:alert(1)",
        "file:///etc/passwd",
        f"https://plex.tv:443@127.0.0.1:{other.port}",
        "http://169.254.169.254:80",
        f"https://127.0.0.1:{other.port + 65536}",
    ]
    server.connections = [
        ListedConnection(
            protocol="https",
            address="127.0.0.1",
            port=other.port,
            uri=uri,
            local=True,
        )
        for uri in uris
    ]
    if way == "redirect":
        other.faults.set("*", Fault.redirect(f"{server.https_url}/identity"))
    elif way == "not a server":
        other.faults.set("*", Fault.html(200))
    result = await find(account, transport, population)
    assert result.winner is None
    if way == "another server":
        assert isinstance(result.error, WrongServerError)
    asked = [request for request in plex.requests if request.host != "plex.tv"]
    assert {request.host for request in asked} == {other.machine_identifier}
    assert {request.endpoint for request in asked} == {"identity"}
    assert all("X-Plex-Token" not in request.headers for request in asked)

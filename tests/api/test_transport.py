"""What every request has and never has, and what becomes of an answer that is too much."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
import gzip
import logging
import tracemalloc
from unittest.mock import patch

from aiohttp import ClientResponse, ClientSession, ClientTimeout, web
import pytest
from yarl import URL

from custom_components.plex_auth.api import errors, transport as sending
from custom_components.plex_auth.api.failures import plex_tv_error
from custom_components.plex_auth.api.plex_tv import PlexTv
from custom_components.plex_auth.api.server import CLAIM_TIMEOUT, PlexServer
from custom_components.plex_auth.api.transport import (
    LARGEST_BODY,
    PROBE_TIMEOUT,
    TIMEOUT,
    Transport,
)
from tests.plex_simulator import Certificate, Fault, PlexSimulator

from .fault_matrix import CALLS, Scene
from .population import IDENTITY, PASSWORD, Population, Resolver

TOKEN = "marker-token-1"


@pytest.fixture
def scene(
    plex: PlexSimulator,
    population: Population,
    resolver: Resolver,
    transport: Transport,
    account: PlexTv,
) -> Scene:
    """Return the calls and whom they meet."""
    server = PlexServer(transport, URL(population.server.https_url))
    return Scene(plex, population, resolver, account, server)


async def test_every_request_names_the_client(scene: Scene) -> None:
    """Each call sends all headers, shows its token in the header alone, and no cookie."""
    for call in CALLS:
        needed = await call.prepare(scene)
        scene.simulator.requests.clear()
        await call.make(scene, needed)
        (request,) = scene.simulator.requests
        sent = request.headers
        assert {name: sent[name] for name in IDENTITY.headers()} == IDENTITY.headers()
        assert sent["Accept"] == "application/json"
        assert sent["X-Plex-Client-Identifier"] == "client-1"
        assert "Cookie" not in sent
        needs_token = call.name not in (
            "sign_in",
            "create_pin",
            "check_pin",
            "identity",
            "claim",
        )
        assert sent.get("X-Plex-Token") == (needed if needs_token else None)
        assert "X-Plex-Token" not in request.query
        if needs_token:
            assert needed not in request.path + str(request.query) + str(request.form)


async def test_no_cookie_comes_back(scene: Scene, session: ClientSession) -> None:
    """The cookie that plex.tv sets is forgotten at once."""
    given: list[str] = []
    original = ClientSession._request

    async def spy(*args: object, **options: object) -> ClientResponse:
        response = await original(*args, **options)  # type: ignore[arg-type]
        given.extend(response.headers.getall("Set-Cookie"))
        return response

    with patch.object(ClientSession, "_request", spy):
        for _ in range(2):
            await scene.account.user(scene.population.token)
    assert len(given) == 2
    assert len(list(session.cookie_jar)) == 0
    assert all("Cookie" not in one.headers for one in scene.simulator.requests)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_redirect_is_not_followed(scene: Scene, status: int) -> None:
    """Neither the same host nor another one sees a request after a redirect."""
    other = scene.population.other
    for target in (
        f"{scene.simulator.base_url}/api/v2/ping",
        f"{other.http_url}/identity",
        f"{other.https_url}/identity",
    ):
        scene.simulator.faults.set("user", Fault.redirect(target, status), times=1)
        with pytest.raises(errors.UnexpectedAnswerError) as caught:
            await scene.account.user(scene.population.token)
        assert caught.value.status == status
    assert {request.endpoint for request in scene.simulator.requests} == {"user"}
    assert {request.host for request in scene.simulator.requests} == {"plex.tv"}


@pytest.mark.parametrize(
    "fault",
    [Fault.reset(), Fault.reset(processed=True), Fault.half_body()],
    ids=["before", "after", "within the answer"],
)
async def test_sign_in_is_never_sent_twice(scene: Scene, fault: Fault) -> None:
    """A sign-in that breaks off is not repeated, on a new connection or one in use."""
    for _ in range(2):
        scene.simulator.requests.clear()
        scene.simulator.faults.set("signin", fault, times=1)
        with pytest.raises(errors.CannotConnectError):
            await scene.account.sign_in("anna", PASSWORD)
        assert len(scene.simulator.requests_to("signin")) == 1
        await scene.account.user(scene.population.token)


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        (Certificate.EXPIRED, errors.CertificateError),
        (Certificate.UNKNOWN_AUTHORITY, errors.CertificateError),
        (Certificate.WRONG_NAME, errors.CertificateError),
        (Certificate.ABSENT, errors.NotReachedError),
    ],
)
async def test_bad_certificate_gets_no_token(
    scene: Scene, kind: Certificate, error: type[errors.PlexError]
) -> None:
    """Nothing is sent to a host that cannot prove its name."""
    scene.simulator.set_certificate(kind)
    scene.population.server.set_certificate(kind)
    for ask in (
        scene.account.user(TOKEN),
        scene.server.identity(),
        scene.server.check_token(TOKEN),
    ):
        with pytest.raises(errors.PlexError) as caught:
            await ask
        assert type(caught.value) is error
    assert scene.simulator.requests == []


async def test_unknown_name_and_closed_port_are_told_apart(scene: Scene) -> None:
    """A name without address and a port that nobody listens at have their own errors."""
    account = PlexTv(
        scene.account._transport, f"https://localhost:{scene.simulator.port}/api/v2"
    )
    scene.resolver.broken = True
    with pytest.raises(errors.DnsError):
        await account.user(TOKEN)
    scene.resolver.broken = False
    await scene.simulator.stop_plex_tv()
    with pytest.raises(errors.CannotConnectError) as caught:
        await account.user(TOKEN)
    assert type(caught.value) is errors.NotReachedError


@pytest.mark.parametrize(
    "fault", [Fault.delay(1), Fault.slow_body(1)], ids=["head", "body"]
)
async def test_slow_answer_times_out(scene: Scene, fault: Fault) -> None:
    """A head or body that does not come in time ends the request."""
    scene.simulator.faults.set("user", fault, times=1)
    with pytest.raises(errors.ConnectionTimeoutError):
        await scene.account._transport.request(
            "GET",
            URL(scene.simulator.api_url) / "user",
            plex_tv_error,
            timeout=ClientTimeout(total=0.1),
        )


async def test_every_request_has_a_time_limit(scene: Scene) -> None:
    """Each call hands over a total and a connect timeout, a probe shorter ones."""
    used: dict[str, ClientTimeout] = {}
    original = ClientSession._request

    async def spy(*args: object, **options: object) -> ClientResponse:
        timeout = options["timeout"]
        assert isinstance(timeout, ClientTimeout)
        used[call.name] = timeout
        assert options["allow_redirects"] is False
        return await original(*args, **options)  # type: ignore[arg-type]

    with patch.object(ClientSession, "_request", spy):
        for call in CALLS:
            await call.make(scene, await call.prepare(scene))
    assert used.pop("identity") == PROBE_TIMEOUT
    assert used.pop("claim") == CLAIM_TIMEOUT
    assert set(used.values()) == {TIMEOUT}
    assert CLAIM_TIMEOUT.total == 60
    for limit in (TIMEOUT, PROBE_TIMEOUT):
        assert limit.total is not None
        assert limit.total <= 20
        assert limit.connect is not None
        assert limit.sock_connect is not None


type Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def serving(handler: Handler) -> AsyncIterator[URL]:
    """Serve one handler at an address of its own."""
    runner = web.ServerRunner(web.Server(handler), shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    try:
        yield URL(f"http://{host}:{port}/")
    finally:
        await runner.cleanup()


@asynccontextmanager
async def raw_serving(answer: bytes) -> AsyncIterator[URL]:
    """Serve exactly these bytes to every connection, then close it."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        host, port = server.sockets[0].getsockname()[:2]
        yield URL(f"http://{host}:{port}/")


async def test_endless_body_is_refused_while_it_is_read(transport: Transport) -> None:
    """Reading stops at the limit: the host gets rid of little more than that."""
    sent = 0

    async def endless(request: web.BaseRequest) -> web.StreamResponse:
        nonlocal sent
        response = web.StreamResponse()
        await response.prepare(request)
        while sent < 100 * LARGEST_BODY:
            await response.write(b"x" * 65536)
            sent += 65536
        return response

    async with serving(endless) as url:
        with pytest.raises(errors.UnexpectedAnswerError) as caught:
            await transport.request("GET", url, plex_tv_error)
    assert caught.value.status == 200
    # What is under way in buffers of both sides comes on top of what was read.
    assert sent < 20 * LARGEST_BODY


async def test_large_error_body_is_refused_too(transport: Transport) -> None:
    """An error page is no way around the limit."""

    async def large(request: web.BaseRequest) -> web.StreamResponse:
        return web.Response(status=500, body=b"x" * (LARGEST_BODY + 1))

    async with serving(large) as url:
        with pytest.raises(errors.UnexpectedAnswerError):
            await transport.request("GET", url, plex_tv_error)


async def test_body_of_exactly_the_limit_is_taken(transport: Transport) -> None:
    """The limit itself is allowed."""
    body = b'"' + b"x" * (LARGEST_BODY - 2) + b'"'

    async def full(request: web.BaseRequest) -> web.StreamResponse:
        return web.Response(body=body)

    async with serving(full) as url:
        assert await transport.request("GET", url, plex_tv_error) == body[1:-1].decode()


async def test_packed_body_is_refused_before_it_fills_the_memory(
    transport: Transport,
) -> None:
    """A small body that unpacks to hundreds of megabytes takes no more than a few."""
    packed = gzip.compress(b"\0" * (300 * LARGEST_BODY))

    async def bomb(request: web.BaseRequest) -> web.StreamResponse:
        return web.Response(body=packed, headers={"Content-Encoding": "gzip"})

    async with serving(bomb) as url:
        tracemalloc.start()
        try:
            with pytest.raises(errors.UnexpectedAnswerError):
                await transport.request("GET", url, plex_tv_error)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert peak < 16 * LARGEST_BODY


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (b"", errors.ConnectionClosedError),
        (b"HTTP/1.1 200 OK\r\n", errors.ConnectionClosedError),
        (b"no HTTP at all\r\n\r\n", errors.UnexpectedAnswerError),
        (b"HTTP/1.1 banana OK\r\n\r\n", errors.UnexpectedAnswerError),
        (
            b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000 + b"\r\n\r\n",
            errors.UnexpectedAnswerError,
        ),
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf",
            errors.CannotConnectError,
        ),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
            errors.UnexpectedAnswerError,
        ),
        (
            b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nhalf",
            errors.CannotConnectError,
        ),
    ],
)
async def test_broken_http_is_a_plex_error(
    transport: Transport, answer: bytes, error: type[errors.PlexError]
) -> None:
    """What is not HTTP ends in an error of ours as well, without a context."""
    async with raw_serving(answer) as url:
        with pytest.raises(errors.PlexError) as caught:
            await transport.request("GET", url, plex_tv_error, token=TOKEN)
    assert type(caught.value) is error
    assert caught.value.__context__ is None
    assert caught.value.__cause__ is None


@pytest.mark.parametrize(
    "text", ["a\r\nX-Injected: 1", "a\nb", "a\rb", "a\0b", "\ud800", "ä", "", " "]
)
async def test_odd_token_is_sent_as_it_is_or_not_at_all(
    scene: Scene, text: str
) -> None:
    """A token cannot add a header, and one that no header can hold is a bad request."""
    with pytest.raises(errors.PlexError) as caught:
        await scene.account.user(text)
    assert caught.value.__context__ is None
    for request in scene.simulator.requests:
        assert "X-Injected" not in request.headers
        assert request.path == "/api/v2/user"
    if set(text) & set("\r\n\0"):
        assert type(caught.value) is errors.BadRequestError
        assert scene.simulator.requests == []


async def test_log_has_no_secret_and_no_broken_line(
    scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    """At debug a request is one line: method, address without query, and its end."""
    caplog.set_level(logging.DEBUG)
    token = scene.population.token
    await scene.account.user(token)
    with pytest.raises(errors.PlexError):
        await scene.account.sign_in("marker-login", "marker-password", "123456")
    with pytest.raises(errors.PlexError):
        await scene.account._transport.request(
            "GET",
            URL(f"{scene.simulator.base_url}/a%0Ab?q=marker-query"),
            plex_tv_error,
            token=token,
        )
    lines = [
        record.getMessage()
        for record in caplog.records
        if record.name == sending.__name__
    ]
    base = scene.simulator.base_url
    assert lines == [
        f"GET {base}/api/v2/user: 200",
        f"POST {base}/api/v2/users/signin: 401",
        f"GET {base}/a%0Ab: 404",
    ]
    assert "marker" not in caplog.text
    assert token not in caplog.text


async def test_errors_do_not_hold_what_was_sent(scene: Scene) -> None:
    """No error leads to token, password or address, not even through its context."""
    account = scene.account
    secrets = (TOKEN, "marker-login", "marker-password")
    scene.simulator.faults.set("*", Fault.reset())
    for ask in (
        account.user(TOKEN),
        account.sign_in("marker-login", "marker-password"),
    ):
        with pytest.raises(errors.PlexError) as caught:
            await ask
        error = caught.value
        assert error.__context__ is None
        assert error.__cause__ is None
        shown = repr(error) + str(error) + repr(error.args) + repr(vars(error))
        assert not any(secret in shown for secret in secrets)


async def test_no_connection_stays_busy(scene: Scene, session: ClientSession) -> None:
    """Whatever the answer, its connection is given back or closed."""
    faults = (
        Fault.status(503),
        Fault.html(200),
        Fault.huge_body(),
        Fault.half_body(),
        Fault.reset(),
        Fault.redirect("/identity"),
        Fault.body("{"),
        Fault.body(b"\xff\xfe\xfd"),
    )
    connector = session.connector
    assert connector is not None
    for fault in faults:
        scene.simulator.faults.set("user", fault)
        with pytest.raises(errors.PlexError):
            await scene.account.user(TOKEN)
        assert connector._acquired == set()
        assert len(connector._acquired_per_host) == 0


async def test_simulator_without_tls_is_reached_over_plain_http(
    session: ClientSession,
) -> None:
    """The base address alone decides about TLS; the context is the session's own."""
    async with PlexSimulator() as simulator:
        owner = simulator.add_account("anna")
        account = PlexTv(Transport(session, IDENTITY), simulator.api_url)
        found = await account.user(owner.sign_in_token("client-1"))
        assert found.username == "anna"

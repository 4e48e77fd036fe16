"""What every request has and never has, and what becomes of an answer that is too much."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
import logging
from threading import current_thread, main_thread
from unittest.mock import patch

from aiohttp import ClientResponse, ClientSession, ClientTimeout, web
import pytest
from yarl import URL

from custom_components.plex_auth.api import errors, transport as sending
from custom_components.plex_auth.api.bodies import LARGEST_BODY
from custom_components.plex_auth.api.failures import plex_tv_error
from custom_components.plex_auth.api.server import CLAIM_TIMEOUT, PlexServer
from custom_components.plex_auth.api.transport import (
    LARGEST_LIST,
    PROBE_TIMEOUT,
    TIMEOUT,
    Transport,
)
from tests.plex_simulator import Fault

from .fault_matrix import CALLS
from .population import IDENTITY, PASSWORD, Scene
from .raw_host import raw_host

TOKEN = "marker-token-1"


async def test_every_request_names_the_client(scene: Scene) -> None:
    """Each call sends all headers, shows its token in the header alone, and no cookie."""
    for call in CALLS:
        needed = call.prepare(scene)
        scene.plex.requests.clear()
        await call.make(scene, needed)
        (request,) = scene.plex.requests
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
    assert all("Cookie" not in one.headers for one in scene.plex.requests)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_redirect_is_not_followed(scene: Scene, status: int) -> None:
    """Neither the same host nor another one sees a request after a redirect."""
    other = scene.population.other
    for target in (
        f"{scene.plex.base_url}/api/v2/ping",
        f"{other.http_url}/identity",
        f"{other.https_url}/identity",
    ):
        scene.plex.faults.set("user", Fault.redirect(target, status), times=1)
        with pytest.raises(errors.UnexpectedAnswerError) as caught:
            await scene.account.user(scene.population.token)
        assert caught.value.status == status
    assert {request.endpoint for request in scene.plex.requests} == {"user"}
    assert {request.host for request in scene.plex.requests} == {"plex.tv"}


@pytest.mark.parametrize(
    ("location", "origin"),
    [
        ("https://plex.example.com/login?rd=secret#x", "https://plex.example.com"),
        ("https://user:secret@plex.example.com:1/a", "https://plex.example.com:1"),
        ("//plex.example.com", "http://plex.example.com"),
        ("/secret", "http://127.0.0.1:{port}"),
        ("", "http://127.0.0.1:{port}"),
        ("https://[", None),
        ("https://[]@", None),
        ("mailto:anna@example.com", None),
    ],
)
async def test_origin_of_a_redirect(
    scene: Scene, transport: Transport, location: str, origin: str | None
) -> None:
    """The error of a server's redirect knows where it leads, and no more than that."""
    host = scene.population.server
    server = PlexServer(transport, URL(host.http_url))
    host.faults.set("*", Fault.redirect(location))
    with pytest.raises(errors.RedirectedError) as caught:
        await server.identity()
    expected = URL(origin.format(port=host.port)) if origin else None
    assert caught.value.origin == expected
    assert "secret" not in f"{caught.value!r} {vars(caught.value)}"
    # An answer to a request with a token may have it in the host.
    with pytest.raises(errors.RedirectedError) as caught:
        await server.check_token(TOKEN)
    assert caught.value.origin is None


@pytest.mark.parametrize(
    "fault",
    [Fault.reset(), Fault.reset(processed=True), Fault.half_body()],
    ids=["before", "after", "within the answer"],
)
async def test_sign_in_is_never_sent_twice(scene: Scene, fault: Fault) -> None:
    """A sign-in that breaks off is not repeated, on a new connection or one in use."""
    for _ in range(2):
        scene.plex.requests.clear()
        scene.plex.faults.set("signin", fault, times=1)
        with pytest.raises(errors.CannotConnectError):
            await scene.account.sign_in("anna", PASSWORD)
        assert len(scene.plex.requests_to("signin")) == 1
        await scene.account.user(scene.population.token)


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
            await call.make(scene, call.prepare(scene))
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


async def test_body_of_exactly_the_limit_is_taken(transport: Transport) -> None:
    """The limit itself is allowed."""
    body = b'"' + b"x" * (LARGEST_BODY - 2) + b'"'

    async def full(request: web.BaseRequest) -> web.StreamResponse:
        return web.Response(body=body)

    async with serving(full) as url:
        assert await transport.request("GET", url, plex_tv_error) == body[1:-1].decode()


@pytest.mark.parametrize("status", [404, 503])
async def test_huge_page_of_a_failure_counts_by_its_status(
    transport: Transport, status: int
) -> None:
    """A page in place of a list is told by its status, however long it is."""

    async def page(request: web.BaseRequest) -> web.StreamResponse:
        return web.Response(status=status, body=b"x" * (LARGEST_BODY + 1))

    async with serving(page) as url:
        with pytest.raises(errors.UnavailableError) as caught:
            await transport.get_list(url, plex_tv_error, bytes.decode, token=TOKEN)
    assert caught.value.status == status


async def test_long_list_is_read_in_a_thread(transport: Transport) -> None:
    """What takes long to read keeps nobody waiting; what is short needs no thread."""
    size = 0

    async def full(request: web.BaseRequest) -> web.StreamResponse:
        return web.Response(body=b"x" * size)

    def read(body: bytes) -> tuple[int, bool]:
        return len(body), current_thread() is main_thread()

    async with serving(full) as url:
        for size, in_loop in (
            (256 * 1024, True),
            (256 * 1024 + 1, False),
            (LARGEST_LIST, False),
        ):
            found = await transport.get_list(url, plex_tv_error, read, token=TOKEN)
            assert found == (size, in_loop)
        size = LARGEST_LIST + 1
        with pytest.raises(errors.TooLargeError):
            await transport.get_list(url, plex_tv_error, read, token=TOKEN)


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
    async with raw_host(answer) as url:
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
    for request in scene.plex.requests:
        assert "X-Injected" not in request.headers
        assert request.path == "/api/v2/user"
    if set(text) & set("\r\n\0"):
        assert type(caught.value) is errors.BadRequestError
        assert scene.plex.requests == []


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
        await scene.transport.request(
            "GET",
            URL(f"{scene.plex.base_url}/a%0Ab?q=marker-query"),
            plex_tv_error,
            token=token,
        )
    lines = [
        record.getMessage()
        for record in caplog.records
        if record.name == sending.__name__
    ]
    base = scene.plex.base_url
    plex_tv = base.replace("127.0.0.1", "localhost")
    assert lines == [
        f"GET {plex_tv}/api/v2/user: 200",
        f"POST {plex_tv}/api/v2/users/signin: 401",
        f"GET {base}/a%0Ab: 404",
    ]
    assert "marker" not in caplog.text
    assert token not in caplog.text

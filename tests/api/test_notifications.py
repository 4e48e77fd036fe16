"""The notification socket of a server: opened, lost, refused, and what is told of it."""

import asyncio
from asyncio import WriteTransport
from asyncio.sslproto import SSLProtocol
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
import logging
import time
import tracemalloc
import zlib

from aiohttp import ClientSession, WSCloseCode, WSMsgType, web
from aiohttp.helpers import TimerContext
import pytest
from yarl import URL

from custom_components.plex_auth.api import errors, notifications as module, transport
from custom_components.plex_auth.api.bodies import LARGEST_BODY
from custom_components.plex_auth.api.notifications import Notifications
from custom_components.plex_auth.api.server import PlexServer
from custom_components.plex_auth.api.transport import Socket, Transport
from tests.event_loop_steps import longest_step
from tests.helpers import until
from tests.plex_simulator import Fault, MediaServer, PlexSimulator

from .population import IDENTITY, Population
from .test_transport import serving


@asynccontextmanager
async def serving_sockets(
    send: Callable[[WriteTransport], None],
) -> AsyncIterator[URL]:
    """Serve sockets on which bytes are sent by hand; return the address."""

    async def answer(request: web.BaseRequest) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(timeout=0)
        await socket.prepare(request)
        assert isinstance(request.transport, WriteTransport)
        send(request.transport)
        async for _ in socket:
            pass
        return socket

    async with serving(answer) as url:
        yield url


_buffer_updated = SSLProtocol.buffer_updated


class Listener:
    """Listen to a server, and count what is told."""

    def __init__(
        self, transport: Transport, server: MediaServer, token: str, url: str
    ) -> None:
        """Take the server."""
        self.transport = transport
        self.server = PlexServer(transport, URL(url))
        self.token = token
        self.news: list[bool] = []
        self.answers: list[bool] = []
        self.notifications = Notifications(server.machine_identifier, self._tell)

    def _tell(self, answers: bool) -> None:
        self.news.append(self.notifications.is_open)
        self.answers.append(answers)

    def listen(self) -> None:
        """Keep a socket open."""
        self.notifications.listen(self.server, self.token)

    async def opened(self) -> None:
        """Wait for the socket to be open."""
        await until(lambda: self.notifications.is_open)

    async def lost(self) -> None:
        """Wait for the socket to be lost."""
        await until(lambda: not self.notifications.is_open)

    async def failed(self, kind: type[errors.PlexError]) -> None:
        """Wait for an attempt to fail."""
        await until(lambda: type(self.notifications.failure) is kind)


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Make all pauses short, and return those that there would have been."""
    wanted: list[float] = []
    wait = Notifications._wait

    async def short(self: Notifications, seconds: float) -> None:
        wanted.append(seconds)
        await wait(self, min(seconds, 0.02))

    monkeypatch.setattr(Notifications, "_wait", short)
    return wanted


@pytest.fixture
async def listener(
    transport: Transport, population: Population, pauses: list[float]
) -> AsyncIterator[Listener]:
    """Return the owner's listener to the server, at its secure address."""
    server = population.server
    made = Listener(transport, server, population.server_token, server.https_url)
    yield made
    await made.notifications.close()
    await until(lambda: not server.notifications or not server.is_running)


async def test_opens(
    plex: PlexSimulator, listener: Listener, population: Population
) -> None:
    """The socket is opened once, with our name and the token in headers alone."""
    listener.listen()
    await listener.opened()
    listener.listen()
    (request,) = plex.requests
    assert request.endpoint == "notifications"
    assert request.query == {"filters": "reachability"}
    assert request.headers["X-Plex-Token"] == listener.token
    for name, value in IDENTITY.headers().items():
        assert request.headers[name] == value
    assert "Cookie" not in request.headers
    assert "Sec-WebSocket-Extensions" not in request.headers
    assert listener.news == []
    assert not listener.notifications.is_refused
    await listener.notifications.close()
    assert not listener.notifications.is_open
    await until(lambda: not population.server.notifications)


@pytest.mark.parametrize("how", ["stop", "kill"])
async def test_restart(
    plex: PlexSimulator, listener: Listener, population: Population, how: str
) -> None:
    """A server that is back in a moment was never gone, and the socket is open again."""
    listener.listen()
    await listener.opened()
    await getattr(population.server, how)()
    await population.server.start()
    await until(lambda: listener.news == [True])
    sent = [request.endpoint for request in plex.requests]
    assert sent == ["notifications", "identity", "notifications"]
    assert "X-Plex-Token" not in plex.requests[1].headers


async def test_gone_and_back(listener: Listener, population: Population) -> None:
    """It is told that a server is gone, each time that it is tried, and that it is back."""
    listener.listen()
    await listener.opened()
    await population.server.stop()
    await until(lambda: len(listener.news) >= 3)
    assert not any(listener.news)
    assert not any(listener.answers)
    assert isinstance(listener.notifications.failure, errors.CannotConnectError)
    await population.server.start()
    await until(lambda: listener.news[-1])
    assert listener.news.count(True) == 1
    assert listener.notifications.failure is None


async def test_gone_before_it_opens(
    listener: Listener, population: Population, pauses: list[float]
) -> None:
    """A server that goes before its socket opens is gone as one whose socket is lost."""
    await population.server.stop()
    listener.listen()
    await until(lambda: len(listener.news) >= 2)
    assert not any(listener.answers)
    await population.server.start()
    await listener.opened()
    assert pauses[:2] == [2, 5]
    assert listener.answers[-1]


async def test_pauses_grow(
    listener: Listener, population: Population, pauses: list[float]
) -> None:
    """Whoever is away is tried every 5 s in the first minute, then less and less."""
    listener.listen()
    await listener.opened()
    await population.server.stop()
    await until(lambda: len(pauses) >= 22)
    assert pauses[:22] == [2, *[5] * 12, 15, 30, 60, 120, 240, *[300] * 4]


async def test_flapping(
    listener: Listener,
    population: Population,
    pauses: list[float],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A socket that is lost soon makes nobody quick again; one that lasted does."""
    server = population.server
    listener.listen()
    for number in range(15):
        await until(lambda number=number: server.notifications.opened > number)  # type: ignore[misc]
        await listener.opened()
        await server.notifications.close()
        await listener.lost()
    assert pauses[:14] == [2, *[5] * 12, 15]
    await listener.opened()
    monkeypatch.setattr(module, "_STEADY_SECONDS", 0.0)
    await server.notifications.close()
    await until(lambda: pauses[-1] == 2)


async def test_boot(
    plex: PlexSimulator, listener: Listener, population: Population
) -> None:
    """A server that boots is not there yet: no socket is asked for."""
    listener.listen()
    await listener.opened()
    await population.server.restart("startingPlugins")
    await listener.failed(errors.StartingUpError)
    assert len(plex.requests_to("notifications")) == 1
    population.server.booting = None
    await listener.opened()


async def test_unclaimed_meanwhile(
    plex: PlexSimulator, listener: Listener, population: Population
) -> None:
    """A server that has come to belong to no account is not shown the token."""
    listener.listen()
    await listener.opened()
    population.server.claimed = False
    await population.server.restart()
    await listener.failed(errors.NotClaimedError)
    assert len(plex.requests_to("notifications")) == 1
    assert True in listener.answers


async def test_another_machine(
    plex: PlexSimulator, listener: Listener, population: Population
) -> None:
    """A machine that has got the address is not shown the token."""
    listener.listen()
    await listener.opened()
    population.server.machine_identifier = "another"
    await population.server.restart()
    await listener.failed(errors.WrongServerError)
    assert len(plex.requests_to("notifications")) == 1


@pytest.mark.parametrize("status", [401, 403])
async def test_refused(
    plex: PlexSimulator,
    listener: Listener,
    population: Population,
    pauses: list[float],
    status: int,
) -> None:
    """Where it is refused it is not asked for, until token or address change."""
    population.server.faults.set("notifications", Fault.status(status))
    listener.listen()
    await until(lambda: listener.notifications.is_refused)
    listener.notifications.hurry()
    listener.listen()
    await asyncio.sleep(0.1)
    assert isinstance(listener.notifications.failure, errors.NotPermittedError)
    assert len(plex.requests_to("notifications")) == 1
    assert listener.news == pauses == []
    population.server.faults.clear()
    listener.token = population.token
    listener.listen()
    await listener.opened()
    listener.server = PlexServer(listener.transport, URL(population.server.http_url))
    listener.listen()
    assert not listener.notifications.is_open
    await listener.opened()
    assert not plex.requests[-1].secure
    await until(lambda: len(population.server.notifications) == 1)


async def test_shared_user(
    plex: PlexSimulator, listener: Listener, population: Population
) -> None:
    """With whom a server is only shared may not have a socket."""
    listener.token = population.server.access_token_for(population.guest)
    listener.listen()
    await until(lambda: listener.notifications.is_refused)
    assert plex.requests[-1].status == 401


@pytest.mark.parametrize("status", [401, 404, 502])
async def test_refused_later(
    listener: Listener, population: Population, pauses: list[float], status: int
) -> None:
    """Where it was open before it is soon asked for again, and hourly in the end.

    A server that has just started may need time to know us, a proxy to know the server.
    """
    listener.listen()
    await listener.opened()
    population.server.faults.set("notifications", Fault.status(status), times=21)
    await population.server.notifications.close()
    await until(lambda: listener.news == [*[False] * 21, True])
    assert all(listener.answers)
    assert pauses[:22] == [2, *[5] * 12, 15, 30, 60, 120, 240, *[3600] * 4]


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (Fault.status(404), errors.NotFoundError),
        (Fault.html(200), errors.UnexpectedAnswerError),
        (Fault.status(502), errors.UnavailableError),
        (
            Fault.status(101, headers={"Upgrade": "websocket"}),
            errors.UnexpectedAnswerError,
        ),
        (Fault.reset(), errors.ConnectionClosedError),
    ],
)
async def test_no_sockets_there(
    listener: Listener,
    population: Population,
    pauses: list[float],
    fault: Fault,
    kind: type[errors.PlexError],
) -> None:
    """Who knows no sockets is asked for one hourly, and nothing is told."""
    population.server.faults.set("notifications", fault)
    listener.listen()
    await until(lambda: len(pauses) > 1)
    assert type(listener.notifications.failure) is kind
    population.server.faults.clear()
    await listener.opened()
    assert set(pauses) == {3600}
    assert listener.news == [True]


async def test_peace_is_granted(
    listener: Listener, population: Population, pauses: list[float]
) -> None:
    """A server that wants peace has it for a quarter of an hour at most."""
    for seconds in ("600", "7200"):
        fault = Fault.status(429, headers={"Retry-After": seconds})
        population.server.faults.set("identity", fault, times=1)
        listener.listen()
        await listener.opened()
        await population.server.notifications.close()
        await until(lambda: len(pauses) >= 2)
        await listener.opened()
        assert pauses[:2] == [2, min(int(seconds), 900)]
        pauses.clear()
        listener.notifications.stop()


async def test_hurry(
    listener: Listener, population: Population, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who is in a hurry ends a pause, and only that."""
    monkeypatch.undo()
    population.server.faults.set("notifications", Fault.status(404), times=1)
    listener.notifications.hurry()
    listener.listen()
    await listener.failed(errors.NotFoundError)
    await asyncio.sleep(0.05)
    assert not listener.notifications.is_open
    listener.notifications.hurry()
    await listener.opened()
    listener.notifications.hurry()
    await asyncio.sleep(0.05)
    assert population.server.notifications.opened == 1


@pytest.mark.xdist_group("time")
async def test_silence(
    listener: Listener, population: Population, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that neither answers nor closes is found out by the heartbeat, at once."""
    monkeypatch.setattr(transport, "HEARTBEAT", 0.4)
    listener.listen()
    await listener.opened()
    await asyncio.sleep(2.5 * transport.HEARTBEAT)
    assert listener.notifications.is_open
    population.server.vanish()
    start = time.monotonic()
    await until(lambda: listener.news)
    assert time.monotonic() - start < 2 * transport.HEARTBEAT
    await population.server.reappear()
    await listener.opened()
    # What waited for the one that had vanished ends with it.
    assert population.server.notifications.opened == 2


@pytest.mark.xdist_group("time")
async def test_close_in_silence(listener: Listener, population: Population) -> None:
    """A server that does not answer does not hold up the end, nor does a flood."""
    for is_flooded in (False, True):
        population.server.notifications.ignores_filter = is_flooded
        listener.listen()
        await listener.opened()
        await population.server.notifications.send("playing")
        await asyncio.sleep(0.05)
        population.server.vanish()
        start = time.monotonic()
        await listener.notifications.close()
        assert time.monotonic() - start < 0.5
        await population.server.reappear()


async def test_closed_while_an_attempt_times_out(
    listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An attempt whose timeout is over in the moment of the end is the last one.

    aiohttp makes a timeout of the cancellation then, which is lost.
    """
    timer = TimerContext(asyncio.get_running_loop())

    async def stall(_: PlexServer, __: str) -> Socket:
        try:
            with timer, timer:
                await asyncio.sleep(60)
        except TimeoutError as err:
            raise errors.ConnectionTimeoutError from err
        raise AssertionError

    monkeypatch.setattr(PlexServer, "notifications", stall)
    listener.listen()
    await asyncio.sleep(0.01)
    timer.timeout()
    async with asyncio.timeout(5):
        await listener.notifications.close()
    assert not listener.news
    assert listener.notifications.failure is None


@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_redirects(
    session: ClientSession, population: Population, status: int
) -> None:
    """A redirect is not followed: the token would travel to another host."""

    async def elsewhere(request: web.BaseRequest) -> web.Response:
        raise AssertionError(request.headers)

    async with serving(elsewhere) as other:

        async def redirect(request: web.BaseRequest) -> web.Response:
            return web.Response(status=status, headers={"Location": str(other)})

        async with serving(redirect) as url:
            server = PlexServer(Transport(session, IDENTITY), url)
            with pytest.raises(errors.UnexpectedAnswerError):
                await server.notifications("marker")


async def test_certificate(
    session: ClientSession, listener: Listener, population: Population
) -> None:
    """An address whose certificate proves nothing is shown no token."""
    url = URL(population.server.https_url).with_host("127.0.0.1")
    server = PlexServer(Transport(session, IDENTITY), url)
    with pytest.raises(errors.CertificateError):
        await server.notifications("marker")


async def test_huge_message(
    listener: Listener, population: Population, pauses: list[float]
) -> None:
    """A message that is too large ends the socket before it is kept, not the listener."""
    listener.listen()
    await listener.opened()
    tracemalloc.start()
    sending = asyncio.create_task(
        population.server.notifications.send_huge(64 * LARGEST_BODY)
    )
    await listener.lost()
    await sending
    ours = tracemalloc.take_snapshot().filter_traces(
        [tracemalloc.Filter(True, "*/aiohttp/_websocket/*")]
    )
    tracemalloc.stop()
    assert sum(trace.size for trace in ours.traces) < 2 * LARGEST_BODY
    await listener.opened()
    assert pauses == [2]
    await population.server.notifications.send_huge(LARGEST_BODY)
    await asyncio.sleep(0.2)
    assert listener.notifications.is_open
    await population.server.notifications.send_huge(LARGEST_BODY + 1)
    await listener.lost()


async def test_strange_messages(listener: Listener, population: Population) -> None:
    """What is no text, empty or no JSON is dropped like all else."""
    listener.listen()
    await listener.opened()
    await population.server.notifications.send_raw(b"\xff\xfe", b"", b"nonsense")
    await asyncio.sleep(0.2)
    assert listener.notifications.is_open
    assert population.server.notifications.opened == 1


async def test_ping(listener: Listener, population: Population) -> None:
    """A server that wants to know whether anybody listens is answered."""
    listener.listen()
    await listener.opened()
    await population.server.notifications.send_raw(b"marker", kind=WSMsgType.PING)
    await until(lambda: population.server.notifications.pongs == [b"marker"])


async def test_ping_of_one_who_is_gone(session: ClientSession) -> None:
    """A ping that cannot be answered any more is the end of the socket, and no error."""

    def send(transport: WriteTransport) -> None:
        transport.write(100 * b"\x89\x00")
        transport.abort()

    async with serving_sockets(send) as url:
        server = PlexServer(Transport(session, IDENTITY), url)
        async with await server.notifications("marker") as socket:
            await asyncio.sleep(0.1)
            await socket.drop_messages()
    assert socket.closed


@pytest.mark.parametrize("frame", [b"\x81\x00", b"\x89\x00"], ids=["text", "ping"])
@pytest.mark.xdist_group("time")
async def test_many_small_frames(session: ClientSession, frame: bytes) -> None:
    """However many frames come, they do not hold up others."""
    close = b"\x88\x00"
    async with serving_sockets(lambda to: to.write(30_000 * frame + close)) as url:
        server = PlexServer(Transport(session, IDENTITY), url)
        async with await server.notifications("marker") as socket:
            with longest_step() as longest:
                await socket.drop_messages()
    assert longest.seconds < 0.1, longest


async def test_compressed_message(session: ClientSession) -> None:
    """What is compressed was not agreed on: the socket ends before it is inflated."""
    bomb = zlib.compress(bytes(16 * LARGEST_BODY), wbits=-15)
    frame = b"\xc1\x7e" + len(bomb).to_bytes(2) + bomb
    async with serving_sockets(lambda to: to.write(frame)) as url:
        server = PlexServer(Transport(session, IDENTITY), url)
        async with await server.notifications("marker") as socket:
            await socket.drop_messages()
    assert socket.close_code == WSCloseCode.PROTOCOL_ERROR


async def test_filter(listener: Listener, population: Population) -> None:
    """What the server is asked to leave out does not come."""
    listener.listen()
    await listener.opened()
    await population.server.notifications.send("playing")
    assert population.server.notifications.sent == 0
    await population.server.notifications.send("reachability")
    assert population.server.notifications.sent == 1


async def test_no_token_is_logged(
    listener: Listener, population: Population, caplog: pytest.LogCaptureFixture
) -> None:
    """The log names the address without its query, and no token."""
    caplog.set_level(logging.DEBUG)
    population.server.faults.set("notifications", Fault.status(404), times=1)
    listener.listen()
    await listener.opened()
    await population.server.stop()
    await until(lambda: listener.news)
    assert "/:/websockets/notifications: 404" in caplog.text
    assert listener.token not in caplog.text
    assert "filters" not in caplog.text


async def test_nothing_grows(
    listener: Listener, population: Population, request: pytest.FixtureRequest
) -> None:
    """However often it is opened again, nothing is left of it."""
    if not request.config.getoption("--full", default=False):
        pytest.skip("takes long: run it with --full")
    sockets = population.server.notifications
    listener.server = PlexServer(listener.transport, URL(population.server.http_url))
    listener.listen()

    async def reopen(count: int) -> None:
        for _ in range(count):
            before = sockets.opened
            await listener.opened()
            await sockets.close()
            await listener.lost()
            listener.notifications.hurry()
            await until(lambda before=before: sockets.opened > before)  # type: ignore[misc]

    await reopen(50)
    tasks = len(asyncio.all_tasks())
    tracemalloc.start()
    await reopen(20)
    before = tracemalloc.take_snapshot()
    await reopen(10_000)
    after = tracemalloc.take_snapshot()
    tracemalloc.stop()
    ours = [tracemalloc.Filter(True, "*/plex_auth/api/*")]
    grown = sum(
        difference.size_diff
        for difference in after.filter_traces(ours).compare_to(
            before.filter_traces(ours), "filename"
        )
    )
    assert grown < 4096
    assert len(asyncio.all_tasks()) <= tasks + 2

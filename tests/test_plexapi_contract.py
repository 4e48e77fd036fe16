"""python-plexapi, a client that others wrote, finds in the simulator its Plex."""

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path
import socket
from typing import Any

import plexapi
from plexapi.exceptions import BadRequest, NotFound, TwoFactorRequired, Unauthorized
from plexapi.myplex import MyPlexAccount, MyPlexPinLogin, MyPlexResource
from plexapi.server import PlexServer
import pyotp
import pytest
import requests

from .plex_simulator import Account, Fault, PlexSimulator, plex_direct_address
from .plex_simulator.worlds import DemoWorld, demo

PLEX_TV = "https://plex.tv"
CLIENT = "python-plexapi"
TRANSIENT_PREFIX = "transient-"


@pytest.fixture(params=["http", "https"])
async def simulator(request: pytest.FixtureRequest) -> AsyncIterator[PlexSimulator]:
    """Return a running simulator, without TLS and with it."""
    async with PlexSimulator(https=request.param == "https") as running:
        yield running


@pytest.fixture
async def world(simulator: PlexSimulator) -> DemoWorld:
    """Return a population with an account of each kind."""
    return await demo(simulator)


@pytest.fixture(autouse=True)
def plexapi_at_simulator(
    simulator: PlexSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Send python-plexapi to the simulator wherever it would go to plex.tv."""
    for owner, names in (
        (MyPlexAccount, ("key", "SIGNIN", "SIGNOUT", "LINK", "PING")),
        (MyPlexResource, ("key",)),
        (MyPlexPinLogin, ("PINS",)),
    ):
        for name in names:
            address: str = getattr(owner, name)
            assert address.startswith(PLEX_TV)
            monkeypatch.setattr(
                owner, name, address.replace(PLEX_TV, simulator.base_url)
            )
    monkeypatch.setattr(MyPlexPinLogin, "POLLINTERVAL", 0.05)
    monkeypatch.setitem(plexapi.BASE_HEADERS, "X-Plex-Client-Identifier", CLIENT)


@pytest.fixture
def plex_direct(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Resolve plex.direct names as the public DNS does, or not, as some routers."""
    resolves = getattr(request, "param", False)

    def getaddrinfo(host: str, port: int, *arguments: Any, **more: Any) -> Any:
        address = plex_direct_address(host) if resolves else None
        if address is None and not host.startswith("127."):
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return [
            (
                socket.AF_INET,
                socket.SOCK_STREAM,
                socket.IPPROTO_TCP,
                "",
                (address or host, port),
            )
        ]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)


class Threads:
    """Run the blocking client beside the loop that the simulator lives in."""

    def __init__(self) -> None:
        """Have threads of one's own, which end with the test."""
        self._executor = ThreadPoolExecutor()

    async def __call__[Result](
        self, function: Callable[..., Result], *arguments: Any, **more: Any
    ) -> Result:
        """Call `function` in a thread."""
        return await asyncio.get_running_loop().run_in_executor(
            self._executor, lambda: function(*arguments, **more)
        )

    def end(self) -> None:
        """Wait for the threads to end."""
        self._executor.shutdown()


@pytest.fixture
async def call() -> AsyncIterator[Threads]:
    """Return what calls the blocking client."""
    threads = Threads()
    yield threads
    threads.end()


@pytest.fixture
def session(simulator: PlexSimulator, tmp_path: Path) -> requests.Session:
    """Return a session of requests that trusts the simulator's authority."""
    authority = tmp_path / "authority.pem"
    authority.write_bytes(simulator.ca_pem())
    made = requests.Session()
    made.trust_env = False
    made.verify = str(authority)
    return made


@pytest.fixture
async def sign_in(call: Threads, session: requests.Session) -> Callable[..., Any]:
    """Return what signs an account of the simulator in."""

    async def sign_in(account: Account, **more: Any) -> MyPlexAccount:
        return await call(
            MyPlexAccount,
            account.username,
            more.pop("password", account.password),
            session=session,
            **more,
        )

    return sign_in


async def test_sign_in_with_two_factor(
    world: DemoWorld, sign_in: Callable[..., Any]
) -> None:
    """It is told that a code is needed, signs in with it, and reads the account."""
    anna = world.two_factor
    with pytest.raises(Unauthorized, match="1001"):
        await sign_in(anna, password="wrong")
    with pytest.raises(TwoFactorRequired, match="1029"):
        await sign_in(anna)
    with pytest.raises(TwoFactorRequired, match="1028"):
        await sign_in(anna, code=anna.expired_code())
    account = await sign_in(anna, code=anna.code())

    assert account.authenticationToken == anna.tokens[CLIENT]
    assert (account.id, account.uuid, account.title) == (anna.id, anna.uuid, "Anna")
    assert (account.username, account.email) == ("anna", "anna@example.com")
    assert account.twoFactorEnabled is True
    assert account.hasPassword is True
    assert account.homeSize == 2
    assert account.subscriptionActive is True
    assert account.subscriptionPlan == "lifetime"
    assert account.subscriptionStatus == "Active"
    assert account.subscriptionPaymentService == "braintree"
    assert "hardware_transcoding" in account.subscriptionFeatures
    assert account.roles == ["plexpass"]
    assert account.entitlements == ["all"]
    assert account.profileAutoSelectAudio is True
    assert account.profileDefaultAudioLanguage == "en"
    started = account.subscriptionSubscribedAt
    assert isinstance(started, datetime)
    assert anna.subscription.subscribed_at is not None
    assert started.date() == anna.subscription.subscribed_at.date()
    assert account.rememberExpiresAt - account.joinedAt > timedelta(days=2000)


async def test_sign_in_without_two_factor(
    world: DemoWorld, sign_in: Callable[..., Any]
) -> None:
    """A free account signs in with its password alone, an e-mail address works too."""
    ben = await sign_in(world.free)
    assert ben.subscriptionActive is False
    assert ben.roles == []
    with pytest.raises(Unauthorized, match="1030"):
        await sign_in(world.email_only)
    with pytest.raises(Unauthorized, match="1001"):
        await sign_in(world.social, password="anything")


async def test_sign_in_with_code_behind_the_password(
    world: DemoWorld, sign_in: Callable[..., Any]
) -> None:
    """The older way to give a code works."""
    anna = world.two_factor
    assert anna.password is not None
    account = await sign_in(anna, password=anna.password + anna.code())
    assert account.twoFactorEnabled is True


async def test_other_refusals(
    simulator: PlexSimulator, world: DemoWorld, sign_in: Callable[..., Any]
) -> None:
    """A blocked address and a rate limit are what it takes them for."""
    simulator.sign_in_guard.blocks_all = True
    with pytest.raises(Unauthorized, match="1031"):
        await sign_in(world.free)
    simulator.faults.set("signin", Fault.plex_error(1003, retry_after=60), times=1)
    with pytest.raises(BadRequest, match="429"):
        await sign_in(world.free)


async def test_token(
    simulator: PlexSimulator,
    world: DemoWorld,
    call: Threads,
    session: requests.Session,
) -> None:
    """It uses a token that is there, pings, signs out, and is refused afterwards."""
    token = world.free.sign_in_token(CLIENT)
    account = await call(MyPlexAccount, token=token, session=session)
    assert account.username == "ben"
    assert await call(account.ping) is True
    await call(account.signout)
    assert not world.free.tokens
    with pytest.raises(Unauthorized):
        await call(MyPlexAccount, token=token, session=session)

    # A client that keeps cookies, as this one does, is seen to send them back.
    assert "Cookie" in simulator.requests[-1].headers


@pytest.mark.parametrize("plex_direct", [True, False], indirect=True)
async def test_servers(
    plex_direct: None,
    simulator: PlexSimulator,
    world: DemoWorld,
    sign_in: Callable[..., Any],
    call: Threads,
    session: requests.Session,
) -> None:
    """It lists servers, connects to an own one and makes a transient token there."""
    anna = world.two_factor
    account = await sign_in(anna, code=anna.code())
    resources = {item.name: item for item in await call(account.resources)}
    assert resources.keys() == {"PlexAPI", "Living Room", "Basement", "Carla's Films"}
    resource = resources["Living Room"]
    assert resource.clientIdentifier == world.living_room.machine_identifier
    assert resource.owned is True
    assert resource.presence is True
    assert resource.accessToken == world.living_room.access_token_for(anna)
    assert [item.relay for item in resource.connections] == [False, False, True]

    server = await call(resource.connect, timeout=5)
    assert server.friendlyName == "Living Room"
    assert server.machineIdentifier == world.living_room.machine_identifier
    assert server.myPlexSigninState == "ok"
    # Without its name the server is reached at the plain address, on the same port.
    secure = bool(plex_direct_address(server._baseurl.split("/")[2].split(":")[0]))
    records = simulator.requests_to("root", world.living_room.machine_identifier)
    assert {record.secure for record in records if record.status == 200} >= {secure}

    token = await call(server.createToken)
    assert token.startswith(TRANSIENT_PREFIX)
    used = await call(PlexServer, server._baseurl, token, session=session)
    assert used.friendlyName == "Living Room"
    await world.living_room.restart()
    with pytest.raises(Unauthorized):
        await call(PlexServer, server._baseurl, token, session=session)
    assert await call(server.createToken) != token


@pytest.mark.parametrize("plex_direct", [True, False], indirect=True)
async def test_secure_connections_only(
    plex_direct: None,
    request: pytest.FixtureRequest,
    world: DemoWorld,
    sign_in: Callable[..., Any],
    call: Threads,
) -> None:
    """A server that requires TLS is reached by its name only."""
    resolves = request.node.callspec.params["plex_direct"]
    account = await sign_in(world.three_servers)
    vault = await call(account.resource, "Vault")
    assert vault.httpsRequired is True
    if resolves:
        server = await call(vault.connect, timeout=5)
        assert server._baseurl.startswith("https://")
    else:
        with pytest.raises(NotFound):
            await call(vault.connect, timeout=5)


async def test_shared_server(
    plex_direct: None,
    world: DemoWorld,
    sign_in: Callable[..., Any],
    call: Threads,
    session: requests.Session,
) -> None:
    """A shared server takes the token listed for it, and not that of the account."""
    anna = world.two_factor
    account = await sign_in(anna, code=anna.code())
    resource = await call(account.resource, "Carla's Films")
    assert resource.owned is False
    assert resource.sourceTitle == "Carla"
    server = await call(resource.connect, timeout=5)
    assert server.friendlyName == "Carla's Films"
    assert (await call(server.createToken)).startswith(TRANSIENT_PREFIX)
    with pytest.raises(Unauthorized):
        await call(
            PlexServer,
            world.shared.http_url,
            account.authenticationToken,
            session=session,
        )


async def test_link_code(
    simulator: PlexSimulator,
    world: DemoWorld,
    call: Threads,
    session: requests.Session,
) -> None:
    """It shows a code, waits for it to be claimed, and signs in with the token."""
    social = world.social
    login = await call(MyPlexPinLogin, session=session)
    await call(login.run, timeout=20)
    assert len(login.pin) == 4
    assert simulator.pins.link(login.pin, social)
    assert await call(login.waitForLogin) is True
    assert login.token == social.tokens[CLIENT]
    account = await call(MyPlexAccount, token=login.token, session=session)
    assert (account.username, account.hasPassword) == ("fritz", False)


async def test_link_code_that_expires(
    simulator: PlexSimulator, call: Threads, session: requests.Session
) -> None:
    """It notices that nobody came."""
    login = await call(MyPlexPinLogin, session=session)
    await call(login.run, timeout=20)
    simulator.clock.advance(timedelta(minutes=15))
    assert await call(login.waitForLogin) is False
    assert login.expired is True


async def test_link_code_claimed_by_itself(
    world: DemoWorld,
    sign_in: Callable[..., Any],
    call: Threads,
    session: requests.Session,
) -> None:
    """An account that is signed in claims the code of another device."""
    device = await call(
        MyPlexPinLogin, session=session, headers={"X-Plex-Client-Identifier": "device"}
    )
    code = await call(lambda: device.pin)
    assert await call(device.checkLogin) is False
    account = await sign_in(world.free)
    await call(account.link, code)
    assert await call(device.checkLogin) is True
    assert device.token == world.free.tokens["device"]


async def test_long_link_code(call: Threads, session: requests.Session) -> None:
    """The code for the web page is the long one."""
    login = await call(MyPlexPinLogin, session=session, oauth=True)
    address = await call(login.oauthUrl)
    assert len(address.rsplit("code=", 1)[1]) == 25


def test_codes_are_the_standard_ones(world: DemoWorld) -> None:
    """Codes are those that an authenticator app shows."""
    anna = world.two_factor
    assert anna.totp_secret is not None
    assert anna.accepts_code(pyotp.TOTP(anna.totp_secret).now())

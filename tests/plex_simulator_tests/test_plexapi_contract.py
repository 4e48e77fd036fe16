"""python-plexapi, a client that others wrote, finds in the simulator its Plex."""

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path
import socket
from typing import Any, override

import plexapi
from plexapi.exceptions import BadRequest, NotFound, TwoFactorRequired, Unauthorized
from plexapi.myplex import MyPlexAccount, MyPlexDevice, MyPlexPinLogin, MyPlexResource
from plexapi.server import PlexServer
import pyotp
import pytest
import requests

from tests.plex_simulator import (
    Account,
    Client,
    Fault,
    PlexSimulator,
    plex_direct_address,
)
from tests.plex_simulator.worlds import CHILD_PIN, DemoWorld, demo

PLEX_TV = "https://plex.tv"
CLIENT = "python-plexapi"
TRANSIENT_PREFIX = "transient-"


class Redirected(requests.Session):
    """Send what goes to plex.tv to the simulator: some addresses are written in calls."""

    def __init__(self, base_url: str) -> None:
        """Take the address of the simulator."""
        super().__init__()
        self._base_url = base_url

    @override
    def send(self, request: requests.PreparedRequest, **more: Any) -> requests.Response:
        """Send a request."""
        request.url = (request.url or "").replace(PLEX_TV, self._base_url)
        return super().send(request, **more)


class Friend:
    """Let python-plexapi, which blocks, ask the simulator from threads of its own."""

    def __init__(
        self, simulator: PlexSimulator, world: DemoWorld, authority: Path
    ) -> None:
        """Trust the simulator's authority."""
        self.simulator = simulator
        self.world = world
        self.session = Redirected(simulator.base_url)
        self.session.trust_env = False
        self.session.verify = str(authority)
        self._executor = ThreadPoolExecutor()

    async def call[Result](
        self, function: Callable[..., Result], *arguments: Any, **more: Any
    ) -> Result:
        """Call `function` in a thread."""
        return await asyncio.get_running_loop().run_in_executor(
            self._executor, lambda: function(*arguments, **more)
        )

    async def sign_in(self, account: Account, **more: Any) -> MyPlexAccount:
        """Sign an account of the simulator in."""
        typed = {"username": account.username, "password": account.password} | more
        return await self.call(MyPlexAccount, **typed, session=self.session)

    async def account(self, token: str) -> MyPlexAccount:
        """Return the account of a token."""
        return await self.call(MyPlexAccount, token=token, session=self.session)

    async def server(self, url: str, token: str) -> PlexServer:
        """Return the server at an address."""
        return await self.call(PlexServer, url, token, session=self.session)

    async def link(self, **more: Any) -> MyPlexPinLogin:
        """Ask for a link code."""
        return await self.call(MyPlexPinLogin, session=self.session, **more)

    def end(self) -> None:
        """Wait for the threads to end."""
        self._executor.shutdown()


@pytest.fixture(params=["http", "https"])
async def friend(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> AsyncIterator[Friend]:
    """Send python-plexapi to a simulator, with TLS or not, wherever it asks plex.tv."""
    async with PlexSimulator(https=request.param == "https") as simulator:
        for owner, names in (
            (MyPlexAccount, ("key", "SIGNIN", "SIGNOUT", "LINK", "PING")),
            (MyPlexResource, ("key",)),
            (MyPlexDevice, ("key",)),
            (MyPlexPinLogin, ("PINS",)),
        ):
            for name in names:
                address: str = getattr(owner, name)
                assert address.startswith(PLEX_TV)
                address = address.replace(PLEX_TV, simulator.base_url)
                monkeypatch.setattr(owner, name, address)
        monkeypatch.setattr(MyPlexPinLogin, "POLLINTERVAL", 0.05)
        monkeypatch.setitem(plexapi.BASE_HEADERS, "X-Plex-Client-Identifier", CLIENT)
        authority = tmp_path / "authority.pem"
        authority.write_bytes(simulator.ca_pem())
        friend = Friend(simulator, await demo(simulator), authority)
        yield friend
        friend.end()


@pytest.fixture(params=[True, False], ids=["resolved", "not resolved"])
def plex_direct(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> bool:
    """Resolve plex.direct names as the public DNS does, or not, as some routers."""
    resolves: bool = request.param

    def getaddrinfo(host: str, port: int, *arguments: Any, **more: Any) -> Any:
        address = plex_direct_address(host) if resolves else None
        if address is None and not host.startswith("127."):
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        where = address or host, port
        return [(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", where)]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return resolves


async def test_sign_in_with_two_factor(friend: Friend) -> None:
    """It is told that a code is needed, signs in with it, and reads the account."""
    anna = friend.world.two_factor
    with pytest.raises(Unauthorized, match="1001"):
        await friend.sign_in(anna, password="wrong")
    with pytest.raises(TwoFactorRequired, match="1029"):
        await friend.sign_in(anna)
    with pytest.raises(TwoFactorRequired, match="1028"):
        await friend.sign_in(anna, code=anna.expired_code())
    account = await friend.sign_in(anna, code=anna.code())

    assert account.authenticationToken == anna.tokens[CLIENT]
    assert (account.id, account.uuid, account.title) == (anna.id, anna.uuid, "Anna")
    assert (account.username, account.email) == ("anna", "anna@example.com")
    assert account.twoFactorEnabled is True
    assert account.hasPassword is True
    assert account.homeSize == 4
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


async def test_sign_in_without_two_factor(friend: Friend) -> None:
    """A free account signs in with its password alone, by name or e-mail address."""
    world = friend.world
    ben = await friend.sign_in(world.free)
    assert ben.subscriptionActive is False
    assert ben.roles == []
    ben = await friend.sign_in(world.free, username="Ben@Example.com")
    assert ben.username == "ben"
    with pytest.raises(Unauthorized, match="1030"):
        await friend.sign_in(world.email_only)
    dora = await friend.sign_in(world.email_only, username="dora@example.com")
    assert dora.username == "dora"
    with pytest.raises(Unauthorized, match="1001"):
        await friend.sign_in(world.social, password="anything")


async def test_sign_in_with_code_behind_the_password(friend: Friend) -> None:
    """The older way to give a code works."""
    anna = friend.world.two_factor
    assert anna.password is not None
    account = await friend.sign_in(anna, password=anna.password + anna.code())
    assert account.twoFactorEnabled is True


async def test_other_refusals(friend: Friend) -> None:
    """A blocked address and a rate limit are what it takes them for."""
    friend.simulator.sign_in_guard.blocks_all = True
    with pytest.raises(Unauthorized, match="1031"):
        await friend.sign_in(friend.world.free)
    fault = Fault.plex_error(1003, retry_after=60)
    friend.simulator.faults.set("signin", fault, times=1)
    with pytest.raises(BadRequest, match="429"):
        await friend.sign_in(friend.world.free)


async def test_token(friend: Friend) -> None:
    """It uses a token that is there, pings, signs out, and is refused afterwards."""
    ben = friend.world.free
    token = ben.sign_in_token(CLIENT)
    account = await friend.account(token)
    assert account.username == "ben"
    assert await friend.call(account.ping) is True
    await friend.call(account.signout)
    assert not ben.tokens
    with pytest.raises(Unauthorized):
        await friend.account(token)

    # A client that keeps cookies, as this one does, is seen to send them back.
    assert "Cookie" in friend.simulator.requests[-1].headers


async def test_servers(friend: Friend, plex_direct: bool) -> None:
    """It lists servers, connects to an own one and makes a transient token there."""
    anna, living_room = friend.world.two_factor, friend.world.living_room
    account = await friend.sign_in(anna, code=anna.code())
    resources = {item.name: item for item in await friend.call(account.resources)}
    assert resources.keys() == {"PlexAPI", "Living Room", "Basement", "Carla's Films"}
    resource = resources["Living Room"]
    assert resource.clientIdentifier == living_room.machine_identifier
    assert resource.owned is True
    assert resource.presence is True
    assert resource.accessToken == living_room.access_token_for(anna)
    assert [item.relay for item in resource.connections] == [False, False, True]

    server = await friend.call(resource.connect, timeout=5)
    assert server.friendlyName == "Living Room"
    assert server.machineIdentifier == living_room.machine_identifier
    assert server.myPlexSigninState == "ok"
    # Without its name the server is reached at the plain address, on the same port.
    secure = bool(plex_direct_address(server._baseurl.split("/")[2].split(":")[0]))
    records = friend.simulator.requests_to("root", living_room.machine_identifier)
    assert {record.secure for record in records if record.status == 200} >= {secure}

    token = await friend.call(server.createToken)
    assert token.startswith(TRANSIENT_PREFIX)
    used = await friend.server(server._baseurl, token)
    assert used.friendlyName == "Living Room"
    await living_room.restart()
    with pytest.raises(Unauthorized):
        await friend.server(server._baseurl, token)
    assert await friend.call(server.createToken) != token


async def test_secure_connections_only(friend: Friend, plex_direct: bool) -> None:
    """A server that requires TLS is reached by its name only."""
    account = await friend.sign_in(friend.world.three_servers)
    vault = await friend.call(account.resource, "Vault")
    assert vault.httpsRequired is True
    if plex_direct:
        server = await friend.call(vault.connect, timeout=5)
        assert server._baseurl.startswith("https://")
    else:
        with pytest.raises(NotFound):
            await friend.call(vault.connect, timeout=5)


@pytest.mark.parametrize("plex_direct", [False], indirect=True)
async def test_shared_server(friend: Friend, plex_direct: bool) -> None:
    """A shared server takes the token listed for it, and not that of the account."""
    anna, shared = friend.world.two_factor, friend.world.shared
    account = await friend.sign_in(anna, code=anna.code())
    resource = await friend.call(account.resource, "Carla's Films")
    assert resource.owned is False
    assert resource.sourceTitle == "Carla"
    server = await friend.call(resource.connect, timeout=5)
    assert server.friendlyName == "Carla's Films"
    assert (await friend.call(server.createToken)).startswith(TRANSIENT_PREFIX)
    with pytest.raises(Unauthorized):
        await friend.server(shared.http_url, account.authenticationToken)


@pytest.mark.parametrize("plex_direct", [False], indirect=True)
async def test_items(friend: Friend, plex_direct: bool) -> None:
    """It reads a film and an episode, names their pages, and plays a part."""
    anna, world = friend.world.two_factor, friend.world
    token = world.living_room.access_token_for(anna)
    server = await friend.server(world.living_room.http_url, token)
    film = await friend.call(server.fetchItem, world.film.path)
    assert (film.type, film.title) == ("movie", world.film.title)
    assert [[part.key for part in media.parts] for media in film.media] == [
        [part.key for part in parts] for parts in world.film.versions
    ]
    assert film.getWebURL() == (
        f"https://app.plex.tv/desktop/#!/server/{server.machineIdentifier}/details"
        f"?key=%2Flibrary%2Fmetadata%2F{world.film.rating_key}"
    )
    first = world.film.versions[0][0]
    url = await friend.call(server.url, first.key, includeToken=True)
    assert "X-Plex-Token=" in url
    played = await friend.call(friend.session.get, url)
    assert (played.status_code, played.content) == (200, first.content)

    show = await friend.call(server.fetchItem, world.show.path)
    (season,) = await friend.call(show.seasons)
    (episode,) = await friend.call(season.episodes)
    assert episode.key == world.episode.path
    with pytest.raises(NotFound):
        await friend.call(server.fetchItem, "/library/metadata/999")


async def test_link_code(friend: Friend) -> None:
    """It shows a code, waits for it to be claimed, and signs in with the token."""
    social = friend.world.social
    login = await friend.link()
    await friend.call(login.run, timeout=20)
    assert len(login.pin) == 4
    assert friend.simulator.pins.link(login.pin, social)
    assert await friend.call(login.waitForLogin) is True
    assert login.token == social.tokens[CLIENT]
    account = await friend.account(login.token)
    assert (account.username, account.hasPassword) == ("fritz", False)


async def test_link_code_that_expires(friend: Friend) -> None:
    """It notices that nobody came."""
    login = await friend.link()
    await friend.call(login.run, timeout=20)
    friend.simulator.clock.advance(timedelta(minutes=15))
    assert await friend.call(login.waitForLogin) is False
    assert login.expired is True


async def test_link_code_claimed_by_itself(friend: Friend) -> None:
    """An account that is signed in claims the code of another device."""
    device = await friend.link(headers={"X-Plex-Client-Identifier": "device"})
    code = await friend.call(lambda: device.pin)
    assert await friend.call(device.checkLogin) is False
    account = await friend.sign_in(friend.world.free)
    await friend.call(account.link, code)
    assert await friend.call(device.checkLogin) is True
    assert device.token == friend.world.free.tokens["device"]


async def test_long_link_code(friend: Friend) -> None:
    """The code for the web page is the long one."""
    login = await friend.link(oauth=True)
    address = await friend.call(login.oauthUrl)
    assert len(address.rsplit("code=", 1)[1]) == 25


async def test_codes_are_the_standard_ones(friend: Friend) -> None:
    """Codes are those that an authenticator app shows."""
    anna = friend.world.two_factor
    assert anna.totp_secret is not None
    assert anna.accepts_code(pyotp.TOTP(anna.totp_secret).now())


async def test_devices(friend: Friend) -> None:
    """It reads the devices, itself and servers among them, and removes one."""
    anna = friend.world.two_factor
    before = datetime.now().replace(microsecond=0)
    account = await friend.sign_in(anna, code=anna.code())
    other = anna.add_device(Client(name="Phone", product="Plex for Android"))
    devices = {int(one.id): one for one in await friend.call(account.devices)}
    phone = devices[other.device_id]
    assert (phone.name, phone.product) == ("Phone", "Plex for Android")
    assert (phone.clientIdentifier, phone.token) == (
        other.client_identifier,
        other.value,
    )
    assert before <= phone.createdAt <= datetime.now()
    (own,) = [one for one in devices.values() if one.clientIdentifier == CLIENT]
    assert (own.product, own.token) == ("PlexAPI", account.authToken)
    servers = {one.name: one for one in devices.values() if one.provides == "server"}
    assert servers.keys() == {"Living Room", "Basement"}
    assert servers["Living Room"].connections == [friend.world.living_room.http_url]

    await friend.call(phone.delete)
    assert anna.find_token(other.value) is None
    with pytest.raises(Unauthorized):
        await friend.account(other.value)
    with pytest.raises(NotFound):
        await friend.call(phone.delete)
    await friend.call(own.delete)
    with pytest.raises(Unauthorized):
        await friend.call(account.devices)


@pytest.mark.parametrize("plex_direct", [False], indirect=True)
async def test_claim_and_unclaim(friend: Friend, plex_direct: bool) -> None:
    """It lets a server belong to nobody and claims it again, which gives new tokens."""
    anna, server = friend.world.two_factor, friend.world.basement
    old = server.access_token_for(anna)
    account = await friend.sign_in(anna, code=anna.code())
    client = await friend.server(server.http_url, old)
    told = await friend.call(client.unclaim)
    assert (told.signInState, server.claimed) == ("none", False)
    assert "Basement" not in {one.name for one in await friend.call(account.resources)}

    unclaimed = await friend.server(server.http_url, "")
    assert unclaimed.myPlexSigninState == "none"
    told = await friend.call(unclaimed.claim, account)
    assert (told.signInState, told.username) == ("ok", anna.email)
    (request,) = friend.simulator.requests_to("claim")
    assert request.query["token"] in friend.simulator.claim_tokens.given
    resource = await friend.call(account.resource, "Basement")
    assert (resource.owned, resource.accessToken == old) == (True, False)
    await friend.server(server.http_url, resource.accessToken)
    with pytest.raises(Unauthorized):
        await friend.server(server.http_url, old)
    with pytest.raises(Unauthorized):
        await friend.call(unclaimed.claim, account)
    assert (await friend.call(account.claimToken)).startswith("claim-")


@pytest.mark.parametrize("plex_direct", [False], indirect=True)
async def test_home(friend: Friend, plex_direct: bool) -> None:
    """It lists the users of a Home, and switches to one: for a child with its PIN."""
    world, anna = friend.world.home, friend.world.two_factor
    account = await friend.sign_in(anna, code=anna.code())
    users = {user.title: user for user in await friend.call(account.users)}
    assert users.keys() == {"Emil", "Lina", "Ida", "Guest", "Ben"}
    child = users["Lina"]
    assert (child.id, child.home, child.protected) == (world.child.id, True, True)
    assert (users["Ben"].home, users["Emil"].protected) == (False, False)
    assert [share.name for share in child.servers] == ["Living Room"]
    for pin in (None, "0000"):
        with pytest.raises(Unauthorized):
            await friend.call(account.switchHomeUser, child, pin=pin)
    switched = await friend.call(account.switchHomeUser, "Lina", pin=CHILD_PIN)
    assert (switched.uuid, switched.restricted) == (world.child.uuid, True)
    assert switched.authenticationToken == world.child.tokens[CLIENT]
    with pytest.raises(BadRequest, match="1009"):
        await friend.call(switched.devices)

    resource = await friend.call(switched.resource, "Living Room")
    assert resource.accessToken == world.server.access_token_for(world.child)
    server = await friend.server(world.server.http_url, resource.accessToken)
    assert server.friendlyName == "Living Room"
    with pytest.raises(Unauthorized):
        await friend.server(world.server.http_url, switched.authenticationToken)
    assert (await friend.call(account.users)) != []


@pytest.mark.parametrize("plex_direct", [False], indirect=True)
@pytest.mark.parametrize(("status", "kind"), [(403, BadRequest), (401, Unauthorized)])
async def test_rights_of_a_child(
    friend: Friend, plex_direct: bool, status: int, kind: type[Exception]
) -> None:
    """With a child's transient token it sees its section alone, with the owner's all."""
    world, film = friend.world.home, friend.world.film
    world.server.section_refusal_status = status
    seen: dict[str, list[str]] = {}
    for name, person in (("owner", world.admin), ("child", world.child)):
        own = world.server.access_token_for(person)
        maker = await friend.server(world.server.http_url, own)
        token = await friend.call(maker.createToken)
        server = await friend.server(world.server.http_url, token)
        library = await friend.call(lambda server=server: server.library)
        sections = await friend.call(library.sections)
        seen[name] = [section.title for section in sections]
        found = await friend.call(sections[-1].all)
        assert [item.title for item in found] == [world.film.title]
        assert (await friend.call(server.fetchItem, world.film.path)).title
        if person is world.admin:
            assert (await friend.call(server.fetchItem, film.path)).title == film.title
            everything = sections[0]
            assert [item.title for item in await friend.call(everything.all)] == [
                film.title
            ]
    assert seen == {
        "owner": ["Movies", "TV Shows", "Kids' Films"],
        "child": ["Kids' Films"],
    }
    # The child's client asks for what it knows of from elsewhere.
    with pytest.raises(kind):
        await friend.call(server.fetchItem, film.path)
    with pytest.raises(kind):
        await friend.call(server.query, f"/library/sections/{everything.key}/all")
    key = film.versions[0][0].key
    url = await friend.call(server.url, key, includeToken=True)
    assert (await friend.call(friend.session.get, url)).status_code == status

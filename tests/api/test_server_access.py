"""Reach a server and call it, without Home Assistant, over real HTTP."""

from collections.abc import Awaitable
from dataclasses import dataclass

import pytest
from yarl import URL

from custom_components.plex_auth.api.connections import ConnectionKind, Route
from custom_components.plex_auth.api.errors import (
    CannotConnectError,
    NotClaimedError,
    NotFoundError,
    NotOwnerError,
    NotPermittedError,
    ServerTooOldError,
    StartingUpError,
    TokenRejectedError,
    UnavailableError,
    WrongServerError,
)
from custom_components.plex_auth.api.known_server import KnownServer
from custom_components.plex_auth.api.models import TransientToken
from custom_components.plex_auth.api.plex_tv import PlexTv
from custom_components.plex_auth.api.server import PlexServer
from custom_components.plex_auth.api.server_access import ServerAccess
from custom_components.plex_auth.api.server_list import AccountServer, ServerList
from custom_components.plex_auth.api.transport import Transport
from tests.plex_simulator import Fault, MediaServer, PlexSimulator, Way

from .population import Population

UNKNOWN = KnownServer(token=None, connections=(), https_required=False)


def issue(server: PlexServer, token: str) -> Awaitable[TransientToken]:
    """Ask for a transient token, which only the right access token gives."""
    return server.transient_token(token)


@dataclass
class Scene:
    """Hold a server, the access to it, and the account token in use."""

    plex: PlexSimulator
    account: PlexTv
    transport: Transport
    server: MediaServer
    token: str
    refusals: int = 0

    def __post_init__(self) -> None:
        """Make the list of the account."""
        self.list = ServerList(lambda: self.account.servers(self.token), self._verify)

    async def _verify(self) -> None:
        await self.account.user(self.token)

    def access(
        self, *, url: URL | None = None, typed_token: str | None = None
    ) -> ServerAccess:
        """Return an access to the server, of which nothing is stored."""
        return ServerAccess(
            self.transport,
            AccountServer(
                self.list,
                self.server.machine_identifier,
                lambda: UNKNOWN,
                url=url,
                typed_token=typed_token,
            ),
            self._refusal_changed,
        )

    def asked(self) -> list[str]:
        """Return the endpoints that were asked since the last time, in order."""
        asked = [request.endpoint for request in self.plex.requests]
        self.plex.requests.clear()
        return asked

    def _refusal_changed(self) -> None:
        self.refusals += 1


@pytest.fixture
def scene(
    plex: PlexSimulator,
    account: PlexTv,
    transport: Transport,
    population: Population,
) -> Scene:
    """Return the owner's access to a server."""
    return Scene(plex, account, transport, population.server, population.token)


async def test_first_call_finds_the_server(scene: Scene) -> None:
    """What is not known is asked for, and the route and the token are kept."""
    access = scene.access()
    token, route = await access.call(issue)
    assert scene.server.accepts_transient_token(token.token)
    assert route.kind is ConnectionKind.LOCAL
    assert route is access.routing.route
    assert scene.asked().count("resources") == 1
    await access.call(issue)
    assert scene.asked() == ["security_token"]


async def test_poll_tells_who_answers(scene: Scene) -> None:
    """A poll tells the version, and that a server is not ready."""
    access = scene.access()
    versions = [access.version]
    await scene.list.renew(now=True)
    versions.append(access.version)
    assert versions == [None, scene.server.version]
    scene.server.version = "1.2.3.4"
    identity, _ = await access.identify()
    assert identity.version == access.version == "1.2.3.4"
    await scene.server.restart(boot_state="starting")
    with pytest.raises(StartingUpError):
        await access.identify()


@pytest.mark.parametrize("by", ["poll", "action"])
async def test_route_that_fails_is_chosen_anew(scene: Scene, by: str) -> None:
    """The next route is taken when the one in use fails."""
    access = scene.access()
    await access.identify()
    await scene.server.close_way(Way.LOCAL)
    await (access.identify() if by == "poll" else access.call(issue))
    assert access.routing.route is not None
    assert access.routing.route.kind is ConnectionKind.REMOTE
    assert {route.kind for route in access.routing.failures} >= {ConnectionKind.LOCAL}


async def test_nobody_answers(scene: Scene) -> None:
    """A server that is away is told of by the failure that says most."""
    access = scene.access()
    await scene.server.stop()
    with pytest.raises(CannotConnectError):
        await access.call(issue)
    assert access.routing.route is None
    assert access.routing.failures


async def test_stranger_sees_no_token(scene: Scene, population: Population) -> None:
    """Another server at the address is told of, before it is shown a token."""
    access = scene.access(url=URL(population.other.https_url))
    with pytest.raises(WrongServerError):
        await access.call(issue)
    assert scene.asked() == ["identity"]


async def test_address_that_knows_nothing(scene: Scene) -> None:
    """A missing identity is an address that is away, not something not found there."""
    access = scene.access(url=URL(scene.server.http_url), typed_token="x")
    scene.server.faults.set("identity", Fault.status(404))
    with pytest.raises(UnavailableError) as caught:
        await access.call(issue)
    assert not isinstance(caught.value, NotFoundError)
    assert caught.value.status == 404


async def test_listed_token_is_renewed_once(scene: Scene) -> None:
    """A refused token is renewed at plex.tv, and only then the refusal is told."""
    access = scene.access()
    await access.call(issue)
    scene.server.rotate_access_tokens()
    scene.asked()
    await access.call(issue)
    assert scene.asked() == ["security_token", "user", "resources", "security_token"]
    scene.server.faults.set("security_token", Fault.status(403))
    with pytest.raises(NotPermittedError) as caught:
        await access.call(issue)
    assert type(caught.value) is NotPermittedError
    assert scene.asked() == ["security_token", "user", "resources", "identity"]


async def test_dead_account_token(scene: Scene, population: Population) -> None:
    """plex.tv's own rejection is told, whatever the server says."""
    access = scene.access()
    await access.call(issue)
    scene.server.rotate_access_tokens()
    population.owner.revoke_tokens()
    with pytest.raises(TokenRejectedError):
        await access.call(issue)


async def test_server_of_nobody(scene: Scene) -> None:
    """A server that belongs to nobody refuses every token, and that is told."""
    access = scene.access()
    await access.call(issue)
    scene.server.faults.set("security_token", Fault.status(401))
    scene.server.faults.set("root", Fault.status(401))
    scene.server.claimed = False
    with pytest.raises(NotClaimedError):
        await access.call(issue)
    with pytest.raises(NotClaimedError):
        await access.check_token("any")


async def test_typed_token(scene: Scene, population: Population) -> None:
    """A typed token is told apart from a request that is refused, and never renewed."""
    url = URL(scene.server.http_url)
    access = scene.access(url=url, typed_token="wrong")
    route = Route(url, ConnectionKind.CUSTOM)
    with pytest.raises(NotPermittedError):
        await access.call(issue)
    assert access.token_refused
    assert scene.refusals == 1
    await access.recheck_refused_token(route)
    assert (access.token_refused, scene.refusals) == (True, 1)
    assert "resources" not in scene.asked()

    access.target.typed_token = population.server_token
    await access.recheck_refused_token(route)
    assert (access.token_refused, scene.refusals) == (False, 2)
    scene.asked()
    await access.recheck_refused_token(route)
    assert scene.asked() == []

    scene.server.faults.set("security_token", Fault.status(403))
    with pytest.raises(NotPermittedError):
        await access.call(issue)
    assert not access.token_refused


async def test_check_of_a_token(scene: Scene, population: Population) -> None:
    """Any token can be tried, without a say on the one in use."""
    access = scene.access()
    await access.check_token(population.server_token)
    with pytest.raises(NotPermittedError):
        await access.check_token("wrong")
    assert not access.token_refused


async def test_sources(scene: Scene, population: Population) -> None:
    """A source is asked of the server, but not by guests nor of an old server."""
    access = scene.access()
    found, route = await access.source(population.source)
    assert found.name == population.other.name
    assert route is access.routing.route
    with pytest.raises(NotFoundError):
        await access.source("server://unknown")
    scene.server.version = "1.15.3.1"
    await access.identify()
    scene.asked()
    with pytest.raises(ServerTooOldError):
        await access.source(population.source)
    scene.token = population.guest.sign_in_token("client-2")
    await scene.list.renew(now=True)
    with pytest.raises(NotOwnerError):
        await access.source(population.source)
    assert "security_resources" not in scene.asked()

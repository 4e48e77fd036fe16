"""Servers that are called with the tokens of a Home user, over real HTTP."""

from dataclasses import dataclass, field

import pytest
from yarl import URL

from custom_components.plex_auth.api.errors import (
    NotClaimedError,
    NotPermittedError,
    TokenRejectedError,
    UnavailableError,
)
from custom_components.plex_auth.api.home_user_access import HomeUserServer, access_as
from custom_components.plex_auth.api.known_server import KnownServer
from custom_components.plex_auth.api.models import TransientToken
from custom_components.plex_auth.api.plex_tv import PlexTv
from custom_components.plex_auth.api.server import PlexServer
from custom_components.plex_auth.api.server_access import ServerAccess
from custom_components.plex_auth.api.server_list import (
    AccountServer,
    ServerList,
    by_identifier,
)
from custom_components.plex_auth.api.transport import Transport
from tests.plex_simulator import PLEX_TV, Account, Fault, MediaServer, PlexSimulator
from tests.plex_simulator.worlds import HomeWorld, add_home

from .population import IDENTITY, Population

UNKNOWN = KnownServer(token=None, connections=(), https_required=False)


@dataclass
class Scene:
    """Hold a server, the account's access to it, and a child of its owner's Home."""

    plex: PlexSimulator
    plex_tv: PlexTv
    server: MediaServer
    child: Account
    access: ServerAccess
    token: str
    tokens: dict[str, str] = field(default_factory=dict)
    renewals: int = 0

    async def renew(self) -> None:
        """Ask plex.tv for the servers of the child."""
        self.renewals += 1
        listed = by_identifier(await self.plex_tv.servers(self.token))
        self.tokens = {
            identifier: str(one.access_token) for identifier, one in listed.items()
        }

    def as_child(self) -> ServerAccess:
        """Return the access with the tokens of the child."""
        target = HomeUserServer(self.access.target, lambda: self.tokens, self.renew)
        return access_as(self.access, target)

    async def issue(self) -> TransientToken:
        """Return a transient token with the rights of the child."""
        call = PlexServer.transient_token
        token, _ = await self.as_child().call(call, is_repeatable=False)
        return token

    def sent(self) -> list[str]:
        """Return the tokens that the server got since the last time, in order."""
        found = [
            request.headers["X-Plex-Token"]
            for request in self.plex.requests
            if request.host != PLEX_TV and "X-Plex-Token" in request.headers
        ]
        self.plex.requests.clear()
        return found

    @property
    def right(self) -> str:
        """Return the child's token for the server."""
        return self.server.access_token_for(self.child)


@pytest.fixture
def home(plex: PlexSimulator, population: Population) -> HomeWorld:
    """Return the Home of the server's owner."""
    return add_home(plex, population.server)


@pytest.fixture
async def scene(
    plex: PlexSimulator,
    account: PlexTv,
    transport: Transport,
    population: Population,
    home: HomeWorld,
) -> Scene:
    """Return the scene, in which the account's list is known and the child's is not."""
    token = population.token

    async def verify() -> None:
        await account.user(token)

    servers = ServerList(lambda: account.servers(token), verify)
    target = AccountServer(
        servers, population.server.machine_identifier, lambda: UNKNOWN
    )
    scene = Scene(
        plex=plex,
        plex_tv=account,
        server=population.server,
        child=home.child,
        access=ServerAccess(transport, target),
        token=home.child.sign_in_token(IDENTITY.client_identifier),
    )
    await servers.renew(now=True)
    await scene.access.identify()
    await scene.renew()
    plex.requests.clear()
    scene.renewals = 0
    return scene


async def test_only_the_users_token_is_sent(scene: Scene, home: HomeWorld) -> None:
    """The token opens what the user may see, on the route of the account."""
    token = await scene.issue()
    assert scene.sent() == [scene.right]
    caller = scene.server.caller(token.token)
    assert caller is not None
    assert caller.account is scene.child
    assert scene.server.may_see(caller, home.section)
    assert scene.renewals == 0


async def test_the_account_keeps_its_own(scene: Scene, population: Population) -> None:
    """The access of the account itself is not changed by that of the user."""
    await scene.issue()
    scene.sent()
    token, _ = await scene.access.call(PlexServer.transient_token)
    assert scene.sent() == [population.server_token]
    caller = scene.server.caller(token.token)
    assert caller is not None
    assert caller.is_owner
    assert scene.as_child().routing is scene.access.routing


async def test_without_a_token(scene: Scene) -> None:
    """Nothing is sent to a server for which the user has no token."""
    scene.tokens.clear()
    with pytest.raises(NotPermittedError):
        await scene.issue()
    assert not scene.sent()


async def test_refused_token_is_renewed_once(scene: Scene) -> None:
    """A refusal asks the user's list once, and its new token is tried once."""
    old = scene.right
    scene.server.rotate_access_tokens()
    token = await scene.issue()
    assert scene.sent() == [old, scene.right]
    assert scene.renewals == 1
    assert scene.server.accepts_transient_token(token.token)


async def test_no_other_token(scene: Scene) -> None:
    """A token that the list still has is not tried again."""
    scene.server.faults.set("security_token", Fault.status(401))
    with pytest.raises(NotPermittedError):
        await scene.issue()
    assert scene.sent() == [scene.right]
    assert scene.renewals == 1


async def test_shared_no_longer(scene: Scene) -> None:
    """A server that is gone from the user's list gets no other token."""
    old = scene.right
    scene.server.shared_with.remove(scene.child)
    with pytest.raises(NotPermittedError):
        await scene.issue()
    assert scene.sent() == [old]
    assert scene.tokens == {}


async def test_rejected_user(scene: Scene) -> None:
    """That plex.tv rejects the user's token is told apart from a refusal."""
    scene.server.rotate_access_tokens()
    scene.child.revoke_tokens()
    with pytest.raises(TokenRejectedError):
        await scene.issue()
    assert len(scene.sent()) == 1


async def test_plex_tv_is_away(scene: Scene) -> None:
    """While plex.tv is away, a refusal stays one; a good token needs no plex.tv."""
    scene.plex.faults.set("*", Fault.status(503))
    await scene.issue()
    scene.server.rotate_access_tokens()
    with pytest.raises(NotPermittedError):
        await scene.issue()
    assert len(scene.sent()) == 2


async def test_unclaimed_server_gets_no_token(scene: Scene) -> None:
    """A server that says it belongs to nobody gets no user's token either."""
    scene.server.unclaim()
    await scene.access.identify()
    scene.sent()
    with pytest.raises(NotClaimedError):
        await scene.issue()
    assert not scene.sent()


async def test_token_is_not_issued_twice(scene: Scene) -> None:
    """What may have arrived is not repeated."""
    scene.server.faults.set("security_token", Fault.status(503), times=1)
    with pytest.raises(UnavailableError):
        await scene.issue()
    assert scene.sent() == [scene.right]


async def test_typed_address(scene: Scene) -> None:
    """An address that somebody typed counts for the user as well; a typed token not."""
    server = AccountServer(
        scene.access.target.servers,
        scene.server.machine_identifier,
        lambda: UNKNOWN,
        url=URL(scene.server.https_url),
        typed_token="typed",
    )
    target = HomeUserServer(server, lambda: scene.tokens, scene.renew)
    assert target.ranks == server.ranks
    assert target.token == scene.right

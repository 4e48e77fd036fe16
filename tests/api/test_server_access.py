"""Reach a server and call it, without Home Assistant, over real HTTP."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
import json
from typing import Any

import pytest
from yarl import URL

from custom_components.plex_auth.api.connections import ConnectionKind, Route
from custom_components.plex_auth.api.errors import (
    CannotConnectError,
    MaintenanceError,
    NotClaimedError,
    NotFoundError,
    NotOwnerError,
    NotPermittedError,
    PlexError,
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
from tests.plex_simulator import PLEX_TV, Fault, MediaServer, PlexSimulator, Way

from .population import Population, Resolver

UNKNOWN = KnownServer(token=None, connections=(), https_required=False)


def issue(server: PlexServer, token: str) -> Awaitable[TransientToken]:
    """Ask for a transient token, which only the right access token gives."""
    return server.transient_token(token)


def tokens_of(scene: Scene) -> set[str]:
    """Return the tokens that servers got."""
    return {
        one.headers["X-Plex-Token"]
        for one in scene.plex.requests
        if one.host != PLEX_TV and "X-Plex-Token" in one.headers
    }


@dataclass
class Scene:
    """Hold a server, the access to it, and the account token in use."""

    plex: PlexSimulator
    account: PlexTv
    transport: Transport
    server: MediaServer
    token: str
    refusals: int = 0
    stored: KnownServer = field(default_factory=lambda: UNKNOWN)

    def __post_init__(self) -> None:
        """Make the list of the account."""
        self.list = ServerList(lambda: self.account.servers(self.token), self._verify)

    async def _verify(self) -> None:
        await self.account.user(self.token)

    def access(
        self, *, url: URL | None = None, typed_token: str | None = None
    ) -> ServerAccess:
        """Return an access to the server, of which nothing is stored yet."""
        return ServerAccess(
            self.transport,
            AccountServer(
                self.list,
                self.server.machine_identifier,
                lambda: self.stored,
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


async def test_actions_ask_where_a_server_is_whenever_they_need_to(
    scene: Scene,
) -> None:
    """An action asks plex.tv although it has asked just before, a poll does not."""
    access = scene.access()
    await access.call(issue)
    for way in (Way.REMOTE, Way.RELAY):
        await scene.server.close_way(way)
    for _ in range(2):
        await scene.server.change_port()
        scene.asked()
        await access.call(issue)
        assert scene.asked().count("resources") == 1
    await access.call(issue)
    assert scene.asked() == ["security_token"]
    for count in (1, 0):
        await scene.server.stop()
        with pytest.raises(CannotConnectError):
            await access.identify()
        assert scene.asked().count("resources") == count


async def _restart(scene: Scene) -> None:
    await scene.server.restart()


async def _renew_certificate(scene: Scene) -> None:
    scene.server.renew_certificate()


async def _move(scene: Scene) -> None:
    """Move the server; the other ways to it are closed."""
    for way in (Way.REMOTE, Way.RELAY):
        await scene.server.close_way(way)
    await scene.server.change_port()


async def _rotate_access_tokens(scene: Scene) -> None:
    scene.server.rotate_access_tokens()


async def _move_and_rotate(scene: Scene) -> None:
    await _move(scene)
    scene.server.rotate_access_tokens()


@pytest.mark.parametrize("is_polled", [False, True])
@pytest.mark.parametrize("is_plain", [False, True])
@pytest.mark.parametrize(
    "change",
    [_restart, _renew_certificate, _move, _rotate_access_tokens, _move_and_rotate],
)
async def test_heals(
    scene: Scene,
    resolver: Resolver,
    change: Callable[[Scene], Awaitable[None]],
    is_plain: bool,
    is_polled: bool,
) -> None:
    """A server that changes is found and usable again, by a poll or an action alone."""
    resolver.broken = is_plain
    scene.server.https_required = not is_plain
    access = scene.access()
    await access.call(issue)
    await change(scene)
    if is_polled:
        await access.identify()
    token, route = await access.call(issue)
    assert scene.server.accepts_transient_token(token.token)
    assert route.kind is ConnectionKind.LOCAL
    assert (route.url.scheme == "http") is is_plain


BUSY = Fault.status(503, '<Response code="503" title="Maintenance"/>')


@pytest.mark.parametrize(
    ("boot_state", "fault", "kind", "refused"),
    [
        ("starting", None, StartingUpError, ["security_token"]),
        ("startingPlugins", None, StartingUpError, ["security_token"]),
        ("maintenance", BUSY, MaintenanceError, []),
    ],
)
async def test_server_that_is_not_ready(
    scene: Scene,
    resolver: Resolver,
    boot_state: str,
    fault: Fault | None,
    kind: type[PlexError],
    refused: list[str],
) -> None:
    """A server that says so itself keeps its route, and is not searched for."""
    resolver.broken = True
    access = scene.access()
    await access.call(issue)
    route = access.routing.route
    if fault is None:
        await scene.server.restart(boot_state)
    else:
        scene.server.booting = boot_state
        scene.server.faults.set("identity", fault)
    scene.asked()
    with pytest.raises(kind):
        await access.identify()
    assert scene.asked() == ["identity"]
    with pytest.raises(kind):
        await access.call(issue)
    assert scene.asked() == ["identity", *refused]
    assert access.routing.route is route
    scene.server.booting = None
    scene.server.faults.clear()
    await access.call(issue)
    assert access.routing.route is route


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


async def test_stranger_who_takes_the_address_sees_no_token(
    scene: Scene, resolver: Resolver, population: Population
) -> None:
    """A machine that no poll has seen at the address yet is shown no token."""
    resolver.broken = True
    access = scene.access()
    await access.call(issue)
    port = scene.server.port
    await scene.server.stop()
    await population.other.change_port(port)
    scene.plex.requests.clear()
    with pytest.raises(WrongServerError):
        await access.call(issue)
    asked = [one for one in scene.plex.requests if one.host != PLEX_TV]
    assert {one.host for one in asked} == {population.other.machine_identifier}
    assert not any("X-Plex-Token" in one.headers for one in asked)


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
    refused = ["security_token", "user", "resources"]
    with pytest.raises(NotPermittedError) as caught:
        await access.call(issue)
    assert type(caught.value) is NotPermittedError
    assert scene.asked() == [*refused, "identity"]
    scene.server.rotate_access_tokens()
    with pytest.raises(NotPermittedError):
        await access.call(issue)
    assert scene.asked() == [*refused, "security_token", "identity"]


async def test_refused_by_a_server_that_goes(scene: Scene) -> None:
    """A refusal stays one when nobody can be asked whether the server is claimed."""
    access = scene.access()
    await access.call(issue)
    scene.server.faults.set("security_token", Fault.status(403))
    scene.server.faults.set("identity", Fault.reset())
    with pytest.raises(NotPermittedError) as caught:
        await access.call(issue)
    assert type(caught.value) is NotPermittedError


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
    assert access.target.listed is not None
    scene.stored = KnownServer.from_listed(access.target.listed)
    scene.server.faults.set("security_token", Fault.status(401))
    scene.server.faults.set("root", Fault.status(401))
    scene.server.claimed = False
    with pytest.raises(NotClaimedError):
        await access.call(issue)
    with pytest.raises(NotClaimedError):
        await access.check_token("any")
    scene.plex.faults.set("resources", Fault.body("[]"))
    await scene.list.renew(now=True)
    with pytest.raises(NotClaimedError):
        await scene.access(url=URL(scene.server.http_url)).call(issue)


IDENTITY_FAULTS = {
    "503": Fault.status(503),
    "404": Fault.status(404),
    "500": Fault.status(500),
    "page": Fault.html(502),
    "reset": Fault.reset(),
    "maintenance": Fault.status(503, 'title="Maintenance"'),
    "no word of it": None,
}


@pytest.mark.parametrize("fault", IDENTITY_FAULTS.values(), ids=IDENTITY_FAULTS.keys())
@pytest.mark.parametrize("times", [1, 9])
@pytest.mark.parametrize("is_told_by_a_poll", [True, False])
async def test_server_that_said_it_is_unclaimed_gets_no_token(
    scene: Scene, fault: Fault | None, times: int, is_told_by_a_poll: bool
) -> None:
    """An identity that fails or says nothing of it is no answer; a later one counts."""
    if fault is None:
        says = {"machineIdentifier": scene.server.machine_identifier}
        fault = Fault.body(json.dumps({"MediaContainer": says}))
    access = scene.access()
    await access.call(issue)
    scene.server.unclaim(listed=True)
    if is_told_by_a_poll:
        await access.identify()
    else:
        scene.server.trusts_network = False
        with pytest.raises(NotClaimedError):
            await access.call(issue)
    scene.plex.requests.clear()
    scene.server.faults.set("identity", fault, times=times)
    for attempt in (
        access.call(issue),
        access.call(issue, is_repeatable=False),
        access.check_token("typed"),
        access.source("server://1"),
    ):
        with pytest.raises(PlexError):
            await attempt
    assert not [
        one
        for one in scene.plex.requests
        if one.host != PLEX_TV and "X-Plex-Token" in one.headers
    ]
    scene.server.faults.clear()
    scene.server.claim(scene.server.owner)
    await access.call(issue)


@pytest.mark.parametrize("state", ["starting", "startingPlugins"])
async def test_unclaimed_server_that_starts_gets_no_token(
    scene: Scene, state: str
) -> None:
    """What a server says while it starts up is no news of it, but holds tokens back."""
    access = scene.access()
    await access.identify()
    scene.server.unclaim(listed=True)
    await scene.server.restart(boot_state=state)
    access.routing.route = None
    scene.plex.requests.clear()
    for attempt in (access.call(issue), access.check_token("typed")):
        with pytest.raises(StartingUpError):
            await attempt
    assert not access.is_unclaimed
    assert not tokens_of(scene)


async def renewing(scene: Scene, access: ServerAccess) -> tuple[asyncio.Task[Any], str]:
    """Return a call that waits for plex.tv to tell a new token, and that token."""
    await access.call(issue)
    scene.server.rotate_access_tokens()
    renewed = scene.server.access_token_for(scene.server.owner)
    scene.plex.faults.set("resources", Fault.delay(0.5))
    calling = asyncio.create_task(access.call(issue))
    while not scene.plex.requests_to("resources")[1:]:
        await asyncio.sleep(0.01)
    return calling, renewed


async def test_unclaimed_while_the_token_is_renewed(scene: Scene) -> None:
    """What a poll hears while plex.tv is asked for a new token holds that one back."""
    access = scene.access()
    calling, renewed = await renewing(scene, access)
    scene.server.unclaim(listed=True)
    await access.identify()
    assert access.is_unclaimed
    with pytest.raises(NotClaimedError):
        await calling
    assert renewed not in tokens_of(scene)


async def test_another_server_while_the_token_is_renewed(scene: Scene) -> None:
    """A poll that finds another server at the address holds the new token back too."""
    await scene.list.renew(now=True)
    access = scene.access(url=URL(scene.server.http_url))
    calling, renewed = await renewing(scene, access)
    says = {"machineIdentifier": "another", "claimed": True}
    other = Fault.body(json.dumps({"MediaContainer": says}))
    scene.server.faults.set("identity", other)
    with pytest.raises(WrongServerError):
        await access.identify()
    with pytest.raises(WrongServerError):
        await calling
    assert renewed not in tokens_of(scene)


async def test_typed_token_is_not_shown_to_another_server(scene: Scene) -> None:
    """A server that names itself as another one gets no token, nor refuses it."""
    access = scene.access()
    await access.identify()
    scene.server.machine_identifier = "another"
    scene.plex.requests.clear()
    with pytest.raises(WrongServerError):
        await access.check_token("typed")
    assert not tokens_of(scene)


async def test_first_call_meets_an_unclaimed_server(scene: Scene) -> None:
    """What a server says while a route is looked for counts as well."""
    scene.server.unclaim(listed=True)
    for access in (
        scene.access(),
        scene.access(url=URL(scene.server.http_url), typed_token="typed"),
    ):
        with pytest.raises(NotClaimedError):
            await access.call(issue)
        assert access.is_unclaimed
    assert set(scene.asked()) <= {"identity", "resources"}


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
    assert not {"user", "resources"} & set(scene.asked())

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


async def test_typed_token_that_is_taken_again(
    scene: Scene, population: Population
) -> None:
    """A token that a call is answered with is refused no longer."""
    access = scene.access(url=URL(scene.server.http_url), typed_token="wrong")
    with pytest.raises(NotPermittedError):
        await access.call(issue)
    access.target.typed_token = population.server_token
    await access.call(issue)
    assert (access.token_refused, scene.refusals) == (False, 2)


async def test_no_token(scene: Scene) -> None:
    """A server of which no token is known is not asked for anything with one."""
    scene.plex.faults.set("resources", Fault.body("[]"))
    access = scene.access(url=URL(scene.server.http_url))
    with pytest.raises(NotPermittedError) as caught:
        await access.call(issue)
    assert type(caught.value) is NotPermittedError
    assert "security_token" not in scene.asked()


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

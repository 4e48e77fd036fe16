"""Claim a server of nobody, without Home Assistant, over real HTTP."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
import logging

from aiohttp import ClientSession
import pytest
from yarl import URL

from custom_components.plex_auth.api import claim as claim_module, errors
from custom_components.plex_auth.api.claim import claim
from custom_components.plex_auth.api.known_server import KnownServer
from custom_components.plex_auth.api.plex_tv import PlexTv
from custom_components.plex_auth.api.server import PlexServer
from custom_components.plex_auth.api.server_list import AccountServer, ServerList
from custom_components.plex_auth.api.transport import Transport
from tests.fault_catalogue import breathe
from tests.plex_simulator import Account, Fault, MediaServer, PlexSimulator, Way
from tests.short_timeouts import short_timeouts

from .population import IDENTITY, Population

LOOKS = 12


@dataclass
class Scene:
    """Hold a server of nobody, and the account that claims it."""

    plex: PlexSimulator
    account: PlexTv
    transport: Transport
    owner: Account
    stranger: Account
    server: MediaServer

    def __post_init__(self) -> None:
        """Sign in, and sign the server out."""
        self.token = self.owner.sign_in_token("client-1")
        self.server.unclaim()
        self.target = AccountServer(
            ServerList(lambda: self.account.servers(self.token), self._verify),
            self.server.machine_identifier,
            lambda: KnownServer(token=None, connections=(), https_required=False),
        )

    async def _verify(self) -> None:
        await self.account.user(self.token)

    async def claim(self) -> None:
        """Claim the server by its plain address."""
        calls = PlexServer(self.transport, URL(self.server.http_url))
        await claim(self.account, self.token, calls, self.target)

    def when_claimed(self, happen: Callable[[], object]) -> None:
        """Let something happen at the moment that a claim arrives."""
        take = self.server.faults.take

        def take_then(endpoint: str) -> Fault | None:
            if endpoint == "claim":
                happen()
            return take(endpoint)

        self.server.faults.take = take_then  # type: ignore[method-assign]

    async def failure(self) -> errors.PlexError:
        """Claim the server in vain, and return why."""
        with pytest.raises(errors.PlexError) as caught:
            await self.claim()
        return caught.value

    def asked(self) -> list[str]:
        """Return the endpoints that were asked, in order."""
        return [request.endpoint for request in self.plex.requests]


@pytest.fixture
def scene(
    plex: PlexSimulator,
    account: PlexTv,
    transport: Transport,
    population: Population,
    monkeypatch: pytest.MonkeyPatch,
) -> Scene:
    """Return a server of nobody; who waits for plex.tv does so in no time."""
    scene = Scene(
        plex, account, transport, population.owner, population.guest, population.server
    )
    monkeypatch.setattr(claim_module, "_PAUSE", 0.0)
    return scene


async def test_claim(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    """It is claimed once, by a token that goes in the query and with no other token."""
    caplog.set_level(logging.DEBUG)
    await scene.claim()
    assert (scene.server.claimed, scene.server.owner) == (True, scene.owner)
    assert scene.target.listed is not None
    assert scene.target.token == scene.server.access_token_for(scene.owner)
    assert scene.asked() == [
        "identity",
        "resources",
        "claim_token",
        "claim",
        "identity",
        "resources",
    ]
    (asked,) = scene.plex.requests_to("claim")
    (claim_token,) = scene.plex.claim_tokens.given
    assert (asked.query, asked.method) == ({"token": claim_token}, "POST")
    assert not {"X-Plex-Token", "Cookie", "Authorization"} & asked.headers.keys()
    assert claim_token not in caplog.text


async def test_listed_late(scene: Scene) -> None:
    """plex.tv is asked again and again until it lists the server."""
    scene.server.answers_without_it = LOOKS - 1
    await scene.claim()
    assert len(scene.plex.requests_to("resources")) == 1 + LOOKS
    assert len(scene.plex.requests_to("claim")) == 1


async def test_not_listed_in_time(scene: Scene) -> None:
    """After that it is told, and the next try finds it without another claim."""
    scene.server.answers_without_it = LOOKS
    assert isinstance(await scene.failure(), errors.NotListedYetError)
    assert len(scene.plex.requests_to("resources")) == 1 + LOOKS
    await scene.claim()
    assert len(scene.plex.requests_to("claim")) == 1


async def test_plex_tv_is_away(scene: Scene) -> None:
    """Without plex.tv's word nothing is sent, whatever it listed before."""
    await scene.target.servers.renew(now=True)
    scene.plex.faults.set("resources", Fault.status(503))
    assert isinstance(await scene.failure(), errors.UnavailableError)
    assert not scene.plex.claim_tokens.given
    assert not scene.plex.requests_to("claim")


async def test_plex_tv_goes_away_after_the_claim(scene: Scene) -> None:
    """A list that is not told is waited for as well."""
    away = Fault.status(503)
    scene.when_claimed(lambda: scene.plex.faults.set("resources", away, times=3))
    await scene.claim()
    assert len(scene.plex.requests_to("resources")) == 1 + 4


async def test_plex_tv_stays_away_after_the_claim(scene: Scene) -> None:
    """What was listed before the sign-out tells nothing of who owns the server now."""
    away = Fault.status(503)
    scene.when_claimed(lambda: scene.plex.faults.set("resources", away))
    assert isinstance(await scene.failure(), errors.NotListedYetError)


type Contradict = Callable[[Scene], object]


def _still_owned(scene: Scene) -> None:
    scene.server.unclaim(listed=True)


def _owned_by_another(scene: Scene) -> None:
    """Let plex.tv list the server as a stranger's, who shares it."""
    scene.server.claim(scene.stranger)
    scene.server.shared_with.append(scene.owner)


@pytest.mark.parametrize(
    ("contradict", "kind"),
    [
        (_still_owned, errors.StillListedError),
        (_owned_by_another, errors.NotOwnerError),
    ],
)
async def test_another_machine_says_that_it_is_unclaimed(
    scene: Scene, contradict: Contradict, kind: type[errors.PlexError]
) -> None:
    """A machine that plex.tv contradicts gets no claim token, and none is made."""
    contradict(scene)
    impostor = await scene.plex.add_impostor(scene.server, claimed=False)
    await impostor.take_over()
    assert isinstance(await scene.failure(), kind)
    assert not scene.plex.claim_tokens.given
    assert not impostor.secrets
    assert {request.endpoint for request in impostor.requests} == {"identity"}


async def test_certificate_proves_who_answers(scene: Scene) -> None:
    """plex.tv is contradicted by the server's own certificate for a listed name."""
    scene.server.unclaim(listed=True)
    server = PlexServer(scene.transport, URL(scene.server.https_url))
    await claim(scene.account, scene.token, server, scene.target)
    assert (scene.server.claimed, scene.server.owner) == (True, scene.owner)


@pytest.mark.parametrize("verify_ssl", [False, True])
async def test_certificate_that_proves_nothing(
    scene: Scene, session: ClientSession, verify_ssl: bool
) -> None:
    """One that is not verified, or for a name that plex.tv does not list, does not."""
    scene.server.unclaim(listed=True)
    if verify_ssl:
        scene.server.connections = []
    transport = Transport(session, IDENTITY, verify_ssl=verify_ssl)
    server = PlexServer(transport, URL(scene.server.https_url))
    with pytest.raises(errors.StillListedError):
        await claim(scene.account, scene.token, server, scene.target)
    assert not scene.plex.claim_tokens.given


@pytest.mark.parametrize("fault", [Fault.reset(processed=True), Fault.half_body()])
async def test_answer_is_lost(scene: Scene, fault: Fault) -> None:
    """A claim that came about counts, whatever became of its answer."""
    scene.server.faults.set("claim", fault)
    await scene.claim()
    assert scene.server.owner is scene.owner
    assert len(scene.plex.requests_to("claim")) == 1


@pytest.mark.xdist_group("time")
async def test_answer_is_late(scene: Scene) -> None:
    """A claim that takes longer than we wait counts as well."""
    scene.server.faults.set("claim", Fault.slow_body(5))
    with short_timeouts(0.3):
        await scene.claim()
    assert len(scene.plex.requests_to("claim")) == 1


async def test_server_is_away_after_the_claim(scene: Scene) -> None:
    """Where the server does not answer any more plex.tv's word is enough."""
    scene.server.faults.set("claim", Fault.reset(processed=True))
    scene.when_claimed(
        lambda: scene.server.faults.set("identity", Fault.status(503)),
    )
    await scene.claim()
    assert scene.server.owner is scene.owner


async def test_failure_of_what_came_about(scene: Scene) -> None:
    """An answer of failure counts for nothing where the account owns the server."""
    scene.server.faults.set("claim", Fault.status(500))
    scene.when_claimed(lambda: scene.server.claim(scene.owner))
    await scene.claim()
    assert len(scene.plex.requests_to("resources")) == 2


type Spoil = Callable[[Scene], object]


def _by_a_stranger(scene: Scene) -> None:
    scene.server.claim(scene.stranger)


def _by_a_stranger_meanwhile(scene: Scene) -> None:
    scene.when_claimed(lambda: scene.server.claim(scene.stranger))


def _by_a_stranger_who_shares(scene: Scene) -> None:
    """Let a stranger be quicker, share the server with us, and our answer be lost."""
    _by_a_stranger_meanwhile(scene)
    scene.server.faults.set("claim", Fault.reset())
    scene.server.shared_with.append(scene.owner)


def _not_trusted(scene: Scene) -> None:
    scene.server.trusts_network = False


def _too_old_token(scene: Scene) -> None:
    create = scene.plex.claim_tokens.create

    def create_and_wait(account: Account) -> str:
        token = create(account)
        scene.plex.clock.advance(timedelta(minutes=4))
        return token

    scene.plex.claim_tokens.create = create_and_wait  # type: ignore[method-assign]


def _fault(endpoint: str, fault: Fault) -> Spoil:
    def spoil(scene: Scene) -> None:
        host = scene.plex if endpoint == "claim_token" else scene.server
        host.faults.set(endpoint, fault)

    return spoil


FAILURES: dict[str, tuple[Spoil, type[errors.PlexError], int]] = {
    "by a stranger": (_by_a_stranger, errors.ClaimedElsewhereError, 0),
    "meanwhile": (_by_a_stranger_meanwhile, errors.ClaimedElsewhereError, 1),
    "shared": (_by_a_stranger_who_shares, errors.ClaimedElsewhereError, 1),
    "not trusted": (_not_trusted, errors.NetworkNotTrustedError, 1),
    "too old token": (_too_old_token, errors.ClaimFailedError, 1),
    "500": (_fault("claim", Fault.status(500)), errors.ClaimFailedError, 1),
    "200 for nothing": (_fault("claim", Fault.body("{}")), errors.ClaimFailedError, 1),
    "lost": (
        _fault("claim", Fault.reset()),
        errors.SecureConnectionRequiredError,
        1,
    ),
    "maintenance": (
        _fault("claim", Fault.status(503, 'title="Maintenance"')),
        errors.MaintenanceError,
        1,
    ),
    "429": (_fault("claim", Fault.status(429)), errors.RateLimitedError, 1),
    # The claim token is asked for as in any call: the fault matrix has the rest.
    "plex.tv away": (
        _fault("claim_token", Fault.html(502)),
        errors.UnavailableError,
        0,
    ),
    "starting": (
        _fault("identity", Fault.status(503, "server is still starting up")),
        errors.StartingUpError,
        0,
    ),
}


@pytest.mark.parametrize(
    ("spoil", "kind", "claims"), FAILURES.values(), ids=FAILURES.keys()
)
async def test_failures(
    scene: Scene, spoil: Spoil, kind: type[errors.PlexError], claims: int
) -> None:
    """Each failure has its own error, and no claim is sent twice."""
    spoil(scene)
    failure = await scene.failure()
    assert type(failure) is kind
    assert len(scene.plex.requests_to("claim")) == claims
    for claim_token in scene.plex.claim_tokens.given:
        assert claim_token not in repr(vars(failure)) + str(failure)


async def test_booting_server_is_not_claimed(scene: Scene) -> None:
    """A server that boots is left alone."""
    await scene.server.restart(boot_state="starting")
    assert isinstance(await scene.failure(), errors.StartingUpError)
    assert scene.plex.requests_to("claim_token") == []


async def test_another_server_is_not_claimed(scene: Scene) -> None:
    """The identity is compared before plex.tv is asked for anything."""
    scene.server.machine_identifier = "another"
    assert isinstance(await scene.failure(), errors.WrongServerError)
    assert scene.asked() == ["identity"]


async def test_server_that_is_gone(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A claim that did not leave is over at once."""
    send = PlexServer.claim

    async def gone(calls: PlexServer, claim_token: str) -> None:
        await scene.server.close_way(Way.LOCAL)
        await breathe()
        await send(calls, claim_token)

    monkeypatch.setattr(PlexServer, "claim", gone)
    assert type(await scene.failure()) is errors.NotReachedError
    assert scene.asked() == ["identity", "resources", "claim_token"]


async def test_already_ours(scene: Scene) -> None:
    """A server that the account owns by now needs no claim."""
    scene.server.claim(scene.owner)
    await scene.claim()
    assert scene.asked() == ["identity", "resources"]

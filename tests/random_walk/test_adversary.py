"""The walk notices what its adversary must not get, and only that."""

from collections.abc import Callable
import ssl

from aiohttp import ClientSession
import pytest

from tests.harness import Harness
from tests.plex_simulator import Certificate, MediaServer

from .adversary import Adversary, Disguise

type Secret = Callable[[Harness, MediaServer], str]


def access_token(harness: Harness, server: MediaServer) -> str:
    """Return the token that plex.tv lists for a server."""
    return server.access_token_for(harness.anna)


def transient_token(harness: Harness, server: MediaServer) -> str:
    """Return a transient token of a server."""
    return server.issue_transient_token(harness.anna)


def account_token(harness: Harness, server: MediaServer) -> str:
    """Return a token of the account."""
    return harness.anna.sign_in_token("any")


def claim_token(harness: Harness, server: MediaServer) -> str:
    """Return a claim token of the account."""
    return harness.simulator.claim_tokens.create(harness.anna)


def other_token(harness: Harness, server: MediaServer) -> str:
    """Return the token that plex.tv lists for another server."""
    return access_token(harness, harness.world.basement)


def disguise(
    *, claimed: bool | None = True, is_right: bool = True, secure: bool = False
) -> Disguise:
    """Return a disguise, with a certificate of its own if it is asked over TLS."""
    certificate = Certificate.VALID if secure else Certificate.ABSENT
    return Disguise(certificate=certificate, claimed=claimed, is_right=is_right)


@pytest.mark.parametrize(
    ("looks", "secret", "may_get"),
    [
        (disguise(), access_token, True),
        (disguise(claimed=None), access_token, True),
        (disguise(), transient_token, True),
        (disguise(), account_token, False),
        (disguise(), claim_token, False),
        (disguise(), other_token, False),
        (disguise(claimed=False), access_token, False),
        (disguise(claimed=False), claim_token, False),
        (disguise(is_right=False), access_token, False),
        (disguise(secure=True), access_token, False),
    ],
)
async def test_secrets(
    harness: Harness, looks: Disguise, secret: Secret, may_get: bool
) -> None:
    """It may get what the invariant names, and nothing else; addresses are given back."""
    server = harness.server
    adversary = Adversary(harness, [server])
    url = server.http_url
    await adversary.take(server, looks)
    assert (adversary.free, server.http_url) == ([], url)
    (impostor,) = adversary.impostors
    if looks.certificate is Certificate.VALID:
        url = url.replace("http:", "https:")
    await ask(url, secret(harness, server))
    assert len(impostor.requests) == 1
    if may_get:
        adversary.check()
        await adversary.end()
    else:
        with pytest.raises(AssertionError, match=r"brings .* to Disguise"):
            adversary.check()
        with pytest.raises(AssertionError, match=r"brings .* to Disguise"):
            await adversary.end()
    assert (adversary.free, adversary.impostors) == ([server], [])
    await ask(server.http_url, "any")
    assert harness.simulator.requests_to("root", server.machine_identifier)


@pytest.mark.parametrize("is_typed", [False, True])
async def test_shared_server(harness: Harness, is_typed: bool) -> None:
    """The token of a shared server is for the address that somebody has typed."""
    shared = harness.world.shared
    adversary = Adversary(harness, [shared])
    await adversary.take(shared, disguise())
    if is_typed:
        adversary.typed.add(shared)
    await ask(shared.http_url, access_token(harness, shared))
    if is_typed:
        adversary.check()
    else:
        with pytest.raises(AssertionError, match=r"brings .* to Disguise"):
            adversary.check()


async def test_names(harness: Harness) -> None:
    """A name that something follows is noticed; names are restored."""
    server = harness.server
    adversary = Adversary(harness, [server])
    for name in adversary.names.single:
        adversary.rename(server, name)
    assert (server.name, harness.anna.title) == (name, name)
    adversary.check()
    await ask(adversary.names.url, "any")
    with pytest.raises(AssertionError):
        adversary.check()
    harness.world.hostile.beacon.requests.clear()
    await adversary.end()
    assert (server.name, harness.anna.title) == ("Living Room", "Anna")


async def ask(url: str, token: str) -> None:
    """Send a token to a machine, whatever its certificate."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    headers = {"X-Plex-Token": token}
    async with (
        ClientSession() as session,
        session.get(url, headers=headers, ssl=context),
    ):
        pass

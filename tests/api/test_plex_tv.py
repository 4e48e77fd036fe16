"""The calls of plex.tv, against the simulated one."""

import pyotp
import pytest

from custom_components.plex_auth.api import errors
from custom_components.plex_auth.api.plex_tv import PLEX_TV_API, PlexTv
from tests.plex_simulator import Account, Fault, PlexSimulator, Subscription

from .population import IDENTITY, PASSWORD, Population


@pytest.fixture
def two_factor(plex: PlexSimulator) -> Account:
    """Return an account with two-factor authentication."""
    return plex.add_account(
        "carla", password=PASSWORD, totp_secret=pyotp.random_base32()
    )


def test_plex_tv_is_the_default() -> None:
    """Calls go to plex.tv by TLS unless another base address is given."""
    assert PLEX_TV_API == "https://plex.tv/api/v2"


@pytest.mark.parametrize("login", ["anna", "ANNA", "anna@example.com"])
async def test_sign_in(
    plex: PlexSimulator, account: PlexTv, population: Population, login: str
) -> None:
    """A sign-in gives the account and a token that works, and sends the form it should."""
    signed_in = await account.sign_in(login, PASSWORD)
    assert signed_in.account.uuid == population.owner.uuid
    assert signed_in.token == population.owner.tokens[IDENTITY.client_identifier]
    assert await account.user(signed_in.token) == signed_in.account
    (request,) = plex.requests_to("signin")
    assert request.form == {
        "login": login,
        "password": PASSWORD,
        "rememberMe": "true",
    }
    assert request.method == "POST"
    assert dict(request.query) == {}


async def test_sign_in_with_a_code(
    plex: PlexSimulator, account: PlexTv, two_factor: Account
) -> None:
    """A code that is right signs in; none at all is asked for; a wrong one is told."""
    with pytest.raises(errors.VerificationCodeRequiredError):
        await account.sign_in("carla", PASSWORD)
    with pytest.raises(errors.VerificationCodeRequiredError):
        await account.sign_in("carla", PASSWORD, "")
    for code in (two_factor.wrong_code(), two_factor.expired_code()):
        with pytest.raises(errors.VerificationCodeWrongError):
            await account.sign_in("carla", PASSWORD, code)
    signed_in = await account.sign_in("carla", PASSWORD, two_factor.code())
    assert signed_in.account.two_factor_enabled is True
    forms = [request.form for request in plex.requests_to("signin")]
    assert ["verificationCode" in form for form in forms] == [False, False, *[True] * 3]


async def test_refused_sign_ins(
    plex: PlexSimulator, account: PlexTv, population: Population
) -> None:
    """Wrong credentials, an address that is needed and a blocked household differ."""
    plex.add_account("dora", password=PASSWORD, email_only=True)
    for login, password in (("anna", "wrong"), ("nobody", PASSWORD)):
        with pytest.raises(errors.WrongCredentialsError):
            await account.sign_in(login, password)
    with pytest.raises(errors.EmailRequiredError):
        await account.sign_in("dora", PASSWORD)
    with pytest.raises(errors.BadRequestError):
        await account.sign_in("", "")
    plex.sign_in_guard.blocks_all = True
    with pytest.raises(errors.SignInBlockedError):
        await account.sign_in("anna", PASSWORD)
    plex.sign_in_guard.clear()
    await account.sign_in("anna", PASSWORD)
    plex.faults.set("signin", Fault.plex_error(1003, retry_after=7))
    with pytest.raises(errors.RateLimitedError) as caught:
        await account.sign_in("anna", PASSWORD)
    assert caught.value.retry_after == 7
    assert len(plex.requests_to("signin")) == 7


async def test_rejected_token(
    plex: PlexSimulator, account: PlexTv, population: Population
) -> None:
    """A token that was revoked is rejected by every call that shows it."""
    token = population.token
    await account.user(token)
    population.owner.revoke_tokens()
    for ask in (
        account.user(token),
        account.servers(token),
        account.claim_token(token),
        account.sign_out(token),
    ):
        with pytest.raises(errors.TokenRejectedError):
            await ask


async def test_user(account: PlexTv, plex: PlexSimulator) -> None:
    """Accounts of all kinds are read."""
    now = plex.clock.now()
    managed = plex.add_account("", title="Emil", password=None, restricted=True)
    paying = plex.add_account("fritz", subscription=Subscription.yearly(now, now))
    found = await account.user(managed.sign_in_token(IDENTITY.client_identifier))
    assert (found.name, found.username, found.email) == ("Emil", None, None)
    assert found.has_password is False
    found = await account.user(paying.sign_in_token(IDENTITY.client_identifier))
    assert found.subscription.active is True
    assert found.subscriptions[0].renews_at == now.replace(microsecond=0)


async def test_user_tolerates_odd_fields(
    account: PlexTv, population: Population
) -> None:
    """Unknown and broken fields and missing ones do not matter."""
    population.owner.overrides = {
        "profile": 5,
        "joinedAt": "soon",
        "new": {"a": [1]},
        "subscription": None,
        "services": {"identifier": "one"},
    }
    population.owner.omitted = {"roles", "entitlements", "title"}
    found = await account.user(population.token)
    assert found.name == "anna"
    assert found.joined_at is None
    assert found.subscription.active is None
    assert [service.identifier for service in found.services] == ["one"]


async def test_resources(
    plex: PlexSimulator, account: PlexTv, population: Population
) -> None:
    """Own and shared servers are listed with their own tokens and all addresses."""
    own = await account.servers(population.token)
    assert {one.name for one in own} == {"Küche", "Cellar"}
    assert all(one.owned for one in own)
    assert own[0].access_token == population.server_token
    assert own[0].machine_identifier == population.server.machine_identifier
    assert [one.uri for one in own[0].connections] == [
        one.uri for one in population.server.connections
    ]
    guest = population.guest.sign_in_token("client-2")
    (shared,) = await account.servers(guest)
    assert not shared.owned
    assert shared.label == "Küche (Änna)"
    assert shared.access_token == population.server.access_token_for(population.guest)
    request = plex.requests_to("resources")[0]
    assert dict(request.query) == {
        "includeHttps": "1",
        "includeRelay": "1",
        "includeIPv6": "1",
    }


@pytest.mark.parametrize("phantoms", [2_016, 10_000])
async def test_servers_among_phantoms(
    plex: PlexSimulator, account: PlexTv, population: Population, phantoms: int
) -> None:
    """A program that signs in anew every five minutes hides no server, even in a month."""
    population.owner.phantoms = phantoms
    found = await account.servers(population.token)
    assert [one.name for one in found] == ["Küche", "Cellar"]


async def test_more_phantoms_than_can_be_read(
    plex: PlexSimulator, account: PlexTv, population: Population
) -> None:
    """A list over 8 MiB is told to be too long, and so is one over 1 MiB in XML."""
    population.owner.phantoms = 20_000
    with pytest.raises(errors.TooManyDevicesError):
        await account.servers(population.token)
    plex.faults.set("resources", Fault.xml_instead())
    population.owner.phantoms = 4_000
    with pytest.raises(errors.TooManyDevicesError):
        await account.servers(population.token)
    population.owner.phantoms = 1_000
    assert len(await account.servers(population.token)) == 2


async def test_link(
    plex: PlexSimulator, account: PlexTv, population: Population
) -> None:
    """A link code has a token once somebody has entered it, and is forgotten in time."""
    pin = await account.create_pin()
    assert len(pin.code) == 4
    assert pin.token is None
    assert pin.expires_in is not None
    assert 890 <= pin.expires_in <= 900
    assert (await account.check_pin(pin.id)).token is None
    plex.pins.link(pin.code, population.owner)
    linked = await account.check_pin(pin.id)
    assert linked.token == population.owner.tokens[IDENTITY.client_identifier]
    assert all("X-Plex-Token" not in request.headers for request in plex.requests)
    with pytest.raises(errors.LinkExpiredError):
        await account.check_pin(pin.id + 1)


async def test_sign_out(
    plex: PlexSimulator, account: PlexTv, population: Population
) -> None:
    """Signing out ends the token."""
    token = population.token
    await account.sign_out(token)
    (request,) = plex.requests_to("signout")
    assert (request.method, request.status) == ("DELETE", 204)
    with pytest.raises(errors.PlexError):
        await account.user(token)


@pytest.mark.parametrize("fault", [None, Fault.xml_instead()])
async def test_claim_token(
    plex: PlexSimulator, account: PlexTv, population: Population, fault: Fault | None
) -> None:
    """A claim token is asked for beside the second API, and is of the account."""
    if fault is not None:
        plex.faults.set("claim_token", fault)
    claim_token = await account.claim_token(population.token)
    (request,) = plex.requests_to("claim_token")
    assert (request.path, dict(request.query)) == ("/api/claim/token.json", {})
    assert plex.claim_tokens.redeem(claim_token) is population.owner
    assert plex.claim_tokens.redeem(claim_token) is None
    plex.faults.set("claim_token", Fault.body('{"token": ""}'))
    with pytest.raises(errors.UnexpectedAnswerError):
        await account.claim_token(population.token)

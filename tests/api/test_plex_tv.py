"""The calls of plex.tv, against the simulated one."""

import logging

import pyotp
import pytest

from custom_components.plex_auth.api import errors
from custom_components.plex_auth.api.homes import HomeUser
from custom_components.plex_auth.api.plex_tv import PLEX_TV_API, PlexTv
from tests.plex_simulator import Account, Fault, PlexSimulator, Subscription
from tests.plex_simulator.worlds import CHILD_PIN, HomeWorld, add_home
from tests.short_timeouts import short_timeouts

from .population import IDENTITY, PASSWORD, Population

# How plex.tv may know a user, and the calls that are made for it.
SECOND_API = "home_switch"
FIRST_API = "home_switch_v1"
BY_UUID, BY_ID, IN_FIRST_API = (
    [SECOND_API],
    [SECOND_API, SECOND_API],
    [SECOND_API, SECOND_API, FIRST_API],
)


@pytest.fixture
def two_factor(plex: PlexSimulator) -> Account:
    """Return an account with two-factor authentication."""
    return plex.add_account(
        "carla", password=PASSWORD, totp_secret=pyotp.random_base32()
    )


@pytest.fixture
def home(plex: PlexSimulator, population: Population) -> HomeWorld:
    """Return a Home of the owner."""
    return add_home(plex, population.server)


@pytest.fixture(params=[BY_UUID, BY_ID, IN_FIRST_API], ids=["uuid", "id", "first API"])
def calls(request: pytest.FixtureRequest, plex: PlexSimulator) -> list[str]:
    """Let plex.tv know users in one way, and return what a switch has to ask."""
    plex.homes.knows_uuids = request.param is BY_UUID
    plex.homes.has_second_api = request.param is not IN_FIRST_API
    made: list[str] = request.param
    return made


def switches(plex: PlexSimulator) -> list[str]:
    """Return the calls that were made to switch."""
    return [one.endpoint for one in plex.requests if one.method == "POST"]


async def user_of(plex_tv: PlexTv, token: str, account: Account) -> HomeUser:
    """Return a user as plex.tv lists it."""
    users = {user.uuid: user for user in await plex_tv.home_users(token)}
    return users[account.uuid]


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


@pytest.mark.parametrize("fault", [None, Fault.xml_instead()], ids=["JSON", "XML"])
async def test_home_users(
    plex: PlexSimulator, account: PlexTv, home: HomeWorld, fault: Fault | None
) -> None:
    """The users of a Home are listed with what they are."""
    if fault is not None:
        plex.faults.set("home_users", fault)
    token = home.admin.sign_in_token(IDENTITY.client_identifier)
    users = await account.home_users(token)
    assert [(one.id, one.uuid) for one in users] == [
        (one.id, one.uuid) for one in home.home.users
    ]
    assert [
        (one.title, one.admin, one.restricted, one.protected, one.guest)
        for one in users
    ] == [
        ("Änna", True, False, False, False),
        ("Emil", False, True, False, False),
        ("Lina", False, True, True, False),
        ("Ida", False, False, False, False),
        ("Guest", False, False, False, True),
    ]
    (request,) = plex.requests_to("home_users")
    assert (request.path, dict(request.query)) == ("/api/v2/home/users", {})


async def test_no_home(
    plex: PlexSimulator, account: PlexTv, population: Population
) -> None:
    """An account without a Home has no users, whichever way plex.tv says so."""
    token = population.token
    for plex.homes.no_home_code in (1000, 1002, 1009, None):
        assert await account.home_users(token) == ()
    for fault, kind in (
        (Fault.status(404), errors.NotFoundError),
        (Fault.html(403), errors.UnavailableError),
        (Fault.status(400), errors.BadRequestError),
        (Fault.plex_error(1001), errors.TokenRejectedError),
        (Fault.plex_error(1003), errors.RateLimitedError),
        (Fault.plex_error(1007), errors.UnavailableError),
        (Fault.plex_error(1008), errors.BadRequestError),
    ):
        plex.faults.set("home_users", fault)
        with pytest.raises(kind):
            await account.home_users(token)


@pytest.mark.parametrize("status", [200, 201])
@pytest.mark.parametrize("name", ["managed", "adult", "child"])
async def test_switch(
    plex: PlexSimulator,
    account: PlexTv,
    home: HomeWorld,
    calls: list[str],
    name: str,
    status: int,
) -> None:
    """A switch gives a token of the user in each way, and leaves the account's alone."""
    plex.homes.switch_status = status
    person: Account = getattr(home, name)
    token = home.admin.sign_in_token(IDENTITY.client_identifier)
    user = await user_of(account, token, person)
    assert user.protected is (person.pin is not None)
    switched = await account.switch_home_user(token, user, person.pin)
    assert switched == person.tokens[IDENTITY.client_identifier]
    assert switches(plex) == calls
    for request in plex.requests:
        assert request.headers["X-Plex-Token"] == token
        assert dict(request.form) == {}
        if request.method == "POST":
            assert request.query == ({"pin": CHILD_PIN} if person.pin else {})
    assert (await account.user(switched)).uuid == person.uuid
    assert (await account.user(token)).uuid == home.admin.uuid
    (listed,) = await account.servers(switched)
    assert listed.access_token == home.server.access_token_for(person)
    assert (listed.owned, listed.home) == (False, True)


@pytest.mark.parametrize("pin", [None, "", "0000", "25800", "\N{SNOWMAN}&pin=2580"])
async def test_wrong_pin(
    plex: PlexSimulator,
    account: PlexTv,
    home: HomeWorld,
    calls: list[str],
    pin: str | None,
) -> None:
    """A missing PIN and a wrong one are told in each way, and tried once."""
    token = home.admin.sign_in_token(IDENTITY.client_identifier)
    user = await user_of(account, token, home.child)
    with pytest.raises(errors.PinWrongError):
        await account.switch_home_user(token, user, pin)
    assert switches(plex) == calls
    assert not home.child.tokens
    assert await account.switch_home_user(token, user, CHILD_PIN)


async def test_pin_that_is_not_asked_for(
    plex: PlexSimulator, account: PlexTv, home: HomeWorld, calls: list[str]
) -> None:
    """Where plex.tv does not insist on a PIN, a wrong one is told all the same."""
    plex.homes.enforces_pins = False
    token = home.admin.sign_in_token(IDENTITY.client_identifier)
    user = await user_of(account, token, home.child)
    assert await account.switch_home_user(token, user)
    with pytest.raises(errors.PinWrongError):
        await account.switch_home_user(token, user, "0000")


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (Fault.plex_error(1009), errors.NotPermittedError),
        (Fault.plex_error(1040, 403), errors.NotPermittedError),
        (Fault.plex_error(1041), errors.PinWrongError),
        (Fault.plex_error(1001), errors.TokenRejectedError),
        (Fault.plex_error(1003), errors.RateLimitedError),
        (Fault.status(429), errors.RateLimitedError),
        (Fault.status(401), errors.UnavailableError),
        (Fault.html(403), errors.UnavailableError),
        (Fault.html(502), errors.UnavailableError),
        (Fault.plex_error(1013), errors.UnavailableError),
        (Fault.redirect("/elsewhere"), errors.UnexpectedAnswerError),
        (Fault.reset(), errors.ConnectionClosedError),
        (Fault.reset(processed=True), errors.ConnectionClosedError),
        (Fault.half_body(), errors.CannotConnectError),
        (Fault.body("{}"), errors.UnexpectedAnswerError),
    ],
)
async def test_switch_is_not_repeated(
    plex: PlexSimulator,
    account: PlexTv,
    home: HomeWorld,
    fault: Fault,
    kind: type[errors.PlexError],
) -> None:
    """A switch that failed is asked for once: it may have been done, or be limited."""
    token = home.admin.sign_in_token(IDENTITY.client_identifier)
    user = await user_of(account, token, home.managed)
    plex.faults.set(SECOND_API, fault)
    with pytest.raises(errors.PlexError) as caught:
        await account.switch_home_user(token, user)
    assert type(caught.value) is kind
    assert caught.value.retry_after is None
    assert switches(plex) == [SECOND_API]


@pytest.mark.xdist_group("time")
@pytest.mark.parametrize("fault", [Fault.delay(1), Fault.slow_body(1)])
async def test_switch_that_takes_too_long(
    plex: PlexSimulator, account: PlexTv, home: HomeWorld, fault: Fault
) -> None:
    """A switch that is not answered in time is not repeated either."""
    token = home.admin.sign_in_token(IDENTITY.client_identifier)
    user = await user_of(account, token, home.managed)
    plex.faults.set(SECOND_API, fault)
    with short_timeouts(0.25), pytest.raises(errors.ConnectionTimeoutError):
        await account.switch_home_user(token, user)
    assert switches(plex) == [SECOND_API]


async def test_unknown_user(
    plex: PlexSimulator, account: PlexTv, home: HomeWorld
) -> None:
    """Who has left the Home is asked for in each way, and then not found."""
    token = home.admin.sign_in_token(IDENTITY.client_identifier)
    user = await user_of(account, token, home.managed)
    plex.homes.remove_member(home.managed)
    with pytest.raises(errors.NotFoundError):
        await account.switch_home_user(token, user)
    assert switches(plex) == IN_FIRST_API


@pytest.mark.parametrize("status", [400, 404, 405, 410])
async def test_answers_that_know_no_user(
    plex: PlexSimulator, account: PlexTv, home: HomeWorld, status: int
) -> None:
    """Each answer that means that nothing was done is followed by the next way."""
    token = home.admin.sign_in_token(IDENTITY.client_identifier)
    user = await user_of(account, token, home.managed)
    plex.faults.set(SECOND_API, Fault.status(status), times=1)
    assert await account.switch_home_user(token, user)
    assert switches(plex) == BY_ID
    first, second = plex.requests_to(SECOND_API)
    assert (first.path, second.path) == (
        f"/api/v2/home/users/{user.uuid}/switch",
        f"/api/v2/home/users/{user.id}/switch",
    )


async def test_token_of_somebody_else(
    plex: PlexSimulator, account: PlexTv, home: HomeWorld
) -> None:
    """The admin's own token is never taken for that of the child."""
    token = home.admin.sign_in_token(IDENTITY.client_identifier)
    user = await user_of(account, token, home.child)
    own = {"id": home.admin.id, "authToken": token}
    plex.faults.set(SECOND_API, Fault.status(201, own))
    with pytest.raises(errors.UnexpectedAnswerError):
        await account.switch_home_user(token, user, CHILD_PIN)


async def test_pin_and_tokens_are_in_no_log_and_no_error(
    plex: PlexSimulator,
    account: PlexTv,
    home: HomeWorld,
    calls: list[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """At debug a switch is a line without its query, however it ends."""
    right, wrong = "marker-right-pin", "marker-wrong-pin"
    home.child.pin = right
    token = home.admin.sign_in_token(IDENTITY.client_identifier)
    user = await user_of(account, token, home.child)
    caplog.set_level(logging.DEBUG)
    switched = await account.switch_home_user(token, user, right)
    raised = []
    for fault in (Fault.reset(), Fault.html(502), Fault.redirect("/elsewhere")):
        plex.faults.set(calls[-1], fault, times=1)
        for _ in range(2):  # the second time it is the PIN
            with pytest.raises(errors.PlexError) as caught:
                await account.switch_home_user(token, user, wrong)
            error = caught.value
            assert (error.__context__, error.__cause__) == (None, None)
            raised.append(f"{error} {error!r} {vars(error)}")
    shown = caplog.text + "".join(raised)
    assert f"POST {plex.base_url}/api/v2/home/users/{user.uuid}/switch: " in shown
    for secret in ("marker", "pin=", token, switched):
        assert secret not in shown
    assert not any(secret in repr(user) for secret in (token, switched, right))

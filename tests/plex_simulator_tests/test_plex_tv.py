"""plex.tv, beside what python-plexapi and the integration's own client show of it."""

from datetime import UTC, datetime, timedelta
import re

import pytest

from tests.plex_simulator import Fault, Subscription

from .simulated_plex import CLIENT, PASSWORD, SimulatedPlex

THEN = datetime(2020, 5, 1, 12, 30, 15, tzinfo=UTC)


@pytest.mark.parametrize(
    ("login", "password", "code", "error"),
    [
        ("anna", "wrong", "000000", (401, 1001)),
        ("anna", PASSWORD, "", (401, 1029)),
        ("anna", PASSWORD, "12345", (401, 1028)),
        ("anna", PASSWORD, "ABCDEF", (401, 1028)),
        ("ben", "", "", (400, 1004)),
        ("", PASSWORD, "", (400, 1004)),
    ],
)
async def test_sign_in_refused(
    plex: SimulatedPlex, login: str, password: str, code: str, error: tuple[int, int]
) -> None:
    """Each refusal has its code, a wrong password before a wrong code; none a token."""
    assert (await plex.sign_in(login, password, code)).error == error
    assert not (plex.anna.tokens or plex.ben.tokens)


async def test_body_that_is_no_form(plex: SimulatedPlex) -> None:
    """A sign-in that cannot be read is malformed."""
    url, data = f"{plex.simulator.api_url}/users/signin", b"login=ben&password=%e9"
    for kind in ("application/x-www-form-urlencoded; charset=none", "text/plain"):
        headers = {"Content-Type": kind, "X-Plex-Client-Identifier": CLIENT}
        async with plex.session.post(url, data=data, headers=headers) as response:
            assert 'code="1004"' in await response.text()


async def test_error_without_status(plex: SimulatedPlex) -> None:
    """Most errors repeat the status in the body, some do not."""
    for password, status in (("wrong", 401), (PASSWORD, None)):
        (error,) = (await plex.sign_in("anna", password)).json["errors"]
        assert error.get("status") == status


async def test_steps_of_a_code(plex: SimulatedPlex) -> None:
    """A code is good in its step and the ones beside it, and no longer."""
    clock = plex.simulator.clock
    # In the middle of a step, so that none ends while the test runs.
    clock.advance(timedelta(seconds=15 - clock.now().second % 30))
    code = plex.anna.code()
    for seconds, status in ((0, 201), (0, 201), (30, 201), (30, 401)):
        clock.advance(timedelta(seconds=seconds))
        assert (await plex.sign_in("anna", code=code)).status == status
    joined = PASSWORD + plex.anna.wrong_code()
    assert (await plex.sign_in("anna", joined)).error == (401, 1001)


async def test_failures_block_the_address(plex: SimulatedPlex) -> None:
    """After failures without a success right credentials are refused, for a time."""
    guard = plex.simulator.sign_in_guard
    guard.limit = 2
    for password in (*("wrong", PASSWORD) * 2, "wrong", "wrong"):
        expected = 201 if password == PASSWORD else 401
        assert (await plex.sign_in("ben", password)).status == expected
    assert (await plex.sign_in("ben")).error == (401, 1031)
    plex.simulator.clock.advance(guard.duration)
    assert (await plex.sign_in("ben")).status == 201
    guard.limit = None
    for _ in range(12):
        assert (await plex.sign_in("ben", "wrong")).error == (401, 1001)


async def test_one_token_for_an_account_and_client(plex: SimulatedPlex) -> None:
    """A new sign-in of one client ends its old token; other clients' tokens stay."""
    other = plex.ben.sign_in_token("client-2")
    first, second = [(await plex.sign_in("ben")).json["authToken"] for _ in range(2)]
    for token, status in ((first, 401), (other, 200), (second, 200)):
        assert await plex.status("/user", token) == status
    await plex.ask("DELETE", "/users/signout", second)
    assert plex.ben.tokens == {"client-2": other}


@pytest.mark.parametrize("remembered", [True, False])
async def test_remembered_for_14_days(plex: SimulatedPlex, remembered: bool) -> None:
    """A remembered sign-in says until when, anew with each answer; another does not."""
    token = plex.ben.sign_in_token(CLIENT, remembered=remembered)
    plex.simulator.clock.advance(timedelta(days=3))
    until = (await plex.get("/user", token)).json["rememberExpiresAt"]
    in_14_days = (plex.simulator.clock.now() + timedelta(days=14)).timestamp()
    assert until == (pytest.approx(in_14_days, abs=5) if remembered else None)


async def test_formats(plex: SimulatedPlex, token: str) -> None:
    """JSON has null and ISO times; XML leaves out, and has another form of a time."""
    plex.ben.subscription = Subscription.lifetime(THEN)
    found = (await plex.get("/user", token)).json
    assert found["subscription"]["subscribedAt"] == "2020-05-01T12:30:15Z"
    assert found["locale"] is None
    assert {"token", "secret"} <= found["services"][0].keys()
    answer = await plex.get("/user.xml", token)
    assert answer.headers["Content-Type"] == "application/xml; charset=utf-8"
    assert "locale" not in answer.xml.attrib
    subscription = answer.xml.find("subscription")
    assert subscription is not None
    assert subscription.get("subscribedAt") == "2020-05-01 12:30:15 UTC"
    assert (await plex.get("/user.json", token, accept=None)).json["username"] == "ben"


@pytest.mark.parametrize(
    ("subscription", "current", "past"),
    [
        (Subscription.lifetime(THEN), ["lifetime"], []),
        (Subscription.ended(THEN, THEN), [], [int(THEN.timestamp())]),
        (Subscription(), [], []),
    ],
    ids=["lifetime", "ended", "none"],
)
async def test_subscriptions(
    plex: SimulatedPlex,
    token: str,
    subscription: Subscription,
    current: list[str],
    past: list[int],
) -> None:
    """A Plex Pass that is over is in a list of its own."""
    plex.ben.subscription = subscription
    found = (await plex.get("/user", token)).json
    assert [item["mode"] for item in found["subscriptions"]] == current
    assert [item["endsAt"] for item in found["pastSubscriptions"]] == past


async def test_managed_user(plex: SimulatedPlex) -> None:
    """A managed user has but a title."""
    emil = plex.simulator.add_account("", title="Emil", password=None, restricted=True)
    user = (await plex.get("/user", emil.sign_in_token(CLIENT))).json
    assert (user["title"], user["username"], user["email"]) == ("Emil", "", "")
    assert user["mailingListStatus"] is None


@pytest.mark.parametrize(
    ("method", "path", "without_token"),
    [
        ("POST", "/users/signin", (400, 1004)),
        ("DELETE", "/users/signout", (401, 1001)),
        ("GET", "/user", (401, 1001)),
        ("GET", "/resources", (401, 1001)),
        ("PUT", "/pins/link", (401, 1001)),
        ("GET", "/pins/1", (404, 1020)),
        ("GET", "/friends", (404, 1002)),
        ("POST", "/user", (405, 1005)),
    ],
)
async def test_what_a_request_needs(
    plex: SimulatedPlex, method: str, path: str, without_token: tuple[int, int]
) -> None:
    """What exists wants a client identifier, in header or query, and then a token."""
    if without_token[1] not in (1002, 1005):
        assert (await plex.ask(method, path, client=None)).error == (400, 1000)
    url = f"{path}?X-Plex-Client-Identifier={CLIENT}"
    for token in (None, "never-given"):
        answer = await plex.ask(method, url, token, client=None)
        assert answer.error == without_token


async def test_ping(plex: SimulatedPlex) -> None:
    """The ping needs no token, but none that is dead."""
    assert (await plex.get("/ping", client=None)).error == (400, 1000)
    assert (await plex.get("/ping")).json == {"pong": True}
    assert (await plex.get("/ping", "dead")).error == (401, 1001)


async def test_cookie(plex: SimulatedPlex, token: str) -> None:
    """Every answer sets a session cookie, those of faults as well."""
    plex.simulator.faults.set("resources", Fault.html())
    for path in ("/user", "/friends", "/resources"):
        headers = (await plex.get(path, token)).headers
        assert re.match(r"_my-plex_session_\d+=", headers["Set-Cookie"])


# Link codes


async def test_link_code(plex: SimulatedPlex, token: str) -> None:
    """A code counts down until it is claimed, once; the client's old token dies then."""
    pins = plex.simulator.pins
    pin = (await plex.ask("POST", "/pins?X-Plex-Product=Plex+Auth")).json
    url = f"/pins/{pin['id']}"
    assert re.fullmatch(r"[A-Z0-9]{4}", pin["code"])
    assert (pin["product"], pin["newRegistration"]) == ("Plex Auth", None)
    assert pin["location"]["coordinates"]
    assert (await plex.get(url, client="client-2")).error == (404, 1020)
    plex.simulator.clock.advance(timedelta(seconds=100))
    assert 795 <= (await plex.get(url)).json["expiresIn"] <= 800
    assert plex.ben.tokens[CLIENT] == token
    assert pins.link(pin["code"].lower(), plex.ben)
    assert not pins.link(pin["code"], plex.ben)
    assert plex.ben.tokens[CLIENT] != token
    assert (await plex.get(url)).json["newRegistration"] is False


@pytest.mark.parametrize("by_itself", [True, False])
async def test_link_code_that_is_over(
    plex: SimulatedPlex, token: str, by_itself: bool
) -> None:
    """A code that is over can be neither read nor claimed."""
    pin = (await plex.ask("POST", "/pins")).json
    if by_itself:
        plex.simulator.clock.advance(timedelta(seconds=900))
    else:
        plex.simulator.pins.expire(pin["code"])
    assert (await plex.get(f"/pins/{pin['id']}")).error == (404, 1020)
    claim = await plex.ask("PUT", "/pins/link", token, form={"code": pin["code"]})
    assert claim.error == (404, 1020)


async def test_strong_link_code(plex: SimulatedPlex) -> None:
    """A strong code, asked for in query or form, is longer and lives longer."""
    for query, form in (("?strong=true", {}), ("", {"strong": "1"})):
        pin = (await plex.ask("POST", f"/pins{query}", form=form)).json
        assert re.fullmatch(r"[a-z0-9]{25}", pin["code"])
        assert pin["expiresIn"] == 1800

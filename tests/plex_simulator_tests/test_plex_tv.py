"""plex.tv, beside what python-plexapi and the integration's own client show of it."""

from datetime import UTC, datetime, timedelta
import re

from tests.plex_simulator import Client, Subscription, Way

from .simulated_plex import CLIENT, PASSWORD, SimulatedPlex


async def test_body_that_is_no_form(plex: SimulatedPlex) -> None:
    """A sign-in that cannot be read is malformed."""
    url, data = f"{plex.simulator.api_url}/users/signin", b"login=ben&password=%e9"
    for kind in ("application/x-www-form-urlencoded; charset=none", "text/plain"):
        headers = {"Content-Type": kind, "X-Plex-Client-Identifier": CLIENT}
        async with plex.session.post(url, data=data, headers=headers) as response:
            assert 'code="1004"' in await response.text()


async def test_sign_in_refused(plex: SimulatedPlex) -> None:
    """A wrong password comes before a wrong code, and what is missing before both."""
    for login, password, code, error in (
        ("anna", "wrong", "000000", (401, 1001)),
        ("anna", PASSWORD, "ABCDEF", (401, 1028)),
        ("ben", "", "", (400, 1004)),
        ("", PASSWORD, "", (400, 1004)),
    ):
        assert (await plex.sign_in(login, password, code)).error == error


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


async def test_subscriptions(plex: SimulatedPlex, token: str) -> None:
    """A Plex Pass that is over is in a list of its own."""
    then = datetime(2020, 5, 1, 12, 30, 15, tzinfo=UTC)
    for subscription, current, past in (
        (Subscription.lifetime(then), ["lifetime"], []),
        (Subscription.ended(then, then), [], [then.timestamp()]),
        (Subscription(), [], []),
    ):
        plex.ben.subscription = subscription
        found = (await plex.get("/user", token)).json
        assert [item["mode"] for item in found["subscriptions"]] == current
        assert [item["endsAt"] for item in found["pastSubscriptions"]] == past


async def test_kinds_of_subscriptions(plex: SimulatedPlex, token: str) -> None:
    """A subscription has its type and state, and only a Plex Pass has its roles."""
    then = datetime(2030, 5, 1, 12, 30, 15, tzinfo=UTC)
    remote = Subscription.remote_watch(then, then)
    pending = Subscription.cancelled(then, then, "pending_cancellation")
    for subscription, status, listed, roles in (
        (
            Subscription.cancelled(then, then, "canceled"),
            "Canceled",
            [("plexpass", "canceled")],
            ["plexpass"],
        ),
        (
            pending.with_beside(remote),
            "PendingCancellation",
            [("plexpass", "pending_cancellation"), ("remotewatchpass", "active")],
            ["plexpass"],
        ),
        (remote, "Active", [("remotewatchpass", "active")], None),
    ):
        plex.ben.subscription = subscription
        found = (await plex.get("/user", token)).json
        assert found["subscription"]["active"] is True
        assert found["subscription"]["status"] == status
        assert [(item["type"], item["state"]) for item in found["subscriptions"]] == (
            listed
        )
        assert found.get("roles") == roles


async def test_what_a_request_needs(plex: SimulatedPlex) -> None:
    """What exists wants a client identifier, in header or query, and then a token."""
    for method, path, without_token in (
        ("POST", "/users/signin", (400, 1004)),
        ("DELETE", "/users/signout", (401, 1001)),
        ("GET", "/user", (401, 1001)),
        ("GET", "/resources", (401, 1001)),
        ("PUT", "/pins/link", (401, 1001)),
        ("GET", "/pins/1", (404, 1020)),
        ("GET", "/ping", (401, 1001)),
    ):
        assert (await plex.ask(method, path, client=None)).error == (400, 1000)
        url = f"{path}?X-Plex-Client-Identifier={CLIENT}"
        answer = await plex.ask(method, url, "never-given", client=None)
        assert answer.error == without_token, path
    assert (await plex.get("/friends")).error == (404, 1002)
    assert (await plex.ask("POST", "/user")).error == (405, 1005)


async def test_rows(plex: SimulatedPlex) -> None:
    """The query decides on the addresses that a row has; clients have a row as well."""
    carla = plex.simulator.add_account("carla")
    await plex.simulator.add_server("Films", carla, ipv6=True)
    token = carla.sign_in_token(CLIENT, client=Client(product="Player"))
    for query, protocol, ways in (
        ("", "http", {Way.LOCAL, Way.REMOTE}),
        ("?includeHttps=1&includeRelay=0", "https", {Way.LOCAL, Way.REMOTE}),
        ("?includeHttps=1&includeRelay=1&includeIPv6=1", "https", set(Way)),
    ):
        server, player = (await plex.get(f"/resources{query}", token)).json
        assert {one["protocol"] for one in server["connections"]} == {protocol}
        assert len(server["connections"]) == len(ways)
        assert (player["name"], player["provides"]) == ("Player", "")


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
    late = (await plex.ask("POST", "/pins")).json
    plex.simulator.clock.advance(timedelta(seconds=900))
    assert not pins.link(late["code"], plex.ben)
    assert (await plex.get(f"/pins/{late['id']}")).error == (404, 1020)

"""The simulator answers as Plex does: what every other test relies on."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
import json
from pathlib import Path
import re
import signal
import socket
import ssl
import sys
import time
from typing import Any
from xml.etree import ElementTree as ET

import aiohttp
from freezegun import freeze_time
import pyotp
import pytest
import pytest_socket

from .plex_simulator import (
    ENDPOINTS,
    FAULT_KINDS,
    PLEX_TV,
    Account,
    Certificate,
    Clock,
    Connection,
    Fault,
    Faults,
    MediaServer,
    PlexDirectResolver,
    PlexSimulator,
    Subscription,
    Way,
    plex_direct_address,
)
from .plex_simulator.worlds import PODCASTS, demo

CLIENT = "client-1"
PASSWORD = "correct horse"
TRANSIENT = "?type=delegation&scope=all"
TRANSIENT_TOKEN = re.compile(r"transient-[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}")
REPOSITORY = Path(__file__).parents[1]


@dataclass(frozen=True)
class Answer:
    """Hold an answer that was read to its end."""

    status: int
    headers: Any
    text: str

    @property
    def json(self) -> Any:
        """Return the body as JSON."""
        return json.loads(self.text)

    @property
    def xml(self) -> ET.Element:
        """Return the body as XML."""
        return ET.fromstring(self.text)

    @property
    def code(self) -> int:
        """Return plex.tv's error code."""
        code: int = self.json["errors"][0]["code"]
        return code


class Client:
    """Send requests as a client of Plex does, without cookies or repetition."""

    def __init__(self, simulator: PlexSimulator) -> None:
        """Trust the simulator's authority and resolve plex.direct names."""
        self.simulator = simulator
        connector = aiohttp.TCPConnector(
            resolver=PlexDirectResolver(),
            ssl=ssl.create_default_context(cadata=simulator.ca_pem().decode()),
            # A request that follows a cut connection must not be repeated in silence.
            force_close=True,
        )
        self.session = aiohttp.ClientSession(
            connector=connector, cookie_jar=aiohttp.DummyCookieJar()
        )

    async def __call__(
        self,
        method: str,
        url: str,
        *,
        token: str | None = None,
        client: str | None = CLIENT,
        accept: str | None = "application/json",
        seconds: float = 5,
        headers: dict[str, str] | None = None,
        form: Mapping[str, str] | None = None,
    ) -> Answer:
        """Send a request, to plex.tv's API where `url` is only a path."""
        named = {
            "X-Plex-Token": token,
            "X-Plex-Client-Identifier": client,
            "Accept": accept,
        }
        sent = {name: value for name, value in named.items() if value is not None} | (
            headers or {}
        )
        async with self.session.request(
            method,
            url if "://" in url else f"{self.simulator.api_url}{url}",
            headers=sent,
            data=form,
            allow_redirects=False,
            timeout=aiohttp.ClientTimeout(total=seconds),
        ) as response:
            body = await response.read()
            return Answer(
                response.status, response.headers, body.decode(errors="replace")
            )

    async def sign_in(
        self,
        login: str,
        password: str,
        code: str | None = None,
        *,
        client: str = CLIENT,
        remember: str = "true",
    ) -> Answer:
        """Sign in."""
        form = {"login": login, "password": password, "rememberMe": remember}
        if code is not None:
            form["verificationCode"] = code
        return await self("POST", "/users/signin", client=client, form=form)


@pytest.fixture
async def simulator() -> AsyncIterator[PlexSimulator]:
    """Return a running simulator without a population."""
    async with PlexSimulator() as running:
        yield running


@pytest.fixture
async def client(simulator: PlexSimulator) -> AsyncIterator[Client]:
    """Return a client of the simulator."""
    made = Client(simulator)
    yield made
    await made.session.close()


@pytest.fixture
def anna(simulator: PlexSimulator) -> Account:
    """Return an account with two-factor authentication."""
    return simulator.add_account(
        "anna", title="Anna", password=PASSWORD, totp_secret=pyotp.random_base32()
    )


@pytest.fixture
def ben(simulator: PlexSimulator) -> Account:
    """Return an account without two-factor authentication."""
    return simulator.add_account("ben", title="Ben", password=PASSWORD)


@pytest.fixture
async def server(simulator: PlexSimulator, anna: Account, ben: Account) -> MediaServer:
    """Return a server that Anna owns and shares with Ben."""
    return await simulator.add_server("Living Room", anna, shared_with=[ben])


# Signing in


@pytest.mark.parametrize(
    ("form", "headers", "status", "code"),
    [
        ({"login": "ben", "password": "wrong"}, {}, 401, 1001),
        ({"login": "nobody", "password": PASSWORD}, {}, 401, 1001),
        ({"login": "social", "password": PASSWORD}, {}, 401, 1001),
        (
            {"login": "anna", "password": "wrong", "verificationCode": "000000"},
            {},
            401,
            1001,
        ),
        ({"login": "anna", "password": PASSWORD}, {}, 401, 1029),
        (
            {"login": "anna", "password": PASSWORD, "verificationCode": ""},
            {},
            401,
            1029,
        ),
        (
            {"login": "anna", "password": PASSWORD, "verificationCode": "12345"},
            {},
            401,
            1028,
        ),
        (
            {"login": "anna", "password": PASSWORD, "verificationCode": "ABCDEF"},
            {},
            401,
            1028,
        ),
        ({"login": "email-only", "password": PASSWORD}, {}, 401, 1030),
        ({"login": "ben"}, {}, 400, 1004),
        ({"password": PASSWORD}, {}, 400, 1004),
        (
            {"login": "ben", "password": PASSWORD},
            {"X-Plex-Client-Identifier": ""},
            400,
            1000,
        ),
    ],
)
async def test_sign_in_refused(
    simulator: PlexSimulator,
    client: Client,
    anna: Account,
    ben: Account,
    form: dict[str, str],
    headers: dict[str, str],
    status: int,
    code: int,
) -> None:
    """Each refusal of a sign-in has its code, in JSON and XML, and makes no token."""
    simulator.add_account("email-only", email_only=True, password=PASSWORD)
    simulator.add_account("social", password=None)

    answer = await client("POST", "/users/signin", headers=headers, form=form)
    assert (answer.status, answer.code) == (status, code)

    answer = await client(
        "POST", "/users/signin", headers=headers, accept=None, form=form
    )
    error = answer.xml.find("error")
    assert answer.xml.tag == "errors"
    assert error is not None
    assert (answer.status, error.get("code")) == (status, str(code))
    assert not any(account.tokens for account in simulator.accounts.values())


async def test_an_error_can_lack_its_status(client: Client, anna: Account) -> None:
    """Most errors repeat the status in the body, some do not."""
    assert (await client.sign_in("anna", "wrong")).json["errors"][0]["status"] == 401
    assert "status" not in (await client.sign_in("anna", PASSWORD)).json["errors"][0]


@pytest.mark.parametrize("login", ["ben", "BEN", "ben@example.com", "Ben@Example.com"])
async def test_sign_in(client: Client, ben: Account, login: str) -> None:
    """User name and e-mail address work, and the token is the account's."""
    answer = await client.sign_in(login, PASSWORD)
    assert answer.status == 201
    assert answer.json["uuid"] == ben.uuid
    assert answer.json["authToken"] == ben.tokens[CLIENT]
    assert "roles" not in answer.json
    user = await client("GET", "/user", token=answer.json["authToken"])
    assert user.status == 200
    assert user.json["id"] == ben.id


async def test_email_only_account_signs_in_with_its_address(
    simulator: PlexSimulator, client: Client
) -> None:
    """The account that refuses its user name takes its e-mail address."""
    account = simulator.add_account("dora", email_only=True, password=PASSWORD)
    assert (await client.sign_in(account.email, PASSWORD)).json["emailOnlyAuth"] is True


async def test_verification_codes(
    simulator: PlexSimulator, client: Client, anna: Account
) -> None:
    """A code is good in its step and the ones beside it, and no longer."""
    # In the middle of a step, so that none ends while the test runs.
    into_step = simulator.clock.now().timestamp() % 30
    simulator.clock.advance(timedelta(seconds=15 - into_step))
    for code in (anna.code(), anna.code()):
        assert (await client.sign_in("anna", PASSWORD, code)).status == 201
    late = anna.code()
    simulator.clock.advance(timedelta(seconds=30))
    assert (await client.sign_in("anna", PASSWORD, late)).status == 201
    simulator.clock.advance(timedelta(seconds=60))
    for code in (late, anna.expired_code(), anna.wrong_code()):
        assert (await client.sign_in("anna", PASSWORD, code)).code == 1028


async def test_password_and_code_joined(client: Client, anna: Account) -> None:
    """The code can be appended to the password."""
    assert (await client.sign_in("anna", PASSWORD + anna.code())).status == 201
    assert (await client.sign_in("anna", PASSWORD + anna.wrong_code())).code == 1001
    assert (await client.sign_in("anna", "wrong" + anna.code())).code == 1001


async def test_repeated_failures_block_the_address(
    simulator: PlexSimulator, client: Client, ben: Account
) -> None:
    """After some failures right credentials are refused as well, for a time."""
    simulator.sign_in_guard.limit = 3
    for _ in range(3):
        assert (await client.sign_in("ben", "wrong")).code == 1001
    answer = await client.sign_in("ben", PASSWORD)
    assert (answer.status, answer.code) == (401, 1031)
    simulator.clock.advance(simulator.sign_in_guard.duration)
    assert (await client.sign_in("ben", PASSWORD)).status == 201

    simulator.sign_in_guard.blocks_all = True
    assert (await client.sign_in("ben", PASSWORD)).code == 1031
    simulator.sign_in_guard.clear()
    assert (await client.sign_in("ben", PASSWORD)).status == 201


async def test_a_success_forgets_failures(
    simulator: PlexSimulator, client: Client, ben: Account
) -> None:
    """Failures count only until the next success, and never when there is no limit."""
    simulator.sign_in_guard.limit = 2
    for password in ("wrong", PASSWORD, "wrong", PASSWORD):
        assert (await client.sign_in("ben", password)).status == (
            201 if password == PASSWORD else 401
        )
    simulator.sign_in_guard.limit = None
    for _ in range(12):
        assert (await client.sign_in("ben", "wrong")).code == 1001


async def test_one_token_for_an_account_and_client(
    client: Client, ben: Account
) -> None:
    """A new sign-in of one client ends its old token; other clients' tokens stay."""
    first = (await client.sign_in("ben", PASSWORD)).json["authToken"]
    other = (await client.sign_in("ben", PASSWORD, client="client-2")).json["authToken"]
    second = (await client.sign_in("ben", PASSWORD)).json["authToken"]
    assert len({first, other, second}) == 3
    assert [
        (await client("GET", "/user", token=token)).status
        for token in (first, other, second)
    ] == [401, 200, 200]


async def test_remember_me(
    simulator: PlexSimulator, client: Client, ben: Account
) -> None:
    """A remembered sign-in says until when: fourteen days from each answer."""
    answer = await client.sign_in("ben", PASSWORD)
    in_14_days = (simulator.clock.now() + timedelta(days=14)).timestamp()
    assert abs(answer.json["rememberExpiresAt"] - in_14_days) < 5
    answer = await client.sign_in("ben", PASSWORD, remember="false")
    assert answer.json["rememberExpiresAt"] is None


# The account


async def test_account_in_json_and_xml(
    simulator: PlexSimulator, client: Client
) -> None:
    """JSON has numbers and null, XML has texts, and another form of one moment."""
    started = datetime(2020, 5, 1, 12, 30, 15, tzinfo=UTC)
    account = simulator.add_account(
        "carla",
        subscription=Subscription.yearly(started, started + timedelta(days=365)),
    )
    token = account.sign_in_token(CLIENT)

    found = (await client("GET", "/user", token=token)).json
    assert found["subscription"]["subscribedAt"] == "2020-05-01T12:30:15Z"
    assert found["subscription"]["active"] is True
    assert found["subscriptions"][0]["renewsAt"] == int(
        (started + timedelta(days=365)).timestamp()
    )
    assert found["roles"] == ["plexpass"]
    assert found["locale"] is None
    assert {"token", "secret"} <= found["services"][0].keys()

    answer = await client("GET", "/user", token=token, accept=None)
    assert answer.headers["Content-Type"] == "application/xml; charset=utf-8"
    assert answer.xml.tag == "user"
    assert answer.xml.get("id") == str(account.id)
    assert answer.xml.get("confirmed") == "1"
    assert "locale" not in answer.xml.attrib
    subscription = answer.xml.find("subscription")
    assert subscription is not None
    assert subscription.get("subscribedAt") == "2020-05-01 12:30:15 UTC"
    assert answer.xml.find("subscription/features/feature[@id]") is not None
    assert [role.get("id") for role in answer.xml.iterfind("roles/role")] == [
        "plexpass"
    ]

    assert (await client("GET", "/user.json", token=token, accept=None)).json[
        "id"
    ] == account.id
    assert (await client("GET", "/user.xml", token=token)).xml.tag == "user"


async def test_subscriptions(simulator: PlexSimulator, client: Client) -> None:
    """Each kind of Plex Pass shows in the lists as it should."""
    then, later = datetime(2020, 5, 1, tzinfo=UTC), datetime(2030, 5, 1, tzinfo=UTC)
    kinds = {
        "lifetime": (Subscription.lifetime(then), True, [("lifetime", None, None)], []),
        "cancelled": (
            Subscription.cancelled(then, later),
            True,
            [("monthly", None, int(later.timestamp()))],
            [],
        ),
        "ended": (
            Subscription.ended(then, later),
            False,
            [],
            [(None, None, int(later.timestamp()))],
        ),
        "none": (Subscription(), False, [], []),
    }
    for name, (subscription, active, current, past) in kinds.items():
        token = simulator.add_account(name, subscription=subscription).sign_in_token(
            CLIENT
        )
        found = (await client("GET", "/user", token=token)).json
        assert found["subscription"]["active"] is active
        for listed, expected in (
            ("subscriptions", current),
            ("pastSubscriptions", past),
        ):
            assert [
                (item["mode"], item["renewsAt"], item["endsAt"])
                for item in found[listed]
            ] == expected


async def test_account_fields_can_be_bent(
    simulator: PlexSimulator, client: Client
) -> None:
    """For tolerant clients fields can have any value or be missing."""
    account = simulator.add_account(
        "odd", overrides={"homeSize": "many", "new": [1]}, omitted={"trials", "email"}
    )
    found = (await client("GET", "/user", token=account.sign_in_token(CLIENT))).json
    assert (found["homeSize"], found["new"]) == ("many", [1])
    assert not {"trials", "email"} & found.keys()


async def test_dead_tokens(client: Client, ben: Account) -> None:
    """Dead and unknown tokens are answered 401/1001, by the first API with 422."""
    kept, gone = ben.sign_in_token("client-2"), ben.sign_in_token(CLIENT)
    assert (await client("DELETE", "/users/signout", token=gone)).status == 204
    old_api = client.simulator.base_url + "/users/account"
    for token in (gone, "never-given", None):
        for method, path in (
            ("GET", "/user"),
            ("GET", "/resources"),
            ("DELETE", "/users/signout"),
            ("GET", "/home/users"),
        ):
            answer = await client(method, path, token=token)
            assert (answer.status, answer.code) == (401, 1001)
        answer = await client("GET", f"{old_api}.json", token=token)
        assert answer.status == 422
        assert answer.xml.findtext("error") == "Invalid token"
    assert (await client("GET", "/user", token=kept)).status == 200
    assert (await client("GET", f"{old_api}.json", token=kept)).json["user"][
        "id"
    ] == ben.id
    assert (await client("GET", old_api, token=kept, accept=None)).xml.get("id") == str(
        ben.id
    )
    ben.revoke_tokens()
    assert (await client("GET", "/user", token=kept)).status == 401


async def test_ping(client: Client, ben: Account) -> None:
    """The ping answers in both formats, and refuses a dead token."""
    assert (await client("GET", "/ping", token=ben.sign_in_token(CLIENT))).json == {
        "pong": True
    }
    assert (await client("GET", "/ping", accept=None)).xml.text == "true"
    assert (await client("GET", "/ping", token="dead")).status == 401


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/users/signin"),
        ("DELETE", "/users/signout"),
        ("GET", "/user"),
        ("GET", "/resources"),
        ("POST", "/pins"),
        ("GET", "/pins/1"),
        ("PUT", "/pins/link"),
        ("GET", "/ping"),
        ("GET", "/home/users"),
    ],
)
async def test_client_identifier_is_needed(
    client: Client, ben: Account, method: str, path: str
) -> None:
    """All of the second API wants a client identifier, as header or in the query."""
    token = ben.sign_in_token(CLIENT)
    answer = await client(method, path, token=token, client=None)
    assert (answer.status, answer.code) == (400, 1000)
    answer = await client(
        method, f"{path}?X-Plex-Client-Identifier={CLIENT}", token=token, client=None
    )
    assert answer.status != 400 or answer.code == 1004


async def test_plex_tv_headers_and_unknown_addresses(
    simulator: PlexSimulator, client: Client, ben: Account
) -> None:
    """Every answer sets a session cookie; unknown addresses and methods have codes."""
    token = ben.sign_in_token(CLIENT)
    simulator.faults.set("resources", Fault.html(502))
    answers = [
        await client("GET", "/user", token=token),
        await client("GET", "/user"),
        await client("GET", "/resources", token=token),
        await client("GET", "/friends", token=token),
        await client("POST", "/user", token=token),
    ]
    assert [answer.status for answer in answers] == [200, 401, 502, 404, 405]
    assert [answer.code for answer in answers[3:]] == [1002, 1005]
    for answer in answers:
        assert re.match(r"_my-plex_session_\d+=", answer.headers["Set-Cookie"])
        assert answer.headers["X-Request-Id"]
    assert not any("Cookie" in record.headers for record in simulator.requests)


async def test_home_users(
    simulator: PlexSimulator, client: Client, anna: Account
) -> None:
    """A home lists its head and its members, whoever of them asks."""
    managed = simulator.add_account(
        "", title="Emil", password=None, restricted=True, home_owner=anna
    )
    for account in (anna, managed):
        home = (
            await client("GET", "/home/users", token=account.sign_in_token(CLIENT))
        ).json
        assert home["id"] == anna.id
        assert [
            (user["title"], user["admin"], user["email"]) for user in home["users"]
        ] == [
            ("Anna", True, "anna@example.com"),
            ("Emil", False, None),
        ]
    user = (await client("GET", "/user", token=managed.tokens[CLIENT])).json
    assert (
        user["username"],
        user["email"],
        user["title"],
        user["mailingListStatus"],
    ) == ("", "", "Emil", None)


# Link codes


async def test_link_code(
    simulator: PlexSimulator, client: Client, ben: Account
) -> None:
    """A code is made, polled and claimed, and gives the token; the old one is dead."""
    old = ben.sign_in_token(CLIENT)
    made = await client("POST", "/pins", headers={"X-Plex-Product": "Plex Auth"})
    assert made.status == 201
    pin = made.json
    assert re.fullmatch(r"[A-Z0-9]{4}", pin["code"])
    assert pin["expiresIn"] == 900
    assert (pin["product"], pin["clientIdentifier"]) == ("Plex Auth", CLIENT)
    assert (pin["authToken"], pin["newRegistration"]) == (None, None)
    assert pin["location"]["coordinates"]
    assert simulator.pins.latest.code == pin["code"]

    address = f"/pins/{pin['id']}"
    simulator.clock.advance(timedelta(seconds=100))
    polled = (await client("GET", address)).json
    assert polled["authToken"] is None
    assert 795 <= polled["expiresIn"] <= 800
    assert (await client("GET", "/user", token=old)).status == 200

    assert simulator.pins.link(pin["code"].lower(), ben)
    assert not simulator.pins.link(pin["code"], ben)
    assert (await client("GET", "/user", token=old)).status == 401
    claimed = (await client("GET", address)).json
    assert claimed["authToken"] == ben.tokens[CLIENT]
    assert claimed["newRegistration"] is False
    assert (await client("GET", address, accept=None)).xml.get(
        "authToken"
    ) == ben.tokens[CLIENT]


async def test_link_code_expires_and_is_the_clients_own(
    simulator: PlexSimulator, client: Client, ben: Account
) -> None:
    """Another client, and everyone after the expiry, gets 404/1020."""
    pin = (await client("POST", "/pins")).json
    address = f"/pins/{pin['id']}"
    other = await client("GET", address, client="client-2")
    assert (other.status, other.code) == (404, 1020)
    assert (await client("GET", "/pins/1")).code == 1020
    simulator.clock.advance(timedelta(seconds=900))
    assert (await client("GET", address)).code == 1020
    assert not simulator.pins.link(pin["code"], ben)

    pin = (await client("POST", "/pins")).json
    simulator.pins.expire(pin["code"])
    assert (await client("GET", f"/pins/{pin['id']}")).code == 1020
    assert len(simulator.pins) == 2


async def test_strong_link_code(client: Client) -> None:
    """A strong code has 25 characters and lives twice as long."""
    for answer in (
        await client("POST", "/pins?strong=true"),
        await client("POST", "/pins", form={"strong": "1"}),
    ):
        assert re.fullmatch(r"[a-z0-9]{25}", answer.json["code"])
        assert answer.json["expiresIn"] == 1800


async def test_link_code_claimed_by_a_signed_in_client(
    client: Client, anna: Account
) -> None:
    """An account that is signed in elsewhere claims a code over the API."""
    pin = (await client("POST", "/pins")).json
    token = anna.sign_in_token("client-2")
    assert (
        await client(
            "PUT", "/pins/link", token=token, client="client-2", form={"code": "none"}
        )
    ).code == 1020
    assert (
        await client("PUT", "/pins/link", client="client-2", form={"code": pin["code"]})
    ).code == 1001
    answer = await client(
        "PUT", "/pins/link", token=token, client="client-2", form={"code": pin["code"]}
    )
    assert (answer.status, answer.text) == (204, "")
    assert (await client("GET", f"/pins/{pin['id']}")).json["authToken"] == anna.tokens[
        CLIENT
    ]


# Resources


async def servers_of(
    client: Client, account: Account, query: str = ""
) -> list[dict[str, Any]]:
    """Return the servers that the account lists."""
    token = account.tokens.get(CLIENT) or account.sign_in_token(CLIENT)
    answer = await client("GET", f"/resources{query}", token=token)
    assert answer.status == 200
    return [
        resource
        for resource in answer.json
        if "server" in resource["provides"].split(",")
    ]


async def test_resources(
    client: Client, server: MediaServer, anna: Account, ben: Account
) -> None:
    """Owner and guest see the same server with tokens of their own."""
    (own,) = await servers_of(client, anna)
    (shared,) = await servers_of(client, ben)
    for row in (own, shared):
        assert row["clientIdentifier"] == server.machine_identifier
        assert re.fullmatch(r"[0-9a-f]{40}", row["clientIdentifier"])
        assert row["presence"] is True
        assert row["lastSeenAt"].endswith("Z")
    assert (own["owned"], own["ownerId"], own["sourceTitle"]) == (True, None, None)
    assert (shared["owned"], shared["ownerId"], shared["sourceTitle"]) == (
        False,
        anna.id,
        "Anna",
    )
    assert own["accessToken"] == server.access_token_for(anna)
    assert shared["accessToken"] == server.access_token_for(ben)
    assert (
        len(
            {
                own["accessToken"],
                shared["accessToken"],
                *anna.tokens.values(),
                *ben.tokens.values(),
            }
        )
        == 4
    )

    await server.stop()
    assert (await servers_of(client, anna))[0]["presence"] is False
    server.presence = True
    assert (await servers_of(client, anna))[0]["presence"] is True


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", [("http", Way.LOCAL), ("http", Way.REMOTE)]),
        (
            "?includeHttps=0&includeRelay=0&includeIPv6=0",
            [("http", Way.LOCAL), ("http", Way.REMOTE)],
        ),
        ("?includeHttps=1", [("https", Way.LOCAL), ("https", Way.REMOTE)]),
        (
            "?includeRelay=1",
            [("http", Way.LOCAL), ("http", Way.REMOTE), ("http", Way.RELAY)],
        ),
        (
            "?includeHttps=1&includeRelay=1&includeIPv6=1",
            [
                ("https", Way.LOCAL),
                ("https", Way.REMOTE),
                ("https", Way.RELAY),
                ("https", Way.IPV6),
            ],
        ),
    ],
)
async def test_listed_connections(
    simulator: PlexSimulator,
    client: Client,
    anna: Account,
    query: str,
    expected: list[tuple[str, str]],
) -> None:
    """The three switches of the query decide which addresses are listed and how."""
    server = await simulator.add_server("Attic", anna, ipv6=True)
    (row,) = await servers_of(client, anna, query)
    ports = {listener.port: way for way, listener in server.ways.items()}
    assert [
        (item["protocol"], ports[item["port"]]) for item in row["connections"]
    ] == expected
    for item in row["connections"]:
        way = ports[item["port"]]
        assert item["local"] is (way in (Way.LOCAL, Way.IPV6))
        assert item["relay"] is (way == Way.RELAY)
        assert item["IPv6"] is (way == Way.IPV6)
        assert item["address"] == ("::1" if way == Way.IPV6 else "127.0.0.1")
        host = (
            item["uri"]
            .removeprefix(f"{item['protocol']}://")
            .removesuffix(f":{item['port']}")
        )
        if item["protocol"] == "https":
            assert re.fullmatch(r"[0-9a-f-]+\.[0-9a-f]{32}\.plex\.direct", host)
            assert plex_direct_address(host) == item["address"]
        else:
            assert host.strip("[]") == item["address"]


async def test_resources_in_xml(
    client: Client, server: MediaServer, anna: Account
) -> None:
    """In XML the rows are elements with their connections in them."""
    answer = await client(
        "GET",
        "/resources?includeHttps=1",
        token=anna.sign_in_token(CLIENT),
        accept=None,
    )
    assert answer.xml.tag == "resources"
    (resource,) = answer.xml.findall("resource")
    assert (resource.get("owned"), resource.get("httpsRequired")) == ("1", "0")
    assert "ownerId" not in resource.attrib
    assert [
        item.get("protocol") for item in resource.iterfind("connections/connection")
    ] == ["https", "https"]


async def test_resources_list_more_than_servers(client: Client, ben: Account) -> None:
    """A client that signed in is listed too, without a token."""
    await client(
        "POST",
        "/users/signin",
        headers={"X-Plex-Product": "Player"},
        form={"login": "ben", "password": PASSWORD},
    )
    (row,) = (await client("GET", "/resources", token=ben.tokens[CLIENT])).json
    assert (row["name"], row["provides"], row["clientIdentifier"]) == (
        "Player",
        "",
        CLIENT,
    )
    assert "accessToken" not in row


async def test_connections_can_be_dictated(
    client: Client, server: MediaServer, anna: Account
) -> None:
    """A test lists any addresses it likes, and goes back to the real ones."""
    real = server.connections
    odd = Connection(
        protocol="https",
        address="example.org",
        port=443,
        uri="https://example.org:443",
        local=False,
    )
    server.connections = [odd]
    assert (await servers_of(client, anna))[0]["connections"] == [odd.as_resource()]
    server.connections = []
    assert (await servers_of(client, anna))[0]["connections"] == []
    server.connections = None
    assert server.connections == real


# Media servers


def is_running(server: MediaServer) -> bool:
    """Return whether the server answers, in a way that type checkers ask each time."""
    return server.is_running


@pytest.mark.parametrize("token", [None, "garbage"])
async def test_identity_needs_no_token(
    client: Client, server: MediaServer, token: str | None
) -> None:
    """Identity answers anybody, in both formats."""
    answer = await client("GET", f"{server.http_url}/identity", token=token)
    found = answer.json["MediaContainer"]
    assert found["machineIdentifier"] == server.machine_identifier
    assert (found["claimed"], found["version"]) == (True, server.version)
    assert "startState" not in found
    xml = (await client("GET", f"{server.http_url}/identity", accept=None)).xml
    assert (xml.tag, xml.get("claimed")) == ("MediaContainer", "1")


async def status_of(client: Client, server: MediaServer, token: str | None) -> int:
    """Return what the server says to this token."""
    return (await client("GET", f"{server.http_url}/", token=token)).status


async def test_who_may_use_a_server(
    simulator: PlexSimulator,
    client: Client,
    server: MediaServer,
    anna: Account,
    ben: Account,
) -> None:
    """Server tokens pass; an account token passes at one's own server only."""
    stranger = simulator.add_account("stranger")
    assert await status_of(client, server, server.access_token_for(anna)) == 200
    assert await status_of(client, server, server.access_token_for(ben)) == 200
    assert await status_of(client, server, anna.sign_in_token(CLIENT)) == 200
    for token in (
        ben.sign_in_token(CLIENT),
        stranger.sign_in_token(CLIENT),
        "garbage",
        None,
    ):
        assert await status_of(client, server, token) == 401
    old = server.access_token_for(ben)
    server.rotate_access_tokens()
    assert await status_of(client, server, old) == 401
    assert await status_of(client, server, server.access_token_for(ben)) == 200
    server.shared_with.remove(ben)
    assert await status_of(client, server, server.access_token_for(ben)) == 401


async def test_root_and_errors_of_a_server(
    client: Client, server: MediaServer, anna: Account
) -> None:
    """The root describes the server; errors are HTML pages, whatever was asked for."""
    found = (
        await client("GET", server.http_url, token=anna.sign_in_token(CLIENT))
    ).json["MediaContainer"]
    assert found["friendlyName"] == "Living Room"
    assert found["machineIdentifier"] == server.machine_identifier
    assert [item["key"] for item in found["Directory"]] == ["library", "media"]
    xml = (
        await client("GET", server.http_url, token=anna.tokens[CLIENT], accept=None)
    ).xml
    assert (xml.get("size"), len(xml.findall("Directory"))) == ("2", 2)

    refused = await client("GET", server.http_url)
    assert refused.headers["Content-Type"].startswith("text/html")
    assert "<h1>401 Unauthorized</h1>" in refused.text
    assert "web/index.html" in refused.text
    missing = await client("GET", f"{server.http_url}/nothing")
    assert "<h1>404 Not Found</h1>" in missing.text


async def test_revocation_at_a_server(
    client: Client, server: MediaServer, anna: Account
) -> None:
    """A revoked account token is refused at once, or later by a server that caches."""
    token = anna.sign_in_token(CLIENT)
    assert await status_of(client, server, token) == 200
    anna.revoke_tokens()
    assert await status_of(client, server, token) == 401

    server.caches_tokens = True
    token = anna.sign_in_token(CLIENT)
    assert await status_of(client, server, token) == 200
    anna.revoke_tokens()
    assert await status_of(client, server, token) == 200
    await server.restart()
    assert await status_of(client, server, token) == 401


async def test_servers_that_let_everyone_in(
    client: Client, server: MediaServer
) -> None:
    """A network that needs no token, and a server that nobody has claimed."""
    server.allowed_networks = True
    assert await status_of(client, server, "garbage") == 200
    assert await status_of(client, server, None) == 200
    server.allowed_networks = False
    server.claimed = False
    assert await status_of(client, server, None) == 200
    assert await status_of(client, server, "garbage") == 401


@pytest.mark.parametrize("method", ["POST", "GET", "PUT"])
async def test_transient_token(
    client: Client, server: MediaServer, ben: Account, method: str
) -> None:
    """Every verb makes a token of Plex's shape, good in header and query."""
    own = server.access_token_for(ben)
    answer = await client(
        method, f"{server.http_url}/security/token{TRANSIENT}", token=own
    )
    assert answer.json["MediaContainer"].keys() == {"size", "token"}
    token = answer.json["MediaContainer"]["token"]
    assert TRANSIENT_TOKEN.fullmatch(token)
    assert len(token) == 46
    assert server.transient_tokens[token].account is ben
    assert await status_of(client, server, token) == 200
    picture = f"{server.http_url}/library/metadata/1/thumb"
    assert (await client("GET", picture)).status == 401
    assert (await client("GET", f"{picture}/1700000000?X-Plex-Token={token}")).headers[
        "Content-Type"
    ] == "image/png"
    xml = (
        await client(
            method,
            f"{server.http_url}/security/token{TRANSIENT}",
            token=own,
            accept=None,
        )
    ).xml
    assert (xml.get("size"), xml.get("token") in server.transient_tokens) == ("0", True)


@pytest.mark.parametrize(
    "query",
    [
        "",
        "?type=delegation",
        "?scope=all",
        "?type=other&scope=all",
        "?type=delegation&scope=x",
    ],
)
async def test_transient_token_refused(
    client: Client, server: MediaServer, anna: Account, query: str
) -> None:
    """Parameters are checked, and a token is needed."""
    address = f"{server.http_url}/security/token"
    assert (
        await client("POST", address + query, token=anna.sign_in_token(CLIENT))
    ).status == 400
    assert (await client("POST", address + TRANSIENT)).status == 403
    server.security_refusal_status = 401
    assert (await client("POST", address + TRANSIENT, token="garbage")).status == 401
    assert not server.transient_tokens


@pytest.mark.parametrize("status", [404, 405, 501])
async def test_servers_without_post(
    client: Client, server: MediaServer, anna: Account, status: int
) -> None:
    """Old servers make transient tokens on GET only."""
    server.allow_post_token = False
    server.post_refusal_status = status
    address = f"{server.http_url}/security/token{TRANSIENT}"
    assert (
        await client("POST", address, token=anna.sign_in_token(CLIENT))
    ).status == status
    assert (await client("GET", address, token=anna.tokens[CLIENT])).status == 200


async def test_transient_tokens_end(
    simulator: PlexSimulator, client: Client, server: MediaServer, anna: Account
) -> None:
    """They end after 48 hours, or with a restart of the server, on the same port."""
    aged, port = server.issue_transient_token(anna), server.port
    simulator.clock.advance(timedelta(hours=47, minutes=59))
    assert await status_of(client, server, aged) == 200
    simulator.clock.advance(timedelta(minutes=1))
    assert await status_of(client, server, aged) == 401

    young = server.issue_transient_token(anna)
    assert await status_of(client, server, young) == 200
    await server.restart()
    assert server.port == port
    assert await status_of(client, server, young) == 401
    assert await status_of(client, server, server.access_token_for(anna)) == 200


async def test_boot_phase(client: Client, server: MediaServer, anna: Account) -> None:
    """While a server boots, identity says so and all else is refused."""
    token = server.access_token_for(anna)
    await server.restart("starting")
    assert (await client("GET", f"{server.http_url}/identity")).json["MediaContainer"][
        "startState"
    ] == "starting"
    answer = await client("GET", server.http_url, token=token)
    assert answer.status == 400
    assert "still starting up" in answer.text
    server.booting = "maintenance"
    for path in (
        "/",
        f"/security/token{TRANSIENT}",
        "/security/resources",
        "/library/metadata/1/thumb",
    ):
        answer = await client("GET", server.http_url + path, token=token)
        assert answer.status == 503
        assert 'title="Maintenance"' in answer.text
    server.booting = None
    assert await status_of(client, server, token) == 200


# Sources


@pytest.fixture
async def films(
    simulator: PlexSimulator, anna: Account, server: MediaServer
) -> MediaServer:
    """Return a server that somebody else shares with Anna."""
    carla = simulator.add_account("carla", title="Carla")
    return await simulator.add_server("Films", carla, shared_with=[anna])


async def test_source_of_a_server(
    client: Client, server: MediaServer, films: MediaServer, anna: Account
) -> None:
    """The owner learns addresses, and a token that works there."""
    source = f"server://{films.machine_identifier}"
    address = f"{server.http_url}/security/resources?source={source}"
    for token in (
        anna.sign_in_token(CLIENT),
        server.access_token_for(anna),
        server.issue_transient_token(anna),
    ):
        found = (await client("GET", address, token=token)).json["MediaContainer"]
        assert found["size"] == 1
        device = found["Device"]
        assert (device["name"], device["clientIdentifier"]) == (
            "Films",
            films.machine_identifier,
        )
        assert TRANSIENT_TOKEN.fullmatch(device["accessToken"])
        assert await status_of(client, films, device["accessToken"]) == 200
        assert [item.get("relay") for item in device["Connection"]] == [
            None,
            None,
            True,
        ]
        assert all("IPv6" not in item for item in device["Connection"])

    server.device_as_list = True
    answer = await client(
        "GET", f"{address}%2Fcom.plexapp.plugins.library&refresh=1", token=token
    )
    assert answer.json["MediaContainer"]["Device"][0]["name"] == "Films"
    assert server.refreshed_sources == [
        f"server://{films.machine_identifier}/com.plexapp.plugins.library"
    ]

    xml = (await client("GET", address, token=token, accept=None)).xml
    assert [device.get("name") for device in xml.findall("Device")] == ["Films"]
    assert [item.get("relay") for item in xml.iterfind("Device/Connection")] == [
        None,
        None,
        "1",
    ]


async def test_source_of_a_provider(
    client: Client, server: MediaServer, anna: Account
) -> None:
    """A cloud provider is a source as well."""
    source = server.add_provider(PODCASTS, "Podcasts")
    assert source == f"provider://{PODCASTS}"
    address = f"{server.http_url}/security/resources?source={source}"
    device = (await client("GET", address, token=anna.sign_in_token(CLIENT))).json[
        "MediaContainer"
    ]["Device"]
    assert (device["name"], device["Connection"][0]["port"]) == ("Podcasts", 443)
    assert device["accessToken"] in server.secrets()


async def test_sources_refused(
    client: Client, server: MediaServer, films: MediaServer, anna: Account, ben: Account
) -> None:
    """Guests, unknown and malformed sources, and old servers are refused."""
    address, owner = (
        f"{server.http_url}/security/resources",
        server.access_token_for(anna),
    )
    known = f"?source=server://{films.machine_identifier}"
    for guest in (
        server.access_token_for(ben),
        server.issue_transient_token(ben),
        "garbage",
        None,
    ):
        assert (await client("GET", address + known, token=guest)).status == 403
    for query in (
        "",
        "?source=",
        "?source=server://",
        "?source=bare",
        "?source=file://x",
        f"{known}&refresh=2",
    ):
        assert (await client("GET", address + query, token=owner)).status == 400
    for unknown in (
        "server://nobody",
        "provider://nobody",
        f"server://{server.machine_identifier}",
    ):
        assert (
            await client("GET", f"{address}?source={unknown}", token=owner)
        ).status == 404
    server.forget_source(f"server://{films.machine_identifier}")
    assert (await client("GET", address + known, token=owner)).status == 404
    for version, supported in (
        ("1.15.3.835", False),
        ("1.15.4.919", True),
        ("0.9.16", False),
        ("1.43.2", True),
    ):
        server.version = version
        assert server.supports_sources is supported
    server.version = "1.15.3.835"
    assert (await client("GET", address + known, token=owner)).status == 404


# Ports, certificates, starts and stops


async def test_plain_http_and_tls_on_one_port(
    client: Client, server: MediaServer
) -> None:
    """One port answers both, also at the same time; the record says which it was."""
    assert server.http_port == server.https_port == server.port
    urls = [server.http_url, server.https_url] * 10
    answers = await asyncio.gather(*(client("GET", f"{url}/identity") for url in urls))
    assert [answer.status for answer in answers] == [200] * 20
    records = client.simulator.requests_to("identity", server.machine_identifier)
    assert sorted(record.secure for record in records) == [False] * 10 + [True] * 10


async def test_bare_address_does_not_fit_the_certificate(
    client: Client, server: MediaServer
) -> None:
    """The certificate is for the plex.direct name only."""
    with pytest.raises(aiohttp.ClientConnectorCertificateError):
        await client("GET", f"https://127.0.0.1:{server.port}/identity")


@pytest.mark.parametrize(
    "kind", [kind for kind in Certificate if kind is not Certificate.VALID]
)
async def test_bad_certificates(
    client: Client, server: MediaServer, kind: Certificate
) -> None:
    """Each fault of a certificate is noticed, and does not disturb plain HTTP."""
    server.set_certificate(kind)
    expected = (
        aiohttp.ClientConnectorSSLError
        if kind is Certificate.ABSENT
        else aiohttp.ClientConnectorCertificateError
    )
    with pytest.raises(expected):
        await client("GET", f"{server.https_url}/identity")
    assert (await client("GET", f"{server.http_url}/identity")).status == 200
    server.set_certificate(Certificate.VALID)
    assert (await client("GET", f"{server.https_url}/identity")).status == 200


async def test_renewed_certificate_has_another_name(
    client: Client, server: MediaServer, anna: Account
) -> None:
    """After a renewal the old name does not fit any more, and the new one is listed."""
    old = server.https_url
    server.renew_certificate()
    with pytest.raises(aiohttp.ClientConnectorCertificateError):
        await client("GET", f"{old}/identity")
    (row,) = await servers_of(client, anna, "?includeHttps=1")
    assert row["connections"][0]["uri"] == server.https_url != old
    assert (await client("GET", f"{server.https_url}/identity")).status == 200


async def test_secure_connections_required(
    client: Client, server: MediaServer, anna: Account
) -> None:
    """Plain HTTP is reset then, also where a connection is open; TLS works."""
    async with aiohttp.ClientSession() as session:
        await session.get(f"{server.http_url}/identity")
        server.https_required = True
        async with asyncio.timeout(2):
            while server.connection_count:
                await asyncio.sleep(0.01)
    with pytest.raises(aiohttp.ClientOSError):
        await client("GET", f"{server.http_url}/identity")
    assert (await client("GET", f"{server.https_url}/identity")).status == 200
    assert (await servers_of(client, anna))[0]["httpsRequired"] is True
    server.reject_plain_http = False
    assert (await client("GET", f"{server.http_url}/identity")).status == 200


async def test_server_stops_and_starts(client: Client, server: MediaServer) -> None:
    """A stopped server refuses connections and comes back on its port."""
    port = server.port
    await server.stop()
    assert not is_running(server)
    with pytest.raises(aiohttp.ClientConnectorError):
        await client("GET", f"{server.http_url}/identity")
    await server.stop()
    # The port is nobody else's in the meantime.
    with socket.socket() as other, pytest.raises(OSError, match="in use"):
        other.bind(("127.0.0.1", port))
    await server.start()
    await server.start()
    assert is_running(server)
    assert server.port == port
    assert (await client("GET", f"{server.http_url}/identity")).status == 200


async def test_plex_tv_stops_and_starts(
    simulator: PlexSimulator, client: Client, server: MediaServer
) -> None:
    """Without plex.tv the servers go on."""
    await simulator.stop_plex_tv()
    with pytest.raises(aiohttp.ClientConnectorError):
        await client("GET", "/ping")
    assert (await client("GET", f"{server.http_url}/identity")).status == 200
    await simulator.start_plex_tv()
    assert (await client("GET", "/ping")).status == 200


async def test_changed_port(client: Client, server: MediaServer, anna: Account) -> None:
    """The local address moves; transient tokens stay."""
    old, token = server.http_url, server.issue_transient_token(anna)
    assert await server.change_port() == server.port
    assert server.http_url != old
    with pytest.raises(aiohttp.ClientConnectorError):
        await client("GET", f"{old}/identity")
    assert await status_of(client, server, token) == 200
    assert (await servers_of(client, anna))[0]["connections"][0]["port"] == server.port


async def test_each_way_can_be_closed(client: Client, server: MediaServer) -> None:
    """Each way has a port of its own, and the record says which was used."""
    urls = {
        way: f"http://127.0.0.1:{listener.port}/identity"
        for way, listener in server.ways.items()
    }
    assert len(set(urls.values())) == 3
    for way, url in urls.items():
        await client("GET", url)
        assert client.simulator.requests[-1].way == way
    await server.close_way(Way.LOCAL)
    with pytest.raises(aiohttp.ClientConnectorError):
        await client("GET", urls[Way.LOCAL])
    assert (await client("GET", urls[Way.REMOTE])).status == 200
    await server.restart()
    with pytest.raises(aiohttp.ClientConnectorError):
        await client("GET", urls[Way.LOCAL])
    server.open_way(Way.LOCAL)
    server.open_way(Way.LOCAL)
    assert (await client("GET", urls[Way.LOCAL])).status == 200


async def test_ipv6(simulator: PlexSimulator, client: Client, anna: Account) -> None:
    """A server listens on the IPv6 loopback address, with TLS and without."""
    pytest_socket.socket_allow_hosts(["127.0.0.1", "::1"])
    server = await simulator.add_server("Attic", anna, ipv6=True)
    for https in (True, False):
        (listed,) = [
            item
            for item in server.listed_connections(https=https, relay=False, ipv6=True)
            if item.ipv6
        ]
        assert (await client("GET", f"{listed.uri}/identity")).status == 200
        assert simulator.requests[-1].way == Way.IPV6


async def test_chosen_ports(
    simulator: PlexSimulator, anna: Account, unused_tcp_port_factory: Callable[[], int]
) -> None:
    """Ports can be chosen; one that is taken is an OSError."""
    port = unused_tcp_port_factory()
    assert (await simulator.add_server("Attic", anna, port=port)).port == port
    with pytest.raises(OSError, match="in use"):
        await simulator.add_server("Garage", anna, port=port)
    with pytest.raises(OSError, match="in use"):
        await PlexSimulator(port=simulator.port).start()
    assert len(simulator.servers) == 1


async def test_https_plex_tv() -> None:
    """With https plex.tv takes TLS connections only."""
    async with PlexSimulator(https=True) as simulator:
        client = Client(simulator)
        assert simulator.api_url.startswith("https://127.0.0.1:")
        assert (await client("GET", "/ping")).status == 200
        with pytest.raises(aiohttp.ClientOSError):
            await client("GET", f"{simulator.api_url.replace('https', 'http')}/ping")
        simulator.set_certificate(Certificate.EXPIRED)
        with pytest.raises(aiohttp.ClientConnectorCertificateError):
            await client("GET", "/ping")
        await client.session.close()


async def test_stopping_is_quick_and_leaves_nothing() -> None:
    """Idle connections, requests at work and half-open ones end at once."""
    before = asyncio.all_tasks()
    simulator = PlexSimulator()
    owner = simulator.add_account("anna")
    server = await simulator.add_server("Attic", owner, start=False)
    assert not is_running(server)
    await simulator.start()
    simulator.faults.set("ping", Fault.delay(60))
    server.faults.set("root", Fault.slow_body(60))
    idle = aiohttp.ClientSession()
    await idle.get(f"{server.http_url}/identity")
    client = Client(simulator)
    waiting = [
        asyncio.ensure_future(client("GET", "/ping", seconds=60)),
        asyncio.ensure_future(
            client(
                "GET",
                f"{server.https_url}/",
                token=owner.sign_in_token(CLIENT),
                seconds=60,
            )
        ),
        asyncio.ensure_future(
            client("GET", f"{server.http_url}/", token=owner.tokens[CLIENT], seconds=60)
        ),
    ]
    silent = socket.create_connection(("127.0.0.1", server.port))
    handshaking = socket.create_connection(("127.0.0.1", server.port))
    handshaking.send(b"\x16\x03\x01")
    await asyncio.sleep(0.2)
    assert simulator.connection_count >= 4

    started = time.monotonic()
    await simulator.stop()
    assert time.monotonic() - started < 2
    assert simulator.connection_count == 0
    results = await asyncio.gather(*waiting, return_exceptions=True)
    assert all(isinstance(result, aiohttp.ClientError) for result in results)
    await idle.close()
    await client.session.close()
    for connection in (silent, handshaking):
        connection.settimeout(2)
        with suppress(ConnectionResetError):
            assert connection.recv(1) == b""
        connection.close()
    assert asyncio.all_tasks() == before


async def test_stopping_while_tls_connections_close(
    simulator: PlexSimulator, server: MediaServer
) -> None:
    """A stop is clean in whatever state TLS connections are."""
    trusted = ssl.create_default_context(cadata=simulator.ca_pem().decode())
    for turns in range(12):
        connector = aiohttp.TCPConnector(resolver=PlexDirectResolver(), ssl=trusted)
        async with aiohttp.ClientSession(connector=connector) as session:
            urls = [f"{server.https_url}/identity"] * 4
            answers = await asyncio.gather(*map(session.get, urls))
            assert [answer.status for answer in answers] == [200] * 4
        for _ in range(turns):
            await asyncio.sleep(0)
        await server.restart()
        assert server.connection_count == 0


async def test_stopping_does_not_wait_for_deaf_tls_clients(
    simulator: PlexSimulator, server: MediaServer
) -> None:
    """A client that does not answer when TLS is closed is cut off."""
    trusted = ssl.create_default_context(cadata=simulator.ca_pem().decode())
    _, writer = await asyncio.open_connection(
        "127.0.0.1",
        server.port,
        ssl=trusted,
        server_hostname=server.plex_direct_name("127.0.0.1"),
    )
    assert isinstance(writer.transport, asyncio.Transport)
    writer.transport.pause_reading()
    writer.write(b"GET /identity HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    while not simulator.requests_to("identity"):
        await asyncio.sleep(0.01)
    connection: socket.socket = writer.get_extra_info("socket").dup()
    await server.stop()
    connection.settimeout(0.3)
    with suppress(ConnectionResetError):
        while connection.recv(65536):
            pass
    connection.close()
    writer.transport.abort()


# Faults


async def test_fault_kinds_are_all_tested() -> None:
    """The tests below know every kind of fault."""
    names = {
        name.removeprefix("test_fault_")
        for name in globals()
        if name.startswith("test_fault_")
    }
    assert names >= FAULT_KINDS


@pytest.fixture
def token(ben: Account) -> str:
    """Return a token of Ben's."""
    return ben.sign_in_token(CLIENT)


async def test_fault_status(
    simulator: PlexSimulator, client: Client, token: str
) -> None:
    """Any status, with an error page, a text, bytes or JSON, and with headers."""
    for status in (400, 403, 410, 422, 498, 500, 503, 520):
        simulator.faults.set("user", Fault.status(status, headers={"Retry-After": "7"}))
        answer = await client("GET", "/user", token=token)
        assert (answer.status, answer.headers["Retry-After"]) == (status, "7")
        assert f"<h1>{status} " in answer.text
    simulator.faults.set(
        "user", Fault.status(422, "Invalid token", content_type="text/plain")
    )
    answer = await client("GET", "/user", token=token)
    assert (answer.text, answer.headers["Content-Type"]) == (
        "Invalid token",
        "text/plain",
    )
    simulator.faults.set("user", Fault.status(200, {"id": "odd"}))
    assert (await client("GET", "/user", token=token)).json == {"id": "odd"}


async def test_fault_plex_error(
    simulator: PlexSimulator, client: Client, token: str
) -> None:
    """An error with code, in both formats, with each form of Retry-After."""
    simulator.faults.set("user", Fault.plex_error(1003))
    answer = await client("GET", "/user", token=token)
    assert (answer.status, answer.code) == (429, 1003)
    assert "Retry-After" not in answer.headers
    later = simulator.clock.now().replace(microsecond=0) + timedelta(minutes=5)
    simulator.faults.set("user", Fault.plex_error(1003, retry_after=later))
    answer = await client("GET", "/user", token=token, accept=None)
    assert answer.xml[0].get("message") == "API rate limit exceeded"
    assert answer.headers["Retry-After"].endswith("GMT")
    assert parsedate_to_datetime(answer.headers["Retry-After"]) == later
    simulator.faults.set(
        "user",
        Fault.plex_error(9999, 418, message="odd", retry_after=120, with_status=False),
    )
    answer = await client("GET", "/user", token=token)
    assert answer.status == 418
    assert answer.headers["Retry-After"] == "120"
    assert answer.json == {"errors": [{"code": 9999, "message": "odd"}]}


async def test_fault_html(simulator: PlexSimulator, client: Client, token: str) -> None:
    """A page instead of an answer, with a bad or a good status."""
    for status in (200, 502, 503):
        simulator.faults.set("user", Fault.html(status))
        answer = await client("GET", "/user", token=token)
        assert answer.status == status
        assert answer.headers["Content-Type"].startswith("text/html")
        assert answer.text.startswith("<!DOCTYPE html>")


async def test_fault_delay(
    simulator: PlexSimulator, client: Client, ben: Account
) -> None:
    """Nothing happens for a while; a client that gives up has not signed in."""
    simulator.faults.set("signin", Fault.delay(0.2))
    started = time.monotonic()
    assert (await client.sign_in("ben", PASSWORD)).status == 201
    assert time.monotonic() - started >= 0.2
    simulator.faults.set("signin", Fault.delay(0.3))
    known = dict(ben.tokens)
    with pytest.raises(TimeoutError):
        await client(
            "POST",
            "/users/signin",
            seconds=0.1,
            form={"login": "ben", "password": PASSWORD},
        )
    await asyncio.sleep(0.4)
    assert ben.tokens == known
    assert simulator.requests[-1].status is None


async def test_fault_slow_body(
    simulator: PlexSimulator, client: Client, token: str
) -> None:
    """The body comes in two parts, and is whole in the end."""
    simulator.faults.set("user", Fault.slow_body(0.2))
    started = time.monotonic()
    assert (await client("GET", "/user", token=token)).json["username"] == "ben"
    assert time.monotonic() - started >= 0.2
    simulator.faults.set("user", Fault.slow_body(60))
    with pytest.raises(TimeoutError):
        await client("GET", "/user", token=token, seconds=0.1)


async def test_fault_reset(
    simulator: PlexSimulator, client: Client, server: MediaServer, ben: Account
) -> None:
    """The connection is reset, over TLS as well, before or after the work was done."""
    server.faults.set("identity", Fault.reset())
    for url in (server.http_url, server.https_url):
        with pytest.raises(aiohttp.ClientOSError) as caught:
            await client("GET", f"{url}/identity")
        assert isinstance(
            caught.value.__cause__ or caught.value, ConnectionResetError | OSError
        )
    simulator.faults.set("signin", Fault.reset())
    with pytest.raises(aiohttp.ClientOSError):
        await client.sign_in("ben", PASSWORD)
    assert not ben.tokens
    simulator.faults.set("signin", Fault.reset(processed=True))
    with pytest.raises(aiohttp.ClientOSError):
        await client.sign_in("ben", PASSWORD)
    assert ben.tokens


async def test_fault_half_body(
    simulator: PlexSimulator, client: Client, server: MediaServer, token: str
) -> None:
    """The body ends before its announced length."""
    simulator.faults.set("user", Fault.half_body())
    server.faults.set("identity", Fault.half_body())
    for url in ("/user", f"{server.http_url}/identity", f"{server.https_url}/identity"):
        with pytest.raises(aiohttp.ClientPayloadError):
            await client("GET", url, token=token)


async def test_fault_huge_body(
    simulator: PlexSimulator, client: Client, token: str
) -> None:
    """A body of any size, without its length, that is JSON to its end."""
    simulator.faults.set("user", Fault.huge_body(3_000_000))
    answer = await client("GET", "/user", token=token)
    assert "Content-Length" not in answer.headers
    assert len(answer.text) == 3_000_000
    assert answer.json.keys() == {"filler"}
    simulator.faults.set("user", Fault.huge_body(500_000_000))
    async with client.session.get(f"{simulator.api_url}/user") as response:
        await response.content.readexactly(100_000)
        response.close()


async def test_fault_redirect(
    simulator: PlexSimulator, client: Client, token: str
) -> None:
    """A redirect to wherever the test likes."""
    simulator.faults.set("user", Fault.redirect("http://127.0.0.1:1/elsewhere", 307))
    answer = await client("GET", "/user", token=token)
    assert (answer.status, answer.headers["Location"]) == (
        307,
        "http://127.0.0.1:1/elsewhere",
    )


@pytest.mark.parametrize(
    ("fault", "content_type", "body"),
    [
        (Fault.body(""), "application/json", b""),
        (Fault.body("{"), "application/json", b"{"),
        (Fault.body("[]", status=201), "application/json", b"[]"),
        (Fault.body("hello", "text/plain"), "text/plain", b"hello"),
        (
            Fault.body('"é"', charset="utf-16-le"),
            "application/json; charset=utf-16-le",
            '"é"'.encode("utf-16-le"),
        ),
        (
            Fault.body(b'"\xe9"', charset="utf-8"),
            "application/json; charset=utf-8",
            b'"\xe9"',
        ),
        (
            Fault.body("é", charset="no-such-thing"),
            "application/json; charset=no-such-thing",
            "é".encode(),
        ),
    ],
)
async def test_fault_body(
    simulator: PlexSimulator,
    client: Client,
    token: str,
    fault: Fault,
    content_type: str,
    body: bytes,
) -> None:
    """Exactly the body that was given, under exactly the type that was given."""
    simulator.faults.set("user", fault)
    async with client.session.get(f"{simulator.api_url}/user") as response:
        assert response.headers["Content-Type"] == content_type
        assert await response.read() == body


async def test_fault_xml_instead(
    simulator: PlexSimulator, client: Client, server: MediaServer, token: str
) -> None:
    """XML for a client that asked for JSON, errors too."""
    simulator.faults.set("user", Fault.xml_instead())
    server.faults.set("identity", Fault.xml_instead())
    assert (await client("GET", "/user", token=token)).xml.get("username") == "ben"
    assert (await client("GET", "/user", token="dead")).xml.tag == "errors"
    assert (
        await client("GET", f"{server.http_url}/identity")
    ).xml.tag == "MediaContainer"


async def test_faults_by_endpoint_and_number(
    simulator: PlexSimulator, client: Client, token: str
) -> None:
    """A fault lasts as often as asked; one endpoint's own goes before that of all."""

    async def statuses(path: str, times: int) -> list[int]:
        return [(await client("GET", path, token=token)).status for _ in range(times)]

    simulator.faults.set("*", Fault.status(503))
    simulator.faults.set("user", Fault.status(500), times=2)
    assert await statuses("/user", 3) == [500, 500, 503]
    assert await statuses("/ping", 1) == [503]
    simulator.faults.set("ping", Fault.status(500), times=1)
    simulator.faults.clear("*")
    assert await statuses("/ping", 2) == [500, 200]
    simulator.faults.set("user", Fault.status(500))
    simulator.faults.clear()
    assert await statuses("/user", 1) == [200]
    with pytest.raises(ValueError, match="unknown endpoint"):
        simulator.faults.set("users", Fault.reset())


async def test_every_endpoint_can_be_spoilt(
    simulator: PlexSimulator, client: Client, server: MediaServer
) -> None:
    """Each endpoint name belongs to an address, and the same name is in the record."""
    old_api = f"{simulator.base_url}/users/account"
    addresses = {
        "signin": ("POST", "/users/signin"),
        "user": ("GET", "/user"),
        "resources": ("GET", "/resources"),
        "pins_create": ("POST", "/pins"),
        "pins_check": ("GET", "/pins/1"),
        "pins_link": ("PUT", "/pins/link"),
        "signout": ("DELETE", "/users/signout"),
        "ping": ("GET", "/ping"),
        "home_users": ("GET", "/home/users"),
        "account_v1": ("GET", old_api),
        "identity": ("GET", f"{server.http_url}/identity"),
        "root": ("GET", f"{server.http_url}/"),
        "security_token": ("POST", f"{server.http_url}/security/token"),
        "security_resources": ("GET", f"{server.http_url}/security/resources"),
        "media": ("GET", f"{server.http_url}/library/metadata/1/thumb"),
    }
    assert addresses.keys() == ENDPOINTS
    for endpoint, (method, url) in addresses.items():
        for faults in (simulator.faults, server.faults):
            faults.set(endpoint, Fault.status(418), times=1)
        assert (await client(method, url)).status == 418
        assert simulator.requests[-1].endpoint == endpoint


def test_faults_by_name() -> None:
    """A fault can be made from its kind and arguments; anything else is refused."""
    arguments: dict[str, dict[str, object]] = {
        "status": {"code": 500},
        "plex_error": {"code": 1003},
        "delay": {"seconds": 1},
        "slow_body": {"seconds": 1},
        "redirect": {"url": "/"},
        "body": {"content": ""},
    }
    for kind in FAULT_KINDS:
        assert Fault.named(kind, **arguments.get(kind, {})).kind == kind
    with pytest.raises(ValueError, match="unknown kind"):
        Fault.named("named")
    with pytest.raises(TypeError):
        Fault.named("status")
    assert Faults().take("user") is None


# Records, clock, names, secrets


async def test_requests_are_recorded(
    simulator: PlexSimulator, client: Client, ben: Account
) -> None:
    """A record has everything that was sent, and what was answered."""
    await client.sign_in("ben", PASSWORD)
    (record,) = simulator.requests_to("signin", PLEX_TV)
    assert (record.method, record.path, record.status) == (
        "POST",
        "/api/v2/users/signin",
        201,
    )
    assert record.form == {"login": "ben", "password": PASSWORD, "rememberMe": "true"}
    assert record.headers["x-plex-client-identifier"] == CLIENT
    await client("GET", "/resources?includeHttps=1", token=ben.tokens[CLIENT])
    assert simulator.requests[-1].query == {"includeHttps": "1"}
    assert simulator.requests_to("signin", "elsewhere") == []
    simulator.recording = False
    assert not simulator.recording
    await client("GET", "/ping")
    assert len(simulator.requests) == 2


@pytest.mark.parametrize(
    "content_type",
    ["application/x-www-form-urlencoded; charset=none", "application/json"],
)
async def test_body_that_is_no_form(
    simulator: PlexSimulator, client: Client, ben: Account, content_type: str
) -> None:
    """A sign-in that cannot be read is malformed."""
    async with client.session.post(
        f"{simulator.api_url}/users/signin",
        data=b"login=ben&password=%e9",
        headers={
            "Content-Type": content_type,
            "X-Plex-Client-Identifier": CLIENT,
            "Accept": "application/json",
        },
    ) as response:
        assert (response.status, (await response.json())["errors"][0]["code"]) == (
            400,
            1004,
        )


def test_clock() -> None:
    """The clock goes with the real one, plus what was added, and with freezegun."""
    clock = Clock()
    assert abs(clock.now() - datetime.now(UTC)) < timedelta(seconds=5)
    clock.advance(timedelta(hours=1))
    with freeze_time("2030-01-01 00:00:00") as frozen:
        assert clock.now() == datetime(2030, 1, 1, 1, tzinfo=UTC)
        frozen.tick(60)
        clock.advance(timedelta(minutes=-1))
        assert clock.now() == datetime(2030, 1, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("127-0-0-1.0123456789abcdef0123456789abcdef.plex.direct", "127.0.0.1"),
        ("0-0-0-0-0-0-0-1.0123456789abcdef0123456789abcdef.plex.direct", "::1"),
        ("not-an-address.0123456789abcdef0123456789abcdef.plex.direct", None),
        ("plex.tv", None),
        ("localhost", "127.0.0.1"),
    ],
)
async def test_resolver(host: str, address: str | None) -> None:
    """A plex.direct name says its address; other names are not known."""
    resolver = PlexDirectResolver()
    if address is None:
        with pytest.raises(OSError, match="not known"):
            await resolver.resolve(host, 1)
    else:
        (found,) = await resolver.resolve(host, 1)
        assert found["host"] == address
    await resolver.close()


async def test_secrets_are_known(
    simulator: PlexSimulator, client: Client, server: MediaServer, anna: Account
) -> None:
    """All that must never leak can be listed, what is dead by now as well."""
    first = anna.sign_in_token(CLIENT)
    second = (await client.sign_in("anna", PASSWORD, anna.code())).json
    pin = (await client("POST", "/pins")).json
    transient = server.issue_transient_token(anna)
    await server.restart()
    assert {
        PASSWORD,
        anna.totp_secret,
        first,
        second["authToken"],
        second["pin"],
        second["services"][0]["token"],
        second["services"][1]["secret"],
        server.access_token_for(anna),
        transient,
        pin["code"],
    } <= simulator.secrets()


async def test_accounts_and_servers_come_and_go(
    simulator: PlexSimulator, client: Client, ben: Account
) -> None:
    """Names are unique; what is removed is gone."""
    with pytest.raises(ValueError, match="already"):
        simulator.add_account("ben")
    with pytest.raises(ValueError, match="no two-factor"):
        ben.code()
    server = await simulator.add_server("Attic", ben, remote_access=False, relay=False)
    (row,) = await servers_of(client, ben, "?includeRelay=1")
    assert (len(row["connections"]), row["relay"]) == (1, False)
    await simulator.remove_server(server)
    with socket.socket() as other:
        other.bind(("127.0.0.1", server.port))
    assert await servers_of(client, ben) == []
    simulator.remove_account(ben)
    assert (await client.sign_in("ben", PASSWORD)).code == 1001


async def test_demo_world(simulator: PlexSimulator, client: Client) -> None:
    """The ready-made world has one account of each kind."""
    world = await demo(simulator)
    counts = {
        account.name: len(await servers_of(client, account))
        for account in simulator.accounts.values()
    }
    assert counts == {
        "anna": 3,
        "ben": 1,
        "carla": 1,
        "dora": 0,
        "Emil": 1,
        "fritz": 0,
        "gina": 0,
        "hugo": 3,
    }
    assert all(account.description for account in simulator.accounts.values())
    assert world.shared.has_access(world.two_factor)
    assert f"provider://{PODCASTS}" in world.living_room.sources


# From another process


async def test_control(
    simulator: PlexSimulator,
    client: Client,
    server: MediaServer,
    anna: Account,
    ben: Account,
) -> None:
    """Everything that a test in another process needs can be steered over HTTP."""
    control = f"{simulator.base_url}/_simulator"

    async def send(
        method: str,
        path: str,
        fields: dict[str, object] | None = None,
        status: int = 200,
    ) -> Any:
        async with client.session.request(
            method, f"{control}/{path}", json=fields
        ) as response:
            assert response.status == status, await response.text()
            return await response.json()

    world = await send("GET", "world")
    assert [account["username"] for account in world["accounts"]] == ["anna", "ben"]
    assert world["servers"][0]["http_url"] == server.http_url
    assert world["servers"][0]["shared_with"] == ["ben"]

    assert anna.accepts_code((await send("GET", "accounts/anna/code"))["code"])
    token = ben.sign_in_token(CLIENT)
    await send("POST", "accounts/ben/revoke_tokens")
    assert (await client("GET", "/user", token=token)).status == 401

    pin = (await client("POST", "/pins")).json
    await send("POST", f"pins/{pin['code']}/link", {"username": "ben"})
    await send("POST", f"pins/{pin['code']}/link", {"username": "ben"}, 404)
    assert (await client("GET", f"/pins/{pin['id']}")).json["authToken"] == ben.tokens[
        CLIENT
    ]

    machine = f"servers/{server.machine_identifier}"
    transient = server.issue_transient_token(anna)
    await send("POST", f"{machine}/restart")
    assert not server.accepts_transient_token(transient)
    await send("POST", f"{machine}/restart", {"boot_state": "starting"})
    assert await status_of(client, server, None) == 400
    await send("POST", f"{machine}/ready")
    assert await status_of(client, server, None) == 401
    await send("POST", f"{machine}/stop")
    assert not is_running(server)
    await send("POST", f"{machine}/start")
    assert is_running(server)
    old = server.https_url, server.port, server.access_token_for(anna)
    described = await send("POST", f"{machine}/renew_certificate")
    assert described["https_url"] == server.https_url != old[0]
    await send("POST", f"{machine}/change_port")
    await send("POST", f"{machine}/rotate_access_tokens")
    assert (server.port != old[1], server.access_token_for(anna) != old[2]) == (
        True,
        True,
    )

    await send(
        "POST",
        "faults",
        {"endpoint": "user", "kind": "status", "code": 503, "times": 1},
    )
    assert (await client("GET", "/user")).status == 503
    assert (await client("GET", "/user")).status == 401
    await send(
        "POST",
        "faults",
        {"endpoint": "identity", "kind": "html", "host": server.machine_identifier},
    )
    assert (await client("GET", f"{server.http_url}/identity")).status == 502
    await send("DELETE", "faults")
    assert (await client("GET", f"{server.http_url}/identity")).status == 200

    before = simulator.clock.now()
    await send("POST", "clock", {"seconds": 3600})
    assert simulator.clock.now() - before >= timedelta(hours=1)

    records = (await send("GET", "requests?count=2"))["requests"]
    assert [(record["endpoint"], record["status"]) for record in records] == [
        ("identity", 502),
        ("identity", 200),
    ]
    records = (await send("GET", "requests?endpoint=pins_create"))["requests"]
    assert [record["path"] for record in records] == ["/api/v2/pins"]
    assert (await send("GET", "requests?count=0"))["requests"] == []

    refused: list[tuple[str, str, dict[str, object] | None, int]] = [
        ("POST", f"{machine}/explode", None, 404),
        ("POST", "servers/none/stop", None, 404),
        ("GET", "accounts/none/code", None, 404),
        ("GET", "accounts/ben/code", None, 400),
        ("POST", "clock", {}, 404),
        ("POST", "faults", {"endpoint": "nothing", "kind": "reset"}, 400),
        ("POST", "faults", {"endpoint": "user", "kind": "nothing"}, 400),
        ("POST", "faults", {"endpoint": "user", "kind": "delay"}, 400),
    ]
    for method, path, fields, status in refused:
        assert (await send(method, path, fields, status))["error"]


@dataclass
class Alone:
    """Hold a simulator that runs in a process of its own."""

    process: asyncio.subprocess.Process
    description: dict[str, Any]


async def start_alone(*arguments: str) -> asyncio.subprocess.Process:
    """Start `python -m tests.plex_simulator`."""
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.plex_simulator",
        *arguments,
        cwd=REPOSITORY,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


@pytest.mark.parametrize(
    ("https", "end"), [(False, signal.SIGINT), (True, signal.SIGTERM)]
)
async def test_alone(tmp_path: Path, https: bool, end: signal.Signals) -> None:
    """The simulator runs as a process: one line when ready, and a clean end."""
    ca_file = tmp_path / "authority.pem"
    arguments = [
        "--ca-file",
        str(ca_file),
        "--world",
        "demo",
        *(["--https"] if https else []),
    ]
    process = await start_alone(*arguments)
    assert process.stdout is not None
    assert process.stderr is not None
    async with asyncio.timeout(30):
        description = json.loads(await process.stdout.readline())
    assert description["ca_file"] == str(ca_file)
    assert description["api_url"].startswith("https://" if https else "http://")

    trusted = ssl.create_default_context(cafile=str(ca_file))
    connector = aiohttp.TCPConnector(ssl=trusted, resolver=PlexDirectResolver())
    async with aiohttp.ClientSession(connector=connector) as session:
        (anna,) = [
            account for account in description["accounts"] if "totp_secret" in account
        ]
        async with session.get(
            f"{description['control_url']}/accounts/{anna['username']}/code"
        ) as response:
            code = (await response.json())["code"]
        assert pyotp.TOTP(anna["totp_secret"]).verify(code, valid_window=1)
        async with session.post(
            f"{description['api_url']}/users/signin",
            data={
                "login": anna["username"],
                "password": anna["password"],
                "verificationCode": code,
            },
            headers={"X-Plex-Client-Identifier": CLIENT, "Accept": "application/json"},
        ) as response:
            assert response.status == 201
        for server in description["servers"]:
            async with session.get(f"{server['https_url']}/identity") as response:
                assert server["machine_identifier"] in await response.text()

        second = await start_alone(
            "--port", str(re.findall(r":(\d+)", description["api_url"])[0])
        )
        async with asyncio.timeout(30):
            output, errors = await second.communicate()
        assert (second.returncode, output) == (1, b"")
        assert re.fullmatch(rb"[^\n]*in use[^\n]*\n", errors)

        process.send_signal(end)
        async with asyncio.timeout(5):
            output, errors = await process.communicate()
    assert (process.returncode, output, errors) == (0, b"", b"")

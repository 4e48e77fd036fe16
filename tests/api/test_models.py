"""Models hold what Plex knows, whatever form it comes in, and none of its secrets."""

from collections.abc import Callable, Iterable
from dataclasses import is_dataclass, replace
from datetime import UTC, datetime, timedelta
import json

import pytest

from custom_components.plex_auth.api.bodies import Json, decode, rows
from custom_components.plex_auth.api.errors import UnexpectedAnswerError
from custom_components.plex_auth.api.models import (
    Account,
    Connection,
    Identity,
    ListedServer,
    Pin,
    Profile,
    Service,
    SignIn,
    Source,
    Subscription,
    SubscriptionPeriod,
    TransientToken,
)

SECRETS = (
    "marker-auth-token",
    "marker-pin-hash",
    "marker-service-token",
    "marker-service-secret",
    "marker-server-token",
    "marker-transient-token",
    "marker-source-token",
    "marker-code",
    "marker@example.com",
)

ACCOUNT_JSON: dict[str, Json] = {
    "id": 21,
    "uuid": "0123456789abcdef",
    "username": "anna",
    "title": "Änna",
    "email": "marker@example.com",
    "friendlyName": "Anna A.",
    "locale": "de",
    "confirmed": True,
    "joinedAt": 1552593531,
    "emailOnlyAuth": False,
    "hasPassword": True,
    "protected": True,
    "thumb": "https://plex.tv/users/0123456789abcdef/avatar?c=1",
    "authToken": "marker-auth-token",
    "mailingListStatus": "active",
    "mailingListActive": True,
    "country": "DE",
    "pin": "marker-pin-hash",
    "subscription": {
        "active": True,
        "subscribedAt": "2019-03-14T19:58:51Z",
        "status": "Active",
        "paymentService": "braintree",
        "plan": "lifetime",
        "features": ["pass", "livetv"],
    },
    "subscriptionDescription": "Lifetime Plex Pass",
    "restricted": False,
    "anonymous": False,
    "home": True,
    "guest": False,
    "homeAdmin": True,
    "homeSize": 2,
    "maxHomeSize": 15,
    "rememberExpiresAt": 1700000000,
    "profile": {
        "autoSelectAudio": True,
        "defaultAudioLanguage": "de",
        "defaultSubtitleLanguage": "en",
        "autoSelectSubtitle": 1,
    },
    "entitlements": ["all", "ios"],
    "roles": ["plexpass"],
    "subscriptions": [
        {
            "id": "1",
            "mode": "yearly",
            "renewsAt": 1800000000,
            "endsAt": None,
            "canceled": False,
            "gracePeriod": False,
            "onHold": False,
            "type": "plexpass",
            "state": "active",
            "billing": {"paymentMethodId": None},
        }
    ],
    "pastSubscriptions": [
        {"mode": "monthly", "endsAt": 1600000000, "canceled": True, "state": "ended"}
    ],
    "services": [
        {"identifier": "epg", "token": "marker-service-token", "status": "online"},
        {"identifier": "sync", "secret": "marker-service-secret", "status": "offline"},
    ],
    "experimentalFeatures": False,
    "twoFactorEnabled": True,
    "backupCodesCreated": True,
}
ACCOUNT_XML = """<?xml version="1.0" encoding="UTF-8"?>
<user id="21" uuid="0123456789abcdef" username="anna" title="Änna"
  email="marker@example.com" friendlyName="Anna A." locale="de" confirmed="1"
  joinedAt="1552593531" emailOnlyAuth="0" hasPassword="true" protected="1"
  thumb="https://plex.tv/users/0123456789abcdef/avatar?c=1"
  authToken="marker-auth-token" mailingListStatus="active" mailingListActive="1"
  country="DE" pin="marker-pin-hash" subscriptionDescription="Lifetime Plex Pass"
  restricted="0" anonymous="false" home="1" guest="0" homeAdmin="1" homeSize="2"
  maxHomeSize="15" rememberExpiresAt="1700000000" experimentalFeatures="0"
  twoFactorEnabled="1" backupCodesCreated="1">
  <subscription active="1" subscribedAt="2019-03-14 19:58:51 UTC" status="Active"
    paymentService="braintree" plan="lifetime">
    <features>
      <feature id="pass"/>
      <feature id="livetv"/>
    </features>
  </subscription>
  <profile autoSelectAudio="1" defaultAudioLanguage="de" defaultSubtitleLanguage="en"
    autoSelectSubtitle="1"/>
  <entitlements><entitlement id="all"/><entitlement id="ios"/></entitlements>
  <roles>
    <role id="plexpass"/>
  </roles>
  <subscriptions>
    <subscription id="1" mode="yearly" renewsAt="1800000000" canceled="0"
      gracePeriod="0" onHold="0" type="plexpass" state="active"/>
  </subscriptions>
  <pastSubscriptions>
    <subscription mode="monthly" endsAt="1600000000" canceled="1" state="ended"/>
  </pastSubscriptions>
  <services>
    <service identifier="epg" token="marker-service-token" status="online"/>
    <service identifier="sync" secret="marker-service-secret" status="offline"/>
  </services>
</user>"""
ACCOUNT = Account(
    id=21,
    uuid="0123456789abcdef",
    username="anna",
    title="Änna",
    email="marker@example.com",
    friendly_name="Anna A.",
    thumb="https://plex.tv/users/0123456789abcdef/avatar?c=1",
    country="DE",
    locale="de",
    confirmed=True,
    joined_at=datetime(2019, 3, 14, 19, 58, 51, tzinfo=UTC),
    email_only_auth=False,
    has_password=True,
    protected=True,
    two_factor_enabled=True,
    backup_codes_created=True,
    remember_expires_at=datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC),
    restricted=False,
    anonymous=False,
    guest=False,
    home=True,
    home_admin=True,
    home_size=2,
    max_home_size=15,
    mailing_list_status="active",
    experimental_features=False,
    subscription=Subscription(
        active=True,
        status="Active",
        plan="lifetime",
        payment_service="braintree",
        subscribed_at=datetime(2019, 3, 14, 19, 58, 51, tzinfo=UTC),
        features=("pass", "livetv"),
    ),
    subscription_description="Lifetime Plex Pass",
    subscriptions=(
        SubscriptionPeriod(
            type="plexpass",
            mode="yearly",
            state="active",
            renews_at=datetime(2027, 1, 15, 8, tzinfo=UTC),
            ends_at=None,
            canceled=False,
            grace_period=False,
            on_hold=False,
        ),
    ),
    past_subscriptions=(
        SubscriptionPeriod(
            type=None,
            mode="monthly",
            state="ended",
            renews_at=None,
            ends_at=datetime(2020, 9, 13, 12, 26, 40, tzinfo=UTC),
            canceled=True,
            grace_period=None,
            on_hold=None,
        ),
    ),
    entitlements=("all", "ios"),
    roles=("plexpass",),
    profile=Profile(
        auto_select_audio=True,
        default_audio_language="de",
        default_subtitle_language="en",
        auto_select_subtitle=1,
    ),
    services=(
        Service(identifier="epg", status="online"),
        Service(identifier="sync", status="offline"),
    ),
)


def test_account_is_the_same_in_json_and_xml() -> None:
    """Every field of an account is read, from both forms to the same value."""
    assert Account.parse(ACCOUNT_JSON) == ACCOUNT
    assert Account.parse(decode(ACCOUNT_XML.encode())) == ACCOUNT


@pytest.mark.parametrize(
    "form", [json.dumps(ACCOUNT_JSON), ACCOUNT_XML], ids=["json", "xml"]
)
def test_sign_in_has_the_account_and_its_token(form: str) -> None:
    """The token stands beside the account, not in it."""
    signed_in = SignIn.parse(decode(form.encode()))
    assert signed_in == SignIn(account=ACCOUNT, token="marker-auth-token")


MANAGED: dict[str, Json] = {
    "id": 22,
    "uuid": "fedcba9876543210",
    "username": "",
    "title": "Emil",
    "email": "",
    "friendlyName": "",
    "mailingListStatus": None,
    "restricted": True,
    "anonymous": None,
    "subscription": {
        "active": False,
        "subscribedAt": None,
        "status": "Inactive",
        "plan": None,
        "features": [],
    },
    "entitlements": [],
    "services": [],
}


def test_managed_and_free_accounts_have_gaps() -> None:
    """What is empty, null or absent is None or an empty tuple."""
    account = Account.parse(MANAGED)
    assert account.name == "Emil"
    assert (account.username, account.email, account.friendly_name) == (None,) * 3
    assert account.mailing_list_status is None
    assert account.anonymous is None
    assert account.restricted is True
    assert account.subscription.active is False
    assert account.subscription.plan is None
    assert account.subscription.features == ()
    assert (account.roles, account.entitlements, account.services) == ((), (), ())
    assert (account.subscriptions, account.past_subscriptions) == ((), ())


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"title": "T", "username": "u", "email": "e"}, "T"),
        ({"title": "", "username": "u", "email": "e"}, "u"),
        ({"title": "two\r\nlines\u2028of\x00 it"}, "two lines of it"),
        ({"username": None, "email": "e"}, "Plex account"),
        ({"title": "e@x", "username": "u", "email": "E@x"}, "u"),
        ({"title": "e@x", "username": "e@x", "email": "e@x"}, "Plex account"),
        ({}, "Plex account"),
    ],
)
def test_name_is_the_best_that_is_there(fields: dict[str, Json], name: str) -> None:
    """An account is called by title or user name in one line, never by its e-mail."""
    data: dict[str, Json] = {"id": 1, "uuid": "x", **fields}
    assert Account.parse(data).name == name


@pytest.mark.parametrize("wrong", [None, 7.5, [], {}, [[]], [None], {"a": 1}])
def test_wrong_types_are_none(wrong: Json) -> None:
    """Fields of any wrong type leave the account as bare as one without them."""
    bare: dict[str, Json] = {"id": 1, "uuid": "x"}
    spoilt: dict[str, Json] = dict.fromkeys(ACCOUNT_JSON, wrong)
    spoilt.update(bare)
    read = Account.parse(spoilt)
    if isinstance(wrong, float):
        read = replace(read, joined_at=None, remember_expires_at=None)
    assert replace(read, services=(), subscriptions=(), past_subscriptions=()) == (
        Account.parse(bare)
    )


JWT = "eyJhbGciOiJFZERTQSJ9.eyJpc3MiOiJwbGV4LnR2In0.c2ln"


def test_no_jwt() -> None:
    """A Plex JWT is the token of nothing: no server plays with it (plex-api.md §8)."""
    with pytest.raises(UnexpectedAnswerError):
        SignIn.parse(ACCOUNT_JSON | {"authToken": JWT})
    assert Pin.parse({"id": 7, "code": "A", "authToken": JWT}).token is None
    listed: Json = {"clientIdentifier": "m1", "provides": "server", "accessToken": JWT}
    (server,) = ListedServer.parse_servers([listed])
    assert server.access_token is None


PIN_JSON: Json = {
    "id": 7,
    "code": "marker-code",
    "expiresIn": 899,
    "authToken": "marker-auth-token",
    "location": {"city": "Marker City"},
}
PIN_XML = (
    '<pin id="7" code="marker-code" expiresIn="899" authToken="marker-auth-token">'
    '<location city="Marker City"/></pin>'
)


def test_pin_is_the_same_in_json_and_xml() -> None:
    """A link code is read from both forms; the place of its maker is left out."""
    pin = Pin.parse(PIN_JSON)
    assert pin == Pin.parse(decode(PIN_XML.encode()))
    assert (pin.id, pin.code, pin.expires_in) == (7, "marker-code", 899)
    assert pin.token == "marker-auth-token"
    assert "Marker City" not in repr(pin)


@pytest.mark.parametrize(
    "more",
    [
        {"authToken": None},
        {"authToken": ""},
        {"authToken": 1, "expiresIn": "soon"},
        {"id": "7", "expiresIn": 10**400},
    ],
)
def test_pin_that_nobody_entered(more: dict[str, Json]) -> None:
    """A code that nobody entered yet has no token."""
    bare: dict[str, Json] = {"id": 7, "code": "A"}
    pin = Pin.parse(bare | more)
    assert (pin.id, pin.token, pin.expires_in) == (7, None, None)


RESOURCES_JSON: list[Json] = [
    {
        "name": "Küche",
        "product": "Plex Media Server",
        "productVersion": "1.43.2",
        "clientIdentifier": "m1",
        "provides": "client,server",
        "sourceTitle": None,
        "accessToken": "marker-server-token",
        "owned": True,
        "presence": True,
        "lastSeenAt": "2026-11-23T08:09:10Z",
        "httpsRequired": False,
        "connections": [
            {
                "protocol": "https",
                "address": "192.168.1.2",
                "port": 32400,
                "uri": "https://192-168-1-2.x.plex.direct:32400",
                "local": True,
                "relay": False,
                "IPv6": False,
            },
            {"protocol": "https", "uri": "https://r:8443", "port": 8443, "relay": True},
            {"protocol": "https", "address": "no uri"},
        ],
    },
    {"name": "Phone", "clientIdentifier": "p", "provides": "player,pubsub-player"},
    {"name": "Nothing", "clientIdentifier": "n", "provides": ""},
    {"name": "No id", "provides": "server"},
    {"clientIdentifier": "m2", "provides": "server", "sourceTitle": "Carla"},
]
RESOURCES_XML = """<resources>
  <resource name="Küche" product="Plex Media Server" productVersion="1.43.2"
    clientIdentifier="m1" provides="client,server" accessToken="marker-server-token"
    owned="1" presence="1" httpsRequired="0"
    lastSeenAt="2026-11-23T08:09:10Z">
    <connections>
      <connection protocol="https" address="192.168.1.2" port="32400"
        uri="https://192-168-1-2.x.plex.direct:32400" local="1" relay="0" IPv6="0"/>
      <connection protocol="https" uri="https://r:8443" port="8443" relay="1"/>
      <connection protocol="https" address="no uri"/>
    </connections>
  </resource>
  <resource name="Phone" clientIdentifier="p" provides="player,pubsub-player"/>
  <resource name="Nothing" clientIdentifier="n" provides=""/>
  <resource name="No id" provides="server"/>
  <resource clientIdentifier="m2" provides="server" sourceTitle="Carla"/>
</resources>"""


def test_resources_are_the_same_in_json_and_xml() -> None:
    """All servers are read, whatever else they are, and nothing that is none."""
    servers = ListedServer.parse_servers(RESOURCES_JSON)
    assert servers == ListedServer.parse_servers(
        rows(RESOURCES_XML.encode(), "resources")
    )
    first, second = servers
    assert first == ListedServer(
        name="Küche",
        machine_identifier="m1",
        product_version="1.43.2",
        source_title=None,
        owned=True,
        owner_id=None,
        home=False,
        presence=True,
        public_address_matches=None,
        last_seen_at=datetime(2026, 11, 23, 8, 9, 10, tzinfo=UTC),
        https_required=False,
        access_token="marker-server-token",
        connections=(
            Connection(
                protocol="https",
                address="192.168.1.2",
                port=32400,
                uri="https://192-168-1-2.x.plex.direct:32400",
                local=True,
                relay=False,
            ),
            Connection(
                protocol="https",
                address=None,
                port=8443,
                uri="https://r:8443",
                local=False,
                relay=True,
            ),
        ),
    )
    assert (second.name, second.owned, second.access_token) == ("m2", False, None)
    assert (second.label, first.label) == ("m2 (Carla)", "Küche")


def test_more_servers_than_anybody_has() -> None:
    """Of a list without end the first ones are kept, and own servers before others."""
    rows: list[Json] = [
        {"clientIdentifier": f"{n}", "provides": "server", "owned": n == 4_999}
        for n in range(5_000)
    ]
    servers = ListedServer.parse_servers(rows)
    identifiers = [server.machine_identifier for server in servers]
    assert identifiers == ["4999", *(f"{n}" for n in range(999))]
    few = ListedServer.parse_servers(rows[4_001:])
    assert [few[0].machine_identifier, few[-1].machine_identifier] == ["4001", "4999"]


def test_row_whose_identifier_is_none() -> None:
    """A row whose identifier could not be logged or stored is left out."""
    rows: list[Json] = [
        {"clientIdentifier": identifier, "provides": "server"}
        for identifier in ("x" * 100_000, "two words", "good")
    ]
    (server,) = ListedServer.parse_servers(rows)
    assert server.machine_identifier == "good"
    with pytest.raises(UnexpectedAnswerError):
        Identity.parse({"MediaContainer": {"machineIdentifier": "x" * 129}})


def test_account_without_end() -> None:
    """An account's texts and lists have bounds, whatever plex.tv answers."""
    long = "x" * 100_000
    many: Json = [{"identifier": long, "status": long, "state": long}] * 10_000
    account = Account.parse(
        {
            "id": 1,
            "uuid": "u",
            "email": long,
            "thumb": long,
            "country": long,
            "subscription": {"plan": long, "features": [long, "pass"]},
            "subscriptions": many,
            "pastSubscriptions": many,
            "services": many,
        }
    )
    assert (account.email, account.thumb, account.country) == (None, None, None)
    assert account.subscription.plan is None
    assert account.subscription.features == ("pass",)
    assert len(account.subscriptions) == len(account.past_subscriptions) == 128
    assert account.services == (Service(identifier=None, status=None),) * 128


IDENTITY_JSON: Json = {
    "MediaContainer": {
        "size": 0,
        "claimed": True,
        "machineIdentifier": "m1",
        "version": "1.43.2",
        "startState": "startingPlugins",
    }
}
IDENTITY_XML = (
    b'<?xml version="1.0"?><MediaContainer size="0" claimed="1" machineIdentifier="m1" '
    b'version="1.43.2" startState="startingPlugins"></MediaContainer>'
)


def test_identity_is_the_same_in_json_and_xml() -> None:
    """An identity is read from both forms."""
    identity = Identity.parse(IDENTITY_JSON)
    assert identity == Identity.parse(decode(IDENTITY_XML))
    assert identity == Identity(
        machine_identifier="m1",
        version="1.43.2",
        claimed=True,
        start_state="startingPlugins",
    )


def test_identity_of_an_old_server() -> None:
    """Before version 1.3 a JSON answer is the container itself."""
    old: dict[str, Json] = {
        "_elementType": "MediaContainer",
        "machineIdentifier": "m1",
        "version": "0.9.17.5",
        "_children": [],
    }
    assert Identity.parse(old) == Identity(
        machine_identifier="m1", version="0.9.17.5", claimed=None, start_state=None
    )
    for other in ("Directory", None):
        with pytest.raises(UnexpectedAnswerError):
            Identity.parse({**old, "_elementType": other})


SOURCE_CONNECTIONS: list[Json] = [
    {
        "protocol": "https",
        "address": "a",
        "uri": "https://a:1",
        "port": 1,
        "local": True,
    },
    {"protocol": "https", "uri": "https://b:2", "local": False, "relay": True},
]
SOURCE_DEVICE: dict[str, Json] = {
    "name": "Cellar",
    "clientIdentifier": "m2",
    "accessToken": "marker-source-token",
    "Connection": SOURCE_CONNECTIONS,
}
SOURCE_XML = b"""<MediaContainer size="1">
  <Device name="Cellar" clientIdentifier="m2" accessToken="marker-source-token">
    <Connection protocol="https" address="a" uri="https://a:1" port="1" local="1"/>
    <Connection protocol="https" uri="https://b:2" local="0" relay="1"/>
  </Device>
</MediaContainer>"""


@pytest.mark.parametrize("device", [SOURCE_DEVICE, [SOURCE_DEVICE]])
def test_source_is_the_same_in_all_forms(device: Json) -> None:
    """A device comes as an object, in a list or in XML; no relay means false."""
    source = Source.parse({"MediaContainer": {"size": 1, "Device": device}})
    assert source == Source.parse(decode(SOURCE_XML))
    assert (source.name, source.machine_identifier) == ("Cellar", "m2")
    assert source.access_token == "marker-source-token"
    assert [one.relay for one in source.connections] == [False, True]
    assert [one.local for one in source.connections] == [True, False]


@pytest.mark.parametrize("container", [{}, {"size": 0}, {"Device": []}])
def test_source_without_a_device(container: Json) -> None:
    """An empty container is a source that cannot be reached."""
    source = Source.parse({"MediaContainer": container})
    assert source.connections == ()
    assert source.access_token is None


def test_transient_token_is_the_same_in_json_and_xml() -> None:
    """A token is read from both forms and lives for 48 hours from now."""
    before = datetime.now(UTC)
    for body in (
        b'{"MediaContainer": {"size": 0, "token": "marker-transient-token"}}',
        b'<MediaContainer size="0" token="marker-transient-token"/>',
    ):
        token = TransientToken.parse(decode(body))
        assert token.token == "marker-transient-token"
        assert (token.type, token.scope) == ("delegation", "all")
        assert before <= token.issued_at <= datetime.now(UTC)
        assert token.expires_at - token.issued_at == timedelta(hours=48)


NO_ACCOUNTS: tuple[Json, ...] = (
    None,
    [],
    "x",
    {},
    {"id": 1},
    {"uuid": "x"},
    {"id": "one", "uuid": "x"},
    {"id": True, "uuid": "x"},
    {"id": 1, "uuid": ""},
    {"id": 1, "uuid": 2},
    {"id": 10**30, "uuid": "x"},
    {"user": []},
)
NO_CONTAINERS: tuple[Json, ...] = (
    None,
    5,
    "x",
    [],
    {},
    {"a": {}},
    {"MediaContainer": None},
    {"MediaContainer": []},
)
NO_TOKENS: tuple[Json, ...] = (None, "", 5, ["x"])
NOTHING_IN_CONTAINERS: tuple[Json, ...] = (
    {"MediaContainer": {}},
    {"MediaContainer": {"token": 5, "machineIdentifier": 5}},
    {"MediaContainer": {"token": ""}},
)


@pytest.mark.parametrize(
    ("parse", "answers"),
    [
        (Account.parse, NO_ACCOUNTS),
        (
            SignIn.parse,
            [
                *NO_ACCOUNTS,
                *(
                    data | {"authToken": "x"}
                    for data in NO_ACCOUNTS
                    if isinstance(data, dict)
                ),
                *(ACCOUNT_JSON | {"authToken": token} for token in NO_TOKENS),
            ],
        ),
        (
            Pin.parse,
            [
                *(None, [], {}, {"id": 7}, {"code": "A"}, {"pin": 1}),
                # The dialog shows a code in Markdown, and in an element.
                *({"id": 7, "code": code} for code in ('"><img src=x>', "[A](//x)")),
                {"id": 7, "code": "A" * 129},
            ],
        ),
        (Identity.parse, [*NO_CONTAINERS, *NOTHING_IN_CONTAINERS]),
        (TransientToken.parse, [*NO_CONTAINERS, *NOTHING_IN_CONTAINERS]),
        (Source.parse, NO_CONTAINERS),
    ],
    ids=["account", "sign-in", "pin", "identity", "token", "source"],
)
def test_what_is_no_answer(
    parse: Callable[[Json], object], answers: Iterable[Json]
) -> None:
    """Without what was asked for an answer is none, nor does it stand for nothing."""
    for data in answers:
        with pytest.raises(UnexpectedAnswerError):
            parse(data)


def test_no_model_prints_a_secret() -> None:
    """Neither repr nor str of a model, alone or in another one, shows a secret."""
    models = (
        SignIn.parse(ACCOUNT_JSON),
        Account.parse(ACCOUNT_JSON),
        Pin.parse(PIN_JSON),
        *ListedServer.parse_servers(RESOURCES_JSON),
        TransientToken.parse({"MediaContainer": {"token": "marker-transient-token"}}),
        Source.parse({"MediaContainer": {"Device": SOURCE_DEVICE}}),
    )
    shown = "".join(f"{model!r}{model}{[model]}" for model in models)
    assert "21" in shown
    for secret in SECRETS:
        assert secret not in shown


def test_account_holds_no_secret_at_all() -> None:
    """Tokens, the hashed PIN and the services' secrets are in no field of an account."""

    def values(model: object) -> str:
        if isinstance(model, tuple):
            return "".join(map(values, model))
        if is_dataclass(model):
            return "".join(map(values, vars(model).values()))
        return str(model)

    held = values(Account.parse(ACCOUNT_JSON))
    assert "marker@example.com" in held
    for secret in set(SECRETS) - {"marker@example.com"}:
        assert secret not in held


REMOTE = {"type": "remotewatchpass", "state": "active"}


@pytest.mark.parametrize(
    ("active", "plan", "listed", "has_plex_pass"),
    [
        (True, "lifetime", [], True),
        (True, "yearly", [{"type": "plexpass", "state": "active"}], True),
        (True, "yearly", [{"state": "active"}], True),
        (
            True,
            "monthly",
            [{"type": "plexpass", "state": "pending_cancellation"}],
            True,
        ),
        (True, "remote-watch", [REMOTE], False),
        (True, "remote-watch", [], False),
        (True, None, [REMOTE], False),
        (True, "something-new", [{"type": "something-new", "state": "active"}], False),
        (True, "remote-watch", [REMOTE, {"type": "plexpass", "state": "active"}], True),
        (
            True,
            "remote-watch",
            [
                REMOTE,
                {"type": "plexpass", "state": "canceled", "endsAt": 1_700_000_001},
            ],
            True,
        ),
        (
            True,
            "remote-watch",
            [
                REMOTE,
                {"type": "plexpass", "state": "canceled", "endsAt": 1_700_000_000},
            ],
            False,
        ),
        (
            True,
            "remote-watch",
            [REMOTE, {"type": "plexpass", "state": "canceled"}],
            False,
        ),
        (
            True,
            "remote-watch",
            [REMOTE, {"type": "plexpass", "state": "lapsed"}],
            False,
        ),
        (True, "yearly", [{"type": "plexpass", "state": "ended"}], True),
        (False, "yearly", [{"type": "plexpass", "state": "active"}], False),
        (None, "yearly", [{"type": "plexpass", "state": "active"}], None),
    ],
)
def test_plex_pass(
    active: bool | None,
    plan: str | None,
    listed: list[Json],
    has_plex_pass: bool | None,
) -> None:
    """Only an active Plex Pass is one; one of an unnamed type counts."""
    account = Account.parse(
        {
            "id": 1,
            "uuid": "u",
            "subscription": {"active": active, "plan": plan},
            "subscriptions": listed,
        }
    )
    now = datetime.fromtimestamp(1_700_000_000, UTC)
    assert account.has_plex_pass(now) is has_plex_pass

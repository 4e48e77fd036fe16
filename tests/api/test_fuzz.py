"""Nothing that comes in, from Plex or from a person, ends in anything but our errors.

With `--full` more than 20,000 examples are run, other ones each time; without it a few
hundred, always the same.
"""

import asyncio
from collections.abc import Callable
from copy import deepcopy
from ipaddress import ip_address
import json
import os
import re
import socket
from string import ascii_letters, digits
from typing import Any
from unittest.mock import AsyncMock
from xml.etree import ElementTree as ET

from hypothesis import HealthCheck, given, settings, strategies as st
import pytest
from yarl import URL

from custom_components.plex_auth.api.addresses import (
    is_loopback,
    is_private,
    is_public,
    parse_address,
    shown_address,
    typed_addresses,
)
from custom_components.plex_auth.api.bodies import Json, decode, rows
from custom_components.plex_auth.api.connections import best_connection, rank
from custom_components.plex_auth.api.devices import Device
from custom_components.plex_auth.api.errors import (
    PageError,
    PlexError,
    TokenRejectedError,
    UnexpectedAnswerError,
)
from custom_components.plex_auth.api.failures import (
    Failure,
    link_error,
    plex_tv_error,
    server_error,
    sign_in_error,
    switch_error,
)
from custom_components.plex_auth.api.homes import HomeUser, parse_switch
from custom_components.plex_auth.api.items import Item, first_part, parse_path
from custom_components.plex_auth.api.models import (
    Account,
    Connection,
    Identity,
    ListedServer,
    Pin,
    SignIn,
    Source,
    TransientToken,
    require_container,
)
from custom_components.plex_auth.api.server import playable, supports_sources
from custom_components.plex_auth.flows import checks
from tests.plex_simulator import Fault

from .fault_matrix import CALLS
from .population import Scene
from .test_homes import (
    CHILD,
    HOME_JSON,
    HOME_XML,
    OLD_HOME_XML,
    OLD_SWITCH_XML,
    SWITCH_JSON,
)
from .test_items import ITEM_JSON, ITEM_XML
from .test_models import (
    ACCOUNT_JSON,
    ACCOUNT_XML,
    IDENTITY_JSON,
    IDENTITY_XML,
    PIN_JSON,
    PIN_XML,
    RESOURCES_JSON,
    RESOURCES_XML,
    SOURCE_DEVICE,
    SOURCE_XML,
)

_COMMON: dict[str, Any] = {
    "database": None,
    "deadline": None,
    "suppress_health_check": [
        HealthCheck.function_scoped_fixture,
        HealthCheck.too_slow,
        HealthCheck.data_too_large,
    ],
}
settings.register_profile("short", max_examples=40, derandomize=True, **_COMMON)
settings.register_profile("long", max_examples=2500, **_COMMON)
fuzzed = settings.get_profile(os.environ.get("HYPOTHESIS_PROFILE", "short"))

DEVICE_JSON: Json = {
    "id": 5,
    "name": "Phone",
    "product": "Plex Web",
    "provides": "client,server",
    "token": "x",
    "createdAt": "2026-01-02T03:04:05Z",
    "lastSeenAt": "1780000000",
}
GOOD_JSON: tuple[Json, ...] = (
    ACCOUNT_JSON,
    PIN_JSON,
    RESOURCES_JSON,
    IDENTITY_JSON,
    {"MediaContainer": {"size": 1, "Device": SOURCE_DEVICE, "token": "x"}},
    [DEVICE_JSON],
    {"devices": [DEVICE_JSON]},
    ITEM_JSON,
    HOME_JSON,
    SWITCH_JSON,
    {"errors": [{"code": 1001, "message": "Invalid token", "status": 401}]},
)
GOOD_XML = (
    ACCOUNT_XML.encode(),
    PIN_XML.encode(),
    RESOURCES_XML.encode(),
    IDENTITY_XML,
    SOURCE_XML,
    ITEM_XML,
    HOME_XML.encode(),
    OLD_HOME_XML.encode(),
    OLD_SWITCH_XML.encode(),
    b'<Response code="401" status="Invalid PIN"/>',
    b'<errors><error code="1001" message="x"/><error>Invalid token</error></errors>',
)
GOOD_BODIES = (*(json.dumps(data).encode() for data in GOOD_JSON), *GOOD_XML)
TAGS = sorted(
    {one.tag for body in GOOD_XML for one in ET.fromstring(body).iter()} | {"html"}
)


def as_json(data: Json) -> bytes:
    """Return data as the body of an answer."""
    return json.dumps(data).encode()


PARSERS: tuple[Callable[[Json], object], ...] = (
    SignIn.parse,
    Account.parse,
    Pin.parse,
    lambda data: ListedServer.parse_servers(rows(as_json(data), "resources")),
    Device.parse_devices,
    HomeUser.parse_users,
    lambda data: parse_switch(data, CHILD),
    Identity.parse,
    TransientToken.parse,
    Source.parse,
    first_part,
    require_container,
)


def names_in(data: Json) -> set[str]:
    """Return all names of fields in these data."""
    if isinstance(data, dict):
        return set(data).union(*map(names_in, data.values()))
    return set().union(*map(names_in, data)) if isinstance(data, list) else set()


# Any character there is, halves of characters included.
texts = st.text(st.characters(), max_size=30)
names = (
    st.sampled_from(sorted(names_in(list(GOOD_JSON)) | {"user", "resource"})) | texts
)
telling_texts = st.sampled_from(
    [
        "",
        "0",
        "1",
        "true",
        "-1",
        "9" * 18,
        "9" * 19,
        "٣",
        "\ud800",
        "a\r\nb",
        "NaN",
        "server",
        "https",
        "2024-05-06T07:08:09Z",
        "2024-05-06 07:08:09 UTC",
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-14:00",
        "x" * 5000,
    ]
)
scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from([10**18, -(10**18), 10**400, 2**63, -(2**63), 0])
    | st.floats()
    | telling_texts
    | texts
)
values: st.SearchStrategy[Json] = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=5)
    ),
    max_leaves=12,
)


@st.composite
def spoilt_answers(draw: st.DrawFn) -> Json:
    """Return an answer of Plex with some of its values replaced by others."""
    data = deepcopy(draw(st.sampled_from(GOOD_JSON)))
    for _ in range(draw(st.integers(1, 4))):
        holder: Json = data
        while True:
            key: Any
            if isinstance(holder, dict) and holder:
                key = draw(st.sampled_from(sorted(holder)))
            elif isinstance(holder, list) and holder:
                key = draw(st.integers(0, len(holder) - 1))
            else:
                break
            inner = holder[key]
            if not inner or not isinstance(inner, dict | list) or draw(st.booleans()):
                holder[key] = draw(values)
                break
            holder = inner
    return data


@st.composite
def elements(draw: st.DrawFn, depth: int = 0) -> ET.Element:
    """Return an element of XML as Plex might write it, more or less."""
    tags = st.sampled_from(TAGS)
    printable = st.text(st.characters(codec="utf-8", categories=["L", "N"]), max_size=9)
    attributes = st.dictionaries(
        st.sampled_from(sorted(names_in(list(GOOD_JSON)))),
        printable | st.sampled_from(["0", "1", "server", "9" * 30]),
        max_size=3,
    )
    element = ET.Element(draw(tags), draw(attributes))
    element.text = draw(st.none() | printable)
    if depth < 3:
        element.extend(draw(st.lists(elements(depth + 1), max_size=2)))
    return element


@st.composite
def spoilt_bodies(draw: st.DrawFn) -> bytes:
    """Return a body of Plex with some of its bytes gone, doubled or replaced."""
    body = bytearray(draw(st.sampled_from(GOOD_BODIES)))
    for _ in range(draw(st.integers(1, 5))):
        start = draw(st.integers(0, len(body)))
        end = min(len(body), start + draw(st.integers(0, 40)))
        body[start:end] = draw(
            st.binary(max_size=8)
            | st.just(bytes(body[start:end]) * 2)
            | st.sampled_from([b"<!DOCTYPE a [", b"&x;", b"]]>", b"<!--", b"\\ud800"])
        )
    return bytes(body)


bodies = (
    st.binary(max_size=200)
    | values.map(lambda data: json.dumps(data).encode())
    | elements().map(ET.tostring)
    | spoilt_bodies()
    | st.tuples(
        st.sampled_from([b"[", b'{"a":', b"<a>", b"<a b='"]), st.integers(0, 10**5)
    ).map(lambda part: part[0] * part[1])
)


def check_body(body: bytes) -> None:
    """Check that bytes are data that every parser takes, or one of two errors."""
    try:
        data = decode(body)
    except PlexError as err:
        check_error(err, UnexpectedAnswerError, PageError)
    else:
        check_parsers(data)


def check_error(error: PlexError, *kinds: type[PlexError]) -> None:
    """Check that an error is exactly of one of these kinds, and hides nothing."""
    assert not kinds or type(error) in kinds
    assert error.__context__ is None
    assert error.__cause__ is None


def check_parsers(data: Json) -> None:
    """Check that each parser gives a model that can be written, or the one error."""
    for parse in PARSERS:
        try:
            model = parse(data)
        except UnexpectedAnswerError:
            pass
        else:
            repr(model).encode()


@given(values)
@fuzzed
def test_any_json_is_a_model_or_not_understood(data: Json) -> None:
    """Any data at all go through every parser."""
    check_parsers(data)


@given(spoilt_answers())
@fuzzed
def test_spoilt_answer_is_a_model_or_not_understood(data: Json) -> None:
    """Answers with wrong values in any place go through every parser."""
    check_parsers(data)


@given(elements())
@fuzzed
def test_any_xml_is_a_model_or_not_understood(element: ET.Element) -> None:
    """Any XML of names that Plex knows goes through every parser."""
    try:
        data = decode(ET.tostring(element))
    except PageError:
        assert "html" in element.tag
    else:
        check_parsers(data)


@given(bodies)
@fuzzed
def test_any_body_is_data_or_one_of_two_errors(body: bytes) -> None:
    """Any bytes are data or not understood, or a page that says the service is away."""
    check_body(body)


@given(spoilt_bodies())
@fuzzed
def test_spoilt_body_is_data_or_one_of_two_errors(body: bytes) -> None:
    """Bodies of Plex with broken bytes are no different."""
    check_body(body)


dates = st.builds(
    "{}, {:02} {} {} {:02}:{:02}:{:02} {}".format,
    st.sampled_from(["Mon", "Tue", "x"]),
    st.integers(-1, 40),
    st.sampled_from(["Jan", "Feb", "Dec", "Foo"]),
    st.integers(0, 10**12) | st.integers(1, 9999),
    st.integers(0, 25),
    st.integers(0, 61),
    st.integers(0, 61),
    st.sampled_from(
        ["GMT", "", "+2359", "-2359", "+9999", "+99999999999", "EST", "-0000"]
    ),
)


@given(
    st.integers(300, 600) | st.sampled_from([401, 422, 429, 498, 503]),
    bodies | spoilt_answers().map(lambda data: json.dumps(data).encode()),
    st.none() | texts | dates | st.integers().map(str),
)
@fuzzed
def test_any_failure_is_an_error(
    status: int, body: bytes, retry_after: str | None
) -> None:
    """Any answer that is no success is an error, and few are about the token."""
    failure = Failure(status, retry_after, body)
    for read in (plex_tv_error, sign_in_error, link_error, switch_error, server_error):
        error = read(failure)
        assert error.status == status
        assert error.retry_after is None or 0 <= error.retry_after <= 86400
        if isinstance(error, TokenRejectedError):
            assert read is not server_error
            assert status in (401, 422, 498)


address_texts = texts | st.builds(
    "{}{}{}{}{}".format,
    st.sampled_from(
        ["http://", "https://", "HTTP:", "file://", "javascript:", "//", ""]
    ),
    st.sampled_from(["", "u@", "u:p@", "@", "\\"]),
    st.sampled_from(
        [
            "169.254.169.254",
            "2852039166",
            "0xa9fea9fe",
            "[fe80::1]",
            "[::1]",
            "[::",
            "a.b",
            "１６９.254.169.254",
            "xn--",
            "a..b",
            "%00",
            "127.1",
            "1.2.3.4.",
            "[::ffff:a9fe:1]",
        ]
    )
    | texts,
    st.sampled_from(["", ":0", ":80", ":65535", ":65536", ":-1", ":x", ":٨٠", ":"])
    | texts,
    st.sampled_from(["", "/", "/a/../b", "?a=b", "#c", "/%0d%0a"]) | texts,
)


def check_no_hidden_number(host: str) -> None:
    """Check that what a resolver takes for an IPv4 address is one, and not link-local."""
    try:
        socket.inet_aton(host)
    except OSError, ValueError:
        return
    assert not ip_address(host).is_link_local


@given(address_texts)
@fuzzed
def test_any_address_is_usable_or_none(text: str) -> None:
    """Whatever is typed, an address is one that a request may go to, or none."""
    url = parse_address(text)
    is_private(text)
    is_public([text])
    supports_sources(text)
    if url is None:
        return
    assert url.scheme in ("http", "https")
    assert url.host
    assert url.port
    assert url.port < 65536
    assert url.user is None
    assert url.password is None
    assert not url.query_string
    str(url / "identity").encode("ascii")
    check_no_hidden_number(url.host)


plex_tokens = st.text(f"{ascii_letters}{digits}_-", min_size=20, max_size=20).filter(
    lambda token: token.lower() != token
)
typed_texts = st.builds(
    "{}{}{}{}{}".format,
    st.sampled_from(
        [
            "",
            " ",
            "http://",
            "https://",
            "HTTP://",
            "http//",
            "http:/",
            "https:/",
            "://",
            "http://http://",
            "htp://",
            "//",
            "http:\\\\",
        ]
    ),
    st.sampled_from(
        [
            "",
            "user:{0}@",
            "{0}@",
            "nas",
            "nas.local",
            "192.168.1.10",
            "[::1]",
            "::1",
            "192-168-1-10.0123.plex.direct",
            "plex.tv",
            "{0}",
            "Living Room",
            "user:{0}?/@nas",
            "169.254.169.254",
            "eyJ{0}.e.s",
            "claim-{0}",
        ]
    )
    | texts,
    st.sampled_from(
        [
            "",
            ":",
            ":32400",
            ":0",
            "/:32400",
            "//:1",
            ":99999",
            ":x",
        ]
    ),
    st.sampled_from(
        [
            "",
            "/",
            "//",
            "/plex",
            "/web/index.html",
            "/library/metadata/1",
            "/identity",
            "/{0}",
            "/a/{0}/b",
            "/..",
            "/%2e%2e/",
            "/;{0}",
            "/@",
        ]
    )
    | texts.map("/{}".format),
    st.sampled_from(
        [
            "",
            "?X-Plex-Token={0}",
            "&X-Plex-Token={0}",
            "%3FX-Plex-Token%3D{0}",
            "#!/{0}",
            " X-Plex-Token: {0}",
            ";X-Plex-Token={0}",
            "\n{0}",
            "?a=b@c&t={0}",
            "?",
        ]
    )
    | texts.map("?{}".format),
)


@given(typed_texts, plex_tokens, st.booleans())
@fuzzed
def test_any_typed_address_is_one_of_a_server_or_none(
    text: str, token: str, public: bool
) -> None:
    """Whatever is typed, nothing is asked but a server, without any of the secrets."""
    text = text.replace("{0}", token)
    urls = typed_addresses(text, is_public=public)
    for url in urls:
        assert parse_address(str(url)) == url
        assert url.host not in ("http", "https")
        assert re.fullmatch(r"(/[\w.~-]+)*/?", url.raw_path, re.ASCII)
        assert token.lower() not in str(url).lower()
        assert "@" not in str(url)
        check_no_hidden_number(url.host or "")
    if public and "://" not in text:
        assert all(url.scheme == "https" for url in urls)
    assert len(urls) == len(set(urls)) <= 3
    shown = shown_address(text)
    assert token not in shown
    assert not re.search("[@?#]|x-plex-token", shown, re.IGNORECASE)


@given(typed_texts, plex_tokens, st.sampled_from([True, False, None]))
@fuzzed
def test_any_typed_address_is_understood_or_refused(
    text: str, token: str, public: bool | None
) -> None:
    """Whatever is typed into a form, it has addresses to ask or one message."""
    text = text.replace("{0}", token)
    judge = AsyncMock(return_value=public)
    if not typed_addresses(text):
        with pytest.raises(checks.FormError) as caught:
            asyncio.run(checks.async_address(text, judge))
        assert caught.value.errors == {"url": "invalid_url"}
        judge.assert_not_called()
        return
    meant = asyncio.run(checks.async_address(text, judge))
    urls = [route.url for rank in meant.ranks for route in rank]
    assert tuple(urls) == typed_addresses(text, is_public=public is not False)


connections = st.builds(
    Connection,
    protocol=st.sampled_from(["http", "https", "x"]) | st.none(),
    address=st.none()
    | st.sampled_from(
        ["192.168.1.2", "::1", "fd00::1%]@x", "8.8.8.8", "0.0.0.0", "nas"]
    )
    | texts,
    port=st.none() | st.integers(),
    uri=address_texts,
    local=st.booleans(),
    relay=st.booleans(),
)


@given(st.lists(connections, max_size=40), st.booleans(), st.booleans())
@fuzzed
def test_any_list_of_addresses_is_ranked(
    listed: list[Connection], https_required: bool, is_trusted: bool
) -> None:
    """Whatever is listed, plain http stays at home."""
    best_connection(listed)
    ranks = rank(listed, https_required=https_required, is_trusted=is_trusted)
    found = [route.url for routes in ranks for route in routes]
    assert len(found) <= 2 * len(listed)
    for url in found:
        assert parse_address(str(url)) == url
        if url.scheme == "http":
            assert not https_required
            assert is_private(url.host) if is_trusted else is_loopback(url.host)


@given(
    st.builds(
        "{}{}{}".format,
        texts,
        st.sampled_from(["", "/", "#!/server/", "#!/server/a/details?key=", "%"]),
        texts | st.just("/library/metadata/1"),
    )
)
@fuzzed
def test_any_text_plays_on_the_server_or_not_at_all(text: str) -> None:
    """What a person wants to play is a path on the server, an item of it, or nothing."""
    item = Item.parse(text)
    if item is not None:
        assert re.fullmatch(r"/library/metadata/[0-9]+", item.path)
    base = URL("http://10.0.0.1:32400/plex/")
    if (path := parse_path(text)) is not None:
        url = playable(base, path, "token")
        assert url.origin() == base.origin()
        assert url.query["X-Plex-Token"] == "token"


ENDPOINTS = {
    "signin",
    "user",
    "signout",
    "home_users",
    "home_switch",
    "home_switch_v1",
    "claim_token",
    "claim",
    "root",
    "security_token",
    "security_resources",
}


@given(login=texts, password=texts, code=st.none() | texts, token=texts, source=texts)
@fuzzed
async def test_any_text_of_a_person_is_answered(
    scene: Scene,
    login: str,
    password: str,
    code: str | None,
    token: str,
    source: str,
) -> None:
    """Any text into a call ends in an error of ours, and adds nothing to the request."""
    scene.plex.sign_in_guard.limit = None
    scene.plex.requests.clear()
    account, server = scene.account, scene.server
    for ask in (
        account.sign_in(login, password, code),
        account.user(token),
        account.sign_out(token),
        account.home_users(token),
        account.switch_home_user(token, CHILD, password),
        account.claim_token(token),
        server.claim(token),
        server.check_token(token),
        server.transient_token(token),
        server.source_connection_information(scene.population.server_token, source),
    ):
        with pytest.raises(PlexError) as caught:
            await ask
        check_error(caught.value)
    for request in scene.plex.requests:
        assert request.endpoint in ENDPOINTS
        allowed = {"type", "scope", "source", "refresh"}
        if request.endpoint == "claim":
            allowed = {"token"}
        elif request.endpoint.startswith("home_switch"):
            allowed = {"pin"}
        assert set(request.query) <= allowed


@given(
    body=bodies | spoilt_answers().map(lambda data: json.dumps(data).encode()),
    status=st.sampled_from([200, 201, 204, 302, 400, 401, 403, 404, 422, 429, 500]),
    retry_after=st.none() | dates,
)
@fuzzed
async def test_any_answer_over_a_socket_is_a_model_or_an_error(
    scene: Scene,
    body: bytes,
    status: int,
    retry_after: str | None,
) -> None:
    """Any answer to any call is a result or an error of ours."""
    headers = {} if retry_after is None else {"Retry-After": retry_after}
    fault = Fault.status(status, body, headers=headers)
    rejected = False
    scene.plex.faults.set("*", fault)
    scene.population.server.faults.set("*", fault)
    for call in CALLS:
        try:
            await call.make(scene, "1")
        except PlexError as err:
            check_error(err)
            rejected |= isinstance(err, TokenRejectedError)
    assert not rejected or status in (401, 422)

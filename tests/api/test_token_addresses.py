"""A token goes to a listed or typed address of its own server, and nowhere else.

Rows of plex.tv and stored data are made up, hostile ones above all, and each request with
a token is held against the rules of docs/plex-api.md §5, written here once more in
another way. With `--full` 20,000 worlds are tried, other ones each time; without it a few
hundred, always the same.
"""

from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from ipaddress import IPv6Address, ip_address, ip_network
from itertools import cycle
import json
import os
from typing import Any, cast, override
from urllib.parse import urlsplit

from aiohttp import ClientSession
from hypothesis import given, settings, strategies as st
import pytest
from yarl import URL

from custom_components.plex_auth.api.bodies import Json
from custom_components.plex_auth.api.connections import Route
from custom_components.plex_auth.api.errors import CannotConnectError, PlexError
from custom_components.plex_auth.api.failures import FailureReader
from custom_components.plex_auth.api.known_server import KnownServer
from custom_components.plex_auth.api.models import OWN_ACCOUNT, Connection, ListedServer
from custom_components.plex_auth.api.plex_tv import PlexTv
from custom_components.plex_auth.api.server import PlexServer
from custom_components.plex_auth.api.server_access import ServerAccess
from custom_components.plex_auth.api.server_list import AccountServer, ServerList
from custom_components.plex_auth.api.transport import Socket, Transport

from .population import IDENTITY
from .test_fuzz import fuzzed

IS_LONG = os.environ.get("HYPOTHESIS_PROFILE") == "long"

API = "https://plex.tv/api/v2"
ACCOUNT_TOKEN = "token of the account"
TYPED_TOKEN = "typed token"
STORED_TOKEN = "stored token"
ME, OTHER = "machine", "another machine"
AT_HOME = [
    *map(ip_network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"))
]
ON_THIS_MACHINE = [*map(ip_network, ("127.0.0.0/8", "::1"))]

ADDRESSES = (
    "192.168.1.2",
    "10.0.0.1",
    "127.0.0.1",
    "::1",
    "fd00::1",
    "fd00:0:0:0:0:0:0:1",
    "::ffff:192.168.1.2",
    "8.8.8.8",
    "2001:db8::1",
    "2002:c0a8:101::1",
    "64:ff9b:1::a00:1",
    "100.64.0.1",
    "198.18.0.1",
    "0.0.0.0",
    "::",
    "169.254.169.254",
    "fe80::1",
    "224.0.0.1",
    "nas",
    "plex.example.com",
    "192.168.1.2@evil.example",
    "fd00::1%]@evil.example",
    "192.168.1.2/evil",
    "",
)


SPOILT = (
    *("address", "port", "host", "user", "path", "scheme", "local", "relay"),
    "uri port",
)


def names_of(address: str) -> tuple[str, ...]:
    """Return the host that is an address, its plex.direct name, and such as look alike."""
    dashed = address.replace(".", "-").replace(":", "-")
    return (
        f"[{address}]" if ":" in address else address,
        f"{dashed}.0123abcd.plex.direct",
        f"{dashed}.evil.example",
        f"{dashed}.plex.direct.evil.example",
        "192-168-1-3.0123abcd.plex.direct",
        "evil.example",
        "plex.tv",
    )


@st.composite
def connections(draw: st.DrawFn) -> Json:
    """Return an address as plex.tv lists it, most often with something that is odd."""
    spoilt = draw(st.sampled_from((*SPOILT, None, None)))

    def value(name: str, usual: Any, *odd: Any) -> Any:
        return draw(st.sampled_from(odd)) if name == spoilt else usual

    address = draw(st.sampled_from(ADDRESSES[:5] * 2 + ADDRESSES))
    port = value("port", 32400, 443, 1, 0, -1, 65536, "32400", None)
    number, name, *others = names_of(address)
    host = value("host", draw(st.sampled_from((number, name))), *others)
    scheme = draw(st.sampled_from(("https", "https", "http")))
    scheme = value("scheme", scheme, "HTTP", "ftp", "javascript")
    user = value("user", "", "u@", "u:p@", "192.168.1.2@")
    uri_port = value("uri port", port, 1, 65536, "x")
    path = value("path", "", "/", "/admin", "?a=b", "#c", "/..//", "\\@evil.example")
    return {
        "protocol": scheme,
        "address": value("address", address, *ADDRESSES),
        "port": port,
        "uri": f"{scheme}://{user}{host}:{uri_port}{path}",
        "local": value("local", True, False, "1", None),
        "relay": value("relay", False, True, "1", None),
    }


@st.composite
def rows(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Return what plex.tv lists: up to three rows, most of them of one identifier."""
    return [
        {
            "name": f"Server {number}",
            "clientIdentifier": draw(st.sampled_from((*[ME] * 5, OTHER))),
            "provides": "server",
            "owned": draw(st.sampled_from((True, False, False, None))),
            "ownerId": draw(st.sampled_from((7, 7, 8, 0, None))),
            "home": draw(st.sampled_from((False, False, True, None))),
            "httpsRequired": draw(st.sampled_from((False, False, True))),
            "accessToken": draw(
                st.sampled_from((*[f"token {number}"] * 4, None, "eyJ.a.b"))
            ),
            "connections": draw(st.lists(connections(), min_size=1, max_size=3))
            if draw(st.integers(0, 5))
            else [],
        }
        for number in range(draw(st.sampled_from((1, 1, 2, 2, 3, 0))))
    ]


@st.composite
def stored_servers(draw: st.DrawFn) -> dict[str, Any]:
    """Return what may be stored, with keys missing as in an earlier version."""
    stored = {
        "token": draw(st.sampled_from((STORED_TOKEN, STORED_TOKEN, None))),
        "connections": draw(st.lists(connections(), max_size=3)),
        "https_required": draw(st.booleans()),
        "owner": draw(st.sampled_from((OWN_ACCOUNT, 7, 7, 8, None))),
        "home": draw(st.booleans()),
    }
    for key in draw(st.sets(st.sampled_from(sorted(stored)), max_size=2)):
        del stored[key]
    return stored


@dataclass(kw_only=True)
class Belief:
    """Hold what may be believed of the server: by the rules, not by the client."""

    owner: int | None
    home: bool
    https_required: bool
    token: str | None
    connections: tuple[Connection, ...]

    @classmethod
    def of(cls, one: KnownServer | ListedServer) -> Belief:
        """Return what a row or stored data say by themselves."""
        return cls(
            owner=one.owner,
            home=one.home,
            https_required=one.https_required,
            token=one.token if isinstance(one, KnownServer) else one.access_token,
            connections=one.connections,
        )

    def after(self, listed: Iterable[ListedServer]) -> Belief:
        """Return what may be believed once plex.tv has listed something."""
        mine = [Belief.of(row) for row in listed if row.machine_identifier == ME]
        owned = [row for row in mine if row.owner == OWN_ACCOUNT]
        kept = [row for row in mine if row.owner == self.owner is not None]
        new = mine if self.owner is None else []
        for row in (*owned, *kept, *new):
            if self.owner in (None, row.owner):
                return replace(
                    row,
                    token=row.token or self.token,
                    connections=row.connections or self.connections,
                )
            return row
        return self

    def check(self, url: URL) -> None:
        """Check that a token of the server may go to a URL."""
        origin = (url.scheme, plain_host(url.host or ""), url.port)
        assert any(origin in origins(one) for one in self.connections), (url, self)
        if url.scheme != "http":
            return
        assert not self.https_required
        address = ip_address(plain_host(url.host or ""))
        nets = [*ON_THIS_MACHINE]
        if self.home or self.owner == OWN_ACCOUNT:
            nets += AT_HOME
        assert any(address in net for net in nets), (url, self)


def plain_host(host: str) -> str:
    """Return a host, an IP address in its shortest form."""
    try:
        address = ip_address(host)
    except ValueError:
        return host
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return str(mapped or address)


def origins(connection: Connection) -> set[tuple[str, str, int | None]]:
    """Return the scheme, host and port of the addresses that a connection stands for."""
    found: set[tuple[str, str, int | None]] = set()
    try:
        parts = urlsplit(connection.uri)
        port = parts.port
    except ValueError:
        return found
    extra = (parts.username, parts.password, parts.query, parts.fragment)
    if any(extra) or parts.path not in ("", "/") or "@" in connection.uri:
        return found
    host = plain_host(parts.hostname or "")
    port = port if port is not None else {"http": 80, "https": 443}.get(parts.scheme)
    found.add((parts.scheme, host, port))
    address = connection.address or ""
    label, _, domain = host.partition(".")
    names = {label.replace("-", "."), label.replace("-", ":")}
    is_named = host == plain_host(address) or (
        domain.endswith("plex.direct")
        and plain_host(address) in set(map(plain_host, names))
    )
    if is_named and connection.local and not connection.relay:
        found.add(("http", plain_host(address), connection.port))
    return found


class Network(Transport):
    """Play plex.tv and all hosts there are, and hold each token against the rules."""

    def __init__(
        self,
        belief: Belief,
        *,
        url: URL | None = None,
        token: str | None = None,
        secure: Iterable[str] = ("here",),
        plain: Iterable[str] = ("here",),
    ) -> None:
        """Begin without a list.

        A `url` and `token` may be typed. `secure` and `plain` say in turns how hosts
        answer over https and http.
        """
        super().__init__(cast(ClientSession, None), IDENTITY)
        self.belief = belief
        self.rows: list[dict[str, Any]] = []
        self.tokens = 0
        self._url = url
        self._token = token
        self._answers = {"https": cycle(secure), "http": cycle(plain)}
        self._hosts: dict[URL, str] = {}

    def list(self, rows: list[dict[str, Any]]) -> None:
        """Let plex.tv list these rows."""
        self.rows = rows

    @override
    async def get_list[ItemsT](
        self,
        url: URL,
        failure_reader: FailureReader,
        parse: Callable[[bytes], ItemsT],
        *,
        token: str,
    ) -> ItemsT:
        """Answer as plex.tv does to the question for the servers."""
        assert token == ACCOUNT_TOKEN
        assert str(url).startswith(f"{API}/resources")
        listed = ListedServer.parse_servers(cast("list[Json]", self.rows))
        self.belief = self.belief.after(listed)
        return parse(json.dumps(self.rows).encode())

    @override
    async def request(
        self,
        method: str,
        url: URL,
        failure_reader: FailureReader,
        *,
        token: str | None = None,
        **_: Any,
    ) -> Json:
        """Answer as the host does."""
        if token == ACCOUNT_TOKEN:
            assert str(url).startswith(f"{API}/")
            return {"id": 1, "uuid": "a"}
        if token is not None:
            self._check(url, token)
        if url.origin() not in self._hosts:
            self._hosts[url.origin()] = next(self._answers[url.scheme])
        answer = self._hosts[url.origin()]
        if answer == "away":
            raise CannotConnectError
        name = ME if answer == "here" else OTHER
        return {
            "MediaContainer": {
                "machineIdentifier": name,
                "claimed": True,
                "token": "transient-1",
                "Device": {},
            }
        }

    @override
    async def open_socket(
        self, url: URL, failure_reader: FailureReader, *, token: str, **_: Any
    ) -> Socket:
        """Refuse sockets, which get a token."""
        self._check(url, token)
        raise CannotConnectError

    def _check(self, url: URL, token: str) -> None:
        """Check a request with a token."""
        self.tokens += 1
        assert self._hosts[url.origin()] == "here"
        assert token == (self._token or self.belief.token)
        if self._url is None:
            self.belief.check(url)
        else:
            assert url.origin() == self._url.origin()


async def use(access: ServerAccess) -> None:
    """Do with a server all that sends a token."""
    for call in (
        access.call(PlexServer.check_token),
        access.call(PlexServer.transient_token, is_repeatable=False),
        access.source("server://1", refresh=True),
    ):
        with suppress(PlexError):
            await call
    route: Route | None = None
    with suppress(PlexError):
        _, route = await access.identify()
    if route is not None:
        with suppress(PlexError):
            await access.at(route.url).notifications(access.target.token)


typed_urls = st.sampled_from(
    (
        *(None,) * 9,
        URL("http://192.168.1.9:32400"),
        URL("https://plex.example.org/plex"),
        URL("http://8.8.8.8:32400"),
    )
)


def answers(*kinds: str) -> st.SearchStrategy[list[str]]:
    """Return how hosts answer, one after another."""
    return st.lists(st.sampled_from(kinds), min_size=1, max_size=4)


@pytest.mark.timeout(1800)
@given(
    listed=st.lists(rows(), min_size=1, max_size=3),
    stored=stored_servers(),
    url=typed_urls,
    token=st.sampled_from((None, None, TYPED_TOKEN)),
    secure=answers("here", "away", "away", "impostor"),
    plain=answers("here", "here", "here", "away", "impostor"),
)
@settings(fuzzed, max_examples=20_000 if IS_LONG else 300)
async def test_tokens_go_to_their_own_server(
    listed: list[list[dict[str, Any]]],
    stored: dict[str, Any],
    url: URL | None,
    token: str | None,
    secure: list[str],
    plain: list[str],
) -> None:
    """Whatever is listed and stored, a token goes where it belongs."""
    kept = KnownServer.from_stored(stored)
    network = Network(Belief.of(kept), url=url, token=token, secure=secure, plain=plain)
    plex = PlexTv(network, API)

    async def verify() -> None:
        await plex.user(ACCOUNT_TOKEN)

    def renewed() -> None:
        # As the coordinator stores it.
        nonlocal kept
        row = servers.get(ME)
        if row is not None and kept.is_of_owner(row):
            known = KnownServer.from_listed(row).completed(kept)
            kept = KnownServer.from_stored(known.as_stored())

    servers = ServerList(
        lambda: plex.servers(ACCOUNT_TOKEN),
        verify,
        owners=lambda: {ME: kept.owner},
        on_renewed=renewed,
    )
    target = AccountServer(
        servers,
        ME,
        lambda: kept,
        url=url,
        typed_token=token,
    )
    access = ServerAccess(network, target)
    await use(access)
    for resources in listed:
        network.list(resources)
        with suppress(PlexError):
            await servers.renew(now=True)
        await use(access)


@pytest.mark.parametrize("scheme", ["https", "http"])
async def test_such_a_token_arrives(scheme: str) -> None:
    """Nothing is wrong with the play itself: what is allowed is done."""
    connection = Connection(
        protocol=scheme,
        address="192.168.1.2",
        port=1,
        uri=f"{scheme}://192.168.1.2:1",
        local=True,
        relay=False,
    )
    kept = KnownServer(
        token=STORED_TOKEN,
        connections=(connection,),
        https_required=False,
        owner=OWN_ACCOUNT,
    )
    network = Network(Belief.of(kept))
    servers = ServerList(lambda: PlexTv(network, API).servers(ACCOUNT_TOKEN), _accept)
    await use(ServerAccess(network, AccountServer(servers, ME, lambda: kept)))
    assert network.tokens == 4


async def _accept() -> None:
    """Accept the account token."""

"""From listed connections to ranks of routes."""

from dataclasses import replace

import pytest

from custom_components.plex_auth.api.addresses import is_private
from custom_components.plex_auth.api.connections import (
    ConnectionKind,
    best_connection,
    connection_kind,
    rank,
)
from custom_components.plex_auth.api.models import Connection

LOCAL = Connection(
    protocol="https",
    address="192.168.1.2",
    port=32400,
    uri="https://192-168-1-2.x.plex.direct:32400",
    local=True,
    relay=False,
)
REMOTE = replace(
    LOCAL,
    address="203.0.113.9",
    uri="https://203-0-113-9.x.plex.direct:32400",
    local=False,
)
RELAY = replace(
    REMOTE, uri="https://198-51-100-7.x.plex.direct:8443", port=8443, relay=True
)
CUSTOM = replace(REMOTE, address="plex.example.org", uri="https://plex.example.org:443")
PLAIN = replace(LOCAL, protocol="http", uri="http://192.168.1.2:32400")


def ranked(
    *connections: Connection, https_required: bool = False, is_trusted: bool = True
) -> list[list[str]]:
    """Return the ranks as texts."""
    return [
        [f"{route.kind.value} {route.url}" for route in routes]
        for routes in rank(
            connections, https_required=https_required, is_trusted=is_trusted
        )
    ]


LOCAL_RANK = ["local https://192-168-1-2.x.plex.direct:32400"]
PLAIN_RANK = ["local http://192.168.1.2:32400"]
REMOTE_RANK = ["remote https://203-0-113-9.x.plex.direct:32400"]
RELAY_RANK = ["relay https://198-51-100-7.x.plex.direct:8443"]


def test_ranks() -> None:
    """Local before plain local before remote before relay, however they are listed."""
    ranks = [LOCAL_RANK, PLAIN_RANK, REMOTE_RANK, RELAY_RANK]
    assert ranked(LOCAL, REMOTE, RELAY) == ranks
    assert ranked(RELAY, REMOTE, LOCAL) == ranks
    assert ranked() == []
    assert ranked(CUSTOM, REMOTE) == [["remote https://plex.example.org", *REMOTE_RANK]]


def test_required_tls_leaves_no_plain_address() -> None:
    """A server that wants secure connections is never asked over plain http."""
    assert ranked(LOCAL, PLAIN, https_required=True) == [LOCAL_RANK]
    assert ranked(PLAIN, https_required=True) == []


def test_same_address_is_tried_once() -> None:
    """Addresses that are listed twice, or made twice, are one."""
    slash = replace(LOCAL, uri=LOCAL.uri + "/")
    assert ranked(slash, LOCAL, LOCAL, PLAIN) == [LOCAL_RANK, PLAIN_RANK]


@pytest.mark.parametrize(
    ("connection", "plain"),
    [
        (PLAIN, True),
        (replace(PLAIN, local=False), True),
        (replace(PLAIN, uri="http://127.0.0.1:1"), True),
        (replace(PLAIN, uri="http://[::1]:1"), True),
        (replace(PLAIN, uri="http://203.0.113.9.example:1"), False),
        (replace(PLAIN, uri="http://8.8.8.8:32400"), False),
        (replace(PLAIN, uri="http://nas:32400"), False),
        (replace(PLAIN, relay=True), False),
        (LOCAL, True),
        (replace(LOCAL, address="::1"), False),
        (replace(LOCAL, address="::1", uri="https://[::1]:32400"), True),
        (
            replace(LOCAL, address="fd00::1", uri="https://fd00--1.x.plex.direct:1"),
            True,
        ),
        (replace(LOCAL, uri="https://192.168.1.2:32400"), True),
        (replace(LOCAL, uri="https://192.168.1.2.evil.example:32400"), False),
        (replace(LOCAL, uri="https://192-168-1-3.x.plex.direct:32400"), False),
        (replace(LOCAL, uri="https://elsewhere.example"), False),
        (replace(LOCAL, address="8.8.8.8"), False),
        (replace(LOCAL, address="nas"), False),
        (replace(LOCAL, address=None), False),
        (replace(LOCAL, address="169.254.169.254"), False),
        (replace(LOCAL, address="0.0.0.0"), False),
        (replace(LOCAL, address="255.255.255.255"), False),
        (replace(LOCAL, address="::"), False),
        (replace(LOCAL, address="fd00::1%]@evil.example"), False),
        (replace(LOCAL, address="fd00::1%/@evil.example"), False),
        (replace(LOCAL, address="127.0.0.1@evil.example"), False),
        (replace(LOCAL, port=None), False),
        (replace(LOCAL, port=0), False),
        (replace(LOCAL, port=-1), False),
        (replace(LOCAL, port=99999), False),
        (replace(LOCAL, local=False), False),
        (replace(LOCAL, relay=True), False),
        (replace(LOCAL, uri="file:///etc/passwd"), False),
    ],
)
def test_plain_http_stays_at_home(connection: Connection, plain: bool) -> None:
    """A token goes over plain http to a private or loopback address only."""
    found = [
        route.url
        for routes in rank([connection], https_required=False, is_trusted=True)
        for route in routes
        if route.url.scheme == "http"
    ]
    assert bool(found) is plain
    assert all(is_private(url.host) for url in found)


@pytest.mark.parametrize(
    "uri",
    [
        "javascript:alert(1)",
        "file:///etc/passwd",
        "https://user:password@192.168.1.2:32400",
        "https://169.254.169.254",
        "https://192.168.1.2:99999",
        "https://192.168.1.2:32400/?X-Plex-Token=x",
        "ftp://192.168.1.2",
        "https://192.168.1.2:32400/admin/reboot",
        "http://192.168.1.2:32400/admin/reboot",
    ],
)
def test_hostile_uri_is_no_route(uri: str) -> None:
    """Nothing remains of a hostile address: a listed one is only a host and a port."""
    assert ranked(replace(LOCAL, uri=uri)) == []
    assert ranked(replace(LOCAL, uri=uri), https_required=True) == []
    assert ranked(replace(REMOTE, uri=uri)) == []


def test_address_that_leads_elsewhere_is_remote() -> None:
    """The address of a connection counts only if its uri is that address or its name."""
    elsewhere = replace(LOCAL, uri="https://elsewhere.example:443")
    (routes,) = rank([elsewhere], https_required=False, is_trusted=True)
    assert [route.kind for route in routes] == [ConnectionKind.REMOTE]
    assert connection_kind(elsewhere) is ConnectionKind.REMOTE


@pytest.mark.parametrize(
    ("connection", "plain"),
    [
        (LOCAL, []),
        (PLAIN, []),
        (replace(PLAIN, uri="http://[fd00::1]:1"), []),
        (replace(PLAIN, uri="http://127.0.0.2:1"), [["local http://127.0.0.2:1"]]),
        (replace(PLAIN, uri="http://[::1]:1"), [["local http://[::1]:1"]]),
        (
            replace(
                LOCAL, address="127.0.0.1", uri="https://127-0-0-1.x.plex.direct:1"
            ),
            [["local http://127.0.0.1:32400"]],
        ),
    ],
)
def test_plain_http_to_a_server_that_is_not_trusted(
    connection: Connection, plain: list[list[str]]
) -> None:
    """A server of another network gets plain http on this machine only."""
    ranks = ranked(connection, is_trusted=False)
    assert [routes for routes in ranks if "http://" in routes[0]] == plain
    assert ranked(connection, https_required=True, is_trusted=False) == (
        [] if connection.protocol == "http" else [ranks[0]]
    )


def test_every_address_is_ranked() -> None:
    """Addresses that are listed late are tried as well."""
    listed = [replace(REMOTE, uri=f"https://a{n}.example:1") for n in range(127)]
    local, remote = ranked(*listed, LOCAL, https_required=True)
    assert local == LOCAL_RANK
    assert len(remote) == 127


def test_best_connection_and_kind() -> None:
    """Of a source, local is better than remote, remote than relay, https than http."""
    plain = replace(LOCAL, protocol="http")
    order = [LOCAL, plain, REMOTE, replace(REMOTE, protocol="http"), RELAY]
    for index in range(len(order)):
        assert best_connection(reversed(order[index:])) == order[index]
    assert best_connection([]) is None
    kinds = [connection_kind(one) for one in (LOCAL, REMOTE, RELAY)]
    assert kinds == [ConnectionKind.LOCAL, ConnectionKind.REMOTE, ConnectionKind.RELAY]
    assert connection_kind(replace(LOCAL, relay=True)) is ConnectionKind.RELAY


@pytest.mark.parametrize(
    ("address", "uri", "kind"),
    [
        (
            "192.168.1.2",
            "https://192-168-1-2.x.plex.direct:32400",
            ConnectionKind.LOCAL,
        ),
        ("127.0.0.1", "https://127-0-0-1.x.plex.direct:32400", ConnectionKind.LOCAL),
        ("fd00::1", "https://fd00--1.x.plex.direct:32400", ConnectionKind.LOCAL),
        ("10.0.0.2", "http://10.0.0.2:32400", ConnectionKind.LOCAL),
        ("plex.example.com", "https://plex.example.com:443", ConnectionKind.REMOTE),
        ("nas.lan", "https://nas.lan:32400", ConnectionKind.REMOTE),
        ("8.8.8.8", "https://8-8-8-8.x.plex.direct:32400", ConnectionKind.REMOTE),
        ("100.64.0.2", "https://100-64-0-2.x.plex.direct:32400", ConnectionKind.REMOTE),
        ("192.168.1.2", "https://plex.example.com:443", ConnectionKind.REMOTE),
    ],
)
def test_kind_of_what_is_listed_as_local(
    address: str, uri: str, kind: ConnectionKind
) -> None:
    """Local is what is private, whatever it is listed as."""
    listed = replace(LOCAL, address=address, uri=uri)
    assert connection_kind(listed) is kind
    assert connection_kind(replace(listed, local=False)) is ConnectionKind.REMOTE
    (routes, *_) = rank([listed], https_required=False, is_trusted=True)
    assert routes[0].kind is kind


def test_custom_domain_that_is_listed_as_local_is_not_the_best() -> None:
    """A private address is better than a domain on the internet that claims to be local."""
    domain = replace(
        LOCAL, address="plex.example.com", uri="https://plex.example.com:443"
    )
    plain = replace(PLAIN, port=32401)
    assert best_connection([domain, plain]) == plain
    assert ranked(domain, LOCAL) == [
        LOCAL_RANK,
        PLAIN_RANK,
        ["remote https://plex.example.com"],
    ]

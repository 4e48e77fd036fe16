"""What is kept of a server to work while plex.tv is away."""

import json
from typing import Any

import pytest

from custom_components.plex_auth.api.known_server import KnownServer
from custom_components.plex_auth.api.models import Connection, ListedServer

LISTED: dict[str, Any] = {
    "name": "Attic",
    "clientIdentifier": "abc",
    "provides": "server",
    "accessToken": "a secret token",
    "httpsRequired": True,
    "owned": False,
    "ownerId": 7,
    "home": False,
    "connections": [
        {
            "protocol": "https",
            "address": "192.0.2.1",
            "port": 32400,
            "uri": f"https://{name}.plex.direct:32400",
            "local": name == "a",
            "relay": name == "c",
        }
        for name in ("b", "a", "c")
    ],
}


def known(**changes: Any) -> KnownServer:
    """Return what is kept of the server as it is listed, but for some changes."""
    (resource,) = ListedServer.parse_servers([LISTED | changes])
    return KnownServer.from_listed(resource)


def test_kept_as_json() -> None:
    """What is stored comes back the same from a JSON file."""
    server = known()
    assert KnownServer.from_stored(json.loads(json.dumps(server.as_stored()))) == server
    assert server.token == "a secret token"
    assert server.https_required
    assert [connection.local for connection in server.connections] == [
        True,
        False,
        False,
    ]


def test_order_of_the_list_means_nothing() -> None:
    """The order in which plex.tv lists addresses, or its other fields, change nothing."""
    assert known(connections=LISTED["connections"][::-1], presence=True) == known()


@pytest.mark.parametrize(
    "change",
    [
        {"accessToken": "another"},
        {"accessToken": None},
        {"httpsRequired": False},
        {"connections": LISTED["connections"][:2]},
        {"connections": []},
        {"owned": True},
        {"ownerId": 8},
        {"home": True},
    ],
)
def test_what_is_a_change(change: dict[str, Any]) -> None:
    """What a connection depends on is a change."""
    assert known(**change) != known()


@pytest.mark.parametrize(
    ("row", "is_trusted"),
    [
        ({}, False),
        ({"home": True}, True),
        ({"owned": True}, True),
        ({"ownerId": 0}, False),
        ({"ownerId": None}, False),
    ],
)
def test_whose_network_is_trusted(row: dict[str, Any], is_trusted: bool) -> None:
    """Plain http is for servers that the account owns, and for those of its Home."""
    address = "192.168.1.2"
    plain = {"address": address, "port": 1, "uri": f"http://{address}:1"}
    server = known(connections=[plain], httpsRequired=False, **row)
    stored = server.as_stored()
    for one in (server, KnownServer.from_stored(stored)):
        assert bool(one.ranks) is is_trusted
    del stored["owner"], stored["home"]
    assert not KnownServer.from_stored(stored).ranks


def test_nothing_known() -> None:
    """A server of which nothing is kept has no token and no address."""
    assert KnownServer.from_stored({}) == KnownServer(
        token=None, connections=(), https_required=False, owner=None, home=False
    )


def test_no_jwt() -> None:
    """A Plex JWT is no token, stored or listed; the one before it stays."""
    jwt = "eyJhbGciOiJFZERTQSJ9.eyJpc3MiOiJwbGV4LnR2In0.c2ln"
    assert KnownServer.from_stored(known().as_stored() | {"token": jwt}).token is None
    assert known(accessToken=jwt).completed(known()).token == "a secret token"


def test_token_is_not_shown() -> None:
    """The token is in no text that shows the object."""
    assert "a secret token" not in repr(known())
    assert isinstance(known().connections[0], Connection)


def test_stored_data_has_the_bounds_of_listed_data() -> None:
    """What an older version has stored without bounds is read within them."""
    connection = known().as_stored()["connections"][0]
    stored = {
        "name": "N" * 100_000,
        "token": "a secret token",
        "connections": [connection] * 4_000 + [{"uri": 1}, None],
        "https_required": "yes",
    }
    server = KnownServer.from_stored(stored)
    assert server.name == "N" * 128
    assert len(server.connections) == 128
    assert server.https_required is False


def test_nothing_of_an_unknown_owner_goes_to_a_shared_server() -> None:
    """What 0.2.0 stored without an owner may be of an own server: it stays with it."""
    stored = known(owned=True, ownerId=None).as_stored()
    del stored["owner"], stored["home"]
    before = KnownServer.from_stored(stored)
    shared = known(accessToken=None, connections=[])
    assert shared.completed(before) == shared
    own = known(owned=True, ownerId=None, accessToken=None, connections=[])
    completed = own.completed(before)
    assert completed.token == "a secret token"
    assert completed.connections == before.connections

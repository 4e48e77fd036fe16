"""The servers that an account lists, and their addresses."""

import re
from typing import Any

import pytest

from tests.plex_simulator import Account, Client, Connection, Way, plex_direct_address

from .simulated_plex import CLIENT, SimulatedPlex


async def listed(plex: SimulatedPlex, account: Account, query: str = "") -> list[Any]:
    """Return what an account lists."""
    token = account.sign_in_token("client-2")
    rows: list[Any] = (await plex.get(f"/resources{query}", token)).json
    return rows


async def test_row(plex: SimulatedPlex) -> None:
    """A row says whose server it is, and whether it runs or a test says so."""
    (own, _), (row,) = await listed(plex, plex.anna), await listed(plex, plex.ben)
    assert re.fullmatch(r"[0-9a-f]{40}", row["clientIdentifier"])
    assert re.fullmatch(r"[-0-9]{10}T[:0-9]{8}Z", row["lastSeenAt"])
    assert (own["ownerId"], row["ownerId"]) == (None, plex.anna.id)
    assert row["presence"] is True
    await plex.server.stop()
    assert (await listed(plex, plex.ben))[0]["presence"] is False
    plex.server.presence = True
    assert (await listed(plex, plex.ben))[0]["presence"] is True


async def test_clients_are_listed_too(plex: SimulatedPlex) -> None:
    """A client that signed in is listed as well, without a token."""
    plex.ben.sign_in_token(CLIENT, client=Client(product="Player"))
    _, row = await listed(plex, plex.ben)
    assert (row["name"], row["provides"]) == ("Player", "")
    assert "accessToken" not in row


@pytest.mark.parametrize(
    ("query", "protocol", "ways"),
    [
        ("", "http", [Way.LOCAL, Way.REMOTE]),
        ("?includeHttps=0&includeRelay=0", "http", [Way.LOCAL, Way.REMOTE]),
        ("?includeHttps=1", "https", [Way.LOCAL, Way.REMOTE]),
        ("?includeRelay=1", "http", [Way.LOCAL, Way.REMOTE, Way.RELAY]),
        ("?includeIPv6=1", "http", [Way.LOCAL, Way.REMOTE, Way.IPV6]),
        ("?includeHttps=1&includeRelay=1&includeIPv6=1", "https", list(Way)),
    ],
)
async def test_switches(
    plex: SimulatedPlex, query: str, protocol: str, ways: list[Way]
) -> None:
    """The three switches of the query decide which addresses are listed and how."""
    carla = plex.simulator.add_account("carla")
    server = await plex.simulator.add_server("Films", carla, ipv6=True)
    (row,) = await listed(plex, carla, query)
    for way, found in zip(ways, row["connections"], strict=True):
        assert (found["protocol"], found["port"]) == (protocol, server.ways[way].port)
        assert found["local"] is (way in (Way.LOCAL, Way.IPV6))
        assert found["relay"] is (way == Way.RELAY)
        assert found["IPv6"] is (way == Way.IPV6)
        assert found["address"] == ("::1" if way == Way.IPV6 else "127.0.0.1")
        host = found["uri"].partition("://")[2].removesuffix(f":{found['port']}")
        if protocol == "https":
            assert re.fullmatch(r"[0-9a-f-]+\.[0-9a-f]{32}\.plex\.direct", host)
            assert plex_direct_address(host) == found["address"]
        else:
            assert host.strip("[]") == found["address"]


async def test_server_with_one_way(plex: SimulatedPlex) -> None:
    """A server may be reached locally only; one that is removed is not listed."""
    carla = plex.simulator.add_account("carla")
    server = await plex.simulator.add_server(
        "Films", carla, remote_access=False, relay=False
    )
    (row,) = await listed(plex, carla, "?includeRelay=1")
    assert (len(row["connections"]), row["relay"]) == (1, False)
    await plex.simulator.remove_server(server)
    assert await listed(plex, carla) == []


async def test_connections_can_be_dictated(plex: SimulatedPlex) -> None:
    """A test lists any addresses it likes, and goes back to the real ones."""
    real = plex.server.connections
    odd = Connection(protocol="x", address="y", port=0, uri="z", local=False)
    for dictated in ([odd], []):
        plex.server.connections = dictated
        (row,) = await listed(plex, plex.ben)
        assert row["connections"] == [one.as_resource() for one in dictated]
    plex.server.connections = None
    assert plex.server.connections == real

"""The servers that an account lists, and their addresses."""

import re
from typing import Any

import pytest

from tests.plex_simulator import Account, Client, Connection, Way, plex_direct_address

from .stage import CLIENT, Stage


async def listed(stage: Stage, account: Account, query: str = "") -> list[Any]:
    """Return what an account lists."""
    token = account.sign_in_token("client-2")
    rows: list[Any] = (await stage.get(f"/resources{query}", token)).json
    return rows


async def test_row(stage: Stage) -> None:
    """A row says whose server it is, and whether it runs or a test says so."""
    (own, _), (row,) = await listed(stage, stage.anna), await listed(stage, stage.ben)
    assert re.fullmatch(r"[0-9a-f]{40}", row["clientIdentifier"])
    assert re.fullmatch(r"[-0-9]{10}T[:0-9]{8}Z", row["lastSeenAt"])
    assert (own["ownerId"], row["ownerId"]) == (None, stage.anna.id)
    assert row["presence"] is True
    await stage.server.stop()
    assert (await listed(stage, stage.ben))[0]["presence"] is False
    stage.server.presence = True
    assert (await listed(stage, stage.ben))[0]["presence"] is True


async def test_clients_are_listed_too(stage: Stage) -> None:
    """A client that signed in is listed as well, without a token."""
    stage.ben.sign_in_token(CLIENT, client=Client(product="Player"))
    _, row = await listed(stage, stage.ben)
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
    stage: Stage, query: str, protocol: str, ways: list[Way]
) -> None:
    """The three switches of the query decide which addresses are listed and how."""
    carla = stage.simulator.add_account("carla")
    server = await stage.simulator.add_server("Films", carla, ipv6=True)
    (row,) = await listed(stage, carla, query)
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


async def test_server_with_one_way(stage: Stage) -> None:
    """A server may be reached locally only; one that is removed is not listed."""
    carla = stage.simulator.add_account("carla")
    server = await stage.simulator.add_server(
        "Films", carla, remote_access=False, relay=False
    )
    (row,) = await listed(stage, carla, "?includeRelay=1")
    assert (len(row["connections"]), row["relay"]) == (1, False)
    await stage.simulator.remove_server(server)
    assert await listed(stage, carla) == []


async def test_connections_can_be_dictated(stage: Stage) -> None:
    """A test lists any addresses it likes, and goes back to the real ones."""
    real = stage.server.connections
    odd = Connection(protocol="x", address="y", port=0, uri="z", local=False)
    for dictated in ([odd], []):
        stage.server.connections = dictated
        (row,) = await listed(stage, stage.ben)
        assert row["connections"] == [one.as_resource() for one in dictated]
    stage.server.connections = None
    assert stage.server.connections == real

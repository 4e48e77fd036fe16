"""What names stand for: plex.direct's, and those that a router has an answer to."""

import socket
import ssl

import aiohttp
import pytest

from tests.plex_simulator import PlexDirectResolver

from .simulated_plex import SimulatedPlex

OWN, OTHER = "192-168-1-5.0123.plex.direct", "192-168-1-5.4567.plex.direct"


async def addresses(resolver: PlexDirectResolver, name: str) -> list[str] | None:
    """Return the addresses that a name has, None where it does not resolve."""
    try:
        return [found["host"] for found in await resolver.resolve(name, 32400)]
    except OSError:
        return None


async def test_names() -> None:
    """A name comes before its domain, and both before what everybody knows."""
    resolver = PlexDirectResolver()
    for name, known in (
        ("localhost", ["127.0.0.1"]),
        (OWN, ["192.168.1.5"]),
        ("fd00-0-0-0-0-0-0-1.0123.plex.direct", ["fd00::1"]),
        ("nas.fritz.box", None),
    ):
        assert await addresses(resolver, name) == known
    resolver.names = {
        "nas.fritz.box": ("192.168.1.5", "fd00::1"),
        "*.plex.direct": ("0.0.0.0",),
        OWN: (),
        "localhost": ("127.0.0.2",),
        "*.box": ("10.0.0.1",),
    }
    for name, known in (
        ("localhost", ["127.0.0.2"]),
        (OWN, None),
        (OTHER, ["0.0.0.0"]),
        ("plex.direct", None),
        ("nas.fritz.box", ["192.168.1.5", "fd00::1"]),
        ("other.fritz.box", ["10.0.0.1"]),
        ("box", None),
    ):
        assert await addresses(resolver, name) == known, name
    found = await resolver.resolve("nas.fritz.box", 80)
    assert [one["family"] for one in found] == [socket.AF_INET, socket.AF_INET6]
    assert [one["port"] for one in found] == [80, 80]


async def test_a_client_goes_where_its_router_says(plex: SimulatedPlex) -> None:
    """A server answers under any name that leads to it."""
    resolver = PlexDirectResolver()
    connector = aiohttp.TCPConnector(resolver=resolver, use_dns_cache=False)
    url = f"http://nas.fritz.box:{plex.server.port}/identity"
    async with aiohttp.ClientSession(connector=connector) as session:
        with pytest.raises(aiohttp.ClientConnectorDNSError):
            await session.get(url)
        resolver.names["nas.fritz.box"] = ("127.0.0.1",)
        async with session.get(url) as answer:
            assert plex.server.machine_identifier in await answer.text()


async def test_more_addresses_of_a_server(plex: SimulatedPlex) -> None:
    """A server answers at its own address, and where a proxy does for it."""
    server = await plex.simulator.add_server("Attic", plex.anna, start=False)
    server.add_way("proxy", "::1", 0, ("plex.example.com",))
    await server.start()
    resolver = PlexDirectResolver()
    resolver.names["plex.example.com"] = ("::1",)
    connector = aiohttp.TCPConnector(
        resolver=resolver,
        ssl=ssl.create_default_context(cadata=plex.simulator.ca_pem().decode()),
    )
    port = server.ways["proxy"].port
    async with aiohttp.ClientSession(connector=connector) as session:
        for url in (server.https_url, f"https://plex.example.com:{port}"):
            async with session.get(f"{url}/identity") as answer:
                assert server.machine_identifier in await answer.text()
        with pytest.raises(aiohttp.ClientConnectorCertificateError):
            await session.get(f"https://{server.plex_direct_name('::1')}:{port}")
    ways = [one.way for one in plex.simulator.requests_to("identity")]
    assert ways == ["local", "proxy"]

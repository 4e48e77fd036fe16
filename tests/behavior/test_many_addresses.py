"""Servers with more addresses than anyone needs: each gets its turn, the best one wins."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.conftest import Dns
from tests.harness import Harness
from tests.plex_simulator import Connection, MediaServer

DOMAIN_NAME = "plex.example.com"
# Docker's own networks on one machine, as it makes them without being told otherwise.
DOCKER = [
    *(f"172.{number}.0.1" for number in range(17, 32)),
    *(f"192.168.{number}.1" for number in range(0, 256, 16)),
]
MORE = [f"10.{number}.0.1" for number in range(93)]
LAN, PUBLIC, RELAY = "192.168.99.50", "84.23.1.5", "139.162.141.10"


@pytest.fixture
async def silent_port() -> AsyncIterator[int]:
    """Return a port of this machine at which nothing answers, nor refuses."""
    over = asyncio.Event()

    async def _wait(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await over.wait()
        writer.close()

    async with await asyncio.start_server(_wait, "127.0.0.1", 0) as listening:
        yield listening.sockets[0].getsockname()[1]
        over.set()


def listed(
    server: MediaServer, host: str, port: int, *, local: bool, relay: bool = False
) -> Connection:
    """Return an address as plex.tv lists it, with its plex.direct name if it is an IP."""
    name = host if host == DOMAIN_NAME else server.plex_direct_name(host)
    return Connection(
        protocol="https",
        address=host,
        port=port,
        uri=f"https://{name}:{port}",
        local=local,
        relay=relay,
    )


@pytest.mark.parametrize(
    ("working", "kind"),
    [(LAN, "local"), (DOMAIN_NAME, "remote"), (PUBLIC, "remote"), (RELAY, "relay")],
)
@pytest.mark.usefixtures("plex_direct")
async def test_one_of_128_addresses(
    harness: Harness, dns: Dns, silent_port: int, working: str, kind: str
) -> None:
    """A server is reached at the one address of 128 that answers, whichever it is.

    The domain is listed as local: it is on the internet all the same.
    """
    server = await harness.add_hidden_server()
    server._site.set_certificate((*server._names(), DOMAIN_NAME))

    def at(host: str, *, local: bool, relay: bool = False) -> Connection:
        name = host if host == DOMAIN_NAME else server.plex_direct_name(host)
        dns.names[name] = ("127.0.0.1",)
        port = server.port if host == working else silent_port
        return listed(server, host, port, local=local, relay=relay)

    server.connections = [
        *(at(host, local=True) for host in (*DOCKER, *MORE, LAN, DOMAIN_NAME)),
        at(PUBLIC, local=False),
        at(RELAY, local=False, relay=True),
    ]
    assert len(server.connections) == 128
    await harness.add(harness.world.three_servers, server)
    of = harness.world.three_servers, server
    async with asyncio.timeout(10):
        while harness.shown("binary_sensor.reachable", *of) != "on":
            await asyncio.sleep(0.1)
    assert harness.state("sensor.connection", *of) == kind
    uri = harness.entity("sensor.connection", *of).attributes["uri"]
    assert uri.removesuffix(f":{server.port}") == "https://" + (
        working if working == DOMAIN_NAME else server.plex_direct_name(working)
    )

"""Ports that can be chosen, and stops that leave nothing."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
import socket
import ssl
import time

import aiohttp
import pytest

from tests.plex_simulator import Fault, PlexDirectResolver, PlexSimulator

from .simulated_plex import CLIENT, SimulatedPlex


async def test_chosen_ports(
    plex: SimulatedPlex, unused_tcp_port_factory: Callable[[], int]
) -> None:
    """Ports can be chosen, and are given back; one that is taken is an OSError."""
    port, add_server = unused_tcp_port_factory(), plex.simulator.add_server
    for _ in range(2):
        server = await add_server("Films", plex.anna, port=port)
        with pytest.raises(OSError, match="in use"):
            await add_server("Garage", plex.anna, port=port)
        await plex.simulator.remove_server(server)
    with pytest.raises(OSError, match="in use"):
        await PlexSimulator(port=plex.simulator.port).start()


@pytest.mark.xdist_group("time")
async def test_stopping_is_quick_and_leaves_nothing() -> None:
    """Idle connections, requests at work and half-open ones end at once."""
    before = asyncio.all_tasks()
    async with PlexSimulator() as simulator, aiohttp.ClientSession() as idle:
        plex = SimulatedPlex(simulator)
        await plex.set_up()
        plex.server.faults.set("root", Fault.slow_body(60))
        plex.server.faults.set("media", Fault.delay(60))
        await idle.get(f"{plex.server.http_url}/identity")
        token = plex.anna.sign_in_token(CLIENT)
        urls = (
            "server/",
            f"{plex.server.https_url}/",
            "server/library/metadata/1/thumb",
        )
        waiting = [asyncio.create_task(plex.get(url, token)) for url in urls]
        silent, handshaking = (
            socket.create_connection(("127.0.0.1", plex.server.port)) for _ in range(2)
        )
        handshaking.send(b"\x16\x03\x01")
        await asyncio.sleep(0.2)
        assert simulator.connection_count >= 4
        started = time.monotonic()
        await simulator.stop()
        assert time.monotonic() - started < 2
        assert simulator.connection_count == 0
        results = await asyncio.gather(*waiting, return_exceptions=True)
        assert all(isinstance(result, aiohttp.ClientError) for result in results)
        await plex.session.close()
    for connection in (silent, handshaking):
        connection.settimeout(2)
        with suppress(ConnectionResetError):
            assert connection.recv(1) == b""
        connection.close()
    assert asyncio.all_tasks() == before


async def test_stopping_while_tls_connections_close(plex: SimulatedPlex) -> None:
    """A stop is clean in whatever state TLS connections are."""
    trusted = ssl.create_default_context(cadata=plex.simulator.ca_pem().decode())
    for turns in range(12):
        connector = aiohttp.TCPConnector(resolver=PlexDirectResolver(), ssl=trusted)
        async with aiohttp.ClientSession(connector=connector) as session:
            urls = [f"{plex.server.https_url}/identity"] * 4
            await asyncio.gather(*map(session.get, urls))
        for _ in range(turns):
            await asyncio.sleep(0)
        await plex.server.restart()
        assert plex.server.connection_count == 0


@pytest.mark.xdist_group("time")
async def test_stopping_does_not_wait_for_deaf_tls_clients(plex: SimulatedPlex) -> None:
    """A client that does not answer when TLS is closed is cut off."""
    _, writer = await asyncio.open_connection(
        "127.0.0.1",
        plex.server.port,
        ssl=ssl.create_default_context(cadata=plex.simulator.ca_pem().decode()),
        server_hostname=plex.server.plex_direct_name("127.0.0.1"),
    )
    assert isinstance(writer.transport, asyncio.Transport)
    writer.transport.pause_reading()
    writer.write(b"GET /identity HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    while not plex.simulator.requests_to("identity"):
        await asyncio.sleep(0.01)
    with writer.get_extra_info("socket").dup() as connection:
        await plex.server.stop()
        connection.settimeout(0.3)
        with suppress(ConnectionResetError):
            while connection.recv(65536):
                pass
    writer.transport.abort()

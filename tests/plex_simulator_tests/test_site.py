"""Ports, certificates, starts and stops, and what is recorded."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
import socket
import ssl
import time

import aiohttp
import pytest

from tests.plex_simulator import PLEX_TV, Fault, PlexDirectResolver, PlexSimulator, Way

from .simulated_plex import CLIENT, PASSWORD, SimulatedPlex


async def test_plain_http_and_tls_on_one_port(plex: SimulatedPlex) -> None:
    """One port answers both, also at the same time; the record says which it was."""
    urls = [plex.server.http_url, plex.server.https_url] * 10
    assert {url.rpartition(":")[2] for url in urls} == {str(plex.server.port)}
    await asyncio.gather(*(plex.get(f"{url}/identity") for url in urls))
    records = plex.simulator.requests_to("identity", plex.server.machine_identifier)
    assert sorted(record.secure for record in records) == [False] * 10 + [True] * 10


async def test_server_keeps_its_port(plex: SimulatedPlex) -> None:
    """The port of a stopped server is nobody else's until it is back."""
    port = plex.server.port
    for _ in range(2):
        await plex.server.stop()
    with pytest.raises(aiohttp.ClientConnectorError):
        await plex.get("server/identity")
    with socket.socket() as other, pytest.raises(OSError, match="in use"):
        other.bind(("127.0.0.1", port))
    for _ in range(2):
        await plex.server.start()
    assert (plex.server.port, await plex.status("server/identity")) == (port, 200)


async def test_each_way_can_be_closed(plex: SimulatedPlex) -> None:
    """Each way has a port of its own, which a restart does not open; the record says."""
    urls = {
        way: f"http://127.0.0.1:{listener.port}/identity"
        for way, listener in plex.server.ways.items()
    }
    for way, url in urls.items():
        await plex.get(url)
        assert plex.simulator.requests[-1].way == way
        await plex.server.close_way(way)
        await plex.server.restart()
        with pytest.raises(aiohttp.ClientConnectorError):
            await plex.get(url)
    for _ in range(2):
        plex.server.open_way(Way.LOCAL)
    assert await plex.status("server/identity") == 200


async def test_ipv6(plex: SimulatedPlex) -> None:
    """A server listens on the IPv6 loopback address, with TLS and without."""
    server = await plex.simulator.add_server("Films", plex.anna, ipv6=True)
    for https in (True, False):
        *_, listed = server.listed_connections(https=https, relay=False, ipv6=True)
        assert await plex.status(f"{listed.uri}/identity") == 200
        assert plex.simulator.requests[-1].way == Way.IPV6


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


# Stopping


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


# Records


async def test_requests_are_recorded(plex: SimulatedPlex) -> None:
    """A record has everything that was sent, and what was answered."""
    await plex.sign_in("ben")
    (record,) = plex.simulator.requests_to("signin", PLEX_TV)
    assert (record.method, record.path) == ("POST", "/api/v2/users/signin")
    assert (record.form["login"], record.form["password"]) == ("ben", PASSWORD)
    assert (record.headers["x-plex-client-identifier"], record.status) == (CLIENT, 201)
    await plex.get("/resources?includeHttps=1")
    assert plex.simulator.requests[-1].query == {"includeHttps": "1"}
    assert plex.simulator.requests_to("signin", "elsewhere") == []
    plex.simulator.recording = False
    await plex.get("/ping")
    assert len(plex.simulator.requests) == 2

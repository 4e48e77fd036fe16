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

from .stage import CLIENT, PASSWORD, Stage


async def test_plain_http_and_tls_on_one_port(stage: Stage) -> None:
    """One port answers both, also at the same time; the record says which it was."""
    urls = [stage.server.http_url, stage.server.https_url] * 10
    assert {url.rpartition(":")[2] for url in urls} == {str(stage.server.port)}
    await asyncio.gather(*(stage.get(f"{url}/identity") for url in urls))
    records = stage.simulator.requests_to("identity", stage.server.machine_identifier)
    assert sorted(record.secure for record in records) == [False] * 10 + [True] * 10


async def test_server_keeps_its_port(stage: Stage) -> None:
    """The port of a stopped server is nobody else's until it is back."""
    port = stage.server.port
    for _ in range(2):
        await stage.server.stop()
    with pytest.raises(aiohttp.ClientConnectorError):
        await stage.get("server/identity")
    with socket.socket() as other, pytest.raises(OSError, match="in use"):
        other.bind(("127.0.0.1", port))
    for _ in range(2):
        await stage.server.start()
    assert (stage.server.port, await stage.status("server/identity")) == (port, 200)


async def test_each_way_can_be_closed(stage: Stage) -> None:
    """Each way has a port of its own, which a restart does not open; the record says."""
    urls = {
        way: f"http://127.0.0.1:{listener.port}/identity"
        for way, listener in stage.server.ways.items()
    }
    for way, url in urls.items():
        await stage.get(url)
        assert stage.simulator.requests[-1].way == way
        await stage.server.close_way(way)
        await stage.server.restart()
        with pytest.raises(aiohttp.ClientConnectorError):
            await stage.get(url)
    for _ in range(2):
        stage.server.open_way(Way.LOCAL)
    assert await stage.status("server/identity") == 200


async def test_ipv6(stage: Stage) -> None:
    """A server listens on the IPv6 loopback address, with TLS and without."""
    server = await stage.simulator.add_server("Films", stage.anna, ipv6=True)
    for https in (True, False):
        *_, listed = server.listed_connections(https=https, relay=False, ipv6=True)
        assert await stage.status(f"{listed.uri}/identity") == 200
        assert stage.simulator.requests[-1].way == Way.IPV6


async def test_chosen_ports(
    stage: Stage, unused_tcp_port_factory: Callable[[], int]
) -> None:
    """Ports can be chosen, and are given back; one that is taken is an OSError."""
    port, add_server = unused_tcp_port_factory(), stage.simulator.add_server
    for _ in range(2):
        server = await add_server("Films", stage.anna, port=port)
        with pytest.raises(OSError, match="in use"):
            await add_server("Garage", stage.anna, port=port)
        await stage.simulator.remove_server(server)
    with pytest.raises(OSError, match="in use"):
        await PlexSimulator(port=stage.simulator.port).start()


# Stopping


async def test_stopping_is_quick_and_leaves_nothing() -> None:
    """Idle connections, requests at work and half-open ones end at once."""
    before = asyncio.all_tasks()
    async with PlexSimulator() as simulator, aiohttp.ClientSession() as idle:
        stage = Stage(simulator)
        await stage.set_up()
        stage.server.faults.set("root", Fault.slow_body(60))
        stage.server.faults.set("media", Fault.delay(60))
        await idle.get(f"{stage.server.http_url}/identity")
        token = stage.anna.sign_in_token(CLIENT)
        urls = (
            "server/",
            f"{stage.server.https_url}/",
            "server/library/metadata/1/thumb",
        )
        waiting = [asyncio.create_task(stage.get(url, token)) for url in urls]
        silent, handshaking = (
            socket.create_connection(("127.0.0.1", stage.server.port)) for _ in range(2)
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
        await stage.session.close()
    for connection in (silent, handshaking):
        connection.settimeout(2)
        with suppress(ConnectionResetError):
            assert connection.recv(1) == b""
        connection.close()
    assert asyncio.all_tasks() == before


async def test_stopping_while_tls_connections_close(stage: Stage) -> None:
    """A stop is clean in whatever state TLS connections are."""
    trusted = ssl.create_default_context(cadata=stage.simulator.ca_pem().decode())
    for turns in range(12):
        connector = aiohttp.TCPConnector(resolver=PlexDirectResolver(), ssl=trusted)
        async with aiohttp.ClientSession(connector=connector) as session:
            urls = [f"{stage.server.https_url}/identity"] * 4
            await asyncio.gather(*map(session.get, urls))
        for _ in range(turns):
            await asyncio.sleep(0)
        await stage.server.restart()
        assert stage.server.connection_count == 0


async def test_stopping_does_not_wait_for_deaf_tls_clients(stage: Stage) -> None:
    """A client that does not answer when TLS is closed is cut off."""
    _, writer = await asyncio.open_connection(
        "127.0.0.1",
        stage.server.port,
        ssl=ssl.create_default_context(cadata=stage.simulator.ca_pem().decode()),
        server_hostname=stage.server.plex_direct_name("127.0.0.1"),
    )
    assert isinstance(writer.transport, asyncio.Transport)
    writer.transport.pause_reading()
    writer.write(b"GET /identity HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    while not stage.simulator.requests_to("identity"):
        await asyncio.sleep(0.01)
    with writer.get_extra_info("socket").dup() as connection:
        await stage.server.stop()
        connection.settimeout(0.3)
        with suppress(ConnectionResetError):
            while connection.recv(65536):
                pass
    writer.transport.abort()


# Records


async def test_requests_are_recorded(stage: Stage) -> None:
    """A record has everything that was sent, and what was answered."""
    await stage.sign_in("ben")
    (record,) = stage.simulator.requests_to("signin", PLEX_TV)
    assert (record.method, record.path) == ("POST", "/api/v2/users/signin")
    assert (record.form["login"], record.form["password"]) == ("ben", PASSWORD)
    assert (record.headers["x-plex-client-identifier"], record.status) == (CLIENT, 201)
    await stage.get("/resources?includeHttps=1")
    assert stage.simulator.requests[-1].query == {"includeHttps": "1"}
    assert stage.simulator.requests_to("signin", "elsewhere") == []
    stage.simulator.recording = False
    await stage.get("/ping")
    assert len(stage.simulator.requests) == 2

"""The simulator in a process of its own, and the addresses that steer it."""

import asyncio
from datetime import timedelta
import json
from pathlib import Path
import re
import signal
import ssl
import sys
from typing import Any

import aiohttp
import pytest

from tests.plex_simulator import PlexDirectResolver

from .simulated_plex import CLIENT, SimulatedPlex

REPOSITORY = Path(__file__).parents[2]


async def control(plex: SimulatedPlex, method: str, path: str, **fields: object) -> Any:
    """Steer the simulator, and return what it says."""
    url = f"{plex.simulator.base_url}/_simulator/{path}"
    async with plex.session.request(method, url, json=fields or None) as response:
        assert response.status == 200, await response.text()
        return await response.json()


async def test_world(plex: SimulatedPlex) -> None:
    """What a person or a script needs is described."""
    world = await control(plex, "GET", "world")
    assert [account["username"] for account in world["accounts"]] == ["anna", "ben"]
    assert world["servers"][0]["http_url"] == plex.server.http_url
    assert world["servers"][0]["shared_with"] == ["ben"]


async def test_accounts(plex: SimulatedPlex, token: str) -> None:
    """Codes are told, tokens made and ended, link codes claimed."""
    code = (await control(plex, "GET", "accounts/anna/code"))["code"]
    assert plex.anna.accepts_code(code)
    made = await control(plex, "POST", "accounts/ben/token", client_identifier="x")
    assert made["token"] == plex.ben.tokens["x"]
    await control(plex, "POST", "accounts/ben/revoke_tokens")
    assert not plex.ben.tokens
    plex.anna.sign_in_token("y")
    await control(plex, "POST", "accounts/anna/sign_out_devices")
    assert (dict(plex.anna.tokens), plex.server.claimed) == ({}, False)
    pin = plex.simulator.pins.create(CLIENT)
    await control(plex, "POST", f"pins/{pin.code}/link", username="ben")
    assert pin.auth_token == plex.ben.tokens[CLIENT]


async def test_servers(plex: SimulatedPlex) -> None:
    """Whatever may happen to a server can be made to happen."""
    server, anna = plex.server, plex.anna
    transient, token = server.issue_transient_token(anna), server.access_token_for(anna)
    port, url = server.port, server.https_url

    async def act(action: str, **fields: object) -> Any:
        path = f"servers/{server.machine_identifier}/{action}"
        return await control(plex, "POST", path, **fields)

    await act("restart")
    assert not server.accepts_transient_token(transient)
    await act("restart", boot_state="starting")
    assert await plex.status("server/") == 400
    await act("ready")
    assert await plex.status("server/") == 401
    await act("stop")
    with pytest.raises(aiohttp.ClientConnectorError):
        await plex.status("server/")
    await act("start")
    assert (await act("renew_certificate"))["https_url"] == server.https_url != url
    await act("change_port")
    await act("rotate_access_tokens")
    assert (server.port != port, server.access_token_for(anna) != token) == (True, True)
    await act("unshare")
    assert not server.shared_with
    await act("share", username="ben")
    assert server.shared_with == [plex.ben]
    await act("unclaim")
    await act("distrust")
    assert (server.claimed, server.trusts_network) == (False, False)
    await act("trust")
    await act("claim", username="ben")
    assert (server.trusts_network, server.owner) == (True, plex.ben)


async def test_faults(plex: SimulatedPlex) -> None:
    """Faults are set at plex.tv or at a server, and cleared at all."""
    fault = {"endpoint": "user", "kind": "status", "code": 503, "times": 1}
    await control(plex, "POST", "faults", **fault)
    assert [(await plex.get("/user")).status for _ in range(2)] == [503, 401]
    host = plex.server.machine_identifier
    await control(plex, "POST", "faults", endpoint="identity", kind="html", host=host)
    assert (await plex.get("server/identity")).status == 502
    await control(plex, "DELETE", "faults")
    assert (await plex.get("server/identity")).status == 200


async def test_clock_and_requests(plex: SimulatedPlex) -> None:
    """Time goes forward, and what has arrived is told."""
    before = plex.simulator.clock.now()
    await control(plex, "POST", "clock", seconds=3600)
    assert plex.simulator.clock.now() - before >= timedelta(hours=1)
    await plex.get("server/identity")
    await plex.get("/ping")
    for query, endpoints in (
        ("count=1", ["ping"]),
        ("count=0", []),
        ("endpoint=identity", ["identity"]),
    ):
        told = (await control(plex, "GET", f"requests?{query}"))["requests"]
        assert [record["endpoint"] for record in told] == endpoints


@pytest.mark.parametrize(
    ("method", "path", "fields", "status"),
    [
        ("POST", "servers/{server}/explode", None, 404),
        ("POST", "servers/none/stop", None, 404),
        ("GET", "accounts/none/code", None, 404),
        ("GET", "accounts/ben/code", None, 400),
        ("POST", "pins/NONE/link", {"username": "ben"}, 404),
        ("POST", "clock", {}, 404),
        ("POST", "faults", {"endpoint": "nothing", "kind": "reset"}, 400),
        ("POST", "faults", {"endpoint": "user", "kind": "nothing"}, 400),
        ("POST", "faults", {"endpoint": "user", "kind": "delay"}, 400),
    ],
)
async def test_refused(
    plex: SimulatedPlex,
    method: str,
    path: str,
    fields: dict[str, object] | None,
    status: int,
) -> None:
    """What does not exist or makes no sense is refused in words."""
    path = path.format(server=plex.server.machine_identifier)
    url = f"{plex.simulator.base_url}/_simulator/{path}"
    async with plex.session.request(method, url, json=fields) as response:
        assert response.status == status
        assert (await response.json())["error"]


async def start_alone(*arguments: str) -> asyncio.subprocess.Process:
    """Start `python -m tests.plex_simulator`."""
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.plex_simulator",
        *arguments,
        cwd=REPOSITORY,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


@pytest.mark.parametrize(
    ("more", "end"), [([], signal.SIGINT), (["--https"], signal.SIGTERM)]
)
async def test_alone(tmp_path: Path, more: list[str], end: signal.Signals) -> None:
    """The simulator runs as a process: one line when ready, and a clean end."""
    ca_file = tmp_path / "authority.pem"
    process = await start_alone("--ca-file", str(ca_file), "--world", "demo", *more)
    assert process.stdout is not None
    async with asyncio.timeout(30):
        world = json.loads(await process.stdout.readline())
    assert world["ca_file"] == str(ca_file)
    trusted = ssl.create_default_context(cafile=str(ca_file))
    connector = aiohttp.TCPConnector(ssl=trusted, resolver=PlexDirectResolver())
    async with aiohttp.ClientSession(connector=connector) as session:
        async with session.get(f"{world['control_url']}/accounts/anna/code") as told:
            assert re.fullmatch(r"\d{6}", (await told.json())["code"])
        for server in world["servers"]:
            async with session.get(f"{server['https_url']}/identity") as answer:
                assert server["machine_identifier"] in await answer.text()

    (port,) = re.findall(r":(\d+)", world["api_url"])
    second = await start_alone("--port", port)
    async with asyncio.timeout(30):
        output, errors = await second.communicate()
    assert (second.returncode, output) == (1, b"")
    assert re.fullmatch(rb"[^\n]*in use[^\n]*\n", errors)

    process.send_signal(end)
    async with asyncio.timeout(5):
        output, errors = await process.communicate()
    assert (process.returncode, output, errors) == (0, b"", b"")

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

from tests.plex_simulator import PlexDirectResolver

from .simulated_plex import SimulatedPlex

REPOSITORY = Path(__file__).parents[2]


async def control(plex: SimulatedPlex, method: str, path: str, **fields: object) -> Any:
    """Steer the simulator, and return what it says."""
    url = f"{plex.simulator.base_url}/_simulator/{path}"
    async with plex.session.request(method, url, json=fields or None) as response:
        assert response.status == 200, await response.text()
        return await response.json()


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


async def test_servers(plex: SimulatedPlex) -> None:
    """A server goes through what tests in a browser and benchmarks let happen to it."""
    server, anna = plex.server, plex.anna
    token, port, url = server.access_token_for(anna), server.port, server.https_url

    async def act(action: str, **fields: object) -> Any:
        path = f"servers/{server.machine_identifier}/{action}"
        return await control(plex, "POST", path, **fields)

    await act("restart", boot_state="starting")
    assert await plex.status("server/") == 400
    await act("ready")
    assert await plex.status("server/") == 401
    assert (await act("renew_certificate"))["https_url"] == server.https_url != url
    await act("install", version="1.15.3.876-ad6e39743")
    assert server.version == "1.15.3.876-ad6e39743"
    await act("change_port")
    await act("rotate_access_tokens")
    assert (server.port != port, server.access_token_for(anna) != token) == (True, True)
    await act("unshare")
    assert not server.shared_with
    assert (await act("share", username="ben"))["shared_with"] == ["ben"]
    stays_listed = list[bool]()
    for fields in ({"listed": True}, {}):
        await act("unclaim", **fields)
        stays_listed.append(server.stays_listed)
    assert stays_listed == [True, False]
    await act("distrust")
    assert (server.claimed, server.trusts_network) == (False, False)
    await act("trust")
    await act("claim", username="ben")
    told = await act("set_up_anew", name="Parlor")
    new = plex.simulator.servers[told["machine_identifier"]]
    assert (new.name, new.port, server.is_running) == ("Parlor", server.port, False)
    assert (server.trusts_network, server.owner) == (True, plex.ben)


async def test_faults(plex: SimulatedPlex) -> None:
    """A fault is for so many answers, or for one server."""
    fault = {"endpoint": "user", "kind": "status", "code": 503, "times": 1}
    await control(plex, "POST", "faults", **fault)
    assert [await plex.status("/user") for _ in range(2)] == [503, 401]
    host = plex.server.machine_identifier
    await control(plex, "POST", "faults", endpoint="identity", kind="html", host=host)
    assert await plex.status("server/identity") == 502
    await control(plex, "DELETE", "faults")
    assert await plex.status("server/identity") == 200


async def test_refused(plex: SimulatedPlex) -> None:
    """What does not exist or makes no sense is refused in words."""
    for path, fields, status in (
        (f"servers/{plex.server.machine_identifier}/explode", {}, 404),
        ("servers/none/stop", {}, 404),
        ("pins/NONE/link", {"username": "ben"}, 404),
        ("clock", {}, 404),
        ("faults", {"endpoint": "nothing", "kind": "reset"}, 400),
        ("faults", {"endpoint": "user", "kind": "delay"}, 400),
    ):
        url = f"{plex.simulator.base_url}/_simulator/{path}"
        async with plex.session.post(url, json=fields) as response:
            assert response.status == status, path
            assert (await response.json())["error"], path


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


async def test_alone(tmp_path: Path) -> None:
    """The simulator runs as a process: one line when ready, and a clean end."""
    ca_file = tmp_path / "authority.pem"
    secure = await start_alone("--ca-file", str(ca_file), "--world", "demo", "--https")
    plain = await start_alone()
    assert secure.stdout is not None
    assert plain.stdout is not None
    async with asyncio.timeout(30):
        world = json.loads(await secure.stdout.readline())
        assert json.loads(await plain.stdout.readline())["servers"]
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

    for process, end in ((secure, signal.SIGTERM), (plain, signal.SIGINT)):
        process.send_signal(end)
        async with asyncio.timeout(5):
            output, errors = await process.communicate()
        assert (process.returncode, output, errors) == (0, b"", b"")


async def test_pin_of_a_home_user(plex: SimulatedPlex) -> None:
    """Who has to type a PIN is told it, as passwords are."""
    plex.ben.pin = "1357"
    anna, ben = (await control(plex, "GET", "world"))["accounts"]
    assert ("pin" in anna, ben["pin"]) == (False, "1357")

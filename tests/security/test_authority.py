"""Who gets a token: admins by the actions, and Plex itself, nobody else."""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
import json
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry
from pytest_homeassistant_custom_component.typing import (
    ClientSessionGenerator,
    WebSocketGenerator,
)

from custom_components.plex_auth.const import CONF_CLIENT_IDENTIFIER, DOMAIN
from custom_components.plex_auth.flows import link
from homeassistant.auth.const import GROUP_ID_USER
from homeassistant.auth.models import User
from homeassistant.config_entries import SOURCE_USER
from homeassistant.core import Context, HomeAssistant
from homeassistant.exceptions import HomeAssistantError, Unauthorized, UnknownUser
from homeassistant.helpers import config_validation as cv
from homeassistant.helpers.script import Script
from homeassistant.setup import async_setup_component
from tests.conftest import Dns
from tests.harness import Harness
from tests.helpers import (
    account_coordinator,
    async_use_api,
    device_of,
    refuse_tokens,
    server_coordinator,
    server_data,
    source_of,
)
from tests.home_users import async_add_home_user
from tests.plex_simulator import PLEX_TV, Connection, Fault, PlexSimulator
from tests.walks import ways

CALLS = ways.calls("entry", "device", "server://any", "/library/metadata/1", 1)


@dataclass(slots=True)
class Stranger:
    """Hold the port of another host, and what it was sent."""

    port: int
    received: list[bytes] = field(default_factory=list)


@pytest.fixture
async def stranger() -> AsyncIterator[Stranger]:
    """Return a host that is none of Plex's and that only listens."""
    received: list[bytes] = []

    async def listen(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        received.append(b"")  # a connection counts, whatever is said
        received.append(await reader.read(65536))
        writer.close()

    async with await asyncio.start_server(listen, "127.0.0.1", 0) as server:
        yield Stranger(server.sockets[0].getsockname()[1], received)
        server.close_clients()


@asynccontextmanager
async def impostor(
    identity: dict[str, Any],
) -> AsyncIterator[tuple[str, list[web.Request]]]:
    """Run a host that answers any request with this identity; give its address."""
    requests: list[web.Request] = []

    async def answer(request: web.Request) -> web.Response:
        requests.append(request)
        return web.json_response({"MediaContainer": identity})

    application = web.Application()
    application.router.add_route("*", "/{path:.*}", answer)
    async with TestServer(application) as server:
        yield f"http://127.0.0.1:{server.port}", requests


def tokens_of(simulator: PlexSimulator) -> set[str]:
    """Return all tokens that the simulator has given."""
    return {
        token
        for account in simulator.accounts.values()
        for token in account.secrets_given
    } | {
        token for server in simulator.servers.values() for token in server.secrets_given
    }


def assert_no_token(simulator: PlexSimulator, received: list[bytes]) -> None:
    """Check that nothing that a stranger was sent has a token in it."""
    said = b"".join(received).decode(errors="replace")
    assert "x-plex-token" not in said.lower()
    assert not [token for token in tokens_of(simulator) if token in said]


def tokens_used(simulator: PlexSimulator) -> set[tuple[str, str]]:
    """Return the hosts that were sent a token, each with the token."""
    return {
        (request.host, request.headers["X-Plex-Token"])
        for request in simulator.requests
        if "X-Plex-Token" in request.headers
    }


# Who may call


@pytest.fixture
async def unasked(harness: Harness, entry: MockConfigEntry) -> AsyncIterator[None]:
    """Set up an account, and check that Plex is asked nothing from then on."""
    harness.simulator.requests.clear()
    yield
    assert not harness.simulator.requests


@pytest.mark.usefixtures("unasked")
async def test_rest(
    harness: Harness,
    hass_client: ClientSessionGenerator,
    hass_read_only_access_token: str,
) -> None:
    """Over REST a person without admin rights is refused."""
    assert await async_setup_component(harness.hass, "api", {})
    client = await hass_client(hass_read_only_access_token)
    for action, data in CALLS.items():
        response = await client.post(
            f"/api/services/{DOMAIN}/{action}?return_response", json=data
        )
        assert response.status == HTTPStatus.UNAUTHORIZED, action
        assert "token" not in await response.text()


@pytest.mark.usefixtures("unasked")
async def test_websocket(
    harness: Harness,
    hass_ws_client: WebSocketGenerator,
    hass_read_only_access_token: str,
) -> None:
    """Over the WebSocket a person without admin rights is refused likewise."""
    client = await hass_ws_client(harness.hass, hass_read_only_access_token)
    for action, data in CALLS.items():
        await client.send_json_auto_id(
            {
                "type": "call_service",
                "domain": DOMAIN,
                "service": action,
                "service_data": data,
                "return_response": True,
            }
        )
        answer = await client.receive_json()
        assert not answer["success"], action
        assert answer["error"]["message"] == "Unauthorized"


async def test_what_a_person_without_admin_rights_sees(
    harness: Harness,
    entry: MockConfigEntry,
    hass_ws_client: WebSocketGenerator,
    hass_read_only_access_token: str,
) -> None:
    """Registers and repairs are open to everyone: names and identifiers, no secrets."""
    assert await async_setup_component(harness.hass, "config", {})
    assert await async_setup_component(harness.hass, "repairs", {})
    await harness.transient_token()
    harness.server.unclaim()
    await server_coordinator(entry, harness.server).async_check_now()
    client = await hass_ws_client(harness.hass, hass_read_only_access_token)
    seen = ""
    for command in (
        "repairs/list_issues",
        "config/device_registry/list",
        "config/entity_registry/list",
        "config_entries/get",
        "get_states",
    ):
        await client.send_json_auto_id({"type": command})
        answer = await client.receive_json()
        assert answer["success"], command
        seen += json.dumps(answer["result"])
    for told in (
        "server_unclaimed",
        harness.server.name,
        harness.server.version,
        harness.server.machine_identifier,
        harness.anna.uuid,
    ):
        assert told in seen
    secrets = {*harness.simulator.secrets(), entry.data["client_identifier"]}
    assert not [secret for secret in {*secrets, harness.anna.email} if secret in seen]


@pytest.mark.usefixtures("unasked")
async def test_script(harness: Harness, hass_read_only_user: User) -> None:
    """A script that a person without admin rights starts is refused."""
    context = Context(user_id=hass_read_only_user.id)
    for action, data in CALLS.items():
        step = {"action": f"{DOMAIN}.{action}", "data": data, "response_variable": "_"}
        script = Script(harness.hass, cv.SCRIPT_SCHEMA([step]), "test", DOMAIN)
        with pytest.raises(Unauthorized):
            await script.async_run(context=context)


@pytest.mark.usefixtures("unasked")
async def test_user_that_is_not_known(harness: Harness) -> None:
    """A user that Home Assistant does not know is refused."""
    for action, data in CALLS.items():
        with pytest.raises(UnknownUser):
            await harness.call(action, Context(user_id="nobody"), **data)


@pytest.mark.parametrize("is_admin", [True, False])
@pytest.mark.usefixtures("entry")
async def test_admin_and_automation(
    harness: Harness, hass_admin_user: User, is_admin: bool
) -> None:
    """An admin gets the token, and so does an automation, which nobody started."""
    context = Context(user_id=hass_admin_user.id if is_admin else None)
    response = await harness.call("get_transient_token", context)
    assert response["token"] in harness.server.transient_tokens


@pytest.mark.usefixtures("entry")
async def test_every_user_can_start_an_automation(harness: Harness) -> None:
    """Its token is made then, as SECURITY.md says; only admins decide where it goes."""
    step = {"action": f"{DOMAIN}.get_transient_token", "response_variable": "_"}
    automation = {"alias": "Film", "triggers": [], "actions": [step]}
    assert await async_setup_component(
        harness.hass, "automation", {"automation": automation}
    )
    user = await harness.hass.auth.async_create_user("A", group_ids=[GROUP_ID_USER])
    await harness.hass.services.async_call(
        "automation",
        "trigger",
        {"entity_id": "automation.film"},
        blocking=True,
        context=Context(user_id=user.id),
    )
    await harness.settle()
    assert len(harness.simulator.requests_to("security_token")) == 1


# The dialogs


async def async_begin_link(hass: HomeAssistant, simulator: PlexSimulator) -> Any:
    """Begin to sign in with a link code, and return the flow's result."""
    result = await hass.config_entries.flow.async_init(
        DOMAIN, context={"source": SOURCE_USER}
    )
    await async_use_api(hass, simulator, result["flow_id"])
    return await hass.config_entries.flow.async_configure(
        result["flow_id"], {"next_step_id": "link"}
    )


async def test_code_of_another_dialog(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The link code of one dialog does not finish another one."""
    monkeypatch.setattr(link, "POLL_SECONDS", 0.01)
    first = await async_begin_link(harness.hass, harness.simulator)
    first_pin = harness.simulator.pins.latest
    second = await async_begin_link(harness.hass, harness.simulator)
    second_pin = harness.simulator.pins.latest
    assert first_pin.client_identifier != second_pin.client_identifier
    assert first["description_placeholders"]["code"] == first_pin.code
    assert second["description_placeholders"]["code"] == second_pin.code

    assert harness.simulator.pins.link(second_pin.code, harness.world.without_servers)
    for _ in range(100):
        progress = harness.hass.config_entries.flow.async_get(second["flow_id"])
        if progress["step_id"] == "link_done":
            break
        await asyncio.sleep(0.02)
    await harness.hass.config_entries.flow.async_configure(second["flow_id"])
    waiting = harness.hass.config_entries.flow.async_progress_by_handler(DOMAIN)
    assert [(flow["flow_id"], flow["step_id"]) for flow in waiting] == [
        (first["flow_id"], "link")
    ]
    (entry,) = harness.hass.config_entries.async_entries(DOMAIN)
    assert entry.unique_id == harness.world.without_servers.uuid
    assert entry.data["client_identifier"] == second_pin.client_identifier

    # Each dialog has asked for its own code alone, under its own name.
    asked = {
        (
            request.path.rpartition("/")[2],
            request.headers["X-Plex-Client-Identifier"],
        )
        for request in harness.simulator.requests_to("pins_check")
    }
    assert asked == {
        (str(pin.id), pin.client_identifier) for pin in (first_pin, second_pin)
    }
    harness.hass.config_entries.flow.async_abort(first["flow_id"])
    await harness.settle()


# Hosts that must not get a token

UNCLAIMED: dict[str, Any] = {"version": "1.43.0", "claimed": True}


@pytest.mark.parametrize(
    "identity",
    [
        {**UNCLAIMED, "machineIdentifier": "f" * 40},
        {**UNCLAIMED, "machineIdentifier": ["list"]},
        {**UNCLAIMED, "machineIdentifier": None},
        UNCLAIMED,
        {},
    ],
    ids=["other", "list", "null", "missing", "empty"],
)
async def test_impostor(
    harness: Harness, entry: MockConfigEntry, identity: dict[str, Any]
) -> None:
    """A host that is not the server gets no token, in polls and in actions."""
    async with impostor(identity) as (url, requests):
        host, port = url.removeprefix("http://").split(":")
        harness.server.connections = [
            Connection(
                protocol="http", address=host, port=int(port), uri=url, local=True
            )
        ]
        await harness.server.stop()
        coordinator = server_coordinator(entry, harness.server)
        await coordinator.async_refresh()
        await harness.failure("get_transient_token")
        await harness.reload(entry)
        assert requests
        assert {request.path for request in requests} == {"/identity"}
        for request in requests:
            assert "X-Plex-Token" not in request.headers
            assert "token" not in str(request.rel_url).lower()


async def test_impostor_who_knows_the_name_is_asked_no_more(
    harness: Harness, entry: MockConfigEntry
) -> None:
    """A token goes over plain http to no public address, whoever answers there."""
    harness.server.connections = [
        Connection(
            protocol="http",
            address="1.1.1.1",
            port=32400,
            uri="http://1.1.1.1:32400",
            local=True,
        )
    ]
    await account_coordinator(entry).servers.renew(now=True)
    assert server_coordinator(entry, harness.server).access.target.ranks == ()


@pytest.mark.parametrize(
    ("endpoint", "action"),
    [
        ("user", "get_token_details"),
        ("resources", "get_servers"),
        ("identity", "get_transient_token"),
        ("security_token", "get_transient_token"),
        ("security_resources", "get_source_connection_information"),
    ],
)
async def test_redirect(
    harness: Harness,
    entry: MockConfigEntry,
    stranger: Stranger,
    endpoint: str,
    action: str,
) -> None:
    """A redirect is not followed, to the same host or to another one.

    `api/test_transport.py` has all statuses of redirects.
    """
    at_server = endpoint not in ("user", "resources")
    host = harness.server if at_server else harness.simulator
    base = harness.server.http_url if at_server else harness.simulator.base_url
    data = {"source": source_of(harness.world.basement)} if "source" in action else {}
    for target in (base, f"http://127.0.0.1:{stranger.port}"):
        url = f"{target}/elsewhere?X-Plex-Token=bait"
        host.faults.set(endpoint, Fault.redirect(url, 307))
        if endpoint == "identity":
            await server_coordinator(entry, harness.server).async_refresh()
        await harness.failure(action, **data)
    paths = {request.path for request in harness.simulator.requests}
    assert "/elsewhere" not in paths
    assert not stranger.received


@pytest.mark.parametrize("step", ["password", "link", "token"])
async def test_redirect_of_a_sign_in(
    harness: Harness, stranger: Stranger, step: str
) -> None:
    """A redirect takes neither password nor token of a dialog to another host."""
    for endpoint in ("signin", "pins_create", "user"):
        harness.simulator.faults.set(
            endpoint, Fault.redirect(f"http://127.0.0.1:{stranger.port}/", 307)
        )
    flow = harness.hass.config_entries.flow
    result: Any = await flow.async_init(DOMAIN, context={"source": SOURCE_USER})
    await async_use_api(harness.hass, harness.simulator, result["flow_id"])
    result = await flow.async_configure(result["flow_id"], {"next_step_id": step})
    ways: dict[str, dict[str, Any]] = {
        "password": {"username": "ben", "password": harness.ben.password},
        "token": {"token": harness.ben.sign_in_token("browser")},
    }
    if step != "link":
        result = await flow.async_configure(result["flow_id"], ways[step])
        assert result["errors"] == {"base": "unknown"}
    else:
        assert result["step_id"] == "link_failed"
    assert not stranger.received
    flow.async_abort(result["flow_id"])


def listed(uri: str, **data: Any) -> Connection:
    """Return an address as plex.tv may list it."""
    fields: dict[str, Any] = {
        "protocol": "https",
        "address": "",
        "port": 32400,
        "local": True,
    }
    return Connection(uri=uri, **(fields | data))


# What else is no address is in `api/test_addresses.py`.
HOSTILE: dict[str, Callable[[int], Connection]] = {
    "another host": lambda port: listed(
        f"https://127.0.0.1:{port}", address="127.0.0.1", port=port
    ),
    "another host in plain": lambda port: listed(
        f"http://127.0.0.1:{port}", protocol="http", address="127.0.0.1", port=port
    ),
    "another address beside": lambda port: listed(
        "javascript:1", address="127.0.0.1", port=port
    ),
    "another host relayed": lambda port: listed(
        f"http://127.0.0.1:{port}", address="127.0.0.1", port=port, relay=True
    ),
    "javascript": lambda port: listed("javascript:alert(1)"),
    "userinfo": lambda port: listed(f"http://plex.tv@127.0.0.1:{port}"),
    "metadata service": lambda port: listed(
        "http://169.254.169.254/latest", address="169.254.169.254", port=80
    ),
    "absurd port": lambda port: listed("https://127.0.0.1:99999", port=99999),
    "query": lambda port: listed(f"http://127.0.0.1:{port}/?next="),
    "fragment": lambda port: listed(f"http://127.0.0.1:{port}/#"),
    "line break": lambda port: listed(f"http://127.0.0.1:{port}/\r\nX-Evil: 1"),
    "unspecified": lambda port: listed(f"http://0.0.0.0:{port}", address="0.0.0.0"),
    "empty": lambda port: listed(""),
}


# These are addresses. They are asked who they are, and no more.
ASKED = (
    "another host",
    "another host in plain",
    "fragment",
)


@pytest.mark.parametrize("kinds", [[one] for one in ASKED] + [HOSTILE.keys() - ASKED])
async def test_hostile_resources(
    harness: Harness, dns: Dns, stranger: Stranger, kinds: Collection[str]
) -> None:
    """No address that plex.tv may list makes a token go to another host.

    What is no address is not even asked who it is.
    """
    harness.server.connections = [HOSTILE[kind](stranger.port) for kind in kinds]
    entry = await harness.add(harness.anna, harness.server)
    async with asyncio.timeout(10):
        await harness.failure("get_transient_token")
    for host in {request.host for request in harness.simulator.requests}:
        assert host == PLEX_TV
    assert_no_token(harness.simulator, stranger.received)
    assert bool(stranger.received) is (len(kinds) == 1)
    # The server works as soon as it is listed rightly.
    harness.server.connections = None
    await server_coordinator(entry, harness.server).async_refresh()
    assert await harness.call("get_transient_token")


async def test_impostor_gets_not_even_a_transient_token(
    harness: Harness, entry: MockConfigEntry
) -> None:
    """After another machine has taken the address the check of a token goes nowhere."""
    await harness.call("get_transient_token")
    coordinator = server_coordinator(entry, harness.server)
    harness.server.machine_identifier = "f" * 40
    harness.simulator.requests.clear()
    await coordinator.async_refresh()
    assert not coordinator.last_update_success
    with_token = [
        request
        for request in harness.simulator.requests
        if request.host != PLEX_TV and "X-Plex-Token" in request.headers
    ]
    assert not with_token


async def test_typed_token_is_for_its_server_alone(harness: Harness) -> None:
    """The token typed for one server goes to no other, and the account's to none."""
    typed = harness.world.shared.access_token_for(harness.world.yearly)
    entry = await harness.add(
        harness.ben,
        harness.server,
        server_data(
            harness.world.shared,
            harness.world.yearly,
            url=harness.world.shared.http_url,
            verify_ssl=True,
            token=typed,
            last_known={},
        ),
    )
    for server in (harness.server, harness.world.shared):
        await harness.transient_token(server, harness.ben)
    assert tokens_used(harness.simulator) == {
        (PLEX_TV, entry.data["token"]),
        (
            harness.server.machine_identifier,
            harness.server.access_token_for(harness.ben),
        ),
        (harness.world.shared.machine_identifier, typed),
    }


def works(_: Harness) -> None:
    """Change nothing."""


def refuses(harness: Harness) -> None:
    """Let the server refuse all tokens."""
    refuse_tokens(harness.server)


def rotates(harness: Harness) -> None:
    """Let plex.tv give new tokens for the server, which refuses the old ones."""
    harness.server.rotate_access_tokens()


def is_not_shared(harness: Harness) -> None:
    """Let the child see the server no more, and plex.tv list it no more for the child."""
    harness.server.shared_with.remove(harness.world.home.child)
    harness.server.rotate_access_tokens()


def is_rejected(harness: Harness) -> None:
    """Let plex.tv reject the child, and the server, too."""
    harness.world.home.child.revoke_tokens()
    harness.server.rotate_access_tokens()


@pytest.mark.parametrize(
    ("happens", "is_issued"),
    [
        (works, True),
        (rotates, True),
        (refuses, False),
        (is_not_shared, False),
        (is_rejected, False),
    ],
)
async def test_tokens_of_a_home_user(
    harness: Harness, happens: Callable[[Harness], None], is_issued: bool
) -> None:
    """The token of a switch goes to plex.tv alone, and the user's others to their server.

    Where an action names a Home user, no server gets another token, whatever happens.
    """
    child, servers = harness.world.home.child, (harness.server, harness.world.basement)
    harness.world.basement.shared_with.append(child)
    entry = await harness.add(harness.anna, *servers)
    named = {"home_user": await async_add_home_user(harness, entry, child)}
    switched = child.tokens[entry.data[CONF_CLIENT_IDENTIFIER]]
    own = {one: {one.access_token_for(child)} for one in servers}
    happens(harness)
    harness.simulator.requests.clear()
    for server in servers:
        device_id = device_of(harness.hass, entry, server).id
        call = harness.call("get_transient_token", device_id=device_id, **named)
        if is_issued or server is not harness.server:
            token = (await call)["token"]
            assert server.transient_tokens[token].account is child
        else:
            with pytest.raises(HomeAssistantError):
                await call
    if happens is not is_rejected:
        await harness.call("get_servers", **named)
    used = tokens_used(harness.simulator)
    assert {token for host, token in used if host == PLEX_TV} <= {
        entry.data["token"],
        switched,
    }
    assert (PLEX_TV, switched) in used
    for server in servers:
        sent = {token for host, token in used if host == server.machine_identifier}
        assert sent
        assert sent <= own[server] | {server.access_token_for(child)}

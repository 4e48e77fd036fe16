"""The actions: what they return, whom they serve, and how they fail."""

from collections.abc import Mapping
from contextlib import suppress
from datetime import timedelta
import logging
from typing import Any
from unittest.mock import patch

import aiohttp
from aiohttp import web
from aiohttp.test_utils import TestServer
from freezegun.api import FrozenDateTimeFactory
import pytest
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    MockUser,
    async_capture_events,
)
from pytest_homeassistant_custom_component.typing import (
    ClientSessionGenerator,
    WebSocketGenerator,
)
from syrupy.assertion import SnapshotAssertion
import voluptuous as vol

from custom_components.plex_auth.api import errors
from custom_components.plex_auth.api.plex_tv import PlexTv
from custom_components.plex_auth.api.server import PlexServer
from custom_components.plex_auth.const import DOMAIN
from custom_components.plex_auth.messages import error_key
from homeassistant.core import Context, HomeAssistant
from homeassistant.exceptions import (
    HomeAssistantError,
    ServiceValidationError,
    Unauthorized,
    UnknownUser,
)
from homeassistant.helpers import device_registry as dr
from homeassistant.helpers.selector import selector
from homeassistant.helpers.service import async_get_all_descriptions
from homeassistant.setup import async_setup_component
from homeassistant.util import dt as dt_util

from .helpers import (
    async_add_account,
    async_fixed_world,
    async_pass,
    async_settle,
    device_of,
    reauth_flows,
    server_data,
    state_of,
)
from .plex_simulator import Fault, MediaServer, PlexSimulator, Way
from .plex_simulator.worlds import PODCASTS, DemoWorld

ACCOUNT_ACTIONS = ("get_token_details", "get_servers")
SERVER_ACTIONS: Mapping[str, Mapping[str, str]] = {
    "get_transient_token": {},
    "get_source_connection_information": {"source": f"provider://{PODCASTS}"},
}
ACTIONS: Mapping[str, Mapping[str, str]] = {
    **{action: {} for action in ACCOUNT_ACTIONS},
    **SERVER_ACTIONS,
}


async def test_described(
    hass: HomeAssistant,
    simulator: PlexSimulator,
    world: DemoWorld,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Home Assistant takes the descriptions; examples and defaults fit their fields."""
    await async_add_account(hass, simulator, world.free)
    described = (await async_get_all_descriptions(hass))[DOMAIN]
    assert set(described) == set(ACTIONS)
    assert "services.yaml" not in caplog.text
    for action, description in described.items():
        assert description["response"] == {"optional": False}, action
        for name, field in description["fields"].items():
            takes = vol.Schema(selector(field["selector"]))
            for key in ("default", "example"):
                if key in field:
                    assert takes(field[key]) == field[key], (action, name)


async def async_call(
    hass: HomeAssistant, action: str, context: Context | None = None, /, **data: Any
) -> dict[str, Any]:
    """Call an action and return its response."""
    response = await hass.services.async_call(
        DOMAIN, action, data, blocking=True, context=context, return_response=True
    )
    assert response is not None
    return response


async def async_failure(
    hass: HomeAssistant, action: str, **data: Any
) -> HomeAssistantError:
    """Call an action that fails, and return the error."""
    with pytest.raises(HomeAssistantError) as caught:
        await async_call(hass, action, **data)
    return caught.value


async def async_failure_without_entries(
    hass: HomeAssistant, action: str, **data: Any
) -> HomeAssistantError:
    """Set the integration up without an entry, and return an action's error."""
    assert await async_setup_component(hass, DOMAIN, {})
    return await async_failure(hass, action, **data)


def source_of(server: MediaServer) -> str:
    """Return a server as a source."""
    return f"server://{server.machine_identifier}"


def connections_of(server: MediaServer) -> list[dict[str, Any]]:
    """Return the addresses of a server as responses show them."""
    return [
        {
            "protocol": listed.protocol,
            "address": listed.address,
            "port": listed.port,
            "uri": listed.uri,
            "local": listed.local,
            "relay": listed.relay,
        }
        for listed in server.connections
    ]


# What they return


async def test_get_token_details(
    hass: HomeAssistant,
    simulator: PlexSimulator,
    freezer: FrozenDateTimeFactory,
    snapshot: SnapshotAssertion,
) -> None:
    """The details of the account are fresh, complete, and without a secret."""
    freezer.move_to("2026-11-24 12:00:00+00:00")
    world = await async_fixed_world(simulator)
    await async_add_account(hass, simulator, world.plex_pass)
    world.plex_pass.friendly_name = "Paula P."
    response = await async_call(hass, "get_token_details")
    assert response == snapshot
    assert response["account"]["friendly_name"] == "Paula P."
    assert not any(secret in str(response) for secret in simulator.secrets())


async def test_get_token_details_again_after_a_rejection(
    hass: HomeAssistant, simulator: PlexSimulator, world: DemoWorld
) -> None:
    """The action asks plex.tv although polling has stopped, and the entities follow."""
    anna = world.two_factor
    entry = await async_add_account(hass, simulator, anna, [world.living_room])
    simulator.faults.set("user", Fault.plex_error(1001, 401))
    failure = await async_failure(hass, "get_token_details")
    assert failure.translation_key == "invalid_token"
    assert state_of(hass, "binary_sensor.token", anna) == "on"
    assert reauth_flows(hass, entry)
    simulator.faults.clear()
    response = await async_call(hass, "get_token_details")
    assert response["account"]["uuid"] == anna.uuid
    await async_settle(hass)
    assert state_of(hass, "binary_sensor.token", anna) == "off"
    assert not reauth_flows(hass, entry)


async def test_get_servers(
    hass: HomeAssistant, simulator: PlexSimulator, world: DemoWorld
) -> None:
    """All servers are listed, own and shared, added or not, without their tokens."""
    anna = world.two_factor
    await async_add_account(hass, simulator, anna, [world.living_room])
    await world.basement.stop()
    response = await async_call(hass, "get_servers")
    assert response == {
        "servers": [
            {
                "name": server.name,
                "source": source_of(server),
                "added": server is world.living_room,
                "owned": server is not world.shared,
                "presence": server is not world.basement,
                "version": server.version,
                "connections": connections_of(server),
            }
            for server in (world.living_room, world.basement, world.shared)
        ]
    }
    assert not any(secret in str(response) for secret in simulator.secrets())


async def test_get_servers_is_fresh(
    hass: HomeAssistant, simulator: PlexSimulator, world: DemoWorld
) -> None:
    """A server that is new at plex.tv is in the next response."""
    await async_add_account(hass, simulator, world.without_servers)
    assert await async_call(hass, "get_servers") == {"servers": []}
    server = await simulator.add_server("New", world.without_servers)
    (listed,) = (await async_call(hass, "get_servers"))["servers"]
    assert listed["source"] == source_of(server)


async def test_get_servers_with_a_rejected_token(
    hass: HomeAssistant, simulator: PlexSimulator, world: DemoWorld
) -> None:
    """A token that is rejected here asks for a new sign-in, too."""
    anna = world.two_factor
    entry = await async_add_account(hass, simulator, anna)
    anna.revoke_tokens()
    failure = await async_failure(hass, "get_servers")
    assert failure.translation_key == "invalid_token"
    await async_settle(hass)
    assert state_of(hass, "binary_sensor.token", anna) == "on"
    assert reauth_flows(hass, entry)


async def test_get_transient_token(
    hass: HomeAssistant,
    simulator: PlexSimulator,
    world: DemoWorld,
    freezer: FrozenDateTimeFactory,
) -> None:
    """A transient token comes with its life and the way to its server."""
    server = world.living_room
    await async_add_account(hass, simulator, world.two_factor, [server])
    response = await async_call(hass, "get_transient_token")
    now = dt_util.utcnow()
    (token,) = server.transient_tokens
    assert response == {
        "token": token,
        "type": "delegation",
        "scope": "all",
        "issued_at": now.isoformat(),
        "expires_at": (now + timedelta(hours=48)).isoformat(),
        "server": {
            "name": "Living Room",
            "machine_identifier": server.machine_identifier,
            "uri": server.http_url,
            "connection": "local",
        },
    }
    assert server.accepts_transient_token(token)
    (request,) = simulator.requests_to("security_token")
    assert request.query == {"type": "delegation", "scope": "all"}
    assert request.headers["X-Plex-Token"] == server.access_token_for(world.two_factor)


@pytest.mark.parametrize("data", [{"type": "other"}, {"scope": "some"}, {"more": 1}])
async def test_get_transient_token_of_another_kind(
    hass: HomeAssistant,
    simulator: PlexSimulator,
    world: DemoWorld,
    data: dict[str, Any],
) -> None:
    """Types, scopes and fields that do not exist are refused before any request."""
    server = world.living_room
    await async_add_account(hass, simulator, world.two_factor, [server])
    await async_call(hass, "get_transient_token", type="delegation", scope="all")
    simulator.requests.clear()
    with pytest.raises(vol.Invalid):
        await async_call(hass, "get_transient_token", **data)
    assert not simulator.requests


@pytest.mark.parametrize("way", [Way.LOCAL, Way.REMOTE, Way.RELAY])
async def test_get_transient_token_says_by_which_way(
    hass: HomeAssistant,
    simulator: PlexSimulator,
    world: DemoWorld,
    plex_direct: None,
    way: Way,
) -> None:
    """The response names the connection that was used."""
    server = world.living_room
    for other in (Way.LOCAL, Way.REMOTE, Way.RELAY):
        if other is not way:
            await server.close_way(other)
    await async_add_account(hass, simulator, world.two_factor, [server])
    response = await async_call(hass, "get_transient_token")
    assert response["server"]["connection"] == way
    assert response["server"]["uri"] == next(
        connection.uri
        for connection in server.connections
        if connection.port == server.ways[way].port
    )


@pytest.mark.parametrize("refresh", [False, True])
async def test_get_source_connection_information(
    hass: HomeAssistant,
    simulator: PlexSimulator,
    world: DemoWorld,
    refresh: bool,
) -> None:
    """How another server is reached is told with the token for it."""
    server, source = world.living_room, source_of(world.basement)
    await async_add_account(hass, simulator, world.two_factor, [server])
    response = await async_call(
        hass, "get_source_connection_information", source=source, refresh=refresh
    )
    (token,) = world.basement.transient_tokens
    assert response == {
        "source": source,
        "name": "Basement",
        "client_identifier": world.basement.machine_identifier,
        "access_token": token,
        "connections": connections_of(world.basement),
        "best": connections_of(world.basement)[0],
        "server": {
            "name": "Living Room",
            "machine_identifier": server.machine_identifier,
            "uri": server.http_url,
            "connection": "local",
        },
    }
    assert server.refreshed_sources == ([source] if refresh else [])


@pytest.mark.parametrize("as_list", [False, True])
async def test_get_source_connection_information_of_a_provider(
    hass: HomeAssistant, simulator: PlexSimulator, world: DemoWorld, as_list: bool
) -> None:
    """A provider is a source as well; the shape of the server's answer varies."""
    server = world.living_room
    server.device_as_list = as_list
    await async_add_account(hass, simulator, world.two_factor, [server])
    response = await async_call(
        hass,
        "get_source_connection_information",
        source=f"provider://{PODCASTS}",
    )
    assert response["name"] == "Podcasts"
    assert response["client_identifier"] == PODCASTS
    assert response["best"] == {
        "protocol": "https",
        "address": "podcasts.provider.example.invalid",
        "port": 443,
        "uri": "https://podcasts.provider.example.invalid:443",
        "local": False,
        "relay": False,
    }


async def test_get_source_connection_information_without_a_connection(
    hass: HomeAssistant, simulator: PlexSimulator, world: DemoWorld
) -> None:
    """A source that has no address has no best one."""
    world.basement.connections = []
    await async_add_account(hass, simulator, world.two_factor, [world.living_room])
    response = await async_call(
        hass,
        "get_source_connection_information",
        source=source_of(world.basement),
    )
    assert response["connections"] == []
    assert response["best"] is None


# Which account, which server


@pytest.mark.parametrize("action", ACCOUNT_ACTIONS)
async def test_account_of_a_call(
    hass: HomeAssistant, simulator: PlexSimulator, world: DemoWorld, action: str
) -> None:
    """The only account is meant where none is named; of several one must be."""
    failure = await async_failure_without_entries(hass, action)
    assert failure.translation_key == "service_found_no_config_entry_for_domain"
    anna, ben = world.two_factor, world.free
    first = await async_add_account(hass, simulator, anna)
    await async_call(hass, action)
    second = await async_add_account(hass, simulator, ben)
    failure = await async_failure(hass, action)
    assert isinstance(failure, ServiceValidationError)
    assert failure.translation_key == "service_found_multiple_config_entry_for_domain"
    for entry in (first, second):
        simulator.requests.clear()
        await async_call(hass, action, config_entry_id=entry.entry_id)
        assert {request.headers["X-Plex-Token"] for request in simulator.requests} == {
            entry.data["token"]
        }


@pytest.mark.parametrize("action", ACCOUNT_ACTIONS)
async def test_accounts_that_cannot_be_asked(
    hass: HomeAssistant, simulator: PlexSimulator, world: DemoWorld, action: str
) -> None:
    """Unknown, foreign and unloaded entries are told apart."""
    entry = await async_add_account(hass, simulator, world.two_factor)
    foreign = MockConfigEntry(domain="other")
    foreign.add_to_hass(hass)
    await hass.config_entries.async_unload(entry.entry_id)
    for entry_id, key in (
        ("unknown", "service_config_entry_not_found"),
        (foreign.entry_id, "service_config_entry_wrong_domain"),
        (entry.entry_id, "service_config_entry_not_loaded"),
    ):
        failure = await async_failure(hass, action, config_entry_id=entry_id)
        assert isinstance(failure, ServiceValidationError)
        assert failure.translation_key == key
    failure = await async_failure(hass, action)
    assert isinstance(failure, ServiceValidationError)


async def test_address_without_an_identity(
    hass: HomeAssistant, simulator: PlexSimulator, world: DemoWorld
) -> None:
    """A 404 of an address is not one of the source."""
    server = world.living_room
    await async_add_account(hass, simulator, world.two_factor, [server])
    server.faults.set("identity", Fault.status(404))
    source = SERVER_ACTIONS["get_source_connection_information"]
    failure = await async_failure(hass, "get_source_connection_information", **source)
    assert failure.translation_key == "unavailable"


@pytest.mark.parametrize("action", SERVER_ACTIONS)
async def test_server_of_a_call(
    hass: HomeAssistant, simulator: PlexSimulator, world: DemoWorld, action: str
) -> None:
    """The only server is meant where none is named; of several one must be."""
    data = SERVER_ACTIONS[action]
    failure = await async_failure_without_entries(hass, action, **data)
    assert isinstance(failure, ServiceValidationError)
    assert failure.translation_key == "no_server"
    await async_add_account(hass, simulator, world.free)
    failure = await async_failure(hass, action, **data)
    assert failure.translation_key == "no_server"

    servers = [world.living_room, world.basement]
    world.basement.add_provider(PODCASTS, "Podcasts")
    entry = await async_add_account(hass, simulator, world.two_factor, servers[:1])
    await hass.config_entries.async_unload(entry.entry_id)
    failure = await async_failure(hass, action, **data)
    assert isinstance(failure, ServiceValidationError)
    assert failure.translation_key == "account_not_ready"
    assert failure.translation_placeholders == {"name": "Anna"}
    await hass.config_entries.async_setup(entry.entry_id)
    assert (await async_call(hass, action, **data))["server"]["name"] == "Living Room"
    other = await async_add_account(
        hass, simulator, world.yearly, [server_data(world.shared, world.yearly)]
    )
    failure = await async_failure(hass, action, **data)
    assert isinstance(failure, ServiceValidationError)
    assert failure.translation_key == "choose_server"
    response = await async_call(
        hass,
        action,
        device_id=device_of(hass, entry, world.living_room).id,
        **data,
    )
    assert response["server"]["name"] == "Living Room"
    await hass.config_entries.async_unload(other.entry_id)
    assert (await async_call(hass, action, **data))["server"]["name"] == "Living Room"


@pytest.mark.parametrize("action", SERVER_ACTIONS)
async def test_servers_that_cannot_be_asked(
    hass: HomeAssistant,
    simulator: PlexSimulator,
    world: DemoWorld,
    device_registry: dr.DeviceRegistry,
    action: str,
) -> None:
    """Unknown and foreign devices, accounts and unloaded servers are told apart."""
    data = SERVER_ACTIONS[action]
    entry = await async_add_account(
        hass, simulator, world.two_factor, [world.living_room]
    )
    foreign = MockConfigEntry(domain="other")
    foreign.add_to_hass(hass)
    foreign_device = device_registry.async_get_or_create(
        config_entry_id=foreign.entry_id, identifiers={("other", "1")}, name="Other"
    )
    account = device_of(hass, entry)
    for device_id, key in (
        ("unknown", "service_device_not_found"),
        (foreign_device.id, "service_device_wrong_domain"),
        (account.id, "not_a_server"),
    ):
        failure = await async_failure(hass, action, device_id=device_id, **data)
        assert isinstance(failure, ServiceValidationError)
        assert failure.translation_key == key
    assert failure.translation_placeholders == {"name": "Anna"}
    device_registry.async_update_device(account.id, name_by_user="My Plex")
    failure = await async_failure(hass, action, device_id=account.id, **data)
    assert failure.translation_placeholders == {"name": "My Plex"}
    server = device_of(hass, entry, world.living_room)
    await hass.config_entries.async_unload(entry.entry_id)
    failure = await async_failure(hass, action, device_id=server.id, **data)
    assert isinstance(failure, ServiceValidationError)
    assert failure.translation_key == "service_config_entry_not_loaded"


# For admins only


@pytest.mark.parametrize("action", ACTIONS)
async def test_who_may_call(
    hass: HomeAssistant,
    simulator: PlexSimulator,
    world: DemoWorld,
    hass_read_only_user: MockUser,
    hass_admin_user: MockUser,
    action: str,
) -> None:
    """Admins and automations may call; other users may not, and nothing is asked."""
    data = ACTIONS[action]
    await async_add_account(hass, simulator, world.two_factor, [world.living_room])
    simulator.requests.clear()
    for user_id, error in (
        (hass_read_only_user.id, Unauthorized),
        ("nobody", UnknownUser),
    ):
        with pytest.raises(error):
            await async_call(hass, action, Context(user_id=user_id), **data)
    assert not simulator.requests
    await async_call(hass, action, Context(user_id=hass_admin_user.id), **data)
    await async_call(hass, action, Context(), **data)


@pytest.mark.parametrize("action", ACTIONS)
async def test_who_may_call_from_outside(
    hass: HomeAssistant,
    simulator: PlexSimulator,
    world: DemoWorld,
    hass_client: ClientSessionGenerator,
    hass_ws_client: WebSocketGenerator,
    hass_read_only_access_token: str,
    action: str,
) -> None:
    """Users that are no admins are refused over REST and WebSocket as well."""
    assert await async_setup_component(hass, "api", {})
    assert await async_setup_component(hass, "websocket_api", {})
    await async_add_account(hass, simulator, world.two_factor, [world.living_room])
    simulator.requests.clear()
    data = dict(ACTIONS[action])
    address = f"/api/services/{DOMAIN}/{action}?return_response"
    message = {
        "type": "call_service",
        "domain": DOMAIN,
        "service": action,
        "service_data": data,
        "return_response": True,
    }
    rest = await hass_client(hass_read_only_access_token)
    assert (await rest.post(address, json=data)).status == 401
    websocket = await hass_ws_client(hass, hass_read_only_access_token)
    await websocket.send_json_auto_id(message)
    answer = await websocket.receive_json()
    assert not answer["success"]
    assert "result" not in answer
    assert not simulator.requests

    rest = await hass_client()
    reply = await rest.post(address, json=data)
    assert reply.status == 200
    assert (await reply.json())["service_response"]
    websocket = await hass_ws_client(hass)
    await websocket.send_json_auto_id(message)
    answer = await websocket.receive_json()
    assert answer["success"]
    assert answer["result"]["response"]


@pytest.mark.parametrize("by_admin", [False, True])
async def test_automation_may_call(
    hass: HomeAssistant,
    simulator: PlexSimulator,
    world: DemoWorld,
    hass_read_only_user: MockUser,
    hass_admin_user: MockUser,
    by_admin: bool,
) -> None:
    """An automation gets a token; a script does for whom it is started by."""
    await async_add_account(hass, simulator, world.two_factor, [world.living_room])
    steps = [
        {"action": f"{DOMAIN}.get_transient_token", "response_variable": "plex"},
        {"event": "handed_out", "event_data": {"scope": "{{ plex.scope }}"}},
    ]
    assert await async_setup_component(
        hass,
        "automation",
        {
            "automation": {
                "triggers": [{"trigger": "event", "event_type": "wanted"}],
                "actions": steps,
            }
        },
    )
    assert await async_setup_component(
        hass, "script", {"script": {"hand_out": {"sequence": steps}}}
    )
    events = async_capture_events(hass, "handed_out")
    hass.bus.async_fire("wanted")
    await async_settle(hass)
    assert [event.data for event in events] == [{"scope": "all"}]
    user = hass_admin_user if by_admin else hass_read_only_user
    with suppress(Unauthorized):
        await hass.services.async_call(
            "script", "hand_out", blocking=True, context=Context(user_id=user.id)
        )
    await async_settle(hass)
    assert len(events) == (2 if by_admin else 1)


# Addresses to play


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("/library/metadata/1/thumb", {}),
        ("/library/metadata/1/art", {}),
        ("/library/metadata/1/thumb/1700000000", {}),
        ("/library/metadata/1/thumb?width=100&height=50", {"width": "100"}),
        ("/library/metadata/1/thumb?X-Plex-Token=other", {}),
        ("/library/metadata/1/thumb?a=b%26c&d=%2B", {"a": "b&c", "d": "+"}),
        ("/library/metadata/M%C3%BCnchen%20%2F1/thumb", {}),
        ("/library/metadata/München/thumb#part", {}),
    ],
)
async def test_path(
    hass: HomeAssistant,
    simulator: PlexSimulator,
    world: DemoWorld,
    path: str,
    query: dict[str, str],
) -> None:
    """With a path the response has an address that plays as it is."""
    server = world.living_room
    await async_add_account(hass, simulator, world.two_factor, [server])
    response = await async_call(hass, "get_transient_token", path=path)
    assert response["url"].startswith(f"{server.http_url}/library/metadata/")
    async with (
        aiohttp.ClientSession() as session,
        session.get(response["url"]) as reply,
    ):
        assert reply.status == 200
        assert reply.content_type == "image/png"
    (request,) = simulator.requests_to("media")
    assert request.query["X-Plex-Token"] == response["token"]
    assert query.items() <= request.query.items()


async def test_path_keeps_what_is_encoded(
    hass: HomeAssistant, simulator: PlexSimulator, world: DemoWorld
) -> None:
    """A path is neither decoded nor encoded a second time."""
    server = world.living_room
    await async_add_account(hass, simulator, world.two_factor, [server])
    response = await async_call(
        hass, "get_transient_token", path="/library/parts/1%2F2/a%20b.mkv?x=1%3D1"
    )
    assert response["url"] == (
        f"{server.http_url}/library/parts/1%2F2/a%20b.mkv"
        f"?x=1%3D1&X-Plex-Token={response['token']}"
    )


async def test_path_behind_a_proxy(
    hass: HomeAssistant, simulator: PlexSimulator, world: DemoWorld
) -> None:
    """A path goes behind the one that a proxy has for the server."""
    anna, server = world.two_factor, world.living_room

    async def forward(request: web.Request) -> web.Response:
        address = f"{server.http_url}/{request.match_info['path']}"
        async with (
            aiohttp.ClientSession() as session,
            session.request(
                request.method,
                address,
                params=request.query,
                headers={
                    name: request.headers[name]
                    for name in ("Accept", "X-Plex-Token")
                    if name in request.headers
                },
            ) as reply,
        ):
            return web.Response(
                body=await reply.read(),
                status=reply.status,
                content_type=reply.content_type,
            )

    application = web.Application()
    application.router.add_route("*", "/plex/{path:.*}", forward)
    async with TestServer(application) as proxy:
        await async_add_account(
            hass,
            simulator,
            anna,
            [server_data(server, anna, url=str(proxy.make_url("/plex/")))],
        )
        response = await async_call(
            hass, "get_transient_token", path="/library/metadata/1/thumb"
        )
        assert response["server"]["uri"] == str(proxy.make_url("/plex"))
        async with (
            aiohttp.ClientSession() as session,
            session.get(response["url"]) as reply,
        ):
            assert reply.status == 200


@pytest.mark.parametrize(
    "path",
    [
        "",
        "library/metadata/1",
        " /library",
        "//evil.example/library",
        "/\\evil.example/library",
        "\\\\evil.example",
        "http://evil.example/",
        "https://evil.example:443/library",
        "@evil.example/",
        ":80/",
        "/library\n/metadata",
        "/library\r\nX-Evil: 1",
        "/\t/evil.example",
        "/\x00",
        "?X-Plex-Token=1",
        "#",
        "http://[",
    ],
)
async def test_what_is_no_path(
    hass: HomeAssistant, simulator: PlexSimulator, world: DemoWorld, path: str
) -> None:
    """What may lead elsewhere is refused before any request."""
    await async_add_account(hass, simulator, world.two_factor, [world.living_room])
    simulator.requests.clear()
    failure = await async_failure(hass, "get_transient_token", path=path)
    assert isinstance(failure, ServiceValidationError)
    assert failure.translation_key == "invalid_path"
    assert failure.translation_placeholders == {"path": path}
    assert not simulator.requests


@pytest.mark.parametrize(
    "path",
    [
        "/../../etc",
        "/a/..//evil.example/",
        "/.//evil.example",
        "/a//b",
        "/@evil",
        "/:80",
    ],
)
async def test_path_stays_on_the_server(
    hass: HomeAssistant, simulator: PlexSimulator, world: DemoWorld, path: str
) -> None:
    """A strange path leads to the server itself all the same, or is refused."""
    server = world.living_room
    await async_add_account(hass, simulator, world.two_factor, [server])
    response: dict[str, Any] = {}
    with suppress(ServiceValidationError):
        response = await async_call(hass, "get_transient_token", path=path)
    assert response.get("url", f"{server.http_url}/").startswith(f"{server.http_url}/")


# Sources that cannot be asked for


@pytest.mark.parametrize(
    "source",
    [
        "",
        "server://",
        "provider://",
        "server:/abc",
        "http://evil.example",
        "library://abc",
        "SERVER://abc",
        " server://abc",
        "server://a b",
        "server://a\nb",
        "abc",
    ],
)
async def test_what_is_no_source(
    hass: HomeAssistant, simulator: PlexSimulator, world: DemoWorld, source: str
) -> None:
    """What is no source is refused before any request."""
    await async_add_account(hass, simulator, world.two_factor, [world.living_room])
    simulator.requests.clear()
    failure = await async_failure(
        hass, "get_source_connection_information", source=source
    )
    assert isinstance(failure, ServiceValidationError)
    assert failure.translation_key == "invalid_source"
    assert failure.translation_placeholders == {"source": source}
    assert not simulator.requests


async def test_source_is_required(
    hass: HomeAssistant, simulator: PlexSimulator, world: DemoWorld
) -> None:
    """The action needs to know which source is meant."""
    await async_add_account(hass, simulator, world.two_factor, [world.living_room])
    with pytest.raises(vol.Invalid):
        await async_call(hass, "get_source_connection_information")


async def test_source_not_known(
    hass: HomeAssistant, simulator: PlexSimulator, world: DemoWorld
) -> None:
    """A source that the server does not know is the user's mistake."""
    await async_add_account(hass, simulator, world.two_factor, [world.living_room])
    failure = await async_failure(
        hass, "get_source_connection_information", source="server://abc"
    )
    assert isinstance(failure, ServiceValidationError)
    assert failure.translation_key == "source_not_found"
    assert failure.translation_placeholders == {
        "source": "server://abc",
        "name": "Living Room",
    }


async def test_source_of_a_shared_server(
    hass: HomeAssistant, simulator: PlexSimulator, world: DemoWorld
) -> None:
    """A server of somebody else is not asked, and no new sign-in is asked for."""
    entry = await async_add_account(hass, simulator, world.two_factor, [world.shared])
    simulator.requests.clear()
    failure = await async_failure(
        hass,
        "get_source_connection_information",
        source=source_of(world.living_room),
    )
    assert isinstance(failure, ServiceValidationError)
    assert failure.translation_key == "not_owner"
    assert failure.translation_placeholders == {"name": "Carla's Films"}
    assert not simulator.requests
    assert not reauth_flows(hass, entry)


async def test_source_of_an_old_server(
    hass: HomeAssistant, simulator: PlexSimulator, world: DemoWorld
) -> None:
    """A server that is too old is told to be that."""
    world.living_room.version = "1.15.3.123-abc"
    await async_add_account(hass, simulator, world.two_factor, [world.living_room])
    failure = await async_failure(
        hass,
        "get_source_connection_information",
        source=source_of(world.basement),
    )
    assert isinstance(failure, ServiceValidationError)
    assert failure.translation_key == "server_too_old"
    assert failure.translation_placeholders == {"name": "Living Room"}
    assert not simulator.requests_to("security_resources")


# What Plex does not do


# What only a sign-in or a request for a source meets.
ELSEWHERE = {
    errors.EmailRequiredError,
    errors.LinkExpiredError,
    errors.NotClaimedError,
    errors.NotOwnerError,
    errors.SignInBlockedError,
    errors.VerificationCodeWrongError,
    errors.WrongCredentialsError,
}
SERVER_ERRORS = [
    kind
    for kind in vars(errors).values()
    if isinstance(kind, type)
    and issubclass(kind, errors.PlexError)
    and kind not in ELSEWHERE
]


@pytest.mark.parametrize("kind", SERVER_ERRORS)
async def test_every_error_has_its_message(
    hass: HomeAssistant,
    simulator: PlexSimulator,
    world: DemoWorld,
    kind: type[errors.PlexError],
) -> None:
    """Whatever goes wrong is raised in words, with the server's name."""
    await async_add_account(hass, simulator, world.two_factor, [world.living_room])
    with patch.object(PlexServer, "transient_token", side_effect=kind):
        failure = await async_failure(hass, "get_transient_token")
    assert failure.translation_domain == DOMAIN
    assert failure.translation_key == error_key(kind())
    assert failure.translation_placeholders == {"name": "Living Room"}
    assert "Living Room" in str(failure)
    assert str(failure) != failure.translation_key


@pytest.mark.parametrize(
    ("fault", "key"),
    [
        (Fault.status(500), "unavailable"),
        (Fault.html(502), "unavailable"),
        (Fault.plex_error(1003, 429), "rate_limited"),
        (Fault.plex_error(1001, 401), "invalid_token"),
        (Fault.plex_error(1009, 403), "not_permitted"),
        (Fault.plex_error(1031, 401), "sign_in_blocked"),
        (Fault.reset(), "cannot_connect"),
        (Fault.redirect("http://evil.example/"), "unknown"),
        (Fault.body("{}"), "unknown"),
        (Fault.huge_body(), "unknown"),
    ],
    ids=[
        "500",
        "outage",
        "rate limit",
        "rejected",
        "forbidden",
        "blocked",
        "cut",
        "redirect",
        "nonsense",
        "huge",
    ],
)
@pytest.mark.parametrize(
    ("action", "endpoint"),
    [("get_token_details", "user"), ("get_servers", "resources")],
)
async def test_failures_of_plex_tv(
    hass: HomeAssistant,
    simulator: PlexSimulator,
    world: DemoWorld,
    action: str,
    endpoint: str,
    fault: Fault,
    key: str,
) -> None:
    """What plex.tv does not do is raised in words, with the account's name."""
    await async_add_account(hass, simulator, world.two_factor)
    simulator.faults.set(endpoint, fault)
    failure = await async_failure(hass, action)
    assert not isinstance(failure, ServiceValidationError)
    assert failure.translation_domain == DOMAIN
    assert failure.translation_key == key
    assert failure.translation_placeholders == {"name": "Anna"}
    assert "Anna" in str(failure)


async def test_plex_tv_stopped(
    hass: HomeAssistant, simulator: PlexSimulator, world: DemoWorld
) -> None:
    """plex.tv that cannot be reached is told to be that."""
    await async_add_account(hass, simulator, world.two_factor)
    await simulator.stop_plex_tv()
    for action in ACCOUNT_ACTIONS:
        failure = await async_failure(hass, action)
        assert failure.translation_key == "cannot_connect"


async def test_programming_error(
    hass: HomeAssistant, simulator: PlexSimulator, world: DemoWorld
) -> None:
    """An error that nobody thought of is raised in words as well."""
    await async_add_account(hass, simulator, world.two_factor)
    with patch.object(PlexTv, "user", side_effect=ZeroDivisionError):
        failure = await async_failure(hass, "get_token_details")
    assert failure.translation_key == "unknown"


@pytest.mark.parametrize("action", SERVER_ACTIONS)
@pytest.mark.parametrize(
    ("fault", "key"),
    [
        (Fault.status(500), "unavailable"),
        (Fault.status(429), "rate_limited"),
        (Fault.status(403), "not_permitted"),
        (Fault.status(401), "not_permitted"),
        (Fault.reset(), "secure_connection_required"),
        (Fault.redirect("http://evil.example/"), "unknown"),
        (Fault.body("{}"), "unknown"),
        (Fault.body("not json"), "unknown"),
        (Fault.html(200), "unavailable"),
    ],
    ids=["500", "429", "403", "401", "cut", "redirect", "empty", "text", "page"],
)
async def test_failures_of_a_server(
    hass: HomeAssistant,
    simulator: PlexSimulator,
    world: DemoWorld,
    action: str,
    fault: Fault,
    key: str,
) -> None:
    """What a server does not do is raised in words, with the server's name."""
    server = world.living_room
    await async_add_account(hass, simulator, world.two_factor, [server])
    server.faults.set("security_token", fault)
    server.faults.set("security_resources", fault)
    failure = await async_failure(hass, action, **SERVER_ACTIONS[action])
    assert failure.translation_domain == DOMAIN
    assert failure.translation_key == key
    assert failure.translation_placeholders == {"name": "Living Room"}


@pytest.mark.parametrize("action", SERVER_ACTIONS)
async def test_server_stopped(
    hass: HomeAssistant, simulator: PlexSimulator, world: DemoWorld, action: str
) -> None:
    """A server that is down fails the action, and the next call can succeed."""
    server = world.living_room
    await async_add_account(hass, simulator, world.two_factor, [server])
    await server.stop()
    failure = await async_failure(hass, action, **SERVER_ACTIONS[action])
    assert failure.translation_placeholders == {"name": "Living Room"}
    await server.start()
    await async_call(hass, action, **SERVER_ACTIONS[action])


# Secrets


async def test_no_secret_is_left_behind(
    hass: HomeAssistant,
    simulator: PlexSimulator,
    world: DemoWorld,
    freezer: FrozenDateTimeFactory,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """After all actions no token is in a state, an attribute, an event or the log."""
    for name in ("custom_components.plex_auth", "homeassistant", "aiohttp"):
        caplog.set_level(logging.DEBUG, logger=name)
    events = async_capture_events(hass, "state_changed")
    calls = async_capture_events(hass, "call_service")
    anna, server = world.two_factor, world.living_room
    entry = await async_add_account(
        hass, simulator, anna, [server, world.basement, world.shared]
    )
    device_id = device_of(hass, entry, server).id
    for action, data in ACTIONS.items():
        where = {"device_id": device_id} if action in SERVER_ACTIONS else {}
        await async_call(hass, action, **where, **data)
    await async_call(
        hass,
        "get_source_connection_information",
        device_id=device_id,
        source=source_of(world.basement),
    )
    server.rotate_access_tokens()
    response = await async_call(
        hass,
        "get_transient_token",
        device_id=device_id,
        path="/library/metadata/1/thumb",
    )
    assert response["token"] in simulator.secrets()
    await async_pass(hass, freezer, timedelta(minutes=5))
    await server.restart()
    await async_pass(hass, freezer, timedelta(minutes=5))
    anna.revoke_tokens()
    await async_failure(hass, "get_token_details")
    await async_failure(hass, "get_servers")
    server.rotate_access_tokens()
    await async_failure(hass, "get_transient_token", device_id=device_id)
    await server.stop()
    await async_failure(hass, "get_transient_token", device_id=device_id)

    shown = "\n".join(
        [
            *(str(state.as_dict()) for state in hass.states.async_all()),
            *(str(event.as_dict()) for event in (*events, *calls)),
            *(
                str(device.dict_repr)
                for device in dr.async_entries_for_config_entry(
                    dr.async_get(hass), entry.entry_id
                )
            ),
        ]
    )
    logged = caplog.text
    assert "custom_components.plex_auth" in logged
    for secret in simulator.secrets() | {anna.email}:
        assert secret not in shown
        assert secret not in logged

"""The actions: what they return, whom they serve, and how they fail."""

from collections.abc import Mapping
from contextlib import suppress
from datetime import timedelta
import json
from typing import Any
from unittest.mock import patch
from urllib.parse import quote

import aiohttp
from aiohttp import web
from aiohttp.test_utils import TestServer
from freezegun.api import FrozenDateTimeFactory
import pytest
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    async_capture_events,
)
from syrupy.assertion import SnapshotAssertion
import voluptuous as vol

from custom_components.plex_auth.api import errors
from custom_components.plex_auth.api.plex_tv import PlexTv
from custom_components.plex_auth.api.server import PlexServer
from custom_components.plex_auth.const import DOMAIN
from custom_components.plex_auth.messages import error_key
from homeassistant.config_entries import ConfigEntryDisabler
from homeassistant.const import STATE_UNKNOWN
from homeassistant.exceptions import ServiceValidationError
from homeassistant.helpers import device_registry as dr
from homeassistant.helpers.selector import selector
from homeassistant.helpers.service import async_get_all_descriptions
from homeassistant.setup import async_setup_component
from homeassistant.util import dt as dt_util

from .harness import Harness
from .helpers import (
    device_of,
    fields_of_action,
    home_user_data,
    server_data,
    source_of,
    subentry_of,
)
from .plex_simulator import Fault, MediaServer, Way
from .plex_simulator.library import Item, Kind
from .plex_simulator.worlds import PODCASTS, async_fixed_world
from .walks.names import Action

ACCOUNT_ACTIONS = ("get_token_details", "get_servers", "get_devices")
SERVER_ACTIONS: Mapping[str, Mapping[str, str]] = {
    "get_transient_token": {},
    "get_source_connection_information": {"source": f"provider://{PODCASTS}"},
}


async def test_described(harness: Harness, caplog: pytest.LogCaptureFixture) -> None:
    """Home Assistant takes the descriptions; examples and defaults fit their fields."""
    await harness.add(harness.ben)
    described = (await async_get_all_descriptions(harness.hass))[DOMAIN]
    assert set(described) == set(Action)
    assert "services.yaml" not in caplog.text
    for action, description in described.items():
        assert description["response"] == {"optional": False}, action
        for name, field in fields_of_action(description).items():
            takes = vol.Schema(selector(field["selector"]))
            for key in ("default", "example"):
                if key in field:
                    assert takes(field[key]) == field[key], (action, name)


async def assert_refused(harness: Harness, action: str, key: str, **data: str) -> None:
    """Assert that what was typed is the user's mistake, and that nobody was asked."""
    harness.simulator.requests.clear()
    failure = await harness.failure(action, **data)
    assert isinstance(failure, ServiceValidationError)
    assert failure.translation_key == key
    assert not failure.translation_placeholders
    assert not harness.simulator.requests


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
    harness: Harness, freezer: FrozenDateTimeFactory, snapshot: SnapshotAssertion
) -> None:
    """The details of the account are fresh, complete, and without a secret."""
    freezer.move_to("2026-11-24 12:00:00+00:00")
    paula = (await async_fixed_world(harness.simulator)).plex_pass
    await harness.add(paula)
    paula.friendly_name = "Paula P."
    response = await harness.call("get_token_details")
    assert response == snapshot
    assert response["account"]["friendly_name"] == "Paula P."
    assert not any(secret in str(response) for secret in harness.simulator.secrets())


async def test_get_token_details_again_after_a_rejection(
    harness: Harness, entry: MockConfigEntry
) -> None:
    """The action asks plex.tv although polling has stopped, and the entities follow."""
    harness.simulator.faults.set("user", Fault.plex_error(1001, 401))
    failure = await harness.failure("get_token_details")
    assert failure.translation_key == "invalid_token"
    assert harness.state("binary_sensor.sign_in") == "on"
    assert harness.reauth_flows(entry)
    harness.simulator.faults.clear()
    response = await harness.call("get_token_details")
    assert response["account"]["uuid"] == harness.anna.uuid
    await harness.settle()
    assert harness.state("binary_sensor.sign_in") == "off"
    assert not harness.reauth_flows(entry)


async def test_get_servers(harness: Harness) -> None:
    """All servers are listed, own and shared, added or not, without their tokens."""
    await harness.add(harness.anna, harness.server)
    await harness.world.basement.stop()
    response = await harness.call("get_servers")
    assert response == {
        "servers": [
            {
                "name": server.name,
                "source": source_of(server),
                "added": server is harness.server,
                "owned": server is not harness.world.shared,
                "presence": server is not harness.world.basement,
                "version": server.version,
                "connections": connections_of(server),
            }
            for server in (harness.server, harness.world.basement, harness.world.shared)
        ]
    }
    assert not any(secret in str(response) for secret in harness.simulator.secrets())


async def test_get_servers_is_fresh(harness: Harness) -> None:
    """A server that is new at plex.tv is in the next response."""
    await harness.add(harness.world.without_servers)
    assert await harness.call("get_servers") == {"servers": []}
    server = await harness.simulator.add_server("New", harness.world.without_servers)
    (listed,) = (await harness.call("get_servers"))["servers"]
    assert listed["source"] == source_of(server)


async def test_get_transient_token(
    harness: Harness, freezer: FrozenDateTimeFactory, entry: MockConfigEntry
) -> None:
    """A transient token comes with its life and the way to its server."""
    response = await harness.call("get_transient_token")
    now = dt_util.utcnow()
    (token,) = harness.server.transient_tokens
    assert response == {
        "token": token,
        "type": "delegation",
        "scope": "all",
        "issued_at": now.isoformat(),
        "expires_at": (now + timedelta(hours=48)).isoformat(),
        "server": {
            "name": "Living Room",
            "machine_identifier": harness.server.machine_identifier,
            "uri": harness.server.http_url,
            "connection": "local",
        },
    }
    assert harness.server.accepts_transient_token(token)
    (request,) = harness.simulator.requests_to("security_token")
    assert request.query == {"type": "delegation", "scope": "all"}
    assert request.headers["X-Plex-Token"] == harness.server.access_token_for(
        harness.anna
    )


async def test_get_transient_token_of_a_shared_server(harness: Harness) -> None:
    """A shared server is asked with the token that plex.tv lists for it."""
    shared = harness.world.shared
    await harness.add(harness.anna, shared, harness.server)
    await harness.transient_token(shared)
    (request,) = harness.simulator.requests_to("security_token")
    assert request.host == shared.machine_identifier
    assert request.headers["X-Plex-Token"] == shared.access_token_for(harness.anna)


@pytest.mark.parametrize("data", [{"type": "other"}, {"scope": "some"}, {"more": 1}])
@pytest.mark.usefixtures("entry")
async def test_get_transient_token_of_another_kind(
    harness: Harness, data: dict[str, Any]
) -> None:
    """Types, scopes and fields that do not exist are refused before any request."""
    await harness.call("get_transient_token", type="delegation", scope="all")
    harness.simulator.requests.clear()
    with pytest.raises(vol.Invalid):
        await harness.call("get_transient_token", **data)
    assert not harness.simulator.requests


async def test_get_transient_token_says_by_which_way(
    harness: Harness, plex_direct: None
) -> None:
    """The response names the connection that was used."""
    for way in (Way.LOCAL, Way.REMOTE):
        await harness.server.close_way(way)
    await harness.add(harness.anna, harness.server)
    response = await harness.call("get_transient_token")
    assert response["server"]["connection"] == Way.RELAY
    (relay,) = (one for one in harness.server.connections if one.relay)
    assert response["server"]["uri"] == relay.uri


@pytest.mark.parametrize("refresh", [False, True])
async def test_get_source_connection_information(
    harness: Harness, refresh: bool
) -> None:
    """How another server is reached is told with the token for it."""
    server, source = harness.server, source_of(harness.world.basement)
    await harness.add(harness.anna, server)
    response = await harness.call(
        "get_source_connection_information", source=source, refresh=refresh
    )
    (token,) = harness.world.basement.transient_tokens
    assert response == {
        "source": source,
        "name": "Basement",
        "client_identifier": harness.world.basement.machine_identifier,
        "access_token": token,
        "connections": connections_of(harness.world.basement),
        "best": connections_of(harness.world.basement)[0],
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
    harness: Harness, as_list: bool
) -> None:
    """A provider is a source as well; the shape of the server's answer varies."""
    harness.server.device_as_list = as_list
    await harness.add(harness.anna, harness.server)
    response = await harness.call(
        "get_source_connection_information", source=f"provider://{PODCASTS}"
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
    harness: Harness,
) -> None:
    """A source that has no address has no best one."""
    harness.world.basement.connections = []
    await harness.add(harness.anna, harness.server)
    response = await harness.call(
        "get_source_connection_information", source=source_of(harness.world.basement)
    )
    assert response["connections"] == []
    assert response["best"] is None


# Which account, which server


@pytest.mark.parametrize("action", ACCOUNT_ACTIONS)
async def test_account_of_a_call(harness: Harness, action: str) -> None:
    """The only account is meant where none is named; of several one must be."""
    assert await async_setup_component(harness.hass, DOMAIN, {})
    failure = await harness.failure(action)
    assert failure.translation_key == "service_found_no_config_entry_for_domain"
    anna, ben = harness.anna, harness.ben
    first = await harness.add(anna)
    await harness.call(action)
    second = await harness.add(ben)
    failure = await harness.failure(action)
    assert isinstance(failure, ServiceValidationError)
    assert failure.translation_key == "choose_account"
    for entry in (first, second):
        harness.simulator.requests.clear()
        await harness.call(action, config_entry_id=entry.entry_id)
        assert {
            request.headers["X-Plex-Token"] for request in harness.simulator.requests
        } == {entry.data["token"]}


async def test_accounts_that_cannot_be_asked(harness: Harness) -> None:
    """Unknown, foreign and unloaded entries are told apart."""
    action = "get_token_details"
    entry = await harness.add(harness.anna)
    foreign = MockConfigEntry(domain="other")
    foreign.add_to_hass(harness.hass)
    await harness.hass.config_entries.async_unload(entry.entry_id)
    for entry_id, key in (
        ("unknown", "unknown_account"),
        (foreign.entry_id, "service_config_entry_wrong_domain"),
        (entry.entry_id, "account_not_ready"),
        (None, "account_not_ready"),
    ):
        target = {} if entry_id is None else {"config_entry_id": entry_id}
        failure = await harness.failure(action, **target)
        assert isinstance(failure, ServiceValidationError)
        assert failure.translation_key == key


async def test_disabled_account(harness: Harness, entry: MockConfigEntry) -> None:
    """Each way to name a disabled account, or a server of it, ends in what to do."""
    entries = harness.hass.config_entries
    await entries.async_set_disabled_by(entry.entry_id, ConfigEntryDisabler.USER)
    device_id = device_of(harness.hass, entry, harness.server).id
    for action, target in (
        ("get_token_details", {}),
        ("get_token_details", {"config_entry_id": entry.entry_id}),
        ("get_transient_token", {}),
        ("get_transient_token", {"device_id": device_id}),
    ):
        failure = await harness.failure(action, **target)
        assert isinstance(failure, ServiceValidationError)
        assert failure.translation_key == "account_disabled"
        assert failure.translation_placeholders == {"name": "Anna"}
    await harness.add(harness.ben)
    response = await harness.call("get_token_details")
    assert response["account"]["title"] == "Ben"


@pytest.mark.usefixtures("entry")
async def test_address_without_an_identity(harness: Harness) -> None:
    """A 404 of an address is not one of the source."""
    harness.server.faults.set("identity", Fault.status(404))
    source = SERVER_ACTIONS["get_source_connection_information"]
    failure = await harness.failure("get_source_connection_information", **source)
    assert failure.translation_key == "unavailable"


@pytest.mark.parametrize("action", SERVER_ACTIONS)
async def test_server_of_a_call(harness: Harness, action: str) -> None:
    """The only server is meant where none is named; of several one must be."""
    data = SERVER_ACTIONS[action]
    assert await async_setup_component(harness.hass, DOMAIN, {})
    failure = await harness.failure(action, **data)
    assert isinstance(failure, ServiceValidationError)
    assert failure.translation_key == "no_server"
    await harness.add(harness.ben)
    failure = await harness.failure(action, **data)
    assert failure.translation_key == "no_server"

    servers = [harness.server, harness.world.basement]
    harness.world.basement.add_provider(PODCASTS, "Podcasts")
    entry = await harness.add(harness.anna, *servers[:1])
    await harness.hass.config_entries.async_unload(entry.entry_id)
    failure = await harness.failure(action, **data)
    assert isinstance(failure, ServiceValidationError)
    assert failure.translation_key == "account_not_ready"
    assert failure.translation_placeholders == {"name": "Anna"}
    await harness.hass.config_entries.async_setup(entry.entry_id)
    assert (await harness.call(action, **data))["server"]["name"] == "Living Room"
    other = await harness.add(
        harness.world.yearly, server_data(harness.world.shared, harness.world.yearly)
    )
    failure = await harness.failure(action, **data)
    assert isinstance(failure, ServiceValidationError)
    assert failure.translation_key == "choose_server"
    response = await harness.call(
        action, device_id=device_of(harness.hass, entry, harness.server).id, **data
    )
    assert response["server"]["name"] == "Living Room"
    await harness.hass.config_entries.async_unload(other.entry_id)
    assert (await harness.call(action, **data))["server"]["name"] == "Living Room"


async def test_servers_that_cannot_be_asked(
    harness: Harness, device_registry: dr.DeviceRegistry
) -> None:
    """Unknown and foreign devices, accounts and unloaded servers are told apart."""
    action = "get_transient_token"
    entry = await harness.add(harness.anna, harness.server)
    foreign = MockConfigEntry(domain="other")
    foreign.add_to_hass(harness.hass)
    foreign_device = device_registry.async_get_or_create(
        config_entry_id=foreign.entry_id, identifiers={("other", "1")}, name="Other"
    )
    account = device_of(harness.hass, entry)
    for device_id, key in (
        ("unknown", "unknown_device"),
        (foreign_device.id, "service_device_wrong_domain"),
        (account.id, "not_a_server"),
    ):
        failure = await harness.failure(action, device_id=device_id)
        assert isinstance(failure, ServiceValidationError)
        assert failure.translation_key == key
    assert failure.translation_placeholders == {"name": "Anna"}
    device_registry.async_update_device(account.id, name_by_user="My Plex")
    failure = await harness.failure(action, device_id=account.id)
    assert failure.translation_placeholders == {"name": "My Plex"}
    server = device_of(harness.hass, entry, harness.server)
    await harness.hass.config_entries.async_unload(entry.entry_id)
    failure = await harness.failure(action, device_id=server.id)
    assert isinstance(failure, ServiceValidationError)
    assert failure.translation_key == "account_not_ready"


# Addresses to play


@pytest.mark.usefixtures("entry")
async def test_path(harness: Harness) -> None:
    """With a path the response has an address that plays as it is."""
    for path, query in (
        ("/library/metadata/1/thumb", {}),
        ("/library/metadata/1/art", {}),
        ("/library/metadata/1/thumb/1700000000", {}),
        ("/library/metadata/1/thumb?width=100&height=50", {"width": "100"}),
        ("/library/metadata/1/thumb?a=b%26c&d=%2B", {"a": "b&c", "d": "+"}),
        ("/library/metadata/M%C3%BCnchen%20%2F1/thumb", {}),
        ("/library/metadata/München/thumb#part", {}),
    ):
        harness.simulator.requests.clear()
        response = await harness.call("get_transient_token", path=path)
        begin = f"{harness.server.http_url}/library/metadata/"
        assert response["url"].startswith(begin), path
        async with (
            aiohttp.ClientSession() as session,
            session.get(response["url"]) as reply,
        ):
            assert (reply.status, reply.content_type) == (200, "image/png"), path
        (request,) = harness.simulator.requests_to("media")
        assert request.query["X-Plex-Token"] == response["token"]
        assert query.items() <= request.query.items(), path


@pytest.mark.usefixtures("entry")
async def test_path_keeps_what_is_encoded(harness: Harness) -> None:
    """A path is neither decoded nor encoded a second time."""
    response = await harness.call(
        "get_transient_token", path="/library/parts/1%2F2/a%20b.mkv?x=1%3D1"
    )
    assert response["url"] == (
        f"{harness.server.http_url}/library/parts/1%2F2/a%20b.mkv"
        f"?x=1%3D1&X-Plex-Token={response['token']}"
    )


async def test_path_behind_a_proxy(harness: Harness) -> None:
    """A path goes behind the one that a proxy has for the server."""

    async def forward(request: web.Request) -> web.Response:
        address = f"{harness.server.http_url}/{request.match_info['path']}"
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
        await harness.add(
            harness.anna,
            server_data(
                harness.server, harness.anna, url=str(proxy.make_url("/plex/"))
            ),
        )
        response = await harness.call(
            "get_transient_token", path="/library/metadata/1/thumb"
        )
        assert response["server"]["uri"] == str(proxy.make_url("/plex"))
        async with (
            aiohttp.ClientSession() as session,
            session.get(response["url"]) as reply,
        ):
            assert reply.status == 200


NO_PATHS = [
    "",
    "library/metadata/1",
    " /library",
    "//evil.example/library",
    "//[]@",
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
    "#",
    "http://[",
    "https://app.plex.tv/desktop/#!/",
    "https://app.plex.tv/desktop/#!/server/abc",
    "https://app.plex.tv/desktop/#!/server/abc/details?key=1",
    "https://app.plex.tv/desktop/#!/server/abc/list?key=/library/metadata/1",
    "https://app.plex.tv/desktop/#!/provider/tv.plex/details?key=/library/metadata/1",
    "https://watch.plex.tv/movie/the-long-way-home",
]
PATHS_WITH_A_TOKEN = [
    "?X-Plex-Token=1",
    "/library/metadata/1?X-Plex-Token=1",
    "/library/metadata/1?x-plex-token=1",
    "/library/metadata/1?X%2DPlex%2DToken=1",
    "http://192.168.1.5:32400/library/metadata/1?X-Plex-Token=1",
    "https://app.plex.tv/desktop/#!/server/abc/details?key=%2Flibrary%2Fmetadata%2F1"
    "%3FX%252DPlex-Token%3D1",
]
STRANGE_PATHS = [
    "/../../etc",
    "/a/..//evil.example/",
    "/.//evil.example",
    "/a//b",
    "/@evil",
    "/:80",
]


@pytest.mark.usefixtures("entry")
async def test_what_is_no_path(harness: Harness) -> None:
    """What may lead elsewhere, to no item or has a token is refused, and not recorded."""
    for path in NO_PATHS:
        await assert_refused(harness, "get_transient_token", "invalid_path", path=path)
    events = async_capture_events(harness.hass, "call_service")
    for path in PATHS_WITH_A_TOKEN:
        await assert_refused(harness, "get_transient_token", "token_in_path", path=path)
    assert not events
    for path in STRANGE_PATHS:
        response: dict[str, Any] = {}
        with suppress(ServiceValidationError):
            response = await harness.call("get_transient_token", path=path)
        base = f"{harness.server.http_url}/"
        assert response.get("url", base).startswith(base), path


# Items to play


def page_of(item: Item, server: MediaServer) -> str:
    """Return the address of an item's page in Plex Web."""
    path = quote(item.path, safe="")
    machine_identifier = server.machine_identifier
    return (
        f"https://app.plex.tv/desktop/#!/server/{machine_identifier}/details?key={path}"
    )


PAGES_OF_AN_ITEM = [
    "{path}",
    "{path}/",
    "https://app.plex.tv/desktop/#!/server/{server}/details?key={key}",
    "https://app.plex.tv/desktop#!/server/{server}//details?key={key}",
    "https://app.plex.tv/desktop/#!/server/{server}/details?key={path}",
    "https://app.plex.tv/desktop/#!/server/{server}/details?a=b&key={key}&context=x",
    " http://nas:32400/web/index.html#!/server/{server}/details?key={key}\n",
    "app.plex.tv/web/app#!/server/{server}/details/{key}",
]


async def play(url: str) -> tuple[int, bytes]:
    """Play an address as a player does that knows nothing of Plex."""
    async with aiohttp.ClientSession() as player, player.get(url) as reply:
        return reply.status, await reply.read()


@pytest.mark.usefixtures("entry")
async def test_item(harness: Harness) -> None:
    """An item, or the address of its page, gives an address that plays its first part."""
    film = harness.world.film
    part = film.versions[0][0]
    for address in PAGES_OF_AN_ITEM:
        path = address.format(
            path=film.path,
            key=quote(film.path, safe=""),
            server=harness.server.machine_identifier,
        )
        harness.simulator.requests.clear()
        response = await harness.call("get_transient_token", path=path)
        assert response["url"] == (
            f"{harness.server.http_url}{part.key}?X-Plex-Token={response['token']}"
        ), address
        assert len(harness.simulator.requests_to("item")) == 1
        assert await play(response["url"]) == (200, part.content)
        (played,) = harness.simulator.requests_to("part")
        assert played.query == {"X-Plex-Token": response["token"]}
        assert "X-Plex-Token" not in played.headers


@pytest.mark.usefixtures("entry")
async def test_what_plays_not(harness: Harness) -> None:
    """A show has no part of its own, and no token is issued for it."""
    failure = await harness.failure("get_transient_token", path=harness.world.show.path)
    assert isinstance(failure, ServiceValidationError)
    assert failure.translation_key == "item_without_part"
    assert not harness.server.transient_tokens


@pytest.mark.usefixtures("entry")
async def test_children_of_an_item_are_a_path(harness: Harness) -> None:
    """What lies below an item, or is asked with a query, is a path like any other."""
    show = harness.world.show
    for path in (f"{show.path}/children", f"{show.path}?includeMarkers=1"):
        response = await harness.call("get_transient_token", path=path)
        assert response["url"].startswith(f"{harness.server.http_url}{path}")
        status, content = await play(response["url"])
        assert (status, b"Neighbours" in content) == (200, True)


@pytest.mark.usefixtures("entry")
async def test_item_not_found(harness: Harness) -> None:
    """An item that the server does not have is the user's mistake."""
    failure = await harness.failure("get_transient_token", path="/library/metadata/999")
    assert isinstance(failure, ServiceValidationError)
    assert failure.translation_key == "item_not_found"
    assert failure.translation_placeholders == {"name": "Living Room"}
    assert not harness.server.transient_tokens


async def test_page_names_its_server(harness: Harness) -> None:
    """Of several servers the one is meant whose page was pasted; no other is asked."""
    shared = harness.world.shared
    film = shared.library.add(Kind.MOVIE, "Fog", ["/films/Fog.mkv"])
    entry = await harness.add(harness.anna, harness.server, shared)
    response = await harness.call("get_transient_token", path=page_of(film, shared))
    assert response["server"]["name"] == "Carla's Films"
    assert await play(response["url"]) == (200, film.versions[0][0].content)
    device_id = device_of(harness.hass, entry, shared).id
    await harness.call(
        "get_transient_token", device_id=device_id, path=page_of(film, shared)
    )
    harness.simulator.requests.clear()
    failure = await harness.failure(
        "get_transient_token",
        device_id=device_id,
        path=page_of(harness.world.film, harness.server),
    )
    assert isinstance(failure, ServiceValidationError)
    assert failure.translation_key == "item_of_other_server"
    assert failure.translation_placeholders == {"name": "Carla's Films"}
    failure = await harness.failure("get_transient_token", path=harness.world.film.path)
    assert failure.translation_key == "choose_server"
    assert not harness.simulator.requests


async def test_page_of_a_server_that_is_not_there(harness: Harness) -> None:
    """A page of a server that was not added, or is not ready, says which it is."""
    entry = await harness.add(harness.anna, harness.server)
    page = page_of(harness.world.film, harness.world.basement)
    await assert_refused(harness, "get_transient_token", "server_not_added", path=page)
    await harness.hass.config_entries.async_unload(entry.entry_id)
    await assert_refused(harness, "get_transient_token", "server_not_added", path=page)
    page = page_of(harness.world.film, harness.server)
    failure = await harness.failure("get_transient_token", path=page)
    assert failure.translation_key == "account_not_ready"


# Sources by name


async def test_source_by_name(harness: Harness) -> None:
    """A source may be named as plex.tv or Home Assistant names a server."""
    basement, shared = harness.world.basement, harness.world.shared
    entry = await harness.add(harness.anna, harness.server, basement)
    harness.hass.config_entries.async_update_subentry(
        entry, subentry_of(entry, basement), title="Cellar"
    )
    await harness.settle()
    for source, wanted in (
        ("Basement", basement),
        (" bAsEmEnT ", basement),
        ("Carla's Films", shared),
        ("carla's films (carla)", shared),
        ("Cellar", basement),
    ):
        response = await harness.call(
            "get_source_connection_information",
            device_id=device_of(harness.hass, entry, harness.server).id,
            source=source,
        )
        assert response["source"] == source_of(wanted), source
        assert response["name"] == wanted.name


async def test_source_by_a_name_of_two(harness: Harness) -> None:
    """Where two servers have a name it is said what to use, and nobody is asked."""
    other = await harness.simulator.add_server("basement", harness.anna)
    await harness.add(harness.anna, harness.server)
    harness.simulator.requests.clear()
    failure = await harness.failure(
        "get_source_connection_information", source="Basement"
    )
    assert isinstance(failure, ServiceValidationError)
    assert failure.translation_key == "ambiguous_source"
    sources = sorted(map(source_of, (harness.world.basement, other)))
    assert failure.translation_placeholders == {"sources": ", ".join(sources)}
    assert all(source in str(failure) for source in sources)
    assert not harness.simulator.requests


async def test_source_by_a_name_of_very_many(harness: Harness) -> None:
    """A message names ten servers at most, however many have the name."""
    rows = [
        {"name": "Twin", "clientIdentifier": f"{number:04}", "provides": "server"}
        for number in range(2_000)
    ]
    harness.simulator.faults.set("resources", Fault.body(json.dumps(rows)))
    await harness.add(harness.anna, harness.server)
    failure = await harness.failure("get_source_connection_information", source="Twin")
    assert failure.translation_placeholders is not None
    shown = failure.translation_placeholders["sources"].split(", ")
    assert shown == [*(f"server://{number:04}" for number in range(10)), "…"]


async def test_source_by_name_while_plex_tv_is_away(harness: Harness) -> None:
    """A server of Home Assistant is known by its name though plex.tv never listed it."""
    await harness.simulator.stop_plex_tv()
    entry = await harness.add(harness.anna, harness.server, harness.world.basement)
    response = await harness.call(
        "get_source_connection_information",
        device_id=device_of(harness.hass, entry, harness.server).id,
        source="Basement",
    )
    assert response["source"] == source_of(harness.world.basement)


# Sources that cannot be asked for


@pytest.mark.usefixtures("entry")
async def test_what_is_no_source(harness: Harness) -> None:
    """What is no source is refused before any request."""
    for source in (
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
    ):
        action = "get_source_connection_information"
        await assert_refused(harness, action, "invalid_source", source=source)


@pytest.mark.usefixtures("entry")
async def test_source_is_required(harness: Harness) -> None:
    """The action needs to know which source is meant."""
    with pytest.raises(vol.Invalid):
        await harness.call("get_source_connection_information")


@pytest.mark.usefixtures("entry")
async def test_source_not_known(harness: Harness) -> None:
    """A source that the server does not know is the user's mistake."""
    failure = await harness.failure(
        "get_source_connection_information", source="server://abc"
    )
    assert isinstance(failure, ServiceValidationError)
    assert failure.translation_key == "source_not_found"
    assert failure.translation_placeholders == {"name": "Living Room"}


async def test_source_of_a_shared_server(harness: Harness) -> None:
    """A server of somebody else is not asked, and no new sign-in is asked for."""
    entry = await harness.add(harness.anna, harness.world.shared)
    harness.simulator.requests.clear()
    failure = await harness.failure(
        "get_source_connection_information", source=source_of(harness.server)
    )
    assert isinstance(failure, ServiceValidationError)
    assert failure.translation_key == "not_owner"
    assert failure.translation_placeholders == {
        "account": "Anna",
        "name": "Carla's Films",
    }
    assert not harness.simulator.requests
    assert not harness.reauth_flows(entry)


async def test_source_of_an_old_server(harness: Harness) -> None:
    """A server that is too old is told to be that."""
    harness.server.version = "1.15.3.123-abc"
    await harness.add(harness.anna, harness.server)
    failure = await harness.failure(
        "get_source_connection_information", source=source_of(harness.world.basement)
    )
    assert isinstance(failure, ServiceValidationError)
    assert failure.translation_key == "server_too_old"
    assert failure.translation_placeholders == LIVING_ROOM
    assert not harness.simulator.requests_to("security_resources")


# What Plex does not do


LIVING_ROOM = {"account": "Anna", "name": "Living Room"}

# What only a sign-in, a switch of the Home user, a claim, a list or a request for a source
# meets.
ELSEWHERE = {
    errors.ClaimFailedError,
    errors.ClaimedElsewhereError,
    errors.TooManyDevicesError,
    errors.EmailRequiredError,
    errors.LinkExpiredError,
    errors.NetworkNotTrustedError,
    errors.NotClaimedError,
    errors.NotListedYetError,
    errors.NotOwnerError,
    errors.PinWrongError,
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


@pytest.mark.usefixtures("entry")
async def test_every_error_has_its_message(harness: Harness) -> None:
    """Whatever goes wrong is raised in words, with the name that it is about."""
    for kind in SERVER_ERRORS:
        with patch.object(PlexServer, "transient_token", side_effect=kind):
            failure = await harness.failure("get_transient_token")
        assert failure.translation_domain == DOMAIN
        assert failure.translation_key == error_key(kind()), kind
        assert failure.translation_placeholders == LIVING_ROOM
        is_of_account = kind in (errors.SignInBlockedError, errors.TokenRejectedError)
        assert ("Anna" if is_of_account else "Living Room") in str(failure), kind
        assert str(failure) != failure.translation_key


@pytest.mark.parametrize(
    ("action", "endpoint"),
    [("get_token_details", "user"), ("get_servers", "resources")],
)
async def test_failures_of_plex_tv(
    harness: Harness, action: str, endpoint: str
) -> None:
    """What plex.tv does not do is raised in words that name plex.tv or the account."""
    await harness.add(harness.anna)
    for fault, key in (
        (Fault.status(500), "unavailable"),
        (Fault.plex_error(1003, 429), "rate_limited"),
        (Fault.plex_error(1009, 403), "plex_tv_not_permitted"),
        (Fault.plex_error(1031, 401), "sign_in_blocked"),
        (Fault.redirect("http://evil.example/"), "unknown"),
        (Fault.plex_error(1001, 401), "invalid_token"),
    ):
        harness.simulator.faults.set(endpoint, fault)
        failure = await harness.failure(action)
        assert not isinstance(failure, ServiceValidationError)
        assert failure.translation_domain == DOMAIN
        assert failure.translation_key == key
        assert failure.translation_placeholders == {
            "account": "Anna",
            "name": "plex.tv",
        }
        is_of_account = key in ("sign_in_blocked", "invalid_token")
        assert ("Anna" in str(failure)) is is_of_account
        assert ("plex.tv" in str(failure)) is not is_of_account


async def test_plex_tv_stopped(harness: Harness) -> None:
    """plex.tv that cannot be reached is told to be that."""
    await harness.add(harness.anna)
    await harness.simulator.stop_plex_tv()
    for action in ACCOUNT_ACTIONS:
        failure = await harness.failure(action)
        assert failure.translation_key == "plex_tv_cannot_connect"
        assert str(failure) == "The connection to plex.tv failed"


async def test_programming_error(harness: Harness) -> None:
    """An error that nobody thought of is raised in words as well."""
    await harness.add(harness.anna)
    with patch.object(PlexTv, "user", side_effect=ZeroDivisionError):
        failure = await harness.failure("get_token_details")
    assert failure.translation_key == "unknown"


@pytest.mark.parametrize("action", SERVER_ACTIONS)
@pytest.mark.usefixtures("entry")
async def test_failures_of_a_server(harness: Harness, action: str) -> None:
    """What a server does not do is raised in words, with the server's name."""
    for fault, key in (
        (Fault.status(500), "unavailable"),
        (Fault.status(429), "rate_limited"),
        (Fault.status(403), "not_permitted"),
        (Fault.reset(), "secure_connection_required"),
        (Fault.redirect("http://evil.example/"), "unknown"),
        (Fault.html(200), "unavailable"),
    ):
        harness.server.faults.set("security_token", fault)
        harness.server.faults.set("security_resources", fault)
        failure = await harness.failure(action, **SERVER_ACTIONS[action])
        assert failure.translation_domain == DOMAIN
        assert failure.translation_key == key
        assert failure.translation_placeholders == LIVING_ROOM


@pytest.mark.usefixtures("entry")
async def test_server_that_gives_no_token(harness: Harness) -> None:
    """A server that answers without a token makes an error, never a token `None`."""
    for answer in ("{}", '{"token": null}', '{"token": ""}'):
        body = f'{{"MediaContainer": {answer}}}'
        harness.server.faults.set("security_token", Fault.body(body))
        failure = await harness.failure("get_transient_token")
        assert failure.translation_key == "unknown"
        assert harness.state("sensor.transient_token_expires") == STATE_UNKNOWN


@pytest.mark.parametrize("action", SERVER_ACTIONS)
@pytest.mark.usefixtures("entry")
async def test_server_stopped(harness: Harness, action: str) -> None:
    """A server that is down fails the action, and the next call can succeed."""
    await harness.server.stop()
    failure = await harness.failure(action, **SERVER_ACTIONS[action])
    assert failure.translation_placeholders == LIVING_ROOM
    await harness.server.start()
    await harness.call(action, **SERVER_ACTIONS[action])


# Home users


async def test_servers_of_a_home_user(harness: Harness, entry: MockConfigEntry) -> None:
    """They are those that plex.tv lists for the user now, without a token."""
    child = harness.world.home.child
    await harness.add_home_user(entry, child)
    harness.world.basement.shared_with.append(child)
    device = harness.home_user_device(child)
    response = await harness.call("get_servers", home_user=device)
    assert response["home_user"] == "Lina"
    servers = {one["name"]: one for one in response["servers"]}
    assert {name: one["added"] for name, one in servers.items()} == {
        "Living Room": True,
        "Basement": False,
    }
    assert not any(one["owned"] for one in servers.values())
    assert not [one for one in harness.simulator.secrets() if one in str(response)]
    assert "home_user" not in await harness.call("get_servers")


@pytest.mark.parametrize("action", ["get_servers", "get_transient_token"])
async def test_home_user_of_a_call(
    harness: Harness, entry: MockConfigEntry, action: str
) -> None:
    """What is no Home user, or not of that account, is told; nobody is asked."""
    child = harness.world.home.child
    await harness.add_home_user(entry, child)
    other = await harness.add(harness.ben, harness.server)
    user = harness.home_user_device(child)
    account = device_of(harness.hass, entry)
    server = device_of(harness.hass, entry, harness.server)
    foreign: dict[str, str] = (
        {"config_entry_id": other.entry_id}
        if action == "get_servers"
        else {"device_id": device_of(harness.hass, other, harness.server).id}
    )
    harness.simulator.requests.clear()
    for fields, key, placeholders in (
        ({"home_user": "unknown"}, "unknown_device", {}),
        ({"home_user": account.id}, "not_a_home_user", {"name": "Anna"}),
        ({"home_user": server.id}, "not_a_home_user", {"name": "Living Room"}),
        (
            {"home_user": user, **foreign},
            "home_user_of_other_account",
            {"home_user": "Lina", "account": "Anna"},
        ),
    ):
        failure = await harness.failure(action, **fields)
        assert isinstance(failure, ServiceValidationError)
        assert failure.translation_key == key
        assert (failure.translation_placeholders or {}) == placeholders
    assert not harness.simulator.requests
    # Of two accounts, the one of the user is meant.
    assert (await harness.call(action, home_user=user))["home_user"] == "Lina"
    await harness.hass.config_entries.async_unload(entry.entry_id)
    failure = await harness.failure(action, home_user=user)
    assert failure.translation_key == "account_not_ready"


@pytest.mark.parametrize("names_server", [False, True])
async def test_home_user_of_an_account_without_servers(
    harness: Harness, names_server: bool
) -> None:
    """The servers of another account, which is ready, are not the user's."""
    child = harness.world.home.child
    await harness.add(harness.anna, home_user_data(child))
    await harness.add(harness.ben, harness.server)
    page = page_of(harness.world.film, harness.server)
    path = {"path": page} if names_server else {}
    user = harness.home_user_device(child)
    failure = await harness.failure("get_transient_token", home_user=user, **path)
    assert failure.translation_key == "home_user_of_other_account"
    assert failure.translation_placeholders == {"home_user": "Lina", "account": "Anna"}


async def test_home_user_is_no_server(harness: Harness, entry: MockConfigEntry) -> None:
    """The device of a user is none of a server."""
    child = harness.world.home.child
    await harness.add_home_user(entry, child)
    device = harness.home_user_device(child)
    failure = await harness.failure("get_transient_token", device_id=device)
    assert failure.translation_key == "not_a_server"
    assert failure.translation_placeholders == {"name": "Lina"}

"""The subentry flow of servers: listed, by address, and changed."""

from collections.abc import Iterator, Mapping
from typing import Any
from unittest.mock import patch

import pytest

from custom_components.plex_auth.api.models import Identity
from custom_components.plex_auth.api.server import PlexServer
from custom_components.plex_auth.const import DOMAIN
from homeassistant.config_entries import (
    SOURCE_RECONFIGURE,
    SOURCE_USER,
    ConfigEntryState,
)
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.helpers.selector import TextSelector
from tests.conftest import Dns
from tests.fault_catalogue import PLEX_TV_CAUSES, SERVER_CAUSES
from tests.helpers import (
    account_coordinator,
    async_settle,
    known_server,
    make_entry,
    server_coordinator,
    server_data,
    subentry_of,
)
from tests.plex_simulator import PLEX_TV, Account, Fault, MediaServer, PlexSimulator
from tests.walks.dialog import Dialog, server_dialog
from tests.walks.dialog_worlds import ServerWorld
from tests.walks.names import Step
from tests.walks.server_troubles import SERVER_TROUBLES, SUBENTRY_TABLE, ServerTrouble
from tests.walks.texts import text

type Group = tuple[ServerTrouble, ...]


MET_ONCE = {cause.key for cause in SERVER_CAUSES + PLEX_TV_CAUSES} - {"unavailable"}


def groups() -> Iterator[Group]:
    """Yield for each step, target and error key all that leads to it.

    What can befall any request is met where an address is typed for a new server; of
    the other steps one such key is enough.
    """
    found: dict[tuple[str, str, str], list[ServerTrouble]] = {}
    for trouble in SERVER_TROUBLES:
        if trouble.step != Step.ADDRESS and trouble.key in MET_ONCE:
            continue
        key = (trouble.step, trouble.target, trouble.key)
        found.setdefault(key, []).append(trouble)
    yield from map(tuple, found.values())


@pytest.fixture
async def server_world(
    hass: HomeAssistant, simulator: PlexSimulator, dns: Dns, plex_direct: None
) -> ServerWorld:
    """Return an account with a server of each kind, set up."""
    ben = simulator.add_account("ben", title="Ben")
    carla = simulator.add_account("carla", title="Carla")

    async def add(name: str, owner: Account = ben, **options: Any) -> MediaServer:
        return await simulator.add_server(
            name, owner, remote_access=False, relay=False, **options
        )

    own = await add("Living Room")
    shared = await add("Carla's Films", owner=carla, shared_with=[ben])
    old = await add("Museum", version="1.15.3.876")
    spare = await add("Attic")
    secure = await add("Vault", https_required=True)
    foreign = await add("Cellar", owner=carla)
    foreign_data = {
        "url": foreign.https_url,
        "verify_ssl": True,
        "token": foreign.access_token_for(carla),
        "sources": [],
    }
    entry = make_entry(
        simulator,
        ben,
        [
            own,
            shared,
            old,
            {**server_data(foreign, carla), "data": foreign_data},
        ],
    )
    entry.add_to_hass(hass)
    api_url = simulator.api_url.replace("http://127.0.0.1", "https://localhost")
    hass.config_entries.async_update_entry(
        entry, data={**entry.data, "api_url": api_url}
    )
    await hass.config_entries.async_setup(entry.entry_id)
    await async_settle(hass)
    assert entry.state is ConfigEntryState.LOADED
    simulator.requests.clear()
    return ServerWorld(
        hass=hass,
        simulator=simulator,
        dns=dns,
        account=ben,
        entry=entry,
        own=own,
        shared=shared,
        old=old,
        spare=spare,
        secure=secure,
        foreign=foreign,
    )


async def async_open(
    server_world: ServerWorld, step: str, target: MediaServer
) -> Dialog:
    """Open a dialog at a step: about a new server, or to change one."""
    dialog = server_dialog(server_world.hass, server_world.simulator)
    handler = (server_world.entry.entry_id, "server")
    if step == "reconfigure":
        await dialog.start(
            handler,
            source=SOURCE_RECONFIGURE,
            subentry_id=subentry_of(server_world.entry, target).subentry_id,
        )
        return dialog
    await dialog.start(handler, source=SOURCE_USER)
    assert dialog.step == "user"
    assert dialog.result["menu_options"] == ["listed", "address"]
    return dialog


async def async_choose(
    server_world: ServerWorld, step: str, target: MediaServer
) -> Dialog:
    """Open a dialog about a new server, and choose how to name it."""
    dialog = await async_open(server_world, step, target)
    await dialog.choose(step)
    return dialog


def forget(server_world: ServerWorld, server: MediaServer) -> None:
    """Remove the subentry of a server, so that it can be added."""
    server_world.hass.config_entries.async_remove_subentry(
        server_world.entry, subentry_of(server_world.entry, server).subentry_id
    )


def requests_with_token(server_world: ServerWorld, server: MediaServer) -> list[str]:
    """Return the endpoints of a server that were asked with a token."""
    return [
        request.endpoint
        for request in server_world.simulator.requests
        if request.host == server.machine_identifier
        and "X-Plex-Token" in request.headers
    ]


@pytest.mark.parametrize(
    "group",
    [
        pytest.param(group, id=f"{group[0].step}-{group[0].target}-{group[0].key}")
        for group in groups()
    ],
)
async def test_trouble_then_success(server_world: ServerWorld, group: Group) -> None:
    """Every error has its message, keeps what was typed, and the next try succeeds."""
    step = group[0].step
    target: MediaServer = getattr(server_world, group[0].target)
    if step == "address" and target is server_world.foreign:
        forget(server_world, target)
    elif step != "reconfigure":
        target = server_world.spare
    await async_settle(server_world.hass)
    dialog = await async_open(server_world, step, target)
    if step == "address":
        await dialog.choose("address")

    for trouble in group:
        typed: Mapping[str, Any] = {}
        if step != "listed":
            replaced = trouble.typed(server_world) if trouble.typed is not None else {}
            typed = {**server_world.right(step, target), **replaced}
        if trouble.active is None:
            await dialog.submit(typed)
        else:
            host = server_world.simulator if trouble.at_plex_tv else target
            async with trouble.active(host, server_world.dns, trouble.endpoint):
                if dialog.type is FlowResultType.MENU:
                    await dialog.choose("listed")
                else:
                    await dialog.submit(typed)
        assert dialog.type is FlowResultType.FORM, trouble.cause
        assert dialog.step == step, trouble.cause
        assert dialog.errors == {trouble.field: trouble.key}, trouble.cause
    await async_settle(server_world.hass)
    assert server_world.entry.state is ConfigEntryState.LOADED

    if step == "listed":
        await dialog.submit()
        assert not dialog.errors
    await dialog.submit(server_world.right(step, target))
    await async_settle(server_world.hass)
    if step == "reconfigure":
        assert dialog.type is FlowResultType.ABORT
        assert dialog.result["reason"] == "reconfigure_successful"
    else:
        assert dialog.type is FlowResultType.CREATE_ENTRY
    assert subentry_of(server_world.entry, target).title == target.name
    assert server_world.entry.state is ConfigEntryState.LOADED
    assert server_coordinator(server_world.entry, target).last_update_success


def test_table() -> None:
    """Every key of the table is met at its step."""
    assert {(trouble.step, trouble.key) for trouble in SERVER_TROUBLES} == {
        (step, key) for step, keys in SUBENTRY_TABLE.items() for key in keys
    }


# Adding


async def test_listed(server_world: ServerWorld) -> None:
    """The account's servers that are not added yet are offered; one is added."""
    dialog = await async_choose(server_world, "listed", server_world.spare)
    (selector,) = dialog.result["data_schema"].schema.values()
    labels = [option["label"] for option in selector.config["options"]]
    assert labels == ["Attic", "Vault"]
    await dialog.submit({"server": server_world.spare.machine_identifier})
    assert dialog.type is FlowResultType.CREATE_ENTRY
    await async_settle(server_world.hass)
    subentry = subentry_of(server_world.entry, server_world.spare)
    assert subentry.title == "Attic"
    assert dict(subentry.data) == {
        "sources": [],
        "last_known": known_server(server_world.spare, server_world.account),
    }


async def test_listed_added_meanwhile(server_world: ServerWorld) -> None:
    """A server that another dialog has added meanwhile is not offered any more."""
    dialogs = [
        await async_open(server_world, "listed", server_world.spare) for _ in range(3)
    ]
    for dialog in dialogs:
        await dialog.choose("listed")
    typed = {"server": server_world.spare.machine_identifier}
    for dialog in dialogs[:2]:
        await dialog.submit(typed)
        await async_settle(server_world.hass)
    assert dialogs[0].type is FlowResultType.CREATE_ENTRY
    assert dialogs[1].type is FlowResultType.FORM
    assert not dialogs[1].errors
    await dialogs[1].submit({"server": server_world.secure.machine_identifier})
    await async_settle(server_world.hass)
    await dialogs[2].submit(typed)
    assert dialogs[2].result["reason"] == "no_more_servers"


async def test_no_more_servers(server_world: ServerWorld) -> None:
    """When all are added there is nothing to list."""
    for server in (server_world.spare, server_world.secure):
        await server_world.simulator.remove_server(server)
    dialog = await async_choose(server_world, "listed", server_world.spare)
    assert dialog.type is FlowResultType.ABORT
    assert dialog.result["reason"] == "no_more_servers"


async def test_no_servers(server_world: ServerWorld) -> None:
    """An account that has no servers at all is told so."""
    for server in list(server_world.simulator.servers.values()):
        await server_world.simulator.remove_server(server)
    dialog = await async_choose(server_world, "listed", server_world.spare)
    assert dialog.type is FlowResultType.ABORT
    assert dialog.result["reason"] == "no_servers"


async def test_hint_about_owners(server_world: ServerWorld) -> None:
    """Owners are explained only where a listed server has one."""
    hint = text("config_subentries.server.error.hint_shared")
    dialog = await async_choose(server_world, "listed", server_world.spare)
    assert dialog.result["description_placeholders"]["hints_md"] == ""
    forget(server_world, server_world.shared)
    await async_settle(server_world.hass)
    dialog = await async_choose(server_world, "listed", server_world.shared)
    assert dialog.result["description_placeholders"]["hints_md"] == hint


async def test_listed_while_the_token_is_rejected(server_world: ServerWorld) -> None:
    """A rejected sign-in is told in the form, and asked for by the entry."""
    server_world.account.revoke_tokens()
    dialog = await async_choose(server_world, "listed", server_world.spare)
    assert dialog.errors == {"base": "sign_in_rejected"}
    await async_settle(server_world.hass)
    assert account_coordinator(server_world.entry).token_rejected
    (flow,) = server_world.hass.config_entries.flow.async_progress()
    assert flow["step_id"] == "reauth_confirm"


@pytest.mark.parametrize("step", ["user", "listed", "address", "reconfigure"])
async def test_entry_not_loaded(server_world: ServerWorld, step: str) -> None:
    """While the account is not ready no server can be added or changed."""
    dialog = None
    if step in ("listed", "address"):
        dialog = await async_open(server_world, step, server_world.spare)
    await server_world.hass.config_entries.async_unload(server_world.entry.entry_id)
    if dialog is not None:
        await dialog.choose(step)
    else:
        dialog = server_dialog(server_world.hass, server_world.simulator)
        context: dict[str, Any] = {"source": SOURCE_USER}
        if step == "reconfigure":
            subentry = subentry_of(server_world.entry, server_world.own)
            context = {
                "source": SOURCE_RECONFIGURE,
                "subentry_id": subentry.subentry_id,
            }
        await dialog.start((server_world.entry.entry_id, "server"), **context)
    assert dialog.type is FlowResultType.ABORT
    assert dialog.result["reason"] == "entry_not_loaded"


async def test_already_configured(server_world: ServerWorld) -> None:
    """An address where an added server answers adds nothing, and sends no token."""
    dialog = await async_choose(server_world, "address", server_world.own)
    server_world.simulator.requests.clear()
    await dialog.submit({"url": server_world.own.http_url, "token": "typed"})
    assert dialog.type is FlowResultType.ABORT
    assert dialog.result["reason"] == "already_configured"
    assert [request.endpoint for request in server_world.simulator.requests] == [
        "identity"
    ]
    assert not requests_with_token(server_world, server_world.own)


async def test_listed_server_by_address(server_world: ServerWorld) -> None:
    """A listed server by its address keeps that address, and plex.tv's own token."""
    dialog = await async_choose(server_world, "address", server_world.spare)
    await dialog.submit(
        {"url": f" {server_world.spare.http_url} ", "token": "needless"}
    )
    await async_settle(server_world.hass)
    subentry = subentry_of(server_world.entry, server_world.spare)
    assert dict(subentry.data) == {
        "url": server_world.spare.http_url,
        "verify_ssl": True,
        "sources": [],
        "last_known": known_server(server_world.spare, server_world.account),
    }
    assert "root" not in requests_with_token(server_world, server_world.spare)
    data = server_coordinator(server_world.entry, server_world.spare).data
    assert data.route.kind == "custom"


async def test_server_shared_just_now_by_address(server_world: ServerWorld) -> None:
    """A server that plex.tv lists since a moment ago needs no typed token."""
    forget(server_world, server_world.foreign)
    server_world.foreign.shared_with.append(server_world.account)
    await async_settle(server_world.hass)
    dialog = await async_choose(server_world, "address", server_world.foreign)
    await dialog.submit({"url": server_world.foreign.http_url})
    assert dialog.type is FlowResultType.CREATE_ENTRY
    data = subentry_of(server_world.entry, server_world.foreign).data
    assert data["last_known"] == known_server(
        server_world.foreign, server_world.account
    )
    assert "token" not in data


@pytest.mark.parametrize("plex_tv_is_away", [False, True])
async def test_unlisted_server_by_address(
    server_world: ServerWorld, plex_tv_is_away: bool
) -> None:
    """A server that the account does not list needs a token, and only its address."""
    forget(server_world, server_world.foreign)
    await async_settle(server_world.hass)
    if plex_tv_is_away:
        server_world.simulator.faults.set("*", Fault.status(503))
    dialog = await async_choose(server_world, "address", server_world.foreign)
    token = server_world.foreign_token
    await dialog.submit({"url": server_world.foreign.http_url, "token": f" {token} "})
    await async_settle(server_world.hass)
    subentry = subentry_of(server_world.entry, server_world.foreign)
    assert subentry.title == "Cellar"
    assert dict(subentry.data) == {
        "url": server_world.foreign.http_url,
        "verify_ssl": True,
        "token": token,
        "sources": [],
    }
    sent = {
        request.headers.get("X-Plex-Token")
        for request in server_world.simulator.requests
        if request.host == server_world.foreign.machine_identifier
    }
    assert sent == {None, token}


@pytest.mark.parametrize(
    ("body", "title"),
    [
        ('{"MediaContainer": {"friendlyName": "Named"}}', "Named"),
        ('{"MediaContainer": {}}', "127.0.0.1"),
    ],
)
async def test_title_of_an_unlisted_server(
    server_world: ServerWorld, body: str, title: str
) -> None:
    """The title is the server's own name, or else its host."""
    forget(server_world, server_world.foreign)
    await async_settle(server_world.hass)
    server_world.foreign.faults.set("root", Fault.body(body))
    dialog = await async_choose(server_world, "address", server_world.foreign)
    await dialog.submit(
        {"url": server_world.foreign.http_url, "token": server_world.foreign_token}
    )
    assert subentry_of(server_world.entry, server_world.foreign).title == title


@pytest.mark.parametrize(
    "typed",
    ["127.0.0.1:{port}", "http://127.0.0.1:{port}/web/index.html#!/settings/web"],
)
async def test_address_as_people_type_it(server_world: ServerWorld, typed: str) -> None:
    """A scheme is found, plain http at home only, and Plex Web's part is dropped."""
    port = server_world.spare.port
    dialog = await async_choose(server_world, "address", server_world.spare)
    await dialog.submit({"url": typed.format(port=port)})
    assert dialog.type is FlowResultType.CREATE_ENTRY
    await async_settle(server_world.hass)
    url = f"http://127.0.0.1:{port}"
    assert subentry_of(server_world.entry, server_world.spare).data["url"] == url
    assert server_coordinator(
        server_world.entry, server_world.spare
    ).last_update_success

    dialog = await async_open(server_world, "reconfigure", server_world.spare)
    await dialog.submit({"url": f"127.0.0.1:{port}", "verify_ssl": False})
    assert dialog.result["reason"] == "reconfigure_successful"
    # Not verified, the secure address answers: it is tried first.
    url = f"https://127.0.0.1:{port}"
    assert subentry_of(server_world.entry, server_world.spare).data["url"] == url


async def test_port_of_plex(server_world: ServerWorld) -> None:
    """A typed scheme without a port is asked at Plex's port as well."""
    dialog = await async_choose(server_world, "address", server_world.spare)
    with patch(
        "custom_components.plex_auth.api.addresses.PLEX_PORT", server_world.spare.port
    ):
        await dialog.submit({"url": "http://127.0.0.1"})
    assert dialog.type is FlowResultType.CREATE_ENTRY
    data = subentry_of(server_world.entry, server_world.spare).data
    assert data["url"] == f"http://127.0.0.1:{server_world.spare.port}"


async def test_secure_server_without_a_scheme(server_world: ServerWorld) -> None:
    """Where only https would do, what is wrong with https is told."""
    dialog = await async_choose(server_world, "address", server_world.secure)
    typed = {"url": f"127.0.0.1:{server_world.secure.port}", "verify_ssl": True}
    await dialog.submit(typed)
    assert dialog.errors == {"base": "certificate_error"}


@pytest.mark.parametrize("typed", ["Attic", " attic "])
async def test_address_by_name(server_world: ServerWorld, typed: str) -> None:
    """The address is a field for a text; a name stands for a listed address."""
    dialog = await async_choose(server_world, "address", server_world.spare)
    selector = dialog.result["data_schema"].schema["url"]
    assert isinstance(selector, TextSelector)
    assert selector.config == TextSelector().config
    await dialog.submit({"url": typed})
    assert dialog.type is FlowResultType.CREATE_ENTRY
    subentry = subentry_of(server_world.entry, server_world.spare)
    assert subentry.title == "Attic"
    uris = [connection.uri for connection in server_world.spare.connections]
    assert subentry.data["url"] in uris
    assert subentry.data["url"].startswith("https://")


async def test_name_of_a_shared_server(server_world: ServerWorld) -> None:
    """A shared server is meant by its name with its owner's, or without."""
    forget(server_world, server_world.shared)
    await async_settle(server_world.hass)
    for typed in ("Carla's Films", "Carla's Films (Carla)"):
        dialog = await async_open(server_world, "address", server_world.shared)
        await dialog.choose("address")
        await dialog.submit({"url": typed})
        assert dialog.type is FlowResultType.CREATE_ENTRY
        forget(server_world, server_world.shared)
        await async_settle(server_world.hass)


async def test_name_of_two_servers(server_world: ServerWorld) -> None:
    """A name that two servers have means neither of them."""
    server_world.secure.name = server_world.spare.name
    await server_world.entry.runtime_data.account.servers.renew(now=True)
    dialog = await async_choose(server_world, "address", server_world.spare)
    with patch("custom_components.plex_auth.api.addresses.PLEX_PORT", 1):
        await dialog.submit({"url": "Attic", "verify_ssl": True})
    assert dialog.errors == {"base": "dns_error"}


async def test_unverified_certificate(server_world: ServerWorld) -> None:
    """An https address without a valid certificate works where it is not verified."""
    url = f"https://127.0.0.1:{server_world.spare.port}"
    dialog = await async_choose(server_world, "address", server_world.spare)
    assert dialog.shown == {"verify_ssl": True}
    await dialog.submit({"url": url, "verify_ssl": True})
    assert dialog.errors == {"base": "certificate_error"}
    await dialog.submit({"url": url, "verify_ssl": False})
    assert dialog.type is FlowResultType.CREATE_ENTRY
    await async_settle(server_world.hass)
    assert (
        subentry_of(server_world.entry, server_world.spare).data["verify_ssl"] is False
    )
    assert server_coordinator(
        server_world.entry, server_world.spare
    ).last_update_success
    assert server_world.simulator.requests_to("identity")[-1].secure


async def test_booting_server_by_address(server_world: ServerWorld) -> None:
    """A server that has not started yet is to be tried again."""
    await server_world.spare.restart("startingPlugins")
    dialog = await async_choose(server_world, "address", server_world.spare)
    typed = {"url": server_world.spare.http_url, "verify_ssl": True}
    await dialog.submit(typed)
    assert dialog.errors == {"base": "starting_up"}
    server_world.spare.booting = None
    await dialog.submit(typed)
    assert dialog.type is FlowResultType.CREATE_ENTRY


# Changing


async def test_server_removed_meanwhile(server_world: ServerWorld) -> None:
    """A server that is removed while it is changed ends the dialog."""
    dialog = await async_open(server_world, "reconfigure", server_world.own)
    subentry = subentry_of(server_world.entry, server_world.own)
    server_world.hass.config_entries.async_remove_subentry(
        server_world.entry, subentry.subentry_id
    )
    await async_settle(server_world.hass)
    await dialog.submit({})
    assert dialog.result["reason"] == "server_removed"


async def test_server_removed_while_its_address_is_asked(
    server_world: ServerWorld,
) -> None:
    """A server that is removed between question and answer ends the dialog."""
    dialog = await async_open(server_world, "reconfigure", server_world.own)
    subentry = subentry_of(server_world.entry, server_world.own)
    identity = PlexServer.identity

    async def remove(server: PlexServer, expected: str | None = None) -> Identity:
        found = await identity(server, expected)
        server_world.hass.config_entries.async_remove_subentry(
            server_world.entry, subentry.subentry_id
        )
        return found

    with patch.object(PlexServer, "identity", remove):
        await dialog.submit({"url": server_world.own.http_url, "verify_ssl": True})
    assert dialog.result["reason"] == "server_removed"


async def test_account_unloaded_while_an_address_is_asked(
    server_world: ServerWorld,
) -> None:
    """An account that is gone meanwhile ends the dialog."""
    dialog = await async_choose(server_world, "address", server_world.spare)
    identity = PlexServer.identity

    async def unload(server: PlexServer, expected: str | None = None) -> Identity:
        found = await identity(server, expected)
        await server_world.hass.config_entries.async_unload(server_world.entry.entry_id)
        return found

    with patch.object(PlexServer, "identity", unload):
        await dialog.submit(server_world.right("address", server_world.spare))
    assert dialog.result["reason"] == "entry_not_loaded"


@pytest.mark.parametrize("step", ["user", "listed", "address", "reconfigure"])
async def test_account_removed(server_world: ServerWorld, step: str) -> None:
    """An account that is removed while a dialog is open ends the dialog."""
    server = server_world.own if step == "reconfigure" else server_world.spare
    open_at = async_choose if step in ("listed", "address") else async_open
    dialog = await open_at(server_world, step, server)
    await server_world.hass.config_entries.async_remove(server_world.entry.entry_id)
    await async_settle(server_world.hass)
    if step == "user":
        await dialog.choose("address")
    else:
        await dialog.submit(server_world.right(step, server))
    assert dialog.type is FlowResultType.ABORT
    assert dialog.result["reason"] == "entry_not_loaded"


@pytest.mark.parametrize("call", ["identity", "check_token"])
@pytest.mark.parametrize("step", ["address", "reconfigure"])
async def test_account_removed_while_an_address_is_asked(
    server_world: ServerWorld, step: str, call: str
) -> None:
    """An account that is removed between question and answer ends the dialog."""
    server = server_world.foreign
    if step == "address":
        forget(server_world, server)
        dialog = await async_choose(server_world, step, server)
    else:
        dialog = await async_open(server_world, step, server)
    ask = getattr(PlexServer, call)

    async def remove(plex: PlexServer, *asked: Any) -> Any:
        found = await ask(plex, *asked)
        entries = server_world.hass.config_entries
        if entries.async_get_entry(server_world.entry.entry_id) is not None:
            await entries.async_remove(server_world.entry.entry_id)
        return found

    with patch.object(PlexServer, call, remove):
        await dialog.submit(
            {
                "url": server.https_url,
                "verify_ssl": True,
                "token": server.access_token_for(server.owner),
            }
        )
    assert dialog.type is FlowResultType.ABORT
    assert dialog.result["reason"] == "entry_not_loaded"


async def test_automatic_and_back(server_world: ServerWorld) -> None:
    """An address is used instead of the listed ones; emptied, they are used again."""
    before = dict(subentry_of(server_world.entry, server_world.own).data)
    dialog = await async_open(server_world, "reconfigure", server_world.own)
    assert dialog.shown == {"verify_ssl": True, "sources": []}
    assert "token" not in dialog.fields
    await dialog.submit({"url": server_world.own.http_url, "verify_ssl": False})
    await async_settle(server_world.hass)
    changed = {"url": server_world.own.http_url, "verify_ssl": False}
    assert (
        dict(subentry_of(server_world.entry, server_world.own).data) == before | changed
    )
    server = server_coordinator(server_world.entry, server_world.own)
    assert server.data.route.kind == "custom"

    dialog = await async_open(server_world, "reconfigure", server_world.own)
    assert dialog.shown == changed | {"sources": []}
    await dialog.submit({"url": "", "verify_ssl": False})
    await async_settle(server_world.hass)
    assert dict(subentry_of(server_world.entry, server_world.own).data) == before
    server = server_coordinator(server_world.entry, server_world.own)
    assert server.data.route.kind == "local"


async def test_asked_only_on_change(server_world: ServerWorld) -> None:
    """Nothing changed is nothing asked, and a change reloads nothing either."""
    runtime_data = server_world.entry.runtime_data
    for target in (server_world.own, server_world.foreign):
        server_world.simulator.requests.clear()
        dialog = await async_open(server_world, "reconfigure", target)
        await dialog.submit(dialog.shown)
        assert dialog.result["reason"] == "reconfigure_successful"
        await async_settle(server_world.hass)
        assert server_world.entry.runtime_data is runtime_data
        assert not server_world.simulator.requests
    dialog = await async_open(server_world, "reconfigure", server_world.own)
    await dialog.submit({"sources": ["provider://tv.plex.provider.podcasts"]})
    await async_settle(server_world.hass)
    assert server_world.entry.runtime_data is runtime_data
    assert server_world.simulator.requests_to("security_resources")


async def test_sources(server_world: ServerWorld) -> None:
    """Other servers are suggested as sources, with their owners; twice is once."""
    dialog = await async_open(server_world, "reconfigure", server_world.own)
    selector = dialog.result["data_schema"].schema["sources"]
    assert {option["label"] for option in selector.config["options"]} == {
        "Carla's Films (Carla)",
        "Museum",
        "Attic",
        "Vault",
    }
    sources = [
        f"server://{server_world.spare.machine_identifier}",
        "provider://tv.plex.provider.podcasts",
    ]
    await dialog.submit({"sources": [*sources, sources[0]]})
    await async_settle(server_world.hass)
    assert subentry_of(server_world.entry, server_world.own).data["sources"] == sources
    dialog = await async_open(server_world, "reconfigure", server_world.own)
    assert dialog.shown["sources"] == sources
    await dialog.submit({"sources": []})
    await async_settle(server_world.hass)
    assert subentry_of(server_world.entry, server_world.own).data["sources"] == []


async def test_sources_by_name(server_world: ServerWorld) -> None:
    """A source can be typed as the name of a server, unless two have that name."""
    dialog = await async_open(server_world, "reconfigure", server_world.own)
    await dialog.submit({"verify_ssl": True, "sources": ["Nowhere"]})
    assert dialog.errors == {"sources": "invalid_source"}
    await dialog.submit(
        {"verify_ssl": True, "sources": [" carla's films ", "Carla's Films (Carla)"]}
    )
    await async_settle(server_world.hass)
    (source,) = subentry_of(server_world.entry, server_world.own).data["sources"]
    shared = server_world.shared
    assert source == f"server://{shared.machine_identifier}"
    server_world.spare.name = shared.name
    await account_coordinator(server_world.entry).async_check_now()
    dialog = await async_open(server_world, "reconfigure", server_world.own)
    await dialog.submit({"verify_ssl": True, "sources": ["Carla's Films"]})
    assert dialog.errors == {"sources": "invalid_source"}


@pytest.mark.parametrize("name", ["shared", "old"])
async def test_server_that_reports_no_sources(
    server_world: ServerWorld, name: str
) -> None:
    """Sources are no field of a shared or old server, unless it has some to remove."""
    server: MediaServer = getattr(server_world, name)
    before = subentry_of(server_world.entry, server).data
    dialog = await async_open(server_world, "reconfigure", server)
    assert dialog.fields == ["url", "verify_ssl"]
    await dialog.submit({"url": server.http_url, "verify_ssl": True})
    assert dialog.result["reason"] == "reconfigure_successful"
    await async_settle(server_world.hass)
    subentry = subentry_of(server_world.entry, server)
    changed = {"url": server.http_url, "verify_ssl": True}
    assert dict(subentry.data) == {**before, **changed}

    sources = ["provider://tv.plex.provider.podcasts"]
    server_world.hass.config_entries.async_update_subentry(
        server_world.entry, subentry, data={**subentry.data, "sources": sources}
    )
    await async_settle(server_world.hass)
    typed: Mapping[str, list[str]]
    for typed in ({}, {"sources": []}):
        dialog = await async_open(server_world, "reconfigure", server)
        assert dialog.shown == {**changed, "sources": sources}
        await dialog.submit({**dialog.shown, **typed})
        assert dialog.result["reason"] == "reconfigure_successful"
        await async_settle(server_world.hass)
        kept = subentry_of(server_world.entry, server).data["sources"]
        assert kept == typed.get("sources", sources)


async def test_emptied_sources(server_world: ServerWorld) -> None:
    """No sources are those that a page leaves out, as it does with an emptied list."""
    dialog = await async_open(server_world, "reconfigure", server_world.own)
    await dialog.submit({"sources": ["provider://tv.plex.provider.podcasts"]})
    await async_settle(server_world.hass)
    dialog = await async_open(server_world, "reconfigure", server_world.own)
    await dialog.submit({"verify_ssl": True})
    await async_settle(server_world.hass)
    assert subentry_of(server_world.entry, server_world.own).data["sources"] == []


async def test_hint_about_the_listed_addresses(server_world: ServerWorld) -> None:
    """Leaving the address empty is offered only for a server that the account lists."""
    hint = text("config_subentries.server.error.hint_automatic")
    for server, hints in ((server_world.own, hint), (server_world.foreign, "")):
        dialog = await async_open(server_world, "reconfigure", server)
        assert dialog.result["description_placeholders"]["hints_md"] == hints


async def test_sources_of_a_server_with_a_typed_token(
    server_world: ServerWorld,
) -> None:
    """The owner of an unlisted server may be the one whose token was typed."""
    dialog = await async_open(server_world, "reconfigure", server_world.foreign)
    source = f"server://{server_world.shared.machine_identifier}"
    await dialog.submit({**dialog.shown, "sources": [source]})
    assert dialog.result["reason"] == "reconfigure_successful"
    await async_settle(server_world.hass)
    coordinator = server_coordinator(server_world.entry, server_world.foreign)
    assert coordinator.sources.data.keys() == {source}


async def test_wrong_server_gets_no_token(server_world: ServerWorld) -> None:
    """No token is sent to another server than the one that is changed."""
    dialog = await async_open(server_world, "reconfigure", server_world.foreign)
    assert dialog.shown["url"] == server_world.foreign.https_url
    typed = {"url": server_world.spare.http_url, "token": server_world.foreign_token}
    await dialog.submit({**dialog.shown, **typed})
    assert dialog.errors == {"url": "wrong_server"}
    assert dialog.shown["url"] == server_world.spare.http_url
    assert not requests_with_token(server_world, server_world.spare)
    assert [request.endpoint for request in server_world.simulator.requests] == [
        "identity"
    ]


@pytest.mark.parametrize("step", ["address", "reconfigure"])
async def test_unclaimed_server_gets_no_token(
    server_world: ServerWorld, step: str
) -> None:
    """A typed token is not sent to a server that says that it is unclaimed."""
    typed = {"url": server_world.foreign.http_url, "token": server_world.foreign_token}
    if step == "address":
        forget(server_world, server_world.foreign)
        await async_settle(server_world.hass)
        dialog = await async_choose(server_world, step, server_world.foreign)
    else:
        dialog = await async_open(server_world, step, server_world.foreign)
    server_world.foreign.unclaim()
    await dialog.submit({**dialog.shown, **typed})
    assert dialog.errors == {"url": "not_claimed"}
    assert not requests_with_token(server_world, server_world.foreign)


async def test_new_token_of_an_unlisted_server(server_world: ServerWorld) -> None:
    """A new token replaces the old one once the server takes it; an empty one keeps it."""
    old = server_world.foreign_token
    server_world.foreign.rotate_access_tokens()
    new = server_world.foreign_token
    dialog = await async_open(server_world, "reconfigure", server_world.foreign)
    await dialog.submit({**dialog.shown, "token": old})
    assert dialog.errors == {"token": "invalid_token"}
    assert subentry_of(server_world.entry, server_world.foreign).data["token"] == old
    await dialog.submit({**dialog.shown, "token": f" {new}"})
    await async_settle(server_world.hass)
    assert subentry_of(server_world.entry, server_world.foreign).data["token"] == new
    dialog = await async_open(server_world, "reconfigure", server_world.foreign)
    await dialog.submit(
        {**dialog.shown, "url": server_world.foreign.http_url, "token": ""}
    )
    await async_settle(server_world.hass)
    data = subentry_of(server_world.entry, server_world.foreign).data
    assert (data["url"], data["token"]) == (server_world.foreign.http_url, new)


async def test_old_token_is_checked_at_a_new_address(server_world: ServerWorld) -> None:
    """The kept token has to be taken at the new address, too."""
    server_world.foreign.rotate_access_tokens()
    dialog = await async_open(server_world, "reconfigure", server_world.foreign)
    await dialog.submit({**dialog.shown, "url": server_world.foreign.http_url})
    assert dialog.errors == {"token": "invalid_token"}


async def test_nothing_goes_to_plex_tv_for_a_change(server_world: ServerWorld) -> None:
    """An address is changed while plex.tv is away."""
    await server_world.simulator.stop_plex_tv()
    dialog = await async_open(server_world, "reconfigure", server_world.own)
    await dialog.submit({"url": server_world.own.http_url})
    assert dialog.result["reason"] == "reconfigure_successful"
    assert not [
        request
        for request in server_world.simulator.requests
        if request.host == PLEX_TV
    ]
    await async_settle(server_world.hass)
    assert server_world.hass.config_entries.async_entries(DOMAIN) == [
        server_world.entry
    ]

"""The config flow: every way in, from every source, through every error."""

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch
from uuid import UUID

import pyotp
import pytest

from custom_components.plex_auth.const import DOMAIN, TokenOrigin
from homeassistant.config_entries import (
    SOURCE_REAUTH,
    SOURCE_RECONFIGURE,
    SOURCE_USER,
    ConfigEntryState,
    UnknownEntry,
)
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType, UnknownFlow
from homeassistant.helpers import entity_registry as er

from .conftest import Dns
from .helpers import async_add_account, async_settle, known_server
from .plex_simulator import Fault, MediaServer, PlexSimulator
from .plex_simulator.worlds import DemoWorld
from .walks.dialog import Dialog, config_dialog
from .walks.names import SIGN_IN_WAYS as WAYS
from .walks.scenes import Scene, async_claim, async_open
from .walks.server_troubles import SUBENTRY_TABLE
from .walks.texts import texts_of
from .walks.troubles import CONFIG_TABLE, MOMENTS, SOURCES, TROUBLES, Trouble

type Group = tuple[Trouble, ...]


def groups() -> Iterator[tuple[str, Group]]:
    """Yield for each source, moment and error key all that leads to it."""
    for source in SOURCES:
        found: dict[tuple[str, str], list[Trouble]] = {}
        for trouble in TROUBLES:
            if source in trouble.sources:
                found.setdefault((trouble.moment, trouble.key), []).append(trouble)
        for group in found.values():
            yield source, tuple(group)


@dataclass(kw_only=True)
class Home(Scene):
    """Hold a simulated Plex with an account of each kind, and one of its servers."""

    server: MediaServer


@pytest.fixture(autouse=True)
def impatience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look at a link code more often."""
    monkeypatch.setattr("custom_components.plex_auth.link.POLL_SECONDS", 0.01)


@pytest.fixture
async def scene(
    hass: HomeAssistant, simulator: PlexSimulator, dns: Dns, plex_direct: None
) -> Scene:
    """Return a simulated Plex with four accounts and a server."""
    simulator.add_account("anna", title="Anna", totp_secret=pyotp.random_base32())
    simulator.add_account("carla", title="Carla")
    simulator.add_account("dora", title="Dora", email_only=True)
    ben = simulator.add_account("ben", title="Ben")
    await simulator.add_server("Living Room", ben, remote_access=False, relay=False)
    return Scene(hass=hass, simulator=simulator, dns=dns, account=ben)


@pytest.fixture
def home(
    hass: HomeAssistant,
    simulator: PlexSimulator,
    world: DemoWorld,
    dns: Dns,
    plex_direct: None,
) -> Home:
    """Return a simulated Plex with an account of each kind."""
    return Home(
        hass=hass,
        simulator=simulator,
        dns=dns,
        account=world.free,
        server=world.living_room,
    )


async def async_sign_in(scene: Scene, way: str) -> Dialog:
    """Open a dialog and sign in, without trouble, up to the choice of servers."""
    dialog = await async_open(scene)
    await dialog.walk(scene.sign_in(way))
    return dialog


async def async_arrived(scene: Scene, endpoint: str) -> None:
    """Wait until a request has arrived at plex.tv."""
    while not scene.simulator.requests_to(endpoint):
        await asyncio.sleep(0.01)


async def async_reach(scene: Scene, dialog: Dialog, moment: str) -> None:
    """Go to a moment of the flow, where a first failure lets it stay."""
    way = {"code": "password", "servers": "password"}.get(moment, moment)
    await dialog.choose(way.partition("_")[0])
    if moment in ("code", "servers", "link_claimed"):
        if moment != "code":
            scene.simulator.faults.set(MOMENTS[moment].endpoint, Fault.status(503))
        await dialog.submit(scene.right(dialog.step))
        if moment == "link_claimed":
            await async_claim(scene)
            await dialog.look()
        scene.simulator.faults.clear()


async def async_meet(scene: Scene, dialog: Dialog, trouble: Trouble) -> None:
    """Meet a trouble: it is there while the moment's step is submitted."""
    typed = scene.right(trouble.moment)
    if trouble.typed is not None:
        typed |= trouble.typed(scene)
    if trouble.active is None:
        await dialog.submit(typed)
        return
    if trouble.moment == "link_wait":
        await dialog.submit(typed)
    async with trouble.active(scene.simulator, scene.dns, trouble.endpoint):
        if trouble.moment != "link_wait":
            await dialog.submit(typed)
        if dialog.type is FlowResultType.SHOW_PROGRESS:
            await async_settle(scene.hass)
            await dialog.look()


async def async_finish(scene: Scene, dialog: Dialog) -> None:
    """Type what is right until the dialog ends."""
    while dialog.type is not FlowResultType.ABORT:
        if dialog.type is FlowResultType.CREATE_ENTRY:
            break
        if dialog.type is FlowResultType.SHOW_PROGRESS:
            await async_claim(scene)
            await dialog.look()
            continue
        await dialog.submit(scene.right(dialog.step))
        assert dialog.type is not FlowResultType.FORM or not dialog.errors
    await async_settle(scene.hass)


@pytest.mark.parametrize(
    ("source", "group"),
    [
        pytest.param(source, group, id=f"{source}-{group[0].moment}-{group[0].key}")
        for source, group in groups()
    ],
)
async def test_trouble_then_success(scene: Scene, source: str, group: Group) -> None:
    """Every error has its message, keeps what was typed, and the next try succeeds."""
    moment, account = group[0].moment, group[0].account
    scene.account = scene.simulator.accounts[account]
    scene.source = source
    taken = scene.add_entry(scene.simulator.accounts["carla"])
    scene.hass.config_entries.async_update_entry(
        taken, data={**taken.data, "client_identifier": "taken"}
    )
    if source != SOURCE_USER:
        scene.entry = scene.add_entry()
        scene.account.revoke_tokens()

    dialog = await async_open(scene)
    await async_reach(scene, dialog, moment)
    for trouble in group:
        await async_meet(scene, dialog, trouble)
        assert dialog.type is FlowResultType.FORM, trouble.cause
        assert dialog.step == trouble.shown_at, trouble.cause
        assert dialog.errors == {trouble.field: trouble.key}, trouble.cause
    assert scene.hass.config_entries.async_entries(DOMAIN) == [taken] + (
        [scene.entry] if scene.entry is not None else []
    )

    await async_finish(scene, dialog)
    if source == SOURCE_USER:
        assert dialog.type is FlowResultType.CREATE_ENTRY
        entry = dialog.result["result"]
    else:
        assert dialog.type is FlowResultType.ABORT
        assert dialog.result["reason"] == f"{source}_successful"
        entry = scene.entry
    assert entry.state is ConfigEntryState.LOADED
    assert entry.unique_id == scene.account.uuid
    assert entry.data["token"] in scene.account.tokens.values()
    sent = len(scene.simulator.requests_to("signin"))
    assert sent <= dialog.submitted["password"] + dialog.submitted["code"]


def test_table() -> None:
    """Every key of the table is met at its step, every key of the design somewhere."""
    met = {(trouble.shown_at, trouble.key) for trouble in TROUBLES}
    assert met == {(step, key) for step, keys in CONFIG_TABLE.items() for key in keys}
    config, subentry = (
        frozenset[str]().union(*table.values())
        for table in (CONFIG_TABLE, SUBENTRY_TABLE)
    )
    assert texts_of("config.error").keys() == config
    assert texts_of("config_subentries.server.error").keys() == subentry


# Every way in, and what it leaves behind


@pytest.mark.parametrize("way", WAYS)
async def test_new_entry(home: Home, way: str) -> None:
    """A new entry holds exactly the token, its origin, the identifier and the address."""
    dialog = await async_sign_in(home, way)
    assert dialog.step == "servers"
    flow = home.hass.config_entries.flow._progress[dialog.result["flow_id"]]
    await dialog.submit({"servers": []})
    assert dialog.type is FlowResultType.CREATE_ENTRY
    entry = dialog.result["result"]
    identifier = entry.data["client_identifier"]
    user = "another client" if way == "token" else identifier
    assert entry.data == {
        "token": home.account.tokens[user],
        "token_origin": way,
        "client_identifier": identifier,
        "api_url": home.api_url,
    }
    assert str(UUID(identifier)) == identifier
    assert entry.title == "Ben"
    assert entry.unique_id == home.account.uuid
    assert not entry.subentries
    assert home.account.password is not None
    assert home.account.password not in repr(vars(flow))
    assert not home.signed_out
    assert len(home.simulator.requests_to("signin")) == (way == "password")


@pytest.mark.parametrize("source", [SOURCE_REAUTH, SOURCE_RECONFIGURE])
@pytest.mark.parametrize("way", WAYS)
async def test_renewal(home: Home, source: str, way: str) -> None:
    """A new sign-in changes the token and its origin, and nothing else."""
    home.source = source
    home.entry = await async_add_account(
        home.hass,
        home.simulator,
        home.account,
        [home.server],
        origin=TokenOrigin(way),
    )
    before = dict(home.entry.data)
    subentries = dict(home.entry.subentries)
    states = set(home.hass.states.async_entity_ids())
    runtime_data = home.entry.runtime_data
    home.simulator.requests.clear()

    dialog = await async_sign_in(home, way)
    assert dialog.type is FlowResultType.ABORT
    assert dialog.result["reason"] == f"{source}_successful"
    await async_settle(home.hass)
    user = "another client" if way == "token" else before["client_identifier"]
    assert home.entry.data == before | {"token": home.account.tokens[user]}
    assert home.entry.data["token"] != before["token"]
    assert dict(home.entry.subentries) == subentries
    assert set(home.hass.states.async_entity_ids()) == states
    assert home.entry.runtime_data is runtime_data, "reloaded"
    asked = home.simulator.requests_to("user")[-1]
    assert asked.headers["X-Plex-Token"] == home.entry.data["token"]
    assert len(home.simulator.requests_to("signin")) == (way == "password")
    for request in home.simulator.requests:
        identifier = request.headers["X-Plex-Client-Identifier"]
        assert identifier == before["client_identifier"]
    assert not home.signed_out


@pytest.mark.parametrize("way", WAYS)
async def test_rejected_at_start(home: Home, way: str) -> None:
    """The sign-in that a set-up asked for ends in a success, and sets the entry up."""
    entry = home.entry = home.add_entry(origin=TokenOrigin.LINK)
    home.source = SOURCE_REAUTH
    home.account.revoke_tokens()
    await home.hass.config_entries.async_setup(entry.entry_id)
    (flow,) = home.hass.config_entries.flow.async_progress()
    assert flow["step_id"] == "reauth_confirm"
    dialog = config_dialog(home.hass, home.simulator)
    dialog.result = flow
    await dialog.look()
    await dialog.choose(way)
    assert "advanced" not in dialog.fields
    await async_finish(home, dialog)
    assert dialog.type is FlowResultType.ABORT
    assert dialog.result["reason"] == "reauth_successful"
    assert entry.state is ConfigEntryState.LOADED
    assert entry.data["token_origin"] == way
    assert not home.hass.config_entries.flow.async_progress()


async def test_two_factor_keeps_code_and_password_nowhere(home: Home) -> None:
    """After a sign-in with a code neither the flow nor the entry has it or the password."""
    home.account = home.simulator.accounts["anna"]
    code = home.account.code()
    dialog = await async_open(home)
    await dialog.choose("password")
    await dialog.submit(home.right("password"))
    assert dialog.step == "code"
    await dialog.submit({"verification_code": f" {code[:3]} {code[3:]} "})
    assert dialog.step == "servers"
    assert [
        request.form.get("verificationCode")
        for request in (home.simulator.requests_to("signin"))
    ] == [None, code]
    flow = home.hass.config_entries.flow._progress[dialog.result["flow_id"]]
    await dialog.submit({})
    entry = dialog.result["result"]
    password = str(home.account.password)
    for text in (repr(vars(flow)), repr(entry.as_dict())):
        assert password not in text
        assert code not in text


async def test_own_servers_are_chosen(home: Home, world: DemoWorld) -> None:
    """The form offers all servers, own ones chosen; each chosen one is a subentry."""
    home.account = world.two_factor
    dialog = await async_sign_in(home, "password")
    own = [world.living_room, world.basement]
    assert dialog.shown == {"servers": [server.machine_identifier for server in own]}
    (selector,) = dialog.result["data_schema"].schema.values()
    assert [option["label"] for option in selector.config["options"]] == [
        "Living Room",
        "Basement",
        "Carla's Films (Carla)",
    ]
    chosen = [world.shared.machine_identifier, world.basement.machine_identifier]
    await dialog.submit({"servers": [*chosen, *chosen]})
    entry = dialog.result["result"]
    assert [
        (subentry.title, subentry.unique_id, dict(subentry.data))
        for subentry in entry.subentries.values()
    ] == [
        (
            server.name,
            server.machine_identifier,
            {"sources": [], "last_known": known_server(server, home.account)},
        )
        for server in (world.basement, world.shared)
    ]
    await async_settle(home.hass)
    assert entry.state is ConfigEntryState.LOADED


async def test_account_without_servers(home: Home, world: DemoWorld) -> None:
    """An account without servers is set up without a further question."""
    home.account = world.without_servers
    dialog = await async_sign_in(home, "password")
    assert dialog.type is FlowResultType.CREATE_ENTRY
    assert not dialog.result["result"].subentries
    await async_settle(home.hass)
    assert dialog.result["result"].state is ConfigEntryState.LOADED


async def test_three_servers(home: Home, world: DemoWorld) -> None:
    """An account with three own servers gets three subentries."""
    home.account = world.three_servers
    dialog = await async_sign_in(home, "password")
    await dialog.submit({})
    await async_settle(home.hass)
    subentries = dialog.result["result"].subentries.values()
    assert [entry.title for entry in subentries] == ["Attic", "Garage", "Vault"]
    assert len({entry.unique_id for entry in subentries}) == 3


async def test_managed_user(home: Home, world: DemoWorld) -> None:
    """A managed user without user name and e-mail signs in by a code; the title is his."""
    home.account = world.managed
    dialog = await async_sign_in(home, "link")
    await dialog.submit({"servers": [world.living_room.machine_identifier]})
    await async_settle(home.hass)
    entry = dialog.result["result"]
    assert entry.title == "Emil"
    assert entry.unique_id == world.managed.uuid
    assert entry.state is ConfigEntryState.LOADED


async def test_two_accounts_share_a_server(home: Home, world: DemoWorld) -> None:
    """Two accounts may have the same server; identifiers and entities are apart."""
    entries = []
    for account in (world.free, world.managed):
        home.account = account
        dialog = await async_sign_in(home, "link")
        await dialog.submit({"servers": [world.living_room.machine_identifier]})
        await async_settle(home.hass)
        entries.append(dialog.result["result"])
    one, other = entries
    assert one.state is other.state is ConfigEntryState.LOADED
    assert one.data["client_identifier"] != other.data["client_identifier"]
    assert one.data["token"] != other.data["token"]
    registry = er.async_get(home.hass)
    found = [
        [
            entity.unique_id
            for entity in registry.entities.values()
            if entity.config_entry_id == entry.entry_id
        ]
        for entry in entries
    ]
    assert len(found[0]) == len(found[1]) > 5
    assert not set(found[0]) & set(found[1])


# Whose account, and under which identifier


@pytest.mark.parametrize("way", WAYS)
async def test_already_configured(home: Home, way: str) -> None:
    """An account is set up once; the new sign-in is ended, a pasted token is not."""
    entry = await async_add_account(home.hass, home.simulator, home.account)
    dialog = await async_sign_in(home, way)
    assert dialog.type is FlowResultType.ABORT
    assert dialog.result["reason"] == "already_configured"
    assert dialog.result["description_placeholders"] == {"name": "Ben"}
    await async_settle(home.hass)
    assert len(home.signed_out) == (way != "token")
    assert entry.data["token"] not in home.signed_out
    assert entry.data["token"] in home.account.tokens.values()
    assert len(home.account.tokens) == (2 if way == "token" else 1)


@pytest.mark.parametrize("source", [SOURCE_REAUTH, SOURCE_RECONFIGURE])
@pytest.mark.parametrize("way", WAYS)
async def test_wrong_account(
    home: Home, world: DemoWorld, source: str, way: str
) -> None:
    """Another account is refused by name; its sign-in is ended, the entry is unharmed."""
    home.entry = await async_add_account(home.hass, home.simulator, home.account)
    home.source = source
    before = dict(home.entry.data)
    home.account = world.yearly
    dialog = await async_sign_in(home, way)
    assert dialog.type is FlowResultType.ABORT
    assert dialog.result["reason"] == "wrong_account"
    placeholders = {"name": "Ben", "other": "Carla"}
    assert dialog.result["description_placeholders"] == placeholders
    await async_settle(home.hass)
    assert home.entry.data == before
    assert before["token"] in world.free.tokens.values()
    assert len(home.signed_out) == (way != "token")
    assert len(world.yearly.tokens) == (way == "token")


async def test_same_account_in_two_dialogs(home: Home) -> None:
    """The second dialog gives way to the first, and only its sign-in is ended."""
    first = await async_sign_in(home, "password")
    second = await async_sign_in(home, "password")
    assert second.type is FlowResultType.ABORT
    assert second.result["reason"] == "already_in_progress"
    await async_settle(home.hass)
    assert len(home.signed_out) == 1
    await first.submit({})
    entry = first.result["result"]
    assert home.account.tokens == {entry.data["client_identifier"]: entry.data["token"]}


async def test_typed_client_identifier(home: Home) -> None:
    """A typed identifier is on every request, and in the entry."""
    dialog = await async_open(home)
    await dialog.choose("password")
    advanced = {"api_url": f" {home.api_url}/ ", "client_identifier": " my-client "}
    await dialog.submit(home.right("password") | {"advanced": advanced})
    await dialog.submit({})
    await async_settle(home.hass)
    entry = dialog.result["result"]
    assert entry.data["client_identifier"] == "my-client"
    assert entry.data["api_url"] == home.api_url
    assert {
        request.headers["X-Plex-Client-Identifier"]
        for request in home.simulator.requests
    } == {"my-client"}


async def test_emptied_client_identifier(home: Home) -> None:
    """An identifier that was typed and then emptied is not used."""
    dialog = await async_open(home)
    await dialog.choose("password")
    right = home.right("password")
    advanced = {"api_url": home.api_url, "client_identifier": "my-client"}
    await dialog.submit(right | {"password": "wrong", "advanced": advanced})
    assert dialog.errors == {"base": "invalid_auth"}
    await dialog.submit(right)
    await dialog.submit({})
    assert dialog.result["result"].data["client_identifier"] != "my-client"


async def test_plex_tv_is_the_default(home: Home) -> None:
    """Without `advanced`, or with it left empty, plex.tv itself is asked."""
    typed: Mapping[str, Any]
    for typed in ({}, {"advanced": {}}, {"advanced": {"api_url": " "}}):
        dialog = await async_open(home)
        await dialog.choose("password")
        await dialog.submit({"username": "ben", "password": "unsent", **typed})
        assert dialog.errors == {"base": "dns_error"}
        dialog.close()
    assert not home.simulator.requests


async def test_reconfigure_changes_the_address(home: Home) -> None:
    """Another address of Plex's API is shown, checked, stored and used after a reload."""
    home.entry = await async_add_account(home.hass, home.simulator, home.account)
    home.source = SOURCE_RECONFIGURE
    old = home.entry.data["api_url"]
    assert old != home.api_url
    runtime_data = home.entry.runtime_data
    dialog = await async_open(home)
    await dialog.choose("password")
    assert dialog.shown == {"advanced": {"api_url": old}}
    right = home.right("password")
    await dialog.submit(right | {"advanced": {"api_url": "https://localhost:1/api/v2"}})
    assert dialog.errors == {"base": "cannot_connect"}
    assert home.entry.data["api_url"] == old
    await dialog.submit(right | {"advanced": {"api_url": home.api_url}})
    assert dialog.result["reason"] == "reconfigure_successful"
    await async_settle(home.hass)
    assert home.entry.data["api_url"] == home.api_url
    assert home.entry.state is ConfigEntryState.LOADED
    assert home.entry.runtime_data is not runtime_data
    assert home.simulator.requests_to("user")[-1].secure


async def test_reconfigure_without_advanced(home: Home) -> None:
    """A page that leaves `advanced` out keeps the entry's address."""
    home.entry = await async_add_account(home.hass, home.simulator, home.account)
    home.source = SOURCE_RECONFIGURE
    api_url = home.entry.data["api_url"]
    dialog = await async_open(home)
    await dialog.choose("password")
    await dialog.submit({"username": "ben", "password": home.account.password})
    assert dialog.result["reason"] == "reconfigure_successful"
    await async_settle(home.hass)
    assert home.entry.data["api_url"] == api_url


# Sign-ins that end in no entry


@pytest.mark.parametrize("way", WAYS)
async def test_closed_at_servers(home: Home, way: str) -> None:
    """A dialog closed before its end leaves no sign-in behind, but a pasted token."""
    dialog = await async_sign_in(home, way)
    assert dialog.step == "servers"
    dialog.close()
    await async_settle(home.hass)
    assert list(home.account.tokens) == (["another client"] if way == "token" else [])
    assert not home.hass.config_entries.async_entries(DOMAIN)


async def test_failed_sign_out_is_no_trouble(home: Home) -> None:
    """A sign-out that plex.tv does not take is left at that."""
    dialog = await async_sign_in(home, "password")
    home.simulator.faults.set("signout", Fault.status(503))
    dialog.close()
    await async_settle(home.hass)
    assert len(home.signed_out) == 1


@pytest.mark.parametrize("endpoint", ["signin", "resources"])
async def test_closed_while_signing_in(home: Home, endpoint: str) -> None:
    """A dialog closed while plex.tv is asked leaves no sign-in behind."""
    dialog = await async_open(home)
    await dialog.choose("password")
    home.simulator.faults.set(endpoint, Fault.delay(0.3))
    submitting = asyncio.create_task(dialog.submit(home.right("password")))
    await async_arrived(home, endpoint)
    dialog.close()
    with pytest.raises(UnknownFlow):
        await submitting
    await async_settle(home.hass)
    assert len(home.signed_out) == 1
    assert not home.account.tokens
    assert not home.hass.config_entries.async_entries(DOMAIN)


@pytest.mark.parametrize("source", [SOURCE_REAUTH, SOURCE_RECONFIGURE])
async def test_closed_while_renewing(home: Home, source: str) -> None:
    """A new token is stored even if its dialog was closed: the old one is dead."""
    home.entry = await async_add_account(home.hass, home.simulator, home.account)
    home.source = source
    dialog = await async_open(home)
    await dialog.choose("password")
    home.simulator.faults.set("signin", Fault.delay(0.3))
    submitting = asyncio.create_task(dialog.submit(home.right("password")))
    await async_arrived(home, "signin")
    dialog.close()
    await submitting
    await async_settle(home.hass)
    assert not home.signed_out
    assert list(home.account.tokens.values()) == [home.entry.data["token"]]


async def test_closed_while_renewing_to_another_account(
    home: Home, world: DemoWorld
) -> None:
    """A sign-in to another account is ended even if its dialog was closed meanwhile."""
    home.entry = await async_add_account(home.hass, home.simulator, home.account)
    home.source = SOURCE_REAUTH
    home.account = world.yearly
    dialog = await async_open(home)
    await dialog.choose("password")
    home.simulator.faults.set("signin", Fault.delay(0.3))
    submitting = asyncio.create_task(dialog.submit(home.right("password")))
    await async_arrived(home, "signin")
    dialog.close()
    await submitting
    await async_settle(home.hass)
    assert not world.yearly.tokens
    assert home.entry.data["token"] in world.free.tokens.values()


@pytest.mark.parametrize("origin", TokenOrigin)
@pytest.mark.parametrize("source", [SOURCE_REAUTH, SOURCE_RECONFIGURE])
async def test_replaced_by_a_pasted_token(
    home: Home, source: str, origin: TokenOrigin
) -> None:
    """A pasted token replaces our own sign-in, which is ended; a pasted one is not."""
    home.entry = home.add_entry(origin=origin)
    home.source = source
    old = home.entry.data["token"]
    dialog = await async_sign_in(home, "token")
    assert dialog.result["reason"] == f"{source}_successful"
    await async_settle(home.hass)
    assert home.entry.data["token_origin"] == "token"
    assert home.signed_out == ([] if origin is TokenOrigin.TOKEN else [old])


async def test_same_token_pasted(home: Home) -> None:
    """Pasting the entry's own token signs nothing out."""
    home.entry = home.add_entry()
    home.source = SOURCE_RECONFIGURE
    dialog = await async_open(home)
    await dialog.choose("token")
    await dialog.submit({"token": home.entry.data["token"]})
    assert dialog.result["reason"] == "reconfigure_successful"
    await async_settle(home.hass)
    assert not home.signed_out


@pytest.mark.parametrize("way", ["password", "token"])
async def test_entry_removed_meanwhile(home: Home, way: str) -> None:
    """An entry that was removed while its dialog was open cannot get a token."""
    home.entry = home.add_entry()
    home.source = SOURCE_RECONFIGURE
    dialog = await async_open(home)
    await dialog.choose(way)
    right = home.right(way)
    await home.hass.config_entries.async_remove(home.entry.entry_id)
    with pytest.raises(UnknownEntry):
        await dialog.submit(right)
    dialog.close()
    await async_settle(home.hass)
    assert list(home.account.tokens) == (
        [] if way == "password" else ["another client"]
    )


# The link: what comes of it whatever becomes of its dialog


async def async_open_link(home: Home, *, seconds: float) -> Dialog:
    """Open a dialog and let it show a code, which is looked at once in `seconds`."""
    dialog = await async_open(home)
    await dialog.choose("link")
    with patch("custom_components.plex_auth.link.POLL_SECONDS", seconds):
        await dialog.submit(home.right("link"))
        await async_arrived(home, "pins_check")
        await asyncio.sleep(0.05)
    pin = home.simulator.pins.latest
    assert dialog.result["description_placeholders"] == {
        "code": pin.code,
        "url": "https://plex.tv/link",
    }
    return dialog


def link_tasks() -> list[str]:
    """Return the tasks of a link that are still there."""
    names = [task.get_name() for task in asyncio.all_tasks()]
    return [name for name in names if name.startswith("plex_auth link")]


@pytest.mark.parametrize("source", SOURCES)
async def test_closed_while_waiting(home: Home, source: str) -> None:
    """A closed dialog looks at the code once more, and leaves nothing behind."""
    if source != SOURCE_USER:
        home.entry = await async_add_account(home.hass, home.simulator, home.account)
        home.source = source
    tokens = dict(home.account.tokens)
    dialog = await async_open_link(home, seconds=60)
    looks = len(home.simulator.requests_to("pins_check"))
    assert link_tasks()
    dialog.close()
    await async_settle(home.hass)
    assert not link_tasks()
    assert len(home.simulator.requests_to("pins_check")) == looks + 1
    assert not home.signed_out
    assert dict(home.account.tokens) == tokens


async def test_closed_while_plex_tv_is_away(home: Home) -> None:
    """A closed dialog does not wait for plex.tv."""
    dialog = await async_open_link(home, seconds=60)
    home.simulator.faults.set("pins_check", Fault.status(503))
    dialog.close()
    await async_settle(home.hass)
    assert not link_tasks()


@pytest.mark.parametrize("source", [SOURCE_REAUTH, SOURCE_RECONFIGURE])
@pytest.mark.parametrize("is_loaded", [True, False])
async def test_claimed_just_before_it_is_closed(
    home: Home, source: str, is_loaded: bool
) -> None:
    """A code typed before its dialog is closed gives the entry its token."""
    home.entry = entry = home.add_entry(origin=TokenOrigin.LINK)
    home.source = source
    if is_loaded:
        await home.hass.config_entries.async_setup(entry.entry_id)
    dialog = await async_open_link(home, seconds=60)
    pin = home.simulator.pins.latest
    home.simulator.pins.link(pin.code, home.account)
    assert entry.data["token"] not in home.account.tokens.values()
    dialog.close()
    await async_settle(home.hass)
    assert entry.data["token"] == pin.auth_token
    assert entry.state is ConfigEntryState.LOADED
    assert not home.signed_out
    assert not link_tasks()


async def test_new_account_claimed_just_before_it_is_closed(home: Home) -> None:
    """A code typed for a new entry whose dialog is then closed is no sign-in."""
    dialog = await async_open_link(home, seconds=60)
    pin = home.simulator.pins.latest
    home.simulator.pins.link(pin.code, home.account)
    dialog.close()
    await async_settle(home.hass)
    assert home.signed_out == [pin.auth_token]
    assert not home.account.tokens
    assert not home.hass.config_entries.async_entries(DOMAIN)


async def test_closed_while_the_code_is_made(home: Home) -> None:
    """A dialog closed before there is a code leaves no task that waits for it."""
    dialog = await async_open(home)
    await dialog.choose("link")
    home.simulator.faults.set("pins_create", Fault.delay(0.3))
    submitting = asyncio.create_task(dialog.submit(home.right("link")))
    await async_arrived(home, "pins_create")
    dialog.close()
    with pytest.raises(UnknownFlow):
        await submitting
    await async_settle(home.hass)
    assert not link_tasks()
    assert len(home.simulator.requests_to("pins_check")) == 1


@pytest.mark.parametrize("is_loaded", [True, False])
@pytest.mark.parametrize("source", [SOURCE_REAUTH, SOURCE_RECONFIGURE])
async def test_stored_before_a_page_asks(
    home: Home, source: str, is_loaded: bool
) -> None:
    """The token is stored when the code was typed, also if no page asks any more."""
    home.entry = entry = home.add_entry(origin=TokenOrigin.LINK)
    home.source = source
    if is_loaded:
        await home.hass.config_entries.async_setup(entry.entry_id)
    dialog = await async_open(home)
    await dialog.choose("link")
    await dialog.submit(home.right("link"))
    await async_claim(home)
    assert entry.data["token"] == home.simulator.pins.latest.auth_token
    assert entry.data["token_origin"] == "link"
    # The dialog is still there for a page that asks late.
    await dialog.look()
    assert dialog.result["reason"] == f"{source}_successful"
    await async_settle(home.hass)
    assert entry.state is ConfigEntryState.LOADED
    assert not home.signed_out


@pytest.mark.parametrize("source", SOURCES)
async def test_account_not_known_after_the_claim(home: Home, source: str) -> None:
    """A token whose account could not be asked for is used by the next try."""
    if source != SOURCE_USER:
        home.entry = home.add_entry()
        home.source = source
    dialog = await async_open(home)
    await dialog.choose("link")
    home.simulator.faults.set("user", Fault.html(502))
    await dialog.submit(home.right("link"))
    await async_claim(home)
    await dialog.look()
    assert dialog.step == "link"
    assert dialog.errors == {"base": "unavailable"}
    home.simulator.faults.clear()
    await async_finish(home, dialog)
    assert len(home.simulator.pins) == 1
    assert not home.signed_out
    (entry,) = home.hass.config_entries.async_entries(DOMAIN)
    assert entry.data["token"] == home.simulator.pins.latest.auth_token


@pytest.mark.parametrize("is_back", [True, False])
async def test_closed_after_trouble(home: Home, is_back: bool) -> None:
    """A claimed token is looked at again when its dialog is closed: stored, or ended."""
    home.entry = home.add_entry(origin=TokenOrigin.LINK)
    home.source = SOURCE_RECONFIGURE
    dialog = await async_open(home)
    await dialog.choose("link")
    home.simulator.faults.set("user", Fault.status(503))
    await dialog.submit(home.right("link"))
    await async_claim(home)
    await dialog.look()
    assert dialog.errors == {"base": "unavailable"}
    if is_back:
        home.simulator.faults.clear()
    dialog.close()
    await async_settle(home.hass)
    token = home.simulator.pins.latest.auth_token
    assert (home.entry.data["token"] == token) is is_back
    assert home.signed_out == ([] if is_back else [token])


async def test_claimed_while_plex_tv_was_away(home: Home) -> None:
    """A code typed while the dialog showed an error counts when the dialog is closed."""
    home.entry = home.add_entry(origin=TokenOrigin.LINK)
    home.source = SOURCE_REAUTH
    dialog = await async_open(home)
    await dialog.choose("link")
    home.simulator.faults.set("pins_check", Fault.status(503))
    await dialog.submit(home.right("link"))
    await async_settle(home.hass)
    await dialog.look()
    assert dialog.errors == {"base": "unavailable"}
    home.simulator.faults.clear()
    pin = home.simulator.pins.latest
    home.simulator.pins.link(pin.code, home.account)
    dialog.close()
    await async_settle(home.hass)
    assert home.entry.data["token"] == pin.auth_token


async def test_other_identifier_after_the_claim(home: Home) -> None:
    """A token belongs to its client identifier: with another one there is a new code."""
    dialog = await async_open(home)
    await dialog.choose("link")
    home.simulator.faults.set("user", Fault.status(503))
    await dialog.submit(home.right("link"))
    await async_claim(home)
    await dialog.look()
    home.simulator.faults.clear()
    first = home.simulator.pins.latest.auth_token
    advanced = {"api_url": home.api_url, "client_identifier": "my-client"}
    await dialog.submit({"advanced": advanced})
    await async_claim(home)
    await dialog.look()
    await dialog.submit({"servers": []})
    assert home.signed_out == [first]
    assert dialog.result["result"].data["client_identifier"] == "my-client"
    assert home.account.tokens == {"my-client": dialog.result["result"].data["token"]}


@pytest.mark.parametrize("source", [SOURCE_REAUTH, SOURCE_RECONFIGURE])
async def test_entry_removed_while_waiting(home: Home, source: str) -> None:
    """A code typed for an entry that is gone is no sign-in."""
    home.entry = home.add_entry(origin=TokenOrigin.TOKEN)
    home.source = source
    dialog = await async_open_link(home, seconds=0.3)
    home.simulator.pins.link(home.simulator.pins.latest.code, home.account)
    await home.hass.config_entries.async_remove(home.entry.entry_id)
    await async_settle(home.hass)
    if source == SOURCE_RECONFIGURE:
        with pytest.raises(UnknownEntry):
            await dialog.look()
        dialog.close()
        await async_settle(home.hass)
    assert home.signed_out == [home.simulator.pins.latest.auth_token]
    assert not home.account.tokens


async def test_entry_removed_before_the_reload(home: Home) -> None:
    """An entry removed between storing its token and the end of the dialog stays gone."""
    home.entry = home.add_entry(origin=TokenOrigin.TOKEN)
    home.source = SOURCE_RECONFIGURE
    dialog = await async_open(home)
    await dialog.choose("link")
    await dialog.submit(home.right("link"))
    await async_claim(home)
    await home.hass.config_entries.async_remove(home.entry.entry_id)
    await dialog.look()
    assert dialog.result["reason"] == "reconfigure_successful"
    assert not home.hass.config_entries.async_entries(DOMAIN)


async def test_page_loaded_again(home: Home) -> None:
    """A page that is loaded again shows the same step, without error and secret."""
    home.account = home.simulator.accounts["anna"]
    dialog = await async_open(home)
    await dialog.look()
    assert dialog.step == "user"
    await dialog.choose("password")
    typed = home.right("password")
    await dialog.submit({**typed, "password": "wrong"})
    await dialog.look()
    assert (dialog.step, dialog.errors) == ("password", {})
    assert dialog.shown == {"username": "anna", "advanced": typed["advanced"]}
    await dialog.submit(typed)
    await dialog.look()
    assert (dialog.step, dialog.errors) == ("code", {})
    await dialog.submit(home.right("code"))
    shown = dialog.shown
    await dialog.look()
    assert (dialog.step, dialog.shown) == ("servers", shown)
    assert len(home.simulator.requests_to("signin")) == 3


async def test_link_page_loaded_again(home: Home) -> None:
    """A page that is loaded again while a code is shown shows that code."""
    dialog = await async_open_link(home, seconds=60)
    shown = dialog.result["description_placeholders"]
    await dialog.look()
    assert dialog.result["description_placeholders"] == shown
    assert len(home.simulator.pins) == 1
    dialog.close()
    await async_settle(home.hass)


@pytest.mark.parametrize("origin", TokenOrigin)
@pytest.mark.parametrize("way", WAYS)
async def test_renewal_of_a_loaded_entry_by_any_way(
    home: Home, way: str, origin: TokenOrigin
) -> None:
    """Whatever way the old token came by, the new sign-in ends in its success."""
    home.source = SOURCE_REAUTH
    home.entry = await async_add_account(
        home.hass, home.simulator, home.account, [home.server], origin=origin
    )
    dialog = await async_sign_in(home, way)
    assert dialog.result["reason"] == "reauth_successful"
    await async_settle(home.hass)
    assert home.entry.data["token_origin"] == way
    assert home.entry.state is ConfigEntryState.LOADED
    assert home.simulator.requests_to("user")

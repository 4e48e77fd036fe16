"""The config flow: every way in, from every source, through every error."""

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from unittest.mock import patch
from uuid import UUID

import pyotp
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.plex_auth.const import DOMAIN, TokenOrigin
from homeassistant.config_entries import (
    SOURCE_REAUTH,
    SOURCE_RECONFIGURE,
    SOURCE_USER,
    ConfigEntryState,
    UnknownEntry,
)
from homeassistant.core import CALLBACK_TYPE, HomeAssistant, callback
from homeassistant.data_entry_flow import (
    EVENT_DATA_ENTRY_FLOW_PROGRESSED,
    FlowResultType,
    UnknownFlow,
)

from .conftest import Dns
from .helpers import (
    account_coordinator,
    async_add_account,
    async_settle,
    known_server,
    server_coordinator,
)
from .plex_simulator import Fault, MediaServer, PlexSimulator
from .plex_simulator.worlds import DemoWorld
from .walks.dialog import Dialog, config_dialog
from .walks.dialog_worlds import AccountWorld, async_claim, async_open
from .walks.names import SIGN_IN_WAYS as WAYS
from .walks.server_troubles import SUBENTRY_TABLE
from .walks.texts import OTHER_LANGUAGES, text, texts_of
from .walks.troubles import (
    CONFIG_TABLE,
    MOMENTS,
    OTHER_ACCOUNT,
    SOURCES,
    TROUBLES,
    Trouble,
)
from .walks.ways import MENUS

OUTAGE = Fault.status(503)

EACH_WAY = pytest.mark.parametrize("way", WAYS)
RENEWALS = pytest.mark.parametrize("source", [SOURCE_REAUTH, SOURCE_RECONFIGURE])
RENEWALS_OF_ANY_ENTRY = pytest.mark.parametrize(
    ("source", "is_loaded"), [(SOURCE_REAUTH, True), (SOURCE_RECONFIGURE, False)]
)
ONE_KEY_A_MOMENT = ("unavailable", "invalid_url")

type Group = tuple[Trouble, ...]


def groups() -> Iterator[tuple[str, Group]]:
    """Yield for each source, moment and error key all that leads to it.

    Where an entry is there already one key a moment is enough: the forms are the same.
    """
    for source in SOURCES:
        found: dict[tuple[str, str], list[Trouble]] = {}
        for trouble in TROUBLES:
            is_met = source == SOURCE_USER or trouble.key in ONE_KEY_A_MOMENT
            if is_met and source in trouble.sources:
                found.setdefault((trouble.moment, trouble.key), []).append(trouble)
        for group in found.values():
            yield source, tuple(group)


@dataclass(kw_only=True)
class People(AccountWorld):
    """Hold a simulated Plex with an account of each kind, and one of its servers."""

    server: MediaServer

    async def add(
        self,
        source: str,
        *,
        origin: TokenOrigin = TokenOrigin.PASSWORD,
        is_loaded: bool = True,
    ) -> MockConfigEntry:
        """Add the account's entry; dialogs of this source are about it from now on."""
        self.source = source
        self.entry = entry = self.add_entry(origin=origin)
        if is_loaded:
            await self.hass.config_entries.async_setup(entry.entry_id)
        return entry


@pytest.fixture(autouse=True)
def quick_link_polls(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look at a link code more often."""
    monkeypatch.setattr("custom_components.plex_auth.flows.link.POLL_SECONDS", 0.01)


@pytest.fixture
async def account_world(
    hass: HomeAssistant, simulator: PlexSimulator, dns: Dns, plex_direct: None
) -> AccountWorld:
    """Return a simulated Plex with four accounts and a server."""
    simulator.add_account("anna", title="Anna", totp_secret=pyotp.random_base32())
    simulator.add_account("carla", title="Carla")
    simulator.add_account("dora", title="Dora", email_only=True)
    ben = simulator.add_account("ben", title="Ben")
    await simulator.add_server("Living Room", ben, remote_access=False, relay=False)
    return AccountWorld(hass=hass, simulator=simulator, dns=dns, account=ben)


@pytest.fixture
def people(
    hass: HomeAssistant,
    simulator: PlexSimulator,
    world: DemoWorld,
    dns: Dns,
    plex_direct: None,
) -> People:
    """Return a simulated Plex with an account of each kind."""
    return People(
        hass=hass,
        simulator=simulator,
        dns=dns,
        account=world.free,
        server=world.living_room,
    )


async def async_choose(account_world: AccountWorld, way: str) -> Dialog:
    """Open a dialog and choose a way to sign in."""
    dialog = await async_open(account_world)
    await dialog.choose(way)
    return dialog


async def async_go_on(account_world: AccountWorld, dialog: Dialog) -> None:
    """Do what is right for the world's account at the step that is shown."""
    if dialog.type is FlowResultType.SHOW_PROGRESS:
        await async_claim(account_world)
        await dialog.look()
    elif dialog.type is FlowResultType.MENU:
        is_link = dialog.step == "link_failed"
        await dialog.choose("link" if is_link else "password")
    else:
        await dialog.submit(account_world.right(dialog.step))


async def async_sign_in(account_world: AccountWorld, way: str) -> Dialog:
    """Open a dialog and sign in, without trouble, up to the choice of servers."""
    dialog = await async_open(account_world)
    await dialog.walk(account_world.sign_in(way))
    return dialog


async def async_arrived(account_world: AccountWorld, endpoint: str) -> None:
    """Wait until a request has arrived at plex.tv."""
    while not account_world.simulator.requests_to(endpoint):
        await asyncio.sleep(0.01)


async def async_add_new(account_world: AccountWorld, *servers: str) -> MockConfigEntry:
    """Add an account as a person does, with some of its servers."""
    dialog = await async_sign_in(account_world, "password")
    if dialog.type is FlowResultType.FORM:
        await dialog.submit({"servers": list(servers)})
    await async_settle(account_world.hass)
    entry: MockConfigEntry = dialog.result["result"]
    return entry


async def async_close(account_world: AccountWorld, dialog: Dialog) -> None:
    """Close a dialog, and wait for what goes on after that."""
    dialog.close()
    await async_settle(account_world.hass)


async def async_submit_and_close(
    account_world: AccountWorld, dialog: Dialog, endpoint: str
) -> asyncio.Task[None]:
    """Submit a form, and close the dialog while plex.tv is asked."""
    account_world.simulator.faults.set(endpoint, Fault.delay(0.3))
    submitting = asyncio.create_task(dialog.submit(account_world.right(dialog.step)))
    await async_arrived(account_world, endpoint)
    dialog.close()
    return submitting


async def async_link_with_trouble(
    account_world: AccountWorld, endpoint: str, fault: Fault = OUTAGE
) -> Dialog:
    """Ask for a link code, claim it unless it cannot be looked at, and meet an error."""
    dialog = await async_open(account_world)
    account_world.simulator.faults.set(endpoint, fault)
    await dialog.choose("link")
    if endpoint == "user":
        await async_claim(account_world)
    await async_settle(account_world.hass)
    await dialog.look()
    assert dialog.step == "link_failed"
    assert dialog.errors == {"base": "unavailable"}
    return dialog


async def async_reach(account_world: AccountWorld, dialog: Dialog, moment: str) -> None:
    """Go to a moment of the flow, where a first failure lets it stay."""
    match moment:
        case "link" | "link_waiting":
            return
        case "link_claimed":
            await dialog.choose("link")
        case "code" | "servers":
            await dialog.choose("password")
        case _:
            await dialog.choose(moment)
            return
    if moment != "code":
        account_world.simulator.faults.set(MOMENTS[moment].endpoint, Fault.status(503))
    await async_go_on(account_world, dialog)
    account_world.simulator.faults.clear()


async def async_meet(
    account_world: AccountWorld, dialog: Dialog, trouble: Trouble
) -> None:
    """Meet a trouble: it is there while the moment's step is submitted, or waits."""
    if trouble.shown_at == "link_failed":
        await async_meet_in_link(account_world, dialog, trouble)
        return
    typed = account_world.right(trouble.moment)
    if trouble.typed is not None:
        typed |= trouble.typed(account_world)
    if trouble.active is None:
        await dialog.submit(typed)
        return
    async with trouble.active(
        account_world.simulator, account_world.dns, trouble.endpoint
    ):
        await dialog.submit(typed)


async def async_meet_in_link(
    account_world: AccountWorld, dialog: Dialog, trouble: Trouble
) -> None:
    """Meet a trouble of the link, which has no form."""
    assert trouble.active is not None
    if trouble.moment == "link_waiting":
        await dialog.choose("link")
    async with trouble.active(
        account_world.simulator, account_world.dns, trouble.endpoint
    ):
        if trouble.moment != "link_waiting":
            await dialog.choose("link")
        if dialog.type is FlowResultType.SHOW_PROGRESS:
            await async_settle(account_world.hass)
            await dialog.look()


async def async_finish(account_world: AccountWorld, dialog: Dialog) -> None:
    """Do what is right until the dialog ends."""
    while dialog.type not in (FlowResultType.ABORT, FlowResultType.CREATE_ENTRY):
        await async_go_on(account_world, dialog)
        assert not dialog.errors
    await async_settle(account_world.hass)


@pytest.mark.parametrize(
    ("source", "group"),
    [
        pytest.param(source, group, id=f"{source}-{group[0].moment}-{group[0].key}")
        for source, group in groups()
    ],
)
async def test_trouble_then_success(
    account_world: AccountWorld, source: str, group: Group
) -> None:
    """Every error has its message, keeps what was typed, and the next try succeeds."""
    moment, account = group[0].moment, group[0].account
    account_world.account = account_world.simulator.accounts[account]
    account_world.source = source
    taken = account_world.add_entry(account_world.simulator.accounts["carla"])
    account_world.hass.config_entries.async_update_entry(
        taken, data={**taken.data, "client_identifier": "taken"}
    )
    if source != SOURCE_USER:
        account_world.entry = account_world.add_entry()
        account_world.account.revoke_tokens()

    dialog = await async_open(account_world)
    await async_reach(account_world, dialog, moment)
    for trouble in group:
        await async_meet(account_world, dialog, trouble)
        assert dialog.step == trouble.shown_at, trouble.cause
        assert dialog.errors == {trouble.field: trouble.key}, trouble.cause
    assert account_world.hass.config_entries.async_entries(DOMAIN) == [taken] + (
        [account_world.entry] if account_world.entry is not None else []
    )

    await async_finish(account_world, dialog)
    if source == SOURCE_USER:
        assert dialog.type is FlowResultType.CREATE_ENTRY
        entry = dialog.result["result"]
    else:
        assert dialog.type is FlowResultType.ABORT
        assert dialog.result["reason"] == f"{source}_successful"
        entry = account_world.entry
    assert entry.state is ConfigEntryState.LOADED
    assert entry.unique_id == account_world.account.uuid
    assert entry.data["token"] in account_world.account.tokens.values()
    sent = len(account_world.simulator.requests_to("signin"))
    assert sent <= dialog.submitted["password"] + dialog.submitted["code"]


def test_table() -> None:
    """Every key of the table is met at its step, every key of the design somewhere."""
    met = {(trouble.shown_at, trouble.key) for trouble in TROUBLES}
    # by test_wrong_account
    met |= {(step, OTHER_ACCOUNT) for step in ("link_failed", "password", "token")}
    assert met == {(step, key) for step, keys in CONFIG_TABLE.items() for key in keys}
    config, subentry = (
        frozenset[str]().union(*table.values())
        for table in (CONFIG_TABLE, SUBENTRY_TABLE)
    )
    assert errors_of("config") == config
    named = {"unprotected_only"}  # by the tests of flows/checks.py
    assert errors_of("config_subentries.server") == subentry | named


def errors_of(section: str) -> set[str]:
    """Return the keys of a section's errors, among which its hints stand."""
    keys = texts_of(f"{section}.error")
    return {key for key in keys if not key.startswith("hint_")}


# Every way in, and what it leaves behind


@EACH_WAY
async def test_new_entry(people: People, way: str) -> None:
    """A new entry holds exactly the sign-in, how it was made, and the account's name."""
    dialog = await async_sign_in(people, way)
    assert dialog.step == "servers"
    flow = people.hass.config_entries.flow._progress[dialog.result["flow_id"]]
    await dialog.submit({"servers": []})
    assert dialog.type is FlowResultType.CREATE_ENTRY
    entry = dialog.result["result"]
    identifier = entry.data["client_identifier"]
    user = "another client" if way == "token" else identifier
    assert entry.data == {
        "token": people.account.tokens[user],
        "token_origin": way,
        "client_identifier": identifier,
        "api_url": people.api_url,
        "name": "Ben",
    }
    assert str(UUID(identifier)) == identifier
    assert entry.title == "Ben"
    assert entry.unique_id == people.account.uuid
    assert not entry.subentries
    assert people.account.password is not None
    assert people.account.password not in repr(vars(flow))
    assert not people.signed_out
    assert len(people.simulator.requests_to("signin")) == (way == "password")


@pytest.mark.parametrize(
    ("source", "origin"),
    [
        (SOURCE_REAUTH, TokenOrigin.TOKEN),
        (SOURCE_RECONFIGURE, TokenOrigin.PASSWORD),
    ],
)
@EACH_WAY
async def test_renewal(
    people: People, source: str, origin: TokenOrigin, way: str
) -> None:
    """A new sign-in changes the token and its origin, and nothing else."""
    people.source = source
    people.entry = await async_add_account(
        people.hass, people.simulator, people.account, [people.server], origin=origin
    )
    before = dict(people.entry.data)
    subentries = dict(people.entry.subentries)
    states = set(people.hass.states.async_entity_ids())
    runtime_data = people.entry.runtime_data
    people.simulator.requests.clear()

    dialog = await async_sign_in(people, way)
    assert dialog.type is FlowResultType.ABORT
    assert dialog.result["reason"] == f"{source}_successful"
    await async_settle(people.hass)
    user = "another client" if way == "token" else before["client_identifier"]
    changed = {"token": people.account.tokens[user], "token_origin": way}
    assert people.entry.data == before | changed
    assert people.entry.data["token"] != before["token"]
    assert dict(people.entry.subentries) == subentries
    assert set(people.hass.states.async_entity_ids()) == states
    assert people.entry.runtime_data is runtime_data, "reloaded"
    asked = people.simulator.requests_to("user")[-1]
    assert asked.headers["X-Plex-Token"] == people.entry.data["token"]
    assert len(people.simulator.requests_to("signin")) == (way == "password")
    for request in people.simulator.requests:
        identifier = request.headers["X-Plex-Client-Identifier"]
        assert identifier == before["client_identifier"]
    is_replaced = way == "token" and origin is TokenOrigin.PASSWORD
    assert people.signed_out == ([before["token"]] if is_replaced else [])


@EACH_WAY
async def test_rejected_at_start(people: People, way: str) -> None:
    """The sign-in that a set-up asked for ends in a success, and sets the entry up."""
    entry = people.entry = people.add_entry(origin=TokenOrigin.LINK)
    people.source = SOURCE_REAUTH
    people.account.revoke_tokens()
    await people.hass.config_entries.async_setup(entry.entry_id)
    (flow,) = people.hass.config_entries.flow.async_progress()
    assert flow["step_id"] == "reauth_confirm"
    dialog = config_dialog(people.hass, people.simulator)
    dialog.result = flow
    await dialog.look()
    await dialog.choose(way)
    await async_finish(people, dialog)
    assert dialog.type is FlowResultType.ABORT
    assert dialog.result["reason"] == "reauth_successful"
    assert entry.state is ConfigEntryState.LOADED
    assert entry.data["token_origin"] == way
    assert not people.hass.config_entries.flow.async_progress()


async def test_two_factor_keeps_code_and_password_nowhere(people: People) -> None:
    """After a sign-in with a code neither the flow nor the entry has it or the password."""
    people.account = people.simulator.accounts["anna"]
    code = people.account.code()
    dialog = await async_choose(people, "password")
    await dialog.submit(people.right("password"))
    assert dialog.step == "code"
    await dialog.submit({"verification_code": f" {code[:3]} {code[3:]} "})
    assert dialog.step == "servers"
    assert [
        request.form.get("verificationCode")
        for request in (people.simulator.requests_to("signin"))
    ] == [None, code]
    flow = people.hass.config_entries.flow._progress[dialog.result["flow_id"]]
    await dialog.submit({})
    entry = dialog.result["result"]
    password = str(people.account.password)
    for shown in (repr(vars(flow)), repr(entry.as_dict())):
        assert password not in shown
        assert code not in shown


async def test_own_servers_are_chosen(people: People, world: DemoWorld) -> None:
    """The form offers all servers, own ones chosen; each chosen one is a subentry."""
    people.account = world.two_factor
    dialog = await async_sign_in(people, "password")
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
            {"sources": [], "last_known": known_server(server, people.account)},
        )
        for server in (world.basement, world.shared)
    ]
    await async_settle(people.hass)
    assert entry.state is ConfigEntryState.LOADED


@pytest.mark.parametrize(
    ("account", "away", "hints"),
    [
        ("anna", (), ["hint_own", "hint_shared"]),
        ("anna", ("living_room",), ["hint_own", "hint_away", "hint_shared"]),
        ("anna", ("living_room", "basement"), ["hint_away", "hint_shared"]),
        ("carla", (), ["hint_own"]),
    ],
)
async def test_hints_about_servers(
    people: People,
    world: DemoWorld,
    account: str,
    away: tuple[str, ...],
    hints: list[str],
) -> None:
    """What is preselected, and what owners look like, is told where there is such."""
    for name in away:
        server: MediaServer = getattr(world, name)
        server.presence = False
        server.last_seen_at = datetime(2020, 1, 1, tzinfo=UTC)
    people.account = people.simulator.accounts[account]
    dialog = await async_sign_in(people, "password")
    assert dialog.result["description_placeholders"]["hints_md"] == " ".join(
        text(f"config.error.{hint}") for hint in hints
    )


async def test_absent_server_can_be_chosen(people: People, world: DemoWorld) -> None:
    """A server that plex.tv calls absent is offered, and works all the same."""
    world.living_room.presence = False
    entry = await async_add_new(people, world.living_room.machine_identifier)
    assert server_coordinator(entry, world.living_room).last_update_success


@EACH_WAY
async def test_account_without_servers(
    people: People, world: DemoWorld, way: str
) -> None:
    """An account without servers is set up at once; the last page says whose it is."""
    people.account = world.without_servers
    world.without_servers.title = "[Fritz](http://evil.example)"
    dialog = await async_sign_in(people, way)
    assert dialog.type is FlowResultType.CREATE_ENTRY
    assert dialog.result["description"] == "no_servers"
    assert dialog.result["description_placeholders"] == {
        "name": "[Fritz](http://evil.example)",
        "name_md": r"\[Fritz\]\(http\:\/\/evil\.example\)",
    }
    assert not dialog.result["result"].subentries
    await async_settle(people.hass)
    assert dialog.result["result"].state is ConfigEntryState.LOADED


async def test_managed_user(people: People, world: DemoWorld) -> None:
    """A managed user without user name and e-mail signs in by a code; the title is his."""
    people.account = world.managed
    dialog = await async_sign_in(people, "link")
    await dialog.submit({"servers": [world.living_room.machine_identifier]})
    await async_settle(people.hass)
    assert dialog.result["description"] is None
    entry = dialog.result["result"]
    assert entry.title == "Emil"
    assert entry.unique_id == world.managed.uuid
    assert entry.state is ConfigEntryState.LOADED


# Whose account, and under which identifier


@EACH_WAY
async def test_already_configured(people: People, way: str) -> None:
    """An account is set up once; the new sign-in is ended, a pasted token is not."""
    entry = await async_add_account(people.hass, people.simulator, people.account)
    dialog = await async_sign_in(people, way)
    assert dialog.type is FlowResultType.ABORT
    assert dialog.result["reason"] == "already_configured"
    assert dialog.result["description_placeholders"] == {
        "name": "Ben",
        "name_md": "Ben",
    }
    await async_settle(people.hass)
    assert len(people.signed_out) == (way != "token")
    assert entry.data["token"] not in people.signed_out
    assert entry.data["token"] in people.account.tokens.values()
    assert len(people.account.tokens) == (2 if way == "token" else 1)


@EACH_WAY
async def test_wrong_account(people: People, world: DemoWorld, way: str) -> None:
    """Another account is an error that names both; the dialog asks for the right one."""
    entry = await people.add(SOURCE_RECONFIGURE)
    before = dict(entry.data)
    people.account = world.yearly
    dialog = await async_choose(people, way)
    await async_go_on(people, dialog)
    assert dialog.step == ("link_failed" if way == "link" else way)
    assert dialog.errors == {"base": "wrong_account"}
    placeholders = {"name": "Ben", "other": "Carla"}
    assert placeholders.items() <= dialog.result["description_placeholders"].items()
    await async_settle(people.hass)
    assert entry.data == before
    assert before["token"] in world.free.tokens.values()
    assert len(people.signed_out) == (way != "token")
    assert len(world.yearly.tokens) == (way == "token")
    people.account = world.free
    await async_finish(people, dialog)
    assert dialog.type is FlowResultType.ABORT
    assert dialog.result["reason"] == "reconfigure_successful"


async def test_same_account_in_two_dialogs(people: People) -> None:
    """The entry of one dialog ends the other, whose page is gone, and its sign-in."""
    await async_sign_in(people, "password")
    second = await async_sign_in(people, "password")
    assert second.step == "servers"
    await second.submit({})
    await async_settle(people.hass)
    assert len(people.signed_out) == 1
    assert not people.hass.config_entries.flow.async_progress()
    entry = second.result["result"]
    assert people.account.tokens == {
        entry.data["client_identifier"]: entry.data["token"]
    }


def in_use(dialog: Dialog) -> str:
    """Return what a menu says that `advanced` has set."""
    return str(dialog.result["description_placeholders"]["in_use_md"])


async def async_type_advanced(dialog: Dialog, **typed: str) -> None:
    """Type into `advanced`, and come back to the menu."""
    menu = dialog.step
    await dialog.choose("advanced")
    await dialog.submit(typed)
    assert (dialog.type, dialog.step) == (FlowResultType.MENU, menu)


async def test_typed_client_identifier(people: People) -> None:
    """A typed identifier is on every request, and in the entry."""
    dialog = await async_open(people)
    await async_type_advanced(
        dialog, api_url=f" {people.api_url}/ ", client_identifier=" my-client "
    )
    assert in_use(dialog).endswith(r"Client identifier in use: my\-client.")
    await dialog.choose("password")
    await dialog.submit(people.right("password"))
    await dialog.submit({})
    await async_settle(people.hass)
    entry = dialog.result["result"]
    assert entry.data["client_identifier"] == "my-client"
    assert entry.data["api_url"] == people.api_url
    assert {
        request.headers["X-Plex-Client-Identifier"]
        for request in people.simulator.requests
    } == {"my-client"}


async def test_emptied_client_identifier(people: People) -> None:
    """An identifier that was typed, shown again and then emptied is not used."""
    dialog = await async_open(people)
    typed = {"api_url": people.api_url, "client_identifier": "my-client"}
    await async_type_advanced(dialog, **typed)
    await dialog.choose("advanced")
    assert dialog.shown == typed
    await dialog.submit({"api_url": people.api_url})
    await dialog.choose("password")
    await dialog.submit(people.right("password"))
    await dialog.submit({})
    identifier = dialog.result["result"].data["client_identifier"]
    assert str(UUID(identifier)) == identifier


async def test_plex_tv_is_the_default(people: People) -> None:
    """Without `advanced`, or with it left empty, plex.tv itself is asked."""
    typed: Mapping[str, str] | None
    for typed in (None, {}, {"api_url": " "}):
        dialog = config_dialog(people.hass, people.simulator)
        await dialog.start(DOMAIN, source=SOURCE_USER)
        if typed is not None:
            await async_type_advanced(dialog, **typed)
        assert in_use(dialog) == ""
        await dialog.choose("password")
        await dialog.submit({"username": "ben", "password": "unsent"})
        assert dialog.errors == {"base": "dns_error"}
        dialog.close()
    assert not people.simulator.requests


async def test_reconfigure_changes_the_address(people: People) -> None:
    """Another address of Plex's API is shown, checked, stored and used after a reload."""
    entry = people.entry = await async_add_account(
        people.hass, people.simulator, people.account
    )
    people.source = SOURCE_RECONFIGURE
    old = entry.data["api_url"]
    assert old != people.api_url
    runtime_data = entry.runtime_data
    dialog = await async_open(people)
    await dialog.choose("advanced")
    assert dialog.fields == ["api_url"]
    assert dialog.shown == {"api_url": old}
    await dialog.submit({"api_url": "https://localhost:1/api/v2"})
    assert in_use(dialog) == (
        r"Plex API address in use: https\:\/\/localhost\:1\/api\/v2."
    )
    await dialog.choose("password")
    assert dialog.shown == {"username": "ben"}
    right = people.right("password")
    await dialog.submit(right)
    assert dialog.errors == {"base": "cannot_connect"}
    assert entry.data["api_url"] == old
    await dialog.look()
    await async_type_advanced(dialog, api_url=people.api_url)
    await dialog.choose("password")
    await dialog.submit(right)
    assert dialog.result["reason"] == "reconfigure_successful"
    await async_settle(people.hass)
    assert entry.data["api_url"] == people.api_url
    assert entry.state is ConfigEntryState.LOADED
    assert entry.runtime_data is not runtime_data
    assert people.simulator.requests_to("user")[-1].secure


@pytest.mark.parametrize("is_looked_at", [False, True])
async def test_reconfigure_keeps_the_address(
    people: People, is_looked_at: bool
) -> None:
    """The entry's address stays unless another one is typed."""
    entry = await people.add(SOURCE_RECONFIGURE)
    api_url = entry.data["api_url"]
    dialog = await async_open(people)
    if is_looked_at:
        await dialog.choose("advanced")
        await dialog.submit(dialog.shown)
    await dialog.choose("password")
    await dialog.submit({"username": "ben", "password": people.account.password})
    assert dialog.result["reason"] == "reconfigure_successful"
    await async_settle(people.hass)
    assert entry.data["api_url"] == api_url


async def test_one_device_at_plex(people: People) -> None:
    """Dialogs, polls, reloads and renewals are one device in Plex's list."""
    people.entry = entry = await async_add_new(people)
    people.source = SOURCE_REAUTH
    await people.hass.config_entries.async_reload(entry.entry_id)
    people.account.revoke_tokens()
    await account_coordinator(entry).async_refresh()
    dialog = await async_sign_in(people, "password")
    assert dialog.result["reason"] == "reauth_successful"
    await async_settle(people.hass)
    assert {
        request.headers["X-Plex-Client-Identifier"]
        for request in people.simulator.requests
    } == {entry.data["client_identifier"]}
    assert list(people.account.tokens) == [entry.data["client_identifier"]]


async def test_identifier_is_random(people: People, world: DemoWorld) -> None:
    """Each entry has an identifier of its own, also one that was removed and added."""
    first = await async_add_new(people)
    people.account = world.without_servers
    second = await async_add_new(people)
    await people.hass.config_entries.async_remove(second.entry_id)
    again = await async_add_new(people)
    entries = (first, second, again)
    assert len({entry.data["client_identifier"] for entry in entries}) == 3


async def test_spaces_around_a_name(people: People) -> None:
    """The e-mail address signs in as well as the name, in whatever way it is typed."""
    dialog = await async_choose(people, "password")
    await dialog.submit(people.right("password") | {"username": " BEN@example.com "})
    assert dialog.step == "servers"


# Sign-ins that end in no entry


async def test_abandoned_at_the_code(people: People, world: DemoWorld) -> None:
    """A dialog that is closed half-way leaves the token that works where it is."""
    people.account = world.two_factor
    entry = await people.add(SOURCE_RECONFIGURE)
    before = dict(entry.data)
    dialog = await async_choose(people, "password")
    await dialog.submit(people.right("password"))
    assert dialog.step == "code"
    await async_close(people, dialog)
    assert entry.data == before
    assert list(people.account.tokens.values()) == [before["token"]]


@EACH_WAY
async def test_closed_at_servers(people: People, way: str) -> None:
    """A dialog closed before its end leaves no sign-in behind, but a pasted token."""
    dialog = await async_sign_in(people, way)
    assert dialog.step == "servers"
    await async_close(people, dialog)
    assert list(people.account.tokens) == (["another client"] if way == "token" else [])
    assert not people.hass.config_entries.async_entries(DOMAIN)


async def test_failed_sign_out_is_no_trouble(people: People) -> None:
    """A sign-out that plex.tv does not take is left at that."""
    dialog = await async_sign_in(people, "password")
    people.simulator.faults.set("signout", Fault.status(503))
    await async_close(people, dialog)
    assert len(people.signed_out) == 1


@pytest.mark.parametrize("endpoint", ["signin", "resources"])
async def test_closed_while_signing_in(people: People, endpoint: str) -> None:
    """A dialog closed while plex.tv is asked leaves no sign-in behind."""
    dialog = await async_choose(people, "password")
    submitting = await async_submit_and_close(people, dialog, endpoint)
    with pytest.raises(UnknownFlow):
        await submitting
    await async_settle(people.hass)
    assert len(people.signed_out) == 1
    assert not people.account.tokens
    assert not people.hass.config_entries.async_entries(DOMAIN)


@RENEWALS
async def test_closed_while_renewing(people: People, source: str) -> None:
    """A new token is stored even if its dialog was closed: the old one is dead."""
    entry = await people.add(source)
    dialog = await async_choose(people, "password")
    submitting = await async_submit_and_close(people, dialog, "signin")
    await submitting
    await async_settle(people.hass)
    assert not people.signed_out
    assert list(people.account.tokens.values()) == [entry.data["token"]]


async def test_closed_while_renewing_to_another_account(
    people: People, world: DemoWorld
) -> None:
    """A sign-in to another account is ended even if its dialog was closed meanwhile."""
    entry = await people.add(SOURCE_REAUTH)
    people.account = world.yearly
    dialog = await async_choose(people, "password")
    submitting = await async_submit_and_close(people, dialog, "signin")
    with pytest.raises(UnknownFlow):
        await submitting
    await async_settle(people.hass)
    assert not world.yearly.tokens
    assert entry.data["token"] in world.free.tokens.values()


@pytest.mark.parametrize("origin", TokenOrigin)
async def test_replaced_by_a_pasted_token(people: People, origin: TokenOrigin) -> None:
    """A pasted token replaces our own sign-in, which is ended; a pasted one is not."""
    entry = await people.add(SOURCE_REAUTH, origin=origin, is_loaded=False)
    old = entry.data["token"]
    dialog = await async_sign_in(people, "token")
    assert dialog.result["reason"] == "reauth_successful"
    await async_settle(people.hass)
    assert entry.data["token_origin"] == "token"
    assert people.signed_out == ([] if origin is TokenOrigin.TOKEN else [old])


async def test_same_token_pasted(people: People) -> None:
    """Pasting the entry's own token signs nothing out."""
    entry = await people.add(SOURCE_RECONFIGURE, is_loaded=False)
    dialog = await async_choose(people, "token")
    await dialog.submit({"token": entry.data["token"]})
    assert dialog.result["reason"] == "reconfigure_successful"
    await async_settle(people.hass)
    assert not people.signed_out


@pytest.mark.parametrize("way", ["password", "token"])
async def test_entry_removed_meanwhile(people: People, way: str) -> None:
    """An entry that was removed while its dialog was open cannot get a token."""
    entry = await people.add(SOURCE_RECONFIGURE, is_loaded=False)
    dialog = await async_choose(people, way)
    right = people.right(way)
    await people.hass.config_entries.async_remove(entry.entry_id)
    with pytest.raises(UnknownEntry):
        await dialog.submit(right)
    await async_close(people, dialog)
    assert list(people.account.tokens) == (
        [] if way == "password" else ["another client"]
    )


# The link: what comes of it whatever becomes of its dialog


async def async_open_link(people: People, *, seconds: float) -> Dialog:
    """Open a dialog and let it show a code, which is looked at once in `seconds`."""
    dialog = await async_open(people)
    with patch("custom_components.plex_auth.flows.link.POLL_SECONDS", seconds):
        await dialog.choose("link")
        await async_arrived(people, "pins_check")
        await asyncio.sleep(0.05)
    pin = people.simulator.pins.latest
    url = f"https://plex.tv/link/?pin={pin.code}"
    shown = dialog.result["description_placeholders"]
    assert (shown["code"], shown["url"]) == (pin.code, url)
    assert f'data="{url}"' in shown["qr"]
    assert 'margin="4"' in shown["qr"]
    return dialog


def link_tasks() -> list[str]:
    """Return the tasks of a link that are still there."""
    names = [task.get_name() for task in asyncio.all_tasks()]
    return [name for name in names if name.startswith("plex_auth link")]


@pytest.mark.parametrize("source", SOURCES)
async def test_closed_while_waiting(people: People, source: str) -> None:
    """A closed dialog looks at the code once more, and leaves nothing behind."""
    if source != SOURCE_USER:
        people.entry = await async_add_account(
            people.hass, people.simulator, people.account
        )
        people.source = source
    tokens = dict(people.account.tokens)
    dialog = await async_open_link(people, seconds=60)
    looks = len(people.simulator.requests_to("pins_check"))
    assert link_tasks()
    await async_close(people, dialog)
    assert not link_tasks()
    assert len(people.simulator.requests_to("pins_check")) == looks + 1
    assert not people.signed_out
    assert dict(people.account.tokens) == tokens


@RENEWALS_OF_ANY_ENTRY
async def test_claimed_just_before_it_is_closed(
    people: People, source: str, is_loaded: bool
) -> None:
    """A code typed before its dialog is closed gives the entry its token."""
    entry = await people.add(source, origin=TokenOrigin.LINK, is_loaded=is_loaded)
    dialog = await async_open_link(people, seconds=60)
    pin = people.simulator.pins.latest
    people.simulator.pins.link(pin.code, people.account)
    assert entry.data["token"] not in people.account.tokens.values()
    await async_close(people, dialog)
    assert entry.data["token"] == pin.auth_token
    assert entry.state is ConfigEntryState.LOADED
    assert not people.signed_out
    assert not link_tasks()


async def test_new_account_claimed_just_before_it_is_closed(people: People) -> None:
    """A code typed for a new entry whose dialog is then closed is no sign-in."""
    dialog = await async_open_link(people, seconds=60)
    pin = people.simulator.pins.latest
    people.simulator.pins.link(pin.code, people.account)
    await async_close(people, dialog)
    assert people.signed_out == [pin.auth_token]
    assert not people.account.tokens
    assert not people.hass.config_entries.async_entries(DOMAIN)


async def test_closed_while_the_code_is_made(people: People) -> None:
    """A dialog closed before there is a code leaves no task that waits for it."""
    dialog = await async_open(people)
    people.simulator.faults.set("pins_create", Fault.delay(0.3))
    choosing = asyncio.create_task(dialog.choose("link"))
    await async_arrived(people, "pins_create")
    dialog.close()
    with pytest.raises(UnknownFlow):
        await choosing
    await async_settle(people.hass)
    assert not link_tasks()
    assert len(people.simulator.requests_to("pins_check")) == 1


@RENEWALS_OF_ANY_ENTRY
async def test_stored_before_a_page_asks(
    people: People, source: str, is_loaded: bool
) -> None:
    """The token is stored when the code was typed, also if no page asks any more."""
    entry = await people.add(source, origin=TokenOrigin.LINK, is_loaded=is_loaded)
    dialog = await async_choose(people, "link")
    await async_claim(people)
    assert entry.data["token"] == people.simulator.pins.latest.auth_token
    assert entry.data["token_origin"] == "link"
    # The dialog is still there for a page that asks late.
    await dialog.look()
    assert dialog.result["reason"] == f"{source}_successful"
    await async_settle(people.hass)
    assert entry.state is ConfigEntryState.LOADED
    assert not people.signed_out


@pytest.mark.parametrize("source", SOURCES)
async def test_account_not_known_after_the_claim(people: People, source: str) -> None:
    """A token whose account could not be asked for is used by the next try."""
    if source != SOURCE_USER:
        people.entry = people.add_entry()
        people.source = source
    dialog = await async_link_with_trouble(people, "user", Fault.html(502))
    people.simulator.faults.clear()
    await async_finish(people, dialog)
    assert len(people.simulator.pins) == 1
    assert not people.signed_out
    (entry,) = people.hass.config_entries.async_entries(DOMAIN)
    assert entry.data["token"] == people.simulator.pins.latest.auth_token


@pytest.mark.parametrize("is_back", [True, False])
async def test_closed_after_trouble(people: People, is_back: bool) -> None:
    """A claimed token is looked at again when its dialog is closed: stored, or ended."""
    entry = await people.add(
        SOURCE_RECONFIGURE, origin=TokenOrigin.LINK, is_loaded=False
    )
    dialog = await async_link_with_trouble(people, "user")
    if is_back:
        people.simulator.faults.clear()
    await async_close(people, dialog)
    token = people.simulator.pins.latest.auth_token
    assert (entry.data["token"] == token) is is_back
    assert people.signed_out == ([] if is_back else [token])


async def test_claimed_while_plex_tv_was_away(people: People) -> None:
    """A code typed while the dialog showed an error counts when the dialog is closed."""
    entry = await people.add(SOURCE_REAUTH, origin=TokenOrigin.LINK, is_loaded=False)
    dialog = await async_link_with_trouble(people, "pins_check")
    people.simulator.faults.clear()
    pin = people.simulator.pins.latest
    people.simulator.pins.link(pin.code, people.account)
    await async_close(people, dialog)
    assert entry.data["token"] == pin.auth_token


async def test_other_identifier_after_the_claim(people: People) -> None:
    """A token belongs to its client identifier: with another one there is a new code."""
    dialog = await async_link_with_trouble(people, "user")
    people.simulator.faults.clear()
    first = people.simulator.pins.latest.auth_token
    await dialog.look()
    await async_type_advanced(
        dialog, api_url=people.api_url, client_identifier="my-client"
    )
    await dialog.choose("link")
    await async_claim(people)
    await dialog.look()
    await dialog.submit({"servers": []})
    assert people.signed_out == [first]
    assert dialog.result["result"].data["client_identifier"] == "my-client"
    assert people.account.tokens == {"my-client": dialog.result["result"].data["token"]}


@RENEWALS
async def test_entry_removed_while_waiting(people: People, source: str) -> None:
    """A code typed for an entry that is gone is no sign-in."""
    entry = await people.add(source, origin=TokenOrigin.TOKEN, is_loaded=False)
    dialog = await async_open_link(people, seconds=0.3)
    people.simulator.pins.link(people.simulator.pins.latest.code, people.account)
    await people.hass.config_entries.async_remove(entry.entry_id)
    await async_settle(people.hass)
    if source == SOURCE_RECONFIGURE:
        with pytest.raises(UnknownEntry):
            await dialog.look()
        dialog.close()
        await async_settle(people.hass)
    assert people.signed_out == [people.simulator.pins.latest.auth_token]
    assert not people.account.tokens


async def test_entry_removed_before_the_reload(people: People) -> None:
    """An entry removed between storing its token and the end of the dialog stays gone."""
    entry = await people.add(
        SOURCE_RECONFIGURE, origin=TokenOrigin.TOKEN, is_loaded=False
    )
    dialog = await async_choose(people, "link")
    await async_claim(people)
    await people.hass.config_entries.async_remove(entry.entry_id)
    await dialog.look()
    assert dialog.result["reason"] == "reconfigure_successful"
    assert not people.hass.config_entries.async_entries(DOMAIN)


async def test_page_loaded_again(people: People) -> None:
    """A dialog that is opened again starts at its menu, with what is no secret kept."""
    people.account = people.simulator.accounts["anna"]
    dialog = await async_open(people)
    await dialog.look()
    assert dialog.step == "user"
    await dialog.choose("password")
    typed = people.right("password")
    await dialog.submit({**typed, "password": "wrong"})
    await dialog.look()
    assert dialog.step == "user"
    await dialog.choose("password")
    assert dialog.shown == {"username": "anna"}
    await dialog.submit(typed)
    assert dialog.step == "code"
    await dialog.look()
    assert dialog.step == "user"
    await dialog.choose("password")
    await dialog.submit(typed)
    await dialog.submit(people.right("code"))
    shown = dialog.shown
    await dialog.look()
    assert (dialog.step, dialog.shown) == ("servers", shown)
    assert len(people.simulator.requests_to("signin")) == 4


@callback
def async_listen(people: People) -> CALLBACK_TYPE:
    """Listen for the end of a progress, as the page does that shows one."""
    return people.hass.bus.async_listen(
        EVENT_DATA_ENTRY_FLOW_PROGRESSED, lambda _: None
    )


async def async_leave_and_return(people: People, dialog: Dialog) -> None:
    """Look at the code, close the page and open the dialog again, at its menu."""
    leave = async_listen(people)
    await dialog.look()
    leave()
    await dialog.look()


@pytest.mark.parametrize("source", SOURCES)
async def test_link_dialog_opened_again(people: People, source: str) -> None:
    """A dialog that was closed at its code starts at its menu; the code stays good."""
    if source != SOURCE_USER:
        await people.add(source)
    dialog = await async_open_link(people, seconds=60)
    menu = MENUS[source]
    shown = dialog.result["description_placeholders"]
    leave = async_listen(people)
    for _ in range(2):  # the page looks when it begins to listen
        await dialog.look()
        assert dialog.type is FlowResultType.SHOW_PROGRESS
    leave()
    await dialog.look()
    assert (dialog.type, dialog.step) == (FlowResultType.MENU, menu)

    await dialog.choose("link")
    assert dialog.result["description_placeholders"] == shown
    assert len(people.simulator.pins) == 1
    await dialog.look()
    assert dialog.type is FlowResultType.SHOW_PROGRESS
    await async_close(people, dialog)
    assert not link_tasks()


async def test_page_that_looks_only_at_the_end(people: People) -> None:
    """A page that does not look when it begins to listen is noticed, if it goes soon.

    That of Home Assistant 2026.10 is such a page.
    """
    await people.add(SOURCE_REAUTH)
    dialog = await async_open_link(people, seconds=60)
    leave = async_listen(people)
    await asyncio.sleep(0.3)
    leave()
    await dialog.look()
    assert dialog.step == "reauth_confirm"
    await async_close(people, dialog)


async def test_link_is_looked_at_by_no_page(people: People) -> None:
    """A program that asks again and again sees the code until it was confirmed."""
    dialog = await async_open_link(people, seconds=60)
    shown = dialog.result["description_placeholders"]
    for _ in range(5):
        await dialog.look()
        assert dialog.result["description_placeholders"] == shown
    assert len(people.simulator.pins) == 1
    await async_close(people, dialog)


@RENEWALS_OF_ANY_ENTRY
async def test_confirmed_after_the_dialog_was_opened_again(
    people: People, source: str, is_loaded: bool
) -> None:
    """A code that is confirmed while the menu is shown ends the dialog."""
    entry = await people.add(source, origin=TokenOrigin.TOKEN, is_loaded=is_loaded)
    dialog = await async_open(people)
    await dialog.choose("link")
    await async_leave_and_return(people, dialog)
    assert dialog.type is FlowResultType.MENU
    await async_claim(people)
    assert entry.data["token"] == people.simulator.pins.latest.auth_token
    assert entry.data["token_origin"] == "link"
    assert entry.state is ConfigEntryState.LOADED
    assert not people.hass.config_entries.flow.async_progress()
    assert not people.signed_out


async def test_new_account_confirmed_at_the_menu(people: People) -> None:
    """What was confirmed meanwhile is there when the way is chosen again."""
    dialog = await async_open(people)
    await dialog.choose("link")
    await async_leave_and_return(people, dialog)
    await async_claim(people)
    await dialog.choose("link")
    assert dialog.step == "servers"
    await dialog.submit({"servers": []})
    assert dialog.type is FlowResultType.CREATE_ENTRY
    assert not people.signed_out


async def test_asked_twice_for_the_end(people: People, world: DemoWorld) -> None:
    """An entry that is being created when somebody asks again is created once."""
    people.account = world.without_servers
    dialog = await async_choose(people, "link")
    await async_claim(people)
    flow_id = dialog.result["flow_id"]
    asked = [dialog.manager.async_configure(flow_id) for _ in range(2)]
    ended, again = await asyncio.gather(*asked, return_exceptions=True)
    assert not isinstance(ended, BaseException)
    assert ended["type"] is FlowResultType.CREATE_ENTRY
    assert isinstance(again, UnknownFlow)
    assert len(people.hass.config_entries.async_entries(DOMAIN)) == 1
    assert not people.signed_out


async def test_other_identifier_while_waiting(people: People) -> None:
    """A code of an identifier that was given up brings nothing."""
    dialog = await async_open_link(people, seconds=60)
    await async_leave_and_return(people, dialog)
    first = people.simulator.pins.latest
    people.simulator.pins.link(first.code, people.account)
    await async_type_advanced(
        dialog, api_url=people.api_url, client_identifier="my-client"
    )
    await dialog.choose("link")
    await async_claim(people)
    await dialog.look()
    await dialog.submit({"servers": []})
    await async_settle(people.hass)
    assert people.signed_out == [first.auth_token]
    assert dialog.result["result"].data["client_identifier"] == "my-client"
    assert not link_tasks()


async def test_expired_at_the_menu(people: People) -> None:
    """A code that expired while nobody looked is no trouble: there is a new one."""
    dialog = await async_open(people)
    await dialog.choose("link")
    await async_leave_and_return(people, dialog)
    first = people.simulator.pins.latest
    people.simulator.pins.expire(first.code)
    await async_settle(people.hass)
    await dialog.choose("link")
    shown = dialog.result["description_placeholders"]
    assert shown["code"] == people.simulator.pins.latest.code != first.code
    await async_close(people, dialog)


async def test_reason_in_another_language(people: People) -> None:
    """What went wrong is told in Home Assistant's language."""
    language = OTHER_LANGUAGES[0]
    people.hass.config.language = language
    await people.add(SOURCE_REAUTH)
    people.account = people.simulator.accounts["carla"]
    dialog = await async_choose(people, "link")
    await async_claim(people)
    await dialog.manager.async_configure(dialog.result["flow_id"])
    flow = dialog.manager._progress[dialog.result["flow_id"]]
    reason = flow.cur_step["description_placeholders"]["reason_md"]
    names = {"name": "Ben", "other": "Carla"}
    assert reason == text("config.error.wrong_account", language, **names)

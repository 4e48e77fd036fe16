"""Nothing secret is shown or kept but where SECURITY.md says so.

A walk through everything that the integration does, right and wrong, with secrets that
are found by nothing but themselves; then the log of every logger at debug, events,
states, registries, the recorder's database, diagnostics, system health, issues,
exceptions, files and storage are searched for them.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, nullcontext
import logging
from pathlib import Path
import re
import sqlite3
from typing import Any

import pytest
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    get_system_health_info,
)
from pytest_homeassistant_custom_component.components.diagnostics import (
    get_diagnostics_for_config_entry,
    get_diagnostics_for_device,
)
from pytest_homeassistant_custom_component.components.recorder.common import (
    async_wait_recording_done,
)
from pytest_homeassistant_custom_component.typing import (
    ClientSessionGenerator,
    RecorderInstanceContextManager,
    WebSocketGenerator,
)

from custom_components.plex_auth.const import DOMAIN
from homeassistant.config_entries import SOURCE_REAUTH, ConfigEntry, ConfigEntryState
from homeassistant.core import HomeAssistant, ServiceCall, SupportsResponse
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers import device_registry as dr, issue_registry as ir
from homeassistant.helpers.entity import Entity
from homeassistant.helpers.storage import Store
from homeassistant.setup import async_setup_component
from tests.helpers import (
    account_coordinator,
    async_settle,
    device_of,
    server_coordinator,
    subentry_of,
)
from tests.plex_simulator import Account, Fault, MediaServer, PlexSimulator

from .leak_audit import (
    SHORTEST_SECRET,
    Audit,
    Form,
    Kind,
    Leak,
    Place,
    Secret,
    Text,
    forms,
    may_be_there,
    report,
)
from .walk import (
    FLOWS,
    PASSWORD,
    REPAIR_FLOWS,
    RIGHT_CODE,
    SLOW,
    SUBENTRY_FLOWS,
    WRONG_CODE,
    WRONG_PASSWORD,
    WRONG_TOKEN,
    Walk,
    faults,
    impatience,
    secrets_of,
)

WEBSOCKET_LOG = re.compile(
    r"homeassistant\.components\.websocket_api\.http\.connection: "
    r"\[\d+\] %s: Sending %s"
)


@pytest.fixture
def persistent_database() -> bool:
    """Let the recorder write to a file."""
    return True


@pytest.fixture
def mock_recorder_before_hass(
    async_test_recorder: RecorderInstanceContextManager,
) -> None:
    """Make the recorder ready before Home Assistant is."""


@pytest.fixture
def hass_config_dir(hass_tmp_config_dir: str) -> str:
    """Give Home Assistant a folder of its own."""
    return hass_tmp_config_dir


class World:
    """Hold two accounts with every secret, and servers of theirs."""

    anna: Account
    ben: Account
    attic: MediaServer
    cellar: MediaServer
    far: MediaServer

    @classmethod
    async def make(cls, simulator: PlexSimulator) -> World:
        """Fill the simulator; the far server is no server of Anna's."""
        world = cls()
        world.anna = simulator.add_account(
            "anna",
            title="Anna",
            password=PASSWORD,
            totp_secret="JBSWY3DPEHPK3PXPMARKERKEY",
            email="marker.anna@example.com",
        )
        world.ben = simulator.add_account(
            "ben",
            title="Ben",
            password=f"{PASSWORD} of Ben's",
            email="marker.ben@example.com",
        )
        world.attic = await simulator.add_server("Attic", world.anna)
        world.cellar = await simulator.add_server("Cellar", world.anna)
        world.far = await simulator.add_server("Far", world.ben)
        world.attic.add_provider("tv.plex.provider.podcasts", "Podcasts")
        return world


@pytest.fixture
async def places(simulator: PlexSimulator) -> World:
    """Return a simulated Plex with two accounts and three servers."""
    return await World.make(simulator)


@contextmanager
def quick_callbacks() -> Iterator[None]:
    """Let the event loop report slow callbacks only, for what is done very often."""
    loop = asyncio.get_running_loop()
    before = loop.slow_callback_duration
    loop.slow_callback_duration = 0.1
    yield
    loop.slow_callback_duration = before


def entry_of(hass: HomeAssistant, account: Account) -> Any:
    """Return the entry of an account."""
    return next(
        entry
        for entry in hass.config_entries.async_entries(DOMAIN)
        if entry.unique_id == account.uuid
    )


def device_id(hass: HomeAssistant, account: Account, server: MediaServer) -> str:
    """Return the device of an account's server."""
    return device_of(hass, entry_of(hass, account), server).id


async def async_set_up(walk: Walk, world: World) -> Any:
    """Add Anna's account with password and code, and return its entry."""
    result = await walk.sign_in(world.anna, PASSWORD, RIGHT_CODE)
    assert result["step_id"] == "servers"
    result = await walk.go_on(
        result["flow_id"], {"servers": [world.attic.machine_identifier]}
    )
    assert result["type"] == "create_entry", result
    await async_settle(walk.hass)
    return entry_of(walk.hass, world.anna)


async def async_renew(walk: Walk, entry: ConfigEntry[Any]) -> None:
    """Sign in anew by the card that asks for it, with wrong inputs before the right."""
    flow = next(iter(entry.async_get_active_flows(walk.hass, {SOURCE_REAUTH})))
    result = await walk.go_on(
        flow["flow_id"],
        {"next_step_id": "password"},
        {"username": "anna", "password": WRONG_PASSWORD},
        {"username": "marker.anna@example.com", "password": PASSWORD},
        {"verification_code": WRONG_CODE},
        {"verification_code": RIGHT_CODE},
    )
    assert result["reason"] == "reauth_successful"
    await async_settle(walk.hass)


async def async_sign_in_every_way(walk: Walk, world: World) -> Any:
    """Sign in by password, link code and token, wrongly before rightly."""
    simulator = walk.simulator
    result = await walk.sign_in(world.anna, WRONG_PASSWORD)
    assert result["errors"] == {"base": "invalid_auth"}
    result = await walk.go_on(
        result["flow_id"],
        *(
            {
                "username": "marker.anna@example.com",
                "password": password,
                **walk.advanced,
            }
            for password in (WRONG_PASSWORD, PASSWORD)
        ),
        {"verification_code": WRONG_CODE},
    )
    assert result["errors"] == {"base": "invalid_code"}
    await walk.close(result["flow_id"])

    result = await walk.begin_link()
    assert result["step_id"] == "link_wait"
    simulator.pins.expire(simulator.pins.latest.code)
    await async_settle(walk.hass)
    assert (await walk.look_at(result["flow_id"]))["errors"] == {"base": "link_expired"}
    result = await walk.go_on(result["flow_id"], walk.advanced)
    assert simulator.pins.link(simulator.pins.latest.code, world.ben)
    await async_settle(walk.hass)
    await walk.look_at(result["flow_id"])
    result = await walk.go_on(
        result["flow_id"], {"servers": [world.far.machine_identifier]}
    )
    assert result["type"] == "create_entry", result
    await async_settle(walk.hass)
    await walk.hass.config_entries.async_remove(entry_of(walk.hass, world.ben).entry_id)

    result = await walk.walk(
        FLOWS,
        {"handler": DOMAIN},
        {"next_step_id": "token"},
        {"token": WRONG_TOKEN, **walk.advanced},
        {"token": world.ben.sign_in_token("browser"), **walk.advanced},
    )
    assert result["step_id"] == "servers"
    await walk.close(result["flow_id"])

    entry = await async_set_up(walk, world)
    result = await walk.sign_in(world.anna, PASSWORD, RIGHT_CODE)
    assert result["reason"] == "already_configured"
    await async_settle(walk.hass)
    return entry


async def async_use_servers(walk: Walk, world: World, entry: Any) -> None:
    """Add servers in both ways and watch sources, wrongly before rightly."""
    hass, anna = walk.hass, world.anna
    subentries = {"handler": [entry.entry_id, "server"]}
    result = await walk.walk(
        SUBENTRY_FLOWS,
        subentries,
        {"next_step_id": "listed"},
        {"server": world.cellar.machine_identifier},
    )
    assert result["type"] == "create_entry", result
    await async_settle(hass)
    address = {"url": world.far.http_url, "verify_ssl": True}
    result = await walk.walk(
        SUBENTRY_FLOWS,
        subentries,
        {"next_step_id": "address"},
        address,
        {**address, "token": WRONG_TOKEN},
        {**address, "token": world.far.access_token_for(world.ben)},
    )
    assert result["type"] == "create_entry", result
    await async_settle(hass)
    source = f"server://{world.cellar.machine_identifier}"
    result = await walk.walk(
        SUBENTRY_FLOWS,
        {**subentries, "subentry_id": subentry_of(entry, world.attic).subentry_id},
        {"verify_ssl": True, "sources": ["nonsense"]},
        {
            "verify_ssl": True,
            "sources": [source, "provider://tv.plex.provider.podcasts"],
        },
    )
    assert result["reason"] == "reconfigure_successful"
    await async_settle(hass)
    world.far.rotate_access_tokens()
    assert not await walk.act(
        "get_transient_token", device_id=device_id(hass, anna, world.far)
    )
    issue_id = f"server_token_refused_{subentry_of(entry, world.far).subentry_id}"
    walk.audit.take_registries(hass)
    result = await walk.walk(
        REPAIR_FLOWS,
        {"handler": DOMAIN, "issue_id": issue_id},
        {"token": WRONG_TOKEN},
        {"token": world.far.access_token_for(world.ben)},
    )
    assert result["type"] == "create_entry", result
    await async_settle(hass)


async def async_act(walk: Walk, world: World, entry: Any) -> None:
    """Call all actions, over each way to call them, rightly and wrongly."""
    attic = device_id(walk.hass, world.anna, world.attic)
    account = {"config_entry_id": entry.entry_id}
    source = f"server://{world.cellar.machine_identifier}"
    calls: list[tuple[str, dict[str, Any]]] = [
        ("get_token_details", account),
        ("get_servers", account),
        ("get_transient_token", {"device_id": attic, "path": "/library/x?y=1"}),
        (
            "get_source_connection_information",
            {"device_id": attic, "source": source, "refresh": True},
        ),
    ]
    for action, data in calls:
        assert await walk.act(action, **data)
        await walk.act_over_rest(action, **data)
        await walk.act_over_websocket(action, **data)
    assert not await walk.act("get_token_details", config_entry_id="nonsense")
    assert not await walk.act("get_transient_token", device_id=attic, path="//evil")
    for wrong in ("nonsense", "server://unknown"):
        assert not await walk.act(
            "get_source_connection_information", device_id=attic, source=wrong
        )


async def async_meet_faults(
    walk: Walk, world: World, entry: Any, *, full: bool
) -> None:
    """Let each call that is ever made meet every fault, and look how it ends.

    Unless it is to be in full, a call meets each third of the faults that echo nothing.
    """
    hass, simulator, anna = walk.hass, walk.simulator, world.anna
    simulator.sign_in_guard.limit = None
    attic = device_id(hass, anna, world.attic)
    source = f"server://{world.cellar.machine_identifier}"

    async def sign_in() -> None:
        await walk.sign_in(anna, PASSWORD)
        await walk.sign_in(world.ben, PASSWORD)

    async def link() -> None:
        result = await walk.begin_link()
        await asyncio.sleep(0.01)
        await walk.look_at(result["flow_id"])

    async def refresh_account() -> None:
        await account_coordinator(entry).async_refresh()
        await walk.act("get_token_details")

    async def refresh_server() -> None:
        await server_coordinator(entry, world.attic).async_refresh()

    async def check_transient_token() -> None:
        await walk.act("get_transient_token", device_id=attic)
        await refresh_server()

    async def sign_out() -> None:
        await walk.sign_in(anna, PASSWORD, RIGHT_CODE)

    async def act(action: str, **data: Any) -> None:
        await walk.act(action, **data)

    deeds: tuple[tuple[str, MediaServer | None, Callable[[], Awaitable[None]]], ...] = (
        ("signin", None, sign_in),
        ("pins_create", None, link),
        ("pins_check", None, link),
        ("signout", None, sign_out),
        ("user", None, refresh_account),
        ("resources", None, lambda: act("get_servers")),
        ("identity", world.attic, refresh_server),
        ("root", world.attic, check_transient_token),
        (
            "security_token",
            world.attic,
            lambda: act("get_transient_token", device_id=attic),
        ),
        (
            "security_resources",
            world.attic,
            lambda: act(
                "get_source_connection_information", device_id=attic, source=source
            ),
        ),
    )
    for number, (name, fault) in enumerate(faults(simulator).items()):
        for place, (endpoint, server, deed) in enumerate(deeds):
            if not full and "echo" not in name and (number + place) % 3:
                continue
            host = simulator.faults if server is None else server.faults
            host.set(endpoint, fault)
            try:
                with impatience() if name in SLOW else nullcontext():
                    await deed()
                for coordinator in (
                    account_coordinator(entry),
                    server_coordinator(entry, world.attic),
                ):
                    if coordinator.last_exception is not None:
                        walk.audit.add_exception(
                            coordinator.last_exception, f"{endpoint} met {name}"
                        )
            finally:
                host.clear(endpoint)
        await walk.close_all()
        await account_coordinator(entry).async_refresh()
        await server_coordinator(entry, world.attic).async_refresh()
        assert account_coordinator(entry).last_update_success, name
        assert server_coordinator(entry, world.attic).last_update_success, name
    await async_settle(hass)


async def async_lose_and_renew(walk: Walk, world: World, entry: Any) -> None:
    """Lose the sign-in and renew it, reconfigure, lose servers, reload and restart."""
    hass = walk.hass
    walk.simulator.sign_in_guard.clear()
    walk.simulator.sign_in_guard.limit = None
    world.anna.revoke_tokens()
    assert not await walk.act("get_token_details", config_entry_id=entry.entry_id)
    await async_renew(walk, entry)
    result = await walk.walk(
        FLOWS,
        {"handler": DOMAIN, "entry_id": entry.entry_id},
        {"next_step_id": "token"},
        {"token": world.ben.sign_in_token("other browser"), **walk.advanced},
    )
    assert result["reason"] == "wrong_account"
    result = await walk.walk(
        FLOWS,
        {"handler": DOMAIN, "entry_id": entry.entry_id},
        {"next_step_id": "token"},
        {"token": world.anna.sign_in_token("browser"), **walk.advanced},
    )
    assert result["reason"] == "reconfigure_successful"
    await async_settle(hass)
    walk.simulator.sign_in_guard.blocks_all = True
    await walk.sign_in(world.anna, PASSWORD)
    await walk.close_all()
    await world.attic.restart()
    await server_coordinator(entry, world.attic).async_refresh()
    await hass.config_entries.async_reload(entry.entry_id)
    await async_settle(hass)
    assert entry.state is ConfigEntryState.LOADED
    await walk.act(
        "get_transient_token", device_id=device_id(hass, world.anna, world.attic)
    )


async def async_collect(
    walk: Walk,
    hass_client: ClientSessionGenerator,
    stored: dict[str, Any],
    database: Path,
) -> None:
    """Give the audit all that Home Assistant shows or keeps now."""
    hass, audit = walk.hass, walk.audit
    audit.take_states(hass)
    audit.take_registries(hass)
    for entry in hass.config_entries.async_entries(DOMAIN):
        for device in dr.async_entries_for_config_entry(
            dr.async_get(hass), entry.entry_id
        ):
            audit.add(
                Place.DIAGNOSTICS,
                str(device.name),
                await get_diagnostics_for_device(hass, hass_client, entry, device),
            )
        audit.add(
            Place.DIAGNOSTICS,
            entry.title,
            await get_diagnostics_for_config_entry(hass, hass_client, entry),
        )
    health = await get_system_health_info(hass, DOMAIN)
    for key, value in health.items():
        if asyncio.iscoroutine(value):
            health[key] = await value
    audit.add(Place.SYSTEM_HEALTH, DOMAIN, health)
    audit.add(Place.SYSTEM_HEALTH, f"{DOMAIN} as text", repr(health))
    await async_wait_recording_done(hass)
    await hass.async_add_executor_job(audit.take_database, database)
    await audit.async_take_storage(hass, stored)
    await hass.async_add_executor_job(audit.take_files, Path(hass.config.config_dir))


def is_log_of_the_websocket(leak: Leak) -> bool:
    """Tell whether Home Assistant itself logged what it sent to the page.

    `test_home_assistant_logs_what_it_sends` shows that it does so with any response.
    """
    return (
        leak.text.place is Place.LOG
        and WEBSOCKET_LOG.fullmatch(leak.text.where) is not None
        and leak.secret.kind in (Kind.TRANSIENT_TOKEN, Kind.EMAIL)
    )


async def test_nothing_leaks(
    walk: Walk,
    places: World,
    hass_client: ClientSessionGenerator,
    stored: dict[str, Any],
    database: Path,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> None:
    """No secret is anywhere but where it may be, whatever happens."""
    hass = walk.hass
    monkeypatch.setattr(Entity, "entity_registry_enabled_default", True)
    entry = await async_sign_in_every_way(walk, places)
    await async_use_servers(walk, places, entry)
    await async_act(walk, places, entry)
    with quick_callbacks():
        await async_meet_faults(
            walk, places, entry, full=request.config.getoption("--full", default=False)
        )
    await async_act(walk, places, entry)
    await async_lose_and_renew(walk, places, entry)
    await async_collect(walk, hass_client, stored, database)
    secrets = secrets_of(walk.simulator)
    assert {secret.kind for secret in secrets} == set(Kind)
    found = walk.audit.find(secrets)
    allowed = {
        (leak.secret.kind, leak.text.place) for leak in found if may_be_there(leak)
    }
    # What may be there is there, so the audit has looked at the right texts.
    assert allowed == {
        (Kind.ACCOUNT_TOKEN, Place.STORAGE),
        (Kind.SERVER_TOKEN, Place.STORAGE),
        (Kind.TRANSIENT_TOKEN, Place.RESPONSE),
        (Kind.EMAIL, Place.RESPONSE),
        (Kind.EMAIL, Place.FLOW),
        (Kind.LINK_CODE, Place.FLOW),
    }
    forbidden = [
        leak
        for leak in found
        if not may_be_there(leak) and not is_log_of_the_websocket(leak)
    ]
    assert not forbidden, report(forbidden)
    # All kinds of texts have been there to look at.
    assert {text.place for text in walk.audit.texts} == set(Place)

    await hass.config_entries.async_remove(entry.entry_id)
    await async_settle(hass)
    kept = Audit()
    await kept.async_take_storage(hass, stored)
    assert not kept.find(secrets), report(kept.find(secrets))


async def async_call_elsewhere(hass: HomeAssistant, secret: str) -> None:
    """Register an action of another integration that returns a secret."""

    async def answer(_: ServiceCall) -> dict[str, Any]:
        return {"token": secret}

    hass.services.async_register(
        "elsewhere", "get", answer, supports_response=SupportsResponse.ONLY
    )


async def test_home_assistant_logs_what_it_sends(
    hass: HomeAssistant, audit: Audit, hass_ws_client: WebSocketGenerator
) -> None:
    """At debug Home Assistant logs each response to its page, whoever gives it."""
    secret = Secret(Kind.TRANSIENT_TOKEN, "transient-of-somebody-else")
    await async_call_elsewhere(hass, secret.value)
    assert await async_setup_component(hass, "websocket_api", {})
    client = await hass_ws_client(hass)
    await client.send_json_auto_id(
        {
            "type": "call_service",
            "domain": "elsewhere",
            "service": "get",
            "return_response": True,
        }
    )
    assert (await client.receive_json())["success"]
    leaks = audit.find([secret])
    assert leaks
    assert all(map(is_log_of_the_websocket, leaks)), report(leaks)


@pytest.mark.parametrize(("kept", "is_found"), [(5, True), (0, False)])
async def test_traces_keep_responses(
    hass: HomeAssistant,
    hass_storage: dict[str, Any],
    hass_ws_client: WebSocketGenerator,
    kept: int,
    is_found: bool,
) -> None:
    """A trace of a script keeps a response, of any action, unless no trace is kept."""
    secret = Secret(Kind.TRANSIENT_TOKEN, "transient-of-somebody-else")
    await async_call_elsewhere(hass, secret.value)
    assert await async_setup_component(
        hass,
        "script",
        {
            "script": {
                "use": {
                    "trace": {"stored_traces": kept},
                    "sequence": [
                        {"action": "elsewhere.get", "response_variable": "got"},
                        {"variables": {"token": "{{ got.token }}"}},
                    ],
                }
            }
        },
    )
    await hass.services.async_call("script", "use", blocking=True)
    client = await hass_ws_client(hass)
    await client.send_json_auto_id(
        {"type": "trace/list", "domain": "script", "item_id": "use"}
    )
    audit = Audit()
    for trace in (await client.receive_json())["result"]:
        await client.send_json_auto_id(
            {
                "type": "trace/get",
                "domain": "script",
                "item_id": "use",
                "run_id": trace["run_id"],
            }
        )
        audit.add(Place.STATE, "trace", (await client.receive_json())["result"])
    assert bool(audit.find([secret])) is is_found
    kept_states = Audit()
    kept_states.take_states(hass)
    assert not kept_states.find([secret])


async def test_account_with_an_address_for_a_name(walk: Walk) -> None:
    """The e-mail address is the name of an account without another, until renamed."""
    simulator = walk.simulator
    nameless = simulator.add_account(
        "nameless", title="", password=PASSWORD, email="marker.nameless@example.com"
    )
    nameless.overrides = {"title": "", "username": ""}
    result = await walk.sign_in(nameless, PASSWORD)
    assert result["type"] == "create_entry"
    await async_settle(walk.hass)
    entry = entry_of(walk.hass, nameless)
    assert entry.title == nameless.email
    assert "email" not in str(dict(entry.data))
    walk.hass.config_entries.async_update_entry(entry, title="Somebody")
    await async_settle(walk.hass)
    await walk.hass.config_entries.async_reload(entry.entry_id)
    await async_settle(walk.hass)
    await async_wait_recording_done(walk.hass)
    walk.audit.texts.clear()
    await walk.act("get_token_details")
    simulator.faults.set("user", Fault.status(503))
    await account_coordinator(entry).async_refresh()
    walk.audit.take_states(walk.hass)
    await async_wait_recording_done(walk.hass)
    found = walk.audit.find([Secret(Kind.EMAIL, nameless.email, nameless.uuid)])
    assert {leak.text.where for leak in found} == {"get_token_details/account/email"}


def secret_of(kind: Kind, form: Form) -> Secret:
    """Return a secret that looks different in each encoding."""
    return Secret(
        kind, f'{kind.name} "&/+ä?\\ {form.name}'.ljust(SHORTEST_SECRET), "own"
    )


def planted() -> dict[tuple[Kind, Form], str]:
    """Return a text for each kind of secret in each encoding."""
    return {
        (kind, form): "before "
        + max(forms(secret_of(kind, form).value)[form], key=len)
        + " after"
        for kind in Kind
        for form in Form
    }


def fail_with(text: str) -> None:
    """Raise an error that says nothing, from one that says it all."""
    try:
        raise ValueError(text)  # noqa: TRY301
    except ValueError:
        raise HomeAssistantError("nothing to see") from None


async def async_plant(
    hass: HomeAssistant, audit: Audit, place: Place, text: str, folder: Path
) -> None:
    """Put a text into a place, the way that a mistake would."""
    match place:
        case Place.LOG:
            logging.getLogger("aiohttp.anything").debug("sent %s", text)
        case Place.EVENT:
            hass.bus.async_fire("anything", {"deep": [{"in": text}]})
        case Place.STATE:
            # A state is short: whoever writes a longer one gets it cut.
            hass.states.async_set("sensor.a", text)
            audit.take_states(hass)
        case Place.ATTRIBUTE:
            hass.states.async_set("sensor.a", "on", {"list": [{"key": text}]})
            audit.take_states(hass)
        case Place.REGISTRY:
            entry = MockConfigEntry(domain="test")
            entry.add_to_hass(hass)
            dr.async_get(hass).async_get_or_create(
                config_entry_id=entry.entry_id, identifiers={("test", text)}
            )
            audit.take_registries(hass)
        case Place.ISSUE:
            ir.async_create_issue(
                hass,
                "test",
                "issue",
                is_fixable=False,
                severity=ir.IssueSeverity.WARNING,
                translation_key="key",
                translation_placeholders={"name": text},
            )
            audit.take_registries(hass)
        case Place.EXCEPTION:
            try:
                fail_with(text)
            except HomeAssistantError:
                logging.getLogger("anything").exception("failed")
        case Place.STORAGE:
            store = Store[dict[str, Any]](hass, 1, "anything")
            store.async_delay_save(lambda: {"deep": [{text: None}]}, 60)
        case Place.RECORDER:
            with sqlite3.connect(folder / "recorder.db") as connection:
                connection.execute("create table if not exists kept (value text)")
                connection.execute("insert into kept values (?)", (text,))
            connection.close()
            audit.take_database(folder / "recorder.db")
        case Place.FILE:
            (folder / "home-assistant.log").write_text(text)
            audit.take_files(folder)
        case _:
            audit.add(place, "anything", {"deep": [{"in": text}]})


@pytest.mark.parametrize("place", Place)
async def test_planted_leaks_are_found(
    hass: HomeAssistant,
    audit: Audit,
    hass_storage: dict[str, Any],
    tmp_path: Path,
    place: Place,
) -> None:
    """The audit finds each kind of secret in each encoding, wherever it is planted."""
    secrets = [secret_of(kind, form) for kind in Kind for form in Form]
    audit.listen(hass)
    assert not audit.find(secrets)
    for text in planted().values():
        await async_plant(hass, audit, place, text, tmp_path)
        await hass.async_block_till_done()
        if place is Place.STORAGE:
            await audit.async_take_storage(hass, hass_storage)
    leaks = [leak for leak in audit.forbidden(secrets) if leak.text.place is place]
    assert {leak.secret for leak in leaks} == set(secrets)
    assert {leak.form for leak in leaks} == set(Form)
    assert report(leaks)


ENTRY = "core.config_entries/own/data/token"
SERVER = "core.config_entries/account/subentries/own/data"


@pytest.mark.parametrize(
    ("kind", "place", "where", "may_be"),
    [
        (Kind.ACCOUNT_TOKEN, Place.STORAGE, ENTRY, True),
        (Kind.ACCOUNT_TOKEN, Place.STORAGE, f"{ENTRY} key", False),
        (
            Kind.ACCOUNT_TOKEN,
            Place.STORAGE,
            "core.config_entries/other/data/token",
            False,
        ),
        (
            Kind.ACCOUNT_TOKEN,
            Place.STORAGE,
            "core.config_entries/own/options/token",
            False,
        ),
        (Kind.ACCOUNT_TOKEN, Place.STORAGE, f"{SERVER}/token", False),
        (Kind.ACCOUNT_TOKEN, Place.STORAGE, "core.restore_state/own/data/token", False),
        (Kind.ACCOUNT_TOKEN, Place.RESPONSE, "get_transient_token/token", False),
        (Kind.ACCOUNT_TOKEN, Place.LOG, ENTRY, False),
        (Kind.SERVER_TOKEN, Place.STORAGE, f"{SERVER}/token", True),
        (Kind.SERVER_TOKEN, Place.STORAGE, f"{SERVER}/last_known/token", True),
        (
            Kind.SERVER_TOKEN,
            Place.STORAGE,
            f"{SERVER.replace('own', 'other')}/token",
            False,
        ),
        (Kind.SERVER_TOKEN, Place.STORAGE, ENTRY, False),
        (Kind.SERVER_TOKEN, Place.RESPONSE, "get_transient_token/token", False),
        (Kind.TRANSIENT_TOKEN, Place.RESPONSE, "get_transient_token/token", True),
        (Kind.TRANSIENT_TOKEN, Place.RESPONSE, "get_servers/token", False),
        (Kind.TRANSIENT_TOKEN, Place.EVENT, "state_changed", False),
        (Kind.TRANSIENT_TOKEN, Place.STORAGE, f"{SERVER}/token", False),
        (Kind.EMAIL, Place.RESPONSE, "get_token_details/account/email", True),
        (Kind.EMAIL, Place.RESPONSE, "get_servers/servers/0/name", False),
        (Kind.EMAIL, Place.STORAGE, ENTRY, False),
        (
            Kind.LINK_CODE,
            Place.FLOW,
            "link_wait/description_placeholders/code",
            True,
        ),
        (Kind.LINK_CODE, Place.LOG, "link_wait/description_placeholders/code", False),
        (Kind.PASSWORD, Place.STORAGE, ENTRY, False),
        (Kind.CODE, Place.FLOW, "code", False),
        (Kind.SERVICE_SECRET, Place.STORAGE, ENTRY, False),
        (Kind.HOME_PIN, Place.STORAGE, ENTRY, False),
        (Kind.TOTP_KEY, Place.STORAGE, ENTRY, False),
    ],
)
def test_what_may_be_where(kind: Kind, place: Place, where: str, may_be: bool) -> None:
    """Only the rules let a secret be somewhere: that kind, in that place, of that owner."""
    leak = Leak(Secret(kind, "secret-secret", "own"), Form.RAW, Text(place, where, ""))
    assert may_be_there(leak) is may_be

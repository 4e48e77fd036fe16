"""What the audit walks through: every way, rightly and wrongly, and every fault."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from itertools import islice, takewhile
from pathlib import Path
from typing import Any
from urllib.parse import quote

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
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator
from yarl import URL

from custom_components.plex_auth.api.claim import claim
from custom_components.plex_auth.api.errors import PlexError
from custom_components.plex_auth.clients import async_create_plex_tv
from homeassistant.config_entries import SOURCE_REAUTH, ConfigEntryState
from homeassistant.helpers import device_registry as dr
from tests.fault_catalogue import FAULTS, answer
from tests.helpers import (
    account_coordinator,
    async_settle,
    server_coordinator,
    subentry_of,
    until,
)
from tests.plex_simulator import (
    Account,
    Client,
    Fault,
    MediaServer,
    PlexDirectResolver,
    PlexSimulator,
)
from tests.plex_simulator.worlds import PODCASTS
from tests.walks import ways
from tests.walks.driver import AstrayError
from tests.walks.names import DOMAIN, Action, Field, Issue, Step
from tests.walks.ways import (
    REAUTH,
    RECONFIGURE,
    Ended,
    Person,
    Typed,
    Watch,
    Way,
    Wrong,
    stumbling,
)

from .audited_user import RIGHT_PIN, WRONG, WRONG_PINS, WRONG_TOKEN, AuditedUser
from .echoes import ECHOES
from .leaks import Place


@contextmanager
def quick_callbacks() -> Iterator[None]:
    """Let the event loop report slow callbacks only, for what is done very often."""
    loop = asyncio.get_running_loop()
    before = loop.slow_callback_duration
    loop.slow_callback_duration = 0.1
    yield
    loop.slow_callback_duration = before


async def async_sign_in_every_way(user: AuditedUser) -> MockConfigEntry:
    """Sign in by password, link code and token, wrongly before rightly."""
    anna, ben, server = user.anna, user.ben, user.world.living_room
    by_email = replace(anna, username=user.world.two_factor.email)
    for way in (ways.sign_in(by_email, Step.PASSWORD), ways.sign_in(ben, Step.TOKEN)):
        dialog = await user.walk(await user.api.open_account(), stumbling(way, WRONG))
        assert dialog.result["step_id"] == Step.SERVERS
        await dialog.close()

    dialog = await user.api.open_account()
    too_late = replace(ben, link=user.simulator.pins.expire)
    await user.walk(dialog, ways.sign_in(too_late, Step.LINK))
    assert dialog.errors == {"base": "link_expired"}
    choose = ways.choose_servers([server.machine_identifier])
    await user.walk(dialog, ways.go_on(ben, Step.LINK, Step.LINK_FAILED), choose)
    entry = user.entry(user.world.free)
    await user.hass.config_entries.async_remove(entry.entry_id)

    add = ways.add_account(anna, Step.PASSWORD, [server.machine_identifier])
    await user.walk(await user.api.open_account(), stumbling(add, WRONG))
    again = ways.sign_in(anna, Step.PASSWORD)
    await user.walk(
        await user.api.open_account(), again, iter([Ended("already_configured")])
    )
    return user.entry(user.world.two_factor)


async def async_use_servers(user: AuditedUser, entry: MockConfigEntry) -> None:
    """Add servers in both ways and watch sources, wrongly before rightly."""

    async def change(way: Way, server: MediaServer | None = None) -> None:
        subentry_id = None if server is None else subentry_of(entry, server).subentry_id
        dialog = await user.api.open_server(entry.entry_id, subentry_id)
        await user.walk(dialog, stumbling(way, WRONG))

    far = user.far
    await change(ways.add_listed_server(user.world.basement.machine_identifier))
    token = far.access_token_for(far.owner)
    await change(ways.add_server_by_address(far.http_url, token))
    sources = [_source(user), f"provider://{PODCASTS}"]
    await change(ways.watch_sources(sources), user.world.living_room)
    far.rotate_access_tokens()
    device: Typed = {Field.DEVICE: user.device_id(far)}
    assert not await user.act(Action.TRANSIENT_TOKEN, device)
    user.audit.take_registries(user.hass)
    subentry_id = subentry_of(entry, far).subentry_id
    dialog = await user.api.open_repair(f"{Issue.TOKEN_REFUSED}_{subentry_id}")
    token = far.access_token_for(far.owner)
    await user.walk(dialog, stumbling(ways.renew_server_token(token), WRONG))


async def async_sign_out_devices(user: AuditedUser, entry: MockConfigEntry) -> None:
    """Sign a device out, while plex.tv refuses to at first."""
    device = user.world.two_factor.add_device(Client(name="Tablet"))
    user.simulator.faults.set("device_remove", Fault.status(503), times=1)
    way = ways.sign_out_devices([device.device_id])
    wrong: ways.Wrong = {Step.INIT: [({}, {"base": "unavailable"})]}
    dialog = await user.api.open_devices(entry.entry_id)
    await user.walk(dialog, stumbling(way, wrong))


async def async_use_home_users(user: AuditedUser, entry: MockConfigEntry) -> None:
    """Add a child, lose and renew the child's token, and lose another user for good."""
    home, child = user.world.home, user.world.home.child

    async def add(way: Way) -> None:
        dialog = await user.api.open_home_user(entry.entry_id)
        await user.walk(dialog, stumbling(way, WRONG_PINS))

    async def repair(lost: Account, way: Way) -> None:
        users = entry.runtime_data.home_users
        await users[user.home_user_id(lost)].async_check_now()
        await async_settle(user.hass)
        user.audit.take_registries(user.hass)
        issue_id = f"{Issue.HOME_USER_SIGN_IN}_{user.home_user_id(lost)}"
        dialog = await user.api.open_repair(issue_id)
        await user.walk(dialog, stumbling(way, WRONG_PINS))

    await add(ways.add_home_user(child.uuid, RIGHT_PIN))
    await add(ways.add_home_user(home.managed.uuid))
    dialog = await user.api.open_home_user(entry.entry_id, user.home_user_id(child))
    await user.walk(dialog, stumbling(ways.switch_again(RIGHT_PIN), WRONG_PINS))
    child.revoke_tokens()
    await repair(child, ways.repair_home_user(RIGHT_PIN))
    user.simulator.homes.remove_member(home.managed)
    await repair(home.managed, ways.remove_home_user())


async def async_act_as_child(user: AuditedUser) -> None:
    """Call the actions that take a Home user, rightly and wrongly, over each way."""
    home, device = user.world.home, user.device_id(user.world.living_room)
    child = user.home_user_device_id(home.child)
    for action, fields in ways.calls_as(child, device, home.film.path).items():
        assert await user.act(action, fields)
        await user.act_over_rest(action, fields)
        await user.act_over_websocket(action, fields)
    for wrong in (
        ways.calls_as(child, device, user.world.film.path),
        ways.calls_as(child, user.device_id(user.world.basement), home.film.path),
        ways.calls_as(device, device, home.film.path),
        ways.calls_as("nonsense", device, home.film.path),
    ):
        fields = wrong[Action.TRANSIENT_TOKEN]
        assert not await user.act(Action.TRANSIENT_TOKEN, fields)


async def async_act(user: AuditedUser, entry: MockConfigEntry) -> None:
    """Call all actions, over each way to call them, rightly and wrongly."""
    device = user.device_id(user.world.living_room)
    for action, fields in _calls(user, entry).items():
        assert await user.act(action, fields)
    for action, fields in _calls(user, entry).items():
        await user.act_over_rest(action, fields)
    for action, fields in _calls(user, entry).items():
        await user.act_over_websocket(action, fields)
    path = f"{_page(user)}&X-Plex-Token={quote(WRONG_TOKEN)}"
    wrong: tuple[tuple[Action, Typed], ...] = (
        (Action.TOKEN_DETAILS, {Field.ENTRY: "nonsense"}),
        (Action.REMOVE_DEVICE, {Field.ID: 1}),
        (Action.REMOVE_DEVICE, {Field.ID: user.world.living_room.device_id}),
        (Action.TRANSIENT_TOKEN, {Field.DEVICE: device, Field.PATH: "//evil"}),
        (Action.TRANSIENT_TOKEN, {Field.DEVICE: device, Field.PATH: path}),
        (Action.TRANSIENT_TOKEN, {Field.PATH: ways.page_of_film("elsewhere")}),
        (Action.SOURCE_CONNECTION, {Field.DEVICE: device, Field.SOURCE: "nonsense"}),
        (Action.SOURCE_CONNECTION, {Field.DEVICE: device, Field.SOURCE: "server://no"}),
    )
    for action, fields in wrong:
        assert not await user.act(action, fields)


def _calls(user: AuditedUser, entry: MockConfigEntry) -> dict[Action, Typed]:
    """Return each action with what is right for it, with a device to remove once."""
    return ways.calls(
        entry.entry_id,
        user.device_id(user.world.living_room),
        _source(user),
        _page(user),
        user.world.two_factor.add_device().device_id,
    )


def _source(user: AuditedUser) -> str:
    """Return a source of the server in the living room."""
    return f"server://{user.world.basement.machine_identifier}"


def _page(user: AuditedUser) -> str:
    """Return the address of a film's page, of the server in the living room."""
    return ways.page_of_film(user.world.living_room.machine_identifier)


async def async_meet_faults(
    user: AuditedUser, entry: MockConfigEntry, *, full: bool
) -> None:
    """Let each call that is ever made meet every fault, and look how it ends.

    Unless it is to be in full, a call meets each second of the faults that echo what
    they were told, and each sixth of the others.
    """
    simulator, asked = user.simulator, user.world.living_room
    simulator.sign_in_guard.limit = None
    account, server = account_coordinator(entry), server_coordinator(entry, asked)
    coordinators = account, server

    async def sign_in(*people: Person) -> None:
        for somebody in people:
            await user.attempt(ways.sign_in(somebody, Step.PASSWORD))

    async def sign_out() -> None:
        await sign_in(user.anna)
        await async_settle(user.hass)

    async def link() -> None:
        way = ways.sign_in(user.ben, Step.LINK)
        dialog = await user.attempt(
            takewhile(lambda move: not isinstance(move, Watch), way)
        )
        await asyncio.sleep(0.01)
        await dialog.look()

    async def refresh_account() -> None:
        await account.async_refresh()
        await act(Action.TOKEN_DETAILS)

    async def check_transient_token() -> None:
        await act(Action.TRANSIENT_TOKEN)
        await server.async_refresh()

    async def claim_server() -> None:
        shared_with = list(asked.shared_with)
        asked.unclaim()
        plex = async_create_plex_tv(user.hass, entry.data)
        url = URL(asked.http_url)
        try:
            await claim(
                plex, entry.data["token"], server.access.at(url), server.access.target
            )
        except PlexError as error:
            user.audit.add_exception(error, "claim")
        asked.claim(user.world.two_factor)
        asked.shared_with += shared_with
        with suppress(PlexError):
            await account.servers.renew(now=True)

    async def listen() -> None:
        notifications = server.notifications
        notifications.stop()
        await server.async_refresh()
        if server.last_update_success:
            await until(lambda: notifications.is_open or notifications.failure)
        if notifications.failure is not None:
            user.audit.add_exception(notifications.failure, "notification socket")

    async def act(action: Action) -> None:
        await user.act(action, _calls(user, entry)[action])

    child = user.world.home.child

    async def switch() -> None:
        home_user_id = user.home_user_id(child)
        dialog = await user.api.open_home_user(entry.entry_id, home_user_id)
        # Without the list of users it is not known that there is a PIN.
        if dialog.result.get("data_schema"):
            with suppress(AstrayError):
                await dialog.walk(ways.switch_again(RIGHT_PIN))
        if dialog.result["type"] == "form":
            await dialog.close()

    async def act_as_child(action: Action) -> None:
        device_id = user.home_user_device_id(child)
        path = user.world.home.film.path
        calls = ways.calls_as(device_id, user.device_id(asked), path)
        await user.act(action, calls[action])

    type Host = PlexSimulator | MediaServer
    deeds: tuple[tuple[str, Host, Callable[[], Awaitable[None]]], ...] = (
        ("signin", simulator, lambda: sign_in(user.anna, user.ben)),
        ("signout", simulator, sign_out),
        ("pins_create", simulator, link),
        ("pins_check", simulator, link),
        ("user", simulator, refresh_account),
        ("resources", simulator, lambda: act(Action.SERVERS)),
        ("devices", simulator, lambda: act(Action.DEVICES)),
        ("devices_xml", simulator, lambda: act(Action.DEVICES)),
        ("device_remove", simulator, lambda: act(Action.REMOVE_DEVICE)),
        ("device_remove_v2", simulator, lambda: act(Action.REMOVE_DEVICE)),
        ("identity", asked, server.async_refresh),
        ("root", asked, check_transient_token),
        ("security_token", asked, lambda: act(Action.TRANSIENT_TOKEN)),
        ("item", asked, lambda: act(Action.TRANSIENT_TOKEN)),
        ("claim_token", simulator, claim_server),
        ("claim", asked, claim_server),
        ("security_resources", asked, lambda: act(Action.SOURCE_CONNECTION)),
        ("home_users", simulator, switch),
        ("home_switch", simulator, switch),
        ("resources", simulator, lambda: act_as_child(Action.SERVERS)),
        ("security_token", asked, lambda: act_as_child(Action.TRANSIENT_TOKEN)),
        ("notifications", asked, listen),
    )
    faults = [
        *((f"echo in {name}", answer(echo), 2) for name, echo in ECHOES.items()),
        *((case.name, case.active, 6) for case in FAULTS if case.fault is not None),
    ]
    resolver = PlexDirectResolver()
    for number, (name, active, each) in enumerate(faults):
        for place, (endpoint, host, deed) in enumerate(deeds):
            if not full and (number + place) % each:
                continue
            async with active(host, resolver, endpoint):
                await deed()
                for coordinator in coordinators:
                    if (error := coordinator.last_exception) is not None:
                        user.audit.add_exception(error, f"{endpoint} met {name}")
        await user.close_all()
        for coordinator in coordinators:
            await coordinator.async_refresh()
            assert coordinator.last_update_success, name
    await switch()


async def async_lose_and_renew(user: AuditedUser, entry: MockConfigEntry) -> None:
    """Lose the sign-in and renew it, reconfigure, lose servers, reload and restart."""
    hass, server = user.hass, user.world.living_room
    user.simulator.sign_in_guard.clear()
    user.simulator.sign_in_guard.limit = None
    user.simulator.sign_out_devices(user.world.two_factor)
    assert not await user.act(Action.TOKEN_DETAILS, {Field.ENTRY: entry.entry_id})
    flow = next(iter(entry.async_get_active_flows(hass, {SOURCE_REAUTH})))
    dialog = user.api.find_account(flow["flow_id"])
    await dialog.look()
    anna = replace(user.anna, username=user.world.two_factor.email)
    await user.walk(dialog, stumbling(ways.renew(anna, Step.PASSWORD, REAUTH), WRONG))
    await server_coordinator(entry, server).async_refresh()
    user.audit.take_registries(hass)
    subentry_id = subentry_of(entry, server).subentry_id
    dialog = await user.api.open_repair(f"{Issue.UNCLAIMED}_{subentry_id}")
    server.trusts_network = False
    await user.walk(dialog, islice(ways.claim_server(), 2))
    assert dialog.errors == {"base": "network_not_trusted"}
    server.trusts_network = True
    await user.walk(dialog, ways.claim_server())
    server.shared_with.append(user.world.home.child)
    other: Wrong = {
        Step.TOKEN: [({Field.TOKEN: user.ben.token()}, {"base": "wrong_account"})]
    }
    await user.walk(
        await user.api.open_account(entry.entry_id),
        stumbling(ways.renew(anna, Step.TOKEN, RECONFIGURE), other),
    )
    user.simulator.sign_in_guard.blocks_all = True
    await user.attempt(ways.sign_in(anna, Step.PASSWORD))
    await user.close_all()
    await server.restart()
    await server_coordinator(entry, server).async_refresh()
    await hass.config_entries.async_reload(entry.entry_id)
    await async_settle(hass)
    assert entry.state is ConfigEntryState.LOADED
    await user.act(Action.TRANSIENT_TOKEN, {Field.DEVICE: user.device_id(server)})


async def async_collect(
    user: AuditedUser,
    hass_client: ClientSessionGenerator,
    stored: dict[str, Any],
    database: Path,
) -> None:
    """Give the audit all that Home Assistant shows or keeps now."""
    hass, audit = user.hass, user.audit
    await async_collect_shown(user, hass_client)
    await async_wait_recording_done(hass)
    await hass.async_add_executor_job(audit.take_database, database)
    await audit.async_take_storage(hass, stored)
    await hass.async_add_executor_job(audit.take_files, Path(hass.config.config_dir))


async def async_collect_shown(
    user: AuditedUser, hass_client: ClientSessionGenerator
) -> None:
    """Give the audit all that Home Assistant shows now."""
    hass, audit = user.hass, user.audit
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

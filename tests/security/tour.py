"""What the audit walks through: every way, rightly and wrongly, and every fault."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from itertools import takewhile
from pathlib import Path
from typing import Any

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

from homeassistant.config_entries import SOURCE_REAUTH, ConfigEntryState
from homeassistant.core import HomeAssistant
from homeassistant.helpers import device_registry as dr
from tests.helpers import (
    account_coordinator,
    async_settle,
    device_of,
    server_coordinator,
    subentry_of,
)
from tests.plex_simulator import Account, MediaServer, PlexSimulator
from tests.plex_simulator.worlds import PODCASTS
from tests.walks import ways
from tests.walks.causes import impatience
from tests.walks.dialog import person
from tests.walks.names import DOMAIN, Action, Field, Issue, Step
from tests.walks.ways import REAUTH, RECONFIGURE, Person, Typed, Way, stumbling

from .faults import PATIENCE, SLOW, faults
from .leaks import Place
from .walk import PASSWORD, WRONG, Walk


@dataclass(frozen=True, slots=True)
class World:
    """Hold two accounts with every secret, and servers of theirs.

    The far server is no server of Anna's.
    """

    simulator: PlexSimulator
    anna: Account
    ben: Account
    attic: MediaServer
    cellar: MediaServer
    far: MediaServer

    def person(self, account: Account) -> Person:
        """Return who has an account."""
        return person(self.simulator, account)

    def device_id(self, hass: HomeAssistant, server: MediaServer) -> str:
        """Return the device of a server in Anna's entry."""
        return device_of(hass, entry_of(hass, self.anna), server).id

    @property
    def source(self) -> str:
        """Return a source of the attic server."""
        return f"server://{self.cellar.machine_identifier}"


async def async_world(simulator: PlexSimulator) -> World:
    """Fill the simulator."""
    anna = simulator.add_account(
        "anna",
        title="Anna",
        password=PASSWORD,
        totp_secret="JBSWY3DPEHPK3PXPMARKERKEY",
        email="marker.anna@example.com",
    )
    ben = simulator.add_account(
        "ben",
        title="Ben",
        password=f"{PASSWORD} of Ben's",
        email="marker.ben@example.com",
    )
    attic, cellar, far = [
        await simulator.add_server(name, owner)
        for name, owner in (("Attic", anna), ("Cellar", anna), ("Far", ben))
    ]
    attic.add_provider(PODCASTS, "Podcasts")
    return World(simulator, anna, ben, attic, cellar, far)


@contextmanager
def quick_callbacks() -> Iterator[None]:
    """Let the event loop report slow callbacks only, for what is done very often."""
    loop = asyncio.get_running_loop()
    before = loop.slow_callback_duration
    loop.slow_callback_duration = 0.1
    yield
    loop.slow_callback_duration = before


def entry_of(hass: HomeAssistant, account: Account) -> MockConfigEntry:
    """Return the entry of an account."""
    entries: list[Any] = hass.config_entries.async_entries(DOMAIN)
    (entry,) = [entry for entry in entries if entry.unique_id == account.uuid]
    assert entry
    return entry


async def async_sign_in_every_way(walk: Walk, world: World) -> MockConfigEntry:
    """Sign in by password, link code and token, wrongly before rightly."""
    anna, ben = world.person(world.anna), world.person(world.ben)
    by_email = replace(anna, username=world.anna.email)
    for way in (
        ways.sign_in(by_email, Step.PASSWORD),
        ways.sign_in(ben, Step.TOKEN),
    ):
        dialog = await walk.walk(await walk.api.open_account(), stumbling(way, WRONG))
        assert dialog.result["step_id"] == Step.SERVERS
        await dialog.close()

    dialog = await walk.api.open_account()
    too_late = replace(ben, link=walk.simulator.pins.expire)
    await walk.walk(dialog, ways.sign_in(too_late, Step.LINK))
    assert dialog.errors == {"base": "link_expired"}
    servers = [world.far.machine_identifier]
    await walk.walk(dialog, ways.go_on(ben, Step.LINK), ways.choose_servers(servers))
    await walk.hass.config_entries.async_remove(entry_of(walk.hass, world.ben).entry_id)

    servers = [world.attic.machine_identifier]
    add = ways.add_account(anna, Step.PASSWORD, servers)
    await walk.walk(await walk.api.open_account(), stumbling(add, WRONG))
    await walk.walk(
        await walk.api.open_account(),
        ways.sign_in(anna, Step.PASSWORD),
        iter([ways.Ended("already_configured")]),
    )
    return entry_of(walk.hass, world.anna)


async def async_renew(walk: Walk, world: World, entry: MockConfigEntry) -> None:
    """Sign in anew by the card that asks for it, with wrong inputs before the right."""
    flow = next(iter(entry.async_get_active_flows(walk.hass, {SOURCE_REAUTH})))
    dialog = walk.api.find_account(flow["flow_id"])
    await dialog.look()
    anna = replace(world.person(world.anna), username=world.anna.email)
    await walk.walk(dialog, stumbling(ways.renew(anna, Step.PASSWORD, REAUTH), WRONG))


async def async_use_servers(walk: Walk, world: World, entry: MockConfigEntry) -> None:
    """Add servers in both ways and watch sources, wrongly before rightly."""

    async def change(way: Way, server: MediaServer | None = None) -> None:
        subentry_id = None if server is None else subentry_of(entry, server).subentry_id
        dialog = await walk.api.open_server(entry.entry_id, subentry_id)
        await walk.walk(dialog, stumbling(way, WRONG))

    far = world.far
    await change(ways.add_listed_server(world.cellar.machine_identifier))
    token = far.access_token_for(world.ben)
    await change(ways.add_server_by_address(far.http_url, token))
    sources = [world.source, f"provider://{PODCASTS}"]
    await change(ways.watch_sources(sources), world.attic)
    far.rotate_access_tokens()
    device: Typed = {Field.DEVICE: world.device_id(walk.hass, far)}
    assert not await walk.act(Action.TRANSIENT_TOKEN, device)
    walk.audit.take_registries(walk.hass)
    subentry_id = subentry_of(entry, far).subentry_id
    dialog = await walk.api.open_repair(f"{Issue.TOKEN_REFUSED}_{subentry_id}")
    token = far.access_token_for(world.ben)
    await walk.walk(dialog, stumbling(ways.renew_server_token(token), WRONG))


async def async_act(walk: Walk, world: World, entry: MockConfigEntry) -> None:
    """Call all actions, over each way to call them, rightly and wrongly."""
    attic = world.device_id(walk.hass, world.attic)
    for action, fields in ways.calls(entry.entry_id, attic, world.source).items():
        assert await walk.act(action, fields)
        await walk.act_over_rest(action, fields)
        await walk.act_over_websocket(action, fields)
    wrong: tuple[tuple[Action, Typed], ...] = (
        (Action.TOKEN_DETAILS, {Field.ENTRY: "nonsense"}),
        (Action.TRANSIENT_TOKEN, {Field.DEVICE: attic, Field.PATH: "//evil"}),
        (Action.SOURCE_CONNECTION, {Field.DEVICE: attic, Field.SOURCE: "nonsense"}),
        (
            Action.SOURCE_CONNECTION,
            {Field.DEVICE: attic, Field.SOURCE: "server://unknown"},
        ),
    )
    for action, fields in wrong:
        assert not await walk.act(action, fields)


async def async_meet_faults(
    walk: Walk, world: World, entry: MockConfigEntry, *, full: bool
) -> None:
    """Let each call that is ever made meet every fault, and look how it ends.

    Unless it is to be in full, a call meets each third of the faults that echo nothing.
    """
    hass, simulator, attic = walk.hass, walk.simulator, world.attic
    simulator.sign_in_guard.limit = None
    coordinators = account_coordinator(entry), server_coordinator(entry, attic)
    account, server = coordinators
    anna, ben = world.person(world.anna), world.person(world.ben)
    device = world.device_id(hass, attic)
    calls = ways.calls(entry.entry_id, device, world.source)

    async def sign_in(*people: Person) -> None:
        for somebody in people:
            await walk.attempt(ways.sign_in(somebody, Step.PASSWORD))

    async def sign_out() -> None:
        await sign_in(anna)
        await async_settle(hass)

    async def link() -> None:
        way = ways.sign_in(ben, Step.LINK)
        dialog = await walk.attempt(
            takewhile(lambda move: not isinstance(move, ways.Watch), way)
        )
        await asyncio.sleep(0.01)
        await dialog.look()

    async def refresh_account() -> None:
        await account.async_refresh()
        await act(Action.TOKEN_DETAILS)

    async def check_transient_token() -> None:
        await act(Action.TRANSIENT_TOKEN)
        await server.async_refresh()

    async def act(action: Action) -> None:
        await walk.act(action, calls[action])

    deeds: tuple[tuple[str, MediaServer | None, Callable[[], Awaitable[None]]], ...] = (
        ("signin", None, lambda: sign_in(anna, ben)),
        ("signout", None, sign_out),
        ("pins_create", None, link),
        ("pins_check", None, link),
        ("user", None, refresh_account),
        ("resources", None, lambda: act(Action.SERVERS)),
        ("identity", attic, server.async_refresh),
        ("root", attic, check_transient_token),
        ("security_token", attic, lambda: act(Action.TRANSIENT_TOKEN)),
        ("security_resources", attic, lambda: act(Action.SOURCE_CONNECTION)),
    )
    for number, (name, fault) in enumerate(faults(simulator).items()):
        for place, (endpoint, asked, deed) in enumerate(deeds):
            if not full and "echo" not in name and (number + place) % 3:
                continue
            host = simulator.faults if asked is None else asked.faults
            host.set(endpoint, fault)
            try:
                with impatience(PATIENCE) if name in SLOW else nullcontext():
                    await deed()
                for coordinator in coordinators:
                    if (error := coordinator.last_exception) is not None:
                        walk.audit.add_exception(error, f"{endpoint} met {name}")
            finally:
                host.clear(endpoint)
        await walk.close_all()
        for coordinator in coordinators:
            await coordinator.async_refresh()
            assert coordinator.last_update_success, name


async def async_lose_and_renew(
    walk: Walk, world: World, entry: MockConfigEntry
) -> None:
    """Lose the sign-in and renew it, reconfigure, lose servers, reload and restart."""
    hass = walk.hass
    walk.simulator.sign_in_guard.clear()
    walk.simulator.sign_in_guard.limit = None
    world.anna.revoke_tokens()
    assert not await walk.act(Action.TOKEN_DETAILS, {Field.ENTRY: entry.entry_id})
    await async_renew(walk, world, entry)
    anna, ben = world.person(world.anna), world.person(world.ben)
    await walk.walk(
        await walk.api.open_account(entry.entry_id),
        ways.sign_in(ben, Step.TOKEN, RECONFIGURE),
        iter([ways.Ended("wrong_account")]),
    )
    await walk.walk(
        await walk.api.open_account(entry.entry_id),
        ways.renew(anna, Step.TOKEN, RECONFIGURE),
    )
    walk.simulator.sign_in_guard.blocks_all = True
    await walk.attempt(ways.sign_in(anna, Step.PASSWORD))
    await walk.close_all()
    await world.attic.restart()
    await server_coordinator(entry, world.attic).async_refresh()
    await hass.config_entries.async_reload(entry.entry_id)
    await async_settle(hass)
    assert entry.state is ConfigEntryState.LOADED
    device: Typed = {Field.DEVICE: world.device_id(hass, world.attic)}
    await walk.act(Action.TRANSIENT_TOKEN, device)


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

"""Set-up, unloading, reloading and removal of accounts, as Home Assistant does them."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from types import MappingProxyType

from freezegun.api import FrozenDateTimeFactory
import pytest
from pytest_homeassistant_custom_component.common import (
    async_capture_events,
    async_fire_time_changed,
)

from custom_components.plex_auth.const import (
    CONF_LAST_KNOWN,
    CONF_SOURCES,
    DOMAIN,
    TokenOrigin,
)
from custom_components.plex_auth.transient_tokens import async_issued_token
from homeassistant.config_entries import SOURCE_REAUTH, ConfigEntryState, ConfigSubentry
from homeassistant.const import CONF_TOKEN, STATE_UNAVAILABLE, STATE_UNKNOWN
from homeassistant.core import Event, EventStateChangedData, HomeAssistant
from homeassistant.helpers import device_registry as dr, entity_registry as er

from .helpers import (
    account_coordinator,
    async_add_account,
    async_arrival,
    async_get_transient_token,
    async_pass,
    async_set_up,
    async_settle,
    device_of,
    entity_id_of,
    known_server,
    make_entry,
    reauth_flows,
    server_coordinator,
    server_data,
    state_of,
    subentry_of,
)
from .plex_simulator import PLEX_TV, Account, Fault, PlexSimulator
from .plex_simulator.worlds import DemoWorld

ACCOUNT_ENTITIES = (
    "binary_sensor.token",
    "binary_sensor.plex_pass",
    "binary_sensor.two_factor",
    "sensor.subscription_status",
    "sensor.servers",
    "sensor.token_last_verified",
)


async def test_set_up(
    hass: HomeAssistant,
    simulator: PlexSimulator,
    world: DemoWorld,
    device_registry: dr.DeviceRegistry,
) -> None:
    """An account is set up with a device of its own and one for each server."""
    anna = world.two_factor
    entry = await async_add_account(
        hass, simulator, anna, [world.living_room, world.shared]
    )
    assert entry.state is ConfigEntryState.LOADED
    account = device_of(hass, entry)
    assert account.name == "Anna"
    for server in (world.living_room, world.shared):
        device = device_of(hass, entry, server)
        assert device.name == server.name
        assert device.via_device_id == account.id
        assert device.sw_version == server.version
        assert device.config_subentry_id == subentry_of(entry, server).subentry_id
    assert len(dr.async_entries_for_config_entry(device_registry, entry.entry_id)) == 3


async def test_every_request_names_the_client(
    hass: HomeAssistant, simulator: PlexSimulator, world: DemoWorld
) -> None:
    """Every request of an entry carries its client identifier; tokens are headers."""
    entry = await async_add_account(
        hass, simulator, world.two_factor, [world.living_room]
    )
    await async_get_transient_token(hass, entry, world.living_room)
    assert simulator.requests
    for request in simulator.requests:
        assert (
            request.headers["X-Plex-Client-Identifier"]
            == entry.data["client_identifier"]
        )
        assert request.headers["X-Plex-Product"] == "Plex Auth for Home Assistant"
        assert "X-Plex-Token" not in request.query
        assert "Cookie" not in request.headers


async def test_account_without_servers(
    hass: HomeAssistant, simulator: PlexSimulator, world: DemoWorld
) -> None:
    """An account without any server is set up."""
    entry = await async_add_account(hass, simulator, world.without_servers)
    assert entry.state is ConfigEntryState.LOADED
    assert state_of(hass, "sensor.servers", world.without_servers) == "0"


async def test_managed_user(
    hass: HomeAssistant, simulator: PlexSimulator, world: DemoWorld
) -> None:
    """A managed user, who has but a title, is set up under that title."""
    entry = await async_add_account(hass, simulator, world.managed, [world.living_room])
    assert entry.state is ConfigEntryState.LOADED
    assert device_of(hass, entry).name == "Emil"
    assert (
        state_of(hass, "binary_sensor.reachable", world.managed, world.living_room)
        == "on"
    )


async def test_three_servers(
    hass: HomeAssistant, simulator: PlexSimulator, world: DemoWorld, plex_direct: None
) -> None:
    """An account with three servers has a device for each; unique ids are apart."""
    hugo = world.three_servers
    servers = [server for server in simulator.servers.values() if server.owner is hugo]
    entry = await async_add_account(hass, simulator, hugo, servers)
    assert [
        state_of(hass, "binary_sensor.reachable", hugo, server) for server in servers
    ] == ["on"] * 3
    entities = er.async_entries_for_config_entry(er.async_get(hass), entry.entry_id)
    assert len({(entity.domain, entity.unique_id) for entity in entities}) == len(
        entities
    )


async def test_two_accounts_share_a_server(
    hass: HomeAssistant, simulator: PlexSimulator, world: DemoWorld
) -> None:
    """Two accounts that share a server have devices and entities apart."""
    accounts = (world.two_factor, world.free)
    entries = [
        await async_add_account(hass, simulator, account, [world.living_room])
        for account in accounts
    ]
    devices = [device_of(hass, entry, world.living_room) for entry in entries]
    assert devices[0].id != devices[1].id
    assert devices[0].via_device_id != devices[1].via_device_id
    tokens = {
        request.headers["X-Plex-Token"] for request in simulator.requests_to("user")
    }
    assert len(tokens) == 2
    await async_get_transient_token(hass, entries[0], world.living_room)
    expires = [
        state_of(hass, "sensor.transient_token_expires", account, world.living_room)
        for account in accounts
    ]
    assert expires[0] != STATE_UNKNOWN
    assert expires[1] == STATE_UNKNOWN


async def test_unload_leaves_nothing(
    hass: HomeAssistant,
    simulator: PlexSimulator,
    world: DemoWorld,
    freezer: FrozenDateTimeFactory,
) -> None:
    """An unloaded entry asks nothing any more, and nothing listens for it."""
    entry = await async_add_account(
        hass, simulator, world.two_factor, [world.living_room]
    )
    await async_get_transient_token(hass, entry, world.living_room)
    account = account_coordinator(entry)
    server = server_coordinator(entry, world.living_room)
    assert await hass.config_entries.async_unload(entry.entry_id)
    await async_settle(hass)
    assert entry.state is ConfigEntryState.NOT_LOADED
    assert (
        state_of(hass, "binary_sensor.reachable", world.two_factor, world.living_room)
        == STATE_UNAVAILABLE
    )
    assert not entry.update_listeners
    for coordinator in (account, server):
        assert not coordinator._listeners
        assert coordinator._unsub_refresh is None
    assert not server.issued_token._listeners
    assert server.issued_token._cancel_expiry is None
    simulator.requests.clear()
    changes = async_capture_events(hass, "state_changed")
    await async_pass(hass, freezer, timedelta(hours=1, seconds=1))
    await async_pass(hass, freezer, timedelta(hours=48))
    assert not simulator.requests
    assert not changes


async def test_reload_keeps_the_transient_token(
    hass: HomeAssistant,
    simulator: PlexSimulator,
    world: DemoWorld,
    freezer: FrozenDateTimeFactory,
) -> None:
    """A reload does not forget a transient token, nor when it ends."""
    anna, server = world.two_factor, world.living_room
    entry = await async_add_account(hass, simulator, anna, [server])
    await async_get_transient_token(hass, entry, world.living_room)
    before = state_of(hass, "sensor.transient_token_expires", anna, server)
    assert await hass.config_entries.async_reload(entry.entry_id)
    await async_settle(hass)
    assert entry.state is ConfigEntryState.LOADED
    assert state_of(hass, "sensor.transient_token_expires", anna, server) == before
    events: list[Event[EventStateChangedData]] = async_capture_events(
        hass, "state_changed"
    )
    await async_pass(hass, freezer, timedelta(hours=48, seconds=1))
    assert (
        state_of(hass, "sensor.transient_token_expires", anna, server) == STATE_UNKNOWN
    )
    entity_id = entity_id_of(hass, "event.transient_token", anna, server)
    ends = [
        event.data["new_state"].attributes["event_type"]
        for event in events
        if event.data["entity_id"] == entity_id and event.data["new_state"] is not None
    ]
    assert len(ends) == 1


async def test_token_that_ended_while_unloaded(
    hass: HomeAssistant,
    simulator: PlexSimulator,
    world: DemoWorld,
    freezer: FrozenDateTimeFactory,
) -> None:
    """A transient token that ended while the entry was unloaded is gone afterwards."""
    entry = await async_add_account(
        hass, simulator, world.two_factor, [world.living_room]
    )
    await async_get_transient_token(hass, entry, world.living_room)
    await hass.config_entries.async_unload(entry.entry_id)
    await async_pass(hass, freezer, timedelta(hours=49))
    await hass.config_entries.async_setup(entry.entry_id)
    await async_settle(hass)
    await async_pass(hass, freezer, timedelta(seconds=1))
    assert (
        state_of(
            hass, "sensor.transient_token_expires", world.two_factor, world.living_room
        )
        == STATE_UNKNOWN
    )


@pytest.mark.parametrize(
    ("origin", "signs_out"),
    [
        (TokenOrigin.PASSWORD, True),
        (TokenOrigin.LINK, True),
        (TokenOrigin.TOKEN, False),
    ],
)
async def test_removal_signs_out(
    hass: HomeAssistant,
    simulator: PlexSimulator,
    world: DemoWorld,
    origin: TokenOrigin,
    signs_out: bool,
) -> None:
    """Removal ends our own sign-in at plex.tv and leaves a pasted token alone."""
    anna = world.two_factor
    anna.sign_in_token("another client")
    entry = await async_add_account(
        hass, simulator, anna, [world.living_room], origin=origin
    )
    await async_get_transient_token(hass, entry, world.living_room)
    subentry_id = subentry_of(entry, world.living_room).subentry_id
    result = await hass.config_entries.async_remove(entry.entry_id)
    await async_settle(hass)
    assert result == {"require_restart": False}
    assert len(simulator.requests_to("signout", PLEX_TV)) == (1 if signs_out else 0)
    assert (entry.data["client_identifier"] in anna.tokens) is not signs_out
    assert "another client" in anna.tokens
    assert async_issued_token(hass, subentry_id).token is None
    assert not hass.states.async_all()
    assert not dr.async_entries_for_config_entry(dr.async_get(hass), entry.entry_id)


async def test_removal_waits_ten_seconds_at_most(
    hass: HomeAssistant,
    simulator: PlexSimulator,
    world: DemoWorld,
    freezer: FrozenDateTimeFactory,
) -> None:
    """Removal goes on after 10 seconds when plex.tv does not answer."""
    entry = await async_add_account(hass, simulator, world.two_factor)
    simulator.faults.set("signout", Fault.delay(3600))
    removal = hass.async_create_task(hass.config_entries.async_remove(entry.entry_id))
    await async_arrival(simulator, "signout")
    freezer.tick(9)
    async_fire_time_changed(hass)
    await asyncio.sleep(0)
    assert not removal.done()
    freezer.tick(1)
    async_fire_time_changed(hass)
    for _ in range(1000):
        await asyncio.sleep(0)
    in_time = removal.done()
    removal.cancel()
    assert in_time
    assert hass.config_entries.async_get_entry(entry.entry_id) is None


async def _stop(simulator: PlexSimulator, account: Account) -> None:
    """Let plex.tv be away."""
    await simulator.stop_plex_tv()


async def _break(simulator: PlexSimulator, account: Account) -> None:
    """Let plex.tv show its outage page."""
    simulator.faults.set("*", Fault.html(502))


async def _revoke(simulator: PlexSimulator, account: Account) -> None:
    """Let plex.tv reject the account's tokens."""
    account.revoke_tokens()


type _Trouble = Callable[[PlexSimulator, Account], Awaitable[None]]


@pytest.mark.parametrize("trouble", [_stop, _break, _revoke])
async def test_removal_never_fails(
    hass: HomeAssistant, simulator: PlexSimulator, world: DemoWorld, trouble: _Trouble
) -> None:
    """Removal succeeds although plex.tv is away or has ended the sign-in already."""
    entry = await async_add_account(hass, simulator, world.two_factor)
    await trouble(simulator, world.two_factor)
    await hass.config_entries.async_remove(entry.entry_id)
    assert hass.config_entries.async_get_entry(entry.entry_id) is None


async def test_removal_of_an_entry_that_is_not_loaded(
    hass: HomeAssistant, simulator: PlexSimulator, world: DemoWorld
) -> None:
    """An entry that was never loaded is signed out as well."""
    simulator.faults.set("user", Fault.status(503))
    entry = await async_add_account(hass, simulator, world.two_factor)
    assert entry.state is ConfigEntryState.SETUP_RETRY
    await hass.config_entries.async_remove(entry.entry_id)
    assert not world.two_factor.tokens


@pytest.mark.parametrize("trouble", [_stop, _break])
async def test_plex_tv_away_at_start(
    hass: HomeAssistant,
    simulator: PlexSimulator,
    world: DemoWorld,
    freezer: FrozenDateTimeFactory,
    trouble: _Trouble,
) -> None:
    """Servers reached before work without plex.tv; all recovers without a reload."""
    anna, server = world.two_factor, world.living_room
    entry = make_entry(simulator, anna, [server])
    await trouble(simulator, anna)
    await async_set_up(hass, entry)

    assert entry.state is ConfigEntryState.LOADED
    assert not reauth_flows(hass, entry)
    assert {state_of(hass, name, anna) for name in ACCOUNT_ENTITIES} == {
        STATE_UNAVAILABLE
    }
    assert state_of(hass, "binary_sensor.reachable", anna, server) == "on"
    assert state_of(hass, "sensor.connection", anna, server) == "local"
    token = await async_get_transient_token(hass, entry, world.living_room)
    assert server.accepts_transient_token(token)
    source = await hass.services.async_call(
        DOMAIN,
        "get_source_connection_information",
        {"source": f"server://{world.basement.machine_identifier}"},
        blocking=True,
        return_response=True,
    )
    assert source is not None
    assert source["name"] == "Basement"

    data = entry.runtime_data
    simulator.faults.clear()
    await simulator.start_plex_tv()
    await async_pass(hass, freezer, timedelta(seconds=62))
    assert entry.runtime_data is data
    assert STATE_UNAVAILABLE not in {
        state_of(hass, name, anna) for name in ACCOUNT_ENTITIES
    }
    assert state_of(hass, "binary_sensor.token", anna) == "off"
    assert not reauth_flows(hass, entry)


async def test_plex_tv_is_asked_again_ever_more_rarely(
    hass: HomeAssistant,
    simulator: PlexSimulator,
    world: DemoWorld,
    freezer: FrozenDateTimeFactory,
) -> None:
    """Until the first success the time to the next try doubles up to half an hour."""
    entry = make_entry(simulator, world.two_factor, [world.living_room])
    simulator.faults.set("user", Fault.status(503))
    await async_set_up(hass, entry)
    for minutes in (1, 2, 4, 8, 16, 30, 30):
        simulator.requests.clear()
        await async_pass(hass, freezer, timedelta(minutes=minutes, seconds=-3))
        assert not simulator.requests_to("user")
        await async_pass(hass, freezer, timedelta(seconds=4))
        assert len(simulator.requests_to("user")) == 1
    simulator.faults.clear()
    await async_pass(hass, freezer, timedelta(minutes=30, seconds=1))
    assert state_of(hass, "binary_sensor.token", world.two_factor) == "off"


async def test_token_rejected_at_start(
    hass: HomeAssistant, simulator: PlexSimulator, world: DemoWorld
) -> None:
    """Servers work with a rejected account token; the question for a new one is there.

    It goes away by itself once plex.tv accepts the token again.
    """
    anna, server = world.two_factor, world.living_room
    entry = make_entry(simulator, anna, [server])
    simulator.faults.set("user", Fault.plex_error(1001, 401))
    await async_set_up(hass, entry)

    assert entry.state is ConfigEntryState.LOADED
    assert reauth_flows(hass, entry) == 1
    assert state_of(hass, "binary_sensor.token", anna) == "on"
    assert state_of(hass, "binary_sensor.plex_pass", anna) == STATE_UNAVAILABLE
    assert state_of(hass, "binary_sensor.reachable", anna, server) == "on"
    assert server.accepts_transient_token(
        await async_get_transient_token(hass, entry, world.living_room)
    )

    simulator.faults.clear()
    await account_coordinator(entry).async_verify()
    await async_settle(hass)
    assert not reauth_flows(hass, entry)
    assert state_of(hass, "binary_sensor.token", anna) == "off"
    assert state_of(hass, "binary_sensor.plex_pass", anna) == "on"


async def test_sign_in_that_has_begun_is_not_taken_away(
    hass: HomeAssistant, simulator: PlexSimulator, world: DemoWorld
) -> None:
    """A dialog in which the user signs in already stays when the token is accepted."""
    entry = make_entry(simulator, world.two_factor, [world.living_room])
    simulator.faults.set("user", Fault.plex_error(1001, 401))
    await async_set_up(hass, entry)
    (flow,) = entry.async_get_active_flows(hass, {SOURCE_REAUTH})
    await hass.config_entries.flow.async_configure(
        flow["flow_id"], {"next_step_id": "password"}
    )
    simulator.faults.clear()
    await account_coordinator(entry).async_verify()
    await async_settle(hass)
    assert state_of(hass, "binary_sensor.token", world.two_factor) == "off"
    assert reauth_flows(hass, entry) == 1


async def test_new_token_after_a_rejection(
    hass: HomeAssistant,
    simulator: PlexSimulator,
    world: DemoWorld,
    freezer: FrozenDateTimeFactory,
) -> None:
    """A new token needs no reload, and polling goes on with it."""
    anna = world.two_factor
    entry = make_entry(simulator, anna, [world.living_room])
    anna.revoke_tokens()
    await async_set_up(hass, entry)
    assert state_of(hass, "binary_sensor.token", anna) == "on"
    simulator.requests.clear()
    await async_pass(hass, freezer, timedelta(hours=1))
    assert not simulator.requests_to("user")

    data = entry.runtime_data
    token = anna.sign_in_token(entry.data["client_identifier"])
    hass.config_entries.async_update_entry(
        entry, data={**entry.data, CONF_TOKEN: token}
    )
    await account_coordinator(entry).async_refresh()
    await async_settle(hass)
    assert entry.runtime_data is data
    assert state_of(hass, "binary_sensor.token", anna) == "off"
    assert not reauth_flows(hass, entry)
    simulator.requests.clear()
    await async_pass(hass, freezer, timedelta(minutes=30, seconds=1))
    assert [
        request.headers["X-Plex-Token"] for request in simulator.requests_to("user")
    ] == [token]


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (Fault.html(503), "Anna is temporarily unavailable"),
        (Fault.plex_error(1003, 429), "Anna has received too many requests"),
        (Fault.reset(), "The connection to Anna failed"),
        (Fault.body("[]"), "Anna gave an answer that was not understood"),
    ],
    ids=["outage", "rate limit", "cut", "nonsense"],
)
async def test_no_usable_server_waits_for_plex_tv(
    hass: HomeAssistant,
    simulator: PlexSimulator,
    world: DemoWorld,
    freezer: FrozenDateTimeFactory,
    fault: Fault,
    reason: str,
) -> None:
    """An entry without a usable server says what it waits for, and tries again."""
    anna, server = world.two_factor, world.living_room
    simulator.faults.set("user", fault)
    entry = await async_add_account(
        hass, simulator, anna, [server_data(server, anna, last_known={})]
    )
    assert entry.state is ConfigEntryState.SETUP_RETRY
    assert entry.reason is not None
    assert entry.reason.startswith(reason)
    assert not reauth_flows(hass, entry)
    simulator.faults.clear()
    await async_pass(hass, freezer, timedelta(seconds=15))
    assert hass.config_entries.async_loaded_entries(DOMAIN) == [entry]
    assert state_of(hass, "binary_sensor.reachable", anna, server) == "on"
    assert subentry_of(entry, server).data[CONF_LAST_KNOWN] == known_server(
        server, anna
    )


async def test_no_server_and_a_rejected_token(
    hass: HomeAssistant, simulator: PlexSimulator, world: DemoWorld
) -> None:
    """An entry without servers asks for a new sign-in when its token is rejected."""
    entry = make_entry(simulator, world.without_servers)
    world.without_servers.revoke_tokens()
    await async_set_up(hass, entry)
    assert entry.state is ConfigEntryState.SETUP_ERROR
    assert entry.reason is not None
    assert entry.reason.startswith("Plex no longer accepts the sign-in of Gina.")
    assert reauth_flows(hass, entry) == 1
    hass.config_entries.async_update_entry(
        entry,
        data={
            **entry.data,
            CONF_TOKEN: world.without_servers.sign_in_token(
                entry.data["client_identifier"]
            ),
        },
    )
    assert await hass.config_entries.async_reload(entry.entry_id)
    await async_settle(hass)
    assert hass.config_entries.async_loaded_entries(DOMAIN) == [entry]
    assert not reauth_flows(hass, entry)


async def test_typed_token_makes_a_server_usable(
    hass: HomeAssistant, simulator: PlexSimulator, world: DemoWorld
) -> None:
    """A server with an address and a token typed by the user works without plex.tv."""
    anna, server = world.two_factor, world.living_room
    entry = make_entry(
        simulator,
        anna,
        [
            server_data(
                server,
                anna,
                last_known={},
                url=server.http_url,
                verify_ssl=True,
                token=server.access_token_for(anna),
            )
        ],
    )
    await simulator.stop_plex_tv()
    await async_set_up(hass, entry)
    assert entry.state is ConfigEntryState.LOADED
    assert state_of(hass, "sensor.connection", anna, server) == "custom"
    assert server.accepts_transient_token(
        await async_get_transient_token(hass, entry, world.living_room)
    )


async def test_server_down_at_start(
    hass: HomeAssistant,
    simulator: PlexSimulator,
    world: DemoWorld,
    freezer: FrozenDateTimeFactory,
) -> None:
    """A server that is down does not keep the account from being set up."""
    anna, server = world.two_factor, world.living_room
    await server.stop()
    entry = await async_add_account(hass, simulator, anna, [server, world.basement])
    assert entry.state is ConfigEntryState.LOADED
    assert state_of(hass, "binary_sensor.token", anna) == "off"
    assert state_of(hass, "binary_sensor.reachable", anna, server) == "off"
    assert state_of(hass, "sensor.connection", anna, server) == STATE_UNAVAILABLE
    assert state_of(hass, "binary_sensor.reachable", anna, world.basement) == "on"
    await server.start()
    await async_pass(hass, freezer, timedelta(minutes=5, seconds=1))
    assert state_of(hass, "binary_sensor.reachable", anna, server) == "on"
    assert state_of(hass, "sensor.connection", anna, server) == "local"


async def test_what_needs_no_reload(
    hass: HomeAssistant, simulator: PlexSimulator, world: DemoWorld
) -> None:
    """A new token, and what plex.tv now says of a server, are taken without a reload."""
    anna, server = world.two_factor, world.living_room
    entry = await async_add_account(hass, simulator, anna, [server])
    data = entry.runtime_data
    hass.config_entries.async_update_entry(
        entry,
        data={
            **entry.data,
            CONF_TOKEN: anna.sign_in_token(entry.data["client_identifier"]),
        },
    )
    server.rotate_access_tokens()
    subentry = subentry_of(entry, server)
    hass.config_entries.async_update_subentry(
        entry,
        subentry,
        data={**subentry.data, CONF_LAST_KNOWN: known_server(server, anna)},
    )
    await async_settle(hass)
    assert entry.runtime_data is data


async def test_added_server(
    hass: HomeAssistant, simulator: PlexSimulator, world: DemoWorld
) -> None:
    """A server that is added gets a device and entities at once."""
    anna = world.two_factor
    entry = await async_add_account(hass, simulator, anna, [world.living_room])
    added = server_data(world.basement, anna)
    hass.config_entries.async_add_subentry(
        entry,
        ConfigSubentry(
            data=MappingProxyType(added["data"]),
            subentry_type=added["subentry_type"],
            title=added["title"],
            unique_id=added["unique_id"],
        ),
    )
    await async_settle(hass)
    assert device_of(hass, entry, world.basement).name == "Basement"
    assert state_of(hass, "binary_sensor.reachable", anna, world.basement) == "on"


async def test_changed_server(
    hass: HomeAssistant, simulator: PlexSimulator, world: DemoWorld
) -> None:
    """A server that the user changes is set up anew."""
    anna, server = world.two_factor, world.living_room
    entry = await async_add_account(hass, simulator, anna, [server])
    data = entry.runtime_data
    subentry = subentry_of(entry, server)
    hass.config_entries.async_update_subentry(
        entry, subentry, data={**subentry.data, "url": server.http_url}
    )
    await async_settle(hass)
    assert entry.runtime_data is not data
    assert state_of(hass, "sensor.connection", anna, server) == "custom"
    data = entry.runtime_data
    subentry = subentry_of(entry, server)
    hass.config_entries.async_update_subentry(
        entry,
        subentry,
        data={
            **subentry.data,
            CONF_SOURCES: [f"server://{world.basement.machine_identifier}"],
        },
    )
    await async_settle(hass)
    assert entry.runtime_data is not data


async def test_changed_address_of_the_api(
    hass: HomeAssistant, simulator: PlexSimulator, world: DemoWorld
) -> None:
    """Another address of the Plex API is asked from then on."""
    async with PlexSimulator() as other:
        entry = await async_add_account(hass, simulator, world.two_factor)
        simulator.requests.clear()
        hass.config_entries.async_update_entry(
            entry, data={**entry.data, "api_url": other.api_url}
        )
        await async_settle(hass)
        assert not simulator.requests
        assert other.requests_to("user")


async def test_removed_server(
    hass: HomeAssistant, simulator: PlexSimulator, world: DemoWorld
) -> None:
    """With a server its device goes, and its transient token is forgotten."""
    anna, server = world.two_factor, world.living_room
    entry = await async_add_account(hass, simulator, anna, [server, world.basement])
    await async_get_transient_token(hass, entry, world.living_room)
    subentry_id = subentry_of(entry, server).subentry_id
    device_id = device_of(hass, entry, server).id
    assert async_issued_token(hass, subentry_id).token is not None
    assert hass.config_entries.async_remove_subentry(entry, subentry_id)
    await async_settle(hass)
    assert async_issued_token(hass, subentry_id).token is None
    assert dr.async_get(hass).async_get(device_id) is None
    assert list(entry.runtime_data.servers) == [
        subentry_of(entry, world.basement).subentry_id
    ]
    assert (
        er.async_get(hass).async_get_entity_id(
            "binary_sensor",
            DOMAIN,
            f"{anna.uuid}_{server.machine_identifier}_reachable",
        )
        is None
    )

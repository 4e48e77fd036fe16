"""Set-up, unloading, reloading and removal of accounts, as Home Assistant does them."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

from freezegun.api import FrozenDateTimeFactory
import pytest
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
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
from homeassistant.config_entries import SOURCE_REAUTH, ConfigEntryState
from homeassistant.const import CONF_TOKEN, STATE_UNAVAILABLE, STATE_UNKNOWN
from homeassistant.core import Event, EventStateChangedData
from homeassistant.helpers import device_registry as dr, entity_registry as er

from .helpers import (
    account_coordinator,
    async_arrival,
    async_get_transient_token,
    async_set_up,
    device_of,
    known_server,
    make_entry,
    server_coordinator,
    server_data,
    source_of,
    subentry_of,
)
from .home import Home
from .plex_simulator import PLEX_TV, Account, Fault, PlexSimulator
from .waiting import until

ACCOUNT_ENTITIES = (
    "binary_sensor.sign_in",
    "binary_sensor.plex_pass",
    "binary_sensor.two_factor_authentication",
    "sensor.servers",
)


async def test_set_up(home: Home, device_registry: dr.DeviceRegistry) -> None:
    """An account is set up with a device of its own and one for each server."""
    entry = await home.add(home.anna, home.server, home.world.shared)
    assert entry.state is ConfigEntryState.LOADED
    account = device_of(home.hass, entry)
    assert account.name == "Anna"
    for server in (home.server, home.world.shared):
        device = device_of(home.hass, entry, server)
        assert device.name == server.name
        assert device.via_device_id == account.id
        assert device.sw_version == server.version
        assert device.config_subentry_id == subentry_of(entry, server).subentry_id
    assert len(dr.async_entries_for_config_entry(device_registry, entry.entry_id)) == 3


async def test_every_request_names_the_client(
    home: Home, entry: MockConfigEntry
) -> None:
    """Every request of an entry carries its client identifier; tokens are headers."""
    await home.transient_token()
    assert home.simulator.requests
    for request in home.simulator.requests:
        assert (
            request.headers["X-Plex-Client-Identifier"]
            == entry.data["client_identifier"]
        )
        assert request.headers["X-Plex-Product"] == "Plex Auth for Home Assistant"
        assert "X-Plex-Token" not in request.query
        assert "Cookie" not in request.headers
        assert request.path.startswith("/api/v2/") is (request.host == PLEX_TV)


async def test_account_without_servers(home: Home) -> None:
    """An account without any server is set up."""
    entry = await home.add(home.world.without_servers)
    assert entry.state is ConfigEntryState.LOADED
    assert home.state("sensor.servers", home.world.without_servers) == "0"


async def test_shared_server(home: Home) -> None:
    """A server of somebody else is set up without anything that is its owner's."""
    entry = await home.add(home.ben, home.server)
    assert entry.state is ConfigEntryState.LOADED
    assert await home.transient_token(account=home.ben)
    await until(lambda: home.simulator.requests_to("notifications"))
    assert home.asked().keys() == {
        *("user", "resources", "devices", "identity", "notifications", "security_token")
    }


async def test_managed_user(home: Home) -> None:
    """A managed user, who has but a title, is set up under that title."""
    entry = await home.add(home.world.managed, home.server)
    assert entry.state is ConfigEntryState.LOADED
    assert device_of(home.hass, entry).name == "Emil"
    assert home.state("binary_sensor.reachable", home.world.managed) == "on"


async def test_three_servers(home: Home, plex_direct: None) -> None:
    """An account with three servers has a device for each; unique ids are apart."""
    hugo = home.world.three_servers
    servers = [
        server for server in home.simulator.servers.values() if server.owner is hugo
    ]
    entry = await home.add(hugo, *servers)
    assert [
        home.state("binary_sensor.reachable", hugo, server) for server in servers
    ] == ["on"] * 3
    entities = er.async_entries_for_config_entry(
        er.async_get(home.hass), entry.entry_id
    )
    assert len({(entity.domain, entity.unique_id) for entity in entities}) == len(
        entities
    )


async def test_two_accounts_share_a_server(home: Home) -> None:
    """Two accounts that share a server have devices and entities apart."""
    accounts = (home.anna, home.ben)
    entries = [await home.add(account, home.server) for account in accounts]
    devices = [device_of(home.hass, entry, home.server) for entry in entries]
    assert devices[0].id != devices[1].id
    assert devices[0].via_device_id != devices[1].via_device_id
    tokens = {
        request.headers["X-Plex-Token"]
        for request in home.simulator.requests_to("user")
    }
    assert len(tokens) == 2
    await async_get_transient_token(home.hass, entries[0], home.server)
    expires = [
        home.state("sensor.transient_token_expires", account) for account in accounts
    ]
    assert expires[0] != STATE_UNKNOWN
    assert expires[1] == STATE_UNKNOWN


async def test_unload_leaves_nothing(
    home: Home, freezer: FrozenDateTimeFactory
) -> None:
    """An unloaded entry asks nothing any more, and nothing listens for it."""
    entry = await home.add(home.anna, home.server)
    await home.transient_token()
    account = account_coordinator(entry)
    server = server_coordinator(entry, home.server)
    assert await home.hass.config_entries.async_unload(entry.entry_id)
    await home.settle()
    assert entry.state is ConfigEntryState.NOT_LOADED
    assert home.state("binary_sensor.reachable") == STATE_UNAVAILABLE
    assert not entry.update_listeners
    for coordinator in (account, server):
        assert not coordinator._listeners
        assert coordinator._unsub_refresh is None
    assert not server.issued_token._listeners
    assert server.issued_token._cancel_expiry is None
    home.simulator.requests.clear()
    changes = async_capture_events(home.hass, "state_changed")
    await home.wait(freezer, timedelta(hours=1, seconds=1))
    await home.wait(freezer, timedelta(hours=48))
    assert not home.simulator.requests
    assert not changes


async def test_reload_keeps_the_transient_token(
    home: Home, freezer: FrozenDateTimeFactory, entry: MockConfigEntry
) -> None:
    """A reload does not forget a transient token, nor when it ends."""
    await home.transient_token()
    before = home.state("sensor.transient_token_expires")
    await home.reload(entry)
    assert entry.state is ConfigEntryState.LOADED
    assert home.state("sensor.transient_token_expires") == before
    events: list[Event[EventStateChangedData]] = async_capture_events(
        home.hass, "state_changed"
    )
    await home.wait(freezer, timedelta(hours=48, seconds=1))
    assert home.state("sensor.transient_token_expires") == STATE_UNKNOWN
    entity_id = home.entity_id("event.transient_token")
    ends = [
        event.data["new_state"].attributes["event_type"]
        for event in events
        if event.data["entity_id"] == entity_id and event.data["new_state"] is not None
    ]
    assert len(ends) == 1


async def test_token_that_ended_while_unloaded(
    home: Home, freezer: FrozenDateTimeFactory, entry: MockConfigEntry
) -> None:
    """A transient token that ended while the entry was unloaded is gone afterwards."""
    await home.transient_token()
    await home.hass.config_entries.async_unload(entry.entry_id)
    await home.wait(freezer, timedelta(hours=49))
    await home.hass.config_entries.async_setup(entry.entry_id)
    await home.settle()
    await home.wait(freezer, timedelta(seconds=1))
    assert home.state("sensor.transient_token_expires") == STATE_UNKNOWN


@pytest.mark.parametrize(
    ("origin", "signs_out"),
    [
        (TokenOrigin.PASSWORD, True),
        (TokenOrigin.LINK, True),
        (TokenOrigin.TOKEN, False),
    ],
)
async def test_removal_signs_out(
    home: Home, origin: TokenOrigin, signs_out: bool
) -> None:
    """Removal ends our own sign-in at plex.tv and leaves a pasted token alone."""
    home.anna.sign_in_token("another client")
    entry = await home.add(home.anna, home.server, origin=origin)
    await home.transient_token()
    subentry_id = subentry_of(entry, home.server).subentry_id
    result = await home.hass.config_entries.async_remove(entry.entry_id)
    await home.settle()
    assert result == {"require_restart": False}
    assert len(home.simulator.requests_to("signout", PLEX_TV)) == (
        1 if signs_out else 0
    )
    assert (entry.data["client_identifier"] in home.anna.tokens) is not signs_out
    assert "another client" in home.anna.tokens
    assert async_issued_token(home.hass, subentry_id).token is None
    assert not home.hass.states.async_all()
    assert not dr.async_entries_for_config_entry(
        dr.async_get(home.hass), entry.entry_id
    )


async def test_removal_waits_ten_seconds_at_most(
    home: Home, freezer: FrozenDateTimeFactory
) -> None:
    """Removal goes on after 10 seconds when plex.tv does not answer."""
    entry = await home.add(home.anna)
    home.simulator.faults.set("signout", Fault.delay(3600))
    removal = home.hass.async_create_task(
        home.hass.config_entries.async_remove(entry.entry_id)
    )
    await async_arrival(home.simulator, "signout")
    freezer.tick(9)
    async_fire_time_changed(home.hass)
    await asyncio.sleep(0)
    assert not removal.done()
    freezer.tick(1)
    async_fire_time_changed(home.hass)
    for _ in range(1000):
        await asyncio.sleep(0)
    in_time = removal.done()
    removal.cancel()
    assert in_time
    assert home.hass.config_entries.async_get_entry(entry.entry_id) is None


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
async def test_removal_never_fails(home: Home, trouble: _Trouble) -> None:
    """Removal succeeds although plex.tv is away or has ended the sign-in already."""
    entry = await home.add(home.anna)
    await trouble(home.simulator, home.anna)
    await home.hass.config_entries.async_remove(entry.entry_id)
    assert home.hass.config_entries.async_get_entry(entry.entry_id) is None


async def test_removal_of_an_entry_that_is_not_loaded(home: Home) -> None:
    """An entry that was never loaded is signed out as well."""
    home.simulator.faults.set("user", Fault.status(503))
    entry = await home.add(home.anna)
    assert entry.state is ConfigEntryState.SETUP_RETRY
    await home.hass.config_entries.async_remove(entry.entry_id)
    assert not home.anna.tokens


@pytest.mark.parametrize("trouble", [_stop, _break])
async def test_plex_tv_away_at_start(
    home: Home, freezer: FrozenDateTimeFactory, trouble: _Trouble
) -> None:
    """Servers reached before work without plex.tv; all recovers without a reload."""
    entry = make_entry(home.simulator, home.anna, [home.server])
    await trouble(home.simulator, home.anna)
    await async_set_up(home.hass, entry)

    assert entry.state is ConfigEntryState.LOADED
    assert not home.reauth_flows(entry)
    assert {home.state(name) for name in ACCOUNT_ENTITIES} == {STATE_UNAVAILABLE}
    assert home.state("binary_sensor.reachable") == "on"
    assert home.state("sensor.connection") == "local"
    token = await async_get_transient_token(home.hass, entry, home.server)
    assert home.server.accepts_transient_token(token)
    source = await home.hass.services.async_call(
        DOMAIN,
        "get_source_connection_information",
        {"source": source_of(home.world.basement)},
        blocking=True,
        return_response=True,
    )
    assert source is not None
    assert source["name"] == "Basement"

    data = entry.runtime_data
    home.simulator.faults.clear()
    await home.simulator.start_plex_tv()
    await home.wait(freezer, timedelta(seconds=62))
    assert entry.runtime_data is data
    assert STATE_UNAVAILABLE not in {home.state(name) for name in ACCOUNT_ENTITIES}
    assert home.state("binary_sensor.sign_in") == "off"
    assert home.state("sensor.subscription_status") == "active"
    assert not home.reauth_flows(entry)


async def test_plex_tv_is_asked_again_ever_more_rarely(
    home: Home, freezer: FrozenDateTimeFactory
) -> None:
    """Until the first success the time to the next try doubles up to half an hour."""
    entry = make_entry(home.simulator, home.anna, [home.server])
    home.simulator.faults.set("user", Fault.status(503))
    await async_set_up(home.hass, entry)
    for minutes in (1, 2, 4, 8, 16, 30, 30):
        home.simulator.requests.clear()
        await home.wait(freezer, timedelta(minutes=minutes, seconds=-3))
        assert not home.simulator.requests_to("user")
        await home.wait(freezer, timedelta(seconds=4))
        assert len(home.simulator.requests_to("user")) == 1
    home.simulator.faults.clear()
    await home.wait(freezer, timedelta(minutes=30, seconds=1))
    assert home.state("binary_sensor.sign_in") == "off"


async def test_token_rejected_at_start(home: Home) -> None:
    """Servers work with a rejected account token; the question for a new one is there.

    It goes away by itself once plex.tv accepts the token again.
    """
    entry = make_entry(home.simulator, home.anna, [home.server])
    home.simulator.faults.set("user", Fault.plex_error(1001, 401))
    await async_set_up(home.hass, entry)

    assert entry.state is ConfigEntryState.LOADED
    assert home.reauth_flows(entry) == 1
    assert home.state("binary_sensor.sign_in") == "on"
    assert home.state("binary_sensor.plex_pass") == STATE_UNAVAILABLE
    assert home.state("binary_sensor.reachable") == "on"
    assert home.server.accepts_transient_token(
        await async_get_transient_token(home.hass, entry, home.server)
    )

    home.simulator.faults.clear()
    await account_coordinator(entry).async_verify()
    await home.settle()
    assert not home.reauth_flows(entry)
    assert home.state("binary_sensor.sign_in") == "off"
    assert home.state("binary_sensor.plex_pass") == "on"


async def test_sign_in_that_has_begun_is_not_taken_away(home: Home) -> None:
    """A dialog in which the user signs in already stays when the token is accepted."""
    entry = make_entry(home.simulator, home.anna, [home.server])
    home.simulator.faults.set("user", Fault.plex_error(1001, 401))
    await async_set_up(home.hass, entry)
    (flow,) = entry.async_get_active_flows(home.hass, {SOURCE_REAUTH})
    await home.hass.config_entries.flow.async_configure(
        flow["flow_id"], {"next_step_id": "password"}
    )
    home.simulator.faults.clear()
    await account_coordinator(entry).async_verify()
    await home.settle()
    assert home.state("binary_sensor.sign_in") == "off"
    assert home.reauth_flows(entry) == 1


async def test_new_token_after_a_rejection(
    home: Home, freezer: FrozenDateTimeFactory
) -> None:
    """A new token needs no reload, and polling goes on with it."""
    entry = make_entry(home.simulator, home.anna, [home.server])
    home.anna.revoke_tokens()
    await async_set_up(home.hass, entry)
    assert home.state("binary_sensor.sign_in") == "on"
    home.simulator.requests.clear()
    await home.wait(freezer, timedelta(minutes=50))
    assert not home.simulator.requests_to("user")

    data = entry.runtime_data
    token = home.anna.sign_in_token(entry.data["client_identifier"])
    home.hass.config_entries.async_update_entry(
        entry, data={**entry.data, CONF_TOKEN: token}
    )
    await account_coordinator(entry).async_refresh()
    await home.settle()
    assert entry.runtime_data is data
    assert home.state("binary_sensor.sign_in") == "off"
    assert not home.reauth_flows(entry)
    home.simulator.requests.clear()
    await home.wait(freezer, timedelta(minutes=30, seconds=1))
    assert [
        request.headers["X-Plex-Token"]
        for request in home.simulator.requests_to("user")
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
    home: Home, freezer: FrozenDateTimeFactory, fault: Fault, reason: str
) -> None:
    """An entry without a usable server says what it waits for, and tries again."""
    home.simulator.faults.set("user", fault)
    entry = await home.add(
        home.anna, server_data(home.server, home.anna, last_known={})
    )
    assert entry.state is ConfigEntryState.SETUP_RETRY
    assert entry.reason is not None
    assert entry.reason.startswith(reason)
    assert not home.reauth_flows(entry)
    home.simulator.faults.clear()
    await home.wait(freezer, timedelta(seconds=15))
    assert home.hass.config_entries.async_loaded_entries(DOMAIN) == [entry]
    assert home.state("binary_sensor.reachable") == "on"
    assert subentry_of(entry, home.server).data[CONF_LAST_KNOWN] == known_server(
        home.server, home.anna
    )


async def test_no_server_and_a_rejected_token(home: Home) -> None:
    """An entry without servers asks for a new sign-in when its token is rejected."""
    entry = make_entry(home.simulator, home.world.without_servers)
    home.world.without_servers.revoke_tokens()
    await async_set_up(home.hass, entry)
    assert entry.state is ConfigEntryState.LOADED
    assert home.state("binary_sensor.sign_in", home.world.without_servers) == "on"
    assert home.reauth_flows(entry) == 1
    home.hass.config_entries.async_update_entry(
        entry,
        data={
            **entry.data,
            CONF_TOKEN: home.world.without_servers.sign_in_token(
                entry.data["client_identifier"]
            ),
        },
    )
    await home.reload(entry)
    assert home.hass.config_entries.async_loaded_entries(DOMAIN) == [entry]
    assert not home.reauth_flows(entry)


async def test_typed_token_makes_a_server_usable(home: Home) -> None:
    """A server with an address and a token typed by the user works without plex.tv."""
    entry = make_entry(
        home.simulator,
        home.anna,
        [
            server_data(
                home.server,
                home.anna,
                last_known={},
                url=home.server.http_url,
                verify_ssl=True,
                token=home.server.access_token_for(home.anna),
            )
        ],
    )
    await home.simulator.stop_plex_tv()
    await async_set_up(home.hass, entry)
    assert entry.state is ConfigEntryState.LOADED
    assert home.state("sensor.connection") == "custom"
    assert home.server.accepts_transient_token(
        await async_get_transient_token(home.hass, entry, home.server)
    )


async def test_server_down_at_start(home: Home, freezer: FrozenDateTimeFactory) -> None:
    """A server that is down does not keep the account from being set up."""
    await home.server.stop()
    entry = await home.add(home.anna, home.server, home.world.basement)
    assert entry.state is ConfigEntryState.LOADED
    assert home.state("binary_sensor.sign_in") == "off"
    assert home.state("binary_sensor.reachable") == "off"
    assert home.state("sensor.connection") == STATE_UNAVAILABLE
    assert home.state("binary_sensor.reachable", home.world.basement) == "on"
    await home.server.start()
    await home.wait(freezer, timedelta(minutes=5, seconds=1))
    assert home.state("binary_sensor.reachable") == "on"
    assert home.state("sensor.connection") == "local"


async def test_what_needs_no_reload(home: Home, entry: MockConfigEntry) -> None:
    """A new token, and what plex.tv now says of a server, are taken without a reload."""
    data = entry.runtime_data
    home.hass.config_entries.async_update_entry(
        entry,
        data={
            **entry.data,
            CONF_TOKEN: home.anna.sign_in_token(entry.data["client_identifier"]),
        },
    )
    home.server.rotate_access_tokens()
    subentry = subentry_of(entry, home.server)
    home.hass.config_entries.async_update_subentry(
        entry,
        subentry,
        data={**subentry.data, CONF_LAST_KNOWN: known_server(home.server, home.anna)},
    )
    await home.settle()
    assert entry.runtime_data is data


async def test_added_server(home: Home, entry: MockConfigEntry) -> None:
    """A server that is added gets a device and entities at once."""
    home.add_server(entry, home.world.basement)
    await home.settle()
    assert device_of(home.hass, entry, home.world.basement).name == "Basement"
    assert home.state("binary_sensor.reachable", home.world.basement) == "on"


async def test_changed_server(home: Home, entry: MockConfigEntry) -> None:
    """A server that the user changes follows, and nothing is loaded anew."""
    data = entry.runtime_data
    subentry = subentry_of(entry, home.server)
    home.hass.config_entries.async_update_subentry(
        entry, subentry, data={**subentry.data, "url": home.server.http_url}
    )
    await home.settle()
    assert home.state("sensor.connection") == "custom"
    subentry = subentry_of(entry, home.server)
    home.hass.config_entries.async_update_subentry(
        entry,
        subentry,
        data={
            **subentry.data,
            CONF_SOURCES: [source_of(home.world.basement)],
        },
    )
    await home.settle()
    assert home.state(f"sensor.source_{source_of(home.world.basement)}") == "local"
    assert entry.runtime_data is data


async def test_changed_address_of_the_api(home: Home) -> None:
    """Another address of the Plex API is asked from then on."""
    async with PlexSimulator() as other:
        entry = await home.add(home.anna)
        home.simulator.requests.clear()
        home.hass.config_entries.async_update_entry(
            entry, data={**entry.data, "api_url": other.api_url}
        )
        await home.settle()
        assert not home.simulator.requests
        assert other.requests_to("user")


async def test_removed_server(home: Home) -> None:
    """With a server its device goes, and its transient token is forgotten."""
    entry = await home.add(home.anna, home.server, home.world.basement)
    await home.transient_token()
    subentry_id = subentry_of(entry, home.server).subentry_id
    device_id = device_of(home.hass, entry, home.server).id
    assert async_issued_token(home.hass, subentry_id).token is not None
    assert home.hass.config_entries.async_remove_subentry(entry, subentry_id)
    await home.settle()
    assert async_issued_token(home.hass, subentry_id).token is None
    assert dr.async_get(home.hass).async_get(device_id) is None
    assert list(entry.runtime_data.servers) == [
        subentry_of(entry, home.world.basement).subentry_id
    ]
    assert (
        er.async_get(home.hass).async_get_entity_id(
            "binary_sensor",
            DOMAIN,
            f"{home.anna.uuid}_{home.server.machine_identifier}_reachable",
        )
        is None
    )

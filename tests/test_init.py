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

from custom_components.plex_auth.const import CONF_LAST_KNOWN, DOMAIN, TokenOrigin
from custom_components.plex_auth.transient_tokens import async_issued_token
from homeassistant.config_entries import SOURCE_REAUTH, ConfigEntryState
from homeassistant.const import CONF_TOKEN, STATE_UNAVAILABLE, STATE_UNKNOWN
from homeassistant.helpers import device_registry as dr, entity_registry as er

from .harness import Harness
from .helpers import (
    account_coordinator,
    async_arrival,
    async_get_transient_token,
    async_set_up,
    device_of,
    home_user_coordinator,
    home_user_data,
    known_server,
    make_entry,
    server_coordinator,
    server_data,
    source_of,
    subentry_of,
    until,
)
from .plex_simulator import PLEX_TV, Account, Fault, PlexSimulator

ACCOUNT_ENTITIES = (
    "binary_sensor.sign_in",
    "binary_sensor.plex_pass",
    "binary_sensor.two_factor_authentication",
    "sensor.servers",
)


async def test_set_up(harness: Harness, device_registry: dr.DeviceRegistry) -> None:
    """An account is set up with a device of its own and one for each server."""
    entry = await harness.add(harness.anna, harness.server, harness.world.shared)
    assert entry.state is ConfigEntryState.LOADED
    account = device_of(harness.hass, entry)
    assert account.name == "Anna"
    for server in (harness.server, harness.world.shared):
        device = device_of(harness.hass, entry, server)
        assert device.name == server.name
        assert device.via_device_id == account.id
        assert device.sw_version == server.version
        assert device.configuration_url == (
            f"https://app.plex.tv/desktop/#!/media/{server.machine_identifier}"
            "/com.plexapp.plugins.library"
        )
        assert device.config_subentry_id == subentry_of(entry, server).subentry_id
    assert len(dr.async_entries_for_config_entry(device_registry, entry.entry_id)) == 3


async def test_every_request_names_the_client(
    harness: Harness, entry: MockConfigEntry
) -> None:
    """Every request of an entry carries its client identifier; tokens are headers."""
    await harness.transient_token()
    assert harness.simulator.requests
    for request in harness.simulator.requests:
        assert (
            request.headers["X-Plex-Client-Identifier"]
            == entry.data["client_identifier"]
        )
        assert request.headers["X-Plex-Product"] == "Plex Auth for Home Assistant"
        assert "X-Plex-Token" not in request.query
        assert "Cookie" not in request.headers
        assert request.path.startswith("/api/v2/") is (request.host == PLEX_TV)


async def test_shared_server(harness: Harness) -> None:
    """A server of somebody else is set up without anything that is its owner's."""
    entry = await harness.add(harness.ben, harness.server)
    assert entry.state is ConfigEntryState.LOADED
    assert await harness.transient_token(account=harness.ben)
    await until(lambda: harness.simulator.requests_to("notifications"))
    assert harness.asked().keys() == {
        *("user", "resources", "devices", "identity", "notifications", "security_token")
    }


async def test_two_accounts_share_a_server(harness: Harness) -> None:
    """Two accounts that share a server have devices and entities apart."""
    accounts = (harness.anna, harness.ben)
    entries = [await harness.add(account, harness.server) for account in accounts]
    devices = [device_of(harness.hass, entry, harness.server) for entry in entries]
    assert devices[0].id != devices[1].id
    assert devices[0].via_device_id != devices[1].via_device_id
    tokens = {
        request.headers["X-Plex-Token"]
        for request in harness.simulator.requests_to("user")
    }
    assert len(tokens) == 2
    await async_get_transient_token(harness.hass, entries[0], harness.server)
    expires = [
        harness.state("sensor.transient_token_expires", account) for account in accounts
    ]
    assert expires[0] != STATE_UNKNOWN
    assert expires[1] == STATE_UNKNOWN


async def test_name_follows_plex(
    harness: Harness,
    freezer: FrozenDateTimeFactory,
    entry: MockConfigEntry,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """An account that is renamed at Plex is renamed here, and nothing is reloaded."""
    data, token = entry.runtime_data, await harness.transient_token()
    for name in ("Annie", "Anne"):
        harness.anna.title = name
        await harness.wait(freezer, timedelta(minutes=30, seconds=1))
        assert entry.title == name
        assert device_of(harness.hass, entry).name == name
        assert harness.entity("binary_sensor.sign_in").name == f"{name} Sign-in"
    assert entry.runtime_data is data
    assert harness.server.accepts_transient_token(token)
    assert harness.state("sensor.transient_token_expires") != STATE_UNKNOWN
    assert harness.entity_id("binary_sensor.sign_in") == "binary_sensor.anna_sign_in"
    await harness.simulator.stop_plex_tv()
    await harness.wait(freezer, timedelta(minutes=30, seconds=1))
    assert "Plex account Anne" in caplog.text


async def test_name_follows_plex_after_a_restart(harness: Harness) -> None:
    """An account that is renamed while Home Assistant is down is renamed at its start."""
    entry = await harness.add(harness.anna, harness.server)
    await harness.hass.config_entries.async_unload(entry.entry_id)
    harness.anna.title = "Annie"
    await harness.hass.config_entries.async_setup(entry.entry_id)
    await harness.settle()
    assert entry.title == device_of(harness.hass, entry).name == "Annie"


async def test_name_of_the_user_stays(
    harness: Harness, freezer: FrozenDateTimeFactory, entry: MockConfigEntry
) -> None:
    """A name that the user gave an account is not replaced by that at Plex."""
    data = entry.runtime_data
    entries = harness.hass.config_entries
    entries.async_update_entry(entry, title="My Plex")
    await harness.settle()
    assert device_of(harness.hass, entry).name == "My Plex"
    harness.anna.title = "Annie"
    await harness.wait(freezer, timedelta(minutes=30, seconds=1))
    assert entry.title == device_of(harness.hass, entry).name == "My Plex"
    assert entry.runtime_data is data
    # The user goes back to the name at Plex, which is followed again.
    entries.async_update_entry(entry, title="Annie")
    harness.anna.title = "Anne"
    await harness.wait(freezer, timedelta(minutes=30, seconds=1))
    assert entry.title == "Anne"


async def test_name_that_an_earlier_version_did_not_store(harness: Harness) -> None:
    """A title that differs from the name at Plex may be the user's, and stays."""
    entry = make_entry(harness.simulator, harness.anna, [harness.server])
    harness.anna.title = "Annie"
    await async_set_up(harness.hass, entry)
    assert entry.title == "Anna"
    assert entry.data["name"] == "Annie"


@pytest.mark.parametrize("email", ["Annie", "anna@example.com"])
async def test_name_that_plex_leaves_out(
    harness: Harness,
    freezer: FrozenDateTimeFactory,
    entry: MockConfigEntry,
    email: str,
) -> None:
    """A title stays while Plex has no name, or only the e-mail address as one."""
    harness.anna.email = email
    harness.anna.username = ""
    harness.anna.title = email if email == "Annie" else ""
    await harness.wait(freezer, timedelta(minutes=30, seconds=1))
    assert harness.state("binary_sensor.sign_in") == "off"
    assert (entry.title, entry.data["name"]) == ("Anna", "Anna")


async def test_unload_leaves_nothing(
    harness: Harness, freezer: FrozenDateTimeFactory
) -> None:
    """An unloaded entry asks nothing any more, and nothing listens for it."""
    entry = await harness.add(harness.anna, harness.server)
    await harness.transient_token()
    account = account_coordinator(entry)
    server = server_coordinator(entry, harness.server)
    assert await harness.hass.config_entries.async_unload(entry.entry_id)
    await harness.settle()
    assert entry.state is ConfigEntryState.NOT_LOADED
    assert harness.state("binary_sensor.reachable") == STATE_UNAVAILABLE
    assert not entry.update_listeners
    for coordinator in (account, server):
        assert not coordinator._listeners
        assert coordinator._unsub_refresh is None
    assert not server.issued_token._listeners
    assert server.issued_token._cancel_expiry is None
    harness.simulator.requests.clear()
    changes = async_capture_events(harness.hass, "state_changed")
    await harness.wait(freezer, timedelta(hours=1, seconds=1))
    await harness.wait(freezer, timedelta(hours=48))
    assert not harness.simulator.requests
    assert not changes


@pytest.mark.parametrize(
    ("origin", "signs_out"),
    [
        (TokenOrigin.PASSWORD, True),
        (TokenOrigin.LINK, True),
        (TokenOrigin.TOKEN, False),
    ],
)
async def test_removal_signs_out(
    harness: Harness, origin: TokenOrigin, signs_out: bool
) -> None:
    """Removal ends our own sign-in at plex.tv and leaves a pasted token alone."""
    harness.anna.sign_in_token("another client")
    entry = await harness.add(harness.anna, harness.server, origin=origin)
    await harness.transient_token()
    subentry_id = subentry_of(entry, harness.server).subentry_id
    result = await harness.hass.config_entries.async_remove(entry.entry_id)
    await harness.settle()
    assert result == {"require_restart": False}
    assert len(harness.simulator.requests_to("signout", PLEX_TV)) == (
        1 if signs_out else 0
    )
    assert (entry.data["client_identifier"] in harness.anna.tokens) is not signs_out
    assert "another client" in harness.anna.tokens
    assert async_issued_token(harness.hass, subentry_id).token is None
    assert not harness.hass.states.async_all()
    assert not dr.async_entries_for_config_entry(
        dr.async_get(harness.hass), entry.entry_id
    )


async def test_removal_waits_ten_seconds_at_most(
    harness: Harness, freezer: FrozenDateTimeFactory
) -> None:
    """Removal goes on after 10 seconds when plex.tv does not answer."""
    entry = await harness.add(harness.anna)
    harness.simulator.faults.set("signout", Fault.delay(3600))
    removal = harness.hass.async_create_task(
        harness.hass.config_entries.async_remove(entry.entry_id)
    )
    await async_arrival(harness.simulator, "signout")
    freezer.tick(9)
    async_fire_time_changed(harness.hass)
    await asyncio.sleep(0)
    assert not removal.done()
    freezer.tick(1)
    async_fire_time_changed(harness.hass)
    for _ in range(1000):
        await asyncio.sleep(0)
    in_time = removal.done()
    removal.cancel()
    assert in_time
    assert harness.hass.config_entries.async_get_entry(entry.entry_id) is None


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
async def test_removal_never_fails(harness: Harness, trouble: _Trouble) -> None:
    """Removal succeeds although plex.tv is away or has ended the sign-in already."""
    entry = await harness.add(harness.anna)
    await trouble(harness.simulator, harness.anna)
    await harness.hass.config_entries.async_remove(entry.entry_id)
    assert harness.hass.config_entries.async_get_entry(entry.entry_id) is None


async def test_removal_of_an_entry_that_is_not_loaded(harness: Harness) -> None:
    """An entry that was never loaded is signed out as well."""
    harness.simulator.faults.set("user", Fault.status(503))
    entry = await harness.add(harness.anna)
    assert entry.state is ConfigEntryState.SETUP_RETRY
    await harness.hass.config_entries.async_remove(entry.entry_id)
    assert not harness.anna.tokens


@pytest.mark.parametrize("trouble", [_stop, _break])
async def test_plex_tv_away_at_start(
    harness: Harness, freezer: FrozenDateTimeFactory, trouble: _Trouble
) -> None:
    """Servers reached before work without plex.tv; all recovers without a reload."""
    entry = make_entry(harness.simulator, harness.anna, [harness.server])
    await trouble(harness.simulator, harness.anna)
    await async_set_up(harness.hass, entry)

    assert entry.state is ConfigEntryState.LOADED
    assert not harness.reauth_flows(entry)
    assert {harness.state(name) for name in ACCOUNT_ENTITIES} == {STATE_UNAVAILABLE}
    assert harness.state("binary_sensor.reachable") == "on"
    assert harness.state("sensor.connection") == "local"
    token = await async_get_transient_token(harness.hass, entry, harness.server)
    assert harness.server.accepts_transient_token(token)
    source = await harness.hass.services.async_call(
        DOMAIN,
        "get_source_connection_information",
        {"source": source_of(harness.world.basement)},
        blocking=True,
        return_response=True,
    )
    assert source is not None
    assert source["name"] == "Basement"

    data = entry.runtime_data
    harness.simulator.faults.clear()
    await harness.simulator.start_plex_tv()
    await harness.wait(freezer, timedelta(seconds=62))
    assert entry.runtime_data is data
    assert STATE_UNAVAILABLE not in {harness.state(name) for name in ACCOUNT_ENTITIES}
    assert harness.state("binary_sensor.sign_in") == "off"
    assert harness.state("sensor.subscription_status") == "active"
    assert not harness.reauth_flows(entry)


async def test_plex_tv_is_asked_again_ever_more_rarely(
    harness: Harness, freezer: FrozenDateTimeFactory
) -> None:
    """Until the first success the time to the next try doubles up to half an hour."""
    entry = make_entry(harness.simulator, harness.anna, [harness.server])
    harness.simulator.faults.set("user", Fault.status(503))
    await async_set_up(harness.hass, entry)
    for minutes in (1, 2, 4, 8, 16, 30, 30):
        harness.simulator.requests.clear()
        await harness.wait(freezer, timedelta(minutes=minutes, seconds=-3))
        assert not harness.simulator.requests_to("user")
        await harness.wait(freezer, timedelta(seconds=4))
        assert len(harness.simulator.requests_to("user")) == 1
    harness.simulator.faults.clear()
    await harness.wait(freezer, timedelta(minutes=30, seconds=1))
    assert harness.state("binary_sensor.sign_in") == "off"


async def test_token_rejected_at_start(harness: Harness) -> None:
    """Servers work with a rejected account token; the question for a new one is there.

    It goes away by itself once plex.tv accepts the token again.
    """
    entry = make_entry(harness.simulator, harness.anna, [harness.server])
    harness.simulator.faults.set("user", Fault.plex_error(1001, 401))
    await async_set_up(harness.hass, entry)

    assert entry.state is ConfigEntryState.LOADED
    assert harness.reauth_flows(entry) == 1
    assert harness.state("binary_sensor.sign_in") == "on"
    assert harness.state("binary_sensor.plex_pass") == STATE_UNAVAILABLE
    assert harness.state("binary_sensor.reachable") == "on"
    assert harness.server.accepts_transient_token(
        await async_get_transient_token(harness.hass, entry, harness.server)
    )

    harness.simulator.faults.clear()
    await account_coordinator(entry).async_verify()
    await harness.settle()
    assert not harness.reauth_flows(entry)
    assert harness.state("binary_sensor.sign_in") == "off"
    assert harness.state("binary_sensor.plex_pass") == "on"


async def test_sign_in_that_has_begun_is_not_taken_away(harness: Harness) -> None:
    """A dialog in which the user signs in already stays when the token is accepted."""
    entry = make_entry(harness.simulator, harness.anna, [harness.server])
    harness.simulator.faults.set("user", Fault.plex_error(1001, 401))
    await async_set_up(harness.hass, entry)
    (flow,) = entry.async_get_active_flows(harness.hass, {SOURCE_REAUTH})
    await harness.hass.config_entries.flow.async_configure(
        flow["flow_id"], {"next_step_id": "password"}
    )
    harness.simulator.faults.clear()
    await account_coordinator(entry).async_verify()
    await harness.settle()
    assert harness.state("binary_sensor.sign_in") == "off"
    assert harness.reauth_flows(entry) == 1


async def test_new_token_after_a_rejection(
    harness: Harness, freezer: FrozenDateTimeFactory
) -> None:
    """A new token needs no reload, and polling goes on with it."""
    entry = make_entry(harness.simulator, harness.anna, [harness.server])
    harness.anna.revoke_tokens()
    await async_set_up(harness.hass, entry)
    assert harness.state("binary_sensor.sign_in") == "on"
    harness.simulator.requests.clear()
    await harness.wait(freezer, timedelta(minutes=50))
    assert not harness.simulator.requests_to("user")

    data = entry.runtime_data
    token = harness.anna.sign_in_token(entry.data["client_identifier"])
    harness.hass.config_entries.async_update_entry(
        entry, data={**entry.data, CONF_TOKEN: token}
    )
    await account_coordinator(entry).async_refresh()
    await harness.settle()
    assert entry.runtime_data is data
    assert harness.state("binary_sensor.sign_in") == "off"
    assert not harness.reauth_flows(entry)
    harness.simulator.requests.clear()
    await harness.wait(freezer, timedelta(minutes=30, seconds=1))
    assert [
        request.headers["X-Plex-Token"]
        for request in harness.simulator.requests_to("user")
    ] == [token]


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (Fault.html(503), "plex.tv is temporarily unavailable"),
        (Fault.plex_error(1003, 429), "plex.tv has received too many requests"),
        (Fault.reset(), "The connection to plex.tv failed"),
        (Fault.body("[]"), "plex.tv sent an unexpected response"),
    ],
    ids=["outage", "rate limit", "cut", "nonsense"],
)
async def test_no_usable_server_waits_for_plex_tv(
    harness: Harness, freezer: FrozenDateTimeFactory, fault: Fault, reason: str
) -> None:
    """An entry without a usable server says what it waits for, and tries again."""
    harness.simulator.faults.set("user", fault)
    entry = await harness.add(
        harness.anna, server_data(harness.server, harness.anna, last_known={})
    )
    assert entry.state is ConfigEntryState.SETUP_RETRY
    assert entry.reason is not None
    assert entry.reason.startswith(reason)
    assert not harness.reauth_flows(entry)
    harness.simulator.faults.clear()
    await harness.wait(freezer, timedelta(seconds=15))
    assert harness.hass.config_entries.async_loaded_entries(DOMAIN) == [entry]
    assert harness.state("binary_sensor.reachable") == "on"
    assert subentry_of(entry, harness.server).data[CONF_LAST_KNOWN] == known_server(
        harness.server, harness.anna
    )


async def test_typed_token_makes_a_server_usable(harness: Harness) -> None:
    """A server with an address and a token typed by the user works without plex.tv."""
    entry = make_entry(
        harness.simulator,
        harness.anna,
        [
            server_data(
                harness.server,
                harness.anna,
                last_known={},
                url=harness.server.http_url,
                verify_ssl=True,
                token=harness.server.access_token_for(harness.anna),
            )
        ],
    )
    await harness.simulator.stop_plex_tv()
    await async_set_up(harness.hass, entry)
    assert entry.state is ConfigEntryState.LOADED
    assert harness.state("sensor.connection") == "custom"
    assert harness.server.accepts_transient_token(
        await async_get_transient_token(harness.hass, entry, harness.server)
    )


async def test_changed_address_of_the_api(harness: Harness) -> None:
    """Another address of the Plex API is asked from then on."""
    async with PlexSimulator() as other:
        entry = await harness.add(harness.anna)
        harness.simulator.requests.clear()
        harness.hass.config_entries.async_update_entry(
            entry, data={**entry.data, "api_url": other.api_url}
        )
        await harness.settle()
        assert not harness.simulator.requests
        assert other.requests_to("user")


async def test_removed_server(harness: Harness) -> None:
    """With a server its device goes, and its transient token is forgotten."""
    entry = await harness.add(harness.anna, harness.server, harness.world.basement)
    await harness.transient_token()
    subentry_id = subentry_of(entry, harness.server).subentry_id
    device_id = device_of(harness.hass, entry, harness.server).id
    assert async_issued_token(harness.hass, subentry_id).token is not None
    assert harness.hass.config_entries.async_remove_subentry(entry, subentry_id)
    await harness.settle()
    assert async_issued_token(harness.hass, subentry_id).token is None
    assert dr.async_get(harness.hass).async_get(device_id) is None
    assert list(entry.runtime_data.servers) == [
        subentry_of(entry, harness.world.basement).subentry_id
    ]
    assert (
        er.async_get(harness.hass).async_get_entity_id(
            "binary_sensor",
            DOMAIN,
            f"{harness.anna.uuid}_{harness.server.machine_identifier}_reachable",
        )
        is None
    )


async def test_home_users_come_and_go(
    harness: Harness, freezer: FrozenDateTimeFactory, entry: MockConfigEntry
) -> None:
    """Neither the account nor a server is touched, polled, or told of it."""
    child = harness.world.home.child
    await harness.transient_token()
    account, server = (
        account_coordinator(entry),
        server_coordinator(entry, harness.server),
    )
    before = {
        state.entity_id: (state.state, state.last_changed, state.last_reported)
        for state in harness.hass.states.async_all()
        if state.domain != "update"
    }
    changes = async_capture_events(harness.hass, "state_changed")
    freezer.tick(1)
    harness.simulator.requests.clear()
    await harness.add_home_user(entry, child)
    assert {request.endpoint for request in harness.simulator.requests} == {"resources"}
    device = device_of(harness.hass, entry, child)
    assert device.name == "Lina"
    assert device.model == "Plex Home user"
    assert device.via_device_id == device_of(harness.hass, entry).id
    assert device.config_subentry_id == subentry_of(entry, child).subentry_id
    harness.simulator.requests.clear()
    await harness.remove(entry, child)
    assert not harness.simulator.requests
    assert not [change for change in changes if change.data["entity_id"] in before]
    assert account_coordinator(entry) is account
    assert server_coordinator(entry, harness.server) is server
    assert dr.async_get(harness.hass).async_get(device.id) is None
    assert entry.state is ConfigEntryState.LOADED


async def test_name_of_a_home_user(harness: Harness, entry: MockConfigEntry) -> None:
    """The device has the title of the subentry."""
    child = harness.world.home.child
    await harness.add_home_user(entry, child)
    harness.hass.config_entries.async_update_subentry(
        entry, subentry_of(entry, child), title="My daughter"
    )
    await harness.settle()
    assert device_of(harness.hass, entry, child).name == "My daughter"


async def test_home_user_added_during_the_setup(harness: Harness) -> None:
    """A user who comes while the entry is set up is not missed."""
    child = harness.world.home.child
    entry = make_entry(harness.simulator, harness.anna, [harness.server])
    entry.add_to_hass(harness.hass)
    harness.simulator.faults.set("user", Fault.delay(0.3), times=1)
    task = harness.hass.async_create_task(
        harness.hass.config_entries.async_setup(entry.entry_id)
    )
    await async_arrival(harness.simulator, "user")
    await harness.add_home_user(entry, child)
    await task
    await harness.settle()
    assert harness.state("binary_sensor.sign_in", child) == "off"


async def test_home_user_of_an_account_without_servers(harness: Harness) -> None:
    """An account that has only Home users is set up, and waits for plex.tv."""
    child = harness.world.home.child
    harness.simulator.faults.set("*", Fault.status(503))
    entry = await harness.add(harness.anna, home_user_data(child, harness.server))
    assert entry.state is ConfigEntryState.SETUP_RETRY
    harness.simulator.faults.clear()
    await harness.reload(entry)
    assert harness.state("binary_sensor.sign_in", child) == "off"
    assert harness.state("sensor.servers", child) == "1"


async def test_unload_with_a_home_user(
    harness: Harness, entry: MockConfigEntry
) -> None:
    """An unloaded entry asks for no user, and a removed one keeps nothing."""
    child = harness.world.home.child
    await harness.add_home_user(entry, child)
    harness.simulator.faults.set("resources", Fault.delay(0.3), times=1)
    home_user_coordinator(entry, child).async_poll_now()
    await async_arrival(harness.simulator, "resources")
    await harness.remove(entry)
    assert not harness.hass.states.async_all("binary_sensor")
    assert not dr.async_entries_for_config_entry(
        dr.async_get(harness.hass), entry.entry_id
    )

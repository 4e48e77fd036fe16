"""What users of Plex have suffered from elsewhere, and how each is kept from them here.

`NEEDS` has a row for each thread that was collected: which tests cover it, or why it does
not concern this integration. The tests that belong nowhere else follow it.
"""

import ast
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
import logging
from pathlib import Path
from typing import Any, Final

from freezegun.api import FrozenDateTimeFactory
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.plex_auth.const import DOMAIN
from homeassistant.config_entries import SOURCE_REAUTH, SOURCE_USER, ConfigEntryState
from homeassistant.const import CONF_TOKEN
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers import device_registry as dr, entity_registry as er

from .helpers import (
    account_coordinator,
    async_settle,
    device_of,
    known_server,
    server_coordinator,
    server_data,
    subentry_of,
)
from .home import Home
from .plex_simulator import Account, Fault, MediaServer, PlexSimulator

TESTS: Final = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Need:
    """Say what happened in a thread, and what covers it or why nothing has to."""

    words: str
    tests: tuple[str, ...] = ()
    not_ours: str = ""


def covered(words: str, *tests: str) -> Need:
    """Return a need that tests cover, each written module::function."""
    return Need(words, tests)


NEEDS: Final[Mapping[int, Need]] = {
    1: covered(
        "422 Invalid token after signing out everywhere is a rejected sign-in",
        "test_user_needs::test_signed_out_everywhere",
        "test_coordinator::test_rejected_in_a_poll",
    ),
    2: covered(
        "a new sign-in keeps entry, entities and devices",
        "test_user_needs::test_new_sign_in_keeps_everything",
    ),
    3: covered(
        "a token that Plex does not take is said to be one",
        "test_config_flow::test_trouble_then_success",
        "test_user_needs::test_wrong_token_is_told",
    ),
    4: covered(
        "servers stay the stored ones, whatever their presence is",
        "test_user_needs::test_absent_server_is_listed_and_kept",
        "test_user_needs::test_new_sign_in_keeps_everything",
    ),
    5: covered(
        "403 of a shared server is no bad credential; setting up needs no owner",
        "test_user_needs::test_forbidden_is_no_bad_credential",
        "test_services::test_source_of_a_shared_server",
    ),
    6: covered(
        "what only the owner may do says so",
        "test_services::test_source_of_a_shared_server",
        "test_server_flow::test_sources",
    ),
    7: covered(
        "signing in comes first, a token by hand last",
        "test_user_needs::test_ways_in_order",
    ),
    8: covered(
        "plex.tv being overloaded is no wrong input",
        "test_user_needs::test_overload_while_linking",
        "test_config_flow::test_trouble_then_success",
    ),
    9: covered(
        "no way to sign in needs to be called back",
        "test_user_needs::test_ways_in_order",
        "test_config_flow::test_new_entry",
    ),
    10: covered(
        "plex.tv not answering is no rejected token, and the data stay",
        "test_coordinator::test_what_is_no_rejection",
        "test_coordinator::test_kinds_of_failure",
        "test_user_needs::test_card_goes_after_an_outage",
    ),
    11: covered(
        "a dead token is seen at once, by an entity and by automations",
        "test_binary_sensor::test_token",
        "test_trigger::test_fires",
        "test_blueprints::test_sign_in_stopped",
    ),
    12: covered(
        "the token is checked regularly and on demand",
        "test_coordinator::test_intervals",
        "test_services::test_get_token_details_again_after_a_rejection",
    ),
    13: covered(
        "one client identifier for ever, not one for each call",
        "test_user_needs::test_one_device_at_plex",
    ),
    14: covered(
        "probes say who is asking, and few are sent",
        "test_init::test_every_request_names_the_client",
        "test_user_needs::test_probes_name_the_client",
    ),
    15: covered(
        "the identifier comes from no hardware",
        "test_user_needs::test_identifier_is_random",
    ),
    16: covered(
        "dialog, polls and actions have the same identifier",
        "test_user_needs::test_one_device_at_plex",
    ),
    17: covered(
        "each entry has an identifier of its own",
        "test_user_needs::test_identifier_is_random",
    ),
    18: covered(
        "a half-finished sign-in takes no working token away",
        "test_user_needs::test_abandoned_sign_in",
        "test_config_flow::test_closed_while_renewing",
    ),
    19: Need(
        "servers may not take signed tokens (JWT)",
        not_ours="the classic token is used as it is and never turned into a JWT",
    ),
    20: Need(
        "signing keys of JWT rotate",
        not_ours="no JWT is read: a token is opaque here, and its life is asked for",
    ),
    21: covered(
        "a step of its own for the code, one try each, 1031 told apart",
        "test_user_needs::test_nothing_signs_in_by_itself",
        "test_user_needs::test_blocked_address_is_told_apart",
        "test_config_flow::test_two_factor_keeps_code_and_password_nowhere",
    ),
    22: covered(
        "two-factor authentication at first and at each renewal",
        "test_config_flow::test_new_entry",
        "test_config_flow::test_renewal",
    ),
    23: covered(
        "a right password from a blocked address is no wrong password",
        "test_user_needs::test_blocked_address_is_told_apart",
    ),
    24: covered(
        "429 is no wrong password, and its time is waited for",
        "test_user_needs::test_rate_limit_while_signing_in",
        "test_coordinator::test_plex_tv_names_a_time",
    ),
    25: covered(
        "no password is kept, so none can be tried for ever",
        "test_user_needs::test_nothing_signs_in_by_itself",
        "security/test_leaks::test_nothing_leaks",
    ),
    26: covered(
        "accounts without a password sign in with a link code",
        "test_user_needs::test_account_without_a_password",
    ),
    27: covered(
        "managed users have no name, address or password",
        "test_init::test_managed_user",
        "test_config_flow::test_managed_user",
        "api/test_models::test_managed_and_free_accounts_have_gaps",
    ),
    28: covered(
        "a shared server gets its own token, not the account's",
        "test_user_needs::test_shared_server_gets_its_own_token",
        "security/test_authority::test_typed_token_is_for_its_server_alone",
    ),
    29: covered(
        "networks that do not resolve plex.direct names",
        "test_issues::test_plex_direct_not_resolved",
        "test_repairs::test_use_the_local_address",
        "api/test_connections::test_network_without_plex_direct_names",
    ),
    30: covered(
        "certificates that fit no address, and servers that want TLS",
        "test_coordinator::test_certificate_not_valid",
        "test_coordinator::test_secure_connection_required",
        "test_server_flow::test_unverified_certificate",
    ),
    31: covered(
        "a server that is off at night",
        "test_user_needs::test_server_off_at_night",
        "test_init::test_server_down_at_start",
    ),
    32: covered(
        "a proxy's page while the server restarts",
        "test_user_needs::test_page_of_a_proxy",
    ),
    33: covered(
        "a server that gives no token",
        "test_user_needs::test_server_that_gives_no_token",
        "test_coordinator::test_no_token_for_a_server",
    ),
    34: covered(
        "an address that a player can play",
        "test_services::test_path",
        "test_blueprints::test_play",
    ),
    35: covered(
        "the real token is in no address, log or page",
        "security/test_leaks::test_nothing_leaks",
        "test_services::test_get_transient_token",
    ),
    36: covered(
        "logs can be shown to anybody",
        "security/test_leaks::test_nothing_leaks",
        "api/test_transport::test_log_has_no_secret_and_no_broken_line",
    ),
    37: covered(
        "the token is sent in a header, and a dead one is reported once",
        "test_init::test_every_request_names_the_client",
        "test_user_needs::test_rejection_is_logged_once",
    ),
    38: covered(
        "a new password needs no removal of the entry",
        "test_user_needs::test_new_sign_in_keeps_everything",
        "test_config_flow::test_reconfigure_changes_the_address",
    ),
    39: covered(
        "signing out everywhere may unclaim the server, too",
        "test_user_needs::test_unclaimed_server",
    ),
    40: covered(
        "a breach: all devices are signed out at once",
        "test_user_needs::test_signed_out_everywhere",
    ),
    41: covered(
        "a stale token is renewed in the dialog",
        "test_config_flow::test_renewal",
        "test_coordinator::test_intervals",
    ),
    42: covered(
        "one refusal of a server proves nothing about the account",
        "test_coordinator::test_refused_token_is_renewed",
        "test_coordinator::test_refused_token_that_stays_the_same",
    ),
    43: covered(
        "410 means that Plex removed something, and only the second API is used",
        "test_user_needs::test_gone_is_no_rejection",
    ),
    44: covered(
        "user name and e-mail address both sign in",
        "test_user_needs::test_name_or_address",
    ),
    45: covered(
        "subscriptions have many gaps",
        "test_sensor::test_ended",
        "test_sensor::test_first_of_several_subscriptions",
        "api/test_models::test_wrong_types_are_none",
    ),
    46: covered(
        "a client that wants a transient token",
        "test_services::test_get_transient_token",
        "test_blueprints::test_play",
    ),
}


def names_in(module: str) -> set[str]:
    """Return the names of the tests in a module."""
    tree = ast.parse((TESTS / f"{module}.py").read_text())
    return {
        node.name
        for node in tree.body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.name.startswith("test_")
    }


@pytest.mark.parametrize("number", range(1, 47))
def test_every_need_is_met(number: int) -> None:
    """Each thread has tests that are there, or a reason for having none."""
    need = NEEDS[number]
    assert need.words
    assert bool(need.tests) is not bool(need.not_ours)
    for test in need.tests:
        module, _, name = test.partition("::")
        assert name in names_in(module), test


def test_no_need_is_invented() -> None:
    """The table has exactly the threads that were collected."""
    assert list(NEEDS) == list(range(1, 47))


# What belongs nowhere else


def cards(hass: HomeAssistant, entry: MockConfigEntry) -> list[Any]:
    """Return the cards that ask to sign in to an account again."""
    return list(entry.async_get_active_flows(hass, {SOURCE_REAUTH}))


async def async_sign_in(
    hass: HomeAssistant, flow_id: str, account: Account, **typed: Any
) -> Any:
    """Sign in with the password, and with the code where it is asked for."""
    flow = hass.config_entries.flow
    await flow.async_configure(flow_id, {"next_step_id": "password"})
    data = {"username": account.username, "password": account.password} | typed
    result: Any = await flow.async_configure(flow_id, data)
    if result.get("step_id") == "code":
        result = await flow.async_configure(
            flow_id, {"verification_code": account.code()}
        )
    await async_settle(hass)
    return result


async def async_begin(
    hass: HomeAssistant, simulator: PlexSimulator, way: str, **typed: Any
) -> Any:
    """Begin to add an account in one way, with what was typed."""
    flow = hass.config_entries.flow
    result: Any = await flow.async_init(DOMAIN, context={"source": SOURCE_USER})
    await flow.async_configure(result["flow_id"], {"next_step_id": way})
    return await flow.async_configure(
        result["flow_id"], {**typed, "advanced": {"api_url": simulator.api_url}}
    )


async def async_add(
    hass: HomeAssistant, simulator: PlexSimulator, account: Account, *servers: str
) -> Any:
    """Add an account as a person does, with some of its servers; return its entry."""
    result = await async_begin(
        hass,
        simulator,
        "password",
        username=account.username,
        password=account.password,
    )
    flow = hass.config_entries.flow
    if result.get("step_id") == "code":
        result = await flow.async_configure(
            result["flow_id"], {"verification_code": account.code()}
        )
    if result.get("step_id") == "servers":
        result = await flow.async_configure(
            result["flow_id"], {"servers": list(servers)}
        )
    await async_settle(hass)
    return result["result"]


async def async_get_transient_token(
    hass: HomeAssistant, entry: Any, server: MediaServer
) -> Any:
    """Let the action get a transient token of a server."""
    return await hass.services.async_call(
        DOMAIN,
        "get_transient_token",
        {"device_id": device_of(hass, entry, server).id},
        blocking=True,
        return_response=True,
    )


async def test_signed_out_everywhere(
    home: Home, freezer: FrozenDateTimeFactory
) -> None:
    """When everything is signed out at once each account gets one card, and no more."""
    accounts = [home.anna, home.ben, home.world.yearly]
    entries = [
        await home.add(account, server)
        for account, server in zip(
            accounts,
            (home.server, home.server, home.world.shared),
            strict=True,
        )
    ]
    for account in accounts:
        account.revoke_tokens()
    home.simulator.faults.set(
        "user", Fault.plex_error(1999, 422, message="Invalid token"), times=1
    )
    for _ in range(4):
        await home.wait(freezer, timedelta(minutes=31))
    for entry, account in zip(entries, accounts, strict=True):
        assert len(cards(home.hass, entry)) == 1
        assert home.state("binary_sensor.token", account) == "on"
    for entry, account in zip(entries, accounts, strict=True):
        (card,) = cards(home.hass, entry)
        result = await async_sign_in(home.hass, card["flow_id"], account)
        assert result["reason"] == "reauth_successful"
        assert home.state("binary_sensor.token", account) == "off"
        assert not cards(home.hass, entry)


@pytest.mark.parametrize("source", ["reauth", "reconfigure"])
async def test_new_sign_in_keeps_everything(
    home: Home,
    entity_registry: er.EntityRegistry,
    device_registry: dr.DeviceRegistry,
    source: str,
) -> None:
    """A new sign-in keeps the entry, its servers, devices, entities and their names."""
    source_of_a_server = f"server://{home.world.basement.machine_identifier}"
    entry = await home.add(
        home.anna, server_data(home.server, home.anna, sources=[source_of_a_server])
    )
    entity_registry.async_update_entity(
        home.entity_id("binary_sensor.token"),
        new_entity_id="binary_sensor.mine",
        name="Mine",
    )
    await home.settle()

    def kept() -> Any:
        return (
            entry.entry_id,
            entry.title,
            entry.unique_id,
            entry.data["client_identifier"],
            {
                key: (subentry.unique_id, subentry.title, subentry.data["sources"])
                for key, subentry in entry.subentries.items()
            },
            sorted(
                (entity.entity_id, entity.unique_id, entity.name or "")
                for entity in er.async_entries_for_config_entry(
                    entity_registry, entry.entry_id
                )
            ),
            sorted(
                device.id
                for device in dr.async_entries_for_config_entry(
                    device_registry, entry.entry_id
                )
            ),
        )

    before, token = kept(), entry.data[CONF_TOKEN]
    flow: Any
    if source == "reauth":
        home.anna.revoke_tokens()
        await account_coordinator(entry).async_refresh()
        (flow,) = cards(home.hass, entry)
        result = await async_sign_in(home.hass, flow["flow_id"], home.anna)
    else:
        flow = await entry.start_reconfigure_flow(home.hass)
        result = await async_sign_in(
            home.hass,
            flow["flow_id"],
            home.anna,
            advanced={"api_url": home.simulator.api_url},
        )
    assert result["reason"] == f"{source}_successful"
    assert entry.state is ConfigEntryState.LOADED
    assert entry.data[CONF_TOKEN] != token
    assert kept() == before
    assert await home.transient_token()


async def test_wrong_token_is_told(home: Home) -> None:
    """A pasted token that Plex does not take is called that, in the field's form."""
    result = await async_begin(home.hass, home.simulator, "token", token="borrowed")
    assert result["errors"] == {"base": "invalid_token"}
    home.hass.config_entries.flow.async_abort(result["flow_id"])


async def test_absent_server_is_listed_and_kept(home: Home) -> None:
    """A server that plex.tv calls absent can be chosen and works all the same."""
    home.server.presence = False
    entry = await async_add(
        home.hass, home.simulator, home.anna, home.server.machine_identifier
    )
    assert subentry_of(entry, home.server)
    assert await async_get_transient_token(home.hass, entry, home.server)


async def test_forbidden_is_no_bad_credential(home: Home) -> None:
    """A shared server is set up without any right of its owner; 403 asks for no sign-in."""
    entry = await async_add(
        home.hass, home.simulator, home.ben, home.server.machine_identifier
    )
    assert entry.state is ConfigEntryState.LOADED
    assert await async_get_transient_token(home.hass, entry, home.server)
    home.server.faults.set("security_token", Fault.status(403))
    with pytest.raises(HomeAssistantError) as error:
        await async_get_transient_token(home.hass, entry, home.server)
    assert error.value.translation_key == "not_permitted"
    assert not cards(home.hass, entry)
    assert home.state("binary_sensor.token", home.ben) == "off"
    asked = {request.endpoint for request in home.simulator.requests}
    assert asked <= {
        "signin",
        "user",
        "resources",
        "identity",
        "root",
        "security_token",
    }


async def test_ways_in_order(hass: HomeAssistant) -> None:
    """A person is offered to sign in first, by no way that calls back, a token last."""
    result: Any = await hass.config_entries.flow.async_init(
        DOMAIN, context={"source": SOURCE_USER}
    )
    assert result["menu_options"] == ["password", "link", "token"]
    hass.config_entries.flow.async_abort(result["flow_id"])


@pytest.mark.parametrize(
    ("fault", "key"),
    [
        (Fault.html(503), "unavailable"),
        (Fault.html(200), "unavailable"),
        (Fault.status(500), "unavailable"),
        (Fault.status(429), "rate_limited"),
    ],
    ids=["503", "page", "500", "429"],
)
async def test_overload_while_linking(home: Home, fault: Fault, key: str) -> None:
    """Plex being overloaded while it is linked is told as that; trying again works."""
    home.simulator.faults.set("pins_create", fault, times=1)
    result = await async_begin(home.hass, home.simulator, "link")
    assert result["errors"] == {"base": key}
    result = await home.hass.config_entries.flow.async_configure(
        result["flow_id"], {"advanced": {"api_url": home.simulator.api_url}}
    )
    assert result["step_id"] == "link_wait"
    home.hass.config_entries.flow.async_abort(result["flow_id"])
    await home.settle()


async def test_one_device_at_plex(home: Home, freezer: FrozenDateTimeFactory) -> None:
    """Dialogs, polls, actions, reloads and renewals are one device in Plex's list."""
    entry = await async_add(
        home.hass, home.simulator, home.anna, home.server.machine_identifier
    )
    await home.wait(freezer, timedelta(minutes=31))
    await async_get_transient_token(home.hass, entry, home.server)
    await home.reload(entry)
    home.anna.revoke_tokens()
    await account_coordinator(entry).async_refresh()
    (card,) = cards(home.hass, entry)
    await async_sign_in(home.hass, card["flow_id"], home.anna)
    await async_get_transient_token(home.hass, entry, home.server)
    assert {
        request.headers["X-Plex-Client-Identifier"]
        for request in home.simulator.requests
    } == {entry.data["client_identifier"]}
    assert list(home.anna.tokens) == [entry.data["client_identifier"]]


@pytest.mark.usefixtures("entry")
async def test_probes_name_the_client(home: Home) -> None:
    """A probe of an address says who asks, carries no token, and is not repeated."""
    probes = home.simulator.requests_to("identity")
    assert len(probes) == 1
    for probe in probes:
        for name in ("Client-Identifier", "Product", "Version", "Device-Name"):
            assert probe.headers[f"X-Plex-{name}"]
        assert "X-Plex-Token" not in probe.headers


async def test_identifier_is_random(home: Home) -> None:
    """Each entry has an identifier of its own, also one that was removed and added."""
    first = await async_add(home.hass, home.simulator, home.world.yearly)
    second = await async_add(home.hass, home.simulator, home.world.without_servers)
    identifiers = {entry.data["client_identifier"] for entry in (first, second)}
    await home.hass.config_entries.async_remove(second.entry_id)
    again = await async_add(home.hass, home.simulator, home.world.without_servers)
    assert len({*identifiers, again.data["client_identifier"]}) == 3


async def test_abandoned_sign_in(home: Home) -> None:
    """A dialog that is closed half-way leaves the token that works where it is."""
    entry = await home.add(home.anna)
    token = entry.data[CONF_TOKEN]
    result: Any = await entry.start_reconfigure_flow(home.hass)
    flow = home.hass.config_entries.flow
    await flow.async_configure(result["flow_id"], {"next_step_id": "password"})
    result = await flow.async_configure(
        result["flow_id"],
        {
            "username": "anna",
            "password": home.anna.password,
            "advanced": {"api_url": home.simulator.api_url},
        },
    )
    assert result["step_id"] == "code"
    flow.async_abort(result["flow_id"])
    await home.settle()
    assert entry.data[CONF_TOKEN] == token
    await account_coordinator(entry).async_refresh()
    assert home.state("binary_sensor.token") == "off"


async def test_nothing_signs_in_by_itself(
    home: Home, freezer: FrozenDateTimeFactory
) -> None:
    """Each try to sign in is one that a person has made; a dead token makes none."""
    ben = home.ben
    result = await async_begin(
        home.hass, home.simulator, "password", username="ben", password="wrong"
    )
    assert result["errors"] == {"base": "invalid_auth"}
    for fault in (Fault.reset(), Fault.status(503), Fault.status(429)):
        home.simulator.faults.set("signin", fault)
        result = await home.hass.config_entries.flow.async_configure(
            result["flow_id"],
            {
                "username": "ben",
                "password": ben.password,
                "advanced": {"api_url": home.simulator.api_url},
            },
        )
        assert result["errors"]
    assert len(home.simulator.requests_to("signin")) == 4
    home.hass.config_entries.flow.async_abort(result["flow_id"])
    home.simulator.faults.clear()
    entry = await async_add(home.hass, home.simulator, ben)
    signed_in = len(home.simulator.requests_to("signin"))
    ben.revoke_tokens()
    for _ in range(5):
        await home.wait(freezer, timedelta(hours=1))
    await home.reload(entry)
    assert len(home.simulator.requests_to("signin")) == signed_in == 5


async def test_blocked_address_is_told_apart(home: Home) -> None:
    """The right password from a blocked address is not called wrong, and works later."""
    home.simulator.sign_in_guard.blocks_all = True
    typed = {"username": "gina", "password": home.world.without_servers.password}
    result = await async_begin(home.hass, home.simulator, "password", **typed)
    assert result["errors"] == {"base": "sign_in_blocked"}
    home.simulator.sign_in_guard.clear()
    result = await home.hass.config_entries.flow.async_configure(
        result["flow_id"], {**typed, "advanced": {"api_url": home.simulator.api_url}}
    )
    await home.settle()
    assert result["type"] == "create_entry"


@pytest.mark.parametrize(
    "fault",
    [
        Fault.plex_error(1003),
        Fault.status(429),
        Fault.status(429, headers={"Retry-After": "30"}),
    ],
    ids=["1003", "429", "with a time"],
)
async def test_rate_limit_while_signing_in(home: Home, fault: Fault) -> None:
    """Too many requests are told as that while signing in, and nothing is repeated."""
    home.simulator.faults.set("signin", fault)
    result = await async_begin(
        home.hass,
        home.simulator,
        "password",
        username="ben",
        password=home.ben.password,
    )
    assert result["errors"] == {"base": "rate_limited"}
    assert len(home.simulator.requests_to("signin")) == 1
    home.hass.config_entries.flow.async_abort(result["flow_id"])


async def test_account_without_a_password(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An account that signs in with Google or Apple is added by a link code."""
    monkeypatch.setattr("custom_components.plex_auth.link.POLL_SECONDS", 0.01)
    result = await async_begin(home.hass, home.simulator, "link")
    assert home.simulator.pins.link(home.simulator.pins.latest.code, home.world.social)
    await home.settle()
    await home.hass.config_entries.flow.async_configure(result["flow_id"])
    await home.settle()
    (entry,) = home.hass.config_entries.async_entries(DOMAIN)
    assert entry.unique_id == home.world.social.uuid
    assert entry.state is ConfigEntryState.LOADED


async def test_shared_server_gets_its_own_token(home: Home) -> None:
    """A shared server is called with the token that plex.tv lists for it."""
    await home.add(home.anna, home.world.shared, home.server)
    for server in (home.world.shared, home.server):
        assert await home.transient_token(server)
        (request,) = home.simulator.requests_to(
            "security_token", server.machine_identifier
        )
        assert request.headers["X-Plex-Token"] == server.access_token_for(home.anna)


async def test_server_off_at_night(
    home: Home,
    freezer: FrozenDateTimeFactory,
    caplog: pytest.LogCaptureFixture,
    entry: MockConfigEntry,
) -> None:
    """A server that is off for a night is logged once, and nothing else notices."""
    before = home.state("sensor.subscription_status")
    caplog.clear()
    await home.server.stop()
    for _ in range(96):
        await home.wait(freezer, timedelta(minutes=5))
    assert home.state("binary_sensor.reachable") == "off"
    assert home.state("binary_sensor.token") == "off"
    assert home.state("sensor.subscription_status") == before
    await home.server.start()
    await home.wait(freezer, timedelta(minutes=5))
    assert home.state("binary_sensor.reachable") == "on"
    ours = [
        record
        for record in caplog.records
        if record.name.startswith("custom_components.plex_auth")
        and record.levelno > logging.DEBUG
    ]
    assert len([record for record in ours if record.levelno >= logging.WARNING]) == 1
    assert len(ours) == 2
    assert server_coordinator(entry, home.server).last_update_success


@pytest.mark.parametrize("status", [200, 404, 502, 503, 504])
async def test_page_of_a_proxy(
    home: Home, freezer: FrozenDateTimeFactory, status: int
) -> None:
    """A proxy's page instead of the server's answer is a passing trouble."""
    home.server.faults.set("*", Fault.html(status))
    entry = await home.add(home.anna, home.server)
    assert entry.state is ConfigEntryState.LOADED
    with pytest.raises(HomeAssistantError) as error:
        await home.transient_token()
    assert error.value.translation_key == "unavailable"
    assert not cards(home.hass, entry)
    home.server.faults.clear()
    await home.wait(freezer, timedelta(minutes=5))
    assert await home.transient_token()


@pytest.mark.parametrize(
    "answer",
    [
        '{"MediaContainer": {"size": 0}}',
        '{"MediaContainer": {"size": 0, "token": null}}',
        '{"MediaContainer": {"size": 0, "token": ""}}',
    ],
    ids=["none", "null", "empty"],
)
@pytest.mark.usefixtures("entry")
async def test_server_that_gives_no_token(home: Home, answer: str) -> None:
    """A server that answers without a token makes an error, never a token `None`."""
    home.server.faults.set("security_token", Fault.body(answer))
    with pytest.raises(HomeAssistantError) as error:
        await home.transient_token()
    assert error.value.translation_domain == DOMAIN
    assert error.value.translation_key == "unknown"
    assert home.state("sensor.transient_token_expires") == "unknown"


async def test_rejection_is_logged_once(
    home: Home,
    freezer: FrozenDateTimeFactory,
    caplog: pytest.LogCaptureFixture,
    entry: MockConfigEntry,
) -> None:
    """A dead token is one line in the log, for as long as it is dead."""
    home.anna.revoke_tokens()
    caplog.clear()
    for _ in range(48):
        await home.wait(freezer, timedelta(minutes=30))
    lines = [
        record
        for record in caplog.records
        if record.name.startswith("custom_components.plex_auth")
        and record.levelno >= logging.WARNING
    ]
    assert len(lines) == 1


async def test_unclaimed_server(home: Home) -> None:
    """A server that is unclaimed and no longer listed is told as such, not as a token."""
    entry = await home.add(
        home.anna,
        server_data(
            home.server,
            home.anna,
            last_known={**known_server(home.server, home.anna), "token": None},
        ),
    )
    home.server.claimed = False
    home.server.rotate_access_tokens()
    home.simulator.faults.set("resources", Fault.body("[]"))
    await home.reload(entry)
    with pytest.raises(HomeAssistantError) as error:
        await home.transient_token()
    assert error.value.translation_domain == DOMAIN
    assert error.value.translation_key == "not_claimed"
    assert not cards(home.hass, entry)
    assert home.state("binary_sensor.token") == "off"


async def test_gone_is_no_rejection(
    home: Home, freezer: FrozenDateTimeFactory, entry: MockConfigEntry
) -> None:
    """410 ends no sign-in, and no address of the first API is ever asked."""
    home.simulator.faults.set("*", Fault.status(410))
    await home.wait(freezer, timedelta(hours=2))
    assert not cards(home.hass, entry)
    assert not account_coordinator(entry).token_rejected
    assert all(
        request.path.startswith("/api/v2/")
        for request in home.simulator.requests
        if request.host == "plex.tv"
    )


@pytest.mark.parametrize("name", ["anna", "ANNA", "anna@example.com", " anna "])
async def test_name_or_address(home: Home, name: str) -> None:
    """The user name and the e-mail address both sign in."""
    result = await async_begin(
        home.hass,
        home.simulator,
        "password",
        username=name,
        password=home.anna.password,
    )
    assert result["step_id"] == "code"
    home.hass.config_entries.flow.async_abort(result["flow_id"])


async def test_card_goes_after_an_outage(home: Home) -> None:
    """A card made by mistake goes as soon as Plex accepts the token, outage between or not."""
    entry = await home.add(home.anna)
    for fault in (Fault.plex_error(1001), Fault.status(503)):
        home.simulator.faults.set("user", fault)
        await account_coordinator(entry).async_refresh()
        assert len(cards(home.hass, entry)) == 1
    home.simulator.faults.clear()
    await account_coordinator(entry).async_refresh()
    assert home.state("binary_sensor.token") == "off"
    assert not cards(home.hass, entry)

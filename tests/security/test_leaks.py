"""Nothing secret is shown or kept but where SECURITY.md says so.

A walk through everything that the integration does, right and wrong, with secrets that
are found by nothing but themselves; then the log of every logger at debug, events,
states, registries, the recorder's database, diagnostics, system health, issues,
exceptions, files and storage are searched for them.
"""

from collections.abc import Mapping
from itertools import product
from pathlib import Path
import re
from typing import Any

import pytest
from pytest_homeassistant_custom_component.components.recorder.common import (
    async_wait_recording_done,
)
from pytest_homeassistant_custom_component.typing import (
    ClientSessionGenerator,
    WebSocketGenerator,
)

from custom_components.plex_auth.api.homes import HomeUser
from custom_components.plex_auth.const import LOGGER
from custom_components.plex_auth.coordinator import AccountCoordinator
from custom_components.plex_auth.entity import HomeUserEntity
from custom_components.plex_auth.flows import home_user
from homeassistant.core import HomeAssistant, ServiceCall, SupportsResponse
from homeassistant.helpers.entity import Entity
from homeassistant.setup import async_setup_component
from tests.helpers import account_coordinator, async_add_account, async_settle
from tests.plex_simulator import Client, Fault
from tests.walks import ways
from tests.walks.dialog import person
from tests.walks.names import DOMAIN, Action, Step

from .audited_user import (
    PASSWORD,
    RIGHT_PIN,
    WRONG_PIN,
    AuditedUser,
    async_act_over_websocket,
    async_take_traces,
    secrets_of,
)
from .hostile_names import async_meet_hostile_names, broken_lines
from .leak_audit import Audit
from .leaks import Kind, Leak, Place, Secret, may_be_there, report
from .scenarios import (
    async_act,
    async_act_as_child,
    async_collect,
    async_lose_and_renew,
    async_meet_faults,
    async_sign_in_every_way,
    async_sign_out_devices,
    async_use_home_users,
    async_use_servers,
    quick_callbacks,
)

WEBSOCKET_LOG = re.compile(
    r"homeassistant\.components\.websocket_api\.http\.connection: "
    r"\[\d+\] %s: Sending %s"
)


OLD_BROWSER = Client(name="Old browser", product="Plex Web", platform="Firefox")


@pytest.fixture
def persistent_database() -> bool:
    """Let the recorder write to a file."""
    return True


@pytest.fixture
def hass_config_dir(hass_tmp_config_dir: str) -> str:
    """Give Home Assistant a folder of its own."""
    return hass_tmp_config_dir


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
    user: AuditedUser,
    hass_client: ClientSessionGenerator,
    hass_storage: dict[str, Any],
    database: Path,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> None:
    """No secret is anywhere but where it may be, whatever happens."""
    hass = user.hass
    monkeypatch.setattr(Entity, "entity_registry_enabled_default", True)
    planted = [user.world.two_factor.add_device(OLD_BROWSER) for _ in range(200)]
    entry = await async_sign_in_every_way(user)
    await async_use_servers(user, entry)
    await async_use_home_users(user, entry)
    await async_sign_out_devices(user, entry)
    await async_act(user, entry)
    await async_act_as_child(user)
    with quick_callbacks():
        await async_meet_faults(
            user, entry, full=request.config.getoption("--full", default=False)
        )
    await async_act(user, entry)
    await async_act_as_child(user)
    await async_lose_and_renew(user, entry)
    await async_meet_hostile_names(user)
    await async_collect(user, hass_client, hass_storage, database)
    secrets = secrets_of(user.simulator)
    assert {secret.kind for secret in secrets} == set(Kind)
    assert {device.value for device in planted} <= {one.value for one in secrets}
    found = user.audit.find(secrets)
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
    child, own = user.world.home.child.uuid, user.world.living_room.machine_identifier
    stored = {leak.text.where.partition(f"{child}/data/")[2] for leak in found}
    assert {"token", f"server_tokens/{own}"} <= stored
    forbidden = [
        leak
        for leak in found
        if not may_be_there(leak) and not is_log_of_the_websocket(leak)
    ]
    assert not forbidden, report(forbidden)
    logged = {text.text for text in user.audit.texts if text.place is Place.LOG}
    sockets = [text for text in logged if text.startswith("Socket ")]
    assert any(text.endswith(": open") for text in sockets)
    assert not any("?" in text for text in sockets)
    assert not broken_lines(user.audit)
    assert not user.world.hostile.beacon.requests
    # All kinds of texts have been there to look at.
    assert {text.place for text in user.audit.texts} == set(Place)

    # A sign-in that a fault did not spoil may have added another account.
    for added in hass.config_entries.async_entries(DOMAIN):
        await hass.config_entries.async_remove(added.entry_id)
    await async_settle(hass)
    kept = Audit()
    await kept.async_take_storage(hass, hass_storage)
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
    await async_act_over_websocket(await hass_ws_client(hass), "elsewhere", "get", {})
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
    audit = Audit()
    await async_take_traces(await hass_ws_client(hass), audit, "use")
    assert bool(audit.find([secret])) is is_found
    kept_states = Audit()
    kept_states.take_states(hass)
    assert not kept_states.find([secret])


async def test_account_with_an_address_for_a_name(user: AuditedUser) -> None:
    """An account without a name is not called by its e-mail address."""
    simulator = user.simulator
    nameless = simulator.add_account(
        "nameless", title="", password=PASSWORD, email="marker.nameless@example.com"
    )
    nameless.overrides = {"title": "", "username": ""}
    way = ways.add_account(person(simulator, nameless), Step.PASSWORD, None)
    await user.walk(await user.api.open_account(), way)
    entry = user.entry(nameless)
    assert entry.title == "Plex account"
    assert "email" not in str(dict(entry.data))
    await user.act(Action.TOKEN_DETAILS)
    simulator.faults.set("user", Fault.status(503))
    await account_coordinator(entry).async_refresh()
    user.audit.take_states(user.hass)
    await async_wait_recording_done(user.hass)
    found = user.audit.find([Secret(Kind.EMAIL, nameless.email, nameless.uuid)])
    assert {leak.text.where for leak in found} == {"get_token_details/account/email"}


async def test_planted_leaks_of_home_users_are_found(
    user: AuditedUser,
    hass_client: ClientSessionGenerator,
    hass_storage: dict[str, Any],
    database: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A PIN in the log and a user's tokens in attributes are found where they are."""
    switch = home_user.async_switch

    async def leaking(
        hass: HomeAssistant,
        account: AccountCoordinator,
        switched: HomeUser,
        typed: Mapping[str, str],
    ) -> home_user.Switched:
        LOGGER.debug("Switching with %s", typed)
        return await switch(hass, account, switched, typed)

    def attributes(entity: HomeUserEntity) -> dict[str, Any]:
        return dict(entity.coordinator.subentry.data)

    monkeypatch.setattr(home_user, "async_switch", leaking)
    monkeypatch.setattr(
        HomeUserEntity, "extra_state_attributes", property(attributes), raising=False
    )
    world = user.world
    entry = await async_add_account(
        user.hass, user.simulator, world.two_factor, [world.living_room]
    )
    await async_use_home_users(user, entry)
    await async_collect(user, hass_client, hass_storage, database)
    leaks = user.audit.forbidden(secrets_of(user.simulator))
    found = {(leak.secret.kind, leak.text.place) for leak in leaks}
    assert found >= {
        (Kind.TYPED_PIN, Place.LOG),
        *product(
            (Kind.ACCOUNT_TOKEN, Kind.SERVER_TOKEN), (Place.ATTRIBUTE, Place.RECORDER)
        ),
    }
    pins = {leak.secret.value for leak in leaks if leak.secret.kind is Kind.TYPED_PIN}
    assert pins == {RIGHT_PIN, WRONG_PIN}

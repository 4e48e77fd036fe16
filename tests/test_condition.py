"""The conditions of the automation editor."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from itertools import product
import logging
from typing import Any

from freezegun.api import FrozenDateTimeFactory
import pytest
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    async_mock_service,
)
import voluptuous as vol

from custom_components.plex_auth.condition import CONDITIONS
from custom_components.plex_auth.const import DOMAIN
from homeassistant.const import STATE_UNAVAILABLE
from homeassistant.core import HomeAssistant, ServiceCall
from homeassistant.helpers.condition import async_validate_condition_config
from homeassistant.setup import async_setup_component

from .automation_targets import WRONG_CONFIGURATIONS, add_strangers, target_everything
from .harness import Harness
from .helpers import async_settle, everything_enabled
from .plex_simulator import Account, Fault, MediaServer

POLL = timedelta(minutes=30)
LOOK = "look"

SIGN_IN = "binary_sensor.sign_in"
REACHABLE = "binary_sensor.reachable"


async def reject_token(account: Account, server: MediaServer) -> None:
    """Let plex.tv reject the account's token."""
    account.revoke_tokens()


async def stop_server(account: Account, server: MediaServer) -> None:
    """Let the server be down."""
    await server.stop()


type Cause = Callable[[Account, MediaServer], Awaitable[None]]

# The condition, its entity, and what makes it false.
CASES: list[tuple[str, str, Cause]] = [
    ("sign_in_is_valid", SIGN_IN, reject_token),
    ("server_is_reachable", REACHABLE, stop_server),
]
each_condition = pytest.mark.parametrize(
    ("condition", "name", "cause"), CASES, ids=[case[0] for case in CASES]
)


class Guarded:
    """An automation that a condition guards."""

    def __init__(self, hass: HomeAssistant, calls: list[ServiceCall]) -> None:
        """Take the list of what the automation has called."""
        self._hass = hass
        self._calls = calls

    async def passes(self) -> bool:
        """Run the automation; return whether its condition let it."""
        self._calls.clear()
        self._hass.bus.async_fire(LOOK)
        await async_settle(self._hass)
        return bool(self._calls)


async def async_guard(
    hass: HomeAssistant, condition: str, target: dict[str, Any], **options: Any
) -> Guarded:
    """Set up an automation that a condition guards."""
    calls: list[ServiceCall] = async_mock_service(hass, "test", "act")
    configuration = {
        "triggers": {"trigger": "event", "event_type": LOOK},
        "conditions": {
            "condition": f"{DOMAIN}.{condition}",
            "target": target,
            "options": options,
        },
        "actions": {"action": "test.act"},
    }
    assert await async_setup_component(
        hass, "automation", {"automation": configuration}
    )
    await async_settle(hass)
    return Guarded(hass, calls)


@each_condition
@pytest.mark.parametrize("behavior", ["any", "all"])
async def test_passes(
    harness: Harness,
    freezer: FrozenDateTimeFactory,
    caplog: pytest.LogCaptureFixture,
    entry: MockConfigEntry,
    condition: str,
    name: str,
    cause: Cause,
    behavior: str,
) -> None:
    """A condition passes until the poll that tells otherwise."""
    caplog.clear()
    target = {"entity_id": harness.entity_id(name)}
    guarded = await async_guard(harness.hass, condition, target, behavior=behavior)
    assert await guarded.passes()
    await cause(harness.anna, harness.server)
    assert await guarded.passes()
    await harness.wait(freezer, POLL)
    assert not await guarded.passes()
    assert not [
        record.getMessage()
        for record in caplog.records
        if record.levelno >= logging.WARNING and record.name.startswith("homeassistant")
    ]


@each_condition
@pytest.mark.parametrize("behavior", ["any", "all"])
async def test_what_is_not_known_does_not_pass(
    harness: Harness,
    entry: MockConfigEntry,
    condition: str,
    name: str,
    cause: Cause,
    behavior: str,
) -> None:
    """A condition on an entity that is unavailable or does not exist does not pass."""
    found = harness.entity_id(name)
    guarded = await async_guard(
        harness.hass, condition, {"entity_id": found}, behavior=behavior
    )
    assert await guarded.passes()
    await harness.hass.config_entries.async_unload(entry.entry_id)
    state = harness.hass.states.get(found)
    assert state is not None
    assert state.state == STATE_UNAVAILABLE
    assert not await guarded.passes()
    await harness.hass.config_entries.async_remove(entry.entry_id)
    await harness.settle()
    assert harness.hass.states.get(found) is None
    assert not await guarded.passes()


@pytest.mark.parametrize(("behavior", "passes"), [("any", True), ("all", False)])
async def test_one_of_two_is_not_known(
    harness: Harness,
    freezer: FrozenDateTimeFactory,
    behavior: str,
    passes: bool,
) -> None:
    """Where all have to match, one that cannot be asked about does not."""
    accounts = [harness.anna, harness.world.yearly]
    for account in accounts:
        await harness.add(account)
    target = {
        "entity_id": [harness.entity_id(SIGN_IN, account) for account in accounts]
    }
    guarded = await async_guard(
        harness.hass, "sign_in_is_valid", target, behavior=behavior
    )
    assert await guarded.passes()
    harness.simulator.faults.set("user", Fault.html(502), times=1)
    await harness.wait(freezer, POLL)
    states = sorted(
        state.state
        for state in map(harness.hass.states.get, target["entity_id"])
        if state
    )
    assert len(set(states)) == 2
    assert STATE_UNAVAILABLE in states
    assert await guarded.passes() is passes


@pytest.mark.parametrize(
    ("options", "passes"),
    [({}, True), ({"behavior": "any"}, True), ({"behavior": "all"}, False)],
)
async def test_behavior(
    harness: Harness,
    freezer: FrozenDateTimeFactory,
    options: dict[str, Any],
    passes: bool,
) -> None:
    """One of two servers is enough, unless all have to be reachable."""
    anna, servers = harness.anna, [harness.server, harness.world.basement]
    await harness.add(anna, *servers)
    target = {
        "entity_id": [harness.entity_id(REACHABLE, anna, server) for server in servers]
    }
    guarded = await async_guard(harness.hass, "server_is_reachable", target, **options)
    assert await guarded.passes()
    await servers[0].stop()
    await harness.wait(freezer, POLL)
    assert await guarded.passes() is passes
    await servers[1].stop()
    await harness.wait(freezer, POLL)
    assert not await guarded.passes()


@pytest.mark.parametrize("behavior", ["any", "all"])
async def test_for(
    harness: Harness,
    freezer: FrozenDateTimeFactory,
    entry: MockConfigEntry,
    behavior: str,
) -> None:
    """A server has to be reachable for the time that is asked for."""
    target = {"entity_id": harness.entity_id(REACHABLE)}
    guarded = await async_guard(
        harness.hass,
        "server_is_reachable",
        target,
        **{"for": {"hours": 1}, "behavior": behavior},
    )
    assert not await guarded.passes()
    await harness.wait(freezer, POLL)
    assert not await guarded.passes()
    await harness.wait(freezer, POLL)
    assert await guarded.passes()
    await harness.server.stop()
    await harness.wait(freezer, POLL)
    await harness.server.start()
    await harness.wait(freezer, POLL)
    assert not await guarded.passes()


@each_condition
@pytest.mark.parametrize("behavior", ["any", "all"])
async def test_targets(
    harness: Harness,
    freezer: FrozenDateTimeFactory,
    entry: MockConfigEntry,
    condition: str,
    name: str,
    cause: Cause,
    behavior: str,
) -> None:
    """Of all that a target reaches, in whatever way, only our own entity counts.

    A stranger would pass where our entity does not, and the other way about.
    """
    strangers = add_strangers(harness.hass)
    target = target_everything(harness.hass, entry, harness.server, strangers)
    own = "off" if name == SIGN_IN else "on"
    opposite = {"on": "off", "off": "on"}[own]
    guarded = await async_guard(harness.hass, condition, target, behavior=behavior)
    for stranger in strangers:
        harness.hass.states.async_set(stranger, opposite)
    assert await guarded.passes()
    await cause(harness.anna, harness.server)
    await harness.wait(freezer, POLL)
    for stranger in strangers:
        harness.hass.states.async_set(stranger, own)
    assert not await guarded.passes()


async def test_other_entity_of_ours(harness: Harness) -> None:
    """An entity of this integration that has the same device class does not count."""
    harness.anna.overrides["services"] = [{"identifier": "epg", "status": "online"}]
    with everything_enabled():
        await harness.add(harness.anna)
    services = harness.entity_id("binary_sensor.plex_services")
    guarded = await async_guard(
        harness.hass, "sign_in_is_valid", {"entity_id": services}
    )
    assert not await guarded.passes()


async def test_wrong_configuration(hass: HomeAssistant) -> None:
    """A condition without a target or with an option that is none is refused."""
    for condition, broken in product(CONDITIONS, WRONG_CONFIGURATIONS):
        with pytest.raises(vol.Invalid):
            await async_validate_condition_config(
                hass, {"condition": f"{DOMAIN}.{condition}", **broken}
            )

"""The triggers of the automation editor."""

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

from custom_components.plex_auth.const import DOMAIN
from custom_components.plex_auth.trigger import TRIGGERS
from homeassistant.const import CONF_TOKEN, STATE_UNAVAILABLE, STATE_UNKNOWN
from homeassistant.core import HomeAssistant, ServiceCall
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers.trigger import async_validate_trigger_config
from homeassistant.setup import async_setup_component

from .automation_targets import WRONG_CONFIGURATIONS, add_strangers, target_everything
from .harness import Harness
from .helpers import account_coordinator, async_pass, async_settle, everything_enabled
from .plex_simulator import Fault

ACCOUNT_POLL = timedelta(minutes=30)
SERVER_POLL = timedelta(minutes=5)

SIGN_IN = "binary_sensor.sign_in"
REACHABLE = "binary_sensor.reachable"
TRANSIENT_TOKEN = "event.transient_token"


class Stage:
    """Hold an account with a server in Home Assistant, and let things happen to it."""

    def __init__(self, harness: Harness, freezer: FrozenDateTimeFactory) -> None:
        """Take the account and the server that the tests are about."""
        self.harness = harness
        self.hass = harness.hass
        self.simulator = harness.simulator
        self.freezer = freezer
        self.account = harness.anna
        self.server = harness.server
        self.entity_id = harness.entity_id
        self.state = harness.state
        self.entry: MockConfigEntry

    async def set_up(self) -> None:
        """Add the account and the server."""
        self.entry = await self.harness.add(self.account, self.server)

    async def go_through(self, causes: list[Cause]) -> None:
        """Let one thing happen after the other."""
        for cause in causes:
            await cause(self)

    async def poll_account(self) -> None:
        """Wait for the next poll of plex.tv."""
        await self.harness.wait(self.freezer, ACCOUNT_POLL)

    async def poll_server(self) -> None:
        """Wait for the next poll of the server."""
        await self.harness.wait(self.freezer, SERVER_POLL)

    async def plex_tv_goes(self) -> None:
        """Let plex.tv answer no longer."""
        self.simulator.faults.set("user", Fault.html(502))
        await self.poll_account()

    async def plex_tv_returns(self) -> None:
        """Let plex.tv answer again."""
        self.simulator.faults.clear()
        await self.poll_account()

    async def reject_token(self) -> None:
        """Let plex.tv reject the token."""
        self.account.revoke_tokens()
        await self.poll_account()

    async def renew_token(self) -> None:
        """Let the account sign in anew."""
        token = self.account.sign_in_token(self.entry.data["client_identifier"])
        self.hass.config_entries.async_update_entry(
            self.entry, data={**self.entry.data, CONF_TOKEN: token}
        )
        await account_coordinator(self.entry).async_refresh()
        await self.harness.settle()

    async def stop_server(self) -> None:
        """Let the server be down."""
        await self.server.stop()
        await self.poll_server()

    async def start_server(self) -> None:
        """Let the server be up again."""
        await self.server.start()
        await self.poll_server()

    async def issue_transient_token(self) -> None:
        """Get a transient token."""
        await self.harness.transient_token()

    async def destroy_transient_token(self) -> None:
        """Let the server restart."""
        await self.server.restart()
        await self.poll_server()

    async def reload(self) -> None:
        """Reload the entry."""
        await self.harness.reload(self.entry)


type Cause = Callable[[Stage], Awaitable[None]]

# The trigger, its entity, what has to be so before, and what makes it fire.
CASES: list[tuple[str, str, list[Cause], Cause]] = [
    ("sign_in_rejected", SIGN_IN, [], Stage.reject_token),
    ("sign_in_accepted", SIGN_IN, [Stage.reject_token], Stage.renew_token),
    ("server_unreachable", REACHABLE, [], Stage.stop_server),
    ("server_reachable", REACHABLE, [Stage.stop_server], Stage.start_server),
    (
        "transient_token_destroyed",
        TRANSIENT_TOKEN,
        [Stage.issue_transient_token],
        Stage.destroy_transient_token,
    ),
]
each_trigger = pytest.mark.parametrize(
    ("trigger", "name", "before", "cause"), CASES, ids=[case[0] for case in CASES]
)


@pytest.fixture
async def stage(harness: Harness, freezer: FrozenDateTimeFactory) -> Stage:
    """Return an account with a server, set up."""
    stage = Stage(harness, freezer)
    await stage.set_up()
    return stage


async def async_automate(
    hass: HomeAssistant, trigger: str, target: dict[str, Any], **options: Any
) -> list[ServiceCall]:
    """Set up an automation with a trigger; return the list of what it has called."""
    calls: list[ServiceCall] = async_mock_service(hass, "test", "act")
    configuration = {
        "triggers": {
            "trigger": f"{DOMAIN}.{trigger}",
            "target": target,
            "options": options,
        },
        "actions": {
            "action": "test.act",
            "data": {
                "entity_id": "{{ trigger.entity_id }}",
                "from": "{{ trigger.from_state.state }}",
                "to": "{{ trigger.to_state.state }}",
            },
        },
    }
    assert await async_setup_component(
        hass, "automation", {"automation": configuration}
    )
    await async_settle(hass)
    return calls


@each_trigger
async def test_fires(
    stage: Stage,
    caplog: pytest.LogCaptureFixture,
    trigger: str,
    name: str,
    before: list[Cause],
    cause: Cause,
) -> None:
    """A trigger fires once when its cause is polled, and tells by which entity."""
    await stage.go_through(before)
    entity_id = stage.entity_id(name)
    calls = await async_automate(stage.hass, trigger, {"entity_id": entity_id})
    await stage.poll_account()
    assert calls == []
    left = stage.state(name)
    await cause(stage)
    await stage.poll_account()
    assert [call.data for call in calls] == [
        {"entity_id": entity_id, "from": left, "to": stage.state(name)}
    ]
    assert not [
        record.getMessage()
        for record in caplog.records
        if record.levelno >= logging.WARNING and record.name.startswith("homeassistant")
    ]


@each_trigger
async def test_fires_after_each_reload(
    stage: Stage, trigger: str, name: str, before: list[Cause], cause: Cause
) -> None:
    """A reload, which makes entities unavailable, hides nothing and makes up nothing."""
    await stage.go_through(before)
    target = {"entity_id": stage.entity_id(name)}
    calls = await async_automate(stage.hass, trigger, target)
    await stage.reload()
    await stage.reload()
    assert calls == []
    await cause(stage)
    assert len(calls) == 1
    await stage.reload()
    assert len(calls) == 1


async def test_plex_tv_away_in_between(stage: Stage) -> None:
    """What happened while plex.tv was away is told when it is back, and only then."""
    calls = await async_automate(
        stage.hass, "sign_in_rejected", {"entity_id": stage.entity_id(SIGN_IN)}
    )
    await stage.plex_tv_goes()
    assert stage.state(SIGN_IN) == STATE_UNAVAILABLE
    await stage.plex_tv_returns()
    assert calls == []
    await stage.plex_tv_goes()
    stage.account.revoke_tokens()
    await stage.plex_tv_returns()
    assert [call.data["from"] for call in calls] == [STATE_UNAVAILABLE]


async def test_server_that_went_during_a_reload(stage: Stage) -> None:
    """A server that is down after a reload has become unreachable."""
    target = {"entity_id": stage.entity_id(REACHABLE)}
    calls = await async_automate(stage.hass, "server_unreachable", target)
    await stage.server.stop()
    await stage.reload()
    assert [call.data["from"] for call in calls] == [STATE_UNAVAILABLE]


async def test_unknown_in_between(stage: Stage) -> None:
    """A server that is unknown, as before its first poll, has not become reachable."""
    entity_id = stage.entity_id(REACHABLE)
    calls = await async_automate(
        stage.hass, "server_reachable", {"entity_id": entity_id}
    )
    for state in (STATE_UNKNOWN, "on", "off", STATE_UNKNOWN):
        stage.hass.states.async_set(entity_id, state)
        await async_settle(stage.hass)
        assert calls == []
    stage.hass.states.async_set(entity_id, "on")
    await async_settle(stage.hass)
    assert [call.data["from"] for call in calls] == [STATE_UNKNOWN]


@pytest.mark.parametrize(
    ("trigger", "name", "before", "cause"),
    [case for case in CASES if case[1] != SIGN_IN],
    ids=[case[0] for case in CASES if case[1] != SIGN_IN],
)
async def test_first_state(
    stage: Stage, trigger: str, name: str, before: list[Cause], cause: Cause
) -> None:
    """Nothing fires by the first state: of an automation or after a restart.

    For sign-ins, which are told of, see behavior/test_restarts.py.
    """
    await stage.go_through(before)
    target = {"entity_id": stage.entity_id(name)}
    await stage.hass.config_entries.async_unload(stage.entry.entry_id)
    await async_settle(stage.hass)
    assert stage.state(name) == STATE_UNAVAILABLE
    calls = await async_automate(stage.hass, trigger, target)
    await cause(stage)
    await stage.hass.config_entries.async_setup(stage.entry.entry_id)
    await async_settle(stage.hass)
    assert stage.state(name) != STATE_UNAVAILABLE
    assert calls == []


async def test_new_entity(harness: Harness) -> None:
    """An entity that appears with a state has not changed to it."""
    await harness.add(harness.ben)
    entity_id = harness.entity_id(SIGN_IN, harness.ben)
    await harness.hass.config_entries.async_remove(
        harness.hass.config_entries.async_entries(DOMAIN)[0].entry_id
    )
    calls = await async_automate(
        harness.hass, "sign_in_accepted", {"entity_id": entity_id}
    )
    await harness.add(harness.ben)
    assert harness.state(SIGN_IN, harness.ben) == "off"
    assert calls == []


async def test_entity_that_was_removed(stage: Stage) -> None:
    """What an entity said is forgotten when it is removed."""
    calls = await async_automate(
        stage.hass, "sign_in_rejected", {"entity_id": stage.entity_id(SIGN_IN)}
    )
    await stage.hass.config_entries.async_remove(stage.entry.entry_id)
    await async_settle(stage.hass)
    stage.simulator.faults.set("user", Fault.html(502))
    await stage.set_up()
    assert stage.state(SIGN_IN) == STATE_UNAVAILABLE
    stage.simulator.faults.clear()
    await stage.reject_token()
    assert stage.state(SIGN_IN) == "on"
    assert calls == []


@each_trigger
async def test_targets(
    stage: Stage, trigger: str, name: str, before: list[Cause], cause: Cause
) -> None:
    """Of all that a target reaches, in whatever way, only our own entity counts.

    It holds all entities of the account and of its server, and strangers.
    """
    await stage.go_through(before)
    strangers = add_strangers(stage.hass)
    target = target_everything(stage.hass, stage.entry, stage.server, strangers)
    calls = await async_automate(stage.hass, trigger, target)
    for state in ("off", "on", "off"):
        for stranger in strangers:
            stage.hass.states.async_set(
                stranger,
                state,
                {"event_type": "destroyed", "device_class": "problem"},
            )
        await async_settle(stage.hass)
    assert calls == []
    await cause(stage)
    assert [call.data["entity_id"] for call in calls] == [stage.entity_id(name)]


async def test_other_entity_of_ours(
    harness: Harness, freezer: FrozenDateTimeFactory
) -> None:
    """An entity of this integration that has the same device class does not count."""
    stage = Stage(harness, freezer)
    stage.account.overrides["services"] = [{"identifier": "epg", "status": "online"}]
    with everything_enabled():
        await stage.set_up()
    services = harness.entity_id("binary_sensor.plex_services")
    calls = await async_automate(
        harness.hass, "sign_in_rejected", {"entity_id": services}
    )
    stage.account.overrides["services"] = [{"identifier": "epg", "status": "offline"}]
    await stage.poll_account()
    assert harness.state("binary_sensor.plex_services") == "on"
    assert calls == []


@pytest.mark.parametrize(
    ("event", "count"), [("issued", 0), ("expired", 0), ("destroyed", 1)]
)
async def test_only_destroyed(stage: Stage, event: str, count: int) -> None:
    """Of the events of a transient token only its destruction fires."""
    target = {"entity_id": stage.entity_id(TRANSIENT_TOKEN)}
    calls = await async_automate(stage.hass, "transient_token_destroyed", target)
    await stage.issue_transient_token()
    if event == "expired":
        await async_pass(stage.hass, stage.freezer, timedelta(hours=48))
    elif event == "destroyed":
        await stage.destroy_transient_token()
    state = stage.hass.states.get(stage.entity_id(TRANSIENT_TOKEN))
    assert state is not None
    assert state.attributes["event_type"] == event
    assert len(calls) == count


async def test_first_event_of_an_entity(stage: Stage) -> None:
    """It counts as well when it is the first that the entity sees: it was disabled."""
    entity_id = stage.entity_id(TRANSIENT_TOKEN)
    registry = er.async_get(stage.hass)
    registry.async_update_entity(entity_id, disabled_by=er.RegistryEntryDisabler.USER)
    await async_settle(stage.hass)
    await stage.issue_transient_token()
    registry.async_update_entity(entity_id, disabled_by=None)
    await stage.poll_server()  # reloads, too
    assert stage.state(TRANSIENT_TOKEN) == STATE_UNKNOWN
    calls = await async_automate(
        stage.hass, "transient_token_destroyed", {"entity_id": entity_id}
    )
    await stage.destroy_transient_token()
    assert len(calls) == 1


async def test_destroyed_again(stage: Stage) -> None:
    """Each token that is destroyed counts."""
    target = {"entity_id": stage.entity_id(TRANSIENT_TOKEN)}
    calls = await async_automate(stage.hass, "transient_token_destroyed", target)
    for count in (1, 2):
        await stage.issue_transient_token()
        await stage.destroy_transient_token()
        assert len(calls) == count


@pytest.mark.parametrize(
    ("behavior", "told"),
    [(None, 2), ("each", 2), ("first", 1), ("all", 1)],
)
async def test_behavior(
    harness: Harness, freezer: FrozenDateTimeFactory, behavior: str | None, told: int
) -> None:
    """Two servers that go: each counts, or the first, or when both are gone."""
    anna, servers = harness.anna, [harness.server, harness.world.basement]
    await harness.add(anna, *servers)
    entity_ids = [harness.entity_id(REACHABLE, anna, server) for server in servers]
    options = {} if behavior is None else {"behavior": behavior}
    calls = await async_automate(
        harness.hass, "server_unreachable", {"entity_id": entity_ids}, **options
    )
    for server in servers:
        await server.stop()
        await harness.wait(freezer, SERVER_POLL)
    assert [call.data["entity_id"] for call in calls] == {
        2: entity_ids,
        1: entity_ids[:1] if behavior == "first" else entity_ids[1:],
    }[told]


@pytest.mark.parametrize("behavior", ["each", "first", "all"])
@pytest.mark.parametrize("late", [0, 1])
async def test_behavior_over_a_reload(
    harness: Harness, freezer: FrozenDateTimeFactory, behavior: str, late: int
) -> None:
    """What entities said before they were unavailable counts for first and all."""
    anna, servers = harness.anna, [harness.server, harness.world.basement]
    entry = await harness.add(anna, *servers)
    entity_ids = [harness.entity_id(REACHABLE, anna, server) for server in servers]
    calls = await async_automate(
        harness.hass, "server_unreachable", {"entity_id": entity_ids}, behavior=behavior
    )
    told = {"each": 1, "first": 1, "all": 0}[behavior]
    for server in (servers[1 - late], servers[late]):
        await harness.hass.config_entries.async_unload(entry.entry_id)
        await harness.settle()
        await server.stop()
        await harness.hass.config_entries.async_setup(entry.entry_id)
        await harness.settle()
        assert len(calls) == told
        told = {"each": 2, "first": 1, "all": 1}[behavior]


async def test_for(stage: Stage) -> None:
    """A state has to hold for the time that is asked for."""
    target = {"entity_id": stage.entity_id(REACHABLE)}
    calls = await async_automate(
        stage.hass, "server_unreachable", target, **{"for": {"minutes": 12}}
    )
    await stage.stop_server()
    await stage.poll_server()
    await stage.start_server()
    await stage.poll_server()
    await stage.poll_server()
    assert calls == []
    await stage.stop_server()
    await stage.poll_server()
    assert calls == []
    await stage.poll_server()
    await stage.poll_server()
    assert len(calls) == 1


async def test_for_begins_anew(stage: Stage) -> None:
    """A reload begins the time anew; what was told once is not told again."""
    target = {"entity_id": stage.entity_id(REACHABLE)}
    calls = await async_automate(
        stage.hass, "server_unreachable", target, **{"for": {"minutes": 12}}
    )
    await stage.stop_server()
    for _ in range(3):
        await stage.poll_server()
        await stage.reload()
        assert calls == []
    for _ in range(3):
        await stage.poll_server()
    assert len(calls) == 1
    await stage.reload()
    for _ in range(3):
        await stage.poll_server()
    assert len(calls) == 1


async def test_automation_that_is_turned_off(stage: Stage) -> None:
    """An automation that is turned off leaves no listener behind."""
    target = {"entity_id": stage.entity_id(REACHABLE)}
    calls = await async_automate(stage.hass, "server_unreachable", target)
    listeners = stage.hass.bus.async_listeners()
    for service in ("turn_off", "turn_on"):
        await stage.hass.services.async_call(
            "automation", service, {"entity_id": "all"}, blocking=True
        )
    assert stage.hass.bus.async_listeners() == listeners
    await stage.stop_server()
    assert len(calls) == 1


async def test_wrong_configuration(hass: HomeAssistant) -> None:
    """A trigger without a target or with an option that is none is refused."""
    for trigger, broken in product(TRIGGERS, WRONG_CONFIGURATIONS):
        with pytest.raises(vol.Invalid):
            await async_validate_trigger_config(
                hass, [{"platform": f"{DOMAIN}.{trigger}", **broken}]
            )

"""What plex.tv says of a sign-in around a restart is told once, and after the start."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from freezegun.api import FrozenDateTimeFactory
import pytest
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    async_mock_service,
    async_test_home_assistant,
)

from custom_components.plex_auth.const import CONF_CLIENT_IDENTIFIER, DOMAIN
from homeassistant.config_entries import ConfigEntryDisabler, ConfigEntryState
from homeassistant.const import CONF_TOKEN, STATE_UNAVAILABLE, STATE_UNKNOWN
from homeassistant.core import CoreState, HomeAssistant, ServiceCall
from homeassistant.helpers import frame
from homeassistant.loader import DATA_CUSTOM_COMPONENTS
from homeassistant.setup import async_setup_component
from tests.harness import Harness
from tests.helpers import (
    account_coordinator,
    async_pass,
    async_settle,
    home_user_data,
    make_entry,
    reauth_flows,
    subentry_of,
)
from tests.plex_simulator import Fault
from tests.test_blueprints import imported

SIGN_IN = "binary_sensor.anna_sign_in"
CHILD_SIGN_IN = "binary_sensor.lina_sign_in"
ACCOUNT_POLL = timedelta(minutes=31)
REJECTED = Fault.plex_error(1001, 401)
AWAY = Fault.html(502)

# Told by the blueprint, by a trigger, and by a change of the state.
REJECTION = ["blueprint: rejected", "state: off to on", "trigger: rejected"]
ACCEPTANCE = ["blueprint: accepted", "state: on to off", "trigger: accepted"]


def automations(sign_in: str) -> list[dict[str, Any]]:
    """Return automations that tell of a change of a sign-in, each in its own way."""

    def tell(told: str) -> dict[str, Any]:
        return {"action": "test.tell", "data": {"told": told}}

    return [
        {
            "alias": "Blueprint",
            "use_blueprint": {
                "path": f"{DOMAIN}/sign_in_stopped.yaml",
                "input": {
                    "accounts": {"entity_id": sign_in},
                    "rejected_actions": [tell("blueprint: rejected")],
                    "accepted_actions": [tell("blueprint: accepted")],
                },
            },
        },
        {
            "alias": "States",
            "triggers": [
                {"trigger": "state", "entity_id": sign_in, "from": one, "to": other}
                for one, other in (("off", "on"), ("on", "off"))
            ],
            "actions": tell(
                "state: {{ trigger.from_state.state }} to {{ trigger.to_state.state }}"
            ),
        },
        *(
            {
                "alias": f"Sign-in {word}",
                "triggers": {
                    "trigger": f"{DOMAIN}.sign_in_{word}",
                    "target": {"entity_id": sign_in},
                },
                "actions": tell(f"trigger: {word}"),
            }
            for word in ("accepted", "rejected")
        ),
    ]


@dataclass(slots=True)
class Run:
    """Hold one run of Home Assistant, and what automations told in it."""

    hass: HomeAssistant
    entry: MockConfigEntry
    calls: list[ServiceCall]
    sign_in: str

    @property
    def told(self) -> list[str]:
        """Return what was told, in the order of the alphabet."""
        return sorted(call.data["told"] for call in self.calls)

    @property
    def state(self) -> str:
        """Return the state of the entity Sign-in."""
        state = self.hass.states.get(self.sign_in)
        assert state is not None
        return state.state

    async def start(self) -> None:
        """Let Home Assistant finish its start."""
        await self.hass.async_start()
        await async_settle(self.hass)

    async def wait(self, freezer: FrozenDateTimeFactory, step: timedelta) -> None:
        """Let time pass, and wait for what is due by then."""
        await async_pass(self.hass, freezer, step)


@asynccontextmanager
async def starting(
    entry: MockConfigEntry, sign_in: str = SIGN_IN
) -> AsyncIterator[Run]:
    """Yield a Home Assistant that is about to finish its start, with an entry set up.

    It shares nothing with one before it but what is stored, and ends at the end. Its
    automations tell of a sign-in.
    """
    async with async_test_home_assistant(initial_state=CoreState.not_running) as hass:
        hass.data.pop(DATA_CUSTOM_COMPONENTS)
        frame.async_setup(hass)
        same = MockConfigEntry(
            domain=DOMAIN,
            entry_id=entry.entry_id,
            title=entry.title,
            unique_id=entry.unique_id,
            data=entry.data,
            subentries_data=[one.as_dict() for one in entry.subentries.values()],
        )
        calls: list[ServiceCall] = async_mock_service(hass, "test", "tell")
        same.add_to_hass(hass)
        with imported():
            assert await async_setup_component(
                hass, "automation", {"automation": automations(sign_in)}
            )
        await hass.config_entries.async_setup(same.entry_id)
        await async_settle(hass)
        try:
            yield Run(hass, same, calls, sign_in)
        finally:
            if same.state is ConfigEntryState.LOADED:
                await hass.config_entries.async_unload(same.entry_id)
            await hass.async_stop(force=True)


@pytest.fixture
async def stopped(harness: Harness) -> MockConfigEntry:
    """Return Anna's entry, after a run in which plex.tv accepted her sign-in."""
    entry = await harness.add(harness.anna, harness.server)
    assert harness.state("binary_sensor.sign_in") == "off"
    await harness.hass.config_entries.async_unload(entry.entry_id)
    return entry


async def test_rejected_while_off(harness: Harness, stopped: MockConfigEntry) -> None:
    """A rejection is told once automations listen, and not again at the next start."""
    harness.anna.revoke_tokens()
    async with starting(stopped) as run:
        assert (run.state, run.told) == ("off", [])
        assert reauth_flows(run.hass, run.entry) == 1
        await run.start()
        assert (run.state, run.told) == ("on", REJECTION)
    async with starting(stopped) as run:
        assert run.state == "on"
        await run.start()
        assert (run.state, run.told) == ("on", [])


async def test_accepted_while_off(harness: Harness, stopped: MockConfigEntry) -> None:
    """An acceptance is told once automations listen, and not again."""
    harness.simulator.faults.set("user", REJECTED)
    async with starting(stopped) as run:
        await run.start()
        assert run.told == REJECTION
    harness.simulator.faults.clear()
    async with starting(stopped) as run:
        assert (run.state, run.told) == ("on", [])
        assert not reauth_flows(run.hass, run.entry)
        await run.start()
        assert (run.state, run.told) == ("off", ACCEPTANCE)
    async with starting(stopped) as run:
        await run.start()
        assert (run.state, run.told) == ("off", [])


async def test_rejected_while_starting(
    harness: Harness, stopped: MockConfigEntry
) -> None:
    """A rejection that is taken back before the start is over is none."""
    harness.simulator.faults.set("user", REJECTED)
    async with starting(stopped) as run:
        harness.simulator.faults.clear()
        await account_coordinator(run.entry).async_poll()
        await run.start()
        assert (run.state, run.told) == ("off", [])
        harness.simulator.faults.set("user", REJECTED)
        await account_coordinator(run.entry).async_poll()
        await async_settle(run.hass)
        assert run.told == REJECTION


async def test_rejected_while_stopping(
    harness: Harness, stopped: MockConfigEntry
) -> None:
    """Automations do not run any more while Home Assistant stops: it is told later."""
    async with starting(stopped) as run:
        await run.start()
        harness.anna.revoke_tokens()
        run.hass.set_state(CoreState.stopping)
        await account_coordinator(run.entry).async_poll()
        await async_settle(run.hass)
        assert (run.state, run.told) == ("off", [])
    async with starting(stopped) as run:
        await run.start()
        assert run.told == REJECTION


@pytest.mark.parametrize("is_usable", [True, False])
async def test_plex_tv_away_at_start(
    harness: Harness, freezer: FrozenDateTimeFactory, is_usable: bool
) -> None:
    """What was said meanwhile is told when plex.tv answers, also by another start."""
    entry = await harness.add(harness.anna, *([harness.server] if is_usable else []))
    # While the clock stands, nothing is saved.
    await harness.wait(freezer, timedelta(seconds=1))
    await harness.hass.config_entries.async_unload(entry.entry_id)
    harness.anna.revoke_tokens()
    harness.simulator.faults.set("user", AWAY)
    for _ in range(2):
        async with starting(entry) as run:
            await run.start()
            state = run.hass.states.get(SIGN_IN)
            assert not is_usable or run.state == STATE_UNAVAILABLE
            assert is_usable or state is None
            assert run.told == []
    async with starting(entry) as run:
        await run.start()
        harness.simulator.faults.clear()
        for _ in range(3):
            await run.wait(freezer, ACCOUNT_POLL)
        assert run.state == "on"
        # The outage lies between the states: only the triggers see past it.
        seen = [one for one in REJECTION if not (is_usable and "state" in one)]
        assert run.told == seen


@pytest.mark.parametrize(("faults", "state"), [({"user": REJECTED}, "on"), ({}, "off")])
async def test_first_start_tells_nothing(
    harness: Harness, faults: dict[str, Fault], state: str
) -> None:
    """Of a sign-in of which nothing is stored only the state is shown."""
    for endpoint, fault in faults.items():
        harness.simulator.faults.set(endpoint, fault)
    entry = make_entry(harness.simulator, harness.anna, [harness.server])
    async with starting(entry) as run:
        assert run.state == state
        await run.start()
        assert (run.state, run.told) == (state, [])


async def test_disabled_meanwhile(harness: Harness, stopped: MockConfigEntry) -> None:
    """What happened while an account was disabled is told when it is enabled."""
    async with starting(stopped) as run:
        await run.start()
        entries = run.hass.config_entries
        await entries.async_set_disabled_by(
            run.entry.entry_id, ConfigEntryDisabler.USER
        )
        harness.anna.revoke_tokens()
        await entries.async_set_disabled_by(run.entry.entry_id, None)
        await async_settle(run.hass)
        assert (run.state, run.told) == ("on", REJECTION)


async def test_killed_after_it_was_told(
    harness: Harness, stopped: MockConfigEntry, hass_storage: dict[str, Any]
) -> None:
    """The word is stored when it is told, not when Home Assistant ends."""
    key = f"{DOMAIN}.{stopped.entry_id}"
    harness.anna.revoke_tokens()
    async with starting(stopped) as run:
        assert hass_storage[key]["data"]["rejected"] == {stopped.entry_id: False}
        await run.start()
        assert hass_storage[key]["data"]["rejected"] == {stopped.entry_id: True}


@pytest.mark.parametrize("is_inside", [True, False])
@pytest.mark.parametrize("rejected", [None, "nonsense", 1])
async def test_stored_nonsense(
    harness: Harness,
    stopped: MockConfigEntry,
    hass_storage: dict[str, Any],
    rejected: object,
    is_inside: bool,
) -> None:
    """What is no word counts as none."""
    stored = hass_storage[f"{DOMAIN}.{stopped.entry_id}"]["data"]
    stored["rejected"] = {stopped.entry_id: rejected} if is_inside else rejected
    harness.anna.revoke_tokens()
    async with starting(stopped) as run:
        assert run.state == "on"
        await run.start()
        assert (run.state, run.told) == ("on", [])


async def test_own_device(harness: Harness, stopped: MockConfigEntry) -> None:
    """A new sign-in is another device in place of the one known before the restart."""
    client_identifier = stopped.data[CONF_CLIENT_IDENTIFIER]
    harness.anna.revoke_token(client_identifier)
    async with starting(stopped) as run:
        await run.start()
        token = harness.anna.sign_in_token(client_identifier)
        run.hass.config_entries.async_update_entry(
            run.entry, data={**run.entry.data, CONF_TOKEN: token}
        )
        await account_coordinator(run.entry).async_poll()
        await async_settle(run.hass)
        state = run.hass.states.get("event.anna_authorized_device")
        assert state is not None
        assert state.state == STATE_UNKNOWN


@pytest.fixture
async def child_stopped(harness: Harness) -> MockConfigEntry:
    """Return Anna's entry with a child, after a run in which plex.tv accepted both."""
    entry = await harness.add(harness.anna, harness.server)
    child = harness.world.home.child
    await harness.add_home_user(entry, child)
    assert harness.state("binary_sensor.sign_in", child) == "off"
    await harness.hass.config_entries.async_unload(entry.entry_id)
    return entry


async def test_home_user_rejected_while_off(
    harness: Harness, child_stopped: MockConfigEntry
) -> None:
    """The rejection of a Home user is told once after the start, the account's not."""
    harness.world.home.child.revoke_tokens()
    async with starting(child_stopped, CHILD_SIGN_IN) as run:
        assert (run.state, run.told) == ("off", [])
        await run.start()
        assert (run.state, run.told) == ("on", REJECTION)
    async with starting(child_stopped, CHILD_SIGN_IN) as run:
        assert run.state == "on"
        await run.start()
        assert (run.state, run.told) == ("on", [])
    async with starting(child_stopped) as run:
        await run.start()
        assert (run.state, run.told) == ("off", [])


async def test_home_user_switched_again(
    harness: Harness, child_stopped: MockConfigEntry
) -> None:
    """A Home user that plex.tv accepts again is told of, once."""
    child = harness.world.home.child
    child.revoke_tokens()
    async with starting(child_stopped, CHILD_SIGN_IN) as run:
        await run.start()
        assert run.told == REJECTION
        run.calls.clear()
        subentry = subentry_of(run.entry, child)
        run.hass.config_entries.async_update_subentry(
            run.entry, subentry, data=home_user_data(child)["data"]
        )
        await async_settle(run.hass)
        assert (run.state, run.told) == ("off", ACCEPTANCE)


async def test_home_user_removed_while_off(
    harness: Harness, child_stopped: MockConfigEntry, hass_storage: dict[str, Any]
) -> None:
    """Of a Home user that was removed nothing is kept once something is stored."""
    key = f"{DOMAIN}.{child_stopped.entry_id}"
    child_id = subentry_of(child_stopped, harness.world.home.child).subentry_id
    words = {child_stopped.entry_id: False, child_id: False}
    assert hass_storage[key]["data"]["rejected"] == words
    harness.hass.config_entries.async_remove_subentry(child_stopped, child_id)
    harness.anna.revoke_tokens()
    async with starting(child_stopped) as run:
        await run.start()
    assert hass_storage[key]["data"]["rejected"] == {child_stopped.entry_id: True}

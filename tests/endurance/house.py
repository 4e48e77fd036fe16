"""A house in which time passes, and Home Assistant starts anew on what it stored."""

from collections import Counter
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass, replace
from datetime import datetime, time, timedelta
import logging
from typing import Any, Final, override

from freezegun.api import FrozenDateTimeFactory
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    async_test_home_assistant,
)

from custom_components.plex_auth.const import DOMAIN
from custom_components.plex_auth.trigger import TRIGGERS
from homeassistant.bootstrap import async_load_base_functionality
from homeassistant.const import EVENT_STATE_CHANGED, STATE_UNAVAILABLE, STATE_UNKNOWN
from homeassistant.core import (
    CoreState,
    Event,
    EventStateChangedData,
    ServiceCall,
    callback,
)
from homeassistant.helpers import issue_registry as ir
from homeassistant.helpers.storage import Store
from homeassistant.loader import DATA_CUSTOM_COMPONENTS
from homeassistant.setup import async_setup_component
from tests.harness import Harness
from tests.resource_usage import ResourceUsage

STEP: Final = timedelta(minutes=5)
"""The shortest interval of a poll: with steps of it, no poll is left out."""

DAY: Final = timedelta(days=1)
MIDNIGHT: Final = "2026-10-19 00:00:00+00:00"
TIME_ZONE: Final = "Europe/Berlin"

type Note = tuple[int, str]
"""What was told on a day, counted from zero."""


@dataclass(frozen=True, slots=True)
class Holdings:
    """Hold what a house has in memory, in registries and on disk."""

    usage: ResourceUsage
    rows: dict[str, int]

    def grown_since(self, before: Holdings) -> dict[str, tuple[int, int]]:
        """Return what there is more of."""
        return self.usage.grown_since(before.usage) | {
            name: (before.rows[name], number)
            for name, number in self.rows.items()
            if number > before.rows[name]
        }

    def figures(self) -> dict[str, int]:
        """Return the numbers by their names."""
        return asdict(self.usage) | self.rows


def _count_values(stored: Any) -> int:
    """Return how many values there are in a value of JSON.

    Their length says nothing: ports, numbers and tokens are other ones in each run.
    """
    if isinstance(stored, dict):
        return sum(_count_values(value) for value in stored.values())
    if isinstance(stored, list):
        return sum(_count_values(value) for value in stored)
    return 1


class Lines(logging.Handler):
    """What hands on each warning and error that is logged."""

    def __init__(self, note: Callable[[str], None]) -> None:
        """Initialize with what takes a line."""
        super().__init__(logging.WARNING)
        self._note = note

    @override
    def emit(self, record: logging.LogRecord) -> None:
        """Hand on a line, unless it is that of each start about custom integrations."""
        if record.name != "homeassistant.loader":
            self._note(record.getMessage())


class House:
    """A house with an account, whose Home Assistant may be off.

    Notes what triggers tell, what event entities show, which repairs come and go, and
    what is logged as a warning or an error.
    """

    def __init__(
        self,
        harness: Harness,
        freezer: FrozenDateTimeFactory,
        storage: dict[str, Any],
        targets: list[str],
    ) -> None:
        """Initialize with what is stored, and the entities that automations target."""
        self.harness = harness
        self.lines = Lines(self._note_line)
        self.notes: list[Note] = []
        self.asked = Counter[str]()
        self.starts = 0
        self.passed = timedelta()
        self.clock_error = timedelta()
        self._freezer = freezer
        self._storage = storage
        self._targets = targets
        self._run = AsyncExitStack()
        self._repairs = set[str]()
        self._last_events: dict[str, str] = {}
        freezer.move_to(MIDNIGHT)

    # Time

    async def wait_until(self, day: int, moment: time) -> None:
        """Let time pass up to a moment of a day, in steps."""
        hours = datetime.combine(datetime.min, moment) - datetime.min
        while self.passed < day * DAY + hours:
            await self.wait()

    async def wait(self) -> None:
        """Let one step of time pass."""
        self.passed += STEP
        await self.harness.wait(self._freezer, STEP)
        if not self.passed % DAY:
            self.asked += self.harness.asked()

    def set_clock(self, step: timedelta) -> None:
        """Set the clock of this machine: neither the loop's, nor that of Plex."""
        self.clock_error += step
        self._freezer.tick(step)
        self.harness.simulator.clock.advance(-step)

    # Home Assistant

    @property
    def entry(self) -> MockConfigEntry:
        """Return the entry of the account, as Home Assistant has it now."""
        (entry,) = self.harness.hass.config_entries.async_entries(DOMAIN)
        return entry

    async def start(self, added: MockConfigEntry | None = None) -> None:
        """Start Home Assistant on what is stored, the first time with an entry."""
        self.starts += 1
        hass = await self._run.enter_async_context(
            async_test_home_assistant(
                load_registries=False, initial_state=CoreState.not_running
            )
        )
        self.harness = replace(self.harness, hass=hass)
        hass.data.pop(DATA_CUSTOM_COMPONENTS)
        assert await async_load_base_functionality(hass)
        await hass.config.async_set_time_zone(TIME_ZONE)
        if added is not None:
            added.add_to_hass(hass)
            hass.config_entries._async_schedule_save()
        hass.services.async_register("house", "note", self._note_call)
        hass.bus.async_listen(EVENT_STATE_CHANGED, self._note_event)
        hass.bus.async_listen(
            ir.EVENT_REPAIRS_ISSUE_REGISTRY_UPDATED, self._note_repairs
        )
        assert await async_setup_component(
            hass, "automation", {"automation": self._automations()}
        )
        assert await async_setup_component(hass, DOMAIN, {})
        await self.harness.settle()
        await hass.async_start()
        await self.harness.settle()
        self._note_repairs()

    async def stop(self) -> None:
        """Stop Home Assistant, which stores what it has to."""
        await self.harness.hass.async_stop()
        await self._run.aclose()
        for stand_in in (Store._async_load, Store._async_write_data):
            # It keeps what it was called with: all that was ever stored.
            stand_in.reset_mock()  # type: ignore[union-attr]

    def holdings(self) -> Holdings:
        """Count what there is now."""
        usage = ResourceUsage.now(self.harness)
        rows = {
            name: len(rows)
            for registry in ("core.device_registry", "core.entity_registry")
            for name, rows in self._storage[registry]["data"].items()
        }
        rows["issues"] = len(ir.async_get(self.harness.hass).issues)
        rows["stored values"] = sum(
            _count_values(stored)
            for key, stored in self._storage.items()
            if key.startswith((DOMAIN, "core.config_entries"))
        )
        return Holdings(usage, rows)

    # Notes

    def _note(self, text: str) -> None:
        self.notes.append((self.passed // DAY, text))

    def _note_line(self, line: str) -> None:
        """Note a line of the log up to its reason, whatever its names are now."""
        what = line.partition(":")[0].replace(self.harness.anna.title, "Anna")
        what = what.replace(self.harness.world.living_room.name, "Living Room")
        self._note(f"log: {what}")

    @callback
    def _note_call(self, call: ServiceCall) -> None:
        self._note(call.data["text"])

    @callback
    def _note_event(self, event: Event[EventStateChangedData]) -> None:
        """Note what an event entity shows that it did not show before, or before a stop."""
        entity_id, state = event.data["entity_id"], event.data["new_state"]
        if not entity_id.startswith("event.") or state is None:
            return
        if state.state in {
            STATE_UNAVAILABLE,
            STATE_UNKNOWN,
            self._last_events.get(entity_id),
        }:
            return
        self._last_events[entity_id] = state.state
        self._note(f"{entity_id}: {state.attributes['event_type']}")

    @callback
    def _note_repairs(self, _: object = None) -> None:
        """Note which repairs have come or gone; none is known until a start is over."""
        hass = self.harness.hass
        if hass.state is not CoreState.running:
            return
        shown = {
            str(issue.translation_key)
            for issue in ir.async_get(hass).issues.values()
            if issue.active and issue.dismissed_version is None
        }
        for key in shown - self._repairs:
            self._note(f"repair comes: {key}")
        for key in self._repairs - shown:
            self._note(f"repair goes: {key}")
        self._repairs = shown

    def _automations(self) -> list[dict[str, Any]]:
        """Return an automation for each trigger, which notes what it tells."""
        return [
            {
                "alias": name,
                "triggers": {
                    "trigger": f"{DOMAIN}.{name}",
                    "target": {"entity_id": self._targets},
                },
                "actions": {
                    "action": "house.note",
                    "data": {"text": f"{name}: {{{{ trigger.entity_id }}}}"},
                },
                "mode": "parallel",
            }
            for name in TRIGGERS
        ]

"""Triggers for the automation editor."""

from collections.abc import Iterable, Mapping
from typing import ClassVar, Final, override

from homeassistant.components.binary_sensor import DOMAIN as BINARY_SENSOR_DOMAIN
from homeassistant.components.event import ATTR_EVENT_TYPE, DOMAIN as EVENT_DOMAIN
from homeassistant.const import STATE_OFF, STATE_ON, STATE_UNAVAILABLE, STATE_UNKNOWN
from homeassistant.core import CALLBACK_TYPE, HomeAssistant, State, callback
from homeassistant.helpers.automation import DomainSpec
from homeassistant.helpers.target import (
    TargetStateChangedData,
    async_track_target_selector_state_change_event,
)
from homeassistant.helpers.trigger import (
    ENTITY_STATE_TRIGGER_SCHEMA,
    EntityTargetStateTriggerBase,
    EntityTriggerBase,
    NotTriggeredReasonReporter,
    Trigger,
    TriggerActionRunner,
    TriggerConfig,
    TriggerNotTriggeredReporter,
)
from homeassistant.util import dt as dt_util

from .account_memory import DeviceEvent
from .automation import own_entities
from .transient_tokens import TransientTokenEvent

BINARY_SENSORS: Final[Mapping[str, DomainSpec]] = {BINARY_SENSOR_DOMAIN: DomainSpec()}
EVENTS: Final[Mapping[str, DomainSpec]] = {EVENT_DOMAIN: DomainSpec()}


class OwnEntityTrigger(EntityTriggerBase):
    """A trigger on entities of this integration that looks past unavailable states.

    The base classes ignore changes from `unavailable`. Here they count against the last
    known state, so none is missed. Without a known state, as after a restart, nothing fires.
    """

    _translation_key: ClassVar[str]
    _excluded_from_states: ClassVar[frozenset[str]] = frozenset()
    _ignored_states: ClassVar[frozenset[str]] = frozenset(
        {STATE_UNAVAILABLE, STATE_UNKNOWN}
    )

    def __init__(self, hass: HomeAssistant, config: TriggerConfig) -> None:
        """Initialize without known states."""
        super().__init__(hass, config)
        self._last_known: dict[str, State] = {}

    @override
    def entity_filter(self, entities: set[str]) -> set[str]:
        """Return the entities of this trigger."""
        return own_entities(
            self._hass, super().entity_filter(entities), self._translation_key
        )

    @override
    def is_valid_transition(self, from_state: State, to_state: State) -> bool:
        """Return whether the state differs from the last known one."""
        known: State | None = from_state
        if from_state.state in self._ignored_states:
            known = self._last_known.get(from_state.entity_id)
        return known is not None and super().is_valid_transition(known, to_state)

    @override
    def count_matches(
        self,
        entity_ids: Iterable[str],
        states: Mapping[str, State | None] | None = None,
    ) -> tuple[int, int]:
        """Count by last known states: an unavailable entity has not changed."""
        known: dict[str, State | None] = {}
        for entity_id in entity_ids:
            state = (
                self._hass.states.get(entity_id)
                if states is None
                else states[entity_id]
            )
            if state is not None and state.state in self._ignored_states:
                state = self._last_known.get(entity_id)
            known[entity_id] = state
        return super().count_matches(known, known)

    @override
    async def async_attach_runner(
        self,
        run_action: TriggerActionRunner,
        did_not_trigger: TriggerNotTriggeredReporter | None = None,
    ) -> CALLBACK_TYPE:
        """Attach the trigger, and a listener that remembers known states."""
        detach = await super().async_attach_runner(run_action, did_not_trigger)
        forget = await async_track_target_selector_state_change_event(
            self._hass,
            self._target,
            self._remember,
            self.entity_filter,
            primary_entities_only=self._primary_entities_only,
        )

        @callback
        def async_detach() -> None:
            forget()
            detach()

        return async_detach

    @callback
    def _remember(self, data: TargetStateChangedData) -> None:
        """Remember the previous state; forget an entity that was added or removed."""
        event = data.state_change_event.data
        left = event["old_state"]
        if left is None or event["new_state"] is None:
            self._last_known.pop(event["entity_id"], None)
        elif left.state not in self._ignored_states and not self._was_cut_short(left):
            self._last_known[left.entity_id] = left

    def _was_cut_short(self, left: State) -> bool:
        """Return whether a state ended before `for` was over, so it never fired."""
        return (
            self._duration is not None
            and self.is_valid_state(left, _no_report)
            and dt_util.utcnow() - left.last_changed < self._duration
        )


class OwnBinarySensorTrigger(OwnEntityTrigger, EntityTargetStateTriggerBase):
    """Trigger for a binary sensor of this integration."""

    _domain_specs = BINARY_SENSORS


class SignInRejectedTrigger(OwnBinarySensorTrigger):
    """Trigger for a sign-in that plex.tv rejects."""

    _translation_key = "sign_in"
    _to_states = {STATE_ON}


class SignInAcceptedTrigger(OwnBinarySensorTrigger):
    """Trigger for a sign-in that plex.tv accepts again."""

    _translation_key = "sign_in"
    _to_states = {STATE_OFF}


class ServerUnreachableTrigger(OwnBinarySensorTrigger):
    """Trigger for a server that can no longer be reached."""

    _translation_key = "reachable"
    _to_states = {STATE_OFF}


class ServerReachableTrigger(OwnBinarySensorTrigger):
    """Trigger for a server that can be reached again."""

    _translation_key = "reachable"
    _to_states = {STATE_ON}


class OwnEventTrigger(OwnEntityTrigger):
    """Trigger for an event entity of this integration."""

    _event_type: ClassVar[str]
    _domain_specs = EVENTS
    _schema = ENTITY_STATE_TRIGGER_SCHEMA
    # An unknown event entity is informative: there has been no event yet.
    _ignored_states: ClassVar[frozenset[str]] = frozenset({STATE_UNAVAILABLE})

    @override
    def is_valid_state(
        self, state: State, report_not_triggered: NotTriggeredReasonReporter
    ) -> bool:
        """Return whether the last event has the trigger's type."""
        return state.attributes.get(ATTR_EVENT_TYPE) == self._event_type


class DeviceAddedTrigger(OwnEventTrigger):
    """Trigger for a device that has signed in to an account."""

    _translation_key = "authorized_device"
    _event_type = DeviceEvent.ADDED


class TransientTokenDestroyedTrigger(OwnEventTrigger):
    """Trigger for a transient token destroyed by a restart of its server."""

    _translation_key = "transient_token"
    _event_type = TransientTokenEvent.DESTROYED


def _no_report(reason: str, /, **data: object) -> None:
    """Report nothing."""


TRIGGERS: Final[dict[str, type[Trigger]]] = {
    "sign_in_rejected": SignInRejectedTrigger,
    "sign_in_accepted": SignInAcceptedTrigger,
    "device_added": DeviceAddedTrigger,
    "server_unreachable": ServerUnreachableTrigger,
    "server_reachable": ServerReachableTrigger,
    "transient_token_destroyed": TransientTokenDestroyedTrigger,
}


async def async_get_triggers(hass: HomeAssistant) -> dict[str, type[Trigger]]:
    """Return the triggers of this integration."""
    return TRIGGERS

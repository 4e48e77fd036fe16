"""Conditions for the automation editor."""

from collections.abc import Mapping
from typing import ClassVar, Final, override

from homeassistant.components.binary_sensor import DOMAIN as BINARY_SENSOR_DOMAIN
from homeassistant.const import STATE_OFF, STATE_ON
from homeassistant.core import HomeAssistant, State
from homeassistant.helpers.automation import DomainSpec
from homeassistant.helpers.condition import Condition, EntityStateConditionBase

from .automation import own_entities

BINARY_SENSORS: Final[Mapping[str, DomainSpec]] = {BINARY_SENSOR_DOMAIN: DomainSpec()}


class OwnEntityCondition(EntityStateConditionBase):
    """A condition on own binary sensors that fails if a state is unknown.

    The base class ignores unavailable entities, so "all" would pass if none is left.
    """

    _domain_specs = BINARY_SENSORS
    _translation_key: ClassVar[str]

    @override
    def entity_filter(self, entities: set[str]) -> set[str]:
        """Return the entities of this condition."""
        return own_entities(
            self._hass, super().entity_filter(entities), self._translation_key
        )

    @override
    def _should_include(self, _state: State) -> bool:
        """Include unavailable entities, which never match."""
        return True

    @override
    def _check_all_match_state(self, states: list[State]) -> bool:
        """Return whether there are entities and all of them match."""
        return bool(states) and super()._check_all_match_state(states)


class SignInIsValidCondition(OwnEntityCondition):
    """A condition that plex.tv accepts the sign-in of an account."""

    _states = {STATE_OFF}
    _translation_key = "sign_in"


class ServerIsReachableCondition(OwnEntityCondition):
    """A condition that a server can be reached."""

    _states = {STATE_ON}
    _translation_key = "reachable"


CONDITIONS: Final[dict[str, type[Condition]]] = {
    "sign_in_is_valid": SignInIsValidCondition,
    "server_is_reachable": ServerIsReachableCondition,
}


async def async_get_conditions(hass: HomeAssistant) -> dict[str, type[Condition]]:
    """Return the conditions of this integration."""
    return CONDITIONS

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
    """Test binary sensors of this integration; what is not known does not pass.

    The base class leaves out entities that are unavailable, and passes where none is
    left and all have to match. A condition that guards something has to say no there.
    """

    _domain_specs = BINARY_SENSORS
    _translation_key: ClassVar[str]

    @override
    def entity_filter(self, entities: set[str]) -> set[str]:
        """Return the entities that this condition is for."""
        return own_entities(
            self._hass, super().entity_filter(entities), self._translation_key
        )

    @override
    def _should_include(self, _state: State) -> bool:
        """Return true: an entity that says nothing counts as one that says no."""
        return True

    @override
    def _check_all_match_state(self, states: list[State]) -> bool:
        """Return whether all match, and there is at least one."""
        return bool(states) and super()._check_all_match_state(states)


class SignInIsValidCondition(OwnEntityCondition):
    """Test whether plex.tv accepts the sign-in of an account."""

    _states = {STATE_OFF}
    _translation_key = "sign_in"


class ServerIsReachableCondition(OwnEntityCondition):
    """Test whether a server can be reached."""

    _states = {STATE_ON}
    _translation_key = "reachable"


CONDITIONS: Final[dict[str, type[Condition]]] = {
    "sign_in_is_valid": SignInIsValidCondition,
    "server_is_reachable": ServerIsReachableCondition,
}


async def async_get_conditions(hass: HomeAssistant) -> dict[str, type[Condition]]:
    """Return the conditions of this integration."""
    return CONDITIONS

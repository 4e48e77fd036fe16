"""What an automation may target: our entities, with strangers among them."""

from typing import Any

from pytest_homeassistant_custom_component.common import MockConfigEntry

from homeassistant.core import HomeAssistant
from homeassistant.helpers import (
    area_registry as ar,
    device_registry as dr,
    entity_registry as er,
    floor_registry as fr,
    label_registry as lr,
)

from .helpers import device_of
from .plex_simulator import MediaServer

WRONG_CONFIGURATIONS: tuple[dict[str, Any], ...] = (
    {},
    {"target": {"entity_id": "event.x"}, "options": {"behavior": "sometimes"}},
    {"target": {"entity_id": "event.x"}, "options": {"nonsense": 1}},
    {"target": {"entity_id": "event.x"}, "options": {"for": "nonsense"}},
)


def add_strangers(hass: HomeAssistant) -> list[str]:
    """Add entities that look like ours, but are of another integration; some unknown."""
    registry = er.async_get(hass)
    found = ["binary_sensor.not_registered", "event.not_registered"]
    for domain, key, device_class in (
        ("binary_sensor", "sign_in", "problem"),
        ("binary_sensor", "reachable", "connectivity"),
        ("event", "transient_token", None),
    ):
        stranger = registry.async_get_or_create(
            domain,
            "stranger",
            f"stranger_{key}",
            original_device_class=device_class,
            translation_key=key,
        )
        found.append(stranger.entity_id)
    return found


def target_everything(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    server: MediaServer,
    strangers: list[str],
) -> dict[str, Any]:
    """Return a target that reaches our entities in all ways but by their names.

    It reaches the strangers, too.
    """
    entities, devices = er.async_get(hass), dr.async_get(hass)
    areas = ar.async_get(hass)
    area = areas.async_create("Cellar")
    label = lr.async_get(hass).async_create("Watched")
    floor = fr.async_get(hass).async_create("Below")
    areas.async_update(area.id, floor_id=floor.floor_id)
    own_devices = [device_of(hass, entry), device_of(hass, entry, server)]
    for device in own_devices:
        devices.async_update_device(device.id, area_id=area.id, labels={label.label_id})
    for stranger in strangers:
        if stranger in entities.entities:
            entities.async_update_entity(
                stranger, area_id=area.id, labels={label.label_id}
            )
    return {
        "entity_id": strangers,
        "device_id": [device.id for device in own_devices],
        "area_id": area.id,
        "floor_id": floor.floor_id,
        "label_id": label.label_id,
    }

"""Triggers and conditions as the automation editor shows them."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from typing import Any

import pytest
from pytest_homeassistant_custom_component.typing import WebSocketGenerator

from custom_components.plex_auth.condition import CONDITIONS, async_get_conditions
from custom_components.plex_auth.const import DOMAIN
from custom_components.plex_auth.trigger import TRIGGERS, async_get_triggers
from homeassistant.core import HomeAssistant
from homeassistant.helpers import config_validation as cv
from homeassistant.helpers.selector import (
    AutomationBehaviorSelector,
    TargetSelector,
    validate_selector,
)
from homeassistant.setup import async_setup_component
from homeassistant.util.yaml import load_yaml_dict

from .documentation import INTEGRATION
from .helpers import async_add_account
from .plex_simulator import PlexSimulator
from .plex_simulator.worlds import DemoWorld

WITHOUT_OPTIONS = {"device_added", "transient_token_destroyed"}


@pytest.mark.parametrize(
    ("kind", "get", "keys"),
    [
        ("trigger", async_get_triggers, set(TRIGGERS)),
        ("condition", async_get_conditions, set(CONDITIONS)),
    ],
)
async def test_descriptions(
    hass: HomeAssistant,
    hass_ws_client: WebSocketGenerator,
    caplog: pytest.LogCaptureFixture,
    simulator: PlexSimulator,
    world: DemoWorld,
    kind: str,
    get: Callable[[HomeAssistant], Awaitable[Mapping[str, object]]],
    keys: set[str],
) -> None:
    """The editor gets a description of each, without a warning."""
    await async_add_account(hass, simulator, world.free)
    assert await async_setup_component(hass, "automation", {})
    client = await hass_ws_client(hass)
    await client.send_json_auto_id({"type": f"{kind}_platforms/subscribe"})
    assert (await client.receive_json())["success"]
    descriptions: dict[str, Any] = (await client.receive_json())["event"]
    ours = {
        key.removeprefix(f"{DOMAIN}."): description
        for key, description in descriptions.items()
        if key.startswith(f"{DOMAIN}.")
    }
    assert set(ours) == keys == set(await get(hass))
    for key, description in ours.items():
        filters = description["target"]["entity"]
        assert all(found["integration"] == DOMAIN for found in filters)
        fields = set() if key in WITHOUT_OPTIONS else {"behavior", "for"}
        assert set(description["fields"]) == fields
    assert f"{kind}s.yaml" not in caplog.text


@pytest.mark.parametrize("kind", ["trigger", "condition"])
def test_selectors(kind: str) -> None:
    """The target and each field has a selector that takes the field's default."""
    for key, described in load_yaml_dict(str(INTEGRATION / f"{kind}s.yaml")).items():
        if key.startswith("."):
            continue
        TargetSelector(described["target"])
        for field in described["fields"].values():
            validate_selector(field["selector"])
            if behaviors := field["selector"].get("automation_behavior"):
                AutomationBehaviorSelector(behaviors)(field["default"])
            else:
                assert cv.positive_time_period(field["default"]) == timedelta(), key

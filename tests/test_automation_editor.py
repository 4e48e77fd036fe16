"""Triggers and conditions as the automation editor and the documentation show them."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
import json
from pathlib import Path
import re
from typing import Any

import pytest
from pytest_homeassistant_custom_component.typing import WebSocketGenerator

from custom_components.plex_auth.condition import CONDITIONS, async_get_conditions
from custom_components.plex_auth.const import DOMAIN
from custom_components.plex_auth.trigger import TRIGGERS, async_get_triggers
from homeassistant.components.automation.config import async_validate_config_item
from homeassistant.core import HomeAssistant
from homeassistant.helpers import config_validation as cv
from homeassistant.helpers.selector import (
    AutomationBehaviorSelector,
    TargetSelector,
    validate_selector,
)
from homeassistant.setup import async_setup_component
from homeassistant.util.yaml import load_yaml_dict

from .helpers import async_add_account, yaml_examples
from .plex_simulator import PlexSimulator
from .plex_simulator.worlds import DemoWorld

ROOT = Path(__file__).parents[1]
INTEGRATION = ROOT / "custom_components" / DOMAIN
PAGE = (ROOT / "docs" / "automations.md").read_text()


@dataclass(frozen=True)
class Kind:
    """Name what the editor offers, and which of it has options."""

    name: str
    get: Callable[[HomeAssistant], Awaitable[Mapping[str, object]]]
    keys: frozenset[str]
    with_options: frozenset[str]

    @property
    def described(self) -> dict[str, Any]:
        """Return what the editor is told of each."""
        described = load_yaml_dict(str(INTEGRATION / f"{self.name}s.yaml"))
        return {key: found for key, found in described.items() if key[0] != "."}

    def of(self, file: str) -> dict[str, Any]:
        """Return what a file of texts or icons has of each."""
        content = json.loads((INTEGRATION / file).read_text())
        found: dict[str, Any] = content[f"{self.name}s"]
        return found

    @property
    def documented(self) -> dict[str, str]:
        """Return what the documentation has of each, by its name."""
        [chapter] = re.findall(
            rf"^## {self.name.capitalize()}s\n(.+?)(?=^## |\Z)",
            PAGE,
            re.MULTILINE | re.DOTALL,
        )
        _, *found = re.split(r"^### (.+)\n", chapter, flags=re.MULTILINE)
        return dict(zip(found[::2], found[1::2], strict=True))

    def section(self, key: str) -> str:
        """Return what the documentation has of one."""
        return self.documented[self.of("translations/en.json")[key]["name"]]


TRIGGER = Kind(
    "trigger",
    async_get_triggers,
    frozenset(TRIGGERS),
    frozenset(TRIGGERS) - {"device_added", "transient_token_destroyed"},
)
CONDITION = Kind(
    "condition", async_get_conditions, frozenset(CONDITIONS), frozenset(CONDITIONS)
)
KINDS = pytest.mark.parametrize(
    "kind", [TRIGGER, CONDITION], ids=lambda kind: kind.name
)
EACH = pytest.mark.parametrize(
    ("kind", "key"),
    [(kind, key) for kind in (TRIGGER, CONDITION) for key in sorted(kind.keys)],
    ids=lambda value: value.name if isinstance(value, Kind) else value,
)


@KINDS
async def test_descriptions(
    hass: HomeAssistant,
    hass_ws_client: WebSocketGenerator,
    caplog: pytest.LogCaptureFixture,
    simulator: PlexSimulator,
    world: DemoWorld,
    kind: Kind,
) -> None:
    """The editor gets a description of each, without a warning."""
    await async_add_account(hass, simulator, world.free)
    assert await async_setup_component(hass, "automation", {})
    client = await hass_ws_client(hass)
    await client.send_json_auto_id({"type": f"{kind.name}_platforms/subscribe"})
    assert (await client.receive_json())["success"]
    descriptions: dict[str, Any] = (await client.receive_json())["event"]
    ours = {
        key.removeprefix(f"{DOMAIN}."): description
        for key, description in descriptions.items()
        if key.startswith(f"{DOMAIN}.")
    }
    assert set(ours) == kind.keys == set(await kind.get(hass))
    for key, description in ours.items():
        filters = description["target"]["entity"]
        assert all(found["integration"] == DOMAIN for found in filters)
        fields = {"behavior", "for"} if key in kind.with_options else set()
        assert set(description["fields"]) == fields
    assert f"{kind.name}s.yaml" not in caplog.text


@EACH
def test_selectors(kind: Kind, key: str) -> None:
    """The target and each field has a selector that takes the field's default."""
    described = kind.described[key]
    TargetSelector(described["target"])
    for field in described["fields"].values():
        validate_selector(field["selector"])
        if "automation_behavior" in field["selector"]:
            AutomationBehaviorSelector(field["selector"]["automation_behavior"])(
                field["default"]
            )
        else:
            assert cv.positive_time_period(field["default"]) == timedelta()


@EACH
def test_texts_icons_and_documentation(kind: Kind, key: str) -> None:
    """Each has a name, a description, texts for its fields, an icon and a section."""
    text = kind.of("translations/en.json")[key]
    fields = set(kind.described[key]["fields"])
    assert text["name"]
    assert text["description"]
    assert set(text.get("fields", {})) == fields
    assert all(field["name"] for field in text.get("fields", {}).values())
    assert kind.of("icons.json")[key][kind.name].startswith("mdi:")
    section = kind.section(key)
    assert f"{kind.name}: {DOMAIN}.{key}" in section
    [options] = re.findall(r"^Target: .+$", section, re.MULTILINE)
    assert set(re.findall(r"`(\w+)`", options)) == fields


@KINDS
def test_nothing_else_is_described(kind: Kind) -> None:
    """No description, text, icon or section is left of what is not there."""
    texts = kind.of("translations/en.json")
    assert set(kind.described) == kind.keys
    assert set(texts) == kind.keys
    assert set(kind.of("icons.json")) == kind.keys
    assert set(kind.documented) == {text["name"] for text in texts.values()}


def test_every_example_is_tried() -> None:
    """No example of the page is outside of the sections of the next test."""
    sections = [*TRIGGER.documented.values(), *CONDITION.documented.values()]
    assert yaml_examples(PAGE) == yaml_examples("".join(sections)) != []


@EACH
async def test_examples(hass: HomeAssistant, kind: Kind, key: str) -> None:
    """Home Assistant takes each example of a section as it stands there."""
    examples = yaml_examples(kind.section(key))
    assert examples
    for found in examples:
        automation = {"actions": [], **found}  # which may be a part of one
        validated = await async_validate_config_item(hass, "test", automation)
        assert validated is not None
        assert validated.validation_status == "ok", validated.validation_error

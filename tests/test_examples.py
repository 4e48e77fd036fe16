"""The examples in YAML of all pages: Home Assistant takes each as it stands there."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
import re
from string import punctuation
from typing import Any

import pytest

from custom_components.plex_auth.const import DOMAIN
from homeassistant.components.automation.config import async_validate_config_item
from homeassistant.config import async_process_component_config
from homeassistant.core import HomeAssistant
from homeassistant.helpers import (
    config_validation as cv,
    entity_registry as er,
    template,
)
from homeassistant.helpers.script import async_validate_actions_config
from homeassistant.loader import async_get_integration
from homeassistant.setup import async_setup_component
from homeassistant.util import dt as dt_util
from homeassistant.util.yaml import load_yaml_dict

from .documentation import PAGES, ROOT
from .harness import Harness
from .helpers import fields_of_action, source_of
from .home_users import async_add_home_user
from .plex_simulator import Subscription

TOKEN_ACTIONS = {"get_source_connection_information", "get_transient_token"}
ACTIONS = load_yaml_dict(str(ROOT / "custom_components" / DOMAIN / "services.yaml"))
EXAMPLES = [(name, found) for name, page in PAGES.items() for found in page.examples()]
# What belongs to Anna, her server, the one that Carla shares with her, and her child.
OURS = r"\b(?:binary_sensor|button|event|sensor)\.(?:anna|living_room|carla|lina)_\w+"


@pytest.mark.parametrize(
    "example",
    [
        pytest.param(found, id=f"{Path(name).stem}-{number}")
        for number, (name, found) in enumerate(EXAMPLES)
    ],
)
async def test_is_valid(hass: HomeAssistant, example: dict[str, Any]) -> None:
    """Home Assistant takes an automation, an action or a configuration."""
    if not {"actions", "triggers", "trace"}.isdisjoint(example):
        # An automation, or a part of one.
        await _validate(hass, {"triggers": [], "actions": [], **example})
    elif "action" in example:
        await async_validate_actions_config(hass, cv.SCRIPT_SCHEMA([example]))
    elif set(example) <= {"logger", "recorder", "rest_command", "template"}:
        for domain in example:
            integration = await async_get_integration(hass, domain)
            found = await async_process_component_config(hass, example, integration)
            assert found.exception_info_list == [], domain
    else:
        assert "type" in example or example in ANSWERS.values()  # tried below


async def _validate(hass: HomeAssistant, automation: dict[str, Any]) -> None:
    """Let the automation editor check an automation."""
    assert await async_setup_component(hass, "homeassistant", {})
    validated = await async_validate_config_item(hass, "test", automation)
    assert validated is not None
    assert validated.validation_status == "ok", validated.validation_error


def test_our_actions() -> None:
    """Our actions are called with fields that they have; no trace keeps a token."""
    for name, example in EXAMPLES:
        for call in _calls(example):
            action = ACTIONS[call["action"].removeprefix(f"{DOMAIN}.")]
            assert set(call.get("data", {})) <= set(fields_of_action(action)), name
    with_token = [example for _, example in EXAMPLES if _gets_token(example)]
    assert len(with_token) > 6
    for example in with_token:
        assert "actions" not in example or example["trace"] == {"stored_traces": 0}


def _gets_token(node: object) -> bool:
    """Return whether an example asks for a token."""
    names = {call["action"].removeprefix(f"{DOMAIN}.") for call in _calls(node)}
    return not names.isdisjoint(TOKEN_ACTIONS)


async def test_notifications(hass: HomeAssistant) -> None:
    """A notification whose page renders Markdown has no message as it is."""
    found = [
        (name, call["data"]["message"])
        for name, example in EXAMPLES
        for call in _calls(example, "persistent_notification")
    ]
    assert found
    for name, message in found:
        escaped = template.Template(message, hass).async_render(
            {"message": punctuation}
        )
        assert escaped == "".join(f"\\{one}" for one in punctuation), name


def _calls(node: object, domain: str = DOMAIN) -> Iterator[dict[str, Any]]:
    """Yield all calls of the actions of a domain."""
    if isinstance(node, list):
        for item in node:
            yield from _calls(item, domain)
    elif isinstance(node, dict):
        if str(node.get("action")).startswith(f"{domain}."):
            yield node
        yield from _calls(list(node.values()), domain)


def _answers() -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each call on the page of actions, as text, with the answer shown."""
    for chapter in PAGES["docs/actions.md"].chapters().values():
        if examples := chapter.examples():
            call, answer = examples
            yield call["action"], answer


ANSWERS = dict(_answers())


async def test_answers(harness: Harness) -> None:
    """The answers of actions have the form that is shown."""
    await harness.add(harness.anna, harness.server)
    for name, shown in ANSWERS.items():
        [call] = [found for _, found in EXAMPLES if found.get("action") == name]
        data = dict(call.get("data", {}))
        if str(data.get("source")).startswith("server://"):
            data["source"] = source_of(harness.world.basement)
        if "id" in data:
            data["id"] = harness.anna.add_device().device_id
        answer = await harness.call(name.removeprefix(f"{DOMAIN}."), **data)
        is_whole = "details" not in name
        assert _has_form(answer, shown, is_whole), name


async def test_use_of_answers(hass: HomeAssistant) -> None:
    """The templates that the steps name find something in the answer that is shown."""
    used = 0
    for name, chapter in PAGES["docs/actions.md"].chapters().items():
        steps, in_yaml, _ = chapter.partition("**In YAML**")
        if not in_yaml:
            continue
        for variable in re.findall(r"enter a name, for example `(\w+)`", steps):
            shown = {variable: chapter.examples()[1]}
            for use in re.findall(rf"\{{\{{ {variable}\..+?\}}\}}", steps):
                made = template.Template(use, hass).async_render(shown, strict=True)
                assert made not in ("", None), f"{name}: {use}"
                used += 1
    assert used > 4


def _has_form(real: object, shown: object, is_whole: bool) -> bool:
    """Return whether an answer has the keys and the kinds of values that are shown.

    Where it is not shown as a `whole`, it may have more keys.
    """
    if isinstance(shown, dict):
        return (
            isinstance(real, dict)
            and (set(real) == set(shown) if is_whole else set(real) >= set(shown))
            and all(_has_form(real[key], shown[key], is_whole) for key in shown)
        )
    if isinstance(shown, list):
        return isinstance(real, list) and _has_form(real[0], shown[0], is_whole)
    return real is None or shown is None or isinstance(shown, type(real))


async def test_entities_are_there(harness: Harness) -> None:
    """All entities of an account, its servers and users that are named are there."""
    now = dt_util.utcnow()
    harness.anna.subscription = Subscription.cancelled(now, now + timedelta(days=9))
    entry = await harness.add(harness.anna, harness.server, harness.world.shared)
    await async_add_home_user(harness, entry, harness.world.home.child)
    registry = er.async_get(harness.hass)
    enabled = {
        entity_id
        for entity_id, entity in registry.entities.items()
        if entity.disabled_by is None
    }
    named = {found for page in PAGES.values() for found in re.findall(OURS, page)}
    assert len(named) > 6
    assert named <= enabled

"""What is typed is repeated nowhere, whichever field it is typed into.

A typist types secrets into every field that takes text: of every step of every dialog
and repair, and of every action, as their schemas are when the test runs. A field that no
way comes to is named.
"""

from collections.abc import Iterable
from typing import Any

import pytest
from pytest_homeassistant_custom_component.components.recorder.common import (
    async_wait_recording_done,
)
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator

from custom_components.plex_auth import messages
from custom_components.plex_auth.flows.dialog import SignInDialog
from homeassistant.config_entries import ConfigFlowResult
from homeassistant.core import HomeAssistant, ServiceCall, SupportsResponse
from homeassistant.exceptions import ServiceValidationError
from homeassistant.setup import async_setup_component
from tests.helpers import source_of
from tests.walks import ways
from tests.walks.names import DOMAIN, SIGN_IN_WAYS, Action, Field, Step
from tests.walks.texts import fields_of, texts_of

from .audited_user import AuditedUser, async_take_traces
from .dialog_paths import Openings, dialog_paths
from .leaks import Leak, Place
from .scenarios import async_collect_shown
from .typed_secrets import PASTED, SCRIPT, SecretTypist

ELSEWHERE = "elsewhere"


@pytest.fixture
def typist(user: AuditedUser) -> SecretTypist:
    """Return a typist whom nobody blocks for signing in wrongly."""
    user.simulator.sign_in_guard.limit = None
    return SecretTypist(user, "typed")


@pytest.fixture
async def script(watched: HomeAssistant) -> None:
    """Add a script that calls any action, and keeps a trace of each run."""
    call = {"action": "{{ action }}", "data": "{{ data }}", "response_variable": "got"}
    config = {SCRIPT: {"sequence": [call], "trace": {"stored_traces": 100}}}
    assert await async_setup_component(watched, "script", {"script": config})


def text_fields(dialog: str) -> set[tuple[str, str]]:
    """Return the steps and fields that have texts, of a dialog or of all repairs."""
    texts = texts_of(dialog)
    issues = [issue for issue in texts.values() if "fix_flow" in issue]
    return {
        (step, name)
        for part in [one["fix_flow"] for one in issues] or [texts]
        for step, found in part["step"].items()
        for name in fields_of(found)
    }


def report(leaks: Iterable[Leak]) -> str:
    """Return leaks as lines, with the field that the secret was typed into."""
    return "\n".join(f"typed into {leak.secret.owner}: {leak}" for leak in leaks)


@pytest.mark.parametrize(
    "dialog",
    [
        "config",
        "config_subentries.server",
        "config_subentries.home_user",
        "options",
        "issues",
    ],
)
async def test_dialogs_repeat_nothing(
    user: AuditedUser,
    typist: SecretTypist,
    dialog: str,
    hass_client: ClientSessionGenerator,
    hass_storage: dict[str, Any],
) -> None:
    """No text typed into a dialog is anywhere but in its own field, while it is open."""
    for path in dialog_paths(user)[dialog]:
        await typist.go(path)
    assert typist.seen == text_fields(dialog)
    await async_collect_shown(user, hass_client)
    await user.audit.async_take_storage(user.hass, hass_storage)
    found = user.audit.find(typist.secrets)
    leaks = [leak for leak in found if not typist.may_be_there(leak)]
    assert not leaks, report(leaks)


async def async_type_into(
    user: AuditedUser,
    ours: SecretTypist,
    action: Action,
    hass_client: ClientSessionGenerator,
) -> list[Leak]:
    """Let a typist type into all fields of an action, and return what is repeated.

    What Home Assistant itself does with the fields of any action does not count: it does
    it with an action of the same schema that does nothing.
    """
    hass = user.hass

    async def do_nothing(_: ServiceCall) -> dict[str, Any]:
        return {}

    world, entry = user.world, await Openings(user).add_account()
    device_id, source = user.device_id(world.living_room), source_of(world.basement)
    fields = ways.calls(
        entry.entry_id,
        device_id,
        source,
        world.film.path,
        world.two_factor.add_device().device_id,
    )[action]
    hass.services.async_register(
        ELSEWHERE,
        action,
        do_nothing,
        schema=hass.services.async_services_for_domain(DOMAIN)[action].schema,
        supports_response=SupportsResponse.ONLY,
    )
    others = SecretTypist(user, "others")
    await ours.act(action, fields)
    await others.act(action, fields, ELSEWHERE)
    await async_collect_shown(user, hass_client)
    await async_take_traces(user.websocket, user.audit, SCRIPT)
    await async_wait_recording_done(hass)
    usual = {
        (leak.text.place, leak.text.where) for leak in user.audit.find(others.secrets)
    }
    return [
        leak
        for leak in user.audit.find(ours.secrets)
        if (leak.text.place, leak.text.where) not in usual
    ]


@pytest.mark.usefixtures("script")
@pytest.mark.parametrize("action", Action)
async def test_actions_repeat_nothing(
    user: AuditedUser,
    typist: SecretTypist,
    action: Action,
    hass_client: ClientSessionGenerator,
) -> None:
    """No text typed into an action is in an error, a log, a trace, a state or an event."""
    leaks = await async_type_into(user, typist, action, hass_client)
    assert not leaks, report(leaks)


@pytest.mark.usefixtures("script")
async def test_planted_leak_of_an_action_is_found(
    user: AuditedUser,
    typist: SecretTypist,
    hass_client: ClientSessionGenerator,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A message of an action that repeats what was typed is found, field by field."""

    def leaking(**options: Any) -> ServiceValidationError:
        options["translation_placeholders"] |= {"typed": typist.typing}
        return ServiceValidationError(**options)

    monkeypatch.setattr(messages, "ServiceValidationError", leaking)
    action = Action.SOURCE_CONNECTION
    leaks = await async_type_into(user, typist, action, hass_client)
    assert {f"{action} placeholders/typed"} < {leak.text.where for leak in leaks}
    assert {leak.text.place for leak in leaks} == {Place.EXCEPTION}
    assert {leak.secret.owner for leak in leaks} == {
        f"{action} {field}" for field in (Field.DEVICE, Field.SOURCE)
    }
    assert {leak.secret.kind for leak in leaks} == set(PASTED)


async def test_planted_leak_of_a_dialog_is_found(
    user: AuditedUser, typist: SecretTypist, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A form with a placeholder that repeats what was typed is found, field by field."""
    show = SignInDialog.async_show_form

    def leaking(dialog: SignInDialog, **options: Any) -> ConfigFlowResult:
        options["description_placeholders"] |= {"typed": typist.typing}
        return show(dialog, **options)

    monkeypatch.setattr(SignInDialog, "async_show_form", leaking)
    way = SIGN_IN_WAYS.index(Step.PASSWORD)
    await typist.go(dialog_paths(user)["config"][way])
    found = user.audit.find(typist.secrets)
    leaks = [leak for leak in found if not typist.may_be_there(leak)]
    wheres = {leak.text.where for leak in leaks}
    assert f"{Step.PASSWORD}/description_placeholders/typed" in wheres
    assert {where.partition("/")[2] for where in wheres} == {
        "description_placeholders/typed"
    }

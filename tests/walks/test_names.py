"""The names of the walks are those of the integration, none more and none less."""

from .names import CONDITION, TRIGGER, Action, Entity, Field, Issue, Step
from .texts import fields_of, texts_of
from .ways import calls, calls_as

REPAIRS = {
    key: issue["fix_flow"]
    for key, issue in texts_of("issues").items()
    if "fix_flow" in issue
}
STEPS = [
    (step, texts)
    for dialog in (
        texts_of("config"),
        texts_of("config_subentries.home_user"),
        texts_of("config_subentries.server"),
        texts_of("options"),
        *REPAIRS.values(),
    )
    for step, texts in dialog["step"].items()
]


def test_steps() -> None:
    """A walk knows each step, and each item of a menu is one."""
    progress = {
        step for texts in REPAIRS.values() for step in texts.get("progress", ())
    }
    assert {step for step, _ in STEPS} | progress == set(Step)
    items = {item for _, texts in STEPS for item in texts.get("menu_options", ())}
    assert items <= set(Step)


def test_fields() -> None:
    """A walk knows each field, of dialogs and of actions."""
    fields = {field for _, texts in STEPS for field in fields_of(texts)}
    for action in texts_of("services").values():
        fields |= action.get("fields", {}).keys()
    assert fields == set(Field)


def test_actions() -> None:
    """A walk calls each action, with fields that it has."""
    actions = texts_of("services")
    called = calls("entry", "device", "source", "path", 1)
    assert set(Action) == actions.keys() == called.keys()
    for action, fields in called.items():
        assert fields.keys() <= actions[action]["fields"].keys()
    as_home_user = calls_as("device", "device", "path")
    assert as_home_user.keys() == {
        name for name, texts in actions.items() if "home_user" in texts["fields"]
    }
    for action, fields in as_home_user.items():
        assert fields.keys() <= actions[action]["fields"].keys()


def test_others() -> None:
    """Entities, triggers and conditions are there, and each repair is known."""
    assert all(texts_of(f"entity.{entity}.name") for entity in Entity)
    assert texts_of(f"triggers.{TRIGGER}")
    assert texts_of(f"conditions.{CONDITION}")
    assert REPAIRS.keys() == set(Issue)

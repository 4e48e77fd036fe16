"""The documentation names what there is, by the names that users see, and nothing else."""

from collections.abc import Iterator
from datetime import timedelta
import json
from pathlib import Path
import re
from typing import Any

import pytest

from custom_components.plex_auth import coordinator
from custom_components.plex_auth.api import server_access, server_list
from custom_components.plex_auth.api.models import TRANSIENT_TOKEN_LIFETIME
from custom_components.plex_auth.const import DOMAIN
from custom_components.plex_auth.home_user_coordinator import HOME_USER_INTERVAL
from custom_components.plex_auth.issues import Issue
from custom_components.plex_auth.server_coordinator import (
    LISTENING_INTERVAL,
    SERVER_INTERVAL,
    SOURCE_INTERVAL,
)
from homeassistant import components
from homeassistant.util.yaml import load_yaml_dict

from .documentation import ENTITIES, HOME_USER_ENTITIES, INTEGRATION, PAGES, Entities
from .helpers import fields_of_action

ENGLISH: dict[str, Any] = json.loads(
    (INTEGRATION / "translations" / "en.json").read_text()
)


def _under(name: str, texts: Any = ENGLISH) -> Iterator[dict[str, Any]]:
    """Yield what stands under a name anywhere in some texts."""
    for key, value in texts.items():
        if key == name:
            yield value
        elif isinstance(value, dict):
            yield from _under(name, value)


def _shown(text: str) -> str:
    """Return a text as the documentation writes it: an ellipsis for each placeholder."""
    return re.sub(r"\{\w+\}", "…", text)


def test_entities() -> None:
    """Exactly the entities that there are have a row, with category and disabled by default."""
    assert _entities("Entity", ENTITIES) == {"Source … (sensor)"}
    assert _entities("Entity of a Home user", HOME_USER_ENTITIES) == set()


def _entities(heading: str, entities: Entities) -> set[str]:
    """Check the rows of entities below a heading, and return the rows of others."""
    page = PAGES["docs/entities.md"]
    rows = dict(zip(page.column(heading), page.column(heading, 1), strict=True))
    assert len(rows) == len(page.column(heading))
    for platform, descriptions in entities.items():
        for description in descriptions:
            name = ENGLISH["entity"][platform][description.key]["name"]
            said = rows.pop(f"{name} ({platform.replace('_', ' ')})").casefold()
            assert ("diagnostic" in said) == (description.entity_category is not None)
            is_off = not description.entity_registry_enabled_default
            assert ("disabled by default" in said) == is_off, name
    return set(rows)


def test_actions() -> None:
    """Each action has a chapter: steps with the labels of its fields, and a table of them."""
    services = load_yaml_dict(str(INTEGRATION / "services.yaml"))
    chapters = PAGES["docs/actions.md"].chapters()
    names = {ENGLISH["services"][key]["name"]: key for key in services}
    assert set(names) == set(chapters) - {"How actions fail"}
    for name, key in names.items():
        fields = {
            field: details.get("required", False)
            for field, details in fields_of_action(services[key]).items()
        }
        chapter = chapters[name]
        documented = dict(
            zip(
                (cell.strip("`") for cell in chapter.column("Field")),
                (cell == "yes" for cell in chapter.column("Field", 1)),
                strict=True,
            )
        )
        assert documented == fields, name
        assert f"action: {DOMAIN}.{key}\n" in chapter
        steps, _, _ = chapter.partition("**In YAML**")
        assert re.findall(r"^(\d)\. ", steps, re.MULTILINE)[:2] == ["1", "2"], name
        for text in _under("fields", ENGLISH["services"][key]):
            for label in (field["name"] for field in text.values()):
                assert f"**{label}**" in steps, f"{name}: {label}"


def test_fields_of_dialogs() -> None:
    """Each field of a dialog is explained, by its label."""
    labels = {
        label
        for part in ("config", "config_subentries", "options")
        for data in _under("data", ENGLISH[part])
        for label in data.values()
    }
    assert set(PAGES["docs/setup.md"].column("Field")) == labels


def test_repairs() -> None:
    """Exactly the repairs that there are have a heading, by their titles."""
    titles = {_shown(issue["title"]) for issue in ENGLISH["issues"].values()}
    assert len(titles) == len(Issue)
    listed = PAGES["docs/troubleshooting.md"].chapters()["Repairs"].chapters(3)
    assert sorted(listed) == sorted(titles)


def test_messages() -> None:
    """Each message that is explained is one that users meet, and has a heading."""
    messages = [
        _shown(text)
        for kind in ("abort", "error", "exceptions")
        for texts in _under(kind)
        for text in (
            found["message"] if isinstance(found, dict) else found
            for found in texts.values()
        )
    ]
    listed = [
        message
        for name, chapter in PAGES["docs/troubleshooting.md"].chapters().items()
        if name.startswith(("Messages", "After"))
        for message in chapter.chapters(3)
    ]
    assert len(listed) > 35
    for message in listed:
        start = message.rstrip(" …").casefold()
        assert any(start in text.casefold() for text in messages), message


@pytest.mark.parametrize("kind", ["trigger", "condition"])
def test_triggers_and_conditions(kind: str) -> None:
    """Each has a row at the top, and a chapter with its options and an example."""
    described = load_yaml_dict(str(INTEGRATION / f"{kind}s.yaml"))
    texts = ENGLISH[f"{kind}s"]
    page = PAGES["docs/automations.md"]
    sections = page.chapters()[f"{kind.capitalize()}s"].chapters(3)
    assert sorted(sections) == sorted(text["name"] for text in texts.values())
    cells = page.column(kind.capitalize())
    assert [cell[1:].partition("]")[0] for cell in cells] == list(sections)
    for key, text in texts.items():
        section = sections[text["name"]]
        assert f"{kind}: {DOMAIN}.{key}" in section
        assert section.examples(), key
        [options] = re.findall(r"^Target: .+$", section, re.MULTILINE)
        assert set(re.findall(r"`(\w+)`", options)) == set(described[key]["fields"])


def test_data_updates() -> None:
    """The documentation says how often Plex is asked, as the code has it."""
    chapter = " ".join(PAGES["docs/entities.md"].chapters()["Data updates"].split())
    for said, interval in {
        "the account every {}": coordinator.ACCOUNT_INTERVAL,
        "at most once in {} while a server": server_list.SHORTEST_INTERVAL,
        "every {} where none is": SERVER_INTERVAL,
        "every {} while a connection to it is open": LISTENING_INTERVAL,
        # A poll may come a bit early.
        "checks every {} whether a better connection": server_access._COMPARE_INTERVAL
        + timedelta(minutes=1),
        "watched sources every {}": SOURCE_INTERVAL,
    }.items():
        assert said.format(_minutes(interval)) in chapter
    assert timedelta(hours=1) == coordinator.REJECTED_INTERVAL == HOME_USER_INTERVAL
    assert "the servers of each Home user every hour" in chapter
    assert "every hour while Plex rejects its sign-in" in chapter
    assert timedelta(hours=48) == TRANSIENT_TOKEN_LIFETIME
    assert "for up to 48 hours" in " ".join(PAGES["README.md"].split())


def _minutes(interval: timedelta) -> str:
    return f"{interval // timedelta(minutes=1)} minutes"


def test_upgrading() -> None:
    """The old names are gone and the new ones there."""
    page = PAGES["docs/upgrading.md"]
    names = {*ENGLISH["triggers"], *ENGLISH["conditions"]}
    before, now = (
        {
            name
            for cell in page.column("Before", number)
            for name in re.findall(rf"`{DOMAIN}\.(\w+)`", cell)
        }
        for number in (0, 1)
    )
    assert now <= names
    assert len(before) > 3
    assert not before & names


def test_core_plex() -> None:
    """What the README says of Home Assistant's own integration of Plex is so."""
    [core] = components.__path__
    folder = Path(core) / "plex"
    chapter = PAGES["README.md"].chapters()["Core Plex or Plex Auth?"]
    heading = "You want to …"
    name = json.loads((folder / "manifest.json").read_text())["name"]
    assert f"| {heading} | {name} (core) | Plex Auth |" in chapter
    columns = zip(
        *(chapter.column(heading, column) for column in range(3)), strict=True
    )
    theirs = {wish for wish, core_has, _ in columns if core_has == "✓"}
    assert theirs == {
        "control players, and browse and play your library",  # media_player
        "see who is watching what",  # sensor
        "see server updates and the number of items in your libraries",  # update, sensor
    }
    files = {file.name for file in folder.iterdir()}
    assert {"media_player.py", "media_browser.py", "sensor.py", "update.py"} <= files
    assert files.isdisjoint({"binary_sensor.py", "event.py", "trigger.py"})
    assert "SupportsResponse" not in (folder / "services.py").read_text()

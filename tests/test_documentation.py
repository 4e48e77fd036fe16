"""The pages of the documentation fit together, and with what refers to them."""

import json
from pathlib import Path
import re

import pytest

from .helpers import yaml_examples

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = sorted([*ROOT.glob("*.md"), *DOCS.glob("*.md")])
TOKEN_ACTIONS = {
    "plex_auth.get_source_connection_information",
    "plex_auth.get_transient_token",
}
FOLDERS = ("benchmarks", "custom_components", "scripts", "tests")


def _links(page: Path) -> set[tuple[Path, str]]:
    """Return the files that a page links in the repository, each with the anchor."""
    links = re.findall(r"\]\(([^)#:]*)(?:#([^)]*))?\)", page.read_text())
    return {(page.parent / path if path else page, anchor) for path, anchor in links}


def _anchor(heading: str) -> str:
    """Return the anchor of a heading, as GitHub makes it."""
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links(page: Path) -> None:
    """What a page links inside the repository exists, the headings too."""
    for file, anchor in _links(page):
        assert file.exists(), file
        if anchor:
            headings = re.findall(r"^#+ (.+)$", file.read_text(), re.MULTILINE)
            assert anchor in map(_anchor, headings), f"{file}#{anchor}"


def test_readme_lists_triggers_and_conditions() -> None:
    """The README links the section of each trigger and condition, and no other."""
    integration = ROOT / "custom_components" / "plex_auth"
    english = json.loads((integration / "translations" / "en.json").read_text())
    texts = [*english["triggers"].values(), *english["conditions"].values()]
    assert {
        anchor
        for file, anchor in _links(ROOT / "README.md")
        if file == DOCS / "automations.md"
    } == {_anchor(text["name"]) for text in texts}


def test_cited_facts() -> None:
    """Each section of plex-api.md that is cited anywhere exists, and only once."""
    sections = re.findall(
        r"^(?:#+|\|) \N{SECTION SIGN}([\d.]+) ",
        (DOCS / "plex-api.md").read_text(),
        re.MULTILINE,
    )
    assert len(sections) == len(set(sections))
    files = [
        *PAGES,
        *(file for name in FOLDERS for file in (ROOT / name).rglob("*.py")),
    ]
    missing = {
        (cited, str(file.relative_to(ROOT)))
        for file in files
        for cited in re.findall(r"\N{SECTION SIGN}(\d*(?:\.\d+)?)", file.read_text())
        if cited not in sections
    }
    assert not missing


def test_automations_that_get_tokens_store_no_traces() -> None:
    """No example of an automation leaves a token in a trace."""
    checked = 0
    for page in PAGES:
        for example in yaml_examples(page.read_text()):
            automations = example.get("automation", [example])
            for automation in automations:
                if "actions" in automation and TOKEN_ACTIONS & _actions(automation):
                    assert automation["trace"] == {"stored_traces": 0}, page.name
                    checked += 1
    assert checked > 4


def _actions(node: object) -> set[str]:
    """Return the names of all actions in an example."""
    if isinstance(node, list):
        return set().union(*map(_actions, node))
    if not isinstance(node, dict):
        return set()
    own = {node["action"]} if isinstance(node.get("action"), str) else set()
    return own.union(*map(_actions, node.values()))

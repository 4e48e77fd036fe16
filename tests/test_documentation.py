"""The pages of the documentation fit together, and with what refers to them."""

import json
import re

import pytest

from custom_components.plex_auth.const import DOMAIN
from custom_components.plex_auth.issues import _LEARN_MORE
from homeassistant.util.yaml import load_yaml_dict

from .documentation import DOCS, IMAGES, INTEGRATION, PAGES, ROOT, Text

FOLDERS = ("benchmarks", "custom_components", "scripts", "tests")
BLOB = "https://github.com/seed-6e2aef77/plex-auth/blob/main/"


@pytest.mark.parametrize("name", PAGES)
def test_links(name: str) -> None:
    """What a page links or shows is in the repository, the headings too."""
    page = ROOT / name
    for path, anchor in PAGES[name].links():
        file = page.parent / path if path else page
        assert file.exists(), path
        if anchor:
            assert anchor in Text(file.read_text()).anchors(), f"{path}#{anchor}"


def test_each_page_is_reached() -> None:
    """The README links each page, but for those of the code; each page leads back."""
    linked, known = (
        {path for path, _ in PAGES[name].links()}
        for name in ("README.md", "CONTRIBUTING.md")
    )
    pages = {name for name in PAGES if name.startswith("docs/")} - {"docs/plex-api.md"}
    assert pages <= linked | known
    for name in pages:
        assert "\n\n[Back to the README](../README.md)\n\n" in PAGES[name], name


def test_pictures() -> None:
    """No picture is left that no page shows, and each says in words what it shows."""
    shown = {
        (ROOT / name).parent.joinpath(path).resolve()
        for name, page in PAGES.items()
        for path, _ in page.links()
    }
    assert {file for file in IMAGES.iterdir() if file not in shown} == set()
    for page in PAGES.values():
        for words in re.findall(r"!\[([^]]*)\]\([\w/]*images/", page):
            assert len(words.split()) > 5, words
            assert "same" not in words.split(), words


def test_link_texts() -> None:
    """A link says where it leads, also to somebody who hears the links alone."""
    for name, page in PAGES.items():
        for words in re.findall(r"(?<!!)\[([^]]+)\]\(", page):
            assert words.casefold() not in {"above", "below", "here", "more", "why"}, (
                name
            )


def test_contents() -> None:
    """The list at the top of a page names all of its chapters, in order."""
    for name in (
        "actions",
        "entities",
        "faq",
        "home-users",
        "recipes",
        "setup",
        "troubleshooting",
    ):
        page = PAGES[f"docs/{name}.md"]
        top, _, _ = page.partition("\n## ")
        listed = re.findall(r"^- \[(.+?)\]\(#", top, re.MULTILINE)
        assert listed == list(page.chapters()), name


def test_headings() -> None:
    """No page has the same heading twice, so each can be linked."""
    for name, page in PAGES.items():
        if name != "CHANGELOG.md":
            headings = re.findall(
                r"^#+ (.+)$", re.sub(r"(?ms)^```.*?^```$", "", page), re.MULTILINE
            )
            assert len(headings) == len(set(headings)), name


def test_readme_is_short() -> None:
    """The README can be read at once; all other pages are one click away."""
    assert len(PAGES["README.md"].splitlines()) <= 250


def test_ways_through_pages() -> None:
    """A way through pages has bold words; the list of devices at plex.tv has one way."""
    for name, page in PAGES.items():
        assert not re.search(r"(?<!\*)\*(?!\*)[^*\n]+\*(?!\*) >", page), name
        if name != "docs/plex-api.md":
            for line in re.findall(r".*Authorized Devices.*", page):
                assert "**Settings** > **Authorized Devices**" in line, line


def test_places_to_sign_in_again() -> None:
    """The README names the same places as the page on setup, and the card."""
    setup = PAGES["docs/setup.md"].column("Where")
    assert PAGES["README.md"].column("Where") == ["The card above", *setup]


def test_drawn_notification() -> None:
    """The drawing of a notification has the words that the blueprint sends."""
    drawing = (IMAGES / "phone-notification.svg").read_text()
    words = " ".join(re.findall(r"<text.*?>(.+?)</text>", drawing))
    blueprint = ROOT / "blueprints" / "automation" / DOMAIN / "new_device.yaml"
    [tell] = load_yaml_dict(str(blueprint))["actions"][2]["default"]
    [button] = tell["data"]["actions"]
    for text in (tell["title"], tell["message"], button["title"]):
        for part in re.split(r"\{\{.+?\}\}", text):
            assert part.strip() in words, part


def test_badges() -> None:
    """What the badges of the README say is so."""
    readme = PAGES["README.md"]
    floor = json.loads((ROOT / "hacs.json").read_text())["homeassistant"]
    assert f"Home_Assistant-{floor.removesuffix('.0')}_or_later-" in readme
    assert "license-Apache_2.0-" in readme
    assert "Apache License" in (ROOT / "LICENSE").read_text()
    assert (ROOT / ".github" / "workflows" / "test.yml").exists()
    rules = load_yaml_dict(str(INTEGRATION / "quality_scale.yaml"))["rules"]
    assert {"async-dependency", "inject-websession", "strict-typing"} <= set(rules)
    assert "quality_scale-self--assessed_platinum-" in readme


def test_the_page_of_a_repair() -> None:
    """*Learn more* of a repair leads to the chapter of repairs."""
    path, _, anchor = _LEARN_MORE.removeprefix(BLOB).partition("#")
    assert anchor in PAGES[path].anchors()


def test_where_a_change_goes() -> None:
    """The files and chapters that the table names are there."""
    table = PAGES["CONTRIBUTING.md"].chapters()["Where a change goes"]
    named = re.findall(
        r"`(docs/[\w-]+\.md|tests/[\w/]+\.py)`(?: \(\*(.+?)\*\))?", table
    )
    assert len(named) > 8
    for path, chapter in named:
        assert (ROOT / path).exists(), path
        assert not chapter or chapter in PAGES[path].chapters(), f"{path}: {chapter}"


def test_what_security_says_is_never_asked() -> None:
    """The address by which servers hand out their permanent token is nowhere used."""
    assert "It never asks a server for its permanent token." in PAGES["SECURITY.md"]
    for file in INTEGRATION.rglob("*.py"):
        assert "myplex/account" not in file.read_text(), file


def test_cited_facts() -> None:
    """Each section of plex-api.md that is cited anywhere exists, and only once."""
    sections = re.findall(
        r"^(?:#+|\|) \N{SECTION SIGN}([\d.]+) ",
        PAGES["docs/plex-api.md"],
        re.MULTILINE,
    )
    assert len(sections) == len(set(sections))
    files = [
        *ROOT.glob("*.md"),
        *DOCS.glob("*.md"),
        *(file for name in FOLDERS for file in (ROOT / name).rglob("*.py")),
    ]
    missing = {
        (cited, str(file.relative_to(ROOT)))
        for file in files
        for cited in re.findall(r"\N{SECTION SIGN}(\d*(?:\.\d+)?)", file.read_text())
        if cited not in sections
    }
    assert not missing

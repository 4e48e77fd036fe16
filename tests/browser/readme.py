"""What the documentation tells a person to paste, and where to look."""

from collections.abc import Iterator
import re

from scripts.shared.paths import ROOT

_PLACES = re.compile(
    r"^\| Where \| What to select \|\n\| --- \| --- \|\n((?:\|.+\|\n)+)", re.MULTILINE
)


def to_paste(chapter: str) -> list[str]:
    """Return the examples in YAML of a chapter of the README, as text."""
    readme = (ROOT / "README.md").read_text()
    _, _, rest = readme.partition(f"\n## {chapter}\n")
    text, _, _ = rest.partition("\n## ")
    return re.findall(r"^```yaml\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def places_to_sign_in() -> Iterator[tuple[list[str], list[str]]]:
    """Yield what to click on to get to each page that asks to sign in again.

    With it comes what is to be seen there. The dashboard is left out: it has no way in
    the settings.
    """
    for page in ("README.md", "docs/setup.md"):
        [table] = _PLACES.findall((ROOT / page).read_text())
        for row in table.splitlines():
            places, what = row.strip("| ").split(" | ")
            for place in places.split(", and "):
                if way := re.findall(r"\*\*(.+?)\*\*", place):
                    yield way, re.findall(r"\*+(.+?)\*+", what)

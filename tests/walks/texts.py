"""The texts of the integration, by their keys."""

from collections.abc import Iterator, Mapping
from functools import cache
import json
import re
from typing import Any

from scripts.shared.paths import ROOT

from .names import DOMAIN

_FOLDER = ROOT / "custom_components" / DOMAIN / "translations"

_MARKS = re.compile(r"\*\*|^- ", re.MULTILINE)

ENGLISH = "en"
OTHER_LANGUAGES = sorted({file.stem for file in _FOLDER.iterdir()} - {ENGLISH})


def text(key: str, language: str = ENGLISH, **placeholders: str) -> str:
    """Return a text by its path, `config.step.user.title`, as the page shows it.

    What is escaped for Markdown looks there as what is not; what is bold and the items
    of a list are words as well.
    """
    escaped = {f"{name}_md": shown for name, shown in placeholders.items()}
    words = _MARKS.sub("", str(texts_of(key, language)))
    return words.format(**placeholders, **escaped)


def texts_of(key: str, language: str = ENGLISH) -> Any:
    """Return the texts below a path, as they are in the file."""
    found: Any = _file(language)
    for part in key.split("."):
        found = found[part]
    return found


def fields_of(texts: Mapping[str, Any]) -> Iterator[str]:
    """Yield the fields of a step, sections and what is in them included."""
    yield from texts.get("data", ())
    for name, section in texts.get("sections", {}).items():
        yield name
        yield from fields_of(section)


def untranslated(shown: str) -> str | None:
    """Return the first key or placeholder in what a page shows, if there is one."""
    found = re.search(rf"component\.{DOMAIN}\S*|\{{[a-z_]+\}}|Translation error", shown)
    return found and found.group()


@cache
def _file(language: str) -> Any:
    return json.loads((_FOLDER / f"{language}.json").read_text())

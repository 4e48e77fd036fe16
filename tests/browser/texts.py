"""The texts of the integration, by their keys."""

from functools import cache
import json
import re
from typing import Any

from scripts.shared.paths import ROOT

_FOLDER = ROOT / "custom_components/plex_auth/translations"

ENGLISH = "en"
OTHER_LANGUAGES = sorted({file.stem for file in _FOLDER.iterdir()} - {ENGLISH})


def text(key: str, language: str = ENGLISH, **placeholders: str) -> str:
    """Return a text by its path, `config.step.user.title`, as the page shows it."""
    found: Any = _texts(language)
    for part in key.split("."):
        found = found[part]
    return str(found).format(**placeholders)


def untranslated(shown: str) -> str | None:
    """Return the first key or placeholder in what a page shows, if there is one."""
    found = re.search(r"component\.plex_auth\S*|\{[a-z_]+\}|Translation error", shown)
    return found and found.group()


@cache
def _texts(language: str) -> dict[str, Any]:
    texts: dict[str, Any] = json.loads((_FOLDER / f"{language}.json").read_text())
    return texts

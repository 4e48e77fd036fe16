"""Names from Plex as pages render them.

Anyone can share a server, or sign in a device, under any name. Home Assistant renders
Markdown in descriptions (of steps, menus, progress, aborts, created entries, fields and
issues); titles, labels, errors, menu options, selectors and exceptions are plain.
"""

import re
from string import punctuation
from typing import Final

_PUNCTUATION: Final = re.compile(f"[{re.escape(punctuation)}]")


def placeholders(**texts: str) -> dict[str, str]:
    """Return the placeholders `key`, plain, and `key_md`, for Markdown, of each text.

    A step or issue has one set of placeholders for its plain and its Markdown texts.
    Addresses are escaped like names: plex.tv lists them as their owner sets them.
    """
    plain = {key: text.strip() for key, text in texts.items()}
    return plain | {f"{key}_md": escaped(text) for key, text in texts.items()}


def escaped(text: str) -> str:
    """Return a text as Markdown that shows it literally, without links or elements."""
    return _PUNCTUATION.sub(r"\\\g<0>", text.strip())

"""Names from Plex as pages render them.

A name is chosen by anyone who shares a server or signs in a device. Home Assistant
renders Markdown in descriptions of steps, menus, progress, aborts, created entries,
fields and issues; all other texts are plain.
"""

import re
from string import punctuation
from typing import Final

_PUNCTUATION: Final = re.compile(f"[{re.escape(punctuation)}]")


def placeholders(**texts: str) -> dict[str, str]:
    """Return placeholders for names and addresses: `key` as plain text, `key_md` escaped.

    A step or issue has one set of placeholders for its plain and its Markdown texts.
    """
    plain = {key: text.strip() for key, text in texts.items()}
    return plain | {f"{key}_md": escaped(text) for key, text in texts.items()}


def escaped(text: str) -> str:
    """Return a text as Markdown that shows it as it is, without links or elements."""
    return _PUNCTUATION.sub(r"\\\g<0>", text.strip())

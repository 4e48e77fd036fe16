"""Paths and library items of a server that can be played."""

import re
from typing import Final, Self
from urllib.parse import unquote

from yarl import URL

from .bodies import Json
from .models import model, require_container

_TOKEN: Final = "x-plex-token"
_ITEM: Final = re.compile(r"(/library/metadata/[0-9]+)/?")
# An item's page, decoded: the key is in the query or, in older versions, in the path.
_PAGE: Final = re.compile(
    r"#!/server/([^/?&]+)/+details(?:/|\?(?:.*&)?key=)(/library/metadata/[0-9]+)(?:&.*)?$"
)
# Tags of items with parts: JSON has one for all kinds, XML one for each.
_ITEMS: Final = ("Metadata", "Video", "Track", "Photo")


@model
class Item:
    """An item of a library; `machine_identifier` is its server's, if known."""

    path: str
    machine_identifier: str | None = None

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """Parse an item's path or the address of its page in Plex Web (§21.3).

        The rest of the address is ignored, because its host is never contacted.
        """
        if (item := _ITEM.fullmatch(text)) is not None:
            return cls(path=item[1])
        if (page := _PAGE.search(unquote(text.strip()))) is not None:
            return cls(path=page[2], machine_identifier=page[1])
        return None


def holds_token(text: str) -> bool:
    """Return whether a text has a token parameter, as addresses copied from Plex do."""
    return _TOKEN in unquote(unquote(text)).lower()


def parse_path(text: str) -> URL | None:
    """Return a path on the server itself, or None if the text is anything else."""
    try:
        path = URL(text)
    except IndexError, ValueError:  # IndexError for [] in a host
        return None
    if (
        path.absolute
        or not text.startswith("/")
        or text.startswith(("//", "/\\"))
        or not text.isprintable()
    ):
        return None
    return path


def first_part(data: Json) -> URL | None:
    """Return the path of the first part of any item, or None without parts (§21.1).

    Raises UnexpectedAnswerError if the response is not a container.
    """
    container = require_container(data)
    return next(
        (
            path
            for kind in _ITEMS
            for item in container.children(kind)
            for media in item.children("Media")
            for part in media.children("Part")
            if (path := parse_path(part.text("key") or "")) is not None
        ),
        None,
    )

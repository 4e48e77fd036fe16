"""What can be played: a path on a server, or an item of its library."""

import re
from typing import Final, Self
from urllib.parse import unquote

from yarl import URL

from .bodies import Json
from .models import model, require_container

_TOKEN: Final = "x-plex-token"
_ITEM: Final = re.compile(r"(/library/metadata/[0-9]+)/?")
# The page of an item, decoded: its key stands in the query, or in older ones in the path.
_PAGE: Final = re.compile(
    r"#!/server/([^/?&]+)/+details(?:/|\?(?:.*&)?key=)(/library/metadata/[0-9]+)(?:&.*)?$"
)
# What has parts: JSON has one name for all kinds, XML one for each.
_ITEMS: Final = ("Metadata", "Video", "Track", "Photo")


@model
class Item:
    """Name an item of a library by its path.

    `machine_identifier` is the server's, None where only the item was named.
    """

    path: str
    machine_identifier: str | None = None

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """Read the path of an item, or the address of its page in Plex Web (§21.3).

        Whatever else is in the address does not matter: nobody asks its host.
        """
        if (item := _ITEM.fullmatch(text)) is not None:
            return cls(path=item[1])
        if (page := _PAGE.search(unquote(text.strip()))) is not None:
            return cls(path=page[2], machine_identifier=page[1])
        return None


def holds_token(text: str) -> bool:
    """Return whether a text names a token, as addresses do that are copied from Plex."""
    return _TOKEN in unquote(unquote(text)).lower()


def parse_path(text: str) -> URL | None:
    """Return a path, which must lie on the server itself, None where it may not."""
    try:
        path = URL(text)
    except ValueError:
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
    """Read items: return the path of their first part, None where they have none (§21.1).

    Raises UnexpectedAnswerError for an answer that is no container.
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

"""Read the fields of an object in a response.

JSON and XML use the same field names but different types, and Plex may omit any field
(plex-api.md §13.13), so a field that is missing or of the wrong type is None.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from itertools import islice
import re
from typing import Final

from .bodies import Json

MAX_LINE: Final = 128
MAX_VERSION: Final = 64
_MAX_TEXT: Final = 1024
_MAX_TEXTS: Final = 256

_IDENTIFIER: Final = re.compile(r"[!-~]{1,128}")

# What joins letters and emoji into one; not printable on its own.
_JOINERS: Final = "\u200c\u200d"
_TRUE: Final = frozenset({"1", "true"})
_FALSE: Final = frozenset({"0", "false"})
_XML_TIME_FORMAT = "%Y-%m-%d %H:%M:%S %Z"
_MAX_DIGITS = 18


class Fields:
    """The fields of one object in a response."""

    __slots__ = ("_data",)

    def __init__(self, data: Json) -> None:
        """Initialize with an object; other data counts as an empty one."""
        self._data: Mapping[str, Json] = data if isinstance(data, dict) else {}

    def __bool__(self) -> bool:
        """Return whether there is any field."""
        return bool(self._data)

    def text(self, key: str) -> str | None:
        """Return a text, or None if it is empty or has over 1,024 characters."""
        value = self._data.get(key)
        return value if isinstance(value, str) and value and _is_text(value) else None

    def identifier(self, key: str) -> str | None:
        """Return an identifier: up to 128 ASCII characters without spaces."""
        value = self.text(key)
        return value if value is not None and is_identifier(value) else None

    def line(self, key: str, length: int = MAX_LINE) -> str | None:
        """Return a name as one printable line of at most `length` characters."""
        value = self._data.get(key)
        return printable(value, length) or None if isinstance(value, str) else None

    def token(self, key: str) -> str | None:
        """Return a token, or None for a JWT, which servers reject (plex-api.md §8)."""
        value = self.text(key)
        return None if value is None or is_jwt(value) else value

    def integer(self, key: str) -> int | None:
        """Return an integer, which is text in XML."""
        value = self._data.get(key)
        if isinstance(value, str):
            return _decimal(value)
        if isinstance(value, bool) or not isinstance(value, int):
            return None
        # The same limit as for text, so that sums with a float do not overflow.
        return value if abs(value) < 10**_MAX_DIGITS else None

    def boolean(self, key: str) -> bool | None:
        """Return a boolean: true, 1, "1" or "true", or their opposites."""
        value = self._data.get(key)
        if value is None or value is True or value is False:
            return value
        name = str(value).lower() if isinstance(value, int | str) else ""
        return True if name in _TRUE else False if name in _FALSE else None

    def moment(self, key: str) -> datetime | None:
        """Return an aware time from a timestamp, ISO 8601 or the XML format (§1.2)."""
        value = self._data.get(key)
        if value is None or isinstance(value, bool):
            return None
        try:
            if isinstance(value, str):
                if (number := _decimal(value)) is None:
                    return _parse_time(value)
                value = number
            if isinstance(value, int | float):
                return datetime.fromtimestamp(value, UTC)
        except ValueError, OverflowError, OSError:
            pass
        return None

    def child(self, key: str) -> Fields:
        """Return the object under a key, or the first one of a list."""
        value = self._data.get(key)
        if isinstance(value, dict):
            return Fields(value)
        return next(self.children(key), Fields(None))

    def children(self, key: str, wrapped: str | None = None) -> Iterator[Fields]:
        """Yield the objects under a key, which may be a list or one object (§13.10).

        XML wraps a list in an element; `wrapped` is the tag of the elements in it.
        """
        for value in _as_list(self._data.get(key)):
            if not isinstance(value, dict):
                continue
            if wrapped is not None and wrapped in value:
                yield from Fields(value).children(wrapped)
            else:
                yield Fields(value)

    def texts(self, key: str, wrapped: str) -> tuple[str, ...]:
        """Return a list of texts; XML has them as `id` of wrapped elements.

        Texts after the first 256 are left out.
        """
        values = self._data.get(key)
        if not values:
            return ()
        texts: list[str | None] = [
            value
            for value in _as_list(values)
            if isinstance(value, str) and _is_text(value)
        ]
        if not texts:
            texts += [child.text("id") for child in self.children(key, wrapped)]
        return tuple(islice(filter(None, texts), _MAX_TEXTS))


def is_identifier(text: str) -> bool:
    """Return whether a text can be the identifier of a server or device."""
    return _IDENTIFIER.fullmatch(text) is not None


def printable(text: str, length: int = MAX_LINE) -> str:
    """Return a text as one line, without line breaks and control characters.

    It has at most `length` characters. Joiners of letters and emoji are kept.
    """
    text = text[: 4 * length]
    if not text.isprintable():
        text = "".join(
            part if part.isprintable() or part in _JOINERS else " " for part in text
        )
    line = " ".join(text.split())[:length].rstrip(f" {_JOINERS}")
    return line.lstrip(f" {_JOINERS}")


def name_but_email(names: Iterable[str | None], email: str | None) -> str | None:
    """Return the first name that is not the email address, which Plex may use as one."""
    address = (email or "").casefold()
    return next((name for name in names if name and name.casefold() != address), None)


def is_jwt(token: str) -> bool:
    """Return whether a token is a Plex JWT: eyJ and three parts (plex-api.md §8)."""
    return token.startswith("eyJ") and token.count(".") == 2


def unwrap(data: Json, root: str) -> Fields:
    """Return a response's object, which is under the root element in XML."""
    if isinstance(data, dict) and isinstance(data.get(root), dict):
        data = data[root]
    return Fields(data)


def _as_list(value: Json) -> list[Json]:
    """Return a list as it is, or any other value as the only one in a list."""
    return value if isinstance(value, list) else [value]


def _is_text(value: str) -> bool:
    """Return whether a text is not too long, and can be encoded.

    JSON may contain lone surrogates.
    """
    if len(value) > _MAX_TEXT:
        return False
    if value.isascii():
        return True
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _decimal(value: str) -> int | None:
    """Return the integer in a text, or None if it has too many digits or is not one."""
    digits = value.removeprefix("-")
    if digits.isascii() and digits.isdecimal() and len(digits) <= _MAX_DIGITS:
        return int(value)
    return None


def _parse_time(value: str) -> datetime:
    """Return the aware time in a text; raise ValueError if there is none."""
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        moment = datetime.strptime(value, _XML_TIME_FORMAT)
    if moment.tzinfo is None:
        return moment.replace(tzinfo=UTC)
    return moment.astimezone(UTC)

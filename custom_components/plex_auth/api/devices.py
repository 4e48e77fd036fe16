"""The devices signed in to an account, as plex.tv lists them (plex-api.md §16).

The list contains the token of every device; a `Device` never holds it.
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final, Self

from .bodies import Json
from .errors import UnexpectedAnswerError
from .fields import MAX_VERSION, Fields
from .models import model

_SERVER_PRODUCT = "Plex Media Server"
_UNKNOWN_TIME: Final = datetime.min.replace(tzinfo=UTC)


@model
class Device:
    """A device that is signed in to an account, without its token."""

    id: int
    name: str | None
    product: str | None
    platform: str | None
    device: str | None
    version: str | None
    created_at: datetime | None
    last_seen_at: datetime | None
    client_identifier: str | None
    is_server: bool

    @property
    def label(self) -> str:
        """Return the name, product, and platform, without repeats, or else the ID."""
        known = filter(None, (self.name, self.product, self.platform))
        return ", ".join(dict.fromkeys(known)) or f"ID {self.id}"

    @classmethod
    def parse_devices(cls, data: Json) -> tuple[Self, ...]:
        """Parse the device list: a plain list, a named one, or XML.

        Skips entries without an ID. Raises UnexpectedAnswerError if no device is left,
        because the list always includes this client.
        """
        devices = tuple(filter(None, map(cls._parse, _entries(data))))
        if not devices:
            raise UnexpectedAnswerError
        return devices

    @classmethod
    def _parse(cls, fields: Fields) -> Self | None:
        """Parse an entry; return None if it has no ID."""
        if (device_id := fields.integer("id")) is None:
            return None
        product = fields.line("product")
        provides = (fields.text("provides") or "").split(",")
        return cls(
            id=device_id,
            name=fields.line("name"),
            product=product,
            platform=fields.line("platform"),
            device=fields.line("device"),
            version=fields.line("productVersion", MAX_VERSION)
            or fields.line("version", MAX_VERSION),
            created_at=fields.moment("createdAt"),
            last_seen_at=fields.moment("lastSeenAt"),
            client_identifier=fields.identifier("clientIdentifier"),
            is_server="server" in provides or product == _SERVER_PRODUCT,
        )


def newest_first(devices: Iterable[Device]) -> list[Device]:
    """Return devices in the order they signed in, newest first, unknown times last."""
    return sorted(
        devices,
        key=lambda device: (device.created_at or _UNKNOWN_TIME, device.id),
        reverse=True,
    )


def _entries(data: Json) -> Iterable[Fields]:
    """Return the entries of a list; raise UnexpectedAnswerError for other data."""
    match data:
        case list():
            return map(Fields, data)
        case {"MediaContainer": dict() as container}:
            return Fields(container).children("Device")
        case {"devices": list(listed)}:
            return map(Fields, listed)
        case {"devices": dict(listed)}:
            return Fields(listed).children("device")
    raise UnexpectedAnswerError

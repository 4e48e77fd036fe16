"""Items of a server's library, and the parts of them that can be played.

See plex-api.md §21.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import PurePosixPath

_STAMP = 1700000000


class Kind(StrEnum):
    """Name the kinds of items, as the field `type` has them."""

    MOVIE = "movie"
    SHOW = "show"
    SEASON = "season"
    EPISODE = "episode"
    ARTIST = "artist"
    ALBUM = "album"
    TRACK = "track"


_CONTENT_TYPES = {
    ".mkv": "video/x-matroska",
    ".mp4": "video/mp4",
    ".flac": "audio/flac",
}
_SECTIONS = {Kind.MOVIE: "Movies", Kind.SHOW: "TV Shows", Kind.ARTIST: "Music"}
_ELEMENTS = {Kind.MOVIE: "Video", Kind.EPISODE: "Video", Kind.TRACK: "Track"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Hold one file of an item; `content` is what a player gets."""

    id: int
    file: str
    content: bytes

    @property
    def key(self) -> str:
        """Return the path at which it is played; of the file only the ending is left."""
        return f"/library/parts/{self.id}/{_STAMP}/file{self._ending}"

    @property
    def content_type(self) -> str:
        """Return what a player is told of the content."""
        return _CONTENT_TYPES[self._ending]

    @property
    def _ending(self) -> str:
        return PurePosixPath(self.file).suffix

    def as_fields(self) -> dict[str, object]:
        """Return the part as the server describes it."""
        return {
            "id": self.id,
            "key": self.key,
            "duration": 5_400_000,
            "file": self.file,
            "size": len(self.content),
            "container": self._ending.removeprefix("."),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """Hold one section of a library, for items of one kind."""

    key: int
    kind: Kind
    title: str

    def as_fields(self) -> dict[str, object]:
        """Return the section as the server describes it."""
        return {
            "allowSync": True,
            "filters": True,
            "refreshing": False,
            "key": str(self.key),
            "type": self.kind,
            "title": self.title,
            "agent": f"tv.plex.agents.{self.kind}",
            "language": "en-US",
            "uuid": f"{self.key:032x}",
            "updatedAt": _STAMP,
            "createdAt": _STAMP,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """Hold one item; each of its versions, called `Media`, has parts to play in turn."""

    rating_key: int
    kind: Kind
    title: str
    section: Section
    parent: Item | None
    versions: tuple[tuple[Part, ...], ...]

    @property
    def path(self) -> str:
        """Return the path of the item itself."""
        return f"/library/metadata/{self.rating_key}"

    @property
    def element(self) -> str:
        """Return the name that the item has in XML; JSON has one name for all."""
        return _ELEMENTS.get(self.kind, "Directory")

    def as_fields(self) -> dict[str, object]:
        """Return the item as the server describes it."""
        is_playable = self.kind in _ELEMENTS
        fields: dict[str, object] = {
            "ratingKey": str(self.rating_key),
            "key": self.path if is_playable else f"{self.path}/children",
            "guid": f"plex://{self.kind}/{self.rating_key:024x}",
            "type": self.kind,
            "title": self.title,
            "librarySectionID": self.section.key,
            "thumb": f"{self.path}/thumb/{_STAMP}",
            "addedAt": _STAMP,
        }
        if self.parent is not None:
            fields |= {
                "parentRatingKey": str(self.parent.rating_key),
                "parentKey": self.parent.path,
                "parentTitle": self.parent.title,
            }
        if self.versions:
            fields["Media"] = [
                {
                    "id": self.rating_key * 10 + number,
                    "videoResolution": "1080",
                    "Part": [part.as_fields() for part in parts],
                }
                for number, parts in enumerate(self.versions)
            ]
        return fields


class Library:
    """Hold the items of a server."""

    def __init__(self) -> None:
        """Begin without an item."""
        self._items: dict[int, Item] = {}
        self._sections: dict[int, Section] = {}

    @property
    def sections(self) -> list[Section]:
        """Return the sections in their order."""
        return list(self._sections.values())

    def add_section(self, kind: Kind, title: str) -> Section:
        """Add a section for items of a kind."""
        section = Section(key=len(self._sections) + 1, kind=kind, title=title)
        self._sections[section.key] = section
        return section

    def find_section(self, key: str) -> Section | None:
        """Return a section by its number."""
        return self._sections.get(int(key))

    def in_section(self, section: Section) -> list[Item]:
        """Return the items of a section that belong to no other one."""
        return [
            item
            for item in self._items.values()
            if item.section is section and item.parent is None
        ]

    def add(
        self,
        kind: Kind,
        title: str,
        *versions: Iterable[str],
        parent: Item | None = None,
        section: Section | None = None,
    ) -> Item:
        """Add an item; each of its versions consists of files.

        Without a `section` it is in that of its parent, else in the usual one.
        """
        if section is None:
            section = parent.section if parent else self._usual_section(kind)
        rating_key = len(self._items) + 1
        first_id = 100 * rating_key
        files = [list(version) for version in versions]
        parts = iter(range(first_id, first_id + sum(map(len, files))))
        item = Item(
            rating_key=rating_key,
            kind=kind,
            title=title,
            section=section,
            parent=parent,
            versions=tuple(
                tuple(
                    Part(id=next(parts), file=file, content=f"{title}: {file}".encode())
                    for file in version
                )
                for version in files
            ),
        )
        self._items[rating_key] = item
        return item

    def find(self, rating_key: str) -> Item | None:
        """Return an item by its number."""
        return self._items.get(int(rating_key))

    def children(self, item: Item) -> list[Item]:
        """Return what belongs directly to an item: the episodes of a season."""
        return [one for one in self._items.values() if one.parent is item]

    def find_part(self, path: str) -> tuple[Item, Part] | None:
        """Return a part by the path at which it is played, and the item it is of."""
        return next((found for found in self._parts() if found[1].key == path), None)

    def _parts(self) -> Iterator[tuple[Item, Part]]:
        for item in self._items.values():
            for version in item.versions:
                for part in version:
                    yield item, part

    def _usual_section(self, kind: Kind) -> Section:
        """Return the section that items of a kind are in, which is made for the first."""
        title = _SECTIONS[kind]
        usual = (one for one in self._sections.values() if one.title == title)
        return next(usual, None) or self.add_section(kind, title)

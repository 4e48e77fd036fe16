"""Decode response bodies into plain Python data.

JSON is kept as it is. An XML element becomes a dict of its attributes plus, under each
child's tag, the list of those children, or just its text if it has nothing else. The
root element is under its own tag.
"""

from codecs import BOM_UTF8
from collections.abc import Iterator
import json
import re
from typing import Any, Final, override
from xml.etree import ElementTree as ET

from .errors import PageError, TooLargeError, UnexpectedAnswerError

type Json = dict[str, Json] | list[Json] | str | int | float | bool | None

LARGEST_BODY: Final = 1024 * 1024

_ROW_START: Final = re.compile(r"[ \t\n\r]*\[[ \t\n\r]*")
_ROW_END: Final = re.compile(r"[ \t\n\r]*([,\]])[ \t\n\r]*")
_NO_ROWS: Final = re.compile(r"[ \t\n\r]*\[[ \t\n\r]*\][ \t\n\r]*")
_XML_MAX_DEPTH = 32
_XML_MAX_ELEMENTS = 20_000
_XML_CHUNK_SIZE = 64 * 1024


class _StrictTreeBuilder(ET.TreeBuilder):
    """Build a tree, rejecting input made to exhaust memory."""

    def __init__(self) -> None:
        """Initialize without elements."""
        super().__init__()
        self._elements = 0

    @override
    def start(self, tag: str, attrs: dict[str, str], /) -> ET.Element:
        """Add an element; raise UnexpectedAnswerError if there are too many."""
        self._elements += 1
        if self._elements > _XML_MAX_ELEMENTS:
            raise UnexpectedAnswerError
        return super().start(tag, attrs)

    def doctype(self, name: str, pubid: str | None, system: str | None) -> None:
        """Reject a document type, which web pages have but Plex's responses do not."""
        raise PageError if name.lower() == "html" else UnexpectedAnswerError


def decode(body: bytes) -> Json:
    """Return the data of a JSON or XML body.

    Raises PageError for an HTML page, which plex.tv and proxies send during outages
    (plex-api.md §11), and UnexpectedAnswerError for anything else.
    """
    text = body.removeprefix(BOM_UTF8).lstrip()
    if text[:1] == b"<":
        if text[:14].lower().startswith((b"<html", b"<!doctype html")):
            raise PageError
        return _decode_xml(text)
    try:
        data: Json = json.loads(body)
    except ValueError, RecursionError:
        error = UnexpectedAnswerError()
    else:
        return data
    # Raised outside `except`, so that no context keeps the body.
    raise error


def rows(body: bytes, root: str) -> Iterator[Json]:
    """Yield the rows of a list one by one, so that other threads get their turn.

    JSON is a list, XML has the rows under a root element. Raises the errors of `decode`,
    UnexpectedAnswerError for other data, and TooLargeError for XML over LARGEST_BODY
    bytes, which is read as a whole.
    """
    if body.removeprefix(BOM_UTF8).lstrip()[:1] == b"<":
        if len(body) > LARGEST_BODY:
            raise TooLargeError
        yield from _xml_rows(decode(body), root)
        return
    try:
        yield from _json_rows(body.decode(json.detect_encoding(body), "surrogatepass"))
    except ValueError, RecursionError:
        error = UnexpectedAnswerError()
    else:
        return
    raise error


def _json_rows(text: str) -> Iterator[Json]:
    """Yield the rows of a JSON list; raise ValueError if it is not one."""
    if _NO_ROWS.fullmatch(text):
        return
    if (start := _ROW_START.match(text)) is None:
        raise ValueError
    decode_row = json.JSONDecoder().raw_decode
    position, delimiter = start.end(), ","
    while delimiter == ",":
        row, position = decode_row(text, position)
        yield row
        if (end := _ROW_END.match(text, position)) is None:
            raise ValueError
        position, delimiter = end.end(), end[1]
    if position != len(text):
        raise ValueError


def _xml_rows(data: Json, root: str) -> Iterator[Json]:
    """Yield the children of an XML root element."""
    element = data.get(root) if isinstance(data, dict) else None
    if not isinstance(element, dict):
        raise UnexpectedAnswerError
    for children in element.values():
        if isinstance(children, list):
            yield from children


def _decode_xml(body: bytes) -> Json:
    """Return the data of an XML body."""
    parser = ET.XMLParser(target=_StrictTreeBuilder())  # noqa: S314 - no document types
    try:
        # In chunks, because the parser reads each one to its end before raising.
        for start in range(0, len(body), _XML_CHUNK_SIZE):
            parser.feed(body[start : start + _XML_CHUNK_SIZE])
        root: Any = parser.close()
    except ET.ParseError, ValueError, LookupError:
        error = UnexpectedAnswerError()
    else:
        if root.tag.rpartition("}")[2].lower() == "html":
            raise PageError
        return {root.tag: _element(root, _XML_MAX_DEPTH)}
    raise error


def _element(element: ET.Element, depth: int) -> Json:
    """Return an element's data; raise UnexpectedAnswerError if nested too deep."""
    if depth == 0:
        raise UnexpectedAnswerError
    text = (element.text or "").strip()
    if text and not element.attrib and not len(element):
        return text
    data: dict[str, Json] = dict(element.attrib)
    for child in element:
        siblings = data.setdefault(child.tag, [])
        if isinstance(siblings, list):
            siblings.append(_element(child, depth - 1))
    return data

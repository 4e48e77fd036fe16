"""Decode response bodies into plain Python data.

JSON is kept as it is. An XML element becomes a dict of its attributes plus, under each
child's tag, the list of those children, or just its text if it has nothing else. The
root element is under its own tag.
"""

from codecs import BOM_UTF8
import json
from typing import Any, override
from xml.etree import ElementTree as ET

from .errors import PageError, UnexpectedAnswerError

type Json = dict[str, Json] | list[Json] | str | int | float | bool | None

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

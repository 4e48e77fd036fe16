"""Bodies of answers, from bytes to plain Python data.

JSON stays as it is. XML becomes the same shape: an element is a dict of its attributes
and, under each child's tag, the list of these children; an element with nothing but text
is that text. The root element stands under its own tag.
"""

from codecs import BOM_UTF8
import json
from typing import Any, override
from xml.etree import ElementTree as ET

from .errors import PageError, UnexpectedAnswerError

type Json = dict[str, Json] | list[Json] | str | int | float | bool | None

_XML_MAX_DEPTH = 32
_XML_MAX_ELEMENTS = 20_000
_XML_PIECE = 64 * 1024


class _StrictTreeBuilder(ET.TreeBuilder):
    """Build a tree, but refuse what can only make an answer grow in memory."""

    def __init__(self) -> None:
        """Start without elements."""
        super().__init__()
        self._elements = 0

    @override
    def start(self, tag: str, attrs: dict[str, str], /) -> ET.Element:
        """Add an element, unless there are too many."""
        self._elements += 1
        if self._elements > _XML_MAX_ELEMENTS:
            raise UnexpectedAnswerError
        return super().start(tag, attrs)

    def doctype(self, name: str, pubid: str | None, system: str | None) -> None:
        """Refuse the document type, which no answer of Plex has, but pages do."""
        raise PageError if name.lower() == "html" else UnexpectedAnswerError


def decode(body: bytes) -> Json:
    """Return the data of a JSON or XML body, told apart by how it begins.

    Raises PageError for an HTML page, which plex.tv and proxies show when the
    service is away (plex-api.md §11), and UnexpectedAnswerError for anything else.
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
    # Out here it has no context: the parser's error would carry the body.
    raise error


def _decode_xml(body: bytes) -> Json:
    """Return the data of an XML body."""
    parser = ET.XMLParser(target=_StrictTreeBuilder())  # noqa: S314 - no document types
    try:
        # In pieces: what is refused is not read on to the end of a piece.
        for start in range(0, len(body), _XML_PIECE):
            parser.feed(body[start : start + _XML_PIECE])
        root: Any = parser.close()
    except ET.ParseError, ValueError, LookupError:
        error = UnexpectedAnswerError()
    else:
        if root.tag.rpartition("}")[2].lower() == "html":
            raise PageError
        return {root.tag: _element(root, _XML_MAX_DEPTH)}
    raise error


def _element(element: ET.Element, depth: int) -> Json:
    """Return one element's data, children included down to a depth."""
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

"""Bodies of answers, from bytes to plain Python data.

JSON stays as it is. XML becomes the same shape: an element is a dict of its attributes
and, under each child's tag, the list of these children; an element with nothing but text
is that text. The root element stands under its own tag.
"""

import json
from typing import Any
from xml.etree import ElementTree as ET

from .errors import UnavailableError, UnexpectedAnswerError

type Json = dict[str, Json] | list[Json] | str | int | float | bool | None

_XML_MAX_DEPTH = 32


class _StrictTreeBuilder(ET.TreeBuilder):
    """Build a tree, but refuse document types: they can only make an answer grow."""

    def doctype(self, name: str, pubid: str | None, system: str | None) -> None:
        """Refuse the document type, which no answer of Plex has."""
        raise UnexpectedAnswerError


def decode(body: bytes) -> Json:
    """Return the data of a JSON or XML body, told apart by how it begins.

    Raises UnavailableError for an HTML page, which plex.tv and proxies show when the
    service is away (plex-api.md §11), and UnexpectedAnswerError for anything else.
    """
    text = body.lstrip()
    if text[:1] == b"<":
        if text[:14].lower().startswith((b"<html", b"<!doctype html")):
            raise UnavailableError
        return _decode_xml(text)
    try:
        data: Json = json.loads(body)
    except ValueError, RecursionError:
        raise UnexpectedAnswerError from None
    return data


def _decode_xml(body: bytes) -> Json:
    """Return the data of an XML body."""
    parser = ET.XMLParser(target=_StrictTreeBuilder())
    try:
        parser.feed(body)
        root: Any = parser.close()
    except ET.ParseError, ValueError, LookupError:
        raise UnexpectedAnswerError from None
    return {root.tag: _element(root, _XML_MAX_DEPTH)}


def _element(element: ET.Element, depth: int) -> Json:
    """Return one element's data, children included down to a depth."""
    if depth == 0:
        raise UnexpectedAnswerError
    if not element.attrib and not len(element) and element.text:
        return element.text
    data: dict[str, Json] = dict(element.attrib)
    for child in element:
        siblings = data.setdefault(child.tag, [])
        if isinstance(siblings, list):
            siblings.append(_element(child, depth - 1))
    return data

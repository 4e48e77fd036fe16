"""Bodies as Plex writes them: JSON where it is asked for, XML otherwise.

The errors of a media server are small HTML pages.
"""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
import json
from xml.etree import ElementTree as ET

from aiohttp import web

FORCED_XML = web.RequestKey("FORCED_XML", bool)

type Fields = Mapping[str, object]


def wants_json(request: web.BaseRequest) -> bool:
    """Return whether to answer in JSON.

    That is for `Accept: application/json` and for a `.json` address. See
    plex-api.md §0.1.
    """
    if request.get(FORCED_XML):
        return False
    if request.path.endswith((".json", ".xml")):
        return request.path.endswith(".json")
    return "application/json" in request.headers.get("Accept", "")


def plex_tv_answer(
    request: web.BaseRequest,
    root: str,
    content: Fields | Sequence[Fields],
    status: int = 200,
) -> web.Response:
    """Return an answer of plex.tv.

    In XML `content` becomes the element `root`, with an element around each list.
    See plex-api.md §1.2, §5.
    """
    if wants_json(request):
        return _json(content, status)
    if isinstance(content, Mapping):
        element = _element(root, content, wrap_lists=True)
    else:
        element = ET.Element(root)
        element.extend(
            _element(_singular(root), item, wrap_lists=True) for item in content
        )
    return _xml(element, status, "application/xml")


def plex_tv_error(
    request: web.BaseRequest,
    code: int,
    message: str,
    status: int,
    *,
    with_status: bool = True,
) -> web.Response:
    """Return an error of plex.tv's second API.

    Its body lacks the status now and then. See plex-api.md §0.1.
    """
    error: dict[str, object] = {"code": code, "message": message}
    if with_status:
        error["status"] = status
    return plex_tv_answer(
        request,
        "errors",
        {"errors": [error]} if wants_json(request) else [error],
        status,
    )


def media_container(request: web.BaseRequest, content: Fields) -> web.Response:
    """Return an answer of a media server: a `MediaContainer`."""
    return answer(request, "MediaContainer", content)


def answer(request: web.BaseRequest, root: str, content: Fields) -> web.Response:
    """Return an answer of a media server.

    In XML its lists have no element around them. See plex-api.md §3, §4, §6.
    """
    if wants_json(request):
        return _json({root: content}, 200)
    return _xml(_element(root, content, wrap_lists=False), 200, "text/xml")


def error_page(status: int, text: str = "", script: str = "") -> web.Response:
    """Return the small HTML page that an error of a media server is.

    That is so even where JSON was asked for. See plex-api.md §0.1.
    """
    try:
        reason = HTTPStatus(status).phrase
    except ValueError:
        reason = "Error"
    return html(
        f"<html><head>{script}<title>{reason}</title></head>"
        f"<body><h1>{status} {reason}</h1>{text}</body></html>",
        status,
    )


def html(page: str, status: int) -> web.Response:
    """Return `page` as HTML."""
    return web.Response(
        text=page, status=status, content_type="text/html", charset="utf-8"
    )


def _json(content: object, status: int) -> web.Response:
    return web.Response(
        text=json.dumps(content),
        status=status,
        content_type="application/json",
        charset="utf-8",
    )


def _xml(root: ET.Element, status: int, content_type: str) -> web.Response:
    body = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return web.Response(
        body=body,
        status=status,
        headers={"Content-Type": f"{content_type}; charset=utf-8"},
    )


def _element(name: str, fields: Fields, *, wrap_lists: bool) -> ET.Element:
    element = ET.Element(name)
    for key, value in fields.items():
        if isinstance(value, Mapping):
            element.append(_element(key, value, wrap_lists=wrap_lists))
        elif isinstance(value, list | tuple):
            parent = ET.SubElement(element, key) if wrap_lists else element
            item_name = _singular(key) if wrap_lists else key
            for item in value:
                item_fields = item if isinstance(item, Mapping) else {"id": item}
                parent.append(_element(item_name, item_fields, wrap_lists=wrap_lists))
        elif value is not None:
            element.set(key, _text(value))
    return element


def _singular(name: str) -> str:
    return name.removesuffix("s")


def _text(value: object) -> str:
    return str(int(value)) if isinstance(value, bool) else str(value)

"""Faults that can be switched on for each endpoint of each host."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime
from functools import wraps
import json

from aiohttp import web

from .errors import PLEX_ERRORS
from .listener import cut
from .rendering import FORCED_XML, error_page, html, plex_tv_error

EVERY_ENDPOINT = "*"

_CHUNK = 64 * 1024
_OUTAGE_TITLE = "We're sorry, but something went wrong"


@dataclass(frozen=True, slots=True)
class Exchange:
    """Give a fault what it works on: the request, and the way to the normal answer."""

    request: web.Request
    respond: Callable[[], Awaitable[web.StreamResponse]]


type Play = Callable[[Exchange], Awaitable[web.StreamResponse]]


def _kind[**P](make: Callable[P, Play]) -> Callable[P, Fault]:
    """Let a function that makes a way to answer return the fault of its name."""

    @wraps(make)
    def fault(*arguments: P.args, **more: P.kwargs) -> Fault:
        return Fault(make.__name__, make(*arguments, **more))

    return fault


@dataclass(frozen=True, slots=True)
class Fault:
    """Describe one way to answer wrongly. Made by the static methods, one for each kind.

    Faults that spoil the normal answer (`slow_body`, `half_body`, `xml_instead`,
    `reset` with `processed`) let the host do its work first, as in a real network
    failure: a sign-in has then happened.
    """

    kind: str
    play: Play

    @staticmethod
    @_kind
    def status(
        code: int,
        body: str | bytes | Mapping[str, object] | None = None,
        *,
        content_type: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Play:
        """Answer with the status `code`.

        Without a `body` there is an error page; a mapping is sent as JSON.
        """

        async def play(exchange: Exchange) -> web.StreamResponse:
            if body is None:
                response = error_page(code)
            elif isinstance(body, Mapping):
                response = _raw(
                    json.dumps(body).encode(), content_type or "application/json", code
                )
            else:
                data = body.encode() if isinstance(body, str) else body
                response = _raw(data, content_type or "text/html", code)
            response.headers.update(headers or {})
            return response

        return play

    @staticmethod
    @_kind
    def plex_error(
        code: int,
        http_status: int | None = None,
        *,
        message: str | None = None,
        retry_after: int | str | datetime | None = None,
        with_status: bool = True,
    ) -> Play:
        """Answer with an error of plex.tv, JSON or XML as asked for.

        Status and message follow from `code` when left out; `retry_after` is
        seconds, a moment (sent as an HTTP date) or a ready text; `with_status`
        False leaves the status out of the body.
        """
        known = PLEX_ERRORS.get(code)
        status = http_status or (known.status if known else 400)
        text = message or (known.message if known else "Unknown error")

        async def play(exchange: Exchange) -> web.StreamResponse:
            response = plex_tv_error(
                exchange.request, code, text, status, with_status=with_status
            )
            if isinstance(retry_after, datetime):
                response.headers["Retry-After"] = format_datetime(
                    retry_after, usegmt=True
                )
            elif retry_after is not None:
                response.headers["Retry-After"] = str(retry_after)
            return response

        return play

    @staticmethod
    @_kind
    def html(status: int = 502) -> Play:
        """Answer with a full HTML page, as in an outage; `status` may also be 200.

        See plex-api.md §11.
        """

        async def play(exchange: Exchange) -> web.StreamResponse:
            title = f"{_OUTAGE_TITLE} ({status})"
            return html(
                f"<!DOCTYPE html><html><head><title>{title}</title></head>"
                f"<body><h1>{title}</h1></body></html>",
                status,
            )

        return play

    @staticmethod
    @_kind
    def delay(seconds: float) -> Play:
        """Wait before anything is done and sent."""

        async def play(exchange: Exchange) -> web.StreamResponse:
            await asyncio.sleep(seconds)
            return await exchange.respond()

        return play

    @staticmethod
    @_kind
    def slow_body(seconds: float) -> Play:
        """Send the head and half of the normal body, wait, then send the rest."""

        async def play(exchange: Exchange) -> web.StreamResponse:
            normal, data = await _normal(exchange)
            stream = web.StreamResponse(status=normal.status, headers=normal.headers)
            stream.content_length = len(data)
            await stream.prepare(exchange.request)
            await stream.write(data[: len(data) // 2])
            await asyncio.sleep(seconds)
            await stream.write(data[len(data) // 2 :])
            return stream

        return play

    @staticmethod
    @_kind
    def reset(*, processed: bool = False) -> Play:
        """Reset the connection without an answer.

        With `processed` the host does first what was asked.
        """

        async def play(exchange: Exchange) -> web.StreamResponse:
            response = await exchange.respond() if processed else web.Response()
            cut(exchange.request.transport)
            return response

        return play

    @staticmethod
    @_kind
    def half_body() -> Play:
        """Announce the whole normal body, send half of it and close the connection."""

        async def play(exchange: Exchange) -> web.StreamResponse:
            normal, data = await _normal(exchange)
            stream = web.StreamResponse(status=normal.status, headers=normal.headers)
            stream.content_length = len(data) + 1
            await stream.prepare(exchange.request)
            await stream.write(data[: len(data) // 2])
            if exchange.request.transport is not None:
                exchange.request.transport.abort()
            return stream

        return play

    @staticmethod
    @_kind
    def huge_body(size: int = 8 * 1024 * 1024) -> Play:
        """Stream a JSON object of `size` bytes without announcing its length."""

        async def play(exchange: Exchange) -> web.StreamResponse:
            stream = web.StreamResponse(
                headers={"Content-Type": "application/json; charset=utf-8"}
            )
            await stream.prepare(exchange.request)
            start, end = b'{"filler": "', b'"}'
            left = size - len(start) - len(end)
            await stream.write(start)
            while left > 0:
                await stream.write(b"x" * min(left, _CHUNK))
                left -= _CHUNK
            await stream.write(end)
            return stream

        return play

    @staticmethod
    @_kind
    def redirect(url: str, status: int = 302) -> Play:
        """Send the client to `url`."""

        async def play(exchange: Exchange) -> web.StreamResponse:
            return web.Response(status=status, headers={"Location": url})

        return play

    @staticmethod
    @_kind
    def body(
        content: str | bytes,
        content_type: str = "application/json",
        *,
        status: int = 200,
        charset: str | None = None,
    ) -> Play:
        """Answer with exactly this body: empty, of a wrong shape, wrongly encoded.

        A text is sent in `charset` where Python knows it, else in UTF-8; bytes
        go out as they are.
        """
        data = content if isinstance(content, bytes) else _encoded(content, charset)
        header = (
            content_type if charset is None else f"{content_type}; charset={charset}"
        )

        async def play(exchange: Exchange) -> web.StreamResponse:
            return _raw(data, header, status)

        return play

    @staticmethod
    @_kind
    def xml_instead() -> Play:
        """Give the normal answer in XML although JSON was asked for."""

        async def play(exchange: Exchange) -> web.StreamResponse:
            exchange.request[FORCED_XML] = True
            return await exchange.respond()

        return play


FAULT_KINDS = frozenset(
    name for name, member in vars(Fault).items() if isinstance(member, staticmethod)
)


def fault_named(kind: str, **arguments: object) -> Fault:
    """Return the fault of this kind, its arguments by name, as JSON has them."""
    if kind not in FAULT_KINDS:
        message = f"unknown kind of fault: {kind}"
        raise ValueError(message)
    make: Callable[..., Fault] = getattr(Fault, kind)
    return make(**arguments)


class Faults:
    """Hold the faults of one host by endpoint name.

    The name `*` stands for all that have none of their own.
    """

    def __init__(self, endpoints: Iterable[str]) -> None:
        """Start without a fault; `endpoints` are those of the host."""
        self._endpoints = {*endpoints, EVERY_ENDPOINT}
        self._faults: dict[str, tuple[Fault, int | None]] = {}

    def set(self, endpoint: str, fault: Fault, times: int | None = None) -> None:
        """Answer requests to `endpoint` with `fault`, for ever or `times` times."""
        if endpoint not in self._endpoints:
            message = f"unknown endpoint: {endpoint}"
            raise ValueError(message)
        self._faults[endpoint] = (fault, times)

    def clear(self, endpoint: str | None = None) -> None:
        """Answer normally again, at one endpoint or at all."""
        if endpoint is None:
            self._faults.clear()
        else:
            self._faults.pop(endpoint, None)

    def take(self, endpoint: str) -> Fault | None:
        """Return the fault for one request to `endpoint`, or None, and count it."""
        key = endpoint if endpoint in self._faults else EVERY_ENDPOINT
        if key not in self._faults:
            return None
        fault, times = self._faults[key]
        if times is not None:
            if times <= 1:
                del self._faults[key]
            else:
                self._faults[key] = (fault, times - 1)
        return fault


def _raw(data: bytes, content_type: str, status: int) -> web.Response:
    return web.Response(
        body=data, status=status, headers={"Content-Type": content_type}
    )


def _encoded(text: str, charset: str | None) -> bytes:
    try:
        return text.encode(charset or "utf-8")
    except LookupError, UnicodeEncodeError:
        return text.encode()


async def _normal(exchange: Exchange) -> tuple[web.Response, bytes]:
    response = await exchange.respond()
    if not isinstance(response, web.Response) or not isinstance(
        response.body, bytes | None
    ):
        message = "only an answer with a whole body can be spoiled"
        raise TypeError(message)
    return response, response.body or b""

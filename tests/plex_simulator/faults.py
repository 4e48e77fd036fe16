"""Faults that can be switched on for each endpoint of each host."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime
import json

from aiohttp import web

from .errors import PLEX_ERRORS
from .listener import cut
from .rendering import FORCED_XML, error_page, html, plex_tv_error

ENDPOINTS = frozenset(
    {
        "signin",
        "user",
        "resources",
        "pins_create",
        "pins_check",
        "pins_link",
        "signout",
        "ping",
        "home_users",
        "account_v1",
        "identity",
        "root",
        "security_token",
        "security_resources",
        "media",
    }
)
EVERY_ENDPOINT = "*"

_CHUNK = 64 * 1024
_OUTAGE_TITLE = "We're sorry, but something went wrong"


@dataclass(frozen=True, slots=True)
class Exchange:
    """Give a fault what it works on: the request, and the way to the normal answer."""

    request: web.Request
    respond: Callable[[], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class Fault:
    """Describe one way to answer wrongly. Made by the class methods, one for each kind.

    Faults that spoil the normal answer (`slow_body`, `half_body`, `xml_instead`,
    `reset` with `processed`) let the host do its work first, as in a real network
    failure: a sign-in has then happened.
    """

    kind: str
    play: Callable[[Exchange], Awaitable[web.StreamResponse]]

    @classmethod
    def status(
        cls,
        code: int,
        body: str | bytes | Mapping[str, object] | None = None,
        *,
        content_type: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Fault:
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

        return cls("status", play)

    @classmethod
    def plex_error(
        cls,
        code: int,
        http_status: int | None = None,
        *,
        message: str | None = None,
        retry_after: int | str | datetime | None = None,
        with_status: bool = True,
    ) -> Fault:
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

        return cls("plex_error", play)

    @classmethod
    def html(cls, status: int = 502) -> Fault:
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

        return cls("html", play)

    @classmethod
    def delay(cls, seconds: float) -> Fault:
        """Wait before anything is done and sent."""

        async def play(exchange: Exchange) -> web.StreamResponse:
            await asyncio.sleep(seconds)
            return await exchange.respond()

        return cls("delay", play)

    @classmethod
    def slow_body(cls, seconds: float) -> Fault:
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

        return cls("slow_body", play)

    @classmethod
    def reset(cls, *, processed: bool = False) -> Fault:
        """Reset the connection without an answer.

        With `processed` the host does first what was asked.
        """

        async def play(exchange: Exchange) -> web.StreamResponse:
            response = await exchange.respond() if processed else web.Response()
            cut(exchange.request.transport)
            return response

        return cls("reset", play)

    @classmethod
    def half_body(cls) -> Fault:
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

        return cls("half_body", play)

    @classmethod
    def huge_body(cls, size: int = 8 * 1024 * 1024) -> Fault:
        """Stream a JSON object of `size` bytes without announcing its length."""

        async def play(exchange: Exchange) -> web.StreamResponse:
            stream = web.StreamResponse(
                headers={"Content-Type": "application/json; charset=utf-8"}
            )
            await stream.prepare(exchange.request)
            start, end = b'{"filler": "', b'"}'
            left = size - len(start) - len(end)
            try:
                await stream.write(start)
                while left > 0:
                    await stream.write(b"x" * min(left, _CHUNK))
                    left -= _CHUNK
                await stream.write(end)
            except ConnectionError:
                # A careful client hangs up long before the end.
                pass
            return stream

        return cls("huge_body", play)

    @classmethod
    def redirect(cls, url: str, status: int = 302) -> Fault:
        """Send the client to `url`."""

        async def play(exchange: Exchange) -> web.StreamResponse:
            return web.Response(status=status, headers={"Location": url})

        return cls("redirect", play)

    @classmethod
    def body(
        cls,
        content: str | bytes,
        content_type: str = "application/json",
        *,
        status: int = 200,
        charset: str | None = None,
    ) -> Fault:
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

        return cls("body", play)

    @classmethod
    def xml_instead(cls) -> Fault:
        """Give the normal answer in XML although JSON was asked for."""

        async def play(exchange: Exchange) -> web.StreamResponse:
            exchange.request[FORCED_XML] = True
            return await exchange.respond()

        return cls("xml_instead", play)

    @classmethod
    def named(cls, kind: str, **arguments: object) -> Fault:
        """Return the fault of this kind, its arguments by name, as JSON has them."""
        if kind not in FAULT_KINDS:
            message = f"unknown kind of fault: {kind}"
            raise ValueError(message)
        make: Callable[..., Fault] = getattr(cls, kind)
        return make(**arguments)


FAULT_KINDS = frozenset(
    {
        "status",
        "plex_error",
        "html",
        "delay",
        "slow_body",
        "reset",
        "half_body",
        "huge_body",
        "redirect",
        "body",
        "xml_instead",
    }
)


class Faults:
    """Hold the faults of one host by endpoint name.

    The name `*` stands for all that have none of their own.
    """

    def __init__(self) -> None:
        """Start without a fault."""
        self._faults: dict[str, tuple[Fault, int | None]] = {}

    def set(self, endpoint: str, fault: Fault, times: int | None = None) -> None:
        """Answer requests to `endpoint` with `fault`, for ever or `times` times."""
        if endpoint not in ENDPOINTS and endpoint != EVERY_ENDPOINT:
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

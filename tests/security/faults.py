"""The faults that the audit lets each call meet, and hosts that echo what they were told."""

from collections.abc import Callable
from functools import partial
from typing import Final

from aiohttp import web

from tests.plex_simulator import Fault, PlexSimulator
from tests.plex_simulator.faults import Exchange
from tests.plex_simulator.site import FORM

PATIENCE: Final = 0.2
SLOW: Final = ("delay", "slow body")


def _echoed(exchange: Exchange) -> str:
    """Return everything secret that a request carries."""
    request = exchange.request
    token = request.headers.get("X-Plex-Token", "")
    return " ".join([token, *(str(value) for value in request[FORM].values())])


def _echo(answer: Callable[[str], web.Response]) -> Fault:
    """Return the fault of a host that says in its answer what it was told."""

    async def play(exchange: Exchange) -> web.StreamResponse:
        return answer(_echoed(exchange))

    return Fault("echo", play)


def _raw_echo(head: Callable[[str], str]) -> Fault:
    """Return the fault of a host that breaks the protocol with what it was told."""

    async def play(exchange: Exchange) -> web.StreamResponse:
        transport = exchange.request.transport
        assert transport is not None
        transport.write(head(_echoed(exchange)).encode())
        transport.close()
        return web.Response()

    return Fault("raw echo", play)


def _plex_error(status: int, text: str) -> web.Response:
    """Return an error of plex.tv with a text in all of its parts."""
    return web.json_response(
        {"errors": [{"code": 1001, "message": text, "status": status}]},
        status=status,
        headers={"Retry-After": _header(text), "X-Echo": _header(text)},
    )


def _header(text: str) -> str:
    return text.encode("ascii", "replace").decode().replace("\n", " ")


def faults(simulator: PlexSimulator) -> dict[str, Fault]:
    """Return faults of each kind that the simulator has, and hosts that echo secrets."""
    elsewhere = "http://198.51.100.7/"
    return {
        **{
            f"status {status}": Fault.status(status)
            for status in (400, 401, 403, 404, 422, 498, 503)
        },
        "429": Fault.status(429, headers={"Retry-After": "1"}),
        **{
            f"code {code}": Fault.plex_error(code)
            for code in (1001, 1003, 1020, 1028, 1029, 1030, 1031)
        },
        "invalid token": Fault.plex_error(1999, 422, message="Invalid token"),
        "page 200": Fault.html(200),
        "page 502": Fault.html(502),
        SLOW[0]: Fault.delay(5 * PATIENCE),
        SLOW[1]: Fault.slow_body(5 * PATIENCE),
        "reset": Fault.reset(),
        "reset after work": Fault.reset(processed=True),
        "half body": Fault.half_body(),
        "huge body": Fault.huge_body(2 * 1024 * 1024),
        "redirect": Fault.redirect(f"{simulator.base_url}/elsewhere"),
        "redirect elsewhere": Fault.redirect(elsewhere),
        "empty": Fault.body(""),
        "wrong shape": Fault.body("[[]]"),
        "wrong encoding": Fault.body(b"\xff\xfe{", charset="utf-8"),
        "XML": Fault.xml_instead(),
        **{
            f"echo in an error {status}": _echo(partial(_plex_error, status))
            for status in (401, 422, 500)
        },
        "echo in a page": _echo(
            lambda text: web.Response(
                text=f"<html><body>{text}</body></html>",
                content_type="text/html",
                status=502,
            )
        ),
        "echo in half a JSON": _echo(
            lambda text: web.Response(
                text=f'{{"authToken": "{text}', content_type="application/json"
            )
        ),
        "echo in half an XML": _echo(
            lambda text: web.Response(
                text=f'<user authToken="{text}', content_type="application/xml"
            )
        ),
        "echo in a redirect": _echo(
            lambda text: web.Response(
                status=302, headers={"Location": f"{elsewhere}?q={_header(text)}"}
            )
        ),
        "echo in a cookie": _echo(
            lambda text: web.Response(headers={"Set-Cookie": f"a={_header(text)}; b"})
        ),
        "echo in the status line": _raw_echo(
            lambda text: f"HTTP/{text} 200 OK\r\n\r\n"
        ),
        "echo in a broken header": _raw_echo(
            lambda text: f"HTTP/1.1 200 OK\r\n{text}\r\n\r\n"
        ),
        "echo in a length": _raw_echo(
            lambda text: f"HTTP/1.1 200 OK\r\nContent-Length: {text}\r\n\r\n"
        ),
        "echo in an encoding": _raw_echo(
            lambda text: (
                "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n"
                f"Content-Length: {len(text.encode())}\r\n\r\n{text}"
            )
        ),
    }

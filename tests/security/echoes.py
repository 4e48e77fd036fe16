"""The faults of hosts that echo what they were told."""

import json
from typing import Final

from aiohttp import web

from tests.plex_simulator import Fault
from tests.plex_simulator.faults import Exchange
from tests.plex_simulator.site import FORM

_ELSEWHERE: Final = "http://198.51.100.7/"
_OK: Final = "HTTP/1.1 200 OK\r\n"


def _told(exchange: Exchange) -> str:
    """Return everything secret that a request carries."""
    request = exchange.request
    token = request.headers.get("X-Plex-Token", "")
    typed = [*request.query.values(), *request[FORM].values()]
    return " ".join([token, *map(str, typed)])


def _echo(
    text: str, content_type: str = "text/plain", status: int = 200, **headers: str
) -> Fault:
    """Return the fault of a host that answers with what it was told in place of `¶`.

    In place of `"¶"` it is a text in JSON.
    """

    async def play(exchange: Exchange) -> web.StreamResponse:
        told = _told(exchange)
        line = told.encode("ascii", "replace").decode().replace("\n", " ")
        return web.Response(
            text=text.replace('"¶"', json.dumps(told)).replace("¶", told),
            content_type=content_type,
            status=status,
            headers={
                name.replace("_", "-"): value.replace("¶", line)
                for name, value in headers.items()
            },
        )

    return Fault("echo", play)


def _raw_echo(text: str) -> Fault:
    """Return the fault of a host that breaks the protocol with what it was told."""

    async def play(exchange: Exchange) -> web.StreamResponse:
        transport, told = exchange.request.transport, _told(exchange)
        assert transport is not None
        length = str(len(told.encode()))
        transport.write(text.replace("LENGTH", length).replace("¶", told).encode())
        transport.close()
        return web.Response()

    return Fault("raw echo", play)


def _error_echo(status: int) -> Fault:
    """Return an error of plex.tv with what it was told in all of its parts."""
    text = f'{{"errors": [{{"code": 1001, "message": "¶", "status": {status}}}]}}'
    return _echo(text, "application/json", status, Retry_After="¶", X_Echo="¶")


ECHOES: Final = {
    **{f"an error {status}": _error_echo(status) for status in (401, 422, 500)},
    "a page": _echo("<html><body>¶</body></html>", "text/html", 502),
    "half a JSON": _echo('{"authToken": "¶', "application/json"),
    "half an XML": _echo('<user authToken="¶', "application/xml"),
    "a redirect": _echo("", status=302, Location=f"{_ELSEWHERE}?q=¶"),
    "a cookie": _echo("", Set_Cookie="a=¶; b"),
    "the status line": _raw_echo("HTTP/¶ 200 OK\r\n\r\n"),
    "a broken header": _raw_echo(f"{_OK}¶\r\n\r\n"),
    "a length": _raw_echo(f"{_OK}Content-Length: ¶\r\n\r\n"),
    "an encoding": _raw_echo(
        f"{_OK}Content-Encoding: gzip\r\nContent-Length: LENGTH\r\n\r\n¶"
    ),
}

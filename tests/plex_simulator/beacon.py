"""A host that hostile names point to: it tells whether a page has asked for anything."""

from aiohttp import web

from .media_server import PICTURE, render_error
from .recording import RecordedRequest
from .site import Site, Surroundings

_ANYWHERE = {"Access-Control-Allow-Origin": "*"}


class Beacon:
    """Answer every request with a picture, and count it. `add_beacon` makes it.

    Its `requests` are not among those of the simulator.
    """

    def __init__(self, surroundings: Surroundings, host: str) -> None:
        """Describe the host; `surroundings` are its own."""
        self._surroundings = surroundings
        self._site = Site(
            "beacon",
            surroundings,
            (host,),
            routes=[web.route("*", "/{path:.*}", self._picture, name="beacon")],
            render_error=render_error,
        )
        self._listener = self._site.add_listener("local", host, 0)

    @property
    def url(self) -> str:
        """Return its address without a path."""
        return f"http://{self._listener.host}:{self._listener.port}"

    @property
    def requests(self) -> list[RecordedRequest]:
        """Return the requests that arrived."""
        return self._surroundings.requests

    async def start(self) -> None:
        """Start to answer."""
        await self._site.start()

    async def close(self) -> None:
        """Stop for good."""
        await self._site.close()

    async def _picture(self, request: web.Request) -> web.StreamResponse:
        return web.Response(body=PICTURE, content_type="image/png", headers=_ANYWHERE)

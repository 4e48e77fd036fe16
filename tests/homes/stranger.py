"""A machine in a home that is no Plex Media Server."""

from collections.abc import Iterable

from aiohttp import web

from tests.plex_simulator.media_server import render_error
from tests.plex_simulator.simulator import PlexSimulator
from tests.plex_simulator.site import Site

_SIGN_IN = "<html><body><h1>Welcome! Please sign in.</h1></body></html>"


class Stranger:
    """Answer every request with one page: a sign-in, or a redirect."""

    def __init__(
        self, simulator: PlexSimulator, addresses: Iterable[str], goes_to: str | None
    ) -> None:
        """Describe the machine; `goes_to` is where it redirects to, if it does.

        A scheme alone, such as `https:`, means the same host and path.
        """
        self._goes_to = goes_to
        self._site = Site(
            "stranger",
            simulator._surroundings,
            ("portal.example",),
            routes=[web.route("*", "/{path:.*}", self._answer, name="stranger")],
            render_error=render_error,
        )
        for address in addresses:
            host, _, port = address.rpartition(":")
            self._site.add_listener(address, host, int(port))

    async def start(self) -> None:
        """Start to answer."""
        await self._site.start()

    async def close(self) -> None:
        """Stop for good."""
        await self._site.close()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        if self._goes_to is None:
            return web.Response(text=_SIGN_IN, content_type="text/html")
        location = self._goes_to
        if location.endswith(":"):
            location += f"//{request.host}{request.path_qs}"
        return web.Response(status=301, headers={"Location": location})

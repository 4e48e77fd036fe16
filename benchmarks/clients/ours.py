"""The client of the integration."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import ClientSession, DummyCookieJar
from yarl import URL

from custom_components.plex_auth.api.plex_tv import PlexTv
from custom_components.plex_auth.api.server import PlexServer
from custom_components.plex_auth.api.transport import ClientInfo, Transport

from .base import Client, Given


@asynccontextmanager
async def ours(given: Given) -> AsyncIterator[Client]:
    """Call with the integration's own objects."""
    async with ClientSession(cookie_jar=DummyCookieJar()) as session:
        transport, transport_to_sign_in = (
            Transport(session, ClientInfo(**identity))
            for identity in (given.identity(), given.identity("sign-in-ours"))
        )
        signing_in = PlexTv(transport_to_sign_in, given.api_url)
        plex_tv = PlexTv(transport, given.api_url)
        server = PlexServer(transport, URL(given.server.url))
        login, password = given.signing_in.username, given.signing_in.password

        async def _sign_in() -> object:
            found = await signing_in.sign_in(login, password, given.code)
            return found.account.uuid

        async def _user() -> object:
            return (await plex_tv.user(given.token)).uuid

        async def _resources() -> object:
            found = await plex_tv.servers(given.token)
            return sum(len(one.connections) for one in found)

        async def _token() -> object:
            return bool((await server.transient_token(given.server.token)).token)

        async def _source() -> object:
            found = await server.source_connection_information(
                given.server.token, given.source
            )
            return len(found.connections)

        yield Client("Plex Auth", _sign_in, _user, _resources, _token, _source)

"""plex-api-client, by its asynchronous methods."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
from plex_api_client import PlexAPI
from plex_api_client.models import operations

from .base import AsyncClient, Given, NoCookies

_WITH_ALL = {
    "include_https": operations.IncludeHTTPS.TRUE,
    "include_relay": operations.IncludeRelay.TRUE,
    "include_i_pv6": operations.IncludeIPv6.TRUE,
}
_DELEGATION = {"media_type": "delegation", "scope": "all"}


@asynccontextmanager
async def plex_api_client(given: Given) -> AsyncIterator[AsyncClient]:
    """Call through a session with as many connections as are used at once.

    The blocking session is for nothing but that none is made with other settings.
    """
    with httpx.Client(cookies=NoCookies(), trust_env=False) as blocking:
        async with httpx.AsyncClient(
            cookies=NoCookies(),
            limits=httpx.Limits(max_connections=100, max_keepalive_connections=100),
            follow_redirects=True,
            trust_env=False,
        ) as session:

            def _sdk(token: str | None, identity: dict[str, str]) -> Any:
                return PlexAPI(
                    token=token,
                    **identity,
                    server_url=given.server.url,
                    client=blocking,
                    async_client=session,
                )

            signing_in = _sdk(None, given.identity("sign-in-plex-api-client"))
            plex_tv = _sdk(given.token, given.identity())
            server = _sdk(given.server.token, given.identity()).general

            async def _sign_in() -> object:
                body = {
                    "login": given.signing_in.username,
                    "password": given.signing_in.password,
                    "remember_me": True,
                    "verification_code": given.code,
                }
                found = await signing_in.authentication.post_users_sign_in_data_async(
                    request={"request_body": body}, server_url=given.api_url
                )
                return found.user_plex_account.uuid

            async def _user() -> object:
                found = await plex_tv.authentication.get_token_details_async(
                    request={}, server_url=given.api_url
                )
                return found.user_plex_account.uuid

            async def _resources() -> object:
                found = await plex_tv.plex.get_server_resources_async(
                    request=_WITH_ALL, server_url=given.api_url
                )
                return sum(len(one.connections) for one in found.plex_devices)

            async def _token() -> object:
                found = await server.create_transient_token_async(request=_DELEGATION)
                return bool(found.object.media_container.token)

            async def _source() -> object:
                found = await server.get_source_connection_information_async(
                    request={"source": given.source}
                )
                return len(found.object.media_container.device.connection)

            yield AsyncClient(
                "plex-api-client", _sign_in, _user, _resources, _token, _source
            )

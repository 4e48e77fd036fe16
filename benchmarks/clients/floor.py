"""Bare aiohttp: the same requests, `json.loads`, and nothing else."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
import json
from typing import Any

from aiohttp import ClientSession, DummyCookieJar
from yarl import URL

from .base import Client, Given


@asynccontextmanager
async def floor(given: Given) -> AsyncIterator[Client]:
    """Call with addresses and headers made beforehand, so that nothing is left to save."""
    async with ClientSession(cookie_jar=DummyCookieJar()) as session:
        signing_in = _headers(given.identity("sign-in-floor"))
        headers = _headers(given.identity())
        at_plex_tv = headers | {"X-Plex-Token": given.token}
        at_server = headers | {"X-Plex-Token": given.server.token}
        api, server = URL(given.api_url), URL(given.server.url)
        sign_in_url, user_url = api / "users/signin", api / "user"
        resources_url = (api / "resources").with_query(
            includeHttps="1", includeRelay="1", includeIPv6="1"
        )
        token_url = (server / "security/token").with_query(
            type="delegation", scope="all"
        )
        source_url = (server / "security/resources").with_query(
            source=given.source, refresh="0"
        )

        async def _ask(
            method: str, url: URL, headers: dict[str, str], data: Any = None
        ) -> Any:
            async with session.request(
                method, url, headers=headers, data=data
            ) as response:
                return json.loads(await response.read())

        async def _sign_in() -> object:
            form = {
                "login": given.signing_in.username,
                "password": given.signing_in.password,
                "rememberMe": "true",
                "verificationCode": given.code,
            }
            return (await _ask("POST", sign_in_url, signing_in, form))["uuid"]

        async def _user() -> object:
            return (await _ask("GET", user_url, at_plex_tv))["uuid"]

        async def _resources() -> object:
            rows = await _ask("GET", resources_url, at_plex_tv)
            return sum(len(one["connections"]) for one in rows)

        async def _token() -> object:
            found = await _ask("POST", token_url, at_server)
            return bool(found["MediaContainer"]["token"])

        async def _source() -> object:
            found = await _ask("GET", source_url, at_server)
            return len(found["MediaContainer"]["Device"]["Connection"])

        yield Client("floor", _sign_in, _user, _resources, _token, _source)


def _headers(identity: dict[str, str]) -> dict[str, str]:
    """Return the headers that describe a client."""
    named = {
        f"X-Plex-{key.replace('_', '-').title()}": value
        for key, value in identity.items()
    }
    return {"Accept": "application/json"} | named

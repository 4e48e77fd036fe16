"""python-plexapi, which blocks."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import plexapi
from plexapi.myplex import MyPlexAccount, MyPlexResource
from plexapi.server import PlexServer
import requests

from .base import Client, Given, NoCookies

# It has no types.
_account: Any = MyPlexAccount
_connect: Any = PlexServer


@asynccontextmanager
async def python_plexapi(given: Given) -> AsyncIterator[Client]:
    """Call through one session; its connections stay open."""
    _lead_to(given.base_url)
    with requests.Session() as session:
        session.trust_env = False
        session.cookies = NoCookies()  # type: ignore[assignment]
        account = _account(token=given.token, session=session)
        server = _connect(given.server.url, given.server.token, session=session)
        login, password = given.signing_in.username, given.signing_in.password
        source_path = f"/security/resources?source={given.source}&refresh=0"

        def _sign_in() -> object:
            return _account(login, password, code=given.code, session=session).uuid

        def _user() -> object:
            return _account(token=given.token, session=session).uuid

        def _resources() -> object:
            return sum(len(one.connections) for one in account.resources())

        def _token() -> object:
            return bool(server.createToken())

        def _source() -> object:
            return len(server.query(source_path).findall("Device/Connection"))

        yield Client("python-plexapi", _sign_in, _user, _resources, _token, _source)


def _lead_to(base_url: str) -> None:
    """Have the library call the simulator in place of plex.tv."""
    for owner, name in (
        (MyPlexAccount, "key"),
        (MyPlexAccount, "SIGNIN"),
        (MyPlexResource, "key"),
    ):
        path = getattr(owner, name).partition("/api/")[2]
        setattr(owner, name, f"{base_url}/api/{path}")
    plexapi.BASE_HEADERS["X-Plex-Client-Identifier"] = "sign-in-python-plexapi"

"""Four clients of Plex that make the same five calls: ours, two peers and the floor.

Each call returns the same small thing from every client, so that none is measured that
does not do its work.
"""

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
import json
from typing import Any, Protocol
from xml.etree import ElementTree as ET

from aiohttp import ClientSession, DummyCookieJar
import httpx
from plex_api_client import PlexAPI
from plex_api_client.models import operations
import plexapi
from plexapi.myplex import MyPlexAccount, MyPlexResource
from plexapi.server import PlexServer as PythonPlexServer
import pyotp
import requests
from requests.adapters import HTTPAdapter
from yarl import URL

from custom_components.plex_auth.api.plex_tv import PlexTv
from custom_components.plex_auth.api.server import PlexServer
from custom_components.plex_auth.api.transport import ClientInfo, Transport

from .simulated import SimulatedAccount, World
from .world import CLIENT_IDENTIFIER

CALLS = (
    "sign in with code",
    "user details",
    "resources of 20 servers",
    "transient token",
    "source connections",
)
AT_ONCE = 50

_PRODUCT = "Benchmark"


class Client(Protocol):
    """Make calls, one by one or many at once."""

    name: str

    async def open(self) -> None:
        """Get ready, connections excepted."""

    async def close(self) -> None:
        """Close all connections."""

    async def one(self, call: str) -> object:
        """Make one call and return what shows that it did its work."""

    async def many(self, call: str, count: int) -> None:
        """Make so many calls at once."""


class AsyncClient:
    """Make calls on the event loop; a kind of client names them."""

    name: str
    calls: dict[str, Callable[[], Awaitable[object]]]

    async def one(self, call: str) -> object:
        """Make one call."""
        return await self.calls[call]()

    async def many(self, call: str, count: int) -> None:
        """Make so many calls at once."""
        function = self.calls[call]
        await asyncio.gather(*(function() for _ in range(count)))


def _identity(client_identifier: str) -> ClientInfo:
    return ClientInfo(
        client_identifier=client_identifier,
        product=_PRODUCT,
        version="1.0.0",
        platform="Home Assistant",
        platform_version="1.0.0",
        device="Home Assistant",
        device_name="Home",
    )


class _Given:
    """Hold what all clients are given."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.account: SimulatedAccount = world.accounts[0]
        self.server = self.account.servers[0]
        other = self.account.servers[1]
        self.source = f"server://{other.machine_identifier}"
        # Another account signs in: a sign-in adds a client to the list of resources, and
        # one peer cannot read a list with a client in it.
        self.signing_in = world.accounts[1]
        self._totp = pyotp.TOTP(self.signing_in.totp_secret)
        self.code = ""
        self.renew_code()

    def renew_code(self) -> None:
        """Take the code that is right now; it stays so for a round."""
        self.code = self._totp.now()


class Ours(AsyncClient):
    """The client of the integration."""

    name = "Plex Auth"

    def __init__(self, given: _Given) -> None:
        """Take what is called."""
        self._given = given

    async def open(self) -> None:
        """Open the session."""
        given = self._given
        self._session = ClientSession(cookie_jar=DummyCookieJar())
        api_url = given.world.api_url
        sign_in = PlexTv(Transport(self._session, _identity("sign-in-ours")), api_url)
        transport = Transport(self._session, _identity(CLIENT_IDENTIFIER))
        account = PlexTv(transport, api_url)
        server = PlexServer(transport, URL(given.server.url))
        login, password = given.signing_in.username, given.signing_in.password
        token, server_token = given.account.token, given.server.token

        async def _sign_in() -> object:
            return (await sign_in.sign_in(login, password, given.code)).account.uuid

        async def _user() -> object:
            return (await account.user(token)).uuid

        async def _resources() -> object:
            return sum(len(one.connections) for one in await account.servers(token))

        async def _transient_token() -> object:
            return bool((await server.transient_token(server_token)).token)

        async def _source() -> object:
            found = await server.source_connection_information(
                server_token, given.source
            )
            return len(found.connections)

        functions = (_sign_in, _user, _resources, _transient_token, _source)
        self.calls = dict(zip(CALLS, functions, strict=True))

    async def close(self) -> None:
        """Close the session."""
        await self._session.close()


class Floor(AsyncClient):
    """Bare aiohttp: the same requests, `json.loads` and nothing else.

    Its addresses and headers are made once, so that there is nothing left to save.
    """

    name = "floor"

    def __init__(self, given: _Given) -> None:
        """Take what is called."""
        self._given = given

    async def open(self) -> None:
        """Open the session."""
        given = self._given
        session = self._session = ClientSession(cookie_jar=DummyCookieJar())
        api = URL(given.world.api_url)
        server = URL(given.server.url)
        headers = _identity(CLIENT_IDENTIFIER).headers()
        account_headers = headers | {"X-Plex-Token": given.account.token}
        server_headers = headers | {"X-Plex-Token": given.server.token}
        sign_in_headers = _identity("sign-in-floor").headers()
        sign_in_url, user_url = api / "users" / "signin", api / "user"
        resources_url = (api / "resources").with_query(
            includeHttps="1", includeRelay="1", includeIPv6="1"
        )
        token_url = (server / "security/token").with_query(
            type="delegation", scope="all"
        )
        source_url = (server / "security/resources").with_query(
            source=given.source, refresh="0"
        )
        login, password = given.signing_in.username, given.signing_in.password

        async def _get(url: URL, headers: dict[str, str]) -> Any:
            async with session.get(url, headers=headers) as response:
                return json.loads(await response.read())

        async def _sign_in() -> object:
            form = {
                "login": login,
                "password": password,
                "rememberMe": "true",
                "verificationCode": given.code,
            }
            async with session.post(
                sign_in_url, data=form, headers=sign_in_headers
            ) as response:
                return json.loads(await response.read())["uuid"]

        async def _user() -> object:
            return (await _get(user_url, account_headers))["uuid"]

        async def _resources() -> object:
            rows = await _get(resources_url, account_headers)
            return sum(len(one["connections"]) for one in rows)

        async def _transient_token() -> object:
            async with session.post(token_url, headers=server_headers) as response:
                data = json.loads(await response.read())
            return bool(data["MediaContainer"]["token"])

        async def _source() -> object:
            data = await _get(source_url, server_headers)
            return len(data["MediaContainer"]["Device"]["Connection"])

        functions = (_sign_in, _user, _resources, _transient_token, _source)
        self.calls = dict(zip(CALLS, functions, strict=True))

    async def close(self) -> None:
        """Close the session."""
        await self._session.close()


class PythonPlexApi:
    """python-plexapi, which blocks: one by one as it is, many at once in threads."""

    name = "python-plexapi"

    def __init__(self, given: _Given) -> None:
        """Take what is called."""
        self._given = given
        base = given.world.base_url
        for owner, names in (
            (MyPlexAccount, ("key", "SIGNIN")),
            (MyPlexResource, ("key",)),
        ):
            for name in names:
                address: str = getattr(owner, name)
                path = address.partition("/api/")[2]
                setattr(owner, name, f"{base}/api/{path}")
        plexapi.BASE_HEADERS["X-Plex-Client-Identifier"] = "sign-in-python-plexapi"

    async def open(self) -> None:
        """Open a session that has a connection for each thread."""
        given = self._given
        session = self._session = requests.Session()
        session.trust_env = False
        session.mount(
            "http://", HTTPAdapter(pool_connections=AT_ONCE, pool_maxsize=AT_ONCE)
        )
        self._threads = ThreadPoolExecutor(AT_ONCE)
        login, password = given.signing_in.username, given.signing_in.password
        token = given.account.token
        # It has no types.
        sign_in: Any = MyPlexAccount
        connect: Any = PythonPlexServer
        account = sign_in(token=token, session=session)
        server = connect(given.server.url, given.server.token, session=session)
        source_path = f"/security/resources?source={given.source}&refresh=0"

        def _sign_in() -> object:
            return sign_in(login, password, code=given.code, session=session).uuid

        def _user() -> object:
            return sign_in(token=token, session=session).uuid

        def _resources() -> object:
            return sum(len(one.connections) for one in account.servers())

        def _transient_token() -> object:
            return bool(server.createToken())

        def _source() -> object:
            container: ET.Element = server.query(source_path)
            return len(container.findall("Device/Connection"))

        functions = (_sign_in, _user, _resources, _transient_token, _source)
        self._calls = dict(zip(CALLS, functions, strict=True))

    async def close(self) -> None:
        """Close the session and end the threads."""
        self._threads.shutdown()
        self._session.close()

    async def one(self, call: str) -> object:
        """Make one call; nothing else runs meanwhile, so no thread is needed."""
        return self._calls[call]()

    async def many(self, call: str, count: int) -> None:
        """Make so many calls, each in a thread."""
        loop, function = asyncio.get_running_loop(), self._calls[call]
        await asyncio.gather(
            *(loop.run_in_executor(self._threads, function) for _ in range(count))
        )


class PlexApiClient(AsyncClient):
    """plex-api-client, by its asynchronous methods."""

    name = "plex-api-client"

    def __init__(self, given: _Given) -> None:
        """Take what is called."""
        self._given = given

    async def open(self) -> None:
        """Open the session, with as many connections as are used at once."""
        given = self._given
        limits = httpx.Limits(max_connections=100, max_keepalive_connections=100)
        self._sync = httpx.Client(trust_env=False)
        self._session = httpx.AsyncClient(
            limits=limits, follow_redirects=True, trust_env=False
        )
        api_url, server_url = given.world.api_url, given.server.url

        def _sdk(token: str | None, client_identifier: str) -> PlexAPI:
            return PlexAPI(
                token=token,
                client_identifier=client_identifier,
                product=_PRODUCT,
                version="1.0.0",
                platform="Home Assistant",
                platform_version="1.0.0",
                device="Home Assistant",
                device_name="Home",
                server_url=server_url,
                client=self._sync,
                async_client=self._session,
            )

        sign_in = _sdk(None, "sign-in-plex-api-client")
        account = _sdk(given.account.token, CLIENT_IDENTIFIER)
        server = _sdk(given.server.token, CLIENT_IDENTIFIER)
        credentials: Any = {
            "login": given.signing_in.username,
            "password": given.signing_in.password,
            "remember_me": True,
        }

        async def _sign_in() -> object:
            body = {**credentials, "verification_code": given.code}
            request: Any = {"request_body": body}
            response = await sign_in.authentication.post_users_sign_in_data_async(
                request=request, server_url=api_url
            )
            found = response.user_plex_account
            return found.uuid if found else None

        async def _user() -> object:
            response = await account.authentication.get_token_details_async(
                request={}, server_url=api_url
            )
            found = response.user_plex_account
            return found.uuid if found else None

        async def _resources() -> object:
            response = await account.plex.get_server_resources_async(
                request={
                    "include_https": operations.IncludeHTTPS.TRUE,
                    "include_relay": operations.IncludeRelay.TRUE,
                    "include_i_pv6": operations.IncludeIPv6.TRUE,
                },
                server_url=api_url,
            )
            return sum(len(one.connections) for one in response.plex_devices or ())

        async def _transient_token() -> object:
            request: Any = {"media_type": "delegation", "scope": "all"}
            response = await server.general.create_transient_token_async(
                request=request
            )
            found = response.object
            container = found.media_container if found else None
            return bool(container and container.token)

        async def _source() -> object:
            response = await server.general.get_source_connection_information_async(
                request={"source": given.source}
            )
            found = response.object
            container = found.media_container if found else None
            device = container.device if container else None
            return len(device.connection or ()) if device else 0

        functions = (_sign_in, _user, _resources, _transient_token, _source)
        self.calls = dict(zip(CALLS, functions, strict=True))

    async def close(self) -> None:
        """Close the sessions."""
        await self._session.aclose()
        self._sync.close()


def make_clients(world: World) -> tuple[tuple[Client, ...], Callable[[], None]]:
    """Return the clients, ours first, and what renews the code that they sign in with."""
    given = _Given(world)
    clients = (Ours(given), Floor(given), PythonPlexApi(given), PlexApiClient(given))
    return clients, given.renew_code

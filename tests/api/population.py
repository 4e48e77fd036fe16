"""Who and what the client's tests meet: accounts, servers, a name resolution, a session."""

from dataclasses import dataclass
import socket
import ssl
from types import FunctionType
from typing import Final, override

from aiohttp import ClientSession, DummyCookieJar, TCPConnector
from aiohttp.abc import ResolveResult
from yarl import URL

from custom_components.plex_auth.api.items import Item
from custom_components.plex_auth.api.plex_tv import PlexTv
from custom_components.plex_auth.api.server import PlexServer
from custom_components.plex_auth.api.transport import ClientInfo, Transport
from tests.plex_simulator import Account, MediaServer, PlexDirectResolver, PlexSimulator
from tests.plex_simulator.library import Kind

PASSWORD: Final = "marker-password-1"
IDENTITY: Final = ClientInfo(
    client_identifier="client-1",
    product="Product",
    version="1.2.3",
    platform="Platform",
    platform_version="4.5.6",
    device="Device",
    device_name="Device name",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Population:
    """Hold the accounts and servers by what they stand for."""

    owner: Account
    guest: Account
    server: MediaServer
    other: MediaServer
    film: Item

    @property
    def token(self) -> str:
        """Return a new account token of the owner."""
        return self.owner.sign_in_token(IDENTITY.client_identifier)

    @property
    def server_token(self) -> str:
        """Return the owner's token for the server."""
        return self.server.access_token_for(self.owner)

    @property
    def source(self) -> str:
        """Return the other server as a source of the server."""
        return f"server://{self.other.machine_identifier}"


@dataclass(slots=True)
class Scene:
    """Hold a simulated Plex, and the client that asks it.

    plex.tv has a name here, which has to be resolved.
    """

    plex: PlexSimulator
    population: Population
    resolver: Resolver
    session: ClientSession

    @property
    def transport(self) -> Transport:
        """Return a transport to the simulator."""
        return Transport(self.session, IDENTITY)

    @property
    def account(self) -> PlexTv:
        """Return the calls of plex.tv."""
        return PlexTv(self.transport, f"https://localhost:{self.plex.port}/api/v2")

    @property
    def server(self) -> PlexServer:
        """Return the calls of the server at its secure address."""
        return PlexServer(self.transport, URL(self.population.server.https_url))


def short(value: object) -> str:
    """Return what a test with this value is called, which is not the value at length."""
    if isinstance(value, type | FunctionType):
        return value.__name__
    try:
        return repr(value)[:40]
    except ValueError:
        return "a very long number"


async def populate(simulator: PlexSimulator) -> Population:
    """Add an owner of two servers, one of which is shared with a guest."""
    owner = simulator.add_account("anna", title="Änna", password=PASSWORD)
    guest = simulator.add_account("ben", title="Ben", password=PASSWORD)
    server = await simulator.add_server("Küche", owner, shared_with=[guest])
    film = server.library.add(Kind.MOVIE, "Fog", ["Fog 1.mkv", "Fog 2.mkv"])
    return Population(
        owner=owner,
        guest=guest,
        server=server,
        other=await simulator.add_server("Cellar", owner),
        film=Item(path=film.path),
    )


class Resolver(PlexDirectResolver):
    """Resolve plex.direct names and `localhost` unless `broken`, and count the questions."""

    def __init__(self) -> None:
        """Start in order."""
        super().__init__()
        self.broken = False
        self.asked: list[str] = []

    @override
    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Return the address of a name; raise OSError while broken."""
        self.asked.append(host)
        if self.broken:
            raise OSError(None, "Name or service not known")
        return await super().resolve(host, port, family)


def plex_session(simulator: PlexSimulator, resolver: Resolver) -> ClientSession:
    """Return a session as Home Assistant's part of the integration makes it."""
    return ClientSession(
        cookie_jar=DummyCookieJar(),
        connector=TCPConnector(
            resolver=resolver,
            ssl=ssl.create_default_context(cadata=simulator.ca_pem().decode()),
            use_dns_cache=False,
        ),
    )

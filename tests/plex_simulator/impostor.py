"""A second machine that answers for a server, and takes whatever it is given."""

from collections.abc import Callable, Iterable
from secrets import token_hex
from typing import TypedDict, Unpack
from uuid import uuid4

from aiohttp import web

from .certificates import Certificate
from .connections import plex_direct_label
from .faults import Faults
from .listener import Listener
from .media_server import render_error
from .notifications import NotificationSockets
from .recording import RecordedRequest
from .rendering import answer, media_container
from .servers import MediaServer, Way
from .site import Site, Surroundings

_SHORTEST = 8  # characters of a secret
_TOKEN = "X-Plex-Token"
_CLAIM_TOKEN = "token"  # its name in the query, plex-api.md §17.3


class ImpostorFields(TypedDict, total=False):
    """Name what an impostor can be made with, in place of what its server has.

    `claimed` and `start_state` None are left out of its identity. See
    `Impostor.set_certificate` for `certificate`.
    """

    machine_identifier: str
    name: str
    version: str
    claimed: bool | None
    start_state: str | None
    certificate: Certificate


class Impostor:
    """Play another machine that answers for a server. `add_impostor` makes it.

    It listens at a port of its own, for plain HTTP and TLS alike, until it takes over
    the address of its server. It lets everyone in, gives what is asked for, and keeps
    every request: `requests` are not among those of the simulator. Its attributes may be
    changed at any time.
    """

    def __init__(
        self,
        server: MediaServer,
        surroundings: Surroundings,
        secrets: Callable[[], set[str]],
        *,
        host: str,
        **fields: Unpack[ImpostorFields],
    ) -> None:
        """Describe the impostor of a server.

        `surroundings` are its own, `secrets` are those that it must not get.
        """
        self.server = server
        self.machine_identifier = fields.get(
            "machine_identifier", server.machine_identifier
        )
        self.name = fields.get("name", server.name)
        self.version = fields.get("version", server.version)
        self.claimed = fields.get("claimed", True)
        self.start_state = fields.get("start_state")
        self.notifications = NotificationSockets(allowed=True)
        self._secrets = secrets
        self._surroundings = surroundings
        self._certificate_id = token_hex(16)
        self._held: Listener | None = None
        self._site = Site(
            "impostor",
            surroundings,
            self._names(Certificate.VALID),
            routes=self._routes(),
            render_error=render_error,
        )
        self._own = self._site.add_listener(Way.LOCAL, host, 0)
        self.set_certificate(fields.get("certificate", Certificate.VALID))

    # What it looks like

    @property
    def port(self) -> int:
        """Return its own port."""
        return self._own.port

    @property
    def http_url(self) -> str:
        """Return its own address without TLS."""
        return f"http://{self._own.host}:{self.port}"

    @property
    def https_url(self) -> str:
        """Return its own address with TLS, which has a plex.direct name of its own."""
        label = plex_direct_label(self._own.host)
        return f"https://{label}.{self._certificate_id}.plex.direct:{self.port}"

    @property
    def faults(self) -> Faults:
        """Return its faults."""
        return self._site.faults

    @property
    def connection_count(self) -> int:
        """Return how many connections clients have open."""
        return self._site.connection_count

    def set_certificate(self, kind: Certificate) -> None:
        """Show a certificate of this kind from now on.

        `VALID` is good for its own plex.direct name, as the one of any other server is;
        `UNKNOWN_AUTHORITY` and `EXPIRED` are for the name of the server that it answers
        for.
        """
        self._site.set_certificate(self._names(kind), kind)

    # What it gets

    @property
    def requests(self) -> list[RecordedRequest]:
        """Return the requests that it got; `clear()` it at will."""
        return self._surroundings.requests

    @property
    def tokens(self) -> set[str]:
        """Return the tokens that it got, in headers, queries and forms."""
        return {
            token
            for request in self.requests
            for token in (
                request.headers.get(_TOKEN),
                request.query.get(_TOKEN),
                request.query.get(_CLAIM_TOKEN),
                request.form.get(_TOKEN),
            )
            if token
        }

    @property
    def secrets(self) -> set[str]:
        """Return the secrets of the simulator that it got, wherever they were."""
        return {
            secret for request in self.requests for secret in self.secrets_in(request)
        }

    def secrets_in(self, request: RecordedRequest) -> set[str]:
        """Return the secrets that a request has anywhere in it.

        Link codes are too short to be told from chance.
        """
        said = _text(request)
        return {
            secret
            for secret in self._secrets()
            if len(secret) >= _SHORTEST and secret in said
        }

    # Where it answers

    async def start(self) -> None:
        """Start at its own port."""
        await self._site.start()

    async def close(self) -> None:
        """Stop for good; an address that it took over is given back first."""
        await self.give_back()
        await self._site.close()

    async def take_over(self) -> None:
        """Answer at the local address of its server, which answers there no more.

        The server's other ways stay as they are. Does nothing while it does already.
        """
        if self._held is not None:
            return
        await self.server.close_way(Way.LOCAL)
        address = self.server.ways[Way.LOCAL]
        self._held = self._site.add_listener("held", address.host, address.port)
        self._held.open()

    async def give_back(self) -> None:
        """Leave the address to its server, which answers there again if it runs."""
        if self._held is None:
            return
        await self._held.close()
        self._held.release()
        del self._site.listeners[self._held.way]
        self._held = None
        self.server.open_way(Way.LOCAL)

    def _names(self, kind: Certificate) -> tuple[str, ...]:
        if kind is Certificate.VALID:
            return (f"*.{self._certificate_id}.plex.direct",)
        return (self.server.plex_direct_name(self.server.ways[Way.LOCAL].host),)

    # What it answers

    def _routes(self) -> Iterable[web.RouteDef]:
        return (
            web.get("/identity", self._identity, name="identity"),
            web.get("/", self._root, name="root"),
            web.route("*", "/security/token", self._token, name="security_token"),
            web.get("/security/resources", self._source, name="security_resources"),
            web.get("/:/websockets/notifications", self._socket, name="notifications"),
            web.post("/myplex/claim", self._claim, name="claim"),
            web.route("*", "/{path:.*}", self._anything, name="anything"),
        )

    async def _identity(self, request: web.Request) -> web.StreamResponse:
        return media_container(
            request,
            {
                "size": 0,
                "apiVersion": "1.1.1",
                "machineIdentifier": self.machine_identifier,
                "version": self.version,
                **self._state(),
            },
        )

    async def _root(self, request: web.Request) -> web.StreamResponse:
        return media_container(
            request,
            {
                "size": 0,
                "friendlyName": self.name,
                "machineIdentifier": self.machine_identifier,
                "version": self.version,
                **self._state(),
            },
        )

    def _state(self) -> dict[str, object]:
        told = {"claimed": self.claimed, "startState": self.start_state}
        return {name: value for name, value in told.items() if value is not None}

    async def _token(self, request: web.Request) -> web.StreamResponse:
        return media_container(request, {"size": 0, "token": f"transient-{uuid4()}"})

    async def _source(self, request: web.Request) -> web.StreamResponse:
        device = {
            "name": self.name,
            "clientIdentifier": request.query.get("source", "").partition("://")[2],
            "accessToken": f"transient-{uuid4()}",
            "Connection": [
                {
                    "protocol": "http",
                    "address": self._own.host,
                    "port": self.port,
                    "uri": self.http_url,
                    "local": True,
                }
            ],
        }
        return media_container(request, {"size": 1, "Device": device})

    async def _socket(self, request: web.Request) -> web.StreamResponse:
        return await self.notifications.serve(request, is_owner=True)

    async def _claim(self, request: web.Request) -> web.StreamResponse:
        self.claimed = True
        fields = {"authToken": None, "mappingState": "mapped", "signInState": "ok"}
        return answer(request, "MyPlex", fields)

    async def _anything(self, request: web.Request) -> web.StreamResponse:
        return media_container(request, {"size": 0})


def _text(request: RecordedRequest) -> str:
    """Return all that a request says."""
    parts = (request.query, request.headers, request.form)
    said = [f"{name}={value}" for part in parts for name, value in part.items()]
    return "\n".join([request.method, request.path, *said])

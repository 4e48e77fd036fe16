"""The simulator as a whole: plex.tv, its accounts, and their media servers."""

from datetime import timedelta
from types import TracebackType
from typing import Self, Unpack

import trustme

from . import media_server, plex_tv
from .accounts import Account, AccountFields
from .beacon import Beacon
from .certificates import Certificate
from .claiming import ClaimTokens
from .clock import Clock
from .control import ControlRoutes
from .faults import Faults
from .impostor import Impostor, ImpostorFields
from .pins import Pins
from .plex_tv import API_PATH, PlexTvRoutes, SignInGuard
from .recording import RecordedRequest
from .servers import MediaServer, ServerFields
from .site import Site, Surroundings

PLEX_TV = "plex.tv"

_FIRST_ACCOUNT_ID = 21_000_001
_PLEX_TV_WAY = "local"


class PlexSimulator:
    """Play plex.tv and any number of media servers on this machine.

    Use it with `async with`, or with `start` and `stop`.

    It starts without an account and without a server; see `worlds` for ready-made
    ones.
    """

    def __init__(
        self,
        *,
        https: bool = False,
        clock: Clock | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
        notifications: bool = True,
    ) -> None:
        """Describe the simulator.

        With `https` plex.tv takes TLS connections only; `port` 0 is any free
        one; `notifications` says whether servers let anybody have a notification
        socket, unless they are made otherwise.
        """
        self.https = https
        self.host = host
        self.notifications = notifications
        self.clock = clock or Clock()
        self.authority = trustme.CA()
        self.accounts: dict[str, Account] = {}
        self.servers: dict[str, MediaServer] = {}
        self.impostors: list[Impostor] = []
        self.beacon: Beacon | None = None
        self.pins = Pins(self.clock)
        self.claim_tokens = ClaimTokens(self.clock)
        self.sign_in_guard = SignInGuard(self.clock)
        self._surroundings = Surroundings(self.clock, self.authority)
        routes = PlexTvRoutes(
            self.clock,
            self.accounts,
            self.servers,
            self.pins,
            self.claim_tokens,
            self.sign_in_guard,
        )
        self._site = Site(
            PLEX_TV,
            self._surroundings,
            self._names(),
            routes=[*routes.routes(), *ControlRoutes(self).routes()],
            render_error=plex_tv.render_error,
            decorate=plex_tv.decorate,
        )
        self._site.rejects_plain = https
        self._listener = self._site.add_listener(_PLEX_TV_WAY, host, port)

    async def __aenter__(self) -> Self:
        """Start."""
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop."""
        await self.stop()

    async def start(self) -> None:
        """Start plex.tv, and the servers that are there already."""
        await self._site.start()
        for server in self.servers.values():
            await server.start()

    async def stop(self) -> None:
        """Stop everything: no port, connection or task is left."""
        for impostor in list(self.impostors):
            await self.remove_impostor(impostor)
        if self.beacon is not None:
            await self.beacon.close()
        for server in self.servers.values():
            await server.close()
        await self._site.close()

    @property
    def port(self) -> int:
        """Return the port of plex.tv."""
        return self._listener.port

    @property
    def base_url(self) -> str:
        """Return the address of plex.tv without a path."""
        return f"{'https' if self.https else 'http'}://{self.host}:{self.port}"

    @property
    def api_url(self) -> str:
        """Return the base address of plex.tv's second API."""
        return f"{self.base_url}{API_PATH}"

    @property
    def faults(self) -> Faults:
        """Return the faults of plex.tv."""
        return self._site.faults

    @property
    def requests(self) -> list[RecordedRequest]:
        """Return the requests that arrived at all hosts; `clear()` it at will."""
        return self._surroundings.requests

    @property
    def recording(self) -> bool:
        """Return whether requests are recorded; switch it off for long runs."""
        return self._surroundings.recording

    @recording.setter
    def recording(self, recording: bool) -> None:
        self._surroundings.recording = recording

    @property
    def connection_count(self) -> int:
        """Return how many connections clients have open, to all hosts."""
        hosts: list[MediaServer | Impostor] = [*self.servers.values(), *self.impostors]
        return self._site.connection_count + sum(
            host.connection_count for host in hosts
        )

    def requests_to(
        self, endpoint: str, host: str | None = None
    ) -> list[RecordedRequest]:
        """Return the recorded requests to an endpoint, of one host or of all."""
        return [
            record
            for record in self.requests
            if record.endpoint == endpoint and host in (None, record.host)
        ]

    def ca_pem(self) -> bytes:
        """Return the certificate of the authority that clients have to trust."""
        return self.authority.cert_pem.bytes()

    def set_certificate(self, kind: Certificate) -> None:
        """Let plex.tv show a certificate of this kind from now on."""
        self._site.set_certificate(self._names(), kind)

    async def stop_plex_tv(self) -> None:
        """Stop plex.tv alone: connections are refused, the servers go on."""
        await self._site.stop()

    async def start_plex_tv(self) -> None:
        """Start plex.tv again, on the port that it had."""
        await self._site.start()

    def add_account(self, username: str, **fields: Unpack[AccountFields]) -> Account:
        """Add an account.

        Unless `fields` say otherwise it has a password and no two-factor
        authentication.
        """
        number = len(self.accounts)
        fields.setdefault("id", _FIRST_ACCOUNT_ID + number)
        fields.setdefault("email", f"{username}@example.com" if username else "")
        fields.setdefault("title", username)
        fields.setdefault("joined_at", self.clock.now() - timedelta(days=2000))
        account = Account(clock=self.clock, username=username, **fields)
        if account.name in self.accounts:
            message = f"there is an account named {account.name} already"
            raise ValueError(message)
        self.accounts[account.name] = account
        return account

    async def add_server(
        self,
        name: str,
        owner: Account,
        *,
        start: bool = True,
        **fields: Unpack[ServerFields],
    ) -> MediaServer:
        """Add a server and start it, unless `start` is False."""
        fields.setdefault("notifications", self.notifications)
        fields.setdefault("host", self.host)
        server = MediaServer(
            name,
            owner,
            self._surroundings,
            self.servers,
            routes=lambda server: media_server.MediaServerRoutes(
                server, self.claim_tokens
            ).routes(),
            render_error=media_server.render_error,
            **fields,
        )
        if start:
            await server.start()
        self.servers[server.machine_identifier] = server
        return server

    async def remove_server(self, server: MediaServer) -> None:
        """Stop a server and let nobody know of it any more."""
        await server.close()
        del self.servers[server.machine_identifier]

    async def set_up_anew(
        self, server: MediaServer, name: str | None = None, *, stays_listed: bool = True
    ) -> MediaServer:
        """Let a server be set up anew: another one answers at its local address.

        plex.tv goes on to list the old one, as away, unless `stays_listed` is False.
        """
        await server.stop()
        if not stays_listed:
            await self.remove_server(server)
        return await self.add_server(
            name or server.name, server.owner, host=self.host, port=server.port
        )

    async def add_impostor(
        self, server: MediaServer, **fields: Unpack[ImpostorFields]
    ) -> Impostor:
        """Add another machine that answers for a server, and start it.

        It has the identity of that server, unless `fields` say otherwise.
        """
        surroundings = Surroundings(self.clock, self.authority)
        impostor = Impostor(
            server, surroundings, self.secrets, host=self.host, **fields
        )
        await impostor.start()
        self.impostors.append(impostor)
        return impostor

    async def remove_impostor(self, impostor: Impostor) -> None:
        """Stop an impostor for good; its server has its address again."""
        await impostor.close()
        self.impostors.remove(impostor)

    async def add_beacon(self) -> Beacon:
        """Add a host that hostile names point to, and start it."""
        surroundings = Surroundings(self.clock, self.authority)
        self.beacon = Beacon(surroundings, self.host)
        await self.beacon.start()
        return self.beacon

    def sign_out_devices(self, account: Account, *, listed: bool = False) -> None:
        """Do what "sign out connected devices" does.

        All tokens of the account are dead, and its servers belong to nobody; `listed` is
        that of `MediaServer.unclaim`.
        See plex-api.md §17.4.
        """
        account.revoke_tokens()
        for server in self.servers.values():
            if server.claimed and server.owner is account:
                server.unclaim(listed=listed)

    def remove_account(self, account: Account) -> None:
        """Delete an account; its tokens are dead with it."""
        account.revoke_tokens()
        del self.accounts[account.name]

    def secrets(self) -> set[str]:
        """Return every secret of this world, dead ones included.

        That is passwords, keys, tokens of all kinds, claim tokens and link codes.

        What must be found in no log and in no state is looked up with it.
        """
        found: set[str] = {pin.code for pin in self.pins} | self.claim_tokens.given
        for account in self.accounts.values():
            found |= account.secrets()
        for server in self.servers.values():
            found |= server.secrets()
        return found

    def _names(self) -> tuple[str, ...]:
        return (self.host, "localhost", "plex.tv")

"""Plex Media Servers: who may use them, what they give, how they are reached."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
import re
from secrets import token_hex
from typing import TypedDict, Unpack
from uuid import uuid4

from aiohttp import web

from .accounts import Account, new_token
from .certificates import Certificate
from .connections import Connection, plex_direct_label
from .library import Library
from .listener import Listener
from .notifications import NotificationSockets
from .site import ErrorRenderer, Site, Surroundings

TRANSIENT_LIFETIME = timedelta(hours=48)
DEFAULT_VERSION = "1.43.2.10687-563d026ea"
LOOPBACK_IPV6 = "::1"

_FIRST_VERSION_WITH_SOURCES = (1, 15, 4)


class Way(StrEnum):
    """Name the ways to a server; each has a port that can be closed alone."""

    LOCAL = "local"
    REMOTE = "remote"
    RELAY = "relay"
    IPV6 = "ipv6"


@dataclass(frozen=True, slots=True, kw_only=True)
class TransientToken:
    """Hold a token that the server made for a caller (plex-api.md §3)."""

    value: str
    account: Account
    issued_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Say who sent a request to a server.

    `account` None is somebody who is let in without a token that counts.
    """

    account: Account | None
    is_owner: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Hold what a server knows of another server or a cloud provider (plex-api.md §4).

    `access_token` makes the token for the account that asks.
    """

    name: str
    client_identifier: str
    connections: Callable[[], Iterable[Connection]]
    access_token: Callable[[Account], str]


class ServerFields(TypedDict, total=False):
    """Name what a server can be made with.

    `notifications` says whether anybody gets a notification socket, `home` marks it as
    shared through Plex Home, `https_required` as "Secure
    connections: Required"; `remote_access`, `relay` and `ipv6` (on `::1`) say which
    ways there are besides the local one, each on a port of its own. `host` is the address
    of this machine that it listens at, that of plex.tv by default.
    """

    shared_with: Iterable[Account]
    home: bool
    version: str
    https_required: bool
    remote_access: bool
    relay: bool
    ipv6: bool
    host: str
    port: int
    notifications: bool


class MediaServer:
    """Play one Plex Media Server. `PlexSimulator.add_server` makes it.

    Its attributes may be changed at any time; `plex-api.md §6` says what they do to
    the answers.
    """

    def __init__(
        self,
        name: str,
        owner: Account,
        surroundings: Surroundings,
        neighbours: Mapping[str, MediaServer],
        *,
        routes: Callable[[MediaServer], Iterable[web.RouteDef]],
        render_error: ErrorRenderer,
        **fields: Unpack[ServerFields],
    ) -> None:
        """Describe the server.

        `neighbours` are all servers of the simulator, which it may know as
        sources.
        """
        self.name = name
        self.owner = owner
        self.machine_identifier = token_hex(20)
        self.shared_with = list(fields.get("shared_with", ()))
        self.home = fields.get("home", False)
        self.version = fields.get("version", DEFAULT_VERSION)
        self.claimed = True
        self.stays_listed = False
        self.trusts_network = True
        self.answers_without_it = 0
        self.platform: str | None = "Linux"
        self.platform_version: str | None = "6.12"
        self.presence: bool | None = None
        self.last_seen_at: datetime | None = None
        self.public_address = "203.0.113.10"
        self.public_address_matches = True
        self.created_at = surroundings.clock.now()
        self.allow_post_token = True
        self.post_refusal_status = 405
        self.security_refusal_status = 403
        self.transcoding = 0
        self.library = Library()
        self.device_as_list = False
        self.booting: str | None = None
        self.start_state = "startingPlugins"
        self.transient_tokens: dict[str, TransientToken] = {}
        self.refreshed_sources: list[str] = []
        self.device_id = int(self.machine_identifier[:7], 16) + 1
        self.own_token = new_token("own-")
        self.secrets_given: set[str] = {self.own_token}
        self.notifications = NotificationSockets(
            allowed=fields.get("notifications", True)
        )
        self._clock = surroundings.clock
        self._neighbours = neighbours
        self._host = host = fields["host"]
        self._certificate_id = token_hex(16)
        self._access_tokens: dict[int, str] = {}
        self._added_sources: dict[str, Source] = {}
        self._forgotten_sources: set[str] = set()
        self._listed: list[Connection] | None = None
        self._site = Site(
            self.machine_identifier,
            surroundings,
            self._names(),
            routes=routes(self),
            render_error=render_error,
        )
        self._site.rejects_plain = fields.get("https_required", False)
        self.faults = self._site.faults
        self._site.add_listener(Way.LOCAL, host, fields.get("port", 0))
        if fields.get("remote_access", True):
            self._site.add_listener(Way.REMOTE, host, 0)
        if fields.get("relay", True):
            self._site.add_listener(Way.RELAY, host, 0)
        if fields.get("ipv6", False):
            self._site.add_listener(Way.IPV6, LOOPBACK_IPV6, 0)

    # Addresses

    @property
    def port(self) -> int:
        """Return the port of the local address, for plain HTTP and TLS alike."""
        return self._site.listeners[Way.LOCAL].port

    @property
    def http_url(self) -> str:
        """Return the local address without TLS."""
        return f"http://{self._host}:{self.port}"

    @property
    def https_url(self) -> str:
        """Return the local address with TLS, which has a plex.direct name."""
        return f"https://{self.plex_direct_name(self._host)}:{self.port}"

    @property
    def https_required(self) -> bool:
        """Return whether connections have to be secure: plain HTTP is reset then.

        See plex-api.md §5.1.
        """
        return self._site.rejects_plain

    @https_required.setter
    def https_required(self, required: bool) -> None:
        self._site.reject_plain(required)

    @property
    def relay(self) -> bool:
        """Return whether the server has a relay."""
        return Way.RELAY in self._site.listeners

    @property
    def ways(self) -> Mapping[str, Listener]:
        """Return the listeners by way, each with its port."""
        return self._site.listeners

    @property
    def connections(self) -> list[Connection]:
        """Return all addresses that can be listed.

        Set a list to have exactly that listed, None to have the real ones
        again.
        """
        return self.listed_connections(https=True, relay=True, ipv6=True)

    @connections.setter
    def connections(self, listed: Iterable[Connection] | None) -> None:
        self._listed = None if listed is None else list(listed)

    def plex_direct_name(self, address: str) -> str:
        """Return the host name for an IP address of this server (plex-api.md §5.1)."""
        return f"{plex_direct_label(address)}.{self._certificate_id}.plex.direct"

    def listed_connections(
        self, *, https: bool, relay: bool, ipv6: bool
    ) -> list[Connection]:
        """Return the addresses that plex.tv lists when asked in this way.

        See plex-api.md §5, the query's three switches.
        """
        if self._listed is not None:
            return list(self._listed)
        return [
            self._connection(way, listener, https=https)
            for way, listener in self._site.listeners.items()
            if (way != Way.RELAY or relay) and (way != Way.IPV6 or ipv6)
        ]

    def renew_certificate(self) -> None:
        """Get a new certificate, and with it a new id in all plex.direct names.

        See plex-api.md §5.1.
        """
        self._certificate_id = token_hex(16)
        self._site.set_certificate(self._names())

    def set_certificate(self, kind: Certificate) -> None:
        """Show a certificate of this kind from now on."""
        self._site.set_certificate(self._names(), kind)

    # Who may use it

    def has_access(self, account: Account) -> bool:
        """Return whether the account owns the server or has it shared.

        Nobody does while it belongs to nobody; `owner` is who did last.
        """
        return self.claimed and (
            account is self.owner or any(account is other for other in self.shared_with)
        )

    def is_listed_for(self, account: Account) -> bool:
        """Return whether plex.tv lists the server for the account, asked once more.

        `answers_without_it` is how often it is not listed yet after it was claimed.
        Nor is it known whether plex.tv still lists a server as owned that was signed out
        only on its own machine: it does while `stays_listed`.
        See plex-api.md §17.3, §17.4.
        """
        if not self.claimed:
            return self.stays_listed and account is self.owner
        if not self.has_access(account):
            return False
        if self.answers_without_it:
            self.answers_without_it -= 1
            return False
        return True

    def unclaim(self, *, listed: bool = False) -> None:
        """Let the server belong to nobody: its shares and all its tokens are gone.

        With `listed` plex.tv goes on to list it as its last owner's, who is given the
        token that the list was asked for with.
        See plex-api.md §17.1, §17.4.
        """
        self.claimed = False
        self.stays_listed = listed
        self.shared_with.clear()
        self.transient_tokens.clear()
        self.rotate_access_tokens()

    def claim(self, account: Account) -> None:
        """Let the server belong to an account, which gets new tokens for it.

        See plex-api.md §17.3, §17.4.
        """
        self.owner = account
        self.claimed = True
        self.transient_tokens.clear()

    def access_token_for(self, account: Account) -> str:
        """Return the token that `/resources` gives this account for this server.

        See plex-api.md §5.3.
        """
        if account.id not in self._access_tokens:
            self._access_tokens[account.id] = new_token("serv")
            self.secrets_given.add(self._access_tokens[account.id])
        return self._access_tokens[account.id]

    def rotate_access_tokens(self) -> None:
        """Let plex.tv give new tokens for this server; the old ones are refused."""
        self._access_tokens.clear()

    def caller(self, token: str) -> Caller | None:
        """Return who comes in with `token` (empty: none), or None for nobody.

        The server's own token of an account passes, and so does the account
        token at a server of one's own; a transient token has the rights of its
        minter. Where the server is not claimed no token counts: everyone passes
        in a network that it trusts, and nobody elsewhere (§17.1).

        See plex-api.md §5.3, §6.2.
        """
        if not self.claimed:
            return Caller(account=None, is_owner=True) if self.trusts_network else None
        account = self._account_of(token) if token else None
        if account is None:
            return None
        return Caller(account=account, is_owner=account is self.owner)

    def issue_transient_token(self, account: Account) -> str:
        """Return a new transient token with the rights of `account`.

        See plex-api.md §3.
        """
        value = f"transient-{uuid4()}"
        self.transient_tokens[value] = TransientToken(
            value=value, account=account, issued_at=self._clock.now()
        )
        self.secrets_given.add(value)
        return value

    def accepts_transient_token(self, value: str) -> bool:
        """Return whether this transient token is known here and not too old."""
        token = self.transient_tokens.get(value)
        return (
            token is not None
            and self._clock.now() < token.issued_at + TRANSIENT_LIFETIME
        )

    # What it knows

    @property
    def supports_sources(self) -> bool:
        """Return whether the version has `/security/resources`.

        See plex-api.md §4: from 1.15.4 on.
        """
        numbers = tuple(int(part) for part in re.findall(r"\d+", self.version)[:3])
        return numbers >= _FIRST_VERSION_WITH_SOURCES

    @property
    def sources(self) -> Mapping[str, Source]:
        """Return the sources that it knows: other servers of its owner, and added ones."""
        servers = {
            f"server://{other.machine_identifier}": other.as_source()
            for other in self._neighbours.values()
            if other is not self and other.has_access(self.owner)
        }
        known = servers | self._added_sources
        return {
            source: details
            for source, details in known.items()
            if source not in self._forgotten_sources
        }

    def as_source(self) -> Source:
        """Return the server as another one knows it, with a transient token."""
        return Source(
            name=self.name,
            client_identifier=self.machine_identifier,
            connections=lambda: self.connections,
            access_token=self.issue_transient_token,
        )

    def add_source(self, source: str, details: Source) -> None:
        """Let the server know a source, `server://…` or `provider://…`."""
        self._added_sources[source] = details
        self._forgotten_sources.discard(source)

    def add_provider(self, identifier: str, name: str) -> str:
        """Let the server know a cloud provider with one address; return its source."""
        host = f"{identifier.rsplit('.', 1)[-1]}.provider.example.invalid"
        connection = Connection(
            protocol="https",
            address=host,
            port=443,
            uri=f"https://{host}:443",
            local=False,
        )
        tokens: dict[int, str] = {}

        def access_token(account: Account) -> str:
            token = tokens.setdefault(account.id, f"transient-{uuid4()}")
            self.secrets_given.add(token)
            return token

        source = f"provider://{identifier}"
        self.add_source(
            source,
            Source(
                name=name,
                client_identifier=identifier,
                connections=lambda: [connection],
                access_token=access_token,
            ),
        )
        return source

    def forget_source(self, source: str) -> None:
        """Let the server not know a source any more."""
        self._forgotten_sources.add(source)

    # Starts and stops

    @property
    def is_running(self) -> bool:
        """Return whether the server answers."""
        return self._site.is_running

    @property
    def connection_count(self) -> int:
        """Return how many connections clients have open."""
        return self._site.connection_count

    async def start(self) -> None:
        """Start the server, on the ports that it had."""
        await self._site.start()

    async def stop(self) -> None:
        """Stop the server: it closes its sockets, then does what `kill` does."""
        await self.notifications.close()
        await self.kill()

    async def kill(self) -> None:
        """End the server at once: connections are reset, transient tokens destroyed."""
        await self._site.stop()
        self.transient_tokens.clear()

    def vanish(self) -> None:
        """Answer nothing any more and close nothing, as one whose machine has crashed."""
        self._site.vanish()

    async def reappear(self) -> None:
        """Come back after `vanish`, restarted."""
        await self.kill()
        self._site.reappear()
        await self.start()

    async def close(self) -> None:
        """Stop the server for good: its ports are given back."""
        await self.stop()
        await self._site.close()

    async def restart(self, boot_state: str | None = None) -> None:
        """Restart the server on the same ports; all transient tokens are destroyed.

        With a `boot_state`, the `startState` that `/identity` shows, it stays
        in the boot phase until `booting` is set to None.

        See plex-api.md §3.
        """
        await self.stop()
        if boot_state is not None:
            self.booting = "starting"
            self.start_state = boot_state
        await self.start()

    async def change_port(self, port: int = 0) -> int:
        """Move the local address to another port, any free one by default.

        Nothing else is lost.
        """
        listener = self._site.listeners[Way.LOCAL]
        was_open = listener.is_open
        old = listener.port
        await listener.close()
        listener.release()
        listener.port = port
        if was_open:
            listener.open()
            if port == 0 and listener.port == old:
                return await self.change_port()
        return listener.port

    def add_way(
        self, way: str, host: str, port: int, names: tuple[str, ...] = ()
    ) -> None:
        """Let the server be reached at one more address, from its next start on.

        `names` are those in the certificate of a proxy that answers there; without any
        it is the server's own. What is listed by default has it as a remote address.
        """
        self._site.add_listener(way, host, port, names)

    async def close_way(self, way: str) -> None:
        """Close one way to the server, which is still listed, until it is opened again."""
        self._site.listeners[way].is_enabled = False
        await self._site.listeners[way].close()

    def open_way(self, way: str) -> None:
        """Open a way again that was closed."""
        listener = self._site.listeners[way]
        listener.is_enabled = True
        if self.is_running and not listener.is_open:
            listener.open()

    def secrets(self) -> set[str]:
        """Return every secret that this server gave out, dead ones included."""
        return set(self.secrets_given)

    def _names(self) -> tuple[str, ...]:
        return (f"*.{self._certificate_id}.plex.direct",)

    def _connection(self, way: str, listener: Listener, *, https: bool) -> Connection:
        is_ipv6 = ":" in listener.host
        if https:
            protocol, name = "https", self.plex_direct_name(listener.host)
        else:
            protocol, name = "http", f"[{listener.host}]" if is_ipv6 else listener.host
        return Connection(
            protocol=protocol,
            address=listener.host,
            port=listener.port,
            uri=f"{protocol}://{name}:{listener.port}",
            local=way in (Way.LOCAL, Way.IPV6),
            relay=way == Way.RELAY,
            ipv6=is_ipv6,
        )

    def _account_of(self, token: str) -> Account | None:
        if self.accepts_transient_token(token):
            account = self.transient_tokens[token].account
            return account if self.has_access(account) else None
        if self.owner.find_token(token) is not None:
            return self.owner
        people = [self.owner, *self.shared_with]
        return next(
            (
                person
                for person in people
                if self._access_tokens.get(person.id) == token
            ),
            None,
        )

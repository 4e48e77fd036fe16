"""The addresses of plex.tv (plex-api.md §1, §2, §5, §7, §9, §16, §17, §22)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from secrets import token_hex

from aiohttp import web

from .accounts import Account, AccountToken, Client
from .claiming import ClaimTokens
from .clock import Clock, iso
from .devices import DeviceRoutes
from .errors import CODES_WITHOUT_STATUS, PLEX_ERRORS, PlexTvError, SimulatedError
from .homes import HomeRoutes, Homes
from .pins import Pins
from .rendering import (
    FORCED_XML,
    media_container,
    plex_tv_answer,
    plex_tv_error,
    wants_json,
)
from .servers import MediaServer
from .site import FORM

FIRST_API_PATH = "/api"
API_PATH = f"{FIRST_API_PATH}/v2"
SESSION_COOKIE = "_my-plex_session_35"

_FORMAT = r"{format:(\.json|\.xml)?}"
_YES = frozenset({"1", "true", "yes", "on"})


@dataclass
class SignInGuard:
    """Block addresses that fail to sign in too often.

    See plex-api.md §1.3, code 1031; Plex's own numbers are not known.
    """

    clock: Clock
    limit: int | None = 10
    duration: timedelta = timedelta(hours=1)
    blocks_all: bool = False
    _failures: dict[str, list[datetime]] = field(default_factory=dict)

    def is_blocked(self, address: str) -> bool:
        """Return whether all sign-ins from `address` are refused now."""
        if self.blocks_all:
            return True
        since = self.clock.now() - self.duration
        recent = [
            moment for moment in self._failures.get(address, []) if moment > since
        ]
        self._failures[address] = recent
        return self.limit is not None and len(recent) >= self.limit

    def failed(self, address: str) -> None:
        """Count a failure."""
        self._failures.setdefault(address, []).append(self.clock.now())

    def succeeded(self, address: str) -> None:
        """Forget the failures of `address`."""
        self._failures.pop(address, None)

    def clear(self) -> None:
        """Forget everything and block nobody."""
        self.blocks_all = False
        self._failures.clear()


def render_error(
    request: web.Request, error: SimulatedError | web.HTTPException
) -> web.StreamResponse:
    """Return the body of an error with its code.

    Unknown addresses and methods have codes as well. See plex-api.md §0.1.
    """
    if isinstance(error, PlexTvError):
        code = error.code
    else:
        code = (
            {404: 1002, 405: 1005}.get(error.status, 1999)
            if isinstance(error, web.HTTPException)
            else 1007
        )
    kind = PLEX_ERRORS[code]
    return plex_tv_error(
        request,
        code,
        kind.message,
        kind.status,
        with_status=code not in CODES_WITHOUT_STATUS,
    )


def decorate(response: web.StreamResponse) -> None:
    """Add the headers that every answer of plex.tv has, its cookie among them.

    See plex-api.md §0.1.
    """
    # Written as a header: cookies have been collected when this is called.
    response.headers.add(
        "Set-Cookie", f"{SESSION_COOKIE}={token_hex(16)}; path=/; HttpOnly"
    )
    response.headers["X-Request-Id"] = token_hex(16)
    response.headers["X-Runtime"] = "0.042"
    response.headers["Access-Control-Allow-Origin"] = "*"


class PlexTvRoutes:
    """Answer the requests to plex.tv."""

    def __init__(
        self,
        clock: Clock,
        accounts: Mapping[str, Account],
        servers: Mapping[str, MediaServer],
        pins: Pins,
        claim_tokens: ClaimTokens,
        guard: SignInGuard,
        homes: Homes,
    ) -> None:
        """Take the state that decides on the answers."""
        self._clock = clock
        self._accounts = accounts
        self._servers = servers
        self._pins = pins
        self._claim_tokens = claim_tokens
        self._guard = guard
        self._homes = homes

    def routes(self) -> list[web.RouteDef]:
        """Return the addresses; their names are those of faults and records."""
        api, end = API_PATH, _FORMAT
        return [
            web.post(f"{api}/users/signin{end}", self._sign_in, name="signin"),
            web.delete(f"{api}/users/signout{end}", self._sign_out, name="signout"),
            web.get(f"{api}/user{end}", self._user, name="user"),
            web.get(f"{api}/resources{end}", self._resources, name="resources"),
            web.post(f"{api}/pins{end}", self._create_pin, name="pins_create"),
            web.put(f"{api}/pins/link{end}", self._link_pin, name="pins_link"),
            web.get(rf"{api}/pins/{{id:\d+}}{end}", self._check_pin, name="pins_check"),
            web.get(f"{api}/ping{end}", self._ping, name="ping"),
            *DeviceRoutes(self._servers, self._known_client).routes(api, end),
            *HomeRoutes(self._homes, self._known_client, _client).routes(
                FIRST_API_PATH, api, end
            ),
            web.get(f"{FIRST_API_PATH}/users/", self._people, name="users"),
            web.get(
                f"{FIRST_API_PATH}/claim/token{end}",
                self._claim_token,
                name="claim_token",
            ),
        ]

    async def _sign_in(self, request: web.Request) -> web.StreamResponse:
        client_identifier = _client_identifier(request)
        form = request[FORM]
        login, password = form.get("login", ""), form.get("password", "")
        if not login or not password:
            raise PlexTvError(1004)
        address = request.remote or ""
        if self._guard.is_blocked(address):
            raise PlexTvError(1031)
        try:
            account = self._check_credentials(
                login, password, form.get("verificationCode", "")
            )
        except PlexTvError as error:
            if error.code in (1001, 1028):
                self._guard.failed(address)
            raise
        self._guard.succeeded(address)
        account.sign_in_token(
            client_identifier,
            remembered=form.get("rememberMe", "").lower() in _YES,
            client=_client(request),
        )
        token = account.token_details[client_identifier]
        return plex_tv_answer(
            request, "user", account.answer(token, json=wants_json(request)), 201
        )

    def _check_credentials(self, login: str, password: str, code: str) -> Account:
        # Plex's order is not known (plex-api.md §14): here a code is asked for only when
        # the password is right, and an address before the password is looked at.
        account = self._find_account(login)
        if account is None:
            raise PlexTvError(1001)
        if account.email_only and login.lower() != account.email.lower():
            raise PlexTvError(1030)
        if account.totp_secret is None:
            if not account.accepts_password(password):
                raise PlexTvError(1001)
        elif account.accepts_password(password):
            if not code:
                raise PlexTvError(1029)
            if not account.accepts_code(code):
                raise PlexTvError(1028)
        elif code or not account.accepts_joined(password):
            raise PlexTvError(1001)
        return account

    def _find_account(self, login: str) -> Account | None:
        wanted = login.lower()
        return next(
            (
                account
                for account in self._accounts.values()
                if wanted in (account.username.lower(), account.email.lower())
            ),
            None,
        )

    async def _sign_out(self, request: web.Request) -> web.StreamResponse:
        _client_identifier(request)
        account, token = self._authenticated(request)
        account.revoke_token(token.client_identifier)
        return web.Response(status=204)

    async def _user(self, request: web.Request) -> web.StreamResponse:
        _client_identifier(request)
        account, token = self._authenticated(request)
        return plex_tv_answer(
            request, "user", account.answer(token, json=wants_json(request))
        )

    async def _resources(self, request: web.Request) -> web.StreamResponse:
        _client_identifier(request)
        account, token = self._authenticated(request)
        query = request.query
        listed = [
            self._server_resource(
                server,
                account,
                token,
                https=query.get("includeHttps") in _YES,
                relay=query.get("includeRelay") in _YES,
                ipv6=query.get("includeIPv6") in _YES,
            )
            for server in self._servers.values()
            if server.is_listed_for(account)
        ]
        listed += [
            _client_resource(token)
            for token in account.token_details.values()
            if token.product
        ]
        listed[:0] = map(_phantom_resource, range(account.phantoms))
        return plex_tv_answer(request, "resources", listed)

    def _server_resource(
        self,
        server: MediaServer,
        account: Account,
        token: AccountToken,
        *,
        https: bool,
        relay: bool,
        ipv6: bool,
    ) -> dict[str, object]:
        owned = account is server.owner
        return {
            "name": server.name,
            "product": "Plex Media Server",
            "productVersion": server.version,
            "platform": server.platform,
            "platformVersion": server.platform_version,
            "device": "PC" if server.platform else None,
            "clientIdentifier": server.machine_identifier,
            "createdAt": iso(server.created_at),
            "lastSeenAt": iso(server.last_seen_at or self._clock.now()),
            "provides": "server",
            "ownerId": None if owned else server.owner.id,
            "sourceTitle": None if owned else server.owner.title,
            "publicAddress": server.public_address,
            "accessToken": token.value
            if not server.claimed or (owned and server.echoes_token)
            else server.access_token_for(account),
            "owned": owned,
            "home": server.home
            or (not owned and self._homes.share(server.owner, account)),
            "synced": False,
            "relay": server.relay,
            "presence": server.is_running
            if server.presence is None
            else server.presence,
            "httpsRequired": server.https_required,
            "publicAddressMatches": server.public_address_matches,
            "dnsRebindingProtection": False,
            "natLoopbackSupported": False,
            "connections": [
                connection.as_resource()
                for connection in server.listed_connections(
                    https=https, relay=relay, ipv6=ipv6
                )
            ],
        }

    async def _create_pin(self, request: web.Request) -> web.StreamResponse:
        client_identifier = _client_identifier(request)
        strong = request.query.get("strong") or request[FORM].get("strong", "")
        pin = self._pins.create(
            client_identifier,
            client=_client(request),
            strong=strong.lower() in _YES,
        )
        return plex_tv_answer(request, "pin", pin.answer(self._clock.now()), 201)

    async def _check_pin(self, request: web.Request) -> web.StreamResponse:
        pin = self._pins.find(
            int(request.match_info["id"]), _client_identifier(request)
        )
        if pin is None:
            raise PlexTvError(1020)
        return plex_tv_answer(request, "pin", pin.answer(self._clock.now()))

    async def _link_pin(self, request: web.Request) -> web.StreamResponse:
        _client_identifier(request)
        account, _ = self._authenticated(request)
        if not self._pins.link(request[FORM].get("code", ""), account):
            raise PlexTvError(1020)
        return web.Response(status=204)

    async def _ping(self, request: web.Request) -> web.StreamResponse:
        _client_identifier(request)
        if _plex_value(request, "Token"):
            self._authenticated(request)
        if wants_json(request):
            return plex_tv_answer(request, "pong", {"pong": True})
        return web.Response(
            text="<pong>true</pong>", content_type="application/xml", charset="utf-8"
        )

    async def _people(self, request: web.Request) -> web.StreamResponse:
        """List friends and Home users, with what is shared with them, as the first API."""
        account, _ = self._known_client(request)
        request[FORCED_XML] = True
        listed = [
            {
                "id": person.id,
                "title": person.title or person.username,
                "username": person.username,
                "email": person.email,
                "home": self._homes.share(account, person),
                "restricted": person.restricted,
                "protected": person.protected,
                "Server": [
                    {
                        "name": server.name,
                        "machineIdentifier": server.machine_identifier,
                    }
                    for server in self._servers.values()
                    if server.owner is account and server.has_access(person)
                ],
            }
            for person in self._accounts.values()
            if person is not account
        ]
        people = [one for one in listed if one["home"] or one["Server"]]
        return media_container(request, {"size": len(people), "User": people})

    def _known_client(self, request: web.Request) -> tuple[Account, AccountToken]:
        _client_identifier(request)
        return self._authenticated(request)

    async def _claim_token(self, request: web.Request) -> web.StreamResponse:
        account, _ = self._known_client(request)
        if account.restricted:
            # What Plex says to a managed user is not known; here it is refused.
            raise PlexTvError(1009)
        return plex_tv_answer(
            request, "MediaContainer", {"token": self._claim_tokens.create(account)}
        )

    def _authenticated(self, request: web.Request) -> tuple[Account, AccountToken]:
        found = self._find_token(_plex_value(request, "Token"))
        if found is None:
            raise PlexTvError(1001)
        return found

    def _find_token(self, value: str) -> tuple[Account, AccountToken] | None:
        for account in self._accounts.values():
            if (token := account.find_token(value)) is not None:
                return account, token
        return None


def _plex_value(request: web.Request, name: str) -> str:
    """Return an `X-Plex-` value, from the header, the query or the form.

    See plex-api.md §0.1.
    """
    full = f"X-Plex-{name}"
    value: str = (
        request.headers.get(full)
        or request.query.get(full)
        or request[FORM].get(full, "")
    )
    return value


def _client_identifier(request: web.Request) -> str:
    if not (value := _plex_value(request, "Client-Identifier")):
        raise PlexTvError(1000)
    return value


def _client(request: web.Request) -> Client:
    return Client(
        product=_plex_value(request, "Product"),
        version=_plex_value(request, "Version"),
        platform=_plex_value(request, "Platform"),
        platform_version=_plex_value(request, "Platform-Version"),
        device=_plex_value(request, "Device"),
        name=_plex_value(request, "Device-Name"),
    )


def _client_resource(token: AccountToken) -> dict[str, object]:
    """Return the row of a client that signed in: `/resources` lists more than servers.

    See plex-api.md §5, `provides`.
    """
    return _row_of_client(
        token.product, token.client_identifier, token.issued_at, provides=""
    )


def _phantom_resource(number: int) -> dict[str, object]:
    """Return the row of a client that signed in once, and will never be seen again."""
    since = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=5 * number)
    identifier = f"0x{number:032x}"
    return _row_of_client("PlexAPI", identifier, since, provides="controller")


def _row_of_client(
    product: str, client_identifier: str, since: datetime, *, provides: str
) -> dict[str, object]:
    return {
        "name": product,
        "product": product,
        "productVersion": "",
        "platform": None,
        "platformVersion": None,
        "device": None,
        "clientIdentifier": client_identifier,
        "createdAt": iso(since),
        "lastSeenAt": iso(since),
        "provides": provides,
        "ownerId": None,
        "sourceTitle": None,
        "publicAddress": "203.0.113.10",
        "owned": True,
        "home": False,
        "synced": False,
        "relay": False,
        "presence": False,
        "httpsRequired": False,
        "publicAddressMatches": True,
        "dnsRebindingProtection": False,
        "natLoopbackSupported": False,
        "connections": [],
    }

"""The homes: what is listed, what resolves, what answers, and what the user gets."""

from dataclasses import dataclass, field
from enum import StrEnum

LAN = "192.168.1.10"
PUBLIC = "84.113.20.30"
RELAY = "139.162.10.20"
OTHER_HOUSE = "192.168.178.5"
CONTAINER = "172.17.0.2"
TAILNET = "100.64.1.2"
IPV6 = "fd00::10"

UNKNOWN: tuple[str, ...] = ()
BLOCKED = ("0.0.0.0",)
BLOCKED_IPV6 = ("::",)

_PLEX_PORT = 32400


class Owner(StrEnum):
    """Say to whom the server belongs, and with whom it is shared."""

    ACCOUNT = "account"
    FRIEND = "friend"
    HOME = "home"


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """Hold an address that plex.tv lists; `name` is one that is not plex.direct's."""

    address: str
    port: int = _PLEX_PORT
    scheme: str = "https"
    local: bool = True
    relay: bool = False
    name: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Gets:
    """Say what a user gets.

    `connection` is the kind and scheme of the connection, or the key of the failure;
    `repair` None for none, `address` for one that asks for an address, or the address
    that it offers. `tokens` are the addresses that a token was sent to.
    """

    connection: str
    repair: str | None = None
    tokens: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Home:
    """Describe a home.

    Names of plex.direct resolve to their addresses unless `resolves`, which has other
    names too, says otherwise for an address. `server` are the addresses at which the
    server answers, `proxy` those where a proxy does for it, with a certificate for its
    name; `another` is that of another server, `stranger` those of a machine which is no
    server at all. Other addresses stay silent, unless they are among `machines`: these
    refuse. `stored` is what plex.tv listed when it was asked last. `typed` is what a
    person types at *Change server*, and `typed_error` what the form says to it. `is_gone`
    is a server that has been away for long, which plex.tv still lists, and
    `is_plex_tv_away` a plex.tv that is away from the start. What does not resolve is
    refused unless `is_dns_silent`.
    """

    name: str
    listed: tuple[Listed, ...]
    gets: Gets
    stored: tuple[Listed, ...] | None = None
    resolves: dict[str, tuple[str, ...]] = field(default_factory=dict)
    server: tuple[str, ...] = (f"{LAN}:32400",)
    proxy: dict[str, str] = field(default_factory=dict)
    another: str | None = None
    stranger: tuple[str, ...] = ()
    goes_to: str | None = None
    machines: tuple[str, ...] = ()
    owner: Owner = Owner.ACCOUNT
    https_required: bool = False
    is_in_this_house: bool = True
    is_expired: bool = False
    is_gone: bool = False
    is_silent_when_off: bool = False
    is_plex_tv_away: bool = False
    is_dns_silent: bool = False
    typed: str | None = None
    typed_error: str | None = None


def lan(address: str = LAN, port: int = _PLEX_PORT, scheme: str = "https") -> Listed:
    """Return an address that is listed as local."""
    return Listed(address=address, port=port, scheme=scheme)


def remote(
    address: str = PUBLIC, port: int = _PLEX_PORT, scheme: str = "https"
) -> Listed:
    """Return an address that is listed as remote."""
    return Listed(address=address, port=port, scheme=scheme, local=False)


def relay() -> Listed:
    """Return a relay."""
    return Listed(address=RELAY, port=8443, local=False, relay=True)


def custom(name: str, *, local: bool = False) -> Listed:
    """Return an address that the owner has typed as a custom URL."""
    return Listed(address=name, port=443, local=local, name=name)


def at(*addresses: str) -> frozenset[str]:
    """Return the addresses that a token was sent to, with Plex's port by default."""
    return frozenset(
        one if one.endswith(tuple(f":{port}" for port in _PORTS)) else f"{one}:32400"
        for one in addresses
    )


_PORTS = (80, 443, 8443, 32400, 32401)
_EVERYWHERE = (f"{LAN}:32400", f"{PUBLIC}:32400", f"{RELAY}:8443")
_DOMAIN = "plex.example.com"
_PROXY = {f"{PUBLIC}:443": _DOMAIN}

HOMES = (
    Home(
        name="as in the book",
        listed=(lan(), remote(), relay()),
        server=_EVERYWHERE,
        gets=Gets(connection="local https", tokens=at(LAN)),
    ),
    Home(
        name="a machine that is unplugged at night",
        listed=(lan(), remote(), relay()),
        server=_EVERYWHERE,
        is_silent_when_off=True,
        gets=Gets(connection="local https", tokens=at(LAN)),
    ),
    Home(
        name="plex.tv is away already when Home Assistant starts",
        listed=(lan(), remote(), relay()),
        server=_EVERYWHERE,
        is_plex_tv_away=True,
        gets=Gets(connection="local https", tokens=at(LAN)),
    ),
    Home(
        name="router does not resolve plex.direct",
        listed=(lan(), remote(), relay()),
        resolves={LAN: UNKNOWN, PUBLIC: UNKNOWN, RELAY: UNKNOWN},
        server=_EVERYWHERE,
        gets=Gets(connection="local http", tokens=at(LAN)),
    ),
    Home(
        name="router does not resolve plex.direct, secure connections required",
        listed=(lan(), remote(), relay()),
        resolves={LAN: UNKNOWN, PUBLIC: UNKNOWN, RELAY: UNKNOWN},
        server=_EVERYWHERE,
        https_required=True,
        gets=Gets(connection="dns_error", repair=f"https://{LAN}:32400"),
    ),
    Home(
        name="router never answers for plex.direct, plain http allowed",
        listed=(lan(), remote()),
        resolves={LAN: UNKNOWN, PUBLIC: UNKNOWN},
        server=_EVERYWHERE,
        is_dns_silent=True,
        gets=Gets(connection="local http", tokens=at(LAN)),
    ),
    Home(
        name="router never answers for plex.direct, secure connections required",
        listed=(lan(), remote()),
        resolves={LAN: UNKNOWN, PUBLIC: UNKNOWN},
        server=_EVERYWHERE,
        https_required=True,
        is_dns_silent=True,
        gets=Gets(connection="dns_error", repair=f"https://{LAN}:32400"),
    ),
    Home(
        name="router never answers for local names, secure connections required",
        listed=(lan(), remote()),
        resolves={LAN: UNKNOWN},
        server=_EVERYWHERE,
        https_required=True,
        is_dns_silent=True,
        gets=Gets(
            connection="remote https", repair=f"https://{LAN}:32400", tokens=at(PUBLIC)
        ),
    ),
    Home(
        name="rebind protection: only local names do not resolve",
        listed=(lan(), remote(), relay()),
        resolves={LAN: UNKNOWN},
        server=_EVERYWHERE,
        https_required=True,
        gets=Gets(
            connection="remote https", repair=f"https://{LAN}:32400", tokens=at(PUBLIC)
        ),
    ),
    Home(
        name="blocker says 0.0.0.0 to local names",
        listed=(lan(), remote(), relay()),
        resolves={LAN: BLOCKED},
        server=_EVERYWHERE,
        https_required=True,
        gets=Gets(
            connection="remote https", repair=f"https://{LAN}:32400", tokens=at(PUBLIC)
        ),
    ),
    Home(
        name="blocker says 0.0.0.0 to all names",
        listed=(lan(), remote()),
        resolves={LAN: BLOCKED, PUBLIC: BLOCKED},
        server=_EVERYWHERE,
        https_required=True,
        gets=Gets(connection="dns_error", repair=f"https://{LAN}:32400"),
    ),
    Home(
        name="blocker says 0.0.0.0 of IPv6 to all names, plain http allowed",
        listed=(lan(), remote()),
        resolves={LAN: BLOCKED_IPV6, PUBLIC: BLOCKED_IPV6},
        server=_EVERYWHERE,
        gets=Gets(connection="local http", tokens=at(LAN)),
    ),
    Home(
        name="local name does not resolve, no way from outside but the relay",
        listed=(lan(), relay()),
        resolves={LAN: UNKNOWN},
        server=_EVERYWHERE,
        https_required=True,
        gets=Gets(
            connection="relay https",
            repair=f"https://{LAN}:32400",
            tokens=at(f"{RELAY}:8443"),
        ),
    ),
    Home(
        name="Docker's 31 networks are listed before the LAN",
        listed=(*(lan(f"172.{number}.0.1") for number in range(17, 48)), lan()),
        gets=Gets(connection="local https", tokens=at(LAN)),
    ),
    Home(
        name="only a container's inner address is listed",
        listed=(lan(CONTAINER),),
        gets=Gets(connection="timeout", repair="address"),
    ),
    Home(
        name="only a container's inner address is listed, the LAN's typed",
        listed=(lan(CONTAINER),),
        typed=LAN,
        gets=Gets(connection="custom http", tokens=at(LAN)),
    ),
    Home(
        name="tailnet with names that resolve",
        listed=(lan(TAILNET),),
        server=(f"{TAILNET}:32400",),
        gets=Gets(connection="remote https", tokens=at(TAILNET)),
    ),
    Home(
        name="tailnet without names that resolve",
        listed=(lan(TAILNET),),
        resolves={TAILNET: UNKNOWN},
        server=(f"{TAILNET}:32400",),
        gets=Gets(connection="dns_error", repair=f"http://{TAILNET}:32400"),
    ),
    Home(
        name="reverse proxy, its domain listed as custom URL",
        listed=(lan(CONTAINER), custom(_DOMAIN)),
        resolves={_DOMAIN: (PUBLIC,)},
        proxy=_PROXY,
        gets=Gets(connection="remote https", tokens=at(f"{PUBLIC}:443")),
    ),
    Home(
        name="reverse proxy, its domain listed as local",
        listed=(lan(CONTAINER), custom(_DOMAIN, local=True)),
        resolves={_DOMAIN: (PUBLIC,)},
        proxy=_PROXY,
        gets=Gets(connection="remote https", tokens=at(f"{PUBLIC}:443")),
    ),
    Home(
        name="reverse proxy, typed with its scheme",
        listed=(lan(CONTAINER),),
        resolves={_DOMAIN: (PUBLIC,)},
        proxy=_PROXY,
        typed=f"https://{_DOMAIN}",
        gets=Gets(connection="custom https", tokens=at(f"{PUBLIC}:443")),
    ),
    Home(
        name="reverse proxy, typed without a scheme",
        listed=(lan(CONTAINER),),
        resolves={_DOMAIN: (PUBLIC,)},
        proxy=_PROXY,
        typed=_DOMAIN,
        gets=Gets(connection="custom https", tokens=at(f"{PUBLIC}:443")),
    ),
    Home(
        name="reverse proxy, typed as http, which it redirects",
        listed=(lan(CONTAINER),),
        resolves={_DOMAIN: (PUBLIC,)},
        proxy=_PROXY,
        stranger=(f"{PUBLIC}:80",),
        goes_to="https:",
        typed=f"http://{_DOMAIN}",
        gets=Gets(connection="custom https", tokens=at(f"{PUBLIC}:443")),
    ),
    Home(
        name="reverse proxy that asks for a sign-in elsewhere",
        listed=(lan(CONTAINER),),
        resolves={_DOMAIN: (PUBLIC,)},
        stranger=(f"{PUBLIC}:80",),
        goes_to="https://auth.example.com/login",
        typed=f"http://{_DOMAIN}",
        typed_error="redirected",
        gets=Gets(connection="timeout", repair="address"),
    ),
    Home(
        name="http only server",
        listed=(lan(scheme="http"), remote(scheme="http")),
        server=_EVERYWHERE,
        gets=Gets(connection="local http", tokens=at(LAN)),
    ),
    Home(
        name="secure connections required",
        listed=(lan(), remote()),
        https_required=True,
        gets=Gets(connection="local https", tokens=at(LAN)),
    ),
    Home(
        name="IPv6",
        listed=(lan(IPV6),),
        server=(f"{IPV6}:32400",),
        gets=Gets(connection="local https", tokens=at(IPV6)),
    ),
    Home(
        name="IPv6 with names that do not resolve",
        listed=(lan(IPV6),),
        resolves={IPV6: UNKNOWN},
        server=(f"{IPV6}:32400",),
        gets=Gets(connection="local http", tokens=at(IPV6)),
    ),
    Home(
        name="another house, remote",
        listed=(lan(OTHER_HOUSE), remote(), relay()),
        resolves={OTHER_HOUSE: UNKNOWN},
        server=(f"{PUBLIC}:32400", f"{RELAY}:8443"),
        https_required=True,
        is_in_this_house=False,
        gets=Gets(connection="remote https", tokens=at(PUBLIC)),
    ),
    Home(
        name="another house, its port is closed: relay",
        listed=(lan(OTHER_HOUSE), remote(), relay()),
        server=(f"{RELAY}:8443",),
        machines=(PUBLIC,),
        is_in_this_house=False,
        gets=Gets(connection="relay https", tokens=at(f"{RELAY}:8443")),
    ),
    Home(
        name="another house behind carrier NAT: relay alone",
        listed=(lan(OTHER_HOUSE), relay()),
        server=(f"{RELAY}:8443",),
        is_in_this_house=False,
        gets=Gets(connection="relay https", tokens=at(f"{RELAY}:8443")),
    ),
    Home(
        name="a friend's server, remote",
        listed=(lan(OTHER_HOUSE), remote()),
        server=(f"{PUBLIC}:32400",),
        owner=Owner.FRIEND,
        is_in_this_house=False,
        gets=Gets(connection="remote https", tokens=at(PUBLIC)),
    ),
    Home(
        name="a friend's server without remote access",
        listed=(lan(OTHER_HOUSE), remote()),
        server=(),
        machines=(PUBLIC,),
        owner=Owner.FRIEND,
        is_in_this_house=False,
        gets=Gets(connection="timeout", repair="address"),
    ),
    Home(
        name="a friend's LAN address is another server here",
        listed=(lan(), remote()),
        server=(f"{PUBLIC}:32400",),
        another=f"{LAN}:32400",
        owner=Owner.FRIEND,
        is_in_this_house=False,
        gets=Gets(connection="remote https", tokens=at(PUBLIC)),
    ),
    Home(
        name="a friend visits with his server, names do not resolve",
        listed=(lan(),),
        resolves={LAN: UNKNOWN},
        owner=Owner.FRIEND,
        gets=Gets(connection="dns_error", repair=f"http://{LAN}:32400"),
    ),
    Home(
        name="shared within the Plex Home, names do not resolve",
        listed=(lan(), remote()),
        resolves={LAN: UNKNOWN, PUBLIC: UNKNOWN},
        owner=Owner.HOME,
        gets=Gets(connection="local http", tokens=at(LAN)),
    ),
    Home(
        name="only a public http address is listed",
        listed=(remote(scheme="http"),),
        server=(f"{PUBLIC}:32400",),
        gets=Gets(connection="unprotected_only", repair="address"),
    ),
    Home(
        name="a row of a server that is long gone",
        listed=(lan(), remote()),
        server=(),
        is_gone=True,
        gets=Gets(connection="timeout"),
    ),
    Home(
        name="another server has the listed LAN address",
        listed=(lan(),),
        server=("192.168.1.11:32400",),
        another=f"{LAN}:32400",
        gets=Gets(connection="certificate_error", repair="address"),
    ),
    Home(
        name="another server has the LAN address, this one is remote",
        listed=(lan(), remote()),
        server=(f"{PUBLIC}:32400",),
        another=f"{LAN}:32400",
        gets=Gets(connection="remote https", tokens=at(PUBLIC)),
    ),
    Home(
        name="captive portal at all addresses",
        listed=(lan(), remote()),
        server=(),
        stranger=(f"{LAN}:32400", f"{PUBLIC}:32400"),
        goes_to="http://portal.example/login",
        gets=Gets(connection="certificate_error", repair="address"),
    ),
    Home(
        name="captive portal, plain http alone is listed",
        listed=(lan(scheme="http"),),
        server=(),
        stranger=(f"{LAN}:32400",),
        gets=Gets(connection="unavailable", repair="address"),
    ),
    Home(
        name="expired certificate, plain http allowed",
        listed=(lan(),),
        is_expired=True,
        gets=Gets(connection="local http", tokens=at(LAN)),
    ),
    Home(
        name="expired certificate, secure connections required",
        listed=(lan(),),
        is_expired=True,
        https_required=True,
        gets=Gets(connection="certificate_error", repair=f"https://{LAN}:32400"),
    ),
    Home(
        name="the port has changed, and plex.tv knows",
        stored=(lan(),),
        listed=(lan(port=32401),),
        server=(f"{LAN}:32401",),
        gets=Gets(connection="local https", tokens=at(f"{LAN}:32401")),
    ),
    Home(
        name="the port has changed, and plex.tv does not know",
        listed=(lan(),),
        server=(f"{LAN}:32401",),
        gets=Gets(connection="cannot_connect", repair="address"),
    ),
    Home(
        name="the port has changed, and is typed",
        listed=(lan(),),
        server=(f"{LAN}:32401",),
        typed=f"{LAN}:32401",
        gets=Gets(connection="custom http", tokens=at(f"{LAN}:32401")),
    ),
    Home(
        name="double NAT: neither the LAN nor the public address",
        listed=(lan("192.168.0.10"), remote(), relay()),
        server=(f"{RELAY}:8443",),
        gets=Gets(connection="relay https", tokens=at(f"{RELAY}:8443")),
    ),
    Home(
        name="a name without a domain is typed",
        listed=(lan(CONTAINER),),
        resolves={"nas": (LAN,)},
        typed="nas",
        gets=Gets(connection="custom http", tokens=at(LAN)),
    ),
    Home(
        name="a router's name is typed",
        listed=(lan(CONTAINER),),
        resolves={"nas.fritz.box": (LAN,)},
        typed="nas.fritz.box",
        gets=Gets(connection="custom http", tokens=at(LAN)),
    ),
    Home(
        name="a router's name is typed with http and port",
        listed=(lan(CONTAINER),),
        resolves={"nas.fritz.box": (LAN,)},
        typed="http://nas.fritz.box:32400",
        gets=Gets(connection="custom http", tokens=at(LAN)),
    ),
    Home(
        name="a tailnet's name is typed",
        listed=(lan(CONTAINER),),
        resolves={"nas.x.ts.net": (TAILNET,)},
        server=(f"{TAILNET}:32400",),
        typed="nas.x.ts.net",
        gets=Gets(connection="custom http", tokens=at(TAILNET)),
    ),
)

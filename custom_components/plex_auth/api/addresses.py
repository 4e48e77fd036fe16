"""Check addresses, tell private from public ones, and read typed ones."""

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
import re
from typing import Final

from yarl import URL

PLEX_DIRECT: Final = ".plex.direct"
PLEX_PORT: Final = 32400

# The only networks that count as private: Python's `is_private` has 6to4, Teredo and test
# networks, which lead to the internet.
_LOOPBACK: Final = tuple(map(ip_network, ("127.0.0.0/8", "::1/128")))
_PRIVATE: Final = (
    *map(ip_network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7")),
    *_LOOPBACK,
)
# Tailnets and carrier NAT: not private, and not on the internet.
_SHARED: Final = ip_network("100.64.0.0/10")
_NAME: Final = re.compile(r"[a-z0-9._-]+", re.IGNORECASE)
# The last part of a host name that resolvers read as an IPv4 address.
_NUMBER: Final = re.compile(r"[0-9]+|0[xX][0-9a-fA-F]*")
# The start of Plex Web's path on a server.
_PLEX_WEB: Final = re.compile(r"(?<=[^/])/web(?:/(?:index\.html)?)?(?=$|[?#])")
# Plex's own web sites; no server answers there.
_PLEX_TV: Final = re.compile(r"(?:.+\.)?plex\.tv\.?", re.IGNORECASE)
# A token pasted as an address (plex-api.md §1.1, §3, §17.2) would be looked up in DNS
# and logged.
_TOKEN: Final = re.compile(r"(?=.*[A-Z])[\w-]{20}|(?:transient|claim)-.*", re.ASCII)
_LONGEST_LISTED: Final = 300
_LOCAL_DOMAINS: Final = (
    ".home.arpa",
    ".internal",
    ".lan",
    ".local",
    ".localdomain",
    ".localhost",
)


def parse_address(text: str) -> URL | None:
    """Return an address that requests may go to, or None if it is not allowed.

    It is http or https, with a host and a usable port, without user information, query
    or fragment. Link-local, multicast, unspecified and reserved addresses, where clouds
    run metadata services, are refused. So are numbers that are not written as an IP
    address, because resolvers would turn them into one.
    """
    try:
        url = URL(text)
        host, port = url.host, url.port
    except ValueError:
        return None
    if (
        url.scheme not in ("http", "https")
        or not host
        or not port
        or url.user is not None
        or url.password is not None
        or url.query_string
        or url.fragment
    ):
        return None
    address = _ip_address(host)
    if address is None:
        last = host.rstrip(".").rpartition(".")[2]
        is_name = _NAME.fullmatch(url.raw_host or "") and not _NUMBER.fullmatch(last)
        return url if is_name else None
    if (
        address.is_link_local
        or address.is_multicast
        or address.is_unspecified
        or (isinstance(address, IPv4Address) and address.is_reserved)
    ):
        return None
    return url


def parse_listed_address(text: str) -> URL | None:
    """Return a listed address that requests may go to: only a host and a port.

    It is ASCII and no longer than a name of DNS with its port: encoding and decoding the
    letters of many long names takes seconds each time.
    """
    is_short = text.isascii() and len(text) <= _LONGEST_LISTED
    url = parse_address(text) if is_short else None
    return url if url is not None and url.path in ("", "/") else None


def names_address(host: str | None, address: str | None) -> bool:
    """Return whether a host is an address itself, or the plex.direct name of it (§5.1)."""
    expected = _ip_address(address)
    if expected is None:
        return bool(host) and host == address
    label, dot, _ = (host or "").partition(".")
    if dot and (host or "").endswith(PLEX_DIRECT):
        host = label.replace("-", "." if isinstance(expected, IPv4Address) else ":")
    return _ip_address(host) == expected


def typed_addresses(text: str) -> tuple[URL, ...]:
    """Return the URLs a typed address may stand for, best guess first.

    Without a scheme, https is tried, then http unless the host is public. Without a
    port, Plex's is tried, after the default port of a typed scheme. The path of Plex
    Web is removed (plex-api.md §6.2). Tokens and addresses of plex.tv give none.
    """
    base = _PLEX_WEB.split(text.strip(), maxsplit=1)[0]
    if _TOKEN.fullmatch(base):
        return ()
    has_scheme = "://" in base
    if not has_scheme:
        is_bare = isinstance(_ip_address(base), IPv6Address)
        base = f"https://[{base}]" if is_bare else f"https://{base}"
    url = parse_address(base)
    if url is None or _PLEX_TV.fullmatch(url.host or ""):
        return ()
    if url.explicit_port is not None:
        found = [url]
    elif has_scheme:
        found = [url, url.with_port(PLEX_PORT)]
    else:
        found = [url.with_port(PLEX_PORT)]
    if not has_scheme and not is_public(url.host):
        found += [url.with_scheme("http") for url in found]
    return tuple(found)


def is_private(host: str | None) -> bool:
    """Return whether a host is a private or loopback address; a name never is."""
    address = _ip_address(host)
    return address is not None and any(address in network for network in _PRIVATE)


def is_loopback(host: str | None) -> bool:
    """Return whether a host is a loopback address; a name never is."""
    address = _ip_address(host)
    return address is not None and any(address in network for network in _LOOPBACK)


def is_public(host: str | None) -> bool:
    """Return whether a host is an address or name on the internet.

    Names without a dot and names in local domains are not.
    """
    address = _ip_address(host)
    if address is not None:
        is_near = is_private(host) or address.is_link_local or address in _SHARED
        return not is_near
    name = (host or "").rstrip(".").lower()
    return "." in name and not name.endswith(_LOCAL_DOMAINS)


def _ip_address(host: str | None) -> IPv4Address | IPv6Address | None:
    """Return the IP address that a host is written as, or None for a name."""
    try:
        address = ip_address(host or "")
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped:
        return address.ipv4_mapped
    return address

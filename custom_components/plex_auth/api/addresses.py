"""Check addresses, distinguish private from public ones, and read typed ones."""

from collections.abc import Iterable
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
# Those that are not on the internet: also tailnets and carrier NAT.
_NEAR: Final = (*_PRIVATE, ip_network("100.64.0.0/10"))
_NAME: Final = re.compile(r"[a-z0-9._-]+", re.IGNORECASE)
# The last part of a host name that resolvers read as an IPv4 address.
_NUMBER: Final = re.compile(r"[0-9]+|0[xX][0-9a-fA-F]*")
# Plex's own web sites; no server answers there.
_PLEX_TV: Final = re.compile(r"(?:.+\.)?plex\.tv\.?", re.IGNORECASE)
_LONGEST_LISTED: Final = 300
_SCHEMES: Final = ("http", "https")
# An address without its query and fragment. Some put the port after a slash.
_TYPED: Final = re.compile(
    r"(?:(?P<scheme>[^/]*)://)?(?P<host>[^/]+)(?:/+(?P<port>:[0-9]+))?(?P<path>/.*)?",
    re.ASCII | re.DOTALL,
)
# The start of Plex's own paths on a server, as Plex Web and "View XML" have them.
_PLEX_PATH: Final = re.compile(r"/+(?:web|library|identity)(?:/|$)")
_PROXY_PATH: Final = re.compile(r"(?:/+[\w.~-]+)*/*", re.ASCII)
# A token pasted as an address (plex-api.md §1.1, §3, §8, §17.2) would be looked up in DNS
# and logged.
_TOKEN: Final = re.compile(
    r"(?<![\w-])(?:(?=[\w-]*[A-Z])[\w-]{20}(?![\w-])|(?:transient|claim)-[\w-]*"
    r"|eyJ[\w-]*\.[\w-]*\.[\w-]*)",
    re.ASCII,
)
# What may be followed by a token, also in an address that is encoded or incomplete.
_BEFORE_TOKEN: Final = re.compile(r"[?#&;=%]|\s*x-plex-token", re.IGNORECASE)


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
    except IndexError, ValueError:  # IndexError for [] in a host
        return None
    if (
        url.scheme not in _SCHEMES
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


def typed_addresses(text: str, *, is_public: bool = True) -> tuple[URL, ...]:
    """Return the URLs a typed address may stand for, best guess first.

    Without a scheme, https is tried, then http unless the host is public or has a
    certificate of Plex. Without a port, Plex's is tried, before the default port of
    https or after that of a typed scheme. Only the path of a proxy is kept, so that no
    token is left (plex-api.md §6.2). Tokens and addresses of plex.tv give none.
    """
    typed = _TYPED.fullmatch(re.split("[?#]", text.strip(), maxsplit=1)[0])
    url = None if typed is None else _base_url(**typed.groupdict())
    if typed is None or url is None:
        return ()
    has_scheme = typed["scheme"] is not None
    at_plex_port = url if url.explicit_port is not None else url.with_port(PLEX_PORT)
    guesses = [url, at_plex_port] if has_scheme else [at_plex_port, url]
    if not (has_scheme or is_public or (url.host or "").endswith(PLEX_DIRECT)):
        guesses.insert(1, at_plex_port.with_scheme("http"))
    return tuple(dict.fromkeys(guesses))


def _base_url(
    scheme: str | None, host: str, port: str | None, path: str | None
) -> URL | None:
    """Return the URL that was typed for a server or its proxy, or None if it is not one."""
    path = path or ""
    if _TOKEN.fullmatch(host.rpartition(":")[0] or host):
        return None
    if scheme is None:
        if path.startswith("//"):
            return None
        scheme = "https"
    if isinstance(_ip_address(host), IPv6Address):
        host = f"[{host}]"
    path = _PLEX_PATH.split(path, maxsplit=1)[0]
    if not _PROXY_PATH.fullmatch(path) or _TOKEN.search(path):
        path = ""
    path = "/".join(["", *filter(None, path.split("/"))])
    url = parse_address(f"{scheme}://{host}{port or ''}{path}")
    if url is None or host.endswith(":") or _is_no_server(url.host or ""):
        return None
    return url


def shown_address(text: str) -> str:
    """Return what a form may show again of a typed address: no password and no token."""
    shown = _BEFORE_TOKEN.split(text.rpartition("@")[2], maxsplit=1)[0].strip()
    return "" if _TOKEN.search(shown) else shown


def is_private(host: str | None) -> bool:
    """Return whether a host is a private or loopback address; a name never is."""
    address = _ip_address(host)
    return address is not None and any(address in network for network in _PRIVATE)


def is_loopback(host: str | None) -> bool:
    """Return whether a host is a loopback address; a name never is."""
    address = _ip_address(host)
    return address is not None and any(address in network for network in _LOOPBACK)


def is_agreeable(host: str | None) -> bool:
    """Return whether a host is an address that a user may agree to.

    That is a private or loopback address, or one of 100.64.0.0/10, as in a tailnet.
    """
    address = _ip_address(host)
    return address is not None and any(address in network for network in _NEAR)


def is_public(addresses: Iterable[str]) -> bool | None:
    """Return whether a host is on the internet by its addresses: whether any of them is.

    None means that nothing is known: there are none, or only unspecified ones, with
    which blockers answer.
    """
    known = [
        address
        for text in addresses
        if (address := _ip_address(text)) is not None and not address.is_unspecified
    ]
    if not known:
        return None
    return not all(
        address.is_link_local or any(address in network for network in _NEAR)
        for address in known
    )


def _is_no_server(host: str) -> bool:
    """Return whether a host belongs to plex.tv, or is a mistyped scheme."""
    return host.rstrip(".") in _SCHEMES or _PLEX_TV.fullmatch(host) is not None


def _ip_address(host: str | None) -> IPv4Address | IPv6Address | None:
    """Return the IP address that a host is written as, or None for a name."""
    try:
        address = ip_address(host or "")
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped:
        return address.ipv4_mapped
    return address

"""Which addresses may be asked, which are private or public, and what a person typed."""

from ipaddress import IPv4Address, IPv6Address, ip_address
import re
from typing import Final

from yarl import URL

PLEX_DIRECT: Final = ".plex.direct"
PLEX_PORT: Final = 32400

_NAME: Final = re.compile(r"[a-z0-9._-]+", re.IGNORECASE)
# The last part of a host that resolvers read as an IPv4 address.
_NUMBER: Final = re.compile(r"[0-9]+|0[xX][0-9a-fA-F]*")
# Where Plex Web begins, which every server has at /web.
_PLEX_WEB: Final = re.compile(r"(?<=[^/])/web(?:/(?:index\.html)?)?(?=$|[?#])")
# Plex's own pages, at none of which is a server.
_PLEX_TV: Final = re.compile(r"(?:.+\.)?plex\.tv\.?", re.IGNORECASE)
# A token that is pasted as an address (plex-api.md §1.1, §3, §17.2) would be asked for as
# a host: of resolvers, and in the log.
_TOKEN: Final = re.compile(r"(?=.*[A-Z])[\w-]{20}|(?:transient|claim)-.*", re.ASCII)
_LOCAL_DOMAINS: Final = (
    ".home.arpa",
    ".internal",
    ".lan",
    ".local",
    ".localdomain",
    ".localhost",
)


def parse_address(text: str) -> URL | None:
    """Return an address that a request may go to, None where it is no such thing.

    It is http or https with a host and a usable port, and without user information,
    query and fragment. Link-local, multicast, unspecified and reserved addresses are
    refused: no server is there, but the metadata services of clouds are. So are numbers
    in any other form than an IP address, which resolvers would make one of.
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


def typed_addresses(text: str) -> tuple[URL, ...]:
    """Return what a person may mean by an address, in the order to try; empty: nothing.

    A host without a scheme is asked by https, and at home by http as well: a token may
    go there by either. Without a port it is Plex's, next to the one of a typed scheme.
    Of an address of Plex Web that a server has itself (plex-api.md §6.2) only the server
    counts; plex.tv and app.plex.tv are no server's address, and neither is a token.
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
    """Return whether a host is a private or loopback address, not merely a name."""
    address = _ip_address(host)
    return address is not None and address.is_private and not address.is_link_local


def is_public(host: str | None) -> bool:
    """Return whether a host is an address of the internet or a name in it.

    Names without a dot and those of local domains belong to the home.
    """
    address = _ip_address(host)
    if address is not None:
        return address.is_global
    name = (host or "").rstrip(".").lower()
    return "." in name and not name.endswith(_LOCAL_DOMAINS)


def _ip_address(host: str | None) -> IPv4Address | IPv6Address | None:
    """Return the IP address that a host is written as, None for a name."""
    try:
        address = ip_address(host or "")
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped:
        return address.ipv4_mapped
    return address

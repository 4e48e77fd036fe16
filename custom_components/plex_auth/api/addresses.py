"""Which addresses may be asked, and which of them are private or public."""

from ipaddress import IPv4Address, IPv6Address, ip_address
import re
from typing import Final

from yarl import URL

PLEX_DIRECT: Final = ".plex.direct"

_NAME: Final = re.compile(r"[a-z0-9._-]+", re.IGNORECASE)
# The last part of a host that resolvers read as an IPv4 address.
_NUMBER: Final = re.compile(r"[0-9]+|0[xX][0-9a-fA-F]*")
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

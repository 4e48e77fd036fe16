"""Addresses of servers: how they are listed, and what plex.direct names stand for."""

from collections.abc import Mapping
from dataclasses import dataclass
import ipaddress
import socket
from typing import override

from aiohttp.abc import AbstractResolver, ResolveResult

PLEX_DIRECT = ".plex.direct"


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """Hold one listed address of a server (plex-api.md §5, `connections[]`)."""

    protocol: str
    address: str
    port: int
    uri: str
    local: bool
    relay: bool = False
    ipv6: bool = False

    def as_resource(self) -> dict[str, object]:
        """Return the address as `GET /resources` lists it."""
        return {
            "protocol": self.protocol,
            "address": self.address,
            "port": self.port,
            "uri": self.uri,
            "local": self.local,
            "relay": self.relay,
            "IPv6": self.ipv6,
        }

    def as_source(self) -> Mapping[str, object]:
        """Return the address as `/security/resources` lists it.

        There is a `relay` only where it is true. See plex-api.md §4.
        """
        listed: dict[str, object] = {
            "protocol": self.protocol,
            "address": self.address,
            "uri": self.uri,
            "port": self.port,
            "local": self.local,
        }
        return listed | {"relay": True} if self.relay else listed


def plex_direct_label(address: str) -> str:
    """Return an IP address as the first part of a plex.direct name.

    Dots and colons become dashes. See plex-api.md §5.1.
    """
    parsed = ipaddress.ip_address(address)
    if parsed.version == 4:
        return str(parsed).replace(".", "-")
    return "-".join(f"{int(group, 16):x}" for group in parsed.exploded.split(":"))


def plex_direct_address(host: str) -> str | None:
    """Return the IP address that `host` stands for, or None for other names."""
    if not host.endswith(PLEX_DIRECT):
        return None
    label = host.split(".", 1)[0]
    for separator in (".", ":"):
        try:
            return str(ipaddress.ip_address(label.replace("-", separator)))
        except ValueError:
            continue
    return None


class PlexDirectResolver(AbstractResolver):
    """Resolve names for an aiohttp client: plex.direct's as the public DNS does.

    Besides them it knows `localhost`, and `names`, which come first: what a router says
    to a name, or to all names of a domain, written `*.domain`. No address at all is a
    name that does not resolve.
    """

    def __init__(self) -> None:
        """Start as the public DNS."""
        self.names: dict[str, tuple[str, ...]] = {}

    @override
    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Return the addresses of a name; raise OSError where it has none."""
        addresses = self._addresses(host)
        if not addresses:
            raise OSError(None, "Name or service not known")
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=0,
                flags=socket.AI_NUMERICHOST,
            )
            for address in addresses
        ]

    def _addresses(self, host: str) -> tuple[str, ...]:
        labels = host.split(".")
        domains = [".".join(labels[start:]) for start in range(1, len(labels))]
        for name in (host, *(f"*.{domain}" for domain in domains)):
            if name in self.names:
                return self.names[name]
        address = "127.0.0.1" if host == "localhost" else plex_direct_address(host)
        return () if address is None else (address,)

    @override
    async def close(self) -> None:
        """Have nothing to release."""

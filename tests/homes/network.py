"""The network of a home, in a network and mount namespace of its own."""

from collections.abc import Iterable, Mapping
import os
from pathlib import Path
import subprocess

MARK = "PLEX_AUTH_HOMES"
"""Set where a process is in namespaces of its own, to a folder for its files."""

_HOSTS = Path("/etc/hosts")
_RESOLVER = Path("/etc/resolv.conf")
_HOME_ASSISTANT = ("192.168.1.2", "fd00::2")
_SILENT = "192.168.1.1"

UNSHARE = ("unshare", "--net", "--mount")


def is_permitted() -> bool:
    """Return whether this process may have namespaces of its own, and has `ip`."""
    try:
        tried = subprocess.run(
            [*UNSHARE, "ip", "link", "set", "lo", "up"],
            check=False,
            capture_output=True,
        )
    except OSError:
        return False
    return tried.returncode == 0


class Network:
    """Give addresses to this machine, and names to addresses, as in a home.

    An address that is given answers as this machine: what listens there is reached,
    and another port is refused. All other addresses stay silent. A name is resolved by
    the hosts file; no DNS server knows any other.
    """

    def __init__(self) -> None:
        """Build the network; the namespaces have to be this process's own."""
        self._addresses = set[str]()
        folder = Path(os.environ[MARK])
        for path in (_HOSTS, _RESOLVER):
            own = folder / path.name
            own.touch()
            _run("mount", "--bind", str(own), str(path))
        _run("ip", "link", "set", "lo", "up")
        # What is sent into one end of the cable is for no machine at its other end.
        _run("ip", "link", "add", "silent", "type", "veth", "peer", "name", "end")
        _run("ip", "link", "set", "silent", "arp", "off", "up")
        _run("ip", "link", "set", "end", "up")
        for address in _HOME_ASSISTANT:
            self.give(address)
            way = ["default", "dev", "silent", "src", address]
            _run("ip", _family(address), "route", "add", *way)

    def give(self, address: str) -> None:
        """Let this machine have an address."""
        if address not in self._addresses:
            # Nobody else may have it: IPv6 would look for a second.
            _run("ip", "address", "add", _alone(address), "dev", "lo", "nodad")
            self._addresses.add(address)

    def silence(self, address: str) -> None:
        """Let no machine have an address any more: what is sent there is lost."""
        if address in self._addresses:
            _run("ip", "address", "del", _alone(address), "dev", "lo")
            self._addresses.remove(address)

    def resolve(
        self, names: Mapping[str, Iterable[str]], *, is_refused: bool = True
    ) -> None:
        """Let names resolve to addresses, and no others besides `localhost`.

        Others are refused by the router, or it does not answer.
        """
        router = _HOME_ASSISTANT[0] if is_refused else _SILENT
        _RESOLVER.write_text(f"nameserver {router}\n")
        lines = [
            f"{address} {name}"
            for name, addresses in ({"localhost": ["127.0.0.1"]} | dict(names)).items()
            for address in addresses
        ]
        _HOSTS.write_text("\n".join([*lines, ""]))


def _alone(address: str) -> str:
    """Return an address as a network in which there is no other one."""
    return f"{address}/{128 if ':' in address else 32}"


def _family(address: str) -> str:
    return "-6" if ":" in address else "-4"


def _run(*command: str) -> None:
    subprocess.run(command, check=True)

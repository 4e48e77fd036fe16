"""What can befall a request: the causes of trouble, each with the key of its message."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Final
from unittest.mock import patch

from tests.conftest import Dns
from tests.plex_simulator import Certificate, Fault, MediaServer, PlexSimulator
from tests.short_timeouts import short_timeouts

type Host = PlexSimulator | MediaServer
type Active = Callable[[Host, Dns, str], AbstractAsyncContextManager[None]]
"""What goes wrong meanwhile, at a host, for requests to an endpoint."""


@dataclass(frozen=True, slots=True)
class Cause:
    """Name what can befall a request, and the key of its message."""

    name: str
    key: str
    active: Active


def answer(fault: Fault) -> Active:
    """Let an endpoint answer with a fault meanwhile."""

    @asynccontextmanager
    async def active(host: Host, dns: Dns, endpoint: str) -> AsyncIterator[None]:
        host.faults.set(endpoint, fault)
        yield
        host.faults.clear()

    return active


@asynccontextmanager
async def unclaimed(host: Host, dns: Dns, endpoint: str) -> AsyncIterator[None]:
    """Let a server belong to nobody meanwhile, and not trust our network."""
    assert isinstance(host, MediaServer)
    host.claimed = host.trusts_network = False
    yield
    host.claimed = host.trusts_network = True


def _certificate(kind: Certificate) -> Active:
    """Show a bad certificate meanwhile."""

    @asynccontextmanager
    async def active(host: Host, dns: Dns, endpoint: str) -> AsyncIterator[None]:
        host.set_certificate(kind)
        await _cut()
        yield
        host.set_certificate(Certificate.VALID)
        await _cut()

    return active


@asynccontextmanager
async def _dns(host: Host, dns: Dns, endpoint: str) -> AsyncIterator[None]:
    """Resolve no name meanwhile; open connections and remembered names need none."""
    with (
        patch.object(dns, "resolve", side_effect=OSError(None, "Name not known")),
        patch("aiohttp.connector._DNSCacheTable.__contains__", return_value=False),
    ):
        host.set_certificate(Certificate.VALID)
        await _cut()
        yield


@asynccontextmanager
async def _silence(host: Host, dns: Dns, endpoint: str) -> AsyncIterator[None]:
    """Answer too late meanwhile."""
    with short_timeouts(0.2):
        await asyncio.sleep(0.05)
        host.faults.set(endpoint, Fault.delay(5))
        yield
    host.faults.clear()


async def _cut() -> None:
    """Let the client see that its connections were cut."""
    await asyncio.sleep(0.01)


def _answers(*rows: tuple[str, str, Fault]) -> tuple[Cause, ...]:
    return tuple(Cause(name, key, answer(fault)) for name, key, fault in rows)


OUTAGES: Final = (
    Cause("dns", "dns_error", _dns),
    Cause("expired", "certificate_error", _certificate(Certificate.EXPIRED)),
    Cause(
        "unknown_authority",
        "certificate_error",
        _certificate(Certificate.UNKNOWN_AUTHORITY),
    ),
    Cause("silence", "timeout", _silence),
    *_answers(
        ("reset", "cannot_connect", Fault.reset()),
        ("half_body", "cannot_connect", Fault.half_body()),
        ("500", "unavailable", Fault.status(500)),
        ("503", "unavailable", Fault.plex_error(1013)),
        ("html_502", "unavailable", Fault.html(502)),
        ("429", "rate_limited", Fault.status(429)),
    ),
)
PLEX_TV_CAUSES: Final = (
    *OUTAGES,
    *_answers(
        ("html_200", "unavailable", Fault.html(200)),
        ("1003", "rate_limited", Fault.plex_error(1003)),
        ("1031", "sign_in_blocked", Fault.plex_error(1031)),
        ("1009", "not_permitted", Fault.plex_error(1009)),
        ("shape", "unknown", Fault.body('{"what": "is this"}')),
        ("redirect", "unknown", Fault.redirect("http://127.0.0.1:1/")),
        ("huge", "unknown", Fault.huge_body()),
    ),
)
# What an address can answer when it is asked who it is: told of the whole form,
SERVER_CAUSES: Final = (
    *OUTAGES,
    *_answers(
        ("400", "unknown", Fault.status(400)),
        ("401", "not_permitted", Fault.status(401)),
        ("403", "not_permitted", Fault.status(403)),
        (
            "starting",
            "starting_up",
            Fault.status(503, "Plex Media Server is still starting up."),
        ),
        (
            "busy",
            "maintenance",
            Fault.status(503, '<Response code="503" title="Maintenance"/>'),
        ),
    ),
)
# or of the address alone.
NO_SERVER_CAUSES: Final = _answers(
    ("404", "not_a_plex_server", Fault.status(404)),
    ("html_200", "not_a_plex_server", Fault.html(200)),
    ("shape", "not_a_plex_server", Fault.body('{"what": "is this"}')),
    ("redirect", "not_a_plex_server", Fault.redirect("http://127.0.0.1:1/")),
    ("huge", "not_a_plex_server", Fault.huge_body()),
)

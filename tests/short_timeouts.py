"""A client that waits for no answer long."""

from collections.abc import Iterator
from contextlib import contextmanager

from aiohttp import ClientTimeout
import pytest

from custom_components.plex_auth import clients
from custom_components.plex_auth.api import server as server_module
from custom_components.plex_auth.api.server import PlexServer
from custom_components.plex_auth.api.transport import Transport


@contextmanager
def short_timeouts(seconds: float) -> Iterator[None]:
    """Shorten the timeouts of all requests; they are default arguments."""
    short = ClientTimeout(total=seconds)
    with pytest.MonkeyPatch.context() as patch:
        for function in (
            Transport.request,
            Transport._send,
            Transport.open_socket,
            PlexServer._request,
        ):
            assert function.__kwdefaults__ is not None
            patch.setitem(function.__kwdefaults__, "timeout", short)
        for name in ("PROBE_TIMEOUT", "CLAIM_TIMEOUT"):
            patch.setattr(server_module, name, short)
        patch.setattr(clients, "_PLEX_DIRECT_TIMEOUT_SECONDS", seconds * 0.8)
        yield

"""Claim a server that belongs to nobody for an account (plex-api.md §17)."""

import asyncio
import logging
from typing import Final

from .errors import (
    ClaimedElsewhereError,
    ClaimFailedError,
    MaintenanceError,
    NetworkNotTrustedError,
    NotListedYetError,
    NotPermittedError,
    NotReachedError,
    PlexError,
    RateLimitedError,
    StartingUpError,
)
from .plex_tv import PlexTv
from .server import PlexServer, require_started
from .server_list import AccountServer

_LOGGER = logging.getLogger(__name__)

# plex.tv lists a server within about 2 minutes of its claim (plex-api.md §17.3).
_LOOKS: Final = 12
_PAUSE: Final = 10.0

# A server that says so has not begun.
_NOT_BEGUN: Final = (MaintenanceError, RateLimitedError, StartingUpError)


async def claim(
    plex: PlexTv, account_token: str, server: PlexServer, target: AccountServer
) -> None:
    """Claim a server, and wait until plex.tv lists it as the account's own.

    `server` is the server at an address in its own network, `target` who it has to be.
    The claim is sent once: what has come of it is read from the server and from plex.tv,
    since a lost answer may have claimed all the same (plex-api.md §17.3).

    Raises ClaimedElsewhereError, NetworkNotTrustedError, ClaimFailedError and
    NotListedYetError, and what `PlexTv.claim_token`, `PlexServer.identity` and a
    connection that does not come about raise.
    """
    identity = require_started(await server.identity(target.machine_identifier))
    if identity.claimed is not False:
        if await _is_owned(target):
            return
        raise ClaimedElsewhereError
    # It lives for some minutes: it is fetched right before its use (§17.2).
    claim_token = await plex.claim_token(account_token)
    failure: PlexError | None = None
    try:
        await server.claim(claim_token)
    except NotReachedError:
        raise
    except PlexError as err:
        _LOGGER.debug("The answer to the claim: %s", err)
        failure = err.without_frames()
    await _wait_until_owned(server, target, failure)


async def _wait_until_owned(
    server: PlexServer, target: AccountServer, failure: PlexError | None
) -> None:
    """Look at the server and at plex.tv's list until the account owns it.

    `failure` is what the claim ended in. Raises what that means once the server says
    that it did not come about, or was another's.
    """
    claimed: bool | None = None
    is_refused = isinstance(failure, NotPermittedError)
    for look in range(_LOOKS):
        if look:
            await asyncio.sleep(_PAUSE)
        claimed = await _is_claimed(server, target)
        if claimed is False and failure is not None and failure.status is not None:
            break
        if claimed is not False and await _is_owned(target):
            return
        if claimed and is_refused:
            raise ClaimedElsewhereError
    if not claimed:
        raise _meaning(failure)
    if target.listed is not None and not target.listed.owned:
        raise ClaimedElsewhereError
    raise NotListedYetError


def _meaning(failure: PlexError | None) -> PlexError:
    """Return what the answer of a server means that is still nobody's."""
    if failure is None:
        return ClaimFailedError()
    if isinstance(failure, NotPermittedError):
        return NetworkNotTrustedError(status=failure.status)
    if failure.status is None or isinstance(failure, _NOT_BEGUN):
        return failure
    return ClaimFailedError(status=failure.status)


async def _is_claimed(server: PlexServer, target: AccountServer) -> bool | None:
    """Return whether the server belongs to somebody, None where it does not tell."""
    try:
        return (await server.identity(target.machine_identifier)).claimed
    except PlexError as err:
        _LOGGER.debug("The server does not tell whether it is claimed: %s", err)
        return None


async def _is_owned(target: AccountServer) -> bool:
    """Ask plex.tv whether it lists the server as the account's own."""
    try:
        await target.servers.renew(now=True)
    except PlexError as err:
        _LOGGER.debug("plex.tv does not list the servers: %s", err)
        return False
    return target.listed is not None and target.listed.owned

"""Claim an unclaimed server for an account (plex-api.md §17)."""

import asyncio
import logging
from typing import Final

from .addresses import PLEX_DIRECT, parse_listed_address
from .errors import (
    ClaimedElsewhereError,
    ClaimFailedError,
    MaintenanceError,
    NetworkNotTrustedError,
    NotListedYetError,
    NotOwnerError,
    NotPermittedError,
    NotReachedError,
    PlexError,
    RateLimitedError,
    StartingUpError,
    StillListedError,
)
from .models import ListedServer
from .plex_tv import PlexTv
from .server import PlexServer, require_started
from .server_list import AccountServer

_LOGGER = logging.getLogger(__name__)

# plex.tv lists a server within about 2 minutes of its claim (plex-api.md §17.3).
_LOOKS: Final = 12
_PAUSE: Final = 10.0

# Responses of a server that has not started the claim.
_NOT_STARTED: Final = (MaintenanceError, RateLimitedError, StartingUpError)


async def claim(
    plex: PlexTv, account_token: str, server: PlexServer, target: AccountServer
) -> None:
    """Claim a server and wait until plex.tv lists it as owned by the account.

    `server` is at an address in its own network; its identity must be that of `target`.
    The claim is sent once, and its outcome read from the server and plex.tv, because it
    may succeed even if the response is lost (plex-api.md §17.3).

    Raises the errors of `require_claimable`, NetworkNotTrustedError, ClaimFailedError,
    NotListedYetError, NotReachedError and the errors of `PlexTv.claim_token` and
    `PlexServer.identity`.
    """
    identity = require_started(await server.identity(target.machine_identifier))
    if identity.claimed is not False:
        if await _is_owned(target):
            return
        raise ClaimedElsewhereError
    await require_claimable(server, target)
    # Fetched right before use, because it expires within minutes (§17.2).
    claim_token = await plex.claim_token(account_token)
    failure: PlexError | None = None
    try:
        await server.claim(claim_token)
    except NotReachedError:
        raise
    except PlexError as err:
        _LOGGER.debug("The claim ended with an error: %s", err)
        failure = err.without_frames()
    await _wait_until_owned(server, target, failure)


async def require_claimable(server: PlexServer, target: AccountServer) -> None:
    """Raise an error unless plex.tv agrees that the server, just identified, is unclaimed.

    A claim token is worth a permanent token of the account (plex-api.md §17.5), and
    another machine may answer in place of the server. Raises NotOwnerError for a server
    of another account, StillListedError for one of the account unless its certificate
    proves the answer, and the errors of `ServerList.renew`.
    """
    await target.servers.renew(now=True)
    listed = target.listed
    if target.is_shared or (listed is not None and not listed.owned):
        raise NotOwnerError
    if listed is not None and not _is_vouched_for(server, listed):
        raise StillListedError


def _is_vouched_for(server: PlexServer, listed: ListedServer) -> bool:
    """Return whether a certificate for a plex.direct name of the row proves the answer."""
    host = server.url.host or ""
    names = (parse_listed_address(one.uri) for one in listed.connections)
    return (
        server.is_proven
        and host.endswith(PLEX_DIRECT)
        and any(url is not None and url.host == host for url in names)
    )


async def _wait_until_owned(
    server: PlexServer, target: AccountServer, failure: PlexError | None
) -> None:
    """Check the server and plex.tv until the account owns the server.

    `failure` is the error of the claim, if any. Raises the resulting error once the
    server reports that the claim failed or that another account made it.
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
        raise _claim_error(failure)
    if target.listed is not None and not target.listed.owned:
        raise ClaimedElsewhereError
    raise NotListedYetError


def _claim_error(failure: PlexError | None) -> PlexError:
    """Return the error to raise for a server that is still not claimed."""
    if failure is None:
        return ClaimFailedError()
    if isinstance(failure, NotPermittedError):
        return NetworkNotTrustedError(status=failure.status)
    if failure.status is None or isinstance(failure, _NOT_STARTED):
        return failure
    return ClaimFailedError(status=failure.status)


async def _is_claimed(server: PlexServer, target: AccountServer) -> bool | None:
    """Return whether the server is claimed, or None if unknown."""
    try:
        return (await server.identity(target.machine_identifier)).claimed
    except PlexError as err:
        _LOGGER.debug("Could not check whether the server is claimed: %s", err)
        return None


async def _is_owned(target: AccountServer) -> bool:
    """Return whether plex.tv now lists the server as owned by the account."""
    try:
        await target.servers.renew(now=True)
    except PlexError as err:
        _LOGGER.debug("Could not get the servers from plex.tv: %s", err)
        return False
    return target.listed is not None and target.listed.owned

"""Translated messages for errors of the Plex client."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any, Final

from homeassistant.exceptions import (
    ConfigEntryAuthFailed,
    HomeAssistantError,
    ServiceValidationError,
)
from homeassistant.helpers.update_coordinator import UpdateFailed
from homeassistant.util import dt as dt_util

from .api import errors
from .api.errors import (
    NotOwnerError,
    PlexError,
    ServerTooOldError,
    TokenRejectedError,
    TooManyDevicesError,
)
from .const import DOMAIN

_ACTION_TIMEOUT_SECONDS: Final = 25

_PLEX_TV: Final = "plex.tv"
# What helps against these differs between plex.tv and a server.
_OTHER_AT_PLEX_TV: Final = frozenset(
    {"cannot_connect", "certificate_error", "dns_error", "not_permitted", "timeout"}
)
# Errors of what was asked for, not of Plex.
_MISTAKES: Final = (NotOwnerError, ServerTooOldError, TooManyDevicesError)

_KEYS: Final[dict[type[BaseException], str]] = {
    errors.CannotConnectError: "cannot_connect",
    errors.CertificateError: "certificate_error",
    errors.ClaimedElsewhereError: "claimed_elsewhere",
    errors.ClaimFailedError: "claim_failed",
    errors.ConnectionTimeoutError: "timeout",
    errors.DnsError: "dns_error",
    errors.EmailRequiredError: "email_required",
    errors.LinkExpiredError: "link_expired",
    errors.MaintenanceError: "maintenance",
    errors.NetworkNotTrustedError: "network_not_trusted",
    errors.NotClaimedError: "not_claimed",
    errors.NotListedYetError: "not_listed_yet",
    errors.NotOwnerError: "not_owner",
    errors.NotPermittedError: "not_permitted",
    errors.PinWrongError: "invalid_pin",
    errors.PlexError: "unknown",
    errors.RateLimitedError: "rate_limited",
    errors.SecureConnectionRequiredError: "secure_connection_required",
    errors.ServerTooOldError: "server_too_old",
    errors.SignInBlockedError: "sign_in_blocked",
    errors.StartingUpError: "starting_up",
    errors.TokenRejectedError: "invalid_token",
    errors.TooManyDevicesError: "too_many_devices",
    errors.UnavailableError: "unavailable",
    errors.UnprotectedOnlyError: "unprotected_only",
    errors.VerificationCodeWrongError: "invalid_code",
    errors.WrongCredentialsError: "invalid_auth",
    errors.WrongServerError: "wrong_server",
}


def error_key(err: PlexError) -> str:
    """Return the translation key of an error, for dialogs and exceptions."""
    return next(_KEYS[kind] for kind in type(err).__mro__ if kind in _KEYS)


def plex_tv_error_key(err: PlexError) -> str:
    """Return the translation key of an error of plex.tv where servers are asked too."""
    key = error_key(err)
    return f"plex_tv_{key}" if key in _OTHER_AT_PLEX_TV else key


def update_failed(
    err: PlexError,
    interval: timedelta,
    longest: timedelta,
    *,
    account: str,
    server: str | None = None,
) -> UpdateFailed:
    """Return the failure of a poll, with any requested delay, up to `longest`.

    `server` is the name of the server that was asked, None for plex.tv. A delay within
    `interval` is ignored: it may only be a difference of clocks.
    """
    retry_after = err.retry_after
    if retry_after is not None:
        retry_after = min(retry_after, longest.total_seconds())
        if retry_after <= interval.total_seconds():
            retry_after = None
    return UpdateFailed(**_message(err, account, server), retry_after=retry_after)


def _message(err: PlexError, account: str, server: str | None) -> dict[str, Any]:
    """Return the message of an error, which names the server, or else plex.tv."""
    key = plex_tv_error_key(err) if server is None else error_key(err)
    return {
        "translation_domain": DOMAIN,
        "translation_key": key,
        "translation_placeholders": {"account": account, "name": server or _PLEX_TV},
    }


def translation_of(err: BaseException) -> dict[str, Any]:
    """Return the message of a failed poll, for another exception."""
    names = ("translation_domain", "translation_key", "translation_placeholders")
    return {name: getattr(err, name, None) for name in names}


def sign_in_rejected(err: TokenRejectedError, account: str) -> ConfigEntryAuthFailed:
    """Return the failure of a poll that requires a new sign-in."""
    return ConfigEntryAuthFailed(**_message(err, account, None))


def invalid(translation_key: str, **placeholders: str) -> ServiceValidationError:
    """Return a validation error for an action."""
    return ServiceValidationError(
        translation_domain=DOMAIN,
        translation_key=translation_key,
        translation_placeholders=placeholders,
    )


def plex_tv_busy(remaining: timedelta) -> HomeAssistantError:
    """Return the error for a request while plex.tv has asked for a pause."""
    return HomeAssistantError(
        translation_domain=DOMAIN,
        translation_key="plex_tv_busy",
        translation_placeholders={"time": f"{dt_util.now() + remaining:%H:%M:%S}"},
    )


@asynccontextmanager
async def action_errors(account: str, server: str | None = None) -> AsyncIterator[None]:
    """Translate Plex errors of an action, which may take 25 seconds at most.

    `server` is the name of the server that is asked, None for plex.tv.
    """
    try:
        try:
            async with asyncio.timeout(_ACTION_TIMEOUT_SECONDS):
                yield
        except TimeoutError as err:
            raise errors.ConnectionTimeoutError from err
    except _MISTAKES as err:
        raise ServiceValidationError(**_message(err, account, server)) from err
    except PlexError as err:
        raise HomeAssistantError(**_message(err, account, server)) from err

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
from .api.errors import NotOwnerError, PlexError, ServerTooOldError, TokenRejectedError
from .const import DOMAIN

_ACTION_TIMEOUT_SECONDS: Final = 25

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
    errors.PlexError: "unknown",
    errors.RateLimitedError: "rate_limited",
    errors.SecureConnectionRequiredError: "secure_connection_required",
    errors.ServerTooOldError: "server_too_old",
    errors.SignInBlockedError: "sign_in_blocked",
    errors.StartingUpError: "starting_up",
    errors.TokenRejectedError: "invalid_token",
    errors.UnavailableError: "unavailable",
    errors.UnprotectedOnlyError: "unprotected_only",
    errors.VerificationCodeWrongError: "invalid_code",
    errors.WrongCredentialsError: "invalid_auth",
    errors.WrongServerError: "wrong_server",
}


def error_key(err: PlexError) -> str:
    """Return the translation key of an error, for dialogs and exceptions."""
    return next(_KEYS[kind] for kind in type(err).__mro__ if kind in _KEYS)


def update_failed(
    err: PlexError, name: str, interval: timedelta, longest: timedelta
) -> UpdateFailed:
    """Return the failure of a poll, with any requested delay, up to `longest`.

    A delay within `interval` is ignored: it may only be a difference of clocks.
    """
    retry_after = err.retry_after
    if retry_after is not None:
        retry_after = min(retry_after, longest.total_seconds())
        if retry_after <= interval.total_seconds():
            retry_after = None
    return UpdateFailed(
        translation_domain=DOMAIN,
        translation_key=error_key(err),
        translation_placeholders={"name": name},
        retry_after=retry_after,
    )


def translation_of(err: BaseException) -> dict[str, Any]:
    """Return the message of a failed poll, for another exception."""
    names = ("translation_domain", "translation_key", "translation_placeholders")
    return {name: getattr(err, name, None) for name in names}


def sign_in_rejected(err: TokenRejectedError, name: str) -> ConfigEntryAuthFailed:
    """Return the failure of a poll that requires a new sign-in."""
    return ConfigEntryAuthFailed(
        translation_domain=DOMAIN,
        translation_key=error_key(err),
        translation_placeholders={"name": name},
    )


def invalid(translation_key: str, **placeholders: str) -> ServiceValidationError:
    """Return a validation error for an action."""
    return ServiceValidationError(
        translation_domain=DOMAIN,
        translation_key=translation_key,
        translation_placeholders=placeholders,
    )


def plex_tv_busy(remaining: timedelta) -> HomeAssistantError:
    """Return the error for a request while plex.tv wants to be left alone."""
    return HomeAssistantError(
        translation_domain=DOMAIN,
        translation_key="plex_tv_busy",
        translation_placeholders={"time": f"{dt_util.now() + remaining:%H:%M:%S}"},
    )


@asynccontextmanager
async def action_errors(name: str) -> AsyncIterator[None]:
    """Translate Plex errors of an action, which may take 25 seconds at most."""
    try:
        try:
            async with asyncio.timeout(_ACTION_TIMEOUT_SECONDS):
                yield
        except TimeoutError as err:
            raise errors.ConnectionTimeoutError from err
    except (NotOwnerError, ServerTooOldError) as err:
        raise invalid(error_key(err), name=name) from err
    except PlexError as err:
        raise HomeAssistantError(
            translation_domain=DOMAIN,
            translation_key=error_key(err),
            translation_placeholders={"name": name},
        ) from err

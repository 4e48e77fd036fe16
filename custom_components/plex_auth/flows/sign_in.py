"""A new sign-in, stored in an entry or ended at plex.tv."""

import asyncio
from collections.abc import Mapping
from typing import Any, Final

from homeassistant.config_entries import ConfigEntryState
from homeassistant.const import CONF_TOKEN
from homeassistant.core import HomeAssistant, callback

from ..api.errors import PlexError
from ..api.models import SignIn
from ..clients import async_create_plex_tv
from ..const import CONF_API_URL, CONF_TOKEN_ORIGIN, DOMAIN, LOGGER, TokenOrigin
from ..runtime_data import PlexAuthConfigEntry

_TIMEOUT_SECONDS: Final = 10


class NewSignIn:
    """A token that plex.tv has just issued or accepted, until an entry stores it."""

    def __init__(
        self,
        hass: HomeAssistant,
        client: Mapping[str, Any],
        sign_in: SignIn,
        origin: TokenOrigin,
    ) -> None:
        """Initialize with a sign-in, its origin, and the client data used for it."""
        self.account = sign_in.account
        self._hass = hass
        self._client = dict(client)
        self._token = sign_in.token
        self.origin = origin
        self._entry_id: str | None = None
        self._is_finished = False

    @property
    def data(self) -> dict[str, Any]:
        """Return the data of a new entry for the sign-in."""
        return {
            CONF_TOKEN: self._token,
            CONF_TOKEN_ORIGIN: self.origin,
            **self._client,
        }

    @callback
    def store_in(self, entry: PlexAuthConfigEntry) -> None:
        """Store the token in the account's entry; `finish` stores the API address."""
        if not self.origin.is_ours and entry.data[CONF_TOKEN] != self._token:
            # A new sign-in revokes the old token at plex.tv; a typed token does not.
            async_end_if_ours(self._hass, entry.data)
        has_same_address = entry.data[CONF_API_URL] == self._client[CONF_API_URL]
        self._update(entry, {CONF_TOKEN: self._token, CONF_TOKEN_ORIGIN: self.origin})
        if entry.state is ConfigEntryState.LOADED and has_same_address:
            entry.async_create_task(
                self._hass, entry.runtime_data.account.async_refresh()
            )
        self._entry_id = entry.entry_id

    @callback
    def finish(self) -> None:
        """Store the address and load the entry, or end our own sign-in if unused.

        Only for the end of the dialog: a reload ends all sign-in dialogs of the entry.
        """
        if self._is_finished:
            return
        self._is_finished = True
        entries = self._hass.config_entries
        if not any(
            entry.data.get(CONF_TOKEN) == self._token
            for entry in entries.async_entries(DOMAIN)
        ):
            LOGGER.debug("Ending an unused sign-in at plex.tv")
            async_end_if_ours(self._hass, self.data)
        if self._entry_id is None or not (
            entry := entries.async_get_entry(self._entry_id)
        ):
            return
        was_loaded = entry.state is ConfigEntryState.LOADED
        self._update(entry, {CONF_API_URL: self._client[CONF_API_URL]})
        if not was_loaded:
            entries.async_schedule_reload(entry.entry_id)

    @callback
    def _update(self, entry: PlexAuthConfigEntry, changes: dict[str, Any]) -> None:
        """Update some of an entry's data."""
        self._hass.config_entries.async_update_entry(
            entry, data={**entry.data, **changes}
        )


def is_ours(data: Mapping[str, Any]) -> bool:
    """Return whether an entry's data has a token from our own sign-in."""
    return TokenOrigin(data.get(CONF_TOKEN_ORIGIN, TokenOrigin.TOKEN)).is_ours


@callback
def async_end_if_ours(hass: HomeAssistant, data: Mapping[str, Any]) -> None:
    """End the sign-in of an entry's data in the background, if it is our own."""
    if is_ours(data):
        hass.async_create_background_task(
            async_sign_out(hass, dict(data)), "plex_auth sign out"
        )


async def async_sign_out(hass: HomeAssistant, data: Mapping[str, Any]) -> None:
    """End the sign-in at plex.tv; this takes 10 seconds at most and never fails."""
    try:
        async with asyncio.timeout(_TIMEOUT_SECONDS):
            await async_create_plex_tv(hass, data).sign_out(data[CONF_TOKEN])
    except (PlexError, TimeoutError) as err:
        LOGGER.info("The sign-in could not be ended at plex.tv: %s", err)

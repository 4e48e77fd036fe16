"""The poll of a Home user: the servers that the user may see, with their tokens."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final, override

from homeassistant.config_entries import ConfigEntry, ConfigSubentry
from homeassistant.const import CONF_TOKEN
from homeassistant.core import HomeAssistant, callback

from .account_memory import AccountMemory, LastWord
from .api.errors import PlexError, TokenRejectedError
from .api.home_user_access import HomeUserServer, access_as
from .api.models import OWN_ACCOUNT, ListedServer
from .api.server_access import ServerAccess
from .api.server_list import by_identifier
from .clients import async_create_plex_tv, stored_owners
from .const import CONF_SERVER_TOKENS, LOGGER
from .coordinator import AccountCoordinator, SubentryCoordinator
from .server_coordinator import ServerCoordinator

HOME_USER_INTERVAL: Final = timedelta(hours=1)

# A poll may come a second early.
_AFTER_PAUSE: Final = timedelta(seconds=2)

type Servers = dict[str, ListedServer]


class HomeUserCoordinator(SubentryCoordinator[Servers | None]):
    """Coordinator of a Home user: the servers that plex.tv lists for the user.

    `failure` is why the last poll failed; the data is then that of an earlier one. The
    account logs outages. A rejection is the user's own, never the account's.
    """

    def __init__(
        self,
        hass: HomeAssistant,
        entry: ConfigEntry[Any],
        subentry: ConfigSubentry,
        account: AccountCoordinator,
        memory: AccountMemory,
    ) -> None:
        """Initialize for a Home user's subentry."""
        super().__init__(
            hass, entry, subentry, interval=HOME_USER_INTERVAL, always_update=True
        )
        self.account = account
        self.failure: PlexError | None = None
        self.word = LastWord(hass, memory, subentry.subentry_id)
        self._plex = async_create_plex_tv(hass, entry.data)
        self._followed: str = subentry.data[CONF_TOKEN]
        self.async_on_shutdown(account.async_add_listener(self._async_account_changed))

    @property
    @override
    def log_name(self) -> str:
        return f"Plex Home user {self.subentry.title}"

    @property
    @override
    def is_paused(self) -> bool:
        return self.account.is_paused

    @property
    def is_rejected(self) -> bool | None:
        """Return whether plex.tv rejects the user's token, None if that is not known."""
        if isinstance(self.failure, TokenRejectedError):
            return True
        return None if self.data is None or self.failure is not None else False

    @property
    def is_known(self) -> bool:
        """Return whether plex.tv has ever listed the user's servers."""
        return CONF_SERVER_TOKENS in self.subentry.data

    @property
    def tokens(self) -> Mapping[str, str]:
        """Return the user's tokens for servers by machine identifier, as stored."""
        tokens: Mapping[str, str] = self.subentry.data.get(CONF_SERVER_TOKENS, {})
        return tokens

    async def async_renew(self) -> Servers:
        """Return the servers that plex.tv lists for the user now. Raises PlexError."""
        await self._poll.share()
        if self.failure is not None:
            raise self.failure.again()
        return self.data or {}

    def access(self, server: ServerCoordinator) -> ServerAccess:
        """Return access to a server with the user's tokens."""
        access = server.access
        target = HomeUserServer(access.target, lambda: self.tokens, self.async_renew)
        return access_as(access, target)

    @override
    @callback
    def async_follow(self) -> None:
        """Apply the changes of the subentry: poll with a new token."""
        self.name = self.log_name
        if (token := self.subentry.data[CONF_TOKEN]) != self._followed:
            self._followed, self.failure = token, None
            self.async_poll_now()
        self.async_update_listeners()

    @callback
    def _async_account_changed(self) -> None:
        """Poll when plex.tv is back after an outage and has not asked for a pause."""
        is_outage = self.failure is not None and not self.is_rejected
        if is_outage and self.account.failure is None and not self.is_paused:
            self.async_poll_now()

    @override
    @callback
    def _async_refresh_finished(self) -> None:
        self.word.async_note(self.is_rejected)

    @override
    async def _async_update_data(self) -> Servers | None:
        """Fetch the user's servers, and store their tokens.

        While plex.tv wants to be left alone by the account, the user waits, too.
        """
        token = self.subentry.data[CONF_TOKEN]
        account = self.account
        self.update_interval = HOME_USER_INTERVAL
        try:
            if self.is_paused and account.failure and not account.token_rejected:
                self.update_interval = account.pause.remaining + _AFTER_PAUSE
                raise account.failure.again()
            listed = await account.async_ask(self._plex.servers(token))
        except PlexError as err:
            if token != self.subentry.data[CONF_TOKEN]:
                # A flow replaced the token during the request.
                return await self._async_update_data()
            was_rejected = self.is_rejected
            self.failure = err.without_frames()
            if self.is_rejected and not was_rejected:
                LOGGER.warning("plex.tv rejects the sign-in of %s", self.name)
            else:
                LOGGER.debug("Unable to get the servers of %s: %s", self.name, err)
            return self.data
        self.failure = None
        servers = by_identifier(listed, self._owners())
        self._async_store(servers)
        return servers

    def _owners(self) -> dict[str, int | None]:
        """Return the owners of the account's servers, as the user's list names them."""
        known = self.account.data
        own = None if known is None else known.details.id
        return {
            identifier: own if owner == OWN_ACCOUNT else owner
            for identifier, owner in stored_owners(self.config_entry).items()
        }

    @callback
    def _async_store(self, servers: Servers) -> None:
        """Store the tokens of the listed servers; a row without one keeps it."""
        if self.subentry.subentry_id not in self.config_entry.subentries:
            return
        stored = self.tokens
        tokens = {
            identifier: token
            for identifier, server in servers.items()
            if (token := server.access_token or stored.get(identifier)) is not None
        }
        self.hass.config_entries.async_update_subentry(
            self.config_entry,
            self.subentry,
            data={**self.subentry.data, CONF_SERVER_TOKENS: tokens},
        )

"""Runtime data of an entry: coordinators of its account, servers, and Home users."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import InitVar, dataclass, field
from datetime import timedelta
from functools import partial
from typing import Any, Final

from homeassistant.config_entries import ConfigEntry, ConfigSubentry
from homeassistant.core import HomeAssistant, callback

from .account_memory import AccountMemory
from .api.errors import PlexError
from .api.intervals import Interval
from .api.shared_request import SharedRequest
from .const import SUBENTRY_TYPE_HOME_USER, SUBENTRY_TYPE_SERVER
from .coordinator import AccountCoordinator, SubentryCoordinator, background
from .devices_coordinator import DevicesCoordinator
from .home_user_coordinator import HomeUserCoordinator
from .messages import plex_tv_busy
from .server_coordinator import ServerCoordinator

_SHARED: Final = timedelta(seconds=10)

type PlexAuthConfigEntry = ConfigEntry[PlexAuthData]


class Followed[CoordinatorT: SubentryCoordinator[Any]](dict[str, CoordinatorT]):
    """Coordinators by subentry ID, which come and go with the subentries of a type."""

    def __init__(
        self,
        hass: HomeAssistant,
        entry: ConfigEntry[Any],
        subentry_type: str,
        create: Callable[[ConfigSubentry], CoordinatorT],
    ) -> None:
        """Initialize without coordinators; `create` returns that of a subentry."""
        super().__init__()
        self._hass = hass
        self._entry = entry
        self._type = subentry_type
        self._create = create
        self._listeners: list[Callable[[CoordinatorT], None]] = []

    @callback
    def async_listen(self, listener: Callable[[CoordinatorT], None]) -> None:
        """Call a listener with each current and future coordinator."""
        self._listeners.append(listener)
        # One that was removed during the setup is shut down at its end.
        for subentry_id, coordinator in self.items():
            if subentry_id in self._entry.subentries:
                listener(coordinator)

    @callback
    def async_add(self, subentry: ConfigSubentry) -> CoordinatorT:
        """Add the coordinator of a subentry, notify the listeners, and return it."""
        added = self[subentry.subentry_id] = self._create(subentry)
        for listener in self._listeners:
            listener(added)
        return added

    @callback
    def async_follow(self) -> None:
        """Add, update, and remove coordinators one by one to match the entry."""
        for subentry_id in self.keys() - self._entry.subentries.keys():
            removed = self.pop(subentry_id)
            self._entry.async_create_task(self._hass, removed.async_shutdown())
        for subentry in self._entry.get_subentries_of_type(self._type):
            if (known := self.get(subentry.subentry_id)) is not None:
                known.async_follow()
                continue
            added = self.async_add(subentry)
            self._entry.async_create_background_task(
                self._hass, added.async_check_now(), f"{added.name} poll"
            )


@dataclass(slots=True)
class PlexAuthData:
    """An entry's coordinators.

    `is_ready` is true between the end of the setup and the unload.
    """

    account: AccountCoordinator
    devices: DevicesCoordinator
    memory: InitVar[AccountMemory]
    servers: Followed[ServerCoordinator] = field(init=False)
    home_users: Followed[HomeUserCoordinator] = field(init=False)
    is_ready: bool = False
    _since_check: Interval = field(default_factory=lambda: Interval(_SHARED))
    _check: SharedRequest = field(init=False)

    def __post_init__(self, memory: AccountMemory) -> None:
        """Prepare the check that calls at the same time share."""
        account = self.account
        hass, entry = account.hass, account.config_entry
        self.servers = Followed(
            hass,
            entry,
            SUBENTRY_TYPE_SERVER,
            partial(ServerCoordinator, hass, entry, account=account),
        )
        self.home_users = Followed(
            hass,
            entry,
            SUBENTRY_TYPE_HOME_USER,
            partial(HomeUserCoordinator, hass, entry, account=account, memory=memory),
        )
        self._check = SharedRequest(self._async_check, background(hass, entry))

    async def async_check_now(self) -> None:
        """Poll plex.tv and all servers now, and wait for the results.

        Calls within 10 seconds share the first one's results. An unload ends them. Raises
        HomeAssistantError while plex.tv has asked for a pause.
        """
        if self.account.is_paused:
            raise plex_tv_busy(self.account.pause.remaining)
        with suppress(PlexError):
            if self._since_check.is_over:
                self._since_check.begin()
                await self._check.share()
            else:
                await self._check.join()

    async def _async_check(self) -> None:
        """Poll plex.tv and all servers."""
        await asyncio.gather(
            self._async_check_account(),
            *(server.async_check_now() for server in self.servers.values()),
        )

    async def _async_check_account(self) -> None:
        """Poll the account, then its devices and its Home users."""
        await self.account.async_check_now()
        await self.devices.async_poll()
        await asyncio.gather(
            *(user.async_check_now() for user in self.home_users.values())
        )

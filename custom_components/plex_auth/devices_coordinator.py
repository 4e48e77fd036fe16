"""The poll of an account's authorized devices."""

import asyncio
from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import timedelta
from typing import Any, Final, override

from homeassistant.config_entries import ConfigEntry
from homeassistant.const import CONF_TOKEN
from homeassistant.core import CALLBACK_TYPE, HomeAssistant, callback

from .account_memory import AccountMemory, DeviceEvent
from .api.devices import Device
from .api.errors import (
    NotFoundError,
    NotPermittedError,
    PlexError,
    TooLargeError,
    UnavailableError,
)
from .clients import async_create_plex_tv
from .const import CONF_CLIENT_IDENTIFIER, LOGGER
from .coordinator import AccountCoordinator, SharedPollCoordinator, async_ask_as_account
from .messages import invalid

DEVICES_INTERVAL: Final = timedelta(hours=1)
UNTOLD_INTERVAL: Final = timedelta(days=1)
"""How often plex.tv is polled if it refuses the list, or if the list is too large."""

# The state of an event entity is a time in milliseconds: two events need two times.
_BETWEEN_EVENTS: Final = 0.002

type DeviceListener = Callable[[DeviceEvent, int, Device | None], None]


class DevicesCoordinator(SharedPollCoordinator[dict[int, Device] | None]):
    """Coordinator of an account's authorized devices, by ID.

    `failure` is why the last poll failed; the data is then that of an earlier one. A
    managed user may not list devices. The account logs outages.
    """

    def __init__(
        self,
        hass: HomeAssistant,
        entry: ConfigEntry[Any],
        account: AccountCoordinator,
        memory: AccountMemory,
    ) -> None:
        """Initialize with the account's coordinator and memory."""
        super().__init__(
            hass,
            entry,
            name=f"devices of Plex account {entry.title}",
            interval=DEVICES_INTERVAL,
            always_update=True,
        )
        self.failure: PlexError | None = None
        self._account = account
        self._memory = memory
        self._plex = async_create_plex_tv(hass, entry.data)
        self._lock = asyncio.Lock()
        self._is_late = False
        self._event_listeners: list[DeviceListener] = []

    @property
    @override
    def is_paused(self) -> bool:
        return self._account.is_paused

    @callback
    def async_start(self) -> CALLBACK_TYPE:
        """Poll now and when the account recovers; return a function that stops this."""
        self.async_poll_now()

        @callback
        def async_account_changed() -> None:
            if self._account.failure is not None:
                self._is_late |= self.failure is not None
            elif self._is_late:
                self._is_late = False
                self.async_poll_now()

        return self._account.async_add_listener(async_account_changed)

    @callback
    def async_listen(self, listener: DeviceListener) -> CALLBACK_TYPE:
        """Call a listener with each event, the device's ID, and the device if known.

        Returns a function that removes the listener.
        """
        self._event_listeners.append(listener)
        return lambda: self._event_listeners.remove(listener)

    async def async_renew(self) -> dict[int, Device]:
        """Return the devices that plex.tv lists now. Raises PlexError."""
        await self._async_check_account()
        await self._poll.share()
        if self.failure is not None:
            raise self.failure.again()
        return self.data or {}

    def is_own(self, device: Device) -> bool:
        """Return whether a device is this Home Assistant, by its client identifier."""
        own: str = self.config_entry.data[CONF_CLIENT_IDENTIFIER]
        return device.client_identifier == own

    def is_removable(self, device: Device) -> bool:
        """Return whether a device may be removed: not this Home Assistant, no server."""
        return not (device.is_server or self.is_own(device))

    async def async_remove(self, device_id: int) -> Device:
        """Remove a device that plex.tv lists now, and return it.

        Raises PlexError, and ServiceValidationError if the device is unlisted, a
        server, or this Home Assistant.
        """
        await self._async_check_account()
        async with self._lock:
            devices = await self._async_fetch()
            device = devices.pop(device_id, None)
            if device is None:
                raise invalid("device_not_found", name=self.config_entry.title)
            if not self.is_removable(device):
                if self.is_own(device):
                    raise invalid("device_is_this", name=self.config_entry.title)
                raise invalid("device_is_server", device=device.name or str(device_id))
            try:
                await self._async_remove(device_id)
            except NotFoundError as err:
                raise invalid("device_not_found", name=self.config_entry.title) from err
            await self._async_fire_events(devices)
        self.async_set_updated_data(devices)
        return device

    async def async_remove_all(self, device_ids: Iterable[int]) -> None:
        """Remove those devices that plex.tv lists now and that may be removed.

        The first failure ends it, and is raised as PlexError.
        """
        await self._async_check_account()
        async with self._lock:
            devices = await self._async_fetch()
            wanted = [devices[one] for one in device_ids if one in devices]
            try:
                for device in filter(self.is_removable, wanted):
                    with suppress(NotFoundError):
                        await self._async_remove(device.id)
                    del devices[device.id]
            finally:
                await self._async_fire_events(devices)
                self.async_set_updated_data(devices)

    @override
    async def _async_update_data(self) -> dict[int, Device] | None:
        """Fetch the devices, unless the account's last poll failed."""
        async with self._lock:
            try:
                if (failure := self._account.failure) is not None:
                    raise failure.again()
                return await self._async_fetch()
            except PlexError as err:
                self.failure = err.without_frames()
                self._is_late = self._account.failure is not None
                is_unlisted = isinstance(err, NotPermittedError | TooLargeError)
                self.update_interval = (
                    UNTOLD_INTERVAL if is_unlisted else DEVICES_INTERVAL
                )
                LOGGER.debug("Unable to get the %s: %s", self.name, err)
        return self.data

    async def _async_check_account(self) -> None:
        """Verify the account if its last poll failed. Raises PlexError."""
        if self._account.failure is not None:
            await self._account.async_verify()

    async def _async_fetch(self) -> dict[int, Device]:
        """Fetch the devices and fire events. Raises PlexError."""
        devices = await self._async_listed()
        self.failure = None
        self.update_interval = DEVICES_INTERVAL
        await self._async_fire_events(devices)
        return devices

    async def _async_listed(self) -> dict[int, Device]:
        """Return the devices that plex.tv lists now, by ID. Raises PlexError."""
        token = self.config_entry.data[CONF_TOKEN]
        listed = await async_ask_as_account(self._account, self._plex.devices(token))
        return {device.id: device for device in listed}

    async def _async_remove(self, device_id: int) -> None:
        """Remove a device at plex.tv. Raises PlexError.

        Raises NotFoundError only if plex.tv no longer lists the device: a call that
        plex.tv or a proxy does not know is a 404 too (plex-api.md §16.2).
        """
        token = self.config_entry.data[CONF_TOKEN]
        try:
            await async_ask_as_account(
                self._account, self._plex.remove_device(token, device_id)
            )
        except NotFoundError as err:
            if device_id in await self._async_listed():
                raise UnavailableError(status=err.status) from err
            raise

    async def _async_fire_events(self, devices: dict[int, Device]) -> None:
        """Fire one event per change; on shutdown the rest wait for the next start."""
        own = {key for key, device in devices.items() if self.is_own(device)}
        changes = self._memory.async_changes(devices, own)
        while not self._shutdown_requested and (change := next(changes, None)):
            event, device_id, device = change
            for listener in self._event_listeners:
                listener(event, device_id, device)
            await asyncio.sleep(_BETWEEN_EVENTS)

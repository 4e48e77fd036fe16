"""The authorized devices of an account that are known already, over reloads and restarts.

Their numeric ids are stored, so that what changed while Home Assistant was off can be
told afterwards; who they were is kept in memory only.
"""

from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Any, Final

from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.storage import Store
from homeassistant.util.hass_dict import HassKey

from .api.devices import Device
from .const import DOMAIN

_STORAGE_VERSION: Final = 1
_SAVE_DELAY_SECONDS: Final = 1

_DATA_DEVICES: HassKey[dict[str, KnownDevices]] = HassKey(f"{DOMAIN}_devices")


class DeviceEvent(StrEnum):
    """Say what happened to an authorized device."""

    ADDED = "added"
    REMOVED = "removed"


@callback
def async_known_devices(hass: HomeAssistant, entry_id: str) -> KnownDevices:
    """Return what is known of the devices of an entry's account."""
    known = hass.data.setdefault(_DATA_DEVICES, {})
    if entry_id not in known:
        known[entry_id] = KnownDevices(hass, entry_id)
    return known[entry_id]


async def async_forget_devices(hass: HomeAssistant, entry_id: str) -> None:
    """Forget the devices of an entry that is removed, what is stored of them too."""
    known = async_known_devices(hass, entry_id)
    del hass.data[_DATA_DEVICES][entry_id]
    await known.async_remove()


class KnownDevices:
    """Know the devices of an account by their ids; None is one that was only stored."""

    def __init__(self, hass: HomeAssistant, entry_id: str) -> None:
        """Take the entry to whose account the devices belong."""
        self._store = Store[dict[str, Any]](
            hass, _STORAGE_VERSION, f"{DOMAIN}.{entry_id}", private=True
        )
        self._devices: dict[int, Device | None] | None = None

    async def async_load(self) -> None:
        """Read what is stored, unless something is known already."""
        if (
            self._devices is not None
            or (stored := await self._store.async_load()) is None
        ):
            return
        self._devices = {
            device_id: None
            for device_id in stored.get("ids", ())
            if isinstance(device_id, int)
        }

    @callback
    def async_changes(
        self, devices: Mapping[int, Device]
    ) -> Iterator[tuple[DeviceEvent, Device | None]]:
        """Yield what happened since the last look; each is known once it was yielded.

        Nothing has happened at the first look. A device that went while Home Assistant
        was off is None.
        """
        if (known := self._devices) is None:
            known = self._devices = dict(devices)
            self._async_save()
        for device_id in sorted(known.keys() - devices.keys()):
            device = known.pop(device_id)
            self._async_save()
            yield DeviceEvent.REMOVED, device
        for device_id in sorted(devices.keys() - known.keys()):
            known[device_id] = devices[device_id]
            self._async_save()
            yield DeviceEvent.ADDED, devices[device_id]
        known.update(devices)

    async def async_remove(self) -> None:
        """Remove what is stored."""
        await self._store.async_remove()

    @callback
    def _async_save(self) -> None:
        """Store the ids in a moment."""
        self._store.async_delay_save(
            lambda: {"ids": sorted(self._devices or ())}, _SAVE_DELAY_SECONDS
        )

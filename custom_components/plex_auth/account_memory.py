"""What persists across restarts: an account's devices, and which tokens plex.tv rejects."""

from collections.abc import Iterator, Mapping, Set as AbstractSet
from enum import StrEnum
from typing import Any, Final

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.storage import Store
from homeassistant.util.hass_dict import HassKey

from .api.devices import Device
from .const import DOMAIN

_STORAGE_VERSION: Final = 1
_IDS: Final = "ids"
_REJECTED: Final = "rejected"

_DATA_MEMORIES: HassKey[dict[str, AccountMemory]] = HassKey(f"{DOMAIN}_memories")


class DeviceEvent(StrEnum):
    """A change to an authorized device."""

    ADDED = "added"
    REMOVED = "removed"


async def async_account_memory(
    hass: HomeAssistant, entry: ConfigEntry[Any]
) -> AccountMemory:
    """Return the memory of an entry's account, which reloads share."""
    memories = hass.data.setdefault(_DATA_MEMORIES, {})
    if entry.entry_id not in memories:
        memory = AccountMemory(hass, entry.entry_id)
        await memory.async_load({entry.entry_id, *entry.subentries})
        memories[entry.entry_id] = memory
    return memories[entry.entry_id]


async def async_forget_account(hass: HomeAssistant, entry_id: str) -> None:
    """Forget what is remembered of a removed entry's account, including on disk."""
    memories = hass.data.get(_DATA_MEMORIES, {})
    memory = memories.pop(entry_id, None) or AccountMemory(hass, entry_id)
    await memory.async_remove()


class AccountMemory:
    """The known devices of an account, and which tokens plex.tv rejected last.

    Of stored devices, only the ID is known. The account's token goes by the ID of the
    entry, and that of a Home user by the ID of the subentry.
    """

    def __init__(self, hass: HomeAssistant, entry_id: str) -> None:
        """Initialize for an entry."""
        self._store = Store[dict[str, Any]](
            hass, _STORAGE_VERSION, f"{DOMAIN}.{entry_id}", private=True
        )
        self._devices: dict[int, Device | None] | None = None
        self._rejected: dict[str, bool] = {}

    async def async_load(self, owners: AbstractSet[str]) -> None:
        """Load what is stored, except of tokens whose owner was removed."""
        stored = await self._store.async_load() or {}
        if isinstance(ids := stored.get(_IDS), list):
            self._devices = {
                device_id: None for device_id in ids if isinstance(device_id, int)
            }
        if isinstance(rejected := stored.get(_REJECTED), dict):
            self._rejected = {
                owner: word
                for owner, word in rejected.items()
                if owner in owners and isinstance(word, bool)
            }

    def is_rejected(self, owner: str) -> bool | None:
        """Return whether plex.tv last rejected a token, None if it said nothing yet."""
        return self._rejected.get(owner)

    @callback
    def async_note_word(self, owner: str, *, is_rejected: bool) -> None:
        """Remember whether plex.tv rejects a token."""
        if self._rejected.get(owner) is not is_rejected:
            self._rejected[owner] = is_rejected
            self._async_save()

    @callback
    def async_changes(
        self, devices: Mapping[int, Device], own: AbstractSet[int]
    ) -> Iterator[tuple[DeviceEvent, int, Device | None]]:
        """Yield the changes since the last call; each is remembered once yielded.

        Without stored devices, the first call yields none. A device of which only the ID
        was stored is yielded as its ID and None. Changes to the `own` devices, this Home
        Assistant's, are neither yielded nor remembered: each sign-in is another device.
        """
        devices = {key: device for key, device in devices.items() if key not in own}
        if (known := self._devices) is None:
            known = self._devices = dict(devices)
            self._async_save()
        for device_id in known.keys() & own:
            # An earlier version remembered it.
            del known[device_id]
            self._async_save()
        for device_id in sorted(known.keys() - devices.keys()):
            device = known.pop(device_id)
            self._async_save()
            yield DeviceEvent.REMOVED, device_id, device
        for device_id in sorted(devices.keys() - known.keys()):
            known[device_id] = devices[device_id]
            self._async_save()
            yield DeviceEvent.ADDED, device_id, devices[device_id]
        known.update(devices)

    async def async_remove(self) -> None:
        """Remove what is stored."""
        await self._store.async_remove()

    @callback
    def _async_save(self) -> None:
        """Store at once; changes during a write share the next one."""
        self._store.async_delay_save(self._as_stored)

    @callback
    def _as_stored(self) -> dict[str, Any]:
        """Return the data to store, without what is not known."""
        stored: dict[str, Any] = {}
        if self._devices is not None:
            stored[_IDS] = sorted(self._devices)
        if self._rejected:
            stored[_REJECTED] = dict(self._rejected)
        return stored


class LastWord:
    """What to show of a token: whether plex.tv rejects or accepts it.

    Automations notice changes only while Home Assistant runs. As it starts or stops, the
    remembered state is shown instead of a new one.
    """

    def __init__(self, hass: HomeAssistant, memory: AccountMemory, owner: str) -> None:
        """Initialize with the account's memory, and whose token it is."""
        self._hass = hass
        self._memory = memory
        self._owner = owner
        self._is_rejected: bool | None = None
        self._is_started = False

    @property
    def shown(self) -> bool | None:
        """Return whether plex.tv rejects the token, None if it cannot be asked."""
        remembered = self._memory.is_rejected(self._owner)
        return self._is_rejected if self._is_heard or remembered is None else remembered

    @callback
    def async_note(self, is_rejected: bool | None) -> None:
        """Note whether plex.tv rejects the token, None if it cannot be asked."""
        self._is_rejected = is_rejected
        self._async_remember()

    @callback
    def async_start(self) -> None:
        """Show new states from now on: Home Assistant has started."""
        self._is_started = True
        self._async_remember()

    @property
    def _is_heard(self) -> bool:
        """Return whether automations notice what is shown."""
        return self._is_started and not self._hass.is_stopping

    @callback
    def _async_remember(self) -> None:
        """Remember the state that is shown."""
        if self._is_heard and self._is_rejected is not None:
            self._memory.async_note_word(self._owner, is_rejected=self._is_rejected)

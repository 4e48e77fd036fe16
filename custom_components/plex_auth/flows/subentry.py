"""What the dialogs of servers and Home users share."""

from homeassistant.config_entries import (
    ConfigEntryState,
    ConfigSubentryFlow,
    UnknownEntry,
)
from homeassistant.data_entry_flow import AbortFlow

from ..runtime_data import PlexAuthConfigEntry


class SubentryDialog(ConfigSubentryFlow):
    """Base of the subentry flows, with the entry of their account."""

    @property
    def _entry(self) -> PlexAuthConfigEntry:
        """Return the account's entry; abort if it was removed."""
        try:
            entry: PlexAuthConfigEntry = self._get_entry()
        except UnknownEntry:
            raise AbortFlow("entry_not_loaded") from None
        return entry

    def _require_loaded(self) -> None:
        """Abort if the account is not loaded."""
        if self._entry.state is not ConfigEntryState.LOADED:
            raise AbortFlow("entry_not_loaded")

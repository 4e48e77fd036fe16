"""What the fix flows of a server's repairs share."""

from abc import ABC, abstractmethod
from typing import Any

from homeassistant.components.repairs import RepairsFlow, RepairsFlowResult
from homeassistant.config_entries import ConfigEntryState, ConfigSubentry

from ..api.errors import PlexError
from ..runtime_data import PlexAuthConfigEntry
from ..server_coordinator import ServerCoordinator
from . import checks, forms


class ServerRepairFlow(RepairsFlow):
    """Fix an issue of a server."""

    first_step = "confirm"

    def __init__(self, entry: PlexAuthConfigEntry, subentry: ConfigSubentry) -> None:
        """Take the server: its account and its subentry."""
        self._entry = entry
        self._subentry = subentry

    async def async_step_init(
        self, user_input: dict[str, str] | None = None
    ) -> RepairsFlowResult:
        """Begin with the first step."""
        result: RepairsFlowResult = await getattr(
            self, f"async_step_{self.first_step}"
        )()
        return result

    @property
    def _placeholders(self) -> dict[str, str]:
        """Return the names that the texts mention."""
        return {"account": self._entry.title, "server": self._subentry.title}

    @property
    def _server(self) -> ServerCoordinator | None:
        """Return the server's coordinator, None while the entry is not loaded."""
        if self._entry.state is not ConfigEntryState.LOADED:
            return None
        return self._entry.runtime_data.servers.get(self._subentry.subentry_id)

    def _is_removed(self) -> bool:
        """Return whether the server or its account is no longer in Home Assistant."""
        entry = self.hass.config_entries.async_get_entry(self._entry.entry_id)
        return entry is None or self._subentry.subentry_id not in entry.subentries

    def _abort(self, reason: str, **placeholders: str) -> RepairsFlowResult:
        """End without a change."""
        return self.async_abort(
            reason=reason, description_placeholders=self._placeholders | placeholders
        )

    def _update(self, data: dict[str, Any]) -> RepairsFlowResult:
        """Store changed data, which the server takes over."""
        self.hass.config_entries.async_update_subentry(
            self._entry, self._subentry, data={**self._subentry.data, **data}
        )
        return self.async_create_entry(data={})


class ConfirmFlow(ServerRepairFlow, ABC):
    """Fix an issue of a server once the user agrees."""

    async def async_step_confirm(
        self, user_input: dict[str, str] | None = None
    ) -> RepairsFlowResult:
        """Ask, and fix the issue once the user agrees."""
        if self._is_removed():
            return self._abort("server_removed")
        return await self._async_confirm(is_agreed=user_input is not None)

    @abstractmethod
    async def _async_confirm(self, *, is_agreed: bool) -> RepairsFlowResult:
        """Ask, or fix the issue where the user agrees."""

    def _ask(
        self, error: PlexError | None = None, **placeholders: str
    ) -> RepairsFlowResult:
        """Show the question, and what went wrong when it was last agreed to."""
        return self.async_show_form(
            step_id="confirm",
            data_schema=forms.EMPTY_SCHEMA,
            errors=checks.form_errors(error),
            description_placeholders=self._placeholders | placeholders,
        )

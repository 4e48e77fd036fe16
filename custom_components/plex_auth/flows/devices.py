"""Options flow that signs out authorized devices of an account."""

from typing import Any

from homeassistant.config_entries import (
    ConfigEntryState,
    ConfigFlowResult,
    OptionsFlow,
    UnknownEntry,
)
from homeassistant.const import CONF_DEVICES
from homeassistant.data_entry_flow import AbortFlow

from .. import names
from ..api.devices import Device, newest_first
from ..api.errors import NotPermittedError, PlexError
from ..runtime_data import PlexAuthConfigEntry
from . import checks, forms


class DevicesOptionsFlow(OptionsFlow):
    """Options flow that lists the devices of an account, and signs some of them out."""

    def __init__(self) -> None:
        """Initialize without devices."""
        self._account = ""
        self._offered: dict[int, Device] = {}
        self._signed_out: dict[int, Device] = {}

    async def async_step_init(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Let the user select devices, and sign them out."""
        selected = [int(one) for one in (user_input or {}).get(CONF_DEVICES, ())]
        entry = self._entry
        self._account = entry.title
        devices = entry.runtime_data.devices
        error: PlexError | None = None
        try:
            if selected:
                await devices.async_remove_all(selected)
            else:
                await devices.async_renew()
        except PlexError as err:
            if isinstance(err, NotPermittedError) and not selected:
                return self._abort("devices_not_permitted")
            error = err
        # After a reload, nothing is known until plex.tv lists the devices.
        if (listed := devices.data) is not None:
            self._signed_out |= {
                one: self._offered[one] for one in selected if one not in listed
            }
            self._offered = {
                device.id: device
                for device in newest_first(listed.values())
                if devices.is_removable(device)
            }
        if error is None and self._signed_out:
            return self._abort("devices_signed_out")
        if error is None and not self._offered:
            return self._abort("no_devices")
        return await self._async_show(selected, error)

    async def _async_show(
        self, selected: list[int], error: PlexError | None
    ) -> ConfigFlowResult:
        """Show the devices, with those selected that could not be signed out."""
        schema = forms.EMPTY_SCHEMA
        if self._offered:
            schema = await forms.async_devices_schema(self.hass, self._offered.values())
        if left := [str(one) for one in selected if one in self._offered]:
            schema = self.add_suggested_values_to_schema(schema, {CONF_DEVICES: left})
        return self.async_show_form(
            step_id="init",
            data_schema=schema,
            errors=checks.form_errors(error),
            description_placeholders=self._placeholders,
        )

    def _abort(self, reason: str) -> ConfigFlowResult:
        """End the dialog, and name the devices that it has signed out."""
        return self.async_abort(
            reason=reason, description_placeholders=self._placeholders
        )

    @property
    def _placeholders(self) -> dict[str, str]:
        """Return the names of the account and the signed-out devices in the texts."""
        return names.placeholders(
            name=self._account,
            devices="; ".join(device.label for device in self._signed_out.values()),
        )

    @property
    def _entry(self) -> PlexAuthConfigEntry:
        """Return the account's entry; abort if it is not loaded or was removed."""
        try:
            entry: PlexAuthConfigEntry = self.config_entry
        except UnknownEntry:
            raise AbortFlow("entry_not_loaded") from None
        if entry.state is not ConfigEntryState.LOADED:
            raise AbortFlow("entry_not_loaded")
        return entry

"""Fix flows of the repairs."""

from typing import Any

from probatio import Secret
import voluptuous as vol

from homeassistant.components.repairs import RepairsFlow, RepairsFlowResult
from homeassistant.config_entries import ConfigEntryState, ConfigSubentry
from homeassistant.const import CONF_TOKEN, CONF_URL, CONF_VERIFY_SSL
from homeassistant.core import HomeAssistant
from homeassistant.helpers.selector import (
    TextSelector,
    TextSelectorConfig,
    TextSelectorType,
)

from .api.errors import NotClaimedError, NotPermittedError, PlexError
from .api.server import PlexServer
from .const import CONF_CLIENT_IDENTIFIER
from .coordinator import PlexAuthConfigEntry, ServerCoordinator
from .error_keys import error_key
from .issues import Issue, local_address
from .sessions import async_create_transport
from .typed import is_token

_TOKEN_SCHEMA = vol.Schema(
    {
        vol.Required(Secret(CONF_TOKEN)): TextSelector(
            TextSelectorConfig(type=TextSelectorType.PASSWORD, autocomplete="off")
        )
    }
)


async def async_create_fix_flow(
    hass: HomeAssistant,
    issue_id: str,
    data: dict[str, str | int | float | None] | None,
) -> RepairsFlow:
    """Return the flow that fixes an issue of a server."""
    assert data is not None
    entry = hass.config_entries.async_get_known_entry(str(data["entry_id"]))
    subentry = entry.subentries[str(data["subentry_id"])]
    if issue_id.startswith(Issue.NOT_LISTED):
        return RemoveServerFlow(entry, subentry)
    if issue_id.startswith(Issue.TOKEN_REFUSED):
        return NewTokenFlow(entry, subentry)
    return LocalAddressFlow(entry, subentry)


class _ServerRepairFlow(RepairsFlow):
    """Fix something of a server."""

    def __init__(self, entry: PlexAuthConfigEntry, subentry: ConfigSubentry) -> None:
        """Take the server's account and subentry."""
        self._entry = entry
        self._subentry = subentry

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

    @property
    def _is_removed(self) -> bool:
        """Tell whether the server or its account is no longer in Home Assistant."""
        entry = self.hass.config_entries.async_get_entry(self._entry.entry_id)
        return entry is None or self._subentry.subentry_id not in entry.subentries

    def _abort(self, reason: str) -> RepairsFlowResult:
        """End without a change."""
        return self.async_abort(
            reason=reason, description_placeholders=self._placeholders
        )

    def _update(self, data: dict[str, Any]) -> RepairsFlowResult:
        """Store changed data; the entry reloads itself."""
        self.hass.config_entries.async_update_subentry(
            self._entry, self._subentry, data={**self._subentry.data, **data}
        )
        return self.async_create_entry(data={})


class RemoveServerFlow(_ServerRepairFlow):
    """Remove a server that the account has no longer."""

    async def async_step_init(
        self, user_input: dict[str, str] | None = None
    ) -> RepairsFlowResult:
        """Begin with the question."""
        return await self.async_step_confirm()

    async def async_step_confirm(
        self, user_input: dict[str, str] | None = None
    ) -> RepairsFlowResult:
        """Remove the server once the user agrees."""
        if self._is_removed:
            return self._abort("server_removed")
        if self._server is not None and self._server.resource is not None:
            return self._abort("listed_again")
        if user_input is None:
            return self.async_show_form(
                step_id="confirm",
                data_schema=vol.Schema({}),
                description_placeholders=self._placeholders,
            )
        self.hass.config_entries.async_remove_subentry(
            self._entry, self._subentry.subentry_id
        )
        return self.async_create_entry(data={})


class NewTokenFlow(_ServerRepairFlow):
    """Take a new token for a server that refuses the typed one."""

    async def async_step_init(
        self, user_input: dict[str, str] | None = None
    ) -> RepairsFlowResult:
        """Begin with the form."""
        return await self.async_step_token()

    async def async_step_token(
        self, user_input: dict[str, str] | None = None
    ) -> RepairsFlowResult:
        """Store the new token once the server takes it."""
        errors: dict[str, str] = {}
        if user_input is not None:
            token = user_input[CONF_TOKEN].strip()
            key = await self._async_check(token)
            if self._is_removed:
                return self._abort("server_removed")
            if key is None:
                return self._update({CONF_TOKEN: token})
            errors["base"] = key
        return self.async_show_form(
            step_id="token",
            data_schema=_TOKEN_SCHEMA,
            errors=errors,
            description_placeholders=self._placeholders,
        )

    async def _async_check(self, token: str) -> str | None:
        """Return the key of what is wrong with a token, None if it is good."""
        if not is_token(token):
            return "invalid_token"
        if self._server is None:
            return "cannot_connect"
        try:
            await self._server.async_check_token(token)
        except NotClaimedError:
            return "not_claimed"
        except NotPermittedError:
            return "invalid_token"
        except PlexError as err:
            return error_key(err)
        return None


class LocalAddressFlow(_ServerRepairFlow):
    """Use a server's local address, which needs no name resolution."""

    async def async_step_init(
        self, user_input: dict[str, str] | None = None
    ) -> RepairsFlowResult:
        """Begin with the question."""
        return await self.async_step_confirm()

    async def async_step_confirm(
        self, user_input: dict[str, str] | None = None
    ) -> RepairsFlowResult:
        """Use the address once the user agrees and the server answers there."""
        errors: dict[str, str] = {}
        url = local_address(self._server) if self._server is not None else None
        if url is None:
            return self._abort("no_local_address")
        if user_input is not None:
            transport = async_create_transport(
                self.hass, self._entry.data[CONF_CLIENT_IDENTIFIER], verify_ssl=False
            )
            try:
                await PlexServer(transport, url).identity(self._subentry.unique_id)
            except PlexError as err:
                errors["base"] = error_key(err)
            else:
                if self._is_removed:
                    return self._abort("server_removed")
                return self._update({CONF_URL: str(url), CONF_VERIFY_SSL: False})
        return self.async_show_form(
            step_id="confirm",
            data_schema=vol.Schema({}),
            errors=errors,
            description_placeholders={**self._placeholders, "url": str(url)},
        )

"""Fix flows of the repairs."""

from typing import Final, override

from homeassistant.components.repairs import RepairsFlow, RepairsFlowResult
from homeassistant.const import CONF_TOKEN, CONF_URL, CONF_VERIFY_SSL
from homeassistant.core import HomeAssistant

from .api.connections import ConnectionKind, Route
from .api.errors import (
    CannotConnectError,
    NotClaimedError,
    NotPermittedError,
    PlexError,
)
from .api.models import Identity
from .api.race import race
from .api.server import PlexServer
from .clients import async_create_transport
from .const import CONF_CLIENT_IDENTIFIER
from .flows import checks, forms
from .flows.checks import FormError
from .flows.claim import ClaimServerFlow
from .flows.repair import ConfirmFlow, ServerRepairFlow
from .issues import Issue, local_addresses


async def async_create_fix_flow(
    hass: HomeAssistant,
    issue_id: str,
    data: dict[str, str | int | float | None] | None,
) -> RepairsFlow:
    """Return the flow that fixes an issue of a server."""
    assert data is not None
    entry = hass.config_entries.async_get_known_entry(str(data["entry_id"]))
    subentry = entry.subentries[str(data["subentry_id"])]
    return next(
        flow(entry, subentry)
        for issue, flow in _FLOWS.items()
        if issue_id == f"{issue}_{subentry.subentry_id}"
    )


class RemoveServerFlow(ConfirmFlow):
    """Remove a server that the account has no longer."""

    @override
    async def _async_confirm(self, *, is_agreed: bool) -> RepairsFlowResult:
        """Remove the server once the user agrees, and plex.tv still does not list it."""
        error: PlexError | None = None
        if self._server is not None:
            target = self._server.access.target
            if is_agreed:
                try:
                    await target.servers.renew(now=True)
                except PlexError as err:
                    error = err
            if target.listed is not None:
                return self._abort("listed_again")
        if not is_agreed or error is not None:
            return self._ask(error)
        if self._is_removed():
            return self._abort("server_removed")
        self.hass.config_entries.async_remove_subentry(
            self._entry, self._subentry.subentry_id
        )
        return self.async_create_entry(data={})


class NewTokenFlow(ServerRepairFlow):
    """Take a new token for a server that refuses the typed one."""

    first_step = "token"

    async def async_step_token(
        self, user_input: dict[str, str] | None = None
    ) -> RepairsFlowResult:
        """Store the new token once the server takes it."""
        error: FormError | PlexError | None = None
        if user_input is not None:
            try:
                token = await self._async_checked(user_input[CONF_TOKEN])
            except (FormError, PlexError) as err:
                error = err
            if self._is_removed():
                return self._abort("server_removed")
            if error is None:
                return self._update({CONF_TOKEN: token})
        return self.async_show_form(
            step_id="token",
            data_schema=forms.TOKEN_SCHEMA,
            errors=checks.form_errors(error),
            description_placeholders=self._placeholders,
        )

    async def _async_checked(self, typed: str) -> str:
        """Return the token that was typed, if the server takes it."""
        token = checks.token(typed)
        if self._server is None:
            raise CannotConnectError
        try:
            await self._server.access.check_token(token)
        except NotClaimedError:
            raise
        except NotPermittedError as err:
            raise FormError("invalid_token") from err
        return token


class LocalAddressFlow(ConfirmFlow):
    """Use a server's local address, which needs no name resolution."""

    @override
    async def _async_confirm(self, *, is_agreed: bool) -> RepairsFlowResult:
        """Use the address once the user agrees and the server answers there."""
        server = self._server
        addresses = local_addresses(server) if server is not None else []
        if not addresses:
            return self._abort("no_local_address")
        routes = [Route(url, ConnectionKind.CUSTOM) for url in addresses]
        result = await race([routes], self._async_identify)
        if result.winner is None:
            return self._ask(result.error, url=str(addresses[0]))
        url = str(result.winner[0].url)
        if not is_agreed:
            return self._ask(url=url)
        if self._is_removed():
            return self._abort("server_removed")
        return self._update({CONF_URL: url, CONF_VERIFY_SSL: False})

    async def _async_identify(self, route: Route) -> Identity:
        """Return who answers at an address; raise PlexError if it is not the server."""
        transport = async_create_transport(
            self.hass, self._entry.data[CONF_CLIENT_IDENTIFIER], verify_ssl=False
        )
        return await PlexServer(transport, route.url).identity(self._subentry.unique_id)


class AutomaticAddressFlow(ConfirmFlow):
    """Forget the stored address of a server, and use those that plex.tv lists."""

    @override
    async def _async_confirm(self, *, is_agreed: bool) -> RepairsFlowResult:
        """Forget the address once the user agrees."""
        if not is_agreed:
            return self._ask(url=self._subentry.data.get(CONF_URL, ""))
        data = {
            key: value
            for key, value in self._subentry.data.items()
            if key not in (CONF_URL, CONF_VERIFY_SSL, CONF_TOKEN)
        }
        self.hass.config_entries.async_update_subentry(
            self._entry, self._subentry, data=data
        )
        return self.async_create_entry(data={})


_FLOWS: Final[dict[Issue, type[ServerRepairFlow]]] = {
    Issue.ADDRESS_FAILS: AutomaticAddressFlow,
    Issue.NOT_LISTED: RemoveServerFlow,
    Issue.PLEX_DIRECT: LocalAddressFlow,
    Issue.TOKEN_REFUSED: NewTokenFlow,
    Issue.UNCLAIMED: ClaimServerFlow,
}

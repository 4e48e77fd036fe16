"""Repair flows for servers, and their base."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from functools import partial
from typing import Any, ClassVar, override

from yarl import URL

from homeassistant.components.repairs import RepairsFlow, RepairsFlowResult
from homeassistant.config_entries import ConfigEntryState, ConfigSubentry
from homeassistant.const import CONF_TOKEN, CONF_URL, CONF_VERIFY_SSL

from .. import names
from ..api.connections import ConnectionKind, Route
from ..api.errors import (
    CannotConnectError,
    DnsError,
    NotClaimedError,
    NotPermittedError,
    PlexError,
)
from ..api.race import find_server
from ..api.reachability import Reach
from ..api.server import PlexServer
from ..clients import async_create_transport, async_is_public
from ..const import CONF_CLIENT_IDENTIFIER
from ..issues import Issue
from ..runtime_data import PlexAuthConfigEntry
from ..server_coordinator import ServerCoordinator
from . import checks, forms
from .checks import FormError


class SubentryRepairFlow(RepairsFlow):
    """Base of a flow that fixes an issue of a subentry."""

    _placeholder: ClassVar[str]
    """The placeholder of the subentry's title."""

    def __init__(self, entry: PlexAuthConfigEntry, subentry: ConfigSubentry) -> None:
        """Initialize for a subentry and its account."""
        self._entry = entry
        self._subentry = subentry

    def _placeholders(self, **more: str) -> dict[str, str]:
        """Return the names in the texts, and more of them, such as an address."""
        title = {self._placeholder: self._subentry.title}
        return names.placeholders(account=self._entry.title, **title, **more)

    def _is_removed(self) -> bool:
        """Return whether the subentry or its account was removed."""
        entry = self.hass.config_entries.async_get_entry(self._entry.entry_id)
        return entry is None or self._subentry.subentry_id not in entry.subentries

    def _abort(self, reason: str, **more: str) -> RepairsFlowResult:
        """End without a change."""
        return self.async_abort(
            reason=reason, description_placeholders=self._placeholders(**more)
        )

    def _store(self, data: Mapping[str, Any], title: str | None = None) -> None:
        """Store data and perhaps a title, which the coordinator then applies."""
        self.hass.config_entries.async_update_subentry(
            self._entry,
            self._subentry,
            data=data,
            title=self._subentry.title if title is None else title,
        )

    def _done(self) -> RepairsFlowResult:
        """Finish the flow after fixing the issue."""
        return self.async_create_entry(data={})


class ServerRepairFlow(SubentryRepairFlow):
    """Base of a flow that fixes an issue of a server."""

    _placeholder = "server"

    @property
    def _server(self) -> ServerCoordinator | None:
        """Return the server's coordinator, None while the entry is not loaded."""
        if self._entry.state is not ConfigEntryState.LOADED:
            return None
        return self._entry.runtime_data.servers.get(self._subentry.subentry_id)

    def _server_at(self, url: URL, *, verify_ssl: bool) -> PlexServer:
        """Return a client; certificates are valid only for names."""
        transport = async_create_transport(
            self.hass,
            self._entry.data[CONF_CLIENT_IDENTIFIER],
            verify_ssl=verify_ssl,
        )
        return PlexServer(transport, url)


class ConfirmFlow(ServerRepairFlow, ABC):
    """Base of a flow that asks before it fixes an issue."""

    _question = "confirm"
    """The step that asks."""

    async def async_step_init(
        self, user_input: dict[str, str] | None = None
    ) -> RepairsFlowResult:
        """Ask for confirmation."""
        return await self.async_step_confirm()

    async def async_step_confirm(
        self, user_input: dict[str, str] | None = None
    ) -> RepairsFlowResult:
        """Ask for confirmation, then fix the issue."""
        if self._is_removed():
            return self._abort("server_removed")
        return await self._async_confirm(is_agreed=user_input is not None)

    @abstractmethod
    async def _async_confirm(self, *, is_agreed: bool) -> RepairsFlowResult:
        """Ask for confirmation, or fix the issue once the user agrees."""

    def _ask(self, error: PlexError | None = None, **more: str) -> RepairsFlowResult:
        """Show the question, with the error of the last attempt."""
        return self.async_show_form(
            step_id=self._question,
            data_schema=forms.EMPTY_SCHEMA,
            errors=checks.form_errors(error),
            description_placeholders=self._placeholders(**more),
        )


class RemoveServerFlow(ConfirmFlow):
    """A flow that removes a server that the account no longer has."""

    @override
    async def _async_confirm(self, *, is_agreed: bool) -> RepairsFlowResult:
        """Remove the server after confirmation, if plex.tv still does not list it."""
        error: PlexError | None = None
        if self._server is not None:
            target = self._server.access.target
            if is_agreed:
                try:
                    await target.servers.renew(now=True)
                except PlexError as err:
                    error = err
            if target.is_listed:
                return self._abort("listed_again")
        if not is_agreed or error is not None:
            return self._ask(error)
        if self._is_removed():
            return self._abort("server_removed")
        self.hass.config_entries.async_remove_subentry(
            self._entry, self._subentry.subentry_id
        )
        return self._done()


class NewTokenFlow(ServerRepairFlow):
    """A flow that replaces a typed token that the server refuses."""

    async def async_step_init(
        self, user_input: dict[str, str] | None = None
    ) -> RepairsFlowResult:
        """Ask for the token."""
        return await self.async_step_token()

    async def async_step_token(
        self, user_input: dict[str, str] | None = None
    ) -> RepairsFlowResult:
        """Store the new token if the server accepts it."""
        error: FormError | PlexError | None = None
        if user_input is not None:
            try:
                token = await self._async_checked(user_input[CONF_TOKEN])
            except (FormError, PlexError) as err:
                error = err
            if self._is_removed():
                return self._abort("server_removed")
            if error is None:
                self._store({**self._subentry.data, CONF_TOKEN: token})
                return self._done()
        return self.async_show_form(
            step_id="token",
            data_schema=forms.TOKEN_SCHEMA,
            errors=checks.form_errors(error),
            description_placeholders=self._placeholders(),
        )

    async def _async_checked(self, typed: str) -> str:
        """Return the typed token if the server accepts it."""
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


class NotReachedFlow(ConfirmFlow):
    """A flow that uses an address at which the server answers: a listed or typed one."""

    _url: URL | None = None
    """The address that the user is asked about."""

    @override
    async def _async_confirm(self, *, is_agreed: bool) -> RepairsFlowResult:
        """Use an address that needs no name after confirmation, or ask for another."""
        if (server := self._server) is None:
            return self._abort("entry_not_loaded")
        if server.reachability.reach is Reach.DIRECT:
            return self._abort("reached")
        urls = server.access.target.known.agreeable_urls
        routes = [Route(url, ConnectionKind.CUSTOM) for url in urls]
        found = await find_server(
            [
                [route for route in routes if route.url == self._url],
                [route for route in routes if route.url != self._url],
            ],
            partial(self._server_at, verify_ssl=False),
            self._subentry.unique_id,
        )
        if found.winner is None:
            return await self.async_step_address()
        url = found.winner[0].url
        if self._is_removed():
            return self._abort("server_removed")
        # A different address may answer first by now.
        if not is_agreed or url != self._url:
            self._url = url
            return self.async_show_form(
                step_id="confirm",
                data_schema=forms.EMPTY_SCHEMA,
                description_placeholders=self._placeholders(url=str(url))
                | await self._async_reasons(server),
            )
        return self._use(url, verify_ssl=False)

    async def async_step_address(
        self, user_input: dict[str, Any] | None = None
    ) -> RepairsFlowResult:
        """Use an address that the user types, if the server answers there."""
        if self._is_removed():
            return self._abort("server_removed")
        if (server := self._server) is None:
            return self._abort("entry_not_loaded")
        error: FormError | None = None
        if user_input is not None:
            verify_ssl = user_input[CONF_VERIFY_SSL]
            try:
                url, _ = await checks.async_typed_server(
                    user_input[CONF_URL],
                    partial(async_is_public, self.hass),
                    partial(self._server_at, verify_ssl=verify_ssl),
                    self._subentry.unique_id,
                )
                return self._use(url, verify_ssl=verify_ssl)
            except FormError as err:
                error = err
        return self.async_show_form(
            step_id="address",
            data_schema=self.add_suggested_values_to_schema(
                forms.ADDRESS_SCHEMA, checks.shown(user_input)
            ),
            errors=checks.form_errors(error),
            description_placeholders=self._placeholders()
            | await self._async_reasons(server),
        )

    async def _async_reasons(self, server: ServerCoordinator) -> dict[str, str]:
        """Return why no listed address is used, a line for each kind.

        It is in Home Assistant's language, because a form has one text.
        """
        failures = server.access.failures.values()
        known = server.access.target.known
        kinds = {
            "names_not_resolved": any(isinstance(one, DnsError) for one in failures),
            "no_answer": any(not isinstance(one, DnsError) for one in failures),
            "unprotected_only": bool(known.unused),
            "no_addresses": not known.connections,
        }
        path = f"issues.{Issue.NOT_REACHED}.fix_flow.error"
        texts = [
            await forms.async_text(self.hass, f"{path}.{key}")
            for key in kinds
            if kinds[key]
        ]
        return {"reasons_md": "\n".join(f"- {text}" for text in texts)}

    def _use(self, url: URL, *, verify_ssl: bool) -> RepairsFlowResult:
        """Store an address."""
        if self._is_removed():
            return self._abort("server_removed")
        changes = {CONF_URL: str(url), CONF_VERIFY_SSL: verify_ssl}
        self._store({**self._subentry.data, **changes})
        return self._done()


class AutomaticAddressFlow(ConfirmFlow):
    """A flow that replaces a server's typed address with those that plex.tv lists."""

    @override
    async def _async_confirm(self, *, is_agreed: bool) -> RepairsFlowResult:
        """Remove the typed address after confirmation, if a listed one still answers.

        A typed token is removed, too, if plex.tv lists one.
        """
        if (server := self._server) is None:
            return self._abort("entry_not_loaded")
        typed, known = server.access.target.url, server.access.target.known
        if typed is None or server.is_reached:
            return self._abort("reached")
        found = await find_server(
            known.ranks,
            partial(self._server_at, verify_ssl=True),
            server.machine_identifier,
        )
        if self._is_removed():
            return self._abort("server_removed")
        if found.winner is None or not is_agreed:
            error = found.error if found.winner is None else None
            return self._ask(error, url=str(typed))
        listed_token = () if known.token is None else (CONF_TOKEN,)
        self._store(
            checks.without(
                self._subentry.data, CONF_URL, CONF_VERIFY_SSL, *listed_token
            )
        )
        return self._done()

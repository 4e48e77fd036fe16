"""Subentry flow that adds or changes a server."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from yarl import URL

from homeassistant.config_entries import (
    ConfigSubentry,
    ConfigSubentryData,
    SubentryFlowResult,
)
from homeassistant.const import CONF_TOKEN, CONF_URL, CONF_VERIFY_SSL
from homeassistant.data_entry_flow import AbortFlow

from .. import names
from ..api.errors import PlexError
from ..api.known_server import KnownServer
from ..api.models import Identity, ListedServer
from ..api.server import PlexServer, supports_sources
from ..api.server_list import ServerList
from ..clients import async_create_transport, async_is_public
from ..const import (
    CONF_CLIENT_IDENTIFIER,
    CONF_LAST_KNOWN,
    CONF_SERVER,
    CONF_SOURCES,
    SUBENTRY_TYPE_SERVER,
)
from ..messages import plex_tv_error_key
from . import checks, forms
from .checks import FormError
from .subentry import SubentryDialog


class ServerSubentryFlow(SubentryDialog):
    """Subentry flow for servers, which the account may or may not list."""

    async def async_step_user(
        self, user_input: dict[str, Any] | None = None
    ) -> SubentryFlowResult:
        """Let the user select how to add the server."""
        self._require_loaded()
        return self.async_show_menu(
            step_id="user",
            menu_options=["listed", "address"],
            description_placeholders=self._placeholders,
        )

    async def async_step_listed(
        self, user_input: dict[str, Any] | None = None
    ) -> SubentryFlowResult:
        """Let the user select one of the account's servers."""
        typed = user_input or {}
        try:
            if CONF_SERVER not in typed:
                await self._listed.renew(now=True)
        except PlexError as err:
            return self.async_show_form(
                step_id="listed",
                data_schema=forms.EMPTY_SCHEMA,
                errors=checks.sign_in_error(err, plex_tv_error_key).errors,
                description_placeholders=self._placeholders | {"hints_md": ""},
            )
        servers = self._not_added
        if not servers:
            return self.async_abort(
                reason="no_more_servers" if self._listed else "no_servers",
                description_placeholders=self._placeholders,
            )
        for server in servers:
            if server.machine_identifier == typed.get(CONF_SERVER):
                return self.async_create_entry(
                    title=server.name,
                    unique_id=server.machine_identifier,
                    data=listed_server_data(server),
                )
        return self.async_show_form(
            step_id="listed",
            data_schema=forms.server_schema(
                servers, await forms.async_away_label(self.hass)
            ),
            description_placeholders=self._placeholders
            | await self._async_hints(shared=forms.server_hints(servers)["shared"]),
        )

    async def async_step_address(
        self, user_input: dict[str, Any] | None = None
    ) -> SubentryFlowResult:
        """Add the server at an address that the user types."""
        self._require_loaded()
        error: FormError | None = None
        if user_input is not None:
            try:
                return await self._async_add_by_address(user_input)
            except FormError as err:
                error = err
        return self.async_show_form(
            step_id="address",
            data_schema=self.add_suggested_values_to_schema(
                forms.NEW_ADDRESS_SCHEMA, checks.shown(user_input)
            ),
            errors=checks.form_errors(error),
            description_placeholders=self._placeholders,
        )

    async def async_step_reconfigure(
        self, user_input: dict[str, Any] | None = None
    ) -> SubentryFlowResult:
        """Change a server's address, token, and watched sources."""
        self._require_loaded()
        error: FormError | None = None
        subentry = self._subentry
        if user_input is not None:
            try:
                data = await self._async_changed_data(user_input)
                return self.async_update_and_abort(self._entry, subentry, data=data)
            except FormError as err:
                error = err
        has_typed_token = CONF_TOKEN in subentry.data
        schema = forms.reconfigure_server_schema(
            self._known_sources, has_typed_token=has_typed_token
        )
        shown = subentry.data if user_input is None else user_input
        return self.async_show_form(
            step_id="reconfigure",
            data_schema=self.add_suggested_values_to_schema(
                schema, checks.shown(shown)
            ),
            errors=checks.form_errors(error),
            description_placeholders=names.placeholders(name=subentry.title)
            | await self._async_hints(automatic=not has_typed_token),
        )

    async def _async_add_by_address(
        self, user_input: Mapping[str, Any]
    ) -> SubentryFlowResult:
        """Add the server that answers at an address. Raises FormError."""
        verify_ssl = user_input[CONF_VERIFY_SSL]
        server_at = partial(self._server_at, verify_ssl=verify_ssl)
        typed = user_input[CONF_URL]
        if not typed.strip():
            raise FormError("url_missing", CONF_URL)
        meant = await checks.async_address(typed, self._is_public, self._listed)
        url, identity = await checks.async_identity(meant, server_at)
        self._require_not_added(identity.machine_identifier)
        typed_token = user_input.get(CONF_TOKEN, "").strip()
        listed = await self._async_listed(identity, typed_token)
        data: dict[str, Any] = {CONF_URL: str(url), CONF_VERIFY_SSL: verify_ssl}
        if listed is not None:
            title = listed.name
            data |= listed_server_data(listed)
        else:
            name = await checks.async_check_token(server_at(url), identity, typed_token)
            title = name or url.host or identity.machine_identifier
            data |= {CONF_SOURCES: [], CONF_TOKEN: typed_token}
        # The account or its servers may have changed meanwhile.
        self._require_not_added(identity.machine_identifier)
        return self.async_create_entry(
            title=title, unique_id=identity.machine_identifier, data=data
        )

    async def _async_changed_data(
        self, user_input: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Return the server's changed data. Raises FormError."""
        subentry = self._subentry
        typed_url = user_input.get(CONF_URL, "").strip()
        typed_token = user_input.get(CONF_TOKEN, "").strip()
        changes: dict[str, Any] = {}
        if CONF_SOURCES in user_input:
            known = self._known_sources or ()
            changes[CONF_SOURCES] = checks.sources(user_input[CONF_SOURCES], known)
        if typed_url:
            changes |= await self._async_checked_address(
                typed_url,
                user_input[CONF_VERIFY_SSL],
                typed_token,
                subentry,
            )
        elif CONF_TOKEN in subentry.data:
            raise FormError("url_required", CONF_URL)
        if typed_token:
            changes[CONF_TOKEN] = typed_token
        # Read again: what plex.tv lists may have been updated meanwhile.
        current = self._subentry.data
        return checks.without(current, CONF_URL, CONF_VERIFY_SSL) | changes

    async def _async_checked_address(
        self,
        typed_url: str,
        verify_ssl: bool,
        typed_token: str,
        subentry: ConfigSubentry,
    ) -> dict[str, Any]:
        """Return the data of an address, if the server answers there."""
        data = {CONF_URL: typed_url, CONF_VERIFY_SSL: verify_ssl}
        has_changed = data != {
            CONF_URL: subentry.data.get(CONF_URL),
            CONF_VERIFY_SSL: subentry.data.get(CONF_VERIFY_SSL, True),
        }
        if not has_changed and not typed_token:
            return data
        server_at = partial(self._server_at, verify_ssl=verify_ssl)
        url, identity = await checks.async_typed_server(
            typed_url, self._is_public, server_at, subentry.unique_id
        )
        if token := typed_token or subentry.data.get(CONF_TOKEN):
            await checks.async_check_token(server_at(url), identity, token)
        return data | {CONF_URL: str(url)}

    @property
    def _known_sources(self) -> list[ListedServer] | None:
        """Return the other servers, or None if the server cannot report sources.

        Sources that are already stored can be removed at any server.
        """
        subentry = self._subentry
        server = self._entry.runtime_data.servers.get(subentry.subentry_id)
        works = (
            server is not None
            and not server.access.target.is_shared
            and supports_sources(server.access.version)
        )
        if not works and not subentry.data.get(CONF_SOURCES):
            return None
        return [
            listed
            for listed in self._listed
            if listed.machine_identifier != subentry.unique_id
        ]

    async def _async_hints(self, **hints: bool) -> dict[str, str]:
        """Return the hints that are true of a form."""
        section = "config_subentries.server"
        return {"hints_md": await forms.async_hints(self.hass, section, hints)}

    async def _async_listed(
        self, identity: Identity, typed_token: str
    ) -> ListedServer | None:
        """Return the listed server, or None for a typed token; else raise FormError."""
        failure: PlexError | None = None
        if (listed := self._listed.get(identity.machine_identifier)) is None:
            try:
                await self._listed.renew(now=True)
            except PlexError as err:
                failure = err
            listed = self._listed.get(identity.machine_identifier)
        if listed is None and not typed_token:
            if failure is not None:
                raise checks.sign_in_error(failure, plex_tv_error_key)
            if identity.claimed is False:
                raise FormError("not_claimed", CONF_URL)
            raise FormError("token_required", CONF_TOKEN)
        return listed

    def _server_at(self, url: URL, *, verify_ssl: bool) -> PlexServer:
        """Return a client for the server at an address."""
        transport = async_create_transport(
            self.hass,
            self._entry.data[CONF_CLIENT_IDENTIFIER],
            verify_ssl=verify_ssl,
        )
        return PlexServer(transport, url)

    async def _is_public(self, url: URL) -> bool | None:
        """Return whether an address is on the internet, None if unknown."""
        return await async_is_public(self.hass, url)

    @property
    def _not_added(self) -> list[ListedServer]:
        """Return the account's servers that are not yet added."""
        return [
            server
            for server in self._listed
            if not self._is_added(server.machine_identifier)
        ]

    def _require_not_added(self, machine_identifier: str) -> None:
        """Abort if the server is already added, or the account was removed."""
        if self._is_added(machine_identifier):
            raise AbortFlow("already_configured", self._placeholders)

    def _is_added(self, machine_identifier: str) -> bool:
        """Return whether the server is already added to the account."""
        return any(
            subentry.unique_id == machine_identifier
            for subentry in self._entry.subentries.values()
        )

    @property
    def _subentry(self) -> ConfigSubentry:
        """Return the server's subentry; abort if it or its entry was removed."""
        subentry = self._entry.subentries.get(self._reconfigure_subentry_id)
        if subentry is None:
            raise AbortFlow("server_removed")
        return subentry

    @property
    def _placeholders(self) -> dict[str, str]:
        """Return the account's name in the texts."""
        return names.placeholders(name=self._entry.title)

    @property
    def _listed(self) -> ServerList:
        """Return the account's servers; abort if the account is not loaded."""
        self._require_loaded()
        return self._entry.runtime_data.account.servers


def listed_server_subentry(server: ListedServer) -> ConfigSubentryData:
    """Return the subentry of a server that plex.tv lists."""
    return ConfigSubentryData(
        subentry_type=SUBENTRY_TYPE_SERVER,
        unique_id=server.machine_identifier,
        title=server.name,
        data=listed_server_data(server),
    )


def listed_server_data(server: ListedServer) -> dict[str, Any]:
    """Return the subentry data of a server that plex.tv lists."""
    return {
        CONF_SOURCES: [],
        CONF_LAST_KNOWN: KnownServer.from_listed(server).as_stored(),
    }

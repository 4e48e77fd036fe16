"""Subentry flow: add a server to an account, and change how it is used."""

from collections.abc import Mapping
from typing import Any

from probatio import Secret
import voluptuous as vol
from yarl import URL

from homeassistant.config_entries import (
    ConfigEntryState,
    ConfigSubentryFlow,
    SubentryFlowResult,
    UnknownSubEntry,
)
from homeassistant.const import CONF_TOKEN, CONF_URL, CONF_VERIFY_SSL
from homeassistant.data_entry_flow import AbortFlow
from homeassistant.helpers.selector import (
    BooleanSelector,
    SelectOptionDict,
    SelectSelector,
    SelectSelectorConfig,
    SelectSelectorMode,
    TextSelector,
    TextSelectorConfig,
    TextSelectorType,
)

from .api.addresses import parse_address
from .api.errors import (
    NotFoundError,
    NotPermittedError,
    PlexError,
    StartingUpError,
    TokenRejectedError,
    UnavailableError,
    UnexpectedAnswerError,
)
from .api.known_server import KnownServer
from .api.models import Identity, Resource
from .api.server import PlexServer, supports_sources
from .const import CONF_CLIENT_IDENTIFIER, CONF_LAST_KNOWN, CONF_SERVER, CONF_SOURCES
from .coordinator import AccountCoordinator, PlexAuthConfigEntry
from .error_keys import error_key
from .sessions import async_create_transport
from .typed import is_source, is_token

_URL_SELECTOR = TextSelector(TextSelectorConfig(type=TextSelectorType.URL))
_TOKEN_FIELD = {
    vol.Optional(Secret(CONF_TOKEN)): TextSelector(
        TextSelectorConfig(type=TextSelectorType.PASSWORD, autocomplete="off")
    )
}
_ADDRESS_SCHEMA = vol.Schema(
    {
        vol.Required(CONF_URL): _URL_SELECTOR,
        vol.Required(CONF_VERIFY_SSL, default=True): BooleanSelector(),
        **_TOKEN_FIELD,
    }
)


class FormError(Exception):
    """Say what is wrong with what was typed: the key of the message and its field."""

    def __init__(self, key: str, field: str = "base") -> None:
        """Keep both."""
        super().__init__(key)
        self.errors = {field: key}


class ServerSubentryFlow(ConfigSubentryFlow):
    """Add a server, listed by the account or not, or change how one is used."""

    async def async_step_user(
        self, user_input: dict[str, Any] | None = None
    ) -> SubentryFlowResult:
        """Let the user choose how to name the server."""
        if not self._is_loaded:
            return self.async_abort(reason="entry_not_loaded")
        return self.async_show_menu(
            step_id="user",
            menu_options=["listed", "address"],
            description_placeholders={"name": self._entry.title},
        )

    async def async_step_listed(
        self, user_input: dict[str, Any] | None = None
    ) -> SubentryFlowResult:
        """Let the user pick one of the account's servers."""
        if not self._is_loaded:
            return self.async_abort(reason="entry_not_loaded")
        try:
            if user_input is None or CONF_SERVER not in user_input:
                await self._async_renew_resources()
        except PlexError as err:
            return self.async_show_form(
                step_id="listed",
                data_schema=vol.Schema({}),
                errors={"base": error_key(err)},
                description_placeholders={"name": self._entry.title},
            )
        added = {subentry.unique_id for subentry in self._entry.subentries.values()}
        servers = {
            identifier: server
            for identifier, server in (self._account.resources or {}).items()
            if identifier not in added
        }
        if not servers:
            return self.async_abort(
                reason="no_more_servers",
                description_placeholders={"name": self._entry.title},
            )
        if user_input is not None and (
            server := servers.get(user_input.get(CONF_SERVER, ""))
        ):
            return self.async_create_entry(
                title=server.name,
                unique_id=server.client_identifier,
                data={CONF_SOURCES: [], **_last_known(server)},
            )
        return self.async_show_form(
            step_id="listed",
            data_schema=_listed_schema(servers),
            description_placeholders={"name": self._entry.title},
        )

    async def async_step_address(
        self, user_input: dict[str, Any] | None = None
    ) -> SubentryFlowResult:
        """Find the server at an address that the user types."""
        if not self._is_loaded:
            return self.async_abort(reason="entry_not_loaded")
        errors: dict[str, str] = {}
        if user_input is not None:
            try:
                return await self._async_add_by_address(user_input)
            except FormError as err:
                errors = err.errors
        return self.async_show_form(
            step_id="address",
            data_schema=self.add_suggested_values_to_schema(
                _ADDRESS_SCHEMA, _without_token(user_input)
            ),
            errors=errors,
            description_placeholders={"name": self._entry.title},
        )

    async def async_step_reconfigure(
        self, user_input: dict[str, Any] | None = None
    ) -> SubentryFlowResult:
        """Change address, token and watched sources of a server."""
        if not self._is_loaded:
            return self.async_abort(reason="entry_not_loaded")
        errors: dict[str, str] = {}
        try:
            subentry = self._get_reconfigure_subentry()
        except UnknownSubEntry:
            return self.async_abort(reason="server_removed")
        typed: Mapping[str, Any] = subentry.data
        if user_input is not None:
            try:
                data = await self._async_changed_data(user_input)
            except UnknownSubEntry:
                return self.async_abort(reason="server_removed")
            except FormError as err:
                errors, typed = err.errors, user_input
            else:
                return self.async_update_and_abort(self._entry, subentry, data=data)
        return self.async_show_form(
            step_id="reconfigure",
            data_schema=self.add_suggested_values_to_schema(
                self._reconfigure_schema(), _without_token(typed)
            ),
            errors=errors,
            description_placeholders={"name": subentry.title},
        )

    async def _async_add_by_address(
        self, user_input: Mapping[str, Any]
    ) -> SubentryFlowResult:
        """Add the server that answers at an address; raise FormError if it cannot be."""
        url = _address(user_input[CONF_URL])
        verify_ssl = user_input[CONF_VERIFY_SSL]
        server = self._server(url, verify_ssl)
        identity = await _async_identity(server)
        if any(
            subentry.unique_id == identity.machine_identifier
            for subentry in self._entry.subentries.values()
        ):
            return self.async_abort(
                reason="already_configured",
                description_placeholders={"name": self._entry.title},
            )
        typed_token = user_input.get(CONF_TOKEN, "").strip()
        resource = await self._async_resource(identity, typed_token)
        data: dict[str, Any] = {
            CONF_URL: str(url),
            CONF_VERIFY_SSL: verify_ssl,
            CONF_SOURCES: [],
        }
        if resource is not None:
            title = resource.name
            data |= _last_known(resource)
        else:
            name = await _async_check_token(server, identity, typed_token)
            title = name or url.host or identity.machine_identifier
            data[CONF_TOKEN] = typed_token
        return self.async_create_entry(
            title=title, unique_id=identity.machine_identifier, data=data
        )

    async def _async_changed_data(
        self, user_input: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Return the server's data as changed; raise FormError if it cannot be."""
        subentry = self._get_reconfigure_subentry()
        machine_identifier = subentry.unique_id or ""
        typed_url = user_input.get(CONF_URL, "").strip()
        verify_ssl = user_input[CONF_VERIFY_SSL]
        typed_token = user_input.get(CONF_TOKEN, "").strip()
        sources = list(dict.fromkeys(user_input.get(CONF_SOURCES, ())))
        self._check_sources(sources, machine_identifier)
        changes: dict[str, Any] = {CONF_SOURCES: sources}
        if typed_url:
            url = _address(typed_url)
            changes |= {CONF_URL: str(url), CONF_VERIFY_SSL: verify_ssl}
            changed = (str(url), verify_ssl) != (
                subentry.data.get(CONF_URL),
                subentry.data.get(CONF_VERIFY_SSL, True),
            )
            if changed or typed_token:
                server = self._server(url, verify_ssl)
                identity = await _async_identity(server)
                if identity.machine_identifier != machine_identifier:
                    raise FormError("wrong_server", CONF_URL)
                if token := typed_token or subentry.data.get(CONF_TOKEN):
                    await _async_check_token(server, identity, token)
        elif CONF_TOKEN in subentry.data:
            raise FormError("url_required", CONF_URL)
        if typed_token:
            changes[CONF_TOKEN] = typed_token
        # Read again: what plex.tv lists may have been renewed meanwhile.
        kept = {
            key: value
            for key, value in self._get_reconfigure_subentry().data.items()
            if key not in (CONF_URL, CONF_VERIFY_SSL)
        }
        return kept | changes

    def _check_sources(self, sources: list[str], machine_identifier: str) -> None:
        """Raise FormError unless the server can be asked for these sources."""
        if not sources:
            return
        if not all(map(is_source, sources)):
            raise FormError("invalid_source", CONF_SOURCES)
        resource = (self._account.resources or {}).get(machine_identifier)
        if resource is not None and not resource.owned:
            raise FormError("not_owner", CONF_SOURCES)
        subentry_id = self._get_reconfigure_subentry().subentry_id
        server = self._entry.runtime_data.servers.get(subentry_id)
        if server is not None and not supports_sources(server.version):
            raise FormError("server_too_old", CONF_SOURCES)

    async def _async_resource(
        self, identity: Identity, typed_token: str
    ) -> Resource | None:
        """Return the server's row in the account's list, None where a token was typed.

        Raises FormError when the account does not list it and no token was typed.
        """
        machine_identifier = identity.machine_identifier
        failure: PlexError | None = None
        if machine_identifier not in (self._account.resources or {}):
            try:
                await self._async_renew_resources()
            except PlexError as err:
                failure = err
        resource = (self._account.resources or {}).get(machine_identifier)
        if resource is None and not typed_token:
            if failure is not None:
                raise FormError(error_key(failure))
            _require_claimed(identity)
            raise FormError("token_required", CONF_TOKEN)
        return resource

    async def _async_renew_resources(self) -> None:
        """Ask plex.tv for the account's servers."""
        try:
            await self._account.async_renew_resources(for_action=True)
        except TokenRejectedError:
            await self._account.async_verify()
            raise

    def _reconfigure_schema(self) -> vol.Schema:
        """Return the form; the token only where one was typed."""
        subentry = self._get_reconfigure_subentry()
        known = [
            SelectOptionDict(value=f"server://{identifier}", label=resource.label)
            for identifier, resource in (self._account.resources or {}).items()
            if identifier != subentry.unique_id
        ]
        return vol.Schema(
            {
                vol.Optional(CONF_URL): _URL_SELECTOR,
                vol.Required(CONF_VERIFY_SSL, default=True): BooleanSelector(),
                **(_TOKEN_FIELD if CONF_TOKEN in subentry.data else {}),
                vol.Optional(CONF_SOURCES): SelectSelector(
                    SelectSelectorConfig(
                        options=known,
                        multiple=True,
                        custom_value=True,
                        mode=SelectSelectorMode.DROPDOWN,
                    )
                ),
            }
        )

    def _server(self, url: URL, verify_ssl: bool) -> PlexServer:
        """Return the calls to the server at an address."""
        transport = async_create_transport(
            self.hass,
            self._entry.data[CONF_CLIENT_IDENTIFIER],
            verify_ssl=verify_ssl,
        )
        return PlexServer(transport, url)

    @property
    def _entry(self) -> PlexAuthConfigEntry:
        """Return the account's entry."""
        entry: PlexAuthConfigEntry = self._get_entry()
        return entry

    @property
    def _account(self) -> AccountCoordinator:
        """Return the account's coordinator; end the flow where there is none any more."""
        if not self._is_loaded:
            raise AbortFlow("entry_not_loaded")
        return self._entry.runtime_data.account

    @property
    def _is_loaded(self) -> bool:
        """Tell whether the account's entry is at work."""
        return self._entry.state is ConfigEntryState.LOADED


def _address(text: str) -> URL:
    """Return a typed address; raise FormError if it is none."""
    url = parse_address(text.strip())
    if url is None:
        raise FormError("invalid_url", CONF_URL)
    return url


async def _async_identity(server: PlexServer) -> Identity:
    """Return who answers at an address; raise FormError if it is no ready server."""
    try:
        identity = await server.identity()
        if identity.start_state is not None:
            raise StartingUpError
    except (NotFoundError, UnexpectedAnswerError) as err:
        raise FormError("not_a_plex_server", CONF_URL) from err
    except UnavailableError as err:
        # An HTML page with a good status is some other web server's.
        if err.status is None and type(err) is UnavailableError:
            raise FormError("not_a_plex_server", CONF_URL) from err
        raise FormError(error_key(err)) from err
    except PlexError as err:
        raise FormError(error_key(err)) from err
    return identity


def _require_claimed(identity: Identity) -> None:
    """Raise FormError if a server belongs to no account: it takes no token then."""
    if identity.claimed is False:
        raise FormError("not_claimed", CONF_URL)


async def _async_check_token(
    server: PlexServer, identity: Identity, token: str
) -> str | None:
    """Return the server's name if it takes a token; raise FormError if it does not."""
    if not is_token(token):
        raise FormError("invalid_token", CONF_TOKEN)
    try:
        return await server.check_token(token)
    except NotPermittedError as err:
        _require_claimed(identity)
        raise FormError("invalid_token", CONF_TOKEN) from err
    except PlexError as err:
        raise FormError(error_key(err)) from err


def _last_known(server: Resource) -> dict[str, Any]:
    """Return what a subentry keeps of a listed server."""
    return {CONF_LAST_KNOWN: KnownServer.from_resource(server).as_stored()}


def _listed_schema(servers: Mapping[str, Resource]) -> vol.Schema:
    """Return the form that lists servers, shared ones with their owner's name."""
    return vol.Schema(
        {
            vol.Required(CONF_SERVER): SelectSelector(
                SelectSelectorConfig(
                    options=[
                        SelectOptionDict(value=identifier, label=server.label)
                        for identifier, server in servers.items()
                    ],
                    mode=SelectSelectorMode.LIST,
                )
            )
        }
    )


def _without_token(typed: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return what a form may show again."""
    return {key: value for key, value in (typed or {}).items() if key != CONF_TOKEN}

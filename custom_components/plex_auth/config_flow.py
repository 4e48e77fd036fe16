"""Config flow: sign in to a Plex account and choose its servers."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, override
from uuid import uuid4

from probatio import Secret
import voluptuous as vol

from homeassistant.config_entries import (
    SOURCE_REAUTH,
    SOURCE_RECONFIGURE,
    SOURCE_USER,
    ConfigEntryState,
    ConfigFlow,
    ConfigFlowResult,
    ConfigSubentryData,
    ConfigSubentryFlow,
)
from homeassistant.const import CONF_PASSWORD, CONF_TOKEN, CONF_USERNAME
from homeassistant.core import callback
from homeassistant.data_entry_flow import UnknownFlow, section
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers.selector import (
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
    PlexError,
    TokenRejectedError,
    VerificationCodeRequiredError,
    VerificationCodeWrongError,
    WrongCredentialsError,
)
from .api.known_server import KnownServer
from .api.models import Account, Pin, Resource, SignIn
from .api.plex_tv import PLEX_TV_API, PlexTv
from .const import (
    CONF_ADVANCED,
    CONF_API_URL,
    CONF_CLIENT_IDENTIFIER,
    CONF_LAST_KNOWN,
    CONF_SERVERS,
    CONF_SOURCES,
    CONF_TOKEN_ORIGIN,
    CONF_VERIFICATION_CODE,
    DOMAIN,
    LOGGER,
    SUBENTRY_TYPE_SERVER,
    TokenOrigin,
)
from .coordinator import PlexAuthConfigEntry
from .error_keys import error_key
from .link import LINK_URL, wait_for_link
from .server_flow import ServerSubentryFlow
from .sessions import async_create_transport
from .sign_out import async_sign_out_in_background
from .typed import is_token

_WAYS = ["password", "link", "token"]

_PASSWORD_FIELDS: dict[vol.Marker, Any] = {
    vol.Required(CONF_USERNAME): TextSelector(
        TextSelectorConfig(type=TextSelectorType.TEXT, autocomplete="username")
    ),
    vol.Required(Secret(CONF_PASSWORD)): TextSelector(
        TextSelectorConfig(
            type=TextSelectorType.PASSWORD, autocomplete="current-password"
        )
    ),
}
_TOKEN_FIELDS: dict[vol.Marker, Any] = {
    vol.Required(Secret(CONF_TOKEN)): TextSelector(
        TextSelectorConfig(type=TextSelectorType.PASSWORD, autocomplete="off")
    )
}
_CODE_SCHEMA = vol.Schema(
    {
        vol.Required(Secret(CONF_VERIFICATION_CODE)): TextSelector(
            TextSelectorConfig(autocomplete="one-time-code")
        )
    }
)
_API_URL_FIELD = {
    vol.Optional(CONF_API_URL): TextSelector(
        TextSelectorConfig(type=TextSelectorType.URL)
    )
}
_CLIENT_IDENTIFIER_FIELD = {vol.Optional(CONF_CLIENT_IDENTIFIER): TextSelector()}

type LinkOutcome = ConfigFlowResult | PlexError | HomeAssistantError


class PlexAuthConfigFlow(ConfigFlow, domain=DOMAIN):
    """Sign in to a Plex account: for a new entry, a rejected token or another way."""

    VERSION = 1
    MINOR_VERSION = 1

    def __init__(self) -> None:
        """Begin with plex.tv and a client identifier that nobody else has."""
        self._defaults = {
            CONF_CLIENT_IDENTIFIER: str(uuid4()),
            CONF_API_URL: PLEX_TV_API,
        }
        self._identity = self._defaults
        self._credentials: tuple[str, str] | None = None
        self._typed: dict[str, Any] = {}
        self._account: Account
        self._token: str | None = None
        self._pin: Pin
        self._progress_task: asyncio.Task[Any]
        self._link_outcome: LinkOutcome | None = None
        self._linked_token: str | None = None
        self._token_origin = TokenOrigin.PASSWORD
        self._servers: dict[str, Resource] | None = None
        self._closed = asyncio.Event()
        self._left_to_store: dict[str, Any] | None = None

    @classmethod
    @callback
    @override
    def async_get_supported_subentry_types(
        cls, config_entry: PlexAuthConfigEntry
    ) -> dict[str, type[ConfigSubentryFlow]]:
        """Return the flow that adds and changes servers."""
        return {SUBENTRY_TYPE_SERVER: ServerSubentryFlow}

    @override
    async def async_step_user(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Let the user choose a way to sign in."""
        return self.async_show_menu(step_id="user", menu_options=_WAYS)

    async def async_step_reauth(
        self, entry_data: Mapping[str, Any]
    ) -> ConfigFlowResult:
        """Begin a new sign-in after plex.tv rejected the token."""
        self._use_entry(self._get_reauth_entry())
        return await self.async_step_reauth_confirm()

    async def async_step_reauth_confirm(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Say that a new sign-in is needed and let the user choose a way."""
        return self.async_show_menu(
            step_id="reauth_confirm",
            menu_options=_WAYS,
            description_placeholders={"name": self._get_reauth_entry().title},
        )

    async def async_step_reconfigure(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Let the user choose a way to sign in anew, to the same account."""
        entry = self._get_reconfigure_entry()
        self._use_entry(entry)
        self._typed = {CONF_ADVANCED: {CONF_API_URL: entry.data[CONF_API_URL]}}
        return self.async_show_menu(
            step_id="reconfigure",
            menu_options=_WAYS,
            description_placeholders={"name": entry.title},
        )

    async def async_step_password(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Sign in with user name and password."""
        if user_input is None:
            return self._show_password_form({})
        if errors := self._use_typed(user_input):
            return self._show_password_form(errors)
        self._credentials = (
            user_input[CONF_USERNAME].strip(),
            user_input[CONF_PASSWORD],
        )
        return await self._async_sign_in()

    async def async_step_code(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Sign in with the code that two-factor authentication asks for."""
        if user_input is None:
            return self._show_code_form({})
        code = "".join(user_input[CONF_VERIFICATION_CODE].split())
        if not code:
            return self._show_code_form({"base": "invalid_code"})
        return await self._async_sign_in(code)

    async def async_step_link(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Say what will happen, then get a code to type at plex.tv/link."""
        if user_input is None:
            return self._show_link_form({})
        made_with = self._identity
        if errors := self._use_typed(user_input):
            return self._show_link_form(errors)
        if self._linked_token is not None and self._identity != made_with:
            async_sign_out_in_background(self.hass, made_with, self._linked_token)
            self._linked_token = None
        if self._linked_token is None:
            try:
                self._pin = await self._plex.create_pin()
            except PlexError as err:
                return self._show_link_form({"base": error_key(err)})
        self._link_outcome = None
        link_task = self.hass.async_create_background_task(
            self._async_link(), "plex_auth link"
        )
        # Home Assistant cancels a progress task when the dialog is closed. The link is
        # not to be cancelled: the code may have been typed already.
        self._progress_task = self.hass.async_create_background_task(
            asyncio.wait([link_task]), "plex_auth link progress"
        )
        return await self.async_step_link_wait()

    async def async_step_link_wait(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Show the code until somebody has typed it at plex.tv/link."""
        if self._link_outcome is not None:
            return self.async_show_progress_done(next_step_id="link_done")
        return self.async_show_progress(
            step_id="link_wait",
            progress_action="wait_for_link",
            progress_task=self._progress_task,
            description_placeholders={"code": self._pin.code, "url": LINK_URL},
        )

    async def async_step_link_done(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Show what came of waiting; everything has been done by then."""
        outcome = self._link_outcome
        assert outcome is not None
        if isinstance(outcome, HomeAssistantError):
            raise outcome
        if isinstance(outcome, PlexError):
            return self._show_link_form({"base": error_key(outcome)})
        return outcome

    async def async_step_token(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Use a token that the user has already."""
        if user_input is None:
            return self._show_token_form({})
        if errors := self._use_typed(user_input):
            return self._show_token_form(errors)
        token = user_input[CONF_TOKEN].strip()
        if not is_token(token):
            return self._show_token_form({"base": "invalid_token"})
        try:
            account = await self._plex.user(token)
        except PlexError as err:
            return self._show_token_form({"base": error_key(err)})
        return await self._async_signed_in(
            SignIn(account=account, token=token), TokenOrigin.TOKEN
        )

    async def async_step_servers(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Let the user choose servers, and create the entry."""
        if self._servers is None:
            try:
                await self._async_fetch_servers()
            except PlexError as err:
                return self.async_show_form(
                    step_id="servers",
                    data_schema=vol.Schema({}),
                    errors={"base": error_key(err)},
                    description_placeholders={"name": self._account.name},
                )
        servers = self._servers or {}
        if servers and user_input is not None and CONF_SERVERS in user_input:
            chosen = user_input[CONF_SERVERS]
            return self._create_entry(
                [server for key, server in servers.items() if key in chosen]
            )
        if not servers:
            return self._create_entry([])
        return self.async_show_form(
            step_id="servers",
            data_schema=_servers_schema(list(servers.values())),
            description_placeholders={"name": self._account.name},
        )

    @override
    async def async_on_create_entry(self, result: ConfigFlowResult) -> ConfigFlowResult:
        """Leave what is stored of the servers out of the answer: it has their tokens."""
        result["subentries"] = ()
        return result

    @override
    @callback
    def async_remove(self) -> None:
        """Sign out when the dialog ends and the new sign-in ended in no entry."""
        self._closed.set()
        self._credentials = None
        self._sign_out_if_unused()
        self._store_rest()
        if isinstance(self._link_outcome, PlexError):
            self.hass.async_create_background_task(self._async_link(), "plex_auth link")

    async def _async_sign_in(self, code: str | None = None) -> ConfigFlowResult:
        """Sign in once with what was typed; show the form again when it fails."""
        assert self._credentials is not None
        username, password = self._credentials
        if not username or not password:
            return self._show_password_form({"base": "invalid_auth"})
        try:
            sign_in = await self._plex.sign_in(username, password, code)
        except VerificationCodeRequiredError:
            return self._show_code_form({"base": "invalid_code"} if code else {})
        except VerificationCodeWrongError as err:
            return self._show_code_form({"base": error_key(err)})
        except WrongCredentialsError as err:
            return self._show_password_form({"base": error_key(err)})
        except PlexError as err:
            errors = {"base": error_key(err)}
            if code is not None:
                return self._show_code_form(errors)
            return self._show_password_form(errors)
        return await self._async_signed_in(sign_in, TokenOrigin.PASSWORD)

    async def _async_link(self) -> None:
        """Wait until the code is typed at plex.tv, then check and store the token.

        Closing the dialog ends the waiting, with one more look at the code. Once there
        is a token this goes on: it has made plex.tv forget the entry's old one.
        """
        try:
            if self._linked_token is None:
                self._linked_token = await wait_for_link(
                    self._plex, self._pin, self._closed
                )
            self._link_outcome = await asyncio.shield(
                self.hass.async_create_task(
                    self._async_linked(self._linked_token), "plex_auth linked"
                )
            )
        except PlexError as err:
            self._link_outcome = err

    async def _async_linked(self, token: str) -> LinkOutcome:
        """Check and store the token that the code brought."""
        try:
            account = await self._plex.user(token)
        except TokenRejectedError as err:
            self._linked_token = None
            return err
        except PlexError as err:
            if self._closed.is_set():
                self._token, self._token_origin = token, TokenOrigin.LINK
                self._sign_out_if_unused()
            return err
        self._linked_token = None
        try:
            return await self._async_signed_in(
                SignIn(account=account, token=token), TokenOrigin.LINK
            )
        except HomeAssistantError as err:
            return err

    async def _async_signed_in(
        self, sign_in: SignIn, origin: TokenOrigin
    ) -> ConfigFlowResult:
        """Go on with a token that plex.tv has given or accepted.

        The dialog may have been closed meanwhile. An entry needs its new token even so:
        the sign-in has made plex.tv forget the old one.
        """
        self._credentials = None
        self._account = sign_in.account
        self._token = sign_in.token
        self._token_origin = origin
        try:
            if self.source != SOURCE_USER:
                await self.async_set_unique_id(
                    sign_in.account.uuid, raise_on_progress=False
                )
                return self._store_token()
            if self._closed.is_set():
                raise UnknownFlow
            await self.async_set_unique_id(sign_in.account.uuid)
            self._abort_if_unique_id_configured(
                description_placeholders={"name": sign_in.account.name}
            )
        finally:
            if self._closed.is_set():
                self._sign_out_if_unused()
        return await self.async_step_servers()

    @callback
    def _store_token(self) -> ConfigFlowResult:
        """Store the new token in the entry, if it is the same account's."""
        entry: PlexAuthConfigEntry = self._entry()
        self._abort_if_unique_id_mismatch(
            reason="wrong_account",
            description_placeholders={"name": entry.title, "other": self._account.name},
        )
        if self._token_origin == TokenOrigin.TOKEN:
            # A sign-in replaces the old token at plex.tv by itself; this one does not.
            self._sign_out_replaced(entry)
        api_url = self._identity[CONF_API_URL]
        same_address = entry.data[CONF_API_URL] == api_url
        result = self.async_update_and_abort(
            entry, data_updates={CONF_TOKEN: self._token}
        )
        if entry.state is ConfigEntryState.LOADED and same_address:
            entry.async_create_task(
                self.hass, entry.runtime_data.account.async_refresh()
            )
        self._left_to_store = {
            CONF_TOKEN_ORIGIN: self._token_origin,
            CONF_API_URL: api_url,
        }
        if self._closed.is_set():
            self._store_rest()
        return result

    @callback
    def _store_rest(self) -> None:
        """Store what a new token brings with it, once the dialog is at its end.

        A change of it reloads a loaded entry, any other is loaded here; and a reload
        ends every dialog that signs in to the entry again.
        """
        data, self._left_to_store = self._left_to_store, None
        if data is None:
            return
        entry = self.hass.config_entries.async_get_entry(self.context["entry_id"])
        if entry is None:
            return
        was_loaded = entry.state is ConfigEntryState.LOADED
        self.hass.config_entries.async_update_entry(entry, data={**entry.data, **data})
        if not was_loaded:
            self.hass.config_entries.async_schedule_reload(entry.entry_id)

    @callback
    def _create_entry(self, servers: list[Resource]) -> ConfigFlowResult:
        """Create the entry of the account, with a subentry for each chosen server."""
        return self.async_create_entry(
            title=self._account.name,
            data={
                CONF_TOKEN: self._token,
                CONF_TOKEN_ORIGIN: self._token_origin,
                **self._identity,
            },
            subentries=[
                ConfigSubentryData(
                    subentry_type=SUBENTRY_TYPE_SERVER,
                    unique_id=server.client_identifier,
                    title=server.name,
                    data={
                        CONF_SOURCES: [],
                        CONF_LAST_KNOWN: KnownServer.from_resource(server).as_stored(),
                    },
                )
                for server in servers
            ],
        )

    @property
    def _plex(self) -> PlexTv:
        """Return the calls to plex.tv under this flow's client identifier."""
        return PlexTv(
            async_create_transport(self.hass, self._identity[CONF_CLIENT_IDENTIFIER]),
            self._identity[CONF_API_URL],
        )

    async def _async_fetch_servers(self) -> None:
        """Ask plex.tv for the servers of the account."""
        assert self._token is not None
        self._servers = {
            server.client_identifier: server
            for server in await self._plex.resources(self._token)
        }

    def _entry(self) -> PlexAuthConfigEntry:
        """Return the entry that gets a new token."""
        if self.source == SOURCE_REAUTH:
            return self._get_reauth_entry()
        return self._get_reconfigure_entry()

    def _use_entry(self, entry: PlexAuthConfigEntry) -> None:
        """Take client identifier and address from the entry: they stay for ever."""
        self._identity = self._defaults = {
            key: entry.data[key] for key in (CONF_CLIENT_IDENTIFIER, CONF_API_URL)
        }

    def _use_typed(self, user_input: Mapping[str, Any]) -> dict[str, str]:
        """Keep what was typed, secrets excepted; return the errors of `advanced`."""
        self._typed = {
            key: value
            for key, value in user_input.items()
            if key in (CONF_USERNAME, CONF_ADVANCED)
        }
        return self._use_advanced(user_input)

    def _use_advanced(self, user_input: Mapping[str, Any]) -> dict[str, str]:
        """Take what the section `advanced` says; return the error if it cannot be.

        The page shows no error inside a section: it is keyed by the section.
        """
        self._identity = self._defaults
        if CONF_ADVANCED not in user_input:
            return {}
        advanced: Mapping[str, str] = user_input[CONF_ADVANCED]
        api_url = advanced.get(CONF_API_URL, "").strip() or PLEX_TV_API
        if parse_address(api_url) is None:
            return {CONF_ADVANCED: "invalid_url"}
        client_identifier = advanced.get(CONF_CLIENT_IDENTIFIER, "").strip()
        if client_identifier:
            if not client_identifier.isascii() or not client_identifier.isprintable():
                return {CONF_ADVANCED: "invalid_client_identifier"}
            if any(
                entry.data[CONF_CLIENT_IDENTIFIER] == client_identifier
                for entry in self._async_current_entries(include_ignore=False)
            ):
                return {CONF_ADVANCED: "client_identifier_in_use"}
        self._identity = {
            CONF_CLIENT_IDENTIFIER: client_identifier
            or self._defaults[CONF_CLIENT_IDENTIFIER],
            CONF_API_URL: api_url.rstrip("/"),
        }
        return {}

    def _advanced_section(self, *, collapsed: bool) -> dict[vol.Marker, Any]:
        """Return the section `advanced` as this flow has it, if it has one."""
        if self.source == SOURCE_REAUTH:
            return {}
        fields = _API_URL_FIELD
        if self.source != SOURCE_RECONFIGURE:
            fields = fields | _CLIENT_IDENTIFIER_FIELD
        return {
            vol.Optional(CONF_ADVANCED): section(
                vol.Schema(fields), {"collapsed": collapsed}
            )
        }

    def _show_password_form(self, errors: dict[str, str]) -> ConfigFlowResult:
        """Show the form for user name and password."""
        return self._show_sign_in_form("password", _PASSWORD_FIELDS, errors)

    def _show_link_form(self, errors: dict[str, str]) -> ConfigFlowResult:
        """Show the form that says how the link works."""
        return self._show_sign_in_form("link", {}, errors)

    def _show_token_form(self, errors: dict[str, str]) -> ConfigFlowResult:
        """Show the form for a token."""
        return self._show_sign_in_form("token", _TOKEN_FIELDS, errors)

    def _show_sign_in_form(
        self, step_id: str, fields: dict[vol.Marker, Any], errors: dict[str, str]
    ) -> ConfigFlowResult:
        """Show a form with the section `advanced`, filled with what is no secret."""
        schema = vol.Schema(
            fields | self._advanced_section(collapsed=CONF_ADVANCED not in errors)
        )
        return self.async_show_form(
            step_id=step_id,
            data_schema=self.add_suggested_values_to_schema(schema, self._typed),
            errors=errors,
            description_placeholders={"url": LINK_URL, "api_url": PLEX_TV_API},
        )

    def _show_code_form(self, errors: dict[str, str]) -> ConfigFlowResult:
        """Show the form for the verification code."""
        return self.async_show_form(
            step_id="code", data_schema=_CODE_SCHEMA, errors=errors
        )

    @callback
    def _sign_out_if_unused(self) -> None:
        """End a sign-in of our own in the background, unless an entry has its token."""
        token, self._token = self._token, None
        if token is None or self._token_origin == TokenOrigin.TOKEN:
            return
        entries = self.hass.config_entries.async_entries(DOMAIN)
        if any(entry.data.get(CONF_TOKEN) == token for entry in entries):
            return
        LOGGER.debug("A sign-in that ended in no entry is ended at plex.tv")
        async_sign_out_in_background(self.hass, self._identity, token)

    @callback
    def _sign_out_replaced(self, entry: PlexAuthConfigEntry) -> None:
        """End the entry's own sign-in in the background when another token comes."""
        token = entry.data[CONF_TOKEN]
        if entry.data[CONF_TOKEN_ORIGIN] != TokenOrigin.TOKEN and token != self._token:
            async_sign_out_in_background(self.hass, entry.data, token)


def _servers_schema(servers: Sequence[Resource]) -> vol.Schema:
    """Return the form that lists the servers, own ones chosen beforehand."""
    return vol.Schema(
        {
            vol.Optional(
                CONF_SERVERS,
                default=[
                    server.client_identifier for server in servers if server.owned
                ],
            ): SelectSelector(
                SelectSelectorConfig(
                    options=[
                        SelectOptionDict(
                            value=server.client_identifier, label=server.label
                        )
                        for server in servers
                    ],
                    multiple=True,
                    mode=SelectSelectorMode.LIST,
                )
            )
        }
    )

"""Config flow: sign in to a Plex account and select its servers."""

from collections.abc import Collection, Mapping
from typing import Any, override

from homeassistant.config_entries import (
    SOURCE_USER,
    ConfigFlowResult,
    ConfigSubentryFlow,
    OptionsFlow,
)
from homeassistant.const import CONF_PASSWORD, CONF_TOKEN, CONF_USERNAME
from homeassistant.core import callback
from homeassistant.data_entry_flow import FlowResultType, UnknownFlow
from homeassistant.exceptions import HomeAssistantError

from . import names
from .api.errors import (
    PlexError,
    TooManyDevicesError,
    VerificationCodeRequiredError,
    VerificationCodeWrongError,
    WrongCredentialsError,
)
from .api.models import ListedServer, SignIn
from .api.server_list import by_identifier
from .clients import async_create_plex_tv
from .const import (
    CONF_CLIENT_IDENTIFIER,
    CONF_SERVERS,
    CONF_VERIFICATION_CODE,
    DOMAIN,
    SUBENTRY_TYPE_HOME_USER,
    SUBENTRY_TYPE_SERVER,
    TokenOrigin,
)
from .flows import checks, forms
from .flows.checks import FormError
from .flows.devices import DevicesOptionsFlow
from .flows.dialog import METHODS, SignInDialog
from .flows.home_user import HomeUserSubentryFlow
from .flows.link import LinkSignIn
from .flows.server import ServerSubentryFlow, listed_server_subentry
from .flows.sign_in import NewSignIn
from .runtime_data import PlexAuthConfigEntry


class PlexAuthConfigFlow(SignInDialog, domain=DOMAIN):
    """Config flow for a new account, a rejected sign-in, or another sign-in method."""

    VERSION = 1
    MINOR_VERSION = 2

    _credentials: tuple[str, str] | None = None
    _is_closed = False
    _link: LinkSignIn | None = None
    _servers: tuple[ListedServer, ...] | None = None

    @classmethod
    @callback
    @override
    def async_get_supported_subentry_types(
        cls, config_entry: PlexAuthConfigEntry
    ) -> dict[str, type[ConfigSubentryFlow]]:
        """Return the flows that add and change servers and Home users."""
        return {
            SUBENTRY_TYPE_SERVER: ServerSubentryFlow,
            SUBENTRY_TYPE_HOME_USER: HomeUserSubentryFlow,
        }

    @staticmethod
    @callback
    @override
    def async_get_options_flow(config_entry: PlexAuthConfigEntry) -> OptionsFlow:
        """Return the flow that signs devices out."""
        return DevicesOptionsFlow()

    @override
    async def async_step_user(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Let the user select a sign-in method."""
        return self.async_show_menu(
            step_id="user",
            menu_options=[*METHODS, "advanced"],
            description_placeholders=await self._async_in_use(),
        )

    async def async_step_reauth(
        self, entry_data: Mapping[str, Any]
    ) -> ConfigFlowResult:
        """Start a new sign-in after plex.tv rejected the token."""
        return await self.async_step_reauth_confirm()

    async def async_step_reauth_confirm(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Explain that a new sign-in is needed, and offer the methods."""
        self._use_entry()
        return self.async_show_menu(
            step_id="reauth_confirm",
            menu_options=METHODS,
            description_placeholders=names.placeholders(**self._names),
        )

    async def async_step_reconfigure(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Let the user select a method to sign in to the same account again."""
        self._use_entry()
        return self.async_show_menu(
            step_id="reconfigure",
            menu_options=[*METHODS, "advanced"],
            description_placeholders=names.placeholders(**self._names)
            | await self._async_in_use(),
        )

    async def async_step_advanced(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Ask for advanced options, then show the menu."""
        if user_input is None:
            return await self._async_open("advanced")
        others = self._async_current_entries(include_ignore=False)
        used = [entry.data.get(CONF_CLIENT_IDENTIFIER) for entry in others]
        try:
            self._typed |= checks.advanced(user_input, used)
        except FormError as err:
            return self._show_form("advanced", err, user_input)
        return await self._async_show_menu()

    async def async_step_password(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Sign in with a username and password."""
        if user_input is None:
            return await self._async_open("password")
        username = user_input[CONF_USERNAME].strip()
        self._typed[CONF_USERNAME] = user_input[CONF_USERNAME]
        self._credentials = username, user_input[CONF_PASSWORD]
        return await self._async_sign_in()

    async def async_step_code(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Sign in with a two-factor authentication code."""
        if user_input is None:
            return await self._async_open("code")
        code = "".join(user_input[CONF_VERIFICATION_CODE].split())
        if not code:
            return self._show_form("code", FormError("invalid_code"))
        return await self._async_sign_in(code)

    async def async_step_link(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Show a code until it is approved at plex.tv."""
        if self._link is not None and self._is_shown("link"):
            if self._link.outcome is not None:
                return self.async_show_progress_done(next_step_id="link_done")
            if self._link.page.is_gone:
                return self.async_show_progress_done(next_step_id=self._menu)
            self._link.page.note()
        else:
            if self._link is not None and self._link.client != self._client:
                self._link.discard()
                self._link = None
            if self._link is None:
                self._link = LinkSignIn(self.hass, self._client, self._async_linked)
            try:
                await self._link.start()
            except PlexError as err:
                return await self._async_show_failure("link", checks.sign_in_error(err))
            if self._link.outcome is not None:
                return await self.async_step_link_done()
        return self.async_show_progress(
            step_id="link",
            progress_action="wait_for_link",
            progress_task=self._link.progress,
            description_placeholders=self._link.placeholders,
        )

    async def async_step_link_done(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Show the result of a link sign-in, which is complete by now."""
        # There is no result any more if a page asks again while the entry is created.
        if self._link is None or (outcome := self._link.outcome) is None:
            raise UnknownFlow
        if isinstance(outcome, HomeAssistantError):
            raise outcome
        if isinstance(outcome, PlexError):
            return await self._async_show_failure("link", checks.sign_in_error(outcome))
        self._link = None
        return outcome

    async def async_step_link_failed(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Show the menu when a dialog is reopened after a failure."""
        return await self._async_show_menu()

    async def async_step_token(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Use a token that the user already has."""
        if user_input is None:
            return await self._async_open("token")
        try:
            token = checks.token(user_input[CONF_TOKEN])
            account = await async_create_plex_tv(self.hass, self._client).user(token)
            sign_in = SignIn(account=account, token=token)
        except (FormError, PlexError) as err:
            return self._show_form("token", err)
        return await self._async_signed_in(
            NewSignIn(self.hass, self._client, sign_in, TokenOrigin.TOKEN)
        )

    async def async_step_servers(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Let the user select servers, then create the entry."""
        assert self._sign_in is not None
        shown = names.placeholders(name=self._sign_in.account.name) | {"hints_md": ""}
        if self._servers is None:
            plex = async_create_plex_tv(self.hass, self._client)
            try:
                listed = await plex.servers(self._sign_in.data[CONF_TOKEN])
                self._servers = tuple(by_identifier(listed).values())
            except TooManyDevicesError:
                # Only fewer devices help, which may take a while.
                return self._create_entry("too_many_devices")
            except PlexError as err:
                return self.async_show_form(
                    step_id="servers",
                    data_schema=forms.EMPTY_SCHEMA,
                    errors=checks.sign_in_error(err).errors,
                    description_placeholders=shown,
                )
        if not self._servers:
            return self._create_entry("no_servers")
        if user_input is None or CONF_SERVERS not in user_input:
            shown["hints_md"] = await forms.async_hints(
                self.hass, "config", forms.server_hints(self._servers)
            )
            return self.async_show_form(
                step_id="servers",
                data_schema=forms.servers_schema(
                    self._servers, await forms.async_away_label(self.hass)
                ),
                description_placeholders=shown,
            )
        return self._create_entry(selected=user_input[CONF_SERVERS])

    def _create_entry(
        self, description: str | None = None, selected: Collection[str] = ()
    ) -> ConfigFlowResult:
        """Create the entry with the selected servers, and a text for its page."""
        assert self._sign_in is not None
        name = self._sign_in.account.name
        return self.async_create_entry(
            title=name,
            data=self._sign_in.data,
            description=description,
            description_placeholders=names.placeholders(name=name),
            subentries=[
                listed_server_subentry(server)
                for server in self._servers or ()
                if server.machine_identifier in selected
            ],
        )

    @override
    async def async_on_create_entry(self, result: ConfigFlowResult) -> ConfigFlowResult:
        """Omit the subentries from the response: they contain tokens of servers."""
        result["subentries"] = ()
        return result

    @override
    @callback
    def async_remove(self) -> None:
        """Finish any sign-in when the dialog ends, including one in progress."""
        self._is_closed = True
        self._credentials = None
        if self._sign_in is not None:
            self._sign_in.finish()
        if self._link is not None:
            self._link.close()
        if self.source != SOURCE_USER:
            self._ask_again()

    async def _async_sign_in(self, code: str | None = None) -> ConfigFlowResult:
        """Sign in once with the typed values; show the form again on failure."""
        assert self._credentials is not None
        username, password = self._credentials
        if not username or not password:
            return self._show_form("password", FormError("invalid_auth"))
        plex = async_create_plex_tv(self.hass, self._client)
        try:
            sign_in = await plex.sign_in(username, password, code)
        except VerificationCodeRequiredError:
            return self._show_form("code", FormError("invalid_code") if code else None)
        except VerificationCodeWrongError as err:
            return self._show_form("code", err)
        except WrongCredentialsError as err:
            return self._show_form("password", err)
        except PlexError as err:
            return self._show_form("code" if code else "password", err)
        return await self._async_signed_in(
            NewSignIn(self.hass, self._client, sign_in, TokenOrigin.PASSWORD)
        )

    async def _async_linked(self, sign_in: NewSignIn) -> ConfigFlowResult:
        """Continue with a link's token; end a dialog if no page shows its progress."""
        result = await self._async_signed_in(sign_in)
        is_watched = (
            self._link is not None
            and self._is_shown("link")
            and not self._link.page.is_gone
        )
        if result["type"] is FlowResultType.ABORT and not (
            is_watched or self._is_closed
        ):
            self.hass.config_entries.flow.async_abort(self.flow_id)
        return result

    async def _async_signed_in(self, sign_in: NewSignIn) -> ConfigFlowResult:
        """Continue with a token that plex.tv has issued or accepted."""
        self._credentials = None
        self._sign_in = sign_in
        account = sign_in.account
        try:
            if self.source != SOURCE_USER:
                if account.uuid != self._entry.unique_id:
                    sign_in.finish()
                    err = FormError("wrong_account")
                    return await self._async_show_failure(sign_in.origin.value, err)
                # Even for a closed dialog: the entry's old token is already revoked.
                sign_in.store_in(self._entry)
                return self.async_update_and_abort(self._entry)
            if self._is_closed:
                raise UnknownFlow
            await self.async_set_unique_id(account.uuid, raise_on_progress=False)
            self._abort_if_unique_id_configured(
                description_placeholders=names.placeholders(name=account.name)
            )
        finally:
            if self._is_closed:
                sign_in.finish()
        return await self.async_step_servers()

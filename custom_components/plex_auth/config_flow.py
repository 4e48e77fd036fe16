"""Config flow: sign in to a Plex account and choose its servers."""

from collections.abc import Mapping
from typing import Any, override

from homeassistant.config_entries import (
    SOURCE_USER,
    ConfigFlowResult,
    ConfigSubentryData,
    ConfigSubentryFlow,
)
from homeassistant.const import CONF_PASSWORD, CONF_TOKEN, CONF_USERNAME
from homeassistant.core import callback
from homeassistant.data_entry_flow import UnknownFlow
from homeassistant.exceptions import HomeAssistantError

from .api.errors import (
    PlexError,
    VerificationCodeRequiredError,
    VerificationCodeWrongError,
    WrongCredentialsError,
)
from .api.models import SignIn
from .const import (
    CONF_ADVANCED,
    CONF_API_URL,
    CONF_SERVERS,
    CONF_VERIFICATION_CODE,
    DOMAIN,
    SUBENTRY_TYPE_SERVER,
    TokenOrigin,
)
from .flows import checks, forms
from .flows.checks import FormError
from .flows.dialog import SignInDialog
from .flows.link import LINK_URL, LinkSignIn
from .flows.server import ServerSubentryFlow, listed_server_data
from .flows.sign_in import NewSignIn, client_of
from .runtime_data import PlexAuthConfigEntry
from .sessions import async_create_plex_tv

_WAYS = ["password", "link", "token"]


class PlexAuthConfigFlow(SignInDialog, domain=DOMAIN):
    """Sign in to a Plex account: for a new entry, a rejected token or another way."""

    VERSION = 1
    MINOR_VERSION = 1

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
        self._client = self._own_client = client_of(self._entry.data)
        return await self.async_step_reauth_confirm()

    async def async_step_reauth_confirm(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Say that a new sign-in is needed and let the user choose a way."""
        return self.async_show_menu(
            step_id="reauth_confirm",
            menu_options=_WAYS,
            description_placeholders={"name": self._entry.title},
        )

    async def async_step_reconfigure(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Let the user choose a way to sign in anew, to the same account."""
        self._client = self._own_client = client_of(self._entry.data)
        self._typed = {CONF_ADVANCED: {CONF_API_URL: self._client[CONF_API_URL]}}
        return self.async_show_menu(
            step_id="reconfigure",
            menu_options=_WAYS,
            description_placeholders={"name": self._entry.title},
        )

    async def async_step_password(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Sign in with user name and password."""
        if user_input is None:
            return await self._async_open("password")
        username = user_input[CONF_USERNAME].strip()
        self._credentials = username, user_input[CONF_PASSWORD]
        try:
            self._use_typed(user_input)
        except FormError as err:
            return self._show_form("password", err)
        return await self._async_sign_in()

    async def async_step_code(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Sign in with the code that two-factor authentication asks for."""
        if user_input is None:
            return await self._async_open("code")
        code = "".join(user_input[CONF_VERIFICATION_CODE].split())
        if not code:
            return self._show_form("code", FormError("invalid_code"))
        return await self._async_sign_in(code)

    async def async_step_link(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Say what will happen, then get a code to type at plex.tv/link."""
        if user_input is None:
            return await self._async_open("link")
        client = self._client
        try:
            self._use_typed(user_input)
            if self._link is not None and self._client != client:
                self._link.end()
                self._link = None
            if self._link is None:
                self._link = LinkSignIn(self.hass, self._client, self._async_signed_in)
            await self._link.start()
        except (FormError, PlexError) as err:
            return self._show_form("link", err)
        return await self.async_step_link_wait()

    async def async_step_link_wait(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Show the code until somebody has typed it at plex.tv/link."""
        assert self._link is not None
        if self._link.outcome is not None:
            return self.async_show_progress_done(next_step_id="link_done")
        return self.async_show_progress(
            step_id="link_wait",
            progress_action="wait_for_link",
            progress_task=self._link.progress,
            description_placeholders={"code": self._link.code, "url": LINK_URL},
        )

    async def async_step_link_done(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Show what came of waiting; everything has been done by then."""
        assert self._link is not None and self._link.outcome is not None
        outcome = self._link.outcome
        if isinstance(outcome, HomeAssistantError):
            raise outcome
        if isinstance(outcome, PlexError):
            return self._show_form("link", outcome)
        return outcome

    async def async_step_token(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Use a token that the user has already."""
        if user_input is None:
            return await self._async_open("token")
        try:
            self._use_typed(user_input)
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
        """Let the user choose servers, and create the entry."""
        assert self._sign_in is not None
        name = self._sign_in.account.name
        if self._servers is None:
            plex = async_create_plex_tv(self.hass, self._client)
            try:
                self._servers = await plex.servers(self._sign_in.data[CONF_TOKEN])
            except PlexError as err:
                return self.async_show_form(
                    step_id="servers",
                    data_schema=forms.EMPTY_SCHEMA,
                    errors=checks.form_errors(err),
                    description_placeholders={"name": name},
                )
        typed = user_input or {}
        if self._servers and CONF_SERVERS not in typed:
            return self.async_show_form(
                step_id="servers",
                data_schema=forms.servers_schema(self._servers),
                description_placeholders={"name": name},
            )
        return self.async_create_entry(
            title=name,
            data=self._sign_in.data,
            subentries=[
                ConfigSubentryData(
                    subentry_type=SUBENTRY_TYPE_SERVER,
                    unique_id=server.machine_identifier,
                    title=server.name,
                    data=listed_server_data(server),
                )
                for server in self._servers
                if server.machine_identifier in typed[CONF_SERVERS]
            ],
        )

    @override
    async def async_on_create_entry(self, result: ConfigFlowResult) -> ConfigFlowResult:
        """Leave what is stored of the servers out of the answer: it has their tokens."""
        result["subentries"] = ()
        return result

    @override
    @callback
    def async_remove(self) -> None:
        """Finish a sign-in when the dialog ends, one that is under way included."""
        self._is_closed = True
        self._credentials = None
        if self._sign_in is not None:
            self._sign_in.finish()
        if self._link is not None:
            self._link.close()
        if self.source != SOURCE_USER:
            self._ask_again()

    async def _async_sign_in(self, code: str | None = None) -> ConfigFlowResult:
        """Sign in once with what was typed; show the form again when it fails."""
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

    async def _async_signed_in(self, sign_in: NewSignIn) -> ConfigFlowResult:
        """Go on with a token that plex.tv has given or accepted.

        The dialog may have been closed meanwhile. An entry needs its new token even so:
        the sign-in has made plex.tv forget the old one.
        """
        self._credentials = None
        self._sign_in = sign_in
        account = sign_in.account
        try:
            if self.source != SOURCE_USER:
                if account.uuid != self._entry.unique_id:
                    sign_in.finish()
                    return self._show_form(
                        sign_in.origin.value, FormError("wrong_account")
                    )
                sign_in.store_in(self._entry)
                return self.async_update_and_abort(self._entry)
            if self._is_closed:
                raise UnknownFlow
            await self.async_set_unique_id(account.uuid, raise_on_progress=False)
            self._replace_abandoned(account.uuid)
            self._abort_if_unique_id_configured(
                description_placeholders={"name": account.name}
            )
        finally:
            if self._is_closed:
                sign_in.finish()
        return await self.async_step_servers()

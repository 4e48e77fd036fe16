"""State and forms that the sign-in steps share."""

from collections.abc import Mapping
from typing import Any, Final
from uuid import uuid4

from homeassistant.config_entries import (
    SOURCE_REAUTH,
    SOURCE_RECONFIGURE,
    SOURCE_USER,
    ConfigEntryState,
    ConfigFlow,
    ConfigFlowResult,
)
from homeassistant.const import CONF_USERNAME
from homeassistant.core import callback

from .. import names
from ..api.errors import PlexError
from ..api.plex_tv import PLEX_TV_API
from ..const import CONF_API_URL, CONF_CLIENT_IDENTIFIER, TokenOrigin
from ..runtime_data import PlexAuthConfigEntry
from . import checks, forms
from .checks import FormError
from .sign_in import NewSignIn

METHODS: Final = ["link", "password", "token"]

_MENUS = {SOURCE_REAUTH: "reauth_confirm", SOURCE_RECONFIGURE: "reconfigure"}


class SignInDialog(ConfigFlow):
    """Base of the config flow with what its steps share."""

    def __init__(self) -> None:
        """Initialize for plex.tv with a new client identifier."""
        self._own_identifier = str(uuid4())
        self._typed: dict[str, str] = {}
        self._sign_in: NewSignIn | None = None

    @property
    def _entry(self) -> PlexAuthConfigEntry:
        """Return the entry that gets a new token."""
        if self.source == SOURCE_REAUTH:
            return self._get_reauth_entry()
        return self._get_reconfigure_entry()

    @property
    def _client(self) -> dict[str, str]:
        """Return the client identifier and API address to sign in with."""
        typed = self._typed
        return {
            CONF_CLIENT_IDENTIFIER: typed.get(CONF_CLIENT_IDENTIFIER)
            or self._own_identifier,
            CONF_API_URL: typed.get(CONF_API_URL) or PLEX_TV_API,
        }

    @property
    def _names(self) -> dict[str, str]:
        """Return the names in the texts."""
        if self.source == SOURCE_USER:
            return {}
        other = self._sign_in.account.name if self._sign_in else ""
        return {"name": self._entry.title, "other": other}

    def _use_entry(self) -> None:
        """Use the entry's client identifier, and its address unless one was typed."""
        data = self._entry.data
        self._own_identifier = data[CONF_CLIENT_IDENTIFIER]
        self._typed.setdefault(CONF_API_URL, data[CONF_API_URL])

    def _is_shown(self, step_id: str) -> bool:
        """Return whether a step is already shown.

        When a dialog is reopened, Home Assistant calls its step again without input.
        """
        return self.cur_step is not None and self.cur_step.get("step_id") == step_id

    async def _async_open(self, step_id: str) -> ConfigFlowResult:
        """Show a form, or the menu if the dialog was reopened at the form."""
        if self._is_shown(step_id):
            return await self._async_show_menu()
        return self._show_form(step_id)

    @property
    def _menu(self) -> str:
        """Return the ID of the first step."""
        return _MENUS.get(str(self.source), "user")

    async def _async_show_menu(self) -> ConfigFlowResult:
        """Show the first step."""
        result: ConfigFlowResult = await getattr(self, f"async_step_{self._menu}")()
        return result

    def _show_form(
        self,
        step_id: str,
        err: FormError | PlexError | None = None,
        typed: Mapping[str, Any] | None = None,
    ) -> ConfigFlowResult:
        """Show a form with the typed values, except secrets."""
        known = self._known_user() | {k: v for k, v in self._typed.items() if v}
        return self.async_show_form(
            step_id=step_id,
            data_schema=self.add_suggested_values_to_schema(
                forms.sign_in_schema(step_id, self.source), typed or known
            ),
            errors=checks.form_errors(err),
            description_placeholders={
                "api_url": PLEX_TV_API,
                **names.placeholders(**self._names),
            },
        )

    async def _async_reason(self, err: FormError | PlexError) -> str:
        """Return an error's translated text for a description: menus show no errors.

        Descriptions are Markdown, so the names in it are escaped.
        """
        (key,) = checks.form_errors(err).values()
        text = await forms.async_text(self.hass, f"config.error.{key}")
        return text.format(
            **{key: names.escaped(name) for key, name in self._names.items()}
        )

    async def _async_in_use(self) -> dict[str, str]:
        """Return what the advanced options have set, for the menu."""
        client = self._client
        hints = {
            key: client[key] != default
            for key, default in (
                (CONF_API_URL, PLEX_TV_API),
                (CONF_CLIENT_IDENTIFIER, self._own_identifier),
            )
        }
        shown = {key: names.escaped(text) for key, text in client.items()}
        in_use = await forms.async_hints(self.hass, "config", hints, **shown)
        return {"in_use_md": in_use}

    async def _async_show_failure(
        self, method: str, err: FormError | PlexError
    ) -> ConfigFlowResult:
        """Show a failure in the form of a method, or in a menu if it has none."""
        if method != TokenOrigin.LINK:
            return self._show_form(method, err)
        return self.async_show_menu(
            step_id="link_failed",
            menu_options=METHODS,
            description_placeholders={
                **names.placeholders(**self._names),
                "reason_md": await self._async_reason(err),
            },
        )

    def _known_user(self) -> dict[str, Any]:
        """Return the username of the entry's account, if known."""
        if (
            self.source == SOURCE_USER
            or self._entry.state is not ConfigEntryState.LOADED
        ):
            return {}
        data = self._entry.runtime_data.account.data
        return {CONF_USERNAME: data.details.username} if data else {}

    @callback
    def _ask_again(self) -> None:
        """Ask to sign in again if the dialog did not get a valid token."""
        entry = self.hass.config_entries.async_get_entry(self.context["entry_id"])
        if entry is not None and entry.state is ConfigEntryState.LOADED:
            self.hass.loop.call_soon(entry.runtime_data.account.async_ask_to_sign_in)

"""What the steps of signing in share: what is known so far, and how forms are shown."""

from collections.abc import Mapping
from typing import Any
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

from ..api.errors import PlexError
from ..api.models import ListedServer
from ..api.plex_tv import PLEX_TV_API
from ..const import CONF_ADVANCED, CONF_API_URL, CONF_CLIENT_IDENTIFIER
from ..runtime_data import PlexAuthConfigEntry
from . import checks, forms
from .checks import FormError
from .link import LINK_URL, LinkSignIn
from .sign_in import NewSignIn

_MENUS = {SOURCE_REAUTH: "reauth_confirm", SOURCE_RECONFIGURE: "reconfigure"}


class SignInDialog(ConfigFlow):
    """Keep what a dialog of signing in knows between its steps."""

    def __init__(self) -> None:
        """Begin with plex.tv and a new client identifier."""
        self._client = self._own_client = {
            CONF_CLIENT_IDENTIFIER: str(uuid4()),
            CONF_API_URL: PLEX_TV_API,
        }
        self._typed: dict[str, Any] = {}
        self._credentials: tuple[str, str] | None = None
        self._link: LinkSignIn | None = None
        self._sign_in: NewSignIn | None = None
        self._servers: tuple[ListedServer, ...] | None = None
        self._is_closed = False

    @property
    def _entry(self) -> PlexAuthConfigEntry:
        """Return the entry that gets a new token."""
        if self.source == SOURCE_REAUTH:
            return self._get_reauth_entry()
        return self._get_reconfigure_entry()

    def _use_typed(self, user_input: Mapping[str, Any]) -> None:
        """Keep what was typed, secrets excepted, and take what `advanced` says.

        Raises FormError for what cannot be meant.
        """
        self._typed = {
            key: value
            for key, value in user_input.items()
            if key in (CONF_USERNAME, CONF_ADVANCED)
        }
        self._client = self._own_client
        if CONF_ADVANCED in user_input:
            self._client = checks.advanced(
                user_input[CONF_ADVANCED],
                self._own_client[CONF_CLIENT_IDENTIFIER],
                [
                    entry.data.get(CONF_CLIENT_IDENTIFIER)
                    for entry in self._async_current_entries(include_ignore=False)
                ],
            )

    async def _async_open(self, step_id: str) -> ConfigFlowResult:
        """Show a form, or the menu where a dialog is opened again that was at the form.

        Home Assistant asks the step where a dialog was closed once more without input.
        """
        step = self.cur_step.get("step_id") if self.cur_step else None
        if step != step_id:
            return self._show_form(step_id)
        menu = _MENUS.get(str(self.source), "user")
        result: ConfigFlowResult = await getattr(self, f"async_step_{menu}")()
        return result

    def _show_form(
        self, step_id: str, err: FormError | PlexError | None = None
    ) -> ConfigFlowResult:
        """Show the form of a way to sign in, filled with what is no secret."""
        errors = checks.form_errors(err)
        collapsed = CONF_ADVANCED not in errors
        schema = forms.sign_in_schema(step_id, self.source, collapsed=collapsed)
        names = {}
        if self.source != SOURCE_USER:
            other = self._sign_in.account.name if self._sign_in else ""
            names = {"name": self._entry.title, "other": other}
        return self.async_show_form(
            step_id=step_id,
            data_schema=self.add_suggested_values_to_schema(
                schema, self._known_user() | self._typed
            ),
            errors=errors,
            description_placeholders={"url": LINK_URL, "api_url": PLEX_TV_API, **names},
        )

    def _known_user(self) -> dict[str, Any]:
        """Return the user name of the entry's account, as far as it is known."""
        if (
            self.source == SOURCE_USER
            or self._entry.state is not ConfigEntryState.LOADED
        ):
            return {}
        data = self._entry.runtime_data.account.data
        return {CONF_USERNAME: data.details.username} if data else {}

    @callback
    def _replace_abandoned(self, unique_id: str) -> None:
        """End other dialogs that add the account: their pages are gone."""
        other = {"unique_id": unique_id, "source": SOURCE_USER}
        for flow in self._async_in_progress(match_context=other):
            self.hass.config_entries.flow.async_abort(flow["flow_id"])

    @callback
    def _ask_again(self) -> None:
        """Ask to sign in again where the dialog has brought no token that is good."""
        entry = self.hass.config_entries.async_get_entry(self.context["entry_id"])
        if entry is not None and entry.state is ConfigEntryState.LOADED:
            self.hass.loop.call_soon(entry.runtime_data.account.async_ask_to_sign_in)

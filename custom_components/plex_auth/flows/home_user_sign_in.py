"""Repair of a Home user whose token plex.tv rejects."""

from homeassistant.components.repairs import RepairsFlowResult
from homeassistant.config_entries import ConfigEntryState
from homeassistant.const import CONF_TOKEN

from ..api.errors import PinWrongError, PlexError, TokenRejectedError
from ..api.homes import HomeUser
from ..messages import plex_tv_error_key
from . import forms
from .home_user import (
    INVALID_PIN,
    FormErrors,
    HomeUserGoneError,
    async_home_user,
    async_switch,
)
from .repair import SubentryRepairFlow


class HomeUserSignInFlow(SubentryRepairFlow):
    """A repair flow that switches again to a Home user whose token plex.tv rejects."""

    _placeholder = "home_user"

    _user: HomeUser | None = None

    async def async_step_init(
        self, user_input: dict[str, str] | None = None
    ) -> RepairsFlowResult:
        """Find out whether a PIN is needed, or the user has left the Home."""
        return await self.async_step_confirm()

    async def async_step_confirm(
        self, user_input: dict[str, str] | None = None
    ) -> RepairsFlowResult:
        """Switch to the Home user without a PIN."""
        return await self._async_switch("confirm", user_input)

    async def async_step_pin(
        self, user_input: dict[str, str] | None = None
    ) -> RepairsFlowResult:
        """Switch to the Home user with a PIN."""
        return await self._async_switch("pin", user_input)

    async def async_step_remove(
        self, user_input: dict[str, str] | None = None
    ) -> RepairsFlowResult:
        """Remove a user who is no longer in the Home, after confirmation."""
        if self._is_removed():
            return self._abort("home_user_removed")
        if user_input is None:
            return self._ask("remove")
        self.hass.config_entries.async_remove_subentry(
            self._entry, self._subentry.subentry_id
        )
        return self._done()

    async def _async_switch(
        self, step_id: str, user_input: dict[str, str] | None
    ) -> RepairsFlowResult:
        """Switch once, or show why it failed."""
        if self._is_removed():
            return self._abort("home_user_removed")
        if self._entry.state is not ConfigEntryState.LOADED:
            return self._abort("entry_not_loaded")
        account = self._entry.runtime_data.account
        if account.needs_sign_in:
            return self._abort("sign_in_first")
        try:
            if self._user is None:
                self._user = await async_home_user(
                    self.hass, account, self._subentry.unique_id
                )
                return self._ask("pin" if self._user.protected else "confirm")
            if user_input is None:
                return self._ask(step_id)
            switched = await async_switch(self.hass, account, self._user, user_input)
        except PinWrongError:
            return self._ask("pin", INVALID_PIN if user_input else None)
        except HomeUserGoneError:
            return await self.async_step_remove()
        except TokenRejectedError:
            # The removal of the account signs it out.
            is_removed = self._is_removed()
            return self._abort("home_user_removed" if is_removed else "sign_in_first")
        except PlexError as err:
            return self._ask(step_id, {"base": plex_tv_error_key(err)})
        if self._is_removed():
            return self._abort("home_user_removed")
        data = {**self._subentry.data, CONF_TOKEN: switched.token}
        self._store(data, self._user.title)
        if switched.is_account_rejected:
            return self._abort("account_rejected")
        return self._done()

    def _ask(self, step_id: str, errors: FormErrors | None = None) -> RepairsFlowResult:
        """Show a step."""
        return self.async_show_form(
            step_id=step_id,
            data_schema=forms.PIN_SCHEMA if step_id == "pin" else forms.EMPTY_SCHEMA,
            errors=errors,
            description_placeholders=self._placeholders(),
        )

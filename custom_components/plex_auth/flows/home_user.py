"""Dialogs for a Home user: add, switch again, and repair a rejected sign-in."""

from collections.abc import Awaitable, Mapping
from contextlib import suppress
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from homeassistant.components.repairs import RepairsFlowResult
from homeassistant.config_entries import (
    ConfigEntryState,
    ConfigSubentry,
    ConfigSubentryFlow,
    SubentryFlowResult,
    UnknownEntry,
)
from homeassistant.const import CONF_PIN, CONF_TOKEN
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import AbortFlow

from .. import names
from ..api.errors import PinWrongError, PlexError, TokenRejectedError
from ..api.homes import HomeUser
from ..clients import async_create_plex_tv
from ..const import CONF_HOME_USER, SUBENTRY_TYPE_HOME_USER
from ..coordinator import AccountCoordinator
from ..messages import plex_tv_error_key
from ..runtime_data import PlexAuthConfigEntry
from . import forms
from .repair import SubentryRepairFlow

type _Errors = dict[str, str]

_INVALID_PIN: Final = {CONF_PIN: "invalid_pin"}


async def async_home_users(
    hass: HomeAssistant, account: AccountCoordinator
) -> tuple[HomeUser, ...]:
    """Return the users of an account's Plex Home. Raises PlexError."""
    data = account.config_entry.data
    plex = async_create_plex_tv(hass, data)
    return await _async_ask(account, plex.home_users(data[CONF_TOKEN]))


class Switched(NamedTuple):
    """A Home user's token, and whether plex.tv rejects the account's own since then."""

    token: str
    is_account_rejected: bool


async def async_switch(
    hass: HomeAssistant,
    account: AccountCoordinator,
    user: HomeUser,
    typed: Mapping[str, str],
) -> Switched:
    """Switch to a Home user once, with the PIN if one was typed. Raises PlexError.

    Whether that ends the token of the account is unknown (plex-api.md §22.4), so it is
    checked once.
    """
    pin = typed.get(CONF_PIN)
    if pin is not None and not pin.strip():
        raise PinWrongError
    data = account.config_entry.data
    plex = async_create_plex_tv(hass, data)
    token = await _async_ask(
        account, plex.switch_home_user(data[CONF_TOKEN], user, pin and pin.strip())
    )
    with suppress(PlexError):
        await account.async_verify()
    return Switched(token, account.needs_sign_in)


async def _async_ask[AnswerT](
    account: AccountCoordinator, request: Awaitable[AnswerT]
) -> AnswerT:
    """Return the answer of plex.tv; after a rejection, let the account ask to sign in."""
    try:
        return await account.async_ask(request)
    except TokenRejectedError:
        with suppress(PlexError):
            await account.async_verify()
        raise


class HomeUserSubentryFlow(ConfigSubentryFlow):
    """Subentry flow that adds a user of the Plex Home, or switches to one again.

    The PIN is kept nowhere.
    """

    _users: dict[str, HomeUser] = {}
    _user: HomeUser | None = None
    _hints = ""

    async def async_step_user(
        self, user_input: dict[str, Any] | None = None
    ) -> SubentryFlowResult:
        """Let the user select a Home user, then switch if that takes no PIN."""
        account = self._account
        self._user = self._users.get((user_input or {}).get(CONF_HOME_USER, ""))
        if self._user is not None:
            if self._user.protected:
                return self._show_pin()
            return await self._async_add({})
        try:
            users = await async_home_users(self.hass, account)
        except TokenRejectedError:
            raise AbortFlow("sign_in_first", self._placeholders) from None
        except PlexError as err:
            return self._show_users({"base": plex_tv_error_key(err)})
        others = [user for user in users if user.uuid != self._entry.unique_id]
        guests = [user for user in others if user.guest]
        added = [user for user in others if user.uuid in self._taken]
        self._users = {
            user.uuid: user for user in others if user not in (*guests, *added)
        }
        if not self._users:
            raise AbortFlow(
                "no_more_home_users" if others else "no_home_users", self._placeholders
            )
        self._hints = await forms.async_hints(
            self.hass,
            "config_subentries.home_user",
            {"guests": bool(guests), "added": bool(added)},
        )
        return self._show_users()

    async def async_step_pin(
        self, user_input: dict[str, Any] | None = None
    ) -> SubentryFlowResult:
        """Switch to the Home user with a PIN."""
        if user_input is None:
            return self._show_pin()
        return await self._async_add(user_input)

    async def async_step_reconfigure(
        self, user_input: dict[str, Any] | None = None
    ) -> SubentryFlowResult:
        """Switch to the Home user again."""
        account, subentry = self._account, self._subentry
        errors: _Errors = {}
        try:
            if self._user is None:
                users = await async_home_users(self.hass, account)
                self._user = next(
                    (user for user in users if user.uuid == subentry.unique_id), None
                )
                if self._user is None:
                    raise AbortFlow("home_user_gone", self._placeholders)
            elif user_input is not None:
                switched = await async_switch(
                    self.hass, account, self._user, user_input
                )
                return self._stored(self._user, switched)
        except PinWrongError:
            errors = _INVALID_PIN
        except TokenRejectedError:
            raise AbortFlow("sign_in_first", self._placeholders) from None
        except PlexError as err:
            errors = {"base": plex_tv_error_key(err)}
        needs_pin = self._user is not None and (
            self._user.protected or CONF_PIN in errors
        )
        return self.async_show_form(
            step_id="reconfigure",
            data_schema=forms.PIN_SCHEMA if needs_pin else forms.EMPTY_SCHEMA,
            errors=errors,
            description_placeholders=self._placeholders,
        )

    async def _async_add(self, typed: Mapping[str, str]) -> SubentryFlowResult:
        """Switch to the selected Home user, and add the user with the token."""
        account, user = self._account, self._user
        assert user is not None
        try:
            switched = await async_switch(self.hass, account, user, typed)
        except PinWrongError:
            return self._show_pin(_INVALID_PIN if typed else None)
        except TokenRejectedError:
            raise AbortFlow("sign_in_first", self._placeholders) from None
        except PlexError as err:
            errors = {"base": plex_tv_error_key(err)}
            return self._show_pin(errors) if typed else self._show_users(errors)
        entry = self._entry
        if user.uuid in self._taken:
            raise AbortFlow("already_configured", self._placeholders)
        data = {CONF_TOKEN: switched.token}
        if not switched.is_account_rejected:
            return self.async_create_entry(
                title=user.title, unique_id=user.uuid, data=data
            )
        self.hass.config_entries.async_add_subentry(
            entry,
            ConfigSubentry(
                data=MappingProxyType(data),
                subentry_type=SUBENTRY_TYPE_HOME_USER,
                title=user.title,
                unique_id=user.uuid,
            ),
        )
        return self._rejected()

    def _stored(self, user: HomeUser, switched: Switched) -> SubentryFlowResult:
        """Store the token of a switch, and say if it cost the account its sign-in."""
        subentry = self._subentry
        data = {**subentry.data, CONF_TOKEN: switched.token}
        result = self.async_update_and_abort(
            self._entry, subentry, title=user.title, data=data
        )
        return self._rejected() if switched.is_account_rejected else result

    def _rejected(self) -> SubentryFlowResult:
        """End after a switch that cost the account its sign-in."""
        return self.async_abort(
            reason="account_rejected", description_placeholders=self._placeholders
        )

    def _show_users(self, errors: _Errors | None = None) -> SubentryFlowResult:
        """Show the Home users that can be added, if they are known."""
        users = self._users.values()
        return self.async_show_form(
            step_id="user",
            data_schema=forms.home_user_schema(users) if users else forms.EMPTY_SCHEMA,
            errors=errors,
            description_placeholders=self._placeholders | {"hints_md": self._hints},
        )

    def _show_pin(self, errors: _Errors | None = None) -> SubentryFlowResult:
        """Ask for the PIN of the selected Home user."""
        return self.async_show_form(
            step_id="pin",
            data_schema=forms.PIN_SCHEMA,
            errors=errors,
            description_placeholders=self._placeholders,
        )

    @property
    def _taken(self) -> set[str | None]:
        """Return the UUIDs of the account and of the Home users that are added."""
        entry = self._entry
        added = entry.get_subentries_of_type(SUBENTRY_TYPE_HOME_USER)
        return {entry.unique_id, *(subentry.unique_id for subentry in added)}

    @property
    def _placeholders(self) -> dict[str, str]:
        """Return the names in the texts."""
        user = self._user.title if self._user is not None else ""
        if self.source == "reconfigure":
            user = self._subentry.title
        return names.placeholders(account=self._entry.title, home_user=user)

    @property
    def _entry(self) -> PlexAuthConfigEntry:
        """Return the account's entry; abort if it was removed."""
        try:
            entry: PlexAuthConfigEntry = self._get_entry()
        except UnknownEntry:
            raise AbortFlow("entry_not_loaded") from None
        return entry

    @property
    def _subentry(self) -> ConfigSubentry:
        """Return the Home user's subentry; abort if it was removed."""
        subentry = self._entry.subentries.get(self._reconfigure_subentry_id)
        if subentry is None:
            raise AbortFlow("home_user_removed")
        return subentry

    @property
    def _account(self) -> AccountCoordinator:
        """Return the account; abort if it is not loaded, or not signed in."""
        entry = self._entry
        if entry.state is not ConfigEntryState.LOADED:
            raise AbortFlow("entry_not_loaded")
        account = entry.runtime_data.account
        if account.needs_sign_in:
            raise AbortFlow("sign_in_first", self._placeholders)
        return account


class HomeUserSignInFlow(SubentryRepairFlow):
    """A repair flow that switches again to a Home user whose token plex.tv rejects."""

    _placeholder = "home_user"

    _user: HomeUser | None = None

    async def async_step_init(
        self, user_input: dict[str, str] | None = None
    ) -> RepairsFlowResult:
        """Find out whether the switch takes a PIN, or the user has left the Home."""
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
        """Switch once, or show why that fails."""
        if self._is_removed():
            return self._abort("home_user_removed")
        if self._entry.state is not ConfigEntryState.LOADED:
            return self._abort("entry_not_loaded")
        account = self._entry.runtime_data.account
        if account.needs_sign_in:
            return self._abort("sign_in_first")
        try:
            if self._user is None:
                users = await async_home_users(self.hass, account)
                self._user = next(
                    (one for one in users if one.uuid == self._subentry.unique_id), None
                )
                if self._user is None:
                    return await self.async_step_remove()
                return self._ask("pin" if self._user.protected else "confirm")
            if user_input is None:
                return self._ask(step_id)
            switched = await async_switch(self.hass, account, self._user, user_input)
        except PinWrongError:
            return self._ask("pin", _INVALID_PIN if user_input else None)
        except TokenRejectedError:
            return self._abort("sign_in_first")
        except PlexError as err:
            return self._ask(step_id, {"base": plex_tv_error_key(err)})
        if self._is_removed():
            return self._abort("home_user_removed")
        data = {**self._subentry.data, CONF_TOKEN: switched.token}
        self._store(data, self._user.title)
        if switched.is_account_rejected:
            return self._abort("account_rejected")
        return self._done()

    def _ask(self, step_id: str, errors: _Errors | None = None) -> RepairsFlowResult:
        """Show a step."""
        return self.async_show_form(
            step_id=step_id,
            data_schema=forms.PIN_SCHEMA if step_id == "pin" else forms.EMPTY_SCHEMA,
            errors=errors,
            description_placeholders=self._placeholders(),
        )

"""Subentry flow of Home users: add one, or switch to one again."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from homeassistant.config_entries import ConfigSubentry, SubentryFlowResult
from homeassistant.const import CONF_PIN, CONF_TOKEN
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import AbortFlow

from .. import names
from ..api.errors import (
    BadRequestError,
    NotFoundError,
    PinWrongError,
    PlexError,
    TokenRejectedError,
)
from ..api.homes import HomeUser
from ..clients import async_create_plex_tv
from ..const import CONF_HOME_USER, SUBENTRY_TYPE_HOME_USER
from ..coordinator import AccountCoordinator, async_ask_as_account
from ..messages import plex_tv_error_key
from . import forms
from .subentry import SubentryDialog

type FormErrors = dict[str, str]

INVALID_PIN: Final = {CONF_PIN: "invalid_pin"}


async def async_home_users(
    hass: HomeAssistant, account: AccountCoordinator
) -> tuple[HomeUser, ...]:
    """Return the users of an account's Plex Home. Raises PlexError."""
    data = account.config_entry.data
    plex = async_create_plex_tv(hass, data)
    return await async_ask_as_account(account, plex.home_users(data[CONF_TOKEN]))


class HomeUserGoneError(PlexError):
    """Raised when a user is no longer in the Plex Home."""

    message = "The user has left the Plex Home"


async def async_home_user(
    hass: HomeAssistant, account: AccountCoordinator, uuid: str | None
) -> HomeUser:
    """Return a user of an account's Plex Home, as it is now.

    Raises PlexError, and HomeUserGoneError if plex.tv does not list the user.
    """
    for user in await async_home_users(hass, account):
        if user.uuid == uuid:
            return user
    raise HomeUserGoneError


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
    """Switch to a Home user once, with the PIN if one was typed.

    Raises PlexError, and HomeUserGoneError if plex.tv no longer lists the user. Whether
    that ends the token of the account is unknown (plex-api.md §22.2), so it is
    checked once.
    """
    pin = typed.get(CONF_PIN)
    if pin is not None and not pin.strip():
        raise PinWrongError
    data = account.config_entry.data
    plex = async_create_plex_tv(hass, data)
    try:
        token = await async_ask_as_account(
            account, plex.switch_home_user(data[CONF_TOKEN], user, pin and pin.strip())
        )
    except BadRequestError, NotFoundError:
        await async_home_user(hass, account, user.uuid)
        raise
    with suppress(PlexError):
        await account.async_verify()
    return Switched(token, account.needs_sign_in)


class HomeUserSubentryFlow(SubentryDialog):
    """Subentry flow that adds a user of the Plex Home, or switches to one again.

    The PIN is not stored.
    """

    _users: dict[str, HomeUser] = {}
    _user: HomeUser | None = None
    _title = ""
    """The title of the subentry to switch to again."""
    _hints = ""

    async def async_step_user(
        self, user_input: dict[str, Any] | None = None
    ) -> SubentryFlowResult:
        """Let the user select a Home user, then switch if no PIN is needed."""
        account = self._account
        self._user = self._users.get((user_input or {}).get(CONF_HOME_USER, ""))
        if self._user is not None and self._user.uuid not in self._taken:
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
            raise AbortFlow("no_home_users", self._placeholders)
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
        self._title = subentry.title
        errors: FormErrors = {}
        try:
            if self._user is None:
                self._user = await async_home_user(
                    self.hass, account, subentry.unique_id
                )
            elif user_input is not None:
                switched = await async_switch(
                    self.hass, account, self._user, user_input
                )
                return self._stored(self._user, switched)
        except PinWrongError:
            assert self._user is not None
            # It takes a PIN, whatever the list says.
            self._user = replace(self._user, protected=True)
            errors = INVALID_PIN if user_input else {}
        except HomeUserGoneError:
            raise AbortFlow("home_user_gone", self._placeholders) from None
        except TokenRejectedError:
            raise AbortFlow("sign_in_first", self._placeholders) from None
        except PlexError as err:
            errors = {"base": plex_tv_error_key(err)}
        needs_pin = self._user is not None and self._user.protected
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
        # A second switch may end the token of the first one (plex-api.md §22.4).
        self._require_new(user)
        try:
            switched = await async_switch(self.hass, account, user, typed)
        except PinWrongError:
            return self._show_pin(INVALID_PIN if typed else None)
        except HomeUserGoneError:
            return await self.async_step_user()
        except TokenRejectedError:
            raise AbortFlow("sign_in_first", self._placeholders) from None
        except PlexError as err:
            errors = {"base": plex_tv_error_key(err)}
            return self._show_pin(errors) if typed else self._show_users(errors)
        self._require_new(user)
        data = {CONF_TOKEN: switched.token}
        if not switched.is_account_rejected:
            return self.async_create_entry(
                title=user.title, unique_id=user.uuid, data=data
            )
        self.hass.config_entries.async_add_subentry(
            self._entry,
            ConfigSubentry(
                data=MappingProxyType(data),
                subentry_type=SUBENTRY_TYPE_HOME_USER,
                title=user.title,
                unique_id=user.uuid,
            ),
        )
        return self._abort("account_rejected")

    def _require_new(self, user: HomeUser) -> None:
        """Abort if a Home user was added in the meantime."""
        if user.uuid in self._taken:
            raise AbortFlow("already_configured", self._placeholders)

    def _stored(self, user: HomeUser, switched: Switched) -> SubentryFlowResult:
        """Store the token of a switch, and say if it ended the account's sign-in."""
        subentry = self._subentry
        data = {**subentry.data, CONF_TOKEN: switched.token}
        result = self.async_update_and_abort(
            self._entry, subentry, title=user.title, data=data
        )
        is_rejected = switched.is_account_rejected
        return self._abort("account_rejected") if is_rejected else result

    def _abort(self, reason: str) -> SubentryFlowResult:
        """Abort with a reason that names the account and the Home user."""
        return self.async_abort(
            reason=reason, description_placeholders=self._placeholders
        )

    def _show_users(self, errors: FormErrors | None = None) -> SubentryFlowResult:
        """Show the Home users that can be added, if they are known."""
        users = self._users.values()
        schema = forms.home_user_schema(users) if users else forms.EMPTY_SCHEMA
        selected = {} if self._user is None else {CONF_HOME_USER: self._user.uuid}
        return self.async_show_form(
            step_id="user",
            data_schema=self.add_suggested_values_to_schema(schema, selected),
            errors=errors,
            description_placeholders=self._placeholders | {"hints_md": self._hints},
        )

    def _show_pin(self, errors: FormErrors | None = None) -> SubentryFlowResult:
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
        user = self._title or (self._user.title if self._user is not None else "")
        return names.placeholders(account=self._entry.title, home_user=user)

    @property
    def _subentry(self) -> ConfigSubentry:
        """Return the Home user's subentry; abort if it was removed."""
        subentry = self._entry.subentries.get(self._reconfigure_subentry_id)
        if subentry is None:
            raise AbortFlow("home_user_removed", self._placeholders)
        return subentry

    @property
    def _account(self) -> AccountCoordinator:
        """Return the account; abort if it is not loaded, or not signed in."""
        self._require_loaded()
        account = self._entry.runtime_data.account
        if account.needs_sign_in:
            raise AbortFlow("sign_in_first", self._placeholders)
        return account

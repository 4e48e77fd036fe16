"""The calls to plex.tv: sign in, link, user, servers, devices, Home, claim, sign out."""

from collections.abc import Awaitable
from contextlib import suppress
from typing import Final

from yarl import URL

from .bodies import rows
from .devices import Device
from .errors import (
    NotFoundError,
    PinWrongError,
    PlexError,
    TooLargeError,
    TooManyDevicesError,
    UnexpectedAnswerError,
)
from .failures import link_error, plex_tv_error, sign_in_error, switch_error
from .fields import unwrap
from .homes import HomeUser, parse_switch
from .models import Account, ListedServer, Pin, SignIn
from .transport import Transport

PLEX_TV_API: Final = "https://plex.tv/api/v2"

_API_PATH: Final = "/api/v2"
_NO_SUCH_CALL: Final = frozenset({404, 405, 410})
_UNKNOWN_USER: Final = _NO_SUCH_CALL | {400}
_NO_HOME: Final = frozenset({400, 403, 404})
_RESOURCES_PARAMS: Final = {
    "includeHttps": "1",
    "includeRelay": "1",
    "includeIPv6": "1",
}


class PlexTv:
    """Calls to plex.tv; all raise the errors of `Transport.request` and `failures`."""

    def __init__(self, transport: Transport, api_url: str = PLEX_TV_API) -> None:
        """Initialize with a transport and the base URL of the calls."""
        self._api = URL(api_url)
        # The base of those calls of the first API that version 2 does not replace.
        self._root = self._api.with_path(self._api.path.removesuffix(_API_PATH))
        self._transport = transport

    async def sign_in(
        self, login: str, password: str, verification_code: str | None = None
    ) -> SignIn:
        """Sign in with an email address or user name (plex-api.md §1).

        Also raises WrongCredentialsError, VerificationCodeRequiredError,
        VerificationCodeWrongError, EmailRequiredError and SignInBlockedError. Never
        repeat it automatically: failures lock out the household's IP address.
        """
        form = {"login": login, "password": password, "rememberMe": "true"}
        if verification_code:
            form["verificationCode"] = verification_code
        return SignIn.parse(
            await self._transport.request(
                "POST", self._api / "users" / "signin", sign_in_error, form=form
            )
        )

    async def user(self, token: str) -> Account:
        """Return the account that a token belongs to (plex-api.md §2)."""
        return Account.parse(
            await self._transport.request(
                "GET", self._api / "user", plex_tv_error, token=token
            )
        )

    async def servers(self, token: str) -> tuple[ListedServer, ...]:
        """Return the owned and shared servers of an account (plex-api.md §5).

        Raises TooManyDevicesError if the list is too large: each device is a row.
        """
        url = (self._api / "resources").with_query(_RESOURCES_PARAMS)
        return await _all_devices(
            self._transport.get_list(url, plex_tv_error, _servers, token=token)
        )

    async def devices(self, token: str) -> tuple[Device, ...]:
        """Return the devices that are signed in to an account (plex-api.md §16.1).

        If the call is missing or its response too large, falls back to the first API,
        with its shorter XML. Raises NotFoundError or TooManyDevicesError if that fails
        too.
        """
        with suppress(NotFoundError, TooLargeError):
            return await self._devices(token, self._api / "devices")
        return await _all_devices(self._devices(token, self._root / "devices.xml"))

    async def _devices(self, token: str, url: URL) -> tuple[Device, ...]:
        """Return the devices listed at a URL."""
        return Device.parse_devices(
            await self._transport.request("GET", url, plex_tv_error, token=token)
        )

    async def remove_device(self, token: str, device_id: int) -> None:
        """Remove a device from an account and revoke its token (plex-api.md §16.2).

        If the documented call of the first API is missing, falls back to version 2.
        Raises NotFoundError if plex.tv does not know the device.
        """
        try:
            await self._delete(token, self._root / "devices" / f"{device_id}.xml")
        except PlexError as err:
            if err.status not in _NO_SUCH_CALL:
                raise
        else:
            return
        await self._delete(token, self._api / "devices" / str(device_id))

    async def _delete(self, token: str, url: URL) -> None:
        """Delete the resource at a URL."""
        await self._transport.request(
            "DELETE", url, plex_tv_error, token=token, parse=False
        )

    async def home_users(self, token: str) -> tuple[HomeUser, ...]:
        """Return the users of an account's Plex Home, its own among them (§22.1).

        Returns none if the account has no Home, which only Plex's own error body says:
        a 404 of a proxy is raised.
        """
        url = self._api / "home" / "users"
        try:
            data = await self._transport.request("GET", url, plex_tv_error, token=token)
        except PlexError as err:
            if err.code is None or err.status not in _NO_HOME:
                raise
            return ()
        return HomeUser.parse_users(data)

    async def switch_home_user(
        self, token: str, user: HomeUser, pin: str | None = None
    ) -> str:
        """Return a plex.tv token with the rights of a Home user (§22.2).

        `token` is the account's. If the documented call does not know the UUID, falls
        back to the numeric ID, then to the first API. Raises PinWrongError for a missing
        or wrong PIN, NotPermittedError, RateLimitedError, and NotFoundError or
        BadRequestError if no call knows the user. Never repeat it automatically: the
        token may have been issued, and PINs may be locked.
        """
        for key in (user.uuid, str(user.id)):
            try:
                return await self._switch(token, user, self._api, key, pin)
            except PinWrongError:
                raise
            except PlexError as err:
                if err.status not in _UNKNOWN_USER:
                    raise
        return await self._switch(token, user, self._api.parent, str(user.id), pin)

    async def _switch(
        self, token: str, user: HomeUser, api: URL, key: str, pin: str | None
    ) -> str:
        """Switch to a Home user with the call of one API, and return the token."""
        url = api / "home" / "users" / key / "switch"
        if pin:
            url = url.with_query(pin=pin)
        return parse_switch(
            await self._transport.request("POST", url, switch_error, token=token), user
        )

    async def create_pin(self) -> Pin:
        """Return a new code to enter at plex.tv/link (plex-api.md §7.1)."""
        return Pin.parse(
            await self._transport.request("POST", self._api / "pins", link_error)
        )

    async def check_pin(self, pin_id: int) -> Pin:
        """Return a code, with a token once it has been entered (plex-api.md §7.2).

        Raises LinkExpiredError when Plex no longer knows the code.
        """
        return Pin.parse(
            await self._transport.request(
                "GET", self._api / "pins" / str(pin_id), link_error
            )
        )

    async def claim_token(self, token: str) -> str:
        """Return a claim token for an account; it works once, for 4 minutes (§17.2).

        Raises UnexpectedAnswerError if the response has none.
        """
        url = self._api.parent / "claim" / "token.json"  # of the first API
        data = await self._transport.request("GET", url, plex_tv_error, token=token)
        claim_token = unwrap(data, "MediaContainer").text("token")
        if claim_token is None:
            raise UnexpectedAnswerError
        return claim_token

    async def sign_out(self, token: str) -> None:
        """Sign out a token (plex-api.md §9)."""
        await self._delete(token, self._api / "users" / "signout")


def _servers(body: bytes) -> tuple[ListedServer, ...]:
    """Return the servers in the response to `GET /resources`."""
    return ListedServer.parse_servers(rows(body, "resources"))


async def _all_devices[ListT](request: Awaitable[ListT]) -> ListT:
    """Return a list with a row for each device; raise TooManyDevicesError if too large."""
    try:
        return await request
    except TooLargeError as err:
        error = TooManyDevicesError(status=err.status)
    raise error
